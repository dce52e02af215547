//! A timestamp inside audio: a short burst at each even second.
//!
//! A receiver derives the delay from the wall clock alone, modulo two seconds.
//!
//! # Format
//! At each even Unix second (ms mod 2000 = 0) starts a burst: 20 ms of a 3 kHz sine with amplitude 0.5 and linear ramps
//! of 2 ms at both ends. Other audio is muted from 80 ms before that moment until 80 ms after it.
//!
//! The detector examines windows of 5 ms (240 samples). A window is a hit if its energy (sum of squares) exceeds 0.5,
//! an RMS of 0.046, and more than 60 % of it is at 3 kHz (Goertzel). A hit after more than 20 windows without a hit is
//! an onset, at the window's first sample.

use crate::audio::SAMPLE_RATE;
use std::f64::consts::TAU;

const FREQUENCY: f64 = 3_000.0;
const BURST: i64 = 960;
const RAMP: i64 = 96;
const MUTE: i64 = 3_840;
const PERIOD: i64 = 96_000;
/// Tolerated difference between wall clock and sample count in samples (5 ms). Beyond it the count is reset.
const SLACK: i64 = 240;
const WINDOW: usize = 240;
const QUIET_WINDOWS: u32 = 20;

/// Inserts markers into generated audio.
#[derive(Debug, Default)]
pub struct Marks {
    position: Option<i64>,
}

impl Marks {
    /// Starts without a marker.
    pub fn new() -> Self {
        Self::default()
    }

    /// Mutes and marks `samples`, the first of which is captured at `unix_ms`. Blocks must be contiguous; small clock
    /// errors do not break a burst.
    pub fn apply(&mut self, unix_ms: f64, samples: &mut [f32]) {
        let clock = (unix_ms * f64::from(SAMPLE_RATE) / 1000.0).round() as i64;
        let start = match self.position {
            Some(position) if (position - clock).abs() <= SLACK => position,
            Some(_) | None => clock,
        };
        for (i, sample) in (start..).zip(samples.iter_mut()) {
            let phase = (i + MUTE).rem_euclid(PERIOD) - MUTE; // 0 at the start of the burst
            if phase < MUTE {
                *sample = burst(phase);
            }
        }
        self.position = Some(start + samples.len() as i64);
    }
}

fn burst(i: i64) -> f32 {
    if !(0..BURST).contains(&i) {
        return 0.0;
    }
    let ramp = (i.min(BURST - i) as f64 / RAMP as f64).min(1.0);
    (0.5 * ramp * (TAU * FREQUENCY * i as f64 / f64::from(SAMPLE_RATE)).sin()) as f32
}

/// Finds markers in played audio.
#[derive(Debug)]
pub struct Detector {
    window: [f32; WINDOW],
    filled: usize,
    quiet: u32,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// Starts without a preceding silence.
    pub fn new() -> Self {
        Self { window: [0.0; WINDOW], filled: 0, quiet: 0 }
    }

    /// Examines `samples`, the first of which is played at `unix_ms`. Returns the Unix times in ms of onsets. Blocks
    /// must be contiguous. Allocates only if there is an onset.
    pub fn push(&mut self, samples: &[f32], unix_ms: f64) -> Vec<f64> {
        let mut found = Vec::new();
        for (i, sample) in samples.iter().enumerate() {
            self.window[self.filled] = *sample;
            self.filled += 1;
            if self.filled == WINDOW {
                self.filled = 0;
                let first = i as f64 - (WINDOW - 1) as f64;
                if self.onset() {
                    found.push(unix_ms + first * 1000.0 / f64::from(SAMPLE_RATE));
                }
            }
        }
        found
    }

    fn onset(&mut self) -> bool {
        let hit = hit(&self.window);
        let onset = hit && self.quiet > QUIET_WINDOWS;
        self.quiet = if hit { 0 } else { self.quiet.saturating_add(1) };
        onset
    }
}

fn hit(window: &[f32; WINDOW]) -> bool {
    let k = 2.0 * (TAU * FREQUENCY / f64::from(SAMPLE_RATE)).cos();
    let (mut s1, mut s2, mut energy) = (0.0, 0.0, 0.0);
    for sample in window.iter().map(|s| f64::from(*s)) {
        (s1, s2) = (sample + k * s1 - s2, s1);
        energy += sample * sample;
    }
    let at_frequency = (s1 * s1 + s2 * s2 - k * s1 * s2) / (WINDOW / 2) as f64;
    energy > 0.5 && at_frequency / energy > 0.6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::BLOCK;

    const START_MS: f64 = 1_700_000_000_700.0;

    /// `seconds` of a marked hum; the wall clock is off by `jitter_ms` in every other block.
    fn marked(seconds: usize, jitter_ms: f64) -> Vec<f32> {
        let mut marks = Marks::new();
        let mut all = Vec::new();
        for block in 0..seconds * 100 {
            let mut samples = [0.0f32; BLOCK];
            for (i, s) in samples.iter_mut().enumerate() {
                *s = 0.3 * ((block * BLOCK + i) as f32 * 0.02).sin();
            }
            marks.apply(START_MS + 10.0 * block as f64 + jitter_ms * (block % 2) as f64, &mut samples);
            all.extend(samples);
        }
        all
    }

    #[test]
    fn a_burst_starts_at_each_even_second_with_silence_around() {
        let sound = marked(4, 0.0);
        let onset = 1_300 * 48; // 1_700_000_002_000
        assert!(sound[onset - 3_840..=onset].iter().all(|s| *s == 0.0));
        assert!(sound[onset + 960..onset + 3_840].iter().all(|s| *s == 0.0));
        let peak = sound[onset..onset + 960].iter().fold(0.0f32, |a, s| a.max(s.abs()));
        assert!((peak - 0.5).abs() < 0.01, "{peak}");
        assert!(sound[onset - 3_900] != 0.0 && sound[onset + 3_900] != 0.0);
    }

    #[test]
    fn the_detector_finds_each_burst_within_a_window_of_its_time() {
        for offset_ms in [0.0, 1.3, 37.7] {
            let mut detector = Detector::new();
            let found: Vec<f64> = marked(8, 0.0)
                .chunks(BLOCK)
                .enumerate()
                .flat_map(|(i, block)| detector.push(block, START_MS + offset_ms + 10.0 * i as f64))
                .collect();
            assert_eq!(found.len(), 4);
            for (i, ms) in found.iter().enumerate() {
                let late = ms - (1_700_000_002_000.0 + 2_000.0 * i as f64) - offset_ms;
                assert!((-5.0..=5.0).contains(&late), "{late}");
            }
        }
    }

    #[test]
    fn an_irregular_clock_does_not_split_a_burst() {
        assert_eq!(marked(4, 3.0), marked(4, 0.0));
    }

    #[test]
    fn loud_sound_at_other_frequencies_is_not_a_marker() {
        let mut detector = Detector::new();
        for hz in [440.0, 1_000.0, 2_500.0, 3_500.0] {
            let sound: Vec<f32> =
                (0..48_000).map(|i| 0.8 * (TAU * hz * f64::from(i) / 48_000.0).sin() as f32).collect();
            assert!(detector.push(&sound, 0.0).is_empty(), "{hz}");
        }
    }
}
