//! Versions of the board's items, from which the changes that a subscriber lacks are computed, however far behind it
//! is.
//!
//! A subscriber has everything up to some version. It lacks whatever changed after that. The changes are looked up
//! when there is room to send them and are not queued before, so a subscriber that is behind costs nothing.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::key::Key;

/// Tables, rounds and people whose changes are remembered, including those that are gone. When full, those that have been
/// gone longest are forgotten, and a subscriber that has not received their removal gets the whole board again.
pub const MAX_HISTORY: usize = 16_384;

/// An item on the board. Its current state is looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Item {
    /// A table, by id.
    Table(String),
    /// A round, by id.
    Round(String),
    /// A person, by key.
    Person(Key),
}

/// The version in which each item last changed.
#[derive(Debug, Default)]
pub(super) struct History {
    version: u64,
    changed: BTreeMap<Item, u64>,
    /// Removals up to this version may be forgotten.
    forgotten: u64,
}

impl History {
    /// The newest version.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Whether all changes after a version are known.
    pub(super) fn reaches(&self, version: u64) -> bool {
        version >= self.forgotten
    }

    /// Whether the item is remembered to have been on the board.
    pub(super) fn knows(&self, item: &Item) -> bool {
        self.changed.contains_key(item)
    }

    /// Adds a version in which these items changed.
    pub(super) fn turn(&mut self, items: impl Iterator<Item = Item>, is_there: impl Fn(&Item) -> bool) {
        self.version += 1;
        self.changed.extend(items.map(|item| (item, self.version)));
        if self.changed.len() > MAX_HISTORY {
            self.forget(is_there);
        }
    }

    /// Returns the items that changed after a version, in order, starting after an item.
    pub(super) fn since<'a>(&'a self, version: u64, after: Option<&'a Item>) -> impl Iterator<Item = &'a Item> + 'a {
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.changed.range((begin, Bound::Unbounded)).filter(move |(_, at)| **at > version).map(|(item, _)| item)
    }

    /// Forgets the older half of the removed items.
    fn forget(&mut self, is_there: impl Fn(&Item) -> bool) {
        let mut gone: Vec<u64> = self.changed.iter().filter(|(item, _)| !is_there(item)).map(|(_, at)| *at).collect();
        gone.sort_unstable();
        let Some(until) = gone.get(gone.len() / 2).copied() else { return };
        self.changed.retain(|item, at| *at > until || is_there(item));
        self.forgotten = self.forgotten.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(n: usize) -> Item {
        Item::Table(format!("{n:05}"))
    }

    #[test]
    fn changes_after_a_version_are_listed_in_order() {
        let mut history = History::default();
        history.turn([table(3), table(1)].into_iter(), |_| true);
        history.turn([table(2), table(1)].into_iter(), |_| true);
        let since = |version, after: Option<Item>| history.since(version, after.as_ref()).cloned().collect::<Vec<_>>();
        assert_eq!(since(0, None), [table(1), table(2), table(3)]);
        assert_eq!(since(0, Some(table(1))), [table(2), table(3)]);
        assert_eq!(since(1, None), [table(1), table(2)]);
        assert_eq!(since(2, None), []);
    }

    #[test]
    fn removed_entries_expire_and_older_versions_need_a_snapshot() {
        let mut history = History::default();
        let is_there = |item: &Item| *item < table(10);
        for n in 0..2 * MAX_HISTORY {
            history.turn([table(n)].into_iter(), is_there);
        }
        assert!(history.changed.len() <= MAX_HISTORY);
        assert!((0..10).all(|n| history.knows(&table(n))));
        assert!(!history.reaches(100) && history.reaches(history.version()));
        let gone = history.since(history.forgotten, None).filter(|item| !is_there(item)).count() as u64;
        assert_eq!(gone, history.version() - history.forgotten, "everything after it is there");
    }
}
