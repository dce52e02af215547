//! The connection to one participant, and when to repair it.

use serde::Serialize;
use std::time::{Duration, Instant};

/// State of one peer connection, as a window displays it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// ICE and DTLS are connecting.
    Connecting,
    /// Media flows.
    Connected,
    /// No packets have arrived for a while, or ICE failed. The connection is being repaired.
    Interrupted,
}

/// What is done about an interrupted connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// Nothing yet: short gaps end by themselves, and without the server nothing can be done.
    Waiting,
    /// ICE is restarted, to find another path.
    RestartingIce,
    /// The connection is replaced by a new one.
    Replacing,
}

/// State of one peer connection.
///
/// ```text
///  Connecting ──connected──▶ Connected ──disconnected, failed, broken, restart without end──▶ Interrupted
///      │                         ▲                                                            │ ▲ │
///      │                         └───────────────connected────────────────────────────────────┘ │ │ restarted, replaced
///      └──────────────failed, broken, not up in time────────────────────────────────────────────┘ ▼ (stays so until connected)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Connecting,
    Connected,
    Interrupted { since: Instant, repair: Repair },
}

impl From<State> for LinkState {
    fn from(state: State) -> LinkState {
        match state {
            State::Connecting => LinkState::Connecting,
            State::Connected => LinkState::Connected,
            State::Interrupted { .. } => LinkState::Interrupted,
        }
    }
}

/// A change of a peer connection's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerInput {
    /// ICE and DTLS are connected.
    Connected,
    /// Either side restarts ICE. The old path is abandoned.
    Restarting,
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
    pub(crate) state: State,
    /// Whether we made the first offer. The other side waits a little longer before it repairs anything, so that the
    /// two rarely do it at once.
    offers: bool,
    /// Restarts by this side since the link was last connected.
    restarts: u32,
    restart_at: Option<Instant>,
    /// When this side last restarted ICE.
    restarted: Option<Instant>,
    /// Since when an ICE restart is under way, while the state is still `Connected`.
    restarting: Option<Instant>,
    /// The network of this machine has changed, so the old path is no longer worth waiting for.
    network_changed: bool,
    /// Whether there is no connection until the next renewal.
    gone: bool,
    /// Silences, each soon after the link was connected again.
    silences: u32,
    renewals: u32,
    renew_at: Option<Instant>,
    connected: Option<Instant>,
}

/// How long a silent link may recover by itself before ICE is restarted. The state is `Disconnected` after 1.5 s of
/// silence, so ICE is restarted after 2.5 s: an outage of one second, which a weak Wi-Fi causes often, ends without a
/// restart, and a lossy path is never silent for so long. It doubles when a link that was just connected again is
/// silent: on a machine that is too busy to receive, restarts would only add work.
const PATIENCE: Duration = Duration::from_secs(1);
/// Number of times that it doubles.
const DOUBLINGS: u32 = 3;
/// The side that did not make the first offer waits this much longer.
const YIELD: Duration = Duration::from_millis(500);
/// Shortest interval between restarts of one link because the network changed. An interface that flaps cannot cost
/// more.
const RESTART_INTERVAL: Duration = Duration::from_secs(1);
/// Delay before the second restart. It doubles with each further one.
const RETRY: Duration = Duration::from_secs(4);
/// Longest interval between restarts.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// An ICE restart that takes longer than this is an interruption that people see.
const SHORT_RESTART: Duration = Duration::from_secs(1);
/// How long a connection may take to come up, including restarts, before the offering side replaces it.
const SETUP: Duration = Duration::from_secs(30);
/// The other side waits longer, to leave that to the offering side.
const LONGER_SETUP: Duration = Duration::from_secs(50);
/// Delay before a broken connection is replaced. It doubles each time.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest such delay.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A connection that lasted this long resets both delays.
const STOOD: Duration = Duration::from_secs(30);

impl LinkMonitor {
    pub(crate) fn new(now: Instant, offers: bool) -> Self {
        let mut link = Self {
            state: State::Connecting,
            offers,
            restarts: 0,
            restart_at: None,
            restarted: None,
            restarting: None,
            network_changed: false,
            gone: false,
            silences: 0,
            renewals: 0,
            renew_at: None,
            connected: None,
        };
        link.await_setup(now);
        link
    }

