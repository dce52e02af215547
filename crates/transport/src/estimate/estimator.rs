//! [`Estimator`] combines the delay-based estimate, the loss bound and probes into one rate.

use super::BandwidthUsage;
use super::acked_bitrate::AckedBitrate;
use super::bursts::Bursts;
use super::drain::{Drain, DrainEvent, DrainLoss};
use super::inter_arrival::InterArrival;
use super::loss::{LossBound, PacketCounts};
use super::probe::{ProbeCluster, ProbeConditions, ProbeController};
use super::queue_delay::QueueDelay;
use super::rate::{AimdRateControl, Observation};
use super::trendline::TrendlineEstimator;
use crate::arrival::{ClusterId, FeedbackReport};
use crate::uplink::UplinkShare;
use std::time::{Duration, Instant};

/// With a shorter queue, overuse is attributed to jitter and ignored.
const MIN_OVERUSE_QUEUE: Duration = Duration::from_millis(15);
/// The estimate does not grow beyond this multiple of the desired bitrate.
const MAX_OVER_DESIRED: f64 = 2.0;
/// The same while others fill the queue, which overflows with faster bursts.
const MAX_OVER_DESIRED_SHARING: f64 = 1.1;
/// While draining, growth by more than this between two reports is overuse, regardless of the trend.
const QUEUE_JUMP: Duration = Duration::from_millis(15);
/// With more jitter, throughput over a short window is unreliable.
const HIGH_JITTER: Duration = Duration::from_millis(20);
/// There are no probes while the queue is longer.
const MAX_PROBE_QUEUE: Duration = Duration::from_millis(25);
/// The path counts as interrupted if packets remain without feedback for this long.
const FEEDBACK_TIMEOUT: Duration = Duration::from_millis(1000);
/// A gap of this length between arrivals is also an interruption, because a full queue keeps delivering.
const ARRIVAL_GAP: Duration = Duration::from_millis(200);
/// A queue of this length has filled recently: earlier arrivals may show a rate that the path no longer has.
const LONG_QUEUE: Duration = Duration::from_millis(100);
/// If video waited, the throughput is the capacity of the path only if packets arrived slower than sent by this factor.
const MIN_STRETCH: f64 = 1.3;
/// The estimate becomes this share of what was delivered while the queue overflowed.
const OVERFLOW_FACTOR: f64 = 0.8;
/// While it drains, a sender also makes up for at least this share of what the senders without video send.
const LEAST_FOR_OTHERS: f64 = 0.15;
/// Share of the estimate that is sent during an interruption.
const INTERRUPTED_SHARE: f64 = 0.5;
/// Window of the throughput: short during overuse, when a full path delivers at a steady rate, and longer otherwise.
const SHORTEST_WINDOW: Duration = Duration::from_millis(100);
const SHORT_WINDOW: Duration = Duration::from_millis(200);
const LONG_WINDOW: Duration = Duration::from_millis(500);
const LONGEST_WINDOW: Duration = Duration::from_millis(1000);

/// Start value and bounds of the estimate, in bit/s.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EstimatorConfig {
    pub(crate) start: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// What was sent recently.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    /// The send rate in bit/s.
    pub(crate) rate: f64,
    /// Whether video waited because feedback was late. Then a low throughput does not show a narrow path.
    pub(crate) suspended: bool,
}

/// The queue delay at two successive reports.
#[derive(Debug, Clone, Copy)]
struct QueueChange {
    before: Duration,
    now: Duration,
}

#[derive(Debug)]
pub(crate) struct Estimator {
    config: EstimatorConfig,
    desired: f64,
    inter_arrival: InterArrival,
    bursts: Bursts,
    trendline: TrendlineEstimator,
    queue: QueueDelay,
    acked_bitrate: AckedBitrate,
    loss: LossBound,
    rate: AimdRateControl,
    probe_controller: ProbeController,
    drain: Drain,
    interrupted: bool,
    measured: bool,
    /// Whether reception reports have changed the start value.
    reported: bool,
    share: UplinkShare,
}

impl Estimator {
    pub(crate) fn new(config: EstimatorConfig, now: Instant) -> Self {
        Estimator {
            desired: config.max,
            inter_arrival: InterArrival::default(),
            bursts: Bursts::default(),
            trendline: TrendlineEstimator::new(),
            queue: QueueDelay::new(now),
            acked_bitrate: AckedBitrate::default(),
            loss: LossBound::new(now),
            rate: AimdRateControl::new(config.start, now),
            probe_controller: ProbeController::new(),
            drain: Drain::default(),
            interrupted: false,
            measured: false,
            reported: false,
            share: UplinkShare::default(),
            config,
        }
    }

