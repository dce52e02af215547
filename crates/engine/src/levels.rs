//! The loudness of everybody, for level meters.

use media::audio::{BLOCK, SAMPLE_RATE};
use media::level::dbfs;
use signaling::message::ParticipantId;

/// Loudness over the last tenth of a second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Levels {
    /// Our own microphone, RMS in dBFS. Absent while it is closed.
    pub own: Option<f32>,
    /// Every participant that is played, RMS in dBFS.
    pub others: Vec<(ParticipantId, f32)>,
}

/// Sums squares until a window of a tenth of a second is full.
#[derive(Debug, Default)]
pub(crate) struct Loudness {
    sum: f64,
    samples: u32,
}

impl Loudness {
    /// The window in samples: a tenth of a second.
    const WINDOW: u32 = SAMPLE_RATE / 10;

    pub(crate) fn push(&mut self, block: &[f32; BLOCK]) {
        if self.samples >= Self::WINDOW {
            *self = Self::default();
        }
        self.sum += f64::from(block.iter().map(|s| s * s).sum::<f32>());
        self.samples += BLOCK as u32;
    }

    /// Whether [`rms_dbfs`](Self::rms_dbfs) covers a whole window.
    pub(crate) fn is_full(&self) -> bool {
        self.samples >= Self::WINDOW
    }

    pub(crate) fn rms_dbfs(&self) -> f32 {
        dbfs((self.sum / f64::from(self.samples.max(1))).sqrt() as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_cover_the_last_tenth_of_a_second() {
        let mut loudness = Loudness::default();
        for _ in 0..10 {
            assert!(!loudness.is_full());
            loudness.push(&[0.5; BLOCK]);
        }
        assert!(loudness.is_full());
        assert!((loudness.rms_dbfs() + 6.02).abs() < 0.01);
        (0..10).for_each(|_| loudness.push(&[0.0; BLOCK]));
        assert_eq!(loudness.rms_dbfs(), media::level::SILENCE_DBFS);
    }
}
