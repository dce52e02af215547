//! One direction of a simulated call.

use crate::scenario::{DELAY, Scenario};
use codecs::{OpusConfig, OpusDecoder, OpusEncoder};
use media::audio::BLOCK;
use media::encoded::AudioPacket;
use media::jitter::{AudioBuffer, AudioBufferStats, BlockKind, PulledBlock};
use std::time::{Duration, Instant};
use testkit::net::SimulatedLink;
use testkit::random::Random;

/// The speech begins this long after the call, so that both ends know the path.
const LEAD: Duration = Duration::from_secs(8);
/// The output is recorded this long after the speech.
const TAIL: Duration = Duration::from_millis(300);
/// Header of IPv4, UDP, RTP with two extensions, and the SRTP tag, in bytes.
const OVERHEAD: usize = 20 + 8 + 12 + 12 + 10;
const SAMPLES_PER_MS: u64 = 48;

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

/// Plays the speech once before it is measured, and again. Returns the sound of the second time.
pub(crate) fn run(scenario: &Scenario, config: OpusConfig, speech: &[f32], seed: u64) -> (Vec<f32>, Figures) {
    let start = Instant::now();
    let mut sound = speech.iter().cycle().skip(speech.len() - LEAD.as_millis() as usize * 48).copied();
    let mut encoder = OpusEncoder::new(config).expect("an encoder");
    let mut call = Receiving::new(start, seed);
    let mut link = SimulatedLink::new(scenario.path.clone(), seed);
    let (mut sent, mut bytes) = (0u64, 0);
    let measured_ms = LEAD.as_millis() as u64..LEAD.as_millis() as u64 + (speech.len() as u64 / SAMPLES_PER_MS);
    let end = measured_ms.end + (DELAY + TAIL).as_millis() as u64;
    for ms in 0..end {
        let now = start + Duration::from_millis(ms);
        if ms > 0 && ms % u64::from(config.frame_ms) == 0 {
            let pcm: Vec<f32> = sound.by_ref().take(encoder.samples()).collect();
            let data = encoder.encode(&pcm).expect("encoded");
            let size = data.len() + OVERHEAD;
            let rtp_timestamp = (sent * encoder.samples() as u64) as u32;
            link.send(now, size, AudioPacket { sequence: sent as u16, rtp_timestamp, data, arrived: now });
            sent += 1;
            if measured_ms.contains(&ms) {
                bytes += size - OVERHEAD;
            }
        }
        while let Some(packet) = link.poll(now) {
            call.buffer.push(AudioPacket { arrived: now, ..packet });
        }
        if ms == measured_ms.start + DELAY.as_millis() as u64 {
            call.begin();
        }
        call.play(now, encoder.samples() as u64 / SAMPLES_PER_MS);
    }
    let seconds = speech.len() as f64 / 48_000.0;
    let payload = bytes as f64 * 8.0 / seconds / 1_000.0;
    let packets = 1_000.0 / f64::from(config.frame_ms);
    let wire = payload + packets * OVERHEAD as f64 * 8.0 / 1_000.0;
    let figures = Figures { payload, wire, concealed: call.concealed(), delays: call.delays };
    (call.played, figures)
}

/// The far side.
struct Receiving {
    start: Instant,
    /// When the loudspeaker's next block is due, in µs after the start.
    due: u64,
    buffer: AudioBuffer,
    decoder: OpusDecoder,
    played: Vec<f32>,
    delays: Vec<f64>,
    measuring: bool,
    before: AudioBufferStats,
}

impl Receiving {
    fn new(start: Instant, seed: u64) -> Self {
        Self {
            start,
            due: (Random::new(seed ^ 0x5ee).unit() * 10_000.0) as u64,
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
        Some(age - packet_ms as f64 - DELAY.as_secs_f64() * 1_000.0)
    }

    fn concealed(&self) -> f64 {
        let after = self.buffer.stats();
        let audible = |stats: &AudioBufferStats| stats.concealed_samples - stats.silent_concealed_samples;
        let samples = after.total_samples - self.before.total_samples;
        (audible(&after) - audible(&self.before)) as f64 / samples as f64
    }
}
