//! Who may connect: so many at one time and so often, by address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

use rooms::{Bucket, Rate};

/// Addresses remembered between sweeps. Buckets that are full again and without connections are forgotten when it
/// is reached; if that frees none, every new address is refused until it does.
const MAX_ADDRESSES: usize = 16_384;

/// Connections counted by where they come from. The accept loop owns it.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: AdmissionLimits,
    open: usize,
    addresses: HashMap<IpAddr, Address>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct AdmissionLimits {
    pub(crate) connections: usize,
    /// 0: no limit and no rate.
    pub(crate) per_address: usize,
    pub(crate) rate: Rate,
    /// Whether this machine itself is an address like others.
    pub(crate) loopback: bool,
}

#[derive(Debug)]
struct Address {
    open: usize,
    bucket: Bucket,
}

impl Admission {
    pub(crate) fn new(limits: AdmissionLimits) -> Admission {
        Admission { limits, open: 0, addresses: HashMap::new() }
    }

    /// Counts a new connection, if there may be one. Each one admitted is given back with [`Admission::leave`].
    pub(crate) fn enter(&mut self, now: Instant, ip: IpAddr) -> bool {
        if self.open >= self.limits.connections {
            return false;
        }
        let limited = self.limits.per_address > 0 && (self.limits.loopback || !ip.to_canonical().is_loopback());
        if limited && !self.enter_address(now, source(ip)) {
            return false;
        }
        self.open += 1;
        true
    }

    pub(crate) fn leave(&mut self, ip: IpAddr) {
        self.open = self.open.saturating_sub(1);
        if let Some(address) = self.addresses.get_mut(&source(ip)) {
            address.open = address.open.saturating_sub(1);
        }
    }

    fn enter_address(&mut self, now: Instant, source: IpAddr) -> bool {
        if self.addresses.len() >= MAX_ADDRESSES && !self.addresses.contains_key(&source) {
            self.addresses.retain(|_, address| address.open > 0 || !address.bucket.is_full(now));
            if self.addresses.len() >= MAX_ADDRESSES {
                return false;
            }
        }
        let new = || Address { open: 0, bucket: Bucket::new(self.limits.rate, now) };
        let address = self.addresses.entry(source).or_insert_with(new);
        if address.open >= self.limits.per_address || !address.bucket.take(now, 1.0) {
            return false;
        }
        address.open += 1;
        true
    }
}

/// One subscriber: an IPv4 address, or the /64 of an IPv6 address, of which each subscriber has at least one.
fn source(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn admission(connections: usize, per_address: usize, burst: f64) -> Admission {
        Admission::new(AdmissionLimits { connections, per_address, rate: Rate::new(1.0, burst), loopback: false })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_has_its_share_and_gets_it_back() {
        let mut admission = admission(100, 2, 100.0);
        let now = Instant::now();
        assert!(admission.enter(now, ip("192.0.2.1")));
        assert!(admission.enter(now, ip("::ffff:192.0.2.1")));
        assert!(!admission.enter(now, ip("192.0.2.1")));
        assert!(admission.enter(now, ip("192.0.2.2")));
        admission.leave(ip("192.0.2.1"));
        assert!(admission.enter(now, ip("192.0.2.1")));
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address() {
        let mut admission = admission(100, 1, 100.0);
        let now = Instant::now();
        assert!(admission.enter(now, ip("2001:db8::1")));
        assert!(!admission.enter(now, ip("2001:db8::ffff:2")));
        assert!(admission.enter(now, ip("2001:db8:0:1::1")));
    }

    #[test]
    fn connections_have_a_rate_also_when_they_close_at_once() {
        let mut admission = admission(100, 10, 3.0);
        let now = Instant::now();
        let mut knock = |now| {
            let entered = admission.enter(now, ip("192.0.2.1"));
            if entered {
                admission.leave(ip("192.0.2.1"));
            }
            entered
        };
        assert_eq!((0..10).filter(|_| knock(now)).count(), 3);
        assert!(knock(now + Duration::from_secs(1)));
    }

    #[test]
    fn all_together_have_a_limit_and_zero_a_person_means_none() {
        let mut admission = admission(3, 0, 1.0);
        let now = Instant::now();
        assert_eq!((0..5).filter(|_| admission.enter(now, ip("192.0.2.1"))).count(), 3);
    }

    #[test]
    fn this_machine_is_not_limited() {
        let mut admission = admission(100, 1, 1.0);
        let now = Instant::now();
        for text in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!((0..5).filter(|_| admission.enter(now, ip(text))).count(), 5, "{text}");
        }
    }

    #[test]
    fn remembered_addresses_are_bounded_and_forgotten() {
        let mut admission = admission(usize::MAX, 1, 1.0);
        let now = Instant::now();
        for n in 0..MAX_ADDRESSES as u32 {
            assert!(admission.enter(now, IpAddr::V4((0x0a00_0000 + n).into())));
        }
        assert!(!admission.enter(now, ip("203.0.113.1")));
        for n in 0..MAX_ADDRESSES as u32 {
            admission.leave(IpAddr::V4((0x0a00_0000 + n).into()));
        }
        assert!(!admission.enter(now, ip("203.0.113.1")));
        assert!(admission.enter(now + Duration::from_secs(2), ip("203.0.113.1")));
        assert_eq!(admission.addresses.len(), 1);
    }
}
