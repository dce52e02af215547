//! The Fourier transform of two blocks, in which all of echo cancelling is computed.

use media::audio::BLOCK;
use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// Samples in a transform: the previous block and this one, 20 ms.
pub(super) const LENGTH: usize = 2 * BLOCK;
/// Frequencies in a spectrum, 50 Hz apart.
pub(super) const BINS: usize = LENGTH / 2 + 1;
/// Frequencies whose echo path is followed, up to 8 kHz. Voices have little echo above.
pub(super) const FILTERED: usize = 161;

/// A spectrum without scaling: the sum of the samples' contributions.
pub(super) type Spectrum = [Complex32; BINS];
/// The power of each frequency of a spectrum.
pub(super) type Power = [f32; BINS];

pub(super) const ZERO: Complex32 = Complex32 { re: 0.0, im: 0.0 };

/// Plans and memory of the transforms.
pub(super) struct Transform {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    scratch: Vec<Complex32>,
}

impl Transform {
    pub(super) fn new() -> Transform {
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(LENGTH), planner.plan_fft_inverse(LENGTH));
        let scratch = vec![ZERO; forward.get_scratch_len().max(inverse.get_scratch_len())];
        Transform { forward, inverse, scratch }
    }

    /// The spectrum of samples.
    pub(super) fn forward(&mut self, mut time: [f32; LENGTH]) -> Spectrum {
        let mut spectrum = [ZERO; BINS];
        // The lengths are those of the plan, so it does not fail.
        let _ = self.forward.process_with_scratch(&mut time, &mut spectrum, &mut self.scratch);
        spectrum
    }

    /// The samples of a spectrum.
    pub(super) fn inverse(&mut self, mut spectrum: Spectrum) -> [f32; LENGTH] {
        let mut time = [0.0; LENGTH];
        (spectrum[0].im, spectrum[BINS - 1].im) = (0.0, 0.0);
        let _ = self.inverse.process_with_scratch(&mut spectrum, &mut time, &mut self.scratch);
        time.map(|sample| sample / LENGTH as f32)
    }

    /// The spectrum of a block after 10 ms of silence.
    pub(super) fn forward_block(&mut self, block: &[f32; BLOCK]) -> Spectrum {
        let mut time = [0.0; LENGTH];
        time[BLOCK..].copy_from_slice(block);
        self.forward(time)
    }
}

/// Appends a block to the previous one.
pub(super) fn push(past: &mut [f32; LENGTH], block: &[f32; BLOCK]) {
    past.copy_within(BLOCK.., 0);
    past[BLOCK..].copy_from_slice(block);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_return_from_their_spectrum() {
        let mut transform = Transform::new();
        let time = std::array::from_fn(|n| ((n * n) as f32 * 0.37).sin());
        let spectrum = transform.forward(time);
        let back = transform.inverse(spectrum);
        assert!(time.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-4));
    }
}
