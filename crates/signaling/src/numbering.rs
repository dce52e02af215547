//! Sequence numbers, with which a session survives its sockets. Each side numbers its messages, keeps them until they
//! are acknowledged, sends them again after a resume, and drops duplicates.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use crate::limits::{ACK_DELAY, ACK_EVERY, ACK_EVERY_BYTES, MAX_UNACKNOWLEDGED, MAX_UNACKNOWLEDGED_BYTES};

/// [`MAX_UNACKNOWLEDGED`] messages or [`MAX_UNACKNOWLEDGED_BYTES`] bytes await acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the other side does not acknowledge messages")]
pub struct QueueFull;

/// The other side's numbers cannot be right. Only a new socket can repair it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// A message before this one is missing.
    #[error("message {got} came after {received}")]
    Gap {
        /// Highest number received before.
        received: u64,
        /// Number of this message.
        got: u64,
    },
    /// The other side acknowledges a message that was never sent, or withdraws an acknowledgement when it resumes.
    #[error("{ack} acknowledged, {sent} sent")]
    Acknowledgement {
        /// Number acknowledged.
        ack: u64,
        /// Highest number sent.
        sent: u64,
    },
}

/// Classifies a message by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The next message.
    New,
    /// A duplicate. Drop it.
    Duplicate,
    /// Not numbered.
    Uncounted,
}

/// Messages sent and not acknowledged.
#[derive(Debug)]
pub struct Outbox<B = Arc<str>> {
    /// Bodies of the messages `acknowledged + 1 ..`. A client bounds them by [`MAX_UNACKNOWLEDGED`] and
    /// [`MAX_UNACKNOWLEDGED_BYTES`], a server by their causes ([`crate::backlog`]). A message to many clients is one
    /// shared text.
    bodies: VecDeque<B>,
    bytes: usize,
    acknowledged: u64,
}

impl<B> Default for Outbox<B> {
    fn default() -> Outbox<B> {
        Outbox { bodies: VecDeque::new(), bytes: 0, acknowledged: 0 }
    }
}

impl<B: Deref<Target = str>> Outbox<B> {
    /// Numbers a message (its [`body`]) and keeps it.
    ///
    /// # Errors
    /// [`QueueFull`] if the outbox is full. The message is not kept and has no number.
    pub fn push(&mut self, body: B) -> Result<u64, QueueFull> {
        if self.bodies.len() >= MAX_UNACKNOWLEDGED || self.bytes + body.len() > MAX_UNACKNOWLEDGED_BYTES {
            return Err(QueueFull);
        }
        Ok(self.keep(body))
    }

    /// Like [`Outbox::push`], for a caller that has its own bounds.
    pub fn keep(&mut self, body: B) -> u64 {
        self.bytes += body.len();
        self.bodies.push_back(body);
        self.sent()
    }

    /// Highest number acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Highest number assigned.
    pub fn sent(&self) -> u64 {
        self.acknowledged + self.bodies.len() as u64
    }

    /// Drops every message up to `ack`. An acknowledgement older than the last has no effect.
    pub fn acknowledge(&mut self, ack: u64) -> Result<(), CountError> {
        if ack > self.sent() {
            return Err(CountError::Acknowledgement { ack, sent: self.sent() });
        }
        while self.acknowledged < ack {
            self.bytes -= self.bodies.pop_front().map_or(0, |body| body.len());
            self.acknowledged += 1;
        }
        Ok(())
    }

    /// Resumes with a side that has received exactly the messages up to `received`.
    pub fn resume(&mut self, received: u64) -> Result<(), CountError> {
        if received < self.acknowledged {
            return Err(CountError::Acknowledgement { ack: received, sent: self.sent() });
        }
        self.acknowledge(received)
    }

    /// Returns the unacknowledged messages in order, each with its number and body.
    pub fn unacknowledged(&self) -> impl ExactSizeIterator<Item = (u64, &str)> {
        let first = self.acknowledged + 1;
        self.bodies.iter().enumerate().map(move |(place, body)| (first + place as u64, &**body))
    }

    /// Returns the unacknowledged messages from this number on.
    pub fn unacknowledged_from(&self, first: u64) -> impl Iterator<Item = (u64, &str)> {
        let skipped = first.saturating_sub(self.acknowledged + 1);
        self.unacknowledged().skip(usize::try_from(skipped).unwrap_or(usize::MAX))
    }

    /// Returns the body of the message with this number, if it is still kept.
    pub fn get(&self, seq: u64) -> Option<&str> {
        let place = seq.checked_sub(self.acknowledged + 1)?;
        self.bodies.get(usize::try_from(place).ok()?).map(|body| &**body)
    }
}

/// Tracks the highest number received, and whether an acknowledgement is due.
#[derive(Debug, Default)]
pub struct Inbox {
    received: u64,
    owed: u32,
    owed_bytes: usize,
    owed_since: Option<Instant>,
}

impl Inbox {
    /// Records the number of a message.
    pub fn accept(&mut self, now: Instant, seq: u64) -> Result<Place, CountError> {
        if seq == 0 {
            return Ok(Place::Uncounted);
        }
        if seq > self.received + 1 {
            return Err(CountError::Gap { received: self.received, got: seq });
        }
        // Acknowledge a duplicate too: its sender has not received the acknowledgement yet.
        self.owed += 1;
        self.owed_since.get_or_insert(now);
        if seq <= self.received {
            return Ok(Place::Duplicate);
        }
        self.received = seq;
        Ok(Place::New)
    }

    /// Adds the length of the message that was just accepted. Many bytes are acknowledged immediately.
    pub fn weigh(&mut self, bytes: usize) {
        if self.owed > 0 {
            self.owed_bytes += bytes;
        }
    }

