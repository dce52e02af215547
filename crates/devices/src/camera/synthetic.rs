//! Cameras of our own: the test pattern and files. Pictures come on an absolute schedule.

use super::capture::Source as CaptureSource;
use super::pixels::Converter;
use super::{CameraMode, CameraRequest, SourceFormat};
use crate::error::DeviceError;
use crate::pace::{Pace, sleep_until};
use media::frame::VideoFrame;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// A source and its schedule.
pub(super) struct Source {
    mode: CameraMode,
    pace: Option<Pace>,
}

impl Source {
    /// `None`: the id is none of ours.
    pub(super) fn parse(id: &str, request: CameraRequest) -> Result<Option<Source>, DeviceError> {
        if id != "test" {
            return Ok(None);
        }
        let CameraRequest { width, height, fps } = request;
        let mode = CameraMode { width, height, fps, format: SourceFormat::I420 };
        Ok(Some(Source { mode, pace: None }))
    }
}

impl CaptureSource for Source {
    fn next(&mut self, converter: &mut Converter, stop: &AtomicBool) -> Result<Option<VideoFrame>, DeviceError> {
        let now = Instant::now();
        let pace = self.pace.get_or_insert_with(|| Pace::new(now, 1, self.mode.fps));
        let (_number, due) = pace.next(now);
        if !sleep_until(due, stop) {
            return Ok(None);
        }
        let frame = converter.take(self.mode.width, self.mode.height);
        Ok(Some(frame.freeze(Instant::now())))
    }

    fn mode(&self) -> CameraMode {
        self.mode
    }
}
