//! People in calls: engines with simulated devices, and checks of what they see and hear.

use crate::PATIENCE;
use crate::scratch::Scratch;
use crate::tone;
use engine::media::encoded::VideoCodec;
use engine::media::stamp;
use engine::signaling::identity::DeviceKey;
use engine::signaling::message::MediaState;
use engine::{
    ApmConfig, AppView, AudioTap, Command, DeviceChoice, Engine, EngineConfig, JoinRequest, LinkState,
    MicrophoneOptions, NoiseSuppression, ParticipantView, PeerStats, Picture, ServerAddress, Stage, VideoLimits,
};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::sleep;

/// Polling interval.
const LOOK: Duration = Duration::from_millis(20);
/// Sample rate of all sound.
const RATE: u32 = 48_000;
/// Recorded sound that is kept: half a second at 48 kHz.
const KEPT: usize = 24_000;

/// Settings of one person.
#[derive(Debug, Clone)]
pub struct Habits {
    /// Display name.
    pub name: String,
    /// Frequency of the tone that is their voice, in whole hertz.
    pub voice: u32,
    /// Microphone to use instead of the tone.
    pub microphone: Option<&'static str>,
    /// Id of the loudspeaker.
    pub speaker: Option<&'static str>,
    /// Gather candidates on 127.0.0.1 only.
    pub loopback: bool,
    /// Use only relayed candidates.
    pub relay_only: bool,
    /// The only person to whom they connect.
    pub meets: Option<String>,
    /// Limits of their camera.
    pub video: VideoLimits,
    /// Video codecs in order of preference.
    pub codecs: Vec<VideoCodec>,
    /// Their device's key; `None` for a new one.
    pub key: Option<DeviceKey>,
}

impl Habits {
    /// Settings on loopback, with a tone as the voice and a silent loudspeaker.
    pub fn new(name: &str, voice: u32) -> Habits {
        Habits {
            name: name.into(),
            voice,
            microphone: None,
            speaker: Some("null"),
            loopback: true,
            relay_only: false,
            meets: None,
            video: VideoLimits { width: 320, height: 180, fps: 15 },
            codecs: vec![VideoCodec::Vp8],
            key: None,
        }
    }
}

/// Microphone and camera on.
pub const BOTH: MediaState = MediaState { microphone: true, camera: true, screen: false };

/// A person with an engine.
pub struct Person {
    /// Their engine.
    pub engine: Engine,
    name: String,
    output: OutputTap,
    _files: Scratch,
}

impl Person {
    /// Starts an engine on the current tokio runtime.
    pub fn new(habits: Habits) -> Person {
        let files = Scratch::new(&habits.name);
        let wav = files.join("voice.wav");
        tone::write_wav(&wav, RATE, &tone::sine(f64::from(habits.voice), RATE, 1.0));
        let microphone = habits.microphone.map_or_else(|| format!("wav:{}", wav.display()), str::to_owned);
        let output = OutputTap::default();
        let engine = Engine::start(EngineConfig {
            client: "whole-system tests".into(),
            key: habits.key.unwrap_or_else(new_key),
            codecs: habits.codecs,
            video: habits.video,
            // Noise suppression would remove a steady tone.
            processing: ApmConfig { echo: false, noise: NoiseSuppression::Off, gain: false },
            ice_servers: None,
            relay_only: habits.relay_only,
            include_loopback: habits.loopback,
            meets: habits.meets,
            microphone: MicrophoneOptions::default(),
            devices: DeviceChoice {
                camera: Some("test".into()),
                microphone: Some(microphone),
                speaker: habits.speaker.map(str::to_owned),
            },
            audio_tap: Some(Box::new(output.clone())),
        });
        Person { engine: engine.expect("an engine"), name: habits.name, output, _files: files }
    }

    /// Requests to join a room with microphone and camera on.
    pub async fn join(&self, server: &ServerAddress, room: &str) {
        let (server, room, name) = (server.clone(), room.to_owned(), self.name.clone());
        self.tell(Command::Join(JoinRequest { server, room, invite: None, name, media: BOTH })).await;
    }

    /// Joins a room and waits until it is done.
    pub async fn enter(&self, server: &ServerAddress, room: &str) {
        self.join(server, room).await;
        self.until("in the room", |view| view.call.stage == Stage::Joined && view.call.room == room).await;
    }

    /// Their display name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a command to the engine.
    pub async fn tell(&self, command: Command) {
        self.engine.command(command).await.expect("a running engine");
    }

    /// Sends a line of chat.
    pub async fn write(&self, line: &str) {
        self.engine.send_chat(line.to_owned()).await.expect("an accepted line");
    }

    /// Waits for a view that satisfies `so`.
    pub async fn until(&self, what: &str, so: impl Fn(&AppView) -> bool) -> AppView {
        let mut view = self.engine.view();
        let found = tokio::time::timeout(PATIENCE, view.wait_for(|view| so(view))).await;
        match found {
            Ok(found) => found.expect("a running engine").clone(),
            Err(_) => panic!("{}: not {what}: {:#?}", self.name, self.engine.view().borrow().call),
        }
    }

