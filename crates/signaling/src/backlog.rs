//! Bounds for the messages that a server keeps until a client acknowledges them: a separate bound for each cause, and
//! a memory pool that all clients share.
//!
//! Nobody can fill the outbox of somebody else. Messages that others cause have their own bounds. When a bound is
//! reached, the message is refused to its sender, collapsed into a newer state, or delayed. A session ends only if
//! its client does not acknowledge the answers to its own messages.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::board::{BoardNews, RoomNews};
use crate::limits::{MAX_UNACKNOWLEDGED, MAX_UNACKNOWLEDGED_BYTES};
use crate::message::ServerMessage;

/// Cost of a kept message in addition to its text: its entries in queues and its counters.
pub const MESSAGE_OVERHEAD_BYTES: usize = 64;
/// Total bytes of the texts for all clients. A text shared by many clients counts once.
pub const POOL_BYTES: usize = 104 * 1024 * 1024;
/// When the pool is exhausted, a client still receives events and answers until this many bytes of one cause are
/// unacknowledged.
pub const GUARANTEED_BYTES: usize = 2 * 1024;
/// Longest message to which [`GUARANTEED_BYTES`] applies: `joined` with eleven others.
pub const GUARANTEED_MESSAGE_BYTES: usize = 6 * 1024;

/// Why a message is sent to a client. Each cause has its own bound, so no cause takes the space of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// An answer to the client's own message. When full, the client does not acknowledge, and its session ends with
    /// `too_slow`.
    Own,
    /// A message from one other person to this one. When full, the sender receives `rate_limited`.
    Directed,
    /// A sender's key for frames. When full, it is not delivered, and its sender receives a message about it.
    Keys,
    /// Chat. When the queue of one person in the room is full, the author receives `rate_limited`.
    Said,
    /// The effect of others joining, leaving or changing. Unless [`Backlog::is_open`], the client receives only the
    /// newest state, and later.
    Event,
    /// Pieces of the board. When full, further pieces wait for acknowledgements.
    Board,
}

impl Cause {
    /// All causes.
    pub const ALL: [Cause; 6] = [Cause::Own, Cause::Directed, Cause::Keys, Cause::Said, Cause::Event, Cause::Board];

    /// Returns the cause of a message.
    pub fn of(message: &ServerMessage) -> Cause {
        match message {
            ServerMessage::Offer { .. }
            | ServerMessage::Answer { .. }
            | ServerMessage::Candidate { .. }
            | ServerMessage::EndOfCandidates { .. }
            | ServerMessage::Resolution { .. }
            | ServerMessage::CheckConnection { .. }
            | ServerMessage::ConnectionReport { .. }
            | ServerMessage::Room(RoomNews::Muted) => Cause::Directed,
            ServerMessage::SenderKey { .. } => Cause::Keys,
            ServerMessage::Chat { .. } => Cause::Said,
            ServerMessage::ParticipantJoined { .. }
            | ServerMessage::ParticipantLeft { .. }
            | ServerMessage::ParticipantConnection { .. }
            | ServerMessage::Forwarded { .. }
            | ServerMessage::Slots { .. }
            | ServerMessage::FrameKey { .. }
            | ServerMessage::Media { .. }
            | ServerMessage::Hand { .. }
            | ServerMessage::Avatar { .. }
            | ServerMessage::Reaction { .. }
            | ServerMessage::Room(RoomNews::Lobby { .. } | RoomNews::State { .. })
            | ServerMessage::Board(BoardNews::Notice(_) | BoardNews::You { .. } | BoardNews::Order(_)) => Cause::Event,
            ServerMessage::Board(BoardNews::Snapshot(_) | BoardNews::Patch(_)) => Cause::Board,
            ServerMessage::Board(
                BoardNews::Done { .. }
                | BoardNews::Invite { .. }
                | BoardNews::Photo { .. }
                | BoardNews::Calendar { .. }
                | BoardNews::AboutMe(_)
                | BoardNews::OrderBook(_),
            )
            | ServerMessage::Room(RoomNews::Knocking { .. })
            | ServerMessage::Account(_)
            | ServerMessage::SenderKeysUndelivered { .. }
            | ServerMessage::Challenge { .. }
            | ServerMessage::Welcome(_)
            | ServerMessage::Resumed { .. }
            | ServerMessage::Joined { .. }
            | ServerMessage::Left { .. }
            | ServerMessage::Error(_)
            | ServerMessage::Pong { .. }
            | ServerMessage::Ack
            | ServerMessage::Bye { .. } => Cause::Own,
        }
    }

    /// Returns how much of this cause one client may have unacknowledged.
    pub const fn bound(self) -> Load {
        match self {
            Cause::Own => Load { messages: MAX_UNACKNOWLEDGED, bytes: MAX_UNACKNOWLEDGED_BYTES },
            // Eleven others at the same time, each with an offer and an answer of maximum length and 30 candidates.
            Cause::Directed => Load { messages: 512, bytes: 1536 * 1024 },
            // The whole burst of everybody else in the largest room: nobody's key is refused because of another's.
            Cause::Keys => Load { messages: 512, bytes: 256 * 1024 },
            Cause::Said => Load { messages: 512, bytes: 512 * 1024 },
            Cause::Event => Load { messages: 1_024, bytes: 512 * 1024 },
            // The server stops at half of this.
            Cause::Board => Load { messages: 4_096, bytes: 1024 * 1024 },
        }
    }
}

