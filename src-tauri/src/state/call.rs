//! The call as people see it.

use super::ask::Media;
use serde::Serialize;
use std::sync::Arc;

/// A call as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CallState {
    /// Where it stands.
    pub stage: Stage,
    /// The room.
    pub room: String,
    /// Own id, once in.
    pub you: Option<String>,
    /// Own microphone and camera, as wished.
    pub media: Media,
    /// The others, earliest first.
    pub participants: Vec<Participant>,
    /// Lines of chat, oldest first.
    pub chat: Vec<Arc<ChatLine>>,
    /// Own lines that the room has not seen yet, oldest first: shown after the chat.
    pub unsent: Vec<UnsentLine>,
    /// Code of the last thing that could not be done.
    pub notice: Option<String>,
    /// Who waits to be let in, where one may let in.
    pub lobby: Vec<Knocker>,
    /// Nobody else may come in.
    pub locked: bool,
    /// Id of the participant who may let in and send out.
    pub host: Option<String>,
}

/// Where a call stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Stage {
    /// In no room.
    Idle,
    /// On the way in.
    Joining,
    /// At the door, until the host opens.
    Knocking,
    /// In the room.
    Joined,
    /// In the room, the server out of reach; media between people goes on.
    Reconnecting {
        /// Unix time in milliseconds.
        #[cfg_attr(test, ts(type = "number"))]
        since_ms: u64,
    },
    /// Over.
    Ended {
        /// `left`, or why it was ended or refused.
        code: String,
    },
}

/// Somebody else in the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Participant {
    /// Who.
    pub id: String,
    /// Label: text, never markup.
    pub name: String,
    /// Device key, base64url.
    pub key: String,
    /// Microphone and camera.
    pub media: Media,
    /// The way media takes to them.
    pub link: Link,
    /// Code of why there is no connection and will be none: their device has not signed it.
    pub distrust: Option<String>,
    /// Whether the server reaches them.
    pub connected: bool,
}

/// The way media takes to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// Being found.
    Connecting,
    /// Media flows.
    Connected,
    /// Nothing has come for some seconds; it is being mended.
    Mending,
}

/// A line of chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ChatLine {
    /// Participant id of who said it.
    pub from: String,
    /// Their name when they said it.
    pub name: String,
    /// Text, never markup.
    pub text: String,
    /// Unix time in milliseconds by the server's clock.
    #[cfg_attr(test, ts(type = "number"))]
    pub at: u64,
}

/// A line of one's own that is not in the chat yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct UnsentLine {
    /// To be named in `drop_line`.
    #[cfg_attr(test, ts(type = "number"))]
    pub number: u64,
    /// Text, never markup.
    pub text: String,
    /// Null: it waits for the server, or is on its way. Else the code of why it was not said: it belongs back into
    /// the field, and is then to be dropped.
    pub failed: Option<String>,
}

/// Somebody at the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Knocker {
    /// To be named in `admit` and `refuse`.
    pub id: String,
    /// Label: text, never markup.
    pub name: String,
    /// Device key, base64url.
    pub key: String,
}
