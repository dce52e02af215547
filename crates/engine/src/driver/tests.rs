//! What the driver publishes, what each view shares with the previous one, and what an event costs.

use super::*;
use crate::config::{DeviceChoice, JoinRequest, ServerAddress};
use crate::video_out::VideoLimits;
use call::Stage;
use codecs::ApmConfig;
use media::encoded::VideoCodec;
use signaling::avatar::Avatar;
use signaling::board::{BoardNews, Door, Patch, PersonInfo, Presence, Sitter, Snapshot, TableInfo};
use signaling::identity::DeviceKey;
use signaling::message::{Participant, ParticipantId, ServerMessage};
use signaling::statement::Signer;
use std::time::Duration;

/// The number of tables on the board.
const TABLES: usize = 1_000;
/// Lines of chat before the tests begin.
const LINES: usize = 500;

/// A driver without its loop.
struct Rig {
    driver: Driver,
    view: watch::Receiver<AppView>,
    _inbox: Inbox,
}

impl Rig {
    /// In a call with two others, with a full board of the kept session and a full chat.
    fn in_call() -> Self {
        let (driver, inbox, view) = Driver::new(config(), mpsc::channel(1).1).unwrap();
        let mut rig = Self { driver, view, _inbox: inbox };
        let server = ServerAddress { url: "ws://127.0.0.1:9".parse().unwrap(), fingerprint: None };
        rig.command(Command::Connect { server: server.clone(), name: "Ada".into() });
        let tables = (0..TABLES).map(table).collect();
        let people = (0..TABLES).map(person).collect();
        rig.message(ServerMessage::Board(BoardNews::Snapshot(whole(tables, people))));
        let (room, media) = ("soup".to_owned(), MediaState::default());
        rig.command(Command::Join(JoinRequest { server, room, invite: None, name: "Ada".into(), media }));
        let participants = vec![participant("ben"), participant("cem")];
        rig.message(ServerMessage::Joined { room: "soup".into(), you: id("ada"), participants });
        (0..LINES).for_each(|n| rig.chat(n));
        let shown = rig.view();
        assert_eq!((&shown.call.stage, shown.chat.len()), (&Stage::Joined, LINES));
        assert_eq!(shown.board.as_ref().map(|board| board.tables.len()), Some(TABLES));
        rig
    }

    fn command(&mut self, command: Command) {
        self.driver.handle_command(Instant::now(), command);
        self.driver.settle(Instant::now());
    }

    fn message(&mut self, message: ServerMessage) {
        self.driver.handle_signal(Instant::now(), Signal::Message(message));
        self.driver.settle(Instant::now());
    }

    fn chat(&mut self, n: usize) {
        self.message(ServerMessage::Chat { from: id("ben"), text: format!("line {n}"), at: n as u64 });
    }

    fn patch(&mut self, n: usize) {
        let tables = vec![TableInfo { topic: format!("Other {n}"), ..table(n % TABLES) }];
        let patch = Patch { now_ms: 2 + n as u64, tables, ..Patch::default() };
        self.message(ServerMessage::Board(BoardNews::Patch(patch)));
    }

    /// Returns the newest view and marks it as seen.
    fn view(&mut self) -> AppView {
        self.view.borrow_and_update().clone()
    }
}

fn config() -> EngineConfig {
    EngineConfig {
        client: "tests".into(),
        key: DeviceKey::from_secret(&[7; 32]),
        codecs: vec![VideoCodec::Vp8],
        video: VideoLimits::default(),
        processing: ApmConfig::default(),
        ice_servers: None,
        relay_only: false,
        include_loopback: true,
        meets: Some("nobody".into()),
        microphone: ::devices::MicrophoneOptions::default(),
        devices: DeviceChoice { speaker: Some("off".into()), ..DeviceChoice::default() },
        audio_tap: None,
    }
}

fn id(text: &str) -> ParticipantId {
    ParticipantId(text.into())
}

fn participant(name: &str) -> Participant {
    let stay = Signer::new(DeviceKey::from_secret(&[8; 32]), [8; 32]).stay();
    let (key, nonce) = (stay.key.to_string(), Some(stay.nonce_text()));
    Participant {
        id: id(name),
        name: name.into(),
        key,
        nonce,
        media: MediaState::default(),
        hand: None,
        avatar: Avatar::default(),
    }
}

fn person(n: usize) -> PersonInfo {
    PersonInfo {
        id: format!("person {n}"),
        name: format!("Person {n}"),
        presence: Presence::Free,
        avatar: Avatar::default(),
    }
}

