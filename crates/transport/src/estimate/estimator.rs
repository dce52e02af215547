//! [`Estimator`]: reports in, the rate out.

use super::Usage;
use super::acked::Throughput;
use super::bursts::Bursts;
use super::delay::QueueDelay;
use super::inter_arrival::InterArrival;
use super::loss::{LossBound, Tally};
use super::probe::{Cluster, Conditions, Prober};
use super::rate::{Observation, RateControl};
use super::trendline::Trendline;
use crate::arrival::{ClusterId, Report};
use std::time::{Duration, Instant};

/// A queue shorter than this is jitter: overuse is not believed.
const BELIEVED: Duration = Duration::from_millis(15);
/// A queue longer than this is drained, by sending less than the path carries.
const DRAIN_ABOVE: Duration = Duration::from_millis(40);
const DRAIN_TO: Duration = Duration::from_millis(20);
/// A queue of this length leaves nothing but [`DRAIN_FLOOR`] to send.
const DRAIN_SCALE: f64 = 0.5;
const DRAIN_FLOOR: f64 = 0.25;
/// A queue that is still there after so long is not ours to drain.
const DRAIN_LONGEST: Duration = Duration::from_millis(2500);
/// The estimate does not grow beyond this multiple of what is wanted.
const ENOUGH: f64 = 2.0;
/// A queue that grew by this since the previous report is growing, whatever the trend says.
const STEEP: Duration = Duration::from_millis(15);
/// With more jitter, the throughput over a short time is unreliable.
const JITTERY: Duration = Duration::from_millis(20);
/// Probes need a queue shorter than this.
const CLEAR: Duration = Duration::from_millis(25);
/// No report for so long, though packets left: the path is interrupted.
const SILENCE: Duration = Duration::from_millis(1000);
/// A pause of this length between arrivals is an interruption too: a full queue never stops delivering.
const GAP: Duration = Duration::from_millis(200);
/// What is sent into an interruption, of the rate before it.
const SILENT_SHARE: f64 = 0.5;
/// Throughput over a short time when the queue grows (the path is full, so it is steady), else longer.
const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_millis(500);
const LONGER: Duration = Duration::from_millis(1000);

/// Where the estimate starts, bit/s.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EstimatorConfig {
    pub(crate) start: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// The queue at two successive reports.
#[derive(Debug, Clone, Copy)]
struct Change {
    before: Duration,
    now: Duration,
}

#[derive(Debug)]
pub(crate) struct Estimator {
    config: EstimatorConfig,
    wanted: f64,
    inter_arrival: InterArrival,
    bursts: Bursts,
    trendline: Trendline,
    queue: QueueDelay,
    throughput: Throughput,
    loss: LossBound,
    rate: RateControl,
    prober: Prober,
    draining: Option<Instant>,
    silent: bool,
    measured: bool,
}

impl Estimator {
    pub(crate) fn new(config: EstimatorConfig, now: Instant) -> Self {
        Estimator {
            wanted: config.max,
            inter_arrival: InterArrival::default(),
            bursts: Bursts::default(),
            trendline: Trendline::new(),
            queue: QueueDelay::new(now),
            throughput: Throughput::default(),
            loss: LossBound::new(now),
            rate: RateControl::new(config.start, now),
            prober: Prober::new(),
            draining: None,
            silent: false,
            measured: false,
            config,
        }
    }

    /// The path is open.
    pub(crate) fn start(&mut self, now: Instant) {
        self.prober.start(now);
    }

    /// What the encoders could use, bit/s.
    pub(crate) fn set_wanted(&mut self, now: Instant, wanted: f64) {
        if wanted > self.wanted && wanted > self.rate.estimate() {
            self.prober.hurry(now);
        }
        self.wanted = wanted;
    }

    /// What the path carries, bit/s.
    pub(crate) fn estimate(&self) -> f64 {
        self.loss
            .bound()
            .map_or(self.rate.estimate(), |bound| bound.min(self.rate.estimate()))
            .clamp(self.config.min, self.config.max)
    }

