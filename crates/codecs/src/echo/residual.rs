//! Estimates how much echo the linear filter has left, and whether somebody speaks here.
//!
//! What is left follows the estimated echo, with a tail for the part of the path that is longer than the filter. How much it is,
//! relative to that, is learnt for each band while only the far side speaks.

use super::floor::NoiseFloor;
use super::transform::{BINS, FILTERED, LENGTH, Power, Transform, push};
use media::audio::BLOCK;
use std::f32::consts::PI;

/// The first frequency of each band, and the end of the last one.
const BANDS: [usize; COUNT + 1] =
    [1, 3, 5, 7, 9, 11, 13, 16, 19, 22, 26, 30, 34, 39, 45, 52, 60, 69, 79, 90, 103, 117, 132, 147, 161];
const COUNT: usize = 24;
/// Decay of the tail with each block: a reverberation time of 1.3 s.
const TAIL: f32 = 0.9;
/// What is left at the start, relative to the tail, and its limits, in dB.
const START: f32 = -6.0;
const LIMITS: std::ops::RangeInclusive<f32> = -40.0..=10.0;
/// How fast the median of what is left is followed, in dB for each block, while the far side speaks alone.
const STEP: f32 = 0.25;
/// The same up and down while somebody speaks here, whose voice must not be taken for echo.
const STEP_UP: f32 = 0.01;
const STEP_DOWN: f32 = 0.1;
/// Somebody speaks here if there is more than echo and noise, by so many dB on average over the bands.
const NEAR: f32 = 3.0;
/// The most and the least that a band counts, in dB.
const COUNTED: std::ops::RangeInclusive<f32> = -10.0..=20.0;
/// Blocks for which somebody who has spoken is assumed to go on.
const HANGOVER: u32 = 6;
/// Partition of the uncertain echo that is assumed to be there.
const UNCERTAIN: f32 = 0.5;
/// Power of a band that is regarded as silence.
const SILENCE: f32 = 1e-9;
/// The echo in a band that says how much is left is at least this.
const AUDIBLE: f32 = 1e-7;

/// What is known of the remaining echo.
pub(super) struct Residual {
    window: [f32; LENGTH],
    error: [f32; LENGTH],
    echo: [f32; LENGTH],
    /// Power of the estimated echo, with a tail.
    tail: Power,
    /// The power of what is left relative to the tail, for each band in dB.
    left: [f32; COUNT],
    floor: NoiseFloor,
    /// By how much there is more than echo and noise, in dB.
    near: f32,
    hangover: u32,
}

/// The last 20 ms after the linear filter.
pub(super) struct Remaining {
    pub(super) time: [f32; LENGTH],
    pub(super) power: Power,
}

/// The echo in the last 20 ms.
pub(super) struct Estimate {
    pub(super) power: Power,
    /// Power of the noise.
    pub(super) floor: Power,
    /// White noise for these 10 ms.
    pub(super) white: [f32; BLOCK],
    /// Whether somebody speaks here.
    pub(super) is_near: bool,
}

impl Residual {
    pub(super) fn new() -> Residual {
        Residual {
            window: window(),
            error: [0.0; LENGTH],
            echo: [0.0; LENGTH],
            tail: [0.0; BINS],
            left: [START; COUNT],
            floor: NoiseFloor::new(),
            near: 0.0,
            hangover: 0,
        }
    }

    /// The remaining echo in what the filter has left. `uncertain` is the power of the echo that it may have missed.
    pub(super) fn estimate(
        &mut self,
        block: &[f32; BLOCK],
        echo: &[f32; BLOCK],
        uncertain: &Power,
        transform: &mut Transform,
    ) -> (Remaining, Estimate) {
        push(&mut self.error, block);
        push(&mut self.echo, echo);
        let error = self.power(&self.error, transform);
        let echo = self.power(&self.echo, transform);
        self.tail.iter_mut().zip(&echo).for_each(|(tail, echo)| *tail = TAIL * *tail + (1.0 - TAIL) * echo);
        let spread = spread(&self.tail);
        self.follow_near(&error, &spread, uncertain);
        self.follow_left(&error, &spread);
        let mut power = [0.0; BINS];
        for (band, left) in BANDS.windows(2).zip(&self.left) {
            let left = from_decibel(*left);
            (band[0]..band[1]).for_each(|bin| power[bin] = spread[bin] * left + UNCERTAIN * uncertain[bin]);
        }
        self.floor.follow(&error, &power);
        let (floor, white) = (self.floor.power, self.floor.white());
        (Remaining { time: self.error, power: error }, Estimate { power, floor, white, is_near: self.hangover > 0 })
    }

    fn power(&self, time: &[f32; LENGTH], transform: &mut Transform) -> Power {
        let windowed = std::array::from_fn(|n| time[n] * self.window[n]);
        transform.forward(windowed).map(|bin| bin.norm_sqr())
    }

    fn follow_near(&mut self, error: &Power, tail: &Power, uncertain: &Power) {
        let excess = |(band, left): (&[usize], &f32)| {
            let sum = |power: &Power| power[band[0]..band[1]].iter().sum::<f32>();
            let expected = sum(tail) * from_decibel(*left) + UNCERTAIN * sum(uncertain) + 2.0 * sum(&self.floor.power);
            decibel((sum(error) + SILENCE) / (expected + SILENCE)).clamp(*COUNTED.start(), *COUNTED.end())
        };
        let mean = BANDS.windows(2).zip(&self.left).map(excess).sum::<f32>() / COUNT as f32;
        self.near = 0.5 * (self.near + mean);
        self.hangover = if self.near > NEAR { HANGOVER } else { self.hangover.saturating_sub(1) };
    }

    fn follow_left(&mut self, error: &Power, tail: &Power) {
        let (up, down) = if self.hangover > 0 { (STEP_UP, STEP_DOWN) } else { (STEP, STEP) };
        for (band, left) in BANDS.windows(2).zip(&mut self.left) {
            let sum = |power: &Power| power[band[0]..band[1]].iter().sum::<f32>();
            let (error, tail, floor) = (sum(error), sum(tail), sum(&self.floor.power));
            if tail * from_decibel(*left) > floor + AUDIBLE || tail > 30.0 * floor + 10.0 * AUDIBLE {
                let is_more = error > tail * from_decibel(*left);
                *left = (*left + if is_more { up } else { -down }).clamp(*LIMITS.start(), *LIMITS.end());
            }
        }
    }
}

/// The power with that of the neighbouring frequencies, into which the window leaks.
fn spread(power: &Power) -> Power {
    let mut spread = *power;
    for bin in 1..FILTERED {
        spread[bin] = 0.25 * power[bin - 1] + 0.5 * power[bin] + 0.25 * power[bin + 1];
    }
    spread
}

fn decibel(ratio: f32) -> f32 {
    10.0 * ratio.log10()
}

fn from_decibel(value: f32) -> f32 {
    10f32.powf(value / 10.0)
}

/// Rises over 15 ms and falls over 5, so that the newest sound counts early.
fn window() -> [f32; LENGTH] {
    let rise = LENGTH * 3 / 4;
    std::array::from_fn(|n| {
        let phase = if n < rise { n as f32 / rise as f32 } else { (LENGTH - n) as f32 / (LENGTH - rise) as f32 };
        (phase * PI / 2.0).sin().powi(2)
    })
}
