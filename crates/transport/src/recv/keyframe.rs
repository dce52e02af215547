//! When to ask for a keyframe.

use std::time::{Duration, Instant};

/// Least time between two requests, RFC 4585 section 6.3.1.2 leaves it to us.
const LEAST: Duration = Duration::from_millis(300);
/// What is missing may be on its way for so long.
const OVERTAKEN: Duration = Duration::from_millis(30);
/// Requests in vain come further apart, up to this.
const MOST: Duration = Duration::from_secs(1);

/// ```text
/// Content --wanted--> Asking --keyframe complete--> Content
/// ```
#[derive(Debug, Clone, Copy)]
enum State {
    Content,
    Asking { due: Instant, tries: u32 },
}

#[derive(Debug)]
pub(crate) struct KeyframeRequests {
    state: State,
    last: Option<Instant>,
}

impl KeyframeRequests {
    pub(crate) fn new() -> Self {
        KeyframeRequests { state: State::Content, last: None }
    }

    /// A keyframe is needed; asked for at once unless that was done lately.
    pub(crate) fn want(&mut self, now: Instant) {
        if let State::Content = self.state {
            let due = self.last.map_or(now, |last| now.max(last + LEAST));
            self.state = State::Asking { due, tries: 0 };
        }
    }

    /// A keyframe is needed, but its packets may just have been overtaken.
    pub(crate) fn want_soon(&mut self, now: Instant) {
        self.want(now + OVERTAKEN);
    }

    /// A keyframe is complete, or what was missing came.
    pub(crate) fn satisfied(&mut self) {
        self.state = State::Content;
    }

    /// A keyframe begins to arrive: leave it time.
    pub(crate) fn begun(&mut self, now: Instant, rtt: Duration) {
        self.want(now);
        if let State::Asking { due, .. } = &mut self.state {
            *due = (*due).max(now + LEAST.max(2 * rtt));
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Content => None,
            State::Asking { due, .. } => Some(due),
        }
    }

    /// Whether to send a request now.
    pub(crate) fn due(&mut self, now: Instant, rtt: Duration) -> bool {
        match &mut self.state {
            State::Asking { due, tries } if *due <= now => {
                let pause = LEAST.max(rtt + rtt / 2 + Duration::from_millis(50)) * (*tries + 1);
                *due = now + pause.min(MOST.max(2 * rtt));
                *tries += 1;
                self.last = Some(now);
                true
            }
            State::Content | State::Asking { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(40);

    #[test]
    fn many_wishes_are_one_request_each_300_ms_at_most() {
        let start = Instant::now();
        let mut requests = KeyframeRequests::new();
        let mut sent = Vec::new();
        for ms in 0..2000 {
            let now = start + Duration::from_millis(ms);
            requests.want(now);
            if requests.due(now, RTT) {
                sent.push(ms);
                requests.satisfied();
            }
        }
        assert_eq!(sent, [0, 300, 600, 900, 1200, 1500, 1800]);
    }

    #[test]
    fn an_unanswered_request_is_repeated_ever_more_slowly() {
        let start = Instant::now();
        let mut requests = KeyframeRequests::new();
        requests.want(start);
        let sent: Vec<u64> = (0..4000).filter(|ms| requests.due(start + Duration::from_millis(*ms), RTT)).collect();
        assert_eq!(sent, [0, 300, 900, 1800, 2800, 3800]);
    }
}
