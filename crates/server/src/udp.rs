//! One UDP socket, read and written in batches.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

/// Size of one slot of a batch, in bytes: the longest datagram, or as many as the system joins (GRO), plus some cache
/// lines so that the slots do not all start on the same ones.
const PLACE_BYTES: usize = 65_536 + 33 * 64;

/// A socket registered with a thread's poll.
#[derive(Debug)]
pub(crate) struct Port {
    socket: UdpSocket,
    state: UdpSocketState,
    addr: SocketAddr,
    /// Whether it is in the queue to be read.
    pub(crate) queued: bool,
}

/// The datagrams of one receive call. Shared by all ports: 2.1 MiB of address space, of which only used pages take
/// memory.
pub(crate) struct Batch {
    buffer: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
    filled: usize,
}

impl Port {
    /// Binds a socket with buffers of `buffer` bytes, if the system allows as many.
    pub(crate) fn bind(addr: SocketAddr, only_v6: bool, buffer: usize) -> io::Result<Port> {
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        if addr.is_ipv6() && only_v6 {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        let socket = UdpSocket::from_std(socket.into());
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        for enlarge in [UdpSocketState::set_recv_buffer_size, UdpSocketState::set_send_buffer_size] {
            if let Err(error) = enlarge(&state, UdpSockRef::from(&socket), buffer) {
                tracing::debug!(%error, "the system limits the socket buffer");
            }
        }
        allow_fragments(&socket);
        let addr = socket.local_addr()?;
        Ok(Port { socket, state, addr, queued: false })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) {
        if let Err(error) = registry.deregister(&mut self.socket) {
            tracing::debug!(%error, "a socket was not registered");
        }
    }

    /// Receives datagrams into a batch. Returns true if there may be more.
    pub(crate) fn receive(&self, batch: &mut Batch) -> bool {
        batch.filled = 0;
        let mut places = batch.buffer.chunks_mut(PLACE_BYTES);
        let mut places: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(places.next().unwrap_or_default()));
        let metas = &mut batch.metas;
        match self.socket.try_io(|| self.state.recv(UdpSockRef::from(&self.socket), &mut places, metas)) {
            Ok(filled) => {
                batch.filled = filled;
                // On Unix, poll reports datagrams that arrive after a batch that was not full. Elsewhere, it does so
                // only after a read has found the socket empty.
                filled == BATCH_SIZE || !cfg!(unix)
            }
            // Windows reports here that an earlier datagram was undeliverable.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => true,
            Err(_) => false,
        }
    }

    /// Number of equally long datagrams that one call can send.
    pub(crate) fn segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Sends or drops, without waiting. UDP may lose datagrams anyway, and ICE detects unreachable peers.
    pub(crate) fn send(&self, to: SocketAddr, from: Option<IpAddr>, contents: &[u8], segment: Option<usize>) {
        let transmit = Transmit { destination: to, ecn: None, contents, segment_size: segment, src_ip: from };
        let sent = self.socket.try_io(|| self.state.try_send(UdpSockRef::from(&self.socket), &transmit));
        if let Err(error) = sent {
            tracing::trace!(%error, "not sent");
        }
    }
}

/// `quinn-udp` forbids fragmentation, as QUIC requires. A relay forwards datagrams of any length, so it allows
/// fragmentation unless the client requests otherwise (the DF bit, RFC 8656 section 15).
#[cfg(target_os = "linux")]
fn allow_fragments(socket: &UdpSocket) {
    use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
    if let Err(error) = set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::WANT) {
        tracing::debug!(%error, "cannot enable fragmentation of long datagrams");
    }
}

#[cfg(not(target_os = "linux"))]
fn allow_fragments(_: &UdpSocket) {}

impl Batch {
    pub(crate) fn new() -> Batch {
        let metas = [RecvMeta::default(); BATCH_SIZE];
        Batch { buffer: vec![0; PLACE_BYTES * BATCH_SIZE], metas, filled: 0 }
    }

    /// Each datagram, with its source and the local address that it was sent to.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, Option<IpAddr>, &[u8])> {
        let places = self.buffer.chunks(PLACE_BYTES).zip(&self.metas).take(self.filled);
        places.flat_map(|(place, meta)| {
            let joined = &place[..meta.len.min(place.len())];
            // An empty datagram counts too.
            let empty = joined.is_empty().then_some(joined);
            let each = joined.chunks(meta.stride.max(1)).chain(empty);
            each.map(|datagram| (canonical(meta.addr), meta.dst_ip.map(|ip| ip.to_canonical()), datagram))
        })
    }
}

fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
