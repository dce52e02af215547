//! Coordinates the senders whose packets arrive over one client's downlink.
//!
//! Senders in different places know nothing of each other. On a narrow downlink each takes the others' packets for those
//! of strangers, against whom it holds its own, so that the queue in front of the downlink stays full. Only the receiver
//! sees all of them. It limits their total below what arrives while the queue is long, gives sound to everybody, and
//! video to as many as can have a useful one. The limits are sent as REMB (draft-alvestrand-rmcat-remb).
//!
//! A queue may also be filled by others, against whom a limit is of no use. So a limit is a trial first: if the queue does
//! not become shorter, it ends.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A longer queue of most senders is congestion, and so is a shorter one if most lose packets: the shorter, the more. Without
/// losses, it may be jitter, or a receiver that waits for its processor.
const LONG_QUEUE: Duration = Duration::from_millis(300);
const LOSSY_QUEUES: [(Duration, f64); 3] =
    [(Duration::ZERO, 0.35), (VISIBLE_QUEUE, 0.05), (Duration::from_millis(120), 0.015)];
/// A queue that was full from the first packet on has no visible delay. If a trial began with a shorter queue than
/// [`VISIBLE_QUEUE`], it succeeds when fewer packets than this share are lost.
const VISIBLE_QUEUE: Duration = Duration::from_millis(60);
const LOW_LOSS: f64 = 0.05;
/// At first the total is limited to this, because several senders who know nothing of each other would fill a narrow downlink
/// before anybody has seen it empty. It grows by this factor in each interval without congestion: to ten times in 1.7 s.
const FIRST_TOTAL: f64 = 500_000.0;
const FIRST_GROWTH_FACTOR: f64 = 1.15;
/// A larger limit restricts nobody, and ends.
const LARGEST_FIRST_TOTAL: f64 = 8_000_000.0;
/// Fewer senders begin without a limit. If there are not more after this time, further ones are newcomers to a call.
const FEW_SENDERS: usize = 2;
const ARRIVAL_TIME: Duration = Duration::from_secs(2);
/// Congestion lasts this long before a limit is set. The senders themselves drain a shorter queue.
const PATIENCE: Duration = Duration::from_millis(800);
/// Where losses have proved that the downlink is narrow, a queue of this length, for this time, is too much. The limit does not
/// fall below this share of what arrived then, because it may be jitter.
const GROWN_QUEUE: Duration = Duration::from_millis(60);
const GROWN_PATIENCE: Duration = Duration::from_millis(200);
const LEAST_SHARE: f64 = 0.8;
/// The first second of a limit is not judged, because the queue of the time before still drains.
const DRAINING: Duration = Duration::from_secs(1);
/// Interval between computations.
const INTERVAL: Duration = Duration::from_millis(100);
/// Rates are measured over this number of intervals.
const RATE_INTERVALS: usize = 10;
/// A trial limits the total to this share of what arrives, so that the queue drains.
const TRIAL_SHARE: f64 = 0.7;
/// Within this time, the queue has to become shorter than half.
const TRIAL_TIME: Duration = Duration::from_secs(4);
/// The messages with the limits may be lost. While more arrives than this multiple of the limit, the senders do not follow
/// it, and a trial takes longer.
const FOLLOWED: f64 = 1.15;
const LONGEST_TRIAL: Duration = Duration::from_secs(12);
/// The limit after a successful trial, as a share of what arrived before it.
const LIMIT_SHARE: f64 = 0.85;
/// There is no other trial for this time after one that was in vain.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);
/// A limit is not raised for this time. It doubles each time that raising it led to congestion, up to the longest.
const FIRST_HOLD: Duration = Duration::from_secs(5);
const LONGEST_HOLD: Duration = Duration::from_secs(10);
/// The rate of raising, as a share of the limit per second, up to somewhat more than what was too much before. Beyond that,
/// it doubles after each of these times.
const CAREFUL_GROWTH: f64 = 0.02;
const CAREFUL_UP_TO: f64 = 1.15;
const FIRST_GROWTH: f64 = 0.05;
const GROWTH_DOUBLES: Duration = Duration::from_secs(4);
/// A limit of this multiple of what arrives restricts nobody, and ends.
const UNRESTRICTING: f64 = 2.5;
/// The least limit of one sender, bit/s.
const LEAST: u64 = 25_000;
/// What sound takes, with its headers, bit/s.
const SOUND: u64 = 60_000;
/// Less for video is not useful, bit/s.
const LEAST_VIDEO: u64 = 120_000;

