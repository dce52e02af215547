//! A shared screen on its way out: one thread encodes it for all viewers.
//!
//! ```text
//!  capture ─▶ FrameSlot ─▶ thread: one encoder for each codec and speed ─▶ TrackHandle of each connection
//! ```
//! A screen does not change most of the time. A picture is encoded when it has changed, in full size. It is then encoded
//! again, which improves it, until the encoder has nothing to add; after that nothing is encoded or sent. A change takes
//! the bitrate that sound leaves, and the camera gets the rest; a still screen leaves it all to the camera.

use crate::sealing::FrameSeal;
use crate::slowness::Slowness;
use codecs::{Content, EncoderConfig, VideoEncoder};
use e2ee::{SenderKey, Stream};
use media::encoded::{EncodedFrame, VideoCodec};
use media::frame::VideoFrame;
use media::slot::{FrameSlot, Wait};
use peer::{MediaOut, TrackHandle};
use signaling::message::ParticipantId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Controls on their way to the thread, which takes all of them before each picture and at least every [`IDLE`]. When
/// full, the driver waits for that.
const CONTROLS: usize = 64;
/// How often the thread looks for keyframe requests while nothing changes.
const IDLE: Duration = Duration::from_millis(100);
/// The time between two pictures, and between two improvements of one.
const INTERVAL: Duration = Duration::from_millis(66);
const IMPROVEMENT: Duration = Duration::from_millis(100);
/// Frame rate for the encoders.
const FPS: u32 = 15;
/// A picture is improved until this many frames in a row are small, and not longer than this. An encoder that has nothing
/// to add sends less than a kilobyte.
const SMALL: usize = 1_500;
const SMALL_FRAMES: u32 = 3;
const LONGEST_IMPROVEMENT: Duration = Duration::from_secs(4);
/// If all viewers of an encoding have more than this in their pacers, the picture waits.
const BACKLOG: Duration = Duration::from_millis(150);
/// The bitrate above which a screen of the largest size does not become visibly sharper, in bit/s.
const MOST: u64 = 5_000_000;
/// The bitrate for which keyframes are encoded, in bit/s: at the bitrate of the path one of a page of text would be a third
/// larger, and hardly sharper.
const FOR_KEYFRAMES: u64 = 300_000;
/// With less, in bit/s, nothing is sent.
const LEAST: u64 = 50_000;
/// The share of the bitrate that a camera keeps while a screen changes.
const FOR_CAMERA: u64 = 8;
/// The shortest interval between requested keyframes.
const KEYFRAME_SPACING: Duration = Duration::from_millis(1_000);
/// A request that follows a keyframe within this time was sent before that keyframe arrived.
const CROSSING: Duration = Duration::from_millis(150);

/// A command to the thread.
pub(crate) enum ShareControl {
    /// The line of this connection is negotiated, or will be.
    Add(ParticipantId, MediaOut, TrackHandle),
    /// The same for the connection to the forwarder.
    AddForwarder(ParticipantId, MediaOut, TrackHandle),
    /// Encrypts with this key for the forwarder from now on. Without one, nothing is sent to it.
    Key(Option<SenderKey>),
    /// Removes a viewer.
    Remove(ParticipantId),
}

/// Statistics, counted from the start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ShareOutStats {
    /// Frames encoded.
    pub encoded: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Seconds spent encoding.
    pub encode_s: f64,
}

#[derive(Default)]
struct Counters {
    encoded: AtomicU64,
    keyframes: AtomicU64,
    encode_us: AtomicU64,
}

/// The owner's handle. Dropping it ends the thread.
pub(crate) struct ShareOut {
    control: SyncSender<ShareControl>,
    counters: Arc<Counters>,
    /// The pictures to share. Empty while nothing is shared.
    pub(crate) slot: FrameSlot,
}

impl ShareOut {
    pub(crate) fn start() -> std::io::Result<Self> {
        let (control, inbox) = sync_channel(CONTROLS);
        let (slot, counters) = (FrameSlot::new(), Arc::new(Counters::default()));
        let worker = Worker {
            slot: slot.clone(),
            inbox,
            counters: counters.clone(),
            viewers: vec![],
            seal: FrameSeal::new(Stream::Screen),
            encodings: vec![],
            shown: None,
            epoch: Instant::now(),
        };
        std::thread::Builder::new().name("encode screen".into()).spawn(move || worker.run())?;
        Ok(Self { control, counters, slot })
    }

