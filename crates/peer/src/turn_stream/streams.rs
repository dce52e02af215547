//! The TURN servers of a connection that are reached over streams.

use super::address;
use super::carrier::Carrier;
use super::connector::{Connector, StreamServer};
use super::link::{Datagram, Link};
use crate::handler::DriverEvent;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// The servers of one connection, and which of them have a stream.
#[derive(Debug)]
pub(crate) struct Streams {
    servers: Vec<StreamServer>,
    connector: Connector,
    /// Whether a server has a stream since the library began to gather.
    taken: Mutex<Vec<bool>>,
    /// The runtime of the tasks.
    runtime: Handle,
    events: mpsc::Sender<DriverEvent>,
}

impl Streams {
    /// Must be called within a tokio runtime.
    pub(crate) fn new(
        servers: Vec<StreamServer>,
        connector: Connector,
        events: mpsc::Sender<DriverEvent>,
    ) -> Arc<Streams> {
        let taken = Mutex::new(vec![false; servers.len()]);
        Arc::new(Streams { servers, connector, taken, runtime: Handle::current(), events })
    }

    /// The addresses of a host, if it stands for one of the servers. The library asks when it gathers, and has new
    /// sockets then, so a new stream may be opened.
    pub(crate) fn resolve(&self, host: &str) -> Option<Vec<SocketAddr>> {
        let server = address::server_of_host(host).filter(|server| *server < self.servers.len())?;
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)[server] = false;
        Some(address::addresses(server))
    }

    /// Number of servers.
    pub(super) fn count(&self) -> usize {
        self.servers.len()
    }

    /// Starts to open a stream. `None` if the server has one already: allocations from further sockets would take the
    /// same way.
    pub(super) fn open(&self, server: usize, at: SocketAddr, incoming: mpsc::Sender<Datagram>) -> Option<Arc<Link>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(taken.get_mut(server)?, true) {
            return None;
        }
        let link = Link::new();
        let carrier = Carrier {
            server: self.servers.get(server)?.clone(),
            connector: self.connector.clone(),
            link: link.clone(),
            incoming,
            at,
            lost: DriverEvent::RelayLost { server },
            events: self.events.clone(),
        };
        self.runtime.spawn(carrier.run());
        Some(link)
    }
}
