//! Detects spare capacity without probes. Each frame is sent as a burst faster than the estimate, and arrives at the
//! rate of the bottleneck. While bursts arrive no faster than the estimate, a probe would find no capacity.

use crate::arrival::{Arrival, RemoteMicros};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A packet belongs to the burst of the previous one if it was sent within this time.
const MAX_PACKET_GAP: Duration = Duration::from_millis(4);
/// Most bursts kept.
const MAX_BURSTS: usize = 12;
/// Fewer fast bursts give no result.
const MIN_FAST_BURSTS: usize = 6;
/// Shortest measurable arrival time of a burst in microseconds: the resolution of the feedback.
const MIN_DURATION_MICROS: i64 = 250;
/// A burst counts only if it was sent faster than this multiple of the estimate.
const MIN_SEND_FACTOR: f64 = 1.4;
/// There is spare capacity if bursts arrive faster than this multiple of the estimate.
const SPARE_FACTOR: f64 = 1.25;
/// The estimate grows up to this share of the receive rate of bursts, so that no queue builds up.
const GROWTH_LIMIT_FACTOR: f64 = 0.94;

/// The newest bursts.
#[derive(Debug, Default)]
pub(crate) struct Bursts {
    current: Option<Burst>,
    /// Send rate and receive rate of each burst, in bit/s.
    completed: VecDeque<(f64, f64)>,
}

#[derive(Debug)]
struct Burst {
    first_sent: Instant,
    last_sent: Instant,
    first_arrived: RemoteMicros,
    last_arrived: RemoteMicros,
    /// Bytes, excluding the first packet.
    bytes: usize,
}

impl Bursts {
    /// Adds the next arrival.
    pub(crate) fn add(&mut self, arrival: &Arrival) {
        if let Some(burst) = &mut self.current
            && arrival.sent >= burst.last_sent
            && arrival.sent - burst.last_sent <= MAX_PACKET_GAP
        {
            burst.last_sent = arrival.sent;
            burst.last_arrived = burst.last_arrived.max(arrival.arrived);
            burst.bytes += arrival.size;
            return;
        }
        let (sent, arrived) = (arrival.sent, arrival.arrived);
        let next = Burst { first_sent: sent, last_sent: sent, first_arrived: arrived, last_arrived: arrived, bytes: 0 };
        if let Some(burst) = self.current.replace(next).filter(|burst| burst.bytes > 0) {
            if self.completed.len() == MAX_BURSTS {
                self.completed.pop_front();
            }
            let send_micros = (burst.last_sent - burst.first_sent).as_micros() as f64;
            let receive_micros = burst.last_arrived.saturating_sub(burst.first_arrived).max(MIN_DURATION_MICROS) as f64;
            let bits = burst.bytes as f64 * 8e6;
            self.completed.push_back((bits / send_micros.max(1.0), bits / receive_micros));
        }
    }

    /// Whether the path carries more than `estimate` (bit/s). `None` while too few bursts were sent fast enough.
    pub(crate) fn has_spare_capacity(&self, estimate: f64) -> Option<bool> {
        self.receive_rate(estimate).map(|receive_rate| receive_rate > SPARE_FACTOR * estimate)
    }

    /// The rate in bit/s up to which the estimate may grow.
    pub(crate) fn growth_limit(&self, estimate: f64) -> Option<f64> {
        self.receive_rate(estimate).map(|receive_rate| GROWTH_LIMIT_FACTOR * receive_rate)
    }

    /// The median receive rate of fast bursts.
    fn receive_rate(&self, estimate: f64) -> Option<f64> {
        let fast = self.completed.iter().filter(|(send_rate, _)| *send_rate > MIN_SEND_FACTOR * estimate);
        let mut receive_rate: Vec<f64> = fast.map(|(_, receive_rate)| *receive_rate).collect();
        receive_rate.sort_by(f64::total_cmp);
        (receive_rate.len() >= MIN_FAST_BURSTS).then(|| receive_rate[receive_rate.len() / 2])
    }

    /// Discards all bursts, after an interruption.
    pub(crate) fn reset(&mut self) {
        *self = Bursts::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of three packets, sent at 2.5 Mbit/s over a path of this capacity.
    fn bursts_over(capacity: f64) -> Bursts {
        let start = Instant::now();
        let mut bursts = Bursts::default();
        for i in 0..60 {
            let (frame, packet) = (i / 3 * 33_333, i % 3);
            let sent = start + Duration::from_micros(frame + packet * 3_200);
            let arrived = frame as i64 + packet as i64 * (8e9 / capacity.min(2.5e6)) as i64;
            bursts.add(&Arrival { sent, arrived, size: 1000, cluster: None });
        }
        bursts
    }

    #[test]
    fn a_full_path_stretches_bursts() {
        assert_eq!(bursts_over(1.0e6).has_spare_capacity(0.9e6), Some(false));
        assert_eq!(bursts_over(8.0e6).has_spare_capacity(0.9e6), Some(true));
    }

    #[test]
    fn bursts_slower_than_the_estimate_are_inconclusive() {
        assert_eq!(bursts_over(8.0e6).has_spare_capacity(2.5e6), None);
        assert_eq!(Bursts::default().has_spare_capacity(1e6), None);
    }
}
