//! Subscribers of the board, and how far each has received it.
//!
//! A board is sent in pieces. The next piece is sent only while the client's unacknowledged bytes are below a bound.
//! Nothing is queued for a client that is behind: a piece is made from the current board when there is room for it.

use std::collections::{BTreeMap, HashMap};

use signaling::backlog::{Cause, MESSAGE_OVERHEAD_BYTES, Text};
use signaling::board::{BoardNews, Order, Snapshot};
use signaling::limits::MAX_FRAME_BYTES;
use signaling::message::{ServerMessage, SessionId};
use signaling::numbering::body;

use super::{Output, Rooms};
use crate::board::Item;

/// Bytes of the board that a client may leave unacknowledged before the next piece waits. Enough for a connection of
/// 40 Mbit/s with a round trip of 100 ms.
const BOARD_WINDOW: usize = 512 * 1024;
/// How long a piece can be reused for others at the same place.
const PIECE_AGE_MS: u64 = 250;
/// Pieces kept for reuse. When full, all are dropped.
pub const MAX_PIECES: usize = 128;

/// A session's subscription to the board.
///
/// ```text
///       subscribe           pieces until there are no more            flush: something changed
///  No ─────────────▶ Behind ──────────────────────────────▶ Current ───────────────────────────▶ Behind
///  ▲                    │                                       │
///  └────────────────────┴───────────── unsubscribe ─────────────┘
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Watching {
    No,
    /// A guest, who sees one room's table, without names.
    Guest {
        room: String,
        is_current: bool,
    },
    Member(Place),
    /// Somebody who is suspended, and sees an empty board.
    Nothing {
        is_current: bool,
    },
}

/// What a subscriber may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum View {
    /// The whole board.
    Member,
    /// One room's table, without names.
    Guest(String),
    /// An empty board.
    Nothing,
}

/// How far a member has received the board.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Place {
    /// Everything up to this version has been sent; `None` if nothing has.
    seen: Option<u64>,
    /// Between two pieces: the item after which the next begins, and the version of the first piece.
    between: Option<(Item, u64)>,
}

impl Watching {
    pub(super) fn new(view: View) -> Watching {
        match view {
            View::Member => Watching::Member(Place::default()),
            View::Guest(room) => Watching::Guest { room, is_current: false },
            View::Nothing => Watching::Nothing { is_current: false },
        }
    }

    /// Voids everything that was sent, because the board was replaced.
    pub(super) fn start_again(&mut self) {
        match self {
            Watching::No => {}
            Watching::Guest { is_current, .. } | Watching::Nothing { is_current } => *is_current = false,
            Watching::Member(place) => *place = Place::default(),
        }
    }
}

/// Recently made pieces, by place. Subscribers at the same place share them.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    made: HashMap<(Option<u64>, Option<Item>), Made>,
}

#[derive(Debug, Clone)]
struct Made {
    text: Text,
    next: Option<Item>,
    version: u64,
    at_ms: u64,
}

impl Pieces {
    pub(super) fn clear(&mut self) {
        self.made.clear();
    }
}

impl Rooms {
    /// Whether [`Rooms::flush_board`] has something to send.
    pub fn wants_flush(&self) -> bool {
        self.is_asked || self.board.is_dirty()
    }

    /// Sends changes to subscribers, in as few texts as there are views. Changes between two calls are combined, so
    /// that the rate of calls determines the cost of a busy board.
    pub fn flush_board(&mut self, unix_ms: u64) {
        self.unix_ms = unix_ms;
        self.is_asked = false;
        for (room, patch) in self.board.turn(unix_ms) {
            self.show_guests(&room, BoardNews::Patch(patch));
        }
        let due: Vec<SessionId> =
            self.sessions.iter().filter(|(_, s)| s.watching != Watching::No).map(|(id, _)| id.clone()).collect();
        self.show(due);
    }

    /// A published piece of this many bytes is now in a session's backlog.
    pub fn published(&mut self, session: &SessionId, bytes: usize) {
        if let Some(found) = self.sessions.get_mut(session) {
            found.publishing = found.publishing.saturating_sub(bytes + MESSAGE_OVERHEAD_BYTES);
        }
    }

    /// Sends these sessions what they lack, as far as they have room.
    pub(super) fn show(&mut self, mut due: Vec<SessionId>) {
        while !due.is_empty() {
            let mut members: BTreeMap<Place, Vec<SessionId>> = BTreeMap::new();
            for id in due.drain(..) {
                match self.lacks(&id) {
                    Some(Lack::Pieces(place)) => members.entry(place).or_default().push(id),
                    Some(Lack::Table(room)) => self.show_guest(&id, &room),
                    Some(Lack::Nothing) => self.show_nothing(&id),
                    None => {}
                }
            }
            for (place, ids) in members {
                self.show_piece(place, &ids);
                due.extend(ids);
            }
        }
    }

