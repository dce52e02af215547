//! What commands carry and answer.

use engine::signaling::message::MediaState;
use engine::{EngineError, Problem};
use serde::{Deserialize, Serialize};

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
    pub media: MediaState,
}

/// What `save_calendar` answers: a table as a calendar file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SavedCalendar {
    /// Where the file is.
    pub path: String,
    /// The system was asked to open it.
    pub opened: bool,
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
