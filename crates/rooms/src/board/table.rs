//! One table: its time, its seats and its line.

use jiff::civil::DateTime;
use signaling::board::{Door, Sitter, TableInfo};

use super::saved::Key;

/// A table, as it is kept. Its room is open from [`super::OPENS_BEFORE_MS`] before its beginning until it is over.
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
    /// Name of its room: random, so that only those who are told can find it.
    pub room: String,
    /// What it is about; may be empty.
    pub topic: String,
    /// Menu or place; may be empty.
    pub place: String,
    /// How many seats.
    pub seats: u8,
    /// Beginning, Unix milliseconds.
    pub starts: u64,
    /// End, after the beginning.
    pub ends: u64,
    /// How it came about.
    pub kind: Kind,
    /// Who laid it, or took it over.
    pub host: Key,
    /// Who may come in.
    pub door: Door,
    /// Nobody new comes in or sits down.
    pub locked: bool,
    /// Who has a seat, earliest first; at most `seats`.
    pub taken: Vec<Seat>,
    /// Who is in line, first first; only when every seat is taken, or the table is locked.
    pub waiting: Vec<Sitter>,
    /// Who has been in, and may come in again without asking.
    pub inside: Vec<Key>,
    /// Who was sent out.
    pub removed: Vec<Key>,
}

/// How a table came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Laid for at once.
    Now,
    /// By "eat now".
    EatNow,
    /// For a slot.
    Slot,
    /// For a slot of each week, always at this time by the community's clocks.
    Weekly {
        /// Beginning of this one before any gap of the clocks is stepped over.
        at: DateTime,
    },
}

/// A taken seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Device key.
    pub key: Key,
    /// Label.
    pub name: String,
    /// What they have been reminded of.
    pub told: Told,
}

/// What somebody was reminded of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// Nothing.
    Nothing,
    /// That it is soon.
    Soon,
    /// That it begins.
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

    /// Whether a seat is free for whoever comes.
    pub fn has_room(&self) -> bool {
        self.taken.len() < usize::from(self.seats)
    }

    /// Whether its time and this one have a moment in common.
    pub fn overlaps(&self, starts: u64, ends: u64) -> bool {
        self.starts < ends && starts < self.ends
    }

    /// Whether it is laid again each week.
    pub fn is_weekly(&self) -> bool {
        matches!(self.kind, Kind::Weekly { .. })
    }

    /// As members see it.
    pub fn info(&self, in_call: usize) -> TableInfo {
        TableInfo {
            taken: self.taken.iter().map(|seat| Sitter { id: seat.key.clone(), name: seat.name.clone() }).collect(),
            waiting: self.waiting.iter().map(|waiting| waiting.id.clone()).collect(),
            host: self.host.clone(),
            ..self.counts(in_call)
        }
    }

    /// As guests see it: nobody has a name.
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
        }
    }
}
