//! Two connections on loopback, joined by a signalling channel that only forwards.
#![allow(dead_code)] // Each test file uses a part.

use bytes::Bytes;
use media::encoded::{AudioPacket, EncodedFrame, VideoCodec};
use media::level::AudioLevel;
use peer::{MediaSink, OutgoingSound, Peer, PeerConfig, PeerEvent, PeerState, TrackKind};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Longest wait for anything on loopback.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Of all sound that [`stream`] sends.
pub(crate) const LEVEL: AudioLevel = AudioLevel { below_full_scale: 33, voice: true };

/// What a sink has received, by media line.
#[derive(Debug, Default, Clone)]
pub(crate) struct ReceivedMedia {
    pub(crate) frames: HashMap<String, Vec<EncodedFrame>>,
    pub(crate) audio: HashMap<String, Vec<AudioPacket>>,
    pub(crate) reports: HashMap<String, usize>,
}

/// A sink that records everything.
pub(crate) struct Sink(watch::Sender<ReceivedMedia>);

impl Sink {
    pub(crate) fn new(media: watch::Sender<ReceivedMedia>) -> Sink {
        Sink(media)
    }
}

impl MediaSink for Sink {
    fn video(&self, mid: &str, frame: EncodedFrame) {
        self.0.send_modify(|media| media.frames.entry(mid.into()).or_default().push(frame));
    }

    fn audio(&self, mid: &str, packet: AudioPacket) {
        self.0.send_modify(|media| media.audio.entry(mid.into()).or_default().push(packet));
    }

    fn sender_report(&self, mid: &str, _: u64, _: u32) {
        self.0.send_modify(|media| *media.reports.entry(mid.into()).or_default() += 1);
    }
}

/// A summary of a side's events, for tests to wait on.
#[derive(Debug, Default, Clone)]
pub(crate) struct EventLog {
    pub(crate) states: Vec<(Instant, PeerState)>,
    pub(crate) tracks: Vec<(String, TrackKind)>,
    pub(crate) ended: Vec<String>,
    pub(crate) negotiated: Vec<(Option<VideoCodec>, bool)>,
    pub(crate) descriptions: Vec<String>,
    pub(crate) candidates: Vec<String>,
    pub(crate) targets: Vec<u64>,
    pub(crate) errors: Vec<&'static str>,
}

impl EventLog {
    pub(crate) fn state(&self) -> Option<PeerState> {
        self.states.last().map(|(_, state)| *state)
    }

    /// How often it became connected.
    pub(crate) fn connections(&self) -> usize {
        self.states.iter().filter(|(_, state)| *state == PeerState::Connected).count()
    }
}

/// One side of a connection.
pub(crate) struct Side {
    pub(crate) peer: Arc<Peer>,
    pub(crate) log: watch::Receiver<EventLog>,
    pub(crate) received: watch::Receiver<ReceivedMedia>,
    pub(crate) events: Option<mpsc::Receiver<PeerEvent>>,
    log_sender: Option<watch::Sender<EventLog>>,
}

/// The tests send VP8, so it is preferred.
pub(crate) fn config(polite: bool) -> PeerConfig {
    let codecs = vec![VideoCodec::Vp8, VideoCodec::Vp9, VideoCodec::H264];
    let seed = 1 + u64::from(polite);
    PeerConfig { polite, include_loopback: true, mdns: false, seed, codecs, ..PeerConfig::default() }
}

impl Side {
    pub(crate) async fn new(config: PeerConfig) -> Side {
        let (media_sender, received) = watch::channel(ReceivedMedia::default());
        let (log_sender, log) = watch::channel(EventLog::default());
        let (sender, events) = mpsc::channel(64);
        let peer = Arc::new(Peer::new(config, Arc::new(Sink(media_sender)), sender).await.unwrap());
        Side { peer, log, received, events: Some(events), log_sender: Some(log_sender) }
    }

    /// Loses the next description, and the events before it, while the side is not joined to another one.
    pub(crate) async fn lose_description(&mut self) {
        let events = self.events.as_mut().unwrap();
        while !matches!(events.recv().await.unwrap(), PeerEvent::LocalDescription { .. }) {}
    }

