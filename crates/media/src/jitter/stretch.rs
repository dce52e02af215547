//! Shortens, lengthens and joins audio without audible artefacts.
//!
//! All three use waveform similarity (WSOLA; Verhelst and Roelands, 1993): they find the lag at which two sections are most
//! similar, which for voice is a pitch period, and crossfade between them. All lengths are in samples at 48 kHz.

use std::ops::RangeInclusive;

/// Length of a crossfade: 5 ms.
pub(super) const FADE_LEN: usize = 240;
/// Shortest and longest lag: 2.5 to 15 ms, for pitches of 400 to 67 Hz.
pub(super) const LAGS: RangeInclusive<usize> = 120..=720;
/// Longest section compared: 10 ms.
const MAX_WINDOW: usize = 480;
/// Length of the preceding audio that the functions need.
pub(super) const HISTORY_LEN: usize = 1_440;
/// The coarse search sums this many samples.
const COARSE_STEP: usize = 4;
/// Sections below this power (-54 dBFS) all count as similar.
const QUIET_POWER: f32 = 4e-6;

/// A lag, and the normalized correlation at that lag, up to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Match {
    pub(super) lag: usize,
    pub(super) correlation: f32,
}

/// Finds a lag to remove: `samples[lag..]` is similar to `samples[0..]`. `None` if there are too few samples.
pub(super) fn find_removal(samples: &[f32], longest: usize) -> Option<Match> {
    let longest = longest.min(*LAGS.end()).min(samples.len().checked_sub(FADE_LEN)?);
    best_match(*LAGS.start()..=longest, |lag| {
        let len = MAX_WINDOW.min(samples.len() - lag);
        (&samples[..len], &samples[lag..lag + len])
    })
}

/// Removes `lag` samples after the first [`FADE_LEN`], with a crossfade.
pub(super) fn shorten(samples: &mut Vec<f32>, lag: usize) {
    for i in 0..FADE_LEN {
        samples[i] = fade(samples[i], samples[i + lag], i);
    }
    samples.drain(FADE_LEN..FADE_LEN + lag);
}

/// Finds a lag to insert: the start of `samples` is similar to `history`, `lag` samples before its end. `None` if either is
/// too short.
pub(super) fn find_insertion(history: &[f32], samples: &[f32]) -> Option<Match> {
    if samples.len() < FADE_LEN {
        return None;
    }
    let longest = history.len().min(*LAGS.end());
    best_match(*LAGS.start()..=longest, |lag| {
        let len = MAX_WINDOW.min(samples.len()).min(lag);
        (&samples[..len], &history[history.len() - lag..][..len])
    })
}

/// Inserts the last `lag` samples of the history at the start of `samples`, with a crossfade.
pub(super) fn lengthen(history: &[f32], samples: &mut Vec<f32>, lag: usize) {
    let period = &history[history.len() - lag..];
    let mut longer: Vec<f32> = Vec::with_capacity(samples.len() + lag);
    let lengthened_at = |i: usize| if i < lag { period[i] } else { samples[i - lag] };
    longer.extend((0..FADE_LEN).map(|i| fade(samples[i], lengthened_at(i), i)));
    longer.extend((FADE_LEN..samples.len() + lag).map(lengthened_at));
    *samples = longer;
}

/// Joins `samples` to a `history` that they do not continue: removes up to `skip` samples for the best match, and crossfades
/// from an extrapolation of the history. Returns the number of samples removed.
pub(super) fn join(history: &[f32], samples: &mut Vec<f32>, skip: usize) -> usize {
    if samples.len() < FADE_LEN || history.len() < HISTORY_LEN {
        return 0;
    }
    let extrapolated = extrapolate(history);
    let skip = skip.min(samples.len() - FADE_LEN);
    let fit = best_match(0..=skip, |at| (&extrapolated[..], &samples[at..at + FADE_LEN]));
    let at = fit.filter(|fit| fit.correlation > 0.0).map_or(0, |fit| fit.lag);
    samples.drain(..at);
    for (i, expected) in extrapolated.iter().enumerate() {
        samples[i] = fade(*expected, samples[i], i);
    }
    at
}

/// Extrapolates the history by its last pitch period.
fn extrapolate(history: &[f32]) -> [f32; FADE_LEN] {
    let end = history.len();
    let found = best_match(LAGS, |lag| (&history[end - MAX_WINDOW..], &history[end - MAX_WINDOW - lag..end - lag]));
    let lag = found.map_or(*LAGS.end(), |p| p.lag);
    std::array::from_fn(|i| history[end - lag + i % lag])
}

fn fade(from: f32, to: f32, i: usize) -> f32 {
    let weight = (i as f32 + 0.5) / FADE_LEN as f32;
    from + (to - from) * weight
}

/// The lag with the highest correlation: a search of every fourth lag, then of all lags around the best one.
fn best_match<'a>(lags: RangeInclusive<usize>, pair: impl Fn(usize) -> (&'a [f32], &'a [f32])) -> Option<Match> {
    let (first, last) = (*lags.start(), *lags.end());
    let match_at = |lag, step| {
        let (a, b) = pair(lag);
        Match { lag, correlation: correlate(a, b, step) }
    };
    let better = |a: Match, b: Match| if b.correlation > a.correlation { b } else { a };
    let coarse = lags.step_by(COARSE_STEP).map(|lag| match_at(lag, COARSE_STEP)).reduce(better)?;
    let candidates = coarse.lag.saturating_sub(COARSE_STEP).max(first)..=(coarse.lag + COARSE_STEP).min(last);
    candidates.map(|lag| match_at(lag, 1)).reduce(better)
}

