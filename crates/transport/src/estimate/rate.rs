//! The delay-based rate control of draft-ietf-rmcat-gcc-02 section 5.5: additive increase near the known link capacity,
//! multiplicative increase otherwise, and a decrease below the throughput on overuse.

use super::BandwidthUsage;
use crate::uplink::UplinkShare;
use std::time::{Duration, Instant};

/// Multiple of the throughput that the estimate decreases to on overuse (β in the draft).
const DECREASE_FACTOR: f64 = 0.85;
/// On overuse, senders that share an uplink also yield this share of what they have above the mean.
const EXCESS_SHARE: f64 = 0.25;
/// Growth per second far from the known link capacity (η in the draft).
const INCREASE_FACTOR: f64 = 1.08;
/// The estimate grows up to this multiple of the throughput, so that a measurement always supports it.
const MAX_OVER_THROUGHPUT: f64 = 1.5;
/// Smallest factor of one decrease if the sender did not use the whole estimate, because its throughput is then not the
/// capacity of the path.
const MIN_DECREASE_FACTOR: f64 = 0.5;
/// Size of an average packet in bits. Additive increase is one such packet per response time.
const PACKET_BITS: f64 = 1200.0 * 8.0;

/// Measurements from a feedback message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observation {
    /// Throughput in bit/s, corrected for the inherent loss. `None` while it is unknown.
    pub(crate) throughput: Option<f64>,
    /// The rate up to which the estimate may grow, in bit/s, if it is known.
    pub(crate) growth_limit: Option<f64>,
    /// Whether the sender used the whole estimate. If not, it is application-limited, and so is the throughput.
    pub(crate) fully_used: bool,
    /// The senders that share the uplink.
    pub(crate) uplink: UplinkShare,
}

#[derive(Debug)]
pub(crate) struct AimdRateControl {
    estimate: f64,
    link_capacity: LinkCapacity,
    last_update: Instant,
    last_decrease: Option<Instant>,
}

impl AimdRateControl {
    pub(crate) fn new(start: f64, now: Instant) -> Self {
        AimdRateControl {
            estimate: start,
            link_capacity: LinkCapacity::default(),
            last_update: now,
            last_decrease: None,
        }
    }

    pub(crate) fn estimate(&self) -> f64 {
        self.estimate
    }

    /// When the estimate last decreased because of overuse.
    pub(crate) fn last_decrease(&self) -> Option<Instant> {
        self.last_decrease
    }

    /// Processes the measurements of one feedback message.
    pub(crate) fn update(&mut self, now: Instant, usage: BandwidthUsage, observation: Observation, rtt: Duration) {
        let seconds = now.saturating_duration_since(self.last_update).as_secs_f64().min(1.0);
        self.last_update = now;
        match usage {
            BandwidthUsage::Overusing => self.decrease(now, observation, rtt),
            BandwidthUsage::Underusing => {}
            BandwidthUsage::Normal => self.increase(seconds, observation, rtt),
        }
    }

    /// Raises the estimate to the delivered rate of a probe, in bit/s.
    pub(crate) fn raise_to(&mut self, rate: f64) {
        if rate > self.estimate {
            self.estimate = rate;
            self.link_capacity.reset_if_outside(rate);
        }
    }

    /// Sets the estimate and discards the known link capacity.
    pub(crate) fn reset(&mut self, now: Instant, rate: f64) {
        (self.estimate, self.last_update) = (rate, now);
        self.link_capacity = LinkCapacity::default();
    }

    fn decrease(&mut self, now: Instant, observation: Observation, rtt: Duration) {
        let Observation { throughput, fully_used, uplink, .. } = observation;
        let recently = |since: Instant| now.saturating_duration_since(since) < rtt + Duration::from_millis(100);
        let Some(throughput) = throughput else { return };
        let lowest = if fully_used { 0.0 } else { MIN_DECREASE_FACTOR * self.estimate };
        let excess = if uplink.flows > 1 { (throughput - uplink.mean_rate as f64).max(0.0) } else { 0.0 };
        let fixed = (1.0 - DECREASE_FACTOR) * uplink.fixed_rate as f64;
        let next = (DECREASE_FACTOR * throughput - EXCESS_SHARE * excess - fixed).max(lowest);
        if self.last_decrease.is_some_and(recently) && (next > 0.8 * self.estimate || !fully_used) {
            return;
        }
        if fully_used {
            self.link_capacity.record(throughput);
        }
        self.last_decrease = Some(now);
        self.estimate = self.estimate.min(next);
    }

