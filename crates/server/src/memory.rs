//! The most memory that the server can use: the sum of every bound. ARCHITECTURE.md lists them in a table.

use rooms::board::{
    MAX_ACTS, MAX_AVATARS, MAX_BARRED, MAX_BLOCKS, MAX_CANCELLED, MAX_FEEDS, MAX_HISTORY, MAX_INVITE_USES,
    MAX_MEETINGS, MAX_PHOTOS_BYTES, MAX_REMOVED, MAX_REPORTS, MAX_ROUND_NEWS, MAX_ROUNDS, MAX_SUSPENDED, MAX_TABLES,
};
use rooms::rooms::{MAX_PIECES, MAX_REMEMBERED};
use signaling::backlog::{GUARANTEED_BYTES, GUARANTEED_MESSAGE_BYTES, POOL_BYTES};
use signaling::limits::{
    BOARD_PIECE_BYTES, MAX_FRAME_BYTES, MAX_NAME_BYTES, MAX_PLACE_CHARS, MAX_REASON_CHARS, MAX_TABLE_LINE,
    MAX_TOPIC_CHARS, TABLE_SEATS,
};

use crate::accounts::{MAX_ACCOUNTS, MAX_ALL_DEVICES, MAX_CODES};
use crate::admission::MAX_SOURCES;
use crate::config::{Config, Turn};
use crate::connection::CONNECTION_BYTES;
use crate::feeds::{self, KEPT_BYTES};
use crate::hub::COMMANDS;
use crate::keeping::UNWRITTEN_BYTES;
use crate::line::{WINDOW, WRITING_BYTES};
use crate::meter::{MEMBER_SLOTS, SLOT_BYTES, SLOTS};
use crate::openid::{self, EXCHANGE_BYTES, MAX_BEGUN};
use crate::turn::{STREAM_BYTES, streams_for};

/// The most memory at default settings.
const CEILING: usize = 1024 * MIB;

const MIB: usize = 1024 * 1024;
/// A key, id or short text in a map or list, with the overhead of the map and the allocator.
const ENTRY: usize = 160;
/// A session's numbering, places, name, frame key and state in the hub and in the rooms.
const SESSION_BYTES: usize = 4 * 1024;
/// A person's token buckets, including those for sixteen addressees.
const PERSON_BYTES: usize = 4 * 1024;
/// The program, its threads, SQLite's cache, and the guest page.
const PROGRAM_BYTES: usize = 40 * MIB;
/// An allocation with all its permissions and channels (`relay` sums them up), and its socket.
const ALLOCATION_BYTES: usize = 10 * 1024;
/// STUN and TURN besides the allocations: sessions, meters, datagrams in flight, frames for streams of one turn.
const RELAY_BYTES: usize = 9 * MIB;

/// One summand, in bytes.
struct Part {
    what: &'static str,
    bytes: usize,
}

/// All summands.
fn parts(config: &Config) -> Vec<Part> {
    let sessions = config.rooms.sessions;
    let part = |what, bytes| Part { what, bytes };
    vec![
        part("the program, SQLite, pages", PROGRAM_BYTES),
        part("connections: buffers and tasks", config.connections * (CONNECTION_BYTES + WINDOW)),
        part("written beyond each connection's window", WRITING_BYTES),
        part("unfinished long messages", (SLOTS + MEMBER_SLOTS) * SLOT_BYTES),
        part("messages on their way to the hub", COMMANDS * MAX_FRAME_BYTES),
        part("not acknowledged, the shared pool", POOL_BYTES),
        // For two causes: answers and events.
        part("not acknowledged, beyond the pool", sessions * 2 * (GUARANTEED_BYTES + GUARANTEED_MESSAGE_BYTES)),
        part("sessions", sessions * SESSION_BYTES),
        part("people and their rates", (sessions + MAX_REMEMBERED) * PERSON_BYTES),
        part("sources and their rates", (MAX_SOURCES + sessions + MAX_REMEMBERED) * ENTRY),
        part("the board", board()),
        part("reports, blocks and suspensions", order()),
        part("rounds", rounds()),
        part("avatars", avatars()),
        part("calendar feeds", feeds()),
        part("accounts", accounts(config)),
        part("the board on its way to the disk", UNWRITTEN_BYTES),
        part("pieces of the board that clients share", MAX_PIECES * (BOARD_PIECE_BYTES + 8 * 1024)),
        part("the relay", relay(config)),
        part("the relay's TCP and TLS streams", relay_streams(config)),
    ]
}

