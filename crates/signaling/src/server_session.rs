//! The server's side of one client's session: sequence numbers in both directions, across any number of sockets.
//!
//! A server calls `deliver` to queue a message for the client, and `next_frame` for the next frame as fast as the
//! socket accepts frames. Frames that were handed to a broken socket come again after `resume`. A new socket replaces
//! the old one immediately: read nothing more from the old one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::backlog::{Backlog, Cause, GUARANTEED_BYTES, GUARANTEED_MESSAGE_BYTES, Pool, Text};
use crate::board::BoardNews;
use crate::message::{ClientMessage, Envelope, ServerMessage};
pub use crate::numbering::{CountError, Inbox, Outbox, Place, QueueFull};
use crate::numbering::{body, frame};

/// Notices that wait until earlier messages are acknowledged. When full, the oldest is dropped: the board itself
/// shows its contents.
const MAX_NOTICES: usize = 64;
/// Longest time until a message is acknowledged on a working socket. A connection slower than this cannot carry a
/// call.
pub const ACK_PATIENCE: Duration = Duration::from_secs(120);

/// Messages sent to and received from one client.
#[derive(Debug, Default)]
pub struct ServerSession {
    outbox: Outbox<Text>,
    /// Why each message in the outbox was sent.
    causes: VecDeque<Cause>,
    backlog: Backlog,
    /// Highest number handed to the current socket. The client cannot have received anything after it.
    handed: u64,
    inbox: Inbox,
    pool: Pool,
    /// At most [`MAX_NOTICES`]. The newest `you` is kept beside them.
    notices: VecDeque<Text>,
    you: Option<Text>,
    /// The last number at some time, as long as it is unacknowledged.
    mark: Option<(u64, Instant)>,
}

impl ServerSession {
    /// Creates a session that has just been welcomed, with its own pool.
    pub fn new() -> ServerSession {
        ServerSession::default()
    }

    /// Like [`ServerSession::new`], with a pool that many clients share.
    pub fn with_pool(pool: Pool) -> ServerSession {
        ServerSession { pool, ..ServerSession::default() }
    }

    /// Numbers a message and keeps it for [`ServerSession::next_frame`]. A notice may wait for acknowledgements.
    ///
    /// # Errors
    /// [`QueueFull`] if the client does not acknowledge. End the session with `too_slow`.
    pub fn deliver(&mut self, message: &ServerMessage) -> Result<(), QueueFull> {
        let text = self.pool.keep(body(message));
        let is_open = self.backlog.is_open(&self.pool);
        match message {
            ServerMessage::Board(BoardNews::Notice(_)) if !is_open => {
                if self.notices.len() == MAX_NOTICES {
                    self.notices.pop_front();
                }
                self.notices.push_back(text);
                Ok(())
            }
            ServerMessage::Board(BoardNews::You { .. }) if !is_open => {
                self.you = Some(text);
                Ok(())
            }
            _ => self.deliver_text(Cause::of(message), text),
        }
    }

    /// Like [`ServerSession::deliver`], for a [`body`] that is serialized once and sent to many.
    pub fn deliver_text(&mut self, cause: Cause, text: Text) -> Result<(), QueueFull> {
        let bytes = text.len();
        let is_guaranteed = bytes <= GUARANTEED_MESSAGE_BYTES && self.backlog.of(cause).bytes < GUARANTEED_BYTES;
        // The pool already counts the text.
        if !self.backlog.takes(cause, bytes) || !(is_guaranteed || self.pool.has_room(0)) {
            return Err(QueueFull);
        }
        self.keep(cause, text);
        Ok(())
    }

    /// Messages that the client has not acknowledged.
    pub fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// Size in bytes of the next frame for the socket, including its envelope, if there is one.
    pub fn next_bytes(&self) -> Option<usize> {
        const ENVELOPE: usize = 64;
        Some(self.outbox.get(self.handed + 1)?.len() + ENVELOPE)
    }

    /// Returns the next frame for the socket.
    pub fn next_frame(&mut self) -> Option<String> {
        let text = self.outbox.get(self.handed + 1)?;
        self.handed += 1;
        Some(frame(self.handed, self.inbox.take_ack(), text))
    }

