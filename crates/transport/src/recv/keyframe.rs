//! Schedules keyframe requests.

use std::time::{Duration, Instant};

/// Shortest interval between two requests. RFC 4585 section 6.3.1 does not specify one.
const MIN_INTERVAL: Duration = Duration::from_millis(300);
/// Reordered packets may arrive within this time.
const REORDERING_DELAY: Duration = Duration::from_millis(30);
/// Longest interval between unanswered requests.
const MAX_INTERVAL: Duration = Duration::from_secs(1);

/// ```text
/// Idle --keyframe needed--> Requesting --keyframe complete--> Idle
/// ```
#[derive(Debug, Clone, Copy)]
enum State {
    Idle,
    Requesting { due: Instant, attempts: u32 },
}

#[derive(Debug)]
pub(crate) struct KeyframeRequests {
    state: State,
    last_sent: Option<Instant>,
}

impl KeyframeRequests {
    pub(crate) fn new() -> Self {
        KeyframeRequests { state: State::Idle, last_sent: None }
    }

    /// A keyframe is needed. The request is due immediately, unless one was sent recently.
    pub(crate) fn request(&mut self, now: Instant) {
        if let State::Idle = self.state {
            let due = self.last_sent.map_or(now, |last_sent| now.max(last_sent + MIN_INTERVAL));
            self.state = State::Requesting { due, attempts: 0 };
        }
    }

    /// A keyframe may be needed. The request is delayed, in case the missing packets were only reordered.
    pub(crate) fn request_soon(&mut self, now: Instant) {
        self.request(now + REORDERING_DELAY);
    }

    /// A keyframe or the missing packets arrived, so no request is needed.
    pub(crate) fn cancel(&mut self) {
        self.state = State::Idle;
    }

    /// The first packets of a keyframe arrived. Delays further requests until it can be complete.
    pub(crate) fn on_keyframe_started(&mut self, now: Instant, rtt: Duration) {
        self.request(now);
        if let State::Requesting { due, .. } = &mut self.state {
            *due = (*due).max(now + MIN_INTERVAL.max(2 * rtt));
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Idle => None,
            State::Requesting { due, .. } => Some(due),
        }
    }

    /// Whether to send a request now. If so, schedules the next one.
    pub(crate) fn should_send(&mut self, now: Instant, rtt: Duration) -> bool {
        match &mut self.state {
            State::Requesting { due, attempts } if *due <= now => {
                let interval = MIN_INTERVAL.max(rtt + rtt / 2 + Duration::from_millis(50)) * (*attempts + 1);
                *due = now + interval.min(MAX_INTERVAL.max(2 * rtt));
                *attempts += 1;
                self.last_sent = Some(now);
                true
            }
            State::Idle | State::Requesting { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(40);

    #[test]
    fn requests_are_limited_to_one_each_300_ms() {
        let start = Instant::now();
        let mut requests = KeyframeRequests::new();
        let mut sent = Vec::new();
        for ms in 0..2000 {
            let now = start + Duration::from_millis(ms);
            requests.request(now);
            if requests.should_send(now, RTT) {
                sent.push(ms);
                requests.cancel();
            }
        }
        assert_eq!(sent, [0, 300, 600, 900, 1200, 1500, 1800]);
    }

    #[test]
    fn the_interval_of_unanswered_requests_grows() {
        let start = Instant::now();
        let mut requests = KeyframeRequests::new();
        requests.request(start);
        let sent: Vec<u64> =
            (0..4000).filter(|ms| requests.should_send(start + Duration::from_millis(*ms), RTT)).collect();
        assert_eq!(sent, [0, 300, 900, 1800, 2800, 3800]);
    }
}
