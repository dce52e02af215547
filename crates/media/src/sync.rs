//! Lip sync: decides whether audio or video must be delayed.
//!
//! The RTP timestamps of the two streams are unrelated. The RTCP sender reports of each stream map an RTP timestamp to
//! the sender's wall clock (RFC 3550 section 6.4.1). That gives the capture time of the audio and video being played
//! now. The difference of their ages is the skew.
//!
//! People notice audio that is 45 ms early or 125 ms late (ITU-R BT.1359). Within narrower limits nothing is done.
//! Beyond them, a delay that was added earlier is removed first. Only then is a delay added to the stream that is
//! early, in small steps and never more than [`MAX_EXTRA`]: in a conversation, latency is worse than skew.

use std::time::{Duration, Instant};

/// The largest delay added to either stream.
pub const MAX_EXTRA: Duration = Duration::from_millis(200);

/// Tolerated lead of audio before video, in seconds.
const AHEAD: f64 = 0.030;
/// Tolerated lag of audio behind video, in seconds: with jitter of 80 ms, 95 % of the pictures are then within 80 ms.
const BEHIND: f64 = 0.050;
/// Largest change of a delay per second, in seconds.
const PACE: f64 = 0.040;
/// Time constant of the smoothed skew, in seconds.
const SMOOTHING: f64 = 1.0;
/// Implausible skew, in seconds. Such reports are ignored.
const ABSURD: f64 = 5.0;
const AUDIO_CLOCK: f64 = 48_000.0;
const VIDEO_CLOCK: f64 = 90_000.0;

/// An RTP timestamp, and the time at which it is played.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// RTP timestamp of the sample or frame.
    pub rtp_timestamp: u32,
    /// When it is played by the loudspeaker or shown on the screen.
    pub at: Instant,
}

/// The delay to add to each stream. At most one is not zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extra {
    /// For `AudioBuffer::set_extra_delay`.
    pub audio: Duration,
    /// For `VideoBuffer::set_extra_delay`.
    pub video: Duration,
}

/// Keeps the audio and the video of one person in sync.
#[derive(Debug, Default)]
pub struct LipSync {
    audio: Option<Mapping>,
    video: Option<Mapping>,
    last: Option<Instant>,
    skew: Option<f64>,
    /// Added delay in seconds: positive for audio, negative for video.
    extra: f64,
}

/// A sender report: the RTP timestamp and the sender's wall clock at the same moment.
#[derive(Debug, Clone, Copy)]
struct Mapping {
    ntp_s: f64,
    rtp: u32,
}

impl LipSync {
    /// Starts without reports and without delays.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records the latest sender report of audio: NTP time in 32.32 fixed point, and RTP timestamp.
    pub fn audio_report(&mut self, ntp: u64, rtp_timestamp: u32) {
        self.audio = Some(Mapping::new(ntp, rtp_timestamp));
    }

    /// Records the latest sender report of video.
    pub fn video_report(&mut self, ntp: u64, rtp_timestamp: u32) {
        self.video = Some(Mapping::new(ntp, rtp_timestamp));
    }

    /// Computes the delays from what is played and shown at about `now`. Call it a few times per second.
    pub fn update(&mut self, now: Instant, audible: Shown, visible: Shown) -> Extra {
        let passed = self.last.replace(now).map_or(0.0, |last| now.saturating_duration_since(last).as_secs_f64());
        if let Some(skew) = self.measure(audible, visible) {
            let weight = (passed / SMOOTHING).min(1.0);
            let smooth = self.skew.map_or(skew, |before| before + (skew - before) * weight);
            self.skew = Some(smooth);
            let step = wanted(smooth, self.extra).clamp(-PACE * passed, PACE * passed);
            self.extra = (self.extra + step).clamp(-MAX_EXTRA.as_secs_f64(), MAX_EXTRA.as_secs_f64());
        }
        self.extra()
    }

    /// The result of the last update.
    pub fn extra(&self) -> Extra {
        Extra {
            audio: Duration::from_secs_f64(self.extra.max(0.0)),
            video: Duration::from_secs_f64((-self.extra).max(0.0)),
        }
    }

    /// The smoothed delay of video relative to audio, in seconds, for statistics.
    pub fn skew_s(&self) -> Option<f64> {
        self.skew
    }

