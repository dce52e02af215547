//! Probes: short bursts above the estimate that measure spare capacity. The rules follow libwebrtc's `ProbeController`
//! and `ProbeBitrateEstimator`, simplified and with shorter intervals.

use crate::arrival::{Arrival, ClusterId, RemoteMicros};
use std::time::{Duration, Instant};

/// Duration of a probe.
const PROBE_DURATION: Duration = Duration::from_millis(20);
/// Fewer packets do not measure a rate.
const MIN_PACKETS: usize = 5;
/// The first probe is short, because the first keyframe may fill a narrow path for a quarter of a second. It ends as soon as
/// this many packets have arrived over this time and show that the path is narrow.
const EARLY_PACKETS: usize = 4;
const EARLY_DURATION: Duration = Duration::from_millis(40);
/// How long feedback about a cluster may take.
const FEEDBACK_TIMEOUT: Duration = Duration::from_secs(1);
/// Rate of the first probe, as a multiple of the start bitrate.
const FIRST_FACTOR: f64 = 3.0;
/// Rate of later probes, as a multiple of the estimate.
const NEXT_FACTOR: f64 = 2.0;
/// Highest probe rate, as a multiple of the desired bitrate. The headroom lets keyframes be sent quickly.
const MAX_OVER_DESIRED: f64 = 2.0;
/// There are no probes while the estimate is at least this multiple of the desired bitrate.
const SUFFICIENT_OVER_DESIRED: f64 = 1.3;
/// Shortest and longest interval between unsuccessful probes. It grows with each one.
const MIN_INTERVAL: Duration = Duration::from_millis(1500);
const MAX_INTERVAL: Duration = Duration::from_secs(8);
/// Longest interval where several senders probe the same uplink in turn. Their paths may be narrow elsewhere, so each has to
/// notice itself that its path has become wide.
const MAX_SHARED_INTERVAL: Duration = Duration::from_secs(10);
/// The interval stays short for this time after a decrease, because capacity often returns as suddenly as it dropped.
const AFTER_DECREASE: Duration = Duration::from_secs(30);
const INTERVAL_AFTER_DECREASE: Duration = Duration::from_secs(2);
/// Interval between checks of the media bursts while they show no spare capacity.
const BURST_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// A probe to send: a group of packets at a given rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ProbeCluster {
    pub(crate) id: ClusterId,
    /// Send rate in bit/s.
    pub(crate) rate: f64,
    /// Fewest packets.
    pub(crate) packets: usize,
    /// Fewest bytes.
    pub(crate) bytes: usize,
}

/// The result of a probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ProbeResult {
    /// Delivered rate in bit/s.
    pub(crate) rate: f64,
    /// Whether the path limited the rate: the packets arrived more slowly than they were sent.
    pub(crate) saturated: bool,
}

/// The conditions under which a probe is considered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProbeConditions {
    /// bit/s
    pub(crate) estimate: f64,
    /// Desired bitrate in bit/s.
    pub(crate) desired: f64,
    /// No queue stands or grows.
    pub(crate) queue_clear: bool,
    /// Whether it is this sender's turn.
    pub(crate) may_probe: bool,
    /// Whether media bursts show spare capacity. `None` while they are inconclusive.
    pub(crate) spare_capacity: Option<bool>,
    /// When the estimate last decreased.
    pub(crate) last_decrease: Option<Instant>,
}

/// ```text
/// Idle --due, no queue--> Sending --last packet sent--> AwaitingFeedback --feedback or timeout--> Idle
/// ```
#[derive(Debug)]
enum State {
    Idle,
    Sending(ClusterFeedback),
    AwaitingFeedback(ClusterFeedback),
}

#[derive(Debug)]
pub(crate) struct ProbeController {
    state: State,
    next_id: ClusterId,
    /// When the next probe may start. `None` before the path is connected.
    next_probe_at: Option<Instant>,
    first: bool,
    /// Number of consecutive unsuccessful probes.
    failures: u32,
    /// When the last unsuccessful probe ended, if no probe has succeeded since.
    last_failure: Option<Instant>,
    /// Rate of the next probe after a successful one, in bit/s.
    next_rate: Option<f64>,
    /// Number of senders that probe the uplink in turn.
    flows: u32,
}

