//! Suppresses the echo that the linear filter has left, and puts noise in its place.

use super::floor::WHITE;
use super::residual::{Estimate, Remaining};
use super::transform::{BINS, FILTERED, LENGTH, Power, Spectrum, Transform, ZERO, push};
use media::audio::BLOCK;
use std::f32::consts::PI;

/// By how much the estimated echo is exaggerated, because its power fluctuates: while the far side speaks alone, and while
/// somebody speaks here, who covers what remains.
const ALONE: f32 = 8.0;
const TOGETHER: f32 = 2.0;
/// How much of a gain remains from block to block.
const SMOOTHING: f32 = 0.3;
/// Frequencies above those whose echo is estimated have the mean gain of these, from 5.8 kHz.
const HIGH: std::ops::Range<usize> = 117..FILTERED;
/// Length of the filter that applies the gains, in samples. It delays sound by half of it, 2.5 ms.
const TAPS: usize = 240;
/// Power of a frequency that is regarded as silence.
const SILENCE: f32 = 1e-12;

/// Mean square of the window of the measured powers.
const WINDOW: f32 = 0.375;

/// Applies gains to the frequencies of what the linear filter has left.
pub(super) struct Suppressor {
    gains: Power,
    /// White noise of the last two blocks.
    white: [f32; LENGTH],
    /// The filter of the last block, for its sound and for the noise.
    response: Spectrum,
    colour: Power,
}

impl Suppressor {
    pub(super) fn new() -> Suppressor {
        Suppressor { gains: [1.0; BINS], white: [0.0; LENGTH], response: [ZERO; BINS], colour: [0.0; BINS] }
    }

    /// Suppresses the echo of the newest block, which is replaced.
    pub(super) fn suppress(
        &mut self,
        block: &mut [f32; BLOCK],
        remaining: &Remaining,
        echo: &Estimate,
        transform: &mut Transform,
    ) {
        self.follow_gains(&remaining.power, echo);
        push(&mut self.white, &echo.white);
        let (sound, white) = (transform.forward(remaining.time), transform.forward(self.white));
        let response = self.response(transform);
        let colour = self.colour(&echo.floor);
        let filtered = |response: &Spectrum, colour: &Power| -> Spectrum {
            std::array::from_fn(|bin| sound[bin] * response[bin] + white[bin] * colour[bin])
        };
        let before = transform.inverse(filtered(&self.response, &self.colour));
        let now = transform.inverse(filtered(&response, &colour));
        for (n, sample) in block.iter_mut().enumerate() {
            let share = n as f32 / BLOCK as f32;
            *sample = before[BLOCK + n] * (1.0 - share) + now[BLOCK + n] * share;
        }
        (self.response, self.colour) = (response, colour);
    }

    fn follow_gains(&mut self, remaining: &Power, echo: &Estimate) {
        let factor = if echo.is_near { TOGETHER } else { ALONE };
        let mut gains = [1.0; BINS];
        for bin in 1..FILTERED {
            gains[bin] = (1.0 - factor * echo.power[bin] / (remaining[bin] + SILENCE)).max(0.0).sqrt();
        }
        gains[0] = gains[1];
        let high = gains[HIGH].iter().sum::<f32>() / HIGH.len() as f32;
        gains[FILTERED..].fill(high);
        for bin in 0..BINS {
            let (below, above) = (gains[bin.saturating_sub(1)], gains[(bin + 1).min(BINS - 1)]);
            let gain = 0.25 * below + 0.5 * gains[bin] + 0.25 * above;
            self.gains[bin] = SMOOTHING * self.gains[bin] + (1.0 - SMOOTHING) * gain;
        }
    }

    /// The gain of white noise that replaces the suppressed part of the floor.
    fn colour(&self, floor: &Power) -> Power {
        std::array::from_fn(|bin| {
            let missing = (1.0 - self.gains[bin] * self.gains[bin]).max(0.0);
            (floor[bin] * missing / (WHITE * LENGTH as f32 * WINDOW)).sqrt()
        })
    }

    /// The filter that applies the gains, with linear phase. It is short, so that the convolution is not circular.
    fn response(&self, transform: &mut Transform) -> Spectrum {
        let time = transform.inverse(self.gains.map(|gain| gain.into()));
        let mut taps = [0.0; LENGTH];
        for (n, tap) in taps.iter_mut().take(TAPS).enumerate() {
            let window = (PI * (n as f32 + 0.5) / TAPS as f32).sin().powi(2);
            *tap = time[(n + LENGTH - TAPS / 2) % LENGTH] * window;
        }
        transform.forward(taps)
    }
}
