//! Mixes the audio of all participants.
//!
//! A limiter keeps the sum within full scale and leaves quiet sums bit-exact. As in the limiter of WebRTC's second gain
//! controller, the envelope is measured in spans of half a millisecond, decays slowly, and looks one span ahead. The
//! gain is interpolated linearly between spans, so it never jumps.

use crate::audio::BLOCK;

const SPAN: usize = 24;
const SPANS: usize = BLOCK / SPAN;
/// Amplitudes below this are unchanged.
const KNEE: f32 = 0.8;
/// Decay of the envelope from span to span: -60 dB in 1.15 s. With a faster decay, the gain would follow the single
/// periods of a deep voice.
const RELEASE: f32 = 0.997;

/// Mixes blocks of 10 ms and limits the sum.
#[derive(Debug)]
pub struct Mixer {
    envelope: f32,
    gain: f32,
}

impl Default for Mixer {
    fn default() -> Self {
        Self::new()
    }
}

impl Mixer {
    /// Makes an idle mixer.
    pub fn new() -> Self {
        Self { envelope: 0.0, gain: 1.0 }
    }

    /// Writes the sum of `inputs` to `out`, within -1..=1. Without inputs the result is silence. Samples that are not
    /// finite count as 0.
    pub fn mix<'a>(&mut self, inputs: impl IntoIterator<Item = &'a [f32; BLOCK]>, out: &mut [f32; BLOCK]) {
        out.fill(0.0);
        for input in inputs {
            for (sum, sample) in out.iter_mut().zip(input) {
                *sum += if sample.is_finite() { *sample } else { 0.0 };
            }
        }
        self.limit(out);
    }

    fn limit(&mut self, block: &mut [f32; BLOCK]) {
        let mut gains = [1.0; SPANS];
        for (gain, span) in gains.iter_mut().zip(block.chunks(SPAN)) {
            let peak = span.iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
            self.envelope = peak.max(self.envelope * RELEASE);
            *gain = curve(self.envelope);
        }
        for i in 0..SPANS {
            let target = gains[i].min(*gains.get(i + 1).unwrap_or(&1.0));
            let step = (target - self.gain) / SPAN as f32;
            for (n, sample) in block[i * SPAN..(i + 1) * SPAN].iter_mut().enumerate() {
                let gain = self.gain + step * (n + 1) as f32;
                *sample = (*sample * gain).clamp(-1.0, 1.0); // the first span of the block had no lookahead
            }
            self.gain = target;
        }
    }
}

/// The gain for an envelope: 1 up to the knee, then bending so that the output never reaches 1.
fn curve(envelope: f32) -> f32 {
    if envelope <= KNEE {
        return 1.0;
    }
    let room = 1.0 - KNEE;
    (KNEE + room * (1.0 - (-(envelope - KNEE) / room).exp())) / envelope
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f32::consts::TAU;

    fn sine(block: usize, hz: f32, amplitude: f32) -> [f32; BLOCK] {
        std::array::from_fn(|i| amplitude * (TAU * hz * (block * BLOCK + i) as f32 / 48_000.0).sin())
    }

    #[test]
    fn a_quiet_sum_is_exact() {
        let (mut mixer, mut out) = (Mixer::new(), [0.0; BLOCK]);
        for n in 0..20 {
            let (a, b) = (sine(n, 300.0, 0.4), sine(n, 700.0, 0.3));
            mixer.mix([&a, &b], &mut out);
            assert!(out.iter().zip(a.iter().zip(&b)).all(|(o, (a, b))| *o == a + b));
        }
    }

    #[test]
    fn an_empty_mix_is_silence() {
        let mut out = [1.0; BLOCK];
        Mixer::new().mix(std::iter::empty(), &mut out);
        assert_eq!(out, [0.0; BLOCK]);
    }

    #[test]
    fn a_loud_sum_is_limited_without_steps_and_recovers() {
        let mut mixer = Mixer::new();
        let (mut last, mut out) = (0.0f32, [0.0; BLOCK]);
        for n in 0..100 {
            let voices: Vec<_> = (0..6).map(|_| sine(n, 200.0, 0.8)).collect();
            mixer.mix(&voices, &mut out);
            for s in out {
                assert!(s.abs() <= 1.0);
                // the steepest slope of the sum is 0.126, or a fifth of that after the gain has dropped
                let slope = if n == 0 { 0.13 } else { 0.03 };
                assert!((s - last).abs() < slope, "step {} in block {n}", s - last);
                last = s;
            }
        }
        for n in 0..200 {
            mixer.mix([&sine(n, 200.0, 0.5)], &mut out);
        }
        let (peak, wanted) = (out.iter().fold(0.0f32, |p, s| p.max(s.abs())), 0.5);
        assert!((peak - wanted).abs() < 1e-3, "{peak}");
    }

    #[test]
    fn invalid_samples_do_not_spread() {
        let (mut mixer, mut out) = (Mixer::new(), [0.0; BLOCK]);
        mixer.mix([&[f32::NAN; BLOCK], &[f32::INFINITY; BLOCK]], &mut out);
        mixer.mix([&sine(0, 300.0, 0.5)], &mut out);
        assert_eq!(out, sine(0, 300.0, 0.5));
    }

    proptest! {
        #[test]
        fn the_mix_never_exceeds_full_scale(amplitudes in prop::collection::vec(0.0f32..3.0, 0..12), n in 0usize..50) {
            let mut mixer = Mixer::new();
            let voices: Vec<_> =
                amplitudes.iter().enumerate().map(|(i, a)| sine(n, 100.0 + 300.0 * i as f32, *a)).collect();
            let mut out = [0.0; BLOCK];
            for _ in 0..3 {
                mixer.mix(&voices, &mut out);
                prop_assert!(out.iter().all(|s| s.abs() <= 1.0));
            }
        }
    }
}