    /// The path is connected, so probes may start.
    pub(crate) fn start(&mut self, now: Instant) {
        self.probe_controller.start(now);
    }

    /// The path is lost. Its silence says nothing about the next path.
    pub(crate) fn abandon(&mut self) {
        self.interrupted = false;
        // Whoever shared the queue of the old path need not share that of the next.
        self.drain = Drain::default();
        self.queue.hold_base(false);
    }

    /// Sets the bitrate that all encoders together could use, in bit/s.
    pub(crate) fn set_desired_bitrate(&mut self, now: Instant, desired: f64) {
        if desired > self.desired && desired > self.rate.estimate() {
            self.probe_controller.probe_soon(now);
        }
        self.desired = desired;
    }

    /// Takes account of the other senders on the uplink.
    pub(crate) fn set_share(&mut self, now: Instant, share: UplinkShare) {
        if !self.measured && !self.reported && share.flows != self.share.flows {
            self.rate.reset(now, self.config.start / f64::from(share.flows));
        }
        match share.restart_at.map(|rate| rate as f64) {
            Some(rate) if rate > self.rate.estimate() => self.rate.raise_to(rate),
            Some(rate) => self.rate.reset(now, rate),
            None => {}
        }
        self.share = share;
        self.probe_controller.set_flows(share.flows);
    }

    /// Whether a queue is being drained.
    pub(crate) fn is_draining(&self) -> bool {
        self.drain.is_active()
    }

    /// Whether the result of a probe is awaited.
    pub(crate) fn is_probing(&self) -> bool {
        self.probe_controller.is_probing()
    }

    /// The estimated bandwidth of the path, in bit/s.
    pub(crate) fn estimate(&self) -> f64 {
        self.loss
            .bound()
            .map_or(self.rate.estimate(), |bound| bound.min(self.rate.estimate()))
            .clamp(self.config.min, self.config.max)
    }

    /// The rate to send at, in bit/s. It is below the estimate while a queue is drained and during an interruption.
    pub(crate) fn target(&self) -> f64 {
        let share = if self.interrupted { INTERRUPTED_SHARE } else { self.drain.share(self.queue.standing()) };
        // Those without video cannot drain, and their headers are not part of any estimate.
        let for_others =
            if share < 1.0 { self.share.fixed_rate as f64 * (1.0 - share).max(LEAST_FOR_OTHERS) } else { 0.0 };
        (self.estimate() * share - for_others).max(self.config.min)
    }

    /// Whether a queue is being drained or the path is interrupted. Sending more than the target would then add delay.
    pub(crate) fn congested(&self) -> bool {
        self.drain.is_active() || self.interrupted
    }

    /// Whether loss limits the estimate, as with a policer or a short queue, which drop bursts.
    pub(crate) fn is_loss_limited(&self) -> bool {
        self.loss.bound().is_some()
    }

    /// Whether the estimate is based on a measurement.
    pub(crate) fn measured(&self) -> bool {
        self.measured
    }

    /// The delay of the standing queue.
    pub(crate) fn queue(&self) -> Duration {
        self.queue.standing()
    }

    /// The bitrate that all encoders together could use, in bit/s.
    pub(crate) fn desired(&self) -> f64 {
        self.desired
    }

    /// Share of packets lost in the last completed window, 0..1.
    pub(crate) fn loss(&self) -> f64 {
        self.loss.loss()
    }

    /// Processes a feedback message.
    pub(crate) fn on_feedback(&mut self, now: Instant, report: &FeedbackReport, sent: Sent, rtt: Duration) {
        let gap = self.acked_bitrate.since_newest(report.arrivals.first());
        let resumed = self.end_interruption(now) || gap >= ARRIVAL_GAP;
        for arrival in &report.arrivals {
            self.acked_bitrate.add(arrival);
            self.bursts.add(arrival);
            if let Some(delta) = self.inter_arrival.add(arrival) {
                self.trendline.add(&delta);
            }
        }
        let before = self.queue.standing();
        self.queue.add(now, &report.arrivals);
        let queue = QueueChange { before, now: self.queue.standing() };
        let counts = PacketCounts {
            lost: report.lost,
            arrived: report.arrivals.len(),
            late: report.late,
            bursts: report.loss_bursts,
        };
        self.update_drain(now, counts);
        if resumed || self.congested() {
            // Loss in an interruption or a full queue is not the path's own loss.
            self.loss.restart_window(now);
        } else {
            let rate = sent.rate.min(self.target());
            if self.loss.add(now, counts, rate, self.rate.estimate(), rtt) && self.share.most_lose {
                self.loss.forget(now);
                self.reduce_to_delivered(now);
            }
        }
        if !self.handle_probe_result(now, report) {
            self.update_rate(now, sent, rtt, queue);
        }
    }

