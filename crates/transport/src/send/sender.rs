//! [`Sender`]: frames and audio packets in, paced RTP out.

mod audio;
mod limit;
mod values;

use super::api::{SendError, SenderConfig, SenderEvent, SenderStats};
use super::audio::AudioPlan;
use super::feedback::FeedbackClock;
use super::feedback_wait::FeedbackWait;
use super::history::SentHistory;
use super::pacer::{Pacer, PathState};
use super::rate_meter::RateMeter;
use super::retransmission_budget::RetransmissionBudget;
use super::rtt::RttEstimator;
use super::stream::{self, OutgoingStream};
use crate::arrival::ClusterId;
use crate::estimate::{Estimator, EstimatorConfig, Sent};
use crate::repair::LossHistory;
use crate::stream::SendStream;
use limit::ReceiverLimit;
use media::encoded::EncodedFrame;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc_rtp::packet::Packet;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most retransmissions that wait. When full, further requests are ignored, because the receiver repeats them.
const MAX_QUEUED_RETRANSMISSIONS: usize = 256;
/// Most repair packets that wait for the pacer. When full, further ones are dropped, because late repair is of little use.
const MAX_QUEUED_REPAIR_PACKETS: usize = 60;
/// Highest target before the first measurement or reception report. A measurement comes a round trip after the first frame.
/// On a narrow path, frames at the start bitrate would fill the queue by then, in both directions, and delay the feedback.
const UNMEASURED_TARGET: f64 = 150_000.0;
/// Media, repair packets and retransmissions together stay within this multiple of the desired bitrate, so that loss does
/// not fill a path that carries more.
const MAX_TOTAL_FACTOR: f64 = 1.32;
/// The encoders keep at least this share of the desired bitrate.
const MIN_MEDIA_SHARE: f64 = 0.6;
/// Requests within this time cause one keyframe.
const MIN_KEYFRAME_INTERVAL: Duration = Duration::from_millis(300);
/// Assumed round-trip time before the first measurement.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// Shortest interval between two retransmissions of a packet, regardless of the round-trip time.
const MIN_RETRANSMISSION_INTERVAL: Duration = Duration::from_millis(10);
/// What was sent within this time usually has no feedback yet. More waits in the queue of the path, as a retransmission does.
const USUALLY_IN_FLIGHT: Duration = Duration::from_millis(80);
/// Retransmissions are sent twice if more packets are lost, because a frame waits another round trip if its retransmission is
/// lost. Each packet of a burst counts: the retransmissions may be lost in the next one together.
const HIGH_LOSS: f64 = 0.025;
/// Retransmissions are also sent twice if the round-trip time is at least this, and at most [`MAX_COPIED`] are requested at
/// once.
const LONG_RTT: Duration = Duration::from_millis(150);
const MAX_COPIED: usize = 8;
/// Delay of the second retransmission, so that one burst of loss does not include both. Waiting media is sent before it.
const COPY_DELAY: Duration = Duration::from_millis(25);
/// Queue delay that is reported while video waits because feedback is late.
const SUSPENDED_DELAY: Duration = Duration::from_secs(1);
/// Relative change of the target that causes [`SenderEvent::TargetChanged`].
const TARGET_STEP: f64 = 0.02;
/// Most events that wait for [`Sender::poll_event`]. When full, the oldest is dropped, because it is the most outdated.
const MAX_EVENTS: usize = 64;

/// The sending half of a connection; see the crate documentation.
#[derive(Debug)]
pub struct Sender {
    streams: Vec<OutgoingStream>,
    connected: bool,
    transmits: VecDeque<Packet>,
    events: VecDeque<SenderEvent>,
    history: SentHistory,
    clock: FeedbackClock,
    feedback_wait: FeedbackWait,
    /// Whether a reception report about video has come, or about sound if there is no video.
    reported: bool,
    estimator: Estimator,
    pacer: Pacer,
    rtt: RttEstimator,
    /// SSRC and sequence number of the requested packets.
    retransmissions: VecDeque<(u32, u16)>,
    /// Second retransmissions, with the time from which they may be sent. At most [`MAX_QUEUED_RETRANSMISSIONS`]; when full,
    /// there is no second retransmission.
    copies: VecDeque<(Instant, u32, u16)>,
    retransmission_budget: RetransmissionBudget,
    /// Repair packets, with the id of their transport-wide sequence number extension.
    repairs: VecDeque<(Packet, Option<u8>)>,
    loss_history: LossHistory,
    audio_plan: AudioPlan,
    send_meter: RateMeter,
    reported_target: u64,
    padding_packets: usize,
    random: fastrand::Rng,
    now: Instant,
    min: f64,
    /// What the encoders could use, bit/s.
    desired: f64,
    receiver_limit: Option<ReceiverLimit>,
    stats: SenderStats,
}

