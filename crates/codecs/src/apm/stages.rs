//! The stages of audio processing: echo cancelling; RNNoise, from `nnnoiseless`; and WebRTC's high-pass filter, noise
//! suppression and gain control, from `sonora`.

use super::{ApmConfig, NoiseSuppression};
use crate::echo::EchoCanceller;
use media::audio::{BLOCK, SAMPLE_RATE};
use nnnoiseless::DenoiseState;
use sonora::config::{
    AdaptiveDigital, GainController2, HighPassFilter, MaxProcessingRate, NoiseSuppressionLevel, Pipeline,
};
use sonora::{AudioProcessing, Config, StreamConfig};

/// What processes blocks: [`Stages`], or in tests an implementation that fails.
pub(super) trait Processing: std::fmt::Debug + Send {
    /// Analyses a block that is about to be played.
    fn render(&mut self, block: &[f32; BLOCK]);
    /// Processes a block in place.
    fn capture(&mut self, block: &mut [f32; BLOCK], delay_ms: u32);
}

/// The stages that are enabled, in their order.
#[derive(Debug)]
struct Stages {
    echo: Option<EchoCanceller>,
    voice_filter: Option<VoiceFilter>,
    rest: Box<AudioProcessing>,
    scratch: [f32; BLOCK],
}

/// The stages of a configuration. `None` if nothing is to be done.
pub(super) fn stages(config: ApmConfig) -> Option<Box<dyn Processing>> {
    let anything = config.echo || config.gain || config.noise != NoiseSuppression::Off;
    let stream = StreamConfig::new(SAMPLE_RATE, 1);
    anything.then(|| {
        let builder = AudioProcessing::builder().config(settings(config));
        let rest = Box::new(builder.capture_config(stream).render_config(stream).build());
        let echo = config.echo.then(EchoCanceller::new);
        let voice_filter = (config.noise == NoiseSuppression::VoiceOnly).then(VoiceFilter::new);
        Box::new(Stages { echo, voice_filter, rest, scratch: [0.0; BLOCK] }) as Box<dyn Processing>
    })
}

impl Processing for Stages {
    fn render(&mut self, block: &[f32; BLOCK]) {
        if let Some(echo) = &mut self.echo {
            echo.render(block);
        }
    }

    fn capture(&mut self, block: &mut [f32; BLOCK], delay_ms: u32) {
        if let Some(echo) = &mut self.echo {
            echo.capture(block, delay_ms);
        }
        if let Some(filter) = &mut self.voice_filter {
            filter.process(block);
        }
        self.scratch = *block;
        // Only formats other than the configured one are rejected.
        if self.rest.process_capture_f32(&[&self.scratch], &mut [block]).is_err() {
            *block = self.scratch;
        }
    }
}

/// RNNoise in blocks of 10 ms. Its output is one block late.
struct VoiceFilter(Box<DenoiseState<'static>>);

/// RNNoise computes with samples of 16 bits.
const FULL_SCALE: f32 = 32_768.0;

impl VoiceFilter {
    fn new() -> Self {
        Self(DenoiseState::new())
    }

    fn process(&mut self, block: &mut [f32; BLOCK]) {
        let scaled = block.map(|sample| sample * FULL_SCALE);
        self.0.process_frame(block, &scaled);
        block.iter_mut().for_each(|sample| *sample /= FULL_SCALE);
    }
}

impl std::fmt::Debug for VoiceFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VoiceFilter")
    }
}

// A block is a frame of RNNoise.
const _: () = assert!(BLOCK == DenoiseState::FRAME_SIZE);

fn settings(config: ApmConfig) -> Config {
    Config {
        pipeline: Pipeline {
            maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
            multi_channel_render: false,
            multi_channel_capture: false,
            ..Pipeline::default()
        },
        high_pass_filter: Some(HighPassFilter::default()),
        noise_suppression: suppression(config.noise),
        gain_controller2: config.gain.then(|| GainController2 {
            adaptive_digital: Some(AdaptiveDigital::default()),
            ..GainController2::default()
        }),
        ..Config::default()
    }
}

fn suppression(level: NoiseSuppression) -> Option<sonora::config::NoiseSuppression> {
    let level = match level {
        NoiseSuppression::Off | NoiseSuppression::VoiceOnly => return None,
        NoiseSuppression::Moderate => NoiseSuppressionLevel::Moderate,
        NoiseSuppression::High => NoiseSuppressionLevel::High,
    };
    Some(sonora::config::NoiseSuppression { level, ..Default::default() })
}
