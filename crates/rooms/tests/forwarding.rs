//! Which rooms are forwarded, and what the forwarder is asked.

use std::time::Instant;

use rooms::board::{Board, Calendar};
use rooms::{ForwardLimits, ForwarderRequest, Limits, Output, Person, Rooms};
use signaling::forwarding::{Displayed, FEATURE, FORWARDER, Published, SlotInfo};
use signaling::message::{ClientMessage, ErrorCode, MediaState, ParticipantId, ServerMessage, SessionId};

struct Server {
    rooms: Rooms,
    now: Instant,
    unix_ms: u64,
    seq: u64,
}

impl Server {
    fn new(limits: ForwardLimits) -> Server {
        let limits = Limits { forwarding: Some(limits), ..Limits::default() };
        Server { rooms: Rooms::new(limits, board()), now: Instant::now(), unix_ms: 1_000, seq: 0 }
    }

    fn open(&mut self, name: &str, features: &[&str]) -> SessionId {
        let session = SessionId(format!("session of {name}"));
        let person = Person { key: name.into(), name: name.into(), member: true, steward: false, device: None };
        self.rooms.open(self.now, session.clone(), person).expect("there is room");
        let features: Vec<String> = features.iter().map(|feature| (*feature).to_owned()).collect();
        self.rooms.set_features(&session, &features);
        session
    }

    fn say(&mut self, session: &SessionId, message: ClientMessage) -> Vec<Output> {
        self.seq += 1;
        self.rooms.message(self.now, self.unix_ms, session, self.seq, 100, message);
        self.drain()
    }

    fn join(&mut self, session: &SessionId, room: &str) -> Vec<Output> {
        let media = MediaState::default();
        self.say(session, ClientMessage::Join { room: room.into(), media, invite: None, nonce: None })
    }

    /// Lets this many people join who can be in a forwarded room. Returns what happens when the last does.
    fn join_able(&mut self, room: &str, count: usize) -> (Vec<SessionId>, Vec<Output>) {
        let sessions: Vec<SessionId> = (0..count).map(|n| self.open(&format!("{room} {n}"), &[FEATURE])).collect();
        let last = sessions.iter().map(|session| self.join(session, room)).last();
        (sessions, last.unwrap_or_default())
    }

    fn tick(&mut self, ms: u64) -> Vec<Output> {
        self.unix_ms += ms;
        self.rooms.tick(self.unix_ms);
        self.drain()
    }

    fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.rooms.poll_output()).collect()
    }

    fn id(&self, session: &SessionId) -> ParticipantId {
        self.rooms.seat(session).expect("has a seat").1.clone()
    }
}

fn board() -> Board {
    Board::new(Calendar::new("UTC").expect("a zone"), [0; 32], [0; 32], Default::default(), 0)
}

fn to<'a>(outputs: &'a [Output], session: &SessionId) -> Vec<&'a ServerMessage> {
    let sent = |output: &'a Output| match output {
        Output::Send { to, message } if to == session => Some(message),
        _ => None,
    };
    outputs.iter().filter_map(sent).collect()
}

/// Who has received which path.
fn paths(outputs: &[Output]) -> Vec<(SessionId, bool)> {
    let path = |output: &Output| match output {
        Output::Send { to, message: ServerMessage::Forwarded { on } } => Some((to.clone(), *on)),
        _ => None,
    };
    outputs.iter().filter_map(path).collect()
}

fn requests(outputs: &[Output]) -> Vec<ForwarderRequest> {
    let request = |output: &Output| match output {
        Output::Forwarder(request) => Some(request.clone()),
        _ => None,
    };
    outputs.iter().filter_map(request).collect()
}

fn errors(outputs: &[Output]) -> Vec<ErrorCode> {
    let code = |output: &Output| match output {
        Output::Send { message: ServerMessage::Error(error), .. } => Some(error.code),
        _ => None,
    };
    outputs.iter().filter_map(code).collect()
}

fn offer() -> ClientMessage {
    ClientMessage::Offer { to: ParticipantId(FORWARDER.into()), sdp: "v=0".into(), signature: None }
}

