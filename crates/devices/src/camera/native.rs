//! The system's cameras, through nokhwa.

use super::capture::Source;
use super::layout;
use super::pixels::Converter;
use super::{CameraMode, CameraRequest, SourceFormat};
use crate::error::DeviceError;
use crate::info::{DeviceInfo, DeviceKind};
use codecs::pixels::PixelError;
use media::frame::VideoFrame;
use nokhwa::NokhwaError;
use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Supported formats. nokhwa's own decoding is not used, because it goes through RGB.
const FORMATS: [FrameFormat; 3] = [FrameFormat::NV12, FrameFormat::YUYV, FrameFormat::MJPEG];

/// A camera, and its index for nokhwa.
#[derive(Debug, Clone)]
struct Found {
    id: String,
    name: String,
    index: CameraIndex,
}

/// Lists the cameras on a separate thread, because Media Foundation initialises COM on the calling thread.
pub(super) fn list() -> Vec<DeviceInfo> {
    let found = std::thread::Builder::new().name("camera-list".into()).spawn(|| {
        let _com = com::Apartment::enter();
        find_all()
    });
    let found = found.ok().and_then(|thread| thread.join().ok()).unwrap_or_default();
    let info = |(n, camera): (usize, Found)| DeviceInfo {
        id: camera.id,
        name: camera.name,
        kind: DeviceKind::Camera,
        default: n == 0,
        synthetic: false,
    };
    found.into_iter().enumerate().map(info).collect()
}

/// An open camera.
pub(super) struct Native {
    camera: nokhwa::Camera,
    mode: CameraMode,
    index: CameraIndex,
    stride: Option<usize>,
    // Last, so that it is dropped after the camera.
    _com: com::Apartment,
}

impl Native {
    /// Opens a camera on the calling thread, which must be the camera's own.
    pub(super) fn open(id: &str, request: CameraRequest) -> Result<Native, DeviceError> {
        let com = com::Apartment::enter();
        ask_permission()?;
        let all = find_all();
        let found = all.iter().find(|c| c.id == id).or_else(|| all.iter().find(|c| c.name == id));
        let named = !matches!(id, "" | "default");
        let first = all.first().filter(|_| !named);
        let index = found.or(first).ok_or(DeviceError::NotFound.of(DeviceKind::Camera, named))?.index.clone();
        let (mut camera, mode) = open_camera(&index, request)?;
        camera.open_stream().map_err(|e| error(&e, &index))?;
        let stride = row_stride(&index, mode.format);
        tracing::info!("camera open: {mode:?}");
        Ok(Native { camera, mode, index, stride, _com: com })
    }
}

impl Source for Native {
    fn next(&mut self, converter: &mut Converter, _stop: &AtomicBool) -> Result<Option<VideoFrame>, DeviceError> {
        let (index, mode, stride) = (&self.index, self.mode, self.stride);
        // On macOS, only `frame` drops older frames from nokhwa's unbounded queue.
        let (buffer, raw);
        let bytes: &[u8] = if cfg!(target_os = "macos") {
            buffer = self.camera.frame().map_err(|e| error(&e, index))?;
            buffer.buffer()
        } else {
            raw = self.camera.frame_raw().map_err(|e| error(&e, index))?;
            &raw
        };
        let time = Instant::now();
        let (width, height) = (mode.width as usize, mode.height as usize);
        let Some(layout) = layout::detect(mode.format, width, height, stride, bytes) else {
            tracing::debug!("camera: a frame of {} bytes does not match {mode:?}", bytes.len());
            return Err(DeviceError::Damaged);
        };
        match converter.convert(layout, mode.width, mode.height, bytes, time) {
            Ok(frame) => Ok(Some(frame)),
            Err(PixelError::Unsupported | PixelError::TooLarge) => Err(DeviceError::Unsupported),
            Err(PixelError::Corrupt | PixelError::Layout) => Err(DeviceError::Damaged),
        }
    }

