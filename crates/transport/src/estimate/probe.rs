//! Probes: short bursts above the estimate that show what the path could carry. Rules as in libwebrtc's
//! `ProbeController` and `ProbeBitrateEstimator`, simpler, and without its long pauses.

use crate::arrival::{Arrival, ClusterId, RemoteMicros};
use std::time::{Duration, Instant};

/// Burst of a probe.
const BURST: Duration = Duration::from_millis(20);
/// Fewer packets say nothing about a rate.
const LEAST_PACKETS: usize = 5;
/// Feedback on a cluster is waited for this long.
const PATIENCE: Duration = Duration::from_secs(1);
/// First probe, as multiple of the start rate.
const FIRST: f64 = 3.0;
/// Later ones, as multiple of the estimate.
const NEXT: f64 = 2.0;
/// Probed at most, as multiple of what the encoders want: headroom lets a keyframe leave quickly.
const BEYOND_WANTED: f64 = 2.0;
/// Nothing is probed once the estimate is this multiple of what is wanted.
const ENOUGH: f64 = 1.3;
/// Between probes that found nothing: first, and after a few.
const SHORT_WAIT: Duration = Duration::from_millis(1500);
const LONG_WAIT: Duration = Duration::from_secs(8);
/// For so long after a drop the waits stay short: what fell suddenly often rises suddenly.
const AFTER_DROP: Duration = Duration::from_secs(30);
const SHORT_WAIT_AFTER_DROP: Duration = Duration::from_secs(2);
/// Time until the next look at the bursts, while they show no spare capacity.
const LOOK: Duration = Duration::from_millis(200);

/// A burst to send.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cluster {
    pub(crate) id: ClusterId,
    /// bit/s
    pub(crate) rate: f64,
    pub(crate) packets: usize,
    pub(crate) bytes: usize,
}

/// What a burst showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Finding {
    /// bit/s that got through.
    pub(crate) rate: f64,
    /// More than that does not: the burst was stretched on the way.
    pub(crate) saturated: bool,
}

/// The surroundings of a decision to probe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions {
    pub(crate) estimate: f64,
    pub(crate) wanted: f64,
    /// No queue stands and none grows.
    pub(crate) clear: bool,
    /// Whether media bursts show spare capacity; `None` while they show nothing.
    pub(crate) spare: Option<bool>,
    pub(crate) dropped: Option<Instant>,
}

/// ```text
/// Idle --due, clear--> Sending --last packet left--> Waiting --feedback or 1 s--> Idle
/// ```
#[derive(Debug)]
enum State {
    Idle,
    Sending(Tally),
    Waiting(Tally),
}

#[derive(Debug)]
pub(crate) struct Prober {
    state: State,
    next_id: ClusterId,
    /// When the next probe may start; `None` before the path is open.
    due: Option<Instant>,
    first: bool,
    /// Probes in a row that found nothing more.
    vain: u32,
    /// When the last probe found nothing more.
    failed: Option<Instant>,
    /// The rate to go on with after a success.
    further: Option<f64>,
}

impl Prober {
    pub(crate) fn new() -> Self {
        Prober { state: State::Idle, next_id: 1, due: None, first: true, vain: 0, failed: None, further: None }
    }

    /// The path is open.
    pub(crate) fn start(&mut self, now: Instant) {
        self.due = Some(now);
    }