    pub(crate) fn send(&self, control: ShareControl) {
        let _ = self.control.send(control); // the thread ends only when this handle is dropped
        self.slot.nudge();
    }

    pub(crate) fn stats(&self) -> ShareOutStats {
        let c = &self.counters;
        ShareOutStats {
            encoded: c.encoded.load(Relaxed),
            keyframes: c.keyframes.load(Relaxed),
            encode_s: c.encode_us.load(Relaxed) as f64 / 1e6,
        }
    }
}

impl Drop for ShareOut {
    fn drop(&mut self) {
        self.slot.close();
    }
}

/// The state of the thread.
struct Worker {
    slot: FrameSlot,
    inbox: Receiver<ShareControl>,
    counters: Arc<Counters>,
    viewers: Vec<Viewer>,
    seal: FrameSeal,
    encodings: Vec<Encoding>,
    /// The newest picture.
    shown: Option<VideoFrame>,
    epoch: Instant,
}

/// A connection that receives the share.
struct Viewer {
    id: ParticipantId,
    media: MediaOut,
    track: TrackHandle,
    /// Whether it is the forwarder, which gets encrypted frames.
    is_forwarder: bool,
    slowness: Slowness,
    encoding: Option<Key>,
}

/// Viewers with the same key share an encoder, except those that would hold back the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    codec: VideoCodec,
    slow: bool,
}

/// An encoder and how far the newest picture has come.
struct Encoding {
    key: Key,
    size: (u32, u32),
    encoder: Option<Box<dyn VideoEncoder>>,
    bitrate: u64,
    progress: Progress,
    keyframe: bool,
    asked: bool,
    last_keyframe: Option<Instant>,
    begun: Instant,
    /// When the last picture was encoded.
    last: Option<Instant>,
}

/// ```text
///   ┌──── another picture ────┐
///   ▼                         │
/// Changed ──encoded──▶ Improving ──small frames, or long enough──▶ Done
///   ▲                                                               │
///   └─────────────── another picture, or a keyframe request ────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Changed { since: Instant },
    Improving { since: Instant, small: u32 },
    Done,
}

impl Worker {
    fn run(mut self) {
        let mut seen = 0;
        loop {
            let wait = self.slot.wait(&mut seen, self.pause());
            while let Ok(control) = self.inbox.try_recv() {
                self.control(control);
            }
            match wait {
                Wait::Frame(frame) => self.change(frame),
                Wait::TimedOut | Wait::Nudged => {}
                Wait::Closed => return,
            }
            if !self.slot.has_frame() {
                self.shown = None; // the share has ended
            }
            self.work(Instant::now());
        }
    }

    fn control(&mut self, control: ShareControl) {
        match control {
            ShareControl::Add(id, media, track) => self.add(id, media, track, false),
            ShareControl::AddForwarder(id, media, track) => self.add(id, media, track, true),
            ShareControl::Key(key) => self.seal.set_key(key.as_ref()),
            ShareControl::Remove(id) => {
                self.viewers.iter().filter(|viewer| viewer.id == id).for_each(|viewer| viewer.media.set_share(0, 0));
                self.viewers.retain(|viewer| viewer.id != id);
            }
        }
    }

    fn add(&mut self, id: ParticipantId, media: MediaOut, track: TrackHandle, is_forwarder: bool) {
        self.viewers.retain(|viewer| viewer.id != id);
        let slowness = Slowness::default();
        self.viewers.push(Viewer { id, media, track, is_forwarder, slowness, encoding: None });
    }

    /// How long nothing is due.
    fn pause(&self) -> Duration {
        let now = Instant::now();
        let due = self.encodings.iter().filter_map(Encoding::due).min();
        due.map_or(IDLE, |at| at.saturating_duration_since(now)).min(IDLE)
    }

