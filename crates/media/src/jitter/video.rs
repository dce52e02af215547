//! Releases the frames of one video stream at even intervals.
//!
//! A frame's lateness is its arrival minus its RTP time. The fastest frame of the last [`WINDOW`] is the base. Releasing
//! each frame so much later than the base that nearly all have arrived by then makes the intervals even. That delay
//! follows the lateness of nearly all *arrivals*: frames that arrive in one burst count once, with the first and latest of
//! them, so that one outage does not delay all that follows. Small unevenness is let through, because a display's refresh
//! hides it. Changes are spread over time.
//!
//! Waiting for lost packets is not the path's jitter: [`EncodedFrame::time`] is the arrival without it. It delays all
//! frames only if many waited lately ([`REPAIRED`]), and by a bounded time. Frames that are late nevertheless are
//! released [`APART`], so that each is seen.

use super::unwrap::Unwrap32;
use crate::encoded::EncodedFrame;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Lateness is remembered this long.
const WINDOW: Duration = Duration::from_secs(4);
/// Arrivals remembered at most; at more than 64 frames a second the window is shorter.
const ARRIVALS: usize = 256;
/// The part of arrivals that should come in time.
const IN_TIME: f64 = 0.95;
/// The delay covers waiting for lost packets in this part of the frames of [`REPAIR_WINDOW`], up to [`REPAIR_DELAY`]. If
/// they wait longer than twice that, it covers all but this time: a longer pause would be seen as a freeze.
const REPAIRED: f64 = 0.92;
const REPAIR_WINDOW: Duration = Duration::from_secs(10);
const REPAIR_DELAY: i64 = 100_000;
/// Frames of that time that are remembered; when full the oldest is dropped.
const REPAIRS: usize = 512;
/// Shortest interval between two frames, µs: less is not seen on a display of 60 Hz. At most [`APART_PART`] of the
/// stream's own interval, so that late frames catch up.
const APART: i64 = 16_000;
const APART_PART: f64 = 0.75;
/// With more frames waiting, catching up quickly is worth more than seeing each.
const BACKLOG: usize = 8;
const BACKLOG_APART: i64 = 4_000;
/// Unevenness that is not worth a delay, µs.
const LET_THROUGH: i64 = 6_000;
/// Frames within this time of the one before belong to its burst, µs.
const BURST: i64 = 4_000;
/// The delay changes by this part of the time that passes.
const SLEW: f64 = 0.25;
/// Lateness that grows by more than this from frame to frame means that the sender's clock was set back, µs.
const SET_BACK: i64 = 3_000_000;
/// Lateness that shrinks by more than this means that it was set forward, or that frames between are missing, µs. No
/// frame that comes next is held for so long.
const SET_FORWARD: i64 = 700_000;
/// RTP clock of all video, ticks a second.
const CLOCK: i64 = 90_000;

/// ```text
///  Start ──── keyframe ───► Flowing ◄──── keyframe ──── AwaitKeyframe ◄─┐ delta frame:
///    │                         │                         ▲   ▲   └───────┘ dropped
///    │                         └── too many frames, ─────┘   │
///    │                             no keyframe among them    │
///    └──────────────────── delta frame: dropped ─────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing has come yet.
    Start,
    /// Only a keyframe helps.
    AwaitKeyframe,
    /// Frames follow each other.
    Flowing,
}

/// The jitter buffer of one video stream.
///
/// Holds at most [`VideoBuffer::FRAMES`]; when one more comes, the oldest up to the newest keyframe are thrown away, or all
/// if there is none, and then everything up to the next keyframe. Take frames out between pushes.
#[derive(Debug)]
pub struct VideoBuffer {
    state: State,
    frames: VecDeque<Held>,
    lateness: Lateness,
    unwrap: Unwrap32,
    origin: Option<Instant>,
    /// What is in force, µs on the scale of lateness.
    offset: Option<f64>,
    slewed: Option<i64>,
    extra: Duration,
    last_due: i64,
    /// When the last frame was released, µs.
    released: i64,
    held: Duration,
    dropped: u64,
    late: u64,
}

#[derive(Debug)]
struct Held {
    frame: EncodedFrame,
    media_us: i64,
}

impl Default for VideoBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl VideoBuffer {
    /// Frames held at most.
    pub const FRAMES: usize = 64;

    /// The longest delay that it adds on its own, beside the extra one for lip sync.
    pub const MAX_DELAY: Duration = Duration::from_millis(500);