#[test]
fn the_seventh_person_makes_a_room_forwarded() {
    let mut server = Server::new(ForwardLimits::default());
    let (first, outputs) = server.join_able("soup", 6);
    assert_eq!((paths(&outputs), requests(&outputs)), (vec![], vec![]));
    assert_eq!(errors(&server.say(&first[0], offer())), [ErrorCode::UnexpectedMessage]);
    let seventh = server.open("seventh", &["flying", FEATURE]);
    let outputs = server.join(&seventh, "soup");
    let all: Vec<SessionId> = first.into_iter().chain([seventh.clone()]).collect();
    assert_eq!(paths(&outputs), all.iter().map(|one| (one.clone(), true)).collect::<Vec<_>>());
    let taken = |session: &SessionId| ForwarderRequest::Take {
        session: session.clone(),
        room: "soup".into(),
        id: server.id(session),
    };
    assert_eq!(requests(&outputs), all.iter().map(taken).collect::<Vec<_>>());
    let received = to(&outputs, &seventh);
    assert!(matches!(received[..2], [ServerMessage::Forwarded { on: true }, ServerMessage::Joined { .. }]));
}

#[test]
fn somebody_whose_client_cannot_do_it_keeps_the_room_direct() {
    let mut server = Server::new(ForwardLimits::default());
    let old = server.open("old", &[]);
    server.join(&old, "soup");
    let (sessions, outputs) = server.join_able("soup", 11);
    assert_eq!((paths(&outputs), requests(&outputs)), (vec![], vec![]));
    let late = server.open("late", &[FEATURE]);
    assert_eq!(errors(&server.join(&late, "soup")), [ErrorCode::RoomFull], "as many as before");
    server.say(&old, ClientMessage::Leave);
    let outputs = server.tick(250);
    assert_eq!(paths(&outputs).len(), sessions.len(), "everybody who is left can");
    assert_eq!(errors(&server.join(&late, "soup")), []);
}

#[test]
fn a_client_that_cannot_do_it_makes_a_small_forwarded_room_direct_and_is_refused_at_a_large_one() {
    let mut server = Server::new(ForwardLimits::default());
    let (sessions, _) = server.join_able("soup", 8);
    let old = server.open("old", &[]);
    let outputs = server.join(&old, "soup");
    assert!(matches!(to(&outputs, &old)[0], ServerMessage::Joined { .. }), "it hears of no path");
    assert_eq!(paths(&outputs), sessions.iter().map(|one| (one.clone(), false)).collect::<Vec<_>>());
    assert_eq!(requests(&outputs), [], "the forwarder goes on for a while");
    let dropped = requests(&server.tick(21_000));
    assert_eq!(dropped.len(), sessions.len());
    assert!(dropped.iter().all(|request| matches!(request, ForwarderRequest::Drop { .. })));

    let (_, outputs) = server.join_able("cake", 13);
    assert_eq!(errors(&outputs), [], "more than a direct room may have");
    let old = server.open("another", &[]);
    assert_eq!(errors(&server.join(&old, "cake")), [ErrorCode::RoomFull]);
    assert_eq!(requests(&server.tick(250)), [], "the refused one has changed nothing");
}

#[test]
fn a_forwarded_room_has_its_own_bounds() {
    let limits = ForwardLimits { participants: 20, rooms: 1, ..ForwardLimits::default() };
    let mut server = Server::new(limits);
    server.join_able("soup", 20);
    let late = server.open("late", &[FEATURE]);
    assert_eq!(errors(&server.join(&late, "soup")), [ErrorCode::RoomFull]);
    let (_, outputs) = server.join_able("cake", 12);
    assert_eq!((errors(&outputs), paths(&outputs)), (vec![], vec![]), "another room stays direct");
    let late = server.open("later", &[FEATURE]);
    assert_eq!(errors(&server.join(&late, "cake")), [ErrorCode::RoomFull]);
}

#[test]
fn a_room_that_shrinks_is_direct_after_a_while() {
    let mut server = Server::new(ForwardLimits::default());
    let (sessions, _) = server.join_able("soup", 7);
    for session in &sessions[5..] {
        let outputs = server.say(session, ClientMessage::Leave);
        assert_eq!(requests(&outputs), [ForwarderRequest::Drop { session: session.clone() }]);
    }
    assert_eq!(paths(&server.tick(250)), []);
    assert_eq!(paths(&server.tick(9_000)), []);
    assert_eq!(paths(&server.tick(1_100)).len(), 5);
    assert_eq!(requests(&server.tick(19_000)), []);
    assert_eq!(requests(&server.tick(1_100)).len(), 5);
    assert_eq!(errors(&server.say(&sessions[0], offer())), [ErrorCode::UnexpectedMessage]);
}

