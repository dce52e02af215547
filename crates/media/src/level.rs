//! Audio level in dBFS.

/// The level of silence; the lowest of RFC 6464.
pub const SILENCE_DBFS: f32 = -127.0;

/// The level of a stretch of audio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Root mean square; a full-scale sine has -3.01.
    pub rms_dbfs: f32,
    /// The largest sample.
    pub peak_dbfs: f32,
}

impl Level {
    /// Digital silence.
    pub const SILENCE: Level = Level { rms_dbfs: SILENCE_DBFS, peak_dbfs: SILENCE_DBFS };

    /// Measures samples. No samples count as silence.
    pub fn of(samples: &[f32]) -> Self {
        let sum: f32 = samples.iter().map(|s| s * s).sum();
        let peak = samples.iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
        Self { rms_dbfs: dbfs((sum / samples.len().max(1) as f32).sqrt()), peak_dbfs: dbfs(peak) }
    }
}

/// The level that a packet of sound carries in its header (RFC 6464 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioLevel {
    /// How far the RMS is below full scale: 0 dB is the loudest, 127 dB is silence.
    pub below_full_scale: u8,
    /// Whether the sender takes the sound for speech.
    pub voice: bool,
}

impl AudioLevel {
    /// The level of samples with this RMS. What is not a number counts as silence.
    pub fn new(rms_dbfs: f32, voice: bool) -> Self {
        let below = if rms_dbfs.is_nan() { -SILENCE_DBFS } else { (-rms_dbfs).clamp(0.0, -SILENCE_DBFS) };
        Self { below_full_scale: below.round() as u8, voice }
    }

    /// Reads the one byte of the extension. Every value is valid.
    pub fn from_byte(byte: u8) -> Self {
        Self { below_full_scale: byte & 0x7f, voice: byte & 0x80 != 0 }
    }

    /// The one byte of the extension.
    pub fn to_byte(self) -> u8 {
        self.below_full_scale.min(0x7f) | if self.voice { 0x80 } else { 0 }
    }

    /// RMS in dBFS.
    pub fn dbfs(self) -> f32 {
        -f32::from(self.below_full_scale)
    }
}

/// Amplitude in dBFS, not below [`SILENCE_DBFS`].
pub fn dbfs(amplitude: f32) -> f32 {
    if amplitude > 0.0 { (20.0 * amplitude.log10()).max(SILENCE_DBFS) } else { SILENCE_DBFS }
}

/// A level for display: rises immediately, falls by [`Meter::FALL_DB_PER_S`].
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    shown: f32,
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

impl Meter {
    /// Rate of fall, similar to a studio peak meter (IEC 60268-10 type I).
    pub const FALL_DB_PER_S: f32 = 12.0;

    /// Starts at silence.
    pub fn new() -> Self {
        Self { shown: SILENCE_DBFS }
    }

    /// Processes the next samples at 48 kHz. Returns the level to show, in dBFS (RMS).
    pub fn push(&mut self, samples: &[f32]) -> f32 {
        let fall = Self::FALL_DB_PER_S * samples.len() as f32 / crate::audio::SAMPLE_RATE as f32;
        self.shown = Level::of(samples).rms_dbfs.max(self.shown - fall).max(SILENCE_DBFS);
        self.shown
    }

    /// The level shown last.
    pub fn shown(&self) -> f32 {
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn sine(amplitude: f32) -> Vec<f32> {
        (0..4_800).map(|i| amplitude * (TAU * i as f32 / 48.0).sin()).collect()
    }

    #[test]
    fn a_sine_has_its_textbook_levels() {
        let level = Level::of(&sine(0.5));
        assert!((level.peak_dbfs + 6.02).abs() < 0.02, "{level:?}");
        assert!((level.rms_dbfs + 9.03).abs() < 0.02, "{level:?}");
    }

    #[test]
    fn silence_and_empty_input_have_the_lowest_level() {
        assert_eq!(Level::of(&[0.0; 480]), Level::SILENCE);
        assert_eq!(Level::of(&[]), Level::SILENCE);
        assert_eq!(dbfs(1e-12), SILENCE_DBFS);
    }

    #[test]
    fn a_level_has_the_byte_of_the_rfc() {
        assert_eq!(AudioLevel::new(-30.4, true).to_byte(), 0x80 | 30);
        assert_eq!(AudioLevel::new(SILENCE_DBFS, false).to_byte(), 127);
        assert_eq!(AudioLevel::new(3.0, false).to_byte(), 0, "louder than full scale");
        for odd in [f32::NAN, f32::NEG_INFINITY, f32::MIN] {
            assert_eq!(AudioLevel::new(odd, false).to_byte(), 127, "{odd}");
        }
        for byte in 0..=255 {
            let level = AudioLevel::from_byte(byte);
            assert_eq!(level.to_byte(), byte);
            assert_eq!(AudioLevel::new(level.dbfs(), level.voice), level);
        }
    }

    #[test]
    fn the_meter_rises_at_once_and_falls_slowly() {
        let mut meter = Meter::new();
        let loud = meter.push(&sine(1.0));
        assert!((loud + 3.0).abs() < 0.1);
        for _ in 0..10 {
            meter.push(&[0.0; 4_800]);
        }
        assert!((meter.shown() - (loud - Meter::FALL_DB_PER_S)).abs() < 0.1, "{}", meter.shown());
    }
}
