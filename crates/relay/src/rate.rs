//! So many a second, and so many at once.

use std::time::{Duration, Instant};

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    per_second: u32,
    burst: u32,
}

impl Rate {
    /// `per_second` in the long run, `burst` at once. `per_second` is at least 1.
    pub const fn new(per_second: u32, burst: u32) -> Rate {
        Rate { per_second, burst }
    }

    /// The time that `n` of them take at this rate.
    fn time(self, n: u32) -> Duration {
        Duration::from_secs(1) * n / self.per_second.max(1)
    }
}

/// What has happened so far, as the time by which it would have happened at the steady rate. One number is the whole
/// of a token bucket: a full one is a time that is past.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Meter {
    paid_until: Option<Instant>,
}

impl Meter {
    /// Counts `n` more, if there may be as many now.
    pub(crate) fn take(&mut self, now: Instant, rate: Rate, n: u32) -> bool {
        let paid_until = self.paid_until.map_or(now, |at| at.max(now)) + rate.time(n);
        let fits = paid_until.duration_since(now) <= rate.time(rate.burst);
        if fits {
            self.paid_until = Some(paid_until);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let (rate, start) = (Rate::new(4, 10), Instant::now());
        let mut meter = Meter::default();
        assert_eq!((0..50).filter(|_| meter.take(start, rate, 1)).count(), 10);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..50).filter(|_| meter.take(later, rate, 1)).count(), 4);
        let rested = start + Duration::from_secs(60);
        assert!(!meter.take(rested, rate, 11), "more than ever at once");
        assert!(meter.take(rested, rate, 10));
        assert!(!meter.take(rested, rate, 1));
    }
}
