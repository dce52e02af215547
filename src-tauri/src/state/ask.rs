//! What commands carry.

use serde::{Deserialize, Serialize};

/// Microphone and camera.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Media {
    /// On.
    pub microphone: bool,
    /// On.
    pub camera: bool,
}

/// `join`: enter a room under the name in the settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Join {
    /// Where.
    pub room: String,
    /// `ws:` or `wss:` address; null: the server of the settings.
    #[serde(default)]
    #[cfg_attr(test, ts(optional = nullable))]
    pub server: Option<String>,
    /// SHA-256 of the only certificate to accept, 64 hexadecimal digits.
    #[serde(default)]
    #[cfg_attr(test, ts(optional = nullable))]
    pub fingerprint: Option<String>,
    /// Token of a link.
    #[serde(default)]
    #[cfg_attr(test, ts(optional = nullable))]
    pub invite: Option<String>,
    /// What is on from the start.
    pub media: Media,
}

/// `tiles`: what the window shows, the whole list each time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Tile {
    /// A number the window chooses; packets carry it.
    pub stream: u16,
    /// Which picture.
    pub picture: Picture,
    /// Width in device pixels.
    pub width: u32,
    /// Height in device pixels.
    pub height: u32,
    /// Nothing is sent for what nobody sees.
    pub visible: bool,
}

/// Which picture.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Picture {
    /// One's own camera.
    Own,
    /// Somebody's camera.
    Camera {
        /// Participant.
        id: String,
    },
    /// Somebody's shared screen.
    Share {
        /// Participant.
        id: String,
    },
}

/// `lay_table`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TableDraft {
    /// What it is about.
    pub topic: String,
    /// Place or menu.
    pub place: String,
    /// Seats, the own one included.
    pub seats: u32,
    /// Now instead of `starts_ms`.
    pub now: bool,
    /// Unix time in milliseconds.
    #[cfg_attr(test, ts(type = "number"))]
    pub starts_ms: u64,
    /// How long.
    pub minutes: u32,
    /// Each week again.
    pub weekly: bool,
    /// Who may come in.
    pub door: Door,
}

/// Who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// Everybody.
    Open,
    /// Whom the host lets in.
    Knock,
}

/// What a command that failed throws.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[error("{message} ({code})")]
pub struct CommandError {
    /// Stable, for translations.
    pub code: String,
    /// English words that say what to do.
    pub message: String,
}
