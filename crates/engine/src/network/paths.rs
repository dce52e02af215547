//! The paths that this machine has into networks, and which changes of them matter. Pure but for [`Paths::read`].

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Destinations that lie behind the default route (RFC 5737, RFC 3849). Nothing is sent to them.
const OUTSIDE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];

/// A way out: an address family's default route with its metric.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Gateway {
    pub(super) ipv6: bool,
    /// The smallest metric is the route that is used.
    pub(super) metric: u32,
    pub(super) address: IpAddr,
    pub(super) interface: String,
}

/// The network at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Paths {
    /// Addresses of interfaces that are up, without loopback and link-local ones.
    addresses: BTreeSet<IpAddr>,
    /// The local addresses from which the outside is reached, by family.
    outward: [Option<IpAddr>; 2],
    /// The default routes that are used, where the system reports them.
    gateways: BTreeSet<Gateway>,
}

impl Paths {
    /// Reads the present addresses. `gateways` are all default routes, as far as they are known.
    pub(super) fn read(gateways: Vec<Gateway>) -> Paths {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        let up = interfaces.iter().filter(|interface| interface.is_oper_up() && !interface.is_link_local());
        let addresses = up.map(|interface| interface.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified());
        Paths { addresses: addresses.collect(), outward: OUTSIDE.map(source), gateways: used(gateways) }
    }

    /// Paths with one address, for tests.
    #[cfg(test)]
    pub(super) fn of(address: [u8; 4], outward: bool) -> Paths {
        let ip = IpAddr::from(address);
        Paths { addresses: [ip].into(), outward: [outward.then_some(ip), None], gateways: BTreeSet::new() }
    }

    /// Whether there is no network.
    pub(super) fn is_offline(&self) -> bool {
        self.addresses.is_empty()
    }

    /// Whether a default route probably follows: there was one with `before`.
    pub(super) fn await_route(&self, before: &Paths) -> bool {
        self.outward == [None; 2] && before.outward != [None; 2]
    }

    /// Whether connections that were made with `before` need a new path. A further address, which the default route
    /// does not use, changes nothing for them. Without a network there is nothing that they could do.
    pub(super) fn need_new_connections(&self, before: &Paths) -> bool {
        let lost = before.addresses.iter().any(|address| !self.addresses.contains(address));
        let other_way = self.outward != before.outward || self.gateways != before.gateways;
        let no_way = self.outward == [None; 2];
        let gained = self.addresses.iter().any(|address| !before.addresses.contains(address));
        !self.is_offline() && (lost || other_way || (no_way && gained))
    }
}

/// The default route of each family that is used.
fn used(gateways: Vec<Gateway>) -> BTreeSet<Gateway> {
    let of = |ipv6: bool| gateways.iter().filter(|gateway| gateway.ipv6 == ipv6).min().cloned();
    [of(false), of(true)].into_iter().flatten().collect()
}

/// The local address from which this destination is reached. Connecting a UDP socket looks up the route and sends
/// nothing.
fn source(destination: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match destination {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(destination, 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified() && !ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 168, 0, last])
    }

    fn gateway(last: u8, metric: u32) -> Gateway {
        Gateway { ipv6: false, metric, address: ip(last), interface: "wire".into() }
    }

    fn paths(addresses: &[u8], outward: Option<u8>, gateways: &[Gateway]) -> Paths {
        let addresses = addresses.iter().map(|last| ip(*last)).collect();
        Paths { addresses, outward: [outward.map(ip), None], gateways: used(gateways.to_vec()) }
    }

    #[test]
    fn only_some_changes_need_new_connections() {
        let wired = || paths(&[7, 8], Some(7), &[gateway(1, 100), gateway(2, 600)]);
        let cases = [
            ("nothing", wired(), false),
            ("a container's network appears", paths(&[7, 8, 9], Some(7), &[gateway(1, 100), gateway(2, 600)]), false),
            ("the unused way out has gone", paths(&[7, 8], Some(7), &[gateway(1, 100)]), false),
            ("the cable is out", paths(&[8], Some(8), &[gateway(2, 600)]), true),
            ("another address", paths(&[9, 8], Some(9), &[gateway(1, 100), gateway(2, 600)]), true),
            ("another gateway with the same address", paths(&[7, 8], Some(7), &[gateway(3, 100)]), true),
            ("no network", paths(&[], None, &[]), false),
        ];
        for (what, after, matters) in cases {
            assert_eq!(after.need_new_connections(&wired()), matters, "{what}");
        }
    }

    #[test]
    fn the_first_network_matters_and_so_does_any_where_none_leads_outside() {
        let none = Paths::default();
        assert!(paths(&[7], Some(7), &[]).need_new_connections(&none));
        let local = paths(&[7], None, &[]);
        assert!(paths(&[7, 8], None, &[]).need_new_connections(&local));
    }
}