    /// Highest number received.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Returns the acknowledgement for a frame that is sent now. No other is due after it.
    pub fn take_ack(&mut self) -> u64 {
        self.owed = 0;
        self.owed_bytes = 0;
        self.owed_since = None;
        self.received
    }

    /// When a bare `ack` must be sent if no other frame is: immediately after [`ACK_EVERY`] messages or
    /// [`ACK_EVERY_BYTES`] bytes, otherwise after [`ACK_DELAY`].
    pub fn ack_at(&self) -> Option<Instant> {
        let since = self.owed_since?;
        let is_much = self.owed >= ACK_EVERY || self.owed_bytes >= ACK_EVERY_BYTES;
        Some(if is_much { since } else { since + ACK_DELAY })
    }
}

/// Returns a message as JSON, without its envelope.
pub fn body(message: &impl Serialize) -> String {
    // Our messages have string keys and only types that serialize, so this cannot fail.
    serde_json::to_string(message).unwrap_or_default()
}

/// Returns a body in its envelope: the text of [`crate::message::Envelope`]. A replay need not serialize the message
/// again.
pub fn frame(seq: u64, ack: u64, body: &str) -> String {
    let fields = body.strip_prefix('{').unwrap_or(body);
    format!("{{\"seq\":{seq},\"ack\":{ack},{fields}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ClientMessage, Envelope};
    use std::time::Duration;

    #[test]
    fn a_frame_is_the_text_of_its_envelope() {
        let messages = [
            ClientMessage::Chat { text: "{\"hi\"}\n".into() },
            ClientMessage::Ack,
            ClientMessage::Leave,
            ClientMessage::Ping { nonce: u64::MAX },
            ClientMessage::Media(Default::default()),
        ];
        for message in messages {
            let text = frame(3, 9, &body(&message));
            let envelope = Envelope { seq: 3, ack: 9, message };
            assert_eq!(text, serde_json::to_string(&envelope).unwrap());
            assert_eq!(serde_json::from_str::<Envelope<ClientMessage>>(&text).unwrap(), envelope);
        }
    }

    #[test]
    fn an_outbox_keeps_unacknowledged_messages() {
        let mut outbox: Outbox = Outbox::default();
        for text in ["a", "b", "c"] {
            outbox.push(text.into()).unwrap();
        }
        outbox.acknowledge(1).unwrap();
        outbox.acknowledge(0).unwrap();
        assert_eq!(outbox.unacknowledged().collect::<Vec<_>>(), [(2, "b"), (3, "c")]);
        assert_eq!((outbox.get(1), outbox.get(2), outbox.get(4)), (None, Some("b"), None));
        assert_eq!(outbox.acknowledge(4), Err(CountError::Acknowledgement { ack: 4, sent: 3 }));
        assert_eq!(outbox.resume(0), Err(CountError::Acknowledgement { ack: 0, sent: 3 }));
        outbox.resume(3).unwrap();
        assert_eq!(outbox.unacknowledged().len(), 0);
        assert_eq!(outbox.push("d".into()), Ok(4));
    }

    #[test]
    fn an_outbox_is_bounded_in_messages_and_in_bytes() {
        let mut outbox: Outbox = Outbox::default();
        for _ in 0..MAX_UNACKNOWLEDGED {
            outbox.push("x".into()).unwrap();
        }
        assert_eq!(outbox.push("x".into()), Err(QueueFull));
        outbox.acknowledge(1).unwrap();
        assert_eq!(outbox.push("x".into()), Ok(MAX_UNACKNOWLEDGED as u64 + 1));

        let mut outbox = Outbox::default();
        let half: Arc<str> = "x".repeat(MAX_UNACKNOWLEDGED_BYTES / 2).into();
        outbox.push(half.clone()).unwrap();
        outbox.push(half.clone()).unwrap();
        assert_eq!(outbox.push("x".into()), Err(QueueFull));
        outbox.acknowledge(1).unwrap();
        assert_eq!(outbox.push(half), Ok(3));
    }

    #[test]
    fn an_inbox_accepts_each_number_once_and_in_order() {
        let now = Instant::now();
        let mut inbox = Inbox::default();
        assert_eq!(inbox.accept(now, 0), Ok(Place::Uncounted));
        assert_eq!(inbox.accept(now, 1), Ok(Place::New));
        assert_eq!(inbox.accept(now, 1), Ok(Place::Duplicate));
        assert_eq!(inbox.accept(now, 3), Err(CountError::Gap { received: 1, got: 3 }));
        assert_eq!(inbox.accept(now, u64::MAX), Err(CountError::Gap { received: 1, got: u64::MAX }));
        assert_eq!(inbox.accept(now, 2), Ok(Place::New));
        assert_eq!(inbox.received(), 2);
    }

    #[test]
    fn an_acknowledgement_is_due_after_a_second_or_thirty_two_messages() {
        let start = Instant::now();
        let later = start + Duration::from_millis(400);
        let mut inbox = Inbox::default();
        assert_eq!(inbox.ack_at(), None);
        for seq in 1..=u64::from(ACK_EVERY) - 1 {
            inbox.accept(if seq == 1 { start } else { later }, seq).unwrap();
            assert_eq!(inbox.ack_at(), Some(start + ACK_DELAY));
        }
        inbox.accept(later, u64::from(ACK_EVERY)).unwrap();
        assert!(inbox.ack_at().is_some_and(|at| at <= later));
        assert_eq!(inbox.take_ack(), u64::from(ACK_EVERY));
        assert_eq!(inbox.ack_at(), None);
        inbox.accept(later, u64::from(ACK_EVERY) + 1).unwrap();
        inbox.weigh(ACK_EVERY_BYTES);
        assert_eq!(inbox.ack_at(), Some(later), "long messages are acknowledged sooner");
    }
}
