//! Which rooms are forwarded, and what the forwarder is asked.

use std::time::Instant;

use proptest::prelude::*;
use rooms::board::{Board, Calendar};
use rooms::{ForwardLimits, ForwarderRequest, Limits, Output, Person, Rate, Rates, Rooms};
use signaling::backlog::{Backlog, Cause};
use signaling::forwarding::{Displayed, FEATURE, FORWARDER, FrameKey, OwnDisplayed, Published, SealedKey, SlotInfo};
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
    server.rooms.forwarder_assigned(&ada, &id, slots.clone(), OwnDisplayed::default());
    let outputs = server.drain();
    let from = ParticipantId(FORWARDER.into());
    assert!(matches!(
        to(&outputs, &ada)[..],
        [
            ServerMessage::Answer { from: by, signature: None, .. },
            ServerMessage::Error(_),
            ServerMessage::Slots { slots: carried, .. },
        ] if *by == from && *carried == slots
    ));
    server.say(&ada, ClientMessage::Leave);
    server.rooms.forwarder_answered(&ada, &id, seq, Ok("v=1".into()));
    server.rooms.forwarder_assigned(&ada, &id, slots, OwnDisplayed::default());
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
        server.rooms.forwarder_assigned(&ada, &id, vec![slot(csrc)], OwnDisplayed::default());
    }
    assert_eq!(to(&server.drain(), &ada), [] as [&ServerMessage; 0]);
    server.rooms.note(&ada, &signaling::backlog::Backlog::default());
    assert_eq!(
        to(&server.drain(), &ada),
        [&ServerMessage::Slots { slots: vec![slot(49)], displayed: Some(OwnDisplayed::default()) }]
    );
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

fn two() -> ForwardLimits {
    ForwardLimits { from: 2, ..ForwardLimits::default() }
}

/// A frame key of somebody.
fn frame_key(name: &str) -> FrameKey {
    FrameKey { key: format!("key of {name}"), signature: "s".into() }
}

fn announcement(name: &str) -> ClientMessage {
    ClientMessage::FrameKey(frame_key(name))
}

fn giving(epoch: u32, to: &[ParticipantId]) -> ClientMessage {
    let sealed =
        |to: &ParticipantId| SealedKey { to: to.clone(), sealed: format!("for {to:?}"), signature: "s".into() };
    ClientMessage::SenderKeys { epoch, keys: to.iter().map(sealed).collect() }
}

/// Who has received whose frame key.
fn announced(outputs: &[Output]) -> Vec<(SessionId, ParticipantId, FrameKey)> {
    let key = |output: &Output| match output {
        Output::Send { to, message: ServerMessage::FrameKey { from, key } } => {
            Some((to.clone(), from.clone(), key.clone()))
        }
        _ => None,
    };
    outputs.iter().filter_map(key).collect()
}

/// Who has received a key from whom, each with what is for them.
fn given(outputs: &[Output]) -> Vec<(SessionId, ParticipantId, String)> {
    let key = |output: &Output| match output {
        Output::Send { to, message: ServerMessage::SenderKey { from, sealed, .. } } => {
            Some((to.clone(), from.clone(), sealed.clone()))
        }
        _ => None,
    };
    outputs.iter().filter_map(key).collect()
}

#[test]
fn everybody_learns_the_frame_keys_of_all_also_before_the_room_is_forwarded() {
    let mut server = Server::new(ForwardLimits::default());
    let (sessions, _) = server.join_able("soup", 2);
    let old = server.open("old", &[]);
    server.join(&old, "soup");
    let (ada, ben) = (sessions[0].clone(), sessions[1].clone());
    let ada_s = (server.id(&ada), frame_key("ada"));
    let outputs = server.say(&ada, announcement("ada"));
    assert_eq!(announced(&outputs), [(ben.clone(), ada_s.0.clone(), ada_s.1.clone())], "not to an old client");
    let late = server.open("late", &[FEATURE]);
    let outputs = server.join(&late, "soup");
    assert_eq!(announced(&outputs), [(late.clone(), ada_s.0, ada_s.1)]);
    let received = to(&outputs, &late);
    let joined = received.iter().position(|message| matches!(message, ServerMessage::Joined { .. }));
    let key = received.iter().position(|message| matches!(message, ServerMessage::FrameKey { .. }));
    assert!(joined < key, "after the person is known");
}