    /// An empty buffer.
    pub fn new() -> Self {
        Self {
            state: State::Start,
            frames: VecDeque::with_capacity(Self::FRAMES),
            lateness: Lateness::default(),
            unwrap: Unwrap32::default(),
            origin: None,
            offset: None,
            slewed: None,
            extra: Duration::ZERO,
            last_due: i64::MIN,
            released: i64::MIN / 2,
            held: Duration::ZERO,
            dropped: 0,
            late: 0,
        }
    }

    /// Takes the next frame in decoding order, complete at `now`.
    pub fn push(&mut self, now: Instant, frame: EncodedFrame) {
        let media_us = self.unwrap.unwrap(frame.rtp_timestamp) * 1_000_000 / CLOCK;
        let now_us = self.micros(now);
        let arrived_us = self.micros(now.min(frame.time));
        if self.lateness.record(arrived_us, now_us, media_us) == Rhythm::Restarted {
            self.offset = None;
            self.last_due = i64::MIN;
            // Those that wait would by the new clock be due at some other time: they go with the first of it.
            self.frames.iter_mut().for_each(|held| held.media_us = media_us);
        }
        self.slew(now_us);
        match (self.state, frame.keyframe) {
            (State::Start | State::AwaitKeyframe, false) => {
                self.state = State::AwaitKeyframe;
                self.dropped += 1;
                return;
            }
            (State::Start | State::AwaitKeyframe, true) => self.state = State::Flowing,
            (State::Flowing, _) => {}
        }
        self.frames.push_back(Held { frame, media_us });
        if self.frames.len() > Self::FRAMES {
            self.overflow();
        }
    }

    /// The next frame if it is due. Its `time` is then the moment at which it was to be shown, or `now` if it is late.
    /// Late frames are given too: those after them need them.
    pub fn pop(&mut self, now: Instant) -> Option<EncodedFrame> {
        let now_us = self.micros(now);
        let due = self.due(self.frames.front()?);
        if due > now_us {
            return None;
        }
        self.slew(now_us); // after the look at the clock: what is due by poll_timeout's word is given
        let held = self.frames.pop_front()?;
        let late = now_us - self.scheduled(&held) > LET_THROUGH;
        self.last_due = due;
        self.released = now_us;
        self.held += now.saturating_duration_since(held.frame.time);
        self.late += u64::from(late);
        let time = if late { now } else { self.instant(due).unwrap_or(now) };
        Some(EncodedFrame { time, ..held.frame })
    }

    /// When [`VideoBuffer::pop`] will give the next frame.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.frames.front().and_then(|held| self.instant(self.due(held)))
    }

    /// Frames were thrown away, and nothing can be shown before a keyframe comes.
    pub fn needs_keyframe(&self) -> bool {
        self.state == State::AwaitKeyframe
    }

    /// How much later than the fastest frame of the last seconds frames are given out.
    pub fn delay(&self) -> Duration {
        let base = self.lateness.base().unwrap_or(0) as f64;
        micros(self.offset.map_or(0, |offset| (offset - base) as i64)) + self.extra
    }

    /// A delay on top of its own, to keep pace with the sound. Change it slowly.
    pub fn set_extra_delay(&mut self, extra: Duration) {
        self.extra = extra;
    }

    /// Sum over all frames of the time from arrival to release (getStats' `jitterBufferDelay`).
    pub fn total_delay(&self) -> Duration {
        self.held
    }

    /// Frames thrown away.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Frames given out after they were due.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Frames held.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether no frame is held.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    fn overflow(&mut self) {
        let keep = self.frames.iter().rposition(|held| held.frame.keyframe).filter(|at| *at > 0);
        let drop = keep.unwrap_or(self.frames.len());
        self.dropped += drop as u64;
        self.frames.drain(..drop);
        if keep.is_none() {
            self.state = State::AwaitKeyframe;
        }
    }

    fn due(&self, held: &Held) -> i64 {
        self.scheduled(held).max(self.last_due).max(self.released + self.apart())
    }

    /// When the frame would be released if it was in time.
    fn scheduled(&self, held: &Held) -> i64 {
        held.media_us + self.offset.unwrap_or(0.0) as i64 + self.extra.as_micros() as i64
    }

    fn apart(&self) -> i64 {
        let most = if self.frames.len() > BACKLOG { BACKLOG_APART } else { APART };
        most.min((self.lateness.last_period as f64 * APART_PART) as i64)
    }

    /// Moves the delay towards what is needed now.
    fn slew(&mut self, now_us: i64) {
        let Some(target) = self.lateness.target() else { return };
        let target = target as f64;
        let passed = (now_us - self.slewed.replace(now_us).unwrap_or(now_us)).max(0);
        let most = passed as f64 * SLEW;
        self.offset = Some(match self.offset {
            None => target,
            Some(offset) => offset + (target - offset).clamp(-most, most),
        });
    }

    fn micros(&mut self, now: Instant) -> i64 {
        let origin = *self.origin.get_or_insert(now);
        now.saturating_duration_since(origin).as_micros() as i64
    }

    fn instant(&self, us: i64) -> Option<Instant> {
        self.origin.map(|origin| origin + micros(us))
    }
}

