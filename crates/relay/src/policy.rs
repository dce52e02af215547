//! Destinations to which the relay may send.
//!
//! A relay that sends anywhere gives strangers this machine's place in the network: its own services, the routers and
//! printers beside it, and the metadata address of a cloud, which returns credentials. Every form of address that
//! leads to such a place counts as that place, also an IPv4 address inside an IPv6 one.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Kinds of destinations allowed besides public addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeerPolicy {
    /// Private networks.
    pub allow_lan: bool,
    /// This machine.
    pub allow_loopback: bool,
}

/// Classification of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The public Internet.
    Public,
    /// A private network: RFC 1918, RFC 6598 (carrier NAT, overlay networks), RFC 4193.
    Lan,
    /// This machine.
    Loopback,
    /// Never a peer in a call: unspecified, link-local, multicast, broadcast, reserved, and cloud services.
    Never,
}

impl PeerPolicy {
    /// Whether the relay may send to, and receive from, an address.
    pub fn allows(self, ip: IpAddr) -> bool {
        let reach = match ip {
            IpAddr::V4(ip) => v4(ip),
            IpAddr::V6(ip) => v6(ip),
        };
        match reach {
            Reach::Public => true,
            Reach::Lan => self.allow_lan,
            Reach::Loopback => self.allow_loopback,
            Reach::Never => false,
        }
    }
}

/// A UDP service of this machine that clients may reach through the relay: the one to which large rooms send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnService {
    /// Where clients look for it. It may be a NAT's address.
    pub announced: SocketAddr,
    /// Where this machine reaches it.
    pub local: SocketAddr,
}

/// The policy, and the addresses of this machine.
///
/// The relay's machine is never a public destination, whatever its address and interface: its services may trust
/// connections from itself. It is allowed only where loopback is, and so are the services that are named.
#[derive(Debug)]
pub(crate) struct Reachable {
    policy: PeerPolicy,
    own: HashSet<IpAddr>,
    /// Relayed addresses as peers see them, even if that is a NAT's address. As many as this machine has.
    relayed: HashSet<IpAddr>,
    services: Vec<OwnService>,
}

impl Reachable {
    pub(crate) fn new(policy: PeerPolicy) -> Reachable {
        Reachable { policy, own: HashSet::new(), relayed: HashSet::new(), services: Vec::new() }
    }

    pub(crate) fn set_own(&mut self, own: impl IntoIterator<Item = IpAddr>) {
        self.own = own.into_iter().map(|ip| ip.to_canonical()).collect();
    }

    pub(crate) fn set_services(&mut self, services: Vec<OwnService>) {
        self.services = services;
    }

    pub(crate) fn add_relayed(&mut self, ip: IpAddr) {
        self.relayed.insert(ip);
    }

    /// Whether a client may name a peer with this address. Permissions concern addresses without ports (RFC 8656 section 9).
    pub(crate) fn may_be_named(&self, ip: IpAddr) -> bool {
        self.allows(ip) || self.services.iter().any(|service| service.announced.ip() == ip)
    }

    /// Where datagrams to a peer are sent through the system, if they may be.
    pub(crate) fn destination(&self, peer: SocketAddr) -> Option<SocketAddr> {
        let service = self.services.iter().find(|service| service.announced == peer);
        // Port 0 is not a destination.
        service.map(|service| service.local).or_else(|| (peer.port() != 0 && self.allows(peer.ip())).then_some(peer))
    }

    /// The peer that has sent a datagram from this address, if its datagrams are let in.
    pub(crate) fn sender(&self, from: SocketAddr) -> Option<SocketAddr> {
        self.service_at(from).or_else(|| self.allows(from.ip()).then_some(from))
    }

    /// The service of which this is an address. The system may have chosen any of this machine's addresses as a source.
    fn service_at(&self, from: SocketAddr) -> Option<SocketAddr> {
        let exact = self.services.iter().find(|service| service.announced == from);
        let is_here = from.ip().is_loopback() || self.is_own(from.ip());
        let any = || {
            let same = |service: &&OwnService| {
                service.local.port() == from.port() && service.announced.is_ipv6() == from.is_ipv6()
            };
            self.services.iter().filter(|_| is_here).find(same)
        };
        exact.or_else(any).map(|service| service.announced)
    }

    /// Whether datagrams may be sent to, and received from, an address through the system.
    fn allows(&self, ip: IpAddr) -> bool {
        self.policy.allows(ip) && (self.policy.allow_loopback || !self.is_own(ip))
    }

    fn is_own(&self, ip: IpAddr) -> bool {
        let has = |ip| self.own.contains(&ip) || self.relayed.contains(&ip);
        let inside = match ip {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => embedded(ip),
        };
        has(ip) || inside.into_iter().flatten().any(|ip| has(IpAddr::V4(ip)))
    }
}