    /// What to send now, bit/s: less than the estimate while a queue is drained or the path is silent.
    pub(crate) fn target(&self) -> f64 {
        let share = if self.silent { SILENT_SHARE } else { self.drain_share() };
        (self.estimate() * share).max(self.config.min)
    }

    /// Whether more than the target would lengthen a queue that is being drained.
    pub(crate) fn congested(&self) -> bool {
        self.draining.is_some() || self.silent
    }

    /// Whether the path drops what comes in bursts.
    pub(crate) fn drops(&self) -> bool {
        self.loss.bound().is_some()
    }

    /// Whether anything was measured yet.
    pub(crate) fn measured(&self) -> bool {
        self.measured
    }

    /// The standing queue.
    pub(crate) fn queue(&self) -> Duration {
        self.queue.standing()
    }

    /// Share of packets lost lately, 0..1.
    /// What the encoders together could use, bit/s.
    pub(crate) fn wanted(&self) -> f64 {
        self.wanted
    }

    /// Share of packets that the path loses at any rate, 0..1.
    pub(crate) fn inherent_loss(&self) -> f64 {
        self.loss.inherent()
    }

    pub(crate) fn loss(&self) -> f64 {
        self.loss.loss()
    }

    /// Takes a report. `sent` is the rate at which was sent lately, bit/s.
    pub(crate) fn report(&mut self, now: Instant, report: &Report, sent: f64, rtt: Duration) {
        let gap = self.throughput.since_newest(report.arrivals.first());
        let resumed = self.end_silence(now) || gap >= GAP;
        for arrival in &report.arrivals {
            self.throughput.add(arrival.arrived, arrival.size);
            self.bursts.add(arrival);
            if let Some(delta) = self.inter_arrival.add(arrival) {
                self.trendline.add(&delta);
            }
        }
        let before = self.queue.standing();
        self.queue.add(now, &report.arrivals);
        let queue = Change { before, now: self.queue.standing() };
        self.drain(now);
        if resumed || self.congested() {
            // What an interruption or a full queue swallowed says nothing about the path's own loss.
            self.loss.begin_window(now);
        } else {
            let tally =
                Tally { lost: report.lost, arrived: report.arrivals.len(), late: report.late, runs: report.lost_runs };
            self.loss.add(now, tally, sent.min(self.target()), self.rate.estimate(), rtt);
        }
        if !self.probed(now, report) {
            self.adapt(now, sent, rtt, queue);
        }
    }

    /// Nothing came back, although packets left at `since`.
    pub(crate) fn unanswered(&mut self, now: Instant, since: Instant) {
        if self.measured && !self.silent && now.saturating_duration_since(since) >= SILENCE {
            self.silent = true;
        }
    }

    /// When [`Estimator::unanswered`] should be told of packets that left at `since`.
    pub(crate) fn silence_at(&self, since: Instant) -> Option<Instant> {
        (self.measured && !self.silent).then(|| since + SILENCE)
    }

    /// When [`Estimator::probe`] should be asked.
    pub(crate) fn probe_at(&self) -> Option<Instant> {
        self.prober.due()
    }

    /// The burst to send now, if any.
    pub(crate) fn probe(&mut self, now: Instant) -> Option<Cluster> {
        let clear = self.queue.standing() < CLEAR + self.queue.uncertainty()
            && (self.trendline.usage() != Usage::Over || !self.believed())
            && self.loss.bound().is_none()
            && !self.congested();
        let (estimate, dropped) = (self.rate.estimate(), self.rate.decreased());
        let wanted = self.wanted.min(self.config.max);
        let spare = self.bursts.spare(estimate);
        self.prober.decide(now, Conditions { estimate, wanted, clear, spare, dropped })
    }

    /// A burst has left.
    pub(crate) fn probe_sent(&mut self, id: ClusterId, packets: usize) {
        self.prober.sent(id, packets);
    }

    /// Without transport-wide feedback only reception reports are left: loss of one interval, 0..1.
    pub(crate) fn reception(&mut self, now: Instant, loss: f64) {
        if self.measured {
            return;
        }
        let factor = if loss > 0.1 {
            1.0 - loss / 2.0
        } else if loss < 0.02 {
            1.05
        } else {
            1.0
        };
        let most = self.wanted.min(self.config.max);
        self.rate.reset(now, (self.rate.estimate() * factor).min(most.max(self.config.start)));
    }

