//! Follows the noise at the microphone, and makes similar noise.

use super::transform::{BINS, Power};
use media::audio::BLOCK;

/// Blocks at the start after which the floor is known, 2 s, and how many of them must be without echo.
const START: u32 = 200;
const ENOUGH: u32 = 50;
/// By how much the floor may rise with each block: 1.3 dB a second.
const RISE: f32 = 1.003;
/// Smoothing of the power, and by how much the floor may exceed the smoothed power, which fluctuates.
const SMOOTHING: f32 = 0.8;
const BIAS: f32 = 1.5;
/// The most echo, relative to everything, that counts as none.
const CLEAR: f32 = 0.1;
/// Mean power of a sample of [`NoiseFloor::white`].
pub(super) const WHITE: f32 = 1.0 / 12.0;

/// The noise floor: the lowest power of late.
pub(super) struct NoiseFloor {
    pub(super) power: Power,
    smooth: Power,
    /// At the start, the lowest smoothed power, and the number of blocks without echo.
    lowest: Power,
    clear: [u32; BINS],
    blocks: u32,
    random: u32,
}

impl NoiseFloor {
    pub(super) fn new() -> NoiseFloor {
        NoiseFloor {
            power: [0.0; BINS],
            smooth: [0.0; BINS],
            lowest: [f32::MAX; BINS],
            clear: [0; BINS],
            blocks: 0,
            random: 1,
        }
    }

    /// Takes the power of the next block, and that of the echo in it. While there is echo, the floor does not rise.
    pub(super) fn follow(&mut self, power: &Power, echo: &Power) {
        self.blocks = self.blocks.saturating_add(1);
        for bin in 0..BINS {
            self.smooth[bin] = SMOOTHING * self.smooth[bin] + (1.0 - SMOOTHING) * power[bin];
            if echo[bin] < CLEAR * self.smooth[bin] {
                self.lowest[bin] = self.lowest[bin].min(self.smooth[bin]);
                self.clear[bin] = self.clear[bin].saturating_add(1);
                self.power[bin] *= RISE;
            }
            let is_new = self.power[bin] == 0.0 && self.clear[bin] >= ENOUGH && self.blocks >= START;
            let most = if is_new { self.lowest[bin] } else { self.power[bin] };
            self.power[bin] = most.min(BIAS * self.smooth[bin]);
        }
    }

    /// White noise between -0.5 and 0.5.
    pub(super) fn white(&mut self) -> [f32; BLOCK] {
        std::array::from_fn(|_| {
            self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.random >> 8) as f32 / (1 << 24) as f32 - 0.5
        })
    }
}
