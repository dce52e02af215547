//! A model of a TCP sender with CUBIC congestion control (RFC 9438), for paths that other traffic shares.
//!
//! The flow always has data to send. Every packet is acknowledged by itself, as with selective acknowledgements.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Bytes of a full packet on the wire.
pub const PACKET_BYTES: usize = 1500;
/// CUBIC's constant C, in packets per cubic second.
const C: f64 = 0.4;
/// The window is multiplied by this after a loss.
const BETA: f64 = 0.7;
/// The initial window in packets (RFC 6928).
const INITIAL_WINDOW: f64 = 10.0;
/// A packet is lost if one that was sent this many packets later has arrived.
const REORDERING_THRESHOLD: u64 = 3;
/// Shortest retransmission timeout, as in Linux.
const MIN_TIMEOUT: Duration = Duration::from_millis(200);

/// The sending end of a flow.
///
/// ```text
///  slow start ──loss──► recovery ──newer packet acknowledged──► congestion avoidance ──loss──► recovery
///       ▲                                                              │
///       └──────────────────────── timeout ─────────────────────────────┘
/// ```
#[derive(Debug)]
pub struct CubicFlow {
    /// The congestion window in packets.
    window: f64,
    slow_start_threshold: f64,
    /// The window before the last loss.
    largest: f64,
    epoch: Option<Epoch>,
    next: u64,
    /// Number and departure of each packet that is not acknowledged. The window bounds it.
    in_flight: BTreeMap<u64, Instant>,
    /// Losses of packets before this one belong to the last loss event.
    recover: u64,
    rtt: Option<Duration>,
    acknowledged: u64,
}

/// A period of growth between two losses.
#[derive(Debug, Clone, Copy)]
struct Epoch {
    started: Instant,
    /// The time until the window reaches the largest one again, in seconds (K in the RFC).
    until_largest: f64,
    /// The window that Reno would have, in packets (W_est in the RFC).
    reno: f64,
}

impl Default for CubicFlow {
    fn default() -> Self {
        Self::new()
    }
}

impl CubicFlow {
    /// Creates a flow in slow start.
    pub fn new() -> Self {
        CubicFlow {
            window: INITIAL_WINDOW,
            slow_start_threshold: f64::MAX,
            largest: 0.0,
            epoch: None,
            next: 0,
            in_flight: BTreeMap::new(),
            recover: 0,
            rtt: None,
            acknowledged: 0,
        }
    }

    /// Returns the number of the next packet, if the window allows one now.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<u64> {
        if self.in_flight.len() as f64 >= self.window {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.in_flight.insert(number, now);
        Some(number)
    }

    /// Processes the acknowledgement of a packet.
    pub fn on_acknowledged(&mut self, now: Instant, number: u64) {
        let Some(sent) = self.in_flight.remove(&number) else { return };
        let sample = now.saturating_duration_since(sent);
        self.rtt = Some(self.rtt.map_or(sample, |rtt| (rtt * 7 + sample) / 8));
        self.acknowledged += 1;
        let kept = self.in_flight.split_off(&number.saturating_sub(REORDERING_THRESHOLD - 1));
        let lost = std::mem::replace(&mut self.in_flight, kept);
        if lost.keys().any(|lost| *lost >= self.recover) {
            self.on_loss();
        } else if number >= self.recover {
            self.grow(now);
        }
    }

