//! Rate limit for answers to unauthenticated senders.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Instant;

use crate::client::subscriber;
use crate::limits::{UNPROVED, UNPROVED_METERS};
use crate::rate::Meter;

/// Meters that sources share by a keyed hash. The size does not depend on the number of sources. An attacker with
/// spoofed sources cannot choose whose meter to use up.
#[derive(Debug)]
pub(crate) struct Refusals {
    hash: RandomState,
    meters: Box<[Meter]>,
}

impl Refusals {
    pub(crate) fn new() -> Refusals {
        Refusals { hash: RandomState::new(), meters: vec![Meter::default(); UNPROVED_METERS].into() }
    }

    /// Whether a source may receive another answer.
    pub(crate) fn take(&mut self, now: Instant, source: IpAddr) -> bool {
        let hash = self.hash.hash_one(subscriber(source));
        // The remainder is less than the length, so it fits.
        let place = usize::try_from(hash % UNPROVED_METERS as u64).unwrap_or(0);
        self.meters[place].take(now, UNPROVED, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn refusals_are_capped_per_source_and_in_total() {
        let (mut refusals, start) = (Refusals::new(), Instant::now());
        let victim = IpAddr::from([192, 0, 2, 1]);
        assert_eq!((0..41_000).filter(|_| refusals.take(start, victim)).count(), 2_000);
        let later = start + Duration::from_secs(10);
        for n in 0..100_000_u32 {
            refusals.take(later + Duration::from_micros(n.into()), IpAddr::from(n.to_be_bytes()));
        }
        let newcomers =
            (0..100).filter(|n| refusals.take(later + Duration::from_secs(1), IpAddr::from([198, 51, 100, *n])));
        assert_eq!(newcomers.count(), 100);
        assert_eq!(refusals.meters.len(), UNPROVED_METERS);
    }
}
