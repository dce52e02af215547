//! Estimates the echo and subtracts it.
//!
//! The path from the loudspeaker to the microphone is the state of a Kalman filter for each frequency and each 10 ms of the
//! path. Such a filter adapts slowly by itself while somebody speaks here: Enzner and Vary, "Frequency-domain adaptive Kalman
//! filter for acoustic echo control in hands-free telephones", Signal Processing 86 (2006); in partitions as Kuech, Mabande and
//! Enzner, "State-space architecture of the partitioned-block-based acoustic echo controller", ICASSP 2014.

use super::transform::{BINS, FILTERED, LENGTH, Power, Spectrum, Transform, ZERO};
use media::audio::BLOCK;
use realfft::num_complex::Complex32;
use std::collections::VecDeque;

/// Uncertainty of the response at the start, for the first 10 ms and from each 10 ms to the next.
const UNKNOWN: f32 = 0.02;
const UNKNOWN_DECAY: f32 = 0.9;
/// Smoothing of the power of what is not echo, and how much of the present error counts at once.
const SMOOTHING: f32 = 0.8;
const PRESENT: f32 = 0.5;
/// Power of a spectrum that is regarded as silence: -90 dBFS.
const SILENCE: f32 = 1e-8;
/// Responses that are limited to their 10 ms after each block.
const LIMITED: usize = 2;
/// By which factor more remains than was captured if the path was learnt wrongly.
const WORSE: f32 = 1.5;
/// Smoothing of the energies of blocks.
const ENERGY_SMOOTHING: f32 = 0.95;

/// The spectra of played blocks, each with the block before it, newest first.
pub(super) struct Played {
    spectra: VecDeque<[Complex32; FILTERED]>,
}

impl Played {
    pub(super) fn new(length: usize) -> Played {
        Played { spectra: std::iter::repeat_n([ZERO; FILTERED], length).collect() }
    }

    pub(super) fn push(&mut self, played: [f32; LENGTH], transform: &mut Transform) {
        let spectrum = transform.forward(played);
        self.spectra.pop_back();
        self.spectra.push_front(std::array::from_fn(|bin| spectrum[bin]));
    }
}

/// The filter of one loudspeaker and one microphone.
pub(super) struct EchoFilter {
    parts: Vec<Partition>,
    /// How much of the path remains from block to block. The rest is change.
    persistence: f32,
    /// Partition of the uncertainty at the start to which that change corresponds where the path has no response yet.
    change: f32,
    /// The part that is limited next.
    next: usize,
    /// The spectra of what remained of the last block, and of the echo in it, after 10 ms of silence.
    pub(super) error: Spectrum,
    pub(super) echo: Spectrum,
    /// Power of what is not echo.
    pub(super) rest: Power,
    /// Power of the echo that may have been missed, because the path is uncertain.
    pub(super) uncertain: Power,
    /// Smoothed energies of captured blocks, and of what remained.
    pub(super) captured: f32,
    pub(super) remaining: f32,
}

/// 10 ms of the path: its frequency response, and the variance of its error.
#[derive(Clone)]
struct Partition {
    response: [Complex32; FILTERED],
    uncertainty: [f32; FILTERED],
}

impl EchoFilter {
    /// A filter for a path of `parts` blocks. `persistence` is the part of the response that remains from block to block, and
    /// `change` the part of the uncertainty at the start that a path without response may become.
    pub(super) fn new(parts: usize, persistence: f32, change: f32) -> EchoFilter {
        let part = |number| Partition { response: [ZERO; FILTERED], uncertainty: [unknown(number); FILTERED] };
        EchoFilter {
            parts: (0..parts).map(part).collect(),
            persistence,
            change,
            next: 0,
            error: [ZERO; BINS],
            echo: [ZERO; BINS],
            rest: [0.0; BINS],
            uncertain: [0.0; BINS],
            captured: 0.0,
            remaining: 0.0,
        }
    }

