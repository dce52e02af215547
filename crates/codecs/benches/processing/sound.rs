//! Sound as samples at 48 kHz, mono.

use realfft::RealFftPlanner;
use realfft::num_complex::Complex32;
use std::f64::consts::PI;
use std::path::{Path, PathBuf};

pub(crate) const SECOND: usize = 48_000;

/// The WAV files of a folder, by name.
pub(crate) fn clips(folder: &Path) -> Vec<Vec<f32>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).expect("clips").flatten().map(|file| file.path()).collect();
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

fn read(path: &Path) -> Vec<f32> {
    let mut file = hound::WavReader::open(path).expect("a WAV file");
    assert_eq!((file.spec().sample_rate, file.spec().channels), (48_000, 1), "{}", path.display());
    file.samples::<i16>().map(|sample| f32::from(sample.expect("a sample")) / 32_768.0).collect()
}

pub(crate) fn write(path: &Path, samples: &[f32]) {
    let (sample_format, bits_per_sample) = (hound::SampleFormat::Int, 16);
    let spec = hound::WavSpec { channels: 1, sample_rate: 48_000, bits_per_sample, sample_format };
    let mut file = hound::WavWriter::create(path, spec).expect("a WAV file");
    for sample in samples {
        file.write_sample((sample.clamp(-1.0, 1.0) * 32_767.0) as i16).expect("written");
    }
    file.finalize().expect("written");
}

/// Plays sound over and over until it has this many samples.
pub(crate) fn looped(sound: &[f32], length: usize) -> Vec<f32> {
    sound.iter().copied().cycle().take(length).collect()
}

/// Mean power in dB.
pub(crate) fn power(sound: &[f32]) -> f64 {
    let sum: f64 = sound.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    10.0 * (sum / sound.len().max(1) as f64).max(1e-20).log10()
}

pub(crate) fn scaled(sound: &[f32], db: f64) -> Vec<f32> {
    let gain = 10f64.powf(db / 20.0) as f32;
    sound.iter().map(|sample| sample * gain).collect()
}

pub(crate) fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// Filters sound. The result is as long as the sound.
pub(crate) fn convolved(sound: &[f32], response: &[f32]) -> Vec<f32> {
    let length = (sound.len() + response.len()).next_power_of_two();
    let (sound_spectrum, response_spectrum) = (spectrum(sound, length), spectrum(response, length));
    let product = sound_spectrum.iter().zip(&response_spectrum).map(|(a, b)| a * b).collect();
    let mut out = inverse(product, length);
    out.truncate(sound.len());
    out
}

/// By how many samples `late` is later than `sound`, at most `most`.
pub(crate) fn lag(sound: &[f32], late: &[f32], most: usize) -> usize {
    let length = (sound.len() + most).next_power_of_two();
    let product = spectrum(late, length).iter().zip(&spectrum(sound, length)).map(|(a, b)| a * b.conj()).collect();
    let agreement = inverse(product, length);
    (0..most).max_by(|a, b| agreement[*a].total_cmp(&agreement[*b])).unwrap_or(0)
}

fn spectrum(sound: &[f32], length: usize) -> Vec<Complex32> {
    let forward = RealFftPlanner::new().plan_fft_forward(length);
    let (mut time, mut bins) = (forward.make_input_vec(), forward.make_output_vec());
    time[..sound.len()].copy_from_slice(sound);
    forward.process(&mut time, &mut bins).expect("the lengths of the plan");
    bins
}

fn inverse(mut bins: Vec<Complex32>, length: usize) -> Vec<f32> {
    let back = RealFftPlanner::new().plan_fft_inverse(length);
    let mut time = back.make_output_vec();
    if let (Some(first), Some(last)) = (bins.first().copied(), bins.last().copied()) {
        bins[0] = Complex32::new(first.re, 0.0);
        *bins.last_mut().expect("bins") = Complex32::new(last.re, 0.0);
    }
    back.process(&mut bins, &mut time).expect("the lengths of the plan");
    time.iter().map(|sample| sample / length as f32).collect()
}

/// The sound as a clock hears it that is faster by this part of a million, by windowed sinc.
pub(crate) fn drifted(sound: &[f32], ppm: f64) -> Vec<f32> {
    const HALF: i64 = 16;
    let sample = |at: f64| {
        let first = at.floor() as i64 - HALF + 1;
        let term = |n: i64| {
            let x = at - n as f64;
            let window = 0.5 + 0.5 * (PI * x / HALF as f64).cos();
            let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) };
            let sample = usize::try_from(n).ok().and_then(|n| sound.get(n)).copied().unwrap_or(0.0);
            f64::from(sample) * sinc * window
        };
        (first..first + 2 * HALF).map(term).sum::<f64>() as f32
    };
    (0..sound.len()).map(|n| sample(n as f64 * (1.0 + ppm / 1e6))).collect()
}
