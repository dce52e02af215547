//! Computes when blocks are needed from pulls that come in bursts or late.

use crate::audio::BLOCK;
use std::collections::VecDeque;

/// Number of pulls considered: 320 ms, longer than any device period.
const MAX_PULLS: usize = 32;
/// A pull that is later than expected by more than this (100 ms) restarts the schedule, because playback stalled.
const MAX_LATENESS: i64 = 4_800;

/// The regular schedule of the pulls: the earliest one that is consistent with each recent pull. A block must be ready at
/// its scheduled time, because the earliest block of each burst is pulled then.
#[derive(Debug, Default)]
pub(super) struct PullClock {
    pulled: i64,
    phases: VecDeque<i64>,
}

impl PullClock {
    /// Records a pull at `now`. Returns the scheduled time of its block. Both are in samples.
    pub(super) fn tick(&mut self, now: i64) -> i64 {
        let phase = now - self.pulled;
        if self.phases.iter().min().is_some_and(|earliest| phase - earliest > MAX_LATENESS) {
            self.phases.clear();
        }
        self.phases.push_back(phase);
        if self.phases.len() > MAX_PULLS {
            self.phases.pop_front();
        }
        let steady = self.pulled + self.phases.iter().min().copied().unwrap_or(phase);
        self.pulled += BLOCK as i64;
        steady
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_become_even_intervals() {
        let mut clock = PullClock::default();
        let times: Vec<i64> = (0..40).map(|i| clock.tick(i / 4 * 1_920)).collect();
        assert!(times[4..].windows(2).all(|w| w[1] - w[0] == 480), "{times:?}");
        assert!(times.iter().enumerate().all(|(i, t)| *t <= i as i64 / 4 * 1_920));
    }

    #[test]
    fn a_late_pull_does_not_change_the_schedule() {
        let mut clock = PullClock::default();
        let times: Vec<i64> = (0..20).map(|i| clock.tick(i * 480 + if i == 10 { 700 } else { 0 })).collect();
        assert_eq!(times[10], 4_800);
    }

    #[test]
    fn the_schedule_restarts_after_a_stall() {
        let mut clock = PullClock::default();
        (0..10).for_each(|i| assert_eq!(clock.tick(i * 480), i * 480));
        assert_eq!(clock.tick(50_000), 50_000);
        assert_eq!(clock.tick(50_480), 50_480);
    }

    #[test]
    fn a_drifting_player_is_followed() {
        let mut clock = PullClock::default();
        let last = (0..6_000).map(|i| (i * 480 + i / 10, clock.tick(i * 480 + i / 10))).last();
        assert!(last.is_some_and(|(now, steady)| now - steady <= 4), "{last:?}");
    }
}
