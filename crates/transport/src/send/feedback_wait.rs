//! Notices late feedback: a queue has filled since the last report, in either direction, or the path is interrupted.
//!
//! Reports about a queue pass the queue of the other direction first. If a path becomes narrow in both directions, they
//! come half a second late, and what is sent meanwhile overflows the queue. So video waits as soon as feedback is later
//! than usual. Chromium limits the bytes in flight for the same reason (its congestion window pushback).

use std::time::{Duration, Instant};

/// Feedback is late if it takes this much longer than the longest wait of the last one to two [`WINDOW`]s. The margin
/// grows with the loss of the path, which may lose several reports in a row, and with the time that packets take.
const MARGIN: Duration = Duration::from_millis(20);
const MARGIN_FOR_LOSS: f64 = 18.0;
/// Bits of two packets.
const MARGIN_BITS: f64 = 2.0 * 1200.0 * 8.0;
const WINDOW: Duration = Duration::from_secs(5);
/// Fewer reports do not show what is usual.
const MIN_REPORTS: u32 = 10;
/// A report lengthens the usual wait by at most this, so that a filling queue does not become usual.
const MAX_GROWTH: Duration = Duration::from_millis(8);
/// Video waits at most this long. Feedback that is still missing then may come only after further packets.
const MAX_SUSPENSION: Duration = Duration::from_millis(500);
/// Reports about the packets sent in a suspension come within this time after it.
const SUSPENSION_EFFECT: Duration = Duration::from_millis(300);

/// How long feedback usually takes.
#[derive(Debug)]
pub(crate) struct FeedbackWait {
    longest: Duration,
    previous: Duration,
    window_started: Instant,
    reports: u32,
    suspended_at: Option<Instant>,
}

impl FeedbackWait {
    pub(crate) fn new(now: Instant) -> Self {
        FeedbackWait {
            longest: Duration::ZERO,
            previous: Duration::ZERO,
            window_started: now,
            reports: 0,
            suspended_at: None,
        }
    }

    /// Records a feedback message. `since` is when the oldest packet without feedback was sent.
    pub(crate) fn on_feedback(&mut self, now: Instant, since: Option<Instant>) {
        let Some(since) = since else { return };
        let wait = now.saturating_duration_since(since);
        let most = if self.reports < MIN_REPORTS { wait } else { self.longest.max(self.previous) + MAX_GROWTH };
        if now.saturating_duration_since(self.window_started) > WINDOW {
            (self.window_started, self.previous, self.longest) = (now, self.longest, Duration::ZERO);
        }
        self.longest = self.longest.max(wait.min(most));
        self.reports = self.reports.saturating_add(1);
    }

    /// Video waits now.
    pub(crate) fn on_suspended(&mut self, now: Instant) {
        self.suspended_at = Some(now);
    }

    /// Whether video waits, or reports about such a time still come.
    pub(crate) fn was_suspended(&self, now: Instant) -> bool {
        self.suspended_at.is_some_and(|at| now.saturating_duration_since(at) < SUSPENSION_EFFECT)
    }

    /// The path is another one.
    pub(crate) fn reset(&mut self, now: Instant) {
        *self = FeedbackWait::new(now);
    }

    /// While video waits, if packets sent at `since` are the oldest without feedback: from and until when.
    /// `loss` is the share of packets that the path loses, 0..1, and `rate` its rate in bit/s.
    pub(crate) fn suspension(&self, since: Instant, loss: f64, rate: f64) -> Option<(Instant, Instant)> {
        let margin =
            MARGIN.mul_f64(1.0 + MARGIN_FOR_LOSS * loss) + Duration::from_secs_f64(MARGIN_BITS / rate.max(1e4));
        let from = since + self.longest.max(self.previous) + margin;
        (self.reports >= MIN_REPORTS).then(|| (from, from + MAX_SUSPENSION))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    /// Two packets take 10 ms.
    const RATE: f64 = 1.92e6;

    /// Reports 50 ms apart, each after this wait.
    fn usual(wait: Duration, reports: u32) -> (FeedbackWait, Instant) {
        let start = Instant::now();
        let mut waits = FeedbackWait::new(start);
        let at = |n: u32| start + 50 * MS * n + wait;
        (0..reports).for_each(|n| waits.on_feedback(at(n), Some(at(n) - wait)));
        (waits, at(reports))
    }

    #[test]
    fn late_feedback_is_noticed_after_a_few_reports() {
        assert_eq!(usual(80 * MS, MIN_REPORTS - 1).0.suspension(Instant::now(), 0.0, RATE), None);
        let (waits, now) = usual(80 * MS, MIN_REPORTS);
        assert_eq!(waits.suspension(now, 0.0, RATE), Some((now + 110 * MS, now + 610 * MS)));
    }

    #[test]
    fn loss_and_a_low_rate_give_feedback_more_time() {
        let (waits, now) = usual(80 * MS, MIN_REPORTS);
        let from = |loss, rate| waits.suspension(now, loss, rate).map(|(from, _)| from - now);
        assert!(from(0.2, RATE) > Some(160 * MS));
        assert!(from(0.0, RATE / 10.0) > Some(190 * MS));
        assert!(from(0.0, 0.0) < Some(5_000 * MS), "bounded at any rate");
    }

    #[test]
    fn a_longer_wait_becomes_usual_gradually_and_is_forgotten() {
        let (mut waits, now) = usual(80 * MS, 20);
        waits.on_feedback(now, Some(now - 2_000 * MS));
        let limit = |waits: &FeedbackWait| waits.suspension(now, 0.0, RATE).map(|(from, _)| from - now);
        assert_eq!(limit(&waits), Some(118 * MS));
        for n in 1..=260 {
            let now = now + 50 * MS * n;
            waits.on_feedback(now, Some(now - 80 * MS));
        }
        assert_eq!(limit(&waits), Some(110 * MS));
    }
}
