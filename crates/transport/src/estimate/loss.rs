//! Loss as a bound: only where sending less makes less of it.
//!
//! A radio link loses packets at any rate, and retransmission mends that; a policer or a short queue loses what
//! is too much. Loss alone does not tell which. So when it rises, the rate is cut once and the loss looked at
//! again: if it stayed, it belongs to the path and is borne from then on.

use std::time::{Duration, Instant};

/// Loss above what the path is known to have, that begins a trial; what chance may add is on top.
const SUSPICIOUS: f64 = 0.08;
/// Loss that is taken for the path's without a trial. More, and a policer would be got used to step by step.
const HARMLESS: f64 = 0.05;
/// A trial sends this much of the rate before it, or what got through if that is less.
const TRIAL: f64 = 0.8;
/// Packets are often lost in bursts, and one burst in a window is no rate. So a judgement needs this many bursts, unless
/// [`LONGEST_WINDOW`] has passed.
const BURSTS: usize = 4;
const LONGEST_WINDOW: Duration = Duration::from_millis(2500);
/// A judgement needs so many packets over so long.
const WINDOW: Duration = Duration::from_millis(500);
const WINDOW_PACKETS: usize = 30;
/// Growth of the bound a second while loss is as usual.
const GROWTH: f64 = 1.08;
/// The bound is of no more use this far above the rate that delay allows.
const RELEASE: f64 = 1.2;

/// ```text
///        loss rose              less loss
/// Calm ------------> Trying ------------------> Limited
///  ^ ^                 |                          |  |
///  | '-----------------'  as much: it is the path's  | loss rose: Trying
///  '-----------------------------------------------' bound above the estimate
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Calm,
    /// The rate was cut to see whether loss follows.
    Trying {
        bound: f64,
        /// Loss before.
        loss: f64,
        /// Loss now if all of it was for being too much.
        expected: f64,
        /// Packets sent from here on are of the trial.
        counts_from: Instant,
    },
    /// Loss followed the rate.
    Limited {
        bound: f64,
    },
}

#[derive(Debug)]
pub(crate) struct LossBound {
    state: State,
    /// Loss that the path has at any rate, 0..1.
    inherent: f64,
    lost: usize,
    /// Bursts in which they were lost.
    bursts: usize,
    arrived: usize,
    window_began: Instant,
    last: f64,
    grown: Instant,
}

impl LossBound {
    pub(crate) fn new(now: Instant) -> Self {
        LossBound {
            state: State::Calm,
            inherent: 0.0,
            lost: 0,
            bursts: 0,
            arrived: 0,
            window_began: now,
            last: 0.0,
            grown: now,
        }
    }

    /// The bound in bit/s.
    pub(crate) fn bound(&self) -> Option<f64> {
        match self.state {
            State::Calm => None,
            State::Trying { bound, .. } | State::Limited { bound } => Some(bound),
        }
    }

    /// Loss of the last whole window, 0..1.
    pub(crate) fn loss(&self) -> f64 {
        self.last
    }

    /// Loss at any rate, 0..1.
    pub(crate) fn inherent(&self) -> f64 {
        self.inherent
    }

    /// Packets of one report. `rate` is what the sender aimed at, `estimate` what delay allows, bit/s.
    pub(crate) fn add(&mut self, now: Instant, tally: Tally, rate: f64, estimate: f64, rtt: Duration) {
        if let State::Trying { counts_from, .. } = self.state
            && now < counts_from
        {
            self.begin_window(now);
            return;
        }
        self.lost = (self.lost + tally.lost).saturating_sub(tally.late);
        self.bursts += tally.runs;
        self.arrived += tally.arrived;
        let total = self.lost + self.arrived;
        // A trial is judged once and for all: on more.
        let windows = if let State::Trying { .. } = self.state { 2 } else { 1 };
        let passed = now.saturating_duration_since(self.window_began);
        if passed < WINDOW * windows || total < WINDOW_PACKETS * windows as usize {
            return;
        }
        if self.bursts < BURSTS && self.lost > 0 && passed < LONGEST_WINDOW {
            return;
        }
        let loss = self.lost as f64 / total as f64;
        let burst = self.lost as f64 / self.bursts.max(1) as f64;
        self.last = loss;
        self.begin_window(now);
        self.judge(now, Loss { share: loss, burst, packets: total }, rate, rtt);
        self.grow(now, loss, estimate);
    }

