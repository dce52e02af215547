//! Tracks the origin of each decoded sample until it is played, and counts played samples.

use super::stats::AudioBufferStats;
use crate::audio::{BLOCK, SAMPLE_RATE};
use std::collections::VecDeque;

/// The origin of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SampleKind {
    /// Decoded from a packet with this arrival time, in samples.
    Decoded {
        arrived: i64,
    },
    Concealed,
    SilentConcealed,
    ComfortNoise,
    Silence,
}

/// Consecutive samples of one kind.
#[derive(Debug, Clone, Copy)]
struct Span {
    samples: usize,
    kind: SampleKind,
}

/// Mirrors the queue of decoded samples, and counts them when they are played.
#[derive(Debug, Default)]
pub(super) struct SampleTracker {
    spans: VecDeque<Span>,
    pub(super) stats: AudioBufferStats,
}

impl SampleTracker {
    /// Adds samples at the end.
    pub(super) fn add(&mut self, samples: usize, kind: SampleKind) {
        match self.spans.back_mut() {
            Some(span) if span.kind == kind => span.samples += samples,
            Some(_) | None => self.spans.push_back(Span { samples, kind }),
        }
    }

    /// Removes samples from the last span.
    pub(super) fn remove_last(&mut self, samples: usize) {
        if let Some(span) = self.spans.back_mut() {
            span.samples -= samples.min(span.samples);
        }
    }

    /// Records that samples were inserted at the front.
    pub(super) fn lengthen(&mut self, samples: usize) {
        if let Some(span) = self.spans.front_mut() {
            span.samples += samples;
        }
        self.stats.inserted_samples += samples as u64;
    }

    /// Records that samples were removed at the front.
    pub(super) fn shorten(&mut self, samples: usize) {
        self.stats.removed_samples += samples as u64;
        self.consume(samples, |_, _| {});
    }

    /// Counts a block that is played at `now`, with a target delay of `target` samples. Returns the kind of its first sample.
    pub(super) fn play(&mut self, now: i64, target: i64) -> SampleKind {
        let first = self.spans.front().map_or(SampleKind::Silence, |span| span.kind);
        let mut stats = self.stats;
        self.consume(BLOCK, |kind, samples| count(&mut stats, kind, samples as u64, now, target));
        self.stats = stats;
        first
    }

    /// Removes samples from the front, and calls `each` for each kind.
    fn consume(&mut self, mut samples: usize, mut each: impl FnMut(SampleKind, usize)) {
        while samples > 0 {
            let Some(span) = self.spans.front_mut() else { return };
            let taken = span.samples.min(samples);
            span.samples -= taken;
            samples -= taken;
            each(span.kind, taken);
            if span.samples == 0 {
                self.spans.pop_front();
            }
        }
    }
}

fn count(stats: &mut AudioBufferStats, kind: SampleKind, samples: u64, now: i64, target: i64) {
    match kind {
        SampleKind::Decoded { arrived } => {
            let seconds = samples as f64 / f64::from(SAMPLE_RATE);
            stats.jitter_buffer_emitted += samples;
            stats.jitter_buffer_delay_s += seconds * (now - arrived) as f64;
            stats.jitter_buffer_target_delay_s += seconds * target as f64;
        }
        SampleKind::Concealed => stats.concealed_samples += samples,
        SampleKind::SilentConcealed => {
            stats.concealed_samples += samples;
            stats.silent_concealed_samples += samples;
        }
        SampleKind::Silence if stats.total_samples == 0 => return, // before the first packet
        SampleKind::ComfortNoise | SampleKind::Silence => {}
    }
    stats.total_samples += samples;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_is_counted_when_it_is_played() {
        let mut tracker = SampleTracker::default();
        tracker.add(480, SampleKind::Silence);
        tracker.add(960, SampleKind::Decoded { arrived: 0 });
        tracker.add(240, SampleKind::Concealed);
        tracker.add(240, SampleKind::SilentConcealed);
        assert_eq!(tracker.play(480, 96), SampleKind::Silence);
        assert_eq!(tracker.stats, AudioBufferStats::default());
        tracker.play(960, 96);
        tracker.play(1_440, 96);
        assert_eq!(tracker.play(1_920, 96), SampleKind::Concealed);
        let stats = tracker.stats;
        assert_eq!((stats.total_samples, stats.concealed_samples, stats.silent_concealed_samples), (1_440, 480, 240));
        assert_eq!(stats.jitter_buffer_emitted, 960);
        assert!((stats.jitter_buffer_delay_s / 960.0 - 0.025).abs() < 1e-9, "{stats:?}"); // 20 ms and 30 ms
        assert!((stats.jitter_buffer_target_delay_s / 960.0 - 0.002).abs() < 1e-9);
    }

    #[test]
    fn stretching_shifts_later_samples() {
        let mut tracker = SampleTracker::default();
        tracker.add(480, SampleKind::Decoded { arrived: 0 });
        tracker.add(480, SampleKind::ComfortNoise);
        tracker.shorten(300);
        tracker.lengthen(60);
        tracker.remove_last(100);
        tracker.play(0, 0);
        assert_eq!(tracker.stats.jitter_buffer_emitted, 240);
        assert_eq!((tracker.stats.removed_samples, tracker.stats.inserted_samples), (300, 60));
    }
}
