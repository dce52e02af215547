//! Limits of one server. The defaults are the limits of the protocol.

use std::time::Duration;

use signaling::backlog::POOL_BYTES;
use signaling::limits;

use crate::bucket::Rate;

/// Simultaneous rooms.
pub const MAX_ROOMS: usize = 2_000;
/// Simultaneous forwarded rooms.
pub const MAX_FORWARDED_ROOMS: usize = 200;
/// People from whom on a room is forwarded.
pub const FORWARD_FROM: usize = 7;
/// Simultaneous sessions, including broken ones.
pub const MAX_SESSIONS: usize = 5_000;
/// Simultaneous sessions of one person (one device key), including broken ones.
pub const MAX_SESSIONS_PER_PERSON: usize = 64;
/// Simultaneous sessions from one IPv4 address or IPv6 /64, of people who have not proved to be members.
pub const MAX_SESSIONS_PER_SOURCE: usize = 64;
/// Consecutive messages above a session's own rate after which the session is ended: the client ignores the refusals.
pub const MAX_REFUSED_IN_A_ROW: u32 = 200;

/// Limits of one server.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// People in one room.
    pub participants: usize,
    /// Rooms whose media the server forwards. `None`: it forwards nothing.
    pub forwarding: Option<ForwardLimits>,
    /// Simultaneous rooms.
    pub rooms: usize,
    /// Simultaneous sessions, including broken ones.
    pub sessions: usize,
    /// How long a broken session keeps its seat.
    pub resume: Duration,
    /// Rate limits of one person.
    pub rates: Rates,
    /// Limits for one person towards another, and for all people of one source.
    pub shares: Shares,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            participants: limits::MAX_PARTICIPANTS,
            forwarding: None,
            rooms: MAX_ROOMS,
            sessions: MAX_SESSIONS,
            resume: limits::RESUME_WINDOW,
            rates: Rates::default(),
            shares: Shares::default(),
        }
    }
}

/// Limits of forwarded rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForwardLimits {
    /// A room is forwarded from this many people on, if all their clients can do it.
    pub from: usize,
    /// People in one forwarded room.
    pub participants: usize,
    /// Simultaneous forwarded rooms. Beyond them, rooms stay direct.
    pub rooms: usize,
}

impl Default for ForwardLimits {
    fn default() -> ForwardLimits {
        ForwardLimits { from: FORWARD_FROM, participants: limits::MAX_FORWARDED, rooms: MAX_FORWARDED_ROOMS }
    }
}

/// Rate limits of one person over all their sessions, by kind of message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Any message.
    pub messages: Rate,
    /// Bytes of messages.
    pub bytes: Rate,
    /// Joining a room.
    pub joins: Rate,
    /// Lines of chat.
    pub chat: Rate,
    /// Raising and lowering the own hand.
    pub hands: Rate,
    /// Reactions.
    pub reactions: Rate,
    /// Requests to the board, and requests of a host.
    pub board: Rate,
    /// Requests for photos of people.
    pub photos: Rate,
    /// Offers to the forwarder, each of which makes a connection.
    pub forward_offers: Rate,
    /// Changes of what is displayed in a forwarded room.
    pub views: Rate,
    /// Announcements of frame keys, each of which all others receive.
    pub frame_keys: Rate,
    /// Messages with sender keys, each of which all others receive a part of.
    pub sender_keys: Rate,
}

impl Default for Rates {
    fn default() -> Rates {
        Rates {
            messages: Rate::new(limits::MESSAGE_RATE, limits::MESSAGE_BURST),
            // Eleven offers and eleven answers of maximum length and a full replay in one burst; 128 KiB/s on
            // average.
            bytes: Rate::new((128 * 1024) as f64, (2 * limits::MAX_UNACKNOWLEDGED_BYTES) as f64),
            joins: Rate::new(limits::JOIN_RATE, limits::JOIN_BURST),
            chat: Rate::new(limits::CHAT_RATE, limits::CHAT_BURST),
            hands: Rate::new(limits::HAND_RATE, limits::HAND_BURST),
            reactions: Rate::new(limits::REACTION_RATE, limits::REACTION_BURST),
            board: Rate::new(limits::BOARD_RATE, limits::BOARD_BURST),
            photos: Rate::new(limits::PHOTO_RATE, limits::PHOTO_BURST),
            forward_offers: Rate::new(limits::FORWARD_OFFER_RATE, limits::FORWARD_OFFER_BURST),
            views: Rate::new(limits::VIEW_RATE, limits::VIEW_BURST),
            frame_keys: Rate::new(limits::FRAME_KEY_RATE, limits::FRAME_KEY_BURST),
            sender_keys: Rate::new(limits::SENDER_KEYS_RATE, limits::SENDER_KEYS_BURST),
        }
    }
}

/// Limits for one person towards another, the number of sessions of one person, and limits for all people together
/// who connect from one source and have not proved to be members ([`crate::source::Source`]). Limits of a /48 are
/// multiplied by its weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// Messages from one person to one other.
    pub pair_messages: Rate,
    /// Bytes from one person to one other.
    pub pair_bytes: Rate,
    /// Messages from one source.
    pub source_messages: Rate,
    /// Bytes from one source.
    pub source_bytes: Rate,
    /// Joining rooms from one source.
    pub source_joins: Rate,
    /// Sessions of one person, including broken ones.
    pub sessions_per_person: usize,
    /// Sessions from one source, including broken ones; 0 for no limit.
    pub sessions_per_source: usize,
    /// Unacknowledged bytes of all sessions of one source. Above this, others cannot send them more.
    pub source_kept_bytes: usize,
}

impl Default for Shares {
    fn default() -> Shares {
        Shares {
            // An offer, an answer and 30 candidates, an ICE restart soon after, and another. Less than a recipient
            // accepts from everybody together.
            pair_messages: Rate::new(20.0, 448.0),
            pair_bytes: Rate::new((16 * 1024) as f64, (256 * 1024) as f64),
            // A room of twelve people behind one address, all at the same time.
            source_messages: Rate::new(400.0, 8_192.0),
            source_bytes: Rate::new((1024 * 1024) as f64, (32 * 1024 * 1024) as f64),
            source_joins: Rate::new(5.0, 64.0),
            sessions_per_person: MAX_SESSIONS_PER_PERSON,
            sessions_per_source: MAX_SESSIONS_PER_SOURCE,
            source_kept_bytes: POOL_BYTES / 8,
        }
    }
}
