//! Own pictures on their way out: one thread encodes each needed size once and hands it to every connection.

use crate::ladder::{self, Rung};
use codecs::{Content, EncoderConfig, VideoEncoder};
use media::encoded::{EncodedFrame, VideoCodec};
use media::frame::{FramePool, Rotation, VideoFrame};
use media::slot::{FrameSlot, Wait};
use peer::MediaOut;
use signaling::message::{ParticipantId, Resolution};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// What the camera may cost. Read from `WIDTHxHEIGHT`, at the usual rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoLimits {
    /// Largest width sent.
    pub width: u32,
    /// Largest height sent.
    pub height: u32,
    /// Most pictures a second.
    pub fps: u32,
}

impl Default for VideoLimits {
    fn default() -> Self {
        Self { width: 1280, height: 720, fps: 30 }
    }
}

impl std::str::FromStr for VideoLimits {
    /// Says how to give it.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
        match sides {
            Some((width, height)) if SIDE.contains(&width) && SIDE.contains(&height) => {
                Ok(Self { width, height, ..Self::default() })
            }
            Some(_) | None => Err("give it as WIDTHxHEIGHT, for example 640x360, each from 16 to 4096".into()),
        }
    }
}

/// Sides of pictures that are sent.
const SIDE: std::ops::RangeInclusive<u32> = 16..=4096;

/// What the encoding thread is told.
pub(crate) enum Control {
    /// This connection has agreed on a codec: have a first keyframe ready for when it is up.
    Prepare(MediaOut, Option<Resolution>),
    /// This connection is up: send to it, a keyframe first, and no more than this.
    Add(ParticipantId, MediaOut, Option<Resolution>),
    /// This one has use for no more than this.
    Resolution(ParticipantId, Resolution),
    /// It is gone.
    Remove(ParticipantId),
    /// The far side needs a keyframe.
    Keyframe(ParticipantId),
}

/// What encoding cost and gave, counted from the start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct VideoOutStats {
    /// Frames encoded, over all sizes.
    pub encoded: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Seconds spent encoding.
    pub encode_s: f64,
    /// What the encoders are asked for now, bit/s.
    pub target: u64,
    /// Width and height of the largest size sent now.
    pub size: (u32, u32),
}

#[derive(Default)]
struct Counters {
    encoded: AtomicU64,
    keyframes: AtomicU64,
    encode_us: AtomicU64,
    target: AtomicU64,
    size: AtomicU64,
}

/// The owner's end: dropping it ends the thread.
pub(crate) struct VideoOut {
    control: Sender<Control>,
    counters: Arc<Counters>,
    slot: FrameSlot,
}

impl VideoOut {
    /// Starts the thread; it takes frames from `slot` until that is closed.
    pub(crate) fn start(slot: FrameSlot, limits: VideoLimits) -> std::io::Result<Self> {
        let (control, inbox) = channel();
        let counters = Arc::new(Counters::default());
        let worker = Worker {
            slot: slot.clone(),
            inbox,
            counters: counters.clone(),
            limits,
            peers: vec![],
            lanes: vec![],
            pool: FramePool::new(),
            epoch: Instant::now(),
            last: None,
            shown: None,
        };
        std::thread::Builder::new().name("encode".into()).spawn(move || worker.run())?;
        Ok(Self { control, counters, slot })
    }

    pub(crate) fn tell(&self, control: Control) {
        let _ = self.control.send(control); // the thread ends only with us
        self.slot.nudge();
    }

    pub(crate) fn stats(&self) -> VideoOutStats {
        let c = &self.counters;
        let size = c.size.load(Relaxed);
        VideoOutStats {
            encoded: c.encoded.load(Relaxed),
            keyframes: c.keyframes.load(Relaxed),
            encode_s: c.encode_us.load(Relaxed) as f64 / 1e6,
            target: c.target.load(Relaxed),
            size: ((size >> 32) as u32, size as u32),
        }
    }
}

impl Drop for VideoOut {
    fn drop(&mut self) {
        self.slot.close();
    }
}

/// The thread's own things.
struct Worker {
    slot: FrameSlot,
    inbox: Receiver<Control>,
    counters: Arc<Counters>,
    limits: VideoLimits,
    peers: Vec<Receiving>,
    lanes: Vec<Lane>,
    pool: FramePool,
    epoch: Instant,
    last: Option<Instant>,
    /// The newest picture, for somebody who has just come: they need not wait for the next.
    shown: Option<VideoFrame>,
}

