//! What commands carry and answer.

use engine::signaling::message::MediaState;
use engine::{EngineError, Problem};
use serde::{Deserialize, Serialize};

/// Arguments of `join`, which enters a room under the name in the settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Join {
    /// The room.
    pub room: String,
    /// The `ws:` or `wss:` address. Null means the server of the settings.
    #[serde(default)]
    #[cfg_attr(test, ts(optional = nullable))]
    pub server: Option<String>,
    /// SHA-256 of the only accepted certificate, 64 hexadecimal digits.
    #[serde(default)]
    #[cfg_attr(test, ts(optional = nullable))]
    pub fingerprint: Option<String>,
    /// The token of a link.
    #[serde(default)]
    #[cfg_attr(test, ts(optional = nullable))]
    pub invite: Option<String>,
    /// Whether the microphone and the camera are on at first.
    pub media: MediaState,
}

/// The result of `save_calendar`, which saves a table as a calendar file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SavedCalendar {
    /// The path of the file.
    pub path: String,
    /// Whether the system was requested to open it.
    pub opened: bool,
}

/// The result of `calendar_address`: where calendars find the person's lunches.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CalendarAddress {
    /// The address to subscribe to.
    pub address: String,
    /// The secret part of it, for the settings.
    pub token: String,
}

/// A result of `screens`: a screen or window that can be shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ScreenChoice {
    /// For the command `share`.
    pub id: String,
    /// The title of the window or the name of the monitor. May be empty.
    pub name: String,
    /// Whether it is a window of a program. Otherwise it is a monitor.
    pub window: bool,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// How it looks now: a packet of the frame socket in base64. Null where that cannot be seen.
    pub preview: Option<String>,
}

/// The error of a failed command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[error("{message} ({code})")]
pub struct CommandError {
    /// A stable code, for translations.
    pub code: String,
    /// A message in English that says what to do.
    pub message: String,
}

impl From<EngineError> for CommandError {
    fn from(error: EngineError) -> Self {
        Self { code: "engine_stopped".into(), message: error.to_string() }
    }
}

impl From<Problem> for CommandError {
    fn from(Problem { code, message, .. }: Problem) -> Self {
        Self { code, message }
    }
}