/// Unacknowledged events at which a client no longer receives each event.
const OPEN: Load = Load { messages: 128, bytes: 64 * 1024 };

/// A number of messages and of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Number of messages.
    pub messages: usize,
    /// Total length, including [`MESSAGE_OVERHEAD_BYTES`] for each message.
    pub bytes: usize,
}

impl Load {
    fn is_below(self, bound: Load) -> bool {
        self.messages < bound.messages && self.bytes <= bound.bytes
    }
}

/// Unacknowledged messages of one client, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    loads: [Load; Cause::ALL.len()],
}

impl Backlog {
    /// The load of one cause.
    pub fn of(&self, cause: Cause) -> Load {
        self.loads[cause as usize]
    }

    /// The total of all causes.
    pub fn total(&self) -> Load {
        let mut total = Load::default();
        for load in self.loads {
            total.messages += load.messages;
            total.bytes += load.bytes;
        }
        total
    }

    /// Whether a message of this many bytes fits.
    pub fn takes(&self, cause: Cause, bytes: usize) -> bool {
        let load = self.of(cause);
        Load { messages: load.messages, bytes: load.bytes + bytes + MESSAGE_OVERHEAD_BYTES }.is_below(cause.bound())
    }

    /// Whether each event is sent as it happens.
    pub fn is_open(&self, pool: &Pool) -> bool {
        let load = self.of(Cause::Event);
        load.is_below(OPEN) && (load.bytes < GUARANTEED_BYTES || pool.has_room(GUARANTEED_MESSAGE_BYTES))
    }

    pub(crate) fn add(&mut self, cause: Cause, bytes: usize) {
        let load = &mut self.loads[cause as usize];
        load.messages += 1;
        load.bytes += bytes + MESSAGE_OVERHEAD_BYTES;
    }

    pub(crate) fn remove(&mut self, cause: Cause, bytes: usize) {
        let load = &mut self.loads[cause as usize];
        load.messages -= 1;
        load.bytes -= bytes + MESSAGE_OVERHEAD_BYTES;
    }
}

/// Memory shared by the texts for all clients.
#[derive(Debug, Clone)]
pub struct Pool {
    used: Arc<AtomicUsize>,
    most: usize,
}

impl Default for Pool {
    fn default() -> Pool {
        Pool::new(POOL_BYTES)
    }
}

impl Pool {
    /// Creates an empty pool of this many bytes.
    pub fn new(most: usize) -> Pool {
        Pool { used: Arc::default(), most }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether this many more bytes fit.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.used() + bytes <= self.most
    }

    /// Whether this many more bytes fit into the fraction `share / of` of the pool.
    pub fn has_room_in(&self, (share, of): (usize, usize), bytes: usize) -> bool {
        self.used() + bytes <= self.most / of * share
    }

    /// Counts and keeps a text until the last [`Text`] of it is dropped. The caller checks beforehand whether it
    /// fits.
    pub fn keep(&self, text: impl Into<Arc<str>>) -> Text {
        let text = text.into();
        let bytes = text.len() + MESSAGE_OVERHEAD_BYTES;
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Text(Arc::new(Counted { text, pool: Arc::clone(&self.used), bytes }))
    }
}

/// A message's body, shared by all its recipients and counted once.
#[derive(Debug, Clone)]
pub struct Text(Arc<Counted>);

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        **self == **other
    }
}

#[derive(Debug)]
struct Counted {
    text: Arc<str>,
    pool: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.pool.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_text_is_counted_once_until_its_last_copy_is_dropped() {
        let pool = Pool::new(1_000);
        let text = pool.keep("x".repeat(400));
        let copies = vec![text.clone(), text.clone()];
        assert_eq!(pool.used(), 400 + MESSAGE_OVERHEAD_BYTES);
        assert!(pool.has_room(536) && !pool.has_room(537));
        assert!(pool.has_room_in((1, 2), 36) && !pool.has_room_in((1, 2), 37));
        drop(text);
        drop(copies);
        assert_eq!(pool.used(), 0);
    }

    #[test]
    fn twelve_simultaneous_joins_fit_into_the_share() {
        // Eleven others, each with an offer and an answer of 48 KB, 30 candidates, an end of candidates and a
        // resolution.
        let mut backlog = Backlog::default();
        for _ in 0..11 {
            for bytes in [50_000, 50_000].into_iter().chain([400; 32]) {
                assert!(backlog.takes(Cause::Directed, bytes));
                backlog.add(Cause::Directed, bytes);
            }
        }
    }

    #[test]
    fn everybody_s_burst_of_keys_fits_into_the_share() {
        use crate::limits::{MAX_SENDER_KEYS, SENDER_KEYS_BURST};
        let mut backlog = Backlog::default();
        for _ in 0..MAX_SENDER_KEYS * SENDER_KEYS_BURST as usize {
            assert!(backlog.takes(Cause::Keys, 300));
            backlog.add(Cause::Keys, 300);
        }
    }

    #[test]
    fn causes_have_separate_bounds() {
        let mut backlog = Backlog::default();
        while backlog.takes(Cause::Directed, 1_000) {
            backlog.add(Cause::Directed, 1_000);
        }
        for cause in [Cause::Own, Cause::Keys, Cause::Said, Cause::Event, Cause::Board] {
            assert!(backlog.takes(cause, 1_000), "{cause:?}");
        }
        assert!(backlog.is_open(&Pool::default()));
    }
}
