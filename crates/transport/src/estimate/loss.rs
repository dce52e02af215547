//! A loss-based upper bound of the estimate, applied only if a lower rate reduces the loss.
//!
//! A radio link loses packets at any rate, and retransmission recovers them. A policer or a short queue drops the
//! excess. The loss rate alone does not distinguish the two. When loss rises, the rate is therefore reduced once as a
//! test. If the loss stays the same, it is inherent to the path and tolerated from then on.

use std::time::{Duration, Instant};

/// Loss above the inherent loss that starts a test, in addition to the statistical error.
const TEST_THRESHOLD: f64 = 0.08;
/// Most loss that becomes inherent without a test. With more, the bound would slowly adapt to a policer.
const MAX_UNTESTED_LOSS: f64 = 0.05;
/// Factor applied to the rate for a test. If less was delivered, that share is used instead.
const TEST_FACTOR: f64 = 0.8;
/// Losses often come in bursts, and a single burst does not measure a rate. An evaluation therefore needs this many
/// bursts, unless [`MAX_WINDOW`] has passed.
const MIN_BURSTS: usize = 4;
const MAX_WINDOW: Duration = Duration::from_millis(2500);
/// An evaluation needs at least this time and this many packets.
const MIN_WINDOW: Duration = Duration::from_millis(500);
const MIN_PACKETS: usize = 30;
/// Growth of the bound per second while loss is near the inherent loss.
const GROWTH_PER_SECOND: f64 = 1.08;
/// The bound is also removed above this multiple of the rate that a test reduced: fewer packets were lost by chance.
const WRONG_FACTOR: f64 = 1.1;
/// The bound is removed above this multiple of the delay-based estimate.
const RELEASE_FACTOR: f64 = 1.2;

/// ```text
///             loss rises            loss falls
/// Unlimited ------------> Testing ------------> Limited --loss rises--> Testing
///    ^  ^                    |                     |
///    |  '--- same loss: inherent                   |
///    '- bound above the delay-based estimate, or --'
///       above the rate that the test reduced, and no more loss
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Unlimited,
    /// The rate was reduced, to test whether loss decreases.
    Testing {
        bound: f64,
        /// The rate before the test.
        tested: f64,
        /// Loss before the test, 0..1.
        loss: f64,
        /// Loss at the reduced rate if all loss was caused by excess packets, 0..1.
        expected: f64,
        /// Reports before this time concern packets sent before the test.
        test_from: Instant,
    },
    /// Loss decreased with the rate.
    Limited {
        bound: f64,
        /// The rate before the test.
        tested: f64,
    },
}

#[derive(Debug)]
pub(crate) struct LossBound {
    state: State,
    /// Loss of the path regardless of the rate, 0..1.
    inherent: f64,
    lost: usize,
    /// Number of bursts in which they were lost.
    bursts: usize,
    arrived: usize,
    window_started: Instant,
    last_loss: f64,
    last_growth: Instant,
}

impl LossBound {
    pub(crate) fn new(now: Instant) -> Self {
        LossBound {
            state: State::Unlimited,
            inherent: 0.0,
            lost: 0,
            bursts: 0,
            arrived: 0,
            window_started: now,
            last_loss: 0.0,
            last_growth: now,
        }
    }

    /// The bound in bit/s, if there is one.
    pub(crate) fn bound(&self) -> Option<f64> {
        match self.state {
            State::Unlimited => None,
            State::Testing { bound, .. } | State::Limited { bound, .. } => Some(bound),
        }
    }

    /// Loss in the last completed window, 0..1.
    pub(crate) fn loss(&self) -> f64 {
        self.last_loss
    }

    /// Loss of the path regardless of the rate, 0..1.
    pub(crate) fn inherent(&self) -> f64 {
        self.inherent
    }

    /// Forgets the loss that seemed to be the path's own, and the bound.
    pub(crate) fn forget(&mut self, now: Instant) {
        *self = LossBound { last_loss: self.last_loss, ..LossBound::new(now) };
    }

    /// Adds the packets of one report. `rate` is the send rate and `estimate` the delay-based estimate, both in bit/s.
    /// Returns whether a window is complete.
    pub(crate) fn add(&mut self, now: Instant, counts: PacketCounts, rate: f64, estimate: f64, rtt: Duration) -> bool {
        if let State::Testing { test_from, .. } = self.state
            && now < test_from
        {
            self.restart_window(now);
            return false;
        }
        self.lost = (self.lost + counts.lost).saturating_sub(counts.late);
        self.bursts += counts.bursts;
        self.arrived += counts.arrived;
        let total = self.lost + self.arrived;
        // A test has a lasting effect, so it is evaluated over twice the data.
        let windows = if let State::Testing { .. } = self.state { 2 } else { 1 };
        let passed = now.saturating_duration_since(self.window_started);
        if passed < MIN_WINDOW * windows || total < MIN_PACKETS * windows as usize {
            return false;
        }
        if self.bursts < MIN_BURSTS && self.lost > 0 && passed < MAX_WINDOW {
            return false;
        }
        let loss = self.lost as f64 / total as f64;
        let burst = self.lost as f64 / self.bursts.max(1) as f64;
        self.last_loss = loss;
        self.restart_window(now);
        self.evaluate(now, WindowLoss { share: loss, burst, packets: total }, rate, rtt);
        self.grow(now, loss, estimate);
        true
    }

    /// Restarts the window. Loss in an interruption is not caused by the rate.
    pub(crate) fn restart_window(&mut self, now: Instant) {
        (self.lost, self.bursts, self.arrived, self.window_started) = (0, 0, 0, now);
    }

