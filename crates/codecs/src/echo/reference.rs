//! The played samples, at the clock of the microphone.

use media::audio::BLOCK;
use std::f64::consts::PI;

/// Samples that are kept, 1.4 s. When full, the oldest are overwritten; delays that long are not cancelled.
const KEPT: usize = 1 << 16;
/// Samples on each side of a position from which it is interpolated.
const HALF: usize = 16;
/// Positions between two samples.
const PHASES: usize = 256;

/// Played samples, read at a position that moves with the clock of the microphone.
pub(super) struct Reference {
    samples: Vec<f32>,
    /// Number of samples so far.
    written: i64,
    /// Position of the next sample to read.
    at: f64,
    /// Weights of the samples around a position, for each position between two samples.
    phases: Vec<[f32; 2 * HALF]>,
}

impl Reference {
    pub(super) fn new() -> Reference {
        let phases = (0..PHASES).map(|phase| sinc(phase as f64 / PHASES as f64)).collect();
        Reference { samples: vec![0.0; KEPT], written: 0, at: 0.0, phases }
    }

    /// Appends a block that is about to be played.
    pub(super) fn write(&mut self, block: &[f32; BLOCK]) {
        for sample in block {
            self.samples[slot(self.written)] = *sample;
            self.written += 1;
        }
    }

    /// From the end of the block that is read next to the end of what was written, in samples.
    pub(super) fn lead(&self) -> f64 {
        self.written as f64 - self.at - BLOCK as f64
    }

    /// Reads the next block at this distance from what was written.
    pub(super) fn set_lead(&mut self, lead: f64) {
        self.at = self.written as f64 - lead - BLOCK as f64;
    }

    /// Reads later samples, by this many.
    pub(super) fn shift(&mut self, samples: f64) {
        self.at += samples;
    }

    /// Reads a block. `ratio` is the distance of the microphone's samples, in played samples. What was not written yet, or is
    /// no longer kept, is 0.
    pub(super) fn read(&mut self, ratio: f64) -> [f32; BLOCK] {
        let block = std::array::from_fn(|n| self.sample(self.at + n as f64 * ratio));
        self.at += BLOCK as f64 * ratio;
        block
    }

    fn sample(&self, at: f64) -> f32 {
        let floor = at.floor();
        let taps = &self.phases[((at - floor) * PHASES as f64) as usize % PHASES];
        let first = floor as i64 - HALF as i64 + 1;
        let end = first + 2 * HALF as i64;
        if first < 0 || first < self.written - KEPT as i64 || end > self.written {
            return 0.0;
        }
        match self.samples.get(slot(first)..slot(first) + 2 * HALF) {
            Some(samples) => samples.iter().zip(taps).map(|(sample, tap)| sample * tap).sum(),
            None => (first..end).zip(taps).map(|(n, tap)| self.samples[slot(n)] * tap).sum(),
        }
    }
}

fn slot(number: i64) -> usize {
    number as usize % KEPT
}

/// The weights of the samples around a position that is this far after one of them: a windowed sinc.
fn sinc(phase: f64) -> [f32; 2 * HALF] {
    std::array::from_fn(|n| {
        let x = phase - (n as f64 - (HALF as f64 - 1.0));
        let window = 0.5 + 0.5 * (PI * x / HALF as f64).cos();
        let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) };
        (sinc * window) as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    const SPEED: f64 = TAU * 1_000.0 / 48_000.0;

    /// A tone of 1 kHz that has been written for two seconds.
    fn tone() -> Reference {
        let mut reference = Reference::new();
        for n in 0..200 {
            reference.write(&std::array::from_fn(|i| (SPEED * (n * BLOCK + i) as f64).sin() as f32));
        }
        reference
    }

    #[test]
    fn positions_between_samples_are_interpolated() {
        let mut reference = tone();
        reference.set_lead(20_000.25);
        let at = reference.at;
        let read = reference.read(1.000_2);
        for (n, sample) in read.iter().enumerate() {
            let expected = (SPEED * (at + n as f64 * 1.000_2)).sin() as f32;
            assert!((sample - expected).abs() < 2e-3, "{n}: {sample} {expected}");
        }
        assert!((reference.lead() - (20_000.25 - 480.0 * 1.000_2)).abs() < 1e-6);
    }

    #[test]
    fn what_is_not_there_is_silence() {
        let mut reference = tone();
        for lead in [-480.0, -1e9, 65_600.0, 1e9] {
            reference.set_lead(lead);
            assert_eq!(reference.read(1.0), [0.0; BLOCK], "{lead}");
        }
    }
}
