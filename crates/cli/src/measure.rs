//! `lunchroom-cli measure`: one end of a measured call.
//!
//! Reads commands from standard input (`join`, `quit`) and prints figures as JSON lines: when each frame was shown
//! (taken at a 60 Hz tick, as in a window), its stamp, audio markers at playout, and once per second the counters of
//! getStats. Everybody else in the room is watched, and named in the lines about them.

use crate::args::MeasureOptions;
use crate::clock::Clock;
use crate::{key, report};
use anyhow::{Context, Result};
use engine::media::frame::VideoFrame;
use engine::media::marker::Detector;
use engine::media::slot::FrameSlot;
use engine::media::sources::clip_index;
use engine::media::{quality, stamp};
use engine::signaling::message::MediaState;
use engine::{
    ApmConfig, AudioTap, Command, DeviceChoice, Engine, EngineConfig, IceServer, JoinRequest, LinkState,
    MicrophoneOptions, NoiseSuppression, Picture, ServerAddress, Stage,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};

pub(crate) async fn run(options: MeasureOptions) -> Result<()> {
    let clock = Clock::new();
    print(json!({"t": "proc", "pid": std::process::id()}));
    let media = MediaState { microphone: true, camera: options.send != 0, screen: false };
    let engine = Engine::start(config(&options, clock)?)?;
    engine.command(Command::Preview(media)).await?;
    if media.camera {
        wait_for_own_picture(&engine).await?;
    }
    event(clock, "ready");
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    let mut each_second = tokio::time::interval(Duration::from_secs(1));
    let mut view = engine.view();
    let mut reported = Reported::default();
    loop {
        tokio::select! {
            order = orders.next_line() => match order?.as_deref() {
                Some("join") => {
                    event(clock, "click");
                    engine.command(join(&options, media)).await?;
                }
                Some("quit") | None => break,
                Some(_) => {}
            },
            changed = view.changed() => {
                changed.context("the engine has stopped")?;
                let now = view.borrow_and_update().clone();
                reported.report_changes(clock, &engine, &now, &options).await;
            }
            _ = each_second.tick() => figures(clock, &engine).await?,
        }
    }
    engine.stop().await;
    event(clock, "left");
    Ok(())
}

fn config(options: &MeasureOptions, clock: Clock) -> Result<EngineConfig> {
    let (width, height) = options.video.size;
    let ice: Option<Vec<Value>> =
        options.ice.as_deref().map(serde_json::from_str).transpose().context("--ice is not a JSON list")?;
    Ok(EngineConfig {
        client: concat!("lunchroom-cli ", env!("CARGO_PKG_VERSION")).into(),
        key: key::device_key(None)?,
        codecs: options.video.codec.offered(),
        video: options.video.limits(),
        // No processing: there is no echo to cancel, and speech must arrive unchanged.
        processing: ApmConfig { echo: false, noise: NoiseSuppression::Off, gain: false },
        ice_servers: ice.map(|servers| servers.iter().map(ice_server).collect()),
        relay_only: options.relay_only,
        include_loopback: options.loopback,
        meets: None,
        microphone: MicrophoneOptions { markers: true, ..MicrophoneOptions::default() },
        devices: DeviceChoice {
            camera: Some(format!("clip:{}@{width}x{height}", clip(options).display())),
            microphone: Some(format!("wav:{}", options.media.join("speech.wav").display())),
            speaker: Some("null".into()),
        },
        audio_tap: Some(Box::new(Markers { detector: Detector::new(), clock })),
    })
}

fn clip(options: &MeasureOptions) -> PathBuf {
    let (width, height) = options.video.size;
    options.media.join(format!("clip-{width}x{height}.i420"))
}

fn ice_server(server: &Value) -> IceServer {
    let text = |name: &str| server[name].as_str().unwrap_or_default().to_owned();
    let urls = match &server["urls"] {
        Value::String(one) => vec![one.clone()],
        many => many.as_array().into_iter().flatten().filter_map(|u| u.as_str().map(str::to_owned)).collect(),
    };
    IceServer { urls, username: text("username"), credential: text("credential") }
}

fn join(options: &MeasureOptions, media: MediaState) -> Command {
    let server = ServerAddress { url: options.signal.clone(), fingerprint: None };
    let (room, name) = (options.room.clone(), options.name.clone());
    Command::Join(JoinRequest { server, room, invite: None, name, media })
}

async fn wait_for_own_picture(engine: &Engine) -> Result<()> {
    let slot = engine.picture(Picture::Own).await.context("the camera has no frame slot")?;
    let (mut seen, started) = (0, Instant::now());
    while slot.newer_than(&mut seen).is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if started.elapsed() > Duration::from_secs(10) {
            let problems = engine.view().borrow().problems.clone();
            anyhow::bail!("no frame from the own camera within 10 s: {problems:?}");
        }
    }
    Ok(())
}

