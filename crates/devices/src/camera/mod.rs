//! Cameras.

mod capture;
mod layout;
#[cfg(target_os = "linux")]
mod linux;
mod native;
mod offer;
mod pixels;
mod synthetic;

use crate::error::DeviceError;
use crate::event::EventSink;
use crate::list::DeviceInfo;
use capture::Capture;
use media::slot::FrameSlot;

/// What is wanted of a camera. It gives what it can: look at the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CameraRequest {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
}

/// How a camera delivers pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceFormat {
    /// Luma plane, then interleaved chroma, 12 bits a pixel.
    Nv12,
    /// 4:2:2 packed, 16 bits a pixel.
    Yuyv,
    /// A JPEG each.
    Mjpeg,
    /// Three planes; our own sources.
    I420,
}

/// What a camera was opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CameraMode {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// Before conversion to I420.
    pub format: SourceFormat,
}

/// An open camera. Dropping it closes the device and empties the slot.
#[derive(Debug)]
pub struct Camera {
    mode: CameraMode,
    _capture: Capture,
}

impl Camera {
    /// Opens a camera by id or name, and blocks until it is open (seconds, with some). `default` or nothing is the first
    /// one;
    /// ours are `test` and `clip:FILE@WxH` (raw I420 frames, played to and fro, stamped).
    ///
    /// Frames go to `slot` from a thread of the camera's own, the newest over the others; what becomes of the camera
    /// goes to `events`.
    pub fn open(id: &str, request: CameraRequest, slot: FrameSlot, events: EventSink) -> Result<Camera, DeviceError> {
        let (capture, mode) = if let Some(source) = synthetic::Source::parse(id, request)? {
            Capture::start(move || Ok(source), slot, events)?
        } else {
            let id = id.to_owned();
            Capture::start(move || native::Native::open(&id, request), slot, events)?
        };
        Ok(Camera { mode, _capture: capture })
    }

    /// What it was opened with.
    pub fn mode(&self) -> CameraMode {
        self.mode
    }
}

pub(crate) fn list() -> Vec<DeviceInfo> {
    native::list()
}