#[test]
fn a_stay_has_one_frame_key() {
    let mut server = Server::new(ForwardLimits::default());
    let (sessions, _) = server.join_able("soup", 2);
    let unexpected = [ErrorCode::UnexpectedMessage];
    assert_eq!(errors(&server.say(&sessions[0], announcement("ada"))), []);
    assert_eq!(errors(&server.say(&sessions[0], announcement("eve"))), unexpected);
    let (old, idle) = (server.open("old", &[]), server.open("idle", &[FEATURE]));
    server.join(&old, "soup");
    assert_eq!(errors(&server.say(&old, announcement("old"))), unexpected, "cannot be forwarded");
    assert_eq!(errors(&server.say(&idle, announcement("idle"))), unexpected, "is in no room");
    server.say(&sessions[0], ClientMessage::Leave);
    server.join(&sessions[0], "soup");
    assert_eq!(errors(&server.say(&sessions[0], announcement("ada again"))), [], "another stay");
    server.rooms = Rooms::new(Limits::default(), board());
    let (sessions, _) = server.join_able("soup", 2);
    assert_eq!(errors(&server.say(&sessions[0], announcement("ada"))), unexpected, "nothing is forwarded");
}

#[test]
fn each_receives_their_own_key_and_nobody_else_s() {
    let mut server = Server::new(two());
    let (sessions, _) = server.join_able("soup", 4);
    let (elsewhere, _) = server.join_able("cake", 2);
    let outside = server.open("outside", &[FEATURE]);
    let ids: Vec<ParticipantId> = sessions.iter().map(|session| server.id(session)).collect();
    let nobody = ParticipantId("p99".into());
    let outputs = server.say(&sessions[0], giving(1, &[ids[2].clone(), ids[0].clone(), nobody, ids[1].clone()]));
    let for_them = |n: usize| (sessions[n].clone(), ids[0].clone(), format!("for {:?}", ids[n]));
    assert_eq!(given(&outputs), [for_them(2), for_them(1)]);
    assert_eq!(outputs.len(), 2, "and nothing to the others or to themselves");
    server.say(&sessions[1], ClientMessage::Leave);
    assert_eq!(given(&server.say(&sessions[0], giving(2, &ids[1..3]))), [for_them(2)], "not to somebody who has left");
    assert_eq!(errors(&server.say(&sessions[1], giving(1, &ids))), [ErrorCode::UnexpectedMessage]);
    assert_eq!(errors(&server.say(&outside, giving(1, &ids))), [ErrorCode::UnexpectedMessage]);
    // The ids of another room are other people.
    let outputs = server.say(&elsewhere[0], giving(1, &ids));
    assert!(given(&outputs).iter().all(|(session, ..)| *session == elsewhere[1]), "{outputs:?}");
}

#[test]
fn keys_are_given_only_while_the_forwarder_works() {
    let mut server = Server::new(ForwardLimits { from: 3, ..ForwardLimits::default() });
    let (sessions, _) = server.join_able("soup", 2);
    let ids: Vec<ParticipantId> = sessions.iter().map(|session| server.id(session)).collect();
    assert_eq!(errors(&server.say(&sessions[0], giving(1, &ids[1..]))), [ErrorCode::UnexpectedMessage]);
    let third = server.open("third", &[FEATURE]);
    server.join(&third, "soup");
    assert_eq!(given(&server.say(&sessions[0], giving(1, &ids[1..]))).len(), 1);
    // The room is direct from now on, and the forwarder goes on for a while.
    let old = server.open("old", &[]);
    let outputs = server.join(&old, "soup");
    assert!(paths(&outputs).contains(&(third.clone(), false)));
    let old_id = server.id(&old);
    let outputs = server.say(&sessions[0], giving(2, &[ids[1].clone(), old_id]));
    assert_eq!(given(&outputs).len(), 1, "not to somebody who came afterwards");
    server.tick(60_000);
    assert_eq!(errors(&server.say(&sessions[0], giving(3, &ids[1..]))), [ErrorCode::UnexpectedMessage]);
}

#[test]
fn somebody_who_does_not_acknowledge_gets_no_keys_and_their_senders_learn_it() {
    let mut server = Server::new(two());
    let (sessions, _) = server.join_able("soup", 3);
    let ids: Vec<ParticipantId> = sessions.iter().map(|session| server.id(session)).collect();
    let mut slow = signaling::server_session::ServerSession::with_pool(server.rooms.pool().clone());
    let key =
        ServerMessage::SenderKey { from: ids[0].clone(), epoch: 1, sealed: "A".repeat(107), signature: "A".repeat(86) };
    while slow.backlog().takes(Cause::Keys, 500) {
        slow.deliver(&key).expect("room");
    }
    server.rooms.note(&sessions[1], slow.backlog());
    let outputs = server.say(&sessions[0], giving(7, &ids[1..]));
    assert_eq!(given(&outputs).iter().map(|(session, ..)| session).collect::<Vec<_>>(), [&sessions[2]]);
    let undelivered = ServerMessage::SenderKeysUndelivered { epoch: 7, to: vec![ids[1].clone()] };
    assert_eq!(to(&outputs, &sessions[0]), [&undelivered]);
    // Other messages still reach them.
    let answered = slow.backlog().takes(Cause::Directed, 48_000) && slow.backlog().takes(Cause::Event, 500);
    assert!(answered);
    server.rooms.note(&sessions[1], &Backlog::default());
    assert_eq!(given(&server.say(&sessions[0], giving(7, &ids[1..2]))).len(), 1);
}

