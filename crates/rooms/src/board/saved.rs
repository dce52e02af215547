//! The parts of a board that outlive the process.

use super::key::Key;
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
            Change::Gone { .. }
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
}
