//! A running server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::admission::{Admission, AdmissionLimits};
use crate::config::{BuiltinTurn, Config, Tls, Turn};
use crate::connection::{Context, Members};
use crate::error::StartError;
use crate::figures::Figures;
use crate::forwarding::{Advertised, Forwarding, HubEnds, Started as ForwardingStarted};
use crate::http::{Front, Interface};
use crate::hub::{self, Command};
use crate::ice::{IceDirectory, Place, Shared, StreamPorts};
use crate::keeping::Keeping;
use crate::line::Budget;
use crate::listener::{Listeners, Serves, Service};
use crate::meter::Slots;
use crate::metrics::Metrics;
use crate::openid::OpenId;
use crate::tls::Encryption;
use crate::turn::{Relay, Sessions, Started, Streams};
use crate::{check, data, feeds, listener, memory, tls};

/// A running server. [`Server::stop`] sends `bye` to every client and waits; dropping it closes everything immediately.
///
/// ```text
/// start ──▶ serving ──▶ stopping: no new connections, `bye` to all ──▶ stopped
/// ```
pub struct Server {
    addr: SocketAddr,
    url: String,
    fingerprint: Option<[u8; 32]>,
    config: Config,
    hub: mpsc::Sender<Command>,
    stopping: watch::Sender<bool>,
    listener: JoinHandle<()>,
    relay: Option<Relay>,
    forwarding: Option<Forwarding>,
    turn_streams: Vec<SocketAddr>,
    metrics: Option<SocketAddr>,
}

impl Server {
    /// Starts serving. When it returns, clients can connect.
    ///
    /// # Errors
    /// [`StartError`] describes the problem and how to fix it.
    pub async fn start(config: Config) -> Result<Server, StartError> {
        check::check(&config)?;
        let encryption = tls::encryption(&config)?;
        let interface =
            Interface::new(config.ui_dir.as_deref()).map_err(|error| StartError::Config(format!("ui-dir: {error}")))?;
        let secret = relay_secret(&config)?;
        let listening = |source| StartError::Listen { address: config.listen, source };
        let socket = TcpListener::bind(config.listen).await.map_err(listening)?;
        let addr = socket.local_addr().map_err(listening)?;
        let figures = Figures::default();
        let (forwarding, ends) = forward(&config, &figures)?;
        let forwarder = forwarding.as_ref().map(Forwarding::advertised);
        let Turning { relay, sessions, streams, ice, sockets: turn_sockets } =
            turning(&config, secret, addr, forwarder, &figures).await?;
        let mut sockets = vec![(socket, Serves::Everything)];
        sockets.extend(turn_sockets);
        let turn_streams = sockets[1..].iter().filter_map(|(socket, _)| socket.local_addr().ok()).collect();
        let mut rooms = config.rooms.clone();
        rooms.shares.sessions_per_source = config.connections_per_address;
        rooms.forwarding = config.forwarding.as_ref().map(|forwarding| forwarding.limits);
        let (hub, revision) = hub::spawn(rooms, ice, sessions, ends, Keeping::open(&config)?, figures.clone())?;
        memory::tell(&config);
        let (stopping, stops) = watch::channel(false);
        let metrics = serve_metrics(&config, &figures, &stops).await?;
        let fingerprint = encryption.as_ref().and_then(|encryption| encryption.fingerprint);
        let url = url(&config, addr, encryption.is_some());
        let front = Arc::new(Front {
            context: Context {
                hub: hub.clone(),
                members: Members {
                    secret: config.member_secret.as_deref().map(Arc::from),
                    accounts: config.openid.is_some(),
                },
                stopping: stops.clone(),
                hello_timeout: config.hello_timeout,
                silence: config.silence,
                writing: Budget::default(),
                slots: Slots::default(),
            },
            public_url: config.public_url.clone(),
            allowed_origins: config.allowed_origins.clone(),
            fingerprint,
            openid: config.openid.as_ref().map(OpenId::spawn).transpose()?,
            interface,
            feeds: feeds::spawn(hub.clone(), revision),
            next_connection: AtomicU64::new(1),
        });
        let admission = Admission::new(AdmissionLimits {
            connections: config.connections,
            per_address: config.connections_per_address,
            rate: config.connection_rate,
            loopback: config.limit_loopback,
            members: config.member_secret.is_some() || config.openid.is_some(),
        });
        let tls = encryption.map(|tls| follow_renewals(tls, &config, &figures, &stops));
        let service = Service { tls, front, turn: streams, figures };
        let listener = tokio::spawn(listener::run(Listeners::new(sockets), service, admission, stops));
        Ok(Server { addr, url, fingerprint, config, hub, stopping, listener, relay, forwarding, turn_streams, metrics })
    }

    /// The address it listens on, with the actual port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its URL, `ws://host:port` or `wss://host:port`: the public one if set, otherwise one that works on this machine.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// SHA-256 of the certificate that clients must pin; `None` without TLS or with a certificate from files.
    pub fn fingerprint(&self) -> Option<[u8; 32]> {
        self.fingerprint
    }

    /// The address of STUN and TURN, if this server serves them.
    pub fn turn_addr(&self) -> Option<SocketAddr> {
        self.relay.as_ref().map(Relay::addr)
    }

    /// The UDP address of the forwarder, if this server forwards media.
    pub fn forward_addr(&self) -> Option<SocketAddr> {
        self.forwarding.as_ref().map(Forwarding::addr)
    }

    /// The addresses that accept only TURN over TCP, and over TLS if this server has a certificate. [`Server::addr`]
    /// accepts TURN too.
    pub fn turn_stream_addrs(&self) -> &[SocketAddr] {
        &self.turn_streams
    }

