//! Reactions: a small set, so that nobody can show anybody a text or a picture of their own with them.

use serde::{Deserialize, Serialize};

/// A reaction, which is shown for some seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// Agreement.
    ThumbsUp,
    /// Affection.
    Heart,
    /// Applause.
    Clap,
    /// Laughter.
    Laugh,
    /// Surprise.
    Surprise,
    /// Celebration.
    Celebrate,
    /// It tastes good.
    Yum,
    /// One that this version does not know. A server refuses it, and a client ignores it.
    #[serde(other)]
    Unknown,
}

impl Reaction {
    /// All that this version knows.
    pub const ALL: [Reaction; 7] = [
        Reaction::ThumbsUp,
        Reaction::Heart,
        Reaction::Clap,
        Reaction::Laugh,
        Reaction::Surprise,
        Reaction::Celebrate,
        Reaction::Yum,
    ];
}
