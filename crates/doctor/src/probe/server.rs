//! The way to the server's welcome: DNS, TCP, the proxy, TLS, the WebSocket, the protocol.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use futures_util::{SinkExt as _, StreamExt as _};
use outbound::{CertificateFault, Presented, Proxy, ProxyError, Stream, TlsFailure};
use signaling::identity::{DeviceKey, decode_nonce, member_proof};
use signaling::limits::MAX_FRAME_BYTES;
use signaling::message::{ClientMessage, Hello as HelloMessage, IceServer, ServerMessage, VERSION};
use signaling::parse::server_message;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::header::{DATE, LOCATION};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use super::certificate::issuer;
use super::{Budget, Options, portal, random};
use crate::examination::{Examination, Hello, Lookup, ProxyUse, Server, Tcp, Tls, Upgrade};
use crate::target::Target;

/// Longest times of the hops.
const LOOKUP: Duration = Duration::from_secs(3);
const CONNECT: Duration = Duration::from_secs(3);
const TUNNEL: Duration = Duration::from_secs(4);
const TLS: Duration = Duration::from_secs(3);
const UPGRADE: Duration = Duration::from_secs(3);
const HELLO: Duration = Duration::from_secs(3);
const PORTAL: Duration = Duration::from_secs(2);
const CLOSE: Duration = Duration::from_millis(300);
/// Most addresses to which connections are opened; further ones are ignored.
const MAX_ADDRESSES: usize = 8;
/// Our name. Nobody sees it, because we join no room.
const NAME: &str = "Doctor";

type Socket = WebSocketStream<Box<dyn Stream>>;

/// A session of the server, which lasts until it is closed.
pub(super) struct Session {
    socket: Socket,
    pub(super) ice_servers: Vec<IceServer>,
}

impl Session {
    /// Ends the session.
    pub(super) async fn close(mut self) {
        let _ = timeout(CLOSE, self.socket.close(None)).await; // otherwise the server gives it up
    }
}

/// Goes as far as possible, and records what it observes.
pub(super) async fn reach(
    target: &Target,
    options: &Options,
    budget: Budget,
    seen: &mut Examination,
) -> Option<Session> {
    let proxy = match options.proxies.find(target.host(), target.port()).await {
        Ok(proxy) => proxy,
        Err(_) => {
            seen.proxy = ProxyUse::Unsupported;
            return None;
        }
    };
    let Some(proxy) = proxy else { return directly(target, options, budget, seen).await };
    let place = format!("{}:{}", proxy.host(), proxy.port());
    seen.proxy = ProxyUse::Http { place: place.clone(), fault: Some(ProxyError::Unreachable) };
    let addresses = lookup(proxy.host(), proxy.port(), budget.part(LOOKUP), seen).await?;
    let stream = connect(addresses, budget.part(CONNECT), seen).await?;
    let tunnel = tunnel(&proxy, stream, target, budget.part(TUNNEL)).await;
    seen.proxy = ProxyUse::Http { place, fault: tunnel.as_ref().err().copied() };
    let outcome = talk(target, options, budget, tunnel.ok()?).await;
    welcomed(outcome, seen)
}

/// Without a proxy.
async fn directly(target: &Target, options: &Options, budget: Budget, seen: &mut Examination) -> Option<Session> {
    let addresses = lookup(target.host(), target.port(), budget.part(LOOKUP), seen).await?;
    let first = *addresses.first()?;
    let session = match connect(addresses, budget.part(CONNECT), seen).await {
        Some(stream) => by_address(target, options, budget, stream, seen).await,
        None => None,
    };
    let may_be_portal = matches!(seen.server, Server::NotReached | Server::Tls(_));
    if session.is_none() && target.is_encrypted() && may_be_portal {
        seen.portal = portal::find(first, target.host(), budget.part(PORTAL)).await;
    }
    session
}

/// Talks to the first address that accepted a connection. If it then does nothing, as behind a path that swallows large
/// packets, the app takes another one, so the next one is tried too.
async fn by_address(
    target: &Target,
    options: &Options,
    budget: Budget,
    first: Box<dyn Stream>,
    seen: &mut Examination,
) -> Option<Session> {
    let open: Vec<usize> = (0..seen.tcp.len()).filter(|at| seen.tcp[*at].1 == Tcp::Open).collect();
    let mut outcome = talk(target, options, budget, first).await;
    for next in 1..open.len() {
        if !outcome.as_ref().is_err_and(is_silence) {
            break;
        }
        // A server closes a connection that is silent for long, so this is a new one.
        let Ok(Ok(stream)) = timeout(budget.part(CONNECT), outbound::tcp(seen.tcp[open[next]].0)).await else { break };
        let other = talk(target, options, budget, Box::new(stream)).await;
        if other.is_ok() {
            open[..next].iter().for_each(|at| seen.tcp[*at].1 = Tcp::Mute);
            outcome = other;
        }
    }
    welcomed(outcome, seen)
}

