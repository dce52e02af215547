//! Making sound shorter, longer or whole without a seam that can be heard.
//!
//! All three go by waveform similarity (WSOLA; Verhelst and Roelands, 1993): find the shift at which two places of the
//! sound look alike, a pitch period for voice, and fade from one to the other there.

use std::ops::RangeInclusive;

/// The fade, 5 ms.
pub(super) const FADE: usize = 240;
/// Shortest and longest shift: 2.5 to 15 ms, which are pitches of 400 to 67 Hz.
pub(super) const LAGS: RangeInclusive<usize> = 120..=720;
/// Sound compared at most, 10 ms.
const WINDOW: usize = 480;
/// What came before that the functions here want to see.
pub(super) const HISTORY: usize = 1_440;
/// Every so many samples are averaged for the first, coarse look.
const COARSE: usize = 4;
/// Below this power (-54 dBFS) any place is as good as any other.
const QUIET: f32 = 4e-6;

/// A shift and how alike the sound is there, up to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Match {
    pub(super) lag: usize,
    pub(super) likeness: f32,
}

/// Where the sound can lose a piece: `sound[lag..]` looks like `sound[0..]`. `None` if it is too short.
pub(super) fn to_shorten(sound: &[f32], longest: usize) -> Option<Match> {
    let longest = longest.min(*LAGS.end()).min(sound.len().checked_sub(FADE)?);
    best(*LAGS.start()..=longest, |lag| {
        let len = WINDOW.min(sound.len() - lag);
        (&sound[..len], &sound[lag..lag + len])
    })
}

/// Takes `lag` samples out after the first ones.
pub(super) fn shorten(sound: &mut Vec<f32>, lag: usize) {
    for i in 0..FADE {
        sound[i] = fade(sound[i], sound[i + lag], i);
    }
    sound.drain(FADE..FADE + lag);
}

/// Where the sound after `history` can be said twice: its beginning looks like `history` `lag` samples back. `None` if
/// either is too short.
pub(super) fn to_lengthen(history: &[f32], sound: &[f32]) -> Option<Match> {
    if sound.len() < FADE {
        return None;
    }
    let longest = history.len().min(*LAGS.end());
    best(*LAGS.start()..=longest, |lag| {
        let len = WINDOW.min(sound.len()).min(lag);
        (&sound[..len], &history[history.len() - lag..][..len])
    })
}

/// Repeats the last `lag` samples of the history within the beginning of the sound.
pub(super) fn lengthen(history: &[f32], sound: &mut Vec<f32>, lag: usize) {
    let again = &history[history.len() - lag..];
    let mut longer: Vec<f32> = Vec::with_capacity(sound.len() + lag);
    let back = |i: usize| if i < lag { again[i] } else { sound[i - lag] };
    longer.extend((0..FADE).map(|i| fade(sound[i], back(i), i)));
    longer.extend((FADE..sound.len() + lag).map(back));
    *sound = longer;
}

/// Lets `sound` follow on `history` though it does not continue it: leaves out up to `skip` samples so that it fits, and
/// fades into it from a guess of how the history would have gone on. How many samples were left out.
pub(super) fn join(history: &[f32], sound: &mut Vec<f32>, skip: usize) -> usize {
    if sound.len() < FADE || history.len() < HISTORY {
        return 0;
    }
    let guess = go_on(history);
    let skip = skip.min(sound.len() - FADE);
    let fit = best(0..=skip, |at| (&guess[..], &sound[at..at + FADE]));
    let at = fit.filter(|fit| fit.likeness > 0.0).map_or(0, |fit| fit.lag);
    sound.drain(..at);
    for (i, expected) in guess.iter().enumerate() {
        sound[i] = fade(*expected, sound[i], i);
    }
    at
}

/// The next samples if the last period repeats.
fn go_on(history: &[f32]) -> [f32; FADE] {
    let end = history.len();
    let period = best(LAGS, |lag| (&history[end - WINDOW..], &history[end - WINDOW - lag..end - lag]));
    let lag = period.map_or(*LAGS.end(), |p| p.lag);
    std::array::from_fn(|i| history[end - lag + i % lag])
}

fn fade(from: f32, to: f32, i: usize) -> f32 {
    let weight = (i as f32 + 0.5) / FADE as f32;
    from + (to - from) * weight
}

/// The lag at which the pair is most alike; first every fourth, then all around the best of those.
fn best<'a>(lags: RangeInclusive<usize>, pair: impl Fn(usize) -> (&'a [f32], &'a [f32])) -> Option<Match> {
    let (first, last) = (*lags.start(), *lags.end());
    let of = |lag, step| {
        let (a, b) = pair(lag);
        Match { lag, likeness: likeness(a, b, step) }
    };
    let better = |a: Match, b: Match| if b.likeness > a.likeness { b } else { a };
    let coarse = lags.step_by(COARSE).map(|lag| of(lag, COARSE)).reduce(better)?;
    let around = coarse.lag.saturating_sub(COARSE).max(first)..=(coarse.lag + COARSE).min(last);
    around.map(|lag| of(lag, 1)).reduce(better)
}

