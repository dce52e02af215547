//! Order: reports, blocks, suspensions and closed tables, over sessions.

use std::time::{Duration, Instant};

use rooms::board::{Board, Calendar, Change, MAX_REPORTS, MAX_REPORTS_EACH, ORDER_KEPT_MS, OrderChange, Saved, Who};
use rooms::{Limits, Output, Person, Rooms};
use signaling::board::{
    ActKind, BoardNews, BoardRequest, Draft, Order, OrderBook, RoomRequest, Sitter, Suspension, Whom,
};
use signaling::board_fold::BoardFold;
use signaling::message::{ClientMessage, ErrorCode, LeaveReason, MediaState, ParticipantId, ServerMessage, SessionId};

const NOON: u64 = 1_774_605_600_000;
const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

fn board() -> Board {
    Board::new(Calendar::new("Asia/Seoul").expect("a zone"), [7; 32], [8; 32], Saved::default(), NOON)
}

fn who(name: &str) -> Who {
    Who { key: format!("key of {name}"), name: name.into(), member: true, steward: name == "Sun" }
}

fn sitter(name: &str) -> Sitter {
    Sitter::new(&who(name).key, name)
}

struct World {
    rooms: Rooms,
    now: Instant,
    ms: u64,
    seq: u64,
}

impl World {
    fn new() -> World {
        World { rooms: Rooms::new(Limits::default(), board()), now: Instant::now(), ms: NOON, seq: 0 }
    }

    fn open(&mut self, name: &str, member: bool) -> SessionId {
        let session = SessionId(format!("session of {name}"));
        let Who { key, name, steward, .. } = who(name);
        let person = Person { key, name, member, steward, device: None };
        self.rooms.open(self.now, session.clone(), person).expect("open");
        session
    }

    /// Opens a member's session that sees the board.
    fn member(&mut self, name: &str) -> SessionId {
        let session = self.open(name, true);
        self.ask(&session, BoardRequest::Subscribe { room: None, invite: None });
        session
    }

    fn send(&mut self, from: &SessionId, message: ClientMessage) -> Vec<Output> {
        self.now += Duration::from_secs(1);
        self.ms += 1_000;
        self.seq += 1;
        self.rooms.message(self.now, self.ms, from, self.seq, 100, message);
        self.outputs()
    }

    fn ask(&mut self, from: &SessionId, request: BoardRequest) -> Vec<Output> {
        self.send(from, ClientMessage::Board(request))
    }

    /// The error with which a request is refused, if it is.
    fn refusal(&mut self, from: &SessionId, request: BoardRequest) -> Option<ErrorCode> {
        let outputs = self.ask(from, request);
        to(&outputs, from).iter().find_map(|message| match message {
            ServerMessage::Error(error) => Some(error.code),
            _ => None,
        })
    }

    fn join(&mut self, from: &SessionId, room: &str) -> Vec<Output> {
        let (media, invite, nonce) = (MediaState::default(), None, None);
        self.send(from, ClientMessage::Join { room: room.into(), media, invite, nonce })
    }

    fn tick(&mut self, ms: u64) -> Vec<Output> {
        self.ms += ms;
        self.rooms.tick(self.ms);
        self.outputs()
    }

    fn outputs(&mut self) -> Vec<Output> {
        self.rooms.flush_board(self.ms);
        std::iter::from_fn(|| self.rooms.poll_output()).collect()
    }

    /// Lays a table that begins in an hour, and returns its id and room.
    fn lay(&mut self, host: &SessionId, now: bool) -> (String, String) {
        let draft = Draft {
            topic: "soup".into(),
            place: String::new(),
            seats: 4,
            now,
            starts_ms: self.ms + HOUR,
            minutes: 60,
            weekly: false,
            door: Default::default(),
        };
        self.ask(host, BoardRequest::Lay(draft));
        let key = who(&host.0["session of ".len()..]).key;
        let table = self.rooms.board().tables().filter(|table| table.host == key).last().expect("laid");
        (table.id.clone(), table.room.clone())
    }

