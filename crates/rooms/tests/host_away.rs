//! The host is absent: the table waits for them, is handed over, and exists as long as anybody is at it.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rooms::board::{Board, Calendar, HOST_KEPT_MS, OVERRUN_MS, Saved};
use rooms::{Limits, Output, Person, Rate, Rates, Rooms};
use signaling::board::{BoardRequest, Door, Draft, RoomNews, RoomRequest};
use signaling::message::{ClientMessage, ErrorCode, MediaState, ParticipantId, ServerMessage, SessionId};

const START: u64 = 1_774_605_600_000;
const SECOND: u64 = 1_000;

/// What somebody knows about the door, from their messages alone.
#[derive(Debug, Default)]
struct ClientState {
    you: Option<ParticipantId>,
    knocks: bool,
    host: Option<ParticipantId>,
    lobby: Vec<ParticipantId>,
    errors: Vec<ErrorCode>,
}

struct Server {
    rooms: Rooms,
    now: u64,
    begun: Instant,
    seq: u64,
    clients: HashMap<SessionId, ClientState>,
}

impl Server {
    fn new() -> Server {
        let calendar = Calendar::new("Asia/Seoul").expect("a zone");
        let board = Board::new(calendar, [1; 32], [2; 32], Saved::default(), START);
        let often = Rate::new(1e9, 1e9);
        let rates = Rates {
            messages: often,
            bytes: often,
            joins: often,
            chat: often,
            hands: often,
            photos: often,
            reactions: often,
            board: often,
            ..Rates::default()
        };
        let rooms = Rooms::new(Limits { rates, ..Limits::default() }, board);
        Server { rooms, now: START, begun: Instant::now(), seq: 0, clients: HashMap::new() }
    }

    fn instant(&self) -> Instant {
        self.begun + Duration::from_millis(self.now.saturating_sub(START))
    }

    fn open(&mut self, name: &str, member: bool) -> SessionId {
        self.seq += 1;
        let session = SessionId(format!("{name} {}", self.seq));
        let person = Person { key: format!("key of {name}"), name: name.into(), member, steward: false, device: None };
        self.rooms.open(self.instant(), session.clone(), person).expect("room for one more");
        self.clients.insert(session.clone(), ClientState::default());
        self.deliver();
        session
    }

    fn people<const N: usize>(&mut self, names: [&str; N]) -> [SessionId; N] {
        names.map(|name| self.open(name, true))
    }

    fn say(&mut self, session: &SessionId, message: ClientMessage) {
        self.seq += 1;
        self.rooms.message(self.instant(), self.now, session, self.seq, 100, message);
        self.deliver();
    }

    fn lay(&mut self, session: &SessionId, draft: Draft) -> String {
        let before: BTreeSet<String> = self.rooms.board().tables().map(|table| table.id.clone()).collect();
        self.say(session, ClientMessage::Board(BoardRequest::Lay(draft)));
        self.rooms.board().tables().find(|table| !before.contains(&table.id)).expect("it is laid").room.clone()
    }

    fn join(&mut self, session: &SessionId, room: &str) {
        let media = MediaState::default();
        self.say(session, ClientMessage::Join { room: room.into(), media, invite: None, nonce: None });
    }

    fn leave(&mut self, session: &SessionId) {
        self.say(session, ClientMessage::Leave);
    }

    /// The connection breaks and the resume time passes.
    fn lose(&mut self, session: &SessionId) {
        self.rooms.close(session, ErrorCode::Timeout);
        self.deliver();
        self.clients.remove(session);
    }

