//! Connects a participant's sound and pictures for lip sync (`media::sync`).
//!
//! The audio thread notes what is audible and the decode thread what is visible. The decode thread compares them by the far
//! side's sender reports, and sets the extra delay of either. [`SoundIn`] is what both threads share.

use crossbeam_queue::ArrayQueue;
use media::encoded::AudioPacket;
use media::sync::{LipSync, Shown};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Packets on their way from a connection to its jitter buffer. When full, the oldest is dropped: late audio is
/// useless. A packet may come with two copies of earlier ones.
const PACKETS: usize = 64;
/// Sender reports on their way to the decode thread. When full, the oldest is dropped: a newer one says the same.
const REPORTS: usize = 8;
/// How often the delays are adapted.
const INTERVAL: Duration = Duration::from_millis(200);
/// After this time without sound or without pictures, there is nothing to synchronise.
const STALE: Duration = Duration::from_secs(2);
/// Unit of the time in [`SoundIn::set_audible`].
const TICK: Duration = Duration::from_micros(100);

/// The sound of one participant between the connection, the audio thread and the decode thread.
#[derive(Debug)]
pub(crate) struct SoundIn {
    pub(crate) packets: ArrayQueue<AudioPacket>,
    /// The name of the media line.
    mid: OnceLock<Box<str>>,
    reports: ArrayQueue<SenderReport>,
    epoch: Instant,
    /// RTP time of an audible sample in the upper half, and when it is audible, in [`TICK`]s after the epoch. 0: nothing.
    audible: AtomicU64,
    extra_us: AtomicU32,
}

#[derive(Debug)]
struct SenderReport {
    sound: bool,
    ntp: u64,
    rtp: u32,
}

impl SoundIn {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            packets: ArrayQueue::new(PACKETS),
            mid: OnceLock::new(),
            reports: ArrayQueue::new(REPORTS),
            epoch: now,
            audible: AtomicU64::new(0),
            extra_us: AtomicU32::new(0),
        }
    }

    /// A packet has arrived on this media line.
    pub(crate) fn push(&self, mid: &str, packet: AudioPacket) {
        self.mid.get_or_init(|| mid.into());
        self.packets.force_push(packet);
    }

    /// A sender report has arrived; see [`peer::MediaSink::sender_report`]. A report of a line that is neither the sound nor
    /// the `camera` is ignored.
    pub(crate) fn report(&self, mid: &str, camera: Option<&str>, ntp: u64, rtp: u32) {
        let sound = self.mid.get().is_some_and(|ours| **ours == *mid);
        if sound || camera == Some(mid) {
            self.reports.force_push(SenderReport { sound, ntp, rtp });
        }
    }

    /// Notes, on the audio thread, that the sample with this RTP time is audible at `at`.
    pub(crate) fn set_audible(&self, rtp_timestamp: u32, at: Instant) {
        let ticks = at.saturating_duration_since(self.epoch).as_micros() / TICK.as_micros();
        self.audible.store(u64::from(rtp_timestamp) << 32 | u64::from(ticks as u32).max(1), Relaxed);
    }

    fn audible(&self) -> Option<Shown> {
        let noted = self.audible.load(Relaxed);
        let at = self.epoch + TICK * noted as u32;
        (noted != 0).then_some(Shown { rtp_timestamp: (noted >> 32) as u32, at })
    }

    /// The extra delay of sound.
    pub(crate) fn extra(&self) -> Duration {
        Duration::from_micros(self.extra_us.load(Relaxed).into())
    }

    fn set_extra(&self, extra: Duration) {
        self.extra_us.store(extra.as_micros() as u32, Relaxed);
    }
}

/// The decode thread's half.
#[derive(Debug)]
pub(crate) struct Lips {
    sync: LipSync,
    visible: Option<Instant>,
    adapted: Instant,
}

impl Lips {
    pub(crate) fn new(now: Instant) -> Self {
        Self { sync: LipSync::new(), visible: None, adapted: now }
    }