    /// The address of the metrics, if this server serves them.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Sends `bye` to every client, closes every connection and waits for them to end, for a few seconds at most.
    pub async fn stop(self) {
        let retry_after = self.config.retry_after;
        // If the hub has ended, there is no client left to notify.
        let _ = self.hub.send(Command::Stop { retry_after }).await;
        self.stopping.send_replace(true);
        if let Err(error) = self.listener.await {
            tracing::error!(%error, "the listener failed");
        }
        if let Some(relay) = self.relay {
            relay.stop().await;
        }
        if let Some(forwarding) = self.forwarding {
            forwarding.stop().await;
        }
    }
}

/// The secret of the relay's credentials: from the settings, or from the data folder.
fn relay_secret(config: &Config) -> Result<String, StartError> {
    match &config.secret {
        Some(secret) => Ok(secret.clone()),
        None => data::secret(config.data_dir.as_deref()),
    }
}

/// Starts to forward media, if the settings ask for it.
fn forward(config: &Config, figures: &Figures) -> Result<(Option<Forwarding>, Option<HubEnds>), StartError> {
    let Some(forwarding) = &config.forwarding else { return Ok((None, None)) };
    let ForwardingStarted { forwarding, ends } = Forwarding::start(forwarding, figures.clone())?;
    Ok((Some(forwarding), Some(ends)))
}

/// Starts to follow the certificate's files, if it is from files.
fn follow_renewals(
    encryption: Encryption,
    config: &Config,
    figures: &Figures,
    stopping: &watch::Receiver<bool>,
) -> TlsAcceptor {
    if let Some(renewal) = encryption.renewal {
        tokio::spawn(renewal.run(config.certificate_check, figures.clone(), stopping.clone()));
    }
    encryption.acceptor
}

/// Starts to serve the metrics, if the settings ask for it. Returns their address.
async fn serve_metrics(
    config: &Config,
    figures: &Figures,
    stopping: &watch::Receiver<bool>,
) -> Result<Option<SocketAddr>, StartError> {
    let Some(address) = config.metrics_listen else { return Ok(None) };
    let metrics = Metrics::bind(address).await?;
    let addr = metrics.addr();
    tokio::spawn(metrics.run(figures.clone(), stopping.clone()));
    Ok(Some(addr))
}

/// STUN and TURN, as far as this process serves them, and what clients learn of them.
struct Turning {
    relay: Option<Relay>,
    sessions: Option<Sessions>,
    streams: Option<Streams>,
    ice: IceDirectory,
    /// The sockets that accept only TURN.
    sockets: Vec<(TcpListener, Serves)>,
}

/// Starts STUN and TURN. `web` is the address of WebSockets, and `forwarder` are those of the forwarder.
async fn turning(
    config: &Config,
    secret: String,
    web: SocketAddr,
    forwarder: Option<Advertised>,
    figures: &Figures,
) -> Result<Turning, StartError> {
    let lifetime = config.credential_lifetime;
    let elsewhere = |ice| Turning { relay: None, sessions: None, streams: None, ice, sockets: Vec::new() };
    match &config.turn {
        Turn::Off => Ok(elsewhere(IceDirectory::new(Place::Nowhere, Vec::new(), lifetime))),
        Turn::External(urls) => {
            let place = Place::Elsewhere { urls: urls.clone() };
            Ok(elsewhere(IceDirectory::new(place, secret.into_bytes(), lifetime)))
        }
        Turn::Builtin(builtin) => {
            let Started { relay, sessions, streams, tcp } =
                Relay::start(builtin, secret, web, forwarder, figures.clone())?;
            let own_port = tcp.is_some().then(|| relay.addr().port());
            let sockets = turn_sockets(builtin, tcp, relay.addr()).await?;
            let streams_at = stream_ports(config, builtin, own_port);
            let place = Place::Here { port: relay.addr().port(), streams: streams_at };
            let ice = IceDirectory::new(place, relay.own_secret().to_vec(), lifetime);
            Ok(Turning { relay: Some(relay), sessions: Some(sessions), streams: Some(streams), ice, sockets })
        }
    }
}

/// The sockets that accept only TURN.
async fn turn_sockets(
    builtin: &BuiltinTurn,
    own: Option<std::net::TcpListener>,
    at: SocketAddr,
) -> Result<Vec<(TcpListener, Serves)>, StartError> {
    let failed = |address| move |source| StartError::TurnStreamListen { address, source };
    let mut sockets = Vec::new();
    if let Some(own) = own {
        sockets.push((TcpListener::from_std(own).map_err(failed(at))?, Serves::Turn));
    }
    for address in &builtin.stream_listen {
        sockets.push((TcpListener::bind(address).await.map_err(failed(*address))?, Serves::Turn));
    }
    Ok(sockets)
}

/// Where clients reach TURN over TCP and TLS.
fn stream_ports(config: &Config, builtin: &BuiltinTurn, own_port: Option<u16>) -> StreamPorts {
    let is_behind_proxy = config.tls == Tls::Off && config.public_url.as_ref().is_some_and(|url| url.scheme() == "wss");
    if !builtin.stream_urls.is_empty() {
        return StreamPorts::Configured(builtin.stream_urls.clone());
    }
    let shared = match &config.tls {
        // The proxy passes on HTTP alone.
        Tls::Off if is_behind_proxy => Shared::No,
        Tls::Off => Shared::Plain,
        Tls::SelfSigned => Shared::SelfSigned,
        Tls::Files { .. } => Shared::Tls,
    };
    StreamPorts::Own { tcp: own_port, shared }
}

fn url(config: &Config, addr: SocketAddr, encrypted: bool) -> String {
    if let Some(url) = &config.public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let scheme = if encrypted { "wss" } else { "ws" };
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("{scheme}://{}", SocketAddr::new(ip, addr.port()))
}
