//! What one server allows; the defaults are the protocol's own limits.

use std::time::Duration;

use signaling::backlog::POOL_BYTES;
use signaling::limits;

use crate::bucket::Rate;

/// Rooms at one time.
pub const MAX_ROOMS: usize = 2_000;
/// Sessions at one time, broken ones included.
pub const MAX_SESSIONS: usize = 5_000;
/// Sessions of one person (one device key) at one time, broken ones included.
pub const MAX_SESSIONS_PER_PERSON: usize = 64;
/// Sessions at one time from one IPv4 address or IPv6 /64 of people who have not proved to be members.
pub const MAX_SESSIONS_PER_SOURCE: usize = 64;
/// Messages in a row over their own rate after which a session is ended: it is not listening.
pub const MAX_REFUSED_IN_A_ROW: u32 = 200;

/// What one server allows.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// People in one room.
    pub participants: usize,
    /// Rooms at one time.
    pub rooms: usize,
    /// Sessions at one time, broken ones included.
    pub sessions: usize,
    /// How long a broken session keeps its seat.
    pub resume: Duration,
    /// How often one person may say something.
    pub rates: Rates,
    /// What one person may do to one other, and all people of one source together.
    pub shares: Shares,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            participants: limits::MAX_PARTICIPANTS,
            rooms: MAX_ROOMS,
            sessions: MAX_SESSIONS,
            resume: limits::RESUME_WINDOW,
            rates: Rates::default(),
            shares: Shares::default(),
        }
    }
}

/// How often one person may say something over all their sessions, by kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Any message.
    pub messages: Rate,
    /// Bytes of messages.
    pub bytes: Rate,
    /// Entering a room.
    pub joins: Rate,
    /// Lines of chat.
    pub chat: Rate,
    /// Requests to the board, and what a host does.
    pub board: Rate,
}

impl Default for Rates {
    fn default() -> Rates {
        Rates {
            messages: Rate::new(limits::MESSAGE_RATE, limits::MESSAGE_BURST),
            // Eleven offers and eleven answers of the longest kind, and a full replay, at once; 128 KiB/s on average.
            bytes: Rate::new((128 * 1024) as f64, (2 * limits::MAX_UNACKNOWLEDGED_BYTES) as f64),
            joins: Rate::new(limits::JOIN_RATE, limits::JOIN_BURST),
            chat: Rate::new(limits::CHAT_RATE, limits::CHAT_BURST),
            board: Rate::new(limits::BOARD_RATE, limits::BOARD_BURST),
        }
    }
}

/// What one person may do to one other, how many sessions they may have, and what all those together may do who
/// come from one source and have not proved to be members ([`crate::source::Source`]; limits of a /48 are its weight
/// times as large).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// Messages from one person to one other.
    pub pair_messages: Rate,
    /// Their bytes.
    pub pair_bytes: Rate,
    /// Messages from one source.
    pub source_messages: Rate,
    /// Their bytes.
    pub source_bytes: Rate,
    /// Entering rooms from one source.
    pub source_joins: Rate,
    /// Sessions of one person, broken ones included.
    pub sessions_per_person: usize,
    /// Sessions from one source, broken ones included. 0 is as many as there are.
    pub sessions_per_source: usize,
    /// Bytes that sessions of one source leave unacknowledged, above which others can say no more to them.
    pub source_kept_bytes: usize,
}

impl Default for Shares {
    fn default() -> Shares {
        Shares {
            // An offer, an answer and 30 candidates, an ICE restart soon after, and another. Below what an addressee
            // takes of all together.
            pair_messages: Rate::new(20.0, 448.0),
            pair_bytes: Rate::new((16 * 1024) as f64, (256 * 1024) as f64),
            // A room of twelve behind one address, everybody at once.
            source_messages: Rate::new(400.0, 8_192.0),
            source_bytes: Rate::new((1024 * 1024) as f64, (32 * 1024 * 1024) as f64),
            source_joins: Rate::new(5.0, 64.0),
            sessions_per_person: MAX_SESSIONS_PER_PERSON,
            sessions_per_source: MAX_SESSIONS_PER_SOURCE,
            source_kept_bytes: POOL_BYTES / 8,
        }
    }
}