    /// Another picture.
    fn change(&mut self, frame: VideoFrame) {
        let now = Instant::now();
        self.encodings.iter_mut().for_each(|encoding| encoding.change(now));
        self.shown = Some(frame);
    }

    fn work(&mut self, now: Instant) {
        let Some(frame) = self.shown.clone().filter(|_| !self.viewers.is_empty()) else {
            self.encodings.clear();
            self.viewers.iter_mut().for_each(|viewer| viewer.encoding = None);
            return self.claim();
        };
        self.plan(now, &frame);
        for n in 0..self.encodings.len() {
            if self.encodings[n].due().is_some_and(|at| at <= now) {
                self.encode(n, &frame, now);
            }
        }
        self.claim();
    }

    /// Chooses the encoding of each viewer, and starts and stops encodings accordingly.
    fn plan(&mut self, now: Instant, frame: &VideoFrame) {
        let size = (frame.width(), frame.height());
        let highest = self.viewers.iter().map(|viewer| viewer.media.share_bitrate()).max().unwrap_or(0);
        let mut bitrates: Vec<(Key, u64)> = vec![];
        for viewer in &mut self.viewers {
            let request = viewer.track.take_keyframe_request();
            request.inspect(|at| viewer.slowness.on_keyframe_request(*at));
            let wish = viewer.wish(now, highest).filter(|_| !viewer.is_forwarder || self.seal.is_ready());
            if let (Some(at), Some(key)) = (request, viewer.encoding) {
                self.encodings.iter_mut().filter(|encoding| encoding.key == key).for_each(|e| e.request_keyframe(at));
            }
            let before = std::mem::replace(&mut viewer.encoding, wish.map(|(key, _)| key));
            let Some((key, bitrate)) = wish else { continue };
            match bitrates.iter_mut().find(|(k, _)| *k == key) {
                Some((_, shared)) => *shared = (*shared).min(bitrate),
                None => bitrates.push((key, bitrate)),
            }
            if before != Some(key) {
                self.encodings.iter_mut().filter(|encoding| encoding.key == key).for_each(|e| e.start_again(now));
            }
        }
        self.encodings.retain(|e| e.size == size && bitrates.iter().any(|(key, _)| *key == e.key));
        for (key, bitrate) in bitrates {
            match self.encodings.iter_mut().find(|encoding| encoding.key == key) {
                Some(encoding) => encoding.set_bitrate(bitrate),
                None => self.encodings.push(Encoding::new(key, size, bitrate, now)),
            }
        }
    }

    fn encode(&mut self, n: usize, frame: &VideoFrame, now: Instant) {
        let encoding = &mut self.encodings[n];
        let viewers: Vec<&Viewer> =
            self.viewers.iter().filter(|viewer| viewer.encoding == Some(encoding.key)).collect();
        if viewers.iter().all(|viewer| viewer.media.queue_delay() > BACKLOG) {
            encoding.last = Some(now); // look again after a moment
            return;
        }
        let (keyframe, bitrate) = (encoding.take_keyframe(now), encoding.bitrate);
        let Some(encoder) = encoding.encoder() else { return };
        if keyframe {
            encoder.set_rate(bitrate.min(FOR_KEYFRAMES), FPS);
        }
        // A picture that is encoded again is a frame of its own.
        let mut picture = frame.clone();
        picture.time = now;
        let encoded = encoder.encode(&picture, keyframe);
        if keyframe {
            encoder.set_rate(bitrate, FPS);
        }
        self.counters.encode_us.fetch_add(now.elapsed().as_micros() as u64, Relaxed);
        match encoded {
            Ok(Some(mut encoded)) => {
                encoded.rtp_timestamp = (now.saturating_duration_since(self.epoch).as_nanos() * 9 / 100_000) as u32;
                encoded.time = now;
                self.counters.encoded.fetch_add(1, Relaxed);
                self.counters.keyframes.fetch_add(u64::from(encoded.keyframe), Relaxed);
                encoding.encoded(now, encoded.keyframe, encoded.data.len());
                let sealed = viewers.iter().any(|viewer| viewer.is_forwarder).then(|| self.seal.seal(&encoded.data));
                let sealed = sealed.flatten().map(|data| EncodedFrame { data, ..encoded.clone() });
                for viewer in viewers {
                    let frame = if viewer.is_forwarder { sealed.as_ref() } else { Some(&encoded) };
                    frame.inspect(|frame| viewer.track.video(frame));
                }
            }
            Ok(None) => encoding.dropped(now, keyframe),
            Err(error) => {
                tracing::warn!("the screen could not be encoded: {error}");
                encoding.encoder = None;
                encoding.start_again(now);
                encoding.last = Some(now);
            }
        }
    }

