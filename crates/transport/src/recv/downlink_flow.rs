//! Measures what arrives from one sender, for [`Downlink`](crate::Downlink).

use crate::downlink::DownlinkFlow;
use crate::lowest::Lowest;
use crate::sequence::Unwrapper;
use std::time::{Duration, Instant};

/// The shortest transit time of one to two of these windows is that of an empty queue.
const BASE_WINDOW: Duration = Duration::from_secs(15);
/// The shortest transit time of one to two of these windows is the current one: single late packets are jitter.
const CURRENT_WINDOW: Duration = Duration::from_millis(100);
/// An older value is not reported.
const MAX_AGE: Duration = Duration::from_millis(500);

/// Transit times and losses of a stream of sound, whose packets wait least at their sender.
#[derive(Debug)]
pub(crate) struct SoundTransit {
    start: Instant,
    timestamps: Timestamps,
    sequences: Unwrapper,
    first: Option<u64>,
    arrived: u64,
    base: Lowest<i64>,
    current: Lowest<i64>,
    newest: Option<Instant>,
}

/// Unwraps 32-bit timestamps.
#[derive(Debug, Default)]
struct Timestamps(Option<(u32, i64)>);

impl SoundTransit {
    pub(crate) fn new(now: Instant) -> SoundTransit {
        SoundTransit {
            start: now,
            timestamps: Timestamps::default(),
            sequences: Unwrapper::default(),
            first: None,
            arrived: 0,
            base: Lowest::new(BASE_WINDOW),
            current: Lowest::new(CURRENT_WINDOW),
            newest: None,
        }
    }

    /// Adds a packet that is not a duplicate. The clock of its timestamp has 48 kHz.
    pub(crate) fn add(&mut self, now: Instant, sequence: u16, timestamp: u32) {
        let number = self.sequences.unwrap(sequence);
        self.first = Some(self.first.map_or(number, |first| first.min(number)));
        self.arrived += 1;
        let sent_us = self.timestamps.unwrap(timestamp).saturating_mul(1_000) / 48;
        let transit = (now.saturating_duration_since(self.start).as_micros() as i64).saturating_sub(sent_us);
        self.base.add(now, transit);
        self.current.add(now, transit);
        self.newest = Some(now);
    }

    /// Adds the stream's values to those of the connection.
    pub(crate) fn report(&self, now: Instant, flow: &mut DownlinkFlow) {
        if let (Some(first), Some(newest)) = (self.first, self.sequences.newest()) {
            flow.expected += newest - first + 1;
            flow.arrived += self.arrived;
        }
        let is_recent = self.newest.is_some_and(|newest| now.saturating_duration_since(newest) < MAX_AGE);
        if let (Some(current), Some(base), true) = (self.current.get(), self.base.get(), is_recent) {
            flow.queue = Some(Duration::from_micros(current.saturating_sub(base).max(0) as u64));
        }
    }
}

impl Timestamps {
    fn unwrap(&mut self, timestamp: u32) -> i64 {
        let extended =
            self.0.map_or(0, |(newest, extended)| extended + i64::from(timestamp.wrapping_sub(newest) as i32));
        self.0 = Some((timestamp, extended));
        extended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 20 ms whose timestamps begin at `first`, each with a transit time. Returns the reported queue in ms.
    fn queue(first: u32, transits: impl Fn(u64) -> u64, count: u64) -> Option<u128> {
        let start = Instant::now();
        let mut transit = SoundTransit::new(start);
        let mut now = start;
        for n in 0..count {
            now = start + Duration::from_millis(20 * n + transits(n));
            transit.add(now, n as u16, first.wrapping_add(960 * n as u32));
        }
        let mut flow = DownlinkFlow::default();
        transit.report(now, &mut flow);
        assert_eq!((flow.expected, flow.arrived), (count, count));
        flow.queue.map(|queue| queue.as_millis())
    }

    #[test]
    fn a_queue_is_measured_from_the_shortest_transit_time() {
        assert_eq!(queue(0, |_| 40, 200), Some(0));
        assert_eq!(queue(u32::MAX - 5_000, |n| if n < 100 { 40 } else { 190 }, 200), Some(150), "over a wrap");
    }

    #[test]
    fn jitter_is_not_a_queue() {
        assert_eq!(queue(0, |n| 40 + n * 37 % 60 * u64::from(n % 5 != 0), 300), Some(0));
    }

    #[test]
    fn an_old_value_is_not_reported() {
        let start = Instant::now();
        let mut transit = SoundTransit::new(start);
        transit.add(start, 1, 0);
        let mut flow = DownlinkFlow::default();
        transit.report(start + Duration::from_secs(1), &mut flow);
        assert_eq!(flow.queue, None);
    }
}
