//! Acoustic echo cancelling.
//!
//! 1. What was played is resampled to the clock of the microphone ([`reference`], [`drift`]): clocks that are only 200 ppm apart
//!    would change the path faster than a long filter can follow.
//! 2. A linear filter subtracts its echo ([`filter`]). It removes 15 to 30 dB and leaves voices as they are.
//! 3. What remains is suppressed by frequency ([`residual`], [`suppressor`]), as far as it is estimated to be echo.

mod drift;
mod filter;
mod floor;
mod reference;
mod residual;
mod suppressor;
mod transform;

use drift::Drift;
use filter::{EchoFilter, Played};
use media::audio::BLOCK;
use reference::Reference;
use residual::Residual;
use suppressor::Suppressor;
use transform::{LENGTH, Transform, push};

/// The length of the path that is followed, in blocks of 10 ms.
const PARTS: usize = 32;
/// How much of the path remains from block to block, and how much a path without response changes. See [`EchoFilter::new`].
const PERSISTENCE: f32 = 0.999_7;
const CHANGE: f32 = 1e-5;
/// The same for the filter that notices a new path.
const QUICK_PERSISTENCE: f32 = 0.99;
const QUICK_CHANGE: f32 = 0.1;
/// A path is new if the quick filter leaves this part of what the other one leaves, and of what was captured, for so many blocks.
const BETTER: f32 = 0.2;
const BETTER_BLOCKS: u32 = 8;
/// The path was learnt wrongly if more remains than was captured for so many blocks.
const WORSE_BLOCKS: u32 = 10;
/// The path may begin this much earlier than the devices say, in samples.
const EARLY: f64 = 4_800.0;
/// The least lead of the reference in samples, because the devices deliver several blocks at once.
const LEAST_LEAD: f64 = 960.0;
/// How far, and for how many blocks, the lead may be from where the path began. Then playout was interrupted.
const SAME_LEAD: f64 = 1_440.0;
const INTERRUPTED: u32 = 50;
/// Longest delay that the devices can say, in ms.
const MOST_DELAY: u32 = 500;
/// How far the delay may move before the path begins anew, in ms.
const SAME_DELAY: u32 = 60;

/// Removes the echo of what is played from one microphone.
pub(crate) struct EchoCanceller {
    transform: Transform,
    reference: Reference,
    drift: Drift,
    /// The last two blocks of the reference.
    recent: [f32; LENGTH],
    played: Played,
    filter: EchoFilter,
    quick: EchoFilter,
    residual: Residual,
    suppressor: Suppressor,
    /// The delay and the lead with which the path began.
    delay: Option<u32>,
    lead: f64,
    /// Blocks since the lead has been another one.
    displaced: u32,
    better: u32,
    worse: u32,
}

impl std::fmt::Debug for EchoCanceller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EchoCanceller").field("delay", &self.delay).finish_non_exhaustive()
    }
}

impl EchoCanceller {
    pub(crate) fn new() -> EchoCanceller {
        EchoCanceller {
            transform: Transform::new(),
            reference: Reference::new(),
            drift: Drift::default(),
            recent: [0.0; LENGTH],
            played: Played::new(PARTS),
            filter: EchoFilter::new(PARTS, PERSISTENCE, CHANGE),
            quick: EchoFilter::new(PARTS, QUICK_PERSISTENCE, QUICK_CHANGE),
            residual: Residual::new(),
            suppressor: Suppressor::new(),
            delay: None,
            lead: 0.0,
            displaced: 0,
            better: 0,
            worse: 0,
        }
    }

    /// Takes a block that is about to be played.
    pub(crate) fn render(&mut self, block: &[f32; BLOCK]) {
        self.reference.write(block);
    }

    /// Removes the echo from a captured block. `delay_ms` is the time from [`render`](Self::render) until the echo is captured,
    /// as far as the devices know it.
    pub(crate) fn capture(&mut self, block: &mut [f32; BLOCK], delay_ms: u32) {
        self.follow_delay(delay_ms.min(MOST_DELAY));
        let read = self.reference.read(self.drift.ratio());
        push(&mut self.recent, &read);
        self.played.push(self.recent, &mut self.transform);
        self.quick.cancel(&mut block.clone(), &self.played, &mut self.transform);
        let echo = self.filter.cancel(block, &self.played, &mut self.transform);
        let shift = self.drift.follow(&self.filter.error, &self.filter.echo, &self.filter.rest);
        self.reference.shift(shift);
        self.follow_path();
        let (error, estimate) = self.residual.estimate(block, &echo, &self.filter.uncertain, &mut self.transform);
        self.suppressor.suppress(block, &error, &estimate, &mut self.transform);
    }

    /// Begins the path where the devices say: at the start, when that changes, and when playout was interrupted.
    fn follow_delay(&mut self, delay: u32) {
        let is_same_lead = (self.reference.lead() - self.lead).abs() <= SAME_LEAD;
        self.displaced = if is_same_lead { 0 } else { self.displaced + 1 };
        let is_same_delay = self.delay.is_some_and(|before| before.abs_diff(delay) <= SAME_DELAY);
        if is_same_delay && self.displaced < INTERRUPTED {
            return;
        }
        self.lead = (f64::from(delay) * 48.0 - EARLY).max(LEAST_LEAD);
        (self.delay, self.displaced) = (Some(delay), 0);
        self.reference.set_lead(self.lead);
        self.filter.forget();
        self.quick.forget();
    }

    /// Notices that the path has become another one, or was learnt wrongly.
    fn follow_path(&mut self) {
        let is_better = self.quick.remaining < BETTER * self.filter.remaining.min(self.quick.captured);
        self.better = if is_better { self.better + 1 } else { 0 };
        if self.better == BETTER_BLOCKS {
            self.filter.doubt();
            self.better = 0;
        }
        self.worse = if self.filter.is_worse() { self.worse + 1 } else { 0 };
        if self.worse == WORSE_BLOCKS {
            self.filter.forget();
            self.worse = 0;
        }
        if self.quick.is_worse() {
            self.quick.forget();
        }
    }
}
