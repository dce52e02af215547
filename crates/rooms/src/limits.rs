//! What one server allows; the defaults are the protocol's own limits.

use std::time::Duration;

use signaling::limits;

use crate::bucket::Rate;

/// Rooms at one time.
pub const MAX_ROOMS: usize = 2_000;
/// Sessions at one time, broken ones included.
pub const MAX_SESSIONS: usize = 5_000;
/// Messages in a row over their rate after which a session is ended: it is not listening.
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
    /// How often one session may say something.
    pub rates: Rates,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            participants: limits::MAX_PARTICIPANTS,
            rooms: MAX_ROOMS,
            sessions: MAX_SESSIONS,
            resume: limits::RESUME_WINDOW,
            rates: Rates::default(),
        }
    }
}

/// How often one session may say something, by kind.
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
