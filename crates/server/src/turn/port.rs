//! One UDP socket, read and written in batches.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

/// Random port numbers tried for an allocation before it is refused (508).
const PORT_ATTEMPTS: usize = 32;
/// What one place of a batch holds: the longest datagram, or as many as the system joins (GRO), and some lines of cache
/// so that the beginnings of all places do not fall on the same ones.
const PLACE_BYTES: usize = 65_536 + 33 * 64;

/// A socket that is registered with the thread's poll.
#[derive(Debug)]
pub(super) struct Port {
    socket: UdpSocket,
    state: UdpSocketState,
    addr: SocketAddr,
    /// It waits to be read from.
    pub(super) queued: bool,
}

/// What was received at one time. One for all ports: 2.1 MiB, of which only what is used becomes memory.
pub(super) struct Batch {
    buffer: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
    filled: usize,
}

impl Port {
    /// Binds a socket with room for `buffer` bytes in the system, as far as that allows it.
    pub(super) fn bind(addr: SocketAddr, only_v6: bool, buffer: usize) -> io::Result<Port> {
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
                tracing::debug!(%error, "the system gives no larger buffer");
            }
        }
        allow_fragments(&socket);
        let addr = socket.local_addr()?;
        Ok(Port { socket, state, addr, queued: false })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    pub(super) fn deregister(&mut self, registry: &Registry) {
        if let Err(error) = registry.deregister(&mut self.socket) {
            tracing::debug!(%error, "a relay port was not registered");
        }
    }

    /// Receives into a batch; true if there may be more.
    pub(super) fn receive(&self, batch: &mut Batch) -> bool {
        batch.filled = 0;
        let mut places = batch.buffer.chunks_mut(PLACE_BYTES);
        let mut places: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(places.next().unwrap_or_default()));
        let metas = &mut batch.metas;
        match self.socket.try_io(|| self.state.recv(UdpSockRef::from(&self.socket), &mut places, metas)) {
            Ok(filled) => {
                batch.filled = filled;
                // Whatever comes after a batch that was not full is told of anew; elsewhere only what finds it empty is.
                filled == BATCH_SIZE || !cfg!(unix)
            }
            // On Windows an earlier datagram that reached nobody is reported here.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => true,
            Err(_) => false,
        }
    }

    /// Datagrams that one call can send, if they are equally long.
    pub(super) fn segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Sends at once or not at all: UDP may lose it anyway, and that a peer cannot be reached is for ICE to find out.
    pub(super) fn send(&self, to: SocketAddr, from: Option<IpAddr>, contents: &[u8], segment: Option<usize>) {
        let transmit = Transmit { destination: to, ecn: None, contents, segment_size: segment, src_ip: from };
        let sent = self.socket.try_io(|| self.state.try_send(UdpSockRef::from(&self.socket), &transmit));
        if let Err(error) = sent {
            tracing::trace!(%error, "not sent");
        }
    }
}

/// `quinn-udp` forbids fragments, as QUIC wants it. A relay passes on what others send, at whatever length (RFC 8656
/// section 15: the DF bit is not set for whoever does not ask).
#[cfg(target_os = "linux")]
fn allow_fragments(socket: &UdpSocket) {
    use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
    if let Err(error) = set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::WANT) {
        tracing::debug!(%error, "long datagrams are not cut into fragments");
    }
}

#[cfg(not(target_os = "linux"))]
fn allow_fragments(_: &UdpSocket) {}

impl Batch {
    pub(super) fn new() -> Batch {
        let metas = [RecvMeta::default(); BATCH_SIZE];
        Batch { buffer: vec![0; PLACE_BYTES * BATCH_SIZE], metas, filled: 0 }
    }

    /// Each datagram, with where it came from and to which of our addresses.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, Option<IpAddr>, &[u8])> {
        let places = self.buffer.chunks(PLACE_BYTES).zip(&self.metas).take(self.filled);
        places.flat_map(|(place, meta)| {
            let joined = &place[..meta.len.min(place.len())];
            // An empty datagram is one too.
            let empty = joined.is_empty().then_some(joined);
            let each = joined.chunks(meta.stride.max(1)).chain(empty);
            each.map(|datagram| (canonical(meta.addr), meta.dst_ip.map(|ip| ip.to_canonical()), datagram))
        })
    }
}

/// Sockets of an allocation: at a random port of a range, and the one above if that is wanted too.
pub(super) fn bind_relayed(
    ip: IpAddr,
    range: &RangeInclusive<u16>,
    even: bool,
    beside: bool,
    buffer: usize,
) -> Option<(Port, Option<Port>)> {
    let (first, last) = (u32::from(*range.start()), u32::from(*range.end()));
    for _ in 0..PORT_ATTEMPTS {
        let mut random = [0; 4];
        getrandom::fill(&mut random).ok()?;
        // Random, so that a relayed address cannot be guessed from the last (RFC 8656 section 7.2).
        let number = first + u32::from_be_bytes(random) % (last - first + 1);
        let number = if even { number & !1 } else { number };
        let above = number + 1;
        if number < first || (beside && above > last) {
            continue;
        }
        let bind = |number: u32| Port::bind(SocketAddr::new(ip, u16::try_from(number).ok()?), true, buffer).ok();
        let Some(port) = bind(number) else { continue };
        if !beside {
            return Some((port, None));
        }
        if let Some(above) = bind(above) {
            return Some((port, Some(above)));
        }
    }
    None
}

fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
