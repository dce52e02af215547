//! Lips and voice together: which of sound and picture has to wait for the other.
//!
//! RTP times of the two streams have nothing in common; each stream's RTCP sender reports pair one of its RTP times with
//! the sender's wall clock (RFC 3550, section 6.4.1). So for what is heard and seen now it is known when it was captured,
//! and the difference of the two ages is the skew.
//!
//! People notice sound that comes 45 ms too early and 125 ms too late (ITU-R BT.1359). Within narrower limits nothing is
//! done. Beyond them a delay that was added before is taken back first; only then is one added to the stream that is too
//! early, in small steps, and never more than [`MAX_EXTRA`]: in a conversation being late is worse than being apart.

use std::time::{Duration, Instant};

/// The most that either stream is held up.
pub const MAX_EXTRA: Duration = Duration::from_millis(200);

/// Sound may be this much ahead of the picture, seconds.
const AHEAD: f64 = 0.030;
/// Sound may be this much behind the picture, seconds.
const BEHIND: f64 = 0.070;
/// Largest change of a delay in a second, seconds.
const PACE: f64 = 0.040;
/// Time constant of the smoothing of the skew, seconds.
const SMOOTHING: f64 = 1.0;
/// Skew that no two streams of one person have; such reports are wrong. Seconds.
const ABSURD: f64 = 5.0;
const AUDIO_CLOCK: f64 = 48_000.0;
const VIDEO_CLOCK: f64 = 90_000.0;

/// Something heard or seen: which RTP time, and when.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// RTP time of the sample or picture.
    pub rtp_timestamp: u32,
    /// When it comes out of the loudspeaker or onto the screen.
    pub at: Instant,
}

/// How long each stream has to wait on top of its own needs. At most one of them is not zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extra {
    /// For `AudioBuffer::set_extra_delay`.
    pub audio: Duration,
    /// For `VideoBuffer::set_extra_delay`.
    pub video: Duration,
}

/// Keeps the sound and the picture of one person together.
#[derive(Debug, Default)]
pub struct LipSync {
    audio: Option<Mapping>,
    video: Option<Mapping>,
    last: Option<Instant>,
    skew: Option<f64>,
    /// Seconds for audio; negative for video.
    extra: f64,
}

/// A sender report: this RTP time was at that time of the sender's wall clock.
#[derive(Debug, Clone, Copy)]
struct Mapping {
    ntp_s: f64,
    rtp: u32,
}

impl LipSync {
    /// Nothing known, nothing delayed.
    pub fn new() -> Self {
        Self::default()
    }

    /// The sound's latest sender report: NTP time in 32.32 fixed point, and RTP time.
    pub fn audio_report(&mut self, ntp: u64, rtp_timestamp: u32) {
        self.audio = Some(Mapping::new(ntp, rtp_timestamp));
    }

    /// The picture's latest sender report.
    pub fn video_report(&mut self, ntp: u64, rtp_timestamp: u32) {
        self.video = Some(Mapping::new(ntp, rtp_timestamp));
    }

    /// Takes what is heard and seen at about `now`; how long each has to wait. To be called some times a second.
    pub fn update(&mut self, now: Instant, heard: Shown, seen: Shown) -> Extra {
        let passed = self.last.replace(now).map_or(0.0, |last| now.saturating_duration_since(last).as_secs_f64());
        if let Some(skew) = self.measure(heard, seen) {
            let weight = (passed / SMOOTHING).min(1.0);
            let smooth = self.skew.map_or(skew, |before| before + (skew - before) * weight);
            self.skew = Some(smooth);
            let step = wanted(smooth, self.extra).clamp(-PACE * passed, PACE * passed);
            self.extra = (self.extra + step).clamp(-MAX_EXTRA.as_secs_f64(), MAX_EXTRA.as_secs_f64());
        }
        self.extra()
    }

    /// What the last update said.
    pub fn extra(&self) -> Extra {
        Extra {
            audio: Duration::from_secs_f64(self.extra.max(0.0)),
            video: Duration::from_secs_f64((-self.extra).max(0.0)),
        }
    }

    /// How much later than the sound the picture is, seconds and smoothed; for statistics.
    pub fn skew_s(&self) -> Option<f64> {
        self.skew
    }

    /// Age of the picture less age of the sound.
    fn measure(&self, heard: Shown, seen: Shown) -> Option<f64> {
        let heard_captured = self.audio?.captured(heard.rtp_timestamp, AUDIO_CLOCK);
        let seen_captured = self.video?.captured(seen.rtp_timestamp, VIDEO_CLOCK);
        let skew = signed_seconds(seen.at, heard.at) - (seen_captured - heard_captured);
        (skew.abs() < ABSURD).then_some(skew)
    }
}

/// By how much the delay of sound should grow (or that of the picture shrink), were it done at once.
fn wanted(skew: f64, extra: f64) -> f64 {
    if skew > AHEAD {
        skew - AHEAD
    } else if skew < -BEHIND {
        skew + BEHIND
    } else if extra > 0.0 {
        // in between: what was added is given back as far as the limit allows
        -(AHEAD * 0.8 - skew).clamp(0.0, extra)
    } else {
        (skew + BEHIND * 0.8).clamp(0.0, -extra)
    }
}

