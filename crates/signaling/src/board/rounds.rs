//! Planned rounds (PROTOCOL.md, *Rounds*).

use serde::{Deserialize, Serialize};

/// How many people usually sit together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum RoundSize {
    /// Three, and as few fours as necessary.
    #[default]
    Threes,
    /// Four, and as few threes as necessary.
    Fours,
}

/// A round to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct RoundDraft {
    /// Title, which the tables have as their topic; not empty.
    pub title: String,
    /// Beginning of the meal, Unix milliseconds.
    pub starts_ms: u64,
    /// Length in minutes, 15 to 240.
    #[serde(default = "super::sixty")]
    pub minutes: u32,
    /// Takes place each week at the same time by the clocks of the community's zone.
    #[serde(default)]
    pub weekly: bool,
    /// How many people usually sit together.
    #[serde(default)]
    pub size: RoundSize,
}

/// A round as it is displayed: its next date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct RoundInfo {
    /// Id. A weekly round keeps it from date to date.
    pub id: String,
    /// Title; empty if whoever created it was erased and named in it.
    pub title: String,
    /// Beginning of the meal, Unix milliseconds.
    pub starts_ms: u64,
    /// End of the meal, Unix milliseconds.
    pub ends_ms: u64,
    /// When people are seated, Unix milliseconds. Until then they may sign up and withdraw.
    pub closes_ms: u64,
    /// Whether the round takes place each week.
    #[serde(default)]
    pub weekly: bool,
    /// How many people usually sit together.
    #[serde(default)]
    pub size: RoundSize,
    /// Person id of whoever created it; empty if they were erased.
    #[serde(default)]
    pub host: String,
    /// Number of people who have signed up for this date.
    pub signed_up: u32,
}

/// A round, and what the person has to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct AboutRound {
    /// Title; may be empty.
    pub title: String,
    /// Beginning of the meal, Unix milliseconds.
    pub starts_ms: u64,
    /// Whether the round takes place each week.
    #[serde(default)]
    pub weekly: bool,
    /// Whether the person created it.
    #[serde(default)]
    pub host: bool,
    /// Whether the person has signed up.
    #[serde(default)]
    pub signed_up: bool,
    /// Whether the person has yet to receive how it ended.
    #[serde(default)]
    pub pending: bool,
}