    /// Numbers and keeps a message and returns the next frame, for a socket that accepts everything immediately.
    pub fn send(&mut self, message: &ServerMessage) -> Result<String, QueueFull> {
        self.deliver_text(Cause::of(message), self.pool.keep(body(message)))?;
        Ok(self.next_frame().unwrap_or_default())
    }

    /// Returns the frame of a message that is not numbered and not kept (`pong`, `ack`, `bye`).
    pub fn uncounted(&mut self, message: &ServerMessage) -> String {
        frame(0, self.inbox.take_ack(), &body(message))
    }

    /// Records the numbers of a frame, even if [`crate::parse::client_message`] rejected it.
    ///
    /// # Errors
    /// The numbers cannot be right. Close the socket; the session can be resumed.
    pub fn receive_numbers(&mut self, now: Instant, seq: u64, ack: u64) -> Result<Place, CountError> {
        // The client cannot have received what was not handed to the socket.
        if ack > self.handed {
            return Err(CountError::Acknowledgement { ack, sent: self.handed });
        }
        self.acknowledge(ack)?;
        self.inbox.accept(now, seq)
    }

    /// Accepts a client's message. Returns it if it is new or not numbered, and `None` if it is a duplicate.
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

    /// The `received` field of `resumed`.
    pub fn received(&self) -> u64 {
        self.inbox.received()
    }

    /// Continues over a new socket with a client that has received everything up to `received`.
    /// [`ServerSession::next_frame`] returns the rest again.
    ///
    /// # Errors
    /// The session cannot be resumed.
    pub fn resume_at(&mut self, received: u64) -> Result<(), CountError> {
        if received < self.outbox.acknowledged() || received > self.handed {
            return Err(CountError::Acknowledgement { ack: received, sent: self.handed });
        }
        self.acknowledge(received)?;
        self.handed = received;
        self.mark = None;
        // `resumed` carries the acknowledgement.
        self.inbox.take_ack();
        Ok(())
    }

    /// Like [`ServerSession::resume_at`]. Returns all frames to send after `resumed`.
    pub fn resume(&mut self, received: u64) -> Result<Vec<String>, CountError> {
        self.resume_at(received)?;
        let frames = std::iter::from_fn(|| self.next_frame());
        Ok(frames.collect())
    }

