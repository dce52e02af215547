//! Additive increase near the known capacity, multiplicative far from it, decrease to what got through:
//! draft-ietf-rmcat-gcc-02 section 5.5.

use super::Usage;
use std::time::{Duration, Instant};

/// Kept of the throughput when the queue grows.
const DECREASE: f64 = 0.85;
/// Growth a second far from any known capacity.
const INCREASE: f64 = 1.08;
/// The estimate is no further above what was seen to get through, so that it never rests on nothing.
const UNSEEN: f64 = 1.5;
/// One decrease leaves at least this much: the throughput of a sender that had little to send is no capacity.
const DEEPEST: f64 = 0.5;
/// Growth begins again after the queue has had time to go.
const PACKET_BITS: f64 = 1200.0 * 8.0;

/// What a report shows of the path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observation {
    /// The path's throughput in bit/s, corrected for its loss.
    pub(crate) through: Option<f64>,
    /// The rate at which growth ends, in bit/s, if it is known.
    pub(crate) limit: Option<f64>,
    /// Whether the sender used the whole estimate, so that the throughput is the path's and not the sender's.
    pub(crate) busy: bool,
}

#[derive(Debug)]
pub(crate) struct RateControl {
    estimate: f64,
    capacity: Capacity,
    updated: Instant,
    decreased: Option<Instant>,
}

impl RateControl {
    pub(crate) fn new(start: f64, now: Instant) -> Self {
        RateControl { estimate: start, capacity: Capacity::default(), updated: now, decreased: None }
    }

    pub(crate) fn estimate(&self) -> f64 {
        self.estimate
    }

    /// When the queue was last found growing.
    pub(crate) fn decreased(&self) -> Option<Instant> {
        self.decreased
    }

    /// Takes what one report showed.
    pub(crate) fn update(&mut self, now: Instant, usage: Usage, seen: Observation, rtt: Duration) {
        let seconds = now.saturating_duration_since(self.updated).as_secs_f64().min(1.0);
        self.updated = now;
        match usage {
            Usage::Over => self.decrease(now, seen.through, seen.busy, rtt),
            Usage::Under => {}
            Usage::Normal => self.increase(seconds, seen, rtt),
        }
    }

    /// A probe got this much through.
    pub(crate) fn raise(&mut self, rate: f64) {
        if rate > self.estimate {
            self.estimate = rate;
            self.capacity.forget_if_beyond(rate);
        }
    }

    /// Sets it, whatever was known.
    pub(crate) fn reset(&mut self, now: Instant, rate: f64) {
        (self.estimate, self.updated) = (rate, now);
        self.capacity = Capacity::default();
    }

    fn decrease(&mut self, now: Instant, through: Option<f64>, busy: bool, rtt: Duration) {
        let lately = |since: Instant| now.saturating_duration_since(since) < rtt + Duration::from_millis(100);
        let Some(through) = through else { return };
        let lowest = if busy { 0.0 } else { DEEPEST * self.estimate };
        let next = (DECREASE * through).max(lowest);
        if self.decreased.is_some_and(lately) && next > 0.8 * self.estimate {
            return;
        }
        if busy {
            self.capacity.saw(through);
        }
        self.decreased = Some(now);
        self.estimate = self.estimate.min(next);
    }

    fn increase(&mut self, seconds: f64, seen: Observation, rtt: Duration) {
        let Some(through) = seen.through else { return };
        self.capacity.forget_if_beyond(through);
        let response = rtt + Duration::from_millis(100);
        let grown = if self.capacity.is_near(self.estimate) {
            self.estimate + PACKET_BITS * seconds / response.as_secs_f64()
        } else {
            self.estimate * INCREASE.powf(seconds) + 1000.0 * seconds
        };
        let most = (UNSEEN * through + 10_000.0).min(seen.limit.unwrap_or(f64::MAX));
        self.estimate = grown.min(most.max(self.estimate));
    }
}

/// What the path carried when its queue grew, and how much that varied.
#[derive(Debug, Default)]
struct Capacity {
    mean: Option<f64>,
    /// Relative to the mean.
    variance: f64,
}

impl Capacity {
    fn saw(&mut self, rate: f64) {
        self.forget_if_beyond(rate);
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

    fn forget_if_beyond(&mut self, rate: f64) {
        if self.range().is_some_and(|(low, high)| rate < low || rate > high) {
            *self = Capacity::default();
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

    fn seen(through: f64, busy: bool) -> Observation {
        Observation { through: Some(through), limit: None, busy }
    }

    #[test]
    fn overuse_leaves_less_than_what_got_through() {
        let now = Instant::now();
        let mut rate = RateControl::new(2e6, now);
        rate.update(now, Usage::Over, seen(1e6, true), RTT);
        assert_eq!(rate.estimate(), 0.85e6);
    }

    #[test]
    fn overuse_of_an_idle_sender_does_not_collapse_it() {
        let now = Instant::now();
        let mut rate = RateControl::new(2e6, now);
        rate.update(now, Usage::Over, seen(0.1e6, false), RTT);
        assert_eq!(rate.estimate(), 1e6);
    }

    #[test]
    fn growth_stops_where_nothing_was_seen() {
        let start = Instant::now();
        let mut rate = RateControl::new(1e6, start);
        for i in 0..1000 {
            rate.update(start + Duration::from_millis(i * 50), Usage::Normal, seen(1e6, true), RTT);
        }
        assert!((rate.estimate() - 1.51e6).abs() < 1e3, "{}", rate.estimate());
    }
}
