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

/// What the synthetic microphone plays.
pub(crate) const TONE_HZ: f64 = 440.0;
/// How much of what was heard is looked at: half a second.
const HEARD: usize = 24_000;

/// An engine in a call.
pub(crate) struct Ours {
    engine: Engine,
    heard: Heard,
}

/// The newest of what the loudspeaker played.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<f32>>>);

impl AudioTap for Heard {
    fn played(&mut self, block: &[f32; 480], _: Instant) {
        let mut samples = self.0.lock().expect("nobody panics with it");
        samples.extend(block);
        let old = samples.len().saturating_sub(HEARD);
        samples.drain(..old);
    }
}

impl Ours {
    /// Joins `room` and is in when this returns.
    pub(crate) async fn join(server: &str, room: &str, codec: VideoCodec) -> Ours {
        let heard = Heard::default();
        let engine = Engine::start(config(codec, heard.clone())).expect("the engine starts");
        let server = ServerAddress { url: server.parse().expect("an address"), fingerprint: None };
        let media = MediaState { microphone: true, camera: true };
        let request = JoinRequest { server, room: room.into(), invite: None, name: "ours".into(), media };
        engine.command(Command::Join(request)).await.expect("the engine listens");
        let mut view = engine.view();
        let joined = view.wait_for(|view| view.call.stage == Stage::Joined);
        tokio::time::timeout(Duration::from_secs(10), joined).await.expect("joins in time").expect("the engine runs");
        Ours { engine, heard }
    }

    /// Figures of the one other person, once they are as wished; the end of the test if that never comes.
    pub(crate) async fn stats_when(&self, what: &str, wish: impl Fn(&ParticipantStats) -> bool) -> ParticipantStats {
        let start = Instant::now();
        loop {
            let stats = self.engine.stats().await.expect("the engine runs");
            let other = stats.participants.first();
            if let Some(other) = other.filter(|other| wish(other)) {
                return other.clone();
            }
            assert!(start.elapsed() < Duration::from_secs(20), "waited in vain for {what}: {other:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The frequency of what was played last, in Hz, once it is as wished; the end of the test if that never comes.
    pub(crate) async fn heard_hz_when(&self, wish: impl Fn(f64) -> bool) -> f64 {
        let start = Instant::now();
        loop {
            let hz = tone::frequency(&self.heard.0.lock().expect("nobody panics with it"), 48_000);
            if wish(hz) {
                return hz;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "heard {hz} Hz");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Leaves.
    pub(crate) async fn leave(self) {
        self.engine.stop().await;
    }
}

fn config(codec: VideoCodec, heard: Heard) -> EngineConfig {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).expect("randomness");
    EngineConfig {
        client: "browser test".into(),
        key: DeviceKey::from_secret(&secret),
        codecs: vec![codec],
        video: VideoLimits { width: 640, height: 360, fps: 30 },
        // A steady tone is just what suppression of noise takes away.
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
        audio_tap: Some(Box::new(heard)),
    }
}
