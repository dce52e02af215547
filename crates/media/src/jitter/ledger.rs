//! Where each sample that waits to be played came from, and what was played so far.

use super::stats::AudioBufferStats;
use crate::audio::{BLOCK, SAMPLE_RATE};
use std::collections::VecDeque;

/// What samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Out of a packet that came then.
    Decoded {
        arrived: i64,
    },
    Concealed,
    SilentConcealed,
    Comfort,
    Silence,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    samples: usize,
    kind: Kind,
}

/// Runs along with the samples; counts them when they are played.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pieces: VecDeque<Piece>,
    pub(super) stats: AudioBufferStats,
}

impl Ledger {
    /// Samples were added at the end.
    pub(super) fn add(&mut self, samples: usize, kind: Kind) {
        match self.pieces.back_mut() {
            Some(piece) if piece.kind == kind => piece.samples += samples,
            Some(_) | None => self.pieces.push_back(Piece { samples, kind }),
        }
    }

    /// Some of those added last were taken back.
    pub(super) fn take_back(&mut self, samples: usize) {
        if let Some(piece) = self.pieces.back_mut() {
            piece.samples -= samples.min(piece.samples);
        }
    }

    /// The first samples were made more.
    pub(super) fn lengthen(&mut self, samples: usize) {
        if let Some(piece) = self.pieces.front_mut() {
            piece.samples += samples;
        }
        self.stats.inserted_samples += samples as u64;
    }

    /// The first samples were made fewer.
    pub(super) fn shorten(&mut self, samples: usize) {
        self.stats.removed_samples += samples as u64;
        self.walk(samples, |_, _| {});
    }

    /// A block is played at `now`, with a target of `target` samples; what its first sample is.
    pub(super) fn play(&mut self, now: i64, target: i64) -> Kind {
        let first = self.pieces.front().map_or(Kind::Silence, |piece| piece.kind);
        let mut stats = self.stats;
        self.walk(BLOCK, |kind, samples| count(&mut stats, kind, samples as u64, now, target));
        self.stats = stats;
        first
    }

    /// Takes samples off the front.
    fn walk(&mut self, mut samples: usize, mut each: impl FnMut(Kind, usize)) {
        while samples > 0 {
            let Some(piece) = self.pieces.front_mut() else { return };
            let taken = piece.samples.min(samples);
            piece.samples -= taken;
            samples -= taken;
            each(piece.kind, taken);
            if piece.samples == 0 {
                self.pieces.pop_front();
            }
        }
    }
}

fn count(stats: &mut AudioBufferStats, kind: Kind, samples: u64, now: i64, target: i64) {
    match kind {
        Kind::Decoded { arrived } => {
            let seconds = samples as f64 / f64::from(SAMPLE_RATE);
            stats.jitter_buffer_emitted += samples;
            stats.jitter_buffer_delay_s += seconds * (now - arrived) as f64;
            stats.jitter_buffer_target_delay_s += seconds * target as f64;
        }
        Kind::Concealed => stats.concealed_samples += samples,
        Kind::SilentConcealed => {
            stats.concealed_samples += samples;
            stats.silent_concealed_samples += samples;
        }
        Kind::Silence if stats.total_samples == 0 => return, // the stream has not begun
        Kind::Comfort | Kind::Silence => {}
    }
    stats.total_samples += samples;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_is_counted_when_it_is_played() {
        let mut ledger = Ledger::default();
        ledger.add(480, Kind::Silence);
        ledger.add(960, Kind::Decoded { arrived: 0 });
        ledger.add(240, Kind::Concealed);
        ledger.add(240, Kind::SilentConcealed);
        assert_eq!(ledger.play(480, 96), Kind::Silence);
        assert_eq!(ledger.stats, AudioBufferStats::default());
        ledger.play(960, 96);
        ledger.play(1_440, 96);
        assert_eq!(ledger.play(1_920, 96), Kind::Concealed);
        let stats = ledger.stats;
        assert_eq!((stats.total_samples, stats.concealed_samples, stats.silent_concealed_samples), (1_440, 480, 240));
        assert_eq!(stats.jitter_buffer_emitted, 960);
        assert!((stats.jitter_buffer_delay_s / 960.0 - 0.025).abs() < 1e-9, "{stats:?}"); // 20 ms and 30 ms
        assert!((stats.jitter_buffer_target_delay_s / 960.0 - 0.002).abs() < 1e-9);
    }

    #[test]
    fn stretching_moves_what_follows() {
        let mut ledger = Ledger::default();
        ledger.add(480, Kind::Decoded { arrived: 0 });
        ledger.add(480, Kind::Comfort);
        ledger.shorten(300);
        ledger.lengthen(60);
        ledger.take_back(100);
        ledger.play(0, 0);
        assert_eq!(ledger.stats.jitter_buffer_emitted, 240);
        assert_eq!((ledger.stats.removed_samples, ledger.stats.inserted_samples), (300, 60));
    }
}
