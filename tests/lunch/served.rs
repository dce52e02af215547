//! The server in a separate process that can be killed.

use engine::ServerAddress;
use server::{Config, Server, Turn};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use whole_system::people::zone_at_noon;
use whole_system::scratch::Scratch;

/// Tells this program to run as the server: `ADDRESS FOLDER SECRET`, one per line.
const SERVE: &str = "LUNCHROOM_TEST_SERVE";
/// Prefix of the line that the server prints when it listens.
const READY: &str = "listening on ";

/// Starts the server. The socket of the killed one may hold the port for a moment.
pub(crate) async fn start(test: &str, listen: &str, folder: &Scratch, secret: &str) -> (Child, ServerAddress) {
    for _ in 0..100 {
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", test, "--nocapture"])
            .env(SERVE, format!("{listen}\n{}\n{secret}", folder.join("board").display()))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        while let Some(line) = lines.next_line().await.expect("text") {
            if let Some(url) = line.strip_prefix(READY) {
                let address: SocketAddr = url.trim_start_matches("ws://").parse().expect("an address");
                let url = format!("ws://{address}").parse().expect("a URL");
                // After a minute the test harness says that this takes long. It ends if nobody reads that.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return (process, ServerAddress { url, fingerprint: None });
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{listen} is taken");
}

/// Whether this process is the server. If so, serves until it is killed or fails.
pub(crate) fn instead() -> bool {
    let Ok(given) = std::env::var(SERVE) else { return false };
    let [listen, folder, secret] = given.lines().collect::<Vec<_>>()[..] else { panic!("{SERVE}: {given}") };
    let config = Config {
        listen: listen.parse().expect("an address"),
        data_dir: Some(folder.into()),
        member_secret: Some(secret.into()),
        zone: zone_at_noon(),
        turn: Turn::Off,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        match Server::start(config).await {
            Ok(server) => {
                println!("\n{READY}{}", server.url());
                std::future::pending::<()>().await;
            }
            Err(error) => println!("{error}"),
        }
    });
    true
}