    fn wait(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.now < end {
            self.now = end.min(self.now + SECOND);
            self.rooms.tick(self.now);
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        while let Some(output) = self.rooms.poll_output() {
            let (Output::Send { to, message } | Output::Kept { to, message }) = output else { continue };
            let Some(client) = self.clients.get_mut(&to) else { continue };
            match message {
                ServerMessage::Joined { you, .. } => {
                    *client = ClientState {
                        you: Some(you),
                        errors: std::mem::take(&mut client.errors),
                        ..ClientState::default()
                    };
                }
                ServerMessage::Left { .. } => {
                    *client = ClientState { errors: std::mem::take(&mut client.errors), ..ClientState::default() }
                }
                ServerMessage::Room(RoomNews::Knocking { .. }) => client.knocks = true,
                ServerMessage::Room(RoomNews::State { host, .. }) => client.host = host,
                ServerMessage::Room(RoomNews::Lobby { knocking }) => {
                    client.lobby = knocking.into_iter().map(|one| one.id).collect();
                }
                ServerMessage::Error(error) => {
                    client.knocks &= !matches!(error.code, ErrorCode::KnockingRefused | ErrorCode::NoSuchTable);
                    client.errors.push(error.code);
                }
                _ => {}
            }
        }
    }

    fn client(&self, session: &SessionId) -> &ClientState {
        &self.clients[session]
    }

    fn is_in(&self, session: &SessionId) -> bool {
        self.client(session).you.is_some()
    }

    fn keeps(&self, session: &SessionId) -> bool {
        let client = self.client(session);
        client.you.is_some() && client.you == client.host
    }

    fn host(&self, room: &str) -> Option<&str> {
        self.rooms.board().table_of_room(room).map(|table| table.host.as_str())
    }
}

fn now_table(door: Door) -> Draft {
    Draft {
        topic: "soup".into(),
        place: String::new(),
        seats: 4,
        now: true,
        starts_ms: 0,
        minutes: 60,
        weekly: false,
        door,
    }
}

#[test]
fn a_host_who_returns_within_two_minutes_is_still_the_host() {
    for lost in [false, true] {
        let mut server = Server::new();
        let [ada, ben] = server.people(["Ada", "Ben"]);
        let room = server.lay(&ada, now_table(Door::Open));
        server.join(&ada, &room);
        server.join(&ben, &room);
        let ada = if lost {
            server.lose(&ada);
            server.open("Ada", true)
        } else {
            server.leave(&ada);
            ada
        };
        assert_eq!(server.client(&ben).host, None, "nobody else is host meanwhile");
        server.say(&ben, ClientMessage::Room(RoomRequest::Lock { locked: true }));
        assert_eq!(server.client(&ben).errors, [ErrorCode::NotHost]);
        server.wait(HOST_KEPT_MS - SECOND);
        assert_eq!(server.host(&room), Some("key of Ada"));
        server.join(&ada, &room);
        assert!(server.keeps(&ada) && !server.keeps(&ben));
        server.wait(2 * HOST_KEPT_MS);
        assert!(server.keeps(&ada));
        assert_eq!(server.rooms.board().table_of_room(&room).expect("it stays").taken[0].key, "key of Ada");
    }
}

#[test]
fn after_two_minutes_the_longest_seated_becomes_host_and_receives_the_lobby() {
    let mut server = Server::new();
    let [ada, ben, cem, dee] = server.people(["Ada", "Ben", "Cem", "Dee"]);
    let room = server.lay(&ada, now_table(Door::Knock));
    server.join(&ada, &room);
    for one in [&ben, &cem] {
        server.join(one, &room);
        let id = server.client(&ada).lobby[0].clone();
        server.say(&ada, ClientMessage::Room(RoomRequest::Admit { id }));
    }
    server.join(&dee, &room);
    assert!(server.client(&dee).knocks && server.client(&dee).host.is_some());
    server.leave(&ada);
    assert!(server.client(&dee).knocks && server.client(&dee).host.is_none(), "nobody can admit them");
    server.wait(HOST_KEPT_MS - SECOND);
    assert!(server.client(&ben).host.is_none() && server.client(&ben).lobby.is_empty());
    server.wait(SECOND);
    assert!(server.keeps(&ben) && !server.keeps(&cem));
    assert_eq!(server.host(&room), Some("key of Ben"));
    assert!(
        server.client(&dee).knocks && server.client(&dee).host == server.client(&ben).you,
        "Ben can admit them now"
    );
    let id = server.client(&ben).lobby[0].clone();
    server.say(&ben, ClientMessage::Room(RoomRequest::Admit { id }));
    assert!(server.is_in(&dee));
    // The former host is treated like everybody else.
    server.join(&ada, &room);
    assert!(server.client(&ada).knocks && server.keeps(&ben));
}

#[test]
fn a_lost_host_keeps_the_seat_but_not_the_role() {
    let mut server = Server::new();
    let [ada, ben] = server.people(["Ada", "Ben"]);
    let room = server.lay(&ada, now_table(Door::Open));
    server.join(&ada, &room);
    server.join(&ben, &room);
    server.lose(&ada);
    server.wait(HOST_KEPT_MS);
    assert!(server.keeps(&ben));
    let table = server.rooms.board().table_of_room(&room).expect("it stays");
    assert_eq!((table.host.as_str(), table.taken.len()), ("key of Ben", 2));
}

#[test]
fn knocking_at_a_table_without_its_host_resolves() {
    for lost in [false, true] {
        let mut server = Server::new();
        let [ada, ben] = server.people(["Ada", "Ben"]);
        let gus = server.open("Gus", true);
        let room = server.lay(&ada, now_table(Door::Knock));
        server.join(&ada, &room);
        server.join(&ben, &room);
        server.join(&gus, &room);
        if lost {
            server.lose(&ada)
        } else {
            server.leave(&ada)
        }
        server.wait(HOST_KEPT_MS - SECOND);
        assert!(server.client(&ben).knocks && !server.is_in(&ben), "the table exists, and they still knock");
        server.wait(2 * SECOND);
        assert!(server.is_in(&ben) && server.keeps(&ben), "the first is admitted and becomes the host");
        assert!(server.client(&gus).knocks && server.client(&ben).lobby.len() == 1);
        assert_eq!(server.host(&room), Some(if lost { "key of Ada" } else { "key of Ben" }));
    }
}

#[test]
fn a_table_without_its_host_opens_two_minutes_after_the_start() {
    let mut server = Server::new();
    let [ada, ben] = server.people(["Ada", "Ben"]);
    let starts_ms = START + 10 * 60 * SECOND;
    let room = server.lay(&ada, Draft { now: false, starts_ms, ..now_table(Door::Knock) });
    server.join(&ben, &room);
    server.wait(10 * 60 * SECOND + HOST_KEPT_MS - SECOND);
    assert!(server.client(&ben).knocks);
    server.wait(SECOND);
    assert!(server.keeps(&ben));
    assert_eq!(server.host(&room), Some("key of Ada"));
    server.join(&ada, &room);
    assert!(server.keeps(&ada), "a host who is late stays the host");
}

#[test]
fn an_unused_table_ends_and_a_deleted_one_refuses_the_lobby() {
    let mut server = Server::new();
    let [ada, ben] = server.people(["Ada", "Ben"]);
    let room = server.lay(&ada, now_table(Door::Knock));
    server.join(&ada, &room);
    server.leave(&ada);
    server.wait(HOST_KEPT_MS - SECOND);
    assert!(server.host(&room).is_some());
    server.wait(SECOND);
    assert_eq!(server.host(&room), None);

    let room = server.lay(&ada, now_table(Door::Knock));
    server.join(&ben, &room);
    let table = server.rooms.board().table_of_room(&room).expect("laid").id.clone();
    server.say(&ada, ClientMessage::Board(BoardRequest::Delete { table }));
    assert_eq!(server.client(&ben).errors, [ErrorCode::NoSuchTable]);
    assert!(!server.client(&ben).knocks);
    let other = server.lay(&ben, now_table(Door::Open));
    server.join(&ben, &other);
    assert!(server.is_in(&ben), "the door is no longer in the way");
}

#[test]
fn giving_up_a_seat_hands_over_at_once_and_a_knock_keeps_the_table() {
    let mut server = Server::new();
    let [ada, ben] = server.people(["Ada", "Ben"]);
    let room = server.lay(&ada, now_table(Door::Knock));
    server.join(&ben, &room);
    let table = server.rooms.board().table_of_room(&room).expect("laid").id.clone();
    server.say(&ada, ClientMessage::Board(BoardRequest::Leave { table }));
    assert!(server.host(&room).is_some() && server.client(&ben).knocks);
    server.wait(HOST_KEPT_MS);
    assert!(server.keeps(&ben));
    assert_eq!(server.host(&room), Some("key of Ben"));
    server.leave(&ben);
    let room = server.lay(&ada, now_table(Door::Knock));
    server.join(&ben, &room);
    let table = server.rooms.board().table_of_room(&room).expect("laid").id.clone();
    server.say(&ada, ClientMessage::Board(BoardRequest::Leave { table }));
    server.leave(&ben);
    assert_eq!(server.host(&room), None, "nobody sits or knocks");
}

#[test]
fn a_reserved_host_seat_does_not_block_other_tables() {
    let mut server = Server::new();
    let [ada, ben, cem] = server.people(["Ada", "Ben", "Cem"]);
    let room = server.lay(&ada, now_table(Door::Open));
    server.join(&ada, &room);
    server.join(&ben, &room);
    let other = server.lay(&cem, now_table(Door::Open));
    server.leave(&ada);
    server.join(&ada, &other);
    assert!(server.is_in(&ada) && server.client(&ada).errors.is_empty());
    assert!(server.keeps(&ben), "handed over immediately");
    assert_eq!(server.rooms.board().table_of_room(&room).expect("Ben sits there").taken.len(), 1);
}

/// The first in line moves up to the reserved seat immediately, not when the "eat now" tables are made.
#[test]
fn asking_to_eat_now_gives_up_a_reserved_host_seat() {
    let mut server = Server::new();
    let [ada, ben, cem, dee] = server.people(["Ada", "Ben", "Cem", "Dee"]);
    let room = server.lay(&ada, Draft { seats: 2, ..now_table(Door::Open) });
    let table = server.rooms.board().table_of_room(&room).expect("laid").id.clone();
    server.join(&ada, &room);
    for one in [&ben, &cem] {
        server.say(one, ClientMessage::Board(BoardRequest::Take { table: table.clone(), wait: true }));
    }
    server.leave(&ada);
    for one in [&cem, &ada, &dee] {
        server.say(one, ClientMessage::Board(BoardRequest::EatNow { with: Vec::new() }));
    }
    let taken = |server: &Server| server.rooms.board().table(&table).map(|table| table.taken.len());
    assert_eq!(taken(&server), Some(2), "Cem has moved up");
    server.wait(60 * SECOND);
    let with_ada = server.rooms.board().tables().find(|table| table.seats_key("key of Ada")).expect("seated");
    assert_eq!(with_ada.taken.len(), 2, "with Dee");
}

/// Members have precedence over guests, whoever joined first.
#[test]
fn a_guest_becomes_host_only_without_members() {
    let mut server = Server::new();
    let [ada, ben] = server.people(["Ada", "Ben"]);
    let gus = server.open("Gus", false);
    let room = server.lay(&ada, now_table(Door::Open));
    let invite = {
        server.seq += 1;
        let request = BoardRequest::Invite { room: room.clone(), uses: 1, hours: 1 };
        let (at, now, seq) = (server.instant(), server.now, server.seq);
        server.rooms.message(at, now, &ada, seq, 100, ClientMessage::Board(request));
        let outputs = std::iter::from_fn(|| server.rooms.poll_output());
        outputs.into_iter().find_map(|output| match output {
            Output::Kept {
                message: ServerMessage::Board(signaling::board::BoardNews::Invite { invite, .. }), ..
            } => Some(invite),
            _ => None,
        })
    };
    server.join(&ada, &room);
    let media = MediaState::default();
    server.say(&gus, ClientMessage::Join { room: room.clone(), media, invite, nonce: None });
    assert!(server.is_in(&gus));
    server.join(&ben, &room);
    server.leave(&ada);
    server.wait(HOST_KEPT_MS);
    assert!(server.keeps(&ben) && !server.keeps(&gus));
    server.leave(&ben);
    server.wait(HOST_KEPT_MS);
    assert!(server.keeps(&gus));
}

#[derive(Debug, Clone)]
enum Step {
    Join(u8),
    Leave(u8),
    Lose(u8),
    Admit(u8),
    Refuse(u8),
    GiveUp(u8),
    Take(u8),
    Lock(u8, bool),
    Wait(u16),
    SetBack(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0..5u8;
    prop_oneof![
        6 => n.clone().prop_map(Step::Join),
        3 => n.clone().prop_map(Step::Leave),
        2 => n.clone().prop_map(Step::Lose),
        3 => n.clone().prop_map(Step::Admit),
        1 => n.clone().prop_map(Step::Refuse),
        1 => n.clone().prop_map(Step::GiveUp),
        1 => n.clone().prop_map(Step::Take),
        1 => (n, any::<bool>()).prop_map(|(n, locked)| Step::Lock(n, locked)),
        5 => (1..200u16).prop_map(Step::Wait),
        1 => (1..200u16).prop_map(Step::SetBack),
    ]
}

struct World {
    server: Server,
    /// One session each. Ada, who created the table, is first.
    people: Vec<SessionId>,
    room: String,
    table: String,
    /// Since when a member has been in the room without anybody who admits people.
    hostless: Option<u64>,
    /// Since when people have been knocking at an empty room.
    stuck: Option<u64>,
}

const NAMES: [&str; 5] = ["Ada", "Ben", "Cem", "Dee", "Eli"];

impl World {
    fn new(door: Door) -> World {
        let mut server = Server::new();
        let people: Vec<SessionId> = NAMES.iter().map(|name| server.open(name, true)).collect();
        let room = server.lay(&people[0], Draft { minutes: 240, ..now_table(door) });
        let table = server.rooms.board().table_of_room(&room).expect("laid").id.clone();
        server.join(&people[0], &room);
        World { server, people, room, table, hostless: None, stuck: None }
    }

