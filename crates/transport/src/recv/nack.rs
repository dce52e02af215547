//! Which packets are missing, and when to ask for them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Packets asked for at one time. When more are missing, all are given up: a keyframe costs less.
pub(crate) const MISSING: usize = 250;
/// If more than [`LOST_IN_SILENCE`] packets were lost in a silence of this length, they are not requested: they would
/// arrive too late to be shown, and delay the frames behind them.
const SILENCE: Duration = Duration::from_millis(250);
const LOST_IN_SILENCE: u64 = 20;
/// A packet is requested at most so often, each time with a copy of the request, and no longer than this.
const TRIES: u32 = 10;
const LONGEST: Duration = Duration::from_millis(2500);
/// In one message: it must fit a packet even if no two are neighbours.
const ASKED_AT_ONCE: usize = 120;
/// Time beyond the round trip after which a packet is requested again: what pacing and retransmission need.
const SLACK: Duration = Duration::from_millis(10);
/// Each request is sent once more after this time: if it is lost, a whole round trip would be. A sender that received
/// both retransmits once, because it does not repeat a packet within a round trip.
const COPY_AFTER: Duration = Duration::from_millis(10);
/// Questions of this time go in one message.
const GATHER: Duration = Duration::from_millis(3);
/// A gap is first asked for after this time, longer where packets have been overtaken lately.
const LEAST_PATIENCE: Duration = Duration::from_millis(4);
/// The same while repair packets arrive, which may restore the packet.
const LEAST_PATIENCE_WITH_REPAIR: Duration = Duration::from_millis(12);
/// Repair packets are expected for so long after one arrived.
const REPAIR_EXPECTED: Duration = Duration::from_secs(1);
const MOST_PATIENCE: Duration = Duration::from_millis(60);
/// The patience halves in this time without packets overtaken.
const FORGET: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Missing {
    since: Instant,
    due: Instant,
    /// Requests sent, copies included.
    tries: u32,
}

#[derive(Debug)]
pub(crate) struct Nacks {
    missing: BTreeMap<u64, Missing>,
    newest: Option<u64>,
    last_arrival: Instant,
    patience: Duration,
    overtaken: Instant,
    last_repair: Option<Instant>,
    next: Option<Instant>,
}

impl Nacks {
    pub(crate) fn new(now: Instant) -> Self {
        Nacks {
            missing: BTreeMap::new(),
            newest: None,
            last_arrival: now,
            patience: LEAST_PATIENCE,
            overtaken: now,
            last_repair: None,
            next: None,
        }
    }

    /// A packet arrived, `again` if as retransmission. False if so many before it are missing that all are given up.
    pub(crate) fn arrived(&mut self, now: Instant, number: u64, again: bool) -> bool {
        let silent = now.saturating_duration_since(self.last_arrival) >= SILENCE;
        self.last_arrival = now;
        let Some(newest) = self.newest else {
            self.newest = Some(number);
            return true;
        };
        if number <= newest {
            if let Some(missing) = self.missing.remove(&number)
                && !again
            {
                self.learn(now, now.saturating_duration_since(missing.since));
            }
            return true;
        }
        self.newest = Some(number);
        let gap = number - newest - 1;
        if gap as usize + self.missing.len() > MISSING || silent && gap > LOST_IN_SILENCE {
            self.missing.clear();
            return false;
        }
        let due = now + self.patience(now);
        for gap in newest + 1..number {
            self.missing.insert(gap, Missing { since: now, due, tries: 0 });
            self.schedule(due);
        }
        true
    }

    /// A repair packet arrived.
    pub(crate) fn repair_arrived(&mut self, now: Instant) {
        self.last_repair = Some(now);
    }

    /// No repair packet restores what is missing before this number: it is requested now.
    pub(crate) fn expedite(&mut self, now: Instant, before: u64) {
        let mut is_due = false;
        for missing in self.missing.range_mut(..before).map(|(_, missing)| missing).filter(|m| m.tries == 0) {
            missing.due = missing.due.min(now);
            is_due = true;
        }
        if is_due {
            self.schedule(now);
        }
    }

    /// Nothing before this number is of use any more.
    pub(crate) fn forget_before(&mut self, number: u64) {
        if self.missing.first_key_value().is_some_and(|(first, _)| *first < number) {
            self.missing = self.missing.split_off(&number);
        }
    }

    /// Nothing that is missing now is of use.
    pub(crate) fn forget_all(&mut self) {
        self.missing.clear();
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next.filter(|_| !self.missing.is_empty())
    }

