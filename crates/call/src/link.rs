//! The connection to one participant, and when to repair it.

use serde::Serialize;
use std::time::{Duration, Instant};

/// State of one peer connection, as the call sees it.
///
/// ```text
///  Connecting ──connected──▶ Connected ──disconnected, failed, broken──▶ Interrupted
///      │                         ▲                                          │ ▲ │
///      │                         └───────────────connected──────────────────┘ │ │ restarted, replaced
///      └──────────────failed, broken, not up in time──────────────────────────┘ ▼ (stays so until connected)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// ICE and DTLS are connecting.
    Connecting,
    /// Media flows.
    Connected,
    /// No packets have arrived for some seconds, or ICE failed. The connection is being repaired.
    Interrupted,
}

/// A change of a peer connection's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerInput {
    /// ICE and DTLS are connected.
    Connected,
    /// No packets arrive. The connection may recover.
    Disconnected,
    /// ICE failed.
    Failed,
    /// The connection could not be created or has ended. It must be replaced.
    Broken,
}

/// Ways to repair a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mend {
    /// Restart ICE to find another path.
    RestartIce,
    /// Replace the connection, which can no longer be used.
    Renew,
}

/// Monitors one link: decides when to restart ICE and when to replace the connection.
#[derive(Debug)]
pub(crate) struct LinkMonitor {
    pub(crate) state: LinkState,
    /// Whether we made the first offer. Then restarts come from this side, and the other side waits longer before it
    /// acts.
    offers: bool,
    restarts: u32,
    restart_at: Option<Instant>,
    renewals: u32,
    renew_at: Option<Instant>,
    connected: Option<Instant>,
}

/// Time without packets after which ICE is restarted. Shorter gaps recover without help.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest interval between restarts.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// How long a connection may take to come up, including restarts, before the offering side replaces it.
const SETUP: Duration = Duration::from_secs(30);
/// The other side waits longer, to leave that to the offering side.
const LONGER_SETUP: Duration = Duration::from_secs(50);
/// Delay before a broken connection is replaced. It doubles each time.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest such delay.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A connection that lasted this long resets the delay.
const STOOD: Duration = Duration::from_secs(30);

impl LinkMonitor {
    pub(crate) fn new(now: Instant, offers: bool) -> Self {
        let mut link = Self {
            state: LinkState::Connecting,
            offers,
            restarts: 0,
            restart_at: None,
            renewals: 0,
            renew_at: None,
            connected: None,
        };
        link.await_setup(now);
        link
    }

    /// Handles a change of the connection's state. Returns true if the change is visible.
    pub(crate) fn handle(&mut self, now: Instant, input: PeerInput) -> bool {
        let before = self.state;
        match input {
            PeerInput::Connected => {
                self.state = LinkState::Connected;
                self.connected.get_or_insert(now);
                (self.restarts, self.restart_at, self.renew_at) = (0, None, None);
            }
            PeerInput::Disconnected => self.interrupted(now, PATIENCE),
            PeerInput::Failed => self.interrupted(now, Duration::ZERO),
            PeerInput::Broken => self.broken(now),
        }
        before != self.state
    }

