//! One direction of a simulated call.

use crate::scenario::Scenario;
use crate::scheme::{NACK_AFTER, Scheme};
use bytes::Bytes;
use codecs::{OpusConfig, OpusDecoder, OpusEncoder};
use media::audio::BLOCK;
use media::encoded::AudioPacket;
use media::jitter::{AudioBuffer, AudioBufferStats, BlockKind, PulledBlock};
use media::level::AudioLevel;
use rtc_rtcp::reception_report::ReceptionReport;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use testkit::net::SimulatedLink;
use testkit::random::Random;
use transport::{PacketNames, ReceiverReport, RedBlock, SendStream, SenderConfig, StreamKind};

/// The speech begins this long after the call, so that both ends know the path.
const LEAD_MS: u64 = 8_000;
/// The output is recorded this long after the speech.
const TAIL_MS: u64 = 300;
/// Header of IPv4, UDP, RTP with two extensions, and the SRTP tag, in bytes.
const OVERHEAD: usize = 20 + 8 + 12 + 12 + 10;
const SAMPLES_PER_MS: u64 = 48;
/// Packets kept for copies and retransmission.
const KEPT: usize = 64;
const OPUS: u8 = 111;
const RED: u8 = 63;
const SSRC: u32 = 1;
/// Interval of reception reports, and how often the encoder follows.
const REPORT_MS: u64 = 1_000;
const ROOM: usize = 1_180;

/// What a call measures.
#[derive(Debug, Default, Clone)]
pub(crate) struct Figures {
    /// Time in the buffer of each block, in ms: from the arrival on a path without jitter until it is played.
    pub(crate) delays: Vec<f64>,
    /// Share of samples that were concealed, without silence.
    pub(crate) concealed: f64,
    /// Opus with redundancy, kbit/s.
    pub(crate) payload: f64,
    /// The same with all headers, kbit/s.
    pub(crate) wire: f64,
}

/// A packet on the wire.
#[derive(Debug, Clone)]
struct Sent {
    sequence: u16,
    timestamp: u32,
    /// Whether the payload is RED, and not a single Opus packet.
    red: bool,
    payload: Bytes,
}

/// Plays the speech once before it is measured, and again. Returns the sound of the second time.
pub(crate) fn run(scenario: &Scenario, scheme: &Scheme, speech: &[f32], seed: u64) -> (Vec<f32>, Figures) {
    let start = Instant::now();
    let mut sound = speech.iter().cycle().skip(speech.len() - (LEAD_MS * SAMPLES_PER_MS) as usize).copied();
    let mut sender = Sender::new(scheme, start);
    let mut receiver = Receiver::new(start, scenario.path.delay, seed);
    let mut reports: VecDeque<(Instant, f64)> = VecDeque::new();
    let mut link = SimulatedLink::new(scenario.path.clone(), seed);
    let delay_ms = scenario.path.delay.as_millis() as u64;
    let speech_ms = speech.len() as u64 / SAMPLES_PER_MS;
    let end_ms = LEAD_MS + speech_ms + delay_ms + TAIL_MS;
    for ms in 1..end_ms {
        let now = start + Duration::from_millis(ms);
        if ms == LEAD_MS {
            sender.bytes = 0;
            sender.packets = 0;
        }
        if ms == LEAD_MS + delay_ms {
            receiver.begin();
        }
        if ms % u64::from(scheme.opus.frame_ms) == 0 {
            let pcm: Vec<f32> = sound.by_ref().take(sender.encoder.samples()).collect();
            let packet = sender.encode(now, &pcm);
            link.send(now, packet.payload.len() + OVERHEAD, packet);
        }
        if ms % REPORT_MS == 0 {
            let lost = receiver.lost();
            reports.push_back((now + scenario.path.delay, lost));
        }
        if let Some((_, lost)) = reports.pop_front_if(|report| report.0 <= now) {
            sender.on_report(now, lost);
        }
        while let Some(packet) = link.poll(now) {
            receiver.on_packet(now, packet, scheme);
        }
        for sequence in receiver.requests(now, scenario.path.delay) {
            if let Some(packet) = sender.retransmit(sequence) {
                link.send(now, packet.payload.len() + OVERHEAD, packet);
            }
        }
        receiver.play(now, u64::from(scheme.opus.frame_ms));
    }
    let kbits = |bytes: usize| bytes as f64 * 8.0 / (end_ms - LEAD_MS) as f64;
    let figures = Figures {
        payload: kbits(sender.bytes),
        wire: kbits(sender.bytes + sender.packets * OVERHEAD),
        concealed: receiver.concealed(),
        delays: receiver.delays,
    };
    (receiver.played, figures)
}

