//! A server that works like the hub, without sockets, and clients with their own acknowledgement delays.

#![allow(dead_code)] // each test uses a part of it

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use rooms::board::{Board, Calendar, Kind, LastReminder, MAX_TABLES, Saved, Seat, Table};
use rooms::source::Source;
use rooms::{Limits, Output, Person, Rooms};
use signaling::backlog::Cause;
use signaling::board::{Door, Sitter};
use signaling::message::{ClientMessage, ErrorCode, Hand, MediaState, ParticipantId, ServerMessage, SessionId};
use signaling::parse;
use signaling::server_session::ServerSession;

pub(crate) const OFF: MediaState = MediaState { microphone: false, camera: false, screen: false };
/// Unix milliseconds at the start.
pub(crate) const NOW: u64 = 1_774_600_000_000;

/// The largest possible board: every table and its line are full, with the longest texts and names.
pub(crate) fn full_board() -> Saved {
    let name = "\u{1F35C}".repeat(46);
    let key = |n: usize| format!("{n:043}");
    let table = |n: usize| Table {
        id: format!("{n:016}"),
        room: format!("t-{n:016}"),
        topic: "\u{1F35C}".repeat(80),
        place: "\u{1F35C}".repeat(120),
        seats: 12,
        starts: NOW + 3_600_000 + n as u64,
        ends: NOW + 3 * 3_600_000,
        kind: Kind::Slot,
        host: key(n * 100),
        door: Door::Open,
        locked: false,
        taken: (0..12)
            .map(|m| Seat { key: key(n * 100 + m), name: name.clone(), last_reminder: LastReminder::Nothing })
            .collect(),
        waiting: (12..62).map(|m| Sitter::new(&key(n * 100 + m), &name)).collect(),
        inside: Vec::new(),
        removed: Vec::new(),
        sequence: 0,
        stamped: NOW,
    };
    Saved { tables: (0..MAX_TABLES).map(table).collect(), ..Saved::default() }
}

/// A client that reads everything and acknowledges it after a delay.
pub(crate) struct Client {
    pub(crate) session: ServerSession,
    /// Delay of acknowledgements; `None` if it acknowledges nothing.
    pub(crate) round_trip: Option<Duration>,
    pub(crate) acks: VecDeque<(Instant, u64)>,
    pub(crate) read: u64,
    pub(crate) seq: u64,
    pub(crate) received: Vec<ServerMessage>,
    pub(crate) others: BTreeMap<ParticipantId, (MediaState, bool)>,
    /// Raised hands, of everybody.
    pub(crate) hands: BTreeMap<ParticipantId, Hand>,
    pub(crate) most_kept: usize,
}

