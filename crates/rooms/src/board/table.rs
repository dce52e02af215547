//! A table: its time, its seats and its line.

use jiff::civil::DateTime;
use signaling::board::{Door, Sitter, TableInfo};

use super::key::Key;

/// A table as it is stored. Its room is open from [`super::OPENS_BEFORE_MS`] before the beginning until the table is
/// over.
///
/// ```text
///   lay, match        starts            ends and its call is empty
///  ──────────▶ Laid ────────▶ Running ─────────────────────────────▶ (gone; a weekly one is laid again)
///               │                │
///               └────────────────┴─ deleted, or the last one gets up ─▶ (gone)
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Random id.
    pub id: String,
    /// Name of its room: random, so only people who know it can find it.
    pub room: String,
    /// Topic; may be empty.
    pub topic: String,
    /// Menu or place; may be empty.
    pub place: String,
    /// Number of seats.
    pub seats: u8,
    /// Beginning, Unix milliseconds.
    pub starts: u64,
    /// End, after the beginning.
    pub ends: u64,
    /// How it was created.
    pub kind: Kind,
    /// The person who created it or took it over.
    pub host: Key,
    /// Who may join.
    pub door: Door,
    /// Whether nobody new may join or sit down.
    pub locked: bool,
    /// People with a seat, earliest first; at most `seats`.
    pub taken: Vec<Seat>,
    /// People in line, first to last; only if every seat is taken or the table is locked.
    pub waiting: Vec<Sitter>,
    /// People who have been in the call and may rejoin without knocking.
    pub inside: Vec<Key>,
    /// People whom the host removed.
    pub removed: Vec<Key>,
    /// Version of the table in calendars (RFC 5545 section 3.8.7.4). It grows when the table is moved, and when somebody
    /// takes a seat again that their calendar has as cancelled.
    pub sequence: u32,
    /// When this version was made, Unix milliseconds.
    pub stamped: u64,
}

/// How a table was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// By a person, to begin immediately.
    Now,
    /// By the server, for "eat now".
    EatNow,
    /// By a person, for a time slot.
    Slot,
    /// By the server, for a round.
    Round,
    /// By a person, for a slot of each week at the same local time of the community.
    Weekly {
        /// Nominal local time of this beginning, before any shift for a gap.
        at: DateTime,
    },
}

/// A taken seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Device key.
    pub key: Key,
    /// Display name.
    pub name: String,
    /// The last reminder that they received.
    pub last_reminder: LastReminder,
}

/// Reminders to a person with a seat, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LastReminder {
    /// None, not even that a round has seated them.
    Unannounced,
    /// None.
    Nothing,
    /// `soon`.
    Soon,
    /// `begins`.
    Begins,
}

impl Table {
    /// Whether somebody has a seat.
    pub fn seats_key(&self, key: &str) -> bool {
        self.taken.iter().any(|seat| seat.key == key)
    }

    /// Somebody's place in line, from 0.
    pub fn place_of(&self, key: &str) -> Option<usize> {
        self.waiting.iter().position(|waiting| waiting.id == key)
    }

    /// Whether a seat is free.
    pub fn has_room(&self) -> bool {
        self.taken.len() < usize::from(self.seats)
    }

    /// Whether the table's time overlaps this one.
    pub fn overlaps(&self, starts: u64, ends: u64) -> bool {
        self.starts < ends && starts < self.ends
    }

    /// Whether the table repeats each week.
    pub fn is_weekly(&self) -> bool {
        matches!(self.kind, Kind::Weekly { .. })
    }

    /// Returns the table as members see it.
    pub fn info(&self, in_call: usize) -> TableInfo {
        TableInfo {
            taken: self.taken.iter().map(|seat| Sitter::new(&seat.key, &seat.name)).collect(),
            waiting: self.waiting.iter().map(|waiting| waiting.id.clone()).collect(),
            host: self.host.clone(),
            ..self.counts(in_call)
        }
    }

    /// Returns the table as guests see it, without names.
    pub fn counts(&self, in_call: usize) -> TableInfo {
        TableInfo {
            id: self.id.clone(),
            room: self.room.clone(),
            topic: self.topic.clone(),
            place: self.place.clone(),
            seats: self.seats,
            starts_ms: self.starts,
            ends_ms: self.ends,
            now: matches!(self.kind, Kind::Now | Kind::EatNow),
            weekly: self.is_weekly(),
            host: String::new(),
            door: self.door,
            locked: self.locked,
            taken: Vec::new(),
            taken_count: u8::try_from(self.taken.len()).unwrap_or(u8::MAX),
            waiting: Vec::new(),
            waiting_count: u16::try_from(self.waiting.len()).unwrap_or(u16::MAX),
            in_call: u16::try_from(in_call).unwrap_or(u16::MAX),
            sequence: self.sequence,
        }
    }
}
