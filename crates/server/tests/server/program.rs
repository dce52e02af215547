//! The program itself: its output, and why it refuses to start.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::{TcpListener, UdpSocket};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::client::{PATIENCE, Raw};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("lunchroom-program-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn program(folder: &Folder, flags: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_lunchroom-server"))
        .args(["--listen", "127.0.0.1:0", "--turn-listen", "127.0.0.1:0"])
        .args(flags)
        .env("LUNCHROOM_DATA_DIR", &folder.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("runs")
}

async fn fails(flags: &[&str]) -> String {
    let folder = Folder::new(&format!("fails{}", flags.join("").replace(['/', ':'], "")));
    let mut child = program(&folder, flags);
    let mut text = String::new();
    let mut errors = child.stderr.take().expect("piped");
    timeout(PATIENCE, errors.read_to_string(&mut text)).await.expect("in time").expect("text");
    assert!(!child.wait().await.expect("ends").success());
    text
}

#[tokio::test]
async fn the_program_prints_its_address_and_stops_on_a_signal() {
    let folder = Folder::new("listens");
    let mut child = program(&folder, &["--tls-self-signed=false"]);
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let first = timeout(PATIENCE, lines.next_line()).await.expect("in time").expect("a line").expect("a line");
    let addr = first.strip_prefix("listening on ws://").expect("the address").parse().expect("an address");
    let (mut raw, _) = Raw::joined(addr, 1, "soup").await;
    assert!(folder.0.join("turn-secret").exists());
    let pid = child.id().expect("runs").to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill runs").success());
    assert_eq!(raw.end().await.code, Some(1001));
    let status = timeout(PATIENCE, child.wait()).await.expect("in time").expect("ends");
    assert!(status.success());
    let mut log = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut log).await.expect("text");
    assert!(log.contains("stopping"));
    assert!(!log.contains(&raw_peer(&log)), "{log}");
}

/// A client's address as it would appear in a log: loopback with a port other than the server's.
fn raw_peer(log: &str) -> String {
    let client_lines: String = log.lines().filter(|line| !line.contains("serving")).collect();
    if client_lines.contains("127.0.0.1:") { "127.0.0.1:".into() } else { "no address".into() }
}

#[tokio::test]
async fn a_port_in_use_is_reported_with_a_remedy() {
    let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = tcp.local_addr().expect("an address").to_string();
    let text = fails_with_env(&[("LUNCHROOM_LISTEN", &addr)]).await;
    assert!(text.contains(&addr) && text.contains("--listen") && text.contains("another program"), "{text}");
    let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let addr = udp.local_addr().expect("an address").to_string();
    let text = fails_with_env(&[("LUNCHROOM_LISTEN", "127.0.0.1:0"), ("LUNCHROOM_TURN_LISTEN", &addr)]).await;
    assert!(text.contains(&addr) && text.contains("--turn-listen") && text.contains("--no-turn"), "{text}");
}

async fn fails_with_env(variables: &[(&str, &str)]) -> String {
    let folder = Folder::new(&variables.len().to_string());
    let output = Command::new(env!("CARGO_BIN_EXE_lunchroom-server"))
        .env("LUNCHROOM_DATA_DIR", &folder.0)
        .envs(variables.iter().copied())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, output).await.expect("in time").expect("runs");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn an_invalid_settings_line_is_named() {
    let folder = Folder::new("settings");
    let file = folder.0.join("lunchroom-server.toml");
    std::fs::write(&file, "max-rooms = 5\nmax-roms = 6\n").expect("written");
    let text = fails(&["--config", file.to_str().expect("text")]).await;
    assert!(text.contains("line 2") && text.contains("max-roms") && text.contains("max-rooms?"), "{text}");
    let text = fails(&["--config", "/nowhere/at/all.toml"]).await;
    assert!(text.contains("/nowhere/at/all.toml"), "{text}");
}

#[tokio::test]
async fn invalid_settings_are_refused_with_a_message() {
    for (flags, word) in [
        (&["--tls-key", "x"][..], "tls-certificate"),
        (&["--max-participants", "1"], "at least 2"),
        (&["--public-url", "https://x"], "wss://"),
        (&["--turn-ports", "9-1"], "49152-65535"),
        (&["--turn-external-address", "0.0.0.0"], "turn-external-address"),
    ] {
        let text = fails(flags).await;
        assert!(text.contains(word), "{flags:?}: {text}");
    }
}

#[tokio::test]
async fn a_self_signed_fingerprint_is_printed() {
    let folder = Folder::new("fingerprint");
    let mut fingerprints = Vec::new();
    for _ in 0..2 {
        let mut child = program(&folder, &["--tls-self-signed"]);
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let first = timeout(PATIENCE, lines.next_line()).await.expect("in time").expect("a line").expect("a line");
        assert!(first.starts_with("listening on wss://127.0.0.1:"), "{first}");
        let second = timeout(PATIENCE, lines.next_line()).await.expect("in time").expect("a line").expect("a line");
        fingerprints.push(second.strip_prefix("fingerprint ").expect("the fingerprint").to_owned());
    }
    assert_eq!(fingerprints[0], fingerprints[1]);
    assert_eq!(fingerprints[0].len(), 43);
}
