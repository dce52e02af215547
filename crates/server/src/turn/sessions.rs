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
pub(super) enum State {
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
    pub(super) state: State,
}

/// The hub's end.
pub(crate) struct Sessions {
    updates: SyncSender<Update>,
    waker: Arc<Waker>,
    guests: HashSet<SessionId>,
    /// Updates that found the queue full. At most one for each session that is open or has just ended.
    waiting: HashMap<SessionId, State>,
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
        self.tell(session, if member { State::Member } else { State::Waiting });
    }

    /// A session is about to receive this message, which may seat it or remove it from its room.
    pub(crate) fn hears(&mut self, session: &SessionId, message: &ServerMessage) {
        let state = match message {
            ServerMessage::Joined { .. } => State::Seated,
            ServerMessage::Left { .. } => State::Waiting,
            _ => return,
        };
        if self.guests.contains(session) {
            self.tell(session, state);
        }
    }

    /// A session is over.
    pub(crate) fn closed(&mut self, session: &SessionId) {
        self.guests.remove(session);
        self.tell(session, State::Closed);
    }

    /// Sends the updates that found the queue full.
    pub(crate) fn tick(&mut self) {
        for (session, state) in std::mem::take(&mut self.waiting) {
            self.tell(&session, state);
        }
    }

    fn tell(&mut self, session: &SessionId, state: State) {
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

    fn told(receiver: &Receiver<Update>) -> Vec<(String, State)> {
        receiver.try_iter().map(|update| (update.session.0, update.state)).collect()
    }

    #[test]
    fn a_guest_is_seated_and_unseated_and_a_member_is_not_asked_where_they_sit() {
        let (mut sessions, receiver, _poll) = sessions(UPDATES);
        let [ada, eve] = ["ada", "eve"].map(|id| SessionId(id.into()));
        sessions.opened(&ada, true);
        sessions.opened(&eve, false);
        let left = ServerMessage::Left { reason: LeaveReason::Left };
        for session in [&ada, &eve] {
            sessions.hears(session, &left);
            sessions.hears(session, &ServerMessage::Pong { nonce: 1 });
            sessions.closed(session);
            sessions.hears(session, &left);
        }
        let expected = [
            ("ada", State::Member),
            ("eve", State::Waiting),
            ("ada", State::Closed),
            ("eve", State::Waiting),
            ("eve", State::Closed),
        ];
        assert_eq!(told(&receiver), expected.map(|(id, state)| (id.to_owned(), state)));
    }

    #[test]
    fn when_the_queue_is_full_the_newest_of_each_session_is_told_later() {
        let (mut sessions, receiver, _poll) = sessions(1);
        let [ada, eve] = ["ada", "eve"].map(|id| SessionId(id.into()));
        sessions.opened(&ada, true);
        sessions.opened(&eve, false);
        sessions.closed(&eve);
        assert_eq!(told(&receiver), [("ada".to_owned(), State::Member)]);
        sessions.tick();
        assert_eq!(told(&receiver), [("eve".to_owned(), State::Closed)]);
        assert!(sessions.waiting.is_empty());
    }
}