/// What has been printed already.
#[derive(Default)]
struct Reported {
    joined: bool,
    connected: bool,
    /// The participants whose pictures are watched, by ID.
    watching: BTreeSet<String>,
}

impl Reported {
    async fn report_changes(
        &mut self,
        clock: Clock,
        engine: &Engine,
        view: &engine::AppView,
        options: &MeasureOptions,
    ) {
        if view.call.stage == Stage::Joined && !std::mem::replace(&mut self.joined, true) {
            event(clock, "joined");
        }
        if let Stage::Ended(why) = view.call.stage {
            print(json!({"t": "ev", "name": "ended", "ms": clock.now_ms(), "why": format!("{why:?}")}));
        }
        for participant in view.call.participants.iter() {
            let info = &participant.info;
            if !self.watching.contains(&info.id.0)
                && let Some(slot) = engine.picture(Picture::Camera(info.id.clone())).await
            {
                self.watching.insert(info.id.0.clone());
                let (from, clip) = (info.name.clone(), clip(options));
                let viewer = Viewer { clock, from, slot, clip, size: options.video.size };
                std::thread::spawn(move || viewer.run());
            }
        }
        let Some(first) = view.call.participants.first() else { return };
        // Our connection reports when ICE and DTLS are both done; ICE alone is not reported.
        if first.link == LinkState::Connected && !std::mem::replace(&mut self.connected, true) {
            event(clock, "ice_connected");
            event(clock, "dtls_connected");
        }
    }
}

/// Takes the newest frame at each tick of a 60 Hz display.
struct Viewer {
    clock: Clock,
    /// The name of the participant.
    from: String,
    slot: FrameSlot,
    clip: PathBuf,
    size: (u32, u32),
}

impl Viewer {
    fn run(self) {
        let tick = Duration::from_secs(1) / 60;
        let (mut seen, mut first, mut judged) = (0, true, Instant::now());
        let mut next = Instant::now();
        let mut clip = File::open(&self.clip).ok();
        while !self.slot.is_closed() {
            next += tick;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            let Some(frame) = self.slot.newer_than(&mut seen) else { continue };
            let ms = self.clock.now_ms();
            if std::mem::replace(&mut first, false) {
                print(json!({"t": "ev", "name": "first_frame", "ms": ms, "from": self.from}));
            }
            let (w, h) = (frame.width(), frame.height());
            match stamp::read(&frame) {
                Some(stamp) => {
                    let tx = stamp.unix_ms;
                    print(json!({"t": "f", "ms": ms, "from": self.from, "tx": tx, "seq": stamp.seq, "w": w, "h": h}));
                    if judged.elapsed() >= Duration::from_secs(1)
                        && let Some(clip) = &mut clip
                    {
                        judged = Instant::now();
                        self.judge(ms, stamp.seq, &frame, clip);
                    }
                }
                None => print(json!({"t": "f", "ms": ms, "from": self.from, "w": w, "h": h})),
            }
        }
    }

    /// Compares a frame with the original from the clip.
    fn judge(&self, ms: f64, seq: u16, frame: &VideoFrame, clip: &mut File) {
        let (w, h) = self.size;
        let mut luma = vec![0; (w * h) as usize];
        let at = clip_index(u64::from(seq)) * VideoFrame::byte_len(w, h) as u64;
        if clip.seek(SeekFrom::Start(at)).and_then(|_| clip.read_exact(&mut luma)).is_ok() {
            let (psnr, ssim) = quality::compare(&luma, w, h, frame);
            print(json!({"t": "q", "ms": ms, "from": self.from, "seq": seq, "psnr": psnr, "ssim": ssim}));
        }
    }
}

/// Finds audio markers in what is played.
struct Markers {
    detector: Detector,
    clock: Clock,
}

impl AudioTap for Markers {
    fn played(&mut self, block: &[f32; 480], at: Instant) {
        for ms in self.detector.push(block, self.clock.unix_ms(at)) {
            print(json!({"t": "am", "ms": ms}));
        }
    }
}

async fn figures(clock: Clock, engine: &Engine) -> Result<()> {
    let stats = engine.stats().await?;
    let view = engine.view().borrow().clone();
    for who in &stats.participants {
        let mut line = report::participant(&stats, who);
        line["t"] = json!("s");
        line["ms"] = json!(clock.now_ms());
        line["from"] = json!(view.call.participants.iter().find(|p| p.info.id == who.id).map(|p| &p.info.name));
        print(line);
    }
    Ok(())
}

fn event(clock: Clock, name: &str) {
    print(json!({"t": "ev", "name": name, "ms": clock.now_ms()}));
}

fn print(line: Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush()); // the reader may have closed the pipe
}
