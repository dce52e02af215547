//! One participant's pictures: from complete encoded frames to the newest decoded one.
//!
//! Each participant has a thread, which owns the jitter buffers and decoders of their media lines. Their media may arrive by
//! two routes for a while, when a room moves to the forwarder or back. Each picture changes to the newer route with its first
//! keyframe.

use crate::lip_sync::{Lips, SoundIn};
use codecs::VideoDecoder;
use crossbeam_queue::ArrayQueue;
use media::encoded::{AudioPacket, EncodedFrame, VideoCodec};
use media::frame::{FramePool, VideoFrame};
use media::jitter::VideoBuffer;
use media::remote_clock::CaptureTime;
use media::slot::FrameSlot;
use peer::MediaSink;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

/// Frames on their way from the connection to the decoder. When full, all are dropped and a keyframe is requested,
/// because a decoder that is this late must not fall behind further.
pub(crate) const QUEUE: usize = 64;

/// The number of pictures of one participant that can be shown together: the camera and a shared screen.
pub(crate) const PICTURES: usize = 2;

/// A participant's picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Camera,
    Screen,
}

impl Kind {
    /// The index of its slot and track.
    fn index(self) -> usize {
        match self {
            Kind::Camera => 0,
            Kind::Screen => 1,
        }
    }
}

/// Requests a keyframe of the media line with this name.
pub(crate) type AskKeyframe = Box<dyn Fn(&str) + Send + Sync>;

/// A route by which a participant's media arrives: the connection with them, or that to the forwarder.
pub(crate) struct Route {
    /// A newer route has a higher number.
    number: u64,
    sound: Arc<SoundIn>,
    /// The name of the camera's media line. Not on a connection to the forwarder.
    camera: OnceLock<Arc<str>>,
    ask_keyframe: AskKeyframe,
}

/// The end of a route: queues frames for the participant's thread and sound for the audio thread. It never blocks.
pub(crate) struct Sink {
    route: Arc<Route>,
    queue: Arc<ArrayQueue<Arrived>>,
    shared: Arc<Shared>,
    thread: Thread,
}

/// A frame on its way to the participant's thread.
struct Arrived {
    route: Arc<Route>,
    mid: Arc<str>,
    kind: Kind,
    frame: EncodedFrame,
}

/// The owner's handle. Dropping it ends the thread.
pub(crate) struct VideoInThread {
    queue: Arc<ArrayQueue<Arrived>>,
    shared: Arc<Shared>,
    handle: Option<JoinHandle<()>>,
    /// The newest pictures of the camera and of a shared screen.
    pub(crate) slots: [FrameSlot; PICTURES],
}

/// Statistics of a participant's pictures, counted from the start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct VideoInStats {
    /// Frames decoded.
    pub decoded: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Frames that the decoder rejected.
    pub refused: u64,
    /// Seconds spent decoding.
    pub decode_s: f64,
    /// Time that frames spent in the jitter buffer, summed, in seconds.
    pub jitter_s: f64,
    /// Frames that left the jitter buffer.
    pub jitter_n: u64,
    /// Freezes as getStats defines them: a gap longer than max(3 × average, average + 150 ms).
    pub freezes: u64,
    /// Width and height of the last picture.
    pub size: (u32, u32),
    /// Frames of a shared screen decoded. The other figures are those of the camera, but for the times.
    pub screen_decoded: u64,
    /// Width and height of the last picture of a shared screen.
    pub screen_size: (u32, u32),
    /// From capture at the far side until the picture can be drawn, over about a second. `None` until the far side's clock
    /// is known.
    pub latency: Option<Latency>,
}

/// The age of a participant's picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    /// In milliseconds.
    pub ms: f64,
    /// By how much it can be wrong, in milliseconds: half of the shortest recent round trip.
    pub uncertainty_ms: f64,
}

#[derive(Default)]
struct Shared {
    overflow: AtomicBool,
    end: AtomicBool,
    /// Whether the shared screen has ended.
    screen_ended: AtomicBool,
    screen_decoded: AtomicU64,
    screen_size: AtomicU64,
    decoded: AtomicU64,
    keyframes: AtomicU64,
    refused: AtomicU64,
    decode_us: AtomicU64,
    jitter_us: AtomicU64,
    jitter_n: AtomicU64,
    freezes: AtomicU64,
    size: AtomicU64,
    /// In microseconds; with an uncertainty of 0 it is not known.
    latency_us: AtomicU64,
    uncertainty_us: AtomicU64,
}

