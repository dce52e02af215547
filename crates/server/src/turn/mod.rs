//! STUN and TURN over UDP, TCP and TLS in this process (RFC 8489, RFC 8656).
//!
//! `relay` decides. This module has its UDP sockets, in a thread of their own, and the hub's updates on who may use it.
//! The listener accepts TCP and TLS streams; `stream` connects them to the thread.

mod addresses;
mod outbox;
mod outlets;
mod relayed;
mod service;
mod sessions;
mod stream;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Instant;

use mio::{Poll, Waker};
use relay::{Bandwidth, Config, PeerPolicy, Secrets, Shares};

use crate::config::BuiltinTurn;
use crate::error::StartError;
use crate::figures::Figures;
use crate::forwarding::Advertised;
use crate::udp::Port;
use addresses::RelayAddresses;
use outlets::Outlets;
use service::{LISTENER, Service, Sockets, WAKER};
pub(crate) use sessions::Sessions;
pub(crate) use stream::{STREAM_BYTES, Streams, streams_for};

/// Socket buffer for what clients send while the thread is busy: 0.1 s at 1 Gbit/s, if the system allows as much.
const LISTENER_BUFFER: usize = 4 << 20;
/// Number of ports tried, if any will do, until one is free for both UDP and TCP.
const PORT_ATTEMPTS: usize = 16;

/// What [`Relay::start`] returns.
pub(crate) struct Started {
    pub(crate) relay: Relay,
    /// For the hub.
    pub(crate) sessions: Sessions,
    /// For the listener.
    pub(crate) streams: Streams,
    /// Accepts streams on the same port as UDP.
    pub(crate) tcp: Option<TcpListener>,
}

/// A running relay. It ends soon after it is dropped; [`Relay::stop`] waits for the end.
pub(crate) struct Relay {
    addr: SocketAddr,
    /// The secret of its own credentials.
    own: [u8; 32],
    stopping: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Starts the relay. `shared` is the secret of credentials that other programs make. The caller accepts streams from
    /// the listener, if there is one: `web` is the TCP address on which it accepts them anyway. Of this machine, clients reach
    /// only the `forwarder` through the relay.
    pub(crate) fn start(
        config: &BuiltinTurn,
        shared: String,
        web: SocketAddr,
        forwarder: Option<Advertised>,
        figures: Figures,
    ) -> Result<Started, StartError> {
        let failed = |source| StartError::TurnListen { address: config.listen, source };
        let own = random().map_err(failed)?;
        let (updates, receiver) = sync_channel(sessions::UPDATES);
        let poll = Poll::new().map_err(failed)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(failed)?);
        let (mut listener, tcp) = bind(config.listen, web)?;
        listener.register(poll.registry(), LISTENER).map_err(failed)?;
        let addr = listener.addr();
        let decides = Config {
            policy: PeerPolicy { allow_lan: config.allow_lan, allow_loopback: config.allow_loopback },
            shares: Shares { per_person: config.per_person, total: config.total },
            secrets: Secrets { own, shared: Some(shared) },
            key: random().map_err(failed)?,
        };
        let (messages, streams) = sync_channel(stream::messages_for(config.total));
        let inlet = Streams::new(messages, Arc::clone(&waker), config.total);
        let stopping = Arc::new(AtomicBool::new(false));
        let service = Service {
            poll,
            listener,
            relay: relay::Relay::new(decides, Instant::now()),
            updates: receiver,
            streams,
            streams_woken: Arc::clone(&inlet.woken),
            outlets: Outlets::default(),
            stopping: Arc::clone(&stopping),
            addresses: RelayAddresses { external: config.external.clone(), listen: addr.ip() },
            forwarder,
            range: config.ports.clone(),
            sockets: Sockets::new(),
            bandwidth: config.bandwidth.map(|bits| Bandwidth::new(bits, Instant::now())),
            figures,
        };
        let thread = std::thread::Builder::new().name("relay".into()).spawn(|| service.run()).map_err(failed)?;
        let sessions = Sessions::new(updates, Arc::clone(&waker));
        let relay = Relay { addr, own, stopping, waker, thread: Some(thread) };
        Ok(Started { relay, sessions, streams: inlet, tcp })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The secret for credentials that are valid only while their session lives.
    pub(crate) fn own_secret(&self) -> [u8; 32] {
        self.own
    }

    pub(crate) async fn stop(mut self) {
        self.end();
        let Some(thread) = self.thread.take() else { return };
        let ended = tokio::task::spawn_blocking(|| thread.join()).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::error!("the relay's thread panicked");
        }
    }

    fn end(&self) {
        self.stopping.store(true, Ordering::Release);
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake the relay");
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end();
    }
}

/// Binds the UDP socket, and a TCP listener with the same port unless `web` covers it.
fn bind(listen: SocketAddr, web: SocketAddr) -> Result<(Port, Option<TcpListener>), StartError> {
    let udp_failed = |source| StartError::TurnListen { address: listen, source };
    let tcp_failed = |source| StartError::TurnStreamListen { address: listen, source };
    let mut attempts = if listen.port() == 0 { PORT_ATTEMPTS } else { 1 };
    loop {
        let port = Port::bind(listen, false, LISTENER_BUFFER).map_err(udp_failed)?;
        if covers(web, port.addr()) {
            return Ok((port, None));
        }
        attempts -= 1;
        match TcpListener::bind(port.addr()) {
            Ok(tcp) => {
                tcp.set_nonblocking(true).map_err(tcp_failed)?;
                return Ok((port, Some(tcp)));
            }
            Err(error) if attempts == 0 => return Err(tcp_failed(error)),
            Err(_) => {}
        }
    }
}

/// Whether a listener at `web` accepts what is sent to `addr`.
fn covers(web: SocketAddr, addr: SocketAddr) -> bool {
    web.port() == addr.port() && (web.ip() == addr.ip() || web.ip().is_unspecified())
}

fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}