struct Receiving {
    id: ParticipantId,
    media: MediaOut,
    /// No more of a picture is of use to them.
    most: Option<Resolution>,
    /// Which lane feeds it; a change of lane needs a keyframe.
    lane: Option<LaneKey>,
}

impl Receiving {
    /// Somebody sees the picture.
    fn looks(&self) -> bool {
        self.most.is_none_or(|most| !most.is_none())
    }
}

/// One encoder: a codec in a size, for all who receive just that.
struct Lane {
    key: LaneKey,
    encoder: Option<Box<dyn VideoEncoder>>,
    bitrate: u64,
    /// Somebody new receives it.
    keyframe: bool,
    /// Somebody who receives it lost the thread.
    asked: bool,
    last_keyframe: Option<Instant>,
    /// Its first frame is out.
    begun: bool,
    /// Its first frame, while nobody receives it yet.
    prepared: Option<EncodedFrame>,
    failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LaneKey {
    codec: VideoCodec,
    rung: Rung,
}

/// How often the thread looks for orders when the camera is silent.
const IDLE: Duration = Duration::from_millis(50);
/// An older picture than this is not shown any more: the camera went off.
const STALE: Duration = Duration::from_millis(200);
/// A prepared keyframe that is older than this is not sent any more.
const PREPARED: Duration = Duration::from_secs(1);
/// A request this soon after a keyframe was made before that arrived.
const CROSSING: Duration = Duration::from_millis(100);
/// Requests for a keyframe are answered no closer together than this; a request that still stands is answered then.
const KEYFRAME_SPACING: Duration = Duration::from_millis(300);
/// What an encoder begins with, bit/s. A small first keyframe is there at once, and the next frames mend it within a
/// blink; a good one would be paced out for a tenth of a second.
const FIRST_BITRATE: u64 = 300_000;
/// A connection with more than this in its pacer gets no frame: it would only be late. Its encoder skips input instead.
const BACKLOG: Duration = Duration::from_millis(150);

impl Worker {
    fn run(mut self) {
        let mut seen = 0;
        loop {
            let wait = self.slot.wait(&mut seen, IDLE);
            while let Ok(control) = self.inbox.try_recv() {
                self.control(control);
            }
            match wait {
                Wait::Frame(frame) => self.frame(frame),
                Wait::TimedOut | Wait::Nudged => self.welcome(),
                Wait::Closed => return,
            }
        }
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Prepare(media, most) => self.prepare(&media, most),
            Control::Add(id, media, most) => {
                self.peers.retain(|p| p.id != id);
                let lane = self.hand_over(&media);
                self.peers.push(Receiving { id, media, most, lane });
            }
            Control::Resolution(id, most) => {
                self.peers.iter_mut().filter(|p| p.id == id).for_each(|p| p.most = Some(most));
            }
            Control::Remove(id) => self.peers.retain(|p| p.id != id),
            Control::Keyframe(id) => {
                let key = self.peers.iter().find(|p| p.id == id).and_then(|p| p.lane);
                self.lanes.iter_mut().filter(|l| Some(l.key) == key).for_each(|l| l.ask(Instant::now()));
            }
        }
    }

    /// Encodes a keyframe while ICE and DTLS are still at work. Nothing more is encoded until somebody receives it, so
    /// that the frame after it continues it.
    fn prepare(&mut self, media: &MediaOut, most: Option<Resolution>) {
        let Some(frame) = self.shown.clone().filter(|f| f.time.elapsed() < STALE) else { return };
        let Some(codec) = media.video_codec().filter(|_| self.peers.is_empty()) else { return };
        let source = ladder::fit(frame.width(), frame.height(), self.limits.width, self.limits.height);
        let target = media.target_bitrate().saturating_sub(crate::audio::RESERVED_BITRATE);
        let top = ladder::covering(source, most, true);
        let rung = ladder::choose(source, top, target, None, true);
        self.lanes = vec![Lane::new(LaneKey { codec, rung }, target.min(ladder::most_useful(rung, self.limits.fps)))];
        self.encode(0, &frame);
    }

    /// Sends a prepared keyframe to its first receiver; the lane that goes on from it.
    fn hand_over(&mut self, media: &MediaOut) -> Option<LaneKey> {
        let codec = media.video_codec()?;
        let lane = self.lanes.iter_mut().find(|l| l.key.codec == codec && l.is_prepared())?;
        media.video(&lane.prepared.take()?);
        lane.last_keyframe = Some(Instant::now());
        Some(lane.key)
    }