impl Sender {
    /// Creates a sender without streams. It sends nothing before [`Sender::set_connected`].
    pub fn new(config: SenderConfig, now: Instant) -> Self {
        let (min, max) = (config.min_bitrate.max(10_000) as f64, config.max_bitrate.max(10_000) as f64);
        let start = (config.start_bitrate as f64).clamp(min, max.max(min));
        Sender {
            streams: Vec::new(),
            connected: false,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            history: SentHistory::new(),
            clock: FeedbackClock::default(),
            feedback_wait: FeedbackWait::new(now),
            reported: false,
            estimator: Estimator::new(EstimatorConfig { start, min, max: max.max(min) }, now),
            pacer: Pacer::new(now),
            rtt: RttEstimator::default(),
            retransmissions: VecDeque::new(),
            copies: VecDeque::new(),
            retransmission_budget: RetransmissionBudget::new(now),
            repairs: VecDeque::new(),
            loss_history: LossHistory::default(),
            audio_plan: AudioPlan::default(),
            send_meter: RateMeter::default(),
            reported_target: 0,
            padding_packets: 0,
            random: fastrand::Rng::with_seed(config.seed),
            now,
            min,
            desired: max.max(min),
            receiver_limit: None,
            stats: SenderStats::default(),
        }
    }

    /// Adds a stream. If a stream of the same kind has the same SSRC, it continues with the new parameters.
    pub fn add_stream(&mut self, stream: SendStream) {
        let known = self.streams.iter_mut().find(|s| s.stream.ssrc == stream.ssrc);
        if let Some(known) = known
            && known.renegotiate(&stream)
        {
            return;
        }
        self.remove_stream(stream.ssrc);
        let new_stream = OutgoingStream::new(stream, self.random.u64(..));
        if self.connected && new_stream.is_video() {
            self.event(SenderEvent::KeyframeRequested { ssrc: new_stream.stream.ssrc });
        }
        self.streams.push(new_stream);
    }

    /// Removes a stream and its queued packets.
    pub fn remove_stream(&mut self, ssrc: u32) {
        self.streams.retain(|s| s.stream.ssrc != ssrc);
        self.retransmissions.retain(|r| r.0 != ssrc);
        self.copies.retain(|copy| copy.1 != ssrc);
        self.repairs.clear();
    }

    /// Starts to send media and probes, after the path has been connected. Requests a keyframe of every video stream.
    pub fn set_connected(&mut self, now: Instant) {
        if std::mem::replace(&mut self.connected, true) {
            return;
        }
        self.estimator.start(now);
        let video_ssrcs: Vec<u32> = self.streams.iter().filter(|s| s.is_video()).map(|s| s.stream.ssrc).collect();
        for ssrc in video_ssrcs {
            self.event(SenderEvent::KeyframeRequested { ssrc });
        }
        self.process(now);
    }