impl ProbeController {
    pub(crate) fn new() -> Self {
        ProbeController {
            state: State::Idle,
            next_id: 1,
            next_probe_at: None,
            first: true,
            failures: 0,
            last_failure: None,
            next_rate: None,
            flows: 1,
        }
    }

    /// The path is connected, so probes may start.
    pub(crate) fn start(&mut self, now: Instant) {
        self.next_probe_at = Some(now);
    }

    /// Sets the number of senders that probe the uplink in turn.
    pub(crate) fn set_flows(&mut self, flows: u32) {
        self.flows = flows.max(1);
    }

    /// Whether a probe is being sent, or its result is awaited.
    pub(crate) fn is_probing(&self) -> bool {
        matches!(self.state, State::Sending(_) | State::AwaitingFeedback(_))
    }

    /// Shortens the current interval, because conditions have improved.
    pub(crate) fn probe_soon(&mut self, now: Instant) {
        self.failures = 0;
        if let Some(next_probe_at) = &mut self.next_probe_at {
            *next_probe_at = (*next_probe_at).min(now + MIN_INTERVAL / 3);
        }
    }

    /// When to call [`ProbeController::next_cluster`] next.
    pub(crate) fn next_probe_at(&self) -> Option<Instant> {
        match &self.state {
            State::Idle => self.next_probe_at,
            State::Sending(_) => None,
            State::AwaitingFeedback(feedback) => Some(feedback.started + FEEDBACK_TIMEOUT),
        }
    }

    /// The cluster to send now, if any.
    pub(crate) fn next_cluster(&mut self, now: Instant, conditions: ProbeConditions) -> Option<ProbeCluster> {
        if let State::AwaitingFeedback(feedback) = &self.state
            && now >= feedback.started + FEEDBACK_TIMEOUT
        {
            self.state = State::Idle;
            self.schedule_next(now, conditions.last_decrease, false);
        }
        let State::Idle = self.state else { return None };
        if !conditions.may_probe || self.next_probe_at.is_none_or(|next_probe_at| now < next_probe_at) {
            return None;
        }
        let ProbeConditions { estimate, desired, queue_clear, .. } = conditions;
        if estimate >= SUFFICIENT_OVER_DESIRED * desired || !queue_clear {
            self.next_rate = None;
            self.next_probe_at = Some(now + MIN_INTERVAL / 3);
            return None;
        }
        let recently = self.last_failure.is_some_and(|at| now.saturating_duration_since(at) < MAX_INTERVAL);
        if conditions.spare_capacity == Some(false) && recently {
            self.next_rate = None;
            self.next_probe_at = Some(now + BURST_CHECK_INTERVAL);
            return None;
        }
        let factor = if self.first { FIRST_FACTOR } else { NEXT_FACTOR };
        let rate = self.next_rate.take().unwrap_or(0.0).max(factor * estimate).min(MAX_OVER_DESIRED * desired);
        if rate <= 1.05 * estimate {
            self.next_probe_at = Some(now + MIN_INTERVAL);
            return None;
        }
        Some(self.start_cluster(now, rate))
    }

    /// Reports that the cluster, or the available part of it, has been sent as this many packets.
    pub(crate) fn on_sent(&mut self, id: ClusterId, packets: usize) {
        self.state = match std::mem::replace(&mut self.state, State::Idle) {
            State::Sending(mut feedback) if feedback.id == id => {
                feedback.sent = Some(packets);
                State::AwaitingFeedback(feedback)
            }
            other @ (State::Idle | State::Sending(_) | State::AwaitingFeedback(_)) => other,
        };
    }

