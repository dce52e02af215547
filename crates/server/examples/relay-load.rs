//! Measures what the relay's transports cost: `relay-load SERVER CLIENTS RATE SECONDS`.
//!
//! The server runs as a separate process (`lunchroom-server`; its path is the first argument), so that its CPU time is
//! measured alone. Each client sends `RATE` packets a second to a peer in this process, which returns them, so each
//! packet passes the relay twice. Prints one line for each of UDP, TCP and TLS.

#[allow(dead_code)] // the tests use more of it
#[path = "../tests/server/stun.rs"]
mod stun;

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures_util::future::try_join_all;
use relay::password;
use relay::stream::{Framer, frames};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use signaling::message::IceServer;
use stun::{CHANNEL_NUMBER, NONCE, Requests, UDP, XOR_PEER_ADDRESS, attribute, error_code, xor};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, split};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsConnector;

/// Bytes of data in one packet.
const DATA_BYTES: usize = 1_000;
/// Interval between two bursts of one client.
const TICK: Duration = Duration::from_millis(10);
/// Longest wait for what is still on its way at the end.
const DRAIN: Duration = Duration::from_millis(500);
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
const SECRET: &str = "relay-load";

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, clients, rate, seconds] = arguments.as_slice() else {
        bail!("relay-load SERVER CLIENTS RATE SECONDS")
    };
    let load = Load { clients: clients.parse()?, rate: rate.parse()?, time: Duration::from_secs(seconds.parse()?) };
    let folder = std::env::temp_dir().join(format!("lunchroom-bench-relay-{}", std::process::id()));
    let mut server = tokio::process::Command::new(program)
        .args(["--listen", "127.0.0.1:0", "--turn-listen", "127.0.0.1:0", "--turn-allow-loopback", "--tls-self-signed"])
        .env("LUNCHROOM_DATA_DIR", &folder)
        .env("LUNCHROOM_TURN_SECRET", SECRET)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{program} does not start"))?;
    let pid = server.id().context("a process")?;
    let mut lines = BufReader::new(server.stdout.take().context("piped")?).lines();
    let turn: SocketAddr = loop {
        let line = lines.next_line().await?.context("the server ended")?;
        if let Some(addr) = line.strip_prefix("turn on udp ") {
            break addr.parse()?;
        }
    };
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        println!("{}", measure(&load, transport, turn, pid).await?);
    }
    drop(server);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

