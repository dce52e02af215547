//! The whole.

use super::settings::Settings;
use engine::signaling::board_fold::BoardState;
use engine::signaling::message::ErrorCode;
use engine::{CallView, ChatLine, DeviceChoice, DeviceInfo, Problem, Reminder, SessionView};
use serde::Serialize;
use std::sync::Arc;

/// Everything a window shows: the engine's view as it is, and what only the shell knows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AppState {
    /// The connection to a server.
    pub session: SessionView,
    /// The call.
    pub call: Arc<CallView>,
    /// Since when the call's server has been out of reach, Unix time in milliseconds.
    pub reconnecting_since_ms: Option<u64>,
    /// Lines of the call's chat, oldest first.
    pub chat: Arc<Vec<Arc<ChatLine>>>,
    /// Code of the last thing that could not be done, until the person has read it.
    #[cfg_attr(test, ts(type = "string | null"))]
    pub notice: Option<ErrorCode>,
    /// Devices found at the last look.
    pub devices: Arc<[DeviceInfo]>,
    /// Devices in use, as chosen; null: the system's default.
    pub choice: DeviceChoice,
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