    /// Takes the bitrate of each viewer's connection while their picture changes.
    fn claim(&self) {
        for viewer in &self.viewers {
            let encoding = self.encodings.iter().find(|encoding| Some(encoding.key) == viewer.encoding);
            let used = encoding.filter(|e| e.progress != Progress::Done).map_or(0, |encoding| encoding.bitrate);
            let desired = if self.shown.is_some() { MOST } else { 0 };
            viewer.media.set_share(desired, used);
        }
    }
}

impl Viewer {
    /// The encoding that suits this viewer now, and its bitrate. `None` if nothing is to be sent.
    fn wish(&mut self, now: Instant, highest: u64) -> Option<(Key, u64)> {
        let accepted = self.track.video_codecs();
        let preference = if self.track.repairs() { FOR_OURS } else { FOR_BROWSERS };
        let codec = preference.into_iter().find(|codec| accepted.contains(codec))?;
        let target = self.media.share_bitrate();
        let slow = self.slowness.update(now, target, highest);
        let bitrate = (target - target / FOR_CAMERA).min(MOST);
        (target >= LEAST).then_some((Key { codec, slow }, bitrate))
    }
}

/// The codecs by how soon a page of small text is sharp (docs/benchmarks.md, *Sharing a screen*). Not every browser decodes
/// H.264 well.
const FOR_OURS: [VideoCodec; 3] = [VideoCodec::H264, VideoCodec::Vp8, VideoCodec::Vp9];
const FOR_BROWSERS: [VideoCodec; 3] = [VideoCodec::Vp8, VideoCodec::Vp9, VideoCodec::H264];

impl Encoding {
    fn new(key: Key, size: (u32, u32), bitrate: u64, now: Instant) -> Self {
        Self {
            key,
            size,
            encoder: None,
            bitrate,
            progress: Progress::Changed { since: now },
            keyframe: true,
            asked: false,
            last_keyframe: None,
            begun: now,
            last: None,
        }
    }

    /// When the next frame is due, if one is.
    fn due(&self) -> Option<Instant> {
        let last = self.last.unwrap_or(self.begun);
        match self.progress {
            Progress::Changed { .. } if self.last.is_none() => Some(self.begun),
            Progress::Changed { .. } => Some(last + INTERVAL),
            Progress::Improving { .. } => Some(last + IMPROVEMENT),
            Progress::Done if self.asked => Some(last + KEYFRAME_SPACING),
            Progress::Done => None,
        }
    }

    /// The picture has changed.
    fn change(&mut self, now: Instant) {
        let since = match self.progress {
            Progress::Changed { since } => since,
            Progress::Improving { .. } | Progress::Done => now,
        };
        self.progress = Progress::Changed { since };
    }

    /// The next frame is a keyframe, and improved again.
    fn start_again(&mut self, now: Instant) {
        self.keyframe = true;
        self.progress = Progress::Changed { since: now };
    }

    /// Records a request. One that crossed with a keyframe is already answered; a receiver that still needs one asks
    /// again.
    fn request_keyframe(&mut self, at: Instant) {
        self.asked |= self.last_keyframe.is_none_or(|last| at.saturating_duration_since(last) > CROSSING);
    }

    fn take_keyframe(&mut self, now: Instant) -> bool {
        let recent = self.last_keyframe.is_some_and(|at| now.saturating_duration_since(at) < KEYFRAME_SPACING);
        let asked = self.asked && !recent;
        self.asked &= !asked;
        std::mem::take(&mut self.keyframe) || asked
    }