    /// Shows the newest picture at once to who has seen none.
    fn welcome(&mut self) {
        let waiting = self.peers.iter().any(|p| p.lane.is_none() && p.looks() && p.media.video_codec().is_some());
        if let Some(mut frame) = self.shown.clone().filter(|f| waiting && f.time.elapsed() < STALE) {
            // Its own time went out with it before, if somebody else was there; times only rise.
            frame.time = Instant::now();
            self.last = None;
            self.frame(frame);
        }
    }

    fn frame(&mut self, frame: VideoFrame) {
        self.shown = Some(frame.clone());
        if self.peers.is_empty() || self.too_soon(frame.time) {
            self.lanes.retain(|l| !self.peers.is_empty() || l.is_prepared());
            return;
        }
        let frame = match frame.rotation {
            Rotation::None => frame,
            Rotation::Clockwise90 | Rotation::Half | Rotation::Clockwise270 => {
                codecs::pixels::rotate(&frame, &self.pool)
            }
        };
        self.plan(&frame);
        for n in 0..self.lanes.len() {
            self.encode(n, &frame);
        }
    }

    /// Keeps the frame rate: a frame that comes clearly before its time is left out.
    fn too_soon(&mut self, time: Instant) -> bool {
        let period = Duration::from_secs(1) / self.limits.fps.max(1);
        if self.last.is_some_and(|last| time.saturating_duration_since(last) < period.mul_f64(0.75)) {
            return true;
        }
        self.last = Some(time);
        false
    }

    /// Chooses the size and rate for everybody, and the encoders that this takes.
    fn plan(&mut self, frame: &VideoFrame) {
        let source = ladder::fit(frame.width(), frame.height(), self.limits.width, self.limits.height);
        let mut bitrates: Vec<(LaneKey, u64)> = vec![];
        let alone = self.peers.iter().filter(|p| p.looks()).count() == 1;
        for peer in &mut self.peers {
            if !peer.looks() {
                peer.lane = None;
                peer.media.set_wanted(crate::audio::RESERVED_BITRATE);
                continue;
            }
            let Some(codec) = peer.media.video_codec() else { continue };
            let target = peer.media.target_bitrate().saturating_sub(crate::audio::RESERVED_BITRATE);
            let before = peer.lane.filter(|l| l.codec == codec).map(|l| l.rung);
            let top = ladder::covering(source, peer.most, alone);
            let rung = ladder::choose(source, top, target, before, alone);
            let key = LaneKey { codec, rung };
            let bitrate = target.min(ladder::most_useful(rung, self.limits.fps));
            peer.media.set_wanted(ladder::most_useful(top, self.limits.fps) + crate::audio::RESERVED_BITRATE);
            match bitrates.iter_mut().find(|(k, _)| *k == key) {
                Some((_, shared)) => *shared = (*shared).min(bitrate),
                None => bitrates.push((key, bitrate)),
            }
            if peer.lane != Some(key) {
                peer.lane = Some(key);
                self.lanes.iter_mut().filter(|l| l.key == key).for_each(|l| l.keyframe = true);
            }
        }
        self.lanes.retain(|l| bitrates.iter().any(|(k, _)| *k == l.key));
        for (key, bitrate) in &bitrates {
            match self.lanes.iter_mut().find(|l| l.key == *key) {
                Some(lane) => lane.set_bitrate(*bitrate, self.limits.fps),
                None => self.lanes.push(Lane::new(*key, *bitrate)),
            }
        }
        self.counters.target.store(bitrates.iter().map(|(_, b)| *b).max().unwrap_or(0), Relaxed);
    }

