//! When the next packet may leave: a leaky bucket, and the schedule of a probe.

use crate::estimate::ProbeCluster;
use std::time::{Duration, Instant};

/// Pace over the estimate. A frame leaves much faster than the frames come, and a path that is a little slower
/// than thought still has a pause to catch up in.
const PACING_FACTOR: f64 = 2.5;
/// Pace before anything is measured, so that the first keyframe is not held back.
const START_FACTOR: f64 = 4.0;
/// Pace while a queue is drained, and where bursts are dropped.
const CONGESTED_FACTOR: f64 = 1.2;
/// What may leave at once, as time at the pace.
const BURST_TIME: Duration = Duration::from_millis(10);
/// What may leave at once in any case, in bits.
const MIN_BURST_BITS: f64 = 3.0 * 1200.0 * 8.0;
/// A probe does not hold the media behind it back longer.
const MAX_DEBT_TIME: Duration = Duration::from_millis(20);
/// Timers are no finer; what is due within is sent in one go.
const TIMER_GRANULARITY: Duration = Duration::from_micros(500);
/// A burst whose timer comes later than this goes on from there instead of catching up.
const MAX_CATCH_UP: Duration = Duration::from_millis(5);

/// What the pace follows from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PathState {
    /// bit/s
    pub(crate) estimate: f64,
    /// bit/s
    pub(crate) target: f64,
    pub(crate) congested: bool,
    pub(crate) measured: bool,
}

#[derive(Debug)]
pub(crate) struct Pacer {
    /// Bits that left ahead of the pace.
    debt: f64,
    /// bit/s
    rate: f64,
    burst: f64,
    updated: Instant,
    probe: Option<Probe>,
}

/// A burst under way.
#[derive(Debug)]
struct Probe {
    cluster: ProbeCluster,
    next_at: Instant,
    packets: usize,
    bytes: usize,
}

impl Pacer {
    pub(crate) fn new(now: Instant) -> Self {
        Pacer { debt: 0.0, rate: 1e6, burst: MIN_BURST_BITS, updated: now, probe: None }
    }

    /// bit/s at which the queue empties.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// Lets time pass and follows the path.
    pub(crate) fn advance(&mut self, now: Instant, path: PathState) {
        self.debt -= self.rate * now.saturating_duration_since(self.updated).as_secs_f64();
        self.updated = self.updated.max(now);
        self.rate = match (path.congested, path.measured) {
            (true, _) => path.target * CONGESTED_FACTOR,
            (false, true) => path.estimate * PACING_FACTOR,
            (false, false) => path.estimate * START_FACTOR,
        };
        self.burst = if path.congested {
            MIN_BURST_BITS / 3.0
        } else {
            (self.rate * BURST_TIME.as_secs_f64()).max(MIN_BURST_BITS)
        };
        self.debt = self.debt.clamp(0.0, self.burst + self.rate * MAX_DEBT_TIME.as_secs_f64());
    }

    /// Whether a packet may leave at the pace.
    pub(crate) fn ready(&self) -> bool {
        self.probe.is_none() && self.debt < self.burst
    }

    /// When a packet may leave at the pace, or the next of the burst.
    pub(crate) fn ready_at(&self) -> Instant {
        match &self.probe {
            Some(probe) => probe.next_at,
            None => {
                self.updated
                    + Duration::from_secs_f64((self.debt - self.burst).max(0.0) / self.rate)
                    + TIMER_GRANULARITY
            }
        }
    }

    /// A packet left.
    pub(crate) fn on_sent(&mut self, size: usize) {
        self.debt += size as f64 * 8.0;
    }

    pub(crate) fn probing(&self) -> bool {
        self.probe.is_some()
    }

    /// Begins a burst; its first packet may leave at once.
    pub(crate) fn start_probe(&mut self, now: Instant, cluster: ProbeCluster) {
        self.probe = Some(Probe { cluster, next_at: now, packets: 0, bytes: 0 });
    }

    /// The burst of which a packet is due.
    pub(crate) fn due_probe(&self, now: Instant) -> Option<ProbeCluster> {
        self.probe.as_ref().filter(|p| p.next_at <= now).map(|p| p.cluster)
    }

    /// A packet of the burst left; gives the number of them when it was the last.
    pub(crate) fn on_probe_sent(&mut self, now: Instant, size: usize) -> Option<usize> {
        let probe = self.probe.as_mut()?;
        probe.packets += 1;
        probe.bytes += size;
        let from = if now.saturating_duration_since(probe.next_at) > MAX_CATCH_UP { now } else { probe.next_at };
        probe.next_at = from + Duration::from_secs_f64(size as f64 * 8.0 / probe.cluster.rate);
        let complete = probe.packets >= probe.cluster.packets && probe.bytes >= probe.cluster.bytes;
        if complete { self.end_probe() } else { None }
    }

    /// Nothing is left to burst with: gives the number of packets that left.
    pub(crate) fn end_probe(&mut self) -> Option<usize> {
        self.probe.take().map(|p| p.packets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: PathState = PathState { estimate: 1.7e6, target: 1.7e6, congested: false, measured: true };

    /// Milliseconds until `bytes` have left.
    fn drain(pacer: &mut Pacer, start: Instant, path: PathState, bytes: usize) -> u128 {
        let (mut now, mut sent) = (start, 0);
        loop {
            pacer.advance(now, path);
            while pacer.ready() && sent < bytes {
                pacer.on_sent(1200);
                sent += 1200;
            }
            if sent >= bytes {
                return (now - start).as_millis();
            }
            now = pacer.ready_at();
        }
    }

    #[test]
    fn a_frame_at_the_target_bitrate_is_sent_within_milliseconds() {
        let now = Instant::now();
        let mut pacer = Pacer::new(now);
        assert!(drain(&mut pacer, now, PATH, 1_700_000 / 30 / 8) <= 6);
    }

    #[test]
    fn the_first_keyframe_is_not_held_back() {
        let now = Instant::now();
        let mut pacer = Pacer::new(now);
        let path = PathState { estimate: 1e6, target: 1e6, congested: false, measured: false };
        assert!(drain(&mut pacer, now, path, 30_000) <= 60);
    }

    #[test]
    fn the_average_rate_follows_the_pacing_factor() {
        let now = Instant::now();
        let mut pacer = Pacer::new(now);
        let seconds = drain(&mut pacer, now, PATH, 1_000_000) as f64 / 1e3;
        let rate = 8e6 / seconds;
        assert!((rate / (PATH.estimate * PACING_FACTOR) - 1.0).abs() < 0.05, "{rate}");
    }
}