/// Whether another address may have more success.
fn is_silence(fault: &Server) -> bool {
    matches!(
        fault,
        Server::Tls(Tls::Silent | Tls::Closed)
            | Server::Upgrade(Upgrade::Silent | Upgrade::Closed)
            | Server::Hello(Hello::Silent | Hello::Closed)
    )
}

/// Records the outcome.
fn welcomed(outcome: Result<(Session, Option<i64>), Server>, seen: &mut Examination) -> Option<Session> {
    match outcome {
        Ok((session, ahead)) => {
            (seen.server, seen.clock_ahead) = (Server::Welcome, ahead);
            Some(session)
        }
        Err(fault) => {
            seen.server = fault;
            None
        }
    }
}

async fn lookup(host: &str, port: u16, time: Duration, seen: &mut Examination) -> Option<Vec<SocketAddr>> {
    let (lookup, mut addresses) = match timeout(time, outbound::resolve(host, port)).await {
        Ok(Ok(addresses)) => (Lookup::Found(addresses.iter().map(SocketAddr::ip).collect()), addresses),
        Ok(Err(_)) => (Lookup::Failed, Vec::new()),
        Err(_) => (Lookup::Silent, Vec::new()),
    };
    seen.lookup = lookup;
    addresses.truncate(MAX_ADDRESSES);
    (!addresses.is_empty()).then_some(addresses)
}

/// Connects to all addresses. Returns the first connection in the resolver's order.
async fn connect(addresses: Vec<SocketAddr>, time: Duration, seen: &mut Examination) -> Option<Box<dyn Stream>> {
    let attempts = addresses.into_iter().map(|address| async move {
        let (outcome, stream) = match timeout(time, outbound::tcp(address)).await {
            Ok(Ok(stream)) => (Tcp::Open, Some(stream)),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => (Tcp::Refused, None),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::TimedOut => (Tcp::Silent, None),
            Ok(Err(_)) => (Tcp::Unreachable, None),
            Err(_) => (Tcp::Silent, None),
        };
        (address, outcome, stream)
    });
    let mut first: Option<TcpStream> = None;
    for (address, outcome, stream) in join_all(attempts).await {
        seen.tcp.push((address, outcome));
        first = first.or(stream);
    }
    first.map(|stream| Box::new(stream) as Box<dyn Stream>)
}

async fn tunnel(
    proxy: &Proxy,
    stream: Box<dyn Stream>,
    target: &Target,
    time: Duration,
) -> Result<Box<dyn Stream>, ProxyError> {
    let tunnel = timeout(time, proxy.tunnel(stream, target.host(), target.port())).await;
    tunnel.unwrap_or(Err(ProxyError::NoAnswer))
}

/// TLS, WebSocket and hello on an open connection.
async fn talk(
    target: &Target,
    options: &Options,
    budget: Budget,
    stream: Box<dyn Stream>,
) -> Result<(Session, Option<i64>), Server> {
    let stream = match target.is_encrypted() {
        true => encrypt(target, stream, budget.part(TLS)).await.map_err(Server::Tls)?,
        false => stream,
    };
    let (mut socket, answer) = open(target, stream, budget.part(UPGRADE)).await.map_err(Server::Upgrade)?;
    let ahead = clock_ahead(&answer);
    let greeted = timeout(budget.part(HELLO), greet(&mut socket, target, options)).await;
    let ice_servers = greeted.unwrap_or(Err(Hello::Silent)).map_err(Server::Hello)?;
    Ok((Session { socket, ice_servers }, ahead))
}

async fn encrypt(target: &Target, stream: Box<dyn Stream>, time: Duration) -> Result<Box<dyn Stream>, Tls> {
    let presented = Presented::default();
    let config = outbound::recording_config(target.fingerprint, presented.clone()).map_err(|_| Tls::NoRoots)?;
    match timeout(time, outbound::encrypt(config, target.host(), stream)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidInput => Err(Tls::Name),
        Ok(Err(error)) => Err(tls_fault(&error, &presented)),
        Err(_) => Err(Tls::Silent),
    }
}

