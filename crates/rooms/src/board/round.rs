//! A planned round as it is stored: its next date, and who has signed up.

use jiff::civil::DateTime;
use signaling::board::{NoticeKind, RoundInfo, RoundSize};

use super::MINUTE_MS;
use super::key::Key;

/// How long before the meal sign-up closes.
pub const SIGN_UP_CLOSES_MS: u64 = 60 * MINUTE_MS;

/// A round.
///
/// ```text
///  lay_round            an hour before, or late after a restart
///  ─────────▶ Open ──────────────────────────────────────────────▶ (gone; a weekly one is open for its next date)
///               └─ cancelled ─▶ (gone)
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Random id, the same for all dates.
    pub id: String,
    /// Title; may be empty.
    pub title: String,
    /// Who created it; empty if they have been erased.
    pub host: Key,
    /// Beginning of the meal, Unix milliseconds.
    pub starts: u64,
    /// Length of the meal in minutes.
    pub minutes: u32,
    /// Nominal local time of this beginning, before any shift for a gap, if the round is weekly.
    pub weekly_at: Option<DateTime>,
    /// How many people usually sit together.
    pub size: RoundSize,
    /// Who has signed up, earliest first.
    pub signed_up: Vec<SignUp>,
}

/// Somebody who has signed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignUp {
    /// The person.
    pub key: Key,
    /// Display name.
    pub name: String,
    /// When, Unix milliseconds.
    pub at: u64,
}

/// How a round ended for somebody who has no table by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody could be seated with them.
    Unmatched,
    /// The server was not running when people would have been seated.
    Missed,
    /// It was cancelled.
    Cancelled,
}

/// An outcome for somebody who is not here to receive it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundNews {
    /// The person.
    pub key: Key,
    /// The round.
    pub round: String,
    /// Its title.
    pub title: String,
    /// Beginning of the meal, Unix milliseconds.
    pub starts: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// All rounds that were stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedRounds {
    /// Rounds, in any order.
    pub rounds: Vec<Round>,
    /// Outcomes for people who were not here, oldest first.
    pub news: Vec<RoundNews>,
}

/// A change of rounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoundChange {
    /// The new state of a round. Its sign-ups are not part of it.
    Round(Box<Round>),
    /// A round and its sign-ups were deleted.
    Gone {
        /// Its id.
        id: String,
    },
    /// Somebody has signed up, or has another name.
    SignUp {
        /// The round.
        round: String,
        /// The person.
        sign_up: SignUp,
    },
    /// Somebody has withdrawn.
    Withdrawn {
        /// The round.
        round: String,
        /// The person.
        key: Key,
    },
    /// A date has closed: nobody has signed up for the next one.
    Cleared {
        /// The round.
        round: String,
    },
    /// Somebody who is not here has yet to receive an outcome.
    News(Box<RoundNews>),
    /// They have received it, or it is too old.
    NewsGone {
        /// The person.
        key: Key,
        /// The round.
        round: String,
    },
}

impl Round {
    /// End of the meal, Unix milliseconds.
    pub fn ends(&self) -> u64 {
        self.starts.saturating_add(u64::from(self.minutes) * MINUTE_MS)
    }

    /// When people are seated, Unix milliseconds.
    pub fn closes(&self) -> u64 {
        self.starts.saturating_sub(SIGN_UP_CLOSES_MS)
    }

    /// Whether somebody has signed up.
    pub fn has(&self, key: &str) -> bool {
        self.signed_up.iter().any(|one| one.key == key)
    }

    /// Whether the meal overlaps this time.
    pub fn overlaps(&self, starts: u64, ends: u64) -> bool {
        self.starts < ends && starts < self.ends()
    }

    /// Returns the round as members see it.
    pub fn info(&self) -> RoundInfo {
        RoundInfo {
            id: self.id.clone(),
            title: self.title.clone(),
            starts_ms: self.starts,
            ends_ms: self.ends(),
            closes_ms: self.closes(),
            weekly: self.weekly_at.is_some(),
            size: self.size,
            host: self.host.clone(),
            signed_up: u32::try_from(self.signed_up.len()).unwrap_or(u32::MAX),
        }
    }
}

impl Outcome {
    /// The kind of notice by which the person receives it.
    pub fn notice(self) -> NoticeKind {
        match self {
            Outcome::Unmatched => NoticeKind::Unmatched,
            Outcome::Missed => NoticeKind::RoundMissed,
            Outcome::Cancelled => NoticeKind::RoundCancelled,
        }
    }
}

impl RoundChange {
    /// Approximate size in memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        const KEY: usize = 96;
        match self {
            RoundChange::Round(round) => 4 * KEY + round.title.len(),
            RoundChange::SignUp { sign_up, .. } => 3 * KEY + sign_up.name.len(),
            RoundChange::News(news) => 4 * KEY + news.title.len(),
            RoundChange::Gone { .. }
            | RoundChange::Withdrawn { .. }
            | RoundChange::Cleared { .. }
            | RoundChange::NewsGone { .. } => 2 * KEY,
        }
    }
}