struct Load {
    clients: usize,
    /// Packets a second of one client.
    rate: usize,
    time: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Transport {
    Udp,
    Tcp,
    Tls,
}

async fn measure(load: &Load, transport: Transport, turn: SocketAddr, pid: u32) -> Result<String> {
    let peer = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
    let addr = peer.local_addr()?;
    let echo = tokio::spawn(async move {
        let mut buffer = vec![0; 2_000];
        while let Ok((length, from)) = peer.recv_from(&mut buffer).await {
            // What the system does not accept is lost, as on a network.
            let _ = peer.try_send_to(&buffer[..length], from);
        }
    });
    let mut clients = Vec::new();
    for n in 0..load.clients {
        clients.push(connect(transport, turn, addr, n).await?);
    }
    let (began, cpu) = (Instant::now(), cpu_seconds(pid)?);
    let counts = try_join_all(clients.into_iter().map(|client| run(client, load.rate, load.time))).await?;
    let (sent, received) = counts.iter().fold((0, 0), |all, count| (all.0 + count.0, all.1 + count.1));
    let (time, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds(pid)? - cpu);
    echo.abort();
    let lost = 100.0 * (sent - received) as f64 / sent.max(1) as f64;
    let relayed = (sent + received) as f64;
    let rate = if cpu > 0.0 { relayed / cpu } else { 0.0 };
    Ok(format!(
        "{transport:?}: {sent} sent and {received} returned in {time:.1} s, {lost:.1} % lost; {cpu:.2} s of CPU, {rate:.0} packets a core-second"
    ))
}

/// CPU time of a process so far, from `/proc`.
fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Fields 14 and 15 of proc(5), counted from the state after the name; 100 ticks a second on Linux.
    let ticks = |n: usize| fields.get(n).and_then(|text| text.parse::<f64>().ok()).context("no CPU time");
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

/// One client's way to the relay.
enum Way {
    Datagrams(UdpSocket),
    Stream(Box<dyn Stream>, Framer),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Returns a client with an allocation and a channel.
async fn connect(transport: Transport, turn: SocketAddr, peer: SocketAddr, n: usize) -> Result<Way> {
    let stream = async || -> Result<TcpStream> {
        let stream = TcpStream::connect(turn).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    let mut way = match transport {
        Transport::Udp => {
            let socket = UdpSocket::bind("127.0.0.1:0").await?;
            socket.connect(turn).await?;
            Way::Datagrams(socket)
        }
        Transport::Tcp => Way::Stream(Box::new(stream().await?), Framer::new()),
        Transport::Tls => {
            let name = ServerName::try_from("localhost")?;
            let tls = TlsConnector::from(Arc::new(any_certificate()?)).connect(name, stream().await?).await?;
            Way::Stream(Box::new(tls), Framer::new())
        }
    };
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let username = format!("{}:{n}.{n}", unix + 3_600);
    let credential = password(SECRET.as_bytes(), &username);
    let server = IceServer { urls: Vec::new(), username: Some(username), credential: Some(credential) };
    let mut requests = Requests::new(server);
    let refused = ask(&mut way, requests.message(0x0003, &[UDP], false)).await?;
    requests.nonce = attribute(&refused, NONCE).context("a nonce")?;
    let channel: [(u16, &[u8]); 2] = [(CHANNEL_NUMBER, &[0x40, 0, 0, 0]), (XOR_PEER_ADDRESS, &xor(peer))];
    for request in [requests.message(0x0003, &[UDP], true), requests.message(0x0009, &channel, true)] {
        if let Some(code) = error_code(&ask(&mut way, request).await?) {
            bail!("the relay refuses with {code}");
        }
    }
    Ok(way)
}

async fn ask(way: &mut Way, request: Vec<u8>) -> Result<Vec<u8>> {
    match way {
        Way::Datagrams(socket) => {
            socket.send(&request).await?;
            let mut answer = vec![0; 2_000];
            let length = timeout(PATIENCE, socket.recv(&mut answer)).await??;
            answer.truncate(length);
            Ok(answer)
        }
        Way::Stream(stream, framer) => {
            stream.write_all(&request).await?;
            stream.flush().await?;
            loop {
                let count = timeout(PATIENCE, stream.read(framer.space())).await??;
                framer.filled(Instant::now(), count).ok().context("not TURN")?;
                if let Some(answer) = framer.take() {
                    return Ok(answer);
                }
                anyhow::ensure!(count > 0, "the relay closed the stream");
            }
        }
    }
}

/// Sends for this time. Returns the numbers of packets that were sent and that came back.
async fn run(way: Way, rate: usize, time: Duration) -> Result<(usize, usize)> {
    let frame = [&[0x40, 0][..], &(DATA_BYTES as u16).to_be_bytes(), &[7; DATA_BYTES]].concat();
    let mut received = 0;
    match way {
        Way::Datagrams(socket) => {
            let mut buffer = vec![0; 2_000];
            let sent = tokio::select! {
                sent = paced(rate, time, async |count| {
                    for _ in 0..count {
                        socket.send(&frame).await?;
                    }
                    Ok(())
                }) => sent?,
                result = async { loop { received += usize::from(socket.recv(&mut buffer).await? > 0) } } => { let result: Result<()> = result; result?; 0 }
            };
            Ok((sent, received))
        }
        Way::Stream(stream, mut framer) => {
            let (mut reader, mut writer) = split(stream);
            let sent = tokio::select! {
                sent = paced(rate, time, async |count| {
                    writer.write_all(&frame.repeat(count)).await?;
                    writer.flush().await?;
                    Ok(())
                }) => sent?,
                result = async {
                    loop {
                        let count = reader.read(framer.space()).await?;
                        anyhow::ensure!(count > 0, "the relay closed the stream");
                        framer.filled(Instant::now(), count).ok().context("not TURN")?;
                        received += framer.take().map_or(0, |whole| frames(&whole).count());
                    }
                } => { let result: Result<()> = result; result?; 0 }
            };
            Ok((sent, received))
        }
    }
}

/// Sends `rate` packets a second in bursts, then waits for the last ones to come back. Returns their number.
async fn paced(rate: usize, time: Duration, mut send: impl AsyncFnMut(usize) -> Result<()>) -> Result<usize> {
    let (began, mut sent) = (Instant::now(), 0);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while began.elapsed() < time {
        ticks.tick().await;
        let due = (rate as f64 * began.elapsed().min(time).as_secs_f64()) as usize;
        // No faster after a pause: a burst would be lost.
        let count = (due - sent.min(due)).min(rate / 10 + 1);
        send(count).await?;
        sent += count;
    }
    tokio::time::sleep(DRAIN).await;
    Ok(sent)
}

/// TLS that accepts the server's self-signed certificate: the server is a child of this process.
fn any_certificate() -> Result<ClientConfig> {
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any))
        .with_no_client_auth())
}

#[derive(Debug)]
struct Any;

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
