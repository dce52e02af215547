//! What others hear of somebody, judged from a few seconds: level, noise, echo and drop-outs.
//!
//! A [`Sample`] has what the microphone delivered, what of it would be audible to others, and what came back while that was
//! played here. [`Sample::judge`] names every defect that a listener would notice.

use crate::audio::{BLOCK, clean};

/// Seconds that are recorded.
pub const SECONDS: usize = 5;
/// The most blocks of 10 ms in each part of a sample. More are dropped.
pub const BLOCKS: usize = SECONDS * 100;

/// A defect of somebody's sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SoundDefect {
    /// The microphone delivers silence: it is muted, or the wrong one.
    NoSound,
    /// There is sound, but nobody speaks.
    NoVoice,
    /// The voice is far quieter than others expect.
    TooQuiet,
    /// The microphone is overdriven, which distorts the voice.
    TooLoud,
    /// The noise is nearly as loud as the voice.
    Noisy,
    /// Others hear themselves, because the microphone picks up the loudspeaker.
    Echo,
    /// The microphone stops again and again.
    DropOuts,
}

/// Level of a block of digital silence, in dBFS.
const SILENCE: f32 = -100.0;
/// Loudest block of a microphone that delivers nothing, in dBFS.
const NO_SOUND: f32 = -75.0;
/// A block is voice if it is this much louder than the noise, and not quieter than the least voice.
const VOICE_ABOVE_NOISE: f32 = 8.0;
const LEAST_VOICE: f32 = -55.0;
/// Blocks of voice without which nobody spoke: 0.4 s.
const VOICE_BLOCKS: usize = 40;
/// The share of blocks that are quieter than noise is: the pauses between words.
const QUIETEST: usize = 10;
/// A voice below this is too quiet, in dBFS. The automatic gain aims at about -20.
const TOO_QUIET: f32 = -38.0;
/// A sample at least this large may be clipped. A block is if it has several, and the sound is if several blocks are.
const CLIPPED: f32 = 0.985;
const CLIPPED_SAMPLES: usize = 4;
const CLIPPED_BLOCKS: usize = 6;
/// Voice that is less than this above its noise is hard to follow. Noise below the second level is not noticed.
const LEAST_SNR: f32 = 15.0;
const UNNOTICED_NOISE: f32 = -58.0;
/// A gap is at least 5 ms of one value after 5 ms of sound. A gate closes in pauses, which are quiet.
const GAP: usize = 240;
const BEFORE_GAP: f32 = -42.0;
/// Gaps, and blocks that never came, that are noticed.
const GAPS: usize = 2;
const MISSING: usize = 4;
/// What is played comes back within this many blocks.
const ECHO_DELAY: usize = 60;
/// Sound that comes back is an echo if its level follows that of what was played, and it is audible.
const ECHO_AGREEMENT: f32 = 0.5;
const AUDIBLE_ECHO: f32 = -52.0;
/// Blocks of voice that must be played before an echo can be found.
const PLAYED_BLOCKS: usize = 60;

/// A few seconds of somebody's sound. Each part holds at most [`BLOCKS`] blocks.
#[derive(Debug, Default)]
pub struct Sample {
    captured: Vec<[f32; BLOCK]>,
    audible: Vec<[f32; BLOCK]>,
    played: Vec<f32>,
    returned: Vec<f32>,
    missing: usize,
}

impl Sample {
    /// Takes a block of the microphone, before any processing.
    pub fn captured(&mut self, block: &[f32; BLOCK]) {
        if self.captured.len() < BLOCKS {
            self.captured.push(block.map(clean));
        }
    }

    /// Takes a block that would be audible to others.
    pub fn audible(&mut self, block: &[f32; BLOCK]) {
        if self.audible.len() < BLOCKS {
            self.audible.push(block.map(clean));
        }
    }

    /// Takes a block that is played here, so that its echo can be found.
    pub fn played(&mut self, block: &[f32; BLOCK]) {
        if self.played.len() < BLOCKS {
            self.played.push(level(block));
        }
    }

    /// Takes a block that would be sent while the recording is played.
    pub fn returned(&mut self, block: &[f32; BLOCK]) {
        if self.returned.len() < BLOCKS {
            self.returned.push(level(block));
        }
    }

    /// The microphone delivered this many blocks too few.
    pub fn set_missing(&mut self, blocks: usize) {
        self.missing = blocks;
    }

    /// Number of blocks captured.
    pub fn len(&self) -> usize {
        self.captured.len()
    }

    /// Whether nothing was captured.
    pub fn is_empty(&self) -> bool {
        self.captured.is_empty()
    }

    /// What would be audible to others, in blocks.
    pub fn recording(&self) -> &[[f32; BLOCK]] {
        &self.audible
    }