/// Starts a participant's thread.
pub(crate) fn start(name: &str) -> std::io::Result<VideoInThread> {
    let queue = Arc::new(ArrayQueue::new(QUEUE));
    let shared = Arc::new(Shared::default());
    let slots: [FrameSlot; PICTURES] = Default::default();
    let worker = Worker {
        queue: queue.clone(),
        shared: shared.clone(),
        slots: slots.clone(),
        tracks: Default::default(),
        lips: Lips::new(Instant::now()),
        pool: FramePool::new(),
    };
    let handle = std::thread::Builder::new().name(format!("decode {name}")).spawn(move || worker.run())?;
    Ok(VideoInThread { queue, shared, handle: Some(handle), slots })
}

impl Sink {
    /// A frame of this line has arrived, in decoding order.
    pub(crate) fn picture(&self, kind: Kind, mid: Arc<str>, frame: EncodedFrame) {
        let arrived = Arrived { route: self.route.clone(), mid, kind, frame };
        if self.queue.force_push(arrived).is_some() {
            self.shared.overflow.store(true, Relaxed);
        }
        self.thread.unpark();
    }

    /// Requests a keyframe of this line.
    pub(crate) fn ask_keyframe(&self, mid: &str) {
        (self.route.ask_keyframe)(mid);
    }
}

impl MediaSink for Sink {
    fn camera(&self, mid: &str) {
        let _ = self.route.camera.set(mid.into()); // it stays the same for the life of the connection
    }

    fn video(&self, mid: &str, frame: EncodedFrame) {
        let is_camera = self.route.camera.get().is_some_and(|camera| **camera == *mid);
        self.picture(if is_camera { Kind::Camera } else { Kind::Screen }, mid.into(), frame);
    }

    fn audio(&self, mid: &str, packet: AudioPacket) {
        self.route.sound.push(mid, packet);
    }

    fn sender_report(&self, mid: &str, ntp: u64, rtp: u32) {
        self.route.sound.report(mid, self.route.camera.get().map(|camera| &**camera), ntp, rtp);
    }
}

impl VideoInThread {
    /// Adds a route, which replaces those with lower numbers.
    pub(crate) fn sink(&self, number: u64, sound: Arc<SoundIn>, ask_keyframe: AskKeyframe) -> Option<Sink> {
        let route = Arc::new(Route { number, sound, camera: OnceLock::new(), ask_keyframe });
        let thread = self.handle.as_ref()?.thread().clone();
        Some(Sink { route, queue: self.queue.clone(), shared: self.shared.clone(), thread })
    }

    pub(crate) fn stats(&self) -> VideoInStats {
        let s = &self.shared;
        let (size, screen_size) = (s.size.load(Relaxed), s.screen_size.load(Relaxed));
        VideoInStats {
            decoded: s.decoded.load(Relaxed),
            keyframes: s.keyframes.load(Relaxed),
            refused: s.refused.load(Relaxed),
            decode_s: s.decode_us.load(Relaxed) as f64 / 1e6,
            jitter_s: s.jitter_us.load(Relaxed) as f64 / 1e6,
            jitter_n: s.jitter_n.load(Relaxed),
            freezes: s.freezes.load(Relaxed),
            size: ((size >> 32) as u32, size as u32),
            screen_decoded: s.screen_decoded.load(Relaxed),
            screen_size: ((screen_size >> 32) as u32, screen_size as u32),
            latency: s.latency(),
        }
    }

    /// The participant has stopped sharing: the last picture is not shown any more.
    pub(crate) fn end_screen(&self) {
        self.shared.screen_ended.store(true, Relaxed);
        if let Some(handle) = &self.handle {
            handle.thread().unpark();
        }
    }
}

impl Drop for VideoInThread {
    fn drop(&mut self) {
        self.shared.end.store(true, Relaxed);
        if let Some(handle) = self.handle.take() {
            handle.thread().unpark(); // it ends within one frame; nobody waits for it
        }
        self.slots.iter().for_each(FrameSlot::close);
    }
}

impl Shared {
    /// Records the age of a picture that can be drawn now.
    fn record_latency(&self, now: Instant, captured: CaptureTime) {
        let sample = now.saturating_duration_since(captured.at).as_micros() as f64;
        let before = self.latency().map_or(sample, |latency| latency.ms * 1e3);
        let smooth = before + (sample - before) / LATENCY_FRAMES;
        self.latency_us.store(smooth as u64, Relaxed);
        self.uncertainty_us.store((captured.uncertainty.as_micros() as u64).max(1), Relaxed);
    }

