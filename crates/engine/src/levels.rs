//! The loudness of everybody, for level meters, and who speaks.

use media::audio::BLOCK;
use media::level::{AudioLevel, SILENCE_DBFS, dbfs};
use signaling::message::ParticipantId;

/// Loudness over the last tenth of a second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Levels {
    /// Our own microphone, RMS in dBFS. Absent while it is closed.
    pub own: Option<f32>,
    /// Every participant, RMS in dBFS.
    pub others: Vec<(ParticipantId, f32)>,
    /// Whether we speak into our own microphone.
    pub own_speaking: bool,
    /// The participants who speak.
    pub speaking: Vec<ParticipantId>,
    /// The participant who speaks, or spoke last.
    pub active: Option<ParticipantId>,
}

/// Sums squares of samples.
#[derive(Debug, Default)]
pub(crate) struct Loudness {
    sum: f64,
    samples: u32,
}

impl Loudness {
    pub(crate) fn push(&mut self, block: &[f32; BLOCK]) {
        self.sum += f64::from(block.iter().map(|s| s * s).sum::<f32>());
        self.samples += BLOCK as u32;
    }

    /// RMS in dBFS since the last call. Nothing is silence.
    pub(crate) fn take(&mut self) -> f32 {
        let Self { sum, samples } = std::mem::take(self);
        dbfs((sum / f64::from(samples.max(1))).sqrt() as f32)
    }
}

/// The level that a participant's packets say (RFC 6464).
#[derive(Debug, Default)]
pub(crate) struct PacketLevels {
    /// Mean squares of the packets since the last call of [`PacketLevels::take`], and their number.
    sum: f64,
    packets: u32,
    /// The last level, and how often it was taken again because nothing came.
    last: Option<(f32, u32)>,
}

impl PacketLevels {
    /// How often a level is taken again: packets of 120 ms, or late ones, are no silence.
    const HOLD: u32 = 3;

    /// A packet has arrived with this level. Without one, the far side does not send levels.
    pub(crate) fn push(&mut self, level: Option<AudioLevel>) {
        match level {
            Some(level) => {
                self.sum += 10f64.powf(f64::from(level.dbfs()) / 10.0);
                self.packets += 1;
            }
            None => *self = Self::default(),
        }
    }

    /// The level since the last call, RMS in dBFS. `None` if the far side does not send levels.
    pub(crate) fn take(&mut self) -> Option<f32> {
        let Self { sum, packets, last } = std::mem::take(self);
        self.last = match (packets, last) {
            (0, Some((level, held))) if held < Self::HOLD => Some((level, held + 1)),
            (0, last) => last.map(|(_, held)| (SILENCE_DBFS, held)),
            (_, _) => Some((dbfs((sum / f64::from(packets)).sqrt() as f32), 0)),
        };
        self.last.map(|(level, _)| level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loudness_is_that_since_the_last_call() {
        let mut loudness = Loudness::default();
        (0..10).for_each(|_| loudness.push(&[0.5; BLOCK]));
        assert!((loudness.take() + 6.02).abs() < 0.01);
        assert_eq!(loudness.take(), SILENCE_DBFS);
    }

    #[test]
    fn levels_of_packets_outlast_a_gap_and_not_the_end_of_sound() {
        let mut levels = PacketLevels::default();
        assert_eq!(levels.take(), None);
        for dbfs in [-20.0, -20.0, -127.0, -127.0] {
            levels.push(Some(AudioLevel::new(dbfs, true)));
        }
        let first = levels.take().unwrap();
        assert!((first + 23.0).abs() < 0.1, "half of the time as loud: {first}");
        (0..3).for_each(|_| assert_eq!(levels.take(), Some(first)));
        (0..9).for_each(|_| assert_eq!(levels.take(), Some(SILENCE_DBFS)));
        levels.push(None);
        assert_eq!(levels.take(), None);
    }
}