    /// Waits until there is a connection to somebody.
    pub async fn reaches(&self, name: &str) -> ParticipantView {
        let there = |view: &AppView| other(view, name).is_some_and(|who| who.link == LinkState::Connected);
        let view = self.until(&format!("connected to {name}"), there).await;
        other(&view, name).expect("there")
    }

    /// Waits for ten different pictures of somebody whose stamps show that they are recent.
    pub async fn sees(&self, name: &str) {
        let (mut seen, mut numbers, mut late) = (0, BTreeSet::new(), vec![]);
        let start = Instant::now();
        while numbers.len() < 10 {
            sleep(LOOK).await;
            let progress = (numbers.len(), &late);
            assert!(
                start.elapsed() < PATIENCE,
                "{} sees {name} in {} pictures; ages {:?}",
                self.name,
                progress.0,
                progress.1
            );
            let Some(frame) = self.slot(name).await.and_then(|slot| slot.newer_than(&mut seen)) else { continue };
            let Some(stamp) = stamp::read(&frame) else { continue };
            let age = stamp.age_ms(unix_ms());
            if (-100..1000).contains(&age) {
                numbers.insert(stamp.seq);
            } else {
                late.push(age);
            }
        }
    }

    /// Waits until no new picture of somebody has arrived for half a second.
    pub async fn sees_no_more_of(&self, name: &str) {
        let (mut seen, mut last, start) = (0, Instant::now(), Instant::now());
        while last.elapsed() < Duration::from_millis(500) {
            sleep(LOOK).await;
            assert!(start.elapsed() < PATIENCE, "{} still sees {name}", self.name);
            if self.slot(name).await.is_some_and(|slot| slot.newer_than(&mut seen).is_some()) {
                last = Instant::now();
            }
        }
    }

    /// Waits until this tone and no other has been played for half a second.
    pub async fn plays(&self, voice: u32) {
        self.plays_all(&[voice]).await;
    }

    /// Waits until exactly these tones, equally loud, have been played for half a second.
    pub async fn plays_all(&self, voices: &[u32]) {
        let share = |samples: &[f32], voice: u32| tone::purity(samples, RATE, f64::from(voice));
        let (start, floor) = (Instant::now(), 0.6 / voices.len() as f64);
        loop {
            sleep(LOOK).await;
            let samples = self.output.last();
            let shares: Vec<f64> = voices.iter().map(|voice| share(&samples, *voice)).collect();
            let one = voices.len() > 1 || (tone::frequency(&samples, RATE) - f64::from(voices[0])).abs() < 2.0;
            if samples.len() == KEPT && one && shares.iter().all(|s| *s > floor) && shares.iter().sum::<f64>() > 0.9 {
                return;
            }
            let measured = tone::frequency(&samples, RATE);
            assert!(start.elapsed() < PATIENCE, "{} plays {measured:.0} Hz, {shares:?} of {voices:?}", self.name);
        }
    }

    /// The longest silence of what was played since the last call.
    pub fn longest_silence(&self) -> Duration {
        std::mem::take(&mut *self.output.silence()).longest
    }

