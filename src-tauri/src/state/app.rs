//! The whole.

use super::board::{BoardState, Reminder};
use super::call::CallState;
use super::device::{Choice, Device, Problem};
use super::settings::Settings;
use serde::Serialize;
use std::sync::Arc;

/// Everything a window shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AppState {
    /// The connection to a server.
    pub session: SessionState,
    /// The call.
    pub call: Arc<CallState>,
    /// Devices found at the last look.
    pub devices: Vec<Device>,
    /// Devices in use, as chosen; null: the system's default.
    pub choice: Choice,
    /// What is wrong now.
    pub problems: Vec<Problem>,
    /// What the person decided.
    pub settings: Settings,
    /// Who this device is.
    pub you: You,
    /// A link that was opened and not yet answered.
    pub link: Option<PendingLink>,
    /// The server this app runs for the local network, if it does.
    pub hosting: Option<Hosting>,
    /// Today's tables; null on a server without a board, or before it told.
    pub board: Option<Arc<BoardState>>,
    /// What the person has not put away yet, oldest first.
    pub reminders: Vec<Reminder>,
    /// Where pictures come from; null: use the command `next_frame`.
    pub frames: Option<FrameAccess>,
    /// Of this program.
    pub version: String,
}

/// The connection to a server.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SessionState {
    /// None is wanted, or the last one was refused.
    Closed {
        /// Why it was refused, if it was.
        problem: Option<Problem>,
    },
    /// On the way.
    Connecting {
        /// `ws:` or `wss:` address.
        server: String,
        /// Why the last try failed, if one did.
        problem: Option<Problem>,
    },
    /// It stands.
    Open {
        /// `ws:` or `wss:` address.
        server: String,
    },
}

/// Who this device is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct You {
    /// Public key that the present server knows, base64url; empty before there is a server.
    pub key: String,
}

/// A link that was opened and not yet answered. Nothing was sent to its server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PendingLink {
    /// Where it leads.
    pub room: String,
    /// `ws:` or `wss:` address.
    pub server: String,
    /// Whether the server is in the settings, under the same certificate.
    pub known: bool,
    /// SHA-256 of the only certificate to accept, 64 hexadecimal digits.
    pub fingerprint: Option<String>,
    /// Token that lets one in.
    pub invite: Option<String>,
}

/// The server this app runs for the local network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Hosting {
    /// Its address for this machine.
    pub url: String,
    /// What others on the network open in the app.
    pub link: String,
    /// The same for people without the app.
    pub web_link: String,
    /// `web_link` as a QR code, an SVG document.
    pub qr_svg: String,
    /// SHA-256 of its certificate, 64 hexadecimal digits.
    pub fingerprint: String,
    /// This machine's addresses on its networks.
    pub addresses: Vec<String>,
}

/// The socket that gives pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct FrameAccess {
    /// `ws://127.0.0.1:PORT`.
    pub url: String,
    /// To be said first, good for this launch only.
    pub token: String,
}
