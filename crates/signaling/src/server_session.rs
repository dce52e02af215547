//! One client's session as the server keeps it: the count of both directions, across as many sockets as it takes.
//!
//! Used by a server like this: `send` gives the frame for the socket, if there is one; what was sent without a
//! socket, or into one that broke, comes again out of `resume`. A new socket replaces the old at once: nothing
//! more may be read from the old one.

use std::sync::Arc;
use std::time::Instant;

use crate::message::{ClientMessage, Envelope, ServerMessage};
pub use crate::numbering::{CountError, Inbox, Outbox, Place, QueueFull};
use crate::numbering::{body, frame};

/// What the other side has said and heard.
#[derive(Debug, Default)]
pub struct ServerSession {
    outbox: Outbox,
    inbox: Inbox,
}

impl ServerSession {
    /// A session that has just been welcomed.
    pub fn new() -> ServerSession {
        ServerSession::default()
    }

    /// Numbers and keeps a message; gives its frame. When full the client reads too slowly or not at all:
    /// end the session with `too_slow`.
    pub fn send(&mut self, message: &ServerMessage) -> Result<String, QueueFull> {
        self.send_body(body(message).into())
    }

    /// Like [`ServerSession::send`] for a [`body`] made once and sent to many.
    pub fn send_body(&mut self, body: Arc<str>) -> Result<String, QueueFull> {
        let seq = self.outbox.push(body)?;
        Ok(frame(seq, self.inbox.take_ack(), self.outbox.get(seq).unwrap_or_default()))
    }

    /// The frame of a message outside the count (`pong`, `ack`, `bye`), which is not kept.
    pub fn uncounted(&mut self, message: &ServerMessage) -> String {
        frame(0, self.inbox.take_ack(), &body(message))
    }

    /// Takes note of a frame's numbers, also of one that [`crate::parse::client_message`] refused.
    /// An error means that the socket must be closed; the session can be resumed.
    pub fn receive_numbers(&mut self, now: Instant, seq: u64, ack: u64) -> Result<Place, CountError> {
        self.outbox.acknowledge(ack)?;
        self.inbox.accept(now, seq)
    }

    /// Takes a client's message: itself if it is new or outside the count, `None` if it came before.
    pub fn receive(
        &mut self,
        now: Instant,
        envelope: Envelope<ClientMessage>,
    ) -> Result<Option<ClientMessage>, CountError> {
        let place = self.receive_numbers(now, envelope.seq, envelope.ack)?;
        Ok(match place {
            Place::New | Place::Uncounted => Some(envelope.message),
            Place::Duplicate => None,
        })
    }

    /// The `received` of `resumed`.
    pub fn received(&self) -> u64 {
        self.inbox.received()
    }

    /// Goes on over a new socket with a client that has received everything up to `received`: the frames to send
    /// after `resumed`. An error means that it cannot be resumed.
    pub fn resume(&mut self, received: u64) -> Result<Vec<String>, CountError> {
        self.outbox.resume(received)?;
        let ack = self.inbox.take_ack();
        Ok(self.outbox.unacknowledged().map(|(seq, body)| frame(seq, ack, body)).collect())
    }

    /// When [`ServerSession::poll_ack`] has something to send.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.inbox.ack_at()
    }

    /// The bare `ack` that is due, if one is.
    pub fn poll_ack(&mut self, now: Instant) -> Option<String> {
        self.inbox.ack_at().filter(|&at| at <= now)?;
        Some(self.uncounted(&ServerMessage::Ack))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{ACK_DELAY, MAX_UNACKNOWLEDGED};
    use crate::message::LeaveReason;
    use crate::parse;

    const LEFT: ServerMessage = ServerMessage::Left { reason: LeaveReason::Left };

    fn said(seq: u64, ack: u64) -> Envelope<ClientMessage> {
        Envelope { seq, ack, message: ClientMessage::Leave }
    }

    fn numbers(frame: &str) -> (u64, u64) {
        let envelope = parse::server_message(frame).unwrap();
        (envelope.seq, envelope.ack)
    }

    #[test]
    fn frames_are_numbered_and_carry_what_was_received() {
        let now = Instant::now();
        let mut session = ServerSession::new();
        assert_eq!(numbers(&session.send(&LEFT).unwrap()), (1, 0));
        assert_eq!(session.receive(now, said(1, 1)), Ok(Some(ClientMessage::Leave)));
        assert_eq!(session.receive(now, said(1, 1)), Ok(None), "a duplicate");
        assert_eq!(numbers(&session.send_body(body(&LEFT).into()).unwrap()), (2, 1));
        assert_eq!(numbers(&session.uncounted(&ServerMessage::Pong { nonce: 1 })), (0, 1));
    }

    #[test]
    fn a_client_that_acknowledges_is_never_too_slow() {
        let now = Instant::now();
        let mut session = ServerSession::new();
        for seq in 1..=3 * MAX_UNACKNOWLEDGED as u64 {
            session.send(&LEFT).unwrap();
            session.receive(now, said(0, seq)).unwrap();
        }
        for _ in 0..MAX_UNACKNOWLEDGED {
            session.send(&LEFT).unwrap();
        }
        assert_eq!(session.send(&LEFT), Err(QueueFull));
    }

    #[test]
    fn a_resume_replays_what_the_client_has_not_received() {
        let mut session = ServerSession::new();
        for _ in 0..3 {
            session.send(&LEFT).unwrap();
        }
        let replay = |frames: Vec<String>| frames.iter().map(|frame| numbers(frame).0).collect::<Vec<_>>();
        assert_eq!(session.resume(1).map(replay), Ok(vec![2, 3]));
        assert_eq!(session.resume(1).map(replay), Ok(vec![2, 3]), "a resume that broke too can be resumed");
        assert!(session.resume(0).is_err(), "what it acknowledged is gone");
        assert!(session.resume(4).is_err(), "it cannot have received what was not sent");
    }

    #[test]
    fn a_wrong_count_is_refused_and_changes_nothing() {
        let now = Instant::now();
        let mut session = ServerSession::new();
        assert!(session.receive(now, said(2, 0)).is_err());
        assert!(session.receive(now, said(1, 1)).is_err());
        assert_eq!(session.received(), 0);
        assert_eq!(session.poll_timeout(), None);
    }

    #[test]
    fn a_bare_acknowledgement_comes_when_nothing_else_carries_it() {
        let now = Instant::now();
        let mut session = ServerSession::new();
        session.receive(now, said(1, 0)).unwrap();
        assert_eq!(session.poll_timeout(), Some(now + ACK_DELAY));
        assert_eq!(session.poll_ack(now), None);
        assert_eq!(session.poll_ack(now + ACK_DELAY).map(|frame| numbers(&frame)), Some((0, 1)));
        assert_eq!(session.poll_ack(now + ACK_DELAY), None);
    }
}
