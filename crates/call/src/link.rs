//! The way media takes to one participant, and when to mend it.

use crate::event::PeerInput;
use std::time::{Duration, Instant};

/// State of one peer connection, as the call sees it.
///
/// ```text
///  Connecting ──connected──▶ Connected ──disconnected──▶ Interrupted
///      │  ▲                      ▲                          │   │
///      │  └──────restart─────────│────────connected─────────┘   │
///    failed                      └────────restart◀──failed──────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// ICE and DTLS are on their way.
    Connecting,
    /// Media flows.
    Connected,
    /// Nothing has come for some seconds, or ICE failed; it is being mended.
    Interrupted {
        /// Since when.
        since: Instant,
    },
}

/// Keeps one link: decides when ICE is restarted.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) state: LinkState,
    restarts: u32,
    restart_at: Option<Instant>,
}

/// After this long without packets ICE is restarted; shorter gaps mend themselves.
const PATIENCE: Duration = Duration::from_secs(2);
/// Restarts grow apart up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

impl Link {
    pub(crate) fn new() -> Self {
        Self { state: LinkState::Connecting, restarts: 0, restart_at: None }
    }

    /// Takes a change of the connection's state; true if it shows.
    pub(crate) fn handle(&mut self, now: Instant, input: PeerInput) -> bool {
        let before = self.state;
        match input {
            PeerInput::Connected => {
                *self = Self { state: LinkState::Connected, ..Self::new() };
            }
            PeerInput::Disconnected => self.interrupted(now, PATIENCE),
            PeerInput::Failed => self.interrupted(now, Duration::ZERO),
        }
        before != self.state
    }

    /// True when ICE is to be restarted now.
    pub(crate) fn restart_due(&mut self, now: Instant) -> bool {
        let due = self.restart_at.is_some_and(|at| at <= now);
        if due {
            self.restarts += 1;
            self.restart_at = Some(now + (PATIENCE * 2u32.pow(self.restarts.min(4))).min(LONGEST_WAIT));
        }
        due
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.restart_at
    }

    fn interrupted(&mut self, now: Instant, patience: Duration) {
        if !matches!(self.state, LinkState::Interrupted { .. }) {
            self.state = LinkState::Interrupted { since: now };
        }
        let at = now + patience;
        self.restart_at = Some(match self.restart_at {
            Some(planned) if self.restarts > 0 => planned, // already backing off
            Some(planned) => planned.min(at),
            None => at,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_gap_mends_itself() {
        let (mut link, t) = (Link::new(), Instant::now());
        link.handle(t, PeerInput::Connected);
        link.handle(t, PeerInput::Disconnected);
        link.handle(t + Duration::from_secs(1), PeerInput::Connected);
        assert_eq!(link.poll_timeout(), None);
        assert!(!link.restart_due(t + Duration::from_secs(60)));
    }

    #[test]
    fn a_failure_restarts_at_once_and_then_ever_more_seldom() {
        let (mut link, t) = (Link::new(), Instant::now());
        link.handle(t, PeerInput::Failed);
        assert!(link.restart_due(t));
        let mut now = t;
        let mut gaps = vec![];
        for _ in 0..6 {
            let next = link.poll_timeout().expect("a restart is planned");
            gaps.push(next - now);
            now = next;
            link.handle(now, PeerInput::Failed);
            assert!(link.restart_due(now));
        }
        assert!(gaps.windows(2).all(|w| w[0] <= w[1]), "{gaps:?}");
        assert!(gaps.iter().all(|g| *g <= LONGEST_WAIT));
    }
}