    fn increase(&mut self, seconds: f64, observation: Observation, rtt: Duration) {
        let Some(throughput) = observation.throughput else { return };
        self.link_capacity.reset_if_outside(throughput);
        let response = rtt + Duration::from_millis(100);
        // Senders that share an uplink grow by the same amount and shrink by the same factor, so their rates converge. Near
        // the capacity they grow by one packet per response time together.
        let flows = f64::from(observation.uplink.flows.max(1));
        let base = if flows > 1.0 { observation.uplink.mean_rate as f64 } else { self.estimate };
        let has_share = flows <= 1.0 || self.estimate > 0.75 * base;
        let grown = if has_share && self.link_capacity.is_near(self.estimate) {
            self.estimate + PACKET_BITS * seconds / response.as_secs_f64() / flows
        } else {
            self.estimate + base * (INCREASE_FACTOR.powf(seconds) - 1.0) + 1000.0 * seconds
        };
        let ceiling = (MAX_OVER_THROUGHPUT * throughput + 10_000.0).min(observation.growth_limit.unwrap_or(f64::MAX));
        self.estimate = grown.min(ceiling.max(self.estimate));
    }
}

/// Mean and variance of the throughput during overuse.
#[derive(Debug, Default)]
struct LinkCapacity {
    mean: Option<f64>,
    /// Variance relative to the squared mean.
    variance: f64,
}

impl LinkCapacity {
    fn record(&mut self, rate: f64) {
        self.reset_if_outside(rate);
        let Some(mean) = self.mean else {
            (self.mean, self.variance) = (Some(rate), 0.01);
            return;
        };
        let next = 0.95 * mean + 0.05 * rate;
        let error = (rate - next) / next.max(1.0);
        self.variance = (0.95 * self.variance + 0.05 * error * error).clamp(0.0025, 0.04);
        self.mean = Some(next);
    }

    fn range(&self) -> Option<(f64, f64)> {
        let mean = self.mean?;
        let width = 3.0 * self.variance.sqrt() * mean;
        Some((mean - width, mean + width))
    }

    fn reset_if_outside(&mut self, rate: f64) {
        if self.range().is_some_and(|(low, high)| rate < low || rate > high) {
            *self = LinkCapacity::default();
        }
    }

    fn is_near(&self, rate: f64) -> bool {
        self.range().is_some_and(|(low, high)| (low..=high).contains(&rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    fn observation(throughput: f64, fully_used: bool) -> Observation {
        Observation { throughput: Some(throughput), growth_limit: None, fully_used, uplink: UplinkShare::default() }
    }

    #[test]
    fn overuse_decreases_the_estimate_below_the_throughput() {
        let now = Instant::now();
        let mut rate = AimdRateControl::new(2e6, now);
        rate.update(now, BandwidthUsage::Overusing, observation(1e6, true), RTT);
        assert_eq!(rate.estimate(), 0.85e6);
    }

    #[test]
    fn overuse_by_an_idle_sender_halves_the_estimate_at_most() {
        let now = Instant::now();
        let mut rate = AimdRateControl::new(2e6, now);
        rate.update(now, BandwidthUsage::Overusing, observation(0.1e6, false), RTT);
        assert_eq!(rate.estimate(), 1e6);
    }

    #[test]
    fn growth_is_limited_by_the_throughput() {
        let start = Instant::now();
        let mut rate = AimdRateControl::new(1e6, start);
        for i in 0..1000 {
            rate.update(start + Duration::from_millis(i * 50), BandwidthUsage::Normal, observation(1e6, true), RTT);
        }
        assert!((rate.estimate() - 1.51e6).abs() < 1e3, "{}", rate.estimate());
    }
}
