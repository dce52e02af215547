//! Chooses the video codec for a path.
//!
//! With the encoders and settings that we use, H.264 takes two thirds of VP8's time for the same or a slightly better
//! picture, until the bitrate is so low that its baseline profile looks worse (docs/benchmarks.md, *Encoders*). VP9 saves a
//! fifth of the bitrate and takes half as much time again as VP8.

use media::encoded::VideoCodec::{self, H264, Vp8, Vp9};
use std::time::{Duration, Instant};

/// How long the path must be narrow or wide before a switch, which costs a keyframe.
const BEFORE_SWITCH: Duration = Duration::from_secs(10);

/// What a subscriber's path and our computer allow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions {
    /// The target bitrate for video, bit/s.
    pub(crate) target: u64,
    /// The bitrate above which the size shows no improvement, bit/s.
    pub(crate) most_useful: u64,
    /// Whether only one subscriber looks. Several share one encoder, and their computers have several pictures to decode.
    pub(crate) alone: bool,
    /// Whether the computer encodes too slowly.
    pub(crate) overloaded: bool,
    /// Whether the far side is one of our clients. Not every browser decodes H.264 well.
    pub(crate) ours: bool,
}

/// The codec for one subscriber.
///
/// ```text
///          narrow for 10 s
///  Usual ------------------> Vp9
///        <------------------
///          wide for 10 s; others look, or overloaded: at once
/// ```
#[derive(Debug, Default)]
pub(crate) struct CodecChoice {
    is_vp9: bool,
    /// Since when the conditions have been for the other codec.
    since: Option<Instant>,
}

impl CodecChoice {
    /// The codec for the next frame. `accepted` are the far side's codecs in its order of preference; with none, there is
    /// no codec.
    pub(crate) fn choose(
        &mut self,
        now: Instant,
        accepted: &[VideoCodec],
        conditions: Conditions,
    ) -> Option<VideoCodec> {
        let usual = usual(accepted, conditions.ours)?;
        if !accepted.contains(&Vp9) || usual == Vp9 {
            return Some(usual);
        }
        self.update(now, conditions, usual);
        Some(if self.is_vp9 { Vp9 } else { usual })
    }

    fn update(&mut self, now: Instant, conditions: Conditions, usual: VideoCodec) {
        if !conditions.alone || conditions.overloaded {
            (self.is_vp9, self.since) = (false, None);
            return;
        }
        let share = conditions.target as f64 / conditions.most_useful.max(1) as f64;
        let (narrow, wide) = bounds(usual);
        let other = if self.is_vp9 { share > wide } else { share < narrow };
        if !other {
            self.since = None;
        } else if now.saturating_duration_since(*self.since.get_or_insert(now)) >= BEFORE_SWITCH {
            (self.is_vp9, self.since) = (!self.is_vp9, None);
        }
    }
}

/// The codec for paths that are not narrow. A browser that prefers H.264 decodes it in hardware.
fn usual(accepted: &[VideoCodec], ours: bool) -> Option<VideoCodec> {
    let first = *accepted.first()?;
    let preferred = if ours { [H264, Vp8] } else { [Vp8, Vp8] };
    let by_us = preferred.into_iter().find(|codec| accepted.contains(codec));
    Some(if !ours && first == H264 { first } else { by_us.unwrap_or(first) })
}

/// The shares of the highest useful bitrate below which VP9 looks visibly better than this codec, and above which it does
/// not.
fn bounds(usual: VideoCodec) -> (f64, f64) {
    match usual {
        H264 => (0.4, 0.6),
        Vp8 | Vp9 => (0.65, 0.9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [VideoCodec; 3] = VideoCodec::ALL;
    const WIDE_PATH: Conditions =
        Conditions { target: 1_700_000, most_useful: 1_700_000, alone: true, overloaded: false, ours: true };
    const NARROW_PATH: Conditions = Conditions { target: 500_000, ..WIDE_PATH };

    /// The codecs at each second under these conditions.
    fn run(choice: &mut CodecChoice, start: Instant, conditions: &[Conditions]) -> Vec<VideoCodec> {
        let at = |second: usize| start + Duration::from_secs(second as u64);
        let each = conditions.iter().enumerate();
        each.map(|(second, conditions)| choice.choose(at(second), &ALL, *conditions).unwrap()).collect()
    }

    #[test]
    fn a_narrow_path_switches_to_vp9_and_a_wide_one_back() {
        for (ours, usual, between) in [(true, H264, 850_000), (false, Vp8, 1_300_000)] {
            let (mut choice, start) = (CodecChoice::default(), Instant::now());
            let [wide, narrow] = [WIDE_PATH, NARROW_PATH].map(|path| Conditions { ours, ..path });
            assert_eq!(run(&mut choice, start, &[wide; 60]), [usual; 60]);
            let start = start + Duration::from_secs(60);
            let narrow = run(&mut choice, start, &[narrow; 20]);
            assert_eq!((narrow[9], narrow[10], narrow[19]), (usual, Vp9, Vp9));
            let between = Conditions { target: between, ..wide };
            let start = start + Duration::from_secs(20);
            assert_eq!(run(&mut choice, start, &[between; 30]), [Vp9; 30]);
            let wide = run(&mut choice, start + Duration::from_secs(30), &[wide; 20]);
            assert_eq!((wide[9], wide[10]), (Vp9, usual));
        }
    }

    #[test]
    fn a_path_that_is_narrow_for_a_moment_changes_nothing() {
        let mut conditions = [WIDE_PATH; 60];
        conditions.iter_mut().skip(5).step_by(5).for_each(|second| *second = NARROW_PATH);
        assert_eq!(run(&mut CodecChoice::default(), Instant::now(), &conditions), [H264; 60]);
    }

    #[test]
    fn vp9_is_for_one_subscriber_and_a_computer_that_is_fast_enough() {
        let limits: [fn(&mut Conditions); 2] = [|c| c.alone = false, |c| c.overloaded = true];
        for limit in limits {
            let mut limited = NARROW_PATH;
            limit(&mut limited);
            let (mut choice, start) = (CodecChoice::default(), Instant::now());
            assert_eq!(run(&mut choice, start, &[limited; 20]), [H264; 20]);
            run(&mut choice, start + Duration::from_secs(20), &[NARROW_PATH; 20]);
            let later = start + Duration::from_secs(40);
            assert_eq!(run(&mut choice, later, &[NARROW_PATH, limited]), [Vp9, H264]);
        }
    }

    #[test]
    fn a_far_side_receives_only_what_it_accepts_and_a_browser_what_it_prefers() {
        let codec = |accepted: &[VideoCodec], ours| {
            CodecChoice::default().choose(Instant::now(), accepted, Conditions { ours, ..NARROW_PATH })
        };
        for ours in [true, false] {
            assert_eq!(codec(&[], ours), None);
            assert_eq!(codec(&[Vp9], ours), Some(Vp9));
            assert_eq!(codec(&[H264], ours), Some(H264));
            assert_eq!(codec(&[H264, Vp8, Vp9], ours), Some(H264));
        }
        assert_eq!(codec(&[Vp9, Vp8, H264], true), Some(H264));
        assert_eq!(codec(&[Vp9, Vp8, H264], false), Some(Vp8));
        assert_eq!(codec(&[Vp9, H264], false), Some(Vp9));
    }
}
