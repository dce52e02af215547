//! Releases the frames of one video stream at even intervals.
//!
//! The lateness of a frame is its arrival time minus its RTP time. The base is the lateness of the fastest frame of the
//! last [`WINDOW`]. Frames are released with a delay relative to the base by which nearly all frames have arrived, so that
//! the intervals are even. The delay follows the lateness of *arrivals*: the frames of a burst count once, with the
//! lateness of the first, which is the highest. One outage therefore does not delay all later frames. Small jitter is
//! tolerated, because the refresh interval of a display hides it. The delay changes gradually.
//!
//! The wait for lost packets is not jitter of the path, and [`EncodedFrame::time`] does not include it. It increases the
//! delay of all frames only if many frames waited recently ([`REPAIRED_SHARE`]), and only up to a bound. Late frames are
//! released at intervals of [`MIN_SPACING`], so that each is visible.

use super::unwrap::Unwrap32;
use crate::encoded::EncodedFrame;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Time over which lateness is measured.
const WINDOW: Duration = Duration::from_secs(4);
/// Most arrivals kept. Above 64 frames per second, the window is shorter.
const MAX_ARRIVALS: usize = 256;
/// The share of arrivals that should be in time.
const IN_TIME_SHARE: f64 = 0.95;
/// Earlier arrivals add at most [`MAX_OLD_EXCESS`] in µs, so that the delay falls soon after a queue has drained.
const RECENT: Duration = Duration::from_millis(500);
const MAX_OLD_EXCESS: i64 = 20_000;
/// The delay covers the wait for lost packets in this share of the frames of [`REPAIR_WINDOW`], up to [`REPAIR_DELAY`] in
/// µs. If they wait longer than twice that, it covers all but [`REPAIR_DELAY`], because a longer pause would be visible as
/// a freeze. It does not exceed the longest wait of [`RECENT_REPAIRS`], so that losses that ended, as at the start of a call
/// on a narrow path, do not delay the next ten seconds.
const REPAIRED_SHARE: f64 = 0.92;
const REPAIR_WINDOW: Duration = Duration::from_secs(10);
const RECENT_REPAIRS: Duration = Duration::from_secs(2);
const REPAIR_DELAY: i64 = 100_000;
/// Most frames kept of that time. When full, the oldest is dropped.
const MAX_REPAIRS: usize = 512;
/// Shortest interval between two frames in µs. A 60 Hz display would not show both frames of a shorter one. It is at most
/// [`MIN_SPACING_SHARE`] of the frame interval of the stream, so that late frames catch up.
const MIN_SPACING: i64 = 16_000;
const MIN_SPACING_SHARE: f64 = 0.75;
/// With more waiting frames, the spacing is [`BACKLOG_SPACING`] in µs, because catching up is then more important.
const BACKLOG: usize = 8;
const BACKLOG_SPACING: i64 = 4_000;
/// Jitter that does not increase the delay, in µs.
const TOLERATED_JITTER: i64 = 6_000;
/// A frame that arrives within this time of the previous one belongs to its burst, in µs.
const BURST_GAP: i64 = 4_000;
/// The delay changes by at most this share of the elapsed time.
const SLEW: f64 = 0.25;
/// If lateness increases by more than this between two frames, the sender's clock was set back. In µs.
const MAX_LATENESS_INCREASE: i64 = 3_000_000;
/// If lateness decreases by more than this, the sender's clock was set forward, or frames are missing. No consecutive frame
/// is held for this long. In µs.
const MAX_LATENESS_DECREASE: i64 = 700_000;
/// RTP clock rate of video in Hz.
const CLOCK_RATE: i64 = 90_000;

/// ```text
///  Start ──── keyframe ───► Flowing ◄──── keyframe ──── AwaitKeyframe ◄─┐ delta frame:
///    │                         │                         ▲   ▲   └───────┘ dropped
///    │                         └── overflow without ─────┘   │
///    │                             a keyframe                │
///    └──────────────────── delta frame: dropped ─────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No frame has arrived yet.
    Start,
    /// Frames are dropped until a keyframe arrives.
    AwaitKeyframe,
    /// Consecutive frames arrive.
    Flowing,
}

/// The jitter buffer of one video stream.
///
/// Holds at most [`VideoBuffer::FRAMES`]. When full, it drops all frames before the newest keyframe. If it holds no later
/// keyframe, it drops all frames, and further ones until a keyframe arrives. Call [`VideoBuffer::pop`] between pushes.
#[derive(Debug)]
pub struct VideoBuffer {
    state: State,
    frames: VecDeque<HeldFrame>,
    lateness: Lateness,
    unwrap: Unwrap32,
    origin: Option<Instant>,
    /// The current delay, as lateness in µs.
    offset: Option<f64>,
    /// When `offset` last changed, in µs.
    slewed_at: Option<i64>,
    extra: Duration,
    last_due: i64,
    /// When the last frame was released, in µs.
    last_release: i64,
    held: Duration,
    dropped: u64,
    late: u64,
}