/// Tables, meetings, uses of invites, the history of changes, and erased people who may not come back.
fn board() -> usize {
    let people = usize::from(*TABLE_SEATS.end()) * 3 + MAX_TABLE_LINE * 2 + MAX_REMOVED;
    MAX_TABLES * (2 * 1024 + people * ENTRY) + (2 * MAX_MEETINGS + MAX_INVITE_USES + MAX_HISTORY + MAX_BARRED) * ENTRY
}

/// Addresses, cancelled lunches, written calendars, those that are being written, and rates.
fn feeds() -> usize {
    let lunch = 2 * ENTRY + MAX_TOPIC_CHARS * 4 + MAX_PLACE_CHARS * 4;
    MAX_FEEDS * 2 * ENTRY + MAX_CANCELLED * lunch + 2 * KEPT_BYTES + feeds::MAX_SOURCES * ENTRY
}

/// How people are shown, and their photos.
fn avatars() -> usize {
    MAX_AVATARS * 3 * ENTRY + MAX_PHOTOS_BYTES
}

/// Reports, blocks, suspensions, and what stewards did.
fn order() -> usize {
    let named = 2 * (ENTRY + MAX_NAME_BYTES);
    let said = named + MAX_REASON_CHARS * 4;
    MAX_BLOCKS * (2 * ENTRY + MAX_NAME_BYTES)
        + (MAX_REPORTS + MAX_SUSPENDED) * said
        + MAX_ACTS * (said + MAX_TOPIC_CHARS * 4)
}

/// Rounds, two sign-ups for each table, and outcomes.
fn rounds() -> usize {
    let titled = 3 * ENTRY + MAX_TOPIC_CHARS * 4;
    (MAX_ROUNDS + MAX_ROUND_NEWS) * titled + 2 * MAX_TABLES * (ENTRY + MAX_NAME_BYTES)
}

/// Accounts, their devices, and sign-ins, if people can sign in.
fn accounts(config: &Config) -> usize {
    let stored = MAX_ACCOUNTS * 4 * ENTRY + MAX_ALL_DEVICES * 3 * ENTRY;
    let signing_in = (MAX_CODES + MAX_BEGUN) * 4 * ENTRY + openid::MAX_SOURCES * ENTRY + EXCHANGE_BYTES;
    if config.openid.is_some() { stored + signing_in } else { 0 }
}

/// STUN and TURN.
fn relay(config: &Config) -> usize {
    match &config.turn {
        Turn::Builtin(turn) => RELAY_BYTES + turn.total * ALLOCATION_BYTES,
        Turn::External(_) | Turn::Off => 0,
    }
}

/// Frames of streams in both directions, and their tasks.
fn relay_streams(config: &Config) -> usize {
    match &config.turn {
        Turn::Builtin(turn) => streams_for(turn.total).saturating_mul(STREAM_BYTES),
        Turn::External(_) | Turn::Off => 0,
    }
}

/// The sum.
fn most(config: &Config) -> usize {
    parts(config).into_iter().map(|part| part.bytes).sum()
}

/// Logs the sum for these settings.
pub(crate) fn tell(config: &Config) {
    for Part { what, bytes } in parts(config) {
        tracing::debug!(what, mib = bytes.div_ceil(MIB), "memory at most");
    }
    let most = most(config);
    if most > CEILING {
        let mib = most / MIB;
        tracing::warn!(mib, "with these settings the server may use more than 1 GiB of memory");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_all_default_bounds_is_below_the_ceiling() {
        let config = Config::default();
        let list: Vec<String> =
            parts(&config).iter().map(|part| format!("{} MiB {}", part.bytes / MIB, part.what)).collect();
        assert!(most(&config) <= CEILING, "{} MiB: {list:#?}", most(&config) / MIB);
    }

    /// The table in ARCHITECTURE.md must agree.
    #[test]
    fn the_documented_sum_matches() {
        let text = include_str!("../../../ARCHITECTURE.md");
        let config = Config::default();
        for part in parts(&config) {
            let row = format!("| {} | {} MiB |", part.what, part.bytes.div_ceil(MIB));
            assert!(text.contains(&row), "missing: {row}");
        }
        let sum = format!("| **together** | {} MiB |", most(&config).div_ceil(MIB));
        assert!(text.contains(&sum), "missing: {sum}");
    }
}
