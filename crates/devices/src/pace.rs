//! A schedule in absolute time: a late step does not delay the next.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Step `n` is due at `start + n * period`.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    start: Instant,
    per_second: u32,
    per_step: u32,
    step: u64,
}

impl Pace {
    /// Most missed steps that are made up for. If more are missed, they are skipped.
    const CATCH_UP: u64 = 5;

    /// Each step has `per_step` units, of which there are `per_second`: 1 of 30 frames, or 480 of 48,000 samples.
    pub(crate) fn new(start: Instant, per_step: u32, per_second: u32) -> Self {
        Self { start, per_second: per_second.max(1), per_step, step: 0 }
    }

    /// Number and time of the next step. After a long stall, for example when the machine slept, the missed steps are
    /// skipped.
    pub(crate) fn next(&mut self, now: Instant) -> (u64, Instant) {
        let passed = now.saturating_duration_since(self.start).as_nanos();
        let current =
            (passed * u128::from(self.per_second) / (1_000_000_000 * u128::from(self.per_step.max(1)))) as u64;
        if current > self.step + Self::CATCH_UP {
            self.step = current;
        }
        let step = self.step;
        self.step += 1;
        (step, self.due(step))
    }

    fn due(&self, step: u64) -> Instant {
        let nanos = u128::from(step) * u128::from(self.per_step) * 1_000_000_000 / u128::from(self.per_second);
        self.start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// The wall clock in ms, for stamps and markers.
pub(crate) fn unix_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1000.0)
}

/// Sleeps until `due`, but wakes to check `stop`. Returns `false` if stopped.
pub(crate) fn sleep_until(due: Instant, stop: &AtomicBool) -> bool {
    const NAP: Duration = Duration::from_millis(50);
    loop {
        if stop.load(Ordering::Acquire) {
            return false;
        }
        match due.checked_duration_since(Instant::now()) {
            None | Some(Duration::ZERO) => return true,
            Some(left) => std::thread::sleep(left.min(NAP)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_do_not_drift() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 1, 30);
        let mut last = start;
        for n in 0..300 {
            let (step, due) = pace.next(last);
            assert_eq!(step, n);
            last = due;
        }
        assert_eq!(pace.next(last).1, start + Duration::from_secs(10));
    }

    #[test]
    fn a_short_delay_is_caught_up() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 480, 48_000);
        pace.next(start);
        let late = start + Duration::from_millis(35);
        assert_eq!(pace.next(late), (1, start + Duration::from_millis(10)));
    }

    #[test]
    fn a_long_stall_is_skipped() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 480, 48_000);
        pace.next(start);
        let late = start + Duration::from_secs(60);
        assert_eq!(pace.next(late), (6000, late));
    }
}
