//! Tracks missing packets, and schedules their retransmission requests.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Most missing packets tracked. If more are missing, all are abandoned, because a keyframe costs less.
pub(crate) const MAX_MISSING: usize = 250;
/// If more than [`MAX_LOST_IN_OUTAGE`] packets were lost while nothing arrived for this time, they are not requested. They
/// would arrive too late to be shown, and would delay later frames.
const OUTAGE: Duration = Duration::from_millis(250);
const MAX_LOST_IN_OUTAGE: u64 = 20;
/// A packet is requested in at most this many rounds, and until it reaches [`MAX_AGE`].
const MAX_ROUNDS: u32 = 10;
const MAX_AGE: Duration = Duration::from_millis(2500);
/// Most sequence numbers in one message. It must fit into a packet even if no two numbers are adjacent.
const MAX_PER_MESSAGE: usize = 120;
/// Time in addition to the round-trip time before a packet is requested again. It covers the sender's pacing.
const RETRANSMISSION_SLACK: Duration = Duration::from_millis(10);
/// A round repeats its request after these times, because the loss of a request would cost a whole round trip. The last one
/// comes after most bursts of loss. A sender that receives several retransmits once, because it does not retransmit a packet
/// twice within a round trip.
const COPY_DELAYS: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(30)];
const REQUESTS_PER_ROUND: u32 = 1 + COPY_DELAYS.len() as u32;
/// Requests due within this time are sent in one message.
const BATCH_INTERVAL: Duration = Duration::from_millis(3);
/// Shortest wait before the first request of a missing packet. It is longer after recent reordering.
const MIN_REORDER_WAIT: Duration = Duration::from_millis(4);
/// The shortest wait while repair packets arrive, which may restore the packet.
const MIN_REORDER_WAIT_WITH_REPAIR: Duration = Duration::from_millis(12);
/// Further repair packets are expected for this time after one arrives.
const REPAIR_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest wait before the first request.
const MAX_REORDER_WAIT: Duration = Duration::from_millis(60);
/// The wait halves in this time without reordering.
const REORDER_HALF_LIFE: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Missing {
    since: Instant,
    due: Instant,
    /// Requests sent, including copies.
    requests: u32,
}

#[derive(Debug)]
pub(crate) struct NackRequester {
    missing: BTreeMap<u64, Missing>,
    newest: Option<u64>,
    last_arrival: Instant,
    reorder_wait: Duration,
    last_reordered: Instant,
    last_repair: Option<Instant>,
    next_request: Option<Instant>,
}

impl NackRequester {
    pub(crate) fn new(now: Instant) -> Self {
        NackRequester {
            missing: BTreeMap::new(),
            newest: None,
            last_arrival: now,
            reorder_wait: MIN_REORDER_WAIT,
            last_reordered: now,
            last_repair: None,
            next_request: None,
        }
    }

    /// Records a packet. `recovered` means that it was retransmitted or restored. Returns false if so many packets before
    /// it are missing that all are abandoned.
    pub(crate) fn on_packet(&mut self, now: Instant, number: u64, recovered: bool) -> bool {
        let outage = now.saturating_duration_since(self.last_arrival) >= OUTAGE;
        self.last_arrival = now;
        let Some(newest) = self.newest else {
            self.newest = Some(number);
            return true;
        };
        if number <= newest {
            if let Some(missing) = self.missing.remove(&number)
                && !recovered
            {
                self.on_reordered(now, now.saturating_duration_since(missing.since));
            }
            return true;
        }
        self.newest = Some(number);
        let gap = number - newest - 1;
        if gap as usize + self.missing.len() > MAX_MISSING || outage && gap > MAX_LOST_IN_OUTAGE {
            self.missing.clear();
            return false;
        }
        let due = now + self.reorder_wait(now);
        for gap in newest + 1..number {
            self.missing.insert(gap, Missing { since: now, due, requests: 0 });
            self.schedule(due);
        }
        true
    }

    /// Records the arrival of a repair packet.
    pub(crate) fn on_repair_packet(&mut self, now: Instant) {
        self.last_repair = Some(now);
    }

    /// Requests missing packets before this number immediately, because no repair packet can restore them any more.
    pub(crate) fn expedite(&mut self, now: Instant, before: u64) {
        let mut is_due = false;
        for missing in self.missing.range_mut(..before).map(|(_, missing)| missing).filter(|m| m.requests == 0) {
            missing.due = missing.due.min(now);
            is_due = true;
        }
        if is_due {
            self.schedule(now);
        }
    }

    /// Discards missing packets before this number, which are no longer needed.
    pub(crate) fn discard_before(&mut self, number: u64) {
        if self.missing.first_key_value().is_some_and(|(first, _)| *first < number) {
            self.missing = self.missing.split_off(&number);
        }
    }

    /// Discards all missing packets.
    pub(crate) fn clear(&mut self) {
        self.missing.clear();
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next_request.filter(|_| !self.missing.is_empty())
    }