    /// Forgets the present window: what was lost in an interruption says nothing about the rate.
    pub(crate) fn begin_window(&mut self, now: Instant) {
        (self.lost, self.bursts, self.arrived, self.window_began) = (0, 0, 0, now);
    }

    fn judge(&mut self, now: Instant, Loss { share: loss, burst, packets }: Loss, rate: f64, rtt: Duration) {
        match self.state {
            State::Trying { bound, loss: before, expected, .. } => {
                if loss > (before + expected) / 2.0 {
                    self.inherent = loss.min(before);
                    self.state = State::Calm;
                } else {
                    self.grown = now;
                    self.state = State::Limited { bound };
                }
            }
            State::Calm | State::Limited { .. } => {
                let excess = loss - self.inherent;
                let chance = 2.0 * (self.inherent * (1.0 - self.inherent) / packets as f64).sqrt();
                // Loss in bursts varies as if there were fewer packets.
                let bursty = (2.0 * (burst - 1.0).max(0.0) * loss * (1.0 - loss) / packets as f64).sqrt();
                let chance = chance + 2.0 * bursty;
                if excess > SUSPICIOUS + chance {
                    let cut = TRIAL.min(1.0 - excess);
                    let expected = (1.0 - (1.0 - loss) / cut).max(self.inherent);
                    let counts_from = now + rtt + Duration::from_millis(150);
                    self.state = State::Trying { bound: rate * cut, loss, expected, counts_from };
                } else {
                    // Slowly, as single windows vary by chance; up only as far as is harmless or was tried.
                    let most = self.inherent.max(HARMLESS);
                    self.inherent = (self.inherent + excess / 8.0).min(most);
                }
            }
        }
    }

    fn grow(&mut self, now: Instant, loss: f64, estimate: f64) {
        let State::Limited { bound } = self.state else { return };
        let seconds = now.saturating_duration_since(self.grown).as_secs_f64().min(1.0);
        self.grown = now;
        let bound = if loss - self.inherent < SUSPICIOUS / 2.0 { bound * GROWTH.powf(seconds) } else { bound };
        self.state = if bound > estimate * RELEASE { State::Calm } else { State::Limited { bound } };
    }
}

/// The loss of a window.
#[derive(Debug, Clone, Copy)]
struct Loss {
    /// Share of packets lost, 0..1.
    share: f64,
    /// Mean number of packets lost in a row.
    burst: f64,
    packets: usize,
}

/// What a report says about packets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) lost: usize,
    pub(crate) arrived: usize,
    /// Counted as lost before, arrived after all.
    pub(crate) late: usize,
    /// Runs of consecutive lost packets.
    pub(crate) runs: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a path whose loss depends on the rate; gives the lowest and the last rate.
    fn run(seconds: u64, loss_at: impl Fn(f64) -> f64) -> (f64, f64, LossBound) {
        let start = Instant::now();
        let mut bound = LossBound::new(start);
        let estimate = 2e6;
        let (mut lowest, mut rate) = (estimate, estimate);
        for i in 0..seconds * 20 {
            let now = start + Duration::from_millis(i * 50);
            let lost = (loss_at(rate) * 100.0).round() as usize;
            let tally = Tally { lost, arrived: 100 - lost, late: 0, runs: lost };
            bound.add(now, tally, rate, estimate, Duration::from_millis(50));
            rate = bound.bound().unwrap_or(estimate).min(estimate);
            lowest = rate.min(lowest);
        }
        (lowest, rate, bound)
    }

    #[test]
    fn random_loss_of_any_size_is_borne() {
        for loss in [0.05, 0.1, 0.2, 0.5] {
            let (_, last, bound) = run(10, |_| loss);
            assert!(last >= 2e6, "{loss}: {last}");
            assert!(loss <= SUSPICIOUS || (bound.inherent() - loss).abs() < 0.02);
        }
        assert_eq!(run(10, |_| 0.05).0, 2e6);
    }

    #[test]
    fn a_policer_is_obeyed() {
        for capacity in [0.4e6, 0.8e6, 1.5e6] {
            let (_, last, _) = run(20, |rate| (1.0 - capacity / rate).max(0.0));
            assert!(last < capacity * 1.25 && last > capacity * 0.7, "{capacity}: {last}");
        }
    }

    #[test]
    fn a_policer_behind_a_lossy_radio_is_obeyed_too() {
        let (_, last, _) = run(30, |rate| 1.0 - 0.9 * (1e6 / rate).min(1.0));
        assert!(last < 1.4e6, "{last}");
    }
}
