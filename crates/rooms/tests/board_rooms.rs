//! The board together with its rooms: the messages to sessions, and who is admitted.

use std::time::Instant;

use rooms::board::{Board, Calendar, Change, HOST_KEPT_MS, Saved};
use rooms::{Limits, Output, Person, Rooms};
use signaling::board::{BoardNews, BoardRequest, Door, Draft, RoomNews, RoomRequest, TableInfo};
use signaling::board_fold::{BoardFold, Mine};
use signaling::message::{ClientMessage, ErrorCode, LeaveReason, MediaState, ParticipantId, ServerMessage, SessionId};

const NOW: u64 = 1_774_605_600_000;

struct Server {
    rooms: Rooms,
    seq: u64,
}

fn fresh() -> Board {
    Board::new(Calendar::new("Asia/Seoul").expect("works"), [1; 32], [2; 32], Saved::default(), NOW)
}

impl Server {
    fn new() -> Server {
        Server { rooms: Rooms::new(Limits::default(), fresh()), seq: 0 }
    }

    fn open(&mut self, name: &str, member: bool) -> SessionId {
        let session = SessionId(format!("session of {name}"));
        let person = Person { key: format!("key of {name}"), name: name.into(), member, steward: false, device: None };
        self.rooms.open(Instant::now(), session.clone(), person).expect("works");
        self.drain();
        session
    }

    fn say(&mut self, session: &SessionId, message: ClientMessage) -> Vec<Output> {
        self.seq += 1;
        self.rooms.message(Instant::now(), NOW, session, self.seq, 100, message);
        self.drain()
    }

    fn ask(&mut self, session: &SessionId, request: BoardRequest) -> Vec<Output> {
        self.say(session, ClientMessage::Board(request))
    }

    fn lay(&mut self, session: &SessionId, door: Door) -> TableInfo {
        let draft = Draft {
            topic: "soup".into(),
            place: String::new(),
            seats: 3,
            now: true,
            starts_ms: 0,
            minutes: 60,
            weekly: false,
            door,
        };
        self.ask(session, BoardRequest::Lay(draft));
        self.rooms.board().tables().last().expect("works").info(0)
    }

    fn join(&mut self, session: &SessionId, room: &str, invite: Option<String>) -> Vec<Output> {
        let media = MediaState::default();
        self.say(session, ClientMessage::Join { room: room.into(), media, invite, nonce: None })
    }

    fn keeper_does(&mut self, session: &SessionId, request: RoomRequest) -> Vec<Output> {
        self.say(session, ClientMessage::Room(request))
    }

    fn flush(&mut self) -> Vec<Output> {
        self.rooms.flush_board(NOW);
        self.drain()
    }

    fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.rooms.poll_output()).collect()
    }
}

fn to(outputs: &[Output], session: &SessionId) -> Vec<ServerMessage> {
    let mut said = Vec::new();
    for output in outputs {
        match output {
            Output::Send { to, message } | Output::Kept { to, message } if to == session => said.push(message.clone()),
            Output::Publish { to, text } if to.contains(session) => {
                said.push(serde_json::from_str(text).expect("works"))
            }
            Output::Send { .. } | Output::Kept { .. } | Output::Publish { .. } | Output::Write(_) => {}
            Output::End { .. } | Output::Forgotten(_) | Output::Forwarder(_) => {}
        }
    }
    said
}

fn errors(outputs: &[Output], session: &SessionId) -> Vec<ErrorCode> {
    let error = |message| match message {
        ServerMessage::Error(error) => Some(error.code),
        _ => None,
    };
    to(outputs, session).into_iter().filter_map(error).collect()
}

fn room_news(outputs: &[Output], session: &SessionId) -> Vec<RoomNews> {
    let news = |message| match message {
        ServerMessage::Room(news) => Some(news),
        _ => None,
    };
    to(outputs, session).into_iter().filter_map(news).collect()
}