    /// Age of the video minus age of the audio, in seconds.
    fn measure(&self, audible: Shown, visible: Shown) -> Option<f64> {
        let audio_captured = self.audio?.captured(audible.rtp_timestamp, AUDIO_CLOCK);
        let video_captured = self.video?.captured(visible.rtp_timestamp, VIDEO_CLOCK);
        let skew = signed_seconds(visible.at, audible.at) - (video_captured - audio_captured);
        (skew.abs() < ABSURD).then_some(skew)
    }
}

/// By how much the audio delay should grow (or the video delay shrink), in seconds, before its rate is limited.
fn wanted(skew: f64, extra: f64) -> f64 {
    if skew > AHEAD {
        skew - AHEAD
    } else if skew < -BEHIND {
        skew + BEHIND
    } else if extra > 0.0 {
        // in between: remove added delay as far as the limit allows
        -(AHEAD * 0.8 - skew).clamp(0.0, extra)
    } else {
        (skew + BEHIND * 0.8).clamp(0.0, -extra)
    }
}

impl Mapping {
    fn new(ntp: u64, rtp: u32) -> Self {
        Self { ntp_s: ntp as f64 / 4_294_967_296.0, rtp }
    }

    /// Capture time of this RTP timestamp on the sender's clock, in seconds.
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

    /// Runs `seconds` with video that is `video_ms` old and audio that is `audio_ms` old, before added delays.
    fn run(sync: &mut LipSync, start: Instant, seconds: u64, audio_ms: u64, video_ms: u64) -> Extra {
        for tick in 0..seconds * 5 {
            let captured_ms = 1_000_000 + tick * 200;
            let shown = |clock_khz: u64, offset: u32, age: Duration| Shown {
                rtp_timestamp: ((captured_ms * clock_khz) as u32).wrapping_add(offset),
                at: start + Duration::from_millis(captured_ms) + age,
            };
            let extra = sync.extra();
            let audible = shown(48, AUDIO_OFFSET, Duration::from_millis(audio_ms) + extra.audio);
            let visible = shown(90, VIDEO_OFFSET, Duration::from_millis(video_ms) + extra.video);
            sync.update(start + Duration::from_millis(captured_ms), audible, visible);
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
    fn streams_in_sync_are_not_delayed() {
        let mut sync = reported();
        assert_eq!(run(&mut sync, Instant::now(), 20, 80, 100), Extra::default());
        assert!((sync.skew_s().unwrap() - 0.020).abs() < 0.002, "{:?}", sync.skew_s());
    }

    #[test]
    fn audio_waits_for_late_video_until_it_is_in_time() {
        let (mut sync, start) = (reported(), Instant::now());
        let extra = run(&mut sync, start, 20, 60, 200);
        assert!((extra.audio.as_secs_f64() - 0.110).abs() < 0.012, "{extra:?}");
        assert_eq!(extra.video, Duration::ZERO);
        let extra = run(&mut sync, start, 20, 60, 60);
        assert!(extra.audio < Duration::from_millis(8), "{extra:?}");
    }

    #[test]
    fn video_waits_for_late_audio() {
        let extra = run(&mut reported(), Instant::now(), 20, 250, 60);
        assert!((extra.video.as_secs_f64() - 0.140).abs() < 0.012, "{extra:?}");
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
    fn without_valid_reports_nothing_waits() {
        let start = Instant::now();
        assert_eq!(run(&mut LipSync::new(), start, 5, 0, 900), Extra::default());
        let mut sync = reported();
        sync.video_report(NTP + (60 << 32), 0);
        assert_eq!(run(&mut sync, start, 5, 0, 900), Extra::default());
    }

    proptest! {
        #[test]
        fn any_input_keeps_the_bounds(
            reports in prop::collection::vec((any::<u64>(), any::<u32>(), any::<bool>()), 1..6),
            shown in prop::collection::vec((any::<u32>(), any::<u32>(), 0u64..5_000, 0u64..5_000), 1..40)
        ) {
            let (mut sync, start) = (LipSync::new(), Instant::now());
            for (ntp, rtp, audio) in reports {
                if audio { sync.audio_report(ntp, rtp) } else { sync.video_report(ntp, rtp) }
            }
            for (audible, visible, audible_ms, visible_ms) in shown {
                let at = |ms| start + Duration::from_millis(ms);
                let extra = sync.update(
                    at(audible_ms.max(visible_ms)),
                    Shown { rtp_timestamp: audible, at: at(audible_ms) },
                    Shown { rtp_timestamp: visible, at: at(visible_ms) },
                );
                prop_assert!(extra.audio <= MAX_EXTRA && extra.video <= MAX_EXTRA);
                prop_assert!(extra.audio.is_zero() || extra.video.is_zero());
            }
        }
    }
}
