//! The acknowledged bitrate: the rate at which packets arrived, on the remote clock.

use crate::arrival::{Arrival, RemoteMicros};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Older arrivals are discarded.
const WINDOW_MICROS: i64 = 1_000_000;
/// Most arrivals kept, regardless of the remote clock. It exceeds one second at 8 Mbit/s. When full, the oldest is
/// dropped.
const MAX_ARRIVALS: usize = 8192;

/// Recently received bytes.
#[derive(Debug, Default)]
pub(crate) struct AckedBitrate {
    arrivals: VecDeque<Acked>,
    first: Option<RemoteMicros>,
    newest: RemoteMicros,
}

#[derive(Debug)]
struct Acked {
    arrived: RemoteMicros,
    sent: Instant,
    size: usize,
}

impl AckedBitrate {
    pub(crate) fn add(&mut self, arrival: &Arrival) {
        let Arrival { arrived, sent, size, .. } = *arrival;
        if self.first.is_none() {
            (self.first, self.newest) = (Some(arrived), arrived);
        }
        if arrived < self.newest.saturating_sub(WINDOW_MICROS) {
            // The remote clock was set back. Earlier times cannot be compared with later ones.
            *self = AckedBitrate { first: Some(arrived), newest: arrived, ..AckedBitrate::default() };
        }
        self.newest = self.newest.max(arrived);
        if self.arrivals.len() == MAX_ARRIVALS {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(Acked { arrived, sent, size });
        while self.arrivals.front().is_some_and(|a| a.arrived < self.newest.saturating_sub(WINDOW_MICROS)) {
            self.arrivals.pop_front();
        }
    }

    /// Time from the newest recorded arrival to this one, on the remote clock.
    pub(crate) fn since_newest(&self, arrival: Option<&Arrival>) -> Duration {
        let micros =
            arrival.filter(|_| self.first.is_some()).map_or(0, |arrival| arrival.arrived.saturating_sub(self.newest));
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// The rate in bit/s over the last `window`, which is at most one second. `None` before arrivals span the window.
    pub(crate) fn rate(&self, window: Duration) -> Option<f64> {
        let micros = window.as_micros() as i64;
        if self.newest.saturating_sub(self.first?) < micros {
            return None;
        }
        let since = self.newest - micros;
        let bytes: usize = self.arrivals.iter().filter(|a| a.arrived > since).map(|a| a.size).sum();
        Some(bytes as f64 * 8e6 / micros as f64)
    }

    /// How much slower the packets of the last `window` arrived than they were sent. More than 1 while a queue fills.
    pub(crate) fn stretch(&self, window: Duration) -> f64 {
        let since = self.newest.saturating_sub(window.as_micros() as i64);
        let sent = || self.arrivals.iter().filter(|a| a.arrived > since).map(|a| a.sent);
        let (first, last) = (sent().min(), sent().max());
        let spread = last.zip(first).map_or(Duration::ZERO, |(last, first)| last.saturating_duration_since(first));
        window.as_secs_f64() / spread.as_secs_f64().max(1e-3)
    }

    /// The rate in bit/s at which the packets of the last `window` were sent. It is low if they were sent after a pause.
    pub(crate) fn sent_rate(&self, window: Duration) -> f64 {
        let since = self.newest.saturating_sub(window.as_micros() as i64);
        let (mut bytes, mut before, mut first, mut last) = (0, None, None, None);
        for Acked { arrived, sent, size } in &self.arrivals {
            if *arrived <= since {
                before = before.max(Some(*sent));
            } else {
                bytes += size;
                (first, last) = (Some(first.map_or(*sent, |at| *sent.min(&at))), last.max(Some(*sent)));
            }
        }
        let first = before.or(first);
        let spread = last.zip(first).map_or(Duration::ZERO, |(last, first)| last.saturating_duration_since(first));
        bytes as f64 * 8.0 / spread.as_secs_f64().max(1e-3)
    }

    /// Discards all arrivals, after an interruption.
    pub(crate) fn reset(&mut self) {
        *self = AckedBitrate::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(arrived: RemoteMicros, size: usize) -> Arrival {
        Arrival { sent: Instant::now(), arrived, size, cluster: None }
    }

    #[test]
    fn a_steady_flow_is_measured() {
        let mut bitrate = AckedBitrate::default();
        for i in 0..200 {
            bitrate.add(&arrival(i * 10_000, 1250));
        }
        for millis in [100, 500, 1000] {
            let rate = bitrate.rate(Duration::from_millis(millis)).unwrap();
            assert!((rate - 1e6).abs() < 1e4, "{rate}");
        }
    }

    #[test]
    fn packets_after_a_pause_were_sent_at_a_low_rate_and_those_of_a_queue_were_not() {
        let (start, window) = (Instant::now(), Duration::from_millis(100));
        let at = |sent: u64, arrived: i64, size| {
            let sent = start + Duration::from_millis(sent);
            Arrival { sent, arrived: arrived * 1_000, size, cluster: None }
        };
        let mut paused = AckedBitrate::default();
        (0..100).for_each(|n| paused.add(&at(n * 10, n as i64 * 10, 1250)));
        paused.add(&at(1_120, 1_120, 113));
        assert!(paused.sent_rate(window) < 1e4, "{}", paused.sent_rate(window));
        let mut queued = AckedBitrate::default();
        (0..100).for_each(|n| queued.add(&at(n * 10, n as i64 * 40, 1250)));
        let (sent, arrived) = (queued.sent_rate(window), queued.rate(window).unwrap());
        assert!((sent - 1e6).abs() < 1e5 && arrived < 4e5, "{sent} {arrived}");
    }

    #[test]
    fn memory_is_bounded_whatever_the_remote_clock_does() {
        let clocks: [fn(i64) -> i64; 4] =
            [|_| 7, |i| -i, |i| if i == 0 { i64::MAX / 2 } else { i }, |i| i % 2 * 900_000];
        for clock in clocks {
            let mut bitrate = AckedBitrate::default();
            for i in 0..100_000 {
                bitrate.add(&arrival(clock(i), 1250));
            }
            assert!(bitrate.arrivals.len() <= MAX_ARRIVALS);
        }
    }

    #[test]
    fn measurement_restarts_after_the_remote_clock_is_set_back() {
        let mut bitrate = AckedBitrate::default();
        bitrate.add(&arrival(1_000_000_000, 1250));
        for i in 0..200 {
            bitrate.add(&arrival(i * 10_000, 1250));
        }
        let rate = bitrate.rate(Duration::from_millis(500)).unwrap();
        assert!((rate - 1e6).abs() < 1e4, "{rate}");
    }

    #[test]
    fn there_is_no_rate_before_the_window_is_full() {
        let mut bitrate = AckedBitrate::default();
        bitrate.add(&arrival(0, 1000));
        bitrate.add(&arrival(90_000, 1000));
        assert_eq!(bitrate.rate(Duration::from_millis(100)), None);
    }
}
