//! Keeps the level of a ring in its range while the clocks of both sides drift apart.

use super::rate::MAX_TRIM;

/// Observes a level and computes how much faster or slower to resample.
///
/// The variation caused by the periods of both sides is normal. A surplus is what remains even at the lowest level, and
/// a deficit is what is missing even at the highest.
#[derive(Debug, Clone)]
pub(super) struct Drift {
    low: usize,
    high: usize,
    min: usize,
    max: usize,
    observations: u32,
}

/// Number of observations, one every 10 ms, for one decision.
const WINDOW: u32 = 100;

/// Surplus or deficit, in samples at 48 kHz, from which on the correction is at its maximum.
const FULL_SPEED: f64 = 960.0;

impl Drift {
    /// Keeps each second's minimum at most `high` and its maximum at least `low`, in samples at 48 kHz.
    pub(super) fn new(low: usize, high: usize) -> Self {
        Self { low, high, min: usize::MAX, max: 0, observations: 0 }
    }

    /// Changes the range.
    pub(super) fn set_band(&mut self, low: usize, high: usize) {
        (self.low, self.high) = (low, high);
    }

    /// Records one observation for each 10 ms of audio: the levels before and after the transfer, the smaller first.
    /// Once a second, returns the fraction by which to produce more samples (negative: fewer).
    pub(super) fn observe(&mut self, smaller: usize, larger: usize) -> Option<f64> {
        self.min = self.min.min(smaller);
        self.max = self.max.max(larger);
        self.observations += 1;
        if self.observations < WINDOW {
            return None;
        }
        let surplus = self.min as f64 - self.high as f64;
        let want = self.low as f64 - self.max as f64;
        *self = Self::new(self.low, self.high);
        Some(MAX_TRIM * ((want / FULL_SPEED).clamp(0.0, 1.0) - (surplus / FULL_SPEED).clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads 10 ms at each tick of its own clock from a writer whose clock is off by `ppm`. Returns the level at each
    /// second.
    fn simulate(ppm: f64, start: f64, seconds: usize) -> Vec<f64> {
        let (mut drift, mut trim, mut level) = (Drift::new(0, 720), 0.0, start);
        let mut levels = Vec::new();
        for _ in 0..seconds {
            for _ in 0..100 {
                level += 480.0 * (1.0 + ppm / 1e6) * (1.0 + trim);
                level = (level - 480.0).max(0.0);
                trim = drift.observe(level as usize, level as usize).unwrap_or(trim);
            }
            levels.push(level);
        }
        levels
    }

    #[test]
    fn a_fast_writer_does_not_fill_the_ring() {
        let levels = simulate(300.0, 0.0, 600);
        let highest = levels.iter().copied().fold(0.0, f64::max);
        assert!(highest < 960.0, "{highest}");
    }

    #[test]
    fn a_standing_surplus_is_reduced() {
        assert!(simulate(0.0, 2400.0, 30)[29] < 960.0);
    }

    #[test]
    fn within_the_band_nothing_is_adjusted() {
        let mut drift = Drift::new(0, 720);
        let trims: Vec<_> = (0..500).filter_map(|n| drift.observe(100 + n % 700, 1_400 - n % 700)).collect();
        assert_eq!(trims, [0.0; 5]);
    }

    #[test]
    fn an_underfilled_ring_is_refilled() {
        let mut drift = Drift::new(480, 1440);
        let trim = (0..100).find_map(|_| drift.observe(0, 470));
        assert!(trim.is_some_and(|t| t > 0.0 && t <= MAX_TRIM));
    }
}