    /// A frame of this many bytes was encoded.
    fn encoded(&mut self, now: Instant, keyframe: bool, bytes: usize) {
        self.last = Some(now);
        if keyframe {
            self.last_keyframe = Some(now);
        }
        let (since, small) = match self.progress {
            Progress::Changed { since } => (since, 0),
            Progress::Improving { since, small } => (since, small),
            Progress::Done => (now, 0),
        };
        let small = if bytes < SMALL { small + 1 } else { 0 };
        let is_done = small >= SMALL_FRAMES || now.saturating_duration_since(since) >= LONGEST_IMPROVEMENT;
        self.progress = if is_done { Progress::Done } else { Progress::Improving { since, small } };
    }

    /// The encoder dropped the frame to hold its bitrate.
    fn dropped(&mut self, now: Instant, keyframe: bool) {
        self.last = Some(now);
        self.keyframe |= keyframe;
    }

    fn set_bitrate(&mut self, bitrate: u64) {
        // An encoder cannot control its rate well if the target changes with every frame.
        if bitrate.abs_diff(self.bitrate) * 20 > self.bitrate {
            self.bitrate = bitrate;
            if let Some(encoder) = &mut self.encoder {
                encoder.set_rate(bitrate, FPS);
            }
        }
    }

    fn encoder(&mut self) -> Option<&mut Box<dyn VideoEncoder>> {
        if self.encoder.is_none() {
            let (width, height) = self.size;
            let config = EncoderConfig {
                codec: self.key.codec,
                width,
                height,
                fps: FPS,
                bitrate: self.bitrate.min(FOR_KEYFRAMES),
                full_bitrate: MOST,
                threads: 2,
                content: Content::Screen,
                speed: None,
            };
            match codecs::video_encoder(config) {
                Ok(encoder) => self.encoder = Some(encoder),
                Err(error) => {
                    tracing::error!("no encoder for a screen of {width}x{height}: {error}");
                    self.progress = Progress::Done;
                }
            }
        }
        self.encoder.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(now: Instant) -> Encoding {
        Encoding::new(Key { codec: VideoCodec::Vp9, slow: false }, (640, 360), 1_000_000, now)
    }

    #[test]
    fn a_new_picture_is_encoded_at_once() {
        let now = Instant::now();
        assert_eq!(encoding(now).due(), Some(now));
    }

    #[test]
    fn a_still_picture_is_improved_until_nothing_is_added_and_then_costs_nothing() {
        let start = Instant::now();
        let (mut encoding, mut now, mut frames) = (encoding(start), start, 0);
        while let Some(due) = encoding.due() {
            now = due.max(now);
            frames += 1;
            encoding.encoded(now, frames == 1, if frames < 6 { 20_000 } else { 300 });
        }
        assert_eq!((frames, encoding.progress), (8, Progress::Done));
        encoding.change(now);
        assert!(encoding.due().is_some_and(|due| due <= now + INTERVAL), "a change is encoded");
    }

    #[test]
    fn improvement_ends_also_where_frames_stay_large() {
        let start = Instant::now();
        let (mut encoding, mut now) = (encoding(start), start);
        while let Some(due) = encoding.due() {
            now = due.max(now);
            encoding.encoded(now, false, 20_000);
            assert!(now < start + LONGEST_IMPROVEMENT + IMPROVEMENT * 2);
        }
    }

    #[test]
    fn keyframe_requests_are_answered_once_a_second_also_while_still() {
        let start = Instant::now();
        let mut encoding = encoding(start);
        assert!(encoding.take_keyframe(start));
        encoding.encoded(start, true, 100);
        encoding.progress = Progress::Done;
        encoding.request_keyframe(start + CROSSING / 2);
        assert_eq!(encoding.due(), None, "it crossed with the keyframe");
        encoding.request_keyframe(start + CROSSING * 2);
        let due = encoding.due().expect("a keyframe is due");
        assert!(!encoding.take_keyframe(due - Duration::from_millis(1)));
        assert!(encoding.take_keyframe(due));
        encoding.encoded(due, true, 100);
        assert!(!encoding.take_keyframe(due + KEYFRAME_SPACING));
    }
}
