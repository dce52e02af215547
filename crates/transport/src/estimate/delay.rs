//! The standing queue: how much longer packets take now than on the empty path.

use crate::arrival::Arrival;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The shortest delay is looked for over one to two of these. Clocks drift apart by about 1 ms in it.
const BASE_WINDOW: Duration = Duration::from_secs(10);
/// Shortest delays of the last reports, for [`QueueDelay::accept`].
const RECENT: usize = 16;

/// One-way delays against their minimum. Both clocks' zero is arbitrary, so only differences mean anything.
#[derive(Debug)]
pub(crate) struct QueueDelay {
    zero: Instant,
    base: Option<i64>,
    former_base: Option<i64>,
    window_began: Instant,
    recent: VecDeque<i64>,
    standing: Duration,
}

impl QueueDelay {
    pub(crate) fn new(now: Instant) -> Self {
        QueueDelay {
            zero: now,
            base: None,
            former_base: None,
            window_began: now,
            recent: VecDeque::new(),
            standing: Duration::ZERO,
        }
    }

    /// Takes the arrivals of a report. The shortest of them is free of jitter, mostly.
    pub(crate) fn add(&mut self, now: Instant, arrivals: &[Arrival]) {
        let delays =
            arrivals.iter().map(|a| a.arrived - a.sent.saturating_duration_since(self.zero).as_micros() as i64);
        let Some(shortest) = delays.min() else { return };
        if now.saturating_duration_since(self.window_began) > BASE_WINDOW {
            self.window_began = now;
            self.former_base = self.base.take();
        }
        self.base = Some(self.base.map_or(shortest, |base| base.min(shortest)));
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(shortest);
        let base = self.base.into_iter().chain(self.former_base).min().unwrap_or(shortest);
        self.standing = Duration::from_micros(u64::try_from(shortest - base).unwrap_or(0));
    }

    /// The queue as of the last report.
    pub(crate) fn standing(&self) -> Duration {
        self.standing
    }

    /// Takes the present delay for that of the empty path: either the route changed, or the queue is others'.
    pub(crate) fn accept(&mut self) {
        self.base = self.recent.iter().min().copied();
        self.former_base = None;
        self.standing = Duration::ZERO;
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
    fn the_shortest_of_a_report_counts() {
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
