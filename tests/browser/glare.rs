//! Our connection and a browser's, whose signals the test forwards so that both send an offer at the same time
//! (for a second video track, or to restart ICE). Neither offer is forwarded before both exist.

use codecs::{Content, EncoderConfig, VideoDecoder, video_decoder, video_encoder};
use media::encoded::{AudioPacket, EncodedFrame, VideoCodec};
use media::frame::FramePool;
use media::sources::TestPattern;
use peer::{DescriptionKind, MediaOut, MediaSink, Peer, PeerConfig, PeerEvent, TrackHandle};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use whole_system::browser::Browser;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);
/// Polling interval for the browser's messages.
const PACE: Duration = Duration::from_millis(20);
/// Pictures of each video track that must be decoded.
const PICTURES: u64 = 20;

/// Both ends share a screen at the same time, and each receives both pictures of the other.
pub(crate) async fn both_share(browser: &mut Browser, browser_yields: bool) {
    let mut ours = connect(browser, browser_yields).await;

    browser.call("addShare", Value::Null);
    let share = ours.peer.add_video_track().await.expect("a line");
    ours.both_have_offered(browser).await;
    *ours.share.lock().expect("an unpoisoned lock") = Some(share);
    ours.pass_on_until(browser, "two pictures each way", |seen, report| seen == 2 && pictures(report) == 2).await;
    let report = browser.call("report", Value::Null);
    assert_eq!((&report["signaling"], &report["state"]), (&json!("stable"), &json!("connected")), "{report:#}");
    ours.peer.close().await;
}

/// Our end is replaced, as after a fault that an ICE restart cannot repair. The browser closes its connection and
/// answers the new one.
pub(crate) async fn ours_is_made_anew(browser: &mut Browser, browser_yields: bool) {
    let ours = connect(browser, browser_yields).await;

    ours.peer.close().await;
    let mut ours = Ours::new(!browser_yields, 2).await;
    ours.peer.offer().await.expect("an offer");
    ours.pass_on_until(browser, "a picture each way again", |seen, report| seen == 1 && pictures(report) == 1).await;
    ours.peer.close().await;
}

/// Our end restarts ICE, then the browser, then both at the same time. Each time both ends have new credentials, and
/// pictures arrive again.
pub(crate) async fn ice_restarts(browser: &mut Browser, browser_yields: bool) {
    let mut ours = connect(browser, browser_yields).await;
    for (we, they) in [(true, false), (false, true), (true, true)] {
        let before = browser.call("report", Value::Null);
        ours.seen.lock().expect("an unpoisoned lock").clear();
        if they {
            browser.call("restartIce", Value::Null);
        }
        if we {
            ours.peer.restart_ice(vec![]).await.expect("an offer");
        }
        if we && they {
            ours.both_have_offered(browser).await;
        }
        let is_over = |seen, report: &Value| {
            let is_new = |end: usize| report["ufrags"][end] != before["ufrags"][end];
            let is_settled = report["signaling"] == "stable" && report["state"] == "connected";
            let later = decoded(report) > decoded(&before) + PICTURES;
            is_new(0) && is_new(1) && is_settled && later && seen == 1
        };
        ours.pass_on_until(browser, "pictures after a restart", is_over).await;
    }
    ours.peer.close().await;
}

/// Connects our end to the browser's, until each decodes the other's picture.
async fn connect(browser: &mut Browser, browser_yields: bool) -> Ours {
    browser.reload();
    let mut ours = Ours::new(!browser_yields, 1).await;
    browser.call("meet", json!({ "polite": browser_yields }));
    if !browser_yields {
        ours.peer.offer().await.expect("an offer");
    }
    ours.pass_on_until(browser, "a picture each way", |seen, report| seen == 1 && pictures(report) == 1).await;
    ours
}

/// Number of video tracks of which the browser has decoded enough.
fn pictures(report: &Value) -> usize {
    let lines = report["inbound"].as_array().map(Vec::as_slice).unwrap_or_default();
    lines.iter().filter(|line| line["kind"] == "video" && line["framesDecoded"].as_u64() > Some(PICTURES)).count()
}

/// Number of pictures that the browser has decoded.
fn decoded(report: &Value) -> u64 {
    let lines = report["inbound"].as_array().map(Vec::as_slice).unwrap_or_default();
    lines.iter().filter_map(|line| line["framesDecoded"].as_u64()).sum()
}

/// Our end, without an engine.
struct Ours {
    peer: Peer,
    events: mpsc::Receiver<PeerEvent>,
    /// Messages that are not forwarded yet.
    said: Vec<Value>,
    share: Arc<Mutex<Option<TrackHandle>>>,
    seen: Arc<Mutex<BTreeMap<String, u64>>>,
    end: Arc<AtomicBool>,
}

impl Ours {
    async fn new(polite: bool, seed: u64) -> Ours {
        let seen = Arc::<Mutex<BTreeMap<String, u64>>>::default();
        let sink = Arc::new(Decoding { decoders: Mutex::default(), seen: seen.clone() });
        let (sender, events) = mpsc::channel(64);
        let config = PeerConfig { polite, seed, codecs: vec![VideoCodec::Vp8], ..PeerConfig::default() };
        let peer = Peer::new(config, sink, sender).await.expect("a connection");
        let (share, end) = <(Arc<Mutex<Option<TrackHandle>>>, Arc<AtomicBool>)>::default();
        let media = peer.media();
        let thread = (share.clone(), end.clone());
        std::thread::spawn(move || show(&thread.1, &media, &thread.0));
        Ours { peer, events, said: Vec::new(), share, seen, end }
    }

