//! Sockets that talk to a relay.
//!
//! What comes through TURN is unwrapped at the end of the driver's round, after its writes and events were served, so
//! answers to it would wait until something else wakes the driver: tens of milliseconds at every step of ICE and DTLS.
//! A datagram of a relay therefore asks for one round more.

use crate::kick::Kick;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// The relays of a connection.
#[derive(Debug)]
pub(crate) struct Relays {
    addresses: Vec<SocketAddr>,
    kick: Arc<Kick>,
}

impl Relays {
    pub(crate) fn new(addresses: Vec<SocketAddr>, kick: Arc<Kick>) -> Relays {
        Relays { addresses, kick }
    }

    /// The socket, asking for a round more where it must.
    pub(crate) fn watch(self: &Arc<Self>, socket: Arc<dyn AsyncUdpSocket>) -> Arc<dyn AsyncUdpSocket> {
        if self.addresses.is_empty() { socket } else { Arc::new(Watched { socket, relays: self.clone() }) }
    }
}

/// A socket over which relays may be reached.
#[derive(Debug)]
struct Watched {
    socket: Arc<dyn AsyncUdpSocket>,
    relays: Arc<Relays>,
}

impl AsyncUdpSocket for Watched {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, context: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        self.socket.poll_send(context, transmit)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let outcome = self.socket.poll_recv(context, buffers, meta);
        if let Poll::Ready(Ok(count)) = outcome
            && meta.iter().take(count).any(|meta| self.relays.addresses.contains(&meta.addr))
        {
            self.relays.kick.kick();
        }
        outcome
    }

    fn max_gso_segments(&self) -> usize {
        self.socket.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.socket.max_gro_segments()
    }
}