    fn mode(&self) -> CameraMode {
        self.mode
    }
}

#[cfg(target_os = "linux")]
fn find_all() -> Vec<Found> {
    let found = |n: super::linux::Node| Found { id: n.id, name: n.name, index: CameraIndex::Index(n.number) };
    super::linux::nodes().into_iter().map(found).collect()
}

#[cfg(not(target_os = "linux"))]
fn find_all() -> Vec<Found> {
    match nokhwa::query(ApiBackend::Auto) {
        // `misc` is Media Foundation's symbolic link and AVFoundation's unique id: stable.
        Ok(all) => all
            .into_iter()
            .map(|c| Found { id: format!("camera:{}", c.misc()), name: c.human_name(), index: c.index().clone() })
            .collect(),
        Err(e) => {
            tracing::warn!("cannot list cameras: {e}");
            Vec::new()
        }
    }
}

#[cfg(target_os = "linux")]
fn open_camera(index: &CameraIndex, request: CameraRequest) -> Result<(nokhwa::Camera, CameraMode), DeviceError> {
    let number = index.as_index().map_err(|e| error(&e, index))?;
    let mode = super::linux::prepare(number, request)?;
    let camera = new_camera(index, RequestedFormatType::Exact(camera_format(mode)))?;
    Ok((camera, mode))
}

#[cfg(not(target_os = "linux"))]
fn open_camera(index: &CameraIndex, request: CameraRequest) -> Result<(nokhwa::Camera, CameraMode), DeviceError> {
    let mut camera = new_camera(index, RequestedFormatType::None)?;
    let offers = camera.compatible_camera_formats().map_err(|e| error(&e, index))?;
    let offers: Vec<_> = offers.into_iter().filter_map(mode_of).collect();
    let chosen = super::offer::choose(&offers, request).ok_or(DeviceError::Unsupported)?;
    let exact = RequestedFormat::with_formats(RequestedFormatType::Exact(camera_format(chosen)), &FORMATS);
    let got = camera.set_camera_requset(exact).map_err(|e| error(&e, index))?;
    Ok((camera, mode_of(got).unwrap_or(chosen)))
}

fn new_camera(index: &CameraIndex, wanted: RequestedFormatType) -> Result<nokhwa::Camera, DeviceError> {
    let wanted = RequestedFormat::with_formats(wanted, &FORMATS);
    nokhwa::Camera::with_backend(index.clone(), wanted, ApiBackend::Auto).map_err(|e| error(&e, index))
}

#[cfg(target_os = "linux")]
fn row_stride(index: &CameraIndex, format: SourceFormat) -> Option<usize> {
    (format != SourceFormat::Mjpeg).then(|| super::linux::stride(index.as_index().ok()?))?
}

#[cfg(not(target_os = "linux"))]
fn row_stride(_index: &CameraIndex, _format: SourceFormat) -> Option<usize> {
    None
}

/// The first use on macOS asks the person, and blocks until they answer.
fn ask_permission() -> Result<(), DeviceError> {
    if nokhwa::nokhwa_check() {
        return Ok(());
    }
    let (answer_to, answer) = std::sync::mpsc::sync_channel(1);
    nokhwa::nokhwa_initialize(move |granted| {
        let _ = answer_to.try_send(granted);
    });
    match answer.recv_timeout(std::time::Duration::from_secs(50)) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(DeviceError::PermissionDenied),
    }
}

fn camera_format(mode: CameraMode) -> CameraFormat {
    let format = match mode.format {
        SourceFormat::Nv12 | SourceFormat::I420 => FrameFormat::NV12,
        SourceFormat::Yuyv => FrameFormat::YUYV,
        SourceFormat::Mjpeg => FrameFormat::MJPEG,
    };
    CameraFormat::new(Resolution::new(mode.width, mode.height), format, mode.fps)
}

