//! A file beside a call, over an emulated line: `files-bench SERVER MEGABYTES BREAK_MEGABYTES`.
//! `cargo xtask bench files` starts this program and reads its lines of JSON, one for each situation.
//!
//! Each end is a process of its own, `files-bench end …`, so that the receiver can be killed.

use engine::signaling::identity::DeviceKey;
use engine::{Command as Ask, ServerAddress, TransferAction, TransferState};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use testkit::net::{Loss, Path as Line};
use whole_system::access_line::{AccessLine, Paths};
use whole_system::desktop::Ended;
use whole_system::network::Network;
use whole_system::people::{Habits, Person};
use whole_system::scratch::Scratch;

/// The link between the two, in bit/s, and its round-trip time: half a direction on each line.
const LINK: u64 = 20_000_000;
const ONE_WAY: Duration = Duration::from_micros(12_500);
const QUEUE: Duration = Duration::from_millis(200);
const ROOM: &str = "lunch";
const SERVER: &str = "10.99.0.1:7077";
/// How often an end reports.
const REPORT: Duration = Duration::from_millis(500);
/// How long the call runs alone before the file, to compare with.
const ALONE: Duration = Duration::from_secs(20);
/// How long the line is broken.
const BREAK: Duration = Duration::from_secs(20);
/// Nothing is reported for this long only if an end hangs.
const SILENCE: Duration = Duration::from_secs(60);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["end", name, key, folder, file] => end(name, key.parse().expect("a number"), Path::new(folder), file),
        [server, whole, broken] => bench(server, [whole, broken].map(|size| size.parse().expect("megabytes"))),
        _ => panic!("SERVER MEGABYTES BREAK_MEGABYTES"),
    }
}

/// One end of the call: reports twice a second, offers the file when it is ordered to, and accepts every offer.
#[tokio::main]
async fn end(name: &str, key: u8, folder: &Path, file: &str) {
    let key = Some(DeviceKey::from_secret(&[key; 32]));
    let voice = if file.is_empty() { 440 } else { 600 };
    let video = "640x360".parse().expect("a size");
    let person = Person::new(Habits { key, video, loopback: false, ..Habits::new(name, voice) });
    person.tell(Ask::SetDownloads(folder.to_owned())).await;
    let url = format!("ws://{SERVER}").parse().expect("a URL");
    person.enter(&ServerAddress { url, fingerprint: None }, ROOM).await;
    let orders = orders();
    loop {
        tokio::time::sleep(REPORT).await;
        if orders.try_recv().is_ok() {
            offer(&person, file).await;
        }
        report(&person).await;
    }
}

/// Reads standard input: a line means that the file is to be offered. The end of the input ends the process.
fn orders() -> Receiver<()> {
    let (order, orders) = channel();
    std::thread::spawn(move || {
        for _ in std::io::stdin().lines().map_while(Result::ok) {
            let _ = order.send(()); // the process ends
        }
        std::process::exit(0);
    });
    orders
}

/// The benchmark offers when the call has run for a while, so the data channel is open.
async fn offer(person: &Person, file: &str) {
    let other = person.engine.view().borrow().call.participants.first().expect("the receiver").info.id.clone();
    person.engine.offer_files(vec![PathBuf::from(file)], vec![other]).await.expect("an offer");
}

async fn report(person: &Person) {
    let view = person.engine.view().borrow().clone();
    let file = view.transfers.last();
    if let Some(file) = file.filter(|file| file.state == TransferState::Offered && !file.outgoing) {
        person.tell(Ask::Transfer { id: file.id.clone(), action: TransferAction::Accept }).await;
    }
    let stats = person.engine.stats().await.expect("a running engine");
    let other = stats.participants.first();
    let sound = other.and_then(|other| other.audio_in);
    println!(
        "{}",
        json!({
            "moved": file.map_or(0, |file| file.moved),
            "is_done": file.is_some_and(|file| file.state == TransferState::Done),
            "decoded": other.map_or(0, |other| other.video_in.decoded),
            "freezes": other.map_or(0, |other| other.video_in.freezes),
            "concealed": sound.map_or(0, |sound| sound.concealed_samples - sound.silent_concealed_samples),
            "samples": sound.map_or(0, |sound| sound.total_samples),
        })
    );
}

