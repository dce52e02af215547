//! How fast one connection may send files.
//!
//! Files use what media leaves: they must not fill the queue of the bottleneck, in which media would wait. As in LEDBAT
//! (RFC 6817), the receiver's clock shows how long chunks wait: the one-way delay above its minimum. The rate grows while
//! there is hardly a queue and is cut when there is one, long before a loss-based sender would notice.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Queues longer than this cut the rate. Media's own estimator reacts only to longer ones.
const TARGET: Duration = Duration::from_millis(25);
/// The rate grows while the queue is shorter than this.
const EMPTY: Duration = Duration::from_millis(12);
/// Part of the measured rate that remains after a cut.
const CUT: f64 = 0.85;
/// Initial, lowest and highest rate in bytes a second.
const START: f64 = 50_000.0;
const LOWEST: f64 = 8_000.0;
const HIGHEST: f64 = 200_000_000.0;
/// Growth in a second after the first cut: a part of the rate, and bytes a second.
const GROWTH: f64 = 0.12;
const GROWTH_STEP: f64 = 30_000.0;
/// How long the lowest delay counts. The path may change, and clocks drift.
const BASE_WINDOW: Duration = Duration::from_secs(30);
/// The window of the measured rate.
const MEASURED: Duration = Duration::from_millis(500);
/// Without an answer for this long, the rate is halved.
const SILENCE: Duration = Duration::from_secs(1);
/// Delays of which the lowest counts, so that late chunks of a busy computer do not.
const SAMPLES: usize = 5;
const START_SAMPLES: usize = 2;
/// Time in which the rate doubles at the start, or the round trip if that is longer.
const DOUBLING: Duration = Duration::from_millis(250);
/// Shortest time between two cuts because media is short, which lasts longer than its cause.
const MEDIA_CUTS: Duration = Duration::from_secs(1);
/// Acknowledgements come at most this late (see `incoming`).
const ACK_DELAY: Duration = Duration::from_millis(100);
/// Bytes that may always be unacknowledged, and most that ever are: they are in memory.
const LEAST_IN_FLIGHT: f64 = 65_536.0;
const MOST_IN_FLIGHT: f64 = 2_097_152.0;
/// How long unused permission to send lasts.
const BURST: f64 = 0.03;

/// The rate of one connection. Not a state machine: a controller with one number.
#[derive(Debug, Clone)]
pub struct Rate {
    rate: f64,
    /// Whether the rate still doubles, because no queue has been seen.
    starting: bool,
    credit: f64,
    credited: Instant,
    base: BaseDelay,
    recent: VecDeque<i64>,
    rtt: Duration,
    acked: VecDeque<(Instant, u64)>,
    last_ack: Instant,
    last_cut: Instant,
}

/// The lowest delay of the current and the previous window, in microseconds.
#[derive(Debug, Clone, Default)]
struct BaseDelay {
    /// The first difference of clocks, to which others are compared, so that wrapping does not matter.
    first: Option<u32>,
    begun: Option<Instant>,
    current: Option<i64>,
    previous: Option<i64>,
}

impl BaseDelay {
    /// Returns how far a delay is above the lowest.
    fn above(&mut self, now: Instant, difference: u32) -> i64 {
        let first = *self.first.get_or_insert(difference);
        let delay = i64::from(difference.wrapping_sub(first) as i32);
        if self.begun.is_none_or(|begun| now.saturating_duration_since(begun) >= BASE_WINDOW) {
            (self.previous, self.current, self.begun) = (self.current, None, Some(now));
        }
        self.current = Some(self.current.map_or(delay, |lowest| lowest.min(delay)));
        let lowest = self.current.into_iter().chain(self.previous).min().unwrap_or(delay);
        delay - lowest
    }
}

impl Rate {
    /// A new connection.
    pub fn new(now: Instant) -> Rate {
        Rate {
            rate: START,
            starting: true,
            credit: 0.0,
            credited: now,
            base: BaseDelay::default(),
            recent: VecDeque::new(),
            rtt: Duration::from_millis(100),
            acked: VecDeque::new(),
            last_ack: now,
            last_cut: now,
        }
    }

    /// Bytes a second.
    pub fn bytes_per_second(&self) -> f64 {
        self.rate
    }

    /// Bytes of the next chunk: what is sent in 20 ms, within limits.
    pub fn chunk_bytes(&self) -> usize {
        ((self.rate / 50.0) as usize).clamp(1024, crate::MAX_DATA_BYTES)
    }

