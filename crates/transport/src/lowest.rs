//! The lowest recent value.

use std::time::{Duration, Instant};

/// The lowest value of the last one to two windows.
#[derive(Debug)]
pub(crate) struct Lowest<T> {
    window: Duration,
    current: Option<T>,
    previous: Option<T>,
    began: Option<Instant>,
}

impl<T: Ord + Copy> Lowest<T> {
    pub(crate) fn new(window: Duration) -> Lowest<T> {
        Lowest { window, current: None, previous: None, began: None }
    }

    /// Adds a value. After a pause of two windows, it is the only one.
    pub(crate) fn add(&mut self, now: Instant, value: T) {
        let passed = now.saturating_duration_since(*self.began.get_or_insert(now));
        if passed >= self.window {
            self.previous = self.current.filter(|_| passed < 2 * self.window);
            (self.current, self.began) = (None, Some(now));
        }
        self.current = Some(self.current.map_or(value, |lowest| lowest.min(value)));
    }

    /// The lowest value. `None` before the first.
    pub(crate) fn get(&self) -> Option<T> {
        self.current.into_iter().chain(self.previous).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_value_is_forgotten_after_two_windows() {
        let (mut lowest, start) = (Lowest::new(Duration::from_secs(1)), Instant::now());
        assert_eq!(lowest.get(), None);
        lowest.add(start, 3);
        let mut at = |ms| {
            lowest.add(start + Duration::from_millis(ms), 9);
            lowest.get()
        };
        assert_eq!([at(500), at(1_100), at(2_000), at(2_200)], [Some(3), Some(3), Some(3), Some(9)]);
    }

    #[test]
    fn nothing_from_before_a_pause_counts() {
        let (mut lowest, start) = (Lowest::new(Duration::from_secs(1)), Instant::now());
        lowest.add(start, 3);
        lowest.add(start + Duration::from_secs(5), 9);
        assert_eq!(lowest.get(), Some(9));
    }
}