    /// The picture with this RTP time is visible from now on. Returns a new extra delay of the pictures, if it is time for
    /// one.
    pub(crate) fn picture(&mut self, sound: &SoundIn, now: Instant, rtp_timestamp: u32) -> Option<Duration> {
        self.visible = Some(now);
        while let Some(SenderReport { sound, ntp, rtp }) = sound.reports.pop() {
            match sound {
                true => self.sync.audio_report(ntp, rtp),
                false => self.sync.video_report(ntp, rtp),
            }
        }
        if now.saturating_duration_since(self.adapted) < INTERVAL {
            return None;
        }
        let audible = sound.audible().filter(|audible| now.saturating_duration_since(audible.at) < STALE)?;
        self.adapted = now;
        let extra = self.sync.update(now, audible, Shown { rtp_timestamp, at: now });
        sound.set_extra(extra.audio);
        Some(extra.video)
    }

    /// Ends the delay of sound when no pictures come any more.
    pub(crate) fn expire(&mut self, sound: &SoundIn, now: Instant) {
        if self.visible.take_if(|at| now.saturating_duration_since(*at) >= STALE).is_some() {
            self.sync = LipSync::new();
            sound.set_extra(Duration::ZERO);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const NTP: u64 = 3_900_000_000 << 32;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn sound(now: Instant) -> SoundIn {
        let sound = SoundIn::new(now);
        let packet = AudioPacket {
            sequence: 0,
            rtp_timestamp: 0,
            data: Bytes::new(),
            age: 0,
            level: None,
            arrived: now,
            source: None,
        };
        sound.push("0", packet);
        sound.report("0", Some("1"), NTP, 0);
        sound.report("1", Some("1"), NTP, 0);
        sound.report("2", Some("1"), NTP + (9 << 32), 0);
        sound
    }

    /// Ten pictures a second, shown `video` late, while sound is heard `audio` late before its extra delay.
    fn run(
        lips: &mut Lips,
        sound: &SoundIn,
        start: Instant,
        seconds: std::ops::Range<u64>,
        audio: u64,
        video: u64,
    ) -> Duration {
        let mut extra = Duration::ZERO;
        for n in seconds.start * 10..seconds.end * 10 {
            let captured = start + ms(n * 100);
            sound.set_audible((n * 4_800) as u32, captured + ms(audio) + sound.extra());
            extra = lips.picture(sound, captured + ms(video) + extra, (n * 9_000) as u32).unwrap_or(extra);
        }
        extra
    }

    #[test]
    fn sound_waits_for_late_pictures_only_as_far_as_needed() {
        let start = Instant::now();
        let (sound, mut lips) = (sound(start), Lips::new(start));
        assert_eq!(run(&mut lips, &sound, start, 0..20, 60, 200), Duration::ZERO);
        let ahead = 200 - 60 - sound.extra().as_millis() as i64;
        assert!((20..=40).contains(&ahead), "{ahead} ms ahead");
    }

    #[test]
    fn pictures_wait_for_late_sound_only_as_far_as_needed() {
        let start = Instant::now();
        let (sound, mut lips) = (sound(start), Lips::new(start));
        let extra = run(&mut lips, &sound, start, 0..20, 250, 60);
        let behind = 250 - 60 - extra.as_millis() as i64;
        assert!((40..=60).contains(&behind), "{behind} ms behind");
        assert_eq!(sound.extra(), Duration::ZERO);
    }

    #[test]
    fn nothing_waits_while_the_difference_is_small_or_unknown() {
        let start = Instant::now();
        let (known, mut lips) = (sound(start), Lips::new(start));
        assert_eq!((run(&mut lips, &known, start, 0..10, 60, 85), known.extra()), Default::default());
        let (unknown, mut lips) = (SoundIn::new(start), Lips::new(start));
        assert_eq!((run(&mut lips, &unknown, start, 0..10, 60, 300), unknown.extra()), Default::default());
    }

    #[test]
    fn sound_does_not_wait_for_a_camera_that_is_off() {
        let start = Instant::now();
        let (sound, mut lips) = (sound(start), Lips::new(start));
        run(&mut lips, &sound, start, 0..20, 60, 200);
        lips.expire(&sound, start + ms(21_000));
        assert!(sound.extra() > ms(80));
        lips.expire(&sound, start + ms(23_000));
        assert_eq!(sound.extra(), Duration::ZERO);
    }
}
