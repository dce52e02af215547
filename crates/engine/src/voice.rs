//! Encodes the voice for all connections, as their paths need it.
//!
//! One encoder serves every connection, because encoding for each would cost too much. It serves the worst path: the lowest
//! bitrate, the highest loss and the longest packets that any connection needs, within the bounds that
//! [`peer::AudioNeed`] has for one path. Copies for lost packets are made for each connection separately.

use bytes::Bytes;
use codecs::{OpusConfig, OpusEncoder, OpusError};
use media::audio::BLOCK;
use media::level::Level;
use peer::AudioNeed;
use std::time::{Duration, Instant};

/// How often the encoder follows the paths.
const INTERVAL: Duration = Duration::from_millis(500);
/// A change of the bitrate by less than this part is ignored.
const BITRATE_STEP: u32 = 20;
/// Before the first connection.
const START: OpusConfig = OpusConfig { bitrate: 32_000, fec: true, expected_loss_percent: 1, frame_ms: 20, dtx: false };

/// In silence on a narrow path, a packet is sent at least this often, so that the far side can tell it from loss.
const SILENCE_INTERVAL: usize = 48_000 * 2 / 5;
/// libopus returns packets up to this length, in bytes, for silence that need not be sent.
const SILENT_PACKET: usize = 2;

/// An encoded packet.
#[derive(Debug)]
pub(crate) struct Voice {
    pub(crate) packet: Bytes,
    /// Its duration at 48 kHz.
    pub(crate) samples: usize,
    /// Whether it must be sent. Silence on a narrow path is sent seldom.
    pub(crate) needed: bool,
    /// Its level.
    pub(crate) rms_dbfs: f32,
}

/// The encoder, with the samples that do not fill a packet yet.
pub(crate) struct VoiceEncoder {
    config: OpusConfig,
    encoder: Option<OpusEncoder>,
    pending: Vec<f32>,
    /// Samples of silence since a packet was last sent; `None` while there is sound.
    silence: Option<usize>,
    followed: Instant,
}

impl VoiceEncoder {
    pub(crate) fn new(now: Instant) -> Self {
        Self { config: START, encoder: None, pending: Vec::with_capacity(4 * BLOCK), silence: None, followed: now }
    }

    /// Drops the samples that do not fill a packet.
    pub(crate) fn clear(&mut self) {
        self.pending.clear();
    }

    /// Adds a block. Returns a packet when one is full.
    pub(crate) fn push(&mut self, block: &[f32; BLOCK]) -> Option<Voice> {
        self.pending.extend_from_slice(block);
        if self.pending.len() < (self.config.frame_ms * 48) as usize {
            return None;
        }
        let packet = self.encode();
        let samples = self.pending.len();
        let rms_dbfs = Level::of(&self.pending).rms_dbfs;
        self.pending.clear();
        match packet {
            Ok(packet) => Some(Voice { needed: self.is_needed(packet.len(), samples), packet, samples, rms_dbfs }),
            Err(error) => {
                tracing::warn!("sound could not be encoded: {error}");
                None
            }
        }
    }

    fn is_needed(&mut self, bytes: usize, samples: usize) -> bool {
        let silence = self.silence.map(|before| before + samples);
        let needed = bytes > SILENT_PACKET || silence.is_none_or(|silence| silence >= SILENCE_INTERVAL);
        self.silence = match (bytes > SILENT_PACKET, needed) {
            (true, _) => None,
            (false, true) => Some(0),
            (false, false) => silence,
        };
        needed
    }

    fn encode(&mut self) -> Result<Bytes, OpusError> {
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            None => self.encoder.insert(OpusEncoder::new(self.config)?),
        };
        encoder.encode(&self.pending)
    }

    /// Adapts to what the connections need, twice a second. Call it after a packet, so that the next one may have another
    /// length.
    pub(crate) fn follow<I: Iterator<Item = AudioNeed>>(&mut self, now: Instant, needs: impl FnOnce() -> I) {
        if now.saturating_duration_since(self.followed) < INTERVAL {
            return;
        }
        self.followed = now;
        let Some(config) = combine(self.config, needs()).filter(|config| *config != self.config) else { return };
        self.config = config;
        let Some(encoder) = &mut self.encoder else { return };
        if let Err(error) = encoder.reconfigure(config) {
            tracing::warn!("the encoder of sound was replaced: {error}");
            self.encoder = None;
        }
    }
}

