//! Notices by two clocks that the machine was asleep. Pure.
//!
//! A timer that ought to fire each second fires much later after sleep. Which clock shows it depends on the system: on
//! Linux and macOS the monotonic clock stops during sleep and only the wall clock goes on, on Windows both do. A wall
//! clock that somebody sets forward looks the same, and costs one unneeded restart of ICE.

use std::time::{Duration, Instant, SystemTime};

/// A timer that is this much late means sleep. A busy machine is not so slow.
const LATE: Duration = Duration::from_secs(4);

/// The time by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    pub(super) monotonic: Instant,
    pub(super) wall: SystemTime,
}

/// The clocks at the last tick.
#[derive(Debug)]
pub(super) struct Wake(Clocks);

impl Wake {
    pub(super) fn new(now: Clocks) -> Wake {
        Wake(now)
    }

    /// Call it every `interval`. Returns true after sleep.
    pub(super) fn tick(&mut self, now: Clocks, interval: Duration) -> bool {
        let before = std::mem::replace(&mut self.0, now);
        let monotonic = now.monotonic.saturating_duration_since(before.monotonic);
        // A wall clock that was set back proves nothing.
        let wall = now.wall.duration_since(before.wall).unwrap_or_default();
        monotonic.max(wall) >= interval + LATE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn sleep_is_noticed_by_either_clock_and_once() {
        let start = Clocks { monotonic: Instant::now(), wall: SystemTime::now() };
        for (monotonic, wall) in [(SECOND, HOUR), (HOUR, HOUR)] {
            let mut wake = Wake::new(start);
            let awake = Clocks { monotonic: start.monotonic + monotonic, wall: start.wall + wall };
            assert!(wake.tick(awake, SECOND));
            let later = Clocks { monotonic: awake.monotonic + SECOND, wall: awake.wall + SECOND };
            assert!(!wake.tick(later, SECOND));
        }
    }

    #[test]
    fn a_late_timer_and_a_clock_that_is_set_back_are_no_sleep() {
        let start = Clocks { monotonic: Instant::now(), wall: SystemTime::now() };
        let mut wake = Wake::new(start);
        let late = Clocks { monotonic: start.monotonic + 3 * SECOND, wall: start.wall + 3 * SECOND };
        assert!(!wake.tick(late, SECOND));
        let set = Clocks { monotonic: late.monotonic + SECOND, wall: late.wall - HOUR };
        assert!(!wake.tick(set, SECOND));
    }
}
