//! Generates and recognises tones.

use std::f64::consts::TAU;
use std::path::Path;

/// Generates a sine at half of full scale.
pub fn sine(frequency: f64, rate: u32, seconds: f64) -> Vec<f32> {
    let len = (f64::from(rate) * seconds) as usize;
    (0..len).map(|n| (0.5 * (TAU * frequency * n as f64 / f64::from(rate)).sin()) as f32).collect()
}

/// Writes a WAV file of 16 bit, one channel.
pub fn write_wav(path: &Path, rate: u32, samples: &[f32]) {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = hound::WavWriter::create(path, spec).expect("a WAV file");
    for sample in samples {
        file.write_sample((sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)) as i16).expect("a sample");
    }
    file.finalize().expect("a WAV file");
}

/// Reads a WAV file of 16 bit and mixes its channels. Returns samples and sample rate.
pub fn read_wav(path: &Path) -> (Vec<f32>, u32) {
    let file = hound::WavReader::open(path).expect("a WAV file");
    let spec = file.spec();
    let samples: Vec<f32> =
        file.into_samples::<i16>().map(|s| f32::from(s.expect("a sample")) / f32::from(i16::MAX)).collect();
    let channels = usize::from(spec.channels.max(1));
    let mono = samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect();
    (mono, spec.sample_rate)
}

/// Measures the frequency of a clean tone by its zero crossings; 0 for silence.
pub fn frequency(samples: &[f32], rate: u32) -> f64 {
    let crossings: Vec<f64> = samples
        .windows(2)
        .enumerate()
        .filter(|(_, w)| w[0] < 0.0 && w[1] >= 0.0)
        .map(|(n, w)| n as f64 + f64::from(w[0] / (w[0] - w[1])))
        .collect();
    match (crossings.first(), crossings.last()) {
        (Some(first), Some(last)) if last > first => (crossings.len() - 1) as f64 * f64::from(rate) / (last - first),
        _ => 0.0,
    }
}

/// Returns the share of the energy at `frequency`, 0..=1 (Goertzel); 0 for silence.
pub fn purity(samples: &[f32], rate: u32, frequency: f64) -> f64 {
    let step = TAU * frequency / f64::from(rate);
    let (mut sin, mut cos, mut energy) = (0.0, 0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let (sample, phase) = (f64::from(*sample), step * n as f64);
        sin += sample * phase.sin();
        cos += sample * phase.cos();
        energy += sample * sample;
    }
    if energy > 0.0 { 2.0 * (sin * sin + cos * cos) / (energy * samples.len() as f64) } else { 0.0 }
}

/// Returns the seconds of sound, and the share of its tenths of a second that contain only this tone. A jump in the
/// tone spoils one or two tenths.
pub fn pure_share(samples: &[f32], rate: u32, frequency: f64) -> (f64, f64) {
    let tenth = rate as usize / 10;
    let energy = |part: &&[f32]| part.iter().map(|s| s * s).sum::<f32>() / part.len() as f32 > 1e-4;
    let sound: Vec<&[f32]> = samples.chunks_exact(tenth).filter(energy).collect();
    let pure = sound.iter().filter(|part| purity(part, rate, frequency) > 0.98).count();
    (sound.len() as f64 / 10.0, pure as f64 / sound.len().max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_measured() {
        let tone = sine(440.0, 48_000, 1.0);
        assert!((frequency(&tone, 48_000) - 440.0).abs() < 0.01);
        assert!(purity(&tone, 48_000, 440.0) > 0.999);
        assert!(purity(&tone, 48_000, 550.0) < 0.01);
        assert_eq!(frequency(&[0.0; 480], 48_000), 0.0);
    }

    #[test]
    fn a_gap_lowers_one_window_and_silence_does_not_count() {
        let mut samples = vec![0.0; 48_000];
        samples.extend(sine(440.0, 48_000, 1.0));
        samples.drain(48_000 + 24_000 + 2_000..48_000 + 24_000 + 2_050);
        let (seconds, share) = pure_share(&samples, 48_000, 440.0);
        assert!((seconds, share) == (0.9, 8.0 / 9.0), "{seconds} {share}");
        assert!(pure_share(&samples, 48_000, 460.0).1 < 0.1);
        assert_eq!(pure_share(&[0.0; 48_000], 48_000, 440.0), (0.0, 0.0));
    }
}