fn lobby(outputs: &[Output], session: &SessionId) -> Option<Vec<(String, ParticipantId)>> {
    room_news(outputs, session).into_iter().rev().find_map(|news| match news {
        RoomNews::Lobby { knocking } => Some(knocking.into_iter().map(|k| (k.name, k.id)).collect()),
        _ => None,
    })
}

/// The messages to somebody who knocks: that they are knocking, and who can admit them.
fn knocking(room: &str, host: Option<&str>) -> [RoomNews; 2] {
    let host = host.map(|id| ParticipantId(id.into()));
    [RoomNews::Knocking { room: room.into() }, RoomNews::State { host, locked: false, spotlight: None }]
}

#[test]
fn changes_are_stored_before_anybody_is_notified() {
    let mut server = Server::new();
    let ada = server.open("Ada", true);
    server.ask(&ada, BoardRequest::Subscribe { room: None, invite: None });
    server.flush();
    let table = server.lay(&ada, Door::Open);
    server.flush();
    let outputs = server.ask(&ada, BoardRequest::Leave { table: table.id.clone() });
    let written =
        outputs.iter().position(|o| matches!(o, Output::Write(c) if c == &[Change::Gone { id: table.id.clone() }]));
    let done = outputs.iter().position(
        |o| matches!(o, Output::Kept { message: ServerMessage::Board(BoardNews::Done { about }), .. } if *about == server.seq),
    );
    assert!(written.unwrap() < done.unwrap(), "{outputs:?}");
    assert!(
        to(&server.flush(), &ada)
            .iter()
            .any(|m| matches!(m, ServerMessage::Board(BoardNews::Patch(p)) if p.gone == [table.id.clone()]))
    );
}

#[test]
fn subscribers_share_one_encoded_text() {
    let mut server = Server::new();
    let people: Vec<SessionId> = (0..50).map(|n| server.open(&format!("P{n}"), true)).collect();
    let silent = server.open("an older client", true);
    for session in &people {
        server.ask(session, BoardRequest::Subscribe { room: None, invite: None });
    }
    let first = server.flush();
    assert_eq!(first.iter().filter(|o| matches!(o, Output::Publish { .. })).count(), 1, "one text for all");
    server.lay(&people[0], Door::Open);
    let outputs = server.flush();
    let [Output::Publish { to: all, .. }] = outputs.as_slice() else { panic!("{outputs:?}") };
    assert_eq!(all.len(), 50);
    assert!(to(&outputs, &silent).is_empty());
    let mut fold = BoardFold::new("key of P0");
    for message in to(&first, &people[0]).into_iter().chain(to(&outputs, &people[0])) {
        if let ServerMessage::Board(news) = message {
            fold.handle(NOW, &news);
        }
    }
    let state = fold.state().unwrap();
    assert_eq!((state.people.len(), state.tables.len(), state.tables[0].mine), (51, 1, Mine::Host));
    assert!(!server.rooms.wants_flush());
}

#[test]
fn a_host_admits_people_one_by_one() {
    let mut server = Server::new();
    let [ada, ben, cem] = ["Ada", "Ben", "Cem"].map(|name| server.open(name, true));
    let room = server.lay(&ada, Door::Knock).room;
    let outputs = server.join(&ada, &room, None);
    assert!(matches!(&room_news(&outputs, &ada)[..], [RoomNews::State { host: Some(_), locked: false, .. }]));
    for session in [&ben, &cem] {
        let outputs = server.join(session, &room, None);
        assert_eq!(room_news(&outputs, session), knocking(&room, Some("p1")));
    }
    let outputs = server.say(&ben, ClientMessage::Media(MediaState { microphone: true, camera: false, screen: false }));
    assert!(outputs.is_empty(), "nothing is sent yet: {outputs:?}");
    let outputs = server.keeper_does(&ada, RoomRequest::Lock { locked: false });
    assert_eq!(lobby(&outputs, &ada), None);
    assert_eq!(server.rooms.participants(&room).len(), 1);
    let waiting = ["k2", "k3"].map(|id| ParticipantId(id.into()));
    let outputs = server.keeper_does(&ada, RoomRequest::Admit { id: waiting[0].clone() });
    assert!(matches!(to(&outputs, &ben)[0], ServerMessage::Joined { .. }), "{outputs:?}");
    assert_eq!(lobby(&outputs, &ada).unwrap(), [("Cem".to_owned(), waiting[1].clone())]);
    let ben_here = server.rooms.participants(&room).into_iter().find(|p| p.name == "Ben").unwrap();
    assert!(ben_here.media.microphone, "as when they joined");
    let outputs = server.keeper_does(&ada, RoomRequest::Refuse { id: waiting[1].clone() });
    assert_eq!(errors(&outputs, &cem), [ErrorCode::KnockingRefused]);
    assert_eq!(lobby(&outputs, &ada).unwrap(), []);
    let outputs = server.keeper_does(&ada, RoomRequest::Admit { id: waiting[1].clone() });
    assert_eq!(errors(&outputs, &ada), [ErrorCode::NoSuchParticipant]);
}

