//! Measures how long a change takes to reach many open boards, and what it costs. `cargo xtask bench board`.
//!
//! The server runs as a separate process (`lunchroom-server`; its path is the first argument), so that its CPU time is
//! measured alone. Prints one JSON object. With `hold` as the last argument, prints the server's address instead and
//! keeps all boards open until its standard input closes.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use signaling::board::{BoardNews, BoardRequest, Door, Draft};
use signaling::identity::{DeviceKey, decode_nonce};
use signaling::message::{ClientMessage, Envelope, Hello, ServerMessage, VERSION};
use signaling::numbering::{body, frame};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// Number of measured changes.
const CHANGES: usize = 50;
/// Pause between two changes, so that each is sent separately.
const PAUSE: Duration = Duration::from_millis(300);
/// How often clients send a ping, which acknowledges what they received and keeps them alive.
const PING: Duration = Duration::from_secs(4);
/// Time after which a change is considered lost.
const LOST: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, people, tables, hold @ ..] = arguments.as_slice() else {
        bail!("board-load SERVER PEOPLE TABLES [hold]")
    };
    let (people, tables): (usize, usize) = (people.parse()?, tables.parse()?);
    let folder = std::env::temp_dir().join(format!("lunchroom-bench-board-{}", std::process::id()));
    let outcome = measure(program, &folder, people, tables, !hold.is_empty()).await;
    let _ = std::fs::remove_dir_all(&folder);
    let figures = outcome?;
    if hold.is_empty() {
        println!("{figures}"); // with `hold` nobody reads this any more
    }
    Ok(())
}

async fn measure(program: &str, folder: &std::path::Path, people: usize, tables: usize, hold: bool) -> Result<String> {
    let mut server = tokio::process::Command::new(program)
        .args(["--listen", "127.0.0.1:0", "--no-turn"])
        .env("LUNCHROOM_DATA_DIR", folder)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{program} does not start"))?;
    let pid = server.id().context("a process")?;
    let mut lines = BufReader::new(server.stdout.take().context("piped")?).lines();
    let line = lines.next_line().await?.unwrap_or_default();
    let addr: SocketAddr = line.strip_prefix("listening on ws://").context("no address")?.parse()?;

    // Hosts create the tables; each may have one of its own at a time.
    let (event_sender, mut events) = mpsc::unbounded_channel();
    let mut hosts = Vec::new();
    for n in 0..tables.div_ceil(10) {
        hosts.push(Client::connect(addr, n as u64).await?);
    }
    let start_ms = unix_ms() + 3_600_000;
    for n in 0..tables {
        let topic = format!("table {n}");
        let starts_ms = start_ms + (n % 10) as u64 * 3_600_000;
        hosts[n / 10].done(BoardRequest::Lay(draft(&topic, starts_ms))).await?;
    }
    let opened = Instant::now();
    let watchers = people - hosts.len();
    for n in 0..watchers {
        let mut client = Client::connect(addr, 1_000_000 + n as u64).await?;
        client.ask(BoardRequest::Subscribe { room: None, invite: None }).await?;
        tokio::spawn(client.watch(event_sender.clone()));
        if n % 100 == 0 {
            ping(&mut hosts).await?;
        }
    }
    let mut whole = 0;
    while whole < watchers {
        let event = tokio::time::timeout(LOST, events.recv()).await?.context("watchers")?;
        whole += usize::from(matches!(event, WatcherEvent::Whole));
    }
    let opened = opened.elapsed();
    ping(&mut hosts).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    while events.try_recv().is_ok() {}

    if hold {
        println!("ws://{addr}");
        held(&mut hosts).await?;
        return Ok("{}".to_owned());
    }

    let idle = cpu_seconds(pid)?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let idle = (cpu_seconds(pid)? - idle) / 5.0;
    ping(&mut hosts).await?;
    let (mut last, mut median) = (Vec::new(), Vec::new());
    let (before, began) = (cpu_seconds(pid)?, Instant::now());
    for n in 0..CHANGES {
        let topic = format!("change {n}");
        let starts_ms = start_ms + (20 + n as u64 / hosts.len() as u64) * 3_600_000;
        let at = Instant::now();
        let host = n % hosts.len();
        hosts[host].ask(BoardRequest::Lay(draft(&topic, starts_ms))).await?;
        let mut times = Vec::with_capacity(watchers);
        while times.len() < watchers {
            match tokio::time::timeout(LOST, events.recv()).await?.context("watchers")? {
                WatcherEvent::Table(seen) if seen == topic => times.push(at.elapsed()),
                WatcherEvent::Table(_) | WatcherEvent::Whole => {}
            }
        }
        median.push(times[watchers / 2].as_secs_f64() * 1e3);
        last.push(times[watchers - 1].as_secs_f64() * 1e3);
        tokio::time::sleep(PAUSE).await;
        if n % 10 == 9 {
            ping(&mut hosts).await?;
        }
    }
    let cpu = cpu_seconds(pid)? - before - idle * began.elapsed().as_secs_f64();
    last.sort_by(f64::total_cmp);
    median.sort_by(f64::total_cmp);
    Ok(format!(
        "{{\"people\":{people},\"tables\":{tables},\"open_all_ms\":{:.0},\"half_ms_p50\":{:.1},\"all_ms_p50\":{:.1},\"all_ms_p95\":{:.1},\"cpu_ms_a_change\":{:.2},\"idle_cpu_percent\":{:.1},\"rss_mb\":{:.0}}}",
        opened.as_secs_f64() * 1e3,
        median[CHANGES / 2],
        last[CHANGES / 2],
        last[CHANGES * 95 / 100],
        cpu * 1e3 / CHANGES as f64,
        idle * 100.0,
        rss_mb(pid)?,
    ))
}