/// What has been received from one sender.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DownlinkFlow {
    /// Bytes received.
    pub bytes: u64,
    /// Packets of sound that were sent, by their sequence numbers.
    pub expected: u64,
    /// Those of them that arrived.
    pub arrived: u64,
    /// How long packets of sound wait on their way beyond the shortest time, if any have come lately.
    pub queue: Option<Duration>,
}

/// ```text
///                    long queue
///  Beginning -----------------------+
///   | large, or few senders         v
///   |     long queue           queue shorter              long queue
///   +-> Open -----------> Trial ---------------> Limited ----------------> Trial
///        ^   not shorter    |                       |
///        +------------------+-----------------------+ restricts nobody
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Nobody knows yet how wide the downlink is.
    Beginning {
        limit: f64,
        /// When the first sender was there.
        since: Option<Instant>,
    },
    Open {
        /// No trial before this time.
        retry_at: Option<Instant>,
    },
    Trial {
        since: Instant,
        /// The length of the queue before, and what arrived, in bit/s.
        queue: Duration,
        rate: f64,
    },
    Limited {
        limit: f64,
        since: Instant,
    },
}

/// The coordination of the senders, which `K` identifies.
#[derive(Debug)]
pub struct Downlink<K> {
    state: State,
    congested_since: Option<Instant>,
    hold: Duration,
    /// What arrived when packets were lost, bit/s.
    proved: f64,
    /// The limit that was too much, bit/s.
    too_much: Option<f64>,
    /// The flows at each interval. At most [`RATE_INTERVALS`] and one; when full, the oldest is dropped.
    history: VecDeque<(Instant, Vec<(K, DownlinkFlow)>)>,
}

impl<K> Default for Downlink<K> {
    fn default() -> Self {
        Downlink {
            state: State::Beginning { limit: FIRST_TOTAL, since: None },
            congested_since: None,
            hold: FIRST_HOLD,
            proved: 0.0,
            too_much: None,
            history: VecDeque::new(),
        }
    }
}

impl<K: Copy + Eq> Downlink<K> {
    /// Whether the next computation is due.
    pub fn is_due(&self, now: Instant) -> bool {
        self.history.back().is_none_or(|(last, _)| now.saturating_duration_since(*last) >= INTERVAL)
    }

    /// Computes each sender's limit in bit/s, in the same order, or `None` if it has none. Those whose video matters more
    /// come first. Call it about as often as frames arrive. Returns `None` if it is too early for a new computation.
    pub fn coordinate(&mut self, now: Instant, flows: &[(K, DownlinkFlow)]) -> Option<Vec<Option<u64>>> {
        if !self.is_due(now) {
            return None;
        }
        if flows.is_empty() {
            // The next call may be in another network.
            *self = Downlink::default();
        }
        self.history.push_back((now, flows.to_vec()));
        if self.history.len() > RATE_INTERVALS + 1 {
            self.history.pop_front();
        }
        let (rate, queue) = (self.rate(), of_most(flows.iter().filter_map(|(_, flow)| flow.queue)).unwrap_or_default());
        let is_congested = self.is_congested(now, queue);
        let since = *self.congested_since.get_or_insert(now);
        self.congested_since = is_congested.then_some(since);
        let patience = if self.expects_congestion() { GROWN_PATIENCE } else { PATIENCE };
        let lasts = is_congested && now.saturating_duration_since(since) >= patience;
        self.state = self.next(now, rate, queue, lasts);
        let limits = self.total().map(|total| split(total as u64, flows.len()));
        Some(limits.map_or_else(|| vec![None; flows.len()], |limits| limits.into_iter().map(Some).collect()))
    }

