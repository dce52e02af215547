//! Reduces the size of our picture on a computer that encodes too slowly.

use std::time::{Duration, Instant};

/// A larger share of the frame interval spent on encoding leaves too little for the rest of the call.
const TOO_MUCH: f64 = 0.6;
/// With less than this share, a larger size is tried.
const LITTLE: f64 = 0.25;
/// Weight of a frame in the mean, so that single slow frames have no effect.
const SMOOTHING: f64 = 1.0 / 15.0;
/// Shortest time between two reductions: the mean must show the effect of the first.
const REDUCTION_INTERVAL: Duration = Duration::from_secs(1);
/// Shortest time before a larger size is tried. It doubles each time that was in vain, up to the longest.
const FIRST_RETRY: Duration = Duration::from_secs(10);
const LONGEST_RETRY: Duration = Duration::from_secs(320);
/// Most reductions; there are no more sizes.
const MAX_REDUCTIONS: usize = 4;

/// The share of the frame interval that encoding takes, and how many times the size was reduced because of it.
///
/// ```text
///                  too much for a second                     little for the retry time
///  Reductions (n) ------------------------> Reductions (n + 1) -------------------------> Reductions (n)
/// ```
#[derive(Debug)]
pub(crate) struct EncodeLoad {
    reductions: usize,
    mean: f64,
    changed: Option<Instant>,
    retry: Duration,
    /// Whether the last change was an increase.
    is_retrying: bool,
}

impl Default for EncodeLoad {
    fn default() -> Self {
        EncodeLoad { reductions: 0, mean: 0.0, changed: None, retry: FIRST_RETRY, is_retrying: false }
    }
}

impl EncodeLoad {
    /// How many sizes below the desired one to send.
    pub(crate) fn reductions(&self) -> usize {
        self.reductions
    }

    /// Records the time that all encodings of a frame took.
    pub(crate) fn add(&mut self, now: Instant, spent: Duration, frame_interval: Duration) {
        self.mean += (spent.as_secs_f64() / frame_interval.as_secs_f64() - self.mean) * SMOOTHING;
        let passed = now.saturating_duration_since(*self.changed.get_or_insert(now));
        if self.mean > TOO_MUCH && self.reductions < MAX_REDUCTIONS && passed >= REDUCTION_INTERVAL {
            if self.is_retrying && passed < self.retry {
                self.retry = (self.retry * 2).min(LONGEST_RETRY);
            }
            self.change(now, self.reductions + 1, false);
        } else if self.mean < LITTLE && self.reductions > 0 && passed >= self.retry {
            self.change(now, self.reductions - 1, true);
        }
    }

    fn change(&mut self, now: Instant, reductions: usize, is_retrying: bool) {
        tracing::info!("encoding takes {:.0} % of the time: size reduced {reductions} times", self.mean * 100.0);
        (self.reductions, self.changed, self.is_retrying) = (reductions, Some(now), is_retrying);
        // The mean of the new size is not known yet.
        self.mean = (TOO_MUCH + LITTLE) / 2.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(33);

    /// An encoder that takes `full` for a frame of the desired size, and half for each reduction. Returns the reductions at
    /// each second.
    fn run(load: &mut EncodeLoad, start: Instant, seconds: u32, full: impl Fn(u32) -> f64) -> Vec<usize> {
        (0..seconds)
            .map(|second| {
                for frame in 0..30 {
                    let now = start + Duration::from_secs(second.into()) + frame * INTERVAL;
                    let spent = INTERVAL.mul_f64(full(second) / 2_f64.powi(load.reductions() as i32));
                    load.add(now, spent, INTERVAL);
                }
                load.reductions()
            })
            .collect()
    }

    #[test]
    fn a_fast_encoder_keeps_its_size_despite_single_slow_frames() {
        let (mut load, start) = (EncodeLoad::default(), Instant::now());
        for n in 0..3_000 {
            let spent = if n % 40 == 0 { INTERVAL * 3 } else { INTERVAL / 4 };
            load.add(start + n * INTERVAL, spent, INTERVAL);
        }
        assert_eq!(load.reductions(), 0);
    }

    #[test]
    fn a_slow_encoder_is_relieved_within_seconds() {
        for (full, reductions) in [(0.8, 1), (1.5, 2), (4.0, 3), (100.0, MAX_REDUCTIONS)] {
            let reached = run(&mut EncodeLoad::default(), Instant::now(), 9, |_| full);
            assert_eq!(reached.last(), Some(&reductions), "{full}: {reached:?}");
        }
    }

    #[test]
    fn the_size_returns_when_the_computer_is_free_again() {
        let reached = run(&mut EncodeLoad::default(), Instant::now(), 60, |second| if second < 10 { 2.0 } else { 0.2 });
        assert_eq!((reached[9], reached[59]), (2, 0), "{reached:?}");
    }

    #[test]
    fn an_attempt_in_vain_is_repeated_less_and_less() {
        // One reduction leaves little, none takes too much.
        let reached = run(&mut EncodeLoad::default(), Instant::now(), 300, |_| 0.0);
        assert!(reached.iter().all(|n| *n == 0));
        let (mut load, start) = (EncodeLoad::default(), Instant::now());
        let mut attempts = vec![];
        for n in 0..30_u32 * 300 {
            let before = load.reductions();
            let spent = if before == 0 { INTERVAL } else { INTERVAL / 5 };
            load.add(start + n * INTERVAL, spent, INTERVAL);
            if load.reductions() < before {
                attempts.push(n / 30);
            }
        }
        assert!((3..7).contains(&attempts.len()), "{attempts:?}");
        assert!(attempts.windows(3).all(|a| a[2] - a[1] > a[1] - a[0]), "{attempts:?}");
    }
}
