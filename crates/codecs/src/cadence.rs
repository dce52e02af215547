//! Measures the actual frame rate.

use crate::video::bound_fps;
use std::time::{Duration, Instant};

/// Measures the time between frames, so that rate control distributes the bitrate over the actual number of frames: a
/// camera in the dark may deliver 15 frames per second instead of 30.
#[derive(Debug)]
pub(crate) struct Cadence {
    shortest: Duration,
    reported: Duration,
    smooth: Duration,
    /// The same over a longer time, which removes the error that the last step leaves.
    steady: Duration,
    last: Option<Instant>,
}

impl Cadence {
    /// A longer gap is a pause, and does not affect the measurement.
    const PAUSE: Duration = Duration::from_secs(1);
    /// Averaging window in frames.
    const MEMORY: u32 = 12;
    /// Averaging window of the steady measurement, in frames.
    const LONG_MEMORY: u32 = 64;

    pub(crate) fn new(fps: u32) -> Self {
        let shortest = Duration::from_secs(1) / bound_fps(fps);
        Self { shortest, reported: shortest, smooth: shortest, steady: shortest, last: None }
    }

    /// Sets the maximum frame rate. A lower measured rate remains.
    pub(crate) fn set_fps(&mut self, fps: u32) {
        let shortest = Duration::from_secs(1) / bound_fps(fps);
        if shortest != self.shortest {
            if self.smooth <= self.shortest.mul_f64(1.1) {
                self.smooth = shortest; // frames came at the maximum rate
            }
            self.shortest = shortest;
            self.reported = self.smooth.max(shortest);
            self.steady = self.smooth;
        }
    }

    /// Records the time of the next frame. Returns the time between frames. It follows a change of more than a tenth
    /// immediately, and settles within about a hundredth of the true value. Its error is the error of the bitrate.
    pub(crate) fn next(&mut self, time: Instant) -> Duration {
        let gap = self.last.replace(time).map(|last| time.saturating_duration_since(last));
        if let Some(gap) = gap.filter(|gap| *gap < Self::PAUSE) {
            self.smooth = (self.smooth * (Self::MEMORY - 1) + gap) / Self::MEMORY;
            // Clamp only the mean. If each gap were clamped, jitter alone would look like a slower camera.
            let measured = self.smooth.max(self.shortest);
            self.steady = (self.steady * (Self::LONG_MEMORY - 1) + gap) / Self::LONG_MEMORY;
            if measured.abs_diff(self.reported) * 10 > self.reported {
                self.reported = measured;
                self.steady = measured;
            }
            let steady = self.steady.max(self.shortest);
            if steady.abs_diff(self.reported) * 100 > self.reported {
                self.reported = steady;
            }
        }
        self.reported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(cadence: &mut Cadence, time: &mut Instant, frames: u32, gap: Duration) -> Duration {
        (0..frames).fold(Duration::ZERO, |_, _| {
            *time += gap;
            cadence.next(*time)
        })
    }

    #[test]
    fn a_slower_camera_is_detected_and_a_pause_is_not() {
        let (mut cadence, mut time) = (Cadence::new(30), Instant::now());
        let ms = Duration::from_millis;
        assert_eq!(run(&mut cadence, &mut time, 30, ms(33)), Duration::from_secs(1) / 30);
        let slow = run(&mut cadence, &mut time, 60, ms(66));
        assert!(slow.abs_diff(ms(66)) < ms(8), "{slow:?}");
        time += Duration::from_secs(20);
        assert_eq!(cadence.next(time), slow);
    }

    #[test]
    fn a_slow_start_does_not_distort_the_bitrate() {
        let (mut cadence, mut time) = (Cadence::new(30), Instant::now());
        let ms = Duration::from_millis;
        assert!(run(&mut cadence, &mut time, 3, ms(100)) > ms(40));
        let after = run(&mut cadence, &mut time, 300, Duration::from_secs(1) / 30);
        assert!(after.abs_diff(Duration::from_secs(1) / 30) * 75 <= after, "{after:?}");
    }

    #[test]
    fn jitter_is_not_taken_for_a_slower_camera() {
        let (mut cadence, mut time) = (Cadence::new(30), Instant::now());
        for gap in [20, 46, 25, 42, 33, 30, 38, 21, 45, 33].iter().cycle().take(300) {
            time += Duration::from_millis(*gap);
            assert_eq!(cadence.next(time), Duration::from_secs(1) / 30);
        }
    }

    #[test]
    fn frames_faster_than_real_time_count_at_the_configured_rate() {
        let (mut cadence, mut time) = (Cadence::new(25), Instant::now());
        assert_eq!(run(&mut cadence, &mut time, 50, Duration::ZERO), Duration::from_secs(1) / 25);
    }
}
