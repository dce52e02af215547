//! What people in rooms may see and do.

use std::time::{Duration, Instant};

use rooms::source::Source;
use rooms::{Limits, Output, Person, Rate, Rooms};
use signaling::avatar::Avatar;
use signaling::board::BoardRequest;
use signaling::connection_report::ConnectionReport;
use signaling::message::{
    ClientMessage, ErrorCode, IceCandidate, LeaveReason, MediaState, ParticipantId, Reaction, Resolution,
    ServerMessage, SessionId,
};

const ON: MediaState = MediaState { microphone: true, camera: true, screen: false };

struct Server {
    rooms: Rooms,
    now: Instant,
    seq: u64,
}

impl Server {
    fn new(limits: Limits) -> Server {
        Server { rooms: Rooms::new(limits, board()), now: Instant::now(), seq: 0 }
    }

    fn open(&mut self, name: &str) -> SessionId {
        self.open_with_key(name, name)
    }

    fn open_with_key(&mut self, name: &str, key: &str) -> SessionId {
        let session = SessionId(format!("session of {name}"));
        let person = Person { key: key.into(), name: name.into(), member: true, steward: false, device: None };
        self.rooms.open(self.now, session.clone(), person).expect("there is room");
        session
    }

    fn say(&mut self, session: &SessionId, message: ClientMessage) -> Vec<Output> {
        self.seq += 1;
        self.rooms.message(self.now, 1_000 + self.seq, session, self.seq, 100, message);
        self.drain()
    }

    fn join(&mut self, session: &SessionId, room: &str) -> Vec<Output> {
        self.say(session, ClientMessage::Join { room: room.into(), media: ON, invite: None, nonce: None })
    }

    fn wait(&mut self, seconds: u64) -> Vec<Output> {
        self.now += Duration::from_secs(seconds);
        self.rooms.handle_timeout(self.now);
        self.drain()
    }

    fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.rooms.poll_output()).collect()
    }

    fn id(&self, session: &SessionId) -> ParticipantId {
        self.rooms.seat(session).expect("has a seat").1.clone()
    }
}

fn to<'a>(outputs: &'a [Output], session: &SessionId) -> Vec<&'a ServerMessage> {
    let sent = |output: &'a Output| match output {
        Output::Send { to, message } if to == session => Some(message),
        Output::Send { .. }
        | Output::End { .. }
        | Output::Write(_)
        | Output::Forgotten(_)
        | Output::Forwarder(_)
        | Output::Kept { .. }
        | Output::Publish { .. } => None,
    };
    outputs.iter().filter_map(sent).collect()
}

fn errors(outputs: &[Output]) -> Vec<ErrorCode> {
    let code = |output: &Output| match output {
        Output::Send { message: ServerMessage::Error(error), .. } => Some(error.code),
        Output::Send { .. }
        | Output::End { .. }
        | Output::Write(_)
        | Output::Forgotten(_)
        | Output::Forwarder(_)
        | Output::Kept { .. }
        | Output::Publish { .. } => None,
    };
    outputs.iter().filter_map(code).collect()
}