    /// Processes a feedback message. Returns the result of the cluster once all its packets are reported.
    pub(crate) fn on_feedback(
        &mut self,
        now: Instant,
        arrivals: &[Arrival],
        lost: &[ClusterId],
        last_decrease: Option<Instant>,
    ) -> Option<ProbeResult> {
        let (State::Sending(feedback) | State::AwaitingFeedback(feedback)) = &mut self.state else { return None };
        let id = feedback.id;
        for arrival in arrivals.iter().filter(|a| a.cluster == Some(id)) {
            feedback.add(arrival);
        }
        feedback.lost += lost.iter().filter(|of| **of == id).count();
        let complete = feedback.sent.is_some_and(|sent| feedback.arrived + feedback.lost >= sent);
        if !complete && !feedback.is_conclusive() {
            return None;
        }
        let result = feedback.result();
        let target_rate = feedback.rate;
        self.state = State::Idle;
        let success = result.is_some_and(|f| !f.saturated && f.rate > 0.7 * target_rate);
        if success {
            self.next_rate = result.map(|f| NEXT_FACTOR * f.rate);
        }
        self.schedule_next(now, last_decrease, success);
        result
    }

    fn start_cluster(&mut self, now: Instant, rate: f64) -> ProbeCluster {
        let id = self.next_id;
        self.next_id += 1;
        let first = std::mem::take(&mut self.first);
        self.state = State::Sending(ClusterFeedback { first, ..ClusterFeedback::new(id, rate, now) });
        let bytes = if first { 0 } else { (rate * PROBE_DURATION.as_secs_f64() / 8.0) as usize };
        ProbeCluster { id, rate, packets: MIN_PACKETS, bytes }
    }

    fn schedule_next(&mut self, now: Instant, last_decrease: Option<Instant>, success: bool) {
        if success {
            (self.failures, self.last_failure) = (0, None);
            self.next_probe_at = Some(now);
            return;
        }
        self.failures += 1;
        self.last_failure = Some(now);
        let recently = last_decrease.is_some_and(|at| now.saturating_duration_since(at) < AFTER_DECREASE);
        let interval = if recently { INTERVAL_AFTER_DECREASE } else { MAX_INTERVAL.min(MIN_INTERVAL * self.failures) };
        self.next_probe_at = Some(now + (interval * self.flows).min(MAX_SHARED_INTERVAL.max(interval)));
    }
}

/// The feedback about a cluster so far.
#[derive(Debug)]
struct ClusterFeedback {
    id: ClusterId,
    rate: f64,
    /// Whether it is the first cluster of the path.
    first: bool,
    started: Instant,
    /// Number of packets, once all are sent.
    sent: Option<usize>,
    arrived: usize,
    lost: usize,
    bytes: usize,
    first_sent: Option<(Instant, usize)>,
    last_sent: Option<(Instant, usize)>,
    first_arrived: Option<(RemoteMicros, usize)>,
    last_arrived: RemoteMicros,
}