    /// Subtracts the echo from a captured block, and learns from what remains. Returns the echo.
    pub(super) fn cancel(
        &mut self,
        block: &mut [f32; BLOCK],
        played: &Played,
        transform: &mut Transform,
    ) -> [f32; BLOCK] {
        let time = transform.inverse(self.estimate(played));
        let echo: [f32; BLOCK] = std::array::from_fn(|n| time[BLOCK + n]);
        smooth(&mut self.captured, energy(block));
        block.iter_mut().zip(&echo).for_each(|(sample, echo)| *sample -= echo);
        smooth(&mut self.remaining, energy(block));
        self.echo = transform.forward_block(&echo);
        self.error = transform.forward_block(block);
        self.adapt(played);
        (0..LIMITED).for_each(|_| self.limit(transform));
        echo
    }

    /// The path may be another one now.
    pub(super) fn doubt(&mut self) {
        for (number, part) in self.parts.iter_mut().enumerate() {
            for (uncertainty, response) in part.uncertainty.iter_mut().zip(&part.response) {
                *uncertainty = uncertainty.max(unknown(number) + response.norm_sqr());
            }
        }
    }

    /// Forgets the path.
    pub(super) fn forget(&mut self) {
        *self = EchoFilter::new(self.parts.len(), self.persistence, self.change);
    }

    /// Whether more remains than was captured.
    pub(super) fn is_worse(&self) -> bool {
        self.remaining > WORSE * self.captured
    }

    fn estimate(&self, played: &Played) -> Spectrum {
        let mut echo = [ZERO; BINS];
        for (part, played) in self.parts.iter().zip(&played.spectra) {
            for ((sum, response), played) in echo.iter_mut().zip(&part.response).zip(played) {
                *sum += response * played;
            }
        }
        echo
    }

    fn adapt(&mut self, played: &Played) {
        self.uncertain.fill(0.0);
        for (part, played) in self.parts.iter().zip(&played.spectra) {
            for ((sum, uncertainty), played) in self.uncertain.iter_mut().zip(&part.uncertainty).zip(played) {
                *sum += 0.5 * uncertainty * played.norm_sqr();
            }
        }
        let expected: [f32; FILTERED] = std::array::from_fn(|bin| {
            let error = self.error[bin].norm_sqr();
            self.rest[bin] = SMOOTHING * self.rest[bin] + (1.0 - SMOOTHING) * error;
            self.uncertain[bin] + self.rest[bin].max(PRESENT * error) + SILENCE
        });
        let kept = self.persistence * self.persistence;
        for (number, (part, played)) in self.parts.iter_mut().zip(&played.spectra).enumerate() {
            part.adapt(played, &self.error, &expected, kept, self.change * unknown(number));
        }
    }

    /// Limits the response of a part to 10 ms: what is longer comes from the circular convolution.
    fn limit(&mut self, transform: &mut Transform) {
        let part = &mut self.parts[self.next];
        let mut spectrum = [ZERO; BINS];
        spectrum[..FILTERED].copy_from_slice(&part.response);
        let mut time = transform.inverse(spectrum);
        time[BLOCK..].fill(0.0);
        part.response.copy_from_slice(&transform.forward(time)[..FILTERED]);
        self.next = (self.next + 1) % self.parts.len();
    }
}

impl Partition {
    /// The update of the Kalman filter. `expected` is the power of the error that was expected, `kept` the part of the
    /// path's power that remains, and `change` the power of a path that is new. A half is the share of a transform that a block fills.
    fn adapt(
        &mut self,
        played: &[Complex32; FILTERED],
        error: &Spectrum,
        expected: &[f32; FILTERED],
        kept: f32,
        change: f32,
    ) {
        let states = self.response.iter_mut().zip(&mut self.uncertainty);
        for (((response, uncertainty), played), (error, expected)) in states.zip(played).zip(error.iter().zip(expected))
        {
            let gain = *uncertainty / expected;
            *response += played.conj() * error * gain;
            let known = (1.0 - 0.5 * gain * played.norm_sqr()).max(0.0);
            *uncertainty = kept * known * *uncertainty + (1.0 - kept) * (response.norm_sqr() + change);
        }
    }
}

fn unknown(part: usize) -> f32 {
    UNKNOWN * UNKNOWN_DECAY.powi(part as i32)
}

fn smooth(value: &mut f32, new: f32) {
    *value = ENERGY_SMOOTHING * *value + (1.0 - ENERGY_SMOOTHING) * new;
}

fn energy(block: &[f32; BLOCK]) -> f32 {
    block.iter().map(|sample| sample * sample).sum()
}
