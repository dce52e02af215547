//! Whatever others do, a session ends only because of its own actions, and its view of the room stays correct.

mod world;

use std::time::Duration;

use proptest::prelude::*;
use rooms::source::Source;
use signaling::backlog::Cause;
use signaling::board::{BoardRequest, Door, Draft, RoomRequest};
use signaling::message::{
    ClientMessage, ErrorCode, IceCandidate, MediaState, ParticipantId, Reaction, Resolution, ServerMessage, SessionId,
};
use world::{OFF, World};

const ON: MediaState = MediaState { microphone: true, camera: true, screen: false };

fn offer(to: &ParticipantId) -> ClientMessage {
    ClientMessage::Offer { to: to.clone(), sdp: "v".repeat(48_000), signature: None }
}

fn answer(to: &ParticipantId) -> ClientMessage {
    ClientMessage::Answer { to: to.clone(), sdp: "v".repeat(48_000), signature: None }
}

fn candidate(to: &ParticipantId) -> ClientMessage {
    let candidate = IceCandidate { candidate: "c".repeat(300), ..Default::default() };
    ClientMessage::Candidate { to: to.clone(), candidate }
}

fn resolution(to: &ParticipantId) -> ClientMessage {
    ClientMessage::Resolution { to: to.clone(), most: Resolution { max_width: 64, max_height: 64 } }
}

#[test]
fn a_flood_is_refused_to_its_sender_and_costs_the_addressee_nothing() {
    type Message = fn(&ParticipantId) -> ClientMessage;
    let floods: [(Message, usize); 5] = [
        (|to| ClientMessage::EndOfCandidates { to: to.clone() }, 1_000),
        (resolution, 1_000),
        (offer, 60),
        (answer, 60),
        (candidate, 1_000),
    ];
    for round_trip in [Some(0), Some(50), Some(100), None] {
        for (message, count) in floods {
            let mut world = World::new();
            let (victim, mallory) = (world.open("victim", round_trip), world.open("mallory", Some(0)));
            world.join(&victim, "soup");
            world.join(&mallory, "soup");
            let to = world.id(&victim);
            for _ in 0..count {
                world.say(&mallory, message(&to));
            }
            if world.clients.contains_key(&mallory) {
                assert!(world.errors(&mallory, ErrorCode::RateLimited) > 0);
            } else {
                assert_eq!(world.ended[&mallory], Some(ErrorCode::RateLimited), "did not stop");
            }
            world.pass(5_000);
            assert!(world.clients.contains_key(&victim), "{round_trip:?}: {:?}", world.ended);
            assert!(world.clients[&victim].most_kept < 512 * 1024);
            world.assert_true_picture(&victim);
        }
    }
}

#[test]
fn new_guests_cannot_fill_somebody_s_backlog() {
    for round_trip in [Some(100), None] {
        let mut world = World::new();
        let victim = world.open("victim", round_trip);
        world.join(&victim, "soup");
        let to = world.id(&victim);
        for wave in 0..6 {
            let sybils: Vec<SessionId> = (0..11).map(|n| world.open(&format!("{wave}.{n}"), Some(0))).collect();
            for sybil in &sybils {
                world.join(sybil, "soup");
                for _ in 0..6 {
                    world.say(sybil, offer(&to));
                    world.say(sybil, ClientMessage::Media(ON));
                    world.say(sybil, ClientMessage::Chat { text: "\u{1F35C}".repeat(4_000) });
                    world.say(sybil, ClientMessage::Media(OFF));
                }
                for _ in 0..200 {
                    world.say(sybil, ClientMessage::EndOfCandidates { to: to.clone() });
                }
            }
            for sybil in &sybils {
                world.rooms.quit(sybil);
                world.deliver();
            }
            world.pass(20);
        }
        assert!(world.clients.contains_key(&victim), "{round_trip:?}: {:?}", world.ended.get(&victim));
        let kept = world.clients[&victim].most_kept;
        assert!(kept < 3 * 1024 * 1024, "{kept}");
        // As soon as it acknowledges, its state is as if nothing had happened.
        let read = world.clients[&victim].read;
        world.clients.get_mut(&victim).unwrap().round_trip = Some(Duration::ZERO);
        world.clients.get_mut(&victim).unwrap().acks.push_back((world.now, read));
        world.pass(1_000);
        world.assert_true_picture(&victim);
        let friend = world.open("friend", Some(0));
        world.join(&friend, "soup");
        world.say(&friend, offer(&to));
        assert!(matches!(world.clients[&victim].received.last(), Some(ServerMessage::Offer { .. })));
    }
}