    fn take(&mut self, step: &Step) {
        let (server, room, table) = (&mut self.server, self.room.clone(), self.table.clone());
        let who = |n: &u8| self.people[usize::from(*n)].clone();
        let lobby = |server: &Server, session: &SessionId| server.client(session).lobby.first().cloned();
        match step {
            Step::Join(n) => server.join(&who(n), &room),
            Step::Leave(n) => server.leave(&who(n)),
            Step::Lose(n) => {
                server.lose(&who(n));
                self.people[usize::from(*n)] = server.open(NAMES[usize::from(*n)], true);
            }
            Step::Admit(n) => {
                if let Some(id) = lobby(server, &who(n)) {
                    server.say(&who(n), ClientMessage::Room(RoomRequest::Admit { id }));
                }
            }
            Step::Refuse(n) => {
                if let Some(id) = lobby(server, &who(n)) {
                    server.say(&who(n), ClientMessage::Room(RoomRequest::Refuse { id }));
                }
            }
            Step::GiveUp(n) => {
                // A client that gives up its seat leaves the call.
                server.leave(&who(n));
                server.say(&who(n), ClientMessage::Board(BoardRequest::Leave { table }));
            }
            Step::Take(n) => server.say(&who(n), ClientMessage::Board(BoardRequest::Take { table, wait: true })),
            Step::Lock(n, locked) => server.say(&who(n), ClientMessage::Room(RoomRequest::Lock { locked: *locked })),
            Step::Wait(seconds) => {
                for _ in 0..*seconds {
                    self.server.wait(SECOND);
                    self.check();
                }
                return;
            }
            Step::SetBack(seconds) => {
                server.now = (server.now - u64::from(*seconds) * SECOND).max(START);
                server.rooms.tick(server.now);
                server.deliver();
                (self.hostless, self.stuck) = (None, None);
            }
        }
        self.check();
    }

