//! [`Sender`]: frames and packets in, paced RTP out.

use super::api::{SendError, SenderConfig, SenderEvent, SenderStats};
use super::feedback::FeedbackClock;
use super::history::SentHistory;
use super::pacer::{Pacer, PathState};
use super::rate_meter::RateMeter;
use super::rtt::RttEstimator;
use super::stream::{self, OutgoingStream};
use crate::arrival::ClusterId;
use crate::estimate::{Estimator, EstimatorConfig};
use crate::repair::LossHistory;
use crate::stream::SendStream;
use bytes::Bytes;
use media::encoded::{EncodedFrame, VideoCodec};
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc_rtp::packet::Packet;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Retransmissions that may wait. When full a request is ignored: it will come again.
const MAX_QUEUED_RETRANSMISSIONS: usize = 256;
/// Retransmissions may take this share of the target, and use what they left in this time at once.
const RETRANSMISSION_SHARE: f64 = 0.5;
const RETRANSMISSION_BURST: Duration = Duration::from_millis(400);
/// Repair packets that may wait for the pacer. When full further ones are dropped: they help least then.
const MAX_QUEUED_REPAIR_PACKETS: usize = 60;
/// Media, repair and retransmissions together stay within this multiple of what the encoders want. The path may carry
/// more, but loss is no reason to fill it.
const MAX_TOTAL_FACTOR: f64 = 1.32;
/// The encoders keep at least this share of what they want.
const MIN_MEDIA_SHARE: f64 = 0.6;
/// Requests within this time ask for one keyframe.
const MIN_KEYFRAME_INTERVAL: Duration = Duration::from_millis(300);
/// Before a round trip is known.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// A packet is not sent again sooner, however short the round trip.
const MIN_RETRANSMISSION_INTERVAL: Duration = Duration::from_millis(10);
/// If the path itself loses more, or with a longer round trip and at most [`MAX_COPIED`] requested at once, a retransmission is sent twice: if it is
/// lost, the frame waits another round trip.
const HIGH_LOSS: f64 = 0.025;
const LONG_RTT: Duration = Duration::from_millis(150);
const MAX_COPIED: usize = 8;
/// The copy leaves this much later, so that one burst of loss does not take both, and after waiting media.
const COPY_DELAY: Duration = Duration::from_millis(15);
/// The target is reported anew when it differs by this share.
const TARGET_STEP: f64 = 0.02;
/// Events that may wait. When full the oldest goes: it is the most outdated.
const MAX_EVENTS: usize = 64;

/// See the crate's documentation.
#[derive(Debug)]
pub struct Sender {
    streams: Vec<OutgoingStream>,
    connected: bool,
    transmits: VecDeque<Packet>,
    events: VecDeque<SenderEvent>,
    history: SentHistory,
    clock: FeedbackClock,
    estimator: Estimator,
    pacer: Pacer,
    rtt: RttEstimator,
    retransmissions: VecDeque<(u32, u16)>,
    /// Copies of retransmissions, and when they may leave. Bounded as `retransmissions`; when full there is no copy.
    copies: VecDeque<(Instant, u32, u16)>,
    /// Bits that retransmissions may still take.
    retransmission_budget: f64,
    /// Repair packets, with the id of their transport-wide number.
    repairs: VecDeque<(Packet, Option<u8>)>,
    loss_history: LossHistory,
    budget_updated: Instant,
    send_meter: RateMeter,
    retransmission_meter: RateMeter,
    retransmission_bitrate: f64,
    reported_target: u64,
    padding_packets: usize,
    random: fastrand::Rng,
    now: Instant,
    min: f64,
    stats: SenderStats,
}

