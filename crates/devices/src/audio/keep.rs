//! Keeps an audio stream running: decides when to rebuild it, with which device, and what to report.

use crate::error::DeviceError;
use crate::event::DeviceEvent;
use std::time::{Duration, Instant};

/// The life of a stream.
///
/// ```text
///  built ──► Starting ──callback──► Live ──(the default in place of the chosen device: every second)──► build Chosen
///   ▲           │ fault, or no callback for 0.7 s (5 s at first) │
///   │           ▼                                                │
///   └──────── Waiting ◄──────────────────────────────────────────┘
///               │ a device chosen by name, which nothing may replace, was absent for 3 s
///               ▼
///             Gone
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
enum StreamState {
    /// Built at that time; no callback yet.
    Starting { since: Instant },
    /// Callbacks arrive; their number and the time of the last change.
    Live { callbacks: u64, at: Instant },
    /// Build this device at that time.
    Waiting { until: Instant, target: Target },
    /// The device is gone; nothing more happens.
    Gone,
}

/// Which device a stream uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The one that the person chose; the system's default if they chose none.
    Chosen,
    /// The system's default, while the chosen one is absent.
    Default,
}

/// Whose stream it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// The person chose no device: the system's default.
    Default,
    /// The person chose this device, and no other may replace it.
    Fixed,
    /// The person chose this device. While it is absent, the system's default replaces it.
    Replaceable,
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
    /// Build a new stream, then call [`Keep::built`] or [`Keep::not_built`]. An old stream is dropped after that.
    Build(Target),
    /// End. The event was reported already.
    End,
}

/// The state machine; its owner has the stream and the clock.
#[derive(Debug)]
pub(super) struct Keep {
    state: StreamState,
    choice: Choice,
    /// The device of the newest stream.
    target: Target,
    attempts: u32,
    lost_at: Option<Instant>,
    /// Multiplier of the timeouts. It grows while rebuilt streams get no callbacks: some servers take seconds to start.
    patience: u32,
    /// When to try the chosen device again while the default replaces it, and how often it was tried in vain.
    look: Option<Instant>,
    /// Since when errors have been reported without a callback.
    doubt: Option<Instant>,
    last_report: LastReport,
}

/// The last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastReport {
    Nothing,
    Live(Target),
    Failed,
}

