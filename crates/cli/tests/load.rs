//! `lunchroom-cli load` against a real server.

use serde_json::Value;
use server::{Config, Server, Turn};
use tokio::process::Command;

/// Runs the program with these arguments. Returns its figures.
async fn load(server: &Server, arguments: &str) -> Value {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lunchroom-cli"));
    program.args(["load", "--server", &server.url(), "--rate", "200", "--seconds", "1"]);
    let output = program.args(arguments.split_whitespace()).kill_on_drop(true).output().await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

async fn server() -> Server {
    let listen = "127.0.0.1:0".parse().expect("an address");
    let config = Config { listen, turn: Turn::Off, member_secret: Some("soup".into()), ..Config::default() };
    Server::start(config).await.expect("a server")
}

#[tokio::test]
async fn members_open_sessions_and_join_rooms() {
    let figures = load(&server().await, "--secret soup --sessions 100 --rooms 10").await;
    assert_eq!(figures["opening"]["opened"], 100, "{figures}");
    assert_eq!(figures["joining"]["joined"], 100, "{figures}");
    assert_eq!(figures["broken"], 0, "{figures}");
    for phase in ["opening", "idle", "joining"] {
        let messages = &figures[phase]["message_ms"];
        assert!(messages["received"].as_u64().is_some_and(|count| count > 0), "{figures}");
        assert!(messages["p99"].as_f64() >= messages["p50"].as_f64(), "{figures}");
    }
}

#[tokio::test]
async fn refusals_are_counted_by_reason() {
    let figures = load(&server().await, "--secret soup --sessions 30 --rooms 2").await;
    assert_eq!(figures["opening"]["opened"], 30, "{figures}");
    assert_eq!(figures["joining"]["joined"], 24, "{figures}");
    assert_eq!(figures["joining"]["not_joined"]["room_full"], 6, "{figures}");
}

#[tokio::test]
async fn a_server_that_admits_nobody_is_an_error() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lunchroom-cli"));
    let server = server().await;
    program.args(["load", "--server", &server.url(), "--sessions", "1"]);
    let output = program.kill_on_drop(true).output().await.expect("it runs");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && words.contains("the server refuses a join"), "{words}");
}