    /// Reads the events for the log, where there is no other side to send them to.
    pub(crate) fn listen(&mut self) {
        let (mut events, log) = (self.events.take().unwrap(), self.log_sender.take().unwrap());
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                log.send_modify(|log| record(log, &event));
            }
        });
    }

    /// Waits until the events match `condition`.
    pub(crate) async fn wait_for(&self, what: &str, condition: impl FnMut(&EventLog) -> bool) -> EventLog {
        wait(self.log.clone(), what, condition).await
    }

    /// Waits until the received media matches `condition`.
    pub(crate) async fn wait_for_media(
        &self,
        what: &str,
        condition: impl FnMut(&ReceivedMedia) -> bool,
    ) -> ReceivedMedia {
        wait(self.received.clone(), what, condition).await
    }

    pub(crate) async fn connected(&self) -> EventLog {
        self.wait_for("connected", |log| log.state() == Some(PeerState::Connected)).await
    }
}

/// Waits until the first video line of this side needs a keyframe. Returns the time of the request.
pub(crate) async fn keyframe_requested(side: &Side) -> Instant {
    let (media, mut look) = (side.peer.media(), tokio::time::interval(Duration::from_millis(1)));
    let requested = async {
        loop {
            look.tick().await;
            if let Some(at) = media.take_keyframe_request() {
                return at;
            }
        }
    };
    tokio::time::timeout(PATIENCE, requested).await.expect("no keyframe was requested")
}

async fn wait<T: Clone + std::fmt::Debug>(
    mut watch: watch::Receiver<T>,
    what: &str,
    mut condition: impl FnMut(&T) -> bool,
) -> T {
    let waited = tokio::time::timeout(PATIENCE, watch.wait_for(|value| condition(value))).await;
    let found = waited.map(|found| found.expect("the side is gone").clone());
    found.unwrap_or_else(|_| panic!("timed out waiting for {what}; {:?}", watch.borrow()))
}

/// Forwards the signalling of each side to the other, with `delay`.
pub(crate) fn join(a: &mut Side, b: &mut Side, delay: Duration) {
    join_through(a, b, delay, [str::to_owned, str::to_owned]);
}

/// Like [`join`], and rewrites the descriptions of `a` and of `b`.
pub(crate) fn join_through(a: &mut Side, b: &mut Side, delay: Duration, rewrite: [fn(&str) -> String; 2]) {
    let (peer_a, peer_b) = (a.peer.clone(), b.peer.clone());
    let [of_a, of_b] = rewrite;
    pump(a, peer_b, delay, Rewrite { description: of_a, candidate: Box::new(str::to_owned) });
    pump(b, peer_a, delay, Rewrite { description: of_b, candidate: Box::new(str::to_owned) });
}

/// Like [`join`], and rewrites the candidates of `a` and of `b`.
pub(crate) fn join_over(a: &mut Side, b: &mut Side, rewrite: [RewriteCandidate; 2]) {
    let (peer_a, peer_b) = (a.peer.clone(), b.peer.clone());
    let [of_a, of_b] = rewrite;
    pump(a, peer_b, Duration::ZERO, Rewrite { description: str::to_owned, candidate: of_a });
    pump(b, peer_a, Duration::ZERO, Rewrite { description: str::to_owned, candidate: of_b });
}

pub(crate) type RewriteCandidate = Box<dyn Fn(&str) -> String + Send + Sync>;

struct Rewrite {
    description: fn(&str) -> String,
    candidate: RewriteCandidate,
}

fn pump(side: &mut Side, other: Arc<Peer>, delay: Duration, rewrite: Rewrite) {
    let mut events = side.events.take().unwrap();
    let log_sender = side.log_sender.take().unwrap();
    let (line, mut far_end) = mpsc::unbounded_channel::<(Instant, PeerEvent)>();
    let (report, mut errors) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some((at, event)) = far_end.recv().await {
            tokio::time::sleep_until((at + delay).into()).await;
            let outcome = match event {
                PeerEvent::LocalDescription { kind, sdp } => {
                    other.remote_description(kind, &(rewrite.description)(&sdp), None).await
                }
                PeerEvent::LocalCandidate { candidate, sdp_mid, username_fragment, .. } => {
                    let candidate = (rewrite.candidate)(&candidate);
                    other.remote_candidate(&candidate, sdp_mid.as_deref(), username_fragment.as_deref()).await
                }
                PeerEvent::EndOfCandidates => other.end_of_remote_candidates().await,
                _ => Ok(()),
            };
            if let Err(error) = outcome {
                let _ = report.send(error.code());
            }
        }
    });
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(error) = errors.recv() => log_sender.send_modify(|log| log.errors.push(error)),
                event = events.recv() => {
                    let Some(event) = event else { break };
                    log_sender.send_modify(|log| record(log, &event));
                    let _ = line.send((Instant::now(), event));
                }
            }
        }
    });
}

