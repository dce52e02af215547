//! The TURN servers of a connection that are reached over streams.

use super::address;
use super::carrier::Carrier;
use super::connector::{Connector, StreamServer};
use super::link::{Datagram, Link};
use crate::handler::DriverEvent;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// The servers of one connection, and which of them have a stream.
#[derive(Debug)]
pub(crate) struct Streams {
    servers: Mutex<Vec<Entry>>,
    connector: Connector,
    /// The runtime of the tasks.
    runtime: Handle,
    events: mpsc::Sender<DriverEvent>,
}

#[derive(Debug)]
struct Entry {
    server: StreamServer,
    /// Whether it has a stream since the library began to gather.
    is_taken: bool,
}

impl Streams {
    /// Must be called within a tokio runtime.
    pub(crate) fn new(
        servers: Vec<StreamServer>,
        connector: Connector,
        events: mpsc::Sender<DriverEvent>,
    ) -> Arc<Streams> {
        let servers = Mutex::new(entries(servers));
        Arc::new(Streams { servers, connector, runtime: Handle::current(), events })
    }

    /// Replaces the servers, for sockets that are made from now on. Open streams continue.
    pub(crate) fn set_servers(&self, servers: Vec<StreamServer>) {
        *self.servers() = entries(servers);
    }

    /// The addresses of a host, if it stands for one of the servers. The library asks when it gathers, and has new
    /// sockets then, so a new stream may be opened.
    pub(crate) fn resolve(&self, host: &str) -> Option<Vec<SocketAddr>> {
        let server = address::server_of_host(host)?;
        self.servers().get_mut(server)?.is_taken = false;
        Some(address::addresses(server))
    }

    /// Number of servers.
    pub(super) fn count(&self) -> usize {
        self.servers().len()
    }

    /// Starts to open a stream. `None` if the server has one already: allocations from further sockets would take the
    /// same way.
    pub(super) fn open(&self, server: usize, at: SocketAddr, incoming: mpsc::Sender<Datagram>) -> Option<Arc<Link>> {
        let mut servers = self.servers();
        let entry = servers.get_mut(server)?;
        if std::mem::replace(&mut entry.is_taken, true) {
            return None;
        }
        let link = Link::new();
        let carrier = Carrier {
            server: entry.server.clone(),
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

    fn servers(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entries(servers: Vec<StreamServer>) -> Vec<Entry> {
    servers.into_iter().map(|server| Entry { server, is_taken: false }).collect()
}