    /// Handles a change of the connection's state.
    pub(crate) fn handle(&mut self, now: Instant, input: PeerInput) {
        match input {
            PeerInput::Connected => {
                self.state = State::Connected;
                self.connected.get_or_insert(now);
                (self.restarts, self.renew_at, self.restarting, self.gone) = (0, None, None, false);
                // A change of the network that came after the restart makes another one necessary.
                self.restart_at = self.restart_at.filter(|_| self.network_changed);
            }
            PeerInput::Restarting => self.restarting(now),
            PeerInput::Disconnected => {
                self.interrupted(now);
                self.restart_after(now, PATIENCE * 2u32.pow(self.silences.min(DOUBLINGS)));
                self.silences = self.silences.saturating_add(1);
            }
            PeerInput::Failed => {
                self.interrupted(now);
                self.restart_after(now, Duration::ZERO);
            }
            PeerInput::Broken => self.broken(now),
        }
    }

    /// Since when the connection is interrupted, and what is done about it.
    pub(crate) fn interruption(&self) -> Option<(Instant, Repair)> {
        match self.state {
            State::Interrupted { since, repair } => Some((since, repair)),
            State::Connecting | State::Connected => None,
        }
    }

    /// Since when the connection works.
    pub(crate) fn works_since(&self) -> Option<Instant> {
        self.connected.filter(|_| self.works())
    }

    /// Whether there is no connection until the next renewal.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whether media flows, as far as is known, and ICE is not being restarted.
    pub(crate) fn works(&self) -> bool {
        self.state == State::Connected && self.restarting.is_none()
    }

    /// The network of this machine has changed: restarts ICE, at once or [`RESTART_INTERVAL`] after the last time.
    pub(crate) fn network_changed(&mut self, now: Instant) {
        if self.gone {
            return; // the next connection will use the new network
        }
        let earliest = self.restarted.map_or(now, |at| now.max(at + RESTART_INTERVAL));
        self.network_changed = true;
        self.restart_at = Some(self.restart_at.map_or(earliest, |planned| planned.min(earliest)));
    }

    /// Returns the repair that is due, if any. `server`: whether the server can be reached. Without it a restart would
    /// abandon a path that may recover, and the other side would not learn of it. After a change of our network there
    /// is no such path, and the offer leaves as soon as the session is resumed.
    pub(crate) fn take_due(&mut self, now: Instant, server: bool) -> Option<Mend> {
        if self.restarting.is_some_and(|since| since + SHORT_RESTART <= now)
            && let Some(since) = self.restarting.take()
        {
            self.lost(since);
            self.set_repair(Repair::RestartingIce);
            if self.renew_at.is_none() {
                self.await_setup(now);
            }
        }
        if server && self.renew_at.is_some_and(|at| at <= now) {
            self.renewed(now);
            return Some(Mend::Renew);
        }
        if (server || self.network_changed) && self.restart_at.is_some_and(|at| at <= now) {
            let wait = (RETRY * 2u32.pow(self.restarts.min(4))).min(LONGEST_WAIT);
            self.restarts += 1;
            (self.restart_at, self.restarted, self.network_changed) = (Some(now + wait), Some(now), false);
            self.set_repair(Repair::RestartingIce);
            return Some(Mend::RestartIce);
        }
        None
    }

    /// When to call [`LinkMonitor::take_due`]. `server` as there.
    pub(crate) fn poll_timeout(&self, server: bool) -> Option<Instant> {
        let restart = self.restart_at.filter(|_| server || self.network_changed);
        let renew = self.renew_at.filter(|_| server);
        let seen = self.restarting.map(|since| since + SHORT_RESTART);
        restart.into_iter().chain(renew).chain(seen).min()
    }

    /// Records that the connection was replaced, for any reason.
    pub(crate) fn renewed(&mut self, now: Instant) {
        self.lost(now);
        self.set_repair(Repair::Replacing);
        self.renewals = self.renewals.saturating_add(1);
        (self.restarts, self.restart_at, self.restarting) = (0, None, None);
        (self.network_changed, self.gone) = (false, false);
        self.await_setup(now);
    }

    fn await_setup(&mut self, now: Instant) {
        let patience = if self.offers { SETUP } else { LONGER_SETUP };
        self.renew_at = Some(now + patience * (1 + self.renewals.min(1)));
    }

    fn interrupted(&mut self, now: Instant) {
        let since = self.restarting.take().unwrap_or(now);
        self.lost(since);
        if self.renew_at.is_none() {
            self.await_setup(now);
        }
    }

    fn restart_after(&mut self, now: Instant, patience: Duration) {
        let at = now + patience + if self.offers { Duration::ZERO } else { YIELD };
        self.restart_at = Some(match self.restart_at {
            Some(planned) if self.restarts > 0 => planned, // already backing off
            Some(planned) => planned.min(at),
            None => at,
        });
    }

