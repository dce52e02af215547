//! When the next packet may leave: a leaky bucket, and the schedule of a probe.

use crate::estimate::ProbeCluster;
use std::time::{Duration, Instant};

/// Pace over the estimate. A frame leaves much faster than the frames come, and a path that is a little slower
/// than thought still has a pause to catch up in.
const FACTOR: f64 = 2.5;
/// Pace before anything is measured, so that the first keyframe is not held back.
const START_FACTOR: f64 = 4.0;
/// Pace while a queue is drained, and where bursts are dropped.
const CONGESTED_FACTOR: f64 = 1.2;
/// What may leave at once, as time at the pace.
const BURST: Duration = Duration::from_millis(10);
/// What may leave at once in any case, in bits.
const LEAST_BURST: f64 = 3.0 * 1200.0 * 8.0;
/// A probe does not hold the media behind it back longer.
const LONGEST_DEBT: Duration = Duration::from_millis(20);
/// Timers are no finer; what is due within is sent in one go.
const GRAIN: Duration = Duration::from_micros(500);
/// A burst whose timer comes later than this goes on from there instead of catching up.
const LATEST: Duration = Duration::from_millis(5);

/// What the pace follows from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path {
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
    paid: Instant,
    probe: Option<Probe>,
}

/// A burst under way.
#[derive(Debug)]
struct Probe {
    cluster: ProbeCluster,
    next: Instant,
    packets: usize,
    bytes: usize,
}

impl Pacer {
    pub(crate) fn new(now: Instant) -> Self {
        Pacer { debt: 0.0, rate: 1e6, burst: LEAST_BURST, paid: now, probe: None }
    }

    /// bit/s at which the queue empties.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// Lets time pass and follows the path.
    pub(crate) fn advance(&mut self, now: Instant, path: Path) {
        self.debt -= self.rate * now.saturating_duration_since(self.paid).as_secs_f64();
        self.paid = self.paid.max(now);
        self.rate = match (path.congested, path.measured) {
            (true, _) => path.target * CONGESTED_FACTOR,
            (false, true) => path.estimate * FACTOR,
            (false, false) => path.estimate * START_FACTOR,
        };
        self.burst =
            if path.congested { LEAST_BURST / 3.0 } else { (self.rate * BURST.as_secs_f64()).max(LEAST_BURST) };
        self.debt = self.debt.clamp(0.0, self.burst + self.rate * LONGEST_DEBT.as_secs_f64());
    }

    /// Whether a packet may leave at the pace.
    pub(crate) fn ready(&self) -> bool {
        self.probe.is_none() && self.debt < self.burst
    }

    /// When a packet may leave at the pace, or the next of the burst.
    pub(crate) fn ready_at(&self) -> Instant {
        match &self.probe {
            Some(probe) => probe.next,
            None => self.paid + Duration::from_secs_f64((self.debt - self.burst).max(0.0) / self.rate) + GRAIN,
        }
    }

    /// A packet left.
    pub(crate) fn left(&mut self, size: usize) {
        self.debt += size as f64 * 8.0;
    }

    pub(crate) fn probing(&self) -> bool {
        self.probe.is_some()
    }

    /// Begins a burst; its first packet may leave at once.
    pub(crate) fn begin(&mut self, now: Instant, cluster: ProbeCluster) {
        self.probe = Some(Probe { cluster, next: now, packets: 0, bytes: 0 });
    }

    /// The burst of which a packet is due.
    pub(crate) fn due(&self, now: Instant) -> Option<ProbeCluster> {
        self.probe.as_ref().filter(|p| p.next <= now).map(|p| p.cluster)
    }

    /// A packet of the burst left; gives the number of them when it was the last.
    pub(crate) fn probe_left(&mut self, now: Instant, size: usize) -> Option<usize> {
        let probe = self.probe.as_mut()?;
        probe.packets += 1;
        probe.bytes += size;
        let from = if now.saturating_duration_since(probe.next) > LATEST { now } else { probe.next };
        probe.next = from + Duration::from_secs_f64(size as f64 * 8.0 / probe.cluster.rate);
        let complete = probe.packets >= probe.cluster.packets && probe.bytes >= probe.cluster.bytes;
        if complete { self.end() } else { None }
    }

    /// Nothing is left to burst with: gives the number of packets that left.
    pub(crate) fn end(&mut self) -> Option<usize> {
        self.probe.take().map(|p| p.packets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: Path = Path { estimate: 1.7e6, target: 1.7e6, congested: false, measured: true };

    /// Milliseconds until `bytes` have left.
    fn drain(pacer: &mut Pacer, start: Instant, path: Path, bytes: usize) -> u128 {
        let (mut now, mut left) = (start, 0);
        loop {
            pacer.advance(now, path);
            while pacer.ready() && left < bytes {
                pacer.left(1200);
                left += 1200;
            }
            if left >= bytes {
                return (now - start).as_millis();
            }
            now = pacer.ready_at();
        }
    }

    #[test]
    fn a_frame_of_the_target_leaves_within_a_few_milliseconds() {
        let now = Instant::now();
        let mut pacer = Pacer::new(now);
        assert!(drain(&mut pacer, now, PATH, 1_700_000 / 30 / 8) <= 6);
    }

    #[test]
    fn the_first_keyframe_is_not_held_back() {
        let now = Instant::now();
        let mut pacer = Pacer::new(now);
        let path = Path { estimate: 1e6, target: 1e6, congested: false, measured: false };
        assert!(drain(&mut pacer, now, path, 30_000) <= 60);
    }

    #[test]
    fn the_pace_holds_over_time() {
        let now = Instant::now();
        let mut pacer = Pacer::new(now);
        let took = drain(&mut pacer, now, PATH, 1_000_000) as f64 / 1e3;
        let rate = 8e6 / took;
        assert!((rate / (PATH.estimate * FACTOR) - 1.0).abs() < 0.05, "{rate}");
    }
}