/// The configuration for all connections; `None` without connections.
fn combine(before: OpusConfig, needs: impl Iterator<Item = AudioNeed>) -> Option<OpusConfig> {
    let worst = needs.reduce(|a, b| AudioNeed {
        bitrate: a.bitrate.min(b.bitrate),
        fec_percent: a.fec_percent.max(b.fec_percent),
        packet_ms: a.packet_ms.max(b.packet_ms),
        total: a.total.max(b.total),
        wire: a.wire.max(b.wire),
    })?;
    let is_near = worst.bitrate.abs_diff(before.bitrate) <= before.bitrate / BITRATE_STEP;
    Some(OpusConfig {
        bitrate: if is_near { before.bitrate } else { worst.bitrate },
        expected_loss_percent: worst.fec_percent,
        frame_ms: worst.packet_ms,
        dtx: worst.packet_ms > START.frame_ms,
        ..before
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: AudioNeed = AudioNeed { bitrate: 32_000, fec_percent: 1, packet_ms: 20, total: 40_000, wire: 55_000 };

    fn speak(encoder: &mut VoiceEncoder, blocks: usize) -> Vec<Voice> {
        let block: [f32; BLOCK] = std::array::from_fn(|n| 0.2 * (n as f32 / 20.0).sin());
        (0..blocks).filter_map(|_| encoder.push(&block)).collect()
    }

    #[test]
    fn the_worst_path_counts() {
        let lossy = AudioNeed { fec_percent: 12, ..GOOD };
        let narrow = AudioNeed { bitrate: 14_000, packet_ms: 40, ..GOOD };
        let config = combine(START, [GOOD, lossy, narrow].into_iter()).unwrap();
        assert_eq!((config.bitrate, config.expected_loss_percent, config.frame_ms), (14_000, 12, 40));
        assert_eq!(combine(START, std::iter::empty()), None);
    }

    #[test]
    fn small_changes_of_the_bitrate_are_ignored() {
        let near = AudioNeed { bitrate: 31_000, ..GOOD };
        assert_eq!(combine(START, std::iter::once(near)), Some(START));
    }

    #[test]
    fn silence_on_a_narrow_path_is_sent_seldom() {
        let start = Instant::now();
        let mut encoder = VoiceEncoder::new(start);
        let narrow = AudioNeed { bitrate: 12_000, packet_ms: 40, ..GOOD };
        encoder.follow(start + INTERVAL, || std::iter::once(narrow));
        assert!(speak(&mut encoder, 100).iter().all(|voice| voice.needed));
        let silent: Vec<Voice> = (0..1_000).filter_map(|_| encoder.push(&[0.0; BLOCK])).collect();
        let sent = silent[50..].iter().filter(|voice| voice.needed).count();
        assert!((18..=40).contains(&sent), "{sent} of {} in 8 s", silent[50..].len());
        assert!(speak(&mut encoder, 100)[1..].iter().all(|voice| voice.needed));
    }

    #[test]
    fn packets_follow_the_paths_within_half_a_second() {
        let start = Instant::now();
        let mut encoder = VoiceEncoder::new(start);
        let before = speak(&mut encoder, 50);
        assert!(before.len() == 25 && before.iter().all(|voice| voice.samples == 960));
        let narrow = AudioNeed { bitrate: 12_000, packet_ms: 40, ..GOOD };
        encoder.follow(start + Duration::from_millis(400), || std::iter::once(narrow));
        assert_eq!(speak(&mut encoder, 2).len(), 1, "not yet");
        encoder.follow(start + INTERVAL, || std::iter::once(narrow));
        let after = speak(&mut encoder, 48);
        assert!(after.len() == 12 && after.iter().all(|voice| voice.samples == 1_920));
        let bits = |voices: &[Voice]| voices.iter().map(|voice| voice.packet.len() * 8).sum::<usize>();
        assert!(bits(&after[2..]) * 2 < bits(&before[2..]), "{} {}", bits(&after[2..]), bits(&before[2..]));
    }
}