    fn encode(&mut self, n: usize, frame: &VideoFrame) {
        let lane = &mut self.lanes[n];
        let receivers: Vec<&Receiving> = self.peers.iter().filter(|p| p.lane == Some(lane.key)).collect();
        let now = Instant::now();
        if !receivers.is_empty() && receivers.iter().all(|p| p.media.queue_delay() > BACKLOG) {
            return; // nobody could take it in time
        }
        let (width, height) = (lane.key.rung.width, lane.key.rung.height);
        let scaled = match (frame.width(), frame.height()) == (width, height) {
            true => frame.clone(),
            false => codecs::pixels::scale(frame, width, height, &self.pool),
        };
        let keyframe = lane.take_keyframe(now);
        let Some(encoder) = lane.encoder(self.limits.fps) else { return };
        let encoded = encoder.encode(&scaled, keyframe);
        self.counters.encode_us.fetch_add(now.elapsed().as_micros() as u64, Relaxed);
        match encoded {
            Ok(Some(mut encoded)) => {
                encoded.rtp_timestamp = rtp_time(self.epoch, frame.time);
                encoded.time = frame.time;
                lane.begun = true;
                if encoded.keyframe {
                    lane.last_keyframe = Some(now);
                    log::debug!("keyframe of {} bytes for {width}x{height}", encoded.data.len());
                }
                self.counters.encoded.fetch_add(1, Relaxed);
                self.counters.keyframes.fetch_add(u64::from(encoded.keyframe), Relaxed);
                self.counters.size.store(u64::from(width) << 32 | u64::from(height), Relaxed);
                receivers.iter().for_each(|p| p.media.video(&encoded));
                lane.prepared = receivers.is_empty().then_some(encoded);
            }
            Ok(None) => lane.keyframe |= keyframe,
            Err(error) => {
                log::warn!("{} at {width}x{height} could not be encoded: {error}", lane.key.codec.mime());
                (lane.encoder, lane.keyframe) = (None, true);
            }
        }
    }
}

impl Lane {
    fn new(key: LaneKey, bitrate: u64) -> Self {
        Self {
            key,
            encoder: None,
            bitrate: bitrate.min(FIRST_BITRATE),
            keyframe: true,
            asked: false,
            last_keyframe: None,
            begun: false,
            prepared: None,
            failed: false,
        }
    }

    /// A keyframe that was just sent answers the requests that it crosses; a receiver that still needs one repeats itself.
    fn ask(&mut self, now: Instant) {
        self.asked |= self.last_keyframe.is_none_or(|at| now.saturating_duration_since(at) > CROSSING);
    }

    fn take_keyframe(&mut self, now: Instant) -> bool {
        let recent = self.last_keyframe.is_some_and(|at| now.saturating_duration_since(at) < KEYFRAME_SPACING);
        let asked = self.asked && !recent;
        if asked {
            self.asked = false;
        }
        std::mem::take(&mut self.keyframe) || asked
    }

    fn is_prepared(&self) -> bool {
        self.prepared.as_ref().is_some_and(|frame| frame.time.elapsed() < PREPARED)
    }

    fn set_bitrate(&mut self, bitrate: u64, fps: u32) {
        // An encoder asked for another rate at every frame controls none of them well.
        if self.begun && bitrate.abs_diff(self.bitrate) * 50 > self.bitrate {
            self.bitrate = bitrate;
            if let Some(encoder) = &mut self.encoder {
                encoder.set_rate(bitrate, fps);
            }
        }
    }

    fn encoder(&mut self, fps: u32) -> Option<&mut Box<dyn VideoEncoder>> {
        if self.encoder.is_none() && !self.failed {
            let Rung { width, height } = self.key.rung;
            let config = EncoderConfig {
                codec: self.key.codec,
                width,
                height,
                fps,
                bitrate: self.bitrate,
                threads: 1,
                content: Content::Camera,
                speed: None,
            };
            match codecs::video_encoder(config) {
                Ok(encoder) => self.encoder = Some(encoder),
                Err(error) => {
                    log::error!("no {} encoder for {width}x{height}: {error}", self.key.codec.mime());
                    self.failed = true;
                }
            }
        }
        self.encoder.as_mut()
    }
}

/// 90 kHz time of an instant, wrapping.
fn rtp_time(epoch: Instant, at: Instant) -> u32 {
    (at.saturating_duration_since(epoch).as_nanos() * 9 / 100_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_nonsense_is_refused() {
        assert_eq!("640x360".parse(), Ok(VideoLimits { width: 640, height: 360, fps: 30 }));
        for bad in ["", "640", "x", "0x0", "640x", "99999x2", "-1x5", "640x360x2"] {
            assert!(bad.parse::<VideoLimits>().is_err(), "{bad}");
        }
    }

    #[test]
    fn rtp_time_runs_at_90_khz_and_wraps() {
        let epoch = Instant::now();
        assert_eq!(rtp_time(epoch, epoch + Duration::from_secs(1)), 90_000);
        let wrap = Duration::from_nanos((1u64 << 32) * 100_000 / 9 + 100_000);
        assert!(rtp_time(epoch, epoch + wrap) < 20);
    }
}