#[test]
fn knocking_at_a_full_table_is_refused() {
    let mut server = Server::new();
    let [ada, ben, cem, dan] = ["Ada", "Ben", "Cem", "Dan"].map(|name| server.open(name, true));
    let table = server.lay(&ada, Door::Knock);
    for session in [&ben, &cem] {
        server.ask(session, BoardRequest::Take { table: table.id.clone(), wait: false });
    }
    assert_eq!(errors(&server.join(&dan, &table.room, None), &dan), [ErrorCode::TableFull]);
    let outputs = server.join(&ben, &table.room, None);
    assert_eq!(room_news(&outputs, &ben), knocking(&table.room, None), "they have a seat");
    server.ask(&cem, BoardRequest::Leave { table: table.id });
    let outputs = server.join(&dan, &table.room, None);
    assert_eq!(room_news(&outputs, &dan), knocking(&table.room, None));
}

#[test]
fn a_new_host_receives_the_lobby_without_those_who_left() {
    let mut server = Server::new();
    let [ada, ben, cem] = ["Ada", "Ben", "Cem"].map(|name| server.open(name, true));
    let room = server.lay(&ada, Door::Knock).room;
    server.join(&ben, &room, None);
    server.join(&cem, &room, None);
    let outputs = server.join(&ada, &room, None);
    assert_eq!(lobby(&outputs, &ada).unwrap().len(), 2, "a late host receives the lobby");
    let outputs = server.say(&ben, ClientMessage::Leave);
    assert_eq!(to(&outputs, &ben), [ServerMessage::Left { reason: LeaveReason::Left }]);
    assert_eq!(lobby(&outputs, &ada).unwrap().len(), 1);
    server.rooms.quit(&cem);
    assert_eq!(lobby(&server.drain(), &ada).unwrap(), []);
}

