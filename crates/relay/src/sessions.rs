//! Which sessions of the server may use the relay.

use std::collections::HashMap;
use std::time::Instant;

use crate::limits::GRACE;

/// What a session may do on the relay.
///
/// ```text
///            opened (member)                       closed, holds nothing
///  (none) ──────────────────────▶ Member ─────────────────────────────────▶ (none)
///    │                              │ closed                                  ▲
///    │ opened (guest)               ▼               time is up (closed)       │
///    ├─────────▶ Waiting ◀── Leaving { until } ───────────────────────────────┤
///    │             │  │   time   ▲  │ seated                                  │
///    │             │  │ is up    │  │                                         │
///    │      seated │  │ (open)   │  ▼                                         │
///    │             └──┼──▶ Seated: left, or closed                            │
///    │                │ closed                                                │
///    │                └───────────────────────────────────────────────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A proven member: may allocate.
    Member,
    /// A guest who is in no room: may not use the relay.
    Waiting,
    /// A guest in a room: may allocate.
    Seated,
    /// A guest who left the room, or a session that ended: keeps its allocations for a while, and cannot make new
    /// ones.
    Leaving {
        /// The end of that time.
        until: Instant,
        /// Whether the session itself is still open.
        open: bool,
    },
}

/// All open sessions, as many as the server has, and ended ones that left allocations behind.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    standings: HashMap<Box<str>, Standing>,
}

impl Sessions {
    pub(crate) fn standing(&self, session: &str) -> Option<Standing> {
        self.standings.get(session).copied()
    }

    /// Adds a session. A second call has no effect.
    pub(crate) fn open(&mut self, session: &str, member: bool) {
        let standing = if member { Standing::Member } else { Standing::Waiting };
        self.standings.entry(session.into()).or_insert(standing);
    }

    /// Records that a session joined a room.
    pub(crate) fn seat(&mut self, session: &str) {
        let Some(standing) = self.standings.get_mut(session) else { return };
        match standing {
            Standing::Waiting | Standing::Leaving { open: true, .. } => *standing = Standing::Seated,
            Standing::Member | Standing::Seated | Standing::Leaving { open: false, .. } => {}
        }
    }

    /// Records that a session left its room.
    pub(crate) fn leave(&mut self, now: Instant, session: &str) {
        let Some(standing) = self.standings.get_mut(session) else { return };
        match standing {
            Standing::Seated => *standing = Standing::Leaving { until: now + GRACE, open: true },
            Standing::Member | Standing::Waiting | Standing::Leaving { .. } => {}
        }
    }

    /// Ends a session. Forgets it immediately if it `holds` no allocation.
    pub(crate) fn close(&mut self, now: Instant, session: &str, holds: bool) {
        let Some(standing) = self.standings.get_mut(session) else { return };
        let until = match *standing {
            Standing::Member | Standing::Seated => now + GRACE,
            Standing::Leaving { until, .. } => until,
            Standing::Waiting => now,
        };
        if holds {
            *standing = Standing::Leaving { until, open: false };
        } else {
            self.standings.remove(session);
        }
    }

    /// Whether the time for a session's allocations is over.
    pub(crate) fn is_over(&self, now: Instant, session: &str) -> bool {
        match self.standing(session) {
            Some(Standing::Member | Standing::Seated) => false,
            Some(Standing::Leaving { until, .. }) => until <= now,
            Some(Standing::Waiting) | None => true,
        }
    }

    /// Updates the sessions whose time is over. Their allocations have been ended.
    pub(crate) fn sweep(&mut self, now: Instant) {
        self.standings.retain(|_, standing| match *standing {
            Standing::Leaving { until, open } if until <= now => {
                *standing = Standing::Waiting;
                open
            }
            Standing::Member | Standing::Waiting | Standing::Seated | Standing::Leaving { .. } => true,
        });
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.standings.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SOON: Duration = Duration::from_secs(1);

    #[test]
    fn a_member_may_relay_during_the_session_and_a_grace_period() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        sessions.open("a", true);
        sessions.seat("a");
        sessions.leave(now, "a");
        assert_eq!(sessions.standing("a"), Some(Standing::Member));
        sessions.close(now, "a", true);
        assert!(!sessions.is_over(now + GRACE - SOON, "a"));
        assert!(sessions.is_over(now + GRACE, "a"));
        sessions.seat("a");
        assert_eq!(sessions.standing("a"), Some(Standing::Leaving { until: now + GRACE, open: false }));
        sessions.sweep(now + GRACE);
        assert_eq!(sessions.len(), 0);
    }

    #[test]
    fn a_guest_may_relay_while_seated() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        sessions.open("g", false);
        assert!(sessions.is_over(now, "g"));
        sessions.seat("g");
        assert_eq!(sessions.standing("g"), Some(Standing::Seated));
        sessions.leave(now, "g");
        sessions.leave(now + SOON, "g");
        assert_eq!(sessions.standing("g"), Some(Standing::Leaving { until: now + GRACE, open: true }));
        sessions.seat("g");
        assert_eq!(sessions.standing("g"), Some(Standing::Seated));
        sessions.leave(now, "g");
        sessions.sweep(now + GRACE);
        assert_eq!(sessions.standing("g"), Some(Standing::Waiting));
        sessions.close(now, "g", false);
        assert_eq!(sessions.len(), 0);
    }

    #[test]
    fn a_session_without_allocations_is_removed_when_it_ends() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        for n in 0..1_000 {
            let id = n.to_string();
            sessions.open(&id, n % 2 == 0);
            sessions.seat(&id);
            sessions.close(now, &id, false);
        }
        assert_eq!(sessions.len(), 0);
    }
}
