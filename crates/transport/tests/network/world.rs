//! Simulated flows that share a path. Each flow has an encoder, a sender, and a receiver that returns feedback.

use crate::coordination::Coordination;
use crate::plan::Plan;
use crate::twcc::{Recorder, TWCC_ID};
use bytes::Bytes;
use media::encoded::{EncodedFrame, VideoCodec};
use media::jitter::VideoBuffer;
use media::level::AudioLevel;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::nack_pairs_from_sequence_numbers;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use testkit::net::{Path, SimulatedLink};
use testkit::random::Random;
use testkit::tcp::{self, CubicFlow};
use transport::{
    Feedback, Packet, PacketNames, Receiver, ReceiverConfig, ReceiverStats, RecvKind, RecvStream, SendStream, Sender,
    SenderConfig, SenderEvent, StreamKind, TransportLayerCc, TransportLayerNack,
};

const VIDEO: u32 = 100;
const VIDEO_RTX: u32 = 101;
const AUDIO: u32 = 200;
const VIDEO_PT: u8 = 96;
const VIDEO_RTX_PT: u8 = 97;
const VIDEO_REPAIR_PT: u8 = 98;
const AUDIO_PT: u8 = 111;
const AUDIO_BYTES: usize = 80;
/// Bitrate of audio at 50 packets per second, with RTP headers.
const AUDIO_RATE: u64 = (AUDIO_BYTES as u64 + 20) * 8 * 50;
/// Bytes of IP, UDP and SRTP per packet.
const OVERHEAD: usize = 38;
const AUDIO_INTERVAL: Duration = Duration::from_millis(20);
/// If more frames arrive at once, they are dropped, like in the engine's queue before the decoder.
const DECODE_QUEUE: usize = 16;
const SENDER_REPORT_INTERVAL: Duration = Duration::from_secs(1);
const COORDINATION_INTERVAL: Duration = Duration::from_millis(33);
const SAMPLE_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Clone)]
pub(crate) enum FeedbackPacket {
    Twcc(TransportLayerCc),
    Nack(TransportLayerNack),
    Pli(u32),
    Remb(u64),
    /// A reception report about the sender report with this NTP timestamp.
    Reception(u64),
}

/// A packet on a path.
#[derive(Clone)]
pub(crate) enum Carried {
    /// RTP of the flow with this index.
    Rtp(usize, Packet),
    /// A sender report of the flow with this index, with its NTP timestamp.
    SenderReport(usize, u64),
    /// Feedback for the sender of the flow with this index.
    Feedback(usize, FeedbackPacket),
    /// The TCP packet with this number.
    Tcp(u64),
    /// The acknowledgement of that packet.
    TcpAck(u64),
}

/// A TCP flow on the forward path.
pub(crate) struct Competitor {
    flow: CubicFlow,
    starts: Instant,
    /// Time since the start, and bytes delivered until then.
    pub(crate) samples: Vec<(Duration, u64)>,
}

/// The state of a flow at one point in time.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) at: Duration,
    pub(crate) target: u64,
    /// Delay of the queue at the bottleneck.
    pub(crate) queue: Duration,
    /// Bytes of complete frames delivered so far.
    pub(crate) received_bytes: u64,
}

pub(crate) struct Flow {
    pub(crate) plan: Plan,
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
    recorder: Recorder,
    /// Feedback to send, with its size in bytes.
    outgoing_feedback: Vec<(usize, FeedbackPacket)>,
    random: Random,
    keyframe: bool,
    /// Whether the uplink has room for its video.
    pub(crate) admitted: bool,
    /// Bitrate of the encoder in bit/s.
    rate: f64,
    next_frame: Instant,
    next_audio: Instant,
    next_report: Instant,
    next_sender_report: Instant,
    /// Delay of the sender's next timer.
    timer_delay: Duration,
    pub(crate) frames_sent: u32,
    audio_sent: u32,
    /// Numbers of the delivered frames, in order, and the time since their encoding.
    pub(crate) frames: Vec<(u32, Duration)>,
    pub(crate) audio: Vec<(u32, Duration)>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) nacked: Vec<(Duration, usize)>,
    pub(crate) plis: Vec<Duration>,
    sent_at: Vec<Instant>,
    pub(crate) audio_at: Vec<Instant>,
    received_bytes: u64,
    buffer: VideoBuffer,
    /// Whether playback is frozen until a keyframe arrives.
    awaiting_keyframe: bool,
    /// When each frame was captured, and when it was played.
    pub(crate) played: Vec<(Duration, Duration)>,
    /// Number of times that frames were dropped because too many arrived at once.
    pub(crate) overruns: u32,
}