    fn evaluate(
        &mut self,
        now: Instant,
        WindowLoss { share: loss, burst, packets }: WindowLoss,
        rate: f64,
        rtt: Duration,
    ) {
        match self.state {
            State::Testing { bound, tested, loss: previous, expected, .. } => {
                if loss > (previous + expected) / 2.0 {
                    self.inherent = loss.min(previous);
                    self.state = State::Unlimited;
                } else {
                    self.last_growth = now;
                    self.state = State::Limited { bound, tested };
                }
            }
            State::Unlimited | State::Limited { .. } => {
                let excess = loss - self.inherent;
                // A path whose loss is not known yet is given the most that needs no test.
                let usual = self.inherent.max(MAX_UNTESTED_LOSS);
                let random_error = 2.0 * (usual * (1.0 - usual) / packets as f64).sqrt();
                // Bursts increase the variance, as if there were fewer packets.
                let burst_error = (2.0 * (burst - 1.0).max(0.0) * loss * (1.0 - loss) / packets as f64).sqrt();
                let random_error = random_error + 2.0 * burst_error;
                if excess > TEST_THRESHOLD + random_error {
                    let cut = TEST_FACTOR.min(1.0 - excess);
                    let expected = (1.0 - (1.0 - loss) / cut).max(self.inherent);
                    let test_from = now + rtt + Duration::from_millis(150);
                    self.state = State::Testing { bound: rate * cut, tested: rate, loss, expected, test_from };
                } else {
                    // Adapts slowly, because single windows vary randomly. Without a test it rises to MAX_UNTESTED_LOSS
                    // at most.
                    let limit = self.inherent.max(MAX_UNTESTED_LOSS);
                    self.inherent = (self.inherent + excess / 8.0).min(limit);
                }
            }
        }
    }

    fn grow(&mut self, now: Instant, loss: f64, estimate: f64) {
        let State::Limited { bound, tested } = self.state else { return };
        let seconds = now.saturating_duration_since(self.last_growth).as_secs_f64().min(1.0);
        self.last_growth = now;
        let bound =
            if loss - self.inherent < TEST_THRESHOLD / 2.0 { bound * GROWTH_PER_SECOND.powf(seconds) } else { bound };
        let was_wrong = bound > tested * WRONG_FACTOR;
        self.state = match bound > estimate * RELEASE_FACTOR || was_wrong {
            true => State::Unlimited,
            false => State::Limited { bound, tested },
        };
    }
}

/// Loss in a window.
#[derive(Debug, Clone, Copy)]
struct WindowLoss {
    /// Share of packets lost, 0..1.
    share: f64,
    /// Mean number of consecutive lost packets.
    burst: f64,
    packets: usize,
}

/// Packet counts of a feedback message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PacketCounts {
    pub(crate) lost: usize,
    pub(crate) arrived: usize,
    /// Previously counted as lost, now received.
    pub(crate) late: usize,
    /// Number of runs of consecutive lost packets.
    pub(crate) bursts: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates a path whose loss depends on the rate. Returns the lowest and the last rate.
    fn simulate(seconds: u64, loss_at: impl Fn(f64) -> f64) -> (f64, f64, LossBound) {
        let start = Instant::now();
        let mut bound = LossBound::new(start);
        let estimate = 2e6;
        let (mut lowest, mut rate) = (estimate, estimate);
        for i in 0..seconds * 20 {
            let now = start + Duration::from_millis(i * 50);
            let lost = (loss_at(rate) * 100.0).round() as usize;
            let counts = PacketCounts { lost, arrived: 100 - lost, late: 0, bursts: lost };
            bound.add(now, counts, rate, estimate, Duration::from_millis(50));
            rate = bound.bound().unwrap_or(estimate).min(estimate);
            lowest = rate.min(lowest);
        }
        (lowest, rate, bound)
    }

    #[test]
    fn random_loss_at_any_rate_is_tolerated() {
        for loss in [0.05, 0.1, 0.2, 0.5] {
            let (_, last, bound) = simulate(10, |_| loss);
            assert!(last >= 2e6, "{loss}: {last}");
            assert!(loss <= TEST_THRESHOLD || (bound.inherent() - loss).abs() < 0.02);
        }
        assert_eq!(simulate(10, |_| 0.05).0, 2e6);
    }

    #[test]
    fn a_bound_that_random_loss_caused_ends_soon() {
        let start = Instant::now();
        let mut bound = LossBound::new(start);
        let mut bounded = 0;
        for i in 0..20 * 10 {
            // More loss at the start, so that the usual loss during the test seems to be an improvement.
            let lost = if i < 14 { 30 } else { 5 };
            let counts = PacketCounts { lost, arrived: 100 - lost, late: 0, bursts: lost };
            let rate = bound.bound().unwrap_or(1e6);
            bound.add(start + Duration::from_millis(i * 50), counts, rate, 8e6, Duration::from_millis(50));
            bounded += u32::from(bound.bound().is_some());
        }
        assert!((20..20 * 8).contains(&bounded), "{bounded} reports");
    }

    #[test]
    fn the_bound_converges_on_a_policer() {
        for capacity in [0.4e6, 0.8e6, 1.5e6] {
            let (_, last, _) = simulate(20, |rate| (1.0 - capacity / rate).max(0.0));
            assert!(last < capacity * 1.25 && last > capacity * 0.7, "{capacity}: {last}");
        }
    }

    #[test]
    fn the_bound_converges_on_a_policer_behind_a_lossy_link() {
        let (_, last, _) = simulate(30, |rate| 1.0 - 0.9 * (1e6 / rate).min(1.0));
        assert!(last < 1.4e6, "{last}");
    }
}