fn table(n: usize) -> TableInfo {
    let taken = (0..4).map(|seat| Sitter::new(&format!("person {}", n + seat), &format!("Person {}", n + seat)));
    TableInfo {
        id: format!("table {n}"),
        room: format!("t-{n}"),
        topic: format!("Soup {n}"),
        place: "by the window".into(),
        seats: 4,
        starts_ms: 1_000 * n as u64,
        ends_ms: 1_000 * n as u64 + 3_600_000,
        now: false,
        weekly: false,
        host: format!("person {n}"),
        door: Door::Open,
        locked: false,
        taken: taken.collect(),
        taken_count: 4,
        waiting: vec![],
        waiting_count: 0,
        in_call: 0,
        sequence: 0,
    }
}

fn whole(tables: Vec<TableInfo>, people: Vec<PersonInfo>) -> Snapshot {
    let (first, last, now_ms, zone, member) = (true, true, 1, "Asia/Seoul".to_owned(), true);
    Snapshot { first, last, now_ms, zone, member, tables, rounds: vec![], people, free_count: 0, hungry_count: 0 }
}

fn same_board(a: &AppView, b: &AppView) -> bool {
    a.board.as_ref().zip(b.board.as_ref()).is_some_and(|(a, b)| Arc::ptr_eq(a, b))
}

#[tokio::test]
async fn an_event_without_effect_publishes_nothing() {
    let mut rig = Rig::in_call();
    let before = rig.view();
    rig.driver.settle(Instant::now());
    rig.driver.settle(Instant::now() + Duration::from_millis(100));
    rig.message(ServerMessage::Media { from: id("nobody"), media: MediaState::default() });
    rig.message(ServerMessage::Media { from: id("ben"), media: MediaState::default() });
    let tiles = vec![];
    rig.driver.handle_request(Instant::now(), Request::Tiles(1, Some(tiles)));
    rig.driver.settle(Instant::now());
    assert!(!rig.view.has_changed().unwrap());
    let after = rig.view();
    assert!(Arc::ptr_eq(&before.call, &after.call) && same_board(&before, &after));
}

#[tokio::test]
async fn a_chat_line_shares_the_board_and_earlier_lines() {
    let mut rig = Rig::in_call();
    let before = rig.view();
    rig.chat(LINES);
    assert!(rig.view.has_changed().unwrap());
    let after = rig.view();
    assert!(same_board(&before, &after));
    assert!(Arc::ptr_eq(&before.devices, &after.devices) && Arc::ptr_eq(&before.reminders, &after.reminders));
    assert!(Arc::ptr_eq(&before.call, &after.call));
    let (old, new) = (&before.chat, &after.chat);
    assert!(old[1..].iter().zip(new.iter()).all(|(old, new)| Arc::ptr_eq(old, new)), "the first has gone");
    assert_eq!(new.last().map(|line| line.text.clone()), Some(format!("line {LINES}")));
}

#[tokio::test]
async fn a_patch_shares_the_call_and_all_other_tables() {
    let mut rig = Rig::in_call();
    let before = rig.view();
    rig.patch(3);
    let after = rig.view();
    assert!(Arc::ptr_eq(&before.call, &after.call) && !same_board(&before, &after));
    let tables = |view: &AppView| view.board.as_ref().map(|board| board.tables.clone()).unwrap_or_default();
    let (old, new) = (tables(&before), tables(&after));
    let other: Vec<usize> = (0..TABLES).filter(|n| !Arc::ptr_eq(&old[*n], &new[*n])).collect();
    assert_eq!((other, new[3].info.topic.as_str()), (vec![3], "Other 3"));
}

/// Prints what one event costs the driver, in µs (docs/benchmarks.md). It asserts nothing, so it is built only on
/// request: `cargo test -p engine --features measure --lib cost_of_events -- --nocapture`.
#[cfg(feature = "measure")]
#[tokio::test]
async fn cost_of_events() {
    let mut rig = Rig::in_call();
    let quiet = each(&mut rig, |rig, _| rig.driver.settle(Instant::now()));
    let chat = each(&mut rig, Rig::chat);
    let patch = each(&mut rig, Rig::patch);
    println!(
        "{TABLES} tables, {LINES} lines; µs an event: nothing new {quiet:.1}, a line {chat:.1}, a patch {patch:.1}"
    );
}

#[cfg(feature = "measure")]
fn each(rig: &mut Rig, event: impl Fn(&mut Rig, usize)) -> f64 {
    const EVENTS: usize = 500;
    let start = Instant::now();
    (0..EVENTS).for_each(|n| event(rig, n));
    start.elapsed().as_secs_f64() * 1e6 / EVENTS as f64
}