    /// What to ask for now, and the newest packet given up, if one was.
    pub(crate) fn due(&mut self, now: Instant, rtt: Duration) -> (Vec<u16>, Option<u64>) {
        if self.next.is_none_or(|next| now < next) {
            return (Vec::new(), None);
        }
        let pause = (rtt + SLACK).saturating_sub(COPY_AFTER).max(COPY_AFTER);
        let (mut asked, mut given_up, mut next) = (Vec::new(), None, None::<Instant>);
        self.missing.retain(|number, missing| {
            if missing.due <= now + GATHER && asked.len() < ASKED_AT_ONCE {
                if missing.tries == 2 * TRIES || now.saturating_duration_since(missing.since) > LONGEST {
                    given_up = Some(*number);
                    return false;
                }
                missing.tries += 1;
                missing.due = now + if missing.tries % 2 == 1 { COPY_AFTER } else { pause };
                asked.push(*number as u16);
            }
            next = Some(next.map_or(missing.due, |next| next.min(missing.due)));
            true
        });
        self.next = next.map(|next| next.max(now + GATHER));
        (asked, given_up)
    }

    fn schedule(&mut self, due: Instant) {
        self.next = Some(self.next.map_or(due, |next| next.min(due)));
    }

    fn patience(&self, now: Instant) -> Duration {
        let halvings = now.saturating_duration_since(self.overtaken).as_secs_f64() / FORGET.as_secs_f64();
        let repair = self.last_repair.is_some_and(|at| now.saturating_duration_since(at) < REPAIR_EXPECTED);
        let least = if repair { LEAST_PATIENCE_WITH_REPAIR } else { LEAST_PATIENCE };
        self.patience.mul_f64(0.5_f64.powf(halvings)).max(least)
    }

    fn learn(&mut self, now: Instant, late: Duration) {
        let late = (late + late / 8).min(MOST_PATIENCE);
        if late >= self.patience(now) {
            (self.patience, self.overtaken) = (late, now);
        }
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
    fn a_gap_is_requested_once_per_round_trip_with_a_copy_and_ten_times_at_most() {
        let start = Instant::now();
        let mut nacks = Nacks::new(start);
        nacks.arrived(start, 100, false);
        nacks.arrived(start, 103, false);
        let (mut asked, mut given_up, mut times) = (Vec::new(), None, Vec::new());
        while let Some(now) = nacks.poll_timeout() {
            let (numbers, lost) = nacks.due(now, RTT);
            if !numbers.is_empty() {
                times.push(now);
            }
            asked.push(numbers);
            given_up = given_up.max(lost);
        }
        asked.retain(|numbers| !numbers.is_empty());
        assert_eq!(asked, vec![vec![101, 102]; 20]);
        assert!(times.chunks(2).all(|pair| pair[1] - pair[0] == COPY_AFTER));
        assert!(times.chunks(2).map(|pair| pair[0]).is_sorted_by(|a, b| *b - *a >= RTT));
        assert_eq!(given_up, Some(102));
    }

    #[test]
    fn an_overtaken_packet_makes_it_patient() {
        let start = Instant::now();
        let mut nacks = Nacks::new(start);
        for number in [1, 3] {
            nacks.arrived(start, number, false);
        }
        nacks.arrived(at(start, 20), 2, false);
        nacks.arrived(at(start, 30), 5, false);
        assert_eq!(nacks.due(at(start, 40), RTT).0, []);
        assert_eq!(nacks.due(at(start, 60), RTT).0, [4]);
    }

    #[test]
    fn a_retransmission_ends_the_asking() {
        let start = Instant::now();
        let mut nacks = Nacks::new(start);
        nacks.arrived(start, 1, false);
        nacks.arrived(start, 3, false);
        assert_eq!(nacks.due(at(start, 5), RTT).0, [2]);
        nacks.arrived(at(start, 50), 2, true);
        assert_eq!(nacks.poll_timeout(), None);
    }

    #[test]
    fn packets_lost_in_a_silence_are_not_requested() {
        let start = Instant::now();
        let mut nacks = Nacks::new(start);
        nacks.arrived(start, 1, false);
        assert!(nacks.arrived(at(start, 30), 41, false), "many are lost, but not for long");
        assert!(nacks.arrived(at(start, 1000), 52, false), "a long time, but few");
        assert!(!nacks.arrived(at(start, 2000), 103, false));
        assert_eq!(nacks.poll_timeout(), None);
    }

    #[test]
    fn requests_follow_the_round_trip() {
        let start = Instant::now();
        let mut nacks = Nacks::new(start);
        nacks.arrived(start, 1, false);
        nacks.arrived(start, 3, false);
        let rtt = Duration::from_millis(240);
        let asked: Vec<u64> = (0..600).filter(|ms| !nacks.due(at(start, *ms), rtt).0.is_empty()).collect();
        assert_eq!(asked, [4, 14, 254, 264, 504, 514]);
    }

    #[test]
    fn a_wide_gap_is_given_up() {
        let start = Instant::now();
        let mut nacks = Nacks::new(start);
        nacks.arrived(start, 1, false);
        assert!(!nacks.arrived(start, 1000, false));
        assert_eq!(nacks.poll_timeout(), None);
    }
}
