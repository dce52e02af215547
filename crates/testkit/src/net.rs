//! One direction of a virtual network path with loss, a bottleneck with a queue, delay and jitter, in virtual time.
//!
//! A packet may be lost; otherwise it waits in the bottleneck's drop-tail queue and is then delayed. Everything
//! follows from the seed and from the times that are passed in.

use crate::random::Random;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

/// Model of packet loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// No loss.
    None,
    /// Independent loss with this probability, 0..1.
    Random(f64),
    /// The Gilbert-Elliott model (Gilbert 1960, Elliott 1963): a good and a bad state with different loss rates. The
    /// state may change with each packet.
    Bursts {
        /// Probability per packet to enter the bad state.
        enter: f64,
        /// Probability per packet to leave the bad state.
        leave: f64,
        /// Loss rate in the good state.
        good: f64,
        /// Loss rate in the bad state.
        bad: f64,
    },
}

/// A delay that changes linearly between random values, uniform from zero to `most`. Packets do not overtake each other
/// because of it if `most` is less than `every`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// The longest delay.
    pub most: Duration,
    /// Time between two values.
    pub every: Duration,
}

/// The properties of a path.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// Packet loss.
    pub loss: Loss,
    /// Probability that a packet arrives twice.
    pub duplicates: f64,
    /// Constant delay of every packet.
    pub delay: Duration,
    /// Maximum of an additional delay, which is uniform from zero.
    pub jitter: Duration,
    /// An additional delay that changes slowly, as on a radio link that others use as well.
    pub walk: Option<Walk>,
    /// Whether packets may overtake each other because of jitter. If not, a late packet delays those behind it.
    pub reorder: bool,
    /// Rate of the bottleneck in bit/s; `None` if there is no bottleneck.
    pub rate: Option<u64>,
    /// Capacity of the bottleneck's queue, as time at its rate. A packet that finds a longer queue is dropped.
    pub queue: Duration,
}

impl Default for Path {
    /// A path without loss or bottleneck, with a delay of 20 ms.
    fn default() -> Self {
        Path {
            loss: Loss::None,
            duplicates: 0.0,
            delay: Duration::from_millis(20),
            jitter: Duration::ZERO,
            walk: None,
            reorder: false,
            rate: None,
            queue: Duration::from_millis(300),
        }
    }
}

/// Counters of a link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Packets sent.
    pub sent: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Packets lost by the loss model.
    pub lost: u64,
    /// Packets dropped because the queue was full.
    pub dropped: u64,
    /// Packets delivered, including duplicates.
    pub delivered: u64,
    /// Bytes delivered.
    pub delivered_bytes: u64,
}

/// One direction of a path, for packets of any type.
#[derive(Debug)]
pub struct SimulatedLink<T> {
    path: Path,
    random: Random,
    bad: bool,
    queue: VecDeque<(usize, T)>,
    queued_bytes: usize,
    /// When the first packet in the queue leaves the bottleneck.
    served: Option<Instant>,
    travelling: BinaryHeap<Reverse<Travelling<T>>>,
    order: u64,
    last_arrival: Option<Instant>,
    /// The walk's previous value with its time, and its next value; both 0..1.
    corners: Option<(Instant, f64, f64)>,
    changes: VecDeque<(Instant, Path)>,
    stats: LinkStats,
}

#[derive(Debug)]
struct Travelling<T> {
    arrives: Instant,
    order: u64,
    bytes: usize,
    packet: T,
}

impl<T: Clone> SimulatedLink<T> {
    /// Creates an empty link.
    pub fn new(path: Path, seed: u64) -> Self {
        SimulatedLink {
            path,
            random: Random::new(seed),
            bad: false,
            queue: VecDeque::new(),
            queued_bytes: 0,
            served: None,
            travelling: BinaryHeap::new(),
            order: 0,
            last_arrival: None,
            corners: None,
            changes: VecDeque::new(),
            stats: LinkStats::default(),
        }
    }

    /// Changes the properties of the path at this time. Call it in order of time.
    pub fn change_at(&mut self, at: Instant, path: Path) {
        self.changes.push_back((at, path));
    }

    /// The current properties of the path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long a packet sent now would wait for the bottleneck.
    pub fn queue_delay(&self, now: Instant) -> Duration {
        let Some(rate) = self.path.rate else { return Duration::ZERO };
        let waiting = self.queued_bytes - self.queue.front().map_or(0, |q| q.0);
        let serving = self.served.map_or(Duration::ZERO, |served| served.saturating_duration_since(now));
        serving + transmission(waiting, rate)
    }

