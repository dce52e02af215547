//! Keeps an audio stream running: decides when to rebuild it and what to report.

use crate::error::DeviceError;
use crate::event::DeviceEvent;
use std::time::{Duration, Instant};

/// The life of a stream.
///
/// ```text
///  built ──► Starting ──callback──► Live
///   ▲           │ fault, or no callback for 3 s (5 s at first) │
///   │           ▼                                              │
///   └──────── Waiting ◄────────────────────────────────────────┘
///               │ a device chosen by name was absent for 3 s
///               ▼
///             Gone
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
enum StreamState {
    /// Built at that time; no callback yet.
    Starting { since: Instant },
    /// Callbacks arrive; their number and the time of the last change.
    Live { callbacks: u64, at: Instant },
    /// Rebuild at that time.
    Waiting { until: Instant },
    /// The device is gone; nothing more happens.
    Gone,
}

/// What the owner of the stream must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Call again later.
    Wait,
    /// Report this event.
    Report(DeviceEvent),
    /// Drop the stream.
    Close,
    /// Build a new stream, then call [`Keep::built`] or [`Keep::not_built`].
    Build,
    /// End. The event was reported already.
    End,
}

/// The state machine; its owner has the stream and the clock.
#[derive(Debug)]
pub(super) struct Keep {
    state: StreamState,
    /// Whether the person chose this device. If so, another one must not replace it.
    named: bool,
    attempts: u32,
    lost_at: Option<Instant>,
    /// Multiplier of the timeouts. It grows while rebuilt streams get no callbacks: some servers take seconds to start.
    patience: u32,
    last_report: LastReport,
}

/// The last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastReport {
    Nothing,
    Live,
    Failed,
}

const FIRST_CALLBACK: Duration = Duration::from_secs(5);
const NEXT_CALLBACK: Duration = Duration::from_secs(3);
const MAX_PATIENCE: u32 = 16;
const GONE_AFTER: Duration = Duration::from_secs(3);
const RETRY_MS: [u64; 4] = [100, 250, 500, 1000];

impl Keep {
    /// The first stream has been built.
    pub(super) fn new(named: bool, now: Instant) -> Self {
        let state = StreamState::Starting { since: now };
        Self { state, named, attempts: 0, lost_at: None, patience: 1, last_report: LastReport::Nothing }
    }

    /// Call this every few hundred milliseconds, and when a fault is signalled. `callbacks` counts those of the current
    /// stream; `fault` means that it must be rebuilt.
    pub(super) fn step(&mut self, now: Instant, callbacks: u64, fault: bool) -> Step {
        match self.state {
            StreamState::Starting { .. } | StreamState::Live { .. } if fault => self.lose(now),
            StreamState::Starting { .. } if callbacks > 0 => {
                self.state = StreamState::Live { callbacks, at: now };
                (self.attempts, self.lost_at) = (0, None);
                match std::mem::replace(&mut self.last_report, LastReport::Live) {
                    LastReport::Live => Step::Wait,
                    LastReport::Nothing | LastReport::Failed => Step::Report(DeviceEvent::Live),
                }
            }
            StreamState::Starting { since } if now.duration_since(since) > FIRST_CALLBACK * self.patience => {
                self.miss(now)
            }
            StreamState::Starting { .. } => Step::Wait,
            StreamState::Live { callbacks: seen, .. } if callbacks != seen => {
                self.state = StreamState::Live { callbacks, at: now };
                Step::Wait
            }
            StreamState::Live { at, .. } if now.duration_since(at) > NEXT_CALLBACK * self.patience => self.miss(now),
            StreamState::Live { .. } => Step::Wait,
            StreamState::Waiting { until } if now >= until => Step::Build,
            StreamState::Waiting { .. } => Step::Wait,
            StreamState::Gone => Step::End,
        }
    }

    /// The stream has been rebuilt.
    pub(super) fn built(&mut self, now: Instant) {
        self.state = StreamState::Starting { since: now };
    }