#[test]
fn only_the_host_may_lock_mute_and_remove() {
    let mut server = Server::new();
    let [ada, ben, cem] = ["Ada", "Ben", "Cem"].map(|name| server.open(name, true));
    let room = server.lay(&ada, Door::Open).room;
    server.join(&ada, &room, None);
    server.join(&ben, &room, None);
    let (ada_id, ben_id) = {
        let all = server.rooms.participants(&room);
        (all[0].id.clone(), all[1].id.clone())
    };
    let outputs = server.keeper_does(&ben, RoomRequest::Remove { id: ada_id.clone() });
    assert_eq!(errors(&outputs, &ben), [ErrorCode::NotHost]);
    let outputs = server.keeper_does(&cem, RoomRequest::Lock { locked: true });
    assert_eq!(errors(&outputs, &cem), [ErrorCode::UnexpectedMessage]);
    let outputs = server.keeper_does(&ada, RoomRequest::Mute { id: ben_id.clone() });
    assert_eq!(room_news(&outputs, &ben), [RoomNews::Muted]);
    server.say(&ada, ClientMessage::Hand { raised: true });
    server.say(&ben, ClientMessage::Hand { raised: true });
    let outputs = server.keeper_does(&ben, RoomRequest::LowerHand { id: ada_id.clone() });
    assert_eq!(errors(&outputs, &ben), [ErrorCode::NotHost]);
    let lower = RoomRequest::LowerHand { id: ben_id.clone() };
    let outputs = server.keeper_does(&ada, lower.clone());
    let lowered = ServerMessage::Hand { from: ben_id.clone(), hand: None };
    assert_eq!((to(&outputs, &ada), to(&outputs, &ben)), (vec![lowered.clone()], vec![lowered]));
    assert_eq!(server.keeper_does(&ada, lower), [], "it is down already");
    let nobody = RoomRequest::LowerHand { id: ParticipantId("p9".into()) };
    let outputs = server.keeper_does(&ada, nobody);
    assert_eq!(errors(&outputs, &ada), [ErrorCode::NoSuchParticipant]);
    let spotlight = |id: &ParticipantId| RoomRequest::Spotlight { id: Some(id.clone()) };
    assert_eq!(errors(&server.keeper_does(&ben, spotlight(&ben_id)), &ben), [ErrorCode::NotHost]);
    let outputs = server.keeper_does(&ada, spotlight(&ben_id));
    assert!(
        matches!(&room_news(&outputs, &ben)[..], [RoomNews::State { spotlight, .. }] if *spotlight == Some(ben_id.clone()))
    );
    assert_eq!(server.keeper_does(&ada, spotlight(&ben_id)), []);
    let outputs = server.keeper_does(&ada, spotlight(&ParticipantId("p9".into())));
    assert_eq!(errors(&outputs, &ada), [ErrorCode::NoSuchParticipant]);
    let outputs = server.keeper_does(&ada, RoomRequest::Lock { locked: true });
    assert!(matches!(&room_news(&outputs, &ben)[..], [RoomNews::State { locked: true, spotlight: Some(_), .. }]));
    assert_eq!(errors(&server.join(&cem, &room, None), &cem), [ErrorCode::RoomLocked]);
    let outputs = server.keeper_does(&ada, RoomRequest::Remove { id: ben_id });
    assert!(to(&outputs, &ben).contains(&ServerMessage::Left { reason: LeaveReason::Removed }));
    assert_eq!(errors(&server.join(&ben, &room, None), &ben), [ErrorCode::Removed]);
    assert!(matches!(&room_news(&outputs, &ada)[..], [RoomNews::State { spotlight: None, .. }]), "they have left");
    let outputs = server.keeper_does(&ada, RoomRequest::Remove { id: ada_id });
    assert_eq!(errors(&outputs, &ada), [ErrorCode::NoSuchParticipant], "hosts cannot remove themselves");
    // A host who leaves is replaced after a while.
    server.keeper_does(&ada, RoomRequest::Lock { locked: false });
    server.join(&cem, &room, None);
    let outputs = server.say(&ada, ClientMessage::Leave);
    assert!(matches!(room_news(&outputs, &cem)[..], [RoomNews::State { host: None, .. }]));
    server.rooms.tick(NOW + HOST_KEPT_MS);
    let outputs = server.drain();
    assert!(matches!(room_news(&outputs, &cem)[..], [RoomNews::State { host: Some(_), .. }]));
    let outputs = server.keeper_does(&cem, RoomRequest::Lock { locked: true });
    assert_eq!(errors(&outputs, &cem), []);
}

