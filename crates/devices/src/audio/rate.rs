//! Converts between the device's rate and clock and ours.

use crate::error::DeviceError;
use media::audio::clean;
use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Adjustable, Async, FixedAsync, Resampler, SincInterpolationParameters, Slip, WindowFunction};

/// The largest clock correction. Half a percent, 8 cents, is inaudible. Real clocks differ by 0.01 %.
pub(super) const MAX_TRIM: f64 = 0.005;

/// Resamples one channel. With equal rates it only copies, and inserts or drops single samples according to
/// [`RateConverter::trim`].
pub(super) struct RateConverter {
    stage: Stage,
    pending: Vec<f32>,
    converted: Vec<f32>,
}

enum Stage {
    Same(Box<Slip<f32>>),
    Different(Box<Async<f32>>),
}

impl RateConverter {
    /// Both rates in samples per second. Audio is converted in steps of 2.5 ms.
    pub(super) fn new(from: u32, to: u32) -> Result<Self, DeviceError> {
        if !(4_000..=768_000).contains(&from) || !(4_000..=768_000).contains(&to) {
            return Err(DeviceError::Unsupported);
        }
        let chunk = from as usize / 400;
        let stage = if from == to {
            Slip::new(chunk, 1, FixedAsync::Input).map(|s| Stage::Same(Box::new(s)))
        } else {
            let filter = SincInterpolationParameters::new(64, WindowFunction::BlackmanHarris2);
            let ratio = f64::from(to) / f64::from(from);
            Async::new_sinc(ratio, 1.0 + 2.0 * MAX_TRIM, &filter, chunk, 1, FixedAsync::Input)
                .map(|s| Stage::Different(Box::new(s)))
        };
        let stage = stage.map_err(|e| DeviceError::Backend(e.to_string()))?;
        let mut converter = Self { stage, pending: Vec::with_capacity(2 * chunk), converted: Vec::new() };
        converter.converted = vec![0.0; converter.resampler().output_frames_max()];
        Ok(converter)
    }

    /// Converts as much as possible and appends it to `out`. All audio from and to devices passes here before any
    /// filter, so samples that are not finite become 0.
    pub(super) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.pending.extend(samples.iter().map(|sample| clean(*sample)));
        let mut done = 0;
        loop {
            let step = self.resampler().input_frames_next();
            if self.pending.len() - done < step {
                break;
            }
            let made = self.step(done, step);
            out.extend_from_slice(&self.converted[..made]);
            done += step;
        }
        self.pending.drain(..done);
    }

    /// Number of samples that wait for the next step, at the input rate.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Delay in samples at the output rate.
    pub(super) fn delay(&self) -> usize {
        match &self.stage {
            Stage::Same(s) => s.output_delay(),
            Stage::Different(s) => s.output_delay(),
        }
    }

    /// Produces 1 + `trim` times as many samples, within ±[`MAX_TRIM`].
    pub(super) fn trim(&mut self, trim: f64) {
        let ratio = 1.0 + trim.clamp(-MAX_TRIM, MAX_TRIM);
        let result = match &mut self.stage {
            Stage::Same(s) => s.set_resample_ratio(ratio, false),
            Stage::Different(s) => s.set_resample_ratio_relative(ratio, true),
        };
        if let Err(e) = result {
            tracing::debug!("cannot change the resampling ratio: {e}");
        }
    }

    fn step(&mut self, from: usize, len: usize) -> usize {
        let room = self.converted.len();
        let input = SequentialSlice::new(&self.pending[from..from + len], 1, len);
        let output = SequentialSlice::new_mut(&mut self.converted, 1, room);
        let (Ok(input), Ok(mut output)) = (input, output) else { return 0 };
        let result = match &mut self.stage {
            Stage::Same(s) => s.process_into_buffer(&input, &mut output, None),
            Stage::Different(s) => s.process_into_buffer(&input, &mut output, None),
        };
        result.map_or(0, |(_, made)| made)
    }

    fn resampler(&self) -> &dyn Resampler<f32> {
        match &self.stage {
            Stage::Same(s) => s.as_ref(),
            Stage::Different(s) => s.as_ref(),
        }
    }
}

impl std::fmt::Debug for RateConverter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateConverter").field("pending", &self.pending.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(frequency: f32, rate: u32, len: usize) -> Vec<f32> {
        (0..len).map(|n| (std::f32::consts::TAU * frequency * n as f32 / rate as f32).sin()).collect()
    }

    /// Measures the frequency by interpolated upward zero crossings.
    fn frequency(samples: &[f32], rate: u32) -> f32 {
        let crossings: Vec<f32> = samples
            .windows(2)
            .enumerate()
            .filter(|(_, w)| w[0] < 0.0 && w[1] >= 0.0)
            .map(|(n, w)| n as f32 + w[0] / (w[0] - w[1]))
            .collect();
        (crossings.len() - 1) as f32 * rate as f32 / (crossings[crossings.len() - 1] - crossings[0])
    }

    fn convert(from: u32, to: u32, trim: f64, input: &[f32]) -> Vec<f32> {
        let mut converter = RateConverter::new(from, to).unwrap();
        converter.trim(trim);
        let mut out = Vec::new();
        for block in input.chunks(97) {
            converter.push(block, &mut out);
        }
        out
    }

    #[test]
    fn a_tone_keeps_its_pitch_level_and_length_at_any_rate() {
        for rate in [8_000, 16_000, 44_100, 96_000] {
            for (from, to) in [(rate, 48_000), (48_000, rate)] {
                let out = convert(from, to, 0.0, &sine(440.0, from, from as usize));
                assert!((out.len() as f32 / to as f32 - 1.0).abs() < 0.02, "{from} to {to}: {}", out.len());
                let steady = &out[to as usize / 10..];
                assert!((frequency(steady, to) - 440.0).abs() < 0.5, "{from} to {to}");
                let peak = steady.iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
                assert!((0.97..1.03).contains(&peak), "{from} to {to}: {peak}");
            }
        }
    }

    #[test]
    fn an_invalid_sample_is_silence_at_any_rate() {
        for from in [16_000, 44_100, 48_000] {
            let with = |odd: f32| {
                let mut input = sine(440.0, from, from as usize / 2);
                input[3_000] = odd;
                convert(from, 48_000, 0.001, &input)
            };
            let silent = with(0.0);
            for odd in [f32::NAN, f32::INFINITY, f32::MIN, 1e-41] {
                assert_eq!(with(odd), silent, "{odd} at {from} Hz");
            }
        }
    }

    #[test]
    fn equal_rates_pass_samples_through() {
        let input = sine(440.0, 48_000, 4800);
        assert_eq!(convert(48_000, 48_000, 0.0, &input), input);
    }

    #[test]
    fn trimming_changes_the_sample_count_smoothly() {
        for from in [48_000, 44_100] {
            let input = sine(300.0, from, from as usize * 2);
            for trim in [-0.002, 0.002] {
                let out = convert(from, 48_000, trim, &input);
                let gained = out.len() as f64 / 96_000.0 - 1.0;
                assert!((gained - trim).abs() < 0.003, "{from} {trim}: {gained}");
                let jump = out.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0f32, f32::max);
                assert!(jump < 0.05, "no click: {jump}");
            }
        }
    }

    #[test]
    fn invalid_rates_are_refused() {
        assert!(RateConverter::new(0, 48_000).is_err());
        assert!(RateConverter::new(48_000, 10_000_000).is_err());
    }
}