    fn book(&mut self, steward: &SessionId) -> OrderBook {
        let outputs = self.ask(steward, BoardRequest::OrderBook);
        let book = to(&outputs, steward).into_iter().find_map(|message| match message {
            ServerMessage::Board(BoardNews::OrderBook(book)) => Some(*book),
            _ => None,
        });
        book.expect("a steward's book")
    }
}

fn to(outputs: &[Output], session: &SessionId) -> Vec<ServerMessage> {
    let messages = outputs.iter().filter_map(|output| match output {
        Output::Send { to, message } | Output::Kept { to, message } if to == session => Some(message.clone()),
        _ => None,
    });
    messages.collect()
}

/// The newest order that a session receives.
fn order(outputs: &[Output], session: &SessionId) -> Option<Order> {
    to(outputs, session).into_iter().rev().find_map(|message| match message {
        ServerMessage::Board(BoardNews::Order(order)) => Some(order),
        _ => None,
    })
}

fn report(person: &str) -> BoardRequest {
    BoardRequest::Report { whom: of(person), text: format!("{person} was rude") }
}

fn of(person: &str) -> Whom {
    Whom { person: Some(who(person).key), participant: None }
}

fn beside(id: &str) -> Whom {
    Whom { participant: Some(ParticipantId(id.into())), person: None }
}

fn suspend(person: &str, hours: u32) -> BoardRequest {
    BoardRequest::Suspend { person: who(person).key, hours, reason: "enough".into() }
}

#[test]
fn a_report_reaches_the_stewards_and_nobody_else() {
    let mut world = World::new();
    let [ada, ben, sun] = ["Ada", "Ben", "Sun"].map(|name| world.member(name));
    let outputs = world.ask(&ada, report("Ben"));
    assert_eq!(order(&outputs, &sun).map(|order| (order.steward, order.reports)), Some((true, 1)));
    assert_eq!(order(&outputs, &ben), None);
    world.ask(&ada, BoardRequest::Report { whom: of("Ben"), text: "and again".into() });
    let book = world.book(&sun);
    let [one] = book.reports.as_slice() else { panic!("{book:?}") };
    assert_eq!(
        (&one.by, &one.of, one.text.as_str(), one.in_call),
        (&sitter("Ada"), &sitter("Ben"), "and again", false)
    );
    assert_eq!(world.refusal(&ben, BoardRequest::OrderBook), Some(ErrorCode::NotSteward));
    world.ask(&sun, BoardRequest::CloseReport { report: one.id });
    assert_eq!(world.book(&sun).reports, []);
    assert_eq!(world.refusal(&ada, report("Zoe")), Some(ErrorCode::NoSuchPerson));
    assert_eq!(world.refusal(&ada, report("Ada")), Some(ErrorCode::UnexpectedMessage));
}

#[test]
fn guests_report_people_in_their_own_call_only() {
    let mut world = World::new();
    let [ada, sun] = ["Ada", "Sun"].map(|name| world.member(name));
    let gus = world.open("Gus", false);
    assert_eq!(world.refusal(&gus, report("Ada")), Some(ErrorCode::NotMember));
    let whom = beside("p0");
    let text = "shouts".to_owned();
    assert_eq!(
        world.refusal(&gus, BoardRequest::Report { whom: whom.clone(), text: text.clone() }),
        Some(ErrorCode::UnexpectedMessage)
    );
    let (_, room) = world.lay(&ada, true);
    world.join(&ada, &room);
    let outputs = world.ask(&ada, BoardRequest::Invite { room: room.clone(), uses: 1, hours: 1 });
    let invite = to(&outputs, &ada).into_iter().find_map(|message| match message {
        ServerMessage::Board(BoardNews::Invite { invite, .. }) => Some(invite),
        _ => None,
    });
    world.send(&gus, ClientMessage::Join { room, media: MediaState::default(), invite, nonce: None });
    let id = world.rooms.seat(&ada).unwrap().1.0.clone();
    assert_eq!(world.refusal(&gus, BoardRequest::Report { whom: beside(&id), text }), None);
    let one = world.book(&sun).reports.pop().unwrap();
    assert_eq!((one.by, one.of, one.in_call), (sitter("Gus"), sitter("Ada"), true));
    assert_eq!(world.refusal(&gus, BoardRequest::Block { whom: beside(&id) }), Some(ErrorCode::NotMember));
}