fn micros(us: i64) -> Duration {
    Duration::from_micros(us.max(0) as u64)
}

#[derive(Debug, PartialEq, Eq)]
enum Rhythm {
    Steady,
    Restarted,
}

/// Arrivals of the last seconds and how late each was.
#[derive(Debug, Default)]
struct Lateness {
    arrivals: VecDeque<Arrival>,
    /// When frames were complete, and how long each had waited for lost packets.
    waits: VecDeque<(i64, i64)>,
    last: Option<Arrival>,
    last_period: i64,
    base: i64,
    target: i64,
    sorted: Vec<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Arrival {
    at: i64,
    late: i64,
}

impl Lateness {
    /// A frame arrived, and was complete at `complete`, all in µs.
    fn record(&mut self, at: i64, complete: i64, media: i64) -> Rhythm {
        let late = at - media;
        let before = self.last.replace(Arrival { at, late });
        let restarted = before.is_some_and(|before| late - before.late > SET_BACK || before.late - late > SET_FORWARD);
        if restarted {
            self.arrivals.clear();
            self.waits.clear();
        }
        self.waits.push_back((complete, complete - at));
        let burst = before.is_some_and(|before| at - before.at < BURST) && !self.arrivals.is_empty() && !restarted;
        if let (Some(before), false) = (before, restarted) {
            // the media time between two frames, smoothed
            let period = (at - late) - (before.at - before.late);
            self.last_period += (period.clamp(0, 1_000_000) - self.last_period) / 8;
        }
        if burst {
            return Rhythm::Steady;
        }
        self.arrivals.push_back(Arrival { at, late });
        self.expire(at, complete);
        self.assess();
        self.assess_repair();
        if restarted { Rhythm::Restarted } else { Rhythm::Steady }
    }

    fn expire(&mut self, at: i64, complete: i64) {
        while self.waits.len() > REPAIRS
            || self.waits.front().is_some_and(|(at, _)| complete - at > REPAIR_WINDOW.as_micros() as i64)
        {
            self.waits.pop_front();
        }
        while self.arrivals.len() > ARRIVALS
            || self.arrivals.front().is_some_and(|a| at - a.at > WINDOW.as_micros() as i64)
        {
            self.arrivals.pop_front();
        }
    }

    fn assess(&mut self) {
        self.sorted.clear();
        self.sorted.extend(self.arrivals.iter().map(|a| a.late));
        self.sorted.sort_unstable();
        let Some(last) = self.sorted.len().checked_sub(1) else { return };
        self.base = self.sorted[0];
        let needed = self.sorted[(last as f64 * IN_TIME) as usize] - self.base - LET_THROUGH;
        self.target = self.base + needed.clamp(0, self.most());
    }

    /// Extends the delay if many frames waited for lost packets.
    fn assess_repair(&mut self) {
        self.sorted.clear();
        self.sorted.extend(self.waits.iter().map(|(_, wait)| *wait));
        self.sorted.sort_unstable();
        let Some(last) = self.sorted.len().checked_sub(1) else { return };
        let wait = self.sorted[(last as f64 * REPAIRED) as usize] - LET_THROUGH;
        let covered = wait.min(REPAIR_DELAY.max(wait - REPAIR_DELAY));
        self.target = self.target.max(self.base + covered.min(self.most()));
    }

    /// The longest delay: so that waiting alone never fills the buffer.
    fn most(&self) -> i64 {
        let room = self.last_period * (VideoBuffer::FRAMES as i64 - 4);
        let most = VideoBuffer::MAX_DELAY.as_micros() as i64;
        if self.last_period == 0 { most } else { most.min(room) }
    }

    fn base(&self) -> Option<i64> {
        self.arrivals.front().map(|_| self.base)
    }

