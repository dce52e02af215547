//! Limits the share of retransmissions, and measures their bitrate.

use super::rate_meter::RateMeter;
use std::time::{Duration, Instant};

/// Largest share of the target for retransmissions. They may use the unused share of [`BURST`] at once.
const SHARE: f64 = 0.5;
const BURST: Duration = Duration::from_millis(400);
/// Bits that may always be saved up, whatever the target.
const MIN_BURST_BITS: f64 = 40_000.0;

#[derive(Debug)]
pub(crate) struct RetransmissionBudget {
    /// Bits that retransmissions may use now. Negative after a large packet.
    bits: f64,
    updated: Instant,
    /// Also of repair packets.
    meter: RateMeter,
    bitrate: f64,
}

impl RetransmissionBudget {
    pub(crate) fn new(now: Instant) -> Self {
        RetransmissionBudget { bits: 0.0, updated: now, meter: RateMeter::default(), bitrate: 0.0 }
    }

    /// Advances the time to `now`. `target` is the target bitrate in bit/s.
    pub(crate) fn advance(&mut self, now: Instant, target: f64) {
        let passed = now.saturating_duration_since(self.updated).as_secs_f64();
        self.updated = self.updated.max(now);
        let most = (SHARE * target * BURST.as_secs_f64()).max(MIN_BURST_BITS);
        self.bits = (self.bits + SHARE * target * passed).min(most);
        self.measure(now);
    }

    /// Updates the bitrate.
    pub(crate) fn measure(&mut self, now: Instant) {
        self.bitrate = self.meter.rate(now);
    }

    /// Whether a retransmission may be sent now.
    pub(crate) fn allows(&self) -> bool {
        self.bits > 0.0
    }

    /// When the next retransmission may be sent.
    pub(crate) fn next_at(&self, target: f64) -> Instant {
        self.updated + Duration::from_secs_f64((1.0 - self.bits).max(0.0) / (SHARE * target))
    }

    /// Records a retransmission of this size in bytes.
    pub(crate) fn on_retransmission(&mut self, now: Instant, size: usize) {
        self.bits -= size as f64 * 8.0;
        self.meter.add(now, size);
    }

    /// Records a repair packet of this size in bytes, which the budget does not limit.
    pub(crate) fn on_repair(&mut self, now: Instant, size: usize) {
        self.meter.add(now, size);
    }

    /// The bitrate of retransmissions and repair packets in bit/s, as far as it reduces a target bitrate.
    pub(crate) fn bitrate(&self, target: f64) -> f64 {
        self.bitrate.min(SHARE * target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retransmissions_take_at_most_half_of_the_target() {
        let start = Instant::now();
        let (mut budget, target) = (RetransmissionBudget::new(start), 1e6);
        let mut sent = 0;
        for ms in 0..10_000 {
            let now = start + Duration::from_millis(ms);
            budget.advance(now, target);
            while budget.allows() {
                budget.on_retransmission(now, 1_200);
                sent += 1_200;
            }
            assert!(budget.next_at(target) > now);
        }
        let rate = f64::from(sent) * 8.0 / 10.0;
        assert!((0.45e6..0.52e6).contains(&rate), "{rate}");
        assert!(budget.bitrate(target) <= 0.5e6);
    }

    #[test]
    fn an_unused_share_may_be_used_at_once() {
        let start = Instant::now();
        let mut budget = RetransmissionBudget::new(start);
        budget.advance(start + Duration::from_secs(60), 1e6);
        let burst = std::iter::from_fn(|| budget.allows().then(|| budget.on_retransmission(start, 1_000))).count();
        assert_eq!(burst, 25);
    }
}
