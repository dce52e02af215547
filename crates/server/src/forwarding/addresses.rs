//! The addresses at which clients reach the forwarder.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use if_addrs::get_if_addrs;

/// Most addresses of this machine that clients are given. Each costs them checks.
const MAX_ADVERTISED: usize = 8;

/// What answers to offers name.
#[derive(Debug)]
pub(crate) struct Advertised {
    external: Vec<IpAddr>,
    /// Where the socket is bound.
    listen: SocketAddr,
    all: Vec<SocketAddr>,
    /// Those that are this machine's own.
    own: Vec<IpAddr>,
}

impl Advertised {
    /// `external` are the public addresses, if this machine is behind a NAT.
    pub(crate) fn new(external: Vec<IpAddr>, listen: SocketAddr) -> Advertised {
        let mut advertised = Advertised { external, listen, all: Vec::new(), own: Vec::new() };
        advertised.read();
        advertised
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[SocketAddr] {
        &self.all
    }

    /// Reads this machine's addresses again. Returns whether what clients are given has changed.
    pub(crate) fn read(&mut self) -> bool {
        let interfaces = get_if_addrs().unwrap_or_else(|error| {
            tracing::error!(%error, "the forwarder cannot list this machine's addresses");
            Vec::new()
        });
        self.set(interfaces.iter().map(if_addrs::Interface::ip).collect())
    }

    fn set(&mut self, own: Vec<IpAddr>) -> bool {
        self.own = own;
        let before = std::mem::take(&mut self.all);
        let socket = |ip: IpAddr| SocketAddr::new(ip, self.listen.port());
        let bound = self.listen.ip();
        let all: Vec<SocketAddr> = if !self.external.is_empty() {
            self.external.iter().copied().map(socket).collect()
        } else if !bound.is_unspecified() {
            vec![self.listen]
        } else {
            let reached = self.own.iter().copied().filter(|ip| bound.is_ipv6() || ip.is_ipv4()).filter(is_reachable);
            reached.map(socket).take(MAX_ADVERTISED).collect()
        };
        self.all = if all.is_empty() { vec![socket(loopback(bound))] } else { all };
        self.all != before
    }

    /// The address of [`Advertised::all`] to which a client has sent a datagram that came to `to`: another one only if a NAT
    /// is between them.
    pub(super) fn addressed(&self, from: SocketAddr, to: Option<IpAddr>) -> SocketAddr {
        let exact = to.map(|ip| SocketAddr::new(ip, self.listen.port())).filter(|exact| self.all.contains(exact));
        let family = || self.all.iter().copied().find(|one| one.is_ipv4() == from.is_ipv4());
        exact.or_else(family).unwrap_or(self.listen)
    }

    /// The source address of a datagram from an advertised address, if the system could choose another.
    pub(super) fn source(&self, advertised: IpAddr) -> Option<IpAddr> {
        (self.listen.ip().is_unspecified() && self.own.contains(&advertised)).then_some(advertised)
    }

    /// Where a program on this machine that listens on `beside` reaches an advertised address. A NAT's address may not be
    /// reachable from inside.
    pub(crate) fn inside(&self, advertised: SocketAddr, beside: IpAddr) -> SocketAddr {
        if advertised == self.listen || self.own.contains(&advertised.ip()) {
            return advertised;
        }
        let bound = |ip: &IpAddr| !ip.is_unspecified() && ip.is_ipv4() == advertised.is_ipv4();
        let bound = [self.listen.ip(), beside].into_iter().find(bound);
        SocketAddr::new(bound.unwrap_or_else(|| loopback(advertised.ip())), self.listen.port())
    }

    /// A client's address as the socket needs it.
    pub(super) fn native(&self, to: SocketAddr) -> SocketAddr {
        match (self.listen, to.ip()) {
            (SocketAddr::V6(_), IpAddr::V4(ip)) => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
            _ => to,
        }
    }
}

/// Whether others can reach an address without knowing this machine's interfaces.
fn is_reachable(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
    }
}

fn loopback(like: IpAddr) -> IpAddr {
    if like.is_ipv6() { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advertised(external: &[&str], listen: &str, own: &[&str]) -> Advertised {
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect();
        let listen = listen.parse().expect("an address");
        let mut advertised = Advertised { external: ips(external), listen, all: Vec::new(), own: Vec::new() };
        advertised.set(ips(own));
        advertised
    }

    fn socket(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn clients_are_given_the_public_the_bound_or_all_reachable_addresses() {
        let all = |external: &[&str], listen, own: &[&str]| -> Vec<String> {
            advertised(external, listen, own).all().iter().map(ToString::to_string).collect()
        };
        let own = ["127.0.0.1", "10.0.0.5", "2001:db8::5", "fe80::1", "::1"];
        assert_eq!(all(&["203.0.113.9"], "0.0.0.0:9", &own), ["203.0.113.9:9"]);
        assert_eq!(all(&[], "127.0.0.1:9", &own), ["127.0.0.1:9"]);
        assert_eq!(all(&[], "0.0.0.0:9", &own), ["10.0.0.5:9"]);
        assert_eq!(all(&[], "[::]:9", &own), ["10.0.0.5:9", "[2001:db8::5]:9"]);
        assert_eq!(all(&[], "0.0.0.0:9", &["127.0.0.1"]), ["127.0.0.1:9"]);
    }

    #[test]
    fn behind_a_nat_datagrams_count_as_sent_to_the_public_address() {
        let behind = advertised(&["203.0.113.9"], "0.0.0.0:9", &["10.0.0.5"]);
        let to = |ip: &str| Some(ip.parse().expect("an address"));
        assert_eq!(behind.addressed(socket("192.0.2.1:1"), to("10.0.0.5")), socket("203.0.113.9:9"));
        assert_eq!(behind.source(socket("203.0.113.9:9").ip()), None, "the system's choice");
        let inside = |beside: &str| behind.inside(socket("203.0.113.9:9"), beside.parse().expect("an address"));
        assert_eq!(inside("0.0.0.0"), socket("127.0.0.1:9"));
        assert_eq!(inside("10.0.0.5"), socket("10.0.0.5:9"));
        let open = advertised(&[], "[::]:9", &["10.0.0.5", "10.0.1.5"]);
        assert_eq!(open.inside(socket("10.0.1.5:9"), socket("0.0.0.0:1").ip()), socket("10.0.1.5:9"));
        assert_eq!(open.addressed(socket("192.0.2.1:1"), to("10.0.1.5")), socket("10.0.1.5:9"));
        assert_eq!(open.source(socket("10.0.1.5:9").ip()), to("10.0.1.5"));
        assert_eq!(open.native(socket("192.0.2.1:1")), socket("[::ffff:192.0.2.1]:1"));
    }
}
