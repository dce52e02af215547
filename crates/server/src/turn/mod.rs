//! STUN and TURN over UDP in this process (RFC 8489, RFC 8656).
//!
//! `relay` decides. This module has its sockets, in a thread of their own, and the hub's updates on who may use it.

mod addresses;
mod outbox;
mod port;
mod service;
mod sessions;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Instant;

use mio::{Poll, Waker};
use relay::{Config, PeerPolicy, Secrets, Shares};

use crate::config::BuiltinTurn;
use crate::error::StartError;
use addresses::RelayAddresses;
use port::Port;
use service::{LISTENER, Service, Sockets, WAKER};
pub(crate) use sessions::Sessions;

/// Socket buffer for what clients send while the thread is busy: 0.1 s at 1 Gbit/s, if the system allows as much.
const LISTENER_BUFFER: usize = 4 << 20;

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
    /// Starts the relay. `shared` is the secret of credentials that other programs make.
    pub(crate) fn start(config: &BuiltinTurn, shared: String) -> Result<(Relay, Sessions), StartError> {
        let failed = |source| StartError::TurnListen { address: config.listen, source };
        let own = random().map_err(failed)?;
        let (updates, receiver) = sync_channel(sessions::UPDATES);
        let poll = Poll::new().map_err(failed)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(failed)?);
        let mut listener = Port::bind(config.listen, false, LISTENER_BUFFER).map_err(failed)?;
        listener.register(poll.registry(), LISTENER).map_err(failed)?;
        let addr = listener.addr();
        let decides = Config {
            policy: PeerPolicy { allow_lan: config.allow_lan, allow_loopback: config.allow_loopback },
            shares: Shares { per_person: config.per_person, total: config.total },
            secrets: Secrets { own, shared: Some(shared) },
            key: random().map_err(failed)?,
        };
        let stopping = Arc::new(AtomicBool::new(false));
        let service = Service {
            poll,
            listener,
            relay: relay::Relay::new(decides, Instant::now()),
            updates: receiver,
            stopping: Arc::clone(&stopping),
            addresses: RelayAddresses { external: config.external.clone(), listen: addr.ip() },
            range: config.ports.clone(),
            sockets: Sockets::new(),
        };
        let thread = std::thread::Builder::new().name("relay".into()).spawn(|| service.run()).map_err(failed)?;
        let sessions = Sessions::new(updates, Arc::clone(&waker));
        Ok((Relay { addr, own, stopping, waker, thread: Some(thread) }, sessions))
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

fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}
