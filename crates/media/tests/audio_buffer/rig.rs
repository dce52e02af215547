//! A sender, a network and a player in virtual time, around one `AudioBuffer`.

use bytes::Bytes;
use media::audio::{AudioDecodeError, AudioDecoder, BLOCK};
use media::encoded::AudioPacket;
use media::jitter::{AudioBuffer, AudioBufferStats, PulledBlock};
use std::time::{Duration, Instant};

/// Samples in a packet.
pub(crate) const PACKET: i64 = 960;

/// Deterministic noise.
pub(crate) fn noise(seed: u64, n: u64) -> u64 {
    let mut x = (seed << 40).wrapping_add(n).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Uniform over 0..1.
pub(crate) fn uniform(seed: u64, n: u64) -> f64 {
    (noise(seed, n) >> 11) as f64 / (1u64 << 53) as f64
}

/// The sound at sample `i` of the sender's clock.
pub(crate) type Voice = fn(i64) -> f32;

/// A sine of 440 Hz.
pub(crate) fn tone(i: i64) -> f32 {
    (i as f32 / 48_000.0 * 440.0 * std::f32::consts::TAU % std::f32::consts::TAU).sin() * 0.5
}

/// Five harmonics of a pitch that glides between 110 and 170 Hz, in syllables.
pub(crate) fn voice(i: i64) -> f32 {
    let t = i as f64 / 48_000.0;
    let phase = 140.0 * t - 30.0 / (std::f64::consts::TAU * 0.7) * (std::f64::consts::TAU * 0.7 * t).cos();
    let syllable = 0.55 - 0.45 * (std::f64::consts::TAU * 3.0 * t).cos();
    let sum: f64 = (1..=5).map(|k| (std::f64::consts::TAU * phase * k as f64).sin() / k as f64).sum();
    (0.25 * syllable * sum) as f32
}

/// Follows the stream like an ideal codec: its concealment continues from the last sample.
pub(crate) struct FakeDecoder {
    pub(crate) voice: Voice,
    pub(crate) position: i64,
    pub(crate) fec_decoded: u32,
    pub(crate) concealed: usize,
}

impl FakeDecoder {
    pub(crate) fn new(voice: Voice) -> Self {
        Self { voice, position: 0, fec_decoded: 0, concealed: 0 }
    }

    fn append_voice(&mut self, from: i64, samples: usize, out: &mut Vec<f32>) {
        out.extend((from..from + samples as i64).map(self.voice));
        self.position = from + samples as i64;
    }
}

impl AudioDecoder for FakeDecoder {
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), AudioDecodeError> {
        match start(payload) {
            Some(start) => self.append_voice(start, PACKET as usize, out),
            None => out.extend([0.001; PACKET as usize]), // a silent packet
        }
        Ok(())
    }

    fn decode_fec(&mut self, next: &[u8], samples: usize, out: &mut Vec<f32>) -> Result<(), AudioDecodeError> {
        let start = start(next).ok_or(AudioDecodeError)?;
        self.fec_decoded += 1;
        self.append_voice(start - samples as i64, samples, out);
        Ok(())
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) {
        assert!(samples > 0 && samples.is_multiple_of(120), "{samples}");
        self.concealed += samples;
        self.append_voice(self.position, samples, out);
    }
}

fn start(payload: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(payload.get(2..10)?.try_into().ok()?))
}

/// Packet `n`: wide-band SILK of 20 ms according to its header, followed by the position of its first sample.
pub(crate) fn packet(n: u64, arrived: Instant, fec: bool) -> AudioPacket {
    let mut data = vec![9 << 3, if fec { 0x40 } else { 0 }];
    data.extend((n as i64 * PACKET).to_be_bytes());
    AudioPacket {
        sequence: (65_000 + n) as u16, // wraps after 11 s
        rtp_timestamp: (u32::MAX - 480_000).wrapping_add((n as u32).wrapping_mul(PACKET as u32)), // wraps after 10 s
        data: Bytes::from(data),
        age: 0,
        level: None,
        arrived,
        source: None,
    }
}

/// A packet of a sender in DTX, which sends silence.
pub(crate) fn silent_packet(n: u64, arrived: Instant) -> AudioPacket {
    AudioPacket { data: Bytes::from_static(&[9 << 3]), ..packet(n, arrived, false) }
}

