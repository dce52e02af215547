//! Memory of people, rooms and the board when everything is at its bound.

mod world;

use std::collections::HashMap;
use std::time::Instant;

use peak_alloc::PeakAlloc;
use rooms::board::{Board, Calendar, MAX_MEETINGS, Saved};
use rooms::source::Source;
use rooms::{Limits, Output, Person, Rooms};
use signaling::backlog::{Cause, GUARANTEED_BYTES, GUARANTEED_MESSAGE_BYTES, POOL_BYTES};
use signaling::board::BoardRequest;
use signaling::message::{ClientMessage, ParticipantId, SessionId};
use signaling::server_session::ServerSession;
use world::{NOW, OFF, full_board};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MIB: usize = 1024 * 1024;
const SESSIONS: usize = 5_000;

/// The parts of the sum in ARCHITECTURE.md that these tests fill to their bounds.
const STATED: usize =
    (20 + 36 + 4 + 66 + 7) * MIB + POOL_BYTES + SESSIONS * 2 * (GUARANTEED_BYTES + GUARANTEED_MESSAGE_BYTES);
/// The longest offer.
const OFFER_BYTES: usize = 48_000;

/// The largest possible board, and the maximum number of meetings.
fn everything_saved() -> Saved {
    let key = |n: usize| format!("{n:043}");
    let met = (0..MAX_MEETINGS).map(|n| (key(n), key(n + 1), NOW)).collect();
    Saved { met, ..full_board() }
}

/// The rooms and everybody's queue. Nothing is ever acknowledged.
struct FullServer {
    rooms: Rooms,
    now: Instant,
    queues: HashMap<SessionId, (ServerSession, u64)>,
}

impl FullServer {
    fn new() -> FullServer {
        let board = Board::new(Calendar::new("UTC").expect("a zone"), [0; 32], [0; 32], everything_saved(), NOW);
        FullServer { rooms: Rooms::new(Limits::default(), board), now: Instant::now(), queues: HashMap::new() }
    }

    fn open(&mut self, n: usize) -> SessionId {
        let id = SessionId(format!("{n:043}"));
        let person = Person {
            key: format!("{n:043}"),
            name: "\u{1F35C}".repeat(46),
            member: true,
            steward: false,
            device: None,
        };
        let ip = std::net::Ipv4Addr::from(0x1400_0000 + n as u32);
        self.rooms.open_from(self.now, id.clone(), person, Source::all(ip.into())).expect("there is room");
        self.queues.insert(id.clone(), (ServerSession::with_pool(self.rooms.pool().clone()), 0));
        id
    }

    fn say(&mut self, from: &SessionId, bytes: usize, message: ClientMessage) {
        let Some((_, seq)) = self.queues.get_mut(from) else { return };
        *seq += 1;
        let seq = *seq;
        self.rooms.message(self.now, NOW, from, seq, bytes, message);
        self.deliver();
    }

    fn deliver(&mut self) {
        while let Some(output) = self.rooms.poll_output() {
            match output {
                Output::Write(_) | Output::Forgotten(_) => {}
                Output::Send { to, message } | Output::Kept { to, message } => {
                    self.give(&to, |queue| queue.deliver(&message).is_ok());
                }
                Output::Publish { to, text } => {
                    for to in to {
                        self.rooms.published(&to, text.len());
                        self.give(&to, |queue| queue.deliver_text(Cause::Board, text.clone()).is_ok());
                    }
                }
                Output::End { session, .. } => drop(self.queues.remove(&session)),
                Output::Forwarder(_) => {}
            }
        }
    }

    fn give(&mut self, to: &SessionId, deliver: impl FnOnce(&mut ServerSession) -> bool) {
        let Some((queue, _)) = self.queues.get_mut(to) else { return };
        assert!(deliver(queue), "messages of others must not end a session");
        self.rooms.note(to, queue.backlog());
    }

    fn seat(&self, session: &SessionId) -> ParticipantId {
        self.rooms.seat(session).expect("has a seat").1.clone()
    }
}

/// Everybody sits, subscribes to the board, and sends as much to the next as the server accepts.
fn fill(server: &mut FullServer) {
    let people: Vec<SessionId> = (0..SESSIONS).map(|n| server.open(n)).collect();
    for (n, person) in people.iter().enumerate() {
        server.say(
            person,
            100,
            ClientMessage::Join { room: format!("room-{}", n / 12), media: OFF, invite: None, nonce: None },
        );
        server.say(person, 100, ClientMessage::Board(BoardRequest::Subscribe { room: None, invite: None }));
    }
    for table in people.chunks(12) {
        let seats: Vec<ParticipantId> = table.iter().map(|person| server.seat(person)).collect();
        for (n, person) in table.iter().enumerate() {
            for to in seats.iter().cycle().skip(n + 1).take(table.len() - 1) {
                let sdp = "x".repeat(OFFER_BYTES);
                server.say(person, OFFER_BYTES, ClientMessage::Offer { to: to.clone(), sdp, signature: None });
            }
            for length in [1_500, 5_500] {
                let sdp = "x".repeat(length);
                server.say(
                    person,
                    length,
                    ClientMessage::Offer { to: seats[(n + 1) % table.len()].clone(), sdp, signature: None },
                );
            }
            for _ in 0..4 {
                server.say(person, 4_000, ClientMessage::Chat { text: "x".repeat(4_000) });
            }
        }
    }
}

#[test]
fn memory_at_all_bounds_stays_below_the_documented_sum() {
    let before = MEMORY.current_usage();
    let mut server = FullServer::new();
    fill(&mut server);
    assert_eq!(server.queues.len(), SESSIONS, "no session was ended");
    let used = server.rooms.pool().used();
    assert!(used > POOL_BYTES / 4 * 3, "the pool is full: {} MiB", used / MIB);
    let kept = MEMORY.current_usage() - before;
    eprintln!("{} MiB of {} MiB, at most {} MiB", kept / MIB, STATED / MIB, (MEMORY.peak_usage() - before) / MIB);
    assert!((STATED / 3..STATED).contains(&kept), "{} MiB", kept / MIB);
}