#[test]
fn offers_and_views_reach_the_forwarder_and_its_answers_come_back() {
    let mut server = Server::new(ForwardLimits { from: 2, ..ForwardLimits::default() });
    let (sessions, _) = server.join_able("soup", 2);
    let (ada, id) = (sessions[0].clone(), server.id(&sessions[0]));
    let outputs = server.say(&ada, offer());
    let seq = server.seq;
    let asked = ForwarderRequest::Answer { session: ada.clone(), id: id.clone(), seq, sdp: "v=0".into() };
    assert_eq!(requests(&outputs), [asked]);
    let pictures = vec![Displayed { id: server.id(&sessions[1]), kind: Published::Camera, height: 360, priority: 0 }];
    let outputs = server.say(&ada, ClientMessage::View { pictures: pictures.clone() });
    assert_eq!(requests(&outputs), [ForwarderRequest::View { session: ada.clone(), pictures }]);
    let trickled = ClientMessage::EndOfCandidates { to: ParticipantId(FORWARDER.into()) };
    assert_eq!(server.say(&ada, trickled), []);

    server.rooms.forwarder_answered(&ada, &id, seq, Ok("v=1".into()));
    server.rooms.forwarder_answered(&ada, &id, seq, Err(ErrorCode::Malformed));
    let slots = vec![SlotInfo { mid: "3".into(), id: server.id(&sessions[1]), kind: Published::Audio, csrc: 2 }];
    server.rooms.forwarder_assigned(&ada, &id, slots.clone());
    let outputs = server.drain();
    let from = ParticipantId(FORWARDER.into());
    assert!(matches!(
        to(&outputs, &ada)[..],
        [
            ServerMessage::Answer { from: by, signature: None, .. },
            ServerMessage::Error(_),
            ServerMessage::Slots { slots: carried },
        ] if *by == from && *carried == slots
    ));
    server.say(&ada, ClientMessage::Leave);
    server.rooms.forwarder_answered(&ada, &id, seq, Ok("v=1".into()));
    server.rooms.forwarder_assigned(&ada, &id, slots);
    assert_eq!(server.drain(), [], "not to somebody who has left");
}

#[test]
fn somebody_with_a_full_backlog_receives_the_newest_path_and_slots_later() {
    let mut server = Server::new(ForwardLimits { from: 2, ..ForwardLimits::default() });
    let (sessions, _) = server.join_able("soup", 2);
    let (ada, id) = (sessions[0].clone(), server.id(&sessions[0]));
    let pool = server.rooms.pool().clone();
    let mut full = signaling::server_session::ServerSession::with_pool(pool);
    while full.backlog().is_open(server.rooms.pool()) {
        full.deliver(&ServerMessage::Forwarded { on: true }).expect("room");
    }
    server.rooms.note(&ada, full.backlog());
    let slot = |csrc| SlotInfo { mid: "3".into(), id: id.clone(), kind: Published::Audio, csrc };
    for csrc in 1..50 {
        server.rooms.forwarder_assigned(&ada, &id, vec![slot(csrc)]);
    }
    assert_eq!(to(&server.drain(), &ada), [] as [&ServerMessage; 0]);
    server.rooms.note(&ada, &signaling::backlog::Backlog::default());
    assert_eq!(to(&server.drain(), &ada), [&ServerMessage::Slots { slots: vec![slot(49)] }]);
}

#[test]
fn too_many_offers_to_the_forwarder_are_refused() {
    let mut server = Server::new(ForwardLimits { from: 2, ..ForwardLimits::default() });
    let (sessions, _) = server.join_able("soup", 2);
    let refused = (0..20).filter(|_| !errors(&server.say(&sessions[0], offer())).is_empty()).count();
    assert_eq!(refused, 14);
}

#[test]
fn a_server_that_forwards_nothing_never_does() {
    let mut server = Server::new(ForwardLimits::default());
    server.rooms = Rooms::new(Limits::default(), board());
    let (_, outputs) = server.join_able("soup", 12);
    assert_eq!((paths(&outputs), requests(&outputs), requests(&server.tick(60_000))), (vec![], vec![], vec![]));
}