    fn probed(&mut self, now: Instant, report: &Report) -> bool {
        let dropped = self.rate.decreased();
        let finding = self.prober.report(now, &report.arrivals, &report.lost_of_clusters, dropped);
        let Some(finding) = finding else { return false };
        if !self.measured_by_probe(now, finding.rate, finding.saturated) {
            // With jitter, a single burst may arrive at any rate. The median of many bursts limits what it may raise.
            let jittery = self.queue.jitter() > JITTERY;
            let limit = self.bursts.limit(self.rate.estimate()).filter(|_| jittery);
            self.rate.raise(finding.rate.min(limit.unwrap_or(f64::MAX)));
        }
        true
    }

    /// The very first burst replaces the assumption that the start rate was.
    fn measured_by_probe(&mut self, now: Instant, rate: f64, saturated: bool) -> bool {
        let first = !std::mem::replace(&mut self.measured, true);
        if first && saturated && rate < self.rate.estimate() {
            self.rate.reset(now, 0.9 * rate);
            return true;
        }
        false
    }

    /// Whether the queue is long enough to be real.
    fn believed(&self) -> bool {
        self.queue.standing() >= BELIEVED + self.queue.uncertainty()
    }

    fn adapt(&mut self, now: Instant, sent: f64, rtt: Duration, queue: Change) {
        let steep = self.draining.is_some() && queue.now > queue.before + STEEP;
        let usage = match self.trendline.usage() {
            Usage::Over | Usage::Normal | Usage::Under if steep => Usage::Over,
            Usage::Over if !self.believed() => Usage::Normal,
            // The trend is of some time ago, and little gets through because little is sent.
            Usage::Over if self.draining.is_some() && queue.now < queue.before => Usage::Under,
            Usage::Normal if self.draining.is_some() => Usage::Under,
            usage @ (Usage::Over | Usage::Normal | Usage::Under) => usage,
        };
        let window = match (usage, self.queue.jitter() > JITTERY) {
            (Usage::Over, false) => SHORT,
            (Usage::Over, true) | (Usage::Normal | Usage::Under, false) => LONG,
            (Usage::Normal | Usage::Under, true) => LONGER,
        };
        let made_good = 1.0 / (1.0 - self.loss.inherent()).max(0.5);
        let through = self.throughput.rate(window).map(|rate| rate * made_good);
        self.measured |= through.is_some();
        let busy = sent > 0.7 * self.target();
        let enough = self.rate.estimate() > ENOUGH * self.wanted;
        let usage = if usage == Usage::Normal && enough { Usage::Under } else { usage };
        let limit = self.bursts.limit(self.rate.estimate());
        self.rate.update(now, usage, Observation { through, limit, busy }, rtt);
    }

    fn drain(&mut self, now: Instant) {
        let standing = self.queue.standing();
        match self.draining {
            None if standing > DRAIN_ABOVE + self.queue.uncertainty() => self.draining = Some(now),
            Some(_) if standing < DRAIN_TO + self.queue.uncertainty() => self.draining = None,
            Some(since) if now.saturating_duration_since(since) > DRAIN_LONGEST + standing => {
                self.queue.accept();
                self.draining = None;
            }
            None | Some(_) => {}
        }
    }

    fn drain_share(&self) -> f64 {
        if self.draining.is_none() {
            return 1.0;
        }
        (1.0 - self.queue.standing().as_secs_f64() / DRAIN_SCALE).clamp(DRAIN_FLOOR, 0.95)
    }

    /// Whether this report ends an interruption; what was lost in it says nothing about the rate.
    fn end_silence(&mut self, now: Instant) -> bool {
        let resumed = std::mem::replace(&mut self.silent, false);
        if resumed {
            self.inter_arrival.reset();
            self.bursts.reset();
            self.trendline = Trendline::new();
            self.throughput.reset();
            self.loss.begin_window(now);
            self.prober.hurry(now);
        }
        resumed
    }
}