#[test]
fn a_guest_sees_one_table_and_joins_by_its_invite() {
    let mut server = Server::new();
    let (ada, gus) = (server.open("Ada", true), server.open("Gus", false));
    let table = server.lay(&ada, Door::Open);
    server.lay(&ada, Door::Open);
    let watch = |invite: Option<String>| BoardRequest::Subscribe { room: Some(table.room.clone()), invite };
    for request in [BoardRequest::Subscribe { room: None, invite: None }, watch(None)] {
        assert_eq!(errors(&server.ask(&gus, request), &gus), [ErrorCode::NotMember]);
    }
    let made = server.ask(&ada, BoardRequest::Invite { room: table.room.clone(), uses: 1, hours: 1 });
    let token = to(&made, &ada).into_iter().find_map(|message| match message {
        ServerMessage::Board(BoardNews::Invite { invite, .. }) => Some(invite),
        _ => None,
    });
    server.ask(&gus, watch(token.clone()));
    let seen = to(&server.flush(), &gus);
    let [ServerMessage::Board(BoardNews::Snapshot(piece))] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((piece.tables.len(), piece.tables[0].taken_count, piece.tables[0].taken.len()), (1, 1, 0));
    assert_eq!(errors(&server.join(&gus, &table.room, None), &gus), [ErrorCode::NotMember]);
    let outputs = server.join(&gus, &table.room, token);
    assert!(matches!(to(&outputs, &gus)[0], ServerMessage::Joined { .. }), "{outputs:?}");
    let seen = to(&server.flush(), &gus);
    assert!(
        matches!(&seen[..], [ServerMessage::Board(BoardNews::Patch(p))] if p.tables[0].taken_count == 2),
        "{seen:?}"
    );
    let refused = server.ask(&gus, BoardRequest::Take { table: table.id, wait: false });
    assert_eq!(errors(&refused, &gus), [ErrorCode::NotMember]);
    assert_eq!(errors(&server.join(&ada, "soup", None), &ada), []);
}

#[test]
fn a_board_that_could_not_be_stored_is_rolled_back() {
    let mut server = Server::new();
    let ada = server.open("Ada", true);
    server.ask(&ada, BoardRequest::Subscribe { room: None, invite: None });
    server.flush();
    server.lay(&ada, Door::Open);
    server.rooms.replace_board(fresh());
    server.drain();
    let seen = to(&server.flush(), &ada);
    assert!(
        seen.iter().any(
            |m| matches!(m, ServerMessage::Board(BoardNews::Snapshot(s)) if s.tables.is_empty() && s.people.len() == 1)
        ),
        "{seen:?}"
    );
}

#[test]
fn a_host_makes_somebody_else_at_the_table_the_host() {
    let mut server = Server::new();
    let (ada, ben, cem) = (server.open("Ada", true), server.open("Ben", true), server.open("Cem", true));
    let table = server.lay(&ada, Door::Open);
    for session in [&ada, &ben, &cem] {
        server.join(session, &table.room, None);
    }
    let id = |server: &Server, n: usize| server.rooms.participants(&table.room)[n].id.clone();
    let (ada_id, ben_id) = (id(&server, 0), id(&server, 1));
    let over = |id: &ParticipantId| RoomRequest::HandOver { id: id.clone() };
    assert_eq!(errors(&server.keeper_does(&ben, over(&ben_id)), &ben), [ErrorCode::NotHost]);
    let outputs = server.keeper_does(&ada, over(&ParticipantId("p9".into())));
    assert_eq!(errors(&outputs, &ada), [ErrorCode::NoSuchParticipant]);
    let outputs = server.keeper_does(&ada, over(&ben_id));
    let host = |outputs: &[Output], session| match &room_news(outputs, session)[..] {
        [RoomNews::State { host, .. }] => host.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((host(&outputs, &ada), host(&outputs, &cem)), (Some(ben_id.clone()), Some(ben_id.clone())));
    assert_eq!(errors(&server.keeper_does(&ada, over(&ada_id)), &ada), [ErrorCode::NotHost], "the former host");
    assert_eq!(server.rooms.board().tables().last().expect("works").host, "key of Ben");
    // The new host stays when the former one leaves, and may hand it over in turn.
    let outputs = server.say(&ada, ClientMessage::Leave);
    assert_eq!(errors(&outputs, &ada), []);
    let cem_id = id(&server, 1);
    let outputs = server.keeper_does(&ben, over(&cem_id));
    assert_eq!(host(&outputs, &ben), Some(cem_id));
}
