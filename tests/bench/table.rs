//! Six people at one table, each behind an access line of their own: `table-bench CLIENT SERVER MEDIA SIZE SECONDS`.
//! `cargo xtask bench table` starts this program and reads its lines of JSON.
//!
//! It prints every line of a client as `{"from": NAME, "line": …}`, the clients' processes, and the beginning and the end
//! of each situation.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use testkit::net::{Loss, Path};
use whole_system::access_line::{AccessLine, Paths};
use whole_system::desktop::Ended;
use whole_system::network::Network;

const NAMES: [&str; 6] = ["ann", "ben", "cem", "dan", "eve", "fay"];
/// Those whose lines are worse in some situations.
const NARROW: usize = 0;
const LOSSY: usize = 1;
/// The longest wait for a client's devices, and for everybody's pictures.
const PATIENCE: Duration = Duration::from_secs(60);
/// Not measured: the time after a change of the lines.
const SETTLING: Duration = Duration::from_secs(15);
/// The time between two people who sit down.
const BETWEEN_SEATS: Duration = Duration::from_secs(3);
const ONE_WAY: Duration = Duration::from_millis(10);
/// As deep as the queue of a usual access line.
const QUEUE: Duration = Duration::from_millis(200);

/// A table in a certain network.
struct Situation {
    name: &'static str,
    lines: fn(usize) -> Paths,
}

const SITUATIONS: [Situation; 3] = [
    Situation { name: "good lines", lines: |_| good() },
    Situation {
        name: "500 kbit/s, 5 % loss",
        lines: |n| match n {
            NARROW => Paths { up: rate(500_000), down: rate(500_000) },
            LOSSY => Paths { up: lossy(rate(UP)), down: lossy(rate(DOWN)) },
            _ => good(),
        },
    },
    Situation {
        name: "2 Mbit/s up",
        lines: |n| match n {
            NARROW => Paths { up: rate(2_000_000), down: rate(DOWN) },
            _ => good(),
        },
    },
];

/// Rates of a good line, in bit/s.
const UP: u64 = 10_000_000;
const DOWN: u64 = 30_000_000;

fn good() -> Paths {
    Paths { up: rate(UP), down: rate(DOWN) }
}

fn rate(rate: u64) -> Path {
    Path { delay: ONE_WAY, rate: Some(rate), queue: QUEUE, ..Path::default() }
}

fn lossy(path: Path) -> Path {
    Path { loss: Loss::Random(0.05), ..path }
}