    /// Conditions changed for the better: do not wait out a long pause.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.vain = 0;
        if let Some(due) = &mut self.due {
            *due = (*due).min(now + SHORT_WAIT / 3);
        }
    }

    /// When [`Prober::decide`] should be asked next.
    pub(crate) fn due(&self) -> Option<Instant> {
        match &self.state {
            State::Idle => self.due,
            State::Sending(_) => None,
            State::Waiting(tally) => Some(tally.began + PATIENCE),
        }
    }

    /// The cluster to send now, if any.
    pub(crate) fn decide(&mut self, now: Instant, conditions: Conditions) -> Option<Cluster> {
        if let State::Waiting(tally) = &self.state
            && now >= tally.began + PATIENCE
        {
            self.state = State::Idle;
            self.wait(now, conditions.dropped, false);
        }
        let State::Idle = self.state else { return None };
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        let Conditions { estimate, wanted, clear, .. } = conditions;
        if estimate >= ENOUGH * wanted || !clear {
            self.further = None;
            self.due = Some(now + SHORT_WAIT / 3);
            return None;
        }
        let lately = self.failed.is_some_and(|at| now.saturating_duration_since(at) < LONG_WAIT);
        if conditions.spare == Some(false) && lately {
            self.further = None;
            self.due = Some(now + LOOK);
            return None;
        }
        let multiple = if self.first { FIRST } else { NEXT };
        let rate = self.further.take().unwrap_or(0.0).max(multiple * estimate).min(BEYOND_WANTED * wanted);
        if rate <= 1.05 * estimate {
            self.due = Some(now + SHORT_WAIT);
            return None;
        }
        Some(self.begin(now, rate))
    }

    /// The burst of the cluster left (or what of it could), in so many packets.
    pub(crate) fn sent(&mut self, id: ClusterId, packets: usize) {
        self.state = match std::mem::replace(&mut self.state, State::Idle) {
            State::Sending(mut tally) if tally.id == id => {
                tally.sent = Some(packets);
                State::Waiting(tally)
            }
            other @ (State::Idle | State::Sending(_) | State::Waiting(_)) => other,
        };
    }

    /// Takes a report; gives what the cluster showed once all of it is reported.
    pub(crate) fn report(
        &mut self,
        now: Instant,
        arrivals: &[Arrival],
        lost: &[ClusterId],
        dropped: Option<Instant>,
    ) -> Option<Finding> {
        let (State::Sending(tally) | State::Waiting(tally)) = &mut self.state else { return None };
        let id = tally.id;
        for arrival in arrivals.iter().filter(|a| a.cluster == Some(id)) {
            tally.add(arrival);
        }
        tally.lost += lost.iter().filter(|of| **of == id).count();
        if tally.sent.is_none_or(|sent| tally.arrived + tally.lost < sent) {
            return None;
        }
        let finding = tally.finding();
        let goal = tally.rate;
        self.state = State::Idle;
        let success = finding.is_some_and(|f| !f.saturated && f.rate > 0.7 * goal);
        if success {
            self.further = finding.map(|f| NEXT * f.rate);
        }
        self.wait(now, dropped, success);
        finding
    }

    fn begin(&mut self, now: Instant, rate: f64) -> Cluster {
        let id = self.next_id;
        self.next_id += 1;
        self.first = false;
        self.state = State::Sending(Tally::new(id, rate, now));
        let bytes = (rate * BURST.as_secs_f64() / 8.0) as usize;
        Cluster { id, rate, packets: LEAST_PACKETS, bytes }
    }

    fn wait(&mut self, now: Instant, dropped: Option<Instant>, success: bool) {
        if success {
            (self.vain, self.failed) = (0, None);
            self.due = Some(now);
            return;
        }
        self.vain += 1;
        self.failed = Some(now);
        let lately = dropped.is_some_and(|at| now.saturating_duration_since(at) < AFTER_DROP);
        let wait = if lately { SHORT_WAIT_AFTER_DROP } else { LONG_WAIT.min(SHORT_WAIT * self.vain) };
        self.due = Some(now + wait);
    }
}

/// What is known of a cluster.
#[derive(Debug)]
struct Tally {
    id: ClusterId,
    rate: f64,
    began: Instant,
    /// Packets of it, once all have left.
    sent: Option<usize>,
    arrived: usize,
    lost: usize,
    bytes: usize,
    first_sent: Option<(Instant, usize)>,
    last_sent: Option<(Instant, usize)>,
    first_arrived: Option<(RemoteMicros, usize)>,
    last_arrived: RemoteMicros,
}

impl Tally {
    fn new(id: ClusterId, rate: f64, began: Instant) -> Self {
        Tally {
            id,
            rate,
            began,
            sent: None,
            arrived: 0,
            lost: 0,
            bytes: 0,
            first_sent: None,
            last_sent: None,
            first_arrived: None,
            last_arrived: RemoteMicros::MIN,
        }
    }

    fn add(&mut self, arrival: &Arrival) {
        self.arrived += 1;
        self.bytes += arrival.size;
        if self.first_sent.is_none_or(|(at, _)| arrival.sent < at) {
            self.first_sent = Some((arrival.sent, arrival.size));
        }
        if self.last_sent.is_none_or(|(at, _)| arrival.sent >= at) {
            self.last_sent = Some((arrival.sent, arrival.size));
        }
        if self.first_arrived.is_none_or(|(at, _)| arrival.arrived < at) {
            self.first_arrived = Some((arrival.arrived, arrival.size));
        }
        self.last_arrived = self.last_arrived.max(arrival.arrived);
    }