    /// Rebuilding failed.
    pub(super) fn not_built(&mut self, now: Instant, error: DeviceError) -> Step {
        let retry = RETRY_MS[(self.attempts as usize).min(RETRY_MS.len() - 1)];
        self.attempts += 1;
        self.state = StreamState::Waiting { until: now + Duration::from_millis(retry) };
        let absent = matches!(error, DeviceError::NotFound | DeviceError::Gone);
        let lost_for = now.duration_since(*self.lost_at.get_or_insert(now));
        if absent && self.named {
            if lost_for < GONE_AFTER {
                return Step::Wait;
            }
            self.state = StreamState::Gone;
            return Step::Report(DeviceEvent::Gone);
        }
        match std::mem::replace(&mut self.last_report, LastReport::Failed) {
            LastReport::Failed => Step::Wait,
            LastReport::Nothing | LastReport::Live => Step::Report(DeviceEvent::Failed(error)),
        }
    }

    fn miss(&mut self, now: Instant) -> Step {
        self.patience = (self.patience * 2).min(MAX_PATIENCE);
        self.lose(now)
    }

    fn lose(&mut self, now: Instant) -> Step {
        self.lost_at.get_or_insert(now);
        self.state = StreamState::Waiting { until: now + Duration::from_millis(RETRY_MS[0]) };
        Step::Close
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn live(named: bool) -> (Keep, Instant) {
        let now = Instant::now();
        let mut keep = Keep::new(named, now);
        assert_eq!(keep.step(now, 0, false), Step::Wait);
        assert_eq!(keep.step(now + ms(20), 1, false), Step::Report(DeviceEvent::Live));
        (keep, now + ms(20))
    }

    #[test]
    fn an_invalidated_stream_is_rebuilt_silently() {
        let (mut keep, now) = live(true);
        assert_eq!(keep.step(now, 2, true), Step::Close);
        assert_eq!(keep.step(now + ms(50), 2, false), Step::Wait);
        assert_eq!(keep.step(now + ms(100), 2, false), Step::Build);
        keep.built(now + ms(120));
        assert_eq!(keep.step(now + ms(140), 1, false), Step::Wait);
        assert_eq!(keep.step(now + ms(160), 2, false), Step::Wait);
    }

    #[test]
    fn a_stalled_stream_is_rebuilt() {
        let (mut keep, now) = live(false);
        assert_eq!(keep.step(now + ms(2900), 1, false), Step::Wait);
        assert_eq!(keep.step(now + ms(3001), 1, false), Step::Close);
    }

    #[test]
    fn slow_streams_get_longer_timeouts() {
        let (mut keep, mut now) = live(false);
        now += ms(3001);
        assert_eq!(keep.step(now, 1, false), Step::Close);
        keep.built(now);
        assert_eq!(keep.step(now + ms(9900), 0, false), Step::Wait);
        assert_eq!(keep.step(now + ms(10_001), 0, false), Step::Close);
        keep.built(now);
        assert_eq!(keep.step(now + ms(19_900), 0, false), Step::Wait);
    }

    #[test]
    fn a_chosen_device_that_does_not_return_is_gone() {
        let (mut keep, mut now) = live(true);
        assert_eq!(keep.step(now, 1, true), Step::Close);
        let mut last = Step::Wait;
        for _ in 0..100 {
            now += ms(100);
            last = match keep.step(now, 1, false) {
                Step::Build => keep.not_built(now, DeviceError::NotFound),
                other => other,
            };
            if last != Step::Wait {
                break;
            }
        }
        assert_eq!(last, Step::Report(DeviceEvent::Gone));
        assert_eq!(keep.step(now, 1, false), Step::End);
    }

    #[test]
    fn the_default_device_is_retried_and_reported_once() {
        let (mut keep, mut now) = live(false);
        assert_eq!(keep.step(now, 1, true), Step::Close);
        let mut reports = Vec::new();
        for _ in 0..600 {
            now += ms(100);
            if keep.step(now, 1, false) == Step::Build {
                reports.push(keep.not_built(now, DeviceError::NotFound));
            }
        }
        reports.retain(|r| *r != Step::Wait);
        assert_eq!(reports, [Step::Report(DeviceEvent::Failed(DeviceError::NotFound))]);
        keep.built(now);
        assert_eq!(keep.step(now + ms(10), 1, false), Step::Report(DeviceEvent::Live));
    }

    #[test]
    fn a_busy_chosen_device_is_retried_and_reported() {
        let (mut keep, now) = live(true);
        assert_eq!(keep.step(now, 1, true), Step::Close);
        let failed = Step::Report(DeviceEvent::Failed(DeviceError::Busy));
        assert_eq!(keep.not_built(now + ms(5000), DeviceError::Busy), failed);
        assert_eq!(keep.step(now + ms(7000), 0, false), Step::Build);
    }
}
