//! Estimates the delay that an audio stream needs.
//!
//! The lateness of a packet is its arrival time minus its RTP time. Relative to the fastest packet, it is the relative
//! delay. As in NetEQ's underrun optimizer, there is a histogram of the highest lateness of each half second, in which
//! older intervals have less weight. The needed delay covers all but a small part of the weight. A single peak has less
//! weight than that part and is ignored; a second one within seconds is not. Intervals before the last
//! [`RECENT_INTERVALS`] add at most [`MAX_OLD_EXCESS`], so that the delay decreases soon after congestion.
//!
//! The histogram contains absolute lateness. A path whose delay changes permanently, and a drifting clock, therefore
//! need no special treatment.

use std::collections::VecDeque;

/// Length of an interval in samples: 500 ms.
const INTERVAL_LEN: i64 = 24_000;
/// Most intervals kept: 15 s.
const MAX_INTERVALS: usize = 30;
/// Weight of an interval relative to the next one.
const FORGET_FACTOR: f64 = 0.96;
/// The part of the weight that may exceed the needed delay. The newest interval of a full history has 0.057.
const MAX_MISSED: f64 = 0.07;
/// Number of recent intervals: 4 s.
const RECENT_INTERVALS: usize = 8;
/// Most delay that older intervals add, in samples: 40 ms.
const MAX_OLD_EXCESS: i64 = 1_920;
/// If lateness changes by more than this (2 s), the sender's clock has restarted.
const RESTART_JUMP: i64 = 96_000;

/// Whether the sender's clock is continuous.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Continuity {
    Continuous,
    Restarted,
}

#[derive(Debug, Clone, Copy)]
struct Interval {
    start: i64,
    highest: i64,
    lowest: i64,
}

/// The lateness of recent packets. All values are in samples at 48 kHz.
#[derive(Debug, Default)]
pub(super) struct DelayEstimator {
    intervals: VecDeque<Interval>,
    last: Option<i64>,
    needed: i64,
    base: i64,
    sorted: Vec<(i64, f64)>,
}

impl DelayEstimator {
    /// Adds a packet.
    pub(super) fn record(&mut self, arrived: i64, lateness: i64) -> Continuity {
        let restarted = self.last.replace(lateness).is_some_and(|last| (lateness - last).abs() > RESTART_JUMP);
        if restarted {
            self.intervals.clear();
        }
        match self.intervals.back_mut() {
            Some(interval) if arrived - interval.start < INTERVAL_LEN => {
                if (interval.lowest..=interval.highest).contains(&lateness) {
                    return Continuity::Continuous;
                }
                interval.highest = interval.highest.max(lateness);
                interval.lowest = interval.lowest.min(lateness);
            }
            Some(_) | None => {
                self.intervals.push_back(Interval { start: arrived, highest: lateness, lowest: lateness });
                if self.intervals.len() > MAX_INTERVALS {
                    self.intervals.pop_front();
                }
            }
        }
        self.update();
        if restarted { Continuity::Restarted } else { Continuity::Continuous }
    }

    /// The lateness that nearly all packets do not exceed. `None` before the first packet.
    pub(super) fn needed(&self) -> Option<i64> {
        self.intervals.back().map(|_| self.needed)
    }

    /// The lateness of the fastest packet.
    pub(super) fn base(&self) -> i64 {
        self.base
    }

    /// Whether enough packets have been observed for a reliable estimate.
    pub(super) fn settled(&self) -> bool {
        self.intervals.len() > 2
    }

    fn update(&mut self) {
        self.base = self.intervals.iter().map(|i| i.lowest).min().unwrap_or(0);
        let weights = std::iter::successors(Some(1.0), |w| Some(w * FORGET_FACTOR));
        self.sorted.clear();
        self.sorted.extend(self.intervals.iter().rev().map(|i| i.highest).zip(weights));
        self.sorted.sort_unstable_by_key(|(highest, _)| std::cmp::Reverse(*highest));
        let max_missed = MAX_MISSED * self.sorted.iter().map(|(_, weight)| weight).sum::<f64>();
        let mut missed = 0.0;
        for (highest, weight) in &self.sorted {
            self.needed = *highest;
            missed += weight;
            if missed > max_missed {
                break;
            }
        }
        let recent = self.intervals.iter().rev().take(RECENT_INTERVALS).map(|i| i.highest).max().unwrap_or(self.needed);
        self.needed = self.needed.min(recent + MAX_OLD_EXCESS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 20 ms from second `from` to `to`, each with the lateness `f(n)`.
    fn feed(estimator: &mut DelayEstimator, from: i64, to: i64, f: impl Fn(i64) -> i64) {
        for n in from * 50..to * 50 {
            estimator.record(n * 960 + f(n), f(n));
        }
    }

    #[test]
    fn a_steady_path_needs_nothing_above_its_base() {
        let mut estimator = DelayEstimator::default();
        assert_eq!(estimator.needed(), None);
        feed(&mut estimator, 0, 20, |_| 700);
        assert_eq!((estimator.needed(), estimator.base()), (Some(700), 700));
    }

    #[test]
    fn a_single_peak_is_ignored_and_a_second_is_not() {
        let mut estimator = DelayEstimator::default();
        feed(&mut estimator, 0, 20, |n| if n == 700 { 5_000 } else { n % 3 });
        assert_eq!(estimator.needed(), Some(2));
        feed(&mut estimator, 20, 22, |n| if n == 1_010 { 4_000 } else { n % 3 });
        assert_eq!(estimator.needed(), Some(4_000));
    }

    #[test]
    fn a_growing_jitter_is_followed_within_a_second() {
        let mut estimator = DelayEstimator::default();
        feed(&mut estimator, 0, 20, |_| 0);
        feed(&mut estimator, 20, 21, |n| n % 7 * 300);
        assert_eq!(estimator.needed(), Some(1_800));
    }

    #[test]
    fn a_longer_path_moves_the_base_and_leaves_no_delay() {
        let mut estimator = DelayEstimator::default();
        feed(&mut estimator, 0, 20, |n| n % 5);
        feed(&mut estimator, 20, 36, |n| 3_000 + n % 5);
        assert_eq!((estimator.base(), estimator.needed()), (3_000, Some(3_004)));
    }

    #[test]
    fn old_jitter_is_forgotten() {
        let mut estimator = DelayEstimator::default();
        feed(&mut estimator, 0, 20, |n| n * 37 % 2_000);
        feed(&mut estimator, 20, 36, |_| 0);
        assert_eq!(estimator.needed(), Some(0));
    }

    #[test]
    fn after_congestion_the_delay_falls_within_seconds() {
        let mut estimator = DelayEstimator::default();
        feed(&mut estimator, 0, 20, |n| if n > 500 { 14_400 } else { 0 });
        assert_eq!(estimator.needed(), Some(14_400));
        feed(&mut estimator, 20, 25, |_| 0);
        assert_eq!(estimator.needed(), Some(MAX_OLD_EXCESS));
    }

    #[test]
    fn a_new_clock_starts_over() {
        let mut estimator = DelayEstimator::default();
        feed(&mut estimator, 0, 20, |n| n % 90);
        assert_eq!(estimator.record(960_000, -500_000), Continuity::Restarted);
        assert_eq!((estimator.needed(), estimator.settled()), (Some(-500_000), false));
    }
}
