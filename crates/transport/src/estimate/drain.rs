//! Drains a standing queue, and notices when that is in vain.
//!
//! Sending less empties a queue that this flow has filled. A flow such as TCP fills the queue again, and would take the
//! whole path from one that yields. So after a drain that failed, the delay is ignored for a while, and only loss limits
//! the rate, as it limits the other flow. Then a gentle drain tests whether the other flow has ended. Copa (Arun and
//! Balakrishnan 2018, section 2.2) distinguishes the two cases similarly. A flow that has never found its rate, or loses
//! many packets, has filled the queue itself. If this client has several senders, they must send much less together before
//! a drain can be in vain.

use super::loss::PacketCounts;
use super::queue_delay::QueueDelay;
use crate::uplink::UplinkShare;
use std::time::{Duration, Instant};

/// A longer queue is drained by sending less than the path carries.
const DRAIN_ABOVE: Duration = Duration::from_millis(40);
/// Draining ends below this queue delay.
const DRAIN_TO: Duration = Duration::from_millis(20);
/// The share sent while draining falls linearly to 0 at this queue delay in seconds, but not below [`FLOOR`], or in a test
/// [`TEST_FLOOR`].
const SCALE: f64 = 0.5;
const FLOOR: f64 = 0.25;
const TEST_FLOOR: f64 = 0.6;
/// The share sent in a deep drain. It follows a failed drain if this client has several senders: most of what they send may be
/// sound, which they cannot reduce.
const DEEP: f64 = 0.35;
/// A queue that persists for this time plus its own delay is not this flow's, or after [`MAX_TIME_SHRINKING`] if it has
/// shrunk to less than [`SHRUNK`] of its longest delay.
const MAX_TIME: Duration = Duration::from_millis(1500);
const MAX_TIME_SHRINKING: Duration = Duration::from_millis(2500);
const SHRUNK: f64 = 0.7;
/// The delay of a longer route varies less than this while draining. That of a queue that others fill varies more.
const MIN_VARIATION: Duration = Duration::from_millis(15);
/// How long the delay is ignored after the first drain that failed, and at most. It doubles with each further one.
const SHARING_TIME: Duration = Duration::from_secs(3);
const MAX_SHARING_TIME: Duration = Duration::from_secs(24);
/// The flow has found its rate once the path has carried it without a queue for this time.
const MIN_IDLE_TIME: Duration = Duration::from_secs(5);
/// More loss while the delay is ignored shows that this flow sends too much.
const MAX_SHARING_LOSS: f64 = 0.2;
/// Loss measured earlier is that of the time before.
const LOSS_MEASUREMENT: Duration = Duration::from_secs(2);
/// The flow continues with this share of the rate before the drain that failed.
const DECREASE_FACTOR: f64 = 0.5;
/// More loss than usual in a drain that failed, from at least this many packets, shows that the queue overflows: all that
/// fill it send too much. A longer route does not lose more, and TCP loses less.
const OVERFLOW_LOSS: f64 = 0.15;
const MIN_PACKETS: usize = 20;
/// Loss above this is not usual on any path that is good for a call.
const MAX_USUAL_LOSS: f64 = 0.3;
/// If this many drains in succession were lossy whatever was sent, the loss is that of another route.
const MAX_OVERFLOWS: u32 = 4;

/// ```text
///            queue                 in vain, delay varies
///  Idle --------------> Draining ------------------------> Sharing
///   ^ ^                  |  ^ ^                             | |
///   | '-- queue empty, --'  | '--- time is over, a test ----' |
///   |     route is longer   '- in vain, queue overflows       |
///   '-------------------------- queue empty ------------------'
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum State {
    #[default]
    Idle,
    Draining {
        since: Instant,
        /// The rate when it began, in bit/s.
        rate_before: f64,
        /// Shortest and longest delay meanwhile.
        range: (Duration, Duration),
        /// Whether the queue has been shared.
        test: bool,
        /// Whether as little as possible is sent.
        deep: bool,
        /// Packets lost meanwhile, and all packets.
        packets: (usize, usize),
    },
    Sharing {
        since: Instant,
        until: Instant,
    },
}

/// Loss of packets, as a drain needs to know it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DrainLoss {
    /// The share lost recently, 0..1.
    pub(crate) recent: f64,
    /// The share that the path loses at any rate, 0..1.
    pub(crate) usual: f64,
    /// The packets of this report.
    pub(crate) counts: PacketCounts,
}

