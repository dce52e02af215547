//! Connection attempts to several addresses of one server, staggered so that a dead address costs little (RFC 8305,
//! "Happy Eyeballs").

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The delay after which the next attempt starts, if the last one is not connected yet (RFC 8305 section 8).
const STAGGER: Duration = Duration::from_millis(250);
/// How long a host that accepted the connection may take for the rest of the handshake before the next address is tried
/// too.
const ANSWERS: Duration = Duration::from_secs(2);

/// Decides which address is tried when. Attempts run in parallel, and the first that succeeds wins.
///
/// ```text
///           begin                reached                    won
/// waiting ────────▶ connecting ──────────▶ shaking hands ────────▶ (the others are dropped)
///                       │                        │ failed
///                       └────────────────────────┴────────▶ failed: the next begins immediately
/// ```
#[derive(Debug)]
pub(crate) struct Race {
    waiting: VecDeque<SocketAddr>,
    /// When the next waiting address may start.
    next: Instant,
}

impl Race {
    /// Keeps the resolver's order (RFC 6724), alternates the address families (RFC 8305 section 4) and drops
    /// duplicates.
    pub(crate) fn new(addresses: impl IntoIterator<Item = SocketAddr>, now: Instant) -> Self {
        Self { waiting: interleaved(addresses), next: now }
    }

    /// Returns the address to try now, if one is due.
    pub(crate) fn begin(&mut self, now: Instant) -> Option<SocketAddr> {
        if now < self.next {
            return None;
        }
        let address = self.waiting.pop_front()?;
        self.next = now + STAGGER;
        Some(address)
    }

    /// An attempt is connected and continues with its handshake.
    pub(crate) fn reached(&mut self, now: Instant) {
        self.next = self.next.max(now + ANSWERS);
    }

    /// An attempt has failed. The next one starts immediately.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.next = self.next.min(now);
    }

    /// When the next address is due in [`Race::begin`]. `None` if every address was tried.
    pub(crate) fn wakes(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.next)
    }
}

fn interleaved(addresses: impl IntoIterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut all: Vec<SocketAddr> = Vec::new();
    for address in addresses {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    let first = all.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) = all.into_iter().partition(|address| address.is_ipv6() == first);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut order = VecDeque::new();
    loop {
        let pair = [one.next(), other.next()];
        if pair == [None, None] {
            return order;
        }
        order.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: [&str; 3] = ["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"];
    const V6: [&str; 2] = ["[2001:db8::1]:1", "[2001:db8::2]:1"];

    fn all(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// When each address starts if no attempt ever ends, in ms.
    fn beginnings(race: &mut Race, start: Instant) -> Vec<(SocketAddr, u64)> {
        let mut begun = Vec::new();
        while let Some(at) = race.wakes() {
            begun.push((race.begin(at).expect("it is time"), (at - start).as_millis().try_into().expect("soon")));
        }
        begun
    }

    #[test]
    fn address_families_alternate_in_resolver_order() {
        let mixed = all(&[V6[0], V6[1], V4[0], V6[0], V4[1], V4[2]]);
        assert_eq!(interleaved(mixed), all(&[V6[0], V4[0], V6[1], V4[1], V4[2]]));
        assert_eq!(interleaved(all(&[V4[0], V6[0], V6[1]])), all(&[V4[0], V6[0], V6[1]]));
        assert_eq!(interleaved(all(&V4)), all(&V4));
        assert!(interleaved([]).is_empty());
    }

    #[test]
    fn the_next_address_starts_after_a_quarter_second() {
        let start = Instant::now();
        let mut race = Race::new(all(&[V6[0], V4[0], V4[1]]), start);
        let begun = beginnings(&mut race, start);
        assert_eq!(begun.iter().map(|(_, at)| *at).collect::<Vec<_>>(), [0, 250, 500]);
        assert_eq!(begun.iter().map(|(address, _)| *address).collect::<Vec<_>>(), all(&[V6[0], V4[0], V4[1]]));
    }

    #[test]
    fn a_refused_address_is_skipped_at_once() {
        let start = Instant::now();
        let mut race = Race::new(all(&V4), start);
        assert!(race.begin(start).is_some() && race.begin(start).is_none());
        race.failed(start + ms(3));
        assert_eq!(race.begin(start + ms(3)), Some(all(&V4)[1]));
        assert_eq!(race.wakes(), Some(start + ms(253)));
    }

    #[test]
    fn an_accepting_host_is_awaited_with_a_timeout() {
        let start = Instant::now();
        let mut race = Race::new(all(&V4[..2]), start);
        race.begin(start);
        race.reached(start + ms(100));
        assert_eq!(race.begin(start + ms(400)), None, "its handshake takes a while");
        assert_eq!(race.wakes(), Some(start + ms(2_100)));
        assert!(race.begin(start + ms(2_100)).is_some());
    }

    #[test]
    fn every_address_is_tried_once() {
        let start = Instant::now();
        for order in 0..64_u32 {
            let mut race = Race::new(all(&[V4[0], V6[0], V4[1], V6[1]]), start);
            let (mut now, mut begun) = (start, 0);
            while let Some(at) = race.wakes() {
                now = now.max(at);
                begun += usize::from(race.begin(now).is_some());
                now += ms(10);
                match order >> (2 * (begun % 3)) & 3 {
                    1 => race.failed(now),
                    2 => race.reached(now),
                    _ => {}
                }
            }
            assert_eq!(begun, 4);
            assert!(now - start < ms(4 * 2_020));
        }
    }
}
