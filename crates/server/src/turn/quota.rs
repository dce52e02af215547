//! How many allocations one person and all together may have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts allocations. Shared with each allocation, which gives its place back wherever it ends.
#[derive(Debug)]
pub(super) struct Quota {
    per_person: usize,
    total: usize,
    /// Locked for a look-up, never across an await.
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    people: HashMap<String, usize>,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    person: String,
    quota: Arc<Quota>,
}

impl Quota {
    pub(super) fn new(per_person: usize, total: usize) -> Quota {
        Quota { per_person, total, counts: Mutex::default() }
    }

    /// A place for one more allocation of a person, if there is one.
    pub(super) fn take(self: &Arc<Quota>, person: &str) -> Option<Place> {
        let mut counts = self.lock();
        let of_person = counts.people.get(person).copied().unwrap_or(0);
        if counts.total >= self.total || of_person >= self.per_person {
            return None;
        }
        counts.total += 1;
        counts.people.insert(person.to_owned(), of_person + 1);
        Some(Place { person: person.to_owned(), quota: Arc::clone(self) })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Counting cannot panic half-way.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.quota.lock();
        counts.total -= 1;
        if let Some(count) = counts.people.get_mut(&self.person) {
            *count -= 1;
            if *count == 0 {
                counts.people.remove(&self.person);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_person_and_in_all_and_come_back() {
        let quota = Arc::new(Quota::new(2, 3));
        let first = quota.take("ada").expect("a place");
        let _second = quota.take("ada").expect("a place");
        assert!(quota.take("ada").is_none());
        let _third = quota.take("bob").expect("a place");
        assert!(quota.take("eve").is_none());
        drop(first);
        let fourth = quota.take("eve").expect("a place");
        assert!(quota.take("ada").is_none());
        drop(fourth);
        assert_eq!(quota.lock().people.len(), 2);
    }
}