impl Sender {
    /// A sender without streams. Nothing leaves before [`Sender::set_connected`].
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
            estimator: Estimator::new(EstimatorConfig { start, min, max: max.max(min) }, now),
            pacer: Pacer::new(now),
            rtt: RttEstimator::default(),
            retransmissions: VecDeque::new(),
            copies: VecDeque::new(),
            retransmission_budget: 0.0,
            repairs: VecDeque::new(),
            loss_history: LossHistory::default(),
            budget_updated: now,
            send_meter: RateMeter::default(),
            retransmission_meter: RateMeter::default(),
            retransmission_bitrate: 0.0,
            reported_target: 0,
            padding_packets: 0,
            random: fastrand::Rng::with_seed(config.seed),
            now,
            min,
            stats: SenderStats::default(),
        }
    }

    /// Adds a stream. One of the same SSRC takes over what was negotiated and goes on.
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

    /// Forgets a stream and what of it still waits.
    pub fn remove_stream(&mut self, ssrc: u32) {
        self.streams.retain(|s| s.stream.ssrc != ssrc);
        self.retransmissions.retain(|r| r.0 != ssrc);
        self.copies.retain(|copy| copy.1 != ssrc);
        self.repairs.clear();
    }

    /// From the next frame on, which must be a keyframe, the stream carries another codec.
    pub fn set_codec(&mut self, ssrc: u32, payload_type: u8, codec: VideoCodec) {
        if let Some(stream) = self.streams.iter_mut().find(|s| s.stream.ssrc == ssrc) {
            stream.set_codec(payload_type, codec);
        }
    }

    /// The path is open: packets may leave and probes begin. Asks for a keyframe of every video stream.
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

    /// Takes one frame of a video stream. See [`SendError`] for what to do when it is refused.
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

    /// Takes one Opus packet; it leaves at once.
    pub fn send_audio(
        &mut self,
        now: Instant,
        ssrc: u32,
        rtp_timestamp: u32,
        data: Bytes,
        marker: bool,
    ) -> Result<(), SendError> {
        if !self.connected {
            return Err(SendError::NotConnected);
        }
        let stream = self.streams.iter_mut().find(|s| s.stream.ssrc == ssrc).ok_or(SendError::UnknownStream(ssrc))?;
        if stream.is_video() {
            return Err(SendError::WrongCodec);
        }
        let packet = stream.packet(rtp_timestamp, data, marker);
        let twcc_id = stream.stream.twcc_id;
        self.advance(now);
        self.stats.packets_sent += 1;
        self.emit(packet, twcc_id, None);
        self.process(now);
        Ok(())
    }

    /// Transport-wide feedback of the other end.
    pub fn on_feedback(&mut self, now: Instant, feedback: &TransportLayerCc) {
        let reported = self.clock.read(feedback);
        let report = self.history.report(now, &reported);
        if let Some(sample) = report.round_trip {
            self.rtt.on_feedback(sample);
        }
        if !self.estimator.congested() {
            // Repair does not help against a full queue.
            reported.iter().for_each(|(_, arrival)| self.loss_history.add(arrival.is_none()));
        }
        let sent = self.send_meter.rate(now);
        let rtt = self.rtt().unwrap_or(INITIAL_RTT);
        self.estimator.on_feedback(now, &report, sent, rtt);
        self.process(now);
    }

    /// The other end misses packets, RFC 4585 section 6.2.1.
    pub fn on_nack(&mut self, now: Instant, nack: &TransportLayerNack) {
        // A retransmission waits in the path's queue too, which may be longer by now than in the smoothed round trip.
        let rtt = self.rtt().unwrap_or(INITIAL_RTT);
        let min_interval = rtt.max(MIN_RETRANSMISSION_INTERVAL) + self.estimator.queue();
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
        let send_copies = self.estimator.inherent_loss() > HIGH_LOSS || rtt >= LONG_RTT && accepted.len() <= MAX_COPIED;
        if send_copies && !self.estimator.congested() {
            let free = MAX_QUEUED_RETRANSMISSIONS - self.copies.len();
            self.copies.extend(accepted.iter().take(free).map(|&(ssrc, sequence)| (now + COPY_DELAY, ssrc, sequence)));
        }
        self.process(now);
    }

    /// Reception report of the other end, RFC 3550 section 6.4.2: round trip, and loss where there is no
    /// transport-wide feedback.
    pub fn on_receiver_report(&mut self, now: Instant, report: &ReceiverReport) {
        self.now = self.now.max(now);
        self.rtt.on_receiver_report(now, report);
        let is_video = |ssrc: u32| self.streams.iter().any(|s| s.stream.ssrc == ssrc && s.is_video());
        let worst = report.reports.iter().filter(|r| is_video(r.ssrc)).map(|r| r.fraction_lost).max();
        if let Some(worst) = worst {
            self.estimator.on_receiver_report(now, f64::from(worst) / 256.0);
        }
        self.process(now);
    }

    /// A sender report left with this NTP timestamp; reception reports on it tell the round trip.
    pub fn on_sender_report_sent(&mut self, now: Instant, ntp_time: u64) {
        self.rtt.on_sender_report(now, ntp_time);
    }

    /// A PLI or FIR of the other end. Those that a keyframe under way answers are ignored.
    pub fn on_keyframe_request(&mut self, now: Instant, ssrc: u32) {
        self.stats.keyframe_requests += 1;
        let rtt = self.rtt().unwrap_or(INITIAL_RTT);
        let Some(stream) = self.streams.iter().find(|s| s.stream.ssrc == ssrc) else { return };
        let is_pending = stream.last_keyframe_at.is_some_and(|at| now.saturating_duration_since(at) < rtt);
        if stream.is_video() && !is_pending {
            self.request_keyframe(now, ssrc);
        }
    }

    /// The most that the encoders together could use, bit/s: nothing far beyond it is probed.
    pub fn set_desired_bitrate(&mut self, bitrate: u64) {
        self.estimator.set_desired_bitrate(self.now, bitrate as f64);
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.process(now);
    }

    /// When [`Sender::handle_timeout`] is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.connected {
            return None;
        }
        let waiting = self.pacer.probing() || self.queued_bytes() > 0 || !self.repairs.is_empty();
        let pace = waiting.then(|| self.pacer.ready_at());
        let retransmit_at =
            (!self.retransmissions.is_empty()).then(|| self.next_retransmission_at().max(self.pacer.ready_at()));
        let copy = self.copies.front().map(|copy| copy.0.max(self.next_retransmission_at()).max(self.pacer.ready_at()));
        let probe = if self.can_probe() { self.estimator.next_probe_at() } else { None };
        let silence = self.history.unacknowledged_since().and_then(|since| self.estimator.feedback_timeout_at(since));
        pace.into_iter().chain(retransmit_at).chain(copy).chain(probe).chain(silence).min()
    }

    /// The next packet for the wire.
    pub fn poll_transmit(&mut self) -> Option<Packet> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<SenderEvent> {
        self.events.pop_front()
    }

    /// What the encoders, audio included, should together produce, bit/s: what the path carries, less what
    /// retransmissions take and what drains a queue.
    pub fn target_bitrate(&self) -> u64 {
        let (target, desired) = (self.estimator.target(), self.estimator.desired());
        let retransmissions = self.retransmission_bitrate.min(RETRANSMISSION_SHARE * target);
        let most = (MAX_TOTAL_FACTOR * desired - retransmissions).max(MIN_MEDIA_SHARE * desired);
        (target - retransmissions).min(most).max(self.min) as u64
    }

    /// How long what is queued takes at the present pace. An encoder skips input above about 100 ms.
    pub fn queue_delay(&self, now: Instant) -> Duration {
        let bits = self.queued_bytes() as f64 * 8.0;
        let passed = now.saturating_duration_since(self.now).as_secs_f64();
        Duration::from_secs_f64((bits / self.pacer.rate() - passed).max(0.0))
    }

    /// Round trip time, smoothed.
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt.get(self.now)
    }

    /// Counters and present values.
    pub fn stats(&self) -> SenderStats {
        SenderStats {
            estimate: self.estimator.estimate() as u64,
            path_queue_delay: self.estimator.queue(),
            loss: self.estimator.loss(),
            unknown_reports: self.history.unknown(),
            ..self.stats.clone()
        }
    }

    /// Everything that time brings: silence, probes, and what may leave.
    fn process(&mut self, now: Instant) {
        self.advance(now);
        if !self.connected {
            return;
        }
        if let Some(since) = self.history.unacknowledged_since() {
            self.estimator.on_feedback_missing(now, since);
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

    /// Sends the next packet in the order of urgency. False if none may leave.
    fn send_next(&mut self) -> bool {
        self.send_retransmission(None) || self.send_repair() || self.send_media(None) || self.send_copy()
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        let target = self.estimator.target();
        let estimate = self.estimator.estimate();
        let congested = self.estimator.congested() || self.estimator.is_loss_limited();
        self.pacer.advance(now, PathState { estimate, target, congested, measured: self.estimator.measured() });
        let passed = now.saturating_duration_since(self.budget_updated).as_secs_f64();
        self.budget_updated = self.budget_updated.max(now);
        let saved = RETRANSMISSION_SHARE * target * RETRANSMISSION_BURST.as_secs_f64();
        self.retransmission_budget =
            (self.retransmission_budget + RETRANSMISSION_SHARE * target * passed).min(saved.max(40_000.0));
        self.retransmission_bitrate = self.retransmission_meter.rate(now);
    }

    /// Sends what is due of a probe: media that waits, else recent packets once more.
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

    /// When retransmissions may take bits again.
    fn next_retransmission_at(&self) -> Instant {
        let lacking = (1.0 - self.retransmission_budget).max(0.0);
        self.budget_updated + Duration::from_secs_f64(lacking / (RETRANSMISSION_SHARE * self.estimator.target()))
    }

    fn send_retransmission(&mut self, cluster: Option<ClusterId>) -> bool {
        while self.retransmission_budget > 0.0
            && let Some((ssrc, sequence)) = self.retransmissions.pop_front()
        {
            if self.retransmit(ssrc, sequence, cluster) {
                return true;
            }
        }
        false
    }

    /// Sends the next copy of a retransmission that may leave.
    fn send_copy(&mut self) -> bool {
        while self.retransmission_budget > 0.0
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
        self.retransmission_budget -= size as f64 * 8.0;
        self.retransmission_meter.add(self.now, size);
        true
    }

    /// Streams take turns a packet at a time, so that one's keyframe does not hold up another.
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

    /// Repair packets for each media packet.
    fn repair_share(&self) -> f64 {
        // Where loss follows the rate, more packets make more of it.
        if self.estimator.is_loss_limited() {
            0.0
        } else {
            self.loss_history.repair_share(self.rtt().unwrap_or(INITIAL_RTT))
        }
    }

    fn send_repair(&mut self) -> bool {
        let Some((packet, twcc_id)) = self.repairs.pop_front() else { return false };
        self.stats.repair_packets_sent += 1;
        let size = self.emit(packet, twcc_id, None);
        self.retransmission_meter.add(self.now, size);
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

    /// Numbers a packet and hands it to the wire; gives its size in bytes.
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
        self.retransmission_bitrate = self.retransmission_meter.rate(now);
        let target = self.target_bitrate();
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
