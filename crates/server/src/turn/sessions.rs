//! Reports to the relay which sessions may use it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use mio::Waker;
use signaling::message::{ServerMessage, SessionId};

/// Updates waiting for the relay's thread, which reads them before the next datagram. When full, the newest update of
/// each session waits in the hub until its next tick.
pub(super) const UPDATES: usize = 1_024;

/// The state of a session as far as the relay is concerned. Only the newest matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RelayAccess {
    Member,
    /// Not a proved member, and not in a room.
    Waiting,
    /// Not a proved member, and in a room.
    Seated,
    Closed,
}

/// The new state of one session.
#[derive(Debug)]
pub(super) struct Update {
    pub(super) session: SessionId,
    pub(super) state: RelayAccess,
}

/// The hub's end.
pub(crate) struct Sessions {
    updates: SyncSender<Update>,
    waker: Arc<Waker>,
    guests: HashSet<SessionId>,
    /// Updates that found the queue full. At most one for each session that is open or has just ended.
    waiting: HashMap<SessionId, RelayAccess>,
}

impl Sessions {
    pub(super) fn new(updates: SyncSender<Update>, waker: Arc<Waker>) -> Sessions {
        Sessions { updates, waker, guests: HashSet::new(), waiting: HashMap::new() }
    }

    /// A session has opened. Must be called before its client receives the credentials, so that no request is too
    /// early.
    pub(crate) fn opened(&mut self, session: &SessionId, member: bool) {
        if !member {
            self.guests.insert(session.clone());
        }
        self.update(session, if member { RelayAccess::Member } else { RelayAccess::Waiting });
    }

    /// A session is about to receive this message, which may seat it or remove it from its room.
    pub(crate) fn observe(&mut self, session: &SessionId, message: &ServerMessage) {
        let state = match message {
            ServerMessage::Joined { .. } => RelayAccess::Seated,
            ServerMessage::Left { .. } => RelayAccess::Waiting,
            _ => return,
        };
        if self.guests.contains(session) {
            self.update(session, state);
        }
    }

    /// A session is over.
    pub(crate) fn closed(&mut self, session: &SessionId) {
        self.guests.remove(session);
        self.update(session, RelayAccess::Closed);
    }

    /// Sends the updates that found the queue full.
    pub(crate) fn tick(&mut self) {
        for (session, state) in std::mem::take(&mut self.waiting) {
            self.update(&session, state);
        }
    }

    fn update(&mut self, session: &SessionId, state: RelayAccess) {
        let full = self.waiting.contains_key(session)
            || match self.updates.try_send(Update { session: session.clone(), state }) {
                // If the relay has ended, nobody needs updates.
                Ok(()) | Err(TrySendError::Disconnected(_)) => false,
                Err(TrySendError::Full(_)) => true,
            };
        if full {
            self.waiting.insert(session.clone(), state);
        }
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake the relay");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signaling::message::LeaveReason;
    use std::sync::mpsc::{Receiver, sync_channel};

    fn sessions(bound: usize) -> (Sessions, Receiver<Update>, mio::Poll) {
        let poll = mio::Poll::new().expect("a poll");
        let waker = Waker::new(poll.registry(), mio::Token(0)).expect("a waker");
        let (updates, receiver) = sync_channel(bound);
        (Sessions::new(updates, Arc::new(waker)), receiver, poll)
    }

    fn updates_in(receiver: &Receiver<Update>) -> Vec<(String, RelayAccess)> {
        receiver.try_iter().map(|update| (update.session.0, update.state)).collect()
    }

    #[test]
    fn only_guests_need_a_seat_to_relay() {
        let (mut sessions, receiver, _poll) = sessions(UPDATES);
        let [ada, eve] = ["ada", "eve"].map(|id| SessionId(id.into()));
        sessions.opened(&ada, true);
        sessions.opened(&eve, false);
        let left = ServerMessage::Left { reason: LeaveReason::Left };
        for session in [&ada, &eve] {
            sessions.observe(session, &left);
            sessions.observe(session, &ServerMessage::Pong { nonce: 1 });
            sessions.closed(session);
            sessions.observe(session, &left);
        }
        let expected = [
            ("ada", RelayAccess::Member),
            ("eve", RelayAccess::Waiting),
            ("ada", RelayAccess::Closed),
            ("eve", RelayAccess::Waiting),
            ("eve", RelayAccess::Closed),
        ];
        assert_eq!(updates_in(&receiver), expected.map(|(id, state)| (id.to_owned(), state)));
    }

    #[test]
    fn a_full_queue_keeps_the_newest_update_of_each_session() {
        let (mut sessions, receiver, _poll) = sessions(1);
        let [ada, eve] = ["ada", "eve"].map(|id| SessionId(id.into()));
        sessions.opened(&ada, true);
        sessions.opened(&eve, false);
        sessions.closed(&eve);
        assert_eq!(updates_in(&receiver), [("ada".to_owned(), RelayAccess::Member)]);
        sessions.tick();
        assert_eq!(updates_in(&receiver), [("eve".to_owned(), RelayAccess::Closed)]);
        assert!(sessions.waiting.is_empty());
    }
}