/// Both ends, their lines, and a server between them.
struct Setting {
    _internet: Network,
    home: [Network; 2],
    line: [AccessLine; 2],
    _server: Ended,
}

fn bench(server: &str, [whole, broken]: [u64; 2]) {
    assert!(Network::available(), "see above");
    let setting = Setting::new(server);
    without_a_break(&setting, whole);
    with_a_break_and_a_kill(&setting, broken);
}

fn without_a_break(setting: &Setting, megabytes: u64) {
    let (source, target) = (Scratch::new("source"), Scratch::new("target"));
    let hash = random_file(&source.join("file.bin"), megabytes);
    let (mut ann, mut ben) = (setting.sender(&source), setting.receiver(&target));
    wait_for_call(&mut ann, &mut ben);
    let alone = Span::over(&mut ben, ALONE);
    drop(setting.line[0].report());
    ann.offer();
    ben.until(|now| now["moved"].as_u64() > Some(0));
    let start = Instant::now();
    let (from, ann_from) = (ben.last.clone(), ann.drain().clone());
    ben.until(|now| now["is_done"] == true);
    let seconds = start.elapsed().as_secs_f64();
    let queue = percentile(setting.line[0].report().queue_ms[0].clone());
    ann.drain();
    let goodput = (megabytes * 8_000_000) as f64 / seconds / LINK as f64;
    println!(
        "{}",
        json!({
            "situation": format!("{megabytes} MB"), "seconds": seconds, "goodput": goodput, "queue_ms": queue,
            "alone": alone.json(), "beside": Span::between(&from, &ben.last, seconds).json(),
            "beside_sender": Span::between(&ann_from, &ann.last, seconds).json(),
            "is_equal": hash == hash_of(&target.join("file.bin")),
        })
    );
}

fn with_a_break_and_a_kill(setting: &Setting, megabytes: u64) {
    let (source, target) = (Scratch::new("source"), Scratch::new("target"));
    let hash = random_file(&source.join("file.bin"), megabytes);
    let (mut ann, mut ben) = (setting.sender(&source), setting.receiver(&target));
    wait_for_call(&mut ann, &mut ben);
    ann.offer();
    let start = Instant::now();
    let part = |share: u64| megabytes * 1_000_000 * share / 100;
    ben.until(|now| now["moved"].as_u64() >= Some(part(30)));
    setting.line[1].change(Paths { up: cut(), down: cut() });
    std::thread::sleep(BREAK);
    let before_repair = ben.drain()["moved"].as_u64().unwrap_or(0);
    setting.line[1].change(both());
    let repaired = Instant::now();
    ben.until(|now| now["moved"].as_u64() > Some(before_repair));
    let resumed_after_break = repaired.elapsed().as_secs_f64();
    ben.until(|now| now["moved"].as_u64() >= Some(part(60)));
    let killed = Instant::now();
    drop(ben); // SIGKILL
    let mut ben = setting.receiver(&target);
    ben.until(|now| now["moved"].as_u64() > Some(0));
    let (resumed_after_kill, kept) = (killed.elapsed().as_secs_f64(), ben.last["moved"].as_u64().unwrap_or(0));
    ben.until(|now| now["is_done"] == true);
    println!(
        "{}",
        json!({
            "situation": format!("{megabytes} MB, a break of {} s and a killed receiver", BREAK.as_secs()),
            "seconds": start.elapsed().as_secs_f64(), "resumed_after_break": resumed_after_break,
            "resumed_after_kill": resumed_after_kill, "kept": kept as f64 / part(60) as f64,
            "is_equal": hash == hash_of(&target.join("file.bin")),
        })
    );
}

/// Waits until both show each other, and a little more: the first seconds of a call are not like the rest.
fn wait_for_call(ann: &mut Process, ben: &mut Process) {
    for end in [&mut *ann, &mut *ben] {
        end.until(|now| now["decoded"].as_u64() > Some(150));
    }
}

