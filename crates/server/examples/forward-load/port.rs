//! A UDP socket that says when the system received each datagram.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};

/// Bytes that the system keeps for one client while the program is busy, if it allows as many.
const SOCKET_BUFFER: usize = 2 << 20;
/// The longest datagram, or as many as the system joins (GRO).
const PLACE_BYTES: usize = 65_536;

pub(crate) struct Port {
    socket: UdpSocket,
    state: UdpSocketState,
    pub(crate) address: SocketAddr,
}

impl Port {
    pub(crate) fn bind(ip: IpAddr) -> io::Result<Port> {
        let socket = UdpSocket::bind(SocketAddr::new(ip, 0))?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        state.set_recv_buffer_size(UdpSockRef::from(&socket), SOCKET_BUFFER)?;
        let address = socket.local_addr()?;
        Ok(Port { socket, state, address })
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    /// A full socket loses datagrams, like any network.
    pub(crate) fn send(&self, to: SocketAddr, datagram: &[u8]) {
        let _ = self.socket.send_to(datagram, to);
    }

    /// Reads one batch. Returns whether there may be more.
    pub(crate) fn receive(&self, batch: &mut Batch) -> bool {
        let mut places = batch.buffer.chunks_mut(PLACE_BYTES);
        let mut places: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(places.next().unwrap_or_default()));
        let (state, socket, metas) = (&self.state, &self.socket, &mut batch.metas);
        let read = socket.try_io(|| state.recv(UdpSockRef::from(socket), &mut places, metas));
        batch.filled = read.unwrap_or(0);
        batch.filled == BATCH_SIZE
    }
}

/// What one call has read.
pub(crate) struct Batch {
    buffer: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
    filled: usize,
}

impl Batch {
    pub(crate) fn new() -> Batch {
        Batch { buffer: vec![0; PLACE_BYTES * BATCH_SIZE], metas: [RecvMeta::default(); BATCH_SIZE], filled: 0 }
    }

    /// Each datagram with its source, and when the system received it, in microseconds since 1970.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, u64, &[u8])> {
        let filled = self.buffer.chunks(PLACE_BYTES).zip(&self.metas).take(self.filled);
        filled.flat_map(|(place, meta)| {
            let at = meta.timestamp.as_ref().map_or(0, Duration::as_micros) as u64;
            place[..meta.len].chunks(meta.stride.max(1)).map(move |datagram| (meta.addr, at, datagram))
        })
    }
}