    /// Sends a packet. `bytes` is its size on the wire.
    pub fn send(&mut self, now: Instant, bytes: usize, packet: T) {
        self.advance(now);
        self.stats.sent += 1;
        self.stats.sent_bytes += bytes as u64;
        if self.is_lost() {
            self.stats.lost += 1;
            return;
        }
        let Some(rate) = self.path.rate else {
            self.travel(now, bytes, packet);
            return;
        };
        if self.queue_delay(now) > self.path.queue {
            self.stats.dropped += 1;
            return;
        }
        if self.queue.is_empty() {
            self.served = Some(now + transmission(bytes, rate));
        }
        self.queued_bytes += bytes;
        self.queue.push_back((bytes, packet));
    }

    /// Returns the next packet that has arrived.
    pub fn poll(&mut self, now: Instant) -> Option<T> {
        self.advance(now);
        if self.travelling.peek().is_none_or(|t| t.0.arrives > now) {
            return None;
        }
        let Reverse(arrived) = self.travelling.pop()?;
        self.stats.delivered += 1;
        self.stats.delivered_bytes += arrived.bytes as u64;
        Some(arrived.packet)
    }

    /// When to call [`SimulatedLink::poll`] next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let arrival = self.travelling.peek().map(|t| t.0.arrives);
        let change = self.changes.front().map(|c| c.0).filter(|_| !self.queue.is_empty());
        self.served.into_iter().chain(arrival).chain(change).min()
    }

    /// Returns the counters.
    pub fn stats(&self) -> &LinkStats {
        &self.stats
    }

    /// Moves packets through the bottleneck and applies changes of the path, in order of time.
    fn advance(&mut self, now: Instant) {
        loop {
            let change = self.changes.front().map(|c| c.0).filter(|at| *at <= now);
            let served = self.served.filter(|at| *at <= now);
            match (change, served) {
                (Some(change), served) if served.is_none_or(|served| change < served) => {
                    if let Some((_, path)) = self.changes.pop_front() {
                        self.path = path;
                    }
                }
                (_, Some(served)) => self.serve(served),
                (_, None) => return,
            }
        }
    }

    fn serve(&mut self, at: Instant) {
        let Some((bytes, packet)) = self.queue.pop_front() else { return };
        self.queued_bytes -= bytes;
        let next = self.queue.front().map(|q| q.0);
        // If the bottleneck was removed, the rest of the queue leaves immediately.
        self.served = next.map(|bytes| at + self.path.rate.map_or(Duration::ZERO, |rate| transmission(bytes, rate)));
        self.travel(at, bytes, packet);
    }

    fn travel(&mut self, at: Instant, bytes: usize, packet: T) {
        let copies = if self.random.chance(self.path.duplicates) { 2 } else { 1 };
        for _ in 0..copies {
            let walked = self.walk(at);
            let mut arrives = at + self.path.delay + walked + self.path.jitter.mul_f64(self.random.unit());
            if !self.path.reorder {
                arrives = self.last_arrival.map_or(arrives, |last| last.max(arrives));
                self.last_arrival = Some(arrives);
            }
            self.order += 1;
            self.travelling.push(Reverse(Travelling { arrives, order: self.order, bytes, packet: packet.clone() }));
        }
    }

    fn walk(&mut self, at: Instant) -> Duration {
        let Some(Walk { most, every }) = self.path.walk.filter(|walk| !walk.every.is_zero()) else {
            return Duration::ZERO;
        };
        let (mut began, mut from, mut to) = match self.corners {
            Some(corners) => corners,
            None => (at, self.random.unit(), self.random.unit()),
        };
        while at >= began + every {
            (began, from, to) = (began + every, to, self.random.unit());
        }
        self.corners = Some((began, from, to));
        let passed = at.saturating_duration_since(began).as_secs_f64() / every.as_secs_f64();
        most.mul_f64(from + (to - from) * passed)
    }

    fn is_lost(&mut self) -> bool {
        match self.path.loss {
            Loss::None => false,
            Loss::Random(probability) => self.random.chance(probability),
            Loss::Bursts { enter, leave, good, bad } => {
                self.bad = if self.bad { !self.random.chance(leave) } else { self.random.chance(enter) };
                self.random.chance(if self.bad { bad } else { good })
            }
        }
    }
}

impl<T> PartialEq for Travelling<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.arrives, self.order) == (other.arrives, other.order)
    }
}

