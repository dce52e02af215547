//! How many repair packets the path needs.

use std::time::Duration;

/// Weight of a packet falls to a third after so many.
const MEMORY_PACKETS: f64 = 600.0;
/// As if so many had arrived before: one early loss is no rate.
const PRIOR_PACKETS: f64 = 30.0;
/// With less loss there is no repair: retransmission costs less.
const MIN_LOSS: f64 = 0.004;
/// With a shorter round trip a retransmission arrives in time.
const MIN_RTT: Duration = Duration::from_millis(30);
/// From this round trip on, the share is whole.
const FULL_RTT: Duration = Duration::from_millis(80);
/// A smaller share is not worth the packets; more than the largest leaves too little for the picture.
const SHARE_RANGE: std::ops::RangeInclusive<f64> = 0.04..=0.6;

/// The recent losses of a path, from transport-wide feedback.
#[derive(Debug, Default)]
pub(crate) struct LossHistory {
    lost: f64,
    total: f64,
    /// Runs of consecutive lost packets.
    bursts: f64,
    last_lost: bool,
}

impl LossHistory {
    /// The fate of the next packet in sending order.
    pub(crate) fn add(&mut self, lost: bool) {
        let keep = 1.0 - 1.0 / MEMORY_PACKETS;
        let starts = lost && !self.last_lost;
        self.lost = self.lost * keep + f64::from(u8::from(lost));
        self.total = self.total * keep + 1.0;
        self.bursts = self.bursts * keep + f64::from(u8::from(starts));
        self.last_lost = lost;
    }

    /// Share of packets lost, 0..1.
    fn loss(&self) -> f64 {
        self.lost / (self.total + PRIOR_PACKETS)
    }

    /// Mean number of packets lost in a row.
    fn burst(&self) -> f64 {
        if self.bursts < 0.5 { 1.0 } else { (self.lost / self.bursts).max(1.0) }
    }

    /// Repair packets for each media packet.
    ///
    /// The constants were fitted over 20 seeds of each path: no frame is late at 2 to 20 % of independent loss. Losses in
    /// long bursts are left to retransmission, which needs fewer packets for them.
    pub(crate) fn repair_share(&self, rtt: Duration) -> f64 {
        let loss = self.loss();
        if loss < MIN_LOSS || rtt < MIN_RTT {
            return 0.0;
        }
        // Independent losses have runs of 1 / (1 - loss).
        let excess = (self.burst() * (1.0 - loss) - 1.0).max(0.0);
        let rtt_factor = ((rtt - MIN_RTT).as_secs_f64() / (FULL_RTT - MIN_RTT).as_secs_f64()).min(1.0);
        // The longer a retransmission takes, the fewer losses should be left to it.
        let long_rtt = rtt.saturating_sub(Duration::from_millis(100)).as_secs_f64() / 0.15;
        let share = (0.08 + 2.0 * loss) / (1.0 + excess) * rtt_factor * (1.0 + 0.6 * long_rtt.min(1.0));
        if share < *SHARE_RANGE.start() { 0.0 } else { share.min(*SHARE_RANGE.end()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Every `nth` of 3,000 packets is lost, in runs of `burst`.
    fn losing(nth: u64, burst: u64) -> LossHistory {
        let mut history = LossHistory::default();
        (0..3_000).for_each(|n| history.add((n / burst).is_multiple_of(nth)));
        history
    }

    #[test]
    fn the_share_grows_with_loss_and_round_trip_time() {
        let share = losing(20, 1).repair_share(ms(100));
        assert!((0.15..0.2).contains(&share), "{share}");
        assert!(losing(5, 1).repair_share(ms(100)) > 2.0 * share);
        assert!(losing(20, 1).repair_share(ms(250)) > 1.5 * share);
        assert!(losing(20, 1).repair_share(ms(50)) < share);
    }

    #[test]
    fn there_is_no_repair_without_loss_or_with_a_short_round_trip_time() {
        assert_eq!(LossHistory::default().repair_share(ms(100)), 0.0);
        assert_eq!(losing(5_000, 1).repair_share(ms(100)), 0.0);
        assert_eq!(losing(20, 1).repair_share(ms(25)), 0.0);
    }

    #[test]
    fn long_bursts_are_left_to_retransmission() {
        assert!(losing(20, 8).repair_share(ms(100)) < 0.04);
    }
}