    /// Waits until there has been silence for half a second.
    pub async fn plays_nothing(&self) {
        let start = Instant::now();
        loop {
            sleep(LOOK).await;
            let samples = self.output.last();
            let loudest = samples.iter().fold(0f32, |max, sample| max.max(sample.abs()));
            if samples.len() == KEPT && loudest < 0.001 {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{} still plays {loudest}", self.name);
        }
    }

    /// Waits until somebody is seen and heard over the forwarder alone.
    pub async fn meets_on_the_forwarder(&self, name: &str, voice: u32) {
        self.until("on the forwarder", |view| view.call.forwarded).await;
        let start = Instant::now();
        // Relayed between people, both candidates are relayed ones.
        while self.path(name).await.pair.is_none_or(|pair| pair.contains("-relay ")) {
            assert!(start.elapsed() < PATIENCE, "{} has no path to the forwarder", self.name);
            sleep(LOOK).await;
        }
        tokio::join!(self.sees(name), self.plays(voice));
    }

    /// Waits until a path to somebody is selected and returns its statistics.
    pub async fn path(&self, name: &str) -> PeerStats {
        let who = self.reaches(name).await;
        let start = Instant::now();
        loop {
            let stats = self.engine.stats().await.expect("a running engine");
            let path = stats.participants.into_iter().find(|p| p.id == who.info.id).and_then(|p| p.path);
            if let Some(path) = path.filter(|path| path.pair.is_some()) {
                return path;
            }
            assert!(start.elapsed() < PATIENCE, "{} has no path to {name}", self.name);
            sleep(LOOK).await;
        }
    }

    /// Watches what comes from somebody for a while, and what the call shows meanwhile.
    pub async fn gaps(&self, name: &str, time: Duration) -> Gaps {
        let (gaps, packets) = tokio::join!(self.media_gaps(name, time), self.packet_gap(name, time));
        Gaps { packets, ..gaps }
    }

    async fn media_gaps(&self, name: &str, time: Duration) -> Gaps {
        let start = Instant::now();
        self.gaps_until(name, || start.elapsed() >= time).await
    }

    /// Watches what comes from somebody, other than packets, until `is_over`.
    pub async fn gaps_until(&self, name: &str, is_over: impl Fn() -> bool) -> Gaps {
        let (start, mut seen) = (Instant::now(), 0);
        let (mut last, mut gaps) = (start, Gaps::default());
        *self.output.silence() = Silence::default();
        while !is_over() {
            sleep(Duration::from_millis(5)).await;
            let stage = self.engine.view().borrow().call.stage.clone();
            match stage {
                Stage::Joined if gaps.away => (gaps.away, gaps.back) = (false, Some(unix_ms())),
                Stage::Reconnecting => gaps.away = true,
                _ => {}
            }
            if self.slot(name).await.is_some_and(|slot| slot.newer_than(&mut seen).is_some()) {
                last = Instant::now();
                gaps.pictures += 1;
            }
            gaps.picture = gaps.picture.max(last.elapsed());
        }
        gaps.sound = self.output.silence().longest;
        gaps
    }

    /// The longest time without a media packet from somebody.
    async fn packet_gap(&self, name: &str, time: Duration) -> Duration {
        let start = Instant::now();
        let (mut last, mut received, mut longest) = (start, 0, Duration::ZERO);
        while start.elapsed() < time {
            sleep(Duration::from_millis(10)).await;
            let Some(who) = other(&self.engine.view().borrow(), name) else { continue };
            let stats = self.engine.stats().await.expect("a running engine");
            let path = stats.participants.into_iter().find(|one| one.id == who.info.id).and_then(|one| one.path);
            if let Some(path) = path.filter(|path| path.bytes_received != received) {
                (last, received) = (Instant::now(), path.bytes_received);
            }
            longest = longest.max(last.elapsed());
        }
        longest
    }

    async fn slot(&self, name: &str) -> Option<engine::media::slot::FrameSlot> {
        let who = other(&self.engine.view().borrow(), name)?;
        self.engine.picture(Picture::Camera(who.info.id)).await
    }
}

/// Finds somebody in a view by name.
pub fn other(view: &AppView, name: &str) -> Option<ParticipantView> {
    view.call.participants.iter().find(|who| who.info.name == name).cloned()
}

/// The longest interruptions of what comes from somebody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gaps {
    /// Between two packets with media.
    pub packets: Duration,
    /// Between two pictures.
    pub picture: Duration,
    /// Without sound.
    pub sound: Duration,
    /// Number of pictures.
    pub pictures: u64,
    /// Whether the server is out of reach.
    pub away: bool,
    /// Unix time in milliseconds when it was last reached again.
    pub back: Option<u64>,
}

/// Consecutive blocks of played sound without a tone.
#[derive(Debug, Default)]
struct Silence {
    now: Duration,
    longest: Duration,
}

/// The last half second of played sound, and the longest silence.
#[derive(Clone, Default)]
struct OutputTap(Arc<Mutex<VecDeque<f32>>>, Arc<Mutex<Silence>>);

impl OutputTap {
    fn lock(&self) -> MutexGuard<'_, VecDeque<f32>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.1.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn last(&self) -> Vec<f32> {
        self.lock().iter().copied().collect()
    }
}

impl AudioTap for OutputTap {
    fn played(&mut self, block: &[f32; 480], _at: Instant) {
        let mut kept = self.lock();
        kept.extend(block);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
        let loudest = block.iter().fold(0f32, |max, sample| max.max(sample.abs()));
        let mut silence = self.silence();
        silence.now = if loudest < 0.01 { silence.now + Duration::from_millis(10) } else { Duration::ZERO };
        silence.longest = silence.longest.max(silence.now);
    }
}

fn new_key() -> DeviceKey {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let mut secret = [NEXT.fetch_add(1, Ordering::Relaxed); 32];
    secret[..4].copy_from_slice(&std::process::id().to_le_bytes());
    DeviceKey::from_secret(&secret)
}

/// Unix time in milliseconds.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// A time zone in which it is noon now: a table in an hour is on the same day, whenever the tests run.
pub fn zone_at_noon() -> String {
    match 12 - (unix_ms() / 3_600_000 % 24) as i8 {
        // The names have the sign of POSIX, which is that of the way to UTC.
        ahead @ 0.. => format!("Etc/GMT-{ahead}"),
        behind => format!("Etc/GMT+{}", -behind),
    }
}