pub(crate) struct World {
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) forward: SimulatedLink<Carried>,
    pub(crate) backward: SimulatedLink<Carried>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) competitor: Option<Competitor>,
    pub(crate) coordination: Coordination,
    next_coordination: Instant,
    next_sample: Instant,
}

impl World {
    /// Creates flows over one path. Their feedback takes the backward path.
    pub(crate) fn new(forward: Path, backward: Path, plans: &[Plan], seed: u64) -> Self {
        let start = Instant::now();
        let flow = |(index, plan): (usize, &Plan)| Flow::new(plan.clone(), start, seed * 100 + index as u64);
        World {
            start,
            now: start,
            forward: SimulatedLink::new(forward, seed),
            backward: SimulatedLink::new(backward, seed.wrapping_add(1 << 32)),
            flows: plans.iter().enumerate().map(flow).collect(),
            competitor: None,
            coordination: Coordination::default(),
            next_coordination: start,
            next_sample: start,
        }
    }

    /// Starts a TCP flow on the forward path at this time, in seconds.
    pub(crate) fn add_competitor(&mut self, seconds: f64) {
        self.competitor = Some(Competitor { flow: CubicFlow::new(), starts: self.at(seconds), samples: vec![] });
    }

    /// Creates one flow. The return path has the same delay and no other impairments.
    pub(crate) fn pair(path: Path, plan: Plan, seed: u64) -> Self {
        let return_path = Path { delay: path.delay, ..Path::default() };
        World::new(path, return_path, &[plan], seed)
    }

    pub(crate) fn at(&self, seconds: f64) -> Instant {
        self.start + Duration::from_secs_f64(seconds)
    }

    /// Changes both directions of the path at this time, in seconds.
    pub(crate) fn change_both_at(&mut self, seconds: f64, forward: &Path, backward: &Path) {
        let at = self.at(seconds);
        self.forward.change_at(at, forward.clone());
        self.backward.change_at(at, backward.clone());
    }

    /// Advances the time to this many seconds after the start.
    pub(crate) fn run_until(&mut self, seconds: f64) {
        let end = self.at(seconds);
        while self.now < end {
            self.step();
            let tcp = self.competitor.as_ref().and_then(Competitor::poll_timeout);
            let timers = self.flows.iter().filter_map(Flow::poll_timeout);
            let links = [self.forward.poll_timeout(), self.backward.poll_timeout()];
            let next = timers.chain(links.into_iter().flatten()).chain(tcp).min();
            let next = next.unwrap_or(end).min(self.next_sample).min(end);
            let next = if self.coordination.is_needed() { next.min(self.next_coordination) } else { next };
            // The time must advance even if a state machine requests the same instant repeatedly.
            self.now = next.max(self.now + Duration::from_micros(1));
        }
    }

