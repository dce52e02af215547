//! The board over real sockets, and what remains after a restart.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use server::Config;
use signaling::board::{AboutMe, BoardNews, BoardRequest, Door, Draft, TableInfo};
use signaling::board_fold::{BoardFold, BoardState};
use signaling::message::{ClientMessage, ErrorCode, LeaveReason, MediaState, ServerMessage};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::client::{PATIENCE, Raw, join, key};
use crate::{config, start};

pub(crate) const SECRET: &str = "what we had on the first day";

pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("lunchroom-board-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

pub(crate) fn draft(topic: &str, starts_ms: u64) -> Draft {
    Draft {
        topic: topic.into(),
        place: String::new(),
        seats: 4,
        now: starts_ms == 0,
        starts_ms,
        minutes: 60,
        weekly: false,
        door: Door::Open,
    }
}

pub(crate) async fn member(addr: SocketAddr, seed: u8) -> Raw {
    let mut raw = Raw::connect(addr, seed).await;
    raw.hello_with(SECRET).await;
    raw.welcome().await;
    raw
}

/// The whole board as one client sees it.
pub(crate) async fn look(raw: &mut Raw) -> BoardState {
    let seq = raw.ask(BoardRequest::Subscribe { room: None, invite: None }).await;
    let mut fold = BoardFold::new(raw.key.public().to_string());
    loop {
        match raw.next().await {
            ServerMessage::Board(news) => {
                fold.handle(unix_ms(), &news);
                if matches!(news, BoardNews::You { .. }) {
                    return fold.state().expect("a board");
                }
            }
            ServerMessage::Error(error) if error.about == Some(seq) => panic!("{error:?}"),
            _ => {}
        }
    }
}

pub(crate) async fn table(raw: &mut Raw, topic: &str) -> TableInfo {
    loop {
        if let ServerMessage::Board(BoardNews::Patch(patch)) = raw.next().await
            && let Some(table) = patch.tables.into_iter().find(|table| table.topic == topic)
        {
            return table;
        }
    }
}

#[tokio::test]
async fn a_taken_seat_appears_on_every_open_board() {
    let server = start(config()).await;
    let (mut ada, mut ben) = (member(server.addr(), 1).await, member(server.addr(), 2).await);
    look(&mut ada).await;
    look(&mut ben).await;
    ada.asked(BoardRequest::Lay(draft("soup", unix_ms() + 3_600_000))).await.expect("laid");
    let laid = table(&mut ben, "soup").await;
    ben.asked(BoardRequest::Take { table: laid.id, wait: false }).await.expect("seated");
    assert_eq!(table(&mut ada, "soup").await.taken_count, 1);
    assert_eq!(table(&mut ada, "soup").await.taken_count, 2);
}

/// Everything that the server says it knows of somebody.
async fn about(raw: &mut Raw) -> AboutMe {
    let news = raw.asked(BoardRequest::AboutMe).await.expect("answered");
    let about = news.into_iter().find_map(|news| match news {
        BoardNews::AboutMe(about) => Some(*about),
        _ => None,
    });
    about.expect("before `done`")
}

#[tokio::test]
async fn people_see_what_the_server_knows_of_them_and_erase_it() {
    let folder = Folder::new("about");
    let server = start(Config { data_dir: Some(folder.0.clone()), ..config() }).await;
    let (mut ada, mut ben) = (member(server.addr(), 1).await, member(server.addr(), 2).await);
    look(&mut ben).await;
    ada.asked(BoardRequest::Lay(draft("soup", 0))).await.expect("laid");
    let laid = table(&mut ben, "soup").await;
    ben.asked(BoardRequest::Take { table: laid.id.clone(), wait: false }).await.expect("seated");
    ada.say(join(&laid.room)).await;
    while !matches!(ada.next().await, ServerMessage::Joined { .. }) {}
    let known = about(&mut ada).await;
    assert_eq!((known.key, known.sessions, known.tables.len()), (ada.key.public().to_string(), 1, 1));
    assert!(known.tables[0].host && known.tables[0].seat && known.tables[0].entered);
    assert_eq!(
        about(&mut ben).await.tables.iter().map(|one| (one.host, one.seat)).collect::<Vec<_>>(),
        [(false, true)]
    );

    let seq = ada.ask(BoardRequest::ForgetMe).await;
    let left = ServerMessage::Left { reason: LeaveReason::Left };
    while ada.next().await != left {} // the seat is among what is erased
    while !matches!(ada.next().await, ServerMessage::Board(BoardNews::Done { about }) if about == seq) {}
    let files = std::fs::read_dir(&folder.0).expect("a folder").map(|file| std::fs::read(file.expect("a file").path()));
    let (stays, gone) = (ben.key.public().to_string(), ada.key.public().to_string());
    let all: Vec<u8> = files.flat_map(|bytes| bytes.expect("readable")).collect();
    let holds = |key: &str| all.windows(key.len()).any(|window| window == key.as_bytes());
    assert!(holds(&stays) && !holds(&gone));
    assert!(about(&mut ada).await.tables.is_empty());
    assert!(about(&mut ben).await.tables[0].host, "the table goes on");
}

#[tokio::test]
async fn a_guest_learns_only_what_the_server_knows_of_them() {
    let server = start(Config { member_secret: Some(SECRET.into()), ..config() }).await;
    let mut ada = member(server.addr(), 1).await;
    let (room, invite) = invited(&mut ada).await;
    let mut gus = Raw::connect(server.addr(), 9).await;
    gus.hello_with("a guess").await;
    gus.welcome().await;
    assert!(about(&mut gus).await.tables.is_empty());
    let join = ClientMessage::Join { room, media: MediaState::default(), invite: Some(invite), nonce: None };
    gus.say(join).await;
    while !matches!(gus.next().await, ServerMessage::Joined { .. }) {}
    let known = about(&mut gus).await;
    assert_eq!((known.member, known.tables.len(), known.invites.len()), (false, 1, 1));
    assert!(known.tables[0].seat && !known.tables[0].host);
}

/// A room, and an invite to it by a member.
pub(crate) async fn invited(member: &mut Raw) -> (String, String) {
    look(member).await;
    member.asked(BoardRequest::Lay(draft("soup", 0))).await.expect("laid");
    let room = table(member, "soup").await.room;
    let news = member.asked(BoardRequest::Invite { room: room.clone(), uses: 1, hours: 1 }).await.expect("invited");
    let invite = news.into_iter().find_map(|news| match news {
        BoardNews::Invite { invite, .. } => Some(invite),
        _ => None,
    });
    (room, invite.expect("an invite"))
}

#[tokio::test]
async fn without_the_secret_a_person_is_a_guest_and_needs_an_invite() {
    let server = start(Config { member_secret: Some(SECRET.into()), ..config() }).await;
    let mut ada = member(server.addr(), 1).await;
    look(&mut ada).await;
    ada.asked(BoardRequest::Lay(draft("soup", 0))).await.expect("laid");
    let room = table(&mut ada, "soup").await.room;

    let mut gus = Raw::connect(server.addr(), 9).await;
    gus.hello_with("a guess").await;
    assert!(!gus.welcome().await.member);
    let everything = BoardRequest::Subscribe { room: None, invite: None };
    assert_eq!(gus.asked(everything).await, Err(ErrorCode::NotMember));
    assert_eq!(gus.asked(BoardRequest::Lay(draft("x", 0))).await, Err(ErrorCode::NotMember));
    for name in [room.as_str(), "soup", "t-0123456789abcdef"] {
        gus.say(join(name)).await;
        assert!(
            matches!(gus.receive().await, ServerMessage::Error(error) if error.code == ErrorCode::NotMember),
            "{name}"
        );
    }

    let news = ada.asked(BoardRequest::Invite { room: room.clone(), uses: 1, hours: 1 }).await.expect("invited");
    let invite = news.into_iter().find_map(|news| match news {
        BoardNews::Invite { invite, .. } => Some(invite),
        _ => None,
    });
    gus.say(ClientMessage::Join { room, media: MediaState::default(), invite, nonce: None }).await;
    assert!(matches!(gus.receive().await, ServerMessage::Joined { .. }));
}

#[tokio::test]
async fn a_client_without_a_subscription_receives_no_board() {
    let server = start(config()).await;
    let (mut old, _) = Raw::joined(server.addr(), 7, "soup").await;
    let mut ada = member(server.addr(), 1).await;
    look(&mut ada).await;
    ada.asked(BoardRequest::Lay(draft("soup", 0))).await.expect("laid");
    old.say(ClientMessage::Chat { text: "hi".into() }).await;
    assert!(matches!(old.receive().await, ServerMessage::Chat { .. }));
}

#[tokio::test]
async fn invites_and_tables_survive_a_planned_restart() {
    let folder = Folder::new("planned");
    let kept = || Config { data_dir: Some(folder.0.clone()), member_secret: Some(SECRET.into()), ..config() };
    let server = start(kept()).await;
    let mut ada = member(server.addr(), 1).await;
    look(&mut ada).await;
    ada.asked(BoardRequest::Lay(draft("soup", 0))).await.expect("laid");
    let room = table(&mut ada, "soup").await.room;
    let news = ada.asked(BoardRequest::Invite { room: room.clone(), uses: 1, hours: 1 }).await.expect("invited");
    let invite = news.into_iter().find_map(|news| match news {
        BoardNews::Invite { invite, .. } => Some(invite),
        _ => None,
    });
    let occupied = Config { listen: ([127, 0, 0, 1], 0).into(), ..kept() };
    let second = server::Server::start(occupied).await.err().expect("one server a board");
    assert_eq!(second.code(), "server_store");
    server.stop().await;

    let server = start(kept()).await;
    let mut gus = Raw::connect(server.addr(), 9).await;
    gus.hello().await;
    gus.welcome().await;
    gus.say(ClientMessage::Join { room, media: MediaState::default(), invite, nonce: None }).await;
    assert!(matches!(gus.receive().await, ServerMessage::Joined { .. }));
    let state = look(&mut member(server.addr(), 1).await).await;
    assert_eq!((state.tables.len(), state.tables[0].info.taken_count, state.tables[0].info.in_call), (1, 2, 1));
}

#[tokio::test]
async fn a_backup_restored_elsewhere_has_every_seat() {
    let (here, there) = (Folder::new("backup"), Folder::new("restored"));
    let of =
        |folder: &Folder| Config { data_dir: Some(folder.0.clone()), member_secret: Some(SECRET.into()), ..config() };
    let server = start(of(&here)).await;
    let mut ada = member(server.addr(), 1).await;
    look(&mut ada).await;
    let starts_ms = unix_ms() + 3_600_000;
    for (topic, day, weekly) in [("soup", 0, false), ("bread", 1, true)] {
        let draft = draft(topic, starts_ms + day * 86_400_000);
        ada.asked(BoardRequest::Lay(Draft { weekly, ..draft })).await.expect("laid");
        let id = table(&mut ada, topic).await.id;
        for seed in 2..5 {
            let mut other = member(server.addr(), seed).await;
            other.asked(BoardRequest::Take { table: id.clone(), wait: false }).await.expect("taken");
        }
    }
    let tables = |state: &BoardState| {
        let mut tables: Vec<_> = state.tables.iter().map(|table| table.info.clone()).collect();
        tables.sort_by(|a, b| a.id.cmp(&b.id));
        tables
    };
    let before = tables(&look(&mut member(server.addr(), 1).await).await);
    assert_eq!(before.iter().map(|table| table.taken_count).collect::<Vec<_>>(), [4, 4]);
    server.stop().await;

    // What docs/hosting.md says: the whole folder, while the server is stopped.
    std::fs::create_dir_all(&there.0).expect("a folder");
    for file in std::fs::read_dir(&here.0).expect("a folder") {
        let file = file.expect("an entry");
        std::fs::copy(file.path(), there.0.join(file.file_name())).expect("copied");
    }
    let server = start(of(&there)).await;
    assert_eq!(tables(&look(&mut member(server.addr(), 1).await).await), before);
}

#[tokio::test]
async fn every_acknowledged_seat_survives_a_killed_server() {
    const PEOPLE: u8 = 10;
    let folder = Folder::new("killed");
    let (mut child, addr) = program(&folder, "127.0.0.1:0").await;
    let starts_ms = unix_ms() + 3_600_000;
    let mut people = Vec::new();
    for seed in 1..=PEOPLE {
        people.push(member(addr, seed).await);
    }
    look(&mut people[0]).await;
    people[0].asked(BoardRequest::Lay(Draft { seats: 12, ..draft("big", starts_ms) })).await.expect("laid");
    let big = table(&mut people[0], "big").await.id;

    let mut watcher = member(addr, 100).await;
    look(&mut watcher).await;
    // A burst: everybody takes a seat and creates tables for later days, as fast as the server answers.
    let bursts = people.into_iter().enumerate().map(|(index, mut person)| {
        let big = big.clone();
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            let _ = person.ask(BoardRequest::Take { table: big, wait: false }).await;
            for day in 1..15u64 {
                let draft = draft(&format!("{index}/{day}"), starts_ms + day * 86_400_000);
                person.say(ClientMessage::Board(BoardRequest::Lay(draft))).await;
            }
            // The socket fails when the server is killed.
            let end = person.end().await;
            for message in end.messages {
                if let ServerMessage::Board(BoardNews::Done { about }) = message {
                    acknowledged.push(about);
                }
            }
            (person.key.public().to_string(), index, acknowledged)
        })
    });
    let bursts: Vec<_> = bursts.collect();
    // The server is killed in the middle, as soon as a board shows the first new table.
    let mut seen = 0;
    while seen < 1 {
        if let ServerMessage::Board(BoardNews::Patch(patch)) = watcher.next().await {
            seen += patch.tables.len();
        }
    }
    child.start_kill().expect("killed"); // SIGKILL
    child.wait().await.expect("dead");
    let mut expected = Vec::new();
    for burst in bursts {
        expected.push(timeout(PATIENCE, burst).await.expect("in time").expect("no panic"));
    }

    let (_child, addr) = program(&folder, &addr.to_string()).await;
    let state = look(&mut member(addr, 1).await).await;
    let topics: Vec<&str> = state.tables.iter().map(|table| table.info.topic.as_str()).collect();
    let mut seats = 0;
    for (key, index, acknowledged) in expected {
        // The first number (for the host of the table, the third) is the answer to taking the seat. The later ones are
        // for the days.
        let first = if index == 0 { 3 } else { 1 };
        for about in acknowledged.into_iter().filter(|about| *about >= first) {
            seats += 1;
            if about == first {
                assert!(
                    state.tables.iter().any(|t| t.info.id == big && t.info.taken.iter().any(|s| s.id == key)),
                    "{index}"
                );
            } else {
                let day = about - first;
                assert!(topics.contains(&format!("{index}/{day}").as_str()), "{index}/{day} was acknowledged");
            }
        }
    }
    println!("{seats} seats were acknowledged before the kill");
    assert!(seats >= 1, "too few to prove anything: {seats}");
    assert_eq!(key(1).public().to_string(), state.tables[0].info.host);
}

/// Starts the real program. Returns it and its address.
async fn program(folder: &Folder, listen: &str) -> (Child, SocketAddr) {
    for _ in 0..50 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lunchroom-server"))
            .args(["--listen", listen, "--no-turn"])
            .env("LUNCHROOM_DATA_DIR", &folder.0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let first = timeout(PATIENCE, lines.next_line()).await.expect("in time").expect("a line");
        if let Some(addr) = first.as_deref().and_then(|line| line.strip_prefix("listening on ws://")) {
            return (child, addr.parse().expect("an address"));
        }
        // The socket of the killed server may hold the port for a moment.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server does not start");
}