/// The near side.
struct Sender {
    encoder: OpusEncoder,
    copies: Vec<usize>,
    /// Decides, as in the app.
    transport: Option<transport::Sender>,
    sequence: u16,
    timestamp: u32,
    /// RTP times and Opus packets, oldest first.
    opus: VecDeque<(u32, Bytes)>,
    sent: VecDeque<Sent>,
    bytes: usize,
    packets: usize,
}

impl Sender {
    fn new(scheme: &Scheme, now: Instant) -> Self {
        Self {
            transport: scheme.adaptive.then(|| transport_sender(now)),
            encoder: OpusEncoder::new(scheme.opus).expect("an encoder"),
            copies: scheme.copies.clone(),
            sequence: 0,
            timestamp: 0,
            opus: VecDeque::new(),
            sent: VecDeque::new(),
            bytes: 0,
            packets: 0,
        }
    }

    fn on_report(&mut self, now: Instant, lost: f64) {
        let Some(transport) = &mut self.transport else { return };
        let fraction_lost = (lost * 256.0) as u8;
        let reports = vec![ReceptionReport { ssrc: SSRC, fraction_lost, ..ReceptionReport::default() }];
        transport.on_receiver_report(now, &ReceiverReport { ssrc: 2, reports, ..ReceiverReport::default() });
        let need = transport.audio_need();
        let config =
            OpusConfig { bitrate: need.bitrate, expected_loss_percent: need.fec_percent, ..*self.encoder.config() };
        self.encoder.reconfigure(config).expect("configured");
    }

    fn encode(&mut self, now: Instant, pcm: &[f32]) -> Sent {
        let data = self.encoder.encode(pcm).expect("encoded");
        let packet = match &mut self.transport {
            Some(transport) => {
                transport
                    .send_audio(now, SSRC, self.timestamp, data, false, AudioLevel::new(-30.0, true))
                    .expect("sent");
                let packet = transport.poll_transmit().expect("a packet");
                let red = packet.header.payload_type == RED;
                Sent { sequence: self.sequence, timestamp: self.timestamp, red, payload: packet.payload }
            }
            None => self.with_copies(data),
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp += pcm.len() as u32;
        self.count(&packet);
        packet
    }

    fn with_copies(&mut self, data: Bytes) -> Sent {
        let copies = self.opus.iter().enumerate().filter(|(n, _)| self.copies.contains(&(self.opus.len() - n)));
        let copies = copies.map(|(_, (timestamp, data))| (self.timestamp - timestamp, data));
        let payload = RedBlock::join(OPUS, copies.collect::<Vec<_>>().into_iter(), &data, ROOM);
        self.opus.push_back((self.timestamp, data));
        let packet = Sent { sequence: self.sequence, timestamp: self.timestamp, red: true, payload };
        self.sent.push_back(packet.clone());
        if self.sent.len() > KEPT {
            self.sent.pop_front();
            self.opus.pop_front();
        }
        packet
    }

    fn retransmit(&mut self, sequence: u16) -> Option<Sent> {
        let packet = self.sent.iter().find(|packet| packet.sequence == sequence)?.clone();
        self.count(&packet);
        Some(packet)
    }

    fn count(&mut self, packet: &Sent) {
        self.bytes += packet.payload.len();
        self.packets += 1;
    }
}

fn transport_sender(now: Instant) -> transport::Sender {
    let mut sender = transport::Sender::new(SenderConfig::default(), now);
    let kind = StreamKind::Audio;
    let (rtx, repair, red, twcc_id) = (None, None, Some(RED), None);
    sender.add_stream(SendStream {
        ssrc: SSRC,
        kind,
        payload_type: OPUS,
        rtx,
        formats: vec![],
        repair,
        red,
        twcc_id,
        level_id: None,
        names: PacketNames::default(),
    });
    sender.set_connected(now);
    sender
}

/// The far side.
struct Receiver {
    start: Instant,
    delay: Duration,
    /// When the loudspeaker's next block is due, in µs after the start.
    due: u64,
    newest: u16,
    /// Packets received, and the newest at the last report.
    received: u16,
    reported: u16,
    /// Missing packets, and when their requests arrive at the sender.
    missing: BTreeMap<u16, Instant>,
    buffer: AudioBuffer,
    decoder: OpusDecoder,
    played: Vec<f32>,
    delays: Vec<f64>,
    measuring: bool,
    before: AudioBufferStats,
}

impl Receiver {
    fn new(start: Instant, delay: Duration, seed: u64) -> Self {
        Self {
            start,
            delay,
            due: (Random::new(seed ^ 0x5ee).unit() * 10_000.0) as u64,
            newest: 0,
            received: 0,
            reported: 0,
            missing: BTreeMap::new(),
            buffer: AudioBuffer::new(),
            decoder: OpusDecoder::new().expect("a decoder"),
            played: vec![],
            delays: vec![],
            measuring: false,
            before: AudioBufferStats::default(),
        }
    }

