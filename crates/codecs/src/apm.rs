//! Processing of the microphone's audio before encoding: echo, noise, gain. A fault in it costs a block.

mod stages;

use media::audio::{BLOCK, clean, clean_all};
use stages::{Processing, stages};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Which processing is enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApmConfig {
    /// Remove the loudspeaker's echo from the microphone.
    pub echo: bool,
    /// Remove noise.
    pub noise: NoiseSuppression,
    /// Adjust speech to an even level.
    pub gain: bool,
}

impl Default for ApmConfig {
    fn default() -> Self {
        Self { echo: true, noise: NoiseSuppression::High, gain: true }
    }
}

/// Strength of noise suppression. More also affects the voice. docs/audio.md has the measurements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NoiseSuppression {
    /// Nothing.
    Off,
    /// Steady noise, by about 12 dB.
    Moderate,
    /// Steady noise, by about 18 dB.
    #[default]
    High,
    /// All that is no voice, by a recurrent network (RNNoise; Valin, "A hybrid DSP/deep learning approach to real-time
    /// full-band speech enhancement", 2018). Music is noise to it. It delays the sound by 10 ms.
    VoiceOnly,
}

/// Audio processing for one microphone, in blocks of 10 ms at 48 kHz mono.
///
/// Pass it every played and every captured block, in the order in which they occur.
///
/// If it panics or produces samples that are not finite, it is replaced and loses what it has learnt; that costs one
/// block. If that happens repeatedly, it pauses, and audio passes unprocessed.
///
/// ```text
///  Working ──── fault ────▶ Working, replaced ──── MANY faults ────▶ Resting ── REST blocks ──▶ Working
/// ```
#[derive(Debug)]
pub struct Apm {
    make: fn(ApmConfig) -> Option<Box<dyn Processing>>,
    processing: Option<Box<dyn Processing>>,
    config: ApmConfig,
    /// Faults since the start.
    faults: u64,
    /// Number of recent faults, each at most [`CALM`] blocks after the previous one.
    recent: u32,
    /// Blocks since the last fault.
    calm: u32,
    /// Blocks of rest that remain.
    rest: u32,
}

/// Number of recent faults that starts a rest.
const MANY: u32 = 5;
/// Number of blocks without a fault after which earlier ones are forgotten: 5 s.
const CALM: u32 = 500;
/// Length of a rest in blocks: 10 s.
const REST: u32 = 1_000;

impl Apm {
    /// Starts with default state.
    pub fn new(config: ApmConfig) -> Self {
        Self::with(config, stages)
    }

    fn with(config: ApmConfig, make: fn(ApmConfig) -> Option<Box<dyn Processing>>) -> Self {
        Self { make, processing: make(config), config, faults: 0, recent: 0, calm: 0, rest: 0 }
    }

    /// Which processing is enabled.
    pub fn config(&self) -> ApmConfig {
        self.config
    }

    /// Number of faults since the start.
    pub fn faults(&self) -> u64 {
        self.faults
    }

    /// Whether it has failed so often that audio passes unprocessed.
    pub fn is_resting(&self) -> bool {
        self.rest > 0
    }

    /// Analyses a block that is about to be played.
    pub fn process_render(&mut self, block: &[f32; BLOCK]) {
        if !self.config.echo || self.rest > 0 {
            return;
        }
        let Some(processing) = &mut self.processing else { return };
        let block = block.map(clean);
        if catch_unwind(AssertUnwindSafe(|| processing.render(&block))).is_err() {
            self.fault();
        }
    }

    /// Processes a captured block in place. `delay_ms` is the time from passing a block to
    /// [`process_render`](Self::process_render) until its echo is passed here, as far as known. It is the starting
    /// point of the delay estimate.
    pub fn process_capture(&mut self, block: &mut [f32; BLOCK], delay_ms: u32) {
        clean_all(block);
        self.calm = self.calm.saturating_add(1);
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        let Some(processing) = &mut self.processing else { return };
        let done = catch_unwind(AssertUnwindSafe(|| processing.capture(block, delay_ms)));
        if done.is_err() || block.iter().any(|sample| !sample.is_finite()) {
            block.fill(0.0);
            self.fault();
        }
    }