/// What an update has found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum DrainEvent {
    /// The queue is empty.
    Emptied,
    /// The delay is that of a longer route.
    RouteChanged,
    /// The queue overflows, so the rate is far too high. Another drain has begun.
    Overflows,
    /// Other flows fill the queue. `rate_before` is the rate to continue with, in bit/s.
    QueueIsShared { rate_before: f64 },
}

#[derive(Debug, Default)]
pub(crate) struct Drain {
    state: State,
    /// Consecutive drains that failed.
    failures: u32,
    /// Those among the last ones in which the queue overflowed.
    overflows: u32,
    /// Since when there has been no queue.
    idle_since: Option<Instant>,
    /// Whether the flow has ever found its rate.
    found_rate: bool,
}

impl Drain {
    /// Whether the queue is being drained.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.state, State::Draining { .. })
    }

    /// Whether other flows fill the queue, so that its delay says nothing about this flow.
    pub(crate) fn is_sharing(&self) -> bool {
        matches!(self.state, State::Sharing { .. })
    }

    /// The share of the estimate to send.
    pub(crate) fn share(&self, standing: Duration) -> f64 {
        match self.state {
            State::Idle | State::Sharing { .. } => 1.0,
            State::Draining { deep: true, .. } => DEEP,
            State::Draining { test, deep: false, .. } => {
                (1.0 - standing.as_secs_f64() / SCALE).clamp(if test { TEST_FLOOR } else { FLOOR }, 0.95)
            }
        }
    }

    /// Processes the queue delay of a report. `rate` is the estimate, or the desired bitrate if that is lower, in bit/s.
    /// While other senders of this client drain, a shorter queue suffices to join them.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        queue: &QueueDelay,
        rate: f64,
        loss: DrainLoss,
        others: UplinkShare,
    ) -> Option<DrainEvent> {
        let (standing, latest) = (queue.standing(), queue.latest());
        let has_queue = standing > if others.others_drain { DRAIN_TO } else { DRAIN_ABOVE } + queue.uncertainty();
        let is_empty = standing < DRAIN_TO + queue.uncertainty();
        let idle_since = *self.idle_since.get_or_insert(now);
        self.found_rate |= self.state == State::Idle && now.saturating_duration_since(idle_since) >= MIN_IDLE_TIME;
        let range = (latest, latest);
        let begin = |test| State::Draining { since: now, rate_before: rate, range, test, deep: false, packets: (0, 0) };
        match self.state {
            State::Idle if has_queue => self.state = begin(false),
            State::Draining { .. } | State::Sharing { .. } if is_empty => {
                (self.state, self.failures, self.overflows, self.idle_since) = (State::Idle, 0, 0, Some(now));
                return Some(DrainEvent::Emptied);
            }
            State::Draining { since, rate_before, range: (low, high), test, deep, packets: (lost, all) } => {
                let (low, high) = (low.min(latest), high.max(latest));
                let lost = (lost + loss.counts.lost).saturating_sub(loss.counts.late);
                let all = all + loss.counts.lost + loss.counts.arrived;
                let packets = (lost, all);
                self.state = State::Draining { since, rate_before, range: (low, high), test, deep, packets };
                let max_time = if standing < high.mul_f64(SHRUNK) { MAX_TIME_SHRINKING } else { MAX_TIME };
                if now.saturating_duration_since(since) > max_time + standing {
                    if !others.is_alone() && !deep {
                        let range = (low, high);
                        self.state = State::Draining { since: now, rate_before, range, test, deep: true, packets };
                        return None;
                    }
                    let share = lost as f64 / all.max(1) as f64;
                    let overflows = all >= MIN_PACKETS && share > loss.usual.min(MAX_USUAL_LOSS) + OVERFLOW_LOSS;
                    if overflows && self.overflows < MAX_OVERFLOWS {
                        self.overflows += 1;
                        self.state = begin(test);
                        return Some(DrainEvent::Overflows);
                    }
                    let varies = high - low > MIN_VARIATION + queue.uncertainty();
                    return Some(self.give_up(now, rate_before, varies && self.found_rate));
                }
            }
            State::Sharing { since, until }
                if now >= until
                    || loss.recent > MAX_SHARING_LOSS && now.saturating_duration_since(since) >= LOSS_MEASUREMENT =>
            {
                self.state = begin(true);
            }
            State::Idle | State::Sharing { .. } => {}
        }
        None
    }

    fn give_up(&mut self, now: Instant, rate_before: f64, is_shared: bool) -> DrainEvent {
        if is_shared {
            let time = (SHARING_TIME * 2_u32.pow(self.failures.min(8))).min(MAX_SHARING_TIME);
            self.state = State::Sharing { since: now, until: now + time };
            self.failures += 1;
            DrainEvent::QueueIsShared { rate_before: DECREASE_FACTOR * rate_before }
        } else {
            (self.state, self.idle_since) = (State::Idle, Some(now));
            DrainEvent::RouteChanged
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrival::Arrival;

    fn recent(loss: f64) -> DrainLoss {
        let counts = PacketCounts { lost: 0, arrived: 1, late: 0, bursts: 0 };
        DrainLoss { recent: loss, usual: 0.0, counts }
    }

    /// Reports the delays (in ms) of a time (in ms), every 50 ms. Returns the events with their times.
    fn run(until: u64, delay_at: impl Fn(u64, &Drain) -> u64) -> (Drain, Vec<(u64, DrainEvent)>) {
        run_with_loss(until, 0.0, delay_at)
    }

    fn run_with_loss(until: u64, loss: f64, delay_at: impl Fn(u64, &Drain) -> u64) -> (Drain, Vec<(u64, DrainEvent)>) {
        let start = Instant::now();
        let (mut drain, mut queue, mut events) = (Drain::default(), QueueDelay::new(start), vec![]);
        for at in (0..until).step_by(50) {
            let now = start + Duration::from_millis(at);
            let arrived = (at + delay_at(at, &drain)) as i64 * 1_000;
            queue.add(now, &[Arrival { sent: now, arrived, size: 100, cluster: None }]);
            match drain.update(now, &queue, 1e6, recent(loss), UplinkShare::default()) {
                Some(DrainEvent::QueueIsShared { rate_before }) => {
                    queue.hold_base(true);
                    events.push((at, DrainEvent::QueueIsShared { rate_before }));
                }
                Some(DrainEvent::Overflows) => events.push((at, DrainEvent::Overflows)),
                Some(event @ (DrainEvent::Emptied | DrainEvent::RouteChanged)) => {
                    queue.hold_base(false);
                    if event == DrainEvent::RouteChanged {
                        queue.accept_as_base();
                    }
                    events.push((at, event));
                }
                None => {}
            }
        }
        (drain, events)
    }

    #[test]
    fn a_sender_joins_others_that_drain_only_if_it_has_a_queue_too() {
        for (delay, others_drain, joins) in [(30, true, true), (30, false, false), (10, true, false), (50, false, true)]
        {
            let start = Instant::now();
            let (mut drain, mut queue) = (Drain::default(), QueueDelay::new(start));
            for at in (0..3_000_u64).step_by(50) {
                let delay = if at < 2_000 { 0 } else { delay };
                let now = start + Duration::from_millis(at);
                let arrived = (at + delay) as i64 * 1_000;
                queue.add(now, &[Arrival { sent: now, arrived, size: 100, cluster: None }]);
                drain.update(now, &queue, 1e6, recent(0.0), UplinkShare { others_drain, ..UplinkShare::default() });
            }
            assert_eq!(drain.is_active(), joins, "{delay} {others_drain}");
        }
    }

    /// Reports a queue of 180 ms from the sixth second on, with this loss in percent.
    fn full_queue(lost: usize, others: UplinkShare) -> (Vec<(u64, DrainEvent)>, f64) {
        let start = Instant::now();
        let (mut drain, mut queue) = (Drain::default(), QueueDelay::new(start));
        let (mut events, mut least) = (vec![], 1.0_f64);
        for at in (0..14_000_u64).step_by(50) {
            let (delay, lost) = if at < 6_000 { (0, 0) } else { (180, lost) };
            let now = start + Duration::from_millis(at);
            queue.add(now, &[Arrival { sent: now, arrived: (at + delay) as i64 * 1_000, size: 100, cluster: None }]);
            let counts = PacketCounts { lost, arrived: 100 - lost, late: 0, bursts: lost };
            let event = drain.update(now, &queue, 1e6, DrainLoss { recent: 0.0, usual: 0.0, counts }, others);
            if event == Some(DrainEvent::RouteChanged) {
                queue.accept_as_base();
            }
            events.extend(event.map(|event| (at, event)));
            least = least.min(drain.share(queue.standing()));
        }
        (events, least)
    }

    #[test]
    fn a_full_queue_that_loses_packets_is_no_longer_route_before_several_drains_have_failed() {
        let (events, _) = full_queue(30, UplinkShare::default());
        let overflows = events.iter().take_while(|(_, event)| *event == DrainEvent::Overflows).count();
        assert_eq!(overflows as u32, MAX_OVERFLOWS, "{events:?}");
        let (events, _) = full_queue(5, UplinkShare::default());
        assert!(matches!(events[..], [(7_500..8_500, DrainEvent::RouteChanged)]), "{events:?}");
    }

    #[test]
    fn one_of_several_senders_drains_deeply_before_it_gives_up() {
        let share = UplinkShare { flows: 3, ..UplinkShare::default() };
        let (events, least) = full_queue(0, share);
        assert!(matches!(events[..], [(9_000..10_500, DrainEvent::RouteChanged)]), "{events:?}");
        assert_eq!(least, DEEP);
    }

    #[test]
    fn a_queue_of_this_flow_is_drained() {
        let (drain, events) = run(4_000, |at, _| match at {
            0..1_000 => 0,
            _ => 200_u64.saturating_sub((at - 1_000) / 5),
        });
        assert!(matches!(events[..], [(1_500..2_500, DrainEvent::Emptied)]), "{events:?}");
        assert!(!drain.is_active() && !drain.is_sharing());
    }

    #[test]
    fn a_longer_route_becomes_the_base() {
        let (drain, events) = run(11_000, |at, _| if at < 6_000 { 0 } else { 120 });
        assert!(matches!(events[..], [(7_500..8_500, DrainEvent::RouteChanged)]), "{events:?}");
        assert!(!drain.is_active() && !drain.is_sharing());
    }

    /// The queue is between 100 and 200 ms, whatever this flow does.
    fn filled_by_others(at: u64) -> u64 {
        100 + at / 20 % 100
    }

    #[test]
    fn a_queue_that_others_fill_is_shared_and_tested_less_and_less() {
        let (drain, events) = run(65_000, |at, _| if at < 6_000 { 0 } else { filled_by_others(at) });
        let times: Vec<u64> = events.iter().map(|(at, _)| *at).collect();
        assert!(events.iter().all(|(_, e)| *e == DrainEvent::QueueIsShared { rate_before: 0.5e6 }), "{events:?}");
        assert!((7_500..8_500).contains(&times[0]) && (3..6).contains(&times.len()), "{times:?}");
        assert!(times.windows(3).all(|t| t[2] - t[1] > t[1] - t[0]), "{times:?}");
        assert!(drain.share(Duration::from_millis(500)) >= TEST_FLOOR);
    }

    #[test]
    fn the_delay_counts_after_the_others_have_ended() {
        let (drain, events) = run(25_000, |at, _| match at {
            0..6_000 | 15_000.. => 0,
            _ => filled_by_others(at),
        });
        assert!(matches!(events.last(), Some((15_000..16_000, DrainEvent::Emptied))), "{events:?}");
        assert!(!drain.is_sharing());
    }

    /// A flow that filled the queue itself and took it for that of others finds out at the first test.
    #[test]
    fn a_mistake_is_corrected_by_the_first_test() {
        let (_, events) = run(17_000, |at, drain| match (at, drain.is_active(), drain.is_sharing()) {
            (0..6_000, _, _) => 0,
            (..9_000, _, _) | (_, _, true) => filled_by_others(at),
            (_, true, _) => 10,
            (_, false, false) => 0,
        });
        let shared = events.iter().filter(|(_, e)| matches!(e, DrainEvent::QueueIsShared { .. })).count();
        assert_eq!(shared, 1, "{events:?}");
        assert!(matches!(events.last(), Some((..13_000, DrainEvent::Emptied))), "{events:?}");
    }

    #[test]
    fn a_flow_that_has_not_found_its_rate_shares_no_queue() {
        let (_, events) = run(6_000, |at, _| if at < 1_000 { 0 } else { filled_by_others(at) });
        assert!(!events.is_empty());
        assert!(events.iter().all(|(_, event)| *event == DrainEvent::RouteChanged), "{events:?}");
    }

    #[test]
    fn loss_ends_the_sharing_early() {
        let others = |at, _: &Drain| if at < 6_000 { 0 } else { filled_by_others(at) };
        let (_, quiet) = run_with_loss(30_000, 0.02, others);
        let (_, lossy) = run_with_loss(30_000, 0.3, others);
        assert!(lossy.len() > quiet.len(), "{lossy:?} {quiet:?}");
    }
}
