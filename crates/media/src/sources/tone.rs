//! A sine.

use crate::audio::SAMPLE_RATE;
use std::f64::consts::TAU;

/// A sine that continues without a break from block to block.
#[derive(Debug, Clone)]
pub struct Tone {
    phase: f64,
    step: f64,
    amplitude: f32,
}

impl Tone {
    /// A tone of `hz` with this amplitude (1 is full scale) and phase 0.
    pub fn new(hz: f64, amplitude: f32) -> Self {
        Self { phase: 0.0, step: hz / f64::from(SAMPLE_RATE), amplitude }
    }

    /// The next samples.
    pub fn fill(&mut self, out: &mut [f32]) {
        for sample in out {
            *sample = self.amplitude * (self.phase * TAU).sin() as f32;
            self.phase = (self.phase + self.step).fract();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_join_seamlessly() {
        let (mut whole, mut parts) = ([0.0; 960], [0.0; 960]);
        Tone::new(440.0, 0.5).fill(&mut whole);
        let mut tone = Tone::new(440.0, 0.5);
        parts.chunks_mut(100).for_each(|part| tone.fill(part));
        assert_eq!(whole, parts);
        let peak = whole.iter().fold(0.0f32, |p, s| p.max(*s));
        assert!((peak - 0.5).abs() < 0.001);
    }

    #[test]
    fn the_frequency_is_right() {
        let mut second = vec![0.0; 48_000];
        Tone::new(1_000.0, 1.0).fill(&mut second);
        let rises = second.windows(2).filter(|w| w[0] <= 0.0 && w[1] > 0.0).count();
        assert!((999..=1_001).contains(&rises), "{rises}");
    }
}
