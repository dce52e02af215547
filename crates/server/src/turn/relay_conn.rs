//! The sockets of the relay: the one clients talk to, and one for each allocation.

use std::any::Any;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::UdpSocket;
use tokio::time::sleep;
use turn::relay::RelayAddressGenerator;
use webrtc_util::Conn;

use super::policy::PeerPolicy;
use super::quota::{Place, Quota};
use super::{ANSWERED, ASKING};

type ConnResult<T> = Result<T, webrtc_util::Error>;

/// Random ports tried for an allocation before it is refused (508).
const PORT_ATTEMPTS: usize = 32;
/// Pause after a socket could not be read: an error that stays must not keep a core busy.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// The socket clients talk to. Addresses look the same whether it is an IPv4 socket or one for both families.
pub(super) struct ListenConn {
    socket: UdpSocket,
    addr: SocketAddr,
}

impl ListenConn {
    pub(super) fn new(socket: UdpSocket, addr: SocketAddr) -> ListenConn {
        ListenConn { socket, addr }
    }

    /// The next datagram and where it came from.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> (usize, SocketAddr) {
        loop {
            match self.socket.recv_from(buffer).await {
                Ok((length, source)) => return (length, canonical(source)),
                // On Windows an earlier datagram that reached nobody is reported here.
                Err(_) => sleep(ERROR_PAUSE).await,
            }
        }
    }

    pub(super) async fn answer(&self, answer: &[u8], to: SocketAddr) {
        if let Err(error) = self.socket.send_to(answer, self.native(to)).await {
            tracing::trace!(%error, "answer not sent");
        }
    }

    fn native(&self, to: SocketAddr) -> SocketAddr {
        match (self.addr, to.ip()) {
            (SocketAddr::V6(_), IpAddr::V4(ip)) => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
            _ => to,
        }
    }
}

#[async_trait]
impl Conn for ListenConn {
    async fn connect(&self, _: SocketAddr) -> ConnResult<()> {
        Err(unsupported())
    }