    fn target(&self) -> Option<i64> {
        self.arrivals.front().map(|_| self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoded::VideoCodec;
    use bytes::Bytes;
    use proptest::prelude::*;

    const FRAME_US: u64 = 33_333;

    fn frame(n: u64, keyframe: bool, time: Instant) -> EncodedFrame {
        EncodedFrame {
            codec: VideoCodec::Vp8,
            data: Bytes::from(n.to_be_bytes().to_vec()),
            keyframe,
            rtp_timestamp: (u32::MAX - 9_000).wrapping_add((n * 3_000) as u32), // wraps in the fourth frame
            width: 640,
            height: 360,
            layer: 0,
            temporal: 0,
            time,
        }
    }

    fn number(frame: &EncodedFrame) -> u64 {
        u64::from_be_bytes(frame.data[..].try_into().expect("eight bytes"))
    }

    struct Shown {
        n: u64,
        /// After capture, µs.
        latency: i64,
        at: i64,
    }

    /// Sends `count` frames through a network that delays frame `n` by `delay(n)` µs and keeps the order.
    fn run(buffer: &mut VideoBuffer, count: u64, delay: impl Fn(u64) -> u64) -> Vec<Shown> {
        let start = Instant::now();
        let mut shown = Vec::new();
        let mut arrival = 0;
        for n in 0..count {
            arrival = (n * FRAME_US + delay(n)).max(arrival);
            take(buffer, start, arrival, &mut shown);
            let now = start + Duration::from_micros(arrival);
            buffer.push(now, frame(n, n == 0, now));
            while let Some(popped) = buffer.pop(now) {
                shown.push(Shown::new(&popped, arrival));
            }
        }
        take(buffer, start, u64::MAX / 2, &mut shown);
        shown
    }

    /// All that fall due up to `until`, each at its time.
    fn take(buffer: &mut VideoBuffer, start: Instant, until: u64, shown: &mut Vec<Shown>) {
        while let Some(due) = buffer.poll_timeout() {
            let due_us = (due - start).as_micros() as u64;
            if due_us > until {
                break;
            }
            shown.push(Shown::new(&buffer.pop(due).expect("due by its own word"), due_us));
        }
    }

    impl Shown {
        fn new(frame: &EncodedFrame, at: u64) -> Self {
            let n = number(frame);
            Self { n, latency: at as i64 - (n * FRAME_US) as i64, at: at as i64 }
        }
    }

    fn noise(n: u64) -> u64 {
        let mut x = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x ^ (x >> 27)
    }

    /// Uniform over 0..=80 ms anew each half second, linear between.
    fn walk(n: u64) -> u64 {
        let (k, part) = (n / 15, n % 15);
        let at = |k| noise(k) % 80_001;
        (at(k) * (15 - part) + at(k + 1) * part) / 15
    }

    fn mean(values: impl Iterator<Item = i64> + Clone) -> i64 {
        values.clone().sum::<i64>() / values.count().max(1) as i64
    }

    #[test]
    fn a_clean_path_is_not_delayed() {
        let mut buffer = VideoBuffer::new();
        let shown = run(&mut buffer, 900, |n| 20_000 + noise(n) % 4_000);
        assert_eq!(shown.len(), 900);
        let added = mean(shown.iter().map(|s| s.latency - 20_000 - (noise(s.n) % 4_000) as i64));
        assert!(added <= 1_000, "{added} us");
        assert!(buffer.delay() <= Duration::from_millis(2), "{:?}", buffer.delay());
    }

    #[test]
    fn a_wandering_path_gets_an_even_rhythm_for_little_delay() {
        let shown = run(&mut VideoBuffer::new(), 1_800, walk);
        let steady = &shown[300..];
        let uneven = steady.windows(2).filter(|w| (w[1].at - w[0].at - FRAME_US as i64).abs() > 15_000).count();
        assert!(uneven * 50 < steady.len(), "{uneven} of {}", steady.len());
        let latency = mean(steady.iter().map(|s| s.latency));
        assert!(latency < 85_000, "{latency} us");
    }

    #[test]
    fn one_outage_does_not_delay_what_follows() {
        let mut buffer = VideoBuffer::new();
        let outage = |n: u64| if (300..330).contains(&n) { (330 - n) * FRAME_US } else { 0 } + 25_000;
        let shown = run(&mut buffer, 600, outage);
        assert_eq!(shown.len(), 600);
        let after = shown.iter().filter(|s| s.n > 345).map(|s| s.latency).max().unwrap();
        assert!(after < 30_000, "{after} us");
    }

    /// A path of 20 ms on which every `nth` frame waits for a retransmission of 100 ms, and those behind it too.
    fn repaired(buffer: &mut VideoBuffer, nth: u64) -> Vec<Shown> {
        let (start, mut shown, mut complete) = (Instant::now(), Vec::new(), 0);
        for n in 0..900 {
            let arrival = n * FRAME_US + 20_000;
            complete = complete.max(arrival + if n % nth == nth - 1 { 100_000 } else { 0 });
            take(buffer, start, complete, &mut shown);
            let now = start + Duration::from_micros(complete);
            buffer.push(now, frame(n, n == 0, start + Duration::from_micros(arrival)));
            while let Some(popped) = buffer.pop(now) {
                shown.push(Shown::new(&popped, complete));
            }
        }
        take(buffer, start, u64::MAX / 2, &mut shown);
        shown
    }

    #[test]
    fn waiting_for_few_lost_packets_delays_no_other_frame() {
        let mut buffer = VideoBuffer::new();
        let shown = repaired(&mut buffer, 60);
        assert!(buffer.delay() < Duration::from_millis(2), "{:?}", buffer.delay());
        let late = shown.iter().filter(|s| s.latency > 25_000).count();
        assert!(late < 900 / 60 * 8, "{late}");
    }

    #[test]
    fn waiting_for_many_lost_packets_delays_all_frames_alike() {
        let mut buffer = VideoBuffer::new();
        let shown = repaired(&mut buffer, 8);
        let delay = buffer.delay();
        assert!((Duration::from_millis(60)..Duration::from_millis(110)).contains(&delay), "{delay:?}");
        let uneven = shown[450..].windows(2).filter(|w| (w[1].at - w[0].at - FRAME_US as i64).abs() > 15_000).count();
        assert!(uneven < 45, "{uneven}");
    }

    #[test]
    fn late_frames_are_released_one_by_one() {
        let mut buffer = VideoBuffer::new();
        let shown = run(&mut buffer, 600, |n| if n % 60 == 59 { 120_000 } else { 20_000 });
        let least = shown.windows(2).map(|w| w[1].at - w[0].at).min();
        assert!(least >= Some(APART), "{least:?}");
        assert!(buffer.total_delay() > Duration::from_millis(100), "{:?}", buffer.total_delay());
    }

    #[test]
    fn delay_goes_away_after_the_path_has_calmed() {
        let mut buffer = VideoBuffer::new();
        run(&mut buffer, 900, |n| if n < 450 { walk(n) } else { 10_000 });
        assert!(buffer.delay() < Duration::from_millis(2), "{:?}", buffer.delay());
    }

    #[test]
    fn a_path_that_got_longer_is_followed_without_losing_frames() {
        let shown = run(&mut VideoBuffer::new(), 600, |n| if n < 300 { 10_000 } else { 110_000 });
        assert_eq!(shown.len(), 600);
        let end = mean(shown[500..].iter().map(|s| s.latency));
        assert!(end < 113_000, "{end}");
    }

    #[test]
    fn a_frame_too_many_flushes_and_a_keyframe_continues() {
        let (mut buffer, now) = (VideoBuffer::new(), Instant::now());
        let full = VideoBuffer::FRAMES as u64;
        for n in 0..=full {
            buffer.push(now, frame(n, n == 0, now));
        }
        assert!(buffer.needs_keyframe() && buffer.is_empty());
        buffer.push(now, frame(full + 1, false, now));
        assert!(buffer.needs_keyframe() && buffer.is_empty());
        buffer.push(now, frame(full + 2, true, now));
        assert!(!buffer.needs_keyframe());
        assert_eq!(buffer.pop(now + Duration::from_secs(9)).map(|f| number(&f)), Some(full + 2));
        assert_eq!(buffer.dropped(), full + 2);
    }

    #[test]
    fn a_full_buffer_goes_on_from_a_keyframe_that_is_in_it() {
        let (mut buffer, now) = (VideoBuffer::new(), Instant::now());
        for n in 0..=VideoBuffer::FRAMES as u64 {
            buffer.push(now, frame(n, n == 0 || n == 9, now));
        }
        assert!(!buffer.needs_keyframe());
        assert_eq!(buffer.pop(now + Duration::from_secs(9)).map(|f| number(&f)), Some(9));
    }

    #[test]
    fn a_stream_without_a_keyframe_asks_for_one() {
        let (mut buffer, now) = (VideoBuffer::new(), Instant::now());
        assert!(!buffer.needs_keyframe());
        buffer.push(now, frame(0, false, now));
        assert!(buffer.needs_keyframe());
    }

    #[test]
    fn a_restarted_clock_is_taken_as_a_new_beginning() {
        let (mut buffer, start) = (VideoBuffer::new(), Instant::now());
        for n in 0..60u64 {
            let now = start + Duration::from_micros(n * FRAME_US);
            let jump = if n < 30 { 0 } else { 1_000_000 };
            buffer.push(now, EncodedFrame { rtp_timestamp: (n * 3_000 + jump * 90) as u32, ..frame(n, n == 0, now) });
            assert_eq!(buffer.pop(now).map(|f| number(&f)), Some(n));
        }
    }

    /// Shows a minute of a sender whose clock jumps by `jump` µs after half a minute and who answers requests for keyframes
    /// after 100 ms; when frames were shown, µs.
    fn jump(jump: i64, path: impl Fn(u64) -> u64) -> Vec<i64> {
        let (mut buffer, start) = (VideoBuffer::new(), Instant::now());
        let (mut shown, mut keyframe_at) = (vec![], Some(0));
        for n in 0..1_800u64 {
            let arrival = n * FRAME_US + path(n);
            take(&mut buffer, start, arrival, &mut shown);
            let now = start + Duration::from_micros(arrival);
            let keyframe = keyframe_at.take_if(|at| n >= *at).is_some();
            let clock = n as i64 * 3_000 + if n < 900 { 0 } else { jump * 9 / 100 };
            buffer.push(now, EncodedFrame { rtp_timestamp: clock as u32, ..frame(n, keyframe, now) });
            while let Some(popped) = buffer.pop(now) {
                shown.push(Shown::new(&popped, arrival));
            }
            if buffer.needs_keyframe() && keyframe_at.is_none() {
                keyframe_at = Some(n + 3);
            }
        }
        shown.iter().map(|s| s.at).collect()
    }

    #[test]
    fn pictures_go_on_within_a_second_of_any_jump_of_the_clock() {
        let minutes = [-3_600, -60, -4].map(|s| s * 1_000_000).into_iter().chain([4, 60, 3_600].map(|s| s * 1_000_000));
        let shorter = [-2_900, -1_500, -800, -400, -100, 100, 400, 800, 1_500, 2_900].map(|ms| ms * 1_000);
        for by in minutes.chain(shorter) {
            for path in [|_| 20_000, |n| 20_000 + noise(n) % 40_000] {
                let shown = jump(by, path);
                let at = 900 * FRAME_US as i64;
                let gap = shown.windows(2).map(|w| w[1] - w[0]).max().unwrap();
                assert!(gap < 1_000_000, "{by} us: a gap of {gap} us");
                let after = shown.iter().filter(|t| **t > at + 1_000_000).count();
                assert!(after > 830, "{by} us: {after} of 870 frames");
            }
        }
    }

    #[test]
    fn the_extra_delay_is_added() {
        let mut buffer = VideoBuffer::new();
        buffer.set_extra_delay(Duration::from_millis(60));
        let shown = run(&mut buffer, 100, |_| 10_000);
        assert!(shown.iter().all(|s| (69_000..72_000).contains(&s.latency)));
    }

    proptest! {
        #[test]
        fn frames_come_out_once_and_in_order_whatever_the_path(delays in prop::collection::vec(0u64..400_000, 1..120)) {
            let mut buffer = VideoBuffer::new();
            let shown = run(&mut buffer, delays.len() as u64, |n| delays[n as usize]);
            prop_assert!(shown.windows(2).all(|w| w[0].n < w[1].n && w[0].at <= w[1].at));
            prop_assert_eq!(shown.len() as u64 + buffer.dropped(), delays.len() as u64);
            prop_assert!(buffer.delay() <= VideoBuffer::MAX_DELAY + Duration::from_millis(400));
        }

        #[test]
        fn any_times_are_survived(steps in prop::collection::vec((0u64..5_000_000, any::<u32>(), any::<bool>()), 1..60)) {
            let (mut buffer, mut now) = (VideoBuffer::new(), Instant::now());
            for (step, rtp_timestamp, keyframe) in steps {
                now += Duration::from_micros(step);
                buffer.push(now, EncodedFrame { rtp_timestamp, ..frame(0, keyframe, now) });
                prop_assert!(buffer.len() <= VideoBuffer::FRAMES);
                let _ = buffer.pop(now);
                let _ = buffer.poll_timeout();
            }
        }
    }
}
