//! Clients of the relay, and their transports.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The transport between a client and the relay. It matters only for frames on a stream, which are padded (RFC 8656
/// section 12.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A TCP stream, divided into frames by their lengths.
    Tcp,
    /// A TLS stream.
    Tls,
}

impl Transport {
    pub(crate) fn is_stream(self) -> bool {
        match self {
            Transport::Udp => false,
            Transport::Tcp | Transport::Tls => true,
        }
    }
}

/// A client: the 5-tuple of RFC 8656 section 3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client {
    /// The transport.
    pub transport: Transport,
    /// Its address and port as the relay sees them.
    pub remote: SocketAddr,
    /// The address and port of the relay that it reached.
    pub local: SocketAddr,
}

/// The network of one subscriber: an IPv4 address, or the /64 of an IPv6 address, of which each subscriber has at
/// least one.
pub(crate) fn subscriber(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(prefix(ip, 64)),
    }
}

/// Whether an address is this machine's own. Proxies on this machine connect from it for everybody.
pub(crate) fn is_this_machine(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// The /48 of an IPv6 address, the largest network that one subscriber usually has.
pub(crate) fn site(ip: IpAddr) -> Option<Ipv6Addr> {
    match ip.to_canonical() {
        IpAddr::V4(_) => None,
        IpAddr::V6(ip) => Some(prefix(ip, 48)),
    }
}

fn prefix(ip: Ipv6Addr, bits: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << (128 - bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_subscriber_is_a_prefix() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(subscriber(ip("2001:db8:1:2:3::4")), ip("2001:db8:1:2::"));
        assert_eq!(site(ip("2001:db8:1:2:3::4")).map(IpAddr::V6), Some(ip("2001:db8:1::")));
        assert_eq!((subscriber(ip("::ffff:192.0.2.1")), site(ip("::ffff:192.0.2.1"))), (ip("192.0.2.1"), None));
    }
}
