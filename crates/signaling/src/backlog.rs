//! What a server keeps for one client until the client acknowledges it: why, how much of it there may be, and the
//! pool that all clients share.
//!
//! Nobody's outbox is filled by somebody else. What others cause has bounds of its own, and a message that finds one
//! of them full is refused to its sender, told later, or waits. Only a client that does not acknowledge the answers
//! to its own messages ends its session.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::board::{BoardNews, RoomNews};
use crate::limits::{MAX_UNACKNOWLEDGED, MAX_UNACKNOWLEDGED_BYTES};
use crate::message::ServerMessage;

/// What a kept message costs beside its text: its places in queues and its counters.
pub const MESSAGE_OVERHEAD_BYTES: usize = 64;
/// Bytes that the texts of all clients together take, each text counted once however many hear it.
pub const POOL_BYTES: usize = 128 * 1024 * 1024;
/// With the pool exhausted, a client is still told of events and answered until it has so many bytes of one cause
/// unacknowledged.
pub const GUARANTEED_BYTES: usize = 2 * 1024;
/// Longest message that this holds for: `joined` with eleven others.
pub const GUARANTEED_MESSAGE_BYTES: usize = 6 * 1024;

/// Why a client is told something. Each cause has a bound of its own: none takes another's room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// An answer to the client's own message. When full, the client does not acknowledge: its session ends with
    /// `too_slow`.
    Own,
    /// What one other person says to this one. When full, it is refused to the sender with `rate_limited`.
    Directed,
    /// Chat. When full at one person in the room, it is refused to the speaker with `rate_limited`.
    Said,
    /// What others' coming and going means for this one. When it is not [`Backlog::is_open`], only the newest state
    /// is told, and later.
    Event,
    /// Pieces of the board. When full, the next pieces wait for acknowledgements.
    Board,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 5] = [Cause::Own, Cause::Directed, Cause::Said, Cause::Event, Cause::Board];

    /// Why a message is sent.
    pub fn of(message: &ServerMessage) -> Cause {
        match message {
            ServerMessage::Offer { .. }
            | ServerMessage::Answer { .. }
            | ServerMessage::Candidate { .. }
            | ServerMessage::EndOfCandidates { .. }
            | ServerMessage::Resolution { .. }
            | ServerMessage::Room(RoomNews::Muted) => Cause::Directed,
            ServerMessage::Chat { .. } => Cause::Said,
            ServerMessage::ParticipantJoined { .. }
            | ServerMessage::ParticipantLeft { .. }
            | ServerMessage::ParticipantConnection { .. }
            | ServerMessage::Media { .. }
            | ServerMessage::Room(RoomNews::Lobby { .. } | RoomNews::State { .. })
            | ServerMessage::Board(BoardNews::Notice(_) | BoardNews::You { .. }) => Cause::Event,
            ServerMessage::Board(BoardNews::Snapshot(_) | BoardNews::Patch(_)) => Cause::Board,
            ServerMessage::Board(BoardNews::Done { .. } | BoardNews::Invite { .. })
            | ServerMessage::Room(RoomNews::Knocking { .. })
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

    /// How much of it one client may have unacknowledged.
    pub const fn bound(self) -> Load {
        match self {
            Cause::Own => Load { messages: MAX_UNACKNOWLEDGED, bytes: MAX_UNACKNOWLEDGED_BYTES },
            // Eleven others at once, each with an offer and an answer of the longest kind and 30 candidates.
            Cause::Directed => Load { messages: 512, bytes: 1536 * 1024 },
            Cause::Said => Load { messages: 512, bytes: 512 * 1024 },
            Cause::Event => Load { messages: 1_024, bytes: 512 * 1024 },
            // The server stops at half of it.
            Cause::Board => Load { messages: 4_096, bytes: 1024 * 1024 },
        }
    }
}

/// Events unacknowledged at which a client is told no more of them one by one.
const OPEN: Load = Load { messages: 128, bytes: 64 * 1024 };

/// Messages and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// How many.
    pub messages: usize,
    /// How long together, [`MESSAGE_OVERHEAD_BYTES`] each included.
    pub bytes: usize,
}

impl Load {
    fn is_below(self, bound: Load) -> bool {
        self.messages < bound.messages && self.bytes <= bound.bytes
    }
}

/// What one client has not acknowledged, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    loads: [Load; 5],
}

impl Backlog {
    /// How much of one cause there is.
    pub fn of(&self, cause: Cause) -> Load {
        self.loads[cause as usize]
    }

    /// All together.
    pub fn total(&self) -> Load {
        let mut total = Load::default();
        for load in self.loads {
            total.messages += load.messages;
            total.bytes += load.bytes;
        }
        total
    }

    /// Whether a message of so many bytes finds room.
    pub fn takes(&self, cause: Cause, bytes: usize) -> bool {
        let load = self.of(cause);
        Load { messages: load.messages, bytes: load.bytes + bytes + MESSAGE_OVERHEAD_BYTES }.is_below(cause.bound())
    }

    /// Whether events are told one by one as they happen.
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

/// The memory that texts for clients take together.
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
    /// An empty pool of so many bytes.
    pub fn new(most: usize) -> Pool {
        Pool { used: Arc::default(), most }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether so many bytes more fit.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.used() + bytes <= self.most
    }

    /// Whether so many bytes more fit into the first `share` of `of` parts of it.
    pub fn has_room_in(&self, (share, of): (usize, usize), bytes: usize) -> bool {
        self.used() + bytes <= self.most / of * share
    }

    /// Keeps a text. It is counted until the last [`Text`] of it is dropped. Whether it fits is the caller's to ask.
    pub fn keep(&self, text: impl Into<Arc<str>>) -> Text {
        let text = text.into();
        let bytes = text.len() + MESSAGE_OVERHEAD_BYTES;
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Text(Arc::new(Counted { text, pool: Arc::clone(&self.used), bytes }))
    }
}

/// A message's body, shared by all who hear it and counted once.
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
    fn a_text_is_counted_once_until_the_last_who_hears_it_has_it_no_more() {
        let pool = Pool::new(1_000);
        let text = pool.keep("x".repeat(400));
        let heard = vec![text.clone(), text.clone()];
        assert_eq!(pool.used(), 400 + MESSAGE_OVERHEAD_BYTES);
        assert!(pool.has_room(536) && !pool.has_room(537));
        assert!(pool.has_room_in((1, 2), 36) && !pool.has_room_in((1, 2), 37));
        drop(text);
        drop(heard);
        assert_eq!(pool.used(), 0);
    }

    #[test]
    fn twelve_who_meet_at_once_fit_each_others_share() {
        // Eleven others, each with an offer and an answer of 48 KB, 30 candidates, their end and a resolution.
        let mut backlog = Backlog::default();
        for _ in 0..11 {
            for bytes in [50_000, 50_000].into_iter().chain([400; 32]) {
                assert!(backlog.takes(Cause::Directed, bytes));
                backlog.add(Cause::Directed, bytes);
            }
        }
    }

    #[test]
    fn one_cause_takes_no_room_of_another() {
        let mut backlog = Backlog::default();
        while backlog.takes(Cause::Directed, 1_000) {
            backlog.add(Cause::Directed, 1_000);
        }
        for cause in [Cause::Own, Cause::Said, Cause::Event, Cause::Board] {
            assert!(backlog.takes(cause, 1_000), "{cause:?}");
        }
        assert!(backlog.is_open(&Pool::default()));
    }
}