#[cfg(not(target_os = "linux"))]
fn mode_of(format: CameraFormat) -> Option<CameraMode> {
    let source = match format.format() {
        FrameFormat::NV12 => SourceFormat::Nv12,
        FrameFormat::YUYV => SourceFormat::Yuyv,
        FrameFormat::MJPEG => SourceFormat::Mjpeg,
        FrameFormat::GRAY | FrameFormat::RAWRGB | FrameFormat::RAWBGR => return None,
    };
    Some(CameraMode { width: format.width(), height: format.height(), fps: format.frame_rate(), format: source })
}

fn error(e: &NokhwaError, index: &CameraIndex) -> DeviceError {
    let gone = index.as_index().is_ok_and(unplugged);
    if gone { DeviceError::Gone } else { classify(&e.to_string()) }
}

#[cfg(target_os = "linux")]
fn unplugged(number: u32) -> bool {
    !super::linux::exists(number)
}

#[cfg(not(target_os = "linux"))]
fn unplugged(_number: u32) -> bool {
    false
}

/// Classifies nokhwa's error, which is text only. Numbers are searched first, because the words are translated.
fn classify(text: &str) -> DeviceError {
    let has = |needles: &[&str]| needles.iter().any(|n| text.contains(n));
    // errno; MF_E_VIDEO_RECORDING_DEVICE_INVALIDATED, MF_E_HW_MFT_FAILED_START_STREAMING; E_ACCESSDENIED
    if has(&["(os error 19)", "(os error 6)", "0xC00D3EA2", "not connected", "disconnected"]) {
        DeviceError::Gone
    } else if has(&["(os error 16)", "0xC00D3704", "0xC00D3E85", "busy", "in use"]) {
        DeviceError::Busy
    } else if has(&["(os error 13)", "(os error 1)", "0x80070005", "denied", "authorized"]) {
        DeviceError::PermissionDenied
    } else if has(&["(os error 2)", "Not Found"]) {
        DeviceError::NotFound
    } else if has(&["Fufill", "fulfill", "Rejected"]) {
        DeviceError::Unsupported
    } else {
        DeviceError::Backend(text.to_owned())
    }
}

/// Media Foundation needs COM on each thread that uses it. nokhwa initialises it on the first thread only, so each of
/// our threads does so itself.
mod com {
    #[cfg(windows)]
    pub(super) struct Apartment(bool);

    #[cfg(windows)]
    impl Apartment {
        pub(super) fn enter() -> Apartment {
            use windows_sys::Win32::System::Com;
            let flags = (Com::COINIT_APARTMENTTHREADED | Com::COINIT_DISABLE_OLE1DDE) as u32;
            // SAFETY: the reserved pointer is null, as required. The apartment is left on the same thread, because
            // `Native` never leaves the thread that opened it.
            let result = unsafe { Com::CoInitializeEx(std::ptr::null(), flags) };
            Apartment(result >= 0)
        }
    }

    #[cfg(windows)]
    impl Drop for Apartment {
        fn drop(&mut self) {
            if self.0 {
                // SAFETY: matches the successful CoInitializeEx on this thread.
                unsafe { windows_sys::Win32::System::Com::CoUninitialize() };
            }
        }
    }

    #[cfg(not(windows))]
    pub(super) struct Apartment;

    #[cfg(not(windows))]
    impl Apartment {
        pub(super) fn enter() -> Apartment {
            Apartment
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn driver_messages_map_to_actionable_errors() {
        for (text, expected) in [
            ("Could not open device stream: Device or resource busy (os error 16)", DeviceError::Busy),
            ("Could not open device 0: V4L2 Error: Permission denied (os error 13)", DeviceError::PermissionDenied),
            ("Could not capture frame: No such device (os error 19)", DeviceError::Gone),
            ("Could not open device x: Not Found", DeviceError::NotFound),
            ("Could not capture frame: Zugriff verweigert (0x80070005)", DeviceError::PermissionDenied),
        ] {
            assert_eq!(classify(text), expected, "{text}");
        }
        assert_eq!(classify("something else"), DeviceError::Backend("something else".into()));
    }
}
