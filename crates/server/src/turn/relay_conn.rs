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

use super::quota::{Place, Quota};
use super::switch::{Berth, Switch};
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

/// Where relayed addresses are.
#[derive(Debug, Clone)]
pub(super) struct RelayAddresses {
    /// As configured.
    pub(super) external: Vec<IpAddr>,
    /// Where clients are listened to.
    pub(super) listen: IpAddr,
}

/// What peers are told, and what the socket is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RelayAddress {
    told: IpAddr,
    bound: IpAddr,
}

impl RelayAddresses {
    /// For a client: `external` as configured, else the address that is listened on, else the one by which this
    /// machine reaches the client (it may be in several networks), else the one by which it reaches the Internet.
    /// `route` tells by which address the machine reaches another.
    fn choose(&self, v6: bool, client: IpAddr, route: impl Fn(IpAddr) -> Option<IpAddr>) -> Option<RelayAddress> {
        let family = |ip: &IpAddr| ip.is_ipv6() == v6;
        let (any, far, loopback): (IpAddr, IpAddr, IpAddr) = if v6 {
            let far = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
            (Ipv6Addr::UNSPECIFIED.into(), far.into(), Ipv6Addr::LOCALHOST.into())
        } else {
            (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::LOCALHOST.into())
        };
        let listen = Some(self.listen).filter(|ip| family(ip) && !ip.is_unspecified());
        if let Some(told) = self.external.iter().copied().find(family) {
            return Some(RelayAddress { told, bound: listen.unwrap_or(any) });
        }
        // What is told to a client on this machine itself should mean something to others too.
        let near = Some(client).filter(|ip| family(ip) && !ip.is_loopback()).and_then(&route);
        // Without any route this machine still reaches itself; an IPv6 listener alone says nothing of IPv4.
        let nowhere = Some(loopback).filter(|_| !v6 && self.listen.is_ipv4());
        let told = listen.or(near).or_else(|| route(far)).or(nowhere)?;
        Some(RelayAddress { told, bound: told })
    }
}

/// The address from which this machine would send to another. Nothing is sent to find out.
fn route(to: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if to.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
    socket.connect((to, 9)).ok()?;
    socket.local_addr().ok().map(|addr| addr.ip()).filter(|ip| !ip.is_unspecified())
}

/// Opens the socket of each allocation.
pub(super) struct RelayConns {
    pub(super) addresses: RelayAddresses,
    pub(super) ports: RangeInclusive<u16>,
    pub(super) switch: Arc<Switch>,
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
        let asking = ASKING.with(|asking| asking.borrow().clone()).ok_or_else(|| refuse("nobody asks"))?;
        let place = self.quota.take(&asking.person).ok_or_else(|| refuse("quota reached"))?;
        let address = self.addresses.choose(!use_ipv4, asking.from, route);
        let address = address.ok_or_else(|| refuse("no address of this family"))?;
        let socket = self.bind(address.bound).await.ok_or_else(|| refuse("no port is free"))?;
        let told = SocketAddr::new(address.told, socket.local_addr()?.port());
        let berth = self.switch.open(told).ok_or_else(|| refuse("the port is in use"))?;
        Ok((Arc::new(RelayConn { socket, berth, _place: place }), told))
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
    berth: Berth,
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
        // One task reads: nobody waits for this lock.
        let mut queue = self.berth.queue.lock().await;
        loop {
            tokio::select! {
                received = self.socket.recv_from(buffer) => match received {
                    Ok((length, source)) if self.berth.switch().reaches(source.ip()) => return Ok((length, source)),
                    Ok(_) => {}
                    // The crate would end the allocation; an unreachable peer is no reason to.
                    Err(_) => sleep(ERROR_PAUSE).await,
                },
                // The berth keeps the queue open.
                Some(parcel) = queue.recv() => {
                    let length = parcel.data.len().min(buffer.len());
                    buffer[..length].copy_from_slice(&parcel.data[..length]);
                    return Ok((length, parcel.from));
                }
            }
        }
    }

    async fn send(&self, _: &[u8]) -> ConnResult<usize> {
        Err(unsupported())
    }

    async fn send_to(&self, data: &[u8], to: SocketAddr) -> ConnResult<usize> {
        let switch = self.berth.switch();
        if !switch.deliver(data, self.berth.addr(), to) && switch.reaches(to.ip()) {
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
    use super::super::policy::PeerPolicy;
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// A machine in two private networks, with a way into the Internet by one of them.
    fn two_networks(to: IpAddr) -> Option<IpAddr> {
        match to {
            IpAddr::V4(to) if to.octets()[0] == 10 => Some(ip("10.0.0.5")),
            IpAddr::V4(_) => Some(ip("192.168.1.5")),
            IpAddr::V6(_) => Some(ip("2001:db8::5")),
        }
    }

    fn chosen(
        external: &[&str],
        listen: &str,
        client: &str,
        route: fn(IpAddr) -> Option<IpAddr>,
    ) -> [Option<(IpAddr, IpAddr)>; 2] {
        let addresses = RelayAddresses { external: external.iter().map(|text| ip(text)).collect(), listen: ip(listen) };
        [false, true].map(|v6| addresses.choose(v6, ip(client), route).map(|address| (address.told, address.bound)))
    }

    fn both(one: &str) -> Option<(IpAddr, IpAddr)> {
        Some((ip(one), ip(one)))
    }

    #[test]
    fn relayed_addresses_are_the_configured_ones_then_the_listening_one_then_the_machine_s() {
        let configured = chosen(&["203.0.113.9"], "0.0.0.0", "192.168.1.7", two_networks);
        assert_eq!(configured, [Some((ip("203.0.113.9"), ip("0.0.0.0"))), both("2001:db8::5")]);
        assert_eq!(chosen(&[], "127.0.0.1", "127.0.0.1", |_| None), [both("127.0.0.1"), None]);
        assert_eq!(chosen(&[], "0.0.0.0", "127.0.0.1", |_| None), [both("127.0.0.1"), None]);
        assert_eq!(chosen(&[], "::1", "::1", |_| None), [None, both("::1")]);
    }

    #[test]
    fn a_machine_in_several_networks_tells_each_client_the_address_in_theirs() {
        for (client, told) in [("10.1.1.1", "10.0.0.5"), ("192.168.1.7", "192.168.1.5"), ("127.0.0.1", "192.168.1.5")] {
            assert_eq!(chosen(&[], "0.0.0.0", client, two_networks)[0], both(told), "{client}");
        }
        let only_ten = |to| two_networks(to).filter(|ip| ip.to_string().starts_with("10."));
        assert_eq!(chosen(&[], "0.0.0.0", "10.1.1.1", only_ten), [both("10.0.0.5"), None]);
    }

    async fn conn(policy: PeerPolicy) -> RelayConn {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let place = Arc::new(Quota::new(1, 1)).take("ada").expect("a place");
        let berth = Arc::new(Switch::new(policy, 1)).open(socket.local_addr().expect("an address"));
        RelayConn { socket, berth: berth.expect("free"), _place: place }
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