    fn begin(&mut self) {
        self.measuring = true;
        self.before = self.buffer.stats();
    }

    fn on_packet(&mut self, now: Instant, packet: Sent, scheme: &Scheme) {
        let Sent { sequence, timestamp, red, payload } = packet;
        self.received += 1;
        self.missing.remove(&sequence);
        if scheme.nack && sequence > self.newest {
            let request = now + NACK_AFTER + self.delay;
            self.missing.extend((self.newest + 1..sequence).map(|missing| (missing, request)));
        }
        self.newest = self.newest.max(sequence);
        let blocks = match red {
            true => RedBlock::split(&payload).expect("RED"),
            false => vec![RedBlock { payload_type: OPUS, age: 0, data: payload }],
        };
        for block in blocks {
            let rtp_timestamp = timestamp - block.age;
            self.buffer.push(AudioPacket {
                sequence,
                rtp_timestamp,
                data: block.data,
                age: block.age,
                level: None,
                arrived: now,
                source: None,
            });
        }
    }

    /// The share of packets lost since the last report.
    fn lost(&mut self) -> f64 {
        let expected = self.newest - self.reported;
        self.reported = self.newest;
        let received = std::mem::take(&mut self.received);
        if expected == 0 { 0.0 } else { 1.0 - f64::from(received.min(expected)) / f64::from(expected) }
    }

    /// The packets whose requests arrive at the sender now.
    fn requests(&mut self, now: Instant, delay: Duration) -> Vec<u16> {
        let due: Vec<u16> = self.missing.iter().filter(|missing| *missing.1 <= now).map(|missing| *missing.0).collect();
        for sequence in &due {
            self.missing.insert(*sequence, now + 2 * delay + NACK_AFTER);
        }
        self.missing.retain(|sequence, _| self.newest - sequence < 5);
        due
    }

    fn play(&mut self, now: Instant, packet_ms: u64) {
        while self.start + Duration::from_micros(self.due) <= now {
            let at = self.start + Duration::from_micros(self.due);
            self.due += 10_000;
            let mut block = [0.0; BLOCK];
            let pulled = self.buffer.pull(at, &mut self.decoder, &mut block);
            if self.measuring {
                self.played.extend(block);
                self.delays.extend(self.delay(at, pulled, packet_ms));
            }
        }
    }

    fn delay(&self, at: Instant, pulled: PulledBlock, packet_ms: u64) -> Option<f64> {
        let captured = f64::from(pulled.rtp_timestamp.filter(|_| pulled.kind == BlockKind::Decoded)?) / 48.0;
        let age = (at - self.start).as_secs_f64() * 1_000.0 - captured;
        Some(age - packet_ms as f64 - self.delay.as_secs_f64() * 1_000.0)
    }

    fn concealed(&self) -> f64 {
        let after = self.buffer.stats();
        let audible = |stats: &AudioBufferStats| stats.concealed_samples - stats.silent_concealed_samples;
        let samples = after.total_samples - self.before.total_samples;
        (audible(&after) - audible(&self.before)) as f64 / samples as f64
    }
}
