//! A board of any size reaches everybody in pieces, at the pace of their acknowledgements, and never uses more memory
//! than one window.

mod world;

use signaling::backlog::Cause;
use signaling::board::{BoardNews, BoardRequest, Door, Draft};
use signaling::board_fold::{BoardFold, BoardState};
use signaling::message::{ClientMessage, ErrorCode, ServerMessage, SessionId};
use world::{NOW, World, full_board};

const HOUR: u64 = 3_600_000;

fn subscribe(world: &mut World, key: &str, round_trip_ms: Option<u64>) -> SessionId {
    let session = world.open(key, round_trip_ms);
    let request = BoardRequest::Subscribe { room: None, invite: None };
    world.say(&session, ClientMessage::Board(request));
    session
}

/// What a client displays, without its own part and without the time.
fn screen(world: &World, session: &SessionId) -> Option<BoardState> {
    let mut fold = BoardFold::new("nobody");
    for message in &world.clients[session].received {
        if let ServerMessage::Board(news) = message {
            fold.handle(0, news);
        }
    }
    fold.state().map(|state| BoardState { now_ms: 0, skew_ms: 0, waiting: None, ..state })
}

fn truth(world: &World) -> Option<BoardState> {
    let mut fold = BoardFold::new("nobody");
    for piece in world.rooms.board().snapshot(0) {
        fold.handle(0, &BoardNews::Snapshot(piece));
    }
    fold.state().map(|state| BoardState { now_ms: 0, skew_ms: 0, ..state })
}

fn has_whole(world: &World, session: &SessionId) -> bool {
    let is_last = |message: &ServerMessage| matches!(message, ServerMessage::Board(BoardNews::Snapshot(p)) if p.last);
    world.clients[session].received.iter().any(is_last)
}

#[test]
fn the_largest_board_reaches_every_subscriber_in_two_seconds() {
    for round_trip in [0, 50, 100] {
        let mut world = World::with(full_board());
        let lookers: Vec<SessionId> =
            (0..5).map(|n| subscribe(&mut world, &format!("looker {n}"), Some(round_trip))).collect();
        let mut ms = 0;
        while !lookers.iter().all(|looker| has_whole(&world, looker)) {
            ms += 10;
            assert!(ms < 2_000, "{round_trip} ms away");
            world.pass(10);
        }
        world.pass(1_000);
        for looker in &lookers {
            let client = &world.clients[looker];
            assert!(client.most_kept < 640 * 1024, "{}", client.most_kept);
            let pieces: Vec<(bool, bool)> = (client.received.iter())
                .filter_map(|message| match message {
                    ServerMessage::Board(BoardNews::Snapshot(piece)) => Some((piece.first, piece.last)),
                    _ => None,
                })
                .collect();
            assert!(pieces.len() > 40, "{}", pieces.len());
            assert_eq!(pieces.iter().filter(|(first, _)| *first).count(), 1);
            assert_eq!(pieces.iter().position(|(_, last)| *last), Some(pieces.len() - 1));
            assert_eq!(screen(&world, looker), truth(&world));
        }
    }
}

#[test]
fn an_unacknowledged_snapshot_pauses_and_resumes() {
    let mut world = World::with(full_board());
    let slow = subscribe(&mut world, "slow", None);
    world.pass(60_000);
    assert!(world.clients.contains_key(&slow), "a large board ends no session");
    assert!(!has_whole(&world, &slow));
    assert!(world.clients[&slow].session.backlog().of(Cause::Board).bytes < 640 * 1024);
    while !has_whole(&world, &slow) {
        world.acknowledge_all(&slow);
    }
    world.acknowledge_all(&slow);
    assert_eq!(screen(&world, &slow), truth(&world));
}

#[test]
fn changes_during_a_snapshot_are_included() {
    let mut world = World::with(full_board());
    let looker = subscribe(&mut world, "looker", Some(100));
    let stuck = subscribe(&mut world, "stuck", None);
    let mut people: Vec<SessionId> = Vec::new();
    for n in 0..120_u64 {
        // At the front, in the middle and at the end of the pieces.
        let tables: Vec<(String, String)> =
            world.rooms.board().tables().map(|table| (table.id.clone(), table.host.clone())).collect();
        let (table, host) = tables[usize::try_from(n * 7_919).unwrap() % tables.len()].clone();
        let host = world.open(&host, Some(0));
        world.say(&host, ClientMessage::Board(BoardRequest::Delete { table }));
        let person = world.open(&format!("person {n}"), Some(0));
        let draft = Draft {
            topic: format!("table {n}"),
            place: String::new(),
            seats: 4,
            now: false,
            starts_ms: world.unix_ms + 5 * HOUR,
            minutes: 60,
            weekly: false,
            door: Door::Open,
        };
        world.say(&person, ClientMessage::Board(BoardRequest::Lay(draft)));
        people.push(person);
        if n % 3 == 0 {
            let gone = people.remove(0);
            world.rooms.quit(&gone);
            world.deliver();
        }
        world.rooms.quit(&host);
        world.deliver();
        world.pass(20);
    }
    world.pass(3_000);
    assert_eq!(screen(&world, &looker), truth(&world));
    assert!(world.clients[&stuck].session.backlog().of(Cause::Board).bytes < 640 * 1024);
    for _ in 0..20 {
        world.acknowledge_all(&stuck);
        world.pass(10);
    }
    assert_eq!(screen(&world, &stuck), truth(&world));
}

#[test]
fn repeated_subscriptions_cost_at_most_one_window() {
    let mut world = World::with(full_board());
    let greedy = world.open("greedy", None);
    for _ in 0..30 {
        let request = BoardRequest::Subscribe { room: None, invite: None };
        world.say(&greedy, ClientMessage::Board(request));
        world.pass(100);
    }
    assert!(world.clients[&greedy].most_kept < 700 * 1024, "{}", world.clients[&greedy].most_kept);
}

#[test]
fn deleting_as_a_guest_reveals_no_tables() {
    let mut world = World::with(full_board());
    let guest = SessionId("guest".into());
    let person = rooms::Person { key: "guest".into(), name: "Gus".into(), member: false, steward: false, device: None };
    world.rooms.open(world.now, guest.clone(), person).unwrap();
    for table in [format!("{:016}", 7), "0000000000000000000".into()] {
        let request = ClientMessage::Board(BoardRequest::Delete { table });
        world.rooms.message(world.now, NOW, &guest, 1, 100, request);
        let codes: Vec<ErrorCode> = std::iter::from_fn(|| world.rooms.poll_output())
            .filter_map(|output| match output {
                rooms::Output::Kept { message: ServerMessage::Error(error), .. } => Some(error.code),
                _ => None,
            })
            .collect();
        assert_eq!(codes, [ErrorCode::NotMember]);
    }
}