    /// Returns the sequence numbers to request now, and the newest packet abandoned, if any.
    pub(crate) fn poll(&mut self, now: Instant, rtt: Duration) -> (Vec<u16>, Option<u64>) {
        if self.next_request.is_none_or(|next_request| now < next_request) {
            return (Vec::new(), None);
        }
        let (mut requested, mut abandoned, mut next_request) = (Vec::new(), None, None::<Instant>);
        self.missing.retain(|number, missing| {
            if missing.due <= now + BATCH_INTERVAL && requested.len() < MAX_PER_MESSAGE {
                if missing.requests == MAX_ROUNDS * REQUESTS_PER_ROUND
                    || now.saturating_duration_since(missing.since) > MAX_AGE
                {
                    abandoned = Some(*number);
                    return false;
                }
                missing.requests += 1;
                missing.due = now + wait_after(missing.requests, rtt);
                requested.push(*number as u16);
            }
            next_request = Some(next_request.map_or(missing.due, |next_request| next_request.min(missing.due)));
            true
        });
        self.next_request = next_request.map(|next_request| next_request.max(now + BATCH_INTERVAL));
        (requested, abandoned)
    }

    fn schedule(&mut self, due: Instant) {
        self.next_request = Some(self.next_request.map_or(due, |next_request| next_request.min(due)));
    }

    fn reorder_wait(&self, now: Instant) -> Duration {
        let halvings =
            now.saturating_duration_since(self.last_reordered).as_secs_f64() / REORDER_HALF_LIFE.as_secs_f64();
        let repair = self.last_repair.is_some_and(|at| now.saturating_duration_since(at) < REPAIR_TIMEOUT);
        let min = if repair { MIN_REORDER_WAIT_WITH_REPAIR } else { MIN_REORDER_WAIT };
        self.reorder_wait.mul_f64(0.5_f64.powf(halvings)).max(min)
    }

    fn on_reordered(&mut self, now: Instant, delay: Duration) {
        let delay = (delay + delay / 8).min(MAX_REORDER_WAIT);
        if delay >= self.reorder_wait(now) {
            (self.reorder_wait, self.last_reordered) = (delay, now);
        }
    }
}

/// The wait after this many requests of a packet.
fn wait_after(requests: u32, rtt: Duration) -> Duration {
    let in_round = (requests - 1) % REQUESTS_PER_ROUND;
    match COPY_DELAYS.get(in_round as usize) {
        Some(delay) => *delay,
        None => (rtt + RETRANSMISSION_SLACK).saturating_sub(COPY_DELAYS.iter().sum()).max(COPY_DELAYS[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn a_gap_is_requested_in_ten_rounds_with_two_copies_each() {
        let start = Instant::now();
        let mut requester = NackRequester::new(start);
        requester.on_packet(start, 100, false);
        requester.on_packet(start, 103, false);
        let (mut requested, mut abandoned, mut times) = (Vec::new(), None, Vec::new());
        while let Some(now) = requester.poll_timeout() {
            let (numbers, lost) = requester.poll(now, RTT);
            if !numbers.is_empty() {
                times.push(now);
            }
            requested.push(numbers);
            abandoned = abandoned.max(lost);
        }
        requested.retain(|numbers| !numbers.is_empty());
        assert_eq!(requested, vec![vec![101, 102]; 30]);
        assert!(times.chunks(3).all(|round| [round[1] - round[0], round[2] - round[1]] == COPY_DELAYS));
        assert!(times.chunks(3).map(|round| round[0]).is_sorted_by(|a, b| *b - *a >= RTT));
        assert_eq!(abandoned, Some(102));
    }

    #[test]
    fn reordering_lengthens_the_wait_before_a_request() {
        let start = Instant::now();
        let mut requester = NackRequester::new(start);
        for number in [1, 3] {
            requester.on_packet(start, number, false);
        }
        requester.on_packet(at(start, 20), 2, false);
        requester.on_packet(at(start, 30), 5, false);
        assert_eq!(requester.poll(at(start, 40), RTT).0, []);
        assert_eq!(requester.poll(at(start, 60), RTT).0, [4]);
    }

    #[test]
    fn a_retransmission_ends_the_requests() {
        let start = Instant::now();
        let mut requester = NackRequester::new(start);
        requester.on_packet(start, 1, false);
        requester.on_packet(start, 3, false);
        assert_eq!(requester.poll(at(start, 5), RTT).0, [2]);
        requester.on_packet(at(start, 50), 2, true);
        assert_eq!(requester.poll_timeout(), None);
    }

    #[test]
    fn packets_lost_in_an_outage_are_not_requested() {
        let start = Instant::now();
        let mut requester = NackRequester::new(start);
        requester.on_packet(start, 1, false);
        assert!(requester.on_packet(at(start, 30), 41, false), "many are lost, but in a short time");
        assert!(requester.on_packet(at(start, 1000), 52, false), "few are lost in a long time");
        assert!(!requester.on_packet(at(start, 2000), 103, false));
        assert_eq!(requester.poll_timeout(), None);
    }

    #[test]
    fn requests_follow_the_round_trip() {
        let start = Instant::now();
        let mut requester = NackRequester::new(start);
        requester.on_packet(start, 1, false);
        requester.on_packet(start, 3, false);
        let rtt = Duration::from_millis(240);
        let requested: Vec<u64> = (0..600).filter(|ms| !requester.poll(at(start, *ms), rtt).0.is_empty()).collect();
        assert_eq!(requested, [4, 14, 44, 254, 264, 294, 504, 514, 544]);
    }

    #[test]
    fn a_wide_gap_is_abandoned() {
        let start = Instant::now();
        let mut requester = NackRequester::new(start);
        requester.on_packet(start, 1, false);
        assert!(!requester.on_packet(start, 1000, false));
        assert_eq!(requester.poll_timeout(), None);
    }
}
