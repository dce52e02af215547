//! Delays between connection attempts.

use std::time::Duration;

use crate::limits::{BACKOFF_MAX, BACKOFF_MIN};

/// Delay after this many failures: 0.25, 0.5, 1, 2, 4, 5, 5... seconds.
pub(super) fn backoff(failures: u32) -> Duration {
    BACKOFF_MIN.saturating_mul(1 << failures.min(16)).min(BACKOFF_MAX)
}

/// SplitMix64 (Steele, Lea, Flood 2014). Jitter keeps clients that broke together from reconnecting together.
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Jitter {
        Jitter(seed)
    }

    /// Multiplies a delay by a random factor between 0.5 and 1.
    pub(super) fn spread(&mut self, delay: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        delay.mul_f64(0.5 + 0.5 * (z >> 11) as f64 / (1u64 << 53) as f64)
    }
}