    fn latency(&self) -> Option<Latency> {
        let uncertainty = self.uncertainty_us.load(Relaxed);
        let ms = |us: u64| us as f64 / 1e3;
        (uncertainty > 0).then(|| Latency { ms: ms(self.latency_us.load(Relaxed)), uncertainty_ms: ms(uncertainty) })
    }
}

/// The number of frames over which the latency is smoothed.
const LATENCY_FRAMES: f64 = 30.0;

/// The state of the thread.
struct Worker {
    queue: Arc<ArrayQueue<Arrived>>,
    shared: Arc<Shared>,
    slots: [FrameSlot; PICTURES],
    /// Those of the camera and of a shared screen.
    tracks: [Option<Track>; PICTURES],
    lips: Lips,
    pool: FramePool,
}

/// One media line.
struct Track {
    route: Arc<Route>,
    mid: Arc<str>,
    kind: Kind,
    buffer: VideoBuffer,
    /// The part of its total delay that has been counted.
    counted: Duration,
    decoder: Option<(VideoCodec, Box<dyn VideoDecoder>)>,
    await_keyframe: bool,
    rhythm: Rhythm,
}

/// The longest sleep of a decode thread when no frame is due.
const IDLE: Duration = Duration::from_millis(500);

impl Worker {
    fn run(mut self) {
        while !self.shared.end.load(Relaxed) {
            self.take_in();
            let due = self.give_out();
            let now = Instant::now();
            if let Some(camera) = &self.tracks[Kind::Camera.index()] {
                self.lips.expire(&camera.route.sound, now);
            }
            let wait = due.map_or(IDLE, |at| at.saturating_duration_since(now));
            if !wait.is_zero() && self.queue.is_empty() {
                std::thread::park_timeout(wait.min(IDLE));
            }
        }
    }

    fn take_in(&mut self) {
        if self.shared.overflow.swap(false, Relaxed) {
            while self.queue.pop().is_some() {}
            self.tracks.iter_mut().flatten().for_each(|track| {
                track.flush();
                track.ask_keyframe();
            });
        }
        if self.shared.screen_ended.swap(false, Relaxed) {
            self.tracks[Kind::Screen.index()] = None;
            self.slots[Kind::Screen.index()].clear();
        }
        // Handle frames one at a time: a jitter buffer that only fills up would detect an overrun.
        while let Some(arrived) = self.queue.pop() {
            self.give_out();
            if !self.accept(&arrived) {
                continue;
            }
            let Arrived { route, mid, kind, frame } = arrived;
            let track = self.tracks[kind.index()].get_or_insert_with(|| Track::new(route, mid, kind));
            track.buffer.push(Instant::now(), frame);
            if track.buffer.needs_keyframe() {
                track.await_keyframe = true;
                track.ask_keyframe();
            }
        }
    }

    /// Whether to take this frame. The first keyframe of a newer route ends the older one, and of two shared screens on
    /// one route, the newer one is shown.
    fn accept(&mut self, Arrived { route, mid, kind, frame }: &Arrived) -> bool {
        let Some(track) = &mut self.tracks[kind.index()] else { return true };
        if track.route.number == route.number && track.mid == *mid {
            return true;
        }
        if route.number < track.route.number {
            return false;
        }
        if route.number > track.route.number {
            if !frame.keyframe {
                (route.ask_keyframe)(mid);
                return false;
            }
            if *kind == Kind::Camera {
                self.lips = Lips::new(Instant::now());
            }
        }
        // The rhythm continues, so that a gap between two lines counts.
        let rhythm = std::mem::take(&mut track.rhythm);
        *track = Track { rhythm, ..Track::new(route.clone(), mid.clone(), *kind) };
        true
    }

    /// Decodes all frames that are due. Returns when the next one is due.
    fn give_out(&mut self) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for track in self.tracks.iter_mut().flatten() {
            while let Some(frame) = track.buffer.pop(Instant::now()) {
                track.count_delay(&self.shared);
                let rtp_timestamp = frame.rtp_timestamp;
                let ok = track.decode(frame, &self.shared, &self.pool, &self.slots);
                if ok
                    && track.kind == Kind::Camera
                    && let Some(extra) = self.lips.picture(&track.route.sound, Instant::now(), rtp_timestamp)
                {
                    track.buffer.set_extra_delay(extra);
                }
                if !ok && !std::mem::replace(&mut track.await_keyframe, true) {
                    track.ask_keyframe();
                }
            }
            next = match (next, track.buffer.poll_timeout()) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        next
    }
}