#[test]
fn repeated_joins_and_leaves_disconnect_nobody() {
    for round_trip in [Some(100), None] {
        let mut world = World::new();
        let victim = world.open("victim", round_trip);
        world.join(&victim, "soup");
        let sessions: Vec<SessionId> = (0..60).map(|_| world.open("one key", Some(0))).collect();
        for _ in 0..10 {
            for session in &sessions {
                world.join(session, "soup");
                world.say(session, ClientMessage::Leave);
            }
        }
        assert!(world.clients.contains_key(&victim));
        assert!(world.clients[&victim].received.len() < 40, "joins are counted per person");
        world.pass(1_000);
        world.assert_true_picture(&victim);
    }
}

#[test]
fn twelve_simultaneous_joins_stay_within_the_limits() {
    // All behind one address, 100 ms away, with descriptions of maximum length, followed by an ICE restart of all.
    let mut world = World::new();
    let source = || Source::all("192.0.2.1".parse().unwrap());
    let twelve: Vec<SessionId> = (0..12).map(|n| world.open_from(&format!("key {n}"), Some(100), source())).collect();
    for session in &twelve {
        world.join(session, "soup");
    }
    let ids: Vec<ParticipantId> = twelve.iter().map(|session| world.id(session)).collect();
    for _ in 0..2 {
        for (n, session) in twelve.iter().enumerate() {
            for (m, to) in ids.iter().enumerate().filter(|(m, _)| *m != n) {
                let describe = if n > m { offer } else { answer };
                world.say(session, describe(to));
                for _ in 0..30 {
                    world.say(session, candidate(to));
                }
                world.say(session, ClientMessage::EndOfCandidates { to: to.clone() });
                world.say(session, resolution(to));
            }
            world.say(session, ClientMessage::Media(ON));
            world.say(session, ClientMessage::Chat { text: "\u{1F35C}".repeat(1_000) });
        }
        world.pass(15_000);
    }
    for session in &twelve {
        assert_eq!(world.errors(session, ErrorCode::RateLimited), 0);
        let directed = world.clients[session].received.iter().filter(|m| Cause::of(m) == Cause::Directed).count();
        assert_eq!(directed, 2 * 11 * 33);
        let chat = world.clients[session].received.iter().filter(|m| Cause::of(m) == Cause::Said).count();
        assert_eq!(chat, 24);
        world.assert_true_picture(session);
    }
}

#[test]
fn queued_messages_after_a_resume_are_not_rate_limited() {
    let mut world = World::new();
    let (ada, bob) = (world.open("ada", Some(100)), world.open("bob", Some(100)));
    world.join(&ada, "soup");
    world.join(&bob, "soup");
    let to = world.id(&bob);
    world.pass(1_000);
    // A client sends its full queue in one burst after reconnecting: an offer, 30 candidates, chat and media.
    for _ in 0..3 {
        world.say(&ada, offer(&to));
        for _ in 0..30 {
            world.say(&ada, candidate(&to));
        }
    }
    for n in 0..10 {
        world.say(&ada, ClientMessage::Chat { text: n.to_string() });
    }
    assert_eq!(world.errors(&ada, ErrorCode::RateLimited), 0);
}