    fn step(&mut self) {
        let now = self.now;
        while let Some(packet) = self.forward.poll(now).or_else(|| self.backward.poll(now)) {
            match packet {
                Carried::Rtp(index, packet) => self.flows[index].on_packet(now, &packet),
                Carried::SenderReport(index, ntp_time) => {
                    self.flows[index].outgoing_feedback.push((60, FeedbackPacket::Reception(ntp_time)));
                }
                Carried::Feedback(index, feedback) => self.flows[index].on_feedback(now, feedback),
                Carried::Tcp(number) => self.backward.send(now, 40, Carried::TcpAck(number)),
                Carried::TcpAck(number) => {
                    self.competitor.iter_mut().for_each(|tcp| tcp.flow.on_acknowledged(now, number));
                }
            }
        }
        for (index, flow) in self.flows.iter_mut().enumerate() {
            flow.step(now, self.start);
            let (there, back) = match flow.plan.backward {
                false => (&mut self.forward, &mut self.backward),
                true => (&mut self.backward, &mut self.forward),
            };
            if let Some(ntp_time) = flow.sender_report(now, self.start) {
                there.send(now, 80, Carried::SenderReport(index, ntp_time));
            }
            while let Some(packet) = flow.sender.poll_transmit() {
                there.send(now, 20 + packet.payload.len() + OVERHEAD, Carried::Rtp(index, packet));
            }
            for (bytes, feedback) in flow.outgoing_feedback.drain(..) {
                back.send(now, bytes, Carried::Feedback(index, feedback));
            }
        }
        if let Some(tcp) = &mut self.competitor {
            tcp.step(now, &mut self.forward);
        }
        if now >= self.next_coordination {
            self.next_coordination = now + COORDINATION_INTERVAL;
            self.coordinate_flows(now);
        }
        if now >= self.next_sample {
            self.next_sample += SAMPLE_INTERVAL;
            let at = now - self.start;
            let (forward, backward) = (self.forward.queue_delay(now), self.backward.queue_delay(now));
            for flow in &mut self.flows {
                let queue = if flow.plan.backward { backward } else { forward };
                let target = flow.sender.target_bitrate();
                flow.samples.push(Sample { at, target, queue, received_bytes: flow.received_bytes });
            }
            if let Some(tcp) = &mut self.competitor {
                tcp.samples.push((at, tcp.flow.delivered_bytes()));
            }
        }
    }
}

impl Competitor {
    /// bit/s delivered between two times, in seconds.
    pub(crate) fn goodput(&self, from: f64, to: f64) -> f64 {
        let delivered = |until: f64| {
            let before = |s: &&(Duration, u64)| s.0.as_secs_f64() <= until;
            self.samples.iter().take_while(before).last().map_or(0, |s| s.1)
        };
        (delivered(to) - delivered(from)) as f64 * 8.0 / (to - from)
    }

    fn step(&mut self, now: Instant, forward: &mut SimulatedLink<Carried>) {
        if now < self.starts {
            return;
        }
        self.flow.handle_timeout(now);
        while let Some(number) = self.flow.poll_transmit(now) {
            forward.send(now, tcp::PACKET_BYTES, Carried::Tcp(number));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.flow.poll_timeout().unwrap_or(self.starts))
    }
}

impl Flow {
    fn new(plan: Plan, start: Instant, seed: u64) -> Self {
        let config = SenderConfig { start_bitrate: plan.start_bitrate, seed, ..SenderConfig::default() };
        let mut sender = Sender::new(config, start);
        let (kind, red, twcc_id) = (StreamKind::Video(plan.codec), None, Some(TWCC_ID));
        let (rtx, formats) = (Some((VIDEO_RTX, VIDEO_RTX_PT)), vec![]);
        let repair = plan.repair.then_some(VIDEO_REPAIR_PT);
        sender.add_stream(SendStream {
            ssrc: VIDEO,
            kind,
            payload_type: VIDEO_PT,
            rtx,
            formats: formats.clone(),
            repair,
            red,
            twcc_id,
            level_id: None,
            names: PacketNames::default(),
        });
        let (kind, rtx, payload_type) = (StreamKind::Audio, None, AUDIO_PT);
        sender.add_stream(SendStream {
            ssrc: AUDIO,
            kind,
            payload_type,
            rtx,
            formats,
            repair: None,
            red,
            twcc_id,
            level_id: None,
            names: PacketNames::default(),
        });
        sender.set_desired_bitrate(plan.desired + AUDIO_RATE);
        sender.set_connected(start);
        let mut receiver = Receiver::new(ReceiverConfig::default(), start);
        let rtx = Some((VIDEO_RTX, vec![(VIDEO_RTX_PT, VIDEO_PT)]));
        let payload_types = vec![(VIDEO_PT, StreamKind::Video(plan.codec))];
        let level_id = None;
        receiver.add_stream(RecvStream { ssrc: VIDEO, kind: RecvKind::Video, payload_types, rtx, repair, level_id });
        let (payload_types, rtx, repair) = (vec![(AUDIO_PT, StreamKind::Audio)], None, None);
        receiver.add_stream(RecvStream { ssrc: AUDIO, kind: RecvKind::Audio, payload_types, rtx, repair, level_id });
        let rate = plan.start_bitrate as f64;
        let mut random = Random::new(seed);
        let offset = plan.frame_interval().mul_f64(random.unit());
        let next_report = start + plan.report_interval.mul_f64(0.7);
        Flow {
            plan,
            sender,
            receiver,
            // The clocks of two machines are independent.
            recorder: Recorder::new(start - Duration::from_millis(random.bits() % 1000)),
            outgoing_feedback: Vec::new(),
            random,
            keyframe: true,
            admitted: true,
            rate,
            next_frame: start + offset,
            next_audio: start,
            next_report,
            next_sender_report: start + SENDER_REPORT_INTERVAL,
            timer_delay: Duration::ZERO,
            frames_sent: 0,
            audio_sent: 0,
            frames: Vec::new(),
            audio: Vec::new(),
            samples: Vec::new(),
            nacked: Vec::new(),
            plis: Vec::new(),
            sent_at: Vec::new(),
            audio_at: Vec::new(),
            received_bytes: 0,
            buffer: VideoBuffer::new(),
            awaiting_keyframe: true,
            played: Vec::new(),
            overruns: 0,
        }
    }