impl<T> Eq for Travelling<T> {}

impl<T> PartialOrd for Travelling<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Travelling<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.arrives, self.order).cmp(&(other.arrives, other.order))
    }
}

fn transmission(bytes: usize, rate: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 * 8.0 / rate.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Sends `count` packets of 1,000 bytes, one every `step`. Returns the number and the arrival time in ms of each.
    fn run(link: &mut SimulatedLink<u64>, start: Instant, count: u64, step: Duration) -> Vec<(u64, u64)> {
        for number in 0..count {
            link.send(start + step * number as u32, 1000, number);
        }
        let mut arrived = Vec::new();
        while let Some(now) = link.poll_timeout() {
            while let Some(number) = link.poll(now) {
                arrived.push((number, (now - start).as_millis() as u64));
            }
        }
        arrived
    }

    #[test]
    fn a_bottleneck_spaces_packets_and_drops_what_its_queue_cannot_hold() {
        let start = Instant::now();
        let path = Path { rate: Some(800_000), queue: ms(50), ..Path::default() };
        let arrived = run(&mut SimulatedLink::new(path, 1), start, 20, Duration::ZERO);
        assert_eq!(arrived, (0..6).map(|n| (n, 30 + n * 10)).collect::<Vec<_>>());
    }

    #[test]
    fn a_change_affects_queued_packets() {
        let start = Instant::now();
        let mut link = SimulatedLink::new(Path { rate: Some(800_000), ..Path::default() }, 1);
        link.change_at(start + ms(15), Path { rate: Some(80_000), ..Path::default() });
        let arrived = run(&mut link, start, 3, Duration::ZERO);
        assert_eq!(arrived, [(0, 30), (1, 40), (2, 140)]);
    }

    #[test]
    fn loss_has_the_requested_frequency() {
        let start = Instant::now();
        for seed in 0..5 {
            let path = Path { loss: Loss::Random(0.2), ..Path::default() };
            let arrived = run(&mut SimulatedLink::new(path, seed), start, 10_000, ms(1)).len();
            assert!((7_800..8_200).contains(&arrived), "{arrived}");
            // In the bad state a fifth of the time, for ten packets on average.
            let loss = Loss::Bursts { enter: 0.025, leave: 0.1, good: 0.0, bad: 1.0 };
            let arrived = run(&mut SimulatedLink::new(Path { loss, ..Path::default() }, seed), start, 10_000, ms(1));
            assert!((7_200..8_800).contains(&arrived.len()), "{}", arrived.len());
            let longest = arrived.windows(2).map(|w| w[1].0 - w[0].0).max();
            assert!(longest > Some(20));
        }
    }

    #[test]
    fn jitter_reorders_only_when_allowed() {
        let start = Instant::now();
        for (reorder, ordered) in [(false, true), (true, false)] {
            let path = Path { jitter: ms(30), reorder, ..Path::default() };
            let arrived = run(&mut SimulatedLink::new(path, 3), start, 1000, ms(2));
            assert_eq!(arrived.windows(2).all(|w| w[0].0 < w[1].0), ordered);
            assert!(arrived.iter().all(|(n, at)| (20..=50).contains(&(at - n * 2)) || !reorder));
        }
    }

    #[test]
    fn a_walk_moves_in_straight_lines_and_overtakes_nobody() {
        let start = Instant::now();
        let walk = Some(Walk { most: ms(80), every: ms(100) });
        let arrived = run(&mut SimulatedLink::new(Path { walk, ..Path::default() }, 5), start, 5000, ms(2));
        let delays: Vec<u64> = arrived.iter().map(|(n, at)| at - n * 2).collect();
        assert!(arrived.windows(2).all(|w| w[0].0 < w[1].0));
        assert!(delays.iter().all(|d| (20..=100).contains(d)));
        assert!(delays.iter().min() < Some(&25) && delays.iter().max() > Some(&95));
        assert!(delays.windows(2).all(|w| w[0].abs_diff(w[1]) <= 3));
    }

    #[test]
    fn the_same_seed_gives_the_same_result() {
        let start = Instant::now();
        let path = Path { loss: Loss::Random(0.3), duplicates: 0.1, jitter: ms(9), reorder: true, ..Path::default() };
        let story = |seed| run(&mut SimulatedLink::new(path.clone(), seed), start, 500, ms(3));
        assert_eq!(story(1), story(1));
        assert_ne!(story(1), story(2));
    }
}