#[derive(Debug)]
struct HeldFrame {
    frame: EncodedFrame,
    media_us: i64,
}

impl Default for VideoBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl VideoBuffer {
    /// Most frames held.
    pub const FRAMES: usize = 64;

    /// The longest delay, without the extra delay for lip sync.
    pub const MAX_DELAY: Duration = Duration::from_millis(500);

    /// Creates an empty buffer.
    pub fn new() -> Self {
        Self {
            state: State::Start,
            frames: VecDeque::with_capacity(Self::FRAMES),
            lateness: Lateness::default(),
            unwrap: Unwrap32::default(),
            origin: None,
            offset: None,
            slewed_at: None,
            extra: Duration::ZERO,
            last_due: i64::MIN,
            last_release: i64::MIN / 2,
            held: Duration::ZERO,
            dropped: 0,
            late: 0,
        }
    }

    /// Adds the next frame in decoding order, which became complete at `now`.
    pub fn push(&mut self, now: Instant, frame: EncodedFrame) {
        let media_us = self.unwrap.unwrap(frame.rtp_timestamp) * 1_000_000 / CLOCK_RATE;
        let now_us = self.micros(now);
        let arrived_us = self.micros(now.min(frame.time));
        if self.lateness.record(arrived_us, now_us, media_us) == Continuity::Restarted {
            self.offset = None;
            self.last_due = i64::MIN;
            // Waiting frames have times of the old clock. They are released with the first frame of the new one.
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
        self.frames.push_back(HeldFrame { frame, media_us });
        if self.frames.len() > Self::FRAMES {
            self.overflow();
        }
    }

    /// Returns the next frame if it is due. Its `time` is the time at which it should be shown, or `now` if it is late. Late
    /// frames are returned too, because later frames depend on them.
    pub fn pop(&mut self, now: Instant) -> Option<EncodedFrame> {
        let now_us = self.micros(now);
        let due = self.due(self.frames.front()?);
        if due > now_us {
            return None;
        }
        self.slew(now_us); // after the check, so that a frame due according to poll_timeout is returned
        let held = self.frames.pop_front()?;
        let late = now_us - self.scheduled(&held) > TOLERATED_JITTER;
        self.last_due = due;
        self.last_release = now_us;
        self.held += now.saturating_duration_since(held.frame.time);
        self.late += u64::from(late);
        let time = if late { now } else { self.instant(due).unwrap_or(now) };
        Some(EncodedFrame { time, ..held.frame })
    }

    /// When [`VideoBuffer::pop`] returns the next frame. `None` if the buffer is empty.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.frames.front().and_then(|held| self.instant(self.due(held)))
    }

    /// Whether frames are dropped until a keyframe arrives.
    pub fn needs_keyframe(&self) -> bool {
        self.state == State::AwaitKeyframe
    }

    /// The current delay of release relative to the fastest recent frame.
    pub fn delay(&self) -> Duration {
        let base = self.lateness.base().unwrap_or(0) as f64;
        micros(self.offset.map_or(0, |offset| (offset - base) as i64)) + self.extra
    }

    /// Sets an additional delay for lip sync. Change it slowly.
    pub fn set_extra_delay(&mut self, extra: Duration) {
        self.extra = extra;
    }

    /// Time from arrival to release, summed over all frames (`jitterBufferDelay` of W3C webrtc-stats).
    pub fn total_delay(&self) -> Duration {
        self.held
    }

    /// Number of frames dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Number of frames released late.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Number of frames held.
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

    fn due(&self, held: &HeldFrame) -> i64 {
        self.scheduled(held).max(self.last_due).max(self.last_release + self.min_spacing())
    }

    /// When the frame should be released, without regard to spacing and order.
    fn scheduled(&self, held: &HeldFrame) -> i64 {
        held.media_us + self.offset.unwrap_or(0.0) as i64 + self.extra.as_micros() as i64
    }

    fn min_spacing(&self) -> i64 {
        let max_delay = if self.frames.len() > BACKLOG { BACKLOG_SPACING } else { MIN_SPACING };
        max_delay.min((self.lateness.last_period as f64 * MIN_SPACING_SHARE) as i64)
    }