impl Track {
    fn new(route: Arc<Route>, mid: Arc<str>, kind: Kind) -> Self {
        let (buffer, counted) = (VideoBuffer::new(), Duration::ZERO);
        Self { route, mid, kind, buffer, counted, decoder: None, await_keyframe: true, rhythm: Rhythm::default() }
    }

    fn ask_keyframe(&self) {
        (self.route.ask_keyframe)(&self.mid);
    }

    fn flush(&mut self) {
        (self.buffer, self.counted) = (VideoBuffer::new(), Duration::ZERO);
        self.await_keyframe = true;
    }

    /// Counts the time that the frame just taken spent in the jitter buffer.
    fn count_delay(&mut self, shared: &Shared) {
        let total = self.buffer.total_delay();
        shared.jitter_us.fetch_add(total.saturating_sub(self.counted).as_micros() as u64, Relaxed);
        shared.jitter_n.fetch_add(1, Relaxed);
        self.counted = total;
    }

    /// Decodes a frame. Returns false if only a keyframe can help.
    fn decode(&mut self, frame: EncodedFrame, shared: &Shared, pool: &FramePool, slots: &[FrameSlot]) -> bool {
        if self.await_keyframe && !frame.keyframe {
            return false;
        }
        let started = Instant::now();
        let picture = match self.decoder(frame.codec, pool) {
            Some(decoder) => decoder.decode(&frame),
            None => return false,
        };
        shared.decode_us.fetch_add(started.elapsed().as_micros() as u64, Relaxed);
        match picture {
            Ok(picture) => {
                self.await_keyframe = false;
                shared.keyframes.fetch_add(u64::from(frame.keyframe), Relaxed);
                if let Some(picture) = picture {
                    self.count(shared, &picture);
                    slots[self.kind.index()].put(picture);
                    if let Some(captured) = frame.captured.filter(|_| self.kind == Kind::Camera) {
                        shared.record_latency(Instant::now(), captured);
                    }
                }
                true
            }
            Err(error) => {
                tracing::debug!("a frame could not be decoded: {error}");
                shared.refused.fetch_add(1, Relaxed);
                false
            }
        }
    }

    /// Counts a picture. A screen that does not change is no freeze.
    fn count(&mut self, shared: &Shared, picture: &VideoFrame) {
        let size = u64::from(picture.width()) << 32 | u64::from(picture.height());
        if self.kind == Kind::Screen {
            shared.screen_decoded.fetch_add(1, Relaxed);
            return shared.screen_size.store(size, Relaxed);
        }
        shared.decoded.fetch_add(1, Relaxed);
        shared.size.store(size, Relaxed);
        shared.freezes.fetch_add(u64::from(self.rhythm.froze(Instant::now())), Relaxed);
    }

    fn decoder(&mut self, codec: VideoCodec, pool: &FramePool) -> Option<&mut Box<dyn VideoDecoder>> {
        if self.decoder.as_ref().is_none_or(|(have, _)| *have != codec) {
            let opened = codecs::video_decoder(codec, pool.clone());
            self.decoder = opened
                .map_err(|error| tracing::warn!("no decoder for {}: {error}", codec.mime()))
                .ok()
                .map(|d| (codec, d));
        }
        self.decoder.as_mut().map(|(_, decoder)| decoder)
    }
}

/// Detects freezes, as getStats' freezeCount does.
#[derive(Default)]
struct Rhythm {
    last: Option<Instant>,
    average: Option<f64>,
}

impl Rhythm {
    fn froze(&mut self, now: Instant) -> bool {
        let Some(last) = self.last.replace(now) else { return false };
        let gap = now.duration_since(last).as_secs_f64();
        let average = *self.average.get_or_insert(gap);
        self.average = Some(average + (gap - average) / 30.0);
        gap > (3.0 * average).max(average + 0.150)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_second_pause_is_one_freeze() {
        let (mut rhythm, mut now) = (Rhythm::default(), Instant::now());
        let mut freezes = 0;
        for n in 0..60 {
            now += Duration::from_millis(if n == 40 { 500 } else { 33 });
            freezes += u32::from(rhythm.froze(now));
        }
        assert_eq!(freezes, 1);
    }
}