    /// The defects, the most serious first. Empty if the sound is good.
    pub fn judge(&self) -> Vec<SoundDefect> {
        let captured: Vec<f32> = self.captured.iter().map(level).collect();
        if captured.iter().all(|level| *level < NO_SOUND) {
            return vec![SoundDefect::NoSound];
        }
        let levels: Vec<f32> = self.audible.iter().map(level).collect();
        let noise = noise(&levels);
        let voices: Vec<f32> =
            levels.into_iter().filter(|level| *level > (noise + VOICE_ABOVE_NOISE).max(LEAST_VOICE)).collect();
        let is_voice = voices.len() >= VOICE_BLOCKS;
        let voice = mean_power(&voices);
        let defects = [
            (!is_voice, SoundDefect::NoVoice),
            (self.is_interrupted(), SoundDefect::DropOuts),
            (self.is_clipped(), SoundDefect::TooLoud),
            (is_voice && voice < TOO_QUIET, SoundDefect::TooQuiet),
            (noise > UNNOTICED_NOISE && (!is_voice || voice - noise < LEAST_SNR), SoundDefect::Noisy),
            (self.has_echo(noise), SoundDefect::Echo),
        ];
        defects.into_iter().filter_map(|(is, defect)| is.then_some(defect)).collect()
    }

    fn is_clipped(&self) -> bool {
        let clipped =
            |block: &&[f32; BLOCK]| block.iter().filter(|sample| sample.abs() >= CLIPPED).count() >= CLIPPED_SAMPLES;
        self.captured.iter().filter(clipped).count() >= CLIPPED_BLOCKS
    }

    fn is_interrupted(&self) -> bool {
        let samples = self.captured.as_flattened();
        let mut gaps = 0;
        let mut start = 0;
        for end in 1..=samples.len() {
            if end < samples.len() && samples[end] == samples[start] {
                continue;
            }
            let before = &samples[start.saturating_sub(GAP)..start];
            let is_gap = end - start >= GAP && end < samples.len() && samples[start].abs() < CLIPPED;
            gaps += usize::from(is_gap && decibels(before) > BEFORE_GAP);
            start = end;
        }
        gaps >= GAPS || self.missing >= MISSING
    }

    /// Whether the level of what came back follows that of what was played.
    fn has_echo(&self, noise: f32) -> bool {
        let loud = |level: &&f32| **level > LEAST_VOICE;
        if self.played.iter().filter(loud).count() < PLAYED_BLOCKS {
            return false;
        }
        (0..ECHO_DELAY).any(|delay| {
            let pairs = self.played.iter().zip(self.returned.iter().skip(delay));
            let pairs: Vec<(f32, f32)> = pairs.map(|(played, back)| (played.max(-70.0), back.max(-70.0))).collect();
            let back: Vec<f32> = pairs.iter().filter(|pair| pair.0 > LEAST_VOICE).map(|pair| pair.1).collect();
            mean_power(&back) > AUDIBLE_ECHO.max(noise + 3.0) && correlation(&pairs) > ECHO_AGREEMENT
        })
    }
}

/// Level of a block in dBFS.
fn level(block: &[f32; BLOCK]) -> f32 {
    decibels(block)
}

fn decibels(samples: &[f32]) -> f32 {
    let sum: f32 = samples.iter().map(|sample| clean(*sample).powi(2)).sum();
    (10.0 * (sum / samples.len().max(1) as f32).log10()).max(SILENCE)
}

/// The level between words.
fn noise(levels: &[f32]) -> f32 {
    let mut sorted = levels.to_vec();
    sorted.sort_by(f32::total_cmp);
    sorted.get(sorted.len() / QUIETEST).copied().unwrap_or(SILENCE)
}

/// The level of the mean power, in dBFS.
fn mean_power(levels: &[f32]) -> f32 {
    let sum: f32 = levels.iter().map(|level| 10f32.powf(level / 10.0)).sum();
    (10.0 * (sum / levels.len().max(1) as f32).log10()).max(SILENCE)
}

/// Pearson's correlation; 0 if either side is constant.
fn correlation(pairs: &[(f32, f32)]) -> f32 {
    let count = pairs.len().max(1) as f32;
    let mean = |of: fn(&(f32, f32)) -> f32| pairs.iter().map(of).sum::<f32>() / count;
    let (a, b) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let sum = |of: &dyn Fn(f32, f32) -> f32| pairs.iter().map(|pair| of(pair.0 - a, pair.1 - b)).sum::<f32>();
    let scale = (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
    if scale > f32::MIN_POSITIVE { sum(&|a, b| a * b) / scale } else { 0.0 }
}
