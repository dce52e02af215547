//! The test sound: three soft notes, with which people check their loudspeaker.

use media::audio::{BLOCK, SAMPLE_RATE};
use std::f32::consts::TAU;
use std::time::Duration;

/// The duration of the sound.
pub(crate) const LENGTH: Duration = Duration::from_millis(1_200);

/// Frequency in Hz and start in samples of each note: a major chord, one note after the other.
const NOTES: [(f32, u32); 3] = [(523.25, 0), (659.26, SAMPLE_RATE / 5), (783.99, SAMPLE_RATE * 2 / 5)];
/// Amplitude of one note.
const AMPLITUDE: f32 = 0.16;
/// The time in which a note falls to 1/e, about a third, in seconds.
const DECAY_S: f32 = 0.22;

/// A position in the test sound.
#[derive(Debug, Default)]
pub(crate) struct Chime {
    at: u32,
}

impl Chime {
    /// Adds the next block. Returns false at the end of the sound.
    pub(crate) fn add(&mut self, block: &mut [f32; BLOCK]) -> bool {
        for sample in block.iter_mut() {
            *sample = (*sample + self.sample()).clamp(-1.0, 1.0);
            self.at += 1;
        }
        Duration::from_millis(u64::from(self.at) * 1_000 / u64::from(SAMPLE_RATE)) < LENGTH
    }

    fn sample(&self) -> f32 {
        let rate = SAMPLE_RATE as f32;
        let note = |(hz, from): (f32, u32)| {
            let Some(age) = self.at.checked_sub(from) else { return 0.0 };
            let seconds = age as f32 / rate;
            let attack = (seconds / 0.01).min(1.0); // 10 ms: no click
            AMPLITUDE * attack * (-seconds / DECAY_S).exp() * (TAU * hz * seconds).sin()
        };
        NOTES.into_iter().map(note).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chime_is_audible_click_free_and_finite() {
        let mut chime = Chime::default();
        let mut all = vec![];
        loop {
            let mut block = [0.0; BLOCK];
            let more = chime.add(&mut block);
            all.extend(block);
            if !more {
                break;
            }
        }
        assert_eq!(all.len() as u128, LENGTH.as_millis() * 48);
        let peak = all.iter().fold(0.0f32, |p, s| p.max(s.abs()));
        assert!((0.1..0.5).contains(&peak), "{peak}");
        let jump = all.windows(2).fold(0.0f32, |j, w| j.max((w[1] - w[0]).abs()));
        assert!(jump < 0.06, "{jump}");
    }
}
