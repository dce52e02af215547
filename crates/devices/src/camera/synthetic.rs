//! Synthetic cameras: the test pattern and files. Frames are produced on an absolute schedule.

use super::capture::Source as CaptureSource;
use super::pixels::Converter;
use super::{CameraMode, CameraRequest, SourceFormat};
use crate::error::DeviceError;
use crate::pace::{Pace, sleep_until, unix_ms};
use media::frame::VideoFrame;
use media::sources::{Clip, ClipError, TestPattern};
use std::fs::File;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// A source and its schedule.
#[derive(Debug)]
pub(super) struct Source {
    mode: CameraMode,
    video: SyntheticVideo,
    pace: Option<Pace>,
}

#[derive(Debug)]
enum SyntheticVideo {
    Pattern(TestPattern),
    Clip(Clip<File>),
}

/// The longest side of a pattern, in pixels, so that a wrong request does not exhaust the memory.
const MAX_SIDE: u32 = 7680;

impl Source {
    /// Parses an id; `None` if it is not a synthetic one.
    pub(super) fn parse(id: &str, request: CameraRequest) -> Result<Option<Source>, DeviceError> {
        let (video, width, height) = if id == "test" {
            let CameraRequest { width, height, .. } = request;
            if !(2..=MAX_SIDE).contains(&width) || !(2..=MAX_SIDE).contains(&height) {
                return Err(DeviceError::Unsupported);
            }
            (SyntheticVideo::Pattern(TestPattern::new(width, height, "TEST PATTERN")), width, height)
        } else if let Some(clip) = id.strip_prefix("clip:") {
            let (clip, width, height) = open_clip(clip)?;
            (SyntheticVideo::Clip(clip), width, height)
        } else {
            return Ok(None);
        };
        let fps = request.fps.clamp(1, 240);
        let mode = CameraMode { width, height, fps, format: SourceFormat::I420 };
        Ok(Some(Source { mode, video, pace: None }))
    }
}

impl CaptureSource for Source {
    fn next(&mut self, converter: &mut Converter, stop: &AtomicBool) -> Result<Option<VideoFrame>, DeviceError> {
        let start = Instant::now();
        let pace = self.pace.get_or_insert_with(|| Pace::new(start, 1, self.mode.fps));
        let (number, due) = pace.next(start);
        if !sleep_until(due, stop) {
            return Ok(None);
        }
        let (now, wall) = (Instant::now(), unix_ms());
        match &mut self.video {
            SyntheticVideo::Pattern(pattern) => Ok(Some(pattern.frame(number, wall as u64, converter.pool(), now))),
            SyntheticVideo::Clip(clip) => {
                clip.frame(number, wall as u64, converter.pool(), now).map(Some).map_err(|e| clip_error(&e))
            }
        }
    }

    fn mode(&self) -> CameraMode {
        self.mode
    }
}

/// `FILE@WxH`.
fn open_clip(clip: &str) -> Result<(Clip<File>, u32, u32), DeviceError> {
    let bad = || DeviceError::FileUnplayable(format!("clip:{clip} is not clip:FILE@WIDTHxHEIGHT"));
    let (path, size) = clip.rsplit_once('@').ok_or_else(bad)?;
    let (width, height) = size.split_once('x').ok_or_else(bad)?;
    let (width, height) = (width.parse().map_err(|_| bad())?, height.parse().map_err(|_| bad())?);
    let file = File::open(path).map_err(|e| crate::error::file(path, &e))?;
    let clip = Clip::new(file, width, height).map_err(|e| clip_error(&e))?;
    Ok((clip, width, height))
}

fn clip_error(e: &ClipError) -> DeviceError {
    DeviceError::FileUnplayable(e.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::Camera;
    use super::*;
    use media::slot::{FrameSlot, Wait};
    use media::stamp;
    use std::time::Duration;

    const REQUEST: CameraRequest = CameraRequest { width: 640, height: 360, fps: 100 };

    fn frames(id: &str, count: usize) -> Vec<VideoFrame> {
        let slot = FrameSlot::new();
        let _camera = Camera::open(id, REQUEST, slot.clone(), crate::ignore_events()).unwrap();
        let mut seen = 0;
        let next = |_| match slot.wait(&mut seen, Duration::from_secs(10)) {
            Wait::Frame(frame) => frame,
            Wait::TimedOut | Wait::Nudged | Wait::Closed => panic!("no frame"),
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn the_test_pattern_moves_and_carries_a_timestamp() {
        let frames = frames("test", 3);
        assert_eq!((frames[0].width(), frames[0].height()), (640, 360));
        assert_ne!(frames[0].data(), frames[1].data());
        for frame in &frames {
            let stamp = stamp::read(frame).expect("a stamp");
            assert!((0..5_000).contains(&stamp.age_ms(unix_ms() as u64)), "made just now");
        }
        let numbers: Vec<_> = frames.iter().map(|f| stamp::read(f).unwrap().seq).collect();
        assert!(numbers.is_sorted() && numbers[0] < numbers[2], "{numbers:?}");
    }

    #[test]
    fn a_clip_plays_at_its_own_size() {
        let path = std::env::temp_dir().join(format!("lunchroom-clip-{}.i420", std::process::id()));
        let frame_bytes = VideoFrame::byte_len(320, 180);
        let bytes: Vec<u8> = (0..3u8).flat_map(|n| vec![100 + n; frame_bytes]).collect();
        std::fs::write(&path, bytes).unwrap();
        let frames = frames(&format!("clip:{}@320x180", path.display()), 4);
        std::fs::remove_file(&path).unwrap();
        for frame in &frames {
            let number = stamp::read(frame).expect("a stamp").seq;
            let expected = 100 + [0, 1, 2, 2, 1, 0][usize::from(number) % 6];
            assert_eq!((frame.width(), frame.y()[320 * 179]), (320, expected), "picture {number}");
        }
    }

    #[test]
    fn unplayable_clips_are_refused_with_a_reason() {
        let open = |id: &str| Source::parse(id, REQUEST).map(|s| s.is_some());
        assert_eq!(open("clip:/nowhere/at all@320x180"), Err(DeviceError::FileNotFound("/nowhere/at all".into())));
        for id in ["clip:x", "clip:x@", "clip:x@1x", "clip:/dev/null@320x180"] {
            assert!(matches!(open(id), Err(DeviceError::FileUnplayable(_))), "{id}");
        }
        assert_eq!(open("a webcam"), Ok(false));
        let huge = CameraRequest { width: u32::MAX, ..REQUEST };
        assert_eq!(Source::parse("test", huge).map(|_| ()), Err(DeviceError::Unsupported));
    }

    #[test]
    fn no_frame_is_early() {
        let stop = AtomicBool::new(false);
        let mut source = Source::parse("test", REQUEST).unwrap().unwrap();
        let mut converter = Converter::new();
        let start = Instant::now();
        for n in 0..5u32 {
            let frame = source.next(&mut converter, &stop).unwrap().unwrap();
            assert!(frame.time >= start + n * Duration::from_millis(10));
        }
    }
}
