//! Follows the difference between the clocks of the microphone and the loudspeaker.

use super::transform::{FILTERED, LENGTH, Power, Spectrum};
use std::f32::consts::TAU;

/// Largest difference that is followed, as a fraction.
const MOST: f64 = 0.001;
/// Gains of the control loop, for each block: how much of a deviation is corrected at once, and how much of it, in samples,
/// changes the difference.
const PROPORTIONAL: f64 = 0.1;
const INTEGRAL: f64 = 1e-5;
/// A deviation counts fully if the echo says more about it than this, relative to noise.
const PRIOR: f32 = 2.0;
/// Power below which nothing is learnt, that of -90 dBFS in a spectrum.
const SILENCE: f32 = 1e-9;

/// A phase-locked loop that keeps the reference aligned with its echo.
///
/// An echo that comes a little earlier than its estimate leaves the derivative of the estimate. So the deviation is the
/// regression of the error on that derivative, weighted by the inverse power of what is not echo.
#[derive(Default)]
pub(super) struct Drift {
    fraction: f64,
}

impl Drift {
    /// Distance of the microphone's samples, in played samples.
    pub(super) fn ratio(&self) -> f64 {
        1.0 + self.fraction
    }

    /// Learns from what remained after the estimated echo was subtracted, and the power of what is not echo. Returns by how
    /// many samples the reference is to be read later.
    pub(super) fn follow(&mut self, error: &Spectrum, echo: &Spectrum, rest: &Power) -> f64 {
        let (mut sum, mut weight) = (0.0, 0.0);
        for bin in 2..FILTERED {
            let omega = TAU * bin as f32 / LENGTH as f32;
            let precision = 1.0 / (rest[bin] + SILENCE);
            sum += omega * (error[bin] * echo[bin].conj()).im * precision;
            weight += omega * omega * echo[bin].norm_sqr() * precision;
        }
        let deviation = f64::from(sum / (weight + PRIOR)).clamp(-1.0, 1.0);
        self.fraction = (self.fraction + deviation * INTEGRAL).clamp(-MOST, MOST);
        deviation * PROPORTIONAL
    }
}
