//! Plays a WAV file in a loop.

use super::error::{MAX_BYTES, MAX_SECONDS, WavError};
use super::riff::{self, Encoding, Format};
use crate::audio::{SAMPLE_RATE, clean};
use std::f64::consts::PI;
use std::io::Read;

/// Audio held in memory as 48 kHz mono and played in a loop.
#[derive(Debug, Clone)]
pub struct Wav {
    samples: Vec<f32>,
    position: usize,
}

/// Supported sample rates in Hz.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

impl Wav {
    /// The longest file in seconds, about 115 MB in memory.
    pub const MAX_SECONDS: u32 = MAX_SECONDS;
    /// The largest file in bytes: ten minutes of 32-bit stereo at 96 kHz.
    pub const MAX_BYTES: u64 = MAX_BYTES;

    /// Reads a file with integers of up to 32 bits, or floats of 32 or 64 bits, at 1 to 768 kHz. Channels are averaged,
    /// and other rates are resampled with a windowed sinc. The actual content counts, not the declared lengths. Samples
    /// that are not finite become 0.
    pub fn read(input: impl Read) -> Result<Self, WavError> {
        let mut bytes = vec![];
        input.take(Self::MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > Self::MAX_BYTES {
            return Err(WavError::TooLong);
        }
        let (format, data) = riff::parse(&bytes)?;
        if !RATES.contains(&format.rate) {
            return Err(WavError::Unsupported(format!("a rate of {} Hz", format.rate)));
        }
        let frames = data.len() / (format.container * format.channels);
        if frames as u64 > u64::from(format.rate) * u64::from(Self::MAX_SECONDS) {
            return Err(WavError::TooLong);
        }
        let mono = mono(format, data);
        drop(bytes);
        let samples = resample(mono, format.rate);
        if samples.is_empty() { Err(WavError::Empty) } else { Ok(Self { samples, position: 0 }) }
    }

    /// Number of samples before it repeats.
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

/// The mean of all channels. An incomplete frame at the end is dropped.
fn mono(format: Format, data: &[u8]) -> Vec<f32> {
    let Format { encoding, channels, container, .. } = format;
    let unused = unused_on_top(format, data);
    let sample = |bytes: &[u8]| match encoding {
        Encoding::Float => clean(float(bytes)),
        Encoding::Integer => (integer(bytes) << unused) as f32 / 2_147_483_648.0,
    };
    let frames = data.chunks_exact(container * channels);
    frames.map(|frame| frame.chunks_exact(container).map(sample).sum::<f32>() / channels as f32).collect()
}

fn float(bytes: &[u8]) -> f32 {
    match *bytes {
        [a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32,
        _ => 0.0,
    }
}

/// Converts a sample to 32 bits, using the highest bits. One-byte samples are unsigned.
fn integer(bytes: &[u8]) -> i32 {
    match *bytes {
        [a] => (i32::from(a) - 128) << 24,
        [a, b] => i32::from_le_bytes([0, 0, a, b]),
        [a, b, c] => i32::from_le_bytes([0, a, b, c]),
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]),
        _ => 0,
    }
}

/// The number of unused high bits. Samples smaller than their container should use its high bits; some programs use the
/// low ones. That is detected if no sample needs the high bits and the low bits are not all zero.
fn unused_on_top(format: Format, data: &[u8]) -> u32 {
    let Format { encoding, container, bits, .. } = format;
    let unused = (container as u32 * 8).saturating_sub(bits);
    if encoding == Encoding::Float || container == 1 || unused == 0 {
        return 0;
    }
    let samples = || data.chunks_exact(container).map(integer);
    let below = 32 - container as u32 * 8 + unused;
    let at_top = samples().all(|sample| sample.trailing_zeros() >= below);
    let at_bottom = samples().all(|sample| (sample << unused) >> unused == sample);
    if at_bottom && !at_top { unused } else { 0 }
}

/// Periods of the sinc on each side.
const REACH: f64 = 16.0;

fn resample(input: Vec<f32>, rate: u32) -> Vec<f32> {
    if rate == SAMPLE_RATE {
        return input;
    }
    let ratio = f64::from(rate) / f64::from(SAMPLE_RATE);
    let cutoff = (1.0 / ratio).min(1.0) * 0.95; // below both Nyquist frequencies, relative to the input's
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

/// A sinc with a Hann window.
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
    fn a_48_khz_file_is_unchanged_and_loops() {
        let mut wav = Wav::read(Cursor::new(file(48_000, 1, sine(440.0, 48_000), 0.1))).unwrap();
        assert_eq!(wav.period(), 4_800);
        let (mut first_pass, mut second_pass) = ([0.0; 4_800], [0.0; 4_800]);
        wav.fill(&mut first_pass);
        wav.fill(&mut second_pass);
        assert_eq!(first_pass, second_pass);
        assert!((first_pass[100] - sine(440.0, 48_000)(100)).abs() < 1e-3);
    }

    #[test]
    fn other_rates_and_stereo_are_converted() {
        for rate in [4_000, 8_000, 11_025, 16_000, 44_100, 96_000, 384_000] {
            let mut wav = Wav::read(Cursor::new(file(rate, 2, sine(440.0, rate), 0.5))).unwrap();
            let mut out = vec![0.0; wav.period()];
            wav.fill(&mut out);
            let wanted = sine(440.0, 48_000);
            let worst = (2_000..20_000).map(|i| (out[i as usize] - wanted(i)).abs()).fold(0.0, f32::max);
            assert!(worst < 0.01, "{rate}: {worst}");
        }
    }

    #[test]
    fn unsupported_files_are_refused_with_a_reason() {
        let text = |bytes: Vec<u8>| Wav::read(Cursor::new(bytes)).unwrap_err().to_string();
        assert!(text(b"not a wav".to_vec()).contains("not a WAV file"));
        assert!(text(file(48_000, 1, |_| 0.0, 0.0)).contains("no audio"));
        assert!(text(file(900, 1, |_| 0.0, 0.1)).contains("900 Hz"));
        let mut compressed = file(8_000, 1, |_| 0.0, 0.1);
        compressed[20] = 0x55;
        assert!(text(compressed).contains("compressed"));
    }

    /// A file of one tone in any layout.
    fn layout(tag: u16, container: u16, bits: u16, channels: u16, sample: impl Fn(f64) -> Vec<u8>) -> Vec<u8> {
        let block = container * channels;
        let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x28\0\0\0\xFE\xFF".to_vec();
        bytes.extend(channels.to_le_bytes());
        bytes.extend(48_000u32.to_le_bytes());
        bytes.extend((48_000 * u32::from(block)).to_le_bytes());
        for field in [block, container * 8, 22, bits, 0, 0, tag] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
        bytes.extend(b"data\xFF\xFF\xFF\xFF");
        for i in 0..4_800 {
            let value = f64::from(sine(440.0, 48_000)(i));
            (0..channels).for_each(|_| bytes.extend(sample(value)));
        }
        bytes
    }

    #[test]
    fn every_sample_format_gives_the_same_samples() {
        let whole = |bits: u32| move |value: f64| (value * f64::from(1u32 << (bits - 1))) as i64;
        let low = |value: i64, bytes: usize| value.to_le_bytes()[..bytes].to_vec();
        for channels in 1..=8 {
            for bytes in [
                layout(1, 1, 8, channels, |v| vec![(whole(8)(v) + 128) as u8]),
                layout(1, 2, 16, channels, |v| low(whole(16)(v), 2)),
                layout(1, 2, 12, channels, |v| low(whole(12)(v) << 4, 2)),
                layout(1, 3, 24, channels, |v| low(whole(24)(v), 3)),
                layout(1, 4, 24, channels, |v| low(whole(24)(v) << 8, 4)),
                layout(1, 4, 24, channels, |v| low(whole(24)(v), 4)),
                layout(1, 4, 32, channels, |v| low(whole(32)(v), 4)),
                layout(3, 4, 32, channels, |v| (v as f32).to_le_bytes().to_vec()),
                layout(3, 8, 64, channels, |v| v.to_le_bytes().to_vec()),
            ] {
                let mut wav = Wav::read(Cursor::new(&bytes)).unwrap();
                let mut out = vec![0.0; wav.period()];
                assert_eq!(out.len(), 4_800);
                wav.fill(&mut out);
                let far = (0..4_800).map(|i| (out[i as usize] - sine(440.0, 48_000)(i)).abs()).fold(0.0, f32::max);
                assert!(far < 0.01, "{:?} {channels}: {far}", &bytes[12..48]);
            }
        }
    }

    #[test]
    fn an_invalid_sample_is_silence_and_the_others_stay() {
        for odd in [f32::NAN, f32::INFINITY, -1e30] {
            let count = std::cell::Cell::new(0);
            let bytes = layout(3, 4, 32, 1, |v| {
                count.set(count.get() + 1);
                (if count.get() == 101 { odd } else { v as f32 }).to_le_bytes().to_vec()
            });
            let mut wav = Wav::read(Cursor::new(bytes)).unwrap();
            let mut out = [1.0; 4_800];
            wav.fill(&mut out);
            for (i, sample) in out.iter().enumerate() {
                let expected = if i == 100 { 0.0 } else { sine(440.0, 48_000)(i as u32) };
                assert_eq!(*sample, expected, "{i}");
            }
        }
    }

    #[test]
    fn an_incomplete_last_frame_is_dropped() {
        let bytes = file(48_000, 2, sine(440.0, 48_000), 0.01);
        for cut in 1..4 {
            assert_eq!(Wav::read(Cursor::new(&bytes[..bytes.len() - cut])).unwrap().period(), 479);
        }
    }

    proptest! {
        #[test]
        fn a_damaged_file_never_panics(
            damage in prop::collection::vec((0usize..44, any::<u8>()), 1..5),
            cut in 0usize..500,
        ) {
            let mut bytes = file(48_000, 1, sine(440.0, 48_000), 0.005);
            damage.into_iter().for_each(|(at, value)| bytes[at] = value);
            bytes.truncate(cut);
            if let Ok(mut wav) = Wav::read(Cursor::new(bytes)) {
                let mut out = [0.0; 480];
                wav.fill(&mut out);
                prop_assert!(out.iter().all(|s| s.is_finite()));
            }
        }
    }
}