#[test]
fn deleted_tables_disconnect_nobody_who_waited() {
    let mut world = World::new();
    let victim = world.open("victim", None);
    world.say(&victim, ClientMessage::Board(BoardRequest::Subscribe { room: None, invite: None }));
    for n in 0..40 {
        let host = world.open(&format!("host {n}"), Some(0));
        let other = world.open(&format!("other {n}"), Some(0));
        for m in 0..20 {
            let draft = Draft {
                topic: "\u{1F35C}".repeat(80),
                place: String::new(),
                seats: 2,
                now: false,
                starts_ms: world.unix_ms + (1 + m) * 3_600_000,
                minutes: 30,
                weekly: false,
                door: Door::Open,
            };
            world.say(&host, ClientMessage::Board(BoardRequest::Lay(draft)));
        }
        let key = format!("host {n}");
        let tables: Vec<String> =
            world.rooms.board().tables().filter(|table| table.host == key).map(|table| table.id.clone()).collect();
        assert_eq!(tables.len(), 20);
        for table in &tables {
            world.say(&other, ClientMessage::Board(BoardRequest::Take { table: table.clone(), wait: false }));
            world.say(&victim, ClientMessage::Board(BoardRequest::Take { table: table.clone(), wait: true }));
            // The highest average rate that is allowed.
            world.now += Duration::from_millis(600);
        }
        world.acknowledge_all(&victim);
    }
    world.pass(60_000);
    for table in world.rooms.board().tables().map(|table| (table.host.clone(), table.id.clone())).collect::<Vec<_>>() {
        let (host, table) = table;
        let session = world.clients.keys().find(|id| id.0.starts_with(&format!("{host}/"))).cloned().unwrap();
        world.say(&session, ClientMessage::Board(BoardRequest::Delete { table }));
    }
    assert!(world.clients.contains_key(&victim), "{:?}", world.ended.get(&victim));
}

#[derive(Debug, Clone)]
enum Step {
    Open { key: u8 },
    Join { who: u8, room: bool },
    Leave { who: u8 },
    Say { who: u8, what: u8, to: u8, times: u16 },
    Disconnect { who: u8 },
    Resume { who: u8 },
    Quit { who: u8 },
    Pass { ms: u16 },
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..40u8;
    prop_oneof![
        3 => (0..12u8).prop_map(|key| Step::Open { key }),
        4 => (who.clone(), any::<bool>()).prop_map(|(who, room)| Step::Join { who, room }),
        2 => who.clone().prop_map(|who| Step::Leave { who }),
        8 => (who.clone(), 0..12u8, 0..12u8, prop_oneof![Just(1), 1..60u16, Just(600)])
            .prop_map(|(who, what, to, times)| Step::Say { who, what, to, times }),
        1 => who.clone().prop_map(|who| Step::Disconnect { who }),
        1 => who.clone().prop_map(|who| Step::Resume { who }),
        1 => who.prop_map(|who| Step::Quit { who }),
        3 => (0..1_500u16).prop_map(|ms| Step::Pass { ms }),
    ]
}