/// Normalised correlation, of sums over `step` samples. Two quiet stretches are alike.
fn likeness(a: &[f32], b: &[f32], step: usize) -> f32 {
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.chunks_exact(step).zip(b.chunks_exact(step)) {
        let (a, b) = (a.iter().sum::<f32>(), b.iter().sum::<f32>());
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    let quiet = QUIET * (a.len() * step) as f32;
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

    /// Largest step between neighbours, as a multiple of what the tone itself makes.
    fn roughness(hz: f32, parts: &[&[f32]]) -> f32 {
        let all: Vec<f32> = parts.concat();
        let step = all.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        step / (0.5 * TAU * hz / 48_000.0)
    }

    #[test]
    fn a_tone_is_shortened_by_whole_periods() {
        for hz in [90.0, 220.0, 440.0, 1_000.0, 3_000.0] {
            let (before, mut sound) = (sine(hz, 0, 1_440), sine(hz, 1_440, 1_440));
            let found = to_shorten(&sound, 720).unwrap();
            assert!(found.likeness > 0.98, "{hz}: {found:?}");
            shorten(&mut sound, found.lag);
            assert_eq!(sound.len(), 1_440 - found.lag);
            assert!(roughness(hz, &[&before, &sound]) < 1.3, "{hz}");
        }
    }

    #[test]
    fn a_tone_is_lengthened_by_whole_periods() {
        for hz in [90.0, 220.0, 440.0, 1_000.0, 3_000.0] {
            let (before, mut sound) = (sine(hz, 0, 1_440), sine(hz, 1_440, 480));
            let found = to_lengthen(&before, &sound).unwrap();
            assert!(found.likeness > 0.98, "{hz}: {found:?}");
            lengthen(&before, &mut sound, found.lag);
            assert_eq!(sound.len(), 480 + found.lag);
            assert!(roughness(hz, &[&before, &sound]) < 1.3, "{hz}");
        }
    }

    #[test]
    fn a_tone_that_jumped_is_joined_in_phase() {
        for (hz, jump) in [(150.0, 333), (440.0, 41), (1_000.0, 777)] {
            let (before, mut sound) = (sine(hz, 0, 1_440), sine(hz, 1_440 + jump, 960));
            let skipped = join(&before, &mut sound, 480);
            assert_eq!(sound.len(), 960 - skipped);
            assert!(roughness(hz, &[&before, &sound]) < 1.4, "{hz}: {}", roughness(hz, &[&before, &sound]));
        }
    }

    #[test]
    fn noise_is_not_taken_for_a_period() {
        let mut x = 1u32;
        let noise: Vec<f32> = std::iter::repeat_with(|| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .take(1_440)
        .collect();
        assert!(to_shorten(&noise, 720).unwrap().likeness < 0.6);
    }

    #[test]
    fn what_is_too_short_is_left_alone() {
        assert_eq!(to_shorten(&[0.0; 200], 720), None);
        assert_eq!(to_shorten(&[0.0; 300], 720), None);
        assert_eq!(to_lengthen(&[0.0; 1_440], &[0.0; 100]), None);
        assert_eq!(to_lengthen(&[0.0; 50], &[0.0; 480]), None);
        assert_eq!(join(&[0.0; 1_440], &mut vec![0.5; 100], 50), 0);
    }

    proptest! {
        #[test]
        fn lengths_add_up_and_nothing_grows_louder(
            sound in prop::collection::vec(-1.0f32..1.0, 480..1_500), skip in 0usize..2_000, longest in 0usize..900
        ) {
            let history: Vec<f32> = sound.iter().rev().copied().cycle().take(HISTORY).collect();
            let loud = |s: &[f32]| s.iter().fold(0.0f32, |a, b| a.max(b.abs()));
            let peak = loud(&sound) + 1e-6;
            if let Some(found) = to_shorten(&sound, longest) {
                let mut shorter = sound.clone();
                shorten(&mut shorter, found.lag);
                prop_assert!(shorter.len() + found.lag == sound.len() && found.lag <= longest && loud(&shorter) <= peak);
            }
            let found = to_lengthen(&history, &sound).unwrap();
            let mut longer = sound.clone();
            lengthen(&history, &mut longer, found.lag);
            prop_assert!(longer.len() == sound.len() + found.lag && loud(&longer) <= peak);
            let mut joined = sound.clone();
            let skipped = join(&history, &mut joined, skip);
            prop_assert!(skipped <= skip && joined.len() + skipped == sound.len() && loud(&joined) <= peak);
        }
    }
}
