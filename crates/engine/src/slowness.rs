//! Notices a subscriber that would hold back the others with whom it shares an encoding. It receives the next smaller size
//! instead, from an encoder of its own.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A subscriber is slow with less than this share of the highest bitrate of its encoding, and until it has the other share.
const SLOW: f64 = 0.5;
const NOT_SLOW: f64 = 0.7;
/// A subscriber is also slow after this many keyframe requests within [`REQUEST_TIME`]: each one costs all others a
/// keyframe.
const MAX_REQUESTS: usize = 4;
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// ```text
///         less than half of the highest bitrate, or many keyframe requests
///  fast <------------------------------------------------------------------> slow
///         70 % of the highest bitrate, and few keyframe requests
/// ```
#[derive(Debug, Default)]
pub(crate) struct Slowness {
    is_slow: bool,
    /// When it requested keyframes, the last [`MAX_REQUESTS`] times.
    requests: VecDeque<Instant>,
}

impl Slowness {
    /// Records a keyframe request.
    pub(crate) fn on_keyframe_request(&mut self, now: Instant) {
        if self.requests.len() == MAX_REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(now);
    }

    /// Whether the subscriber is slow. `bitrate` is what it can receive, and `highest` what the fastest can that would share
    /// its encoding.
    pub(crate) fn update(&mut self, now: Instant, bitrate: u64, highest: u64) -> bool {
        let share = bitrate as f64 / highest.max(1) as f64;
        let recent = |at: &&Instant| now.saturating_duration_since(**at) < REQUEST_TIME;
        let requests_often = self.requests.iter().filter(recent).count() >= MAX_REQUESTS;
        self.is_slow = requests_often || share < if self.is_slow { NOT_SLOW } else { SLOW };
        self.is_slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_half_of_the_bitrate_is_slow_until_there_is_clearly_more() {
        let (now, mut slowness) = (Instant::now(), Slowness::default());
        let slow = [1_000, 600, 490, 600, 690, 710, 600].map(|bitrate| slowness.update(now, bitrate, 1_000));
        assert_eq!(slow, [false, false, true, true, true, false, false]);
    }

    #[test]
    fn many_keyframe_requests_are_slow_for_ten_seconds() {
        let (start, mut slowness) = (Instant::now(), Slowness::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in [0, 20, 22, 23] {
            slowness.on_keyframe_request(at(second));
            assert!(!slowness.update(at(second), 1_000, 1_000));
        }
        slowness.on_keyframe_request(at(24));
        let slow = [24, 29, 30, 40].map(|second| slowness.update(at(second), 1_000, 1_000));
        assert_eq!(slow, [true, true, false, false]);
    }
}