/// A server that works like the hub, without sockets.
pub(crate) struct World {
    pub(crate) rooms: Rooms,
    pub(crate) now: Instant,
    pub(crate) unix_ms: u64,
    pub(crate) flushed: u64,
    pub(crate) clients: HashMap<SessionId, Client>,
    pub(crate) ended: HashMap<SessionId, Option<ErrorCode>>,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(Saved::default())
    }

    /// Starts with a stored board.
    pub(crate) fn with(saved: Saved) -> World {
        let calendar = Calendar::new("UTC").expect("a zone");
        let board = Board::new(calendar, [0; 32], [0; 32], saved, NOW);
        World {
            rooms: Rooms::new(Limits::default(), board),
            now: Instant::now(),
            unix_ms: NOW,
            flushed: 0,
            clients: HashMap::new(),
            ended: HashMap::new(),
        }
    }

    pub(crate) fn open(&mut self, key: &str, round_trip_ms: Option<u64>) -> SessionId {
        self.open_from(key, round_trip_ms, Vec::new())
    }

    pub(crate) fn open_from(&mut self, key: &str, round_trip_ms: Option<u64>, sources: Vec<Source>) -> SessionId {
        let id = SessionId(format!("{key}/{}", self.clients.len() + self.ended.len()));
        let person =
            Person { key: key.into(), name: "\u{1F35C}".repeat(46), member: true, steward: false, device: None };
        self.rooms.open_from(self.now, id.clone(), person, sources).expect("there is room");
        let client = Client {
            session: ServerSession::with_pool(self.rooms.pool().clone()),
            round_trip: round_trip_ms.map(Duration::from_millis),
            acks: VecDeque::new(),
            read: 0,
            seq: 0,
            received: Vec::new(),
            others: BTreeMap::new(),
            hands: BTreeMap::new(),
            most_kept: 0,
        };
        self.clients.insert(id.clone(), client);
        id
    }

    pub(crate) fn join(&mut self, session: &SessionId, room: &str) {
        self.say(session, ClientMessage::Join { room: room.into(), media: OFF, invite: None, nonce: None });
    }

    pub(crate) fn say(&mut self, session: &SessionId, message: ClientMessage) {
        let bytes = serde_json::to_string(&message).expect("works").len();
        self.say_sized(session, message, bytes);
    }

    pub(crate) fn say_sized(&mut self, session: &SessionId, message: ClientMessage, bytes: usize) {
        let Some(client) = self.clients.get_mut(session) else { return };
        client.seq += 1;
        let seq = client.seq;
        self.unix_ms += 1;
        self.rooms.message(self.now, self.unix_ms, session, seq, bytes, message);
        self.deliver();
    }

    pub(crate) fn deliver(&mut self) {
        while let Some(output) = self.rooms.poll_output() {
            match output {
                Output::Write(_) | Output::Forgotten(_) | Output::Forwarder(_) => {}
                Output::Send { to, message } | Output::Kept { to, message } => {
                    self.give(&to, |session| session.deliver(&message).is_ok());
                }
                Output::Publish { to, text } => {
                    for to in to {
                        self.rooms.published(&to, text.len());
                        self.give(&to, |session| session.deliver_text(Cause::Board, text.clone()).is_ok());
                    }
                }
                Output::End { session, code } => {
                    self.clients.remove(&session);
                    self.ended.insert(session, code);
                }
            }
        }
    }

    pub(crate) fn give(&mut self, to: &SessionId, deliver: impl FnOnce(&mut ServerSession) -> bool) {
        let Some(client) = self.clients.get_mut(to) else { return };
        if deliver(&mut client.session) {
            client.read(self.now);
            self.rooms.note(to, client.session.backlog());
        } else {
            self.rooms.close(to, ErrorCode::TooSlow);
        }
    }

    /// Advances the time in steps of 10 ms.
    pub(crate) fn pass(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(10) {
            self.now += Duration::from_millis(10);
            self.unix_ms += 10;
            self.rooms.handle_timeout(self.now);
            self.rooms.tick(self.unix_ms);
            if self.rooms.wants_flush() && self.unix_ms >= self.flushed + 100 {
                self.flushed = self.unix_ms;
                self.rooms.flush_board(self.unix_ms);
            }
            let ids: Vec<SessionId> = self.clients.keys().cloned().collect();
            for id in ids {
                self.acknowledge(&id);
            }
            self.deliver();
        }
    }

    pub(crate) fn acknowledge(&mut self, id: &SessionId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        while let Some((at, seq)) = client.acks.front().copied()
            && at <= self.now
        {
            client.acks.pop_front();
            client.session.receive_numbers(self.now, 0, seq).expect("a valid count");
        }
        client.read(self.now);
        self.rooms.note(id, client.session.backlog());
    }

    pub(crate) fn id(&self, session: &SessionId) -> ParticipantId {
        self.rooms.seat(session).expect("has a seat").1.clone()
    }

    pub(crate) fn errors(&self, session: &SessionId, code: ErrorCode) -> usize {
        let is = |message: &&ServerMessage| matches!(message, ServerMessage::Error(error) if error.code == code);
        self.clients[session].received.iter().filter(is).count()
    }

    /// Asserts that a client's view of the others is correct.
    pub(crate) fn assert_true_picture(&self, session: &SessionId) {
        let Some((room, me)) = self.rooms.seat(session) else {
            return assert!(self.clients[session].others.is_empty(), "sits nowhere");
        };
        let others = self.rooms.participants(room).into_iter().filter(|other| other.id != *me);
        let truth: BTreeMap<ParticipantId, MediaState> = others.map(|other| (other.id, other.media)).collect();
        let known = &self.clients[session].others;
        let known: BTreeMap<ParticipantId, MediaState> = known.iter().map(|(id, k)| (id.clone(), k.0)).collect();
        assert_eq!(known, truth);
        let hands = self.rooms.participants(room).into_iter().filter_map(|one| Some((one.id, one.hand?)));
        assert_eq!(self.clients[session].hands, hands.collect());
    }
}

impl Client {
    fn read(&mut self, now: Instant) {
        self.most_kept = self.most_kept.max(self.session.backlog().total().bytes);
        while let Some(frame) = self.session.next_frame() {
            self.read += 1;
            let message = parse::server_message(&frame).expect("a message").message;
            self.apply(&message);
            self.received.push(message);
            if let Some(round_trip) = self.round_trip {
                self.acks.push_back((now + round_trip, self.read));
            }
        }
    }

    fn apply(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Joined { participants, .. } => {
                self.others = participants.iter().map(|p| (p.id.clone(), (p.media, true))).collect();
                self.hands = participants.iter().filter_map(|p| Some((p.id.clone(), p.hand?))).collect();
            }
            ServerMessage::Left { .. } => {
                self.others.clear();
                self.hands.clear();
            }
            ServerMessage::Hand { from, hand: Some(hand) } => drop(self.hands.insert(from.clone(), *hand)),
            ServerMessage::Hand { from, hand: None } => drop(self.hands.remove(from)),
            ServerMessage::ParticipantJoined { participant } => {
                self.hands.extend(participant.hand.map(|hand| (participant.id.clone(), hand)));
                let new = self.others.insert(participant.id.clone(), (participant.media, true));
                assert!(new.is_none(), "a participant joined twice");
            }
            ServerMessage::ParticipantLeft { id, .. } => {
                assert!(self.others.remove(id).is_some(), "an unknown left");
                self.hands.remove(id);
            }
            ServerMessage::ParticipantConnection { id, connected } => {
                self.others.get_mut(id).expect("known").1 = *connected;
            }
            ServerMessage::Media { from, media } => self.others.get_mut(from).expect("known").0 = *media,
            ServerMessage::Offer { from, .. }
            | ServerMessage::Answer { from, .. }
            | ServerMessage::Candidate { from, .. }
            | ServerMessage::EndOfCandidates { from } => assert!(self.others.contains_key(from), "an unknown sender"),
            _ => {}
        }
    }
}

impl World {
    pub(crate) fn acknowledge_all(&mut self, id: &SessionId) {
        let read = self.clients[id].read;
        self.clients.get_mut(id).expect("is here").acks.push_back((self.now, read));
        self.acknowledge(id);
        self.deliver();
    }
}