const FIRST_CALLBACK: Duration = Duration::from_secs(5);
/// Callbacks come every 10 to 20 ms. A stream without one for this long plays nothing, so rebuilding loses nothing.
const NEXT_CALLBACK: Duration = Duration::from_millis(700);
/// How long a stream may be without a callback after an error.
const DOUBT: Duration = Duration::from_millis(120);
const MAX_PATIENCE: u32 = 64;
const GONE_AFTER: Duration = Duration::from_secs(3);
const RETRY_MS: [u64; 4] = [100, 250, 500, 1000];
/// How often a device that is absent is tried again while the default replaces it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Keep {
    /// The first stream has been built, with this device.
    pub(super) fn new(choice: Choice, target: Target, now: Instant) -> Self {
        let state = StreamState::Starting { since: now };
        let look = (target == Target::Default).then_some(now + LOOK_AGAIN);
        let last_report = LastReport::Nothing;
        Self { state, choice, target, attempts: 0, lost_at: None, patience: 1, look, doubt: None, last_report }
    }

    /// The stream reported an error after which it usually continues.
    pub(super) fn doubt(&mut self, now: Instant) {
        self.doubt.get_or_insert(now);
    }

    /// Whether the stream uses the system's default.
    pub(super) fn is_default(&self) -> bool {
        self.choice == Choice::Default || self.target == Target::Default
    }

    /// Call this every few hundred milliseconds, and when a fault is signalled. `callbacks` counts those of the current
    /// stream; `fault` means that it must be rebuilt.
    pub(super) fn step(&mut self, now: Instant, callbacks: u64, fault: bool) -> Step {
        match self.state {
            StreamState::Starting { .. } | StreamState::Live { .. } if fault => self.lose(now),
            StreamState::Starting { .. } if callbacks > 0 => self.live(now, callbacks),
            StreamState::Starting { since } if now.duration_since(since) > FIRST_CALLBACK * self.patience.min(16) => {
                self.miss(now)
            }
            StreamState::Starting { .. } => Step::Wait,
            StreamState::Live { callbacks: seen, .. } if callbacks != seen => {
                self.state = StreamState::Live { callbacks, at: now };
                self.doubt = None;
                match self.look.take_if(|look| *look <= now) {
                    Some(_) => Step::Build(Target::Chosen),
                    None => Step::Wait,
                }
            }
            StreamState::Live { .. } if self.doubt.is_some_and(|since| now.duration_since(since) > DOUBT) => {
                self.lose(now)
            }
            StreamState::Live { at, .. } if now.duration_since(at) > NEXT_CALLBACK * self.patience => self.miss(now),
            StreamState::Live { .. } => Step::Wait,
            StreamState::Waiting { until, target } if now >= until => Step::Build(target),
            StreamState::Waiting { .. } => Step::Wait,
            StreamState::Gone => Step::End,
        }
    }

    /// A new stream has been built, with this device.
    pub(super) fn built(&mut self, now: Instant, target: Target) {
        self.doubt = None;
        self.state = StreamState::Starting { since: now };
        self.target = target;
        self.look = (target == Target::Default).then_some(now + LOOK_AGAIN);
    }

    /// Building failed. If the old stream runs, it goes on.
    pub(super) fn not_built(&mut self, now: Instant, target: Target, error: DeviceError) -> Step {
        if let StreamState::Live { .. } = self.state {
            self.look = Some(now + LOOK_AGAIN);
            return Step::Wait;
        }
        if self.choice == Choice::Replaceable && target == Target::Chosen {
            self.state = StreamState::Waiting { until: now, target: Target::Default };
            return Step::Wait;
        }
        let retry = RETRY_MS[(self.attempts as usize).min(RETRY_MS.len() - 1)];
        self.attempts += 1;
        self.state = StreamState::Waiting { until: now + Duration::from_millis(retry), target: Target::Chosen };
        let absent = matches!(error, DeviceError::NotFound | DeviceError::Gone);
        let lost_for = now.duration_since(*self.lost_at.get_or_insert(now));
        if absent && self.choice == Choice::Fixed {
            if lost_for < GONE_AFTER {
                return Step::Wait;
            }
            self.state = StreamState::Gone;
            return Step::Report(DeviceEvent::Gone);
        }
        match std::mem::replace(&mut self.last_report, LastReport::Failed) {
            LastReport::Failed => Step::Wait,
            LastReport::Nothing | LastReport::Live(_) => Step::Report(DeviceEvent::Failed(error)),
        }
    }

    fn live(&mut self, now: Instant, callbacks: u64) -> Step {
        self.state = StreamState::Live { callbacks, at: now };
        (self.attempts, self.lost_at) = (0, None);
        let report = LastReport::Live(self.target);
        if std::mem::replace(&mut self.last_report, report) == report {
            return Step::Wait;
        }
        Step::Report(match self.target {
            Target::Chosen => DeviceEvent::Live,
            Target::Default => DeviceEvent::Replaced,
        })
    }

    fn miss(&mut self, now: Instant) -> Step {
        self.patience = (self.patience * 2).min(MAX_PATIENCE);
        self.lose(now)
    }

    fn lose(&mut self, now: Instant) -> Step {
        self.lost_at.get_or_insert(now);
        let until = now + Duration::from_millis(RETRY_MS[0]);
        self.state = StreamState::Waiting { until, target: Target::Chosen };
        Step::Close
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn live(choice: Choice) -> (Keep, Instant) {
        let now = Instant::now();
        let mut keep = Keep::new(choice, Target::Chosen, now);
        assert_eq!(keep.step(now, 0, false), Step::Wait);
        assert_eq!(keep.step(now + ms(20), 1, false), Step::Report(DeviceEvent::Live));
        (keep, now + ms(20))
    }

    #[test]
    fn an_invalidated_stream_is_rebuilt_silently() {
        let (mut keep, now) = live(Choice::Fixed);
        assert_eq!(keep.step(now, 2, true), Step::Close);
        assert_eq!(keep.step(now + ms(50), 2, false), Step::Wait);
        assert_eq!(keep.step(now + ms(100), 2, false), Step::Build(Target::Chosen));
        keep.built(now + ms(120), Target::Chosen);
        assert_eq!(keep.step(now + ms(140), 1, false), Step::Wait);
        assert_eq!(keep.step(now + ms(160), 2, false), Step::Wait);
    }

    #[test]
    fn a_stalled_stream_is_rebuilt_within_a_second() {
        let (mut keep, now) = live(Choice::Default);
        assert_eq!(keep.step(now + ms(650), 1, false), Step::Wait);
        assert_eq!(keep.step(now + ms(701), 1, false), Step::Close);
        assert_eq!(keep.step(now + ms(801), 1, false), Step::Build(Target::Chosen));
    }

    #[test]
    fn an_error_without_callbacks_is_a_loss_and_one_with_callbacks_is_not() {
        let (mut keep, now) = live(Choice::Default);
        keep.doubt(now);
        assert_eq!(keep.step(now + ms(100), 2, false), Step::Wait);
        assert_eq!(keep.step(now + ms(300), 2, false), Step::Wait, "callbacks came since");
        keep.doubt(now + ms(300));
        assert_eq!(keep.step(now + ms(400), 2, false), Step::Wait);
        assert_eq!(keep.step(now + ms(430), 2, false), Step::Close);
    }

    #[test]
    fn slow_streams_get_longer_timeouts() {
        let (mut keep, mut now) = live(Choice::Default);
        now += ms(701);
        assert_eq!(keep.step(now, 1, false), Step::Close);
        keep.built(now, Target::Chosen);
        assert_eq!(keep.step(now + ms(9900), 0, false), Step::Wait);
        assert_eq!(keep.step(now + ms(10_001), 0, false), Step::Close);
        keep.built(now, Target::Chosen);
        assert_eq!(keep.step(now + ms(19_900), 0, false), Step::Wait);
    }

    #[test]
    fn a_fixed_device_that_does_not_return_is_gone() {
        let (mut keep, mut now) = live(Choice::Fixed);
        assert_eq!(keep.step(now, 1, true), Step::Close);
        let mut last = Step::Wait;
        for _ in 0..100 {
            now += ms(100);
            last = match keep.step(now, 1, false) {
                Step::Build(target) => keep.not_built(now, target, DeviceError::NotFound),
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
        let (mut keep, mut now) = live(Choice::Default);
        assert_eq!(keep.step(now, 1, true), Step::Close);
        let mut reports = Vec::new();
        for _ in 0..600 {
            now += ms(100);
            if let Step::Build(target) = keep.step(now, 1, false) {
                reports.push(keep.not_built(now, target, DeviceError::NotFound));
            }
        }
        reports.retain(|r| *r != Step::Wait);
        assert_eq!(reports, [Step::Report(DeviceEvent::Failed(DeviceError::NotFound))]);
        keep.built(now, Target::Chosen);
        assert_eq!(keep.step(now + ms(10), 1, false), Step::Report(DeviceEvent::Live));
    }

    #[test]
    fn a_busy_fixed_device_is_retried_and_reported() {
        let (mut keep, now) = live(Choice::Fixed);
        assert_eq!(keep.step(now, 1, true), Step::Close);
        let failed = Step::Report(DeviceEvent::Failed(DeviceError::Busy));
        assert_eq!(keep.not_built(now + ms(5000), Target::Chosen, DeviceError::Busy), failed);
        assert_eq!(keep.step(now + ms(7000), 0, false), Step::Build(Target::Chosen));
    }

    #[test]
    fn the_default_replaces_an_unplugged_headset_until_it_returns() {
        let (mut keep, mut now) = live(Choice::Replaceable);
        assert_eq!(keep.step(now, 9, true), Step::Close);
        now += ms(100);
        assert_eq!(keep.step(now, 9, false), Step::Build(Target::Chosen));
        assert_eq!(keep.not_built(now, Target::Chosen, DeviceError::NotFound), Step::Wait);
        assert_eq!(keep.step(now, 9, false), Step::Build(Target::Default), "at once");
        keep.built(now, Target::Default);
        assert!(keep.is_default());
        assert_eq!(keep.step(now + ms(20), 1, false), Step::Report(DeviceEvent::Replaced));
        let mut tries = 0;
        for n in 2..500 {
            now += ms(20);
            match keep.step(now, n, false) {
                Step::Build(Target::Chosen) if tries < 3 => {
                    tries += 1;
                    assert_eq!(keep.not_built(now, Target::Chosen, DeviceError::NotFound), Step::Wait, "it goes on");
                }
                Step::Build(target) => {
                    keep.built(now, target);
                    break;
                }
                other => assert_eq!(other, Step::Wait),
            }
        }
        assert_eq!(tries, 3, "once a second");
        assert_eq!(keep.step(now + ms(20), 1, false), Step::Report(DeviceEvent::Live));
        assert!(!keep.is_default());
    }

    #[test]
    fn without_any_device_the_chosen_one_and_the_default_are_tried_in_turn() {
        let (mut keep, mut now) = live(Choice::Replaceable);
        assert_eq!(keep.step(now, 9, true), Step::Close);
        let (mut built, mut reports) = (vec![], vec![]);
        for _ in 0..30 {
            now += ms(100);
            while let Step::Build(target) = keep.step(now, 9, false) {
                built.push(target);
                reports.push(keep.not_built(now, target, DeviceError::NotFound));
            }
        }
        assert!(built.len() >= 6 && built.chunks_exact(2).all(|two| two == [Target::Chosen, Target::Default]));
        reports.retain(|r| *r != Step::Wait);
        assert_eq!(reports, [Step::Report(DeviceEvent::Failed(DeviceError::NotFound))]);
    }
}
