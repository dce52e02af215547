//! Our end: a real engine with a test pattern and a tone.

use engine::media::encoded::VideoCodec;
use engine::signaling::identity::DeviceKey;
use engine::signaling::message::MediaState;
use engine::{
    ApmConfig, AudioTap, Command, DeviceChoice, Engine, EngineConfig, JoinRequest, MicrophoneOptions, NoiseSuppression,
    ParticipantStats, ServerAddress, Stage, VideoLimits,
};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use whole_system::tone;

/// Frequency of the synthetic microphone.
pub(crate) const TONE_HZ: f64 = 440.0;
/// Samples of played sound to analyse: half a second.
const PLAYED_SAMPLES: usize = 24_000;

/// An engine in a call.
pub(crate) struct Ours {
    engine: Engine,
    played: PlayedSamples,
}

/// The newest samples that the loudspeaker played.
#[derive(Clone, Default)]
struct PlayedSamples(Arc<Mutex<Vec<f32>>>);

impl AudioTap for PlayedSamples {
    fn played(&mut self, block: &[f32; 480], _: Instant) {
        let mut samples = self.0.lock().expect("an unpoisoned lock");
        samples.extend(block);
        let old = samples.len().saturating_sub(PLAYED_SAMPLES);
        samples.drain(..old);
    }
}

impl Ours {
    /// Joins `room` and waits until it is done.
    pub(crate) async fn join(server: &str, room: &str, codec: VideoCodec) -> Ours {
        let played = PlayedSamples::default();
        let engine = Engine::start(config(codec, played.clone())).expect("the engine starts");
        let server = ServerAddress { url: server.parse().expect("an address"), fingerprint: None };
        let media = MediaState { microphone: true, camera: true, screen: false };
        let request = JoinRequest { server, room: room.into(), invite: None, name: "ours".into(), media };
        engine.command(Command::Join(request)).await.expect("the engine runs");
        let mut view = engine.view();
        let joined = view.wait_for(|view| view.call.stage == Stage::Joined);
        tokio::time::timeout(Duration::from_secs(120), joined).await.expect("joins in time").expect("the engine runs");
        Ours { engine, played }
    }

    /// Waits until the statistics of the one other person satisfy `wish` and returns them. Panics if that never
    /// happens.
    pub(crate) async fn stats_when(&self, what: &str, wish: impl Fn(&ParticipantStats) -> bool) -> ParticipantStats {
        let start = Instant::now();
        loop {
            let stats = self.engine.stats().await.expect("the engine runs");
            let other = stats.participants.first();
            if let Some(other) = other.filter(|other| wish(other)) {
                return other.clone();
            }
            assert!(start.elapsed() < Duration::from_secs(120), "timed out waiting for {what}: {other:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the frequency of the sound played last, in Hz, satisfies `wish` and returns it. Panics if that
    /// never happens.
    pub(crate) async fn played_hz_when(&self, wish: impl Fn(f64) -> bool) -> f64 {
        let start = Instant::now();
        loop {
            let hz = tone::frequency(&self.played.0.lock().expect("an unpoisoned lock"), 48_000);
            if wish(hz) {
                return hz;
            }
            assert!(start.elapsed() < Duration::from_secs(120), "played {hz} Hz");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Leaves.
    pub(crate) async fn leave(self) {
        self.engine.stop().await;
    }
}

fn config(codec: VideoCodec, played: PlayedSamples) -> EngineConfig {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).expect("randomness");
    EngineConfig {
        client: "browser test".into(),
        key: DeviceKey::from_secret(&secret),
        codecs: vec![codec],
        video: VideoLimits { width: 640, height: 360, fps: 30 },
        // Noise suppression would remove a steady tone.
        processing: ApmConfig { echo: false, noise: NoiseSuppression::Off, gain: false },
        ice_servers: None,
        relay_only: false,
        include_loopback: false,
        meets: None,
        microphone: MicrophoneOptions::default(),
        devices: DeviceChoice {
            camera: Some("test".into()),
            microphone: Some("tone".into()),
            speaker: Some("null".into()),
        },
        audio_tap: Some(Box::new(played)),
    }
}