    fn next(&mut self, now: Instant, rate: f64, queue: Duration, is_congested: bool) -> State {
        let passed = |since| now.saturating_duration_since(since);
        if is_congested && self.overflows(queue) {
            self.proved = rate;
        }
        let trial = State::Trial { since: now, queue, rate: rate.max(LEAST_SHARE * self.proved) };
        match self.state {
            State::Beginning { .. } if is_congested => trial,
            State::Beginning { limit, since } => {
                let (senders, since) = (self.senders(), since.or((self.senders() > 0).then_some(now)));
                let are_few = senders <= FEW_SENDERS && since.is_some_and(|since| passed(since) >= ARRIVAL_TIME);
                let grows = senders > FEW_SENDERS && self.congested_since.is_none() && rate > 0.0;
                match limit >= LARGEST_FIRST_TOTAL || are_few {
                    true => State::Open { retry_at: None },
                    false if grows => State::Beginning { limit: limit * FIRST_GROWTH_FACTOR, since },
                    false => State::Beginning { limit, since },
                }
            }
            State::Open { retry_at } if is_congested && retry_at.is_none_or(|at| now >= at) => {
                (self.hold, self.too_much) = (FIRST_HOLD, None);
                trial
            }
            open @ State::Open { .. } => open,
            State::Trial { queue: before, rate, .. } if queue < before / 2 || self.has_drained_unseen(before) => {
                State::Limited { limit: rate * LIMIT_SHARE, since: now }
            }
            // More arrives than was asked for, so this says nothing about others.
            State::Trial { since, rate: before, .. }
                if rate > FOLLOWED * TRIAL_SHARE * before && passed(since) < LONGEST_TRIAL =>
            {
                self.state
            }
            State::Trial { since, .. } if passed(since) >= TRIAL_TIME => {
                State::Open { retry_at: Some(now + RETRY_INTERVAL) }
            }
            trial @ State::Trial { .. } => trial,
            State::Limited { limit, .. } if is_congested => {
                self.too_much = Some(limit.min(rate / LIMIT_SHARE));
                self.hold = (self.hold * 2).min(LONGEST_HOLD);
                trial
            }
            State::Limited { limit, .. } if limit > UNRESTRICTING * rate && rate > 0.0 => {
                State::Open { retry_at: None }
            }
            State::Limited { limit, since } => match passed(since).checked_sub(self.hold) {
                Some(growing) if self.congested_since.is_none() => {
                    let doublings = growing.as_secs_f64() / GROWTH_DOUBLES.as_secs_f64();
                    let is_careful = self.too_much.is_some_and(|too_much| limit < CAREFUL_UP_TO * too_much);
                    let quick = FIRST_GROWTH * doublings.floor().min(4.0).exp2();
                    let growth = if is_careful { CAREFUL_GROWTH } else { quick };
                    State::Limited { limit: limit * (1.0 + growth * INTERVAL.as_secs_f64()), since }
                }
                Some(_) | None => State::Limited { limit, since },
            },
        }
    }

    fn is_congested(&self, now: Instant, queue: Duration) -> bool {
        if let State::Limited { since, .. } = self.state
            && now.saturating_duration_since(since) < DRAINING
        {
            return false;
        }
        let long = if self.expects_congestion() { GROWN_QUEUE } else { LONG_QUEUE };
        queue >= long || self.overflows(queue)
    }

    /// Whether a short queue is enough, because a limit is being raised.
    fn expects_congestion(&self) -> bool {
        match self.state {
            State::Beginning { .. } => self.senders() > FEW_SENDERS,
            State::Limited { .. } => true,
            State::Open { .. } | State::Trial { .. } => false,
        }
    }

    /// Whether most senders lose so many packets that a queue of this length is probably full.
    fn overflows(&self, queue: Duration) -> bool {
        let loss = of_most(self.losses()).unwrap_or(0.0);
        LOSSY_QUEUES.iter().any(|(length, lossy)| queue >= *length && loss >= *lossy)
    }

    /// Whether a trial that began without a visible queue has ended the losses.
    fn has_drained_unseen(&self, before: Duration) -> bool {
        before < VISIBLE_QUEUE && of_most(self.losses()).is_some_and(|loss| loss < LOW_LOSS)
    }