#[test]
fn somebody_with_a_full_backlog_learns_frame_keys_later() {
    let mut server = Server::new(two());
    let (sessions, _) = server.join_able("soup", 2);
    let mut full = signaling::server_session::ServerSession::with_pool(server.rooms.pool().clone());
    while full.backlog().is_open(server.rooms.pool()) {
        full.deliver(&ServerMessage::Forwarded { on: true }).expect("room");
    }
    server.rooms.note(&sessions[0], full.backlog());
    assert_eq!(announced(&server.say(&sessions[1], announcement("ben"))), []);
    server.rooms.note(&sessions[0], &Backlog::default());
    let outputs = server.drain();
    assert_eq!(announced(&outputs), [(sessions[0].clone(), server.id(&sessions[1]), frame_key("ben"))]);
}

#[test]
fn too_many_keys_are_refused() {
    let mut server = Server::new(two());
    let (sessions, _) = server.join_able("soup", 2);
    let ids: Vec<ParticipantId> = sessions.iter().map(|session| server.id(session)).collect();
    let refused = (0..20).filter(|&n| !errors(&server.say(&sessions[0], giving(n, &ids[1..]))).is_empty()).count();
    assert_eq!(refused, 12);
    let refused = (0..20).map(|_| errors(&server.say(&sessions[0], announcement("ada"))));
    assert_eq!(refused.filter(|codes| codes == &[ErrorCode::RateLimited]).count(), 10);
}

#[derive(Debug, Clone)]
enum Step {
    Join(usize, bool),
    Leave(usize),
    Announce(usize),
    Give(usize),
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..6usize;
    prop_oneof![
        4 => (who.clone(), any::<bool>()).prop_map(|(who, cake)| Step::Join(who, cake)),
        2 => who.clone().prop_map(Step::Leave),
        3 => who.clone().prop_map(Step::Announce),
        4 => who.prop_map(Step::Give),
        1 => Just(Step::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_any_order_keys_reach_only_those_in_the_room(steps in prop::collection::vec(step(), 1..60)) {
        let free = Rate::new(1e9, 1e9);
        let rates = Rates { messages: free, joins: free, frame_keys: free, sender_keys: free, ..Rates::default() };
        let mut server = Server::new(two());
        server.rooms = Rooms::new(Limits { forwarding: Some(two()), rates, ..Limits::default() }, board());
        let sessions: Vec<SessionId> = (0..6).map(|n| server.open(&format!("{n}"), &[FEATURE])).collect();
        // Whose keys each has received in the present stay.
        let mut known: Vec<Vec<ParticipantId>> = vec![Vec::new(); 6];
        for step in steps {
            let outputs = match step {
                Step::Join(who, cake) => server.join(&sessions[who], if cake { "cake" } else { "soup" }),
                Step::Leave(who) => server.say(&sessions[who], ClientMessage::Leave),
                Step::Announce(who) => server.say(&sessions[who], announcement(&format!("{who}"))),
                Step::Give(who) => {
                    let all: Vec<ParticipantId> = (1..10).map(|n| ParticipantId(format!("p{n}"))).collect();
                    server.say(&sessions[who], giving(1, &all))
                }
                Step::Tick => server.tick(30_000),
            };
            for (to, from, _) in given(&outputs) {
                let (room, id) = server.rooms.seat(&to).expect("a receiver sits");
                prop_assert!(*id != from);
                prop_assert!(server.rooms.participants(room).iter().any(|one| one.id == from), "the sender too");
            }
            for (who, session) in sessions.iter().enumerate() {
                if server.rooms.seat(session).is_none() || to(&outputs, session).iter().any(|one| matches!(one, ServerMessage::Joined { .. })) {
                    known[who].clear();
                }
            }
            for (to, from, _) in announced(&outputs) {
                let who = sessions.iter().position(|session| *session == to).expect("a session");
                prop_assert!(!known[who].contains(&from), "once");
                known[who].push(from);
            }
        }
    }
}
