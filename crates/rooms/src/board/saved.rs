//! What of a board outlives the process.

use super::table::Table;

/// Who somebody is: the device key, base64url.
pub type Key = String;

/// One thing to write down. A store writes them in their order, all of one call or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A table is now like this.
    Table(Box<Table>),
    /// A table is gone.
    Gone {
        /// Which.
        id: String,
    },
    /// Two people were in one call, at this time (Unix milliseconds). `a` is before `b`.
    Met {
        /// One.
        a: Key,
        /// The other.
        b: Key,
        /// When last.
        at: u64,
    },
    /// Forget whom somebody has met.
    Forget {
        /// Who.
        key: Key,
    },
    /// Forget all meetings before a time, and invites that ended before it.
    Prune {
        /// Meetings, Unix milliseconds.
        met_before: u64,
        /// Invites, Unix milliseconds.
        invites_before: u64,
    },
    /// A device used an invite.
    InviteUsed {
        /// Of the invite.
        id: InviteId,
        /// Of the device.
        key: Key,
        /// When the invite ends, Unix milliseconds.
        expires: u64,
    },
    /// Somebody waits to eat now, or no longer does.
    Hungry {
        /// Who.
        key: Key,
        /// How, if they do.
        wish: Option<Hungry>,
    },
}

impl Change {
    /// About how many bytes it takes in memory.
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

/// Random number of an invite.
pub type InviteId = [u8; 8];

/// Somebody who waits to eat now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hungry {
    /// Label.
    pub name: String,
    /// Since when, Unix milliseconds.
    pub since: u64,
    /// With whom, if they wait too.
    pub with: Vec<Key>,
}

/// Everything that was written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saved {
    /// Tables in any order.
    pub tables: Vec<Table>,
    /// Who met whom last when.
    pub met: Vec<(Key, Key, u64)>,
    /// Uses of invites: number, device, end of the invite.
    pub invites: Vec<(InviteId, Key, u64)>,
    /// Who waits to eat now.
    pub hungry: Vec<(Key, Hungry)>,
}
