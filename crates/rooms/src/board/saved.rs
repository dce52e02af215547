//! The parts of a board that outlive the process.

use std::sync::Arc;

use signaling::board::ActKind;

use super::key::Key;
use super::round::{RoundChange, SavedRounds};
use super::table::Table;

/// One change to store. A store applies the changes in order, and those of one call all or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The new state of a table.
    Table(Box<Table>),
    /// A table was deleted.
    Gone {
        /// Its id.
        id: String,
    },
    /// Two people were in the same call at this time (Unix milliseconds). `a` is before `b`.
    Met {
        /// One person.
        a: Key,
        /// The other person.
        b: Key,
        /// The last time.
        at: u64,
    },
    /// Erase somebody's key wherever it is stored. Changes after this one hold what remains.
    Forget {
        /// The person.
        key: Key,
    },
    /// Erase all meetings before a time, and invites that expired before it.
    Prune {
        /// Limit for meetings, Unix milliseconds.
        met_before: u64,
        /// Limit for invites, Unix milliseconds.
        invites_before: u64,
    },
    /// A device used an invite.
    InviteUsed {
        /// Id of the invite.
        id: InviteId,
        /// Key of the device.
        key: Key,
        /// When the invite expires, Unix milliseconds.
        expires: u64,
    },
    /// Somebody starts or stops waiting to eat now.
    Hungry {
        /// The person.
        key: Key,
        /// Their wish; `None` if they no longer wait.
        wish: Option<Hungry>,
    },
    /// Somebody's calendar has another address, or was asked for.
    Feed {
        /// The person.
        key: Key,
        /// The address; `None` if it is no longer valid.
        feed: Option<Feed>,
    },
    /// Somebody is shown differently.
    Avatar {
        /// The person.
        key: Key,
        /// How; `None` if by their name only.
        avatar: Option<SavedAvatar>,
    },
    /// Somebody's calendar has a cancelled lunch.
    Cancelled {
        /// The person.
        key: Key,
        /// The id of the table, which may be gone.
        table: String,
        /// The lunch; `None` to forget it.
        lunch: Option<Cancelled>,
    },
    /// A change of the order.
    Order(OrderChange),
    /// A change of rounds.
    Round(RoundChange),
}

/// A change of reports, blocks, suspensions or acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderChange {
    /// Somebody has blocked another, or no longer.
    Block {
        /// The person.
        key: Key,
        /// Whom they block.
        other: Key,
        /// The other's name; `None` if the block has ended.
        name: Option<String>,
    },
    /// A report.
    Report {
        /// Its number.
        id: u32,
        /// The report; `None` to forget it.
        report: Option<Box<SavedReport>>,
    },
    /// Somebody is suspended, or no longer.
    Suspension {
        /// Key of the person, or a hash of it if they have been erased.
        key: Key,
        /// The suspension; `None` if it has ended.
        suspension: Option<SavedSuspension>,
    },
    /// What a steward did.
    Act {
        /// Its number.
        id: u32,
        /// The act; `None` to forget it.
        act: Option<Box<SavedAct>>,
    },
}

/// A report that waits for a steward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedReport {
    /// When, Unix milliseconds.
    pub at: u64,
    /// Who reports.
    pub by: Key,
    /// Their name.
    pub by_name: String,
    /// Who is reported.
    pub of: Key,
    /// Their name.
    pub of_name: String,
    /// What happened.
    pub text: String,
    /// Whether both were in one call.
    pub in_call: bool,
}

/// A suspension in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSuspension {
    /// Name of the person; empty if they have been erased.
    pub name: String,
    /// Beginning, Unix milliseconds.
    pub since: u64,
    /// End, Unix milliseconds; `None`: until it is lifted.
    pub until: Option<u64>,
    /// Why.
    pub reason: String,
}

/// What a steward did to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedAct {
    /// When, Unix milliseconds.
    pub at: u64,
    /// What.
    pub kind: ActKind,
    /// The person; empty if they have been erased.
    pub key: Key,
    /// Their name; empty if they have been erased.
    pub name: String,
    /// Topic of the closed table; may be empty.
    pub topic: String,
    /// Why; may be empty.
    pub reason: String,
    /// End of the suspension, Unix milliseconds; `None`: until it is lifted.
    pub until: Option<u64>,
    /// The steward; empty if they have been erased.
    pub steward: Key,
    /// Their name; empty if they have been erased.
    pub steward_name: String,
    /// Whether the person has acknowledged it.
    pub seen: bool,
}