    /// Returns what a session lacks of the board, if there is room for it.
    fn lacks(&mut self, session: &SessionId) -> Option<Lack> {
        let version = self.board.version();
        let found = self.sessions.get_mut(session)?;
        let lack = match &mut found.watching {
            Watching::No | Watching::Guest { is_current: true, .. } | Watching::Nothing { is_current: true } => {
                return None;
            }
            Watching::Nothing { is_current: false } => Lack::Nothing,
            Watching::Guest { room, is_current: false } => Lack::Table(room.clone()),
            Watching::Member(place) => {
                if place.seen.is_some_and(|seen| !self.board.reaches(seen)) {
                    *place = Place::default();
                }
                if place.between.is_none() && place.seen == Some(version) {
                    return None;
                }
                Lack::Pieces(place.clone())
            }
        };
        let load = found.backlog.of(Cause::Board).bytes + found.publishing;
        if load >= BOARD_WINDOW {
            return None;
        }
        if !self.pool.has_room_in((3, 4), MAX_FRAME_BYTES) {
            // Nothing reports when there is room again: try with the next flush.
            self.is_asked = true;
            return None;
        }
        Some(lack)
    }

    /// Sends the next piece to all sessions at one place.
    fn show_piece(&mut self, place: Place, to: &[SessionId]) {
        let version = self.board.version();
        let (after, until) = place.between.map_or((None, version), |(after, until)| (Some(after), until));
        let made = self.piece(place.seen, after, until);
        let is_whole = place.seen.is_none() && made.next.is_none();
        for id in to {
            let Some(found) = self.sessions.get_mut(id) else { continue };
            found.publishing += made.text.len() + MESSAGE_OVERHEAD_BYTES;
            found.watching = Watching::Member(match &made.next {
                Some(next) => Place { seen: place.seen, between: Some((next.clone(), until)) },
                None => Place { seen: Some(until), between: None },
            });
        }
        self.outputs.push_back(Output::Publish { to: to.to_vec(), text: made.text });
        for to in to.iter().filter(|_| is_whole) {
            let Some(found) = self.sessions.get(to) else { continue };
            let (you, order) = (self.board.you(&found.person.key), self.board.order(&found.person.key));
            self.outputs.push_back(Output::Kept { to: to.clone(), message: ServerMessage::Board(you) });
            if order != Order::default() {
                let message = ServerMessage::Board(BoardNews::Order(order));
                self.outputs.push_back(Output::Kept { to: to.clone(), message });
            }
        }
    }

    /// Returns a piece that was made recently for somebody else, or makes one.
    fn piece(&mut self, seen: Option<u64>, after: Option<Item>, until: u64) -> Made {
        let place = (seen, after);
        if let Some(made) = self.pieces.made.get(&place)
            && made.version >= until
            && self.unix_ms.abs_diff(made.at_ms) <= PIECE_AGE_MS
        {
            return made.clone();
        }
        let (news, next) = self.board.piece(self.unix_ms, seen, place.1.as_ref());
        let text = self.pool.keep(body(&ServerMessage::Board(news)));
        let made = Made { text, next, version: self.board.version(), at_ms: self.unix_ms };
        if self.pieces.made.len() >= MAX_PIECES {
            self.pieces.clear();
        }
        self.pieces.made.insert(place, made.clone());
        made
    }

    fn show_guest(&mut self, to: &SessionId, room: &str) {
        for piece in self.board.guest_snapshot(self.unix_ms, room) {
            self.publish(std::slice::from_ref(to), BoardNews::Snapshot(piece));
        }
        if let Some(found) = self.sessions.get_mut(to) {
            found.watching = Watching::Guest { room: room.to_owned(), is_current: true };
        }
    }

    /// Sends somebody who is suspended an empty board, and why.
    fn show_nothing(&mut self, to: &SessionId) {
        for piece in self.board.guest_snapshot(self.unix_ms, "") {
            let none = Snapshot { free_count: 0, hungry_count: 0, ..piece };
            self.publish(std::slice::from_ref(to), BoardNews::Snapshot(none));
        }
        let Some(found) = self.sessions.get_mut(to) else { return };
        found.watching = Watching::Nothing { is_current: true };
        let message = ServerMessage::Board(BoardNews::Order(self.board.order(&found.person.key)));
        self.outputs.push_back(Output::Kept { to: to.clone(), message });
    }

    /// Sends the guests of a table what remains of it. A guest without room receives the whole table later.
    fn show_guests(&mut self, room: &str, news: BoardNews) {
        let mut to = Vec::new();
        for (id, found) in &mut self.sessions {
            let load = found.backlog.of(Cause::Board).bytes + found.publishing;
            match &mut found.watching {
                Watching::Guest { room: theirs, is_current } if theirs == room && *is_current => {
                    if load < BOARD_WINDOW {
                        to.push(id.clone());
                    } else {
                        *is_current = false;
                    }
                }
                Watching::Guest { .. } | Watching::Member(_) | Watching::Nothing { .. } | Watching::No => {}
            }
        }
        self.publish(&to, news);
    }

    fn publish(&mut self, to: &[SessionId], news: BoardNews) {
        if to.is_empty() {
            return;
        }
        let text = self.pool.keep(body(&ServerMessage::Board(news)));
        for id in to {
            if let Some(found) = self.sessions.get_mut(id) {
                found.publishing += text.len() + MESSAGE_OVERHEAD_BYTES;
            }
        }
        self.outputs.push_back(Output::Publish { to: to.to_vec(), text });
    }
}

/// What a session lacks.
enum Lack {
    Pieces(Place),
    /// A guest lacks the table of this room.
    Table(String),
    /// Somebody who is suspended lacks the empty board.
    Nothing,
}