    /// The burst's rate at both ends; the lesser one got through.
    fn finding(&self) -> Option<Finding> {
        let (first_sent, _) = self.first_sent?;
        let (last_sent, last_size) = self.last_sent?;
        let (first_arrived, first_size) = self.first_arrived?;
        if self.arrived < LEAST_PACKETS - 1 {
            return None;
        }
        let sending = last_sent.saturating_duration_since(first_sent).as_secs_f64();
        let arriving = (self.last_arrived - first_arrived) as f64 / 1e6;
        if sending <= 0.0 || arriving <= 0.0 || sending.max(arriving) > PATIENCE.as_secs_f64() {
            return None;
        }
        let sent = (self.bytes - last_size) as f64 * 8.0 / sending;
        let through = (self.bytes - first_size) as f64 * 8.0 / arriving;
        if through > 2.0 * sent {
            // Held back and let go at once on the way: the burst measured something else.
            return None;
        }
        if through < 0.9 * sent {
            return Some(Finding { rate: 0.95 * through, saturated: true });
        }
        Some(Finding { rate: sent.min(through), saturated: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONDITIONS: Conditions = Conditions { estimate: 1e6, wanted: 5e6, clear: true, spare: None, dropped: None };

    fn burst(cluster: &Cluster, now: Instant, capacity: f64) -> Vec<Arrival> {
        let (mut sent, mut free) = (now, 0.0_f64);
        let arrive = |i: usize| {
            let at = (sent - now).as_secs_f64();
            free = free.max(at) + 8000.0 / capacity;
            let arrival = Arrival { sent, arrived: (free * 1e6) as i64, size: 1000, cluster: Some(cluster.id) };
            sent = now + Duration::from_secs_f64(8000.0 * (i + 1) as f64 / cluster.rate);
            arrival
        };
        (0..cluster.packets.max(cluster.bytes.div_ceil(1000))).map(arrive).collect()
    }

    fn probe(prober: &mut Prober, now: Instant, conditions: Conditions, capacity: f64) -> Option<Finding> {
        let cluster = prober.decide(now, conditions)?;
        let arrivals = burst(&cluster, now, capacity);
        prober.sent(cluster.id, arrivals.len());
        prober.report(now + Duration::from_millis(100), &arrivals, &[], None)
    }

    #[test]
    fn a_clear_path_is_found_in_two_bursts() {
        let now = Instant::now();
        let mut prober = Prober::new();
        prober.start(now);
        let first = probe(&mut prober, now, CONDITIONS, 20e6).unwrap();
        assert!((first.rate - 3e6).abs() < 0.1e6 && !first.saturated, "{first:?}");
        let now = now + Duration::from_millis(100);
        let second = probe(&mut prober, now, Conditions { estimate: first.rate, ..CONDITIONS }, 20e6).unwrap();
        assert!((second.rate - 6e6).abs() < 0.2e6, "{second:?}");
    }

    #[test]
    fn a_narrow_path_is_measured_and_left_in_peace() {
        let now = Instant::now();
        let mut prober = Prober::new();
        prober.start(now);
        let finding = probe(&mut prober, now, CONDITIONS, 1.2e6).unwrap();
        assert!(finding.saturated && (finding.rate - 1.14e6).abs() < 0.05e6, "{finding:?}");
        assert_eq!(prober.decide(now + Duration::from_millis(500), CONDITIONS), None);
        assert!(prober.decide(now + Duration::from_secs(2), CONDITIONS).is_some());
    }

    #[test]
    fn nothing_is_probed_before_start_nor_beyond_what_is_wanted_nor_into_a_queue() {
        let now = Instant::now();
        let mut prober = Prober::new();
        assert_eq!(prober.decide(now, CONDITIONS), None);
        prober.start(now);
        assert_eq!(prober.decide(now, Conditions { wanted: 0.5e6, ..CONDITIONS }), None);
        let now = now + Duration::from_secs(1);
        assert_eq!(prober.decide(now, Conditions { clear: false, ..CONDITIONS }), None);
        let now = now + Duration::from_secs(1);
        assert_eq!(prober.decide(now, Conditions { wanted: 1.2e6, ..CONDITIONS }).unwrap().rate, 2.4e6);
    }

    #[test]
    fn a_cluster_without_feedback_is_given_up() {
        let now = Instant::now();
        let mut prober = Prober::new();
        prober.start(now);
        let cluster = prober.decide(now, CONDITIONS).unwrap();
        prober.sent(cluster.id, 7);
        assert_eq!(prober.due(), Some(now + PATIENCE));
        assert_eq!(prober.decide(now + PATIENCE, CONDITIONS), None);
        assert!(prober.decide(now + PATIENCE + SHORT_WAIT, CONDITIONS).is_some());
    }
}
