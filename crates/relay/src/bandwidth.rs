//! A bound on the bandwidth of everything that is relayed.
//!
//! A token bucket. Large datagrams, which are pictures and files, may use its upper half; small ones, which are sound,
//! all of it. So when the bound is reached, pictures are dropped and sound is not, until sound alone exceeds the bound.
//! Senders notice the loss and send smaller pictures.

use std::time::{Duration, Instant};

/// Longest datagram that counts as small, in bytes: longer than a packet of Opus with copies of two earlier ones.
const SMALL_BYTES: usize = 400;
/// How long a full bucket lasts at the steady rate. A keyframe may come at once; a queue would only add delay.
const BURST: Duration = Duration::from_millis(200);
/// Smallest bucket in bytes, so that the longest datagram always fits its half.
const MIN_BURST_BYTES: f64 = 128.0 * 1024.0;

/// A token bucket of bytes.
#[derive(Debug, Clone)]
pub struct Bandwidth {
    /// Bytes for each second.
    rate: f64,
    capacity: f64,
    left: f64,
    at: Instant,
}

impl Bandwidth {
    /// A bound in bits for each second, at least 1.
    pub fn new(bits_per_second: u64, now: Instant) -> Bandwidth {
        let rate = bits_per_second.max(1) as f64 / 8.0;
        let capacity = (rate * BURST.as_secs_f64()).max(MIN_BURST_BYTES);
        Bandwidth { rate, capacity, left: capacity, at: now }
    }

    /// Whether a datagram of this many bytes may be relayed. If so, it is counted.
    pub fn admits(&mut self, now: Instant, bytes: usize) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.left = (self.left + passed * self.rate).min(self.capacity);
        let reserve = if bytes <= SMALL_BYTES { 0.0 } else { self.capacity / 2.0 };
        let fits = self.left - bytes as f64 >= reserve;
        if fits {
            self.left -= bytes as f64;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MBIT: u64 = 1_000_000;

    /// The bytes of each kind that pass in ten seconds: sound in packets of 120 bytes, pictures in packets of 1,200.
    fn pass(limit: u64, sound: u64, pictures: u64) -> [u64; 2] {
        let start = Instant::now();
        let mut bandwidth = Bandwidth::new(limit, start);
        let mut passed = [0, 0];
        let mut sent = [0, 0];
        for ms in 0..10_000u64 {
            let now = start + Duration::from_millis(ms);
            for (kind, (bits, bytes)) in [(sound, 120), (pictures, 1_200)].into_iter().enumerate() {
                while sent[kind] + bytes <= bits * ms / 8_000 {
                    sent[kind] += bytes;
                    if bandwidth.admits(now, usize::try_from(bytes).unwrap()) {
                        passed[kind] += bytes;
                    }
                }
            }
        }
        passed
    }

    #[test]
    fn everything_passes_below_the_bound() {
        let [sound, pictures] = pass(10 * MBIT, MBIT, 8 * MBIT);
        assert!(sound > 1_249_000 && pictures > 9_997_000, "{sound} {pictures}");
    }

    #[test]
    fn pictures_yield_to_sound_at_the_bound() {
        let [sound, pictures] = pass(10 * MBIT, 2 * MBIT, 30 * MBIT);
        assert!(sound > 2_499_000, "all of it: {sound}");
        let together = sound + pictures;
        assert!((12_400_000..12_800_000).contains(&together), "{together} of 12,500,000 and a bucket");
    }

    #[test]
    fn sound_alone_is_bounded_too() {
        let [sound, pictures] = pass(MBIT, 2 * MBIT, 0);
        assert!((1_240_000..1_400_000).contains(&sound), "{sound} of 1,250,000 and a bucket");
        assert_eq!(pictures, 0);
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_adds_nothing() {
        let now = Instant::now() + Duration::from_secs(10);
        let mut bandwidth = Bandwidth::new(1, now);
        while bandwidth.admits(now, SMALL_BYTES) {}
        assert!(!bandwidth.admits(now - Duration::from_secs(5), SMALL_BYTES));
        assert!(!bandwidth.admits(now, SMALL_BYTES));
    }

    #[test]
    fn the_longest_datagram_passes_a_narrow_bound() {
        let now = Instant::now();
        assert!(Bandwidth::new(1, now).admits(now, 65_535));
    }
}
