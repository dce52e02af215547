//! How often the owner of an allocation may ask for something the relay has to remember.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use rooms::{Bucket, Rate};

/// Requests of one allocation: a dozen candidates at once, and then refreshes. Permissions last five minutes, so
/// one allocation holds at most the burst and three hundred times the rate of them.
const REQUESTS: Rate = Rate::new(2.0, 100.0);

/// A bucket for each client with an allocation.
#[derive(Debug)]
pub(super) struct RequestRates {
    buckets: HashMap<SocketAddr, Bucket>,
    /// As many as there can be allocations, and as many again that ended lately; then full buckets are forgotten.
    bound: usize,
}

impl RequestRates {
    pub(super) fn new(allocations: usize) -> RequestRates {
        RequestRates { buckets: HashMap::new(), bound: allocations.saturating_mul(2) }
    }

    pub(super) fn take(&mut self, now: Instant, source: SocketAddr) -> bool {
        if self.buckets.len() >= self.bound && !self.buckets.contains_key(&source) {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            if self.buckets.len() >= self.bound {
                return false;
            }
        }
        self.buckets.entry(source).or_insert_with(|| Bucket::new(REQUESTS, now)).take(now, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_client_has_a_burst_and_is_forgotten_when_quiet() {
        let mut rates = RequestRates::new(1);
        let start = Instant::now();
        let client = |port| SocketAddr::from(([192, 0, 2, 1], port));
        assert_eq!((0..500).filter(|_| rates.take(start, client(1))).count(), 100);
        assert!(rates.take(start, client(2)));
        assert!(!rates.take(start, client(3)));
        let later = start + Duration::from_secs(60);
        assert!(rates.take(later, client(3)));
        assert_eq!(rates.buckets.len(), 1);
    }
}