#[test]
fn the_reports_of_one_person_and_of_all_are_bounded() {
    let mut board = board();
    let text = || "x".to_owned();
    for n in 0..MAX_REPORTS_EACH {
        board.report(NOON, &who("Ada"), &sitter(&n.to_string()), text(), false).unwrap();
    }
    let another = board.report(NOON, &who("Ada"), &sitter("Eve"), text(), false);
    assert_eq!(another, Err(ErrorCode::TooManyReports));
    board.report(NOON, &who("Ada"), &sitter("3"), "newer".into(), false).unwrap();
    for n in 0..2 * MAX_REPORTS {
        board.report(NOON, &who(&format!("one {n}")), &sitter("Eve"), text(), false).unwrap();
    }
    let saved: Vec<_> = board.take_changes();
    let kept = saved.iter().fold(std::collections::BTreeSet::new(), |mut kept, change| {
        match change {
            Change::Order(OrderChange::Report { id, report: Some(_) }) => _ = kept.insert(*id),
            Change::Order(OrderChange::Report { id, report: None }) => _ = kept.remove(id),
            _ => {}
        }
        kept
    });
    assert_eq!(kept.len(), MAX_REPORTS);
    assert!(board.order_book().left_out > 0, "a frame has no room for all");
    assert!(serde_json::to_string(&BoardNews::OrderBook(Box::new(board.order_book()))).unwrap().len() < 64_000);
}

#[test]
fn a_block_shows_to_nobody_and_refuses_no_seat() {
    let mut world = World::new();
    let [ada, ben] = ["Ada", "Ben"].map(|name| world.member(name));
    let outputs = world.ask(&ada, BoardRequest::Block { whom: of("Ben") });
    assert_eq!(order(&outputs, &ada).unwrap().blocked, [sitter("Ben")]);
    assert_eq!(to(&outputs, &ben), []);
    let (table, _) = world.lay(&ada, false);
    assert_eq!(world.refusal(&ben, BoardRequest::Take { table, wait: false }), None);
    assert_eq!(world.rooms.board().about(NOON, &who("Ben")).blocked, 0);
    assert_eq!(world.rooms.board().about(NOON, &who("Ada")).blocked, 1);
    world.ask(&ada, BoardRequest::Unblock { person: who("Ben").key });
    assert!(!world.rooms.board().separates(&who("Ben").key, &who("Ada").key));
}

#[test]
fn people_who_have_blocked_each_other_are_not_matched() {
    let mut world = World::new();
    let [ada, ben] = ["Ada", "Ben"].map(|name| world.member(name));
    world.ask(&ada, BoardRequest::Block { whom: of("Ben") });
    for session in [&ada, &ben] {
        world.ask(session, BoardRequest::EatNow { with: vec![] });
    }
    world.tick(HOUR / 60);
    assert_eq!(world.rooms.board().tables().count(), 0);
    let cem = world.member("Cem");
    world.ask(&cem, BoardRequest::EatNow { with: vec![who("Ada").key, who("Ben").key] });
    world.tick(HOUR / 60);
    let table = world.rooms.board().tables().next().unwrap();
    let seated = |name: &str| table.taken.iter().any(|seat| seat.key == who(name).key);
    assert!(seated("Cem") && seated("Ada") != seated("Ben"), "{table:?}");
}