    async fn recv(&self, _: &mut [u8]) -> ConnResult<usize> {
        Err(unsupported())
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> ConnResult<(usize, SocketAddr)> {
        Ok(self.receive(buffer).await)
    }

    async fn send(&self, _: &[u8]) -> ConnResult<usize> {
        Err(unsupported())
    }

    async fn send_to(&self, data: &[u8], to: SocketAddr) -> ConnResult<usize> {
        if let Some(&[high, low]) = data.first_chunk() {
            // Relayed data is sent outside of any request, where nobody asks.
            let _ = ANSWERED.try_with(|answered| answered.set(u16::from_be_bytes([high, low])));
        }
        Ok(self.socket.send_to(data, self.native(to)).await?)
    }

    fn local_addr(&self) -> ConnResult<SocketAddr> {
        Ok(self.addr)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        None
    }

    async fn close(&self) -> ConnResult<()> {
        // Each allocation "closes" it when it ends; it belongs to all.
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

/// Where relayed addresses are: what a peer is told, and what the socket is bound to, for each family there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RelayAddresses {
    v4: Option<RelayAddress>,
    v6: Option<RelayAddress>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RelayAddress {
    told: IpAddr,
    bound: IpAddr,
}

impl RelayAddresses {
    /// `external` as configured, else the address that is listened on, else the machine's `own`.
    pub(super) fn new(external: &[IpAddr], listen: IpAddr, own: impl Fn(bool) -> Option<IpAddr>) -> RelayAddresses {
        let find = |v6: bool| {
            let bound = Some(listen).filter(|ip| ip.is_ipv6() == v6 && !ip.is_unspecified());
            let told = external.iter().copied().find(|ip| ip.is_ipv6() == v6);
            // Without any route this machine still reaches itself; an IPv6 listener alone says nothing of IPv4.
            let nowhere: Option<IpAddr> = (!v6).then_some(Ipv4Addr::LOCALHOST.into());
            let told = told.or(bound).or_else(|| own(v6)).or(nowhere.filter(|_| listen.is_ipv4()))?;
            let any: IpAddr = if v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
            Some(RelayAddress { told, bound: bound.unwrap_or(any) })
        };
        RelayAddresses { v4: find(false), v6: find(true) }
    }
}

/// Opens the socket of each allocation.
pub(super) struct RelayConns {
    pub(super) addresses: RelayAddresses,
    pub(super) ports: RangeInclusive<u16>,
    pub(super) policy: PeerPolicy,
    pub(super) quota: Arc<Quota>,
}

#[async_trait]
impl RelayAddressGenerator for RelayConns {
    fn validate(&self) -> Result<(), turn::Error> {
        Ok(())
    }

    async fn allocate_conn(
        &self,
        use_ipv4: bool,
        _port: u16,
    ) -> Result<(Arc<dyn Conn + Send + Sync>, SocketAddr), turn::Error> {
        let refuse = |text: &str| turn::Error::Other(text.to_owned());
        let person = ASKING.with(|asking| asking.borrow().clone()).ok_or_else(|| refuse("nobody asks"))?;
        let place = self.quota.take(&person).ok_or_else(|| refuse("quota reached"))?;
        let address = if use_ipv4 { self.addresses.v4 } else { self.addresses.v6 };
        let address = address.ok_or_else(|| refuse("no address of this family"))?;
        let socket = self.bind(address.bound).await.ok_or_else(|| refuse("no port is free"))?;
        let told = SocketAddr::new(address.told, socket.local_addr()?.port());
        Ok((Arc::new(RelayConn { socket, policy: self.policy, _place: place }), told))
    }
}

impl RelayConns {
    async fn bind(&self, ip: IpAddr) -> Option<UdpSocket> {
        let (first, last) = (u32::from(*self.ports.start()), u32::from(*self.ports.end()));
        for _ in 0..PORT_ATTEMPTS {
            let mut random = [0; 4];
            getrandom::fill(&mut random).ok()?;
            // Random, so that a relayed address cannot be guessed from the last (RFC 8656 section 7.2).
            let port = first + u32::from_be_bytes(random) % (last - first + 1);
            let port = u16::try_from(port).ok()?;
            if let Ok(socket) = UdpSocket::bind((ip, port)).await {
                return Some(socket);
            }
        }
        None
    }
}

/// The socket of one allocation. It neither sends to nor hears from a peer that is not allowed.
struct RelayConn {
    socket: UdpSocket,
    policy: PeerPolicy,
    _place: Place,
}

#[async_trait]
impl Conn for RelayConn {
    async fn connect(&self, _: SocketAddr) -> ConnResult<()> {
        Err(unsupported())
    }

    async fn recv(&self, _: &mut [u8]) -> ConnResult<usize> {
        Err(unsupported())
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> ConnResult<(usize, SocketAddr)> {
        loop {
            match self.socket.recv_from(buffer).await {
                Ok((length, source)) if self.policy.allows(source.ip()) => return Ok((length, source)),
                Ok(_) => {}
                // The crate would end the allocation; an unreachable peer is no reason to.
                Err(_) => sleep(ERROR_PAUSE).await,
            }
        }
    }

    async fn send(&self, _: &[u8]) -> ConnResult<usize> {
        Err(unsupported())
    }

    async fn send_to(&self, data: &[u8], to: SocketAddr) -> ConnResult<usize> {
        if self.policy.allows(to.ip()) {
            // UDP may lose it anyway: that a peer cannot be reached is for ICE to find out.
            if let Err(error) = self.socket.send_to(data, to).await {
                tracing::trace!(%error, "not relayed");
            }
        }
        Ok(data.len())
    }

    fn local_addr(&self) -> ConnResult<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        None
    }

    async fn close(&self) -> ConnResult<()> {
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

fn unsupported() -> webrtc_util::Error {
    io::Error::from(io::ErrorKind::Unsupported).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn own(v6: bool) -> Option<IpAddr> {
        Some(ip(if v6 { "2001:db8::5" } else { "192.168.1.5" }))
    }

    #[test]
    fn relayed_addresses_are_the_configured_ones_then_the_listening_one_then_the_machine_s() {
        let told = |addresses: RelayAddresses| (addresses.v4.map(|a| a.told), addresses.v6.map(|a| a.told));
        let configured = RelayAddresses::new(&[ip("203.0.113.9")], ip("0.0.0.0"), own);
        assert_eq!(told(configured), (Some(ip("203.0.113.9")), Some(ip("2001:db8::5"))));
        assert_eq!(configured.v4.map(|a| a.bound), Some(ip("0.0.0.0")));
        let listening = RelayAddresses::new(&[], ip("127.0.0.1"), |_| None);
        assert_eq!(told(listening), (Some(ip("127.0.0.1")), None));
        assert_eq!(listening.v4.map(|a| a.bound), Some(ip("127.0.0.1")));
        assert_eq!(told(RelayAddresses::new(&[], ip("0.0.0.0"), |_| None)), (Some(ip("127.0.0.1")), None));
        assert_eq!(told(RelayAddresses::new(&[], ip("::1"), |_| None)), (None, Some(ip("::1"))));
    }

    async fn conn(policy: PeerPolicy) -> RelayConn {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let place = Arc::new(Quota::new(1, 1)).take("ada").expect("a place");
        RelayConn { socket, policy, _place: place }
    }

    /// Whatever the layers above have let through: this one does not send.
    #[tokio::test]
    async fn a_denied_peer_is_neither_sent_to_nor_heard() {
        let strict = conn(PeerPolicy::default()).await;
        let open = conn(PeerPolicy { allow_lan: false, allow_loopback: true }).await;
        let peer = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let addr = peer.local_addr().expect("an address");
        let mut buffer = [0; 10];

        assert_eq!(strict.send_to(b"denied", addr).await.expect("dropped"), 6);
        open.send_to(b"allowed", addr).await.expect("sent");
        // Loopback keeps the order: had the first been sent, it would be here first.
        let (length, _) = peer.recv_from(&mut buffer).await.expect("received");
        assert_eq!(&buffer[..length], b"allowed");

        peer.send_to(b"denied", strict.local_addr().expect("an address")).await.expect("sent");
        let heard = tokio::time::timeout(Duration::from_millis(100), strict.recv_from(&mut buffer)).await;
        assert!(heard.is_err());
        peer.send_to(b"allowed", open.local_addr().expect("an address")).await.expect("sent");
        assert_eq!(open.recv_from(&mut buffer).await.expect("received"), (7, addr));
    }
}