/// The path and both ends.
pub(crate) struct Path {
    pub(crate) voice: Voice,
    pub(crate) seconds: u64,
    /// Network delay of packet `n` in µs; `None` if it is lost or was never sent.
    pub(crate) delay: Box<dyn Fn(u64) -> Option<u64>>,
    pub(crate) fec: bool,
    /// Sequence number of packet `n`, for senders that skip some intentionally.
    pub(crate) sequence: fn(u64) -> u64,
    /// Whether packet `n` only signals silence.
    pub(crate) silent: fn(u64) -> bool,
    /// How much the sender's clock is fast.
    pub(crate) drift_ppm: i64,
    /// Blocks that the player requests together.
    pub(crate) pulls_at_once: u64,
    pub(crate) extra: Duration,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            voice: tone,
            seconds: 30,
            delay: Box::new(|_| Some(20_000)),
            fec: false,
            sequence: |n| n,
            silent: |_| false,
            drift_ppm: 0,
            pulls_at_once: 1,
            extra: Duration::ZERO,
        }
    }
}

/// The result.
pub(crate) struct Played {
    pub(crate) samples: Vec<f32>,
    pub(crate) pulled: Vec<PulledBlock>,
    pub(crate) stats: AudioBufferStats,
    /// Statistics halfway through.
    pub(crate) half: AudioBufferStats,
    pub(crate) decoder: FakeDecoder,
    pub(crate) buffer: AudioBuffer,
}

impl Path {
    pub(crate) fn play(&self) -> Played {
        let origin = Instant::now();
        let at = |us: u64| origin + Duration::from_micros(us);
        let mut arrivals: Vec<(u64, u64)> = (0..self.seconds * 50 + 10)
            .filter_map(|n| {
                let sent = (n as i64 * 20_000 - n as i64 * 20_000 * self.drift_ppm / 1_000_000) as u64;
                (self.delay)(n).map(|delay| (sent + delay, n))
            })
            .collect();
        arrivals.sort_unstable();
        let mut arrivals = arrivals.into_iter().peekable();
        let (mut buffer, mut decoder) = (AudioBuffer::new(), FakeDecoder::new(self.voice));
        buffer.set_extra_delay(self.extra);
        let (mut samples, mut pulled, mut half) = (Vec::new(), Vec::new(), AudioBufferStats::default());
        let blocks = self.seconds * 100;
        for block in 0..blocks {
            let now_us = block / self.pulls_at_once * self.pulls_at_once * 10_000 + 3_700;
            while let Some((arrival, n)) = arrivals.next_if(|(arrival, _)| *arrival <= now_us) {
                let silent = (self.silent)(n);
                let packet = if silent { silent_packet(n, at(arrival)) } else { packet(n, at(arrival), self.fec) };
                buffer.push(AudioPacket { sequence: 65_000u16.wrapping_add((self.sequence)(n) as u16), ..packet });
            }
            let mut out = [0.0; BLOCK];
            pulled.push(buffer.pull(at(now_us), &mut decoder, &mut out));
            samples.extend(out);
            if block == blocks / 2 {
                half = buffer.stats();
            }
        }
        Played { samples, pulled, stats: buffer.stats(), half, decoder, buffer }
    }
}

impl Played {
    /// The share of samples that were concealed, in the second half.
    pub(crate) fn concealed(&self) -> f64 {
        let samples = self.stats.total_samples - self.half.total_samples;
        (self.stats.concealed_samples - self.half.concealed_samples) as f64 / samples as f64
    }

    /// Mean time in the buffer in ms, in the second half.
    pub(crate) fn buffering_ms(&self) -> f64 {
        let seconds = self.stats.jitter_buffer_delay_s - self.half.jitter_buffer_delay_s;
        1_000.0 * seconds / (self.stats.jitter_buffer_emitted - self.half.jitter_buffer_emitted) as f64
    }

    /// The largest step between neighbouring samples, relative to the largest step of the voice itself.
    pub(crate) fn roughness(&self, voice: Voice) -> f32 {
        let step = |s: &mut dyn Iterator<Item = f32>| {
            let mut last = 0.0;
            s.fold(0.0f32, |most, x| most.max((x - std::mem::replace(&mut last, x)).abs()))
        };
        let own = step(&mut (0..480_000).map(voice));
        step(&mut self.samples.iter().copied()) / own
    }

    /// The longest run of exact silence after the first sound, in samples.
    pub(crate) fn longest_silence(&self) -> usize {
        let first = self.samples.iter().position(|s| *s != 0.0).unwrap_or(0);
        self.samples[first..].split(|s| *s != 0.0).map(<[f32]>::len).max().unwrap_or(0)
    }
}
