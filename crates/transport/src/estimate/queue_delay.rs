//! The delay of the standing queue: the current one-way delay minus the delay of the empty path.
//!
//! A delay that varies at a constant rate is jitter, however large it is. A queue persists until the rate decreases.
//! Delay within the observed jitter therefore counts as a queue only after it has persisted for [`STANDING_WINDOW`].
//! Delay above the jitter counts immediately.

use crate::arrival::Arrival;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The base is the shortest delay of the last one to two windows. Clocks drift by about 1 ms within one.
const BASE_WINDOW: Duration = Duration::from_secs(10);
/// The standing queue is the delay that persists throughout this time.
const STANDING_WINDOW: Duration = Duration::from_millis(500);
/// Most reports kept of that time, about twice as many as a conforming receiver sends. When full, the oldest is dropped.
const MAX_RECENT: usize = 64;
/// Number of windows whose delay range (longest minus shortest delay) determines the jitter.
const MAX_RANGES: usize = 12;
/// With fewer windows, the jitter is 0.
const MIN_RANGES: usize = 2;
/// The jitter is the range at the lower third of the windows. A queue that the sender fills and drains also has a large
/// range, but not in every window.
const RANGE_QUANTILE_DIVISOR: usize = 3;
/// Ratio of the jitter to that range.
const JITTER_FACTOR: f64 = 2.0;
/// Frames of different sizes cause ranges up to this, in microseconds.
const CALM_RANGE_MICROS: i64 = 15_000;
/// The shortest delay of a window may still contain this fraction (1/n) of the jitter.
const UNCERTAINTY_DIVISOR: u32 = 4;

/// One-way delay relative to its minimum. The clocks have different zeros, so only differences are meaningful.
#[derive(Debug)]
pub(crate) struct QueueDelay {
    zero: Instant,
    base: Option<i64>,
    previous_base: Option<i64>,
    base_started: Instant,
    /// Shortest delays of the reports within the last [`STANDING_WINDOW`].
    recent: VecDeque<(Instant, i64)>,
    /// The current window: its start, shortest and longest delay.
    window: Option<(Instant, i64, i64)>,
    /// Longest minus shortest delay of the previous windows.
    ranges: VecDeque<i64>,
    jitter: Duration,
    standing: Duration,
    /// The delay of the last report, relative to the base.
    latest: Duration,
    /// Whether the base is kept, because other flows hide the delay of the empty path.
    hold_base: bool,
}

impl QueueDelay {
    pub(crate) fn new(now: Instant) -> Self {
        QueueDelay {
            zero: now,
            base: None,
            previous_base: None,
            base_started: now,
            recent: VecDeque::new(),
            window: None,
            ranges: VecDeque::new(),
            jitter: Duration::ZERO,
            standing: Duration::ZERO,
            latest: Duration::ZERO,
            hold_base: false,
        }
    }

    /// Adds the arrivals of a report. Uses the shortest delay among them, which contains little jitter between packets.
    pub(crate) fn add(&mut self, now: Instant, arrivals: &[Arrival]) {
        let delays =
            arrivals.iter().map(|a| a.arrived - a.sent.saturating_duration_since(self.zero).as_micros() as i64);
        let Some(shortest) = delays.min() else { return };
        if !self.hold_base && now.saturating_duration_since(self.base_started) > BASE_WINDOW {
            self.base_started = now;
            self.previous_base = self.base.take();
        }
        self.base = Some(self.base.map_or(shortest, |base| base.min(shortest)));
        let base = self.base.into_iter().chain(self.previous_base).min().unwrap_or(shortest);
        self.record_range(now, shortest);
        self.recent.push_back((now, shortest));
        while self.recent.len() > MAX_RECENT
            || self.recent.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > STANDING_WINDOW)
        {
            self.recent.pop_front();
        }
        self.latest = Duration::from_micros(u64::try_from(shortest - base).unwrap_or(0));
        let persistent = self.recent.iter().map(|(_, delay)| *delay).min().unwrap_or(shortest) - base;
        let excess = shortest - base - self.jitter.as_micros() as i64;
        self.standing = Duration::from_micros(u64::try_from(persistent.max(excess)).unwrap_or(0));
    }

    /// The delay of the standing queue as of the last report.
    pub(crate) fn standing(&self) -> Duration {
        self.standing
    }

    /// The delay of the last report, relative to the empty path. It includes jitter.
    pub(crate) fn latest(&self) -> Duration {
        self.latest
    }

    /// Keeps the base, or lets it follow the shortest recent delay again.
    pub(crate) fn hold_base(&mut self, hold: bool) {
        self.hold_base = hold;
    }

    /// The variation of the delay at a constant rate.
    pub(crate) fn jitter(&self) -> Duration {
        self.jitter
    }

    /// The part of the jitter that may be mistaken for a standing queue.
    pub(crate) fn uncertainty(&self) -> Duration {
        self.jitter / UNCERTAINTY_DIVISOR
    }

    /// Makes the current delay the base, because the route changed or other flows cause the queue.
    pub(crate) fn accept_as_base(&mut self) {
        self.base = self.recent.iter().map(|(_, delay)| *delay).min();
        self.previous_base = None;
        self.standing = Duration::ZERO;
    }

    /// Adds the delay of a report to the current window, and completes the window after its time.
    fn record_range(&mut self, now: Instant, delay: i64) {
        let (started, low, high) = self.window.unwrap_or((now, delay, delay));
        let (low, high) = (low.min(delay), high.max(delay));
        if now.saturating_duration_since(started) < STANDING_WINDOW {
            self.window = Some((started, low, high));
            return;
        }
        self.window = Some((now, delay, delay));
        if self.ranges.len() == MAX_RANGES {
            self.ranges.pop_front();
        }
        self.ranges.push_back(high - low);
        if self.ranges.len() >= MIN_RANGES {
            let mut sorted: Vec<i64> = self.ranges.iter().copied().collect();
            sorted.sort_unstable();
            let range = (sorted[sorted.len() / RANGE_QUANTILE_DIVISOR] - CALM_RANGE_MICROS).max(0);
            self.jitter = Duration::from_micros(range as u64).mul_f64(JITTER_FACTOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(zero: Instant, at: u64, delay: i64) -> Arrival {
        let sent = zero + Duration::from_millis(at);
        Arrival { sent, arrived: (at as i64 + delay) * 1000, size: 100, cluster: None }
    }

    #[test]
    fn the_shortest_delay_of_a_report_counts() {
        let zero = Instant::now();
        let mut queue = QueueDelay::new(zero);
        queue.add(zero, &[arrival(zero, 0, -7000), arrival(zero, 5, -6990)]);
        assert_eq!(queue.standing(), Duration::ZERO);
        queue.add(zero, &[arrival(zero, 50, -6900), arrival(zero, 55, -6960)]);
        assert_eq!(queue.standing(), Duration::from_millis(40));
    }

    #[test]
    fn an_old_minimum_is_forgotten() {
        let zero = Instant::now();
        let mut queue = QueueDelay::new(zero);
        for at in 0..300 {
            let delay = if at == 0 { 0 } else { 30 };
            queue.add(zero + Duration::from_millis(at * 100), &[arrival(zero, at * 100, delay)]);
        }
        assert_eq!(queue.standing(), Duration::ZERO);
    }
}