    /// Whether this many bytes may be sent now, while others are unacknowledged.
    pub fn may_send(&mut self, now: Instant, in_flight: u64) -> bool {
        let passed = now.saturating_duration_since(self.credited).as_secs_f64();
        let most = (self.rate * BURST).max(crate::MAX_CHUNK_BYTES as f64);
        self.credit = (self.credit + passed * self.rate).min(most);
        self.credited = now;
        self.credit > 0.0 && (in_flight as f64) < self.most_in_flight()
    }

    /// When [`Rate::may_send`] can become true by itself.
    pub fn next_send(&self) -> Instant {
        let missing = (1.0 - self.credit).max(0.0) / self.rate;
        self.credited + Duration::from_secs_f64(missing.clamp(0.001, 1.0))
    }

    /// These bytes were sent.
    pub fn on_sent(&mut self, now: Instant, bytes: usize, in_flight_before: u64) {
        self.credit -= bytes as f64;
        if in_flight_before == 0 {
            self.last_ack = now; // an answer is waited for from now on
        }
    }

    /// The receiver acknowledged `bytes`. `time` is ours in the newest chunk, `arrived` is theirs when it arrived, and
    /// `clock` is ours now, all in microseconds.
    pub fn on_ack(&mut self, now: Instant, bytes: u64, time: u32, arrived: u32, clock: u32) {
        let rtt = Duration::from_micros(clock.wrapping_sub(time).into());
        if rtt < Duration::from_secs(10) {
            self.rtt = (self.rtt * 7 + rtt) / 8;
        }
        let passed = now.saturating_duration_since(self.last_ack).min(Duration::from_millis(200)).as_secs_f64();
        self.last_ack = now;
        self.acked.push_back((now, bytes));
        while self.acked.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > MEASURED) {
            self.acked.pop_front();
        }
        let above = self.base.above(now, arrived.wrapping_sub(time));
        self.recent.push_back(above);
        if self.recent.len() > SAMPLES {
            self.recent.pop_front();
        }
        // The rate doubles at the start, so a queue must be noticed sooner there.
        let (samples, target) = if self.starting { (START_SAMPLES, EMPTY) } else { (SAMPLES, TARGET) };
        let lowest = self.recent.iter().rev().take(samples).copied().min();
        let queue = Duration::from_micros(lowest.unwrap_or(0).max(0) as u64);
        if queue > target {
            self.cut(now);
        } else if queue < EMPTY {
            self.grow(passed);
        }
    }

    /// Media has less than it needs: the files step back.
    pub fn on_media_short(&mut self, now: Instant) {
        if now.saturating_duration_since(self.last_cut) >= MEDIA_CUTS {
            self.cut(now);
        }
    }

    /// Time has passed. `in_flight`: bytes that are not acknowledged.
    pub fn handle_timeout(&mut self, now: Instant, in_flight: u64) {
        if in_flight > 0 && now.saturating_duration_since(self.last_ack) >= SILENCE {
            (self.last_ack, self.last_cut, self.starting) = (now, now, false);
            self.rate = (self.rate / 2.0).max(LOWEST);
        }
    }

    /// Received bytes a second.
    fn measured(&self) -> f64 {
        let bytes: u64 = self.acked.iter().map(|(_, bytes)| bytes).sum();
        bytes as f64 / MEASURED.as_secs_f64()
    }

    fn cut(&mut self, now: Instant) {
        // What was sent before the last cut still waits.
        if now.saturating_duration_since(self.last_cut) < self.rtt.max(ACK_DELAY) * 2 {
            return;
        }
        (self.last_cut, self.starting) = (now, false);
        self.rate = (self.rate.min(self.measured().max(self.rate / 2.0)) * CUT).max(LOWEST);
    }

    fn grow(&mut self, seconds: f64) {
        // A rate that is not used must not grow.
        if self.measured() < 0.5 * self.rate && self.rate > START {
            return;
        }
        if self.starting {
            self.rate *= 1.0 + seconds / self.rtt.max(DOUBLING).as_secs_f64();
        } else {
            self.rate += (self.rate * GROWTH + GROWTH_STEP) * seconds;
        }
        self.rate = self.rate.min(HIGHEST);
    }

    fn most_in_flight(&self) -> f64 {
        let wait = (self.rtt.min(Duration::from_secs(1)) + ACK_DELAY).as_secs_f64();
        (self.rate * wait).clamp(LEAST_IN_FLIGHT, MOST_IN_FLIGHT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bottleneck with a queue that media shares, and how the files fared.
    struct Link {
        bits_per_second: f64,
        media: f64,
        one_way: Duration,
    }

    struct Outcome {
        /// Share of the bottleneck that the files used.
        share: f64,
        /// 95th percentile of the queue that media saw.
        queue: Duration,
    }

    impl Link {
        /// Sends for this long, and measures after the first half.
        fn run(&self, length: Duration) -> Outcome {
            let start = Instant::now();
            let capacity = self.bits_per_second / 8.0;
            let (mut rate, mut free_at) = (Rate::new(start), 0.0f64);
            let (mut acks, mut in_flight, mut bytes) = (VecDeque::<(f64, u64, u32, u32)>::new(), 0u64, 0u64);
            let mut queues = vec![];
            let micros = |seconds: f64| (seconds * 1e6) as u64 as u32;
            let step = 0.001;
            let steps = (length.as_secs_f64() / step) as usize;
            for n in 0..steps {
                let time = n as f64 * step;
                let now = start + Duration::from_secs_f64(time);
                free_at = free_at.max(time) + self.media / 8.0 * step / capacity;
                while let Some((at, size, sent, arrived)) = acks.front().copied().filter(|(at, ..)| *at <= time) {
                    acks.pop_front();
                    in_flight -= size;
                    rate.on_ack(now, size, sent, arrived, micros(at));
                }
                while rate.may_send(now, in_flight) {
                    let size = rate.chunk_bytes();
                    rate.on_sent(now, size, in_flight);
                    free_at = free_at.max(time) + size as f64 / capacity;
                    in_flight += size as u64;
                    if n > steps / 2 {
                        bytes += size as u64;
                    }
                    let arrived = free_at + self.one_way.as_secs_f64();
                    // A receiver's clock that began long before.
                    let clock = micros(arrived).wrapping_add(4_000_000_000);
                    acks.push_back((arrived + self.one_way.as_secs_f64(), size as u64, micros(time), clock));
                }
                rate.handle_timeout(now, in_flight);
                if n > steps / 2 {
                    queues.push(Duration::from_secs_f64((free_at - time).max(0.0)));
                }
            }
            queues.sort();
            let half = length.as_secs_f64() / 2.0;
            Outcome { share: bytes as f64 / half / capacity, queue: queues[queues.len() * 95 / 100] }
        }
    }

    #[test]
    fn files_fill_what_media_leaves_without_a_queue() {
        for (mbits, media, delay) in [(20.0, 2.5, 25), (20.0, 0.0, 1), (5.0, 2.5, 20), (100.0, 2.5, 10), (2.0, 0.5, 60)]
        {
            let link = Link { bits_per_second: mbits * 1e6, media: media * 1e6, one_way: Duration::from_millis(delay) };
            let outcome = link.run(Duration::from_secs(60));
            let left = (mbits - media) / mbits;
            assert!(outcome.share > 0.8 * left, "{mbits} Mbit/s: {} of {left}", outcome.share);
            assert!(outcome.queue < Duration::from_millis(60), "{mbits} Mbit/s: {:?}", outcome.queue);
        }
    }

    #[test]
    fn silence_and_media_in_need_slow_it_down() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        for n in 1..=3 {
            rate.handle_timeout(start + SILENCE * n, 1);
        }
        assert_eq!(rate.bytes_per_second(), LOWEST);
        let mut rate = Rate::new(start);
        rate.on_media_short(start + Duration::from_secs(1));
        assert!(rate.bytes_per_second() < START);
        rate.handle_timeout(start + Duration::from_secs(100), 0);
        assert!(rate.bytes_per_second() > LOWEST, "nothing is waited for");
    }

    #[test]
    fn an_answer_with_senseless_times_harms_nothing() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        for n in 0..1_000u32 {
            let now = start + Duration::from_millis(u64::from(n) * 10);
            rate.on_ack(now, u64::MAX / 4_000, n.wrapping_mul(0x9E37_79B9), n.wrapping_mul(0x85EB_CA6B), n);
            assert!((LOWEST..=HIGHEST).contains(&rate.bytes_per_second()));
        }
    }
}
