//! Forwards the media of large rooms, over UDP in this process.
//!
//! `rooms` decides which rooms are forwarded, and `sfu` what is sent to whom. This module has the UDP socket, in a thread
//! of its own that owns [`sfu::Sfu`], and two bounded queues between that thread and the hub.

mod addresses;
mod people;
mod reports;
mod requests;
mod service;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use mio::{Poll, Waker};
use sfu::{Bounds, Rate, Sfu};
use tokio::sync::mpsc;

use crate::config;
use crate::error::StartError;
use crate::figures::Figures;
use crate::udp::Port;
pub(crate) use addresses::Advertised;
pub(crate) use reports::Report;
use reports::Reports;
pub(crate) use requests::{Busy, Requests};
use service::{SOCKET, Service, WAKER};

/// Socket buffer for what clients send while the thread is busy: 0.1 s at 1 Gbit/s, if the system allows as much.
const SOCKET_BUFFER: usize = 4 << 20;

/// What [`Forwarding::start`] returns.
pub(crate) struct Started {
    pub(crate) forwarding: Forwarding,
    /// For the hub.
    pub(crate) ends: HubEnds,
}

/// The hub's ends of the queues.
pub(crate) struct HubEnds {
    pub(crate) requests: Requests,
    pub(crate) reports: mpsc::Receiver<Report>,
}

/// A running forwarder. It ends soon after it is dropped; [`Forwarding::stop`] waits for the end.
pub(crate) struct Forwarding {
    addr: SocketAddr,
    external: Vec<IpAddr>,
    stopping: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Forwarding {
    pub(crate) fn start(config: &config::Forwarding, figures: Figures) -> Result<Started, StartError> {
        let failed = |source| StartError::ForwardListen { address: config.listen, source };
        let poll = Poll::new().map_err(failed)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(failed)?);
        let mut port = Port::bind(config.listen, false, SOCKET_BUFFER).map_err(failed)?;
        port.register(poll.registry(), SOCKET).map_err(failed)?;
        let addr = port.addr();
        let advertised = Advertised::new(config.external.clone(), addr);
        let (certificate, private_key) = certificate().map_err(failed)?;
        let addresses = advertised.all().to_vec();
        let bounds = Bounds { published: published(config.person_bits), room_bits: config.room_bits };
        let (requests, receiver) = sync_channel(requests::REQUESTS);
        let (sender, reports) = mpsc::channel(reports::REPORTS);
        let stopping = Arc::new(AtomicBool::new(false));
        let sfu = Sfu::new(sfu::Config { certificate, private_key, addresses, bounds });
        let (stops, reported) = (Arc::clone(&stopping), Reports::new(sender));
        let service = Service::new(poll, port, sfu, receiver, reported, stops, advertised, figures);
        let thread = std::thread::Builder::new().name("forwarder".into()).spawn(|| service.run()).map_err(failed)?;
        let requests = Requests::new(requests, Arc::clone(&waker));
        let forwarding = Forwarding { addr, external: config.external.clone(), stopping, waker, thread: Some(thread) };
        Ok(Started { forwarding, ends: HubEnds { requests, reports } })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where clients reach it at present.
    pub(crate) fn advertised(&self) -> Advertised {
        Advertised::new(self.external.clone(), self.addr)
    }

    pub(crate) async fn stop(mut self) {
        self.end();
        let Some(thread) = self.thread.take() else { return };
        let ended = tokio::task::spawn_blocking(|| thread.join()).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::error!("the forwarder's thread panicked");
        }
    }

    fn end(&self) {
        self.stopping.store(true, Ordering::Release);
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake the forwarder");
        }
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        self.end();
    }
}

/// Bytes of one person in a second, with half a second at once.
fn published(bits: u64) -> Rate {
    let bytes = u32::try_from(bits / 8).unwrap_or(u32::MAX).max(1);
    Rate::new(bytes, (bytes / 2).max(1))
}

/// A certificate for DTLS and its key, new at each start. Clients learn its fingerprint from the answer.
fn certificate() -> io::Result<(Vec<u8>, Vec<u8>)> {
    let failed = |error: rcgen::Error| io::Error::other(error.to_string());
    let key = rcgen::KeyPair::generate().map_err(failed)?;
    let parameters = rcgen::CertificateParams::new(vec!["lunchroom".to_owned()]).map_err(failed)?;
    let signed = parameters.self_signed(&key).map_err(failed)?;
    Ok((signed.der().to_vec(), key.serialize_der()))
}