    /// Returns the repair that is due, if any.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Mend> {
        if self.renew_at.is_some_and(|at| at <= now) {
            self.renewed(now);
            return Some(Mend::Renew);
        }
        if self.restart_at.is_some_and(|at| at <= now) {
            self.restarts += 1;
            self.restart_at = Some(now + (PATIENCE * 2u32.pow(self.restarts.min(4))).min(LONGEST_WAIT));
            return Some(Mend::RestartIce);
        }
        None
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.restart_at.into_iter().chain(self.renew_at).min()
    }

    /// Records that the connection was replaced, for any reason.
    pub(crate) fn renewed(&mut self, now: Instant) {
        self.lost(now);
        self.renewals = self.renewals.saturating_add(1);
        (self.restarts, self.restart_at) = (0, None);
        self.await_setup(now);
    }

    fn await_setup(&mut self, now: Instant) {
        let patience = if self.offers { SETUP } else { LONGER_SETUP };
        self.renew_at = Some(now + patience * (1 + self.renewals.min(1)));
    }

    fn interrupted(&mut self, now: Instant, patience: Duration) {
        self.lost(now);
        if self.renew_at.is_none() {
            self.await_setup(now);
        }
        if !self.offers {
            return;
        }
        let at = now + patience;
        self.restart_at = Some(match self.restart_at {
            Some(planned) if self.restarts > 0 => planned, // already backing off
            Some(planned) => planned.min(at),
            None => at,
        });
    }

    fn broken(&mut self, now: Instant) {
        self.lost(now);
        self.restart_at = None; // there is nothing to restart
        self.renew_at = Some(now + (PAUSE * 2u32.pow(self.renewals.min(8))).min(LONGEST_PAUSE));
    }

    /// Records that no media flows any more.
    fn lost(&mut self, now: Instant) {
        if self.state != LinkState::Interrupted {
            self.state = LinkState::Interrupted;
        }
        if self.connected.take().is_some_and(|since| now.saturating_duration_since(since) >= STOOD) {
            self.renewals = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(offers: bool) -> (LinkMonitor, Instant) {
        let now = Instant::now();
        (LinkMonitor::new(now, offers), now)
    }

    /// Returns the repairs until then, with their times in seconds.
    fn mends(link: &mut LinkMonitor, start: Instant, seconds: u64) -> Vec<(u64, Mend)> {
        let mut done = vec![];
        while let Some(at) = link.poll_timeout().filter(|at| *at <= start + Duration::from_secs(seconds)) {
            done.extend(link.take_due(at).map(|mend| ((at - start).as_secs(), mend)));
        }
        done
    }

    #[test]
    fn a_short_interruption_recovers() {
        let (mut link, t) = link(true);
        link.handle(t, PeerInput::Connected);
        link.handle(t, PeerInput::Disconnected);
        link.handle(t + Duration::from_secs(1), PeerInput::Connected);
        assert_eq!(mends(&mut link, t, 600), []);
    }

    #[test]
    fn failures_restart_ice_with_backoff_then_replace_the_connection() {
        let (mut link, t) = link(true);
        link.handle(t, PeerInput::Connected);
        link.handle(t, PeerInput::Failed);
        let (restart, renew) = (Mend::RestartIce, Mend::Renew);
        let done = mends(&mut link, t, 100);
        assert_eq!(done, [(0, restart), (4, restart), (12, restart), (27, restart), (30, renew), (90, renew)]);
    }

    #[test]
    fn the_answering_side_waits_longer_before_recovering() {
        let (mut link, t) = link(false);
        link.handle(t, PeerInput::Connected);
        link.handle(t, PeerInput::Failed);
        assert_eq!(mends(&mut link, t, 100), [(50, Mend::Renew)]);
    }

    #[test]
    fn a_connection_that_never_connects_is_replaced() {
        let (mut link, t) = link(true);
        assert_eq!(mends(&mut link, t, 29), []);
        assert_eq!(mends(&mut link, t, 30), [(30, Mend::Renew)]);
        link.handle(t + Duration::from_secs(31), PeerInput::Connected);
        assert_eq!(mends(&mut link, t, 600), []);
    }

    #[test]
    fn broken_connections_are_replaced_with_backoff() {
        let (mut link, t) = link(false);
        let mut now = t;
        let mut pauses = vec![];
        for _ in 0..9 {
            link.handle(now, PeerInput::Broken);
            let at = link.poll_timeout().expect("a repair is scheduled");
            pauses.push((at - now).as_secs());
            now = at;
            assert_eq!(link.take_due(now), Some(Mend::Renew));
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        link.handle(now, PeerInput::Connected);
        now += STOOD;
        link.handle(now, PeerInput::Broken);
        assert_eq!(link.poll_timeout(), Some(now + PAUSE));
    }

    #[test]
    fn a_connection_that_breaks_at_once_is_replaced_rarely() {
        let (mut link, t) = link(true);
        let mut now = t;
        for _ in 0..8 {
            link.handle(now, PeerInput::Connected);
            now += Duration::from_secs(1);
            link.handle(now, PeerInput::Broken);
            now = link.poll_timeout().expect("a repair is scheduled");
            assert_eq!(link.take_due(now), Some(Mend::Renew));
        }
        assert!(now - t > Duration::from_secs(120));
    }
}