fn tls_fault(error: &std::io::Error, presented: &Presented) -> Tls {
    let issuer = || presented.der().and_then(issuer);
    match TlsFailure::of(error) {
        TlsFailure::WrongCertificate => Tls::NotPinned { issuer: issuer() },
        TlsFailure::Certificate => match CertificateFault::of(error) {
            Some(CertificateFault::Expired) => Tls::Expired,
            Some(CertificateFault::NotValidYet) => Tls::NotValidYet,
            Some(CertificateFault::Name) => Tls::Name,
            Some(CertificateFault::Issuer | CertificateFault::Other) | None => Tls::Untrusted { issuer: issuer() },
        },
        TlsFailure::NoTls => Tls::NotTls,
        TlsFailure::Broken => Tls::Closed,
    }
}

async fn open(target: &Target, stream: Box<dyn Stream>, time: Duration) -> Result<(Socket, Response), Upgrade> {
    let config =
        WebSocketConfig::default().max_message_size(Some(MAX_FRAME_BYTES)).max_frame_size(Some(MAX_FRAME_BYTES));
    let opened = timeout(time, client_async_with_config(target.url.as_str(), stream, Some(config))).await;
    opened.unwrap_or_else(|_| Err(tungstenite::Error::AlreadyClosed)).map_err(|error| match error {
        tungstenite::Error::Http(answer) => refused(target, &answer),
        // The deadline, for which a handshake never uses this error; and an answer that trickles.
        tungstenite::Error::AlreadyClosed | tungstenite::Error::AttackAttempt => Upgrade::Silent,
        tungstenite::Error::Io(_)
        | tungstenite::Error::ConnectionClosed
        | tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete) => Upgrade::Closed,
        _ => Upgrade::NotHttp,
    })
}

/// A status other than 101.
fn refused<B>(target: &Target, answer: &tungstenite::http::Response<B>) -> Upgrade {
    match answer.status().as_u16() {
        300..=399 => {
            let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let url = location.and_then(|location| Url::options().base_url(Some(&target.url)).parse(location).ok());
            Upgrade::Redirect { to: url.as_ref().and_then(Url::host_str).map(str::to_owned) }
        }
        200..=299 => Upgrade::Page,
        status => Upgrade::Status(status),
    }
}

/// Seconds by which the server's clock is ahead of ours, from the header `Date`.
fn clock_ahead(answer: &Response) -> Option<i64> {
    let date = answer.headers().get(DATE)?.to_str().ok()?;
    let (theirs, ours) = (httpdate::parse_http_date(date).ok()?, SystemTime::now());
    Some(match theirs.duration_since(ours) {
        Ok(ahead) => i64::try_from(ahead.as_secs()).unwrap_or(i64::MAX),
        Err(behind) => -i64::try_from(behind.duration().as_secs()).unwrap_or(i64::MAX),
    })
}

/// The protocol's handshake. Returns the servers of the welcome.
async fn greet(socket: &mut Socket, target: &Target, options: &Options) -> Result<Vec<IceServer>, Hello> {
    let ServerMessage::Challenge { nonce, versions } = next(socket).await? else { return Err(Hello::Stranger) };
    let nonce = decode_nonce(&nonce).ok_or(Hello::Stranger)?;
    if !versions.contains(&VERSION) {
        return Err(Hello::Version);
    }
    let key = DeviceKey::from_secret(&random()).for_server(&signaling::link::origin(&target.url, target.fingerprint));
    let hello = ClientMessage::Hello(HelloMessage {
        version: VERSION,
        key: key.public().to_string(),
        signature: key.sign(&nonce, VERSION),
        name: NAME.into(),
        client: options.client.clone(),
        member: options.member_secret.as_deref().map(|secret| member_proof(secret, &nonce, key.public())),
        resume: None,
        features: Vec::new(),
    });
    let text = serde_json::to_string(&hello).map_err(|_| Hello::Stranger)?;
    socket.send(Message::text(text)).await.map_err(|_| Hello::Closed)?;
    match next(socket).await? {
        ServerMessage::Welcome(welcome) => Ok(welcome.ice_servers),
        _ => Err(Hello::Stranger),
    }
}

/// The next message of the handshake. A refusal is an error.
async fn next(socket: &mut Socket) -> Result<ServerMessage, Hello> {
    let text = loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => break text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => return Err(Hello::Stranger),
            Some(Ok(Message::Close(_)) | Err(tungstenite::Error::Io(_))) | None => return Err(Hello::Closed),
            Some(Err(_)) => return Err(Hello::Stranger),
        }
    };
    let message = server_message(text.as_str()).map_err(|_| Hello::Stranger)?.message;
    let code = match &message {
        ServerMessage::Error(error) => error.code,
        ServerMessage::Bye { code, .. } => *code,
        _ => return Ok(message),
    };
    let code = serde_json::to_value(code).ok();
    Err(Hello::Refused(code.as_ref().and_then(|code| code.as_str()).unwrap_or("internal").to_owned()))
}

#[cfg(test)]
mod tests;