#[test]
fn a_newcomer_and_the_room_learn_of_each_other() {
    let mut server = Server::new(Limits::default());
    let (ada, bob) = (server.open("ada"), server.open("bob"));
    server.join(&ada, "soup");
    let outputs = server.join(&bob, "soup");
    match to(&outputs, &bob)[..] {
        [ServerMessage::Joined { room, you, participants }] => {
            assert_eq!((room.as_str(), you), ("soup", &server.id(&bob)));
            assert_eq!(participants.len(), 1);
            assert_eq!((participants[0].name.as_str(), participants[0].media), ("ada", ON));
        }
        ref other => panic!("{other:?}"),
    }
    match to(&outputs, &ada)[..] {
        [ServerMessage::ParticipantJoined { participant }] => assert_eq!(participant.id, server.id(&bob)),
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_directed_message_reaches_only_its_addressee() {
    let mut server = Server::new(Limits::default());
    let (ada, bob, eve) = (server.open("ada"), server.open("bob"), server.open("eve"));
    for session in [&ada, &bob, &eve] {
        server.join(session, "soup");
    }
    let (from, to_bob) = (server.id(&ada), server.id(&bob));
    let candidate = IceCandidate { candidate: "candidate:1".into(), ..Default::default() };
    let most = Resolution { max_width: 640, max_height: 360 };
    let cases = [
        (
            ClientMessage::Offer { to: to_bob.clone(), sdp: "o".into(), signature: Some("s".into()) },
            ServerMessage::Offer { from: from.clone(), sdp: "o".into(), signature: Some("s".into()) },
        ),
        (
            ClientMessage::Answer { to: to_bob.clone(), sdp: "a".into(), signature: None },
            ServerMessage::Answer { from: from.clone(), sdp: "a".into(), signature: None },
        ),
        (
            ClientMessage::Candidate { to: to_bob.clone(), candidate: candidate.clone() },
            ServerMessage::Candidate { from: from.clone(), candidate },
        ),
        (ClientMessage::EndOfCandidates { to: to_bob.clone() }, ServerMessage::EndOfCandidates { from: from.clone() }),
        (
            ClientMessage::Resolution { to: to_bob.clone(), most },
            ServerMessage::Resolution { from: from.clone(), most },
        ),
        (ClientMessage::CheckConnection { to: to_bob.clone() }, ServerMessage::CheckConnection { from: from.clone() }),
        (
            ClientMessage::ConnectionReport { to: to_bob, report: ConnectionReport::unknown() },
            ServerMessage::ConnectionReport { from, report: ConnectionReport::unknown() },
        ),
    ];
    for (sent, received) in cases {
        assert_eq!(server.say(&ada, sent), [Output::Send { to: bob.clone(), message: received }]);
    }
}

#[test]
fn directed_messages_need_a_seat_in_the_same_room() {
    let mut server = Server::new(Limits::default());
    let (ada, bob, eve) = (server.open("ada"), server.open("bob"), server.open("eve"));
    server.join(&ada, "soup");
    server.join(&bob, "soup");
    let offer = |to: &ParticipantId| ClientMessage::Offer { to: to.clone(), sdp: String::new(), signature: None };
    let to_bob = server.id(&bob);
    assert_eq!(errors(&server.say(&eve, offer(&to_bob))), [ErrorCode::UnexpectedMessage]);
    server.join(&eve, "cake");
    // Ids are counted separately in each room. Bob's id exists in Eve's room only if somebody there has the same
    // number.
    assert_eq!(errors(&server.say(&eve, offer(&to_bob))), [ErrorCode::NoSuchParticipant]);
    let myself = server.id(&ada);
    assert_eq!(errors(&server.say(&ada, offer(&myself))), [ErrorCode::NoSuchParticipant]);
}

#[test]
fn a_full_room_refuses_joins_until_a_seat_is_free() {
    let mut server = Server::new(Limits { participants: 2, ..Limits::default() });
    let (ada, bob, eve) = (server.open("ada"), server.open("bob"), server.open("eve"));
    server.join(&ada, "soup");
    server.join(&bob, "soup");
    assert_eq!(errors(&server.join(&eve, "soup")), [ErrorCode::RoomFull]);
    assert_eq!(server.rooms.seat(&eve), None);
    server.say(&ada, ClientMessage::Leave);
    assert_eq!(errors(&server.join(&eve, "soup")), []);
}

#[test]
fn a_room_has_twelve_seats_by_default() {
    let mut server = Server::new(Limits::default());
    for n in 0..12 {
        let session = server.open(&format!("guest {n}"));
        assert_eq!(errors(&server.join(&session, "soup")), []);
    }
    let late = server.open("late");
    assert_eq!(errors(&server.join(&late, "soup")), [ErrorCode::RoomFull]);
}

#[test]
fn a_device_that_rejoins_replaces_its_seat() {
    let mut server = Server::new(Limits { participants: 2, ..Limits::default() });
    let (old, bob) = (server.open_with_key("laptop", "key"), server.open("bob"));
    server.join(&old, "soup");
    server.join(&bob, "soup");
    let old_id = server.id(&old);
    let new = server.open_with_key("telephone", "key");
    let outputs = server.join(&new, "soup");
    assert_eq!(to(&outputs, &old), [&ServerMessage::Left { reason: LeaveReason::Replaced }]);
    match to(&outputs, &bob)[..] {
        [
            ServerMessage::ParticipantLeft { id, reason: LeaveReason::Replaced },
            ServerMessage::ParticipantJoined { .. },
        ] => {
            assert_eq!(id, &old_id);
        }
        ref other => panic!("{other:?}"),
    }
    assert_ne!(server.id(&new), old_id);
    assert_eq!(server.rooms.seat(&old), None);
    // The replaced session continues and may join another room.
    assert_eq!(errors(&server.join(&old, "cake")), []);
}

#[test]
fn everybody_receives_chat_in_one_order() {
    let mut server = Server::new(Limits::default());
    let (ada, bob) = (server.open("ada"), server.open("bob"));
    server.join(&ada, "soup");
    server.join(&bob, "soup");
    let mut outputs = server.say(&ada, ClientMessage::Chat { text: "one".into() });
    outputs.extend(server.say(&bob, ClientMessage::Chat { text: "two".into() }));
    let received = to(&outputs, &ada);
    assert_eq!(received, to(&outputs, &bob));
    match received[..] {
        [ServerMessage::Chat { text: one, at: first, .. }, ServerMessage::Chat { text: two, at: second, .. }] => {
            assert_eq!((one.as_str(), two.as_str()), ("one", "two"));
            assert!(first < second);
        }
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn raised_hands_have_one_order_which_newcomers_see() {
    let mut server = Server::new(Limits::default());
    let (ada, bob, eve) = (server.open("ada"), server.open("bob"), server.open("eve"));
    server.join(&ada, "soup");
    server.join(&bob, "soup");
    let (ada_id, bob_id) = (server.id(&ada), server.id(&bob));
    let raise = || ClientMessage::Hand { raised: true };
    let outputs = server.say(&bob, raise());
    let raised = ServerMessage::Hand { from: bob_id.clone(), hand: Some(1) };
    assert_eq!((to(&outputs, &ada), to(&outputs, &bob)), (vec![&raised], vec![&raised]));
    assert_eq!(server.say(&bob, raise()), [], "raising it again keeps its place");
    server.say(&ada, raise());
    let hands = |outputs: &[Output], session: &SessionId| match to(outputs, session)[..] {
        [ServerMessage::Joined { participants, .. }] => participants.iter().map(|one| one.hand).collect::<Vec<_>>(),
        ref other => panic!("{other:?}"),
    };
    let outputs = server.join(&eve, "soup");
    assert_eq!(hands(&outputs, &eve), [Some(2), Some(1)]);
    let outputs = server.say(&bob, ClientMessage::Hand { raised: false });
    let lowered = ServerMessage::Hand { from: bob_id, hand: None };
    assert_eq!(to(&outputs, &eve), [&lowered]);
    server.say(&bob, raise());
    server.say(&ada, ClientMessage::Leave);
    server.join(&ada, "soup");
    assert_ne!(server.id(&ada), ada_id);
    let others = server.rooms.participants("soup").into_iter().map(|one| (one.name, one.hand));
    let expected = [("bob", Some(3)), ("eve", None), ("ada", None)].map(|(name, hand)| (name.to_owned(), hand));
    assert_eq!(others.collect::<Vec<_>>(), expected, "a hand is down after leaving");
}

#[test]
fn a_new_avatar_is_shown_to_the_others_and_to_newcomers() {
    let mut server = Server::new(Limits::default());
    let (ada, bob, eve) = (server.open("ada"), server.open("bob"), server.open("eve"));
    server.join(&ada, "soup");
    server.join(&bob, "soup");
    let set = |color| {
        let glyph = Some("🍜".to_owned());
        ClientMessage::Board(BoardRequest::SetAvatar { color, glyph, jpeg: None })
    };
    let avatar = Avatar { color: Some(3), glyph: Some("🍜".into()), photo: None };
    let outputs = server.say(&bob, set(Some(3)));
    let news = ServerMessage::Avatar { from: server.id(&bob), avatar: avatar.clone() };
    assert_eq!(to(&outputs, &ada), [&news]);
    assert!(!to(&outputs, &bob).contains(&&news));
    let outputs = server.say(&bob, set(Some(3)));
    assert!(to(&outputs, &ada).is_empty(), "it is the same");
    match to(&server.join(&eve, "soup"), &eve)[..] {
        [ServerMessage::Joined { participants, .. }] => {
            assert_eq!(participants.iter().map(|one| &one.avatar).collect::<Vec<_>>(), [&Avatar::default(), &avatar]);
        }
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_hand_raised_a_thousand_times_a_second_disturbs_nobody() {
    let mut server = Server::new(Limits::default());
    let (ada, bob) = (server.open("ada"), server.open("bob"));
    server.join(&ada, "soup");
    server.join(&bob, "soup");
    let (mut received, mut refused) = (0, 0);
    for n in 0..1_000 {
        server.now += Duration::from_millis(1);
        let outputs = server.say(&ada, ClientMessage::Hand { raised: n % 2 == 0 });
        received += to(&outputs, &bob).iter().filter(|one| matches!(one, ServerMessage::Hand { .. })).count();
        refused += errors(&outputs).iter().filter(|code| **code == ErrorCode::RateLimited).count();
    }
    assert!((1..=11).contains(&received), "{received} changes");
    assert!(refused > 0);
    server.say(&bob, ClientMessage::Chat { text: "soup?".into() });
    assert_eq!(to(&server.say(&bob, ClientMessage::Hand { raised: true }), &bob).len(), 1, "others may");
}

#[test]
fn a_reaction_reaches_everybody_who_is_there() {
    let mut server = Server::new(Limits::default());
    let (ada, bob, eve) = (server.open("ada"), server.open("bob"), server.open("eve"));
    server.join(&ada, "soup");
    server.join(&bob, "soup");
    let outputs = server.say(&ada, ClientMessage::Reaction { reaction: Reaction::Yum });
    let shown = ServerMessage::Reaction { from: server.id(&ada), reaction: Reaction::Yum };
    assert_eq!((to(&outputs, &ada), to(&outputs, &bob)), (vec![&shown], vec![&shown]));
    let outputs = server.join(&eve, "soup");
    assert!(!outputs.iter().any(|one| matches!(one, Output::Send { message: ServerMessage::Reaction { .. }, .. })));
    let outputs = server.say(&eve, ClientMessage::Leave);
    assert_eq!(errors(&outputs), []);
    let outputs = server.say(&eve, ClientMessage::Reaction { reaction: Reaction::Yum });
    assert_eq!(errors(&outputs), [ErrorCode::UnexpectedMessage], "only in a room");
}

#[test]
fn hands_are_only_raised_in_a_room() {
    let mut server = Server::new(Limits::default());
    let ada = server.open("ada");
    assert_eq!(errors(&server.say(&ada, ClientMessage::Hand { raised: true })), [ErrorCode::UnexpectedMessage]);
}

#[test]
fn media_states_are_forwarded_and_kept_for_newcomers() {
    let mut server = Server::new(Limits::default());
    let (ada, bob, eve) = (server.open("ada"), server.open("bob"), server.open("eve"));
    server.join(&ada, "soup");
    server.join(&bob, "soup");
    let muted = MediaState { microphone: false, camera: true, screen: false };
    let outputs = server.say(&ada, ClientMessage::Media(muted));
    let from = server.id(&ada);
    assert_eq!(outputs, [Output::Send { to: bob, message: ServerMessage::Media { from, media: muted } }]);
    match to(&server.join(&eve, "soup"), &eve)[..] {
        [ServerMessage::Joined { participants, .. }] => assert_eq!(participants[0].media, muted),
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_broken_session_keeps_its_seat_for_thirty_seconds() {
    let mut server = Server::new(Limits::default());
    let (ada, bob) = (server.open("ada"), server.open("bob"));
    server.join(&ada, "soup");
    server.join(&bob, "soup");
    let id = server.id(&ada);
    server.rooms.disconnected(server.now, &ada);
    let gone = ServerMessage::ParticipantConnection { id: id.clone(), connected: false };
    assert_eq!(server.drain(), [Output::Send { to: bob.clone(), message: gone.clone() }]);
    assert_eq!(server.rooms.poll_timeout(), Some(server.now + Duration::from_secs(30)));
    assert_eq!(server.wait(29), []);

    let eve = server.open("eve");
    assert_eq!(to(&server.join(&eve, "soup"), &eve)[1..], [&gone]);

    let outputs = server.wait(1);
    let left = ServerMessage::ParticipantLeft { id, reason: LeaveReason::Timeout };
    assert_eq!(to(&outputs, &bob), [&left]);
    assert_eq!(to(&outputs, &eve), [&left]);
    assert_eq!(outputs.last(), Some(&Output::End { session: ada.clone(), code: Some(ErrorCode::Timeout) }));
    assert_eq!(server.rooms.resume(&ada, "ada"), Err(ErrorCode::CannotResume));
    assert_eq!(server.rooms.poll_timeout(), None);
}

#[test]
fn a_resumed_session_has_its_seat_and_missed_messages() {
    let mut server = Server::new(Limits::default());
    let (ada, bob) = (server.open("ada"), server.open("bob"));
    server.join(&ada, "soup");
    server.join(&bob, "soup");
    let id = server.id(&ada);
    server.rooms.disconnected(server.now, &ada);
    server.drain();
    let outputs = server.say(&bob, ClientMessage::Chat { text: "are you there?".into() });
    assert_eq!(to(&outputs, &ada).len(), 1);
    server.now += Duration::from_secs(29);
    server.rooms.resume(&ada, "ada").unwrap();
    let back = ServerMessage::ParticipantConnection { id: id.clone(), connected: true };
    assert_eq!(server.drain(), [Output::Send { to: bob, message: back }]);
    assert_eq!(server.id(&ada), id);
    assert_eq!(server.wait(3600), []);
}

#[test]
fn quitting_frees_the_seat_at_once() {
    let mut server = Server::new(Limits::default());
    let (ada, bob) = (server.open("ada"), server.open("bob"));
    server.join(&ada, "soup");
    server.join(&bob, "soup");
    let id = server.id(&ada);
    server.rooms.quit(&ada);
    let outputs = server.drain();
    assert_eq!(to(&outputs, &bob), [&ServerMessage::ParticipantLeft { id, reason: LeaveReason::Left }]);
    assert_eq!(outputs.last(), Some(&Output::End { session: ada, code: None }));
}

#[test]
fn another_device_cannot_resume_a_session() {
    let mut server = Server::new(Limits::default());
    let ada = server.open("ada");
    server.join(&ada, "soup");
    server.rooms.disconnected(server.now, &ada);
    assert_eq!(server.rooms.resume(&ada, "eve"), Err(ErrorCode::CannotResume));
    assert_eq!(server.rooms.resume(&SessionId("unknown".into()), "ada"), Err(ErrorCode::CannotResume));
    assert_eq!(server.rooms.resume(&ada, "ada"), Ok(()));
}

#[test]
fn an_idle_session_is_not_kept() {
    let mut server = Server::new(Limits::default());
    let (ada, bob) = (server.open("ada"), server.open("bob"));
    server.rooms.disconnected(server.now, &ada);
    assert!(server.drain().contains(&Output::End { session: ada.clone(), code: Some(ErrorCode::Timeout) }));
    assert_eq!(server.rooms.resume(&ada, "ada"), Err(ErrorCode::CannotResume));
    server.say(&bob, ClientMessage::Board(signaling::board::BoardRequest::Subscribe { room: None, invite: None }));
    server.rooms.disconnected(server.now, &bob);
    assert_eq!(server.rooms.resume(&bob, "bob"), Ok(()), "a member with a subscription");
    let eve = SessionId("eve".into());
    let stranger = Person { key: "eve".into(), name: "eve".into(), member: false, steward: false, device: None };
    server.rooms.open(server.now, eve.clone(), stranger).unwrap();
    server.say(&eve, ClientMessage::Leave);
    server.rooms.disconnected(server.now, &eve);
    assert_eq!(server.rooms.resume(&eve, "eve"), Err(ErrorCode::CannotResume), "an error waits, but no seat");
}

#[test]
fn guests_may_use_half_of_the_sessions_and_rooms() {
    let mut server = Server::new(Limits { sessions: 10, ..Limits::default() });
    let mut open = |n: usize, member| {
        let person = Person { key: format!("key {n}"), name: "x".into(), member, steward: false, device: None };
        server.rooms.open(server.now, SessionId(format!("session {n}")), person).is_ok()
    };
    assert_eq!((0..20).filter(|n| open(*n, false)).count(), 5);
    assert_eq!((20..40).filter(|n| open(*n, true)).count(), 5);
}

#[test]
fn sessions_per_person_and_source_are_limited_and_freed() {
    let mut limits = Limits::default();
    (limits.shares.sessions_per_person, limits.shares.sessions_per_source) = (3, 5);
    let mut rooms = Rooms::new(limits, board());
    let now = Instant::now();
    let open = |rooms: &mut Rooms, n: usize, key: &str, ip: &str| {
        let person = Person { key: key.into(), name: "x".into(), member: true, steward: false, device: None };
        rooms.open_from(now, SessionId(format!("s{n}")), person, Source::all(ip.parse().unwrap()))
    };
    assert_eq!((0..10).filter(|n| open(&mut rooms, *n, "one key", "192.0.2.1").is_ok()).count(), 3);
    let keys = |n: usize| format!("key {n}");
    assert_eq!((10..20).filter(|n| open(&mut rooms, *n, &keys(*n), "192.0.2.1").is_ok()).count(), 2);
    assert_eq!(open(&mut rooms, 20, "another", "192.0.2.1"), Err(ErrorCode::ServerFull));
    assert!(open(&mut rooms, 20, "another", "192.0.2.2").is_ok());
    rooms.quit(&SessionId("s0".into()));
    assert!(open(&mut rooms, 21, "one key", "192.0.2.1").is_ok());
}

#[test]
fn rates_apply_to_a_person_across_sessions() {
    let mut server = Server::new(Limits::default());
    let mut joined = 0;
    for n in 0..30 {
        let session = server.open_with_key(&format!("tab {n}"), "key");
        joined += usize::from(errors(&server.join(&session, "soup")).is_empty());
        server.rooms.quit(&session);
        server.drain();
    }
    assert_eq!(joined, 10);
    server.wait(60);
    let session = server.open_with_key("later", "key");
    assert_eq!(errors(&server.join(&session, "soup")), []);
}

#[test]
fn untimely_messages_are_refused_by_number() {
    let mut server = Server::new(Limits::default());
    let ada = server.open("ada");
    for message in [ClientMessage::Leave, ClientMessage::Media(ON), ClientMessage::Chat { text: "hi".into() }] {
        match &server.say(&ada, message)[..] {
            [Output::Send { message: ServerMessage::Error(error), .. }] => {
                assert_eq!((error.code, error.about), (ErrorCode::UnexpectedMessage, Some(server.seq)));
            }
            other => panic!("{other:?}"),
        }
    }
    server.join(&ada, "soup");
    assert_eq!(errors(&server.join(&ada, "cake")), [ErrorCode::UnexpectedMessage]);
    assert_eq!(server.rooms.seat(&ada).map(|seat| seat.0), Some("soup"));
}

#[test]
fn only_chat_over_its_rate_is_refused() {
    let mut server = Server::new(Limits::default());
    let ada = server.open("ada");
    server.join(&ada, "soup");
    let mut refused = 0;
    for _ in 0..15 {
        refused += errors(&server.say(&ada, ClientMessage::Chat { text: "x".into() })).len();
    }
    assert_eq!(refused, 5);
    assert_eq!(errors(&server.say(&ada, ClientMessage::Media(ON))), []);
    server.wait(1);
    assert_eq!(errors(&server.say(&ada, ClientMessage::Chat { text: "x".into() })), []);
}

#[test]
fn bytes_have_their_own_rate() {
    let mut limits = Limits::default();
    limits.rates.bytes = Rate::new(100.0, 250.0);
    let mut server = Server::new(limits);
    let ada = server.open("ada");
    let ping = || ClientMessage::Ping { nonce: 1 };
    assert_eq!(errors(&server.say(&ada, ping())), []);
    assert_eq!(errors(&server.say(&ada, ping())), []);
    assert_eq!(errors(&server.say(&ada, ping())), [ErrorCode::RateLimited]);
}

#[test]
fn a_client_that_keeps_flooding_is_ended_and_its_seat_freed() {
    let mut server = Server::new(Limits::default());
    let (ada, bob) = (server.open("ada"), server.open("bob"));
    server.join(&ada, "soup");
    server.join(&bob, "soup");
    let ended = (0..2_000).any(|_| {
        let outputs = server.say(&ada, ClientMessage::Media(ON));
        outputs.contains(&Output::End { session: ada.clone(), code: Some(ErrorCode::RateLimited) })
    });
    assert!(ended);
    assert_eq!(server.rooms.participants("soup").len(), 1);
    assert_eq!(server.say(&ada, ClientMessage::Media(ON)), []);
}

#[test]
fn rooms_and_sessions_are_limited_and_freed() {
    let mut server = Server::new(Limits { rooms: 1, sessions: 2, ..Limits::default() });
    let (ada, bob) = (server.open("ada"), server.open("bob"));
    let person = || Person { key: "eve".into(), name: "eve".into(), member: true, steward: false, device: None };
    let late = SessionId("late".into());
    assert_eq!(server.rooms.open(server.now, late.clone(), person()), Err(ErrorCode::ServerFull));
    server.join(&ada, "soup");
    assert_eq!(errors(&server.join(&bob, "cake")), [ErrorCode::ServerFull]);
    server.say(&ada, ClientMessage::Leave);
    assert_eq!(server.rooms.rooms(), 0);
    assert_eq!(errors(&server.join(&bob, "cake")), []);
    server.rooms.close(&ada, ErrorCode::TooSlow);
    assert_eq!(server.rooms.open(server.now, late, person()), Ok(()));
}

#[test]
fn stopping_sends_bye_with_a_retry_time() {
    let mut server = Server::new(Limits::default());
    let (ada, bob) = (server.open("ada"), server.open("bob"));
    server.join(&ada, "soup");
    server.rooms.stop(3_000);
    let outputs = server.drain();
    let bye = ServerMessage::Bye { code: ErrorCode::ServerStopping, retry_after_ms: Some(3_000) };
    assert_eq!(to(&outputs, &ada), [&bye]);
    assert_eq!(to(&outputs, &bob), [&bye]);
    assert_eq!((server.rooms.sessions(), server.rooms.rooms()), (0, 0));
}

/// An empty board: these tests are about rooms.
fn board() -> rooms::board::Board {
    let calendar = rooms::board::Calendar::new("UTC").expect("a zone");
    rooms::board::Board::new(calendar, [0; 32], [0; 32], Default::default(), 0)
}
