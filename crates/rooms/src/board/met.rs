//! Who met whom lately: device keys and a time, kept for some days, erased when either person requests it.

use std::collections::HashMap;

use super::key::Key;

/// How long a meeting is remembered by default.
pub const KEPT_MS: u64 = 30 * 24 * 3_600_000;
/// Meetings of two people within this time count as one.
const ONCE_MS: u64 = 3_600_000;

/// Pairs of people remembered. When full, people who meet for the first time are later seated as if they had not,
/// until the oldest meetings expire.
pub const MAX_MEETINGS: usize = 65_536;

/// All meetings, each stored under both people. Bounded by time and by [`MAX_MEETINGS`].
#[derive(Debug)]
pub(super) struct Met {
    with: HashMap<Key, HashMap<Key, u64>>,
    pairs: usize,
    /// How long a meeting is remembered; 0 for not at all.
    kept_ms: u64,
}

impl Default for Met {
    fn default() -> Met {
        Met { with: HashMap::new(), pairs: 0, kept_ms: KEPT_MS }
    }
}

impl Met {
    /// Restores the stored meetings.
    pub(super) fn from_saved(saved: Vec<(Key, Key, u64)>) -> Met {
        let mut met = Met::default();
        for (a, b, at) in saved {
            met.set(&a, &b, at);
        }
        met
    }

    /// Sets how long a meeting is remembered.
    pub(super) fn remember_for(&mut self, ms: u64) {
        self.kept_ms = ms;
    }

    /// How long a meeting is remembered, in milliseconds.
    pub(super) fn kept_ms(&self) -> u64 {
        self.kept_ms
    }

    /// When a person last met each other person, in any order.
    pub(super) fn times(&self, key: &str) -> impl Iterator<Item = u64> {
        self.with.get(key).into_iter().flat_map(|others| others.values().copied())
    }

    /// Records that two people are in one call. Returns whether this is a new meeting.
    pub(super) fn meet(&mut self, a: &str, b: &str, now: u64) -> bool {
        let last = self.last(a, b);
        let has_room = last.is_some() || self.pairs < MAX_MEETINGS;
        let news =
            self.kept_ms > 0 && a != b && has_room && last.is_none_or(|last| now.saturating_sub(last) >= ONCE_MS);
        if news {
            self.set(a, b, now);
        }
        news
    }

    /// When two people last met.
    pub(super) fn last(&self, a: &str, b: &str) -> Option<u64> {
        self.with.get(a)?.get(b).copied()
    }

    /// How recently two people met: 0 if that is not remembered, at most 1,000.
    pub(super) fn staleness(&self, a: &str, b: &str, now: u64) -> u64 {
        let Some(last) = self.last(a, b) else { return 0 };
        let left = self.kept_ms.saturating_sub(now.saturating_sub(last));
        left.saturating_mul(1_000).checked_div(self.kept_ms).unwrap_or(0)
    }

    /// Erases all meetings of a person.
    pub(super) fn forget(&mut self, key: &str) {
        for other in self.with.remove(key).into_iter().flatten().map(|(other, _)| other) {
            if let Some(theirs) = self.with.get_mut(&other) {
                theirs.remove(key);
                if theirs.is_empty() {
                    self.with.remove(&other);
                }
            }
            self.pairs -= 1;
        }
    }

    /// Erases old meetings. Returns the time of the oldest that may stay.
    pub(super) fn prune(&mut self, now: u64) -> u64 {
        let before = now.saturating_sub(self.kept_ms);
        self.with.retain(|_, theirs| {
            theirs.retain(|_, at| *at >= before);
            !theirs.is_empty()
        });
        self.pairs = self.with.values().map(HashMap::len).sum::<usize>() / 2;
        before
    }

    fn set(&mut self, a: &str, b: &str, at: u64) {
        let before = self.with.entry(a.to_owned()).or_default().insert(b.to_owned(), at);
        self.pairs += usize::from(before.is_none());
        self.with.entry(b.to_owned()).or_default().insert(a.to_owned(), at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3_600_000;

    #[test]
    fn a_meeting_counts_for_both_and_decays_over_thirty_days() {
        let mut met = Met::default();
        assert!(met.meet("a", "b", DAY));
        assert!(!met.meet("b", "a", DAY + ONCE_MS - 1), "they are still together");
        assert_eq!((met.staleness("a", "b", DAY), met.staleness("b", "a", DAY + 15 * DAY)), (1_000, 500));
        assert_eq!((met.staleness("a", "b", 32 * DAY), met.staleness("a", "c", DAY)), (0, 0));
    }

    #[test]
    fn forgetting_a_person_removes_them_from_everybody() {
        let mut met = Met::default();
        met.meet("a", "b", DAY);
        met.meet("a", "c", DAY);
        met.meet("b", "c", DAY);
        met.forget("a");
        assert_eq!((met.last("a", "b"), met.last("c", "a"), met.last("b", "c")), (None, None, Some(DAY)));
        assert_eq!(met.with.len(), 2);
    }

    #[test]
    fn the_number_of_meetings_is_bounded() {
        let mut met = Met::default();
        let news = (0..MAX_MEETINGS + 10).filter(|n| met.meet("a", &n.to_string(), DAY)).count();
        assert_eq!((news, met.pairs), (MAX_MEETINGS, MAX_MEETINGS));
        assert!(met.meet("a", "7", 3 * DAY), "a known pair needs no new entry");
        met.prune(2 * DAY + KEPT_MS);
        assert_eq!(met.pairs, 1);
        assert!(met.meet("b", "c", 3 * DAY));
        met.forget("a");
        assert_eq!(met.pairs, 1);
    }

    #[test]
    fn meetings_are_remembered_for_as_long_as_is_set() {
        let mut met = Met::default();
        met.remember_for(10 * DAY);
        assert!(met.meet("a", "b", DAY));
        assert_eq!((met.staleness("a", "b", 6 * DAY), met.times("a").collect::<Vec<_>>()), (500, vec![DAY]));
        met.prune(12 * DAY);
        assert_eq!(met.last("a", "b"), None);
        met.remember_for(0);
        assert!(!met.meet("a", "b", 12 * DAY), "nobody is remembered");
        assert_eq!(met.staleness("a", "b", 12 * DAY), 0);
    }

    #[test]
    fn old_meetings_expire() {
        let mut met = Met::from_saved(vec![("a".into(), "b".into(), DAY), ("b".into(), "c".into(), 9 * DAY)]);
        assert_eq!(met.prune(5 * DAY + KEPT_MS), 5 * DAY);
        assert_eq!((met.last("b", "a"), met.last("c", "b")), (None, Some(9 * DAY)));
    }
}