#[test]
fn a_suspended_person_leaves_the_call_and_learns_why() {
    let mut world = World::new();
    let [ada, ben, sun] = ["Ada", "Ben", "Sun"].map(|name| world.member(name));
    let (soon, room) = world.lay(&ada, true);
    world.ask(&ben, BoardRequest::Take { table: soon.clone(), wait: false });
    for session in [&ada, &ben] {
        world.join(session, &room);
    }
    assert_eq!(world.refusal(&ada, suspend("Ben", 1)), Some(ErrorCode::NotSteward));
    let outputs = world.ask(&sun, suspend("Ben", 24));
    let received = to(&outputs, &ben);
    assert!(received.contains(&ServerMessage::Left { reason: LeaveReason::Suspended }), "{received:?}");
    let until_ms = Some(world.ms + DAY);
    let received_order = order(&outputs, &ben).unwrap();
    assert_eq!(received_order.suspension, Some(Suspension { reason: "enough".into(), until_ms }));
    assert_eq!(
        received_order.acts.iter().map(|act| (act.kind, act.until_ms)).collect::<Vec<_>>(),
        [(ActKind::Suspended, until_ms)]
    );
    let table = world.rooms.board().table(&soon).unwrap();
    assert_eq!(table.taken.iter().map(|seat| seat.name.as_str()).collect::<Vec<_>>(), ["Ada"]);
    for request in
        [BoardRequest::Take { table: soon, wait: false }, BoardRequest::EatNow { with: vec![] }, report("Ada")]
    {
        assert_eq!(world.refusal(&ben, request), Some(ErrorCode::Suspended));
    }
    let refused = world.join(&ben, &room);
    assert!(matches!(&to(&refused, &ben)[..], [ServerMessage::Error(error)] if error.code == ErrorCode::Suspended));
    assert_eq!(world.refusal(&ben, BoardRequest::AboutMe), None);
    let about = world.rooms.board().about(world.ms, &who("Ben"));
    assert_eq!((about.acts.len(), about.suspension), (1, received_order.suspension));
}

#[test]
fn a_suspended_person_sees_an_empty_board_until_the_end() {
    let mut world = World::new();
    let [ada, ben, sun] = ["Ada", "Ben", "Sun"].map(|name| world.member(name));
    world.lay(&ada, false);
    let mut fold = BoardFold::new(who("Ben").key);
    let mut see = |outputs: &[Output]| {
        for output in outputs {
            let news = match output {
                Output::Publish { to, text } if to.contains(&ben) => {
                    let message = format!("{{\"seq\":1,\"ack\":0,{}", &text[1..]);
                    signaling::parse::server_message(&message).unwrap().message
                }
                Output::Kept { to, message } if *to == ben => message.clone(),
                _ => continue,
            };
            if let ServerMessage::Board(news) = news {
                fold.handle(NOON, &news);
            }
        }
        fold.state()
    };
    let outputs = world.ask(&sun, suspend("Ben", 1));
    let state = see(&outputs).expect("a board");
    assert_eq!((state.tables.len(), state.people.len(), state.member), (0, 0, false));
    assert!(state.order.suspension.is_some());
    let shown = |world: &World| world.rooms.board().snapshot(world.ms)[0].people.iter().any(|one| one.name == "Ben");
    assert!(!shown(&world), "others do not see them as free");
    let outputs = world.tick(HOUR + 1_000);
    let state = see(&outputs).expect("a board");
    assert!(state.order.suspension.is_none() && state.member, "{state:?}");
    assert_eq!(state.order.acts.len(), 1, "until they acknowledge it");
    assert!(shown(&world));
    let outputs = world.ask(&ben, BoardRequest::Seen);
    assert_eq!(see(&outputs).unwrap().order, Order::default());
    assert_eq!(world.rooms.board().about(world.ms, &who("Ben")).acts.len(), 1, "it is still kept");
}

#[test]
fn a_lifted_suspension_is_over_at_once() {
    let mut world = World::new();
    let [ben, sun] = ["Ben", "Sun"].map(|name| world.member(name));
    world.ask(&sun, suspend("Ben", 0));
    world.tick(40 * DAY);
    assert_eq!(world.refusal(&ben, BoardRequest::EatNow { with: vec![] }), Some(ErrorCode::Suspended));
    let book = world.book(&sun);
    assert_eq!(book.suspended.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["Ben"]);
    assert_eq!(book.acts, [], "the act is older than 30 days");
    let outputs = world.ask(&sun, BoardRequest::Lift { person: who("Ben").key });
    assert_eq!(order(&outputs, &ben).unwrap().acts.last().unwrap().kind, ActKind::Lifted);
    assert_eq!(world.refusal(&ben, BoardRequest::EatNow { with: vec![] }), None);
    assert_eq!(world.refusal(&sun, BoardRequest::Lift { person: who("Ben").key }), Some(ErrorCode::NoSuchPerson));
    assert_eq!(world.refusal(&sun, suspend("Sun", 0)), Some(ErrorCode::UnexpectedMessage));
}