    /// The limit of all together, bit/s.
    fn total(&self) -> Option<f64> {
        match self.state {
            State::Open { .. } => None,
            State::Beginning { limit, .. } => Some(limit).filter(|_| self.senders() > FEW_SENDERS),
            State::Trial { rate, .. } => Some(rate * TRIAL_SHARE),
            State::Limited { limit, .. } => Some(limit),
        }
    }

    /// How many senders there are.
    fn senders(&self) -> usize {
        self.history.back().map_or(0, |(_, flows)| flows.len())
    }

    /// What arrives from those that are still there, bit/s.
    fn rate(&self) -> f64 {
        let (Some((from, _)), Some((to, _))) = (self.history.front(), self.history.back()) else { return 0.0 };
        let bytes: u64 = self.since_oldest().map(|(before, after)| after.bytes.saturating_sub(before.bytes)).sum();
        let seconds = to.saturating_duration_since(*from).as_secs_f64();
        if seconds > 0.0 { bytes as f64 * 8.0 / seconds } else { 0.0 }
    }

    /// The share of packets of sound that each sender's flow has lost. Those that are silent are left out.
    fn losses(&self) -> impl Iterator<Item = f64> {
        self.since_oldest().filter_map(|(before, after)| {
            let expected = after.expected.saturating_sub(before.expected);
            let arrived = after.arrived.saturating_sub(before.arrived);
            (expected > 0).then(|| 1.0 - arrived.min(expected) as f64 / expected as f64)
        })
    }

    /// Each flow's oldest and newest values.
    fn since_oldest(&self) -> impl Iterator<Item = (DownlinkFlow, DownlinkFlow)> {
        let newest = self.history.back().into_iter().flat_map(|(_, flows)| flows);
        newest.filter_map(|(key, after)| {
            let before = self.history.front()?.1.iter().find(|(other, _)| other == key)?.1;
            Some((before, *after))
        })
    }
}

/// Splits a total among this number of senders: sound for all, and video for as many as can have a useful one.
fn split(total: u64, senders: usize) -> Vec<u64> {
    let count = senders.max(1) as u64;
    let Some(rest) = total.checked_sub(SOUND * count) else { return vec![(total / count).max(LEAST); senders] };
    let videos = (rest / LEAST_VIDEO).clamp(1, count);
    (0..count).map(|n| if n < videos { SOUND + rest / videos } else { SOUND }).take(senders).collect()
}