    /// Reports that packets sent at `since` are still without feedback.
    pub(crate) fn on_feedback_missing(&mut self, now: Instant, since: Instant) {
        if self.measured && !self.interrupted && now.saturating_duration_since(since) >= FEEDBACK_TIMEOUT {
            self.interrupted = true;
        }
    }

    /// When to call [`Estimator::on_feedback_missing`] for packets sent at `since`.
    pub(crate) fn feedback_timeout_at(&self, since: Instant) -> Option<Instant> {
        (self.measured && !self.interrupted).then(|| since + FEEDBACK_TIMEOUT)
    }

    /// When to call [`Estimator::next_cluster`] next.
    pub(crate) fn next_probe_at(&self) -> Option<Instant> {
        self.probe_controller.next_probe_at().filter(|_| self.share.may_probe || self.is_probing())
    }

    /// The probe cluster to send now, if any.
    pub(crate) fn next_cluster(&mut self, now: Instant) -> Option<ProbeCluster> {
        let queue_clear = self.queue.standing() < MAX_PROBE_QUEUE + self.queue.uncertainty()
            && (self.trendline.usage() != BandwidthUsage::Overusing || !self.has_significant_queue())
            && self.loss.bound().is_none()
            && !self.congested();
        let (estimate, last_decrease) = (self.rate.estimate(), self.rate.last_decrease());
        let desired = self.desired.min(self.config.max);
        let spare_capacity = self.bursts.has_spare_capacity(estimate);
        self.probe_controller.next_cluster(
            now,
            ProbeConditions {
                estimate,
                desired,
                queue_clear,
                may_probe: self.share.may_probe,
                spare_capacity,
                last_decrease,
            },
        )
    }

    /// Reports that a cluster has been sent, as this many packets.
    pub(crate) fn on_probe_sent(&mut self, id: ClusterId, packets: usize) {
        self.probe_controller.on_sent(id, packets);
    }

    /// Adapts to the fraction lost (0..1) of a reception report, if there is no transport-wide feedback. The thresholds
    /// are those of draft-ietf-rmcat-gcc-02 section 6.
    pub(crate) fn on_receiver_report(&mut self, now: Instant, loss: f64) {
        if self.measured {
            return;
        }
        self.reported = true;
        let factor = if loss > 0.1 {
            1.0 - loss / 2.0
        } else if loss < 0.02 {
            1.05
        } else {
            1.0
        };
        let limit = self.desired.min(self.config.max);
        self.rate.reset(now, (self.rate.estimate() * factor).min(limit.max(self.config.start)));
    }

    fn handle_probe_result(&mut self, now: Instant, report: &FeedbackReport) -> bool {
        let last_decrease = self.rate.last_decrease();
        let result = self.probe_controller.on_feedback(now, &report.arrivals, &report.lost_clusters, last_decrease);
        let Some(result) = result else { return false };
        if !self.replace_start_bitrate(now, result.rate, result.saturated) {
            // With jitter, a single burst may arrive at any rate, so the median rate of many bursts limits the result.
            let jittery = self.queue.jitter() > HIGH_JITTER;
            let growth_limit = self.bursts.growth_limit(self.rate.estimate()).filter(|_| jittery);
            let rate = result.rate.min(growth_limit.unwrap_or(f64::MAX));
            // What is free is free for all senders of the uplink, and most of them were silent during the short burst.
            let estimate = self.rate.estimate();
            self.rate.raise_to(estimate + (rate - estimate) / f64::from(self.share.flows));
        }
        true
    }

    /// Replaces the configured start bitrate with the result of the first probe, if that is lower.
    fn replace_start_bitrate(&mut self, now: Instant, rate: f64, saturated: bool) -> bool {
        let first = !std::mem::replace(&mut self.measured, true);
        if first && saturated && rate < self.rate.estimate() {
            self.rate.reset(now, 0.9 * rate);
            return true;
        }
        false
    }

    /// Whether the queue is longer than jitter explains.
    fn has_significant_queue(&self) -> bool {
        self.queue.standing() >= MIN_OVERUSE_QUEUE + self.queue.uncertainty()
    }