struct Client {
    process: Ended,
    input: ChildStdin,
    line: AccessLine,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [client, server, media, size, seconds] = arguments.as_slice() else { panic!("five arguments") };
    assert!(Network::available(), "see above");
    let internet = Network::new();
    internet.ip("address add 10.99.0.1/32 dev lo");
    internet.inside(forward);
    let mut command = Command::new(server);
    command.args([
        "--listen",
        "10.99.0.1:7077",
        "--turn-listen",
        "10.99.0.1:3478",
        "--turn-allow-lan",
        "--log",
        "warn",
    ]);
    command.arg("--data-dir").arg(std::env::temp_dir().join(format!("table-bench-{}", std::process::id())));
    let mut server = Ended(internet.spawn(command.stdout(Stdio::piped())));
    // Kept open to the end, because the server may print more.
    let mut output = BufReader::new(server.0.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    output.find(|line| line.contains("listening")).expect("the server starts");
    let (lines, reported) = channel();
    let mut clients: Vec<Client> =
        (0..NAMES.len()).map(|n| start(n, [client, media, size], &internet, &lines)).collect();
    wait_for(&reported, &["ready"; NAMES.len()]);
    for (others, client) in clients.iter_mut().enumerate() {
        sit_down(client, NAMES[others], others, &reported);
        follow(&reported, BETWEEN_SEATS);
    }
    let seconds = Duration::from_secs(seconds.parse().expect("seconds"));
    for Situation { name, lines } in SITUATIONS {
        clients.iter().enumerate().for_each(|(n, client)| client.line.change(lines(n)));
        follow(&reported, SETTLING);
        clients.iter().for_each(|client| drop(client.line.report()));
        mark(name, "start", &clients);
        follow(&reported, seconds);
        mark(name, "end", &clients);
    }
    // The reader of the last mark still asks for the processes' usage.
    std::thread::sleep(Duration::from_secs(2));
    for client in &mut clients {
        let _ = writeln!(client.input, "quit"); // it may have ended
    }
}

/// Forwards packets between the lines. The settings of a network are those of the thread that reads them.
fn forward() {
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("forwarding");
}

fn start(n: usize, [program, media, size]: [&String; 3], internet: &Network, lines: &Sender<Value>) -> Client {
    let home = Network::new();
    let (own, far) = (format!("10.98.{n}.2/24"), format!("10.98.{n}.1/24"));
    let line = AccessLine::new((&home, "line", &own), (internet, &format!("line{n}"), &far), good(), n as u64 + 1);
    home.ip(&format!("route add default via 10.98.{n}.1"));
    let mut command = Command::new(program);
    command.args(["measure", "--name", NAMES[n], "--signal", "ws://10.99.0.1:7077", "--room", "lunch"]);
    command.args(["--size", size, "--media", media]);
    let mut child = home.spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let (input, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let lines = lines.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
            let _ = lines.send(json!({"from": NAMES[n], "line": line})); // the benchmark has ended
        }
    });
    Client { process: Ended(child), input, line }
}

/// Lets a client join where so many others sit, and waits until all have seen each other. Reports the time from the
/// click to the last of the newcomer's first frames.
fn sit_down(client: &mut Client, name: &str, others: usize, reported: &Receiver<Value>) {
    let click = Instant::now();
    writeln!(client.input, "join").expect("the client runs");
    let (mut own, mut theirs, mut last) = (0, 0, None);
    while own < others || theirs < others {
        let left = PATIENCE.saturating_sub(click.elapsed());
        let line =
            reported.recv_timeout(left).unwrap_or_else(|_| panic!("{name} and the others do not see each other"));
        println!("{line}");
        if line["line"]["name"] != "first_frame" {
            continue;
        }
        if line["from"] == name {
            (own, last) = (own + 1, Some(click.elapsed().as_secs_f64() * 1000.0));
        } else {
            theirs += 1;
        }
    }
    println!("{}", json!({"others": others, "last_first_frame_ms": last}));
}

/// Waits until the clients have reported these events in any order.
fn wait_for(reported: &Receiver<Value>, events: &[&str]) {
    let start = Instant::now();
    let mut missing = events.len();
    while missing > 0 {
        let left = PATIENCE.saturating_sub(start.elapsed());
        let line = reported.recv_timeout(left).unwrap_or_else(|_| panic!("{missing} of {} are missing", events[0]));
        missing -= usize::from(line["line"]["name"] == events[0]);
        println!("{line}");
    }
}

/// Passes the clients' lines on for this time.
fn follow(reported: &Receiver<Value>, time: Duration) {
    let until = Instant::now() + time;
    while let Ok(line) = reported.recv_timeout(until.saturating_duration_since(Instant::now())) {
        println!("{line}");
    }
}

/// Reports the beginning or the end of a situation, with the clients' processes and what their lines have done.
fn mark(situation: &str, mark: &str, clients: &[Client]) {
    let people: Vec<Value> = NAMES
        .iter()
        .zip(clients)
        .map(|(name, client)| {
            let report = client.line.report();
            json!({"name": name, "process": client.process.0.id(), "queue_ms": report.queue_ms, "bytes": report.bytes})
        })
        .collect();
    let ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1000.0);
    println!("{}", json!({"situation": situation, "mark": mark, "ms": ms, "people": people}));
}