    fn check(&mut self) {
        let server = &self.server;
        let inside: Vec<&SessionId> = self.people.iter().filter(|one| server.is_in(one)).collect();
        let knocking: Vec<&SessionId> = self.people.iter().filter(|one| server.client(one).knocks).collect();
        let table = server.rooms.board().table(&self.table);
        let over = server.now >= START + 240 * 60 * SECOND + OVERRUN_MS;
        assert!(over || table.is_some() || inside.is_empty() && knocking.is_empty(), "people at no table");
        let Some(table) = table else { return };
        assert!(!table.taken.is_empty() || !knocking.is_empty(), "an empty table is cleared: {table:?}");
        let keys: BTreeSet<&str> = table.taken.iter().map(|seat| seat.key.as_str()).collect();
        assert_eq!(keys.len(), table.taken.len());
        // All receive the same state, and at most one of them admits people.
        let hosts: BTreeSet<_> = inside.iter().chain(&knocking).map(|one| &server.client(one).host).collect();
        assert!(hosts.len() <= 1, "{hosts:?}");
        assert!(inside.iter().filter(|one| server.keeps(one)).count() <= 1);
        let kept = inside.iter().any(|one| server.keeps(one));
        let since = |was: Option<u64>, holds: bool| holds.then_some(was.unwrap_or(server.now));
        self.hostless = since(self.hostless, !inside.is_empty() && !kept);
        let free = table.taken.len() < usize::from(table.seats);
        self.stuck = since(self.stuck, inside.is_empty() && !knocking.is_empty() && free);
        for since in [self.hostless, self.stuck].into_iter().flatten() {
            assert!(server.now - since <= HOST_KEPT_MS, "{} s without a host", (server.now - since) / SECOND);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn an_occupied_table_stays_and_soon_has_a_host(
        knock in any::<bool>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(if knock { Door::Knock } else { Door::Open });
        for step in &steps {
            world.take(step);
        }
    }
}
