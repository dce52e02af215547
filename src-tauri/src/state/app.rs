//! The whole.

use super::settings::Settings;
use engine::signaling::board_fold::BoardState;
use engine::signaling::message::{ErrorCode, ParticipantId};
use engine::{
    CallView, ChatLine, DeviceChoice, DeviceInfo, Problem, Reminder, SessionView, Share, SoundCheckView, TransferView,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything that the window shows: the view of the engine, and the state that only the shell has.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AppState {
    /// The connection to a server.
    pub session: SessionView,
    /// The call.
    pub call: Arc<CallView>,
    /// Unix time in milliseconds at which the call began to reconnect. Null if it does not.
    pub reconnecting_since_ms: Option<u64>,
    /// Since when connections with participants have been interrupted, by id, Unix time in milliseconds.
    #[cfg_attr(test, ts(as = "BTreeMap<String, u32>"))]
    pub interrupted_since_ms: BTreeMap<ParticipantId, u64>,
    /// The chat of the call, oldest line first.
    pub chat: Arc<Vec<Arc<ChatLine>>>,
    /// The files that are sent and received, the oldest first.
    pub transfers: Arc<[TransferView]>,
    /// The names of files that were dropped on the window and wait for a receiver.
    pub dropped: Vec<String>,
    /// The code of the last error of the call, until the person dismisses it.
    #[cfg_attr(test, ts(type = "string | null"))]
    pub notice: Option<ErrorCode>,
    /// The devices found by the last search.
    pub devices: Arc<[DeviceInfo]>,
    /// The chosen devices. Null means the system's default.
    pub choice: DeviceChoice,
    /// Whether the microphone is open only to notice that the person speaks while it is off. Nothing of that is sent.
    pub listening: bool,
    /// The participants in the same room, who are not played here: the laptops would howl.
    #[cfg_attr(test, ts(as = "Vec<String>"))]
    pub same_room: Vec<ParticipantId>,
    /// The check of one's own sound. Nothing of it is sent.
    pub sound_check: SoundCheckView,
    /// The screen or window that this person shares.
    pub share: Option<Share>,
    /// The participants who share a screen.
    #[cfg_attr(test, ts(as = "Vec<String>"))]
    pub sharing: Vec<ParticipantId>,
    /// The current problems.
    pub problems: Vec<Problem>,
    /// The person's settings.
    pub settings: Settings,
    /// The identity of this device.
    pub you: You,
    /// An opened link that waits for an answer.
    pub link: Option<PendingLink>,
    /// The server that this app runs for the local network, if any.
    pub hosting: Option<Hosting>,
    /// The board. Null on a server without a board, and before it has arrived.
    pub board: Option<Arc<BoardState>>,
    /// Reminders that were not dismissed, oldest first.
    pub reminders: Vec<Reminder>,
    /// The socket for pictures. Null: use the command `next_frame`.
    pub frames: Option<FrameAccess>,
    /// What the app can do on this system.
    pub abilities: Abilities,
    /// The version of the app.
    pub version: String,
}

/// What the app can do on this system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Abilities {
    /// Stay in the tray without its window.
    pub tray: bool,
    /// Start when the person logs in. Only the person's own app does, not a profile.
    pub autostart: bool,
    /// Notice keys while another app is focused. Wayland allows nobody that.
    pub global_keys: bool,
}

/// The identity of this device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct You {
    /// The public key that the current server knows, base64url. Empty without a server.
    pub key: String,
    /// The id by which the board of the current server knows the person, if that is not the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional = nullable))]
    pub person: Option<String>,
    /// The name of the person's account on the current server, if this device belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional = nullable))]
    pub account: Option<String>,
    /// Whether people can sign in on the current server with an account.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>", optional))]
    pub sign_in: bool,
}

/// An opened link that waits for an answer. Nothing has been sent to its server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PendingLink {
    /// The room.
    pub room: String,
    /// The `ws:` or `wss:` address.
    pub server: String,
    /// Whether the settings contain the server with the same certificate.
    pub known: bool,
    /// SHA-256 of the only accepted certificate, 64 hexadecimal digits.
    pub fingerprint: Option<String>,
    /// The invite token.
    pub invite: Option<String>,
}

/// The server that this app runs for the local network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Hosting {
    /// Its address, with this machine's address on the network.
    pub url: String,
    /// The link for people on the network who have the app.
    pub link: String,
    /// The link for people without the app.
    pub web_link: String,
    /// `web_link` as a QR code, an SVG document.
    pub qr_svg: String,
    /// SHA-256 of its certificate, 64 hexadecimal digits.
    pub fingerprint: String,
    /// The addresses of this machine on its networks.
    pub addresses: Vec<String>,
}

/// The socket that delivers pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct FrameAccess {
    /// `ws://127.0.0.1:PORT`.
    pub url: String,
    /// The token to send first, valid for this launch only.
    pub token: String,
}
