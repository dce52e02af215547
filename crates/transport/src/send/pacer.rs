//! The pacer: a leaky bucket for media, and the schedule of a probe.

use crate::estimate::ProbeCluster;
use std::time::{Duration, Instant};

/// Pacing rate as a multiple of the estimate. A frame is sent much faster than frames are captured, and a path that is
/// slightly slower than estimated can catch up between frames.
const PACING_FACTOR: f64 = 2.5;
/// The same before the first measurement, so that the first keyframe is not delayed.
const START_FACTOR: f64 = 4.0;
/// Pacing rate as a multiple of the target, while a queue is drained and on paths that drop bursts.
const CONGESTED_FACTOR: f64 = 1.2;
/// Burst that may be sent at once, as time at the pacing rate.
const BURST_TIME: Duration = Duration::from_millis(10);
/// Smallest burst that may be sent at once, in bits.
const MIN_BURST_BITS: f64 = 3.0 * 1200.0 * 8.0;
/// A probe delays later media by at most this time.
const MAX_DEBT_TIME: Duration = Duration::from_millis(20);
/// Granularity of timers. Packets due within this time are sent together.
const TIMER_GRANULARITY: Duration = Duration::from_micros(500);
/// If the timer of a probe is later than this, the probe continues from the current time instead of catching up.
const MAX_CATCH_UP: Duration = Duration::from_millis(5);

/// The state of the path, which determines the pacing rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PathState {
    /// Estimated bandwidth in bit/s.
    pub(crate) estimate: f64,
    /// Target bitrate in bit/s.
    pub(crate) target: f64,
    pub(crate) congested: bool,
    pub(crate) measured: bool,
}

#[derive(Debug)]
pub(crate) struct Pacer {
    /// Bits sent ahead of the pacing rate.
    debt: f64,
    /// Pacing rate in bit/s.
    rate: f64,
    /// Bits that may be sent at once.
    burst: f64,
    updated: Instant,
    probe: Option<Probe>,
}

/// A probe that is being sent.
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

    /// The pacing rate in bit/s.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// Advances the time to `now`, and sets the pacing rate for the path.
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

    /// Whether the pacing rate allows a packet now. False during a probe.
    pub(crate) fn ready(&self) -> bool {
        self.probe.is_none() && self.debt < self.burst
    }

    /// When the pacing rate allows the next packet, or when the next packet of the probe is due.
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

    /// Records that a packet of `size` bytes was sent.
    pub(crate) fn on_sent(&mut self, size: usize) {
        self.debt += size as f64 * 8.0;
    }

    pub(crate) fn probing(&self) -> bool {
        self.probe.is_some()
    }

    /// Starts a probe. Its first packet is due immediately.
    pub(crate) fn start_probe(&mut self, now: Instant, cluster: ProbeCluster) {
        self.probe = Some(Probe { cluster, next_at: now, packets: 0, bytes: 0 });
    }

    /// The probe of which a packet is due, if any.
    pub(crate) fn due_probe(&self, now: Instant) -> Option<ProbeCluster> {
        self.probe.as_ref().filter(|p| p.next_at <= now).map(|p| p.cluster)
    }

    /// Records a packet of the probe. Returns the number of its packets if it is complete.
    pub(crate) fn on_probe_sent(&mut self, now: Instant, size: usize) -> Option<usize> {
        let probe = self.probe.as_mut()?;
        probe.packets += 1;
        probe.bytes += size;
        let from = if now.saturating_duration_since(probe.next_at) > MAX_CATCH_UP { now } else { probe.next_at };
        probe.next_at = from + Duration::from_secs_f64(size as f64 * 8.0 / probe.cluster.rate);
        let complete = probe.packets >= probe.cluster.packets && probe.bytes >= probe.cluster.bytes;
        if complete { self.end_probe() } else { None }
    }

    /// Ends the probe. Returns the number of packets sent.
    pub(crate) fn end_probe(&mut self) -> Option<usize> {
        self.probe.take().map(|p| p.packets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: PathState = PathState { estimate: 1.7e6, target: 1.7e6, congested: false, measured: true };

    /// Returns the milliseconds until `bytes` have been sent.
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
