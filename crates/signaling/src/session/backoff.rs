//! Delays between connection attempts.

use std::time::Duration;

use crate::limits::{BACKOFF_MAX, BACKOFF_MIN};

/// Delay after this many failures: 0.25, 0.5, 1, 2, 4, 4... seconds.
pub(super) fn backoff(failures: u32) -> Duration {
    BACKOFF_MIN.saturating_mul(1 << failures.min(16)).min(BACKOFF_MAX)
}

/// Jitter keeps clients that lost their connections together from reconnecting together.
#[derive(Debug)]
pub(super) struct Jitter(fastrand::Rng);

impl Jitter {
    pub(super) fn new(seed: u64) -> Jitter {
        Jitter(fastrand::Rng::with_seed(seed))
    }

    /// Multiplies a delay by a random factor between 0.5 and 1.
    pub(super) fn spread(&mut self, delay: Duration) -> Duration {
        delay.mul_f64(0.5 + 0.5 * self.0.f64())
    }
}