    /// Waits until each end has made an offer, without forwarding anything.
    async fn both_have_offered(&mut self, browser: &mut Browser) {
        let start = Instant::now();
        let offers = |said: &[Value]| said.iter().any(|message| message["type"] == "offer");
        loop {
            self.listen();
            let browsers = browser.call("said", Value::Null);
            if offers(&self.said) && offers(browsers.as_array().map(Vec::as_slice).unwrap_or_default()) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "no glare: {:?} {browsers}", self.said);
            tokio::time::sleep(PACE).await;
        }
    }

    /// Forwards the messages of both ends until they have decoded enough pictures.
    async fn pass_on_until(&mut self, browser: &mut Browser, what: &str, so: impl Fn(usize, &Value) -> bool) {
        let start = Instant::now();
        loop {
            self.listen();
            let said = std::mem::take(&mut self.said);
            for message in browser.call("exchange", said.into()).as_array().expect("a list") {
                self.handle(message).await;
            }
            let report = browser.call("report", Value::Null);
            let seen = self.seen.lock().expect("an unpoisoned lock").clone();
            if so(seen.values().filter(|count| **count > PICTURES).count(), &report) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "timed out waiting for {what}: {seen:?} {report:#}");
            tokio::time::sleep(PACE).await;
        }
    }

    fn listen(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            match event {
                PeerEvent::LocalDescription { kind, sdp } => {
                    let kind = if kind == DescriptionKind::Offer { "offer" } else { "answer" };
                    self.said.push(json!({ "type": kind, "sdp": sdp }));
                }
                PeerEvent::LocalCandidate { candidate, sdp_mid, sdp_mline_index, username_fragment } => {
                    let init = json!({
                        "candidate": candidate,
                        "sdpMid": sdp_mid,
                        "sdpMLineIndex": sdp_mline_index,
                        "usernameFragment": username_fragment
                    });
                    self.said.push(json!({ "type": "candidate", "candidate": init }));
                }
                PeerEvent::EndOfCandidates => self.said.push(json!({ "type": "end_of_candidates" })),
                PeerEvent::State(_)
                | PeerEvent::Negotiated { .. }
                | PeerEvent::RemoteTrack { .. }
                | PeerEvent::RemoteTrackEnded { .. }
                | PeerEvent::Target(_) => {}
            }
        }
    }

    async fn handle(&self, message: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let outcome = match message["type"].as_str() {
            Some("offer") => self.peer.remote_description(DescriptionKind::Offer, &text(&message["sdp"]), None).await,
            Some("answer") => self.peer.remote_description(DescriptionKind::Answer, &text(&message["sdp"]), None).await,
            Some("candidate") => {
                let candidate = &message["candidate"];
                let (mid, fragment) = (candidate["sdpMid"].as_str(), candidate["usernameFragment"].as_str());
                self.peer.remote_candidate(&text(&candidate["candidate"]), mid, fragment).await
            }
            _ => self.peer.end_of_remote_candidates().await,
        };
        outcome.unwrap_or_else(|error| panic!("{error}: {message:#}"));
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
    }
}

/// Sends a moving picture on the first line and the shared one until `end` is set.
fn show(end: &AtomicBool, media: &MediaOut, share: &Mutex<Option<TrackHandle>>) {
    let (pattern, pool) = (TestPattern::new(320, 180, "ours"), FramePool::new());
    let mut encoder = video_encoder(EncoderConfig {
        codec: VideoCodec::Vp8,
        width: 320,
        height: 180,
        fps: 15,
        bitrate: 300_000,
        full_bitrate: 300_000,
        threads: 1,
        content: Content::Camera,
        speed: None,
    })
    .expect("an encoder");
    for n in 0.. {
        if end.load(Ordering::Relaxed) {
            return;
        }
        let mut frame = pattern.frame(n, 0, &pool, Instant::now());
        frame.rtp_timestamp = (n as u32).wrapping_mul(6_000);
        let share = share.lock().expect("an unpoisoned lock").clone();
        let asked = [media.take_keyframe_request(), share.as_ref().and_then(TrackHandle::take_keyframe_request)];
        if let Some(encoded) = encoder.encode(&frame, asked.iter().any(Option::is_some)).expect("encodes") {
            media.video(&encoded);
            share.iter().for_each(|share| share.video(&encoded));
        }
        std::thread::sleep(Duration::from_millis(66));
    }
}

/// Decodes received video and counts the pictures of each track.
struct Decoding {
    decoders: Mutex<HashMap<String, Box<dyn VideoDecoder>>>,
    seen: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl MediaSink for Decoding {
    fn video(&self, mid: &str, frame: EncodedFrame) {
        let mut decoders = self.decoders.lock().expect("an unpoisoned lock");
        let open = || video_decoder(VideoCodec::Vp8, FramePool::new()).expect("a decoder");
        let decoder = decoders.entry(mid.to_owned()).or_insert_with(open);
        if matches!(decoder.decode(&frame), Ok(Some(_))) {
            *self.seen.lock().expect("an unpoisoned lock").entry(mid.to_owned()).or_default() += 1;
        }
    }

    fn audio(&self, _: &str, _: AudioPacket) {}

    fn sender_report(&self, _: &str, _: u64, _: u32) {}
}
