//! Fifty people in one forwarded room, and what that costs the server: `cargo xtask bench forwarder`.
//!
//! The server runs as a separate process, `lunchroom-server` or Janus, so that its CPU time is measured alone. Some people
//! publish a camera and a voice; nobody decodes. One thread drives all clients. Prints one JSON object.

mod connection;
mod crowd;
mod display;
mod figures;
mod impair;
mod janus;
mod line;
mod lunchroom;
mod pictures;
mod port;
mod tally;
mod usage;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use serde_json::Value;
use str0m::crypto::dtls::DtlsCert;
use tokio::runtime::{Builder, Runtime};

use connection::Connection;
use crowd::Crowd;
use figures::{Measured, report};
use impair::Path;
use janus::Janus;
use lunchroom::Lunchroom;
use pictures::ENCODINGS;
use usage::Usage;

/// Longest time until all are connected, and until all receive what they display.
const CONNECT: Duration = Duration::from_secs(20);
const SETTLE: Duration = Duration::from_secs(40);
/// Time between settling and measuring.
const WARM_UP: Duration = Duration::from_secs(3);
/// How often it is examined whether all receive what they display.
const EXAMINE: Duration = Duration::from_secs(1);
const NARROW_BITS: u64 = 300_000;
const LOSS: f64 = 0.1;

#[derive(Parser)]
struct Options {
    /// The program `lunchroom-server`.
    #[arg(long)]
    server: PathBuf,
    /// Measure Janus instead.
    #[arg(long)]
    janus: bool,
    /// Threads of Janus that handle media; 0: one for each connection.
    #[arg(long, default_value_t = 0)]
    janus_loops: usize,
    /// An address of this machine for media.
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    #[arg(long, default_value_t = 50)]
    people: usize,
    /// How many of them publish a camera.
    #[arg(long, default_value_t = 6)]
    cameras: usize,
    /// How many of these speak.
    #[arg(long, default_value_t = 2)]
    voices: usize,
    /// Height of the tiles in pixels.
    #[arg(long, default_value_t = 360)]
    tile: u32,
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// One receiver gets 300 kbit/s, and one loses 10 %.
    #[arg(long)]
    impaired: bool,
}

/// The server that is measured.
enum Server {
    Lunchroom(Box<Lunchroom>),
    Janus(Box<Janus>),
}

fn main() -> Result<()> {
    let options = Options::parse();
    ensure!(options.cameras + 2 <= options.people && options.cameras < 256, "two must receive only");
    ensure!(options.voices <= options.cameras, "those who speak have cameras");
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    println!("{}", measure(&options, &runtime)?);
    Ok(())
}

fn measure(options: &Options, runtime: &Runtime) -> Result<Value> {
    let certificate = certificate()?;
    let mut server = runtime.block_on(Server::start(options))?;
    let pid = server.pid().context("the server has ended")?;
    let mut crowd = Crowd::new(runtime.block_on(server.publish(options, &certificate))?)?;
    connect(&mut crowd)?;
    crowd.add(runtime.block_on(server.subscribe(options, &certificate))?)?;
    connect(&mut crowd)?;
    if options.impaired {
        impair(&mut crowd)?;
    }
    let settled_s = settle(&mut crowd, options)?;
    crowd.run(Instant::now() + WARM_UP, |_| false)?;
    crowd.clear();
    let used = || Ok::<_, anyhow::Error>((Usage::of(pid)?, Usage::of(std::process::id())?, Usage::of_machine()?));
    let (began, before) = (Instant::now(), used()?);
    crowd.run(began + Duration::from_secs(options.seconds), |_| false)?;
    let after = used()?;
    let measured = Measured {
        began,
        seconds: began.elapsed().as_secs_f64(),
        settled_s,
        server: [before.0, after.0],
        own: [before.1, after.1],
        machine_s: after.2 - before.2,
    };
    Ok(report(&mut crowd, &measured))
}

/// Runs until all are connected.
fn connect(crowd: &mut Crowd) -> Result<()> {
    let connected = |all: &[Connection]| all.iter().all(Connection::is_connected);
    ensure!(crowd.run(Instant::now() + CONNECT, connected)?, "not all are connected");
    Ok(())
}

/// Makes the paths of the last two worse. They only receive.
fn impair(crowd: &mut Crowd) -> Result<()> {
    let [.., narrow, lossy] = &mut crowd.connections[..] else { bail!("nobody to impair") };
    narrow.path = Path::narrow(NARROW_BITS);
    lossy.path = Path::lossy(LOSS, 1);
    Ok(())
}

/// Runs until everybody whose path is clear receives the encoding that covers the tiles, and nothing else. Returns the seconds
/// that it took; `None` if it did not come about.
fn settle(crowd: &mut Crowd, options: &Options) -> Result<Option<f64>> {
    let covers = ENCODINGS.iter().position(|encoding| u32::from(encoding.height) >= options.tile);
    let wanted = covers.unwrap_or(ENCODINGS.len() - 1);
    let receives = |connection: &Connection| {
        let pictures = &connection.tally.pictures;
        let displays = connection.tally.displays.values();
        pictures.iter().enumerate().all(|(encoding, count)| (encoding == wanted) == (*count > 0))
            && displays.filter(|display| !display.shown.is_empty()).count() >= options.cameras - 1
    };
    let began = Instant::now();
    while began.elapsed() < SETTLE {
        crowd.clear();
        crowd.run(Instant::now() + EXAMINE, |_| false)?;
        let receivers = crowd.connections.iter().filter(|one| one.path.is_clear() && one.receives());
        if receivers.into_iter().all(receives) {
            return Ok(Some(began.elapsed().as_secs_f64()));
        }
    }
    Ok(None)
}

impl Server {
    async fn start(options: &Options) -> Result<Server> {
        if options.janus {
            Ok(Server::Janus(Box::new(Janus::start(options).await?)))
        } else {
            Ok(Server::Lunchroom(Box::new(Lunchroom::start(options).await?)))
        }
    }

    /// The connections of all who publish. In Lunchroom's rooms, they are those of everybody.
    async fn publish(&mut self, options: &Options, certificate: &DtlsCert) -> Result<Vec<Connection>> {
        match self {
            Server::Lunchroom(lunchroom) => lunchroom.connect(options, certificate).await,
            Server::Janus(janus) => janus.publish(options, certificate).await,
        }
    }

    /// The other connections.
    async fn subscribe(&mut self, options: &Options, certificate: &DtlsCert) -> Result<Vec<Connection>> {
        match self {
            Server::Lunchroom(_) => Ok(Vec::new()),
            Server::Janus(janus) => janus.subscribe(options, certificate).await,
        }
    }

    fn pid(&self) -> Option<u32> {
        match self {
            Server::Lunchroom(lunchroom) => lunchroom.process.id(),
            Server::Janus(janus) => janus.process.id(),
        }
    }
}

/// One certificate for all clients.
fn certificate() -> Result<DtlsCert> {
    let key = rcgen::KeyPair::generate()?;
    let made = rcgen::CertificateParams::new(vec!["client".to_owned()])?.self_signed(&key)?;
    Ok(DtlsCert { certificate: made.der().to_vec(), private_key: key.serialize_der() })
}
