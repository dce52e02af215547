//! Token buckets for rate limits.

use std::time::Instant;

/// Fill rate and capacity of a [`Bucket`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Tokens added per second.
    pub per_second: f64,
    /// Capacity in tokens, which is the largest burst.
    pub burst: f64,
}

impl Rate {
    /// A rate of `per_second` tokens per second, with bursts of at most `burst`.
    pub const fn new(per_second: f64, burst: f64) -> Rate {
        Rate { per_second, burst }
    }
}

/// A token bucket that starts full.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: Rate,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// Creates a full bucket.
    pub fn new(rate: Rate, now: Instant) -> Bucket {
        Bucket { rate, tokens: rate.burst, filled: now }
    }

    /// Takes `cost` tokens if available and returns true; otherwise takes none and returns false.
    pub fn take(&mut self, now: Instant, cost: f64) -> bool {
        self.fill(now);
        let enough = self.tokens >= cost;
        if enough {
            self.tokens -= cost;
        }
        enough
    }

    /// Whether `cost` tokens are available.
    pub fn has(&mut self, now: Instant, cost: f64) -> bool {
        self.fill(now);
        self.tokens >= cost
    }

    /// Returns tokens that were taken by mistake.
    pub fn give_back(&mut self, now: Instant, cost: f64) {
        self.fill(now);
        self.tokens = (self.tokens + cost).min(self.rate.burst);
    }

    /// Whether the bucket is full. A full bucket can be dropped.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens >= self.rate.burst
    }

    fn fill(&mut self, now: Instant) {
        // An earlier `now` than the last adds nothing and must not move `filled` back.
        let Some(passed) = now.checked_duration_since(self.filled) else { return };
        self.filled = now;
        self.tokens = (self.tokens + passed.as_secs_f64() * self.rate.per_second).min(self.rate.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_grants_the_burst_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Rate::new(2.0, 5.0), start);
        assert_eq!((0..10).filter(|_| bucket.take(start, 1.0)).count(), 5);
        let later = start + Duration::from_secs(2);
        assert_eq!((0..10).filter(|_| bucket.take(later, 1.0)).count(), 4);
    }

    #[test]
    fn a_bucket_never_holds_more_than_the_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Rate::new(1000.0, 3.0), start);
        let later = start + Duration::from_secs(3600);
        assert!(bucket.is_full(later));
        assert!(!bucket.take(later, 3.5));
        assert!(bucket.take(later, 3.0));
        assert!(!bucket.is_full(later));
    }

    #[test]
    fn a_clock_that_steps_back_grants_nothing() {
        let start = Instant::now();
        let later = start + Duration::from_secs(10);
        let mut bucket = Bucket::new(Rate::new(1.0, 1.0), later);
        assert!(bucket.take(later, 1.0));
        assert!(!bucket.take(start, 1.0));
        assert!(!bucket.take(later, 1.0));
    }
}