    /// The other side's restart replaces one of ours that is planned: a second one would interrupt the first.
    fn restarting(&mut self, now: Instant) {
        if let Some(at) = &mut self.restart_at {
            *at = (*at).max(now + RETRY);
        }
        match self.state {
            State::Connected => drop(self.restarting.get_or_insert(now)),
            State::Interrupted { repair: Repair::Waiting, .. } => self.set_repair(Repair::RestartingIce),
            State::Connecting | State::Interrupted { .. } => {}
        }
    }

    fn broken(&mut self, now: Instant) {
        self.lost(now);
        self.set_repair(Repair::Replacing);
        // There is nothing to restart.
        (self.restart_at, self.restarting, self.network_changed, self.gone) = (None, None, false, true);
        self.renew_at = Some(now + (PAUSE * 2u32.pow(self.renewals.min(8))).min(LONGEST_PAUSE));
    }

    /// Records that no media flows any more.
    fn lost(&mut self, now: Instant) {
        if !matches!(self.state, State::Interrupted { .. }) {
            self.state = State::Interrupted { since: now, repair: Repair::Waiting };
        }
        if self.connected.take().is_some_and(|since| now.saturating_duration_since(since) >= STOOD) {
            (self.renewals, self.silences) = (0, 0);
        }
    }