fn message(what: u8, to: &ParticipantId) -> ClientMessage {
    match what {
        0 => offer(to),
        1 => answer(to),
        2 => candidate(to),
        3 => ClientMessage::EndOfCandidates { to: to.clone() },
        4 => resolution(to),
        5 => ClientMessage::Media(ON),
        6 => ClientMessage::Media(OFF),
        7 => ClientMessage::Chat { text: "\u{1F35C}".repeat(4_000) },
        9 => ClientMessage::Hand { raised: true },
        10 => ClientMessage::Hand { raised: false },
        8 => ClientMessage::Room(RoomRequest::Mute { id: to.clone() }),
        _ => ClientMessage::Board(BoardRequest::Subscribe { room: None, invite: None }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two honest people, one near and one far, sit in a room while others do anything.
    #[test]
    fn nobody_can_end_another_session(steps in prop::collection::vec(step(), 1..40), far in 0..900u64) {
        let mut world = World::new();
        let honest = [world.open("near", Some(0)), world.open("far", Some(far))];
        for session in &honest {
            world.join(session, "soup");
        }
        let mut hostile: Vec<SessionId> = Vec::new();
        let mut broken: Vec<SessionId> = Vec::new();
        for step in steps {
            let of = |who: u8| hostile.get(usize::from(who) % hostile.len().max(1)).cloned();
            match step {
                Step::Open { key } if hostile.len() < 40 => {
                    // Every third of them acknowledges nothing.
                    let round_trip = (key % 3 > 0).then_some(u64::from(key) * 20);
                    hostile.push(world.open(&format!("hostile {key}"), round_trip));
                }
                Step::Open { .. } => {}
                Step::Join { who, room } => {
                    if let Some(who) = of(who) {
                        world.join(&who, if room { "soup" } else { "cake" });
                    }
                }
                Step::Leave { who } => {
                    if let Some(who) = of(who) {
                        world.say(&who, ClientMessage::Leave);
                    }
                }
                Step::Say { who, what, to, times } => {
                    if let Some(who) = of(who) {
                        let to = ParticipantId(format!("p{to}"));
                        let said = message(what, &to);
                        let bytes = serde_json::to_string(&said).expect("works").len();
                        (0..times).for_each(|_| world.say_sized(&who, said.clone(), bytes));
                    }
                }
                Step::Disconnect { who } => {
                    if let Some(who) = of(who) {
                        world.rooms.disconnected(world.now, &who);
                        world.deliver();
                        broken.push(who);
                    }
                }
                Step::Resume { who } => {
                    if let Some(who) = broken.get(usize::from(who) % broken.len().max(1)).cloned() {
                        let key = who.0.split('/').next().unwrap_or_default().to_owned();
                        // It may have ended by now.
                        let _ = world.rooms.resume(&who, &key);
                        world.deliver();
                    }
                }
                Step::Quit { who } => {
                    if let Some(who) = of(who) {
                        world.rooms.quit(&who);
                        world.deliver();
                    }
                }
                Step::Pass { ms } => world.pass(ms.into()),
            }
            for session in &honest {
                prop_assert!(world.clients.contains_key(session), "{:?}", world.ended.get(session));
            }
        }
        world.pass(3_000);
        for session in &honest {
            prop_assert!(world.clients.contains_key(session), "{:?}", world.ended.get(session));
            world.assert_true_picture(session);
        }
        // They can still talk to each other.
        let to = world.id(&honest[1]);
        world.say(&honest[0], candidate(&to));
        let received = matches!(world.clients[&honest[1]].received.last(), Some(ServerMessage::Candidate { .. }));
        prop_assert!(received);
    }
}

#[test]
fn a_thousand_reactions_a_second_fill_nothing() {
    for round_trip in [Some(50), None] {
        let mut world = World::new();
        let (victim, mallory) = (world.open("victim", round_trip), world.open("mallory", Some(0)));
        let friend = world.open("friend", Some(0));
        for session in [&victim, &mallory, &friend] {
            world.join(session, "soup");
        }
        for n in 0..5_000usize {
            world.say(&mallory, ClientMessage::Reaction { reaction: Reaction::ALL[n % 7] });
            if n % 10 == 9 {
                world.pass(10);
            }
            if !world.clients.contains_key(&mallory) {
                break;
            }
        }
        let received = |session: &SessionId| {
            let received = world.clients[session].received.iter();
            received.filter(|one| matches!(one, ServerMessage::Reaction { .. })).count()
        };
        assert!((1..=21).contains(&received(&friend)), "{} in five seconds", received(&friend));
        assert!(world.clients[&victim].most_kept < 8 * 1024, "{} bytes", world.clients[&victim].most_kept);
        world.say(&friend, ClientMessage::Chat { text: "soup?".into() });
        world.pass(100);
        let said = world.clients[&victim].received.iter().filter(|one| matches!(one, ServerMessage::Chat { .. }));
        assert_eq!(said.count(), 1, "others are heard");
    }
}