    /// bit/s of whole frames handed out between two times, in seconds.
    pub(crate) fn goodput(&self, from: f64, to: f64) -> f64 {
        let received_bytes = |at: f64| {
            let before = |s: &&Sample| s.at.as_secs_f64() <= at;
            self.samples.iter().take_while(before).last().map_or(0, |s| s.received_bytes)
        };
        (received_bytes(to) - received_bytes(from)) as f64 * 8.0 / (to - from)
    }

    /// First time after `from` that the target reached `rate`, in seconds after `from`.
    pub(crate) fn reached(&self, from: f64, rate: u64) -> Option<f64> {
        let mut after = self.samples.iter().filter(|s| s.at.as_secs_f64() >= from);
        after.find(|s| s.target >= rate).map(|s| s.at.as_secs_f64() - from)
    }

    /// Counters of the receiving end.
    pub(crate) fn receiver_stats(&self) -> ReceiverStats {
        self.receiver.stats()
    }

    /// Mean target between two times, in seconds.
    pub(crate) fn mean_target(&self, from: f64, to: f64) -> f64 {
        let within: Vec<f64> = self.samples_between(from, to).map(|s| s.target as f64).collect();
        within.iter().sum::<f64>() / within.len() as f64
    }

    /// The quantile of the bottleneck's queue between two times.
    pub(crate) fn queue_quantile(&self, from: f64, to: f64, quantile: f64) -> Duration {
        let mut queues: Vec<Duration> = self.samples_between(from, to).map(|s| s.queue).collect();
        queues.sort();
        queues[((queues.len() - 1) as f64 * quantile) as usize]
    }