fn record(log: &mut EventLog, event: &PeerEvent) {
    match event.clone() {
        PeerEvent::LocalDescription { sdp, .. } => log.descriptions.push(sdp),
        PeerEvent::LocalCandidate { candidate, .. } => log.candidates.push(candidate),
        PeerEvent::EndOfCandidates => {}
        PeerEvent::State(state) => log.states.push((Instant::now(), state)),
        PeerEvent::Negotiated { video, audio } => log.negotiated.push((video, audio)),
        PeerEvent::RemoteTrack { mid, kind } => log.tracks.push((mid, kind)),
        PeerEvent::RemoteTrackEnded { mid } => log.ended.push(mid),
        PeerEvent::Target(target) => log.targets.push(target),
    }
}

/// Two connected sides.
pub(crate) async fn connected(a: PeerConfig, b: PeerConfig) -> (Side, Side) {
    let (mut a, mut b) = (Side::new(a).await, Side::new(b).await);
    join(&mut a, &mut b, Duration::ZERO);
    a.peer.offer().await.unwrap();
    a.connected().await;
    b.connected().await;
    (a, b)
}

/// A frame of `size` bytes whose bitstream a packetizer accepts for its codec.
pub(crate) fn picture(codec: VideoCodec, keyframe: bool, number: u32, size: usize) -> EncodedFrame {
    let mut data = match (codec, keyframe) {
        // RFC 6386 9.1: frame tag, start code, 320x240.
        (VideoCodec::Vp8, true) => vec![0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00],
        (VideoCodec::Vp8, false) => vec![0x11, 0x02, 0x00],
        // VP9 6.2: frame marker 2, profile 0, shown; key frames have a sync code, 8 bit 4:2:0, 320x240.
        (VideoCodec::Vp9, true) => vec![0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf0, 0x0e, 0xf0, 0x00],
        (VideoCodec::Vp9, false) => vec![0x86, 0x00, 0x40, 0x92],
        (VideoCodec::H264, true) => [
            &[0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0xda, 0x05, 0x07, 0xe8][..],
            &[0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80],
            &[0, 0, 0, 1, 0x65, 0x88],
        ]
        .concat(),
        (VideoCodec::H264, false) => vec![0, 0, 0, 1, 0x41, 0x9a],
    };
    // Avoids byte patterns that H.264 would read as a start code.
    data.extend((data.len()..size).map(|index| 0x80 | (index as u8 & 0x7f)));
    EncodedFrame {
        codec,
        data: data.into(),
        keyframe,
        rtp_timestamp: number.wrapping_mul(3_000),
        width: 320,
        height: 240,
        layer: 0,
        temporal: 0,
        time: Instant::now(),
        captured: None,
        source: None,
    }
}

/// Sends audio and 30 frames per second from now on, with a keyframe on each request.
pub(crate) fn stream(side: &Side, codec: VideoCodec) -> tokio::task::JoinHandle<()> {
    let media = side.peer.media();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(33));
        let mut number = 0;
        loop {
            tick.tick().await;
            let keyframe = media.take_keyframe_request().is_some() || number == 0;
            media.video(&picture(codec, keyframe, number, if keyframe { 9_000 } else { 2_500 }));
            media.audio_captured(OutgoingSound {
                captured: Instant::now(),
                rtp_timestamp: number * 960,
                data: Bytes::from_static(&[0xfc, 0xff, 0xfe]),
                marker: number == 0,
                level: LEVEL,
            });
            number += 1;
        }
    })
}
