//! Rate limits with a steady rate and a burst.

use std::time::{Duration, Instant};

/// Maximum rate of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Time of one event in nanoseconds at the steady rate.
    each: u64,
    burst: u32,
}

impl Rate {
    /// `per_second` on average, with bursts of `burst`. `per_second` is at least 1.
    pub const fn new(per_second: u32, burst: u32) -> Rate {
        Rate { each: 1_000_000_000 / per_second as u64, burst }
    }

    /// One in each `interval`, with bursts of `burst`.
    pub const fn per(interval: Duration, burst: u32) -> Rate {
        Rate { each: interval.as_nanos() as u64, burst }
    }

    fn time(self, n: u32) -> Duration {
        Duration::from_nanos(self.each.saturating_mul(u64::from(n)))
    }
}

/// Past events, as the time at which they would have finished at the steady rate (GCRA).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Meter {
    paid_until: Option<Instant>,
}

impl Meter {
    /// Counts `n` more events. Returns false, and counts nothing, if they exceed the rate.
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
    fn a_limiter_grants_a_burst_then_the_rate() {
        let (rate, start) = (Rate::new(4, 10), Instant::now());
        let mut meter = Meter::default();
        assert_eq!((0..50).filter(|_| meter.take(start, rate, 1)).count(), 10);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..50).filter(|_| meter.take(later, rate, 1)).count(), 4);
        assert!(!meter.take(start + Duration::from_secs(60), rate, 11), "more than the burst");
    }
}