#[test]
fn a_closed_table_ends_its_call_and_everybody_learns_why() {
    let mut world = World::new();
    let [ada, ben, sun] = ["Ada", "Ben", "Sun"].map(|name| world.member(name));
    let (table, room) = world.lay(&ada, true);
    world.ask(&ben, BoardRequest::Take { table: table.clone(), wait: false });
    world.join(&ada, &room);
    let close = || BoardRequest::CloseTable { table: table.clone(), reason: "no ads".into() };
    assert_eq!(world.refusal(&ben, close()), Some(ErrorCode::NotSteward));
    let outputs = world.ask(&sun, close());
    assert!(to(&outputs, &ada).contains(&ServerMessage::Left { reason: LeaveReason::TableClosed }));
    for person in [&ada, &ben] {
        let act = order(&outputs, person).unwrap().acts.pop().unwrap();
        assert_eq!((act.kind, act.topic.as_str(), act.reason.as_str()), (ActKind::Closed, "soup", "no ads"));
    }
    assert_eq!(world.rooms.board().tables().count(), 0);
    assert_eq!(world.refusal(&sun, close()), Some(ErrorCode::NoSuchTable));
    assert_eq!(world.book(&sun).acts.len(), 2);
}

#[test]
fn an_erased_person_leaves_the_act_and_stays_suspended() {
    let mut world = World::new();
    let [ada, ben, sun] = ["Ada", "Ben", "Sun"].map(|name| world.member(name));
    world.ask(&ben, report("Ada"));
    world.ask(&ada, report("Ben"));
    world.ask(&ada, BoardRequest::Block { whom: of("Ben") });
    world.ask(&sun, suspend("Ben", 0));
    world.ask(&ben, BoardRequest::ForgetMe);
    let book = world.book(&sun);
    assert_eq!(book.reports, [], "both named Ben");
    assert_eq!(
        book.acts.iter().map(|one| (one.name.as_str(), one.act.kind)).collect::<Vec<_>>(),
        [("", ActKind::Suspended)]
    );
    assert!(!format!("{book:?}").contains("Ben"));
    assert_eq!(world.rooms.board().about(world.ms, &who("Ada")).blocked, 0);
    assert_eq!(world.refusal(&ben, BoardRequest::EatNow { with: vec![] }), Some(ErrorCode::Suspended));
    world.ask(&sun, BoardRequest::Lift { person: book.suspended[0].id.clone() });
    assert_eq!(world.refusal(&ben, BoardRequest::EatNow { with: vec![] }), None);
    world.ask(&sun, BoardRequest::ForgetMe);
    assert!(world.book(&sun).acts.iter().all(|one| one.steward.is_empty()), "nor does it name who did it");
}

#[test]
fn reports_and_acts_are_erased_after_thirty_days() {
    let mut world = World::new();
    let [ada, _ben, sun] = ["Ada", "Ben", "Sun"].map(|name| world.member(name));
    world.ask(&ada, report("Ben"));
    world.ask(&sun, suspend("Ben", 1));
    world.tick(ORDER_KEPT_MS - HOUR);
    let book = world.book(&sun);
    assert_eq!((book.reports.len(), book.acts.len(), book.suspended.len()), (1, 1, 0));
    world.tick(2 * HOUR);
    assert_eq!(world.book(&sun), OrderBook::default());
}

#[test]
fn a_steward_has_no_more_rights_in_a_call_than_others() {
    let mut world = World::new();
    let [ada, sun] = ["Ada", "Sun"].map(|name| world.member(name));
    let (_, room) = world.lay(&ada, true);
    world.join(&ada, &room);
    world.join(&sun, &room);
    let outputs = world.send(&sun, ClientMessage::Room(RoomRequest::Lock { locked: true }));
    assert!(matches!(&to(&outputs, &sun)[..], [ServerMessage::Error(error)] if error.code == ErrorCode::NotHost));
}