    fn fault(&mut self) {
        self.processing = (self.make)(self.config);
        self.faults += 1;
        self.recent = if self.calm > CALM { 1 } else { self.recent + 1 };
        self.calm = 0;
        if self.recent >= MANY {
            (self.recent, self.rest) = (0, REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn voice(n: usize) -> [f32; BLOCK] {
        std::array::from_fn(|i| {
            let t = (n * BLOCK + i) as f32 / 48_000.0;
            0.2 * (TAU * 180.0 * t).sin() * (1.0 + (TAU * 3.0 * t).sin())
        })
    }

    /// Quiet, without an echo of the voice.
    fn noise(n: usize) -> [f32; BLOCK] {
        std::array::from_fn(|i| 0.01 * (((n * BLOCK + i) as f32 * 78.233).sin() * 43_758.547).fract())
    }

    fn is_sound(block: &[f32; BLOCK]) -> bool {
        block.iter().all(|s| s.is_finite()) && block.iter().any(|s| s.abs() > 1e-3)
    }

    /// The output of the last of two seconds, with invalid samples in the middle of both directions.
    fn run(odd: Option<f32>) -> Vec<[f32; BLOCK]> {
        let mut apm = Apm::new(ApmConfig::default());
        let mut out = vec![];
        for n in 0..200 {
            let (mut played, mut captured) = (noise(n), voice(n));
            if let (Some(odd), 100) = (odd, n) {
                (played[17], captured[240]) = (odd, odd);
            }
            apm.process_render(&played);
            apm.process_capture(&mut captured, 20);
            out.push(captured);
        }
        assert_eq!(apm.faults(), 0);
        out.split_off(100)
    }

    #[test]
    fn an_invalid_sample_costs_only_that_sample() {
        let usual = run(Some(0.0));
        assert!(usual.iter().filter(|block| is_sound(block)).count() > 50);
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -1e20, 1e-42] {
            assert_eq!(run(Some(odd)), usual, "{odd} is 0");
        }
    }

    /// Panics on a block that begins with 0.75, and returns NaN for one that begins with 0.5.
    #[derive(Debug)]
    struct Fragile;

    impl Processing for Fragile {
        fn render(&mut self, block: &[f32; BLOCK]) {
            assert!(block[0] != 0.75, "a fault in the library");
        }

        fn capture(&mut self, block: &mut [f32; BLOCK], _: u32) {
            assert!(block[0] != 0.75, "a fault in the library");
            if block[0] == 0.5 {
                block[9] = f32::NAN;
            }
            block.iter_mut().for_each(|s| *s *= 2.0);
        }
    }

    fn fragile() -> Apm {
        Apm::with(ApmConfig::default(), |_| Some(Box::new(Fragile)))
    }

    fn capture(apm: &mut Apm, sample: f32) -> [f32; BLOCK] {
        let mut block = [sample; BLOCK];
        apm.process_capture(&mut block, 0);
        block
    }

    #[test]
    fn a_fault_costs_one_block() {
        let mut apm = fragile();
        for faulty in [0.75, 0.5] {
            assert_eq!(capture(&mut apm, 0.1), [0.2; BLOCK]);
            assert_eq!(capture(&mut apm, faulty), [0.0; BLOCK]);
            assert_eq!(capture(&mut apm, 0.1), [0.2; BLOCK]);
        }
        apm.process_render(&[0.75; BLOCK]);
        assert_eq!(capture(&mut apm, 0.1), [0.2; BLOCK]);
        assert_eq!((apm.faults(), apm.is_resting()), (3, false));
    }

    #[test]
    fn persistent_faults_disable_processing_and_are_reported() {
        let mut apm = fragile();
        for _ in 0..MANY {
            assert!(!apm.is_resting());
            capture(&mut apm, 0.75);
        }
        assert!(apm.is_resting());
        for _ in 0..REST {
            assert_eq!(capture(&mut apm, 0.75), [0.75; BLOCK]);
        }
        assert!(!apm.is_resting(), "it is tried again");
        assert_eq!(capture(&mut apm, 0.1), [0.2; BLOCK]);
    }

    #[test]
    fn occasional_faults_are_forgotten() {
        let mut apm = fragile();
        for _ in 0..3 * MANY {
            capture(&mut apm, 0.75);
            (0..=CALM).for_each(|_| assert_eq!(capture(&mut apm, 0.1)[0], 0.2));
            assert!(!apm.is_resting());
        }
    }
}