    pub(crate) fn samples_between(&self, from: f64, to: f64) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |s| (from..to).contains(&s.at.as_secs_f64()))
    }

    /// Number of sent frames that were not delivered.
    pub(crate) fn missing(&self) -> usize {
        let received: BTreeSet<u32> = self.frames.iter().map(|f| f.0).collect();
        (0..self.frames_sent).filter(|n| !received.contains(n)).count()
    }

    /// Whether there is room for its video: on the uplink, and on this path.
    pub(crate) fn sends_video(&self) -> bool {
        self.admitted && self.sender.target_bitrate() >= AUDIO_RATE + self.plan.floor * 5 / 8
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let own_timers = [self.next_frame, self.next_audio, self.next_report, self.next_sender_report].into_iter();
        let sender = self.sender.poll_timeout().map(|due| due + self.timer_delay);
        let others = [sender, self.receiver.poll_timeout(), self.buffer.poll_timeout()];
        own_timers.chain(others.into_iter().flatten()).min()
    }

    fn step(&mut self, now: Instant, start: Instant) {
        if now >= self.next_report {
            self.next_report += self.plan.report_interval;
            if let Some(report) = self.recorder.report() {
                self.outgoing_feedback.push((60, FeedbackPacket::Twcc(report)));
            }
        }
        if now >= self.next_audio {
            self.next_audio += AUDIO_INTERVAL;
            let data = Bytes::copy_from_slice(&[&self.audio_sent.to_be_bytes()[..], &[0; AUDIO_BYTES - 4]].concat());
            self.sender
                .send_audio(now, AUDIO, self.audio_sent * 960, data, false, AudioLevel::new(-30.0, true))
                .expect("a connected sender takes audio");
            self.audio_at.push(now);
            self.audio_sent += 1;
        }
        if now >= self.next_frame {
            self.next_frame += self.plan.frame_interval();
            self.encode(now);
        }
        if self.sender.poll_timeout().is_some_and(|due| now >= due + self.timer_delay) {
            self.sender.handle_timeout(now);
            self.timer_delay = self.plan.max_timer_delay.mul_f64(self.random.unit());
        }
        self.receiver.handle_timeout(now);
        self.poll_events();
        self.poll_receiver(now, start);
        self.play(now, start);
    }

    /// The NTP timestamp of a sender report, once a second.
    fn sender_report(&mut self, now: Instant, start: Instant) -> Option<u64> {
        if now < self.next_sender_report {
            return None;
        }
        self.next_sender_report += SENDER_REPORT_INTERVAL;
        let ntp_time = (((now - start).as_secs_f64() * 65_536.0) as u64 + 1) << 16;
        self.sender.on_sender_report_sent(now, ntp_time);
        Some(ntp_time)
    }

    fn on_packet(&mut self, now: Instant, packet: &Packet) {
        self.recorder.arrived(now, packet);
        self.receiver.on_rtp(now, packet);
    }

    fn on_feedback(&mut self, now: Instant, feedback: FeedbackPacket) {
        match feedback {
            FeedbackPacket::Twcc(report) => self.sender.on_feedback(now, &report),
            FeedbackPacket::Nack(nack) => self.sender.on_nack(now, &nack),
            FeedbackPacket::Pli(ssrc) => self.sender.on_keyframe_request(now, ssrc),
            FeedbackPacket::Remb(bitrate) => self.sender.on_receiver_limit(now, bitrate as f32),
            FeedbackPacket::Reception(ntp_time) => {
                let last_sender_report = (ntp_time >> 16) as u32;
                let report = ReceptionReport { ssrc: AUDIO, last_sender_report, ..ReceptionReport::default() };
                self.sender
                    .on_receiver_report(now, &ReceiverReport { reports: vec![report], ..ReceiverReport::default() });
            }
        }
        if let Some(rtt) = self.sender.rtt() {
            self.receiver.set_rtt(rtt);
        }
    }

    fn poll_events(&mut self) {
        while let Some(event) = self.sender.poll_event() {
            match event {
                SenderEvent::KeyframeRequested { ssrc } => self.keyframe |= ssrc == VIDEO,
                SenderEvent::TargetChanged { bitrate } => assert_eq!(bitrate.max(1), bitrate),
            }
        }
    }

    /// Encodes a frame of the target size ± 20 %. Keyframes are five times as large.
    fn encode(&mut self, now: Instant) {
        self.poll_events();
        if self.sender.queue_delay(now) > Duration::from_millis(100) {
            return;
        }
        let target = self.sender.target_bitrate().saturating_sub(AUDIO_RATE).min(self.plan.desired);
        if !self.sends_video() {
            self.keyframe = true;
            return;
        }
        let rate = if self.plan.follows_target { target.max(self.plan.floor) } else { self.plan.desired };
        // RTP headers and payload descriptors take about 3 %.
        let interval = self.plan.frame_interval();
        let smoothing = interval.as_secs_f64() / (interval + self.plan.encoder_lag).as_secs_f64();
        self.rate += (rate as f64 - self.rate) * smoothing;
        let mean = self.rate * interval.as_secs_f64() / 8.0 * 0.97;
        let size = mean * (0.8 + 0.4 * self.random.unit()) * if self.keyframe { 5.0 } else { 1.0 };
        let (codec, keyframe) = (self.plan.codec, self.keyframe);
        let frame = EncodedFrame {
            codec,
            data: bitstream(codec, self.frames_sent, size as usize, keyframe),
            keyframe,
            rtp_timestamp: self.frames_sent.wrapping_mul(3000),
            width: 640,
            height: 360,
            layer: 0,
            temporal: 0,
            time: now,
            captured: None,
            source: None,
        };
        if self.sender.send_video(now, VIDEO, &frame).is_ok() {
            self.keyframe = false;
            self.frames_sent += 1;
            self.sent_at.push(now);
        }
    }

    /// Moves frames to the jitter buffer, like the engine does.
    fn fill_buffer(&mut self, now: Instant, start: Instant, arrived: Vec<EncodedFrame>) {
        if arrived.len() > DECODE_QUEUE {
            self.overruns += 1;
            (self.buffer, self.awaiting_keyframe) = (VideoBuffer::new(), true);
            self.receiver.request_keyframe(now, VIDEO);
            return;
        }
        for frame in arrived {
            self.play(now, start);
            self.buffer.push(now, frame);
            if self.buffer.needs_keyframe() {
                self.overruns += u32::from(!self.awaiting_keyframe);
                self.awaiting_keyframe = true;
                self.receiver.request_keyframe(now, VIDEO);
            }
        }
    }

    fn play(&mut self, now: Instant, start: Instant) {
        while let Some(frame) = self.buffer.pop(now) {
            self.awaiting_keyframe &= !frame.keyframe;
            if !self.awaiting_keyframe {
                let captured = Duration::from_micros(u64::from(frame.rtp_timestamp) * 1000 / 90);
                self.played.push((captured, now - start));
            }
        }
    }

    fn poll_receiver(&mut self, now: Instant, start: Instant) {
        let mut arrived = Vec::new();
        while let Some((ssrc, frame)) = self.receiver.poll_frame() {
            assert_eq!(ssrc, VIDEO);
            let number = frame.rtp_timestamp / 3000;
            assert_eq!(frame.data, bitstream(frame.codec, number, frame.data.len(), frame.keyframe), "frame {number}");
            let last = self.frames.last().map(|f| f.0);
            assert!(frame.keyframe || last.is_some_and(|last| last + 1 == number), "{last:?} then {number}");
            self.frames.push((number, now - self.sent_at[number as usize]));
            self.received_bytes += frame.data.len() as u64;
            if self.plan.plays {
                let rtp_timestamp = ((self.sent_at[number as usize] - start).as_micros() * 90 / 1000) as u32;
                arrived.push(EncodedFrame { rtp_timestamp, ..frame });
            }
        }
        self.fill_buffer(now, start, arrived);
        while let Some((ssrc, packet)) = self.receiver.poll_audio() {
            assert_eq!(ssrc, AUDIO);
            let number = packet.rtp_timestamp / 960;
            assert_eq!(packet.data[..4], number.to_be_bytes());
            self.audio.push((number, now - self.audio_at[number as usize]));
        }
        while let Some(feedback) = self.receiver.poll_rtcp() {
            match feedback {
                Feedback::Nack { ssrc, sequences } => {
                    self.nacked.push((now - start, sequences.len()));
                    let nacks = nack_pairs_from_sequence_numbers(&sequences);
                    let nack = TransportLayerNack { sender_ssrc: 1, media_ssrc: ssrc, nacks };
                    self.outgoing_feedback.push((60, FeedbackPacket::Nack(nack)));
                }
                Feedback::Pli { ssrc } => {
                    self.plis.push(now - start);
                    self.outgoing_feedback.push((50, FeedbackPacket::Pli(ssrc)));
                }
                Feedback::Remb { bitrate, .. } => self.outgoing_feedback.push((60, FeedbackPacket::Remb(bitrate))),
            }
        }
    }
}

/// A bitstream that identifies its frame, with the headers that packetization reads.
fn bitstream(codec: VideoCodec, number: u32, size: usize, keyframe: bool) -> Bytes {
    let size = size.max(40);
    let mut data = match (codec, keyframe) {
        (VideoCodec::Vp8, true) => vec![0, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01],
        (VideoCodec::Vp8, false) => vec![1, 0, 0],
        (VideoCodec::Vp9, true) => vec![0x82, 0x49, 0x83, 0x42],
        (VideoCodec::Vp9, false) => vec![0x86],
        (VideoCodec::H264, true) => vec![0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 0, 1, 0x68, 4, 0, 0, 0, 1, 0x65],
        (VideoCodec::H264, false) => vec![0, 0, 0, 1, 0x41],
    };
    // No zeros, so that there are no further start codes.
    data.extend((data.len()..size).map(|i| ((i as u32 ^ number) % 251 + 1) as u8));
    data.into()
}
