//! Drives every memory bound of the program to its limit.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::SinkExt as _;
use rooms::board::MAX_TABLES;
use signaling::board::{BoardRequest, Door, Draft};
use signaling::message::{ClientMessage, ErrorCode, ParticipantId, ServerMessage};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::client::{PATIENCE, Raw};

/// The most memory for [`SESSIONS`] sessions according to `server::memory`, in MiB.
const CEILING_MIB: usize = 544;
const SESSIONS: usize = 400;
const ROOMS: usize = 8;
/// People in each room who read nothing, and people who send to them.
const DEAF: usize = 6;
const TALKERS: usize = 6;
const UNFINISHED: usize = 120;

/// Starts the program. Returns it and its address.
async fn program() -> (Child, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lunchroom-server"))
        .args(["--listen", "127.0.0.1:0", "--no-turn", "--max-sessions", &SESSIONS.to_string()])
        .args([
            "--data-dir",
            &std::env::temp_dir().join(format!("lunchroom-memory-{}", std::process::id())).to_string_lossy(),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let first = timeout(PATIENCE, lines.next_line()).await.expect("in time").expect("a line").expect("a line");
    let addr = first.strip_prefix("listening on ws://").expect("the address").parse().expect("an address");
    // Read the rest of its output, so that it never blocks.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, addr)
}

/// Peak memory of a process in MiB, where the system reports it.
fn most_mib(child: &Child) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<usize>().ok()? / 1024)
}

/// The seed of one of many people.
fn seed(n: usize) -> [u8; 4] {
    u32::try_from(n).expect("few").to_be_bytes()
}

/// Joins a room with people who read nothing. Returns their ids and their connections.
async fn deaf(addr: SocketAddr, n: usize) -> (Vec<ParticipantId>, Vec<Raw>) {
    let (mut ids, mut deaf) = (Vec::new(), Vec::new());
    for m in 0..DEAF {
        let (mut raw, id) = Raw::joined_with(addr, &seed(1_000 + 100 * n + m), &format!("deaf-{n}")).await;
        raw.ask(BoardRequest::Subscribe { room: None, invite: None }).await;
        deaf.push(raw);
        ids.push(id);
    }
    (ids, deaf)
}

/// Sends as much as allowed, and more, to people who read nothing.
async fn talk(raw: &mut Raw, deaf: &[ParticipantId]) {
    for to in deaf.iter().cycle().take(6 * DEAF) {
        raw.say(ClientMessage::Offer { to: to.clone(), sdp: "x".repeat(48_000), signature: None }).await;
    }
    for _ in 0..6 {
        raw.say(ClientMessage::Chat { text: "\u{1F35C}".repeat(4_000) }).await;
    }
}

/// Sends a long frame that is never completed.
async fn unfinished(addr: SocketAddr, n: usize) -> Raw {
    let (mut raw, _) = Raw::joined_with(addr, &seed(5_000 + n), &format!("unfinished-{}", n / 12)).await;
    raw.socket.flush().await.expect("sent");
    let stream: &mut TcpStream = raw.socket.get_mut();
    let mut bytes = vec![0x81, 0x80 | 126];
    bytes.extend(65_000_u16.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend([b'x'; 64_000]);
    // Without a free slot the server does not read; the rest waits in the socket.
    let _ = timeout(Duration::from_millis(10), stream.write_all(&bytes)).await;
    raw
}

/// Creates tables with the longest texts until one is refused. Returns their number.
async fn lay(raw: &mut Raw) -> usize {
    let mut starts_ms =
        SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64 + 3_600_000;
    let draft = |starts_ms| Draft {
        topic: "\u{1F35C}".repeat(80),
        place: "\u{1F35C}".repeat(120),
        seats: 12,
        now: false,
        starts_ms,
        minutes: 60,
        weekly: false,
        door: Door::Open,
    };
    let mut laid = 0;
    while raw.asked(BoardRequest::Lay(draft(starts_ms))).await.is_ok() {
        starts_ms += 3_600_000;
        laid += 1;
    }
    laid
}

#[tokio::test]
async fn the_process_stays_below_the_memory_ceiling() {
    let (child, addr) = program().await;
    if most_mib(&child).is_none() {
        eprintln!("SKIPPED: this system does not report a process's memory");
        return;
    }
    let mut kept = Vec::new();
    for n in 0..UNFINISHED {
        kept.push(unfinished(addr, n).await);
    }
    for n in 0..ROOMS {
        let (ids, deaf) = deaf(addr, n).await;
        kept.extend(deaf);
        for m in 0..TALKERS {
            let who = seed(1_050 + 100 * n + m);
            let (mut raw, _) = Raw::joined_with(addr, &who, &format!("deaf-{n}")).await;
            talk(&mut raw, &ids).await;
            kept.push(raw);
        }
    }
    // The rest of the sessions fill the rest of the board, until no more are accepted.
    let mut tables = 0;
    let full = loop {
        let mut raw = Raw::connect_with(addr, &seed(10_000 + kept.len())).await;
        raw.hello().await;
        match raw.next().await {
            ServerMessage::Welcome(_) => {
                if tables < MAX_TABLES {
                    tables += lay(&mut raw).await;
                }
                kept.push(raw);
            }
            ServerMessage::Bye { code, .. } => break code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(full, ErrorCode::ServerFull);
    assert_eq!(tables, MAX_TABLES);
    let mib = most_mib(&child).expect("known before");
    eprintln!("{mib} MiB of {CEILING_MIB}");
    assert!((40..CEILING_MIB).contains(&mib), "{mib} MiB");
}
