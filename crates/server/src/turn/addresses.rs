//! Chooses the addresses that peers send relayed traffic to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use if_addrs::{IfAddr, get_if_addrs};

/// Where relayed addresses are.
#[derive(Debug, Clone)]
pub(super) struct RelayAddresses {
    /// The configured public addresses.
    pub(super) external: Vec<IpAddr>,
    /// The address on which the relay listens for clients.
    pub(super) listen: IpAddr,
}

/// The address announced to peers, and the one to which the socket is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RelayAddress {
    pub(super) announced: IpAddr,
    pub(super) bound: IpAddr,
}

impl RelayAddresses {
    /// Chooses for a client: the configured `external` address, otherwise the address that the relay listens on,
    /// otherwise the one by which this machine reaches the client (it may be in several networks), otherwise the one by
    /// which it reaches the Internet. `route` returns the local address by which the machine reaches another.
    pub(super) fn choose(
        &self,
        v6: bool,
        client: IpAddr,
        route: impl Fn(IpAddr) -> Option<IpAddr>,
    ) -> Option<RelayAddress> {
        let family = |ip: &IpAddr| ip.is_ipv6() == v6;
        let (any, far, loopback): (IpAddr, IpAddr, IpAddr) = if v6 {
            let far = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
            (Ipv6Addr::UNSPECIFIED.into(), far.into(), Ipv6Addr::LOCALHOST.into())
        } else {
            (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::LOCALHOST.into())
        };
        let listen = Some(self.listen).filter(|ip| family(ip) && !ip.is_unspecified());
        if let Some(announced) = self.external.iter().copied().find(family) {
            return Some(RelayAddress { announced, bound: listen.unwrap_or(any) });
        }
        // A client on this machine itself should get an address that others can reach too.
        let near = Some(client).filter(|ip| family(ip) && !ip.is_loopback()).and_then(&route);
        // Without any route, this machine can still reach itself. An IPv6-only listener says nothing about IPv4.
        let nowhere = Some(loopback).filter(|_| !v6 && self.listen.is_ipv4());
        let announced = listen.or(near).or_else(|| route(far)).or(nowhere)?;
        Some(RelayAddress { announced, bound: announced })
    }
}

/// The local address from which this machine would send to another. Sends nothing.
pub(super) fn route(to: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if to.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
    socket.connect((to, 9)).ok()?;
    socket.local_addr().ok().map(|addr| addr.ip()).filter(|ip| !ip.is_unspecified())
}

/// The addresses of this machine.
#[derive(Debug, Default)]
pub(super) struct OwnAddresses {
    /// Of all interfaces.
    pub(super) interfaces: Vec<IpAddr>,
    /// Broadcast addresses of its networks. A request may be sent to one, but no answer comes from it.
    pub(super) broadcast: Vec<IpAddr>,
}

/// Reads the addresses of this machine.
pub(super) fn own() -> OwnAddresses {
    let interfaces = get_if_addrs().unwrap_or_else(|error| {
        tracing::error!(%error, "the relay cannot list this machine's addresses");
        Vec::new()
    });
    let mut own = OwnAddresses::default();
    for interface in interfaces {
        own.interfaces.push(interface.ip());
        if let IfAddr::V4(v4) = interface.addr {
            // The interface may not be configured with this address, but packets to it are broadcast anyway.
            let of_network = broadcast(v4.ip, v4.netmask);
            own.broadcast.extend(v4.broadcast.into_iter().chain(of_network).map(IpAddr::V4));
        }
    }
    own
}

/// The broadcast address of a network (RFC 919). Networks of one or two addresses have none (RFC 3021).
fn broadcast(ip: Ipv4Addr, netmask: Ipv4Addr) -> Option<Ipv4Addr> {
    let hosts = !netmask.to_bits();
    (hosts > 1).then(|| Ipv4Addr::from_bits(ip.to_bits() | hosts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_more_than_two_addresses_has_a_broadcast_address() {
        let of = |ip: [u8; 4], mask: [u8; 4]| broadcast(ip.into(), mask.into()).map(|ip| ip.octets());
        assert_eq!(of([11, 0, 0, 1], [255, 255, 255, 0]), Some([11, 0, 0, 255]));
        assert_eq!(of([10, 20, 3, 4], [255, 255, 252, 0]), Some([10, 20, 3, 255]));
        assert_eq!(of([192, 0, 2, 9], [255, 255, 255, 252]), Some([192, 0, 2, 11]));
        assert_eq!(of([192, 0, 2, 9], [255, 255, 255, 254]), None);
        assert_eq!(of([192, 0, 2, 9], [255, 255, 255, 255]), None);
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// A machine in two private networks, one of which leads to the Internet.
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
        [false, true]
            .map(|v6| addresses.choose(v6, ip(client), route).map(|address| (address.announced, address.bound)))
    }

    fn both(one: &str) -> Option<(IpAddr, IpAddr)> {
        Some((ip(one), ip(one)))
    }

    #[test]
    fn relayed_addresses_prefer_configured_then_listening_then_local() {
        let configured = chosen(&["203.0.113.9"], "0.0.0.0", "192.168.1.7", two_networks);
        assert_eq!(configured, [Some((ip("203.0.113.9"), ip("0.0.0.0"))), both("2001:db8::5")]);
        assert_eq!(chosen(&[], "127.0.0.1", "127.0.0.1", |_| None), [both("127.0.0.1"), None]);
        assert_eq!(chosen(&[], "0.0.0.0", "127.0.0.1", |_| None), [both("127.0.0.1"), None]);
        assert_eq!(chosen(&[], "::1", "::1", |_| None), [None, both("::1")]);
    }

    #[test]
    fn each_client_gets_the_relayed_address_of_its_network() {
        for (client, expected) in
            [("10.1.1.1", "10.0.0.5"), ("192.168.1.7", "192.168.1.5"), ("127.0.0.1", "192.168.1.5")]
        {
            assert_eq!(chosen(&[], "0.0.0.0", client, two_networks)[0], both(expected), "{client}");
        }
        let only_ten = |to| two_networks(to).filter(|ip| ip.to_string().starts_with("10."));
        assert_eq!(chosen(&[], "0.0.0.0", "10.1.1.1", only_ten), [both("10.0.0.5"), None]);
    }
}
