//! Our own pictures on their way out: one thread encodes each required size once and passes it to every connection.

mod encoding;
mod shared_rate;
mod simulcast;
mod subscriber;

use crate::access::{Sending, SharedAccess};
use crate::codec_choice::CodecChoice;
use crate::data_saver;
use crate::encode_load::EncodeLoad;
use crate::ladder::{self, RecentPeak};
use crate::sealing::FrameSeal;
use crate::slowness::Slowness;
use e2ee::{SenderKey, Stream};
use encoding::{Context, Encoding, EncodingKey};
use media::encoded::VideoCodec;
use media::frame::{FramePool, Rotation, VideoFrame};
use media::slot::{FrameSlot, Wait};
use peer::{MediaOut, TrackHandle};
use shared_rate::{SharedRate, shared_rate};
use signaling::forwarding::FORWARDER;
use signaling::message::{ParticipantId, Resolution};
use simulcast::Simulcast;
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
    /// Sends to the forwarder on these lines, smallest encoding first, or stops. Nothing is sent before there is a key.
    Forward(Option<(MediaOut, [TrackHandle; 3])>),
    /// Nobody displays what is forwarded taller than this, in pixels. Until it is said, all encodings are sent.
    ForwardedHeight(u32),
    /// Encrypts with this key for the forwarder from now on.
    Key(Option<SenderKey>),
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
            simulcast: None,
            seal: FrameSeal::new(Stream::Camera),
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
    simulcast: Option<Simulcast>,
    seal: FrameSeal,
    pool: FramePool,
    access: SharedAccess,
    load: EncodeLoad,
    epoch: Instant,
    last: Option<Instant>,
    /// The newest picture, for a new subscriber, who then need not wait for the next one.
    shown: Option<VideoFrame>,
}

/// How often the thread checks for controls while the camera delivers no frames.
const IDLE: Duration = Duration::from_millis(50);
/// A picture older than this is not shown to new subscribers: the camera was switched off.
const STALE: Duration = Duration::from_millis(200);
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
            Control::Forward(forwarded) => {
                self.access.remove(&forwarder());
                if let Some((media, _)) = &forwarded {
                    self.access.add(&forwarder(), media);
                }
                self.simulcast = forwarded.map(|(media, tracks)| Simulcast::new(media, tracks));
            }
            Control::ForwardedHeight(height) => {
                if let Some(simulcast) = &mut self.simulcast {
                    simulcast.set_height(height);
                }
            }
            Control::Key(key) => {
                self.seal.set_key(key.as_ref());
                if key.is_none()
                    && let Some(simulcast) = &mut self.simulcast
                {
                    simulcast.stop();
                }
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
        let is_forwarder_waiting = self.seal.is_ready() && self.simulcast.as_ref().is_some_and(Simulcast::is_waiting);
        let waiting = self.subscribers.iter().any(is_waiting) || is_forwarder_waiting;
        if let Some(mut frame) = self.shown.clone().filter(|f| waiting && f.time.elapsed() < STALE) {
            // It may have been sent with its own time to other subscribers, and times must increase.
            frame.time = Instant::now();
            self.last = None;
            self.frame(frame);
        }
    }

    fn frame(&mut self, frame: VideoFrame) {
        self.shown = Some(frame.clone());
        let is_sent = !self.subscribers.is_empty() || self.simulcast.is_some() && self.seal.is_ready();
        if !is_sent || self.too_soon(frame.time) {
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
        self.forward(&frame);
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
        let forwarder = forwarder();
        let forwarded = self.simulcast.as_ref().map_or(Sending::Nothing, Simulcast::sending);
        self.access.coordinate(Instant::now(), |id| {
            if *id == forwarder { forwarded } else { subscriber(id).map_or(Sending::Nothing, Subscriber::sending) }
        });
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
        if !subscribers.is_empty() && subscribers.iter().all(|s| s.media.queue_delay() > BACKLOG) {
            return; // no subscriber could send it in time
        }
        let keyframe = encoding.take_keyframe(Instant::now(), subscribers.len());
        let context = Context { fps, epoch: self.epoch, pool: &self.pool, counters: &self.counters };
        if let Some(encoded) = encoding.encode(frame, keyframe, context) {
            subscribers.iter().filter(|s| s.receives(encoded.temporal)).for_each(|s| s.media.video(&encoded));
            encoding.prepared = subscribers.is_empty().then_some(encoded);
        }
    }

    /// Sends the camera to the forwarder.
    fn forward(&mut self, frame: &VideoFrame) {
        let limits = self.limits();
        let Some(simulcast) = self.simulcast.as_mut().filter(|_| self.seal.is_ready()) else { return };
        let size = ladder::fit(frame.width(), frame.height(), limits.width, limits.height);
        let scaled = match (frame.width(), frame.height()) == (size.width, size.height) {
            true => frame.clone(),
            false => codecs::pixels::scale(frame, size.width, size.height, &self.pool),
        };
        let context = Context { fps: limits.fps, epoch: self.epoch, pool: &self.pool, counters: &self.counters };
        let refused = self.access.refuses(&forwarder());
        simulcast.send(&scaled, refused, self.load.reductions(), &mut self.seal, context);
    }
}

/// The forwarder among the connections.
fn forwarder() -> ParticipantId {
    ParticipantId(FORWARDER.into())
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
}
