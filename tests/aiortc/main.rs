//! Calls between our connection and aiortc's, which shares no code with any browser. Either end sends the offer. VP8
//! and Opus go both ways, and both ends count them.

use codecs::{
    Content, EncoderConfig, OpusConfig, OpusDecoder, OpusEncoder, VideoDecoder, video_decoder, video_encoder,
};
use media::audio::AudioDecoder;
use media::encoded::{AudioPacket, EncodedFrame, VideoCodec};
use media::frame::FramePool;
use media::sources::{TestPattern, Tone};
use peer::{DescriptionKind, MediaOut, MediaSink, Peer, PeerConfig, PeerEvent};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use whole_system::skip::skip;
use whole_system::tone;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);
/// Polling interval.
const PACE: Duration = Duration::from_millis(50);
/// Pictures that each end must decode.
const PICTURES: u64 = 30;
/// Seconds of sound that each end must decode.
const SECONDS: f64 = 1.0;
/// Frequency of each end's tone.
const THEIR_HZ: f64 = 523.0;
const OUR_HZ: f64 = 440.0;
/// Resolution of our video.
const SIZE: (u32, u32) = (640, 360);

/// The end that sends the offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offerer {
    Ours,
    Theirs,
}

#[test]
fn we_offer_and_aiortc_answers() {
    call(Offerer::Ours);
}

#[test]
fn aiortc_offers_and_we_answer() {
    call(Offerer::Theirs);
}

fn call(offerer: Offerer) {
    let Some(python) = python() else {
        skip("aiortc is not installed: run `cargo xtask setup`");
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (mut theirs, mut ours) = (Theirs::start(&python), Ours::new().await);
        match offerer {
            Offerer::Ours => ours.peer.offer().await.expect("an offer"),
            Offerer::Theirs => {
                let offer = theirs.order(json!({ "do": "offer" }));
                ours.take(DescriptionKind::Offer, &offer).await;
            }
        }
        let start = Instant::now();
        loop {
            ours.pass_on(&mut theirs).await;
            let (report, seen) = (theirs.order(json!({ "do": "report" })), ours.seen());
            if seen.is_enough() && is_enough(&report) {
                println!("{offerer:?} offered, {:?}: {report} {}", start.elapsed(), seen.say());
                assert_eq!(report["size"], json!([SIZE.0, SIZE.1]));
                assert_eq!(seen.size, Some((320, 180)));
                break;
            }
            assert!(start.elapsed() < PATIENCE, "timed out: {report} {}", seen.say());
            tokio::time::sleep(PACE).await;
        }
        ours.peer.close().await;
    });
}

/// Whether aiortc has decoded enough of what we sent.
fn is_enough(report: &Value) -> bool {
    let figure = |name: &str| report[name].as_f64().unwrap_or(0.0);
    figure("pictures") >= PICTURES as f64 && figure("seconds") >= SECONDS && near(figure("hz"), OUR_HZ)
}

fn near(hz: f64, wished: f64) -> bool {
    (hz - wished).abs() < 10.0
}

/// The Python into which `cargo xtask setup` installed aiortc, beside what cargo builds.
fn python() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let bin = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    let places = program.ancestors().map(|folder| folder.join("tools/aiortc"));
    places.filter(|place| place.join("requirements.txt").is_file()).map(|place| place.join(bin)).find(|it| it.is_file())
}

/// aiortc, driven by `end.py`.
struct Theirs {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Theirs {
    fn start(python: &Path) -> Theirs {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("aiortc/end.py");
        let mut command = Command::new(python);
        let mut process =
            command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
        let orders = process.stdin.take().expect("piped");
        let answers = BufReader::new(process.stdout.take().expect("piped"));
        Theirs { process, orders, answers }
    }

    fn order(&mut self, order: Value) -> Value {
        writeln!(self.orders, "{order}").expect("the script reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the script answers");
        let mut answer: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?} to {order}"));
        assert!(answer["error"].is_null(), "{order}: {}", answer["error"]);
        answer["ok"].take()
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Our end, without an engine.
struct Ours {
    peer: Peer,
    events: mpsc::Receiver<PeerEvent>,
    end: Arc<AtomicBool>,
    sink: Arc<Decoding>,
}

impl Ours {
    async fn new() -> Ours {
        let sink = Arc::new(Decoding::default());
        let (sender, events) = mpsc::channel(64);
        let config = PeerConfig { include_loopback: true, mdns: false, ..PeerConfig::default() };
        let peer = Peer::new(config, sink.clone(), sender).await.expect("a connection");
        let end = Arc::<AtomicBool>::default();
        let (media, ended) = (peer.media(), end.clone());
        std::thread::spawn(move || play(&media, &ended));
        Ours { peer, events, end, sink }
    }

    fn seen(&self) -> Seen {
        self.sink.0.lock().expect("an unpoisoned lock").seen.clone()
    }

