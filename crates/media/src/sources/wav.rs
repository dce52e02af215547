//! Sound from a WAV file, in a loop.

use crate::audio::SAMPLE_RATE;
use std::f64::consts::PI;
use std::io::Read;

/// Why a file gives no sound.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// It is no WAV file, damaged, or the disk failed.
    #[error("the WAV file cannot be read: {0}")]
    Unreadable(#[from] hound::Error),
    /// Something in its head is out of what we play.
    #[error("the WAV file has {0}")]
    Unsupported(String),
    /// There is nothing in it.
    #[error("the WAV file has no sound in it")]
    Empty,
    /// More than [`Wav::MAX_SECONDS`].
    #[error("the WAV file is longer than {} minutes", Wav::MAX_SECONDS / 60)]
    TooLong,
}

/// A sound held in memory as 48 kHz mono and played over and over.
#[derive(Debug, Clone)]
pub struct Wav {
    samples: Vec<f32>,
    position: usize,
}

impl Wav {
    /// The longest file, about 115 MB in memory.
    pub const MAX_SECONDS: u32 = 600;

    /// Reads all of a file of 8..=32 bit integers or 32-bit floats, 8..=192 kHz. Channels are averaged, other rates are
    /// resampled with a windowed sinc.
    pub fn read(input: impl Read) -> Result<Self, WavError> {
        let mut reader = hound::WavReader::new(input)?;
        let spec = reader.spec();
        check(&spec)?;
        if reader.duration() > spec.sample_rate.saturating_mul(Self::MAX_SECONDS) {
            return Err(WavError::TooLong);
        }
        let interleaved: Vec<f32> = match spec.sample_format {
            hound::SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
            hound::SampleFormat::Int => {
                let scale = 1.0 / (1u64 << (spec.bits_per_sample - 1)) as f32;
                reader.samples::<i32>().map(|s| s.map(|s| s as f32 * scale)).collect::<Result<_, _>>()?
            }
        };
        let mono = average(&interleaved, usize::from(spec.channels));
        let samples = resample(mono, spec.sample_rate);
        if samples.is_empty() { Err(WavError::Empty) } else { Ok(Self { samples, position: 0 }) }
    }

    /// Samples before it begins again.
    pub fn period(&self) -> usize {
        self.samples.len()
    }

    /// The next samples.
    pub fn fill(&mut self, out: &mut [f32]) {
        for sample in out {
            *sample = self.samples[self.position];
            self.position = (self.position + 1) % self.samples.len();
        }
    }
}

fn check(spec: &hound::WavSpec) -> Result<(), WavError> {
    if spec.channels == 0 {
        return Err(WavError::Unsupported("no channels".into()));
    }
    if !(8_000..=192_000).contains(&spec.sample_rate) {
        return Err(WavError::Unsupported(format!("a rate of {} Hz (8 to 192 kHz are played)", spec.sample_rate)));
    }
    let bits = spec.bits_per_sample;
    let fits = match spec.sample_format {
        hound::SampleFormat::Int => (8..=32).contains(&bits),
        hound::SampleFormat::Float => bits == 32,
    };
    if fits { Ok(()) } else { Err(WavError::Unsupported(format!("samples of {bits} bits"))) }
}

fn average(interleaved: &[f32], channels: usize) -> Vec<f32> {
    interleaved.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect()
}

/// Periods of the sinc on each side.
const REACH: f64 = 16.0;

fn resample(input: Vec<f32>, rate: u32) -> Vec<f32> {
    if rate == SAMPLE_RATE {
        return input;
    }
    let ratio = f64::from(rate) / f64::from(SAMPLE_RATE);
    let cutoff = (1.0 / ratio).min(1.0) * 0.95; // below both Nyquist frequencies, as a part of the input's
    let reach = REACH / cutoff;
    let length = (input.len() as f64 / ratio) as usize;
    (0..length)
        .map(|i| {
            let centre = i as f64 * ratio;
            let from = (centre - reach).ceil().max(0.0) as usize;
            let to = ((centre + reach).floor() as usize + 1).min(input.len());
            let sum: f64 = (from..to).map(|n| f64::from(input[n]) * kernel(n as f64 - centre, cutoff, reach)).sum();
            sum as f32
        })
        .collect()
}

/// Sinc under a Hann window.
fn kernel(x: f64, cutoff: f64, reach: f64) -> f64 {
    let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * cutoff * x).sin() / (PI * cutoff * x) };
    cutoff * sinc * (0.5 + 0.5 * (PI * x / reach).cos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::TAU;
    use std::io::Cursor;

    fn file(rate: u32, channels: u16, sound: impl Fn(u32) -> f32, seconds: f64) -> Vec<u8> {
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for i in 0..(f64::from(rate) * seconds) as u32 {
            for _ in 0..channels {
                writer.write_sample((sound(i) * 32_767.0) as i16).unwrap();
            }
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn sine(hz: f64, rate: u32) -> impl Fn(u32) -> f32 {
        move |i| 0.5 * (TAU * hz * f64::from(i) / f64::from(rate)).sin() as f32
    }

    #[test]
    fn a_file_of_our_own_rate_comes_back_as_it_is_and_loops() {
        let mut wav = Wav::read(Cursor::new(file(48_000, 1, sine(440.0, 48_000), 0.1))).unwrap();
        assert_eq!(wav.period(), 4_800);
        let (mut once, mut again) = ([0.0; 4_800], [0.0; 4_800]);
        wav.fill(&mut once);
        wav.fill(&mut again);
        assert_eq!(once, again);
        assert!((once[100] - sine(440.0, 48_000)(100)).abs() < 1e-3);
    }

    #[test]
    fn other_rates_and_stereo_keep_their_sound() {
        for rate in [8_000, 16_000, 44_100, 96_000] {
            let mut wav = Wav::read(Cursor::new(file(rate, 2, sine(440.0, rate), 0.5))).unwrap();
            let mut out = vec![0.0; wav.period()];
            wav.fill(&mut out);
            let wanted = sine(440.0, 48_000);
            let worst = (2_000..20_000).map(|i| (out[i as usize] - wanted(i)).abs()).fold(0.0, f32::max);
            assert!(worst < 0.01, "{rate}: {worst}");
        }
    }

    #[test]
    fn what_we_cannot_play_is_said() {
        let text = |bytes: Vec<u8>| Wav::read(Cursor::new(bytes)).unwrap_err().to_string();
        assert!(text(b"not a wav".to_vec()).contains("cannot be read"));
        assert!(text(file(48_000, 1, |_| 0.0, 0.0)).contains("no sound"));
        assert!(text(file(4_000, 1, |_| 0.0, 0.1)).contains("4000 Hz"));
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_an_error_or_sound_but_no_panic(at in 0usize..44, value in any::<u8>(), cut in 0usize..500) {
            let mut bytes = file(48_000, 1, sine(440.0, 48_000), 0.005);
            bytes[at] = value;
            bytes.truncate(cut.max(44));
            if let Ok(mut wav) = Wav::read(Cursor::new(bytes)) {
                wav.fill(&mut [0.0; 480]);
            }
        }
    }
}
