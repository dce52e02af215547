//! Today's tables.

use super::ask::Door;
use serde::Serialize;
use std::sync::Arc;

/// The board as this person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct BoardState {
    /// The server's clock, Unix time in milliseconds.
    #[cfg_attr(test, ts(type = "number"))]
    pub now_ms: u64,
    /// Time zone of its days, IANA.
    pub zone: String,
    /// Whether this person is a member; guests see only counts.
    pub member: bool,
    /// By time.
    pub tables: Vec<Arc<Table>>,
    /// Members and what they are up to.
    pub people: Vec<Arc<Person>>,
    /// How many are free for lunch.
    pub free_count: u32,
    /// Own "eat now".
    pub waiting: Option<Waiting>,
    /// Id of the table that "eat now" found.
    pub seated: Option<String>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Table {
    /// Which.
    pub id: String,
    /// Its room.
    pub room: String,
    /// What it is about.
    pub topic: String,
    /// Place or menu.
    pub place: String,
    /// Seats.
    pub seats: u32,
    /// Unix time in milliseconds.
    #[cfg_attr(test, ts(type = "number"))]
    pub starts_ms: u64,
    /// Unix time in milliseconds.
    #[cfg_attr(test, ts(type = "number"))]
    pub ends_ms: u64,
    /// Laid for now rather than for a time.
    pub now: bool,
    /// Each week again.
    pub weekly: bool,
    /// Person id of who laid it.
    pub host: String,
    /// Who may come in.
    pub door: Door,
    /// Nobody else may come in.
    pub locked: bool,
    /// Who has a seat; names are empty for guests.
    pub taken: Vec<Sitting>,
    /// How many seats are taken.
    pub taken_count: u32,
    /// How many wait for one.
    pub waiting_count: u32,
    /// What this person has there.
    pub mine: Mine,
    /// How many are in its call.
    pub in_call: u32,
}

/// Somebody with a seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Sitting {
    /// Person.
    pub id: String,
    /// Label: text, never markup.
    pub name: String,
}

/// What this person has at a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Mine {
    /// Nothing.
    None,
    /// A seat.
    Seat,
    /// A place in the queue.
    Waiting,
    /// It is theirs.
    Host,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Person {
    /// Who.
    pub id: String,
    /// Label: text, never markup.
    pub name: String,
    /// What they are up to.
    pub presence: Presence,
}

/// What a member is up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Free for lunch.
    Free,
    /// In a call.
    AtTable,
    /// Neither.
    Away,
}

/// Something about one's tables that one should hear also with the window closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Reminder {
    /// Later ones have higher numbers; until the app ends.
    #[cfg_attr(test, ts(type = "number"))]
    pub number: u64,
    /// What.
    pub kind: ReminderKind,
    /// Id of the table.
    pub table: String,
    /// Its room.
    pub room: String,
    /// What it is about.
    pub topic: String,
    /// Its beginning, Unix time in milliseconds.
    #[cfg_attr(test, ts(type = "number"))]
    pub starts_ms: u64,
}

/// What a reminder is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ReminderKind {
    /// The table begins in five minutes.
    Soon,
    /// It begins.
    Begins,
    /// The person was in line and has a seat.
    MovedUp,
    /// The person wanted to eat now and has a table.
    Seated,
    /// The table was taken away.
    Deleted,
}

/// Waiting to be seated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Waiting {
    /// Unix time in milliseconds.
    #[cfg_attr(test, ts(type = "number"))]
    pub since_ms: u64,
    /// Person ids to be seated with.
    pub with: Vec<String>,
}

/// `save_calendar`: a table as a calendar file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SavedCalendar {
    /// Where the file is.
    pub path: String,
    /// The system was asked to open it.
    pub opened: bool,
}