/// What more than half of the values reach. `None` if there are fewer than two: a single sender's queue may be that of its own
/// uplink.
fn of_most<T: PartialOrd + Copy>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let reached = values.len().checked_sub(1)? / 2;
    values.get(reached).copied().filter(|_| values.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sound_comes_before_video_and_video_is_useful_or_absent() {
        assert_eq!(split(200_000, 5), [40_000; 5], "not enough for sound");
        assert_eq!(split(350_000, 5), [110_000, 60_000, 60_000, 60_000, 60_000]);
        assert_eq!(split(560_000, 5), [190_000, 190_000, 60_000, 60_000, 60_000]);
        assert_eq!(split(2_000_000, 5), [400_000; 5]);
    }

    /// Senders with these queues in ms, of which each with a queue loses one packet of ten, for three seconds. Returns whether
    /// any is limited.
    fn limits(queues: &[Option<u64>]) -> bool {
        limits_with_loss(queues, 1)
    }

    fn limits_with_loss(queues: &[Option<u64>], tenths: u64) -> bool {
        let start = Instant::now();
        let mut downlink = Downlink { state: State::Open { retry_at: None }, ..Downlink::default() };
        (0..30_u64).any(|n| {
            let flow = |queue: &Option<u64>| DownlinkFlow {
                bytes: n * 5_000,
                expected: if queue.is_some() { n * 10 } else { 0 },
                arrived: if queue.is_some_and(|ms| ms > 0) { n * (10 - tenths) } else { n * 10 },
                queue: queue.map(Duration::from_millis),
            };
            let flows: Vec<_> = queues.iter().map(flow).enumerate().collect();
            let limits = downlink.coordinate(start + INTERVAL * n as u32, &flows);
            limits.is_some_and(|limits| limits.iter().any(Option::is_some))
        })
    }

    #[test]
    fn a_queue_of_most_senders_is_that_of_the_downlink() {
        assert!(limits(&[Some(200), Some(150)]));
        assert!(limits(&[Some(200), Some(150), Some(0)]));
        assert!(limits(&[Some(200), Some(150), None, None, None]), "the others are silent");
    }

    #[test]
    fn without_losses_only_a_very_long_queue_counts() {
        assert!(!limits_with_loss(&[Some(200), Some(150)], 0));
        assert!(limits_with_loss(&[Some(400), Some(350)], 0));
    }

    #[test]
    fn a_queue_of_one_sender_is_its_own() {
        assert!(!limits(&[Some(200)]));
        assert!(!limits(&[Some(200), None, None]), "the others are silent");
        assert!(!limits(&[Some(200), Some(0)]));
        assert!(!limits(&[Some(200), Some(200), Some(0), Some(0)]));
    }

    /// The limits of all together for these senders, which have no queue, in each interval; 0 for none.
    fn limits_at_first(senders: usize, intervals: u32) -> Vec<u64> {
        let (mut downlink, start) = (Downlink::default(), Instant::now());
        let limits = (0..intervals).filter_map(|n| {
            let flow =
                DownlinkFlow { bytes: u64::from(n) * 1_000, queue: Some(Duration::ZERO), ..DownlinkFlow::default() };
            downlink.coordinate(start + INTERVAL * n, &vec![flow; senders].into_iter().enumerate().collect::<Vec<_>>())
        });
        limits.map(|limits| limits.into_iter().flatten().sum()).collect()
    }

    #[test]
    fn several_senders_begin_with_a_limit_that_grows_and_ends() {
        let limits = limits_at_first(5, 40);
        assert!(limits[0] <= 500_000 && limits[10] > 1_000_000 && limits[15] > 2_500_000, "{limits:?}");
        assert!(limits.is_sorted_by(|before, after| before <= after || *after == 0), "{limits:?}");
        assert_eq!(limits[25..], [0; 15]);
        assert_eq!(limits_at_first(2, 40), [0; 40]);
    }

    #[test]
    fn newcomers_to_a_call_are_not_limited_and_the_next_call_is() {
        let (mut downlink, start) = (Downlink::default(), Instant::now());
        let mut limited = |n: u32, senders: usize| {
            let flows: Vec<_> = (0..senders).map(|key| (key, DownlinkFlow::default())).collect();
            downlink.coordinate(start + INTERVAL * n, &flows).is_some_and(|limits| limits.iter().any(Option::is_some))
        };
        assert!((0..30).all(|n| !limited(n, 2)));
        assert!((30..40).all(|n| !limited(n, 5)));
        assert!(!limited(40, 0) && limited(41, 5));
    }

    proptest! {
        #[test]
        fn the_limits_together_do_not_exceed_the_total(total in 0u64..100_000_000, senders in 0usize..64) {
            let limits = split(total, senders);
            prop_assert_eq!(limits.len(), senders);
            prop_assert!(limits.iter().sum::<u64>() <= total.max(LEAST * senders as u64));
        }

        #[test]
        fn any_values_are_handled(
            steps in prop::collection::vec((0u64..2_000, prop::collection::vec((0u8..4, any::<u64>(), any::<u32>(), any::<u32>(), prop::option::of(0u64..1_000)), 0..6)), 0..200),
        ) {
            let (mut downlink, mut now) = (Downlink::default(), Instant::now());
            for (ms, flows) in steps {
                now += Duration::from_millis(ms);
                let flows: Vec<_> = flows.into_iter().map(|(key, bytes, expected, arrived, queue)| {
                    let queue = queue.map(Duration::from_millis);
                    (key, DownlinkFlow { bytes: bytes / 8, expected: expected.into(), arrived: arrived.into(), queue })
                }).collect();
                if let Some(limits) = downlink.coordinate(now, &flows) {
                    prop_assert_eq!(limits.len(), flows.len());
                    prop_assert!(limits.iter().flatten().all(|limit| *limit >= LEAST));
                }
            }
        }
    }
}
