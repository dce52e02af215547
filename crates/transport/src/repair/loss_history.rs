//! Computes the share of repair packets from the losses of the path.

use std::time::Duration;

/// The weight of a packet decreases to 1/e after this many packets.
const MEMORY_PACKETS: f64 = 600.0;
/// Number of received packets assumed at the start, so that a single early loss does not become a high rate.
const PRIOR_PACKETS: f64 = 30.0;
/// Fewer runs of losses may be one interruption.
const MIN_BURSTS: f64 = 2.0;
/// There is no repair with less loss, because retransmission costs less.
const MIN_LOSS: f64 = 0.004;
/// There is no repair with a shorter round-trip time, because a retransmission arrives in time.
const MIN_RTT: Duration = Duration::from_millis(30);
/// Between [`MIN_RTT`] and this round-trip time, the share increases linearly.
const FULL_RTT: Duration = Duration::from_millis(80);
/// A smaller share is not worth the packets. A larger share would leave too little for the video.
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
    /// Adds the next packet in sending order.
    pub(crate) fn add(&mut self, lost: bool) {
        let keep = 1.0 - 1.0 / MEMORY_PACKETS;
        let starts = lost && !self.last_lost;
        self.lost = self.lost * keep + f64::from(u8::from(lost));
        self.total = self.total * keep + 1.0;
        self.bursts = self.bursts * keep + f64::from(u8::from(starts));
        self.last_lost = lost;
    }

    /// This many packets that had been reported as lost have arrived: the path reorders.
    pub(crate) fn on_late(&mut self, packets: usize) {
        self.lost = (self.lost - packets as f64).max(0.0);
        self.bursts = (self.bursts - packets as f64).max(0.0);
    }

    /// Share of packets lost, 0..1.
    pub(crate) fn loss(&self) -> f64 {
        self.lost / (self.total + PRIOR_PACKETS)
    }

    /// Whether more than this share is lost, and not all in one interruption.
    pub(crate) fn loses_often(&self, share: f64) -> bool {
        self.loss() > share && self.bursts > MIN_BURSTS
    }

    /// Whether losses come in runs of more than two packets.
    pub(crate) fn is_bursty(&self) -> bool {
        self.bursts > MIN_BURSTS && self.burst() > 2.0
    }

    /// Mean number of consecutive lost packets.
    fn burst(&self) -> f64 {
        if self.bursts < 0.5 { 1.0 } else { (self.lost / self.bursts).max(1.0) }
    }

    /// The number of repair packets per media packet.
    ///
    /// The constants were fitted in simulations with 20 seeds per path, so that no frame is late with 2 to 20 % of
    /// independent loss. Losses in long bursts are left to retransmission, which needs fewer packets for them.
    pub(crate) fn repair_share(&self, rtt: Duration) -> f64 {
        let loss = self.loss();
        if loss < MIN_LOSS || rtt < MIN_RTT {
            return 0.0;
        }
        // Independent losses have a mean burst length of 1 / (1 - loss).
        let excess = (self.burst() * (1.0 - loss) - 1.0).max(0.0);
        let rtt_factor = ((rtt - MIN_RTT).as_secs_f64() / (FULL_RTT - MIN_RTT).as_secs_f64()).min(1.0);
        // With a longer round-trip time, fewer losses should be left to retransmission.
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
    fn there_is_no_repair_for_packets_that_arrive_late() {
        let mut history = losing(20, 1);
        history.on_late(40);
        assert_eq!(history.repair_share(ms(100)), 0.0);
    }

    #[test]
    fn an_interruption_is_not_frequent_loss() {
        let mut history = LossHistory::default();
        (0..3_000).for_each(|n| history.add((2_800..2_950).contains(&n)));
        assert!(history.loss() > 0.1 && !history.loses_often(0.025));
        assert!(losing(20, 8).loses_often(0.025) && losing(20, 8).is_bursty());
        assert!(!history.is_bursty() && !losing(20, 1).is_bursty());
    }

    #[test]
    fn long_bursts_are_left_to_retransmission() {
        assert!(losing(20, 8).repair_share(ms(100)) < 0.04);
    }
}