/// The normalized correlation of sums over `step` samples. It is 1 for two quiet sections.
fn correlate(a: &[f32], b: &[f32], step: usize) -> f32 {
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.chunks_exact(step).zip(b.chunks_exact(step)) {
        let (a, b) = (a.iter().sum::<f32>(), b.iter().sum::<f32>());
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    let quiet = QUIET_POWER * (a.len() * step) as f32;
    if aa <= quiet && bb <= quiet {
        return 1.0;
    }
    ab / (aa * bb).sqrt().max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f32::consts::TAU;

    fn sine(hz: f32, from: usize, len: usize) -> Vec<f32> {
        (from..from + len).map(|i| 0.5 * (TAU * hz * i as f32 / 48_000.0).sin()).collect()
    }

    /// Largest step between adjacent samples, as a multiple of that of the tone itself.
    fn roughness(hz: f32, blocks: &[&[f32]]) -> f32 {
        let all: Vec<f32> = blocks.concat();
        let step = all.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        step / (0.5 * TAU * hz / 48_000.0)
    }

    #[test]
    fn a_tone_is_shortened_by_whole_periods() {
        for hz in [90.0, 220.0, 440.0, 1_000.0, 3_000.0] {
            let (before, mut samples) = (sine(hz, 0, 1_440), sine(hz, 1_440, 1_440));
            let found = find_removal(&samples, 720).unwrap();
            assert!(found.correlation > 0.98, "{hz}: {found:?}");
            shorten(&mut samples, found.lag);
            assert_eq!(samples.len(), 1_440 - found.lag);
            assert!(roughness(hz, &[&before, &samples]) < 1.3, "{hz}");
        }
    }

    #[test]
    fn a_tone_is_lengthened_by_whole_periods() {
        for hz in [90.0, 220.0, 440.0, 1_000.0, 3_000.0] {
            let (before, mut samples) = (sine(hz, 0, 1_440), sine(hz, 1_440, 480));
            let found = find_insertion(&before, &samples).unwrap();
            assert!(found.correlation > 0.98, "{hz}: {found:?}");
            lengthen(&before, &mut samples, found.lag);
            assert_eq!(samples.len(), 480 + found.lag);
            assert!(roughness(hz, &[&before, &samples]) < 1.3, "{hz}");
        }
    }

    #[test]
    fn a_tone_that_jumped_is_joined_in_phase() {
        for (hz, jump) in [(150.0, 333), (440.0, 41), (1_000.0, 777)] {
            let (before, mut samples) = (sine(hz, 0, 1_440), sine(hz, 1_440 + jump, 960));
            let skipped = join(&before, &mut samples, 480);
            assert_eq!(samples.len(), 960 - skipped);
            assert!(roughness(hz, &[&before, &samples]) < 1.4, "{hz}: {}", roughness(hz, &[&before, &samples]));
        }
    }

    #[test]
    fn noise_has_no_period() {
        let mut x = 1u32;
        let noise: Vec<f32> = std::iter::repeat_with(|| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .take(1_440)
        .collect();
        assert!(find_removal(&noise, 720).unwrap().correlation < 0.6);
    }

    #[test]
    fn too_short_input_is_unchanged() {
        assert_eq!(find_removal(&[0.0; 200], 720), None);
        assert_eq!(find_removal(&[0.0; 300], 720), None);
        assert_eq!(find_insertion(&[0.0; 1_440], &[0.0; 100]), None);
        assert_eq!(find_insertion(&[0.0; 50], &[0.0; 480]), None);
        assert_eq!(join(&[0.0; 1_440], &mut vec![0.5; 100], 50), 0);
    }

    proptest! {
        #[test]
        fn lengths_add_up_and_the_peak_does_not_grow(
            samples in prop::collection::vec(-1.0f32..1.0, 480..1_500), skip in 0usize..2_000, longest in 0usize..900
        ) {
            let history: Vec<f32> = samples.iter().rev().copied().cycle().take(HISTORY_LEN).collect();
            let loud = |s: &[f32]| s.iter().fold(0.0f32, |a, b| a.max(b.abs()));
            let peak = loud(&samples) + 1e-6;
            if let Some(found) = find_removal(&samples, longest) {
                let mut shorter = samples.clone();
                shorten(&mut shorter, found.lag);
                prop_assert!(shorter.len() + found.lag == samples.len() && found.lag <= longest && loud(&shorter) <= peak);
            }
            let found = find_insertion(&history, &samples).unwrap();
            let mut longer = samples.clone();
            lengthen(&history, &mut longer, found.lag);
            prop_assert!(longer.len() == samples.len() + found.lag && loud(&longer) <= peak);
            let mut joined = samples.clone();
            let skipped = join(&history, &mut joined, skip);
            prop_assert!(skipped <= skip && joined.len() + skipped == samples.len() && loud(&joined) <= peak);
        }
    }
}
