//! What of the board changed when, so that each who watches can be told what they lack, however far behind they are.
//!
//! A board on a screen knows everything up to some version. What it lacks is whatever changed after it: looked up when
//! there is room to tell it, not queued meanwhile. What somebody missed costs nothing until then.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::saved::Key;

/// Tables and people remembered as changed, those that are gone included. When there are more, the longest gone are
/// forgotten, and who has not heard of them gets the whole board anew.
pub const MAX_HISTORY: usize = 16_384;

/// A thing on the board. What it is now is looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Item {
    /// By id.
    Table(String),
    /// By key.
    Person(Key),
}

/// Versions of the board's things.
#[derive(Debug, Default)]
pub(super) struct History {
    version: u64,
    changed: BTreeMap<Item, u64>,
    /// Version up to which something is forgotten.
    forgotten: u64,
}

impl History {
    /// The newest.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Whether everything that changed after a version is known.
    pub(super) fn reaches(&self, version: u64) -> bool {
        version >= self.forgotten
    }

    /// Whether it was ever on the board, as far as is remembered.
    pub(super) fn knows(&self, item: &Item) -> bool {
        self.changed.contains_key(item)
    }

    /// A new version, in which these are otherwise than before.
    pub(super) fn turn(&mut self, items: impl Iterator<Item = Item>, is_there: impl Fn(&Item) -> bool) {
        self.version += 1;
        self.changed.extend(items.map(|item| (item, self.version)));
        if self.changed.len() > MAX_HISTORY {
            self.forget(is_there);
        }
    }

    /// What changed after a version, in order, beginning after an item.
    pub(super) fn since<'a>(&'a self, version: u64, after: Option<&'a Item>) -> impl Iterator<Item = &'a Item> + 'a {
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.changed.range((begin, Bound::Unbounded)).filter(move |(_, at)| **at > version).map(|(item, _)| item)
    }

    /// Forgets the older half of what is gone.
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
    fn what_changed_after_a_version_is_found_in_order() {
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
    fn only_what_is_gone_is_forgotten_and_who_lacks_it_is_known() {
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