    fn set_repair(&mut self, now: Repair) {
        match &mut self.state {
            State::Interrupted { repair, .. } => *repair = now,
            State::Connecting | State::Connected => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn link(offers: bool) -> (LinkMonitor, Instant) {
        let now = Instant::now();
        (LinkMonitor::new(now, offers), now)
    }

    /// Returns the repairs until then, with their times in seconds.
    fn mends(link: &mut LinkMonitor, start: Instant, seconds: u64) -> Vec<(u64, Mend)> {
        let mut done = vec![];
        while let Some(at) = link.poll_timeout(true).filter(|at| *at <= start + Duration::from_secs(seconds)) {
            done.extend(link.take_due(at, true).map(|mend| ((at - start).as_secs(), mend)));
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
    fn the_side_that_did_not_offer_first_repairs_too_a_little_later() {
        for (offers, restart, renew) in [(true, 0, 30), (false, 500, 50)] {
            let (mut link, t) = link(offers);
            link.handle(t, PeerInput::Connected);
            link.handle(t, PeerInput::Failed);
            assert_eq!(link.poll_timeout(true), Some(t + Duration::from_millis(restart)), "offers: {offers}");
            let done = mends(&mut link, t, 60);
            assert!(done.contains(&(renew, Mend::Renew)), "offers: {offers}, {done:?}");
        }
    }

    #[test]
    fn silence_leads_to_a_restart_after_a_second_by_one_side_and_half_a_second_later_by_the_other() {
        for (offers, after) in [(true, 1_000), (false, 1_500)] {
            let (mut link, t) = link(offers);
            link.handle(t, PeerInput::Connected);
            link.handle(t, PeerInput::Disconnected);
            assert_eq!(link.state, State::Interrupted { since: t, repair: Repair::Waiting });
            let due = t + Duration::from_millis(after);
            assert_eq!(link.poll_timeout(true), Some(due));
            assert_eq!(link.take_due(due, true), Some(Mend::RestartIce));
            assert_eq!(link.state, State::Interrupted { since: t, repair: Repair::RestartingIce });
        }
    }

    #[test]
    fn restarts_become_rarer_where_silence_returns_soon_after_each() {
        let (mut link, mut now) = link(true);
        let mut waits = vec![];
        for _ in 0..6 {
            link.handle(now, PeerInput::Connected);
            link.handle(now, PeerInput::Disconnected);
            let due = link.poll_timeout(true).expect("a restart");
            waits.push((due - now).as_secs());
            now = due;
            assert_eq!(link.take_due(now, true), Some(Mend::RestartIce));
        }
        assert_eq!(waits, [1, 2, 4, 8, 8, 8]);
        link.handle(now, PeerInput::Connected);
        now += STOOD;
        link.handle(now, PeerInput::Disconnected);
        assert_eq!(link.poll_timeout(true), Some(now + PATIENCE), "it was quiet for a while");
    }

    #[test]
    fn without_the_server_nothing_is_abandoned_unless_the_network_has_changed() {
        let (mut link, t) = link(true);
        link.handle(t, PeerInput::Connected);
        link.handle(t, PeerInput::Disconnected);
        assert_eq!(link.poll_timeout(false), None);
        let later = t + Duration::from_secs(100);
        assert_eq!(link.take_due(later, false), None);
        link.network_changed(later);
        assert!(link.poll_timeout(false).is_some_and(|at| at <= later));
        assert_eq!(link.take_due(later, false), Some(Mend::RestartIce));
        assert_eq!(link.poll_timeout(false), None, "the next one needs the server again");
    }

    #[test]
    fn the_restart_of_the_other_side_replaces_ours() {
        let (mut link, t) = link(false);
        link.handle(t, PeerInput::Connected);
        link.handle(t, PeerInput::Disconnected);
        link.handle(t + Duration::from_secs(1), PeerInput::Restarting);
        assert_eq!(link.poll_timeout(true), Some(t + Duration::from_secs(1) + RETRY));
        link.handle(t + Duration::from_secs(2), PeerInput::Connected);
        assert_eq!(mends(&mut link, t, 600), []);
    }

    #[test]
    fn a_short_restart_is_no_interruption_and_a_long_one_is() {
        let (mut link, t) = link(false);
        link.handle(t, PeerInput::Connected);
        link.handle(t, PeerInput::Restarting);
        assert_eq!((link.state, link.poll_timeout(true)), (State::Connected, Some(t + SHORT_RESTART)));
        assert_eq!(link.take_due(t + SHORT_RESTART, true), None);
        assert_eq!(link.state, State::Interrupted { since: t, repair: Repair::RestartingIce });
        assert!(mends(&mut link, t, 100).contains(&(51, Mend::Renew)), "in the end the connection is replaced");
    }

    #[test]
    fn a_change_of_network_restarts_at_once_and_a_later_one_again() {
        let (mut link, t) = link(false);
        let at = |millis| t + Duration::from_millis(millis);
        link.handle(t, PeerInput::Connected);
        link.network_changed(t);
        assert_eq!(link.take_due(t, true), Some(Mend::RestartIce));
        link.network_changed(at(300));
        link.handle(at(400), PeerInput::Connected);
        assert_eq!(link.poll_timeout(true), Some(at(1_000)), "the first restart knew nothing of the second change");
        assert_eq!(link.take_due(at(1_000), true), Some(Mend::RestartIce));
        link.handle(at(1_100), PeerInput::Connected);
        assert_eq!(mends(&mut link, t, 600), []);
    }

    proptest! {
        /// Whatever happens, restarts of one link are at least a second apart, unless ICE has failed in between, and a
        /// link that is not connected is always being repaired.
        #[test]
        fn restarts_are_rare_and_an_interruption_is_never_forgotten(
            offers: bool,
            steps in prop::collection::vec((0u8..7, 0u64..700, any::<bool>()), 1..300),
        ) {
            let (mut link, t) = link(offers);
            let (mut now, mut last) = (t, None::<Instant>);
            for (step, millis, server) in steps {
                now += Duration::from_millis(millis);
                match step {
                    0 => link.handle(now, PeerInput::Connected),
                    1 => link.handle(now, PeerInput::Disconnected),
                    2 => link.handle(now, PeerInput::Restarting),
                    3 => link.handle(now, PeerInput::Broken),
                    _ => link.network_changed(now),
                }
                while let Some(mend) = link.take_due(now, server) {
                    if mend == Mend::RestartIce {
                        prop_assert!(last.is_none_or(|last| now - last >= RESTART_INTERVAL), "{:?}", now - t);
                        last = Some(now);
                    }
                }
                if link.state != State::Connected {
                    prop_assert!(link.poll_timeout(true).is_some(), "{link:?}");
                }
            }
        }
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
            let at = link.poll_timeout(true).expect("a repair is scheduled");
            pauses.push((at - now).as_secs());
            now = at;
            assert_eq!(link.take_due(now, true), Some(Mend::Renew));
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        link.handle(now, PeerInput::Connected);
        now += STOOD;
        link.handle(now, PeerInput::Broken);
        assert_eq!(link.poll_timeout(true), Some(now + PAUSE));
    }

    #[test]
    fn a_connection_that_breaks_at_once_is_replaced_rarely() {
        let (mut link, t) = link(true);
        let mut now = t;
        for _ in 0..8 {
            link.handle(now, PeerInput::Connected);
            now += Duration::from_secs(1);
            link.handle(now, PeerInput::Broken);
            now = link.poll_timeout(true).expect("a repair is scheduled");
            assert_eq!(link.take_due(now, true), Some(Mend::Renew));
        }
        assert!(now - t > Duration::from_secs(120));
    }
}
