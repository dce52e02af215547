//! Chooses the video codec for a path: VP9 saves a fifth of the bitrate, and takes half as much time again to encode.

use media::encoded::VideoCodec::{self, Vp8, Vp9};
use std::time::{Duration, Instant};

/// The share of the highest useful bitrate below which VP9 looks visibly better.
const NARROW: f64 = 0.65;
/// The share above which both look the same.
const WIDE: f64 = 0.9;
/// How long the path must be narrow or wide before a switch, which costs a keyframe.
const BEFORE_VP9: Duration = Duration::from_secs(4);
const BEFORE_VP8: Duration = Duration::from_secs(10);
/// Most pixels of a VP9 frame. Above, VP9 takes twice the time of VP8 and gains little.
const MAX_VP9_PIXELS: u64 = 960 * 540;

/// What a subscriber's path and our computer allow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions {
    /// The target bitrate for video, bit/s.
    pub(crate) target: u64,
    /// The bitrate above which the size shows no improvement, bit/s.
    pub(crate) most_useful: u64,
    /// Pixels of a frame.
    pub(crate) pixels: u64,
    /// Whether only one subscriber looks. Several share one encoder, and their computers have several pictures to decode.
    pub(crate) alone: bool,
    /// Whether the computer encodes too slowly.
    pub(crate) overloaded: bool,
}

/// The codec for one subscriber.
///
/// ```text
///        narrow for 4 s
///  Vp8 ------------------> Vp9
///      <------------------
///        wide for 10 s; others look, too large, or overloaded: at once
/// ```
#[derive(Debug, Default)]
pub(crate) struct CodecChoice {
    is_vp9: bool,
    /// Since when the conditions have been for the other codec.
    since: Option<Instant>,
}

impl CodecChoice {
    /// The codec for the next frame. `accepted` are the far side's codecs in its order of preference; with none, there is
    /// no codec. A far side that does not accept both, or prefers another one, receives the one that it prefers.
    pub(crate) fn choose(
        &mut self,
        now: Instant,
        accepted: &[VideoCodec],
        conditions: Conditions,
    ) -> Option<VideoCodec> {
        let first = *accepted.first()?;
        if !accepted.contains(&Vp8) || !accepted.contains(&Vp9) || ![Vp8, Vp9].contains(&first) {
            return Some(first);
        }
        self.update(now, conditions);
        Some(if self.is_vp9 { Vp9 } else { Vp8 })
    }

    fn update(&mut self, now: Instant, conditions: Conditions) {
        let possible = conditions.alone && !conditions.overloaded && conditions.pixels <= MAX_VP9_PIXELS;
        let share = conditions.target as f64 / conditions.most_useful.max(1) as f64;
        if !possible {
            (self.is_vp9, self.since) = (false, None);
            return;
        }
        let (other, wait) = match self.is_vp9 {
            false => (share < NARROW, BEFORE_VP9),
            true => (share > WIDE, BEFORE_VP8),
        };
        if !other {
            self.since = None;
        } else if now.saturating_duration_since(*self.since.get_or_insert(now)) >= wait {
            (self.is_vp9, self.since) = (!self.is_vp9, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::encoded::VideoCodec::H264;

    const ALL: [VideoCodec; 3] = [Vp9, Vp8, H264];
    const WIDE_PATH: Conditions =
        Conditions { target: 1_700_000, most_useful: 1_700_000, pixels: 640 * 360, alone: true, overloaded: false };
    const NARROW_PATH: Conditions = Conditions { target: 800_000, ..WIDE_PATH };

    /// The codecs at each second under these conditions.
    fn run(choice: &mut CodecChoice, start: Instant, conditions: &[Conditions]) -> Vec<VideoCodec> {
        let at = |second: usize| start + Duration::from_secs(second as u64);
        let each = conditions.iter().enumerate();
        each.map(|(second, conditions)| choice.choose(at(second), &ALL, *conditions).unwrap()).collect()
    }

    #[test]
    fn a_narrow_path_switches_to_vp9_and_a_wide_one_back() {
        let (mut choice, start) = (CodecChoice::default(), Instant::now());
        assert_eq!(run(&mut choice, start, &[WIDE_PATH; 60]), [Vp8; 60]);
        let start = start + Duration::from_secs(60);
        let narrow = run(&mut choice, start, &[NARROW_PATH; 20]);
        assert_eq!((narrow[3], narrow[4], narrow[19]), (Vp8, Vp9, Vp9));
        let between = Conditions { target: 1_300_000, ..WIDE_PATH };
        let start = start + Duration::from_secs(20);
        assert_eq!(run(&mut choice, start, &[between; 30]), [Vp9; 30]);
        let wide = run(&mut choice, start + Duration::from_secs(30), &[WIDE_PATH; 20]);
        assert_eq!((wide[9], wide[10]), (Vp9, Vp8));
    }

    #[test]
    fn a_path_that_is_narrow_for_a_moment_changes_nothing() {
        let mut conditions = [WIDE_PATH; 60];
        conditions.iter_mut().skip(5).step_by(5).for_each(|second| *second = NARROW_PATH);
        assert_eq!(run(&mut CodecChoice::default(), Instant::now(), &conditions), [Vp8; 60]);
    }

    #[test]
    fn vp9_is_for_one_subscriber_a_small_picture_and_a_computer_that_is_fast_enough() {
        let limits: [fn(&mut Conditions); 3] =
            [|c| c.alone = false, |c| c.overloaded = true, |c| c.pixels = 1280 * 720];
        for limit in limits {
            let mut limited = NARROW_PATH;
            limit(&mut limited);
            let (mut choice, start) = (CodecChoice::default(), Instant::now());
            assert_eq!(run(&mut choice, start, &[limited; 20]), [Vp8; 20]);
            run(&mut choice, start + Duration::from_secs(20), &[NARROW_PATH; 10]);
            let later = start + Duration::from_secs(30);
            assert_eq!(run(&mut choice, later, &[NARROW_PATH, limited]), [Vp9, Vp8]);
        }
    }

    #[test]
    fn a_far_side_that_lacks_a_codec_or_prefers_h264_receives_what_it_prefers() {
        let now = Instant::now();
        let codec = |accepted: &[VideoCodec]| CodecChoice::default().choose(now, accepted, NARROW_PATH);
        assert_eq!(codec(&[]), None);
        assert_eq!(codec(&[Vp9]), Some(Vp9));
        assert_eq!(codec(&[Vp9, H264]), Some(Vp9));
        assert_eq!(codec(&[H264, Vp8, Vp9]), Some(H264));
    }
}