impl Mapping {
    fn new(ntp: u64, rtp: u32) -> Self {
        Self { ntp_s: ntp as f64 / 4_294_967_296.0, rtp }
    }

    /// When the sender's clock stood at this RTP time, seconds.
    fn captured(&self, rtp: u32, clock: f64) -> f64 {
        self.ntp_s + f64::from(rtp.wrapping_sub(self.rtp) as i32) / clock
    }
}

fn signed_seconds(a: Instant, b: Instant) -> f64 {
    a.saturating_duration_since(b).as_secs_f64() - b.saturating_duration_since(a).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NTP: u64 = 3_900_000_000 << 32;

    /// Runs `seconds` with a picture that is `video_ms` and a sound that is `audio_ms` old, before what is added.
    fn run(sync: &mut LipSync, start: Instant, seconds: u64, audio_ms: u64, video_ms: u64) -> Extra {
        for tick in 0..seconds * 5 {
            let captured_ms = 1_000_000 + tick * 200;
            let shown = |clock_khz: u64, offset: u32, age: Duration| Shown {
                rtp_timestamp: ((captured_ms * clock_khz) as u32).wrapping_add(offset),
                at: start + Duration::from_millis(captured_ms) + age,
            };
            let extra = sync.extra();
            let heard = shown(48, AUDIO_OFFSET, Duration::from_millis(audio_ms) + extra.audio);
            let seen = shown(90, VIDEO_OFFSET, Duration::from_millis(video_ms) + extra.video);
            sync.update(start + Duration::from_millis(captured_ms), heard, seen);
        }
        sync.extra()
    }

    const AUDIO_OFFSET: u32 = u32::MAX - 48_000;
    const VIDEO_OFFSET: u32 = 77;

    fn reported() -> LipSync {
        let mut sync = LipSync::new();
        let at = |ms: u64, khz: u64, offset: u32| ((ms * khz) as u32).wrapping_add(offset);
        // reports of different moments, 300 ms apart
        sync.audio_report(NTP, at(1_000_000, 48, AUDIO_OFFSET));
        sync.video_report(NTP + (3 << 32) / 10, at(1_000_300, 90, VIDEO_OFFSET));
        sync
    }

    #[test]
    fn streams_that_are_together_are_left_alone() {
        let mut sync = reported();
        assert_eq!(run(&mut sync, Instant::now(), 20, 80, 100), Extra::default());
        assert!((sync.skew_s().unwrap() - 0.020).abs() < 0.002, "{:?}", sync.skew_s());
    }

    #[test]
    fn sound_waits_for_a_late_picture_and_stops_waiting_when_it_is_in_time() {
        let (mut sync, start) = (reported(), Instant::now());
        let extra = run(&mut sync, start, 20, 60, 200);
        assert!((extra.audio.as_secs_f64() - 0.110).abs() < 0.012, "{extra:?}");
        assert_eq!(extra.video, Duration::ZERO);
        let extra = run(&mut sync, start, 20, 60, 60);
        assert!(extra.audio < Duration::from_millis(8), "{extra:?}");
    }

    #[test]
    fn the_picture_waits_for_late_sound() {
        let extra = run(&mut reported(), Instant::now(), 20, 250, 60);
        assert!((extra.video.as_secs_f64() - 0.120).abs() < 0.012, "{extra:?}");
        assert_eq!(extra.audio, Duration::ZERO);
    }

    #[test]
    fn changes_are_slow_and_bounded() {
        let (mut sync, start) = (reported(), Instant::now());
        let after_a_second = run(&mut sync, start, 1, 0, 1_000);
        assert!(after_a_second.audio <= Duration::from_millis(41), "{after_a_second:?}");
        assert_eq!(run(&mut sync, start, 30, 0, 1_000).audio, MAX_EXTRA);
    }

    #[test]
    fn without_reports_or_with_absurd_ones_nothing_waits() {
        let start = Instant::now();
        assert_eq!(run(&mut LipSync::new(), start, 5, 0, 900), Extra::default());
        let mut sync = reported();
        sync.video_report(NTP + (60 << 32), 0);
        assert_eq!(run(&mut sync, start, 5, 0, 900), Extra::default());
    }

    proptest! {
        #[test]
        fn any_numbers_keep_the_bounds(
            reports in prop::collection::vec((any::<u64>(), any::<u32>(), any::<bool>()), 1..6),
            shown in prop::collection::vec((any::<u32>(), any::<u32>(), 0u64..5_000, 0u64..5_000), 1..40)
        ) {
            let (mut sync, start) = (LipSync::new(), Instant::now());
            for (ntp, rtp, audio) in reports {
                if audio { sync.audio_report(ntp, rtp) } else { sync.video_report(ntp, rtp) }
            }
            for (heard, seen, heard_ms, seen_ms) in shown {
                let at = |ms| start + Duration::from_millis(ms);
                let extra = sync.update(
                    at(heard_ms.max(seen_ms)),
                    Shown { rtp_timestamp: heard, at: at(heard_ms) },
                    Shown { rtp_timestamp: seen, at: at(seen_ms) },
                );
                prop_assert!(extra.audio <= MAX_EXTRA && extra.video <= MAX_EXTRA);
                prop_assert!(extra.audio.is_zero() || extra.video.is_zero());
            }
        }
    }
}