    /// The path is lost. Nothing is sent before the next [`Sender::set_connected`]. Queued video and retransmissions are
    /// dropped, because a burst of them would delay audio on the next path. That path starts with a keyframe and the
    /// present estimate, which probes correct.
    pub fn set_lost(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.connected, false) {
            return;
        }
        self.now = self.now.max(now);
        self.transmits.clear();
        self.retransmissions.clear();
        self.copies.clear();
        self.pacer.end_probe();
        self.history.abandon();
        self.feedback_wait.reset(now);
        self.estimator.abandon();
        self.streams.iter_mut().for_each(OutgoingStream::abandon);
    }

    /// Queues a frame of a video stream.
    ///
    /// # Errors
    ///
    /// Returns a [`SendError`] if the frame was dropped. If a keyframe is needed, [`SenderEvent::KeyframeRequested`] follows.
    pub fn send_video(&mut self, now: Instant, ssrc: u32, frame: &EncodedFrame) -> Result<(), SendError> {
        if !self.connected {
            return Err(SendError::NotConnected);
        }
        let stream = self.streams.iter_mut().find(|s| s.stream.ssrc == ssrc).ok_or(SendError::UnknownStream(ssrc))?;
        let result = stream.push(now, frame);
        let needs_keyframe = stream.needs_keyframe();
        if result.is_err() {
            self.stats.frames_refused += 1;
        }
        if needs_keyframe {
            self.request_keyframe(now, ssrc);
        }
        self.process(now);
        result
    }

    /// Processes transport-wide feedback from the remote end.
    pub fn on_feedback(&mut self, now: Instant, feedback: &TransportLayerCc) {
        self.feedback_wait.on_feedback(now, self.history.unacknowledged_since());
        let reported = self.clock.read(feedback);
        let report = self.history.report(now, &reported);
        if let Some(sample) = report.round_trip {
            self.rtt.on_feedback(sample);
        }
        self.loss_history.on_late(report.late);
        if !self.estimator.congested() {
            // Losses of a full queue are congestion, which repair packets would increase.
            reported.iter().for_each(|(_, arrival)| self.loss_history.add(arrival.is_none()));
        }
        let sent = Sent { rate: self.send_meter.rate(now), suspended: self.feedback_wait.was_suspended(now) };
        let rtt = self.rtt().unwrap_or(INITIAL_RTT);
        self.estimator.on_feedback(now, &report, sent, rtt);
        self.process(now);
    }

    /// Processes a generic NACK (RFC 4585 section 6.2.1): queues the retransmissions.
    pub fn on_nack(&mut self, now: Instant, nack: &TransportLayerNack) {
        // A retransmission also waits in the queue of the path, which may be longer than in the smoothed round-trip time.
        let rtt = self.rtt().unwrap_or(INITIAL_RTT);
        let in_flight = self.history.unacknowledged_bytes() as f64 * 8.0 / self.estimator.estimate();
        let backlog = Duration::from_secs_f64(in_flight).saturating_sub(USUALLY_IN_FLIGHT);
        let min_interval = rtt.max(backlog).max(MIN_RETRANSMISSION_INTERVAL) + self.estimator.queue();
        let Some(stream) = self.streams.iter_mut().find(|s| s.stream.ssrc == nack.media_ssrc) else { return };
        let mut accepted = Vec::new();
        for sequence in nack.nacks.iter().flat_map(|pair| pair.into_iter()) {
            self.stats.nacked_packets += 1;
            if self.retransmissions.len() + accepted.len() < MAX_QUEUED_RETRANSMISSIONS
                && stream.may_retransmit(now, sequence, min_interval)
            {
                accepted.push((nack.media_ssrc, sequence));
            }
        }
        self.retransmissions.extend(&accepted);
        let send_copies = self.loss_history.loses_often(HIGH_LOSS) || rtt >= LONG_RTT && accepted.len() <= MAX_COPIED;
        if send_copies && !self.estimator.congested() {
            let free = MAX_QUEUED_RETRANSMISSIONS - self.copies.len();
            self.copies.extend(accepted.iter().take(free).map(|&(ssrc, sequence)| (now + COPY_DELAY, ssrc, sequence)));
        }
        self.process(now);
    }

    /// Processes a receiver report (RFC 3550 section 6.4.2). It updates the round-trip time, and without transport-wide
    /// feedback also the estimate, from the loss.
    pub fn on_receiver_report(&mut self, now: Instant, report: &ReceiverReport) {
        self.now = self.now.max(now);
        self.rtt.on_receiver_report(now, report);
        let worst = |video: bool| {
            let of = |ssrc: u32| self.streams.iter().any(|s| s.stream.ssrc == ssrc && s.is_video() == video);
            report.reports.iter().filter(|r| of(r.ssrc)).map(|r| f64::from(r.fraction_lost) / 256.0).reduce(f64::max)
        };
        let (of_video, of_audio) = (worst(true), worst(false));
        if let Some(lost) = of_audio {
            self.audio_plan.on_report(lost);
            self.reported |= !self.streams.iter().any(OutgoingStream::is_video);
        }
        if let Some(lost) = of_video {
            self.reported = true;
            self.estimator.on_receiver_report(now, lost);
        }
        self.process(now);
    }

    /// Records that a sender report with this NTP timestamp was sent. Reception reports about it give the round-trip time.
    pub fn on_sender_report_sent(&mut self, now: Instant, ntp_time: u64) {
        self.rtt.on_sender_report(now, ntp_time);
    }

    /// Processes a keyframe request (PLI or FIR) from the remote end. It is ignored if a keyframe was sent within the last
    /// round trip, if one was requested just now, and beyond one a second on average.
    pub fn on_keyframe_request(&mut self, now: Instant, ssrc: u32) {
        self.stats.keyframe_requests += 1;
        let rtt = self.rtt().unwrap_or(INITIAL_RTT);
        let Some(stream) = self.streams.iter_mut().find(|s| s.stream.ssrc == ssrc) else { return };
        let since = |at: Option<Instant>| at.map(|at| now.saturating_duration_since(at));
        let is_pending = since(stream.last_keyframe_at).is_some_and(|passed| passed < rtt)
            || since(stream.keyframe_requested_at).is_some_and(|passed| passed < MIN_KEYFRAME_INTERVAL);
        if stream.is_video() && !is_pending && stream.keyframe_budget.take(now) {
            self.request_keyframe(now, ssrc);
        }
    }

    /// Advances the time to `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.process(now);
    }

    /// When to call [`Sender::handle_timeout`] next. `None` if there is nothing to wait for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.connected {
            return None;
        }
        let waiting = self.pacer.probing() || self.queued_bytes() > 0 || !self.repairs.is_empty();
        let pace = waiting.then(|| self.pacer.ready_at());
        let target = self.estimator.target().min(self.limit());
        let retransmit_at = (!self.retransmissions.is_empty())
            .then(|| self.retransmission_budget.next_at(target).max(self.pacer.ready_at()));
        let copy = self
            .copies
            .front()
            .map(|copy| copy.0.max(self.retransmission_budget.next_at(target)).max(self.pacer.ready_at()));
        let probe = if self.can_probe() { self.estimator.next_probe_at() } else { None };
        let silence = self.history.unacknowledged_since().and_then(|since| self.estimator.feedback_timeout_at(since));
        let video = pace.into_iter().chain(retransmit_at).chain(copy).chain(probe).min();
        // Suspended video waits for feedback, or for the end of the suspension.
        let video =
            video.map(|at| self.suspension().map_or(at, |(from, until)| if at < from { at } else { at.max(until) }));
        video.into_iter().chain(silence).min()
    }

    /// Returns the next RTP packet to send.
    pub fn poll_transmit(&mut self) -> Option<Packet> {
        self.transmits.pop_front()
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<SenderEvent> {
        self.events.pop_front()
    }

    /// The target bitrate of all encoders together, including audio, in bit/s: the estimate, minus retransmissions and repair
    /// packets, and reduced while a queue is drained. It is low before the first measurement.
    pub fn target_bitrate(&self) -> u64 {
        let (target, desired) = (self.available(), self.estimator.desired());
        let retransmissions = self.retransmission_budget.bitrate(target);
        let max = (MAX_TOTAL_FACTOR * desired - retransmissions).max(MIN_MEDIA_SHARE * desired);
        (target - retransmissions).min(max).max(self.min) as u64
    }

    /// What the path carries, however little is desired, in bit/s.
    fn available(&self) -> f64 {
        let most = if self.estimator.measured() || self.reported { f64::MAX } else { UNMEASURED_TARGET };
        self.estimator.target().min(most).min(self.limit())
    }

    /// The time to send all queued video at the current pacing rate. Encoders should skip frames above about 100 ms. It is
    /// longer while video waits because feedback is late.
    pub fn queue_delay(&self, now: Instant) -> Duration {
        if self.is_suspended(now) {
            return SUSPENDED_DELAY;
        }
        let bits = self.queued_bytes() as f64 * 8.0;
        let passed = now.saturating_duration_since(self.now).as_secs_f64();
        Duration::from_secs_f64((bits / self.pacer.rate() - passed).max(0.0))
    }

    /// Handles what is due at `now`: missing feedback, probes, and packets that the pacer allows.
    fn process(&mut self, now: Instant) {
        self.advance(now);
        self.expire_receiver_limit(now);
        if !self.connected {
            return;
        }
        if let Some(since) = self.history.unacknowledged_since() {
            self.estimator.on_feedback_missing(now, since);
        }
        if self.is_suspended(now) {
            self.feedback_wait.on_suspended(now);
            self.report_target(now);
            return;
        }
        if !self.pacer.probing()
            && self.can_probe()
            && let Some(cluster) = self.estimator.next_cluster(now)
        {
            self.stats.probes += 1;
            self.pacer.start_probe(now, cluster);
        }
        self.send_probe(now);
        while self.pacer.ready() && self.send_next() {}
        self.report_target(now);
    }

    /// Whether video waits, because feedback is late.
    fn is_suspended(&self, now: Instant) -> bool {
        self.suspension().is_some_and(|(from, until)| (from..until).contains(&now))
    }

    fn suspension(&self) -> Option<(Instant, Instant)> {
        let since = self.history.unacknowledged_since()?;
        self.feedback_wait.suspension(since, self.loss_history.loss(), self.estimator.estimate())
    }

    /// Sends the next packet, in the order of priority. Returns false if there is none.
    fn send_next(&mut self) -> bool {
        self.send_retransmission(None) || self.send_repair() || self.send_media(None) || self.send_copy()
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        // The far side's limit concerns all packets.
        let target = self.estimator.target().min(self.limit());
        let estimate = self.estimator.estimate();
        let congested = self.estimator.congested()
            || self.estimator.is_loss_limited()
            || self.feedback_wait.was_suspended(self.now);
        self.pacer.advance(now, PathState { estimate, target, congested, measured: self.estimator.measured() });
        self.retransmission_budget.advance(now, target);
    }

    /// Sends the packets of a probe that are due: retransmissions and media, or padding if none waits.
    fn send_probe(&mut self, now: Instant) {
        while let Some(cluster) = self.pacer.due_probe(now) {
            let before = self.stats.bytes_sent;
            let id = Some(cluster.id);
            let sent = self.send_retransmission(id) || self.send_media(id) || self.send_padding(cluster.id);
            let size = (self.stats.bytes_sent - before) as usize;
            let ended = if sent { self.pacer.on_probe_sent(now, size) } else { self.pacer.end_probe() };
            if let Some(packets) = ended {
                self.estimator.on_probe_sent(cluster.id, packets);
            }
        }
    }

    fn send_retransmission(&mut self, cluster: Option<ClusterId>) -> bool {
        while self.retransmission_budget.allows()
            && let Some((ssrc, sequence)) = self.retransmissions.pop_front()
        {
            if self.retransmit(ssrc, sequence, cluster) {
                return true;
            }
        }
        false
    }

    /// Sends the next second retransmission that is due.
    fn send_copy(&mut self) -> bool {
        while self.retransmission_budget.allows()
            && let Some((_, ssrc, sequence)) = self.copies.pop_front_if(|copy| copy.0 <= self.now)
        {
            if self.retransmit(ssrc, sequence, None) {
                return true;
            }
        }
        false
    }

    fn retransmit(&mut self, ssrc: u32, sequence: u16, cluster: Option<ClusterId>) -> bool {
        let Some(stream) = self.streams.iter_mut().find(|s| s.stream.ssrc == ssrc) else { return false };
        let twcc_id = stream.stream.twcc_id;
        let Some(packet) = stream.retransmission(sequence) else { return false };
        self.stats.retransmitted_packets_sent += 1;
        let size = self.emit(packet, twcc_id, cluster);
        self.retransmission_budget.on_retransmission(self.now, size);
        true
    }

    /// Sends the next queued media packet. The streams alternate after each packet, so that a keyframe of one does not delay
    /// the others.
    fn send_media(&mut self, cluster: Option<ClusterId>) -> bool {
        let Some(index) = self.streams.iter().position(|s| s.queued_bytes() > 0) else { return false };
        let mut stream = self.streams.remove(index);
        let packet = stream.pop();
        let twcc_id = stream.stream.twcc_id;
        let share = self.repair_share();
        let repairs = packet.as_ref().map_or(Vec::new(), |packet| stream.repair_packets(packet, share));
        let free = MAX_QUEUED_REPAIR_PACKETS.saturating_sub(self.repairs.len());
        self.repairs.extend(repairs.into_iter().take(free).map(|packet| (packet, twcc_id)));
        self.streams.push(stream);
        let Some(packet) = packet else { return false };
        self.stats.packets_sent += 1;
        self.emit(packet, twcc_id, cluster);
        true
    }

    /// The number of repair packets per media packet. It does not depend on whether the rate is bounded because of loss: repair
    /// packets are part of the rate, and if the bound ends the loss, they end too.
    fn repair_share(&self) -> f64 {
        self.loss_history.repair_share(self.rtt().unwrap_or(INITIAL_RTT))
    }

    fn send_repair(&mut self) -> bool {
        let Some((packet, twcc_id)) = self.repairs.pop_front() else { return false };
        self.stats.repair_packets_sent += 1;
        let size = self.emit(packet, twcc_id, None);
        self.retransmission_budget.on_repair(self.now, size);
        true
    }

    fn send_padding(&mut self, cluster: ClusterId) -> bool {
        let nth = self.padding_packets;
        for stream in &mut self.streams {
            let Some(packet) = stream.padding_sequence(nth).and_then(|sequence| stream.retransmission(sequence)) else {
                continue;
            };
            let twcc_id = stream.stream.twcc_id;
            self.padding_packets = self.padding_packets.wrapping_add(1);
            self.stats.padding_packets_sent += 1;
            self.emit(packet, twcc_id, Some(cluster));
            return true;
        }
        false
    }

    /// Assigns the transport-wide sequence number, and queues the packet for [`Sender::poll_transmit`]. Returns its size in
    /// bytes.
    fn emit(&mut self, mut packet: Packet, twcc_id: Option<u8>, cluster: Option<ClusterId>) -> usize {
        let size = stream::write_transport_sequence(&mut packet, twcc_id, self.history.next_number());
        if twcc_id.is_some() {
            self.history.record(self.now, size, cluster);
        }
        self.pacer.on_sent(size);
        self.send_meter.add(self.now, size);
        self.stats.bytes_sent += size as u64;
        self.transmits.push_back(packet);
        size
    }

    fn can_probe(&self) -> bool {
        let measured = |s: &&OutgoingStream| s.stream.twcc_id.is_some() && s.stream.rtx.is_some();
        self.connected
            && self.streams.iter().filter(measured).any(|s| s.queued_bytes() > 0 || s.padding_sequence(0).is_some())
    }

    fn queued_bytes(&self) -> usize {
        self.streams.iter().map(OutgoingStream::queued_bytes).sum()
    }

    fn request_keyframe(&mut self, now: Instant, ssrc: u32) {
        let Some(stream) = self.streams.iter_mut().find(|s| s.stream.ssrc == ssrc) else { return };
        if stream.keyframe_requested_at.is_some_and(|at| now.saturating_duration_since(at) < MIN_KEYFRAME_INTERVAL) {
            return;
        }
        stream.keyframe_requested_at = Some(now);
        self.event(SenderEvent::KeyframeRequested { ssrc });
    }

    fn report_target(&mut self, now: Instant) {
        self.retransmission_budget.measure(now);
        let target = self.target_bitrate();
        let may_copy = self.streams.iter().any(|s| s.stream.red.is_some());
        self.audio_plan.update(self.available(), may_copy, self.loss_history.is_bursty());
        let step = self.reported_target as f64 * TARGET_STEP;
        if (target as f64 - self.reported_target as f64).abs() > step {
            self.reported_target = target;
            self.event(SenderEvent::TargetChanged { bitrate: target });
        }
    }

    fn event(&mut self, event: SenderEvent) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}