    /// When [`ServerSession::poll_ack`] will return a frame.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.inbox.ack_at()
    }

    /// Returns the bare `ack` if one is due.
    pub fn poll_ack(&mut self, now: Instant) -> Option<String> {
        self.inbox.ack_at().filter(|&at| at <= now)?;
        Some(self.uncounted(&ServerMessage::Ack))
    }

    /// Whether an acknowledgement is overdue by more than [`ACK_PATIENCE`]. Call this about once a second while the
    /// client has a socket.
    pub fn is_late(&mut self, now: Instant) -> bool {
        let sent = self.outbox.sent();
        if self.outbox.acknowledged() == sent {
            self.mark = None;
            return false;
        }
        let (_, since) = *self.mark.get_or_insert((sent, now));
        now.saturating_duration_since(since) > ACK_PATIENCE
    }

    fn keep(&mut self, cause: Cause, text: Text) {
        self.backlog.add(cause, text.len());
        self.causes.push_back(cause);
        self.outbox.keep(text);
    }

    fn acknowledge(&mut self, ack: u64) -> Result<(), CountError> {
        for seq in self.outbox.acknowledged() + 1..=ack.min(self.outbox.sent()) {
            if let (Some(text), Some(cause)) = (self.outbox.get(seq), self.causes.pop_front()) {
                self.backlog.remove(cause, text.len());
            }
        }
        self.outbox.acknowledge(ack)?;
        if self.mark.is_some_and(|(seq, _)| seq <= ack) {
            self.mark = None;
        }
        while self.backlog.is_open(&self.pool)
            && let Some(text) = self.notices.pop_front().or_else(|| self.you.take())
        {
            self.keep(Cause::Event, text);
        }
        Ok(())
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
    fn frames_carry_their_number_and_the_acknowledgement() {
        let now = Instant::now();
        let mut session = ServerSession::new();
        assert_eq!(numbers(&session.send(&LEFT).unwrap()), (1, 0));
        assert_eq!(session.receive(now, said(1, 1)), Ok(Some(ClientMessage::Leave)));
        assert_eq!(session.receive(now, said(1, 1)), Ok(None), "a duplicate");
        assert_eq!(numbers(&session.send(&LEFT).unwrap()), (2, 1));
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
        assert!(session.resume(0).is_err(), "acknowledged messages are not kept");
        assert!(session.resume(4).is_err(), "it cannot have received an unsent message");
    }

    fn notice(n: usize) -> ServerMessage {
        let (table, room, topic) = (n.to_string(), "soup".into(), String::new());
        let kind = crate::board::NoticeKind::Deleted;
        ServerMessage::Board(BoardNews::Notice(crate::board::Notice { kind, table, room, topic, starts_ms: 0 }))
    }

    #[test]
    fn unacknowledged_notices_are_bounded_and_the_oldest_dropped() {
        let mut session = ServerSession::new();
        let mut received = Vec::new();
        for n in 0..1_000 {
            session.deliver(&notice(n)).unwrap();
        }
        let mut acknowledged = 0;
        loop {
            let before = received.len();
            while let Some(text) = session.next_frame() {
                let ServerMessage::Board(BoardNews::Notice(notice)) = parse::server_message(&text).unwrap().message
                else {
                    panic!("{text}");
                };
                received.push(notice.table.parse::<usize>().unwrap());
                acknowledged += 1;
            }
            if received.len() == before {
                break;
            }
            session.receive_numbers(Instant::now(), 0, acknowledged).unwrap();
        }
        let first = received.len() - MAX_NOTICES;
        assert!((32..=256).contains(&first), "{first}");
        assert_eq!(received[..first], (0..first).collect::<Vec<_>>());
        assert_eq!(received[first..], (1_000 - MAX_NOTICES..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn messages_that_were_not_sent_cannot_be_acknowledged() {
        let now = Instant::now();
        let mut session = ServerSession::new();
        session.deliver(&LEFT).unwrap();
        session.deliver(&LEFT).unwrap();
        assert!(session.receive_numbers(now, 0, 1).is_err());
        session.next_frame();
        assert!(session.receive_numbers(now, 0, 2).is_err());
        assert!(session.receive_numbers(now, 0, 1).is_ok());
        assert!(session.resume_at(2).is_err());
        assert_eq!(session.resume_at(1), Ok(()));
    }

    #[test]
    fn only_a_client_without_acknowledgements_for_long_is_late() {
        let now = Instant::now();
        let mut session = ServerSession::new();
        session.send(&LEFT).unwrap();
        assert!(!session.is_late(now));
        session.send(&LEFT).unwrap();
        assert!(!session.is_late(now + ACK_PATIENCE));
        let later = now + ACK_PATIENCE + Duration::from_secs(1);
        assert!(session.is_late(later));
        session.receive_numbers(later, 0, 1).unwrap();
        assert!(!session.is_late(later), "earlier messages have arrived");
        session.receive_numbers(later, 0, 2).unwrap();
        assert!(!session.is_late(later + ACK_PATIENCE + ACK_PATIENCE));
    }

    #[test]
    fn an_exhausted_pool_still_delivers_answers() {
        let pool = Pool::new(10_000);
        let _others = pool.keep("x".repeat(20_000));
        let mut session = ServerSession::with_pool(pool);
        assert!(session.deliver(&LEFT).is_ok());
        let chat =
            ServerMessage::Chat { from: crate::message::ParticipantId("a".into()), text: "x".repeat(9_000), at: 0 };
        assert_eq!(session.deliver(&chat), Err(QueueFull));
    }

    #[test]
    fn a_wrong_acknowledgement_is_refused_without_effect() {
        let now = Instant::now();
        let mut session = ServerSession::new();
        assert!(session.receive(now, said(2, 0)).is_err());
        assert!(session.receive(now, said(1, 1)).is_err());
        assert_eq!(session.received(), 0);
        assert_eq!(session.poll_timeout(), None);
    }

    #[test]
    fn a_bare_acknowledgement_is_sent_if_no_message_carries_it() {
        let now = Instant::now();
        let mut session = ServerSession::new();
        session.receive(now, said(1, 0)).unwrap();
        assert_eq!(session.poll_timeout(), Some(now + ACK_DELAY));
        assert_eq!(session.poll_ack(now), None);
        assert_eq!(session.poll_ack(now + ACK_DELAY).map(|frame| numbers(&frame)), Some((0, 1)));
        assert_eq!(session.poll_ack(now + ACK_DELAY), None);
    }
}