/// Waits until standard input closes.
async fn held(hosts: &mut [Client]) -> Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut again = tokio::time::interval(PING);
    loop {
        tokio::select! {
            line = lines.next_line() => if line?.is_none() { return Ok(()) },
            _ = again.tick() => ping(hosts).await?,
        }
    }
}

/// The server closes silent connections.
async fn ping(hosts: &mut [Client]) -> Result<()> {
    for host in hosts {
        let text = frame(0, host.received, &body(&ClientMessage::Ping { nonce: 1 }));
        host.socket.send(Message::text(text)).await?;
    }
    Ok(())
}

enum WatcherEvent {
    /// A client has received its whole board.
    Whole,
    /// A client's board shows a new table.
    Table(String),
}

struct Client {
    socket: WebSocketStream<TcpStream>,
    sent: u64,
    received: u64,
}

impl Client {
    async fn connect(addr: SocketAddr, seed: u64) -> Result<Client> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = client_async(format!("ws://{addr}/"), stream).await?;
        let mut client = Client { socket, sent: 0, received: 0 };
        let mut secret = [7; 32];
        secret[..8].copy_from_slice(&seed.to_le_bytes());
        let key = DeviceKey::from_secret(&secret);
        let ServerMessage::Challenge { nonce, .. } = client.next().await? else { bail!("no challenge") };
        let nonce = decode_nonce(&nonce).context("no nonce")?;
        let hello = Hello {
            version: VERSION,
            key: key.public().to_string(),
            signature: key.sign(&nonce, VERSION),
            name: format!("Person {seed}"),
            client: "board-load".into(),
            member: None,
            features: Vec::new(),
            resume: None,
        };
        client.socket.send(Message::text(body(&ClientMessage::Hello(hello)))).await?;
        let ServerMessage::Welcome(_) = client.next().await? else { bail!("no welcome") };
        Ok(client)
    }

    async fn ask(&mut self, request: BoardRequest) -> Result<u64> {
        self.sent += 1;
        let text = frame(self.sent, self.received, &body(&ClientMessage::Board(request)));
        self.socket.send(Message::text(text)).await?;
        Ok(self.sent)
    }

    async fn done(&mut self, request: BoardRequest) -> Result<()> {
        let seq = self.ask(request).await?;
        loop {
            match self.next().await? {
                ServerMessage::Board(BoardNews::Done { about }) if about == seq => return Ok(()),
                ServerMessage::Error(error) => bail!("{error:?}"),
                _ => {}
            }
        }
    }

    async fn next(&mut self) -> Result<ServerMessage> {
        loop {
            if let Message::Text(text) = self.socket.next().await.context("closed")?? {
                let envelope: Envelope<ServerMessage> = serde_json::from_str(&text)?;
                self.received = self.received.max(envelope.seq);
                return Ok(envelope.message);
            }
        }
    }

    /// Reports what the board shows until the socket closes. Parses as little of a frame as possible: rendering two
    /// thousand boards would measure this machine, not the server.
    async fn watch(mut self, event_sender: mpsc::UnboundedSender<WatcherEvent>) {
        let mut ping = tokio::time::interval(PING);
        loop {
            tokio::select! {
                next = self.socket.next() => {
                    let Some(Ok(Message::Text(text))) = next else { return };
                    self.received += u64::from(!text.starts_with("{\"seq\":0,"));
                    if text.contains("\"news\":\"you\"") {
                        let _ = event_sender.send(WatcherEvent::Whole); // the measurement may be over
                    }
                    if let Some((_, rest)) = text.split_once("\"topic\":\"change ")
                        && let Some((number, _)) = rest.split_once('"')
                    {
                        let _ = event_sender.send(WatcherEvent::Table(format!("change {number}")));
                    }
                }
                _ = ping.tick() => {
                    let text = frame(0, self.received, &body(&ClientMessage::Ping { nonce: 1 }));
                    if self.socket.send(Message::text(text)).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

fn draft(topic: &str, starts_ms: u64) -> Draft {
    Draft {
        topic: topic.into(),
        place: "2F".into(),
        seats: 4,
        now: false,
        starts_ms,
        minutes: 60,
        weekly: false,
        door: Door::Open,
    }
}

/// User and system time of a process (proc_pid_stat(5), fields 14 and 15, in ticks of 10 ms on Linux).
fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("fields")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / 100.0)
}

fn rss_mb(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<f64>()? / 1024.0)
}

fn unix_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
