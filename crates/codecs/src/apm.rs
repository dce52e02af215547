//! Processing of the microphone's audio before encoding: echo, noise, gain. WebRTC's audio processing, from `sonora`.

use media::audio::{BLOCK, SAMPLE_RATE, clean, clean_all};
use sonora::config::{AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate, Pipeline};
use sonora::{AudioProcessing, Config, StreamConfig};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Which processing is enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApmConfig {
    /// Remove the loudspeaker's echo from the microphone.
    pub echo: bool,
    /// Remove steady noise.
    pub noise: NoiseSuppression,
    /// Adjust speech to an even level.
    pub gain: bool,
}

impl Default for ApmConfig {
    fn default() -> Self {
        Self { echo: true, noise: NoiseSuppression::High, gain: true }
    }
}

/// Strength of noise suppression. More also affects the voice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NoiseSuppression {
    /// Nothing.
    Off,
    /// About 12 dB.
    Moderate,
    /// About 18 dB.
    #[default]
    High,
    /// About 21 dB.
    VeryHigh,
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

/// The processing itself: `sonora`, or in tests an implementation that fails.
trait Processing: std::fmt::Debug + Send {
    /// Analyses a block that is about to be played.
    fn render(&mut self, block: &[f32; BLOCK]);
    /// Processes a block in place.
    fn capture(&mut self, block: &mut [f32; BLOCK], delay_ms: u32);
}

impl Apm {
    /// Starts with default state.
    pub fn new(config: ApmConfig) -> Self {
        Self::with(config, sonora_for)
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

/// WebRTC's audio processing.
#[derive(Debug)]
struct Sonora {
    processing: Box<AudioProcessing>,
    scratch: [f32; BLOCK],
}

fn sonora_for(config: ApmConfig) -> Option<Box<dyn Processing>> {
    let anything = config.echo || config.gain || config.noise != NoiseSuppression::Off;
    let stream = StreamConfig::new(SAMPLE_RATE, 1);
    anything.then(|| {
        let builder = AudioProcessing::builder().config(settings(config));
        let processing = Box::new(builder.capture_config(stream).render_config(stream).build());
        Box::new(Sonora { processing, scratch: [0.0; BLOCK] }) as Box<dyn Processing>
    })
}

impl Processing for Sonora {
    fn render(&mut self, block: &[f32; BLOCK]) {
        // Only formats other than the configured one are rejected.
        let _ = self.processing.process_render_f32(&[block], &mut [&mut self.scratch]);
    }

    fn capture(&mut self, block: &mut [f32; BLOCK], delay_ms: u32) {
        // It clamps to 500 ms, and reports that in its result.
        let _ = self.processing.set_stream_delay_ms(delay_ms.min(500) as i32);
        self.scratch = *block;
        if self.processing.process_capture_f32(&[&self.scratch], &mut [block]).is_err() {
            *block = self.scratch;
        }
    }
}

fn settings(config: ApmConfig) -> Config {
    Config {
        pipeline: Pipeline {
            maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
            multi_channel_render: false,
            multi_channel_capture: false,
            ..Pipeline::default()
        },
        high_pass_filter: Some(HighPassFilter::default()),
        echo_canceller: config.echo.then(EchoCanceller::default),
        noise_suppression: suppression(config.noise),
        gain_controller2: config.gain.then(|| GainController2 {
            adaptive_digital: Some(AdaptiveDigital::default()),
            ..GainController2::default()
        }),
        ..Config::default()
    }
}

fn suppression(level: NoiseSuppression) -> Option<sonora::config::NoiseSuppression> {
    use sonora::config::NoiseSuppressionLevel as Level;
    let level = match level {
        NoiseSuppression::Off => return None,
        NoiseSuppression::Moderate => Level::Moderate,
        NoiseSuppression::High => Level::High,
        NoiseSuppression::VeryHigh => Level::VeryHigh,
    };
    Some(sonora::config::NoiseSuppression { level, ..Default::default() })
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
