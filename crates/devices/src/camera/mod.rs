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
use crate::info::DeviceInfo;
use capture::Capture;
use media::slot::FrameSlot;

/// The requested mode. The camera delivers the closest it can; check the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CameraRequest {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
}

/// The format in which a camera delivers frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceFormat {
    /// A luma plane, then interleaved chroma, 12 bits per pixel.
    Nv12,
    /// Packed 4:2:2, 16 bits per pixel.
    Yuyv,
    /// One JPEG per frame.
    Mjpeg,
    /// Three planes, from synthetic cameras.
    I420,
}

/// The mode of an open camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CameraMode {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// The format before conversion to I420.
    pub format: SourceFormat,
}

/// An open camera. Dropping it closes the device and empties the slot.
#[derive(Debug)]
pub struct Camera {
    mode: CameraMode,
    _capture: Capture,
}

impl Camera {
    /// Opens a camera by id or name. `default` or an empty id is the first camera. Synthetic ones are `test` and
    /// `clip:FILE@WxH` (raw I420 frames, played forwards and backwards, stamped). Blocks until it is open, which takes
    /// seconds with some cameras.
    ///
    /// Frames go to `slot` from the camera's own thread; a newer frame replaces the older. Events go to `events`.
    pub fn open(id: &str, request: CameraRequest, slot: FrameSlot, events: EventSink) -> Result<Camera, DeviceError> {
        let (capture, mode) = if let Some(source) = synthetic::Source::parse(id, request)? {
            Capture::start(move || Ok(source), slot, events)?
        } else {
            let id = id.to_owned();
            Capture::start(move || native::Native::open(&id, request), slot, events)?
        };
        Ok(Camera { mode, _capture: capture })
    }

    /// The mode it was opened with.
    pub fn mode(&self) -> CameraMode {
        self.mode
    }
}

pub(crate) fn list() -> Vec<DeviceInfo> {
    native::list()
}