    /// When to call [`CubicFlow::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let oldest = self.in_flight.values().min()?;
        Some(*oldest + MIN_TIMEOUT.max(self.rtt.unwrap_or(Duration::from_secs(1)) * 2))
    }

    /// Starts over if nothing has been acknowledged for too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|due| now >= due) {
            self.in_flight.clear();
            self.on_loss();
            self.window = 1.0;
        }
    }

    /// Bytes acknowledged so far.
    pub fn delivered_bytes(&self) -> u64 {
        self.acknowledged * PACKET_BYTES as u64
    }

    fn on_loss(&mut self) {
        self.recover = self.next;
        // Fast convergence: a flow whose window shrinks leaves room to others (RFC 9438 section 4.7).
        self.largest = if self.window < self.largest { self.window * (1.0 + BETA) / 2.0 } else { self.window };
        self.window = (self.window * BETA).max(2.0);
        self.slow_start_threshold = self.window;
        self.epoch = None;
    }

    fn grow(&mut self, now: Instant) {
        if self.window < self.slow_start_threshold {
            self.window += 1.0;
            return;
        }
        let until_largest = ((self.largest - self.window).max(0.0) / C).cbrt();
        let mut epoch = self.epoch.unwrap_or(Epoch { started: now, until_largest, reno: self.window });
        let ahead = (now.saturating_duration_since(epoch.started) + self.rtt.unwrap_or_default()).as_secs_f64();
        let target = C * (ahead - epoch.until_largest).powi(3) + self.largest;
        epoch.reno += 3.0 * (1.0 - BETA) / (1.0 + BETA) / self.window;
        self.window += (target.clamp(self.window, 1.5 * self.window) - self.window) / self.window;
        self.window = self.window.max(epoch.reno);
        self.epoch = Some(epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Path, SimulatedLink};

    /// Runs flows over one path for a minute. Returns the bytes that each delivered, and the mean queue in ms.
    fn run(path: Path, flows: usize) -> (Vec<u64>, f64) {
        let start = Instant::now();
        let mut flows: Vec<CubicFlow> = (0..flows).map(|_| CubicFlow::new()).collect();
        let (mut link, mut back) = (SimulatedLink::new(path.clone(), 1), SimulatedLink::new(Path::default(), 2));
        let (mut now, mut queues) = (start, vec![]);
        while now < start + Duration::from_secs(60) {
            while let Some((flow, number)) = link.poll(now) {
                back.send(now, 40, (flow, number));
            }
            while let Some((flow, number)) = back.poll(now) {
                let flow: &mut CubicFlow = &mut flows[flow];
                flow.on_acknowledged(now, number);
            }
            for (index, flow) in flows.iter_mut().enumerate() {
                flow.handle_timeout(now);
                while let Some(number) = flow.poll_transmit(now) {
                    link.send(now, PACKET_BYTES, (index, number));
                }
            }
            queues.push(link.queue_delay(now).as_secs_f64() * 1e3);
            now += Duration::from_millis(1);
        }
        let mean = queues.iter().sum::<f64>() / queues.len() as f64;
        (flows.iter().map(CubicFlow::delivered_bytes).collect(), mean)
    }

    fn path() -> Path {
        Path { rate: Some(4_000_000), queue: Duration::from_millis(200), ..Path::default() }
    }

    #[test]
    fn a_flow_fills_the_path_and_its_queue() {
        let (delivered, queue) = run(path(), 1);
        let rate = delivered[0] as f64 * 8.0 / 60.0;
        assert!((3.6e6..4.0e6).contains(&rate), "{rate}");
        assert!((60.0..200.0).contains(&queue), "{queue}");
    }

    #[test]
    fn two_flows_share_a_path() {
        let (delivered, _) = run(path(), 2);
        let share = delivered[0] as f64 / delivered.iter().sum::<u64>() as f64;
        assert!((0.3..0.7).contains(&share), "{delivered:?}");
    }

    #[test]
    fn a_flow_survives_an_interruption() {
        let start = Instant::now();
        let mut flow = CubicFlow::new();
        assert!(std::iter::from_fn(|| flow.poll_transmit(start)).count() == INITIAL_WINDOW as usize);
        let due = flow.poll_timeout().expect("a timer runs");
        flow.handle_timeout(due);
        assert_eq!(std::iter::from_fn(|| flow.poll_transmit(due)).count(), 1);
        flow.on_acknowledged(due, 10);
        assert_eq!(flow.delivered_bytes(), PACKET_BYTES as u64);
    }
}
