//! The network from which somebody connects, for limits.

use std::net::{IpAddr, Ipv6Addr};

/// The network of one subscriber, household or company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source {
    network: IpAddr,
    prefix: u8,
}

impl Source {
    /// Returns the sources against which an address counts: an IPv4 address by itself; an IPv6 address as its /64, of
    /// which every subscriber has at least one, and as its /48, of which hardly anybody has two.
    pub fn all(ip: IpAddr) -> Vec<Source> {
        match ip.to_canonical() {
            ip @ IpAddr::V4(_) => vec![Source { network: ip, prefix: 32 }],
            IpAddr::V6(ip) => vec![Source::v6(ip, 64), Source::v6(ip, 48)],
        }
    }

    /// How many times the limits of one subscriber apply to this source.
    pub fn weight(self) -> usize {
        if self.prefix == 48 { 4 } else { 1 }
    }

    fn v6(ip: Ipv6Addr, prefix: u8) -> Source {
        let network = Ipv6Addr::from_bits(ip.to_bits() & !(u128::MAX >> prefix));
        Source { network: IpAddr::V6(network), prefix }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_subscriber_and_a_household_are_separate_sources() {
        let all = |text: &str| Source::all(text.parse().unwrap());
        assert_eq!(all("192.0.2.1"), all("::ffff:192.0.2.1"));
        assert_ne!(all("192.0.2.1"), all("192.0.2.2"));
        assert_eq!(all("2001:db8::1"), all("2001:db8::ffff:2"));
        let (one, other) = (all("2001:db8:0:1::1"), all("2001:db8:0:2::1"));
        assert_ne!(one[0], other[0]);
        assert_eq!(one[1], other[1]);
        assert_eq!((one[0].weight(), one[1].weight()), (1, 4));
    }
}