    fn update_rate(&mut self, now: Instant, sent: Sent, rtt: Duration, queue: QueueChange) {
        let jumped = self.drain.is_active() && queue.now > queue.before + QUEUE_JUMP;
        let usage = match self.trendline.usage() {
            BandwidthUsage::Overusing | BandwidthUsage::Normal | BandwidthUsage::Underusing if jumped => {
                BandwidthUsage::Overusing
            }
            // Other flows fill the queue, whatever this one does.
            BandwidthUsage::Overusing | BandwidthUsage::Underusing if self.drain.is_sharing() => BandwidthUsage::Normal,
            BandwidthUsage::Overusing if !self.has_significant_queue() => BandwidthUsage::Normal,
            // The trend lags behind, and the throughput is low because the send rate is low.
            BandwidthUsage::Overusing if self.drain.is_active() && queue.now < queue.before => {
                BandwidthUsage::Underusing
            }
            BandwidthUsage::Normal if self.drain.is_active() => BandwidthUsage::Underusing,
            usage @ (BandwidthUsage::Overusing | BandwidthUsage::Normal | BandwidthUsage::Underusing) => usage,
        };
        let window = match (usage, self.queue.jitter() > HIGH_JITTER) {
            (BandwidthUsage::Overusing, false) if queue.now > LONG_QUEUE => SHORTEST_WINDOW,
            (BandwidthUsage::Overusing, false) => SHORT_WINDOW,
            (BandwidthUsage::Overusing, true) | (BandwidthUsage::Normal | BandwidthUsage::Underusing, false) => {
                LONG_WINDOW
            }
            (BandwidthUsage::Normal | BandwidthUsage::Underusing, true) => LONGEST_WINDOW,
        };
        let loss_correction = 1.0 / (1.0 - self.loss.inherent()).max(0.5);
        let throughput = self.acked_bitrate.rate(window).map(|rate| rate * loss_correction);
        self.measured |= throughput.is_some();
        let is_path_limited = !sent.suspended || self.acked_bitrate.stretch(window) > MIN_STRETCH;
        // What is acknowledged now was sent a while ago, perhaps after a pause: that is no measure of the path.
        let sent_then = self.acked_bitrate.sent_rate(window) / (1.0 - self.loss.loss()).max(0.1);
        let was_used = sent_then > 0.5 * self.target();
        let fully_used = sent.rate > 0.7 * self.target() && is_path_limited && was_used;
        let max_over_desired = if self.drain.is_sharing() { MAX_OVER_DESIRED_SHARING } else { MAX_OVER_DESIRED };
        let above_desired = self.rate.estimate() > max_over_desired * self.desired;
        let usage = if usage == BandwidthUsage::Normal && above_desired { BandwidthUsage::Underusing } else { usage };
        // Packets of other flows stretch the bursts.
        let alone = self.share.flows == 1 && !self.drain.is_sharing();
        let growth_limit = self.bursts.growth_limit(self.rate.estimate()).filter(|_| alone);
        self.rate.update(now, usage, Observation { throughput, growth_limit, fully_used, uplink: self.share }, rtt);
    }

    fn update_drain(&mut self, now: Instant, counts: PacketCounts) {
        let rate = self.rate.estimate().min(self.desired);
        let loss = DrainLoss { recent: self.loss.loss(), usual: self.loss.inherent(), counts };
        match self.drain.update(now, &self.queue, rate, loss, self.share) {
            None => {}
            Some(DrainEvent::Overflows) => self.reduce_to_delivered(now),
            Some(DrainEvent::Emptied) => self.queue.hold_base(false),
            Some(DrainEvent::RouteChanged) => {
                self.queue.hold_base(false);
                self.queue.accept_as_base();
            }
            Some(DrainEvent::QueueIsShared { rate_before }) => {
                self.queue.hold_base(true);
                if rate_before > self.rate.estimate() {
                    self.rate.reset(now, rate_before);
                }
            }
        }
    }

    /// The queue overflows: sends less than arrives.
    fn reduce_to_delivered(&mut self, now: Instant) {
        let rate = self.rate.estimate().min(self.desired);
        let delivered = self.acked_bitrate.rate(LONGEST_WINDOW).unwrap_or(rate);
        self.rate.reset(now, OVERFLOW_FACTOR * delivered.min(rate));
    }

    /// Ends an interruption, if there was one, and restarts the measurements. Returns whether there was one.
    fn end_interruption(&mut self, now: Instant) -> bool {
        let resumed = std::mem::replace(&mut self.interrupted, false);
        if resumed {
            self.inter_arrival.reset();
            self.bursts.reset();
            self.trendline = TrendlineEstimator::new();
            self.acked_bitrate.reset();
            self.loss.restart_window(now);
            self.probe_controller.probe_soon(now);
        }
        resumed
    }
}