    async fn take(&mut self, kind: DescriptionKind, sdp: &Value) {
        let sdp = sdp.as_str().expect("a description");
        self.peer.remote_description(kind, sdp, None).await.unwrap_or_else(|error| panic!("{error}: {sdp}"));
    }

    /// Forwards our new messages.
    async fn pass_on(&mut self, theirs: &mut Theirs) {
        while let Ok(event) = self.events.try_recv() {
            match event {
                PeerEvent::LocalDescription { kind: DescriptionKind::Offer, sdp } => {
                    let answer = theirs.order(json!({ "do": "take", "type": "offer", "sdp": sdp }));
                    self.take(DescriptionKind::Answer, &answer).await;
                }
                PeerEvent::LocalDescription { kind: DescriptionKind::Answer, sdp } => {
                    theirs.order(json!({ "do": "take", "type": "answer", "sdp": sdp }));
                }
                PeerEvent::LocalCandidate { candidate, sdp_mid, sdp_mline_index, .. } => {
                    let words =
                        json!({ "do": "candidate", "candidate": candidate, "mid": sdp_mid, "index": sdp_mline_index });
                    theirs.order(words);
                }
                PeerEvent::State(_)
                | PeerEvent::EndOfCandidates
                | PeerEvent::Negotiated { .. }
                | PeerEvent::RemoteTrack { .. }
                | PeerEvent::RemoteTrackEnded { .. }
                | PeerEvent::Target(_) => {}
            }
        }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
    }
}

/// Sends a tone and a moving picture until `end` is set.
fn play(media: &MediaOut, end: &AtomicBool) {
    let (pattern, pool) = (TestPattern::new(SIZE.0, SIZE.1, "ours"), FramePool::new());
    let mut video = video_encoder(EncoderConfig {
        codec: VideoCodec::Vp8,
        width: SIZE.0,
        height: SIZE.1,
        fps: 25,
        bitrate: 400_000,
        full_bitrate: 400_000,
        threads: 1,
        content: Content::Camera,
        speed: None,
    })
    .expect("an encoder");
    let mut audio = OpusEncoder::new(OpusConfig::default()).expect("an encoder");
    let (mut tone, mut block) = (Tone::new(OUR_HZ, 0.4), [0.0; 960]);
    let start = Instant::now();
    for n in 0u32.. {
        if end.load(Ordering::Relaxed) {
            return;
        }
        tone.fill(&mut block);
        media.audio(n.wrapping_mul(960), audio.encode(&block).expect("encodes"), n == 0);
        if n.is_multiple_of(2) {
            let mut frame = pattern.frame(u64::from(n / 2), 0, &pool, Instant::now());
            frame.rtp_timestamp = n.wrapping_mul(1_800);
            let encoded = video.encode(&frame, media.take_keyframe_request().is_some()).expect("encodes");
            encoded.iter().for_each(|frame| media.video(frame));
        }
        std::thread::sleep((start + Duration::from_millis(20) * (n + 1)).saturating_duration_since(Instant::now()));
    }
}

/// Decoded media.
#[derive(Debug, Clone, Default)]
struct Seen {
    pictures: u64,
    size: Option<(u32, u32)>,
    seconds: f64,
    samples: Vec<f32>,
}

impl Seen {
    fn hz(&self) -> f64 {
        tone::frequency(&self.samples, 48_000)
    }

    fn is_enough(&self) -> bool {
        self.pictures >= PICTURES && self.seconds >= SECONDS && near(self.hz(), THEIR_HZ)
    }

    fn say(&self) -> String {
        format!("pictures {} of {:?}, {:.2} s of {:.1} Hz", self.pictures, self.size, self.seconds, self.hz())
    }
}

#[derive(Default)]
struct Decoders {
    video: Option<Box<dyn VideoDecoder>>,
    audio: Option<OpusDecoder>,
    seen: Seen,
}

/// Decodes received media.
#[derive(Default)]
struct Decoding(Mutex<Decoders>);

impl MediaSink for Decoding {
    fn video(&self, _: &str, frame: EncodedFrame) {
        let mut all = self.0.lock().expect("an unpoisoned lock");
        let open = || video_decoder(VideoCodec::Vp8, FramePool::new()).expect("a decoder");
        let decoded = all.video.get_or_insert_with(open).decode(&frame);
        if let Ok(Some(picture)) = decoded {
            all.seen.pictures += 1;
            all.seen.size = Some((picture.width(), picture.height()));
        }
    }

    fn audio(&self, _: &str, packet: AudioPacket) {
        let mut all = self.0.lock().expect("an unpoisoned lock");
        let mut samples = Vec::new();
        let decoder = all.audio.get_or_insert_with(|| OpusDecoder::new().expect("a decoder"));
        if decoder.decode(&packet.data, &mut samples).is_ok() {
            all.seen.seconds += samples.len() as f64 / 48_000.0;
            all.seen.samples.extend(samples);
            let old = all.seen.samples.len().saturating_sub(24_000);
            all.seen.samples.drain(..old);
        }
    }

    fn sender_report(&self, _: &str, _: u64, _: u32) {}
}
