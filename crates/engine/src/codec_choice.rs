//! Chooses the video codec for a path.
//!
//! With the encoders and settings that we use, H.264 takes two thirds of VP8's time for the same or a slightly better
//! picture, until the bitrate is so low that its baseline profile looks worse (docs/benchmarks.md, *Encoders*). VP9 saves a
//! fifth of the bitrate and takes half as much time again as VP8. A call starts with VP8, whose first keyframe is a third of
//! that of H.264.

use media::encoded::VideoCodec::{self, H264, Vp8, Vp9};
use std::time::{Duration, Instant};

/// How long the path must be narrow, or not, before the first codec is replaced. The keyframe of a switch is seen less at the
/// start of a call than later.
const FIRST_TIME: Duration = Duration::from_secs(2);
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

/// ```text
///                          wide for 10 s; others look, or overloaded: at once
///  First -- not narrow, or others, 2 s ---> Usual <------------------ Vp9
///    |                                          |                       ^ ^
///    |                                          '--- narrow for 10 s ---' |
///    '------------- narrow for 2 s ---------------------------------------'
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    First,
    Usual,
    Vp9,
}

/// The codec for one subscriber.
#[derive(Debug, Default)]
pub(crate) struct CodecChoice {
    state: State,
    /// The state that the conditions have been for, and since when.
    next: Option<(State, Instant)>,
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
        self.update(now, conditions, bounds(usual));
        Some(match self.state {
            State::First if usual == H264 && conditions.ours && accepted.contains(&Vp8) => Vp8,
            State::Vp9 if accepted.contains(&Vp9) => Vp9,
            State::First | State::Usual | State::Vp9 => usual,
        })
    }

    fn update(&mut self, now: Instant, conditions: Conditions, (narrow, wide): (f64, f64)) {
        let share = conditions.target as f64 / conditions.most_useful.max(1) as f64;
        let allows_vp9 = conditions.alone && !conditions.overloaded;
        let (next, wait) = match self.state {
            State::First if share > narrow || !conditions.alone => (State::Usual, FIRST_TIME),
            State::First if share < narrow && allows_vp9 => (State::Vp9, FIRST_TIME),
            State::Usual if share < narrow && allows_vp9 => (State::Vp9, BEFORE_SWITCH),
            State::Vp9 if !allows_vp9 => (State::Usual, Duration::ZERO),
            State::Vp9 if share > wide => (State::Usual, BEFORE_SWITCH),
            unchanged @ (State::First | State::Usual | State::Vp9) => (unchanged, BEFORE_SWITCH),
        };
        let since = self.next.filter(|(state, _)| *state == next).map_or(now, |(_, since)| since);
        self.next = Some((next, since));
        if now.saturating_duration_since(since) >= wait {
            self.state = next;
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

    /// The codecs at each second under these conditions, from this second on.
    fn run(choice: &mut CodecChoice, start: Instant, second: u64, conditions: &[Conditions]) -> Vec<VideoCodec> {
        let at = |n: usize| start + Duration::from_secs(second + n as u64);
        let each = conditions.iter().enumerate();
        each.map(|(n, conditions)| choice.choose(at(n), &ALL, *conditions).unwrap()).collect()
    }

    #[test]
    fn a_wide_path_switches_to_the_usual_codec_and_a_narrow_one_to_vp9_and_back() {
        for (ours, usual, between) in [(true, H264, 850_000), (false, Vp8, 1_300_000)] {
            let (mut choice, start) = (CodecChoice::default(), Instant::now());
            let [wide, narrow] = [WIDE_PATH, NARROW_PATH].map(|path| Conditions { ours, ..path });
            let first = run(&mut choice, start, 0, &[wide; 60]);
            assert_eq!((first[1], first[2], first[59]), (Vp8, usual, usual));
            let narrow = run(&mut choice, start, 60, &[narrow; 20]);
            assert_eq!((narrow[9], narrow[10], narrow[19]), (usual, Vp9, Vp9));
            let between = Conditions { target: between, ..wide };
            assert_eq!(run(&mut choice, start, 80, &[between; 30]), [Vp9; 30]);
            let wide = run(&mut choice, start, 110, &[wide; 20]);
            assert_eq!((wide[9], wide[10]), (Vp9, usual));
        }
    }

    #[test]
    fn a_call_over_a_narrow_path_starts_with_vp8() {
        let codecs = run(&mut CodecChoice::default(), Instant::now(), 0, &[NARROW_PATH; 20]);
        assert_eq!((codecs[1], codecs[2], codecs[19]), (Vp8, Vp9, Vp9));
    }

    #[test]
    fn at_a_table_all_share_the_usual_codec_after_the_start() {
        let table = Conditions { alone: false, ..NARROW_PATH };
        let codecs = run(&mut CodecChoice::default(), Instant::now(), 0, &[table; 20]);
        assert_eq!((codecs[1], codecs[2], codecs[19]), (Vp8, H264, H264));
    }

    #[test]
    fn a_path_that_is_narrow_for_a_moment_changes_nothing() {
        let mut conditions = [WIDE_PATH; 60];
        conditions.iter_mut().skip(5).step_by(5).for_each(|second| *second = NARROW_PATH);
        assert_eq!(run(&mut CodecChoice::default(), Instant::now(), 0, &conditions)[2..], [H264; 58]);
    }

    #[test]
    fn vp9_ends_when_others_look_or_the_computer_is_too_slow() {
        let limits: [fn(&mut Conditions); 2] = [|c| c.alone = false, |c| c.overloaded = true];
        for limit in limits {
            let mut limited = NARROW_PATH;
            limit(&mut limited);
            let (mut choice, start) = (CodecChoice::default(), Instant::now());
            run(&mut choice, start, 0, &[NARROW_PATH; 20]);
            assert_eq!(run(&mut choice, start, 20, &[NARROW_PATH, limited, limited]), [Vp9, H264, H264]);
        }
    }

    #[test]
    fn a_far_side_receives_only_what_it_accepts_and_a_browser_what_it_prefers() {
        let codec = |accepted: &[VideoCodec], ours| {
            let mut choice = CodecChoice { state: State::Usual, next: None };
            choice.choose(Instant::now(), accepted, Conditions { ours, ..NARROW_PATH })
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