impl Setting {
    fn new(server: &str) -> Setting {
        let internet = Network::new();
        internet.ip("address add 10.99.0.1/32 dev lo");
        internet.inside(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("forwarding"));
        let mut command = Command::new(server);
        command.args(["--listen", SERVER, "--no-turn", "--log", "warn", "--data-dir"]);
        command.arg(std::env::temp_dir().join(format!("files-bench-{}", std::process::id())));
        let server = Ended(internet.spawn(command.stdout(Stdio::null())));
        let home = [Network::new(), Network::new()];
        let line = [0, 1].map(|n| {
            let (own, far) = (format!("10.98.{n}.2/24"), format!("10.98.{n}.1/24"));
            let far = (&internet, &*format!("line{n}"), &*far);
            let line = AccessLine::new((&home[n], "line", &own), far, both(), n as u64 + 1);
            home[n].ip(&format!("route add default via 10.98.{n}.1"));
            line
        });
        std::thread::sleep(Duration::from_secs(1)); // the server begins to listen
        Setting { _internet: internet, home, line, _server: server }
    }

    fn sender(&self, source: &Scratch) -> Process {
        Process::start(&self.home[0], ["Ann", "201"], source.path(), &source.join("file.bin").display().to_string())
    }

    fn receiver(&self, target: &Scratch) -> Process {
        Process::start(&self.home[1], ["Ben", "202"], target.path(), "")
    }
}

fn both() -> Paths {
    let line = || Line { delay: ONE_WAY, rate: Some(LINK), queue: QUEUE, ..Line::default() };
    Paths { up: line(), down: line() }
}

fn cut() -> Line {
    Line { loss: Loss::Random(1.0), ..Line::default() }
}

/// An end in a process of its own, which is killed on drop.
struct Process {
    child: Ended,
    lines: Receiver<Value>,
    last: Value,
}

impl Process {
    fn start(network: &Network, [name, key]: [&str; 2], folder: &Path, file: &str) -> Process {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["end", name, key]).arg(folder).arg(file);
        let mut child = network.spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let output = child.stdout.take().expect("a pipe");
        let (report, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
                let _ = report.send(line); // the benchmark has ended
            }
        });
        Process { child: Ended(child), lines, last: Value::Null }
    }

    fn offer(&mut self) {
        writeln!(self.child.0.stdin.as_mut().expect("a pipe"), "offer").expect("the end runs");
    }

    fn next(&mut self) -> &Value {
        self.last = self.lines.recv_timeout(SILENCE).expect("a report");
        &self.last
    }

    fn until(&mut self, is: impl Fn(&Value) -> bool) {
        while !is(self.next()) {}
    }

    /// Takes the reports that wait, and returns the last one.
    fn drain(&mut self) -> &Value {
        while let Ok(line) = self.lines.try_recv() {
            self.last = line;
        }
        &self.last
    }
}

/// What one end has seen and heard in a time.
struct Span {
    fps: f64,
    freezes: u64,
    concealed_percent: f64,
}

impl Span {
    fn over(end: &mut Process, time: Duration) -> Span {
        let (from, start) = (end.drain().clone(), Instant::now());
        while start.elapsed() < time {
            end.next();
        }
        Span::between(&from, &end.last, start.elapsed().as_secs_f64())
    }

    fn between(from: &Value, to: &Value, seconds: f64) -> Span {
        let change = |name: &str| to[name].as_u64().unwrap_or(0).saturating_sub(from[name].as_u64().unwrap_or(0));
        Span {
            fps: change("decoded") as f64 / seconds,
            freezes: change("freezes"),
            concealed_percent: change("concealed") as f64 * 100.0 / change("samples").max(1) as f64,
        }
    }

    fn json(&self) -> Value {
        json!({"fps": self.fps, "freezes": self.freezes, "concealed_percent": self.concealed_percent})
    }
}

fn percentile(mut samples: Vec<f64>) -> Option<f64> {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() * 95 / 100).copied()
}

/// Writes a file of random bytes. Returns its SHA-256.
fn random_file(path: &Path, megabytes: u64) -> Vec<u8> {
    let mut file = std::fs::File::create(path).expect("a file");
    let mut block = vec![0; 1_000_000];
    for _ in 0..megabytes {
        getrandom::fill(&mut block).expect("random bytes");
        file.write_all(&block).expect("written");
    }
    hash_of(path)
}

fn hash_of(path: &Path) -> Vec<u8> {
    let mut hash = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path).expect("the file"), &mut hash).expect("read");
    hash.finalize().to_vec()
}
