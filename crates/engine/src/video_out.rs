//! Our own pictures on their way out: one thread encodes each required size once and passes it to every connection.

mod shared_rate;
mod subscriber;

use crate::access::{Sending, SharedAccess};
use crate::codec_choice::CodecChoice;
use crate::data_saver;
use crate::encode_load::EncodeLoad;
use crate::ladder::{self, RecentPeak, Size};
use crate::slowness::Slowness;
use codecs::{Content, EncoderConfig, VideoEncoder};
use media::encoded::{EncodedFrame, VideoCodec};
use media::frame::{FramePool, Rotation, VideoFrame};
use media::slot::{FrameSlot, Wait};
use peer::MediaOut;
use shared_rate::{SharedRate, shared_rate};
use signaling::message::{ParticipantId, Resolution};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use subscriber::{Subscriber, View};

/// Limits on the camera's size and rate. Parsed from `WIDTHxHEIGHT`, with the default rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoLimits {
    /// Largest width sent.
    pub width: u32,
    /// Largest height sent.
    pub height: u32,
    /// Highest frame rate, in frames per second.
    pub fps: u32,
}

impl VideoLimits {
    /// The limits while data is saved.
    fn saving(self) -> Self {
        Self {
            width: self.width.min(data_saver::SENT.max_width),
            height: self.height.min(data_saver::SENT.max_height),
            fps: self.fps.min(data_saver::FPS),
        }
    }
}

impl Default for VideoLimits {
    fn default() -> Self {
        Self { width: 1280, height: 720, fps: 30 }
    }
}

impl std::str::FromStr for VideoLimits {
    /// A message that states the format.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
        match sides {
            Some((width, height)) if SIDE.contains(&width) && SIDE.contains(&height) => {
                Ok(Self { width, height, ..Self::default() })
            }
            Some(_) | None => Err("use WIDTHxHEIGHT, for example 640x360, each from 16 to 4096".into()),
        }
    }
}

/// The allowed range for each side of a sent picture, in pixels.
const SIDE: std::ops::RangeInclusive<u32> = 16..=4096;

/// Controls on their way to the encode thread, which takes all of them before each frame and at least every [`IDLE`].
/// When full, the driver waits for that.
const CONTROLS: usize = 64;

/// A command to the encode thread.
pub(crate) enum Control {
    /// This connection has negotiated a codec: prepares a keyframe for when it is established.
    Prepare(ParticipantId, MediaOut, Option<Resolution>),
    /// This connection is established: sends to it, starting with a keyframe, no larger than this.
    Add(ParticipantId, MediaOut, Option<Resolution>),
    /// Sets the largest size that this participant can use.
    Resolution(ParticipantId, Resolution),
    /// Removes a participant.
    Remove(ParticipantId),
    /// A participant sends their screen, or no longer.
    ReceivesShare(ParticipantId, bool),
    /// The sizes at which the others' cameras are displayed here.
    Displayed(BTreeMap<ParticipantId, Resolution>),
    /// Sends and receives little video, or as much as is useful.
    DataSaver(bool),
}

/// Statistics of encoding, counted from the start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct VideoOutStats {
    /// Frames encoded, over all sizes.
    pub encoded: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Seconds spent encoding.
    pub encode_s: f64,
    /// The current target bitrate of the encoders, bit/s.
    pub target: u64,
    /// Width and height of the largest size that is sent now.
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

/// The owner's handle. Dropping it ends the thread.
pub(crate) struct VideoOut {
    control: SyncSender<Control>,
    counters: Arc<Counters>,
    slot: FrameSlot,
}

impl VideoOut {
    /// Starts the thread. It takes frames from `slot` until the slot is closed.
    pub(crate) fn start(slot: FrameSlot, limits: VideoLimits) -> std::io::Result<Self> {
        let (control, inbox) = sync_channel(CONTROLS);
        let counters = Arc::new(Counters::default());
        let worker = Worker {
            slot: slot.clone(),
            inbox,
            counters: counters.clone(),
            limits,
            saves_data: false,
            subscribers: vec![],
            encodings: vec![],
            pool: FramePool::new(),
            access: SharedAccess::default(),
            load: EncodeLoad::default(),
            epoch: Instant::now(),
            last: None,
            shown: None,
        };
        std::thread::Builder::new().name("encode".into()).spawn(move || worker.run())?;
        Ok(Self { control, counters, slot })
    }