    /// Moves the delay towards the target.
    fn slew(&mut self, now_us: i64) {
        let Some(target) = self.lateness.target() else { return };
        let target = target as f64;
        let passed = (now_us - self.slewed_at.replace(now_us).unwrap_or(now_us)).max(0);
        let max_delay = passed as f64 * SLEW;
        self.offset = Some(match self.offset {
            None => target,
            Some(offset) => offset + (target - offset).clamp(-max_delay, max_delay),
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

/// Whether the sender's clock is continuous.
#[derive(Debug, PartialEq, Eq)]
enum Continuity {
    Continuous,
    Restarted,
}

/// The lateness of recent arrivals. All times are in µs.
#[derive(Debug, Default)]
struct Lateness {
    arrivals: VecDeque<Arrival>,
    /// When frames became complete, and how long each waited for lost packets.
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
    /// Records a frame with media time `media` that arrived at `at` and became complete at `complete`.
    fn record(&mut self, at: i64, complete: i64, media: i64) -> Continuity {
        let late = at - media;
        let previous = self.last.replace(Arrival { at, late });
        let restarted = previous.is_some_and(|previous| {
            late - previous.late > MAX_LATENESS_INCREASE || previous.late - late > MAX_LATENESS_DECREASE
        });
        if restarted {
            self.arrivals.clear();
            self.waits.clear();
        }
        self.waits.push_back((complete, complete - at));
        let burst =
            previous.is_some_and(|previous| at - previous.at < BURST_GAP) && !self.arrivals.is_empty() && !restarted;
        if let (Some(previous), false) = (previous, restarted) {
            // The media time between two frames, smoothed.
            let period = (at - late) - (previous.at - previous.late);
            self.last_period += (period.clamp(0, 1_000_000) - self.last_period) / 8;
        }
        if burst {
            return Continuity::Continuous;
        }
        self.arrivals.push_back(Arrival { at, late });
        self.expire(at, complete);
        self.update();
        self.update_repair();
        if restarted { Continuity::Restarted } else { Continuity::Continuous }
    }

    fn expire(&mut self, at: i64, complete: i64) {
        while self.waits.len() > MAX_REPAIRS
            || self.waits.front().is_some_and(|(at, _)| complete - at > REPAIR_WINDOW.as_micros() as i64)
        {
            self.waits.pop_front();
        }
        while self.arrivals.len() > MAX_ARRIVALS
            || self.arrivals.front().is_some_and(|a| at - a.at > WINDOW.as_micros() as i64)
        {
            self.arrivals.pop_front();
        }
    }

    fn update(&mut self) {
        self.sorted.clear();
        self.sorted.extend(self.arrivals.iter().map(|a| a.late));
        self.sorted.sort_unstable();
        let Some(last) = self.sorted.len().checked_sub(1) else { return };
        self.base = self.sorted[0];
        let needed = self.sorted[(last as f64 * IN_TIME_SHARE) as usize];
        let needed = needed.min(self.recently_needed() + MAX_OLD_EXCESS) - self.base - TOLERATED_JITTER;
        self.target = self.base + needed.clamp(0, self.max_delay());
    }

    /// The lateness that most arrivals of [`RECENT`] do not exceed.
    fn recently_needed(&mut self) -> i64 {
        let Some(newest) = self.arrivals.back().map(|a| a.at) else { return 0 };
        self.sorted.clear();
        let recent = self.arrivals.iter().rev().take_while(|a| newest - a.at <= RECENT.as_micros() as i64);
        self.sorted.extend(recent.map(|a| a.late));
        self.sorted.sort_unstable();
        self.sorted[((self.sorted.len() - 1) as f64 * IN_TIME_SHARE) as usize]
    }

    /// Increases the target if many frames waited for lost packets.
    fn update_repair(&mut self) {
        self.sorted.clear();
        self.sorted.extend(self.waits.iter().map(|(_, wait)| *wait));
        self.sorted.sort_unstable();
        let Some(last) = self.sorted.len().checked_sub(1) else { return };
        let wait = self.sorted[(last as f64 * REPAIRED_SHARE) as usize].min(self.recent_wait()) - TOLERATED_JITTER;
        let covered = wait.min(REPAIR_DELAY.max(wait - REPAIR_DELAY));
        self.target = self.target.max(self.base + covered.min(self.max_delay()));
    }

    /// The longest wait of [`RECENT_REPAIRS`].
    fn recent_wait(&self) -> i64 {
        let Some((newest, _)) = self.waits.back() else { return 0 };
        let recent = self.waits.iter().rev().take_while(|(at, _)| newest - at <= RECENT_REPAIRS.as_micros() as i64);
        recent.map(|(_, wait)| *wait).max().unwrap_or(0)
    }

    /// The longest delay that does not fill the buffer.
    fn max_delay(&self) -> i64 {
        let room = self.last_period * (VideoBuffer::FRAMES as i64 - 4);
        let max_delay = VideoBuffer::MAX_DELAY.as_micros() as i64;
        if self.last_period == 0 { max_delay } else { max_delay.min(room) }
    }

    fn base(&self) -> Option<i64> {
        self.arrivals.front().map(|_| self.base)
    }

    fn target(&self) -> Option<i64> {
        self.arrivals.front().map(|_| self.target)
    }
}

#[cfg(test)]
mod tests;