/// Everything about order that was stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedOrder {
    /// Blocks: the person, whom they block, and the other's name.
    pub blocks: Vec<(Key, Key, String)>,
    /// Reports, by number.
    pub reports: Vec<(u32, SavedReport)>,
    /// Suspensions, by key.
    pub suspended: Vec<(Key, SavedSuspension)>,
    /// Acts, by number.
    pub acts: Vec<(u32, SavedAct)>,
}

impl Change {
    /// Approximate size in memory, in bytes.
    pub fn bytes(&self) -> usize {
        const KEY: usize = 96;
        match self {
            Change::Table(table) => {
                let texts = table.topic.len() + table.place.len();
                let names: usize = table.taken.iter().map(|seat| seat.name.len()).sum();
                let line: usize = table.waiting.iter().map(|waiting| waiting.name.len()).sum();
                let people = table.taken.len() + table.waiting.len() + table.inside.len() + table.removed.len();
                512 + texts + names + line + people * KEY
            }
            Change::Hungry { wish: Some(wish), .. } => 2 * KEY + wish.name.len() + wish.with.len() * KEY,
            Change::Cancelled { lunch: Some(lunch), .. } => 4 * KEY + lunch.topic.len() + lunch.place.len(),
            Change::Order(OrderChange::Report { report: Some(one), .. }) => {
                4 * KEY + one.by_name.len() + one.of_name.len() + one.text.len()
            }
            Change::Order(OrderChange::Act { act: Some(one), .. }) => {
                4 * KEY + one.name.len() + one.steward_name.len() + one.topic.len() + one.reason.len()
            }
            Change::Order(OrderChange::Suspension { suspension: Some(one), .. }) => {
                4 * KEY + one.name.len() + one.reason.len()
            }
            Change::Order(OrderChange::Block { name: Some(name), .. }) => 2 * KEY + name.len(),
            Change::Avatar { avatar: Some(avatar), .. } => 2 * KEY + avatar.jpeg.as_ref().map_or(0, |jpeg| jpeg.len()),
            Change::Round(change) => change.bytes(),
            Change::Gone { .. }
            | Change::Order(_)
            | Change::Avatar { avatar: None, .. }
            | Change::Feed { .. }
            | Change::Cancelled { lunch: None, .. }
            | Change::Met { .. }
            | Change::Forget { .. }
            | Change::Prune { .. }
            | Change::InviteUsed { .. }
            | Change::Hungry { wish: None, .. } => 2 * KEY,
        }
    }
}

/// Random id of an invite.
pub type InviteId = [u8; 8];

/// Somebody's wish to eat now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hungry {
    /// Display name.
    pub name: String,
    /// Beginning of the wait, Unix milliseconds.
    pub since: u64,
    /// People to sit with, if they wait too.
    pub with: Vec<Key>,
}

/// SHA-256 of the token of a calendar's address.
pub type FeedId = [u8; 32];

/// The address of one person's calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feed {
    /// SHA-256 of its token.
    pub id: FeedId,
    /// When somebody last asked for it, to the day; Unix milliseconds.
    pub used: u64,
}

/// How somebody is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedAvatar {
    /// Colour.
    pub color: Option<u8>,
    /// A letter or an emoji.
    pub glyph: Option<String>,
    /// Photo, without metadata.
    pub jpeg: Option<Arc<[u8]>>,
    /// When they were last here, to the day; Unix milliseconds.
    pub seen: u64,
}

impl SavedAvatar {
    /// Whether nothing was chosen.
    pub fn is_default(&self) -> bool {
        self.color.is_none() && self.glyph.is_none() && self.jpeg.is_none()
    }
}

/// A lunch that left somebody's feed before it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled {
    /// Topic; may be empty.
    pub topic: String,
    /// Menu or place; may be empty.
    pub place: String,
    /// Beginning, Unix milliseconds.
    pub starts: u64,
    /// End.
    pub ends: u64,
    /// Version of the event, higher than that of the seat.
    pub sequence: u32,
    /// When it was cancelled.
    pub stamped: u64,
}

/// Everything that was stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saved {
    /// Tables, in any order.
    pub tables: Vec<Table>,
    /// Pairs of people and when they last met.
    pub met: Vec<(Key, Key, u64)>,
    /// Uses of invites: id, device, expiry of the invite.
    pub invites: Vec<(InviteId, Key, u64)>,
    /// People who wait to eat now.
    pub hungry: Vec<(Key, Hungry)>,
    /// The addresses of people's calendars.
    pub feeds: Vec<(Key, Feed)>,
    /// Cancelled lunches in people's calendars: person, table, lunch.
    pub cancelled: Vec<(Key, String, Cancelled)>,
    /// How people are shown.
    pub avatars: Vec<(Key, SavedAvatar)>,
    /// Reports, blocks, suspensions and acts.
    pub order: SavedOrder,
    /// Rounds.
    pub rounds: SavedRounds,
}
