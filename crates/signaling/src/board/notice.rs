//! Notices for single people (PROTOCOL.md, *notice*).

use serde::{Deserialize, Serialize};

/// A notice for one person, to show even if the window is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Notice {
    /// Kind of notice.
    pub kind: NoticeKind,
    /// Id of the table; empty where a round is meant ([`NoticeKind::is_about_round`]).
    #[serde(default)]
    pub table: String,
    /// The table's room; empty likewise.
    #[serde(default)]
    pub room: String,
    /// The table's topic, or the round's title.
    #[serde(default)]
    pub topic: String,
    /// The beginning of the table or of the round's meal, Unix milliseconds.
    pub starts_ms: u64,
}

/// Kinds of [`Notice`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The person's table begins in five minutes.
    Soon,
    /// The table begins.
    Begins,
    /// The person moved from the line to a seat.
    MovedUp,
    /// The person waited to eat now and has a table.
    Seated,
    /// The person's table was deleted.
    Deleted,
    /// The person's table was moved to another time.
    Moved,
    /// The person signed up for a round and has a table.
    Matched,
    /// The person signed up for a round, and nobody could be seated with them.
    Unmatched,
    /// The person signed up for a round, and the server was not running when it closed.
    RoundMissed,
    /// The person signed up for a round that was cancelled, or had created it.
    RoundCancelled,
    /// A kind that this version does not know. It is not shown.
    #[serde(other)]
    #[cfg_attr(feature = "typescript", ts(skip))]
    Unknown,
}

impl NoticeKind {
    /// Whether the notice is about a round, without a table.
    pub fn is_about_round(self) -> bool {
        match self {
            NoticeKind::Unmatched | NoticeKind::RoundMissed | NoticeKind::RoundCancelled => true,
            NoticeKind::Soon
            | NoticeKind::Begins
            | NoticeKind::MovedUp
            | NoticeKind::Seated
            | NoticeKind::Deleted
            | NoticeKind::Moved
            | NoticeKind::Matched
            | NoticeKind::Unknown => false,
        }
    }
}