impl ClusterFeedback {
    fn new(id: ClusterId, rate: f64, started: Instant) -> Self {
        ClusterFeedback {
            id,
            rate,
            first: false,
            started,
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

    /// Whether the arrivals of the first cluster already show a narrow path.
    fn is_conclusive(&self) -> bool {
        let since = self.first_arrived.map_or(0, |(at, _)| self.last_arrived.saturating_sub(at));
        self.first && self.arrived >= EARLY_PACKETS && since >= EARLY_DURATION.as_micros() as i64
    }

    /// Compares send rate and receive rate. The lower one is the delivered rate.
    fn result(&self) -> Option<ProbeResult> {
        let (first_sent, _) = self.first_sent?;
        let (last_sent, last_size) = self.last_sent?;
        let (first_arrived, first_size) = self.first_arrived?;
        if self.arrived < MIN_PACKETS - 1 {
            return None;
        }
        let send_seconds = last_sent.saturating_duration_since(first_sent).as_secs_f64();
        let receive_seconds = (self.last_arrived - first_arrived) as f64 / 1e6;
        if send_seconds <= 0.0
            || receive_seconds <= 0.0
            || send_seconds.max(receive_seconds) > FEEDBACK_TIMEOUT.as_secs_f64()
        {
            return None;
        }
        let send_rate = (self.bytes - last_size) as f64 * 8.0 / send_seconds;
        let receive_rate = (self.bytes - first_size) as f64 * 8.0 / receive_seconds;
        if receive_rate > 2.0 * send_rate {
            // The path held the packets and released them together, so their spacing does not show its rate.
            return None;
        }
        if receive_rate < 0.9 * send_rate {
            return Some(ProbeResult { rate: 0.95 * receive_rate, saturated: true });
        }
        Some(ProbeResult { rate: send_rate.min(receive_rate), saturated: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONDITIONS: ProbeConditions = ProbeConditions {
        estimate: 1e6,
        desired: 5e6,
        queue_clear: true,
        may_probe: true,
        spare_capacity: None,
        last_decrease: None,
    };

    fn burst(cluster: &ProbeCluster, now: Instant, capacity: f64) -> Vec<Arrival> {
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

    fn probe(
        controller: &mut ProbeController,
        now: Instant,
        conditions: ProbeConditions,
        capacity: f64,
    ) -> Option<ProbeResult> {
        let cluster = controller.next_cluster(now, conditions)?;
        let arrivals = burst(&cluster, now, capacity);
        controller.on_sent(cluster.id, arrivals.len());
        controller.on_feedback(now + Duration::from_millis(100), &arrivals, &[], None)
    }

    #[test]
    fn an_empty_path_is_found_in_two_probes() {
        let now = Instant::now();
        let mut controller = ProbeController::new();
        controller.start(now);
        let first = probe(&mut controller, now, CONDITIONS, 20e6).unwrap();
        assert!((first.rate - 3e6).abs() < 0.1e6 && !first.saturated, "{first:?}");
        let now = now + Duration::from_millis(100);
        let second = probe(&mut controller, now, ProbeConditions { estimate: first.rate, ..CONDITIONS }, 20e6).unwrap();
        assert!((second.rate - 6e6).abs() < 0.2e6, "{second:?}");
    }

    #[test]
    fn a_saturated_probe_measures_the_path_and_delays_the_next() {
        let now = Instant::now();
        let mut controller = ProbeController::new();
        controller.start(now);
        let result = probe(&mut controller, now, CONDITIONS, 1.2e6).unwrap();
        assert!(result.saturated && (result.rate - 1.14e6).abs() < 0.05e6, "{result:?}");
        assert_eq!(controller.next_cluster(now + Duration::from_millis(500), CONDITIONS), None);
        assert!(controller.next_cluster(now + Duration::from_secs(2), CONDITIONS).is_some());
    }

    #[test]
    fn there_is_no_probe_before_start_above_the_desired_rate_or_into_a_queue() {
        let now = Instant::now();
        let mut controller = ProbeController::new();
        assert_eq!(controller.next_cluster(now, CONDITIONS), None);
        controller.start(now);
        assert_eq!(controller.next_cluster(now, ProbeConditions { desired: 0.5e6, ..CONDITIONS }), None);
        let now = now + Duration::from_secs(1);
        assert_eq!(controller.next_cluster(now, ProbeConditions { queue_clear: false, ..CONDITIONS }), None);
        let now = now + Duration::from_secs(1);
        assert_eq!(controller.next_cluster(now, ProbeConditions { desired: 1.2e6, ..CONDITIONS }).unwrap().rate, 2.4e6);
    }

    #[test]
    fn a_cluster_without_feedback_times_out() {
        let now = Instant::now();
        let mut controller = ProbeController::new();
        controller.start(now);
        let cluster = controller.next_cluster(now, CONDITIONS).unwrap();
        controller.on_sent(cluster.id, 7);
        assert_eq!(controller.next_probe_at(), Some(now + FEEDBACK_TIMEOUT));
        assert_eq!(controller.next_cluster(now + FEEDBACK_TIMEOUT, CONDITIONS), None);
        assert!(controller.next_cluster(now + FEEDBACK_TIMEOUT + MIN_INTERVAL, CONDITIONS).is_some());
    }
}