    pub(crate) fn send(&self, control: Control) {
        let _ = self.control.send(control); // the thread ends only when this handle is dropped
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

/// The state of the thread.
struct Worker {
    slot: FrameSlot,
    inbox: Receiver<Control>,
    counters: Arc<Counters>,
    limits: VideoLimits,
    saves_data: bool,
    subscribers: Vec<Subscriber>,
    encodings: Vec<Encoding>,
    pool: FramePool,
    access: SharedAccess,
    load: EncodeLoad,
    epoch: Instant,
    last: Option<Instant>,
    /// The newest picture, for a new subscriber, who then need not wait for the next one.
    shown: Option<VideoFrame>,
}

/// One encoder, for one codec and size, and all subscribers of this combination.
struct Encoding {
    key: EncodingKey,
    encoder: Option<Box<dyn VideoEncoder>>,
    bitrate: u64,
    /// Whether it has two temporal layers.
    layered: bool,
    /// Whether it has a new subscriber.
    keyframe: bool,
    /// Whether a subscriber requested a keyframe.
    asked: bool,
    last_keyframe: Option<Instant>,
    /// Whether its first frame was encoded.
    begun: bool,
    /// Its first frame, as long as it has no subscriber.
    prepared: Option<EncodedFrame>,
    failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct EncodingKey {
    codec: VideoCodec,
    size: Size,
}

/// How often the thread checks for controls while the camera delivers no frames.
const IDLE: Duration = Duration::from_millis(50);
/// A picture older than this is not shown to new subscribers: the camera was switched off.
const STALE: Duration = Duration::from_millis(200);
/// A prepared keyframe older than this is not sent.
const PREPARED: Duration = Duration::from_secs(1);
/// If a keyframe request follows a keyframe within this time, it was sent before that keyframe arrived.
const CROSSING: Duration = Duration::from_millis(100);
/// The shortest interval between requested keyframes. A request that is still pending is answered after it.
const KEYFRAME_SPACING: Duration = Duration::from_millis(300);
/// The same where several subscribers would receive the keyframe.
const SHARED_KEYFRAME_SPACING: Duration = Duration::from_secs(1);
/// The initial bitrate of an encoder, bit/s. A small first keyframe arrives immediately, and the following frames
/// improve it before anybody notices. The pacer would need a tenth of a second to send a good one.
const FIRST_BITRATE: u64 = 300_000;
/// If all subscribers of an encoding have more than this in their pacers, it skips the frame, which would only be late.
const BACKLOG: Duration = Duration::from_millis(100);
/// With less for video, in bit/s, there is none, so that sound gets through.
const LEAST_FOR_VIDEO: u64 = 25_000;

impl Worker {
    fn run(mut self) {
        let mut seen = 0;
        loop {
            let wait = self.slot.wait(&mut seen, IDLE);
            while let Ok(control) = self.inbox.try_recv() {
                self.control(control);
            }
            self.access.limit_downlink(Instant::now());
            match wait {
                Wait::Frame(frame) => self.frame(frame),
                Wait::TimedOut | Wait::Nudged => self.welcome(),
                Wait::Closed => return,
            }
        }
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Prepare(id, media, most) => {
                self.access.add(&id, &media);
                self.coordinate();
                self.prepare(&media, most);
            }
            Control::Add(id, media, most) => {
                self.access.add(&id, &media);
                self.subscribers.retain(|s| s.id != id);
                let encoding = self.hand_over(&media);
                self.subscribers.push(Subscriber {
                    id,
                    media,
                    most,
                    steady_target: RecentPeak::default(),
                    codec: CodecChoice::default(),
                    slowness: Slowness::default(),
                    bitrate: 0,
                    base_only: false,
                    encoding,
                });
            }
            Control::Resolution(id, most) => {
                self.subscribers.iter_mut().filter(|s| s.id == id).for_each(|s| s.most = Some(most));
            }
            Control::Remove(id) => {
                self.access.remove(&id);
                self.subscribers.retain(|s| s.id != id);
            }
            Control::Displayed(sizes) => self.access.set_displayed(sizes),
            Control::ReceivesShare(id, on) => self.access.set_shares_screen(&id, on),
            Control::DataSaver(on) => {
                self.saves_data = on;
                self.access.set_data_saver(on);
            }
        }
    }

    fn limits(&self) -> VideoLimits {
        if self.saves_data { self.limits.saving() } else { self.limits }
    }

    /// Encodes a keyframe while ICE and DTLS are still in progress. The encoding produces no more frames until it has a
    /// subscriber, so that the next frame follows the keyframe.
    fn prepare(&mut self, media: &MediaOut, most: Option<Resolution>) {
        let Some(frame) = self.shown.clone().filter(|f| f.time.elapsed() < STALE) else { return };
        if !self.subscribers.is_empty() {
            return;
        }
        let view = self.view(&frame);
        let target = media.camera_bitrate();
        let top = ladder::covering(view.source, most, true);
        let size = ladder::choose(view.source, top, target, None, true);
        let bitrate = target.min(view.most_useful(size));
        let conditions = view.conditions(size, target, media);
        let Some(codec) = CodecChoice::default().choose(frame.time, &media.video_codecs(), conditions) else { return };
        self.encodings = vec![Encoding::new(EncodingKey { codec, size }, bitrate)];
        self.encode(0, &frame);
    }

    /// Sends a prepared keyframe to its first subscriber. Returns the encoding that continues from it.
    fn hand_over(&mut self, media: &MediaOut) -> Option<EncodingKey> {
        let accepted = media.video_codecs();
        let encoding = self.encodings.iter_mut().find(|e| accepted.contains(&e.key.codec) && e.is_prepared())?;
        media.video(&encoding.prepared.take()?);
        encoding.last_keyframe = Some(Instant::now());
        Some(encoding.key)
    }

    /// Shows the newest picture immediately to subscribers that have not received any.
    fn welcome(&mut self) {
        let is_waiting = |s: &Subscriber| s.encoding.is_none() && s.looks() && !s.media.video_codecs().is_empty();
        let waiting = self.subscribers.iter().any(is_waiting);
        if let Some(mut frame) = self.shown.clone().filter(|f| waiting && f.time.elapsed() < STALE) {
            // It may have been sent with its own time to other subscribers, and times must increase.
            frame.time = Instant::now();
            self.last = None;
            self.frame(frame);
        }
    }

    fn frame(&mut self, frame: VideoFrame) {
        self.shown = Some(frame.clone());
        if self.subscribers.is_empty() || self.too_soon(frame.time) {
            self.encodings.retain(|e| !self.subscribers.is_empty() || e.is_prepared());
            return;
        }
        let frame = match frame.rotation {
            Rotation::None => frame,
            Rotation::Clockwise90 | Rotation::Half | Rotation::Clockwise270 => {
                codecs::pixels::rotate(&frame, &self.pool)
            }
        };
        self.take_keyframe_requests();
        self.coordinate();
        self.plan(&frame);
        let started = Instant::now();
        for n in 0..self.encodings.len() {
            self.encode(n, &frame);
        }
        self.load.add(started, started.elapsed(), Duration::from_secs(1) / self.limits().fps.max(1));
    }

    /// Passes the subscribers' keyframe requests on to their encodings. A subscriber without an encoding starts with a
    /// keyframe anyway.
    fn take_keyframe_requests(&mut self) {
        for subscriber in &mut self.subscribers {
            let Some(at) = subscriber.media.take_keyframe_request() else { continue };
            subscriber.slowness.on_keyframe_request(at);
            let encodings = self.encodings.iter_mut().filter(|e| Some(e.key) == subscriber.encoding);
            encodings.for_each(|encoding| encoding.request_keyframe(at));
        }
    }

    /// Limits the frame rate: returns true if a frame arrives well before it is due.
    fn too_soon(&mut self, time: Instant) -> bool {
        let period = Duration::from_secs(1) / self.limits().fps.max(1);
        if self.last.is_some_and(|last| time.saturating_duration_since(last) < period.mul_f64(0.75)) {
            return true;
        }
        self.last = Some(time);
        false
    }

    /// Coordinates the connections on the uplink.
    fn coordinate(&mut self) {
        let subscriber = |id: &ParticipantId| self.subscribers.iter().find(|s| s.id == *id);
        self.access.coordinate(Instant::now(), |id| subscriber(id).map_or(Sending::Nothing, Subscriber::sending));
    }

    fn view(&self, frame: &VideoFrame) -> View {
        let limits = self.limits();
        View {
            source: ladder::fit(frame.width(), frame.height(), limits.width, limits.height),
            fps: limits.fps,
            saves_data: self.saves_data,
            alone: self.subscribers.iter().filter(|s| s.looks()).count() <= 1,
            ours: self.subscribers.iter().filter(|s| s.looks()).all(|s| s.media.repairs()),
            reductions: self.load.reductions(),
        }
    }

    /// Chooses codec, size and bitrate for each subscriber, and starts and stops encodings accordingly.
    fn plan(&mut self, frame: &VideoFrame) {
        let view = self.view(frame);
        let access = &self.access;
        let wish = |s: &mut Subscriber| s.wish(frame.time, view, access.refuses(&s.id));
        let wishes: Vec<_> = self.subscribers.iter_mut().map(wish).collect();
        let mut bitrates: Vec<(EncodingKey, Vec<u64>)> = vec![];
        for (subscriber, wish) in self.subscribers.iter_mut().zip(&wishes) {
            let wish = wish.map(|wish| subscriber.yield_to_faster(frame.time, view, wish, &wishes));
            let before = std::mem::replace(&mut subscriber.encoding, wish.map(|(key, _)| key));
            let Some((key, bitrate)) = wish else { continue };
            subscriber.bitrate = bitrate;
            match bitrates.iter_mut().find(|(k, _)| *k == key) {
                Some((_, shared)) => shared.push(bitrate),
                None => bitrates.push((key, vec![bitrate])),
            }
            if before != Some(key) {
                subscriber.base_only = false;
                self.encodings.iter_mut().filter(|e| e.key == key).for_each(|e| e.keyframe = true);
            }
        }
        self.encodings.retain(|e| bitrates.iter().any(|(k, _)| *k == e.key));
        let highest = bitrates.iter().map(|(key, bitrates)| self.share(*key, bitrates, view.fps)).max();
        self.counters.target.store(highest.unwrap_or(0), Relaxed);
    }

    /// Sets what an encoding is like for subscribers with these bitrates, or starts it. Returns its bitrate.
    fn share(&mut self, key: EncodingKey, bitrates: &[u64], fps: u32) -> u64 {
        let Some(encoding) = self.encodings.iter_mut().find(|e| e.key == key) else {
            let SharedRate { bitrate, .. } = shared_rate(bitrates, None);
            self.encodings.push(Encoding::new(key, bitrate));
            return bitrate;
        };
        let shared = shared_rate(bitrates, (key.codec == VideoCodec::Vp8).then_some(encoding.layered));
        encoding.set_layered(shared.layered);
        encoding.set_bitrate(shared.bitrate, fps);
        for subscriber in self.subscribers.iter_mut().filter(|s| s.encoding == Some(key)) {
            subscriber.base_only = shared.layered && subscriber.bitrate < shared.bitrate;
        }
        shared.bitrate
    }

    fn encode(&mut self, n: usize, frame: &VideoFrame) {
        let fps = self.limits().fps;
        let encoding = &mut self.encodings[n];
        let subscribers: Vec<_> = self.subscribers.iter().filter(|s| s.encoding == Some(encoding.key)).collect();
        let now = Instant::now();
        if !subscribers.is_empty() && subscribers.iter().all(|s| s.media.queue_delay() > BACKLOG) {
            return; // no subscriber could send it in time
        }
        let (width, height) = (encoding.key.size.width, encoding.key.size.height);
        let scaled = match (frame.width(), frame.height()) == (width, height) {
            true => frame.clone(),
            false => codecs::pixels::scale(frame, width, height, &self.pool),
        };
        let keyframe = encoding.take_keyframe(now, subscribers.len());
        let Some(encoder) = encoding.encoder(fps) else { return };
        let encoded = encoder.encode(&scaled, keyframe);
        self.counters.encode_us.fetch_add(now.elapsed().as_micros() as u64, Relaxed);
        match encoded {
            Ok(Some(mut encoded)) => {
                encoded.rtp_timestamp = rtp_time(self.epoch, frame.time);
                encoded.time = frame.time;
                encoding.begun = true;
                if encoded.keyframe {
                    encoding.last_keyframe = Some(now);
                    tracing::debug!("keyframe of {} bytes for {width}x{height}", encoded.data.len());
                }
                self.counters.encoded.fetch_add(1, Relaxed);
                self.counters.keyframes.fetch_add(u64::from(encoded.keyframe), Relaxed);
                self.counters.size.store(u64::from(width) << 32 | u64::from(height), Relaxed);
                subscribers.iter().filter(|s| s.receives(encoded.temporal)).for_each(|s| s.media.video(&encoded));
                encoding.prepared = subscribers.is_empty().then_some(encoded);
            }
            Ok(None) => encoding.keyframe |= keyframe,
            Err(error) => {
                tracing::warn!("{} at {width}x{height} could not be encoded: {error}", encoding.key.codec.mime());
                (encoding.encoder, encoding.keyframe, encoding.layered) = (None, true, false);
            }
        }
    }
}

impl Encoding {
    fn new(key: EncodingKey, bitrate: u64) -> Self {
        Self {
            key,
            encoder: None,
            bitrate: bitrate.min(FIRST_BITRATE),
            layered: false,
            keyframe: true,
            asked: false,
            last_keyframe: None,
            begun: false,
            prepared: None,
            failed: false,
        }
    }

    /// Records a request. A request that crossed with a keyframe is already answered; a receiver that still needs one
    /// asks again.
    fn request_keyframe(&mut self, at: Instant) {
        self.asked |= self.last_keyframe.is_none_or(|last| at.saturating_duration_since(last) > CROSSING);
    }

    fn take_keyframe(&mut self, now: Instant, subscribers: usize) -> bool {
        let spacing = if subscribers > 1 { SHARED_KEYFRAME_SPACING } else { KEYFRAME_SPACING };
        let recent = self.last_keyframe.is_some_and(|at| now.saturating_duration_since(at) < spacing);
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
        // An encoder cannot control its rate well if the target changes with every frame.
        if self.begun && bitrate.abs_diff(self.bitrate) * 50 > self.bitrate {
            self.bitrate = bitrate;
            if let Some(encoder) = &mut self.encoder {
                encoder.set_rate(bitrate, fps);
            }
        }
    }

    fn set_layered(&mut self, layered: bool) {
        if self.layered != layered
            && let Some(encoder) = &mut self.encoder
        {
            self.layered = encoder.set_temporal_layers(layered) && layered;
        }
    }

    fn encoder(&mut self, fps: u32) -> Option<&mut Box<dyn VideoEncoder>> {
        if self.encoder.is_none() && !self.failed {
            let Size { width, height } = self.key.size;
            let config = EncoderConfig {
                codec: self.key.codec,
                width,
                height,
                fps,
                bitrate: self.bitrate,
                full_bitrate: ladder::most_useful(self.key.size, fps),
                threads: 1,
                content: Content::Camera,
                speed: None,
            };
            match codecs::video_encoder(config) {
                Ok(encoder) => self.encoder = Some(encoder),
                Err(error) => {
                    tracing::error!("no {} encoder for {width}x{height}: {error}", self.key.codec.mime());
                    self.failed = true;
                }
            }
        }
        self.encoder.as_mut()
    }
}

/// The RTP time of an instant, at 90 kHz, wrapping.
fn rtp_time(epoch: Instant, at: Instant) -> u32 {
    (at.saturating_duration_since(epoch).as_nanos() * 9 / 100_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_parsed_and_invalid_ones_refused() {
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