/// Metadata services and others that would otherwise count as public or as a LAN.
const CLOUD_SERVICES_V4: [Ipv4Addr; 3] = [
    // The metadata address of AWS, Azure, Google, Oracle, DigitalOcean and others is 169.254.169.254, which is
    // link-local.
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba Cloud metadata
    Ipv4Addr::new(168, 63, 129, 16),   // Azure WireServer, a public address
    Ipv4Addr::new(192, 0, 0, 192),     // Oracle Cloud classic metadata
];
/// Metadata of AWS and Google over IPv6.
const CLOUD_SERVICES_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

/// Classifies by the registry of special-purpose addresses (RFC 6890 and IANA's table).
fn v4(ip: Ipv4Addr) -> Reach {
    let [a, b, c, _] = ip.octets();
    if CLOUD_SERVICES_V4.contains(&ip) {
        return Reach::Never;
    }
    match (a, b, c) {
        (127, ..) => Reach::Loopback,
        (10, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => Reach::Lan,
        (0, ..) // this network; 0.0.0.0 is this machine on Linux
        | (169, 254, _) // link-local
        | (192, 0, 0) // protocol assignments
        | (192, 0, 2) | (198, 51, 100) | (203, 0, 113) // documentation
        | (192, 88, 99) // 6to4 relays
        | (198, 18..=19, _) // benchmarks
        | (224..=255, ..) => Reach::Never, // multicast, reserved, broadcast
        _ => Reach::Public,
    }
}

fn v6(ip: Ipv6Addr) -> Reach {
    if ip.is_unspecified() || CLOUD_SERVICES_V6.contains(&ip) {
        return Reach::Never;
    }
    if ip.is_loopback() {
        return Reach::Loopback;
    }
    let [a, b, ..] = ip.segments();
    if a & 0xfe00 == 0xfc00 {
        return Reach::Lan;
    }
    if let Some(inside) = embedded(ip) {
        return worst(inside);
    }
    // Global unicast is exactly 2000::/3. In it, the ranges for documentation, benchmarks and ORCHIDs lead nowhere.
    let global = a & 0xe000 == 0x2000;
    let nowhere = (a == 0x2001 && (b == 0xdb8 || b == 2 || b & 0xfff0 == 0x10 || b & 0xfff0 == 0x20))
        || (a == 0x3fff && b < 0x1000);
    if global && !nowhere { Reach::Public } else { Reach::Never }
}

/// The IPv4 addresses at which a packet to this IPv6 address may arrive, if its form embeds any.
fn embedded(ip: Ipv6Addr) -> Option<[Ipv4Addr; 2]> {
    let s = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    let last = v4(s[6], s[7]);
    match s {
        // Mapped ::ffff:a.b.c.d, compatible ::a.b.c.d, translated ::ffff:0:a.b.c.d (RFC 4291, RFC 2765).
        [0, 0, 0, 0, 0, 0xffff | 0, _, _] | [0, 0, 0, 0, 0xffff, 0, _, _] => Some([last; 2]),
        // NAT64 (RFC 6052). 64:ff9b:1::/48 (RFC 8215) leads wherever the local network decides, so it is never
        // global.
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => Some([last; 2]),
        // 6to4 (RFC 3056).
        [0x2002, ..] => Some([v4(s[1], s[2]); 2]),
        // Teredo: the server, and the client behind its NAT with every bit inverted (RFC 4380).
        [0x2001, 0, ..] => Some([v4(s[2], s[3]), v4(!s[6], !s[7])]),
        // ISATAP (RFC 5214), in any network.
        [_, _, _, _, 0 | 0x200, 0x5efe, _, _] => Some([last; 2]),
        _ => None,
    }
}

/// The more restricted of two. The result is public only if both are.
fn worst(inside: [Ipv4Addr; 2]) -> Reach {
    let rank = |reach: &Reach| match reach {
        Reach::Public => 0,
        Reach::Lan => 1,
        Reach::Loopback => 2,
        Reach::Never => 3,
    };
    let [one, other] = inside.map(v4);
    if rank(&one) >= rank(&other) { one } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STRICT: PeerPolicy = PeerPolicy { allow_lan: false, allow_loopback: false };
    const LAN: PeerPolicy = PeerPolicy { allow_lan: true, allow_loopback: false };
    const EVERYTHING: PeerPolicy = PeerPolicy { allow_lan: true, allow_loopback: true };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn public_addresses_are_allowed() {
        for public in ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "193.0.0.1", "2606:4700::1", "2a00:1450::1"] {
            assert!(STRICT.allows(ip(public)), "{public}");
        }
    }

    #[test]
    fn private_networks_need_permission() {
        for private in ["10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd12::1", "fc00::1"] {
            assert!(!STRICT.allows(ip(private)), "{private}");
            assert!(LAN.allows(ip(private)), "{private}");
        }
    }

    #[test]
    fn loopback_needs_its_own_permission() {
        for loopback in ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"] {
            assert!(!STRICT.allows(ip(loopback)), "{loopback}");
            assert!(!LAN.allows(ip(loopback)), "{loopback}");
            assert!(EVERYTHING.allows(ip(loopback)), "{loopback}");
        }
    }

    #[test]
    fn reserved_addresses_are_never_allowed() {
        let never = [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.0.1",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "224.0.0.1",
            "239.255.255.250",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "198.18.0.1",
            "192.88.99.1",
            "::",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "2001:db8::1",
            "3fff::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "100::1",
            "4000::1",
            "64:ff9b:1::808:808",
        ];
        for place in never {
            assert!(!EVERYTHING.allows(ip(place)), "{place}");
        }
    }

    /// Every IPv6 form of an IPv4 address.
    fn disguises(ip: Ipv4Addr) -> Vec<Ipv6Addr> {
        let [a, b, c, d] = ip.octets().map(u16::from);
        let (high, low) = (a << 8 | b, c << 8 | d);
        vec![
            Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
            Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            Ipv6Addr::new(0x2001, 0, 0x808, 0x808, 0, 0, !high, !low),
            Ipv6Addr::new(0x2001, 0, high, low, 0, 0, !0x808, !0x808),
            Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0, 0x5efe, high, low),
            Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0x200, 0x5efe, high, low),
        ]
    }

    #[test]
    fn a_denied_address_is_denied_in_every_embedding() {
        for text in
            ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "224.0.0.1", "168.63.129.16", "255.255.255.255"]
        {
            for disguise in disguises(text.parse().unwrap()) {
                assert!(!STRICT.allows(IpAddr::V6(disguise)), "{text} as {disguise}");
            }
        }
        // 0.0.0.1, the lowest address, is also the embedded form of ::1. It must not become an ordinary address.
        assert!(!STRICT.allows(ip("::1")));
    }

    #[test]
    fn a_public_address_stays_public_when_embedded() {
        for disguise in disguises(Ipv4Addr::new(8, 8, 8, 8)) {
            assert!(STRICT.allows(IpAddr::V6(disguise)), "{disguise}");
        }
    }

    #[test]
    fn own_addresses_are_denied_in_every_embedding() {
        for policy in [STRICT, LAN] {
            let mut reach = Reachable::new(policy);
            assert!(reach.allows(ip("11.0.0.1")));
            reach.set_own(["11.0.0.1", "12.0.0.1", "10.5.0.1", "2a00:11::1", "::ffff:13.0.0.1"].map(ip));
            reach.add_relayed(ip("14.0.0.1"));
            for own in ["11.0.0.1", "12.0.0.1", "10.5.0.1", "2a00:11::1", "13.0.0.1", "14.0.0.1"] {
                assert!(!reach.allows(ip(own)), "{own}");
            }
            for disguise in disguises(Ipv4Addr::new(12, 0, 0, 1)) {
                assert!(!reach.allows(IpAddr::V6(disguise)), "{disguise}");
            }
            assert!(reach.allows(ip("11.0.0.2")) && reach.allows(ip("2a00:11::2")));
            reach.set_own([]);
            assert!(reach.allows(ip("11.0.0.1")) && !reach.allows(ip("14.0.0.1")));
        }
        let mut tests = Reachable::new(EVERYTHING);
        tests.set_own([ip("10.5.0.1")]);
        assert!(tests.allows(ip("10.5.0.1")));
    }

    proptest! {
        #[test]
        fn no_embedding_allows_a_denied_address(bits: u32) {
            let plain = Ipv4Addr::from_bits(bits);
            for policy in [STRICT, LAN, EVERYTHING] {
                if !policy.allows(IpAddr::V4(plain)) {
                    for disguise in disguises(plain) {
                        let loopback = policy.allow_loopback && disguise.is_loopback();
                        prop_assert!(loopback || !policy.allows(IpAddr::V6(disguise)), "{plain} as {disguise}");
                    }
                }
            }
        }

        #[test]
        fn more_permission_never_allows_less(bits: u128) {
            let address = IpAddr::V6(Ipv6Addr::from_bits(bits));
            prop_assert!(!STRICT.allows(address) || LAN.allows(address));
            prop_assert!(!LAN.allows(address) || EVERYTHING.allows(address));
        }
    }
}
