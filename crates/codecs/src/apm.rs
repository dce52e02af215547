//! What is done to the microphone's sound before it is sent: echo, noise, level. WebRTC's processing, in `sonora`.

use media::audio::{BLOCK, SAMPLE_RATE};
use sonora::config::{AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate, Pipeline};
use sonora::{AudioProcessing, Config, StreamConfig};

/// What is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApmConfig {
    /// Remove from the microphone what the loudspeaker plays.
    pub echo: bool,
    /// Remove steady noise.
    pub noise: NoiseSuppression,
    /// Bring speech to an even level.
    pub gain: bool,
}

impl Default for ApmConfig {
    fn default() -> Self {
        Self { echo: true, noise: NoiseSuppression::High, gain: true }
    }
}

/// How much of steady noise is taken away. More also takes some of the voice.
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

/// The processing of one microphone, in blocks of 10 ms at 48 kHz mono.
///
/// Give it every block that is played and every block that is captured, in the order in which they pass the program.
#[derive(Debug)]
pub struct Apm {
    processing: Option<Box<AudioProcessing>>,
    config: ApmConfig,
    scratch: [f32; BLOCK],
}

impl Apm {
    /// Starts with nothing learnt.
    pub fn new(config: ApmConfig) -> Self {
        let anything = config.echo || config.gain || config.noise != NoiseSuppression::Off;
        let stream = StreamConfig::new(SAMPLE_RATE, 1);
        let processing = anything.then(|| {
            let builder = AudioProcessing::builder().config(settings(config));
            Box::new(builder.capture_config(stream).render_config(stream).build())
        });
        Self { processing, config, scratch: [0.0; BLOCK] }
    }

    /// What is switched on.
    pub fn config(&self) -> ApmConfig {
        self.config
    }

    /// Hears what is about to be played.
    pub fn process_render(&mut self, block: &[f32; BLOCK]) {
        if let Some(processing) = self.processing.as_mut().filter(|_| self.config.echo) {
            // Refused are other formats than the one it was built with.
            let _ = processing.process_render_f32(&[block], &mut [&mut self.scratch]);
        }
    }

    /// Processes what the microphone heard, in place. `delay_ms`: from handing a block to
    /// [`process_render`](Self::process_render) until its echo is handed in here, as far as known; it starts the search.
    pub fn process_capture(&mut self, block: &mut [f32; BLOCK], delay_ms: u32) {
        let Some(processing) = &mut self.processing else { return };
        // It clamps to half a second, and says so in its result.
        let _ = processing.set_stream_delay_ms(delay_ms.min(500) as i32);
        self.scratch = *block;
        if processing.process_capture_f32(&[&self.scratch], &mut [block]).is_err() {
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
