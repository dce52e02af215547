//! Measures a rate over the last second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_millis(1000);
/// Sizes are summed over this time, which bounds the list.
const STEP: Duration = Duration::from_millis(20);

/// The rate over the last second. In the first second, it is too low.
#[derive(Debug, Default)]
pub(crate) struct RateMeter {
    steps: VecDeque<(Instant, usize)>,
}

impl RateMeter {
    pub(crate) fn add(&mut self, now: Instant, bytes: usize) {
        match self.steps.back_mut() {
            Some((at, sum)) if now.saturating_duration_since(*at) < STEP => *sum += bytes,
            Some(_) | None => self.steps.push_back((now, bytes)),
        }
        self.expire(now);
    }

    /// The rate in bit/s.
    pub(crate) fn rate(&mut self, now: Instant) -> f64 {
        self.expire(now);
        self.steps.iter().map(|s| s.1).sum::<usize>() as f64 * 8.0 / WINDOW.as_secs_f64()
    }

    fn expire(&mut self, now: Instant) {
        while self.steps.front().is_some_and(|s| now.saturating_duration_since(s.0) >= WINDOW) {
            self.steps.pop_front();
        }
    }
}
