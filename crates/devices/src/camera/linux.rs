//! Uses Video4Linux besides nokhwa, for what nokhwa does not report (which devices are cameras, stable names, row
//! strides, error numbers), and to set the mode before nokhwa opens the device, because it rejects a device in a format
//! it does not know.

use super::{CameraMode, CameraRequest, SourceFormat, offer};
use crate::error::DeviceError;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use v4l::capability::Flags;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Device, Format, FourCC};

/// A device file that captures video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) name: String,
    /// The N of `/dev/videoN`.
    pub(super) number: u32,
}

/// The cameras, sorted by number.
pub(super) fn nodes() -> Vec<Node> {
    let Ok(entries) = fs::read_dir("/sys/class/video4linux") else { return Vec::new() };
    let mut numbers: Vec<u32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("video")?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers.into_iter().filter(|n| is_camera(*n)).map(node).collect()
}

/// Sets the best mode for the request. Returns the mode that the driver chose.
pub(super) fn prepare(number: u32, request: CameraRequest) -> Result<CameraMode, DeviceError> {
    let device = Device::new(number as usize).map_err(|e| error(&e))?;
    let chosen = offer::choose(&offers(&device, request), request).ok_or(DeviceError::Unsupported)?;
    let wanted = Format::new(chosen.width, chosen.height, FourCC::new(fourcc(chosen.format)));
    let got = device.set_format(&wanted).map_err(|e| error(&e))?;
    let interval = device.set_params(&Parameters::with_fps(chosen.fps)).map_err(|e| error(&e))?.interval;
    let format = source_format(got.fourcc).ok_or(DeviceError::Unsupported)?;
    let fps = whole_rate(interval).ok_or(DeviceError::Unsupported)?;
    Ok(CameraMode { width: got.width, height: got.height, fps, format })
}

/// Bytes per row in the current mode.
pub(super) fn stride(number: u32) -> Option<usize> {
    let stride = Device::new(number as usize).ok()?.format().ok()?.stride;
    (stride > 0).then_some(stride as usize)
}

/// Whether the device file still exists. Drivers report many different errors after unplugging.
pub(super) fn exists(number: u32) -> bool {
    Path::new(&format!("/dev/video{number}")).exists()
}

/// The meaning of a kernel error number, V4L2 API "ioctl open(), Generic Error Codes".
pub(super) fn error(e: &io::Error) -> DeviceError {
    const ENOENT: i32 = 2;
    const ENXIO: i32 = 6;
    const EACCES: i32 = 13;
    const EPERM: i32 = 1;
    const EBUSY: i32 = 16;
    const ENODEV: i32 = 19;
    match e.raw_os_error() {
        Some(EACCES | EPERM) => DeviceError::PermissionDenied,
        Some(EBUSY) => DeviceError::Busy,
        Some(ENOENT) => DeviceError::NotFound,
        Some(ENODEV | ENXIO) => DeviceError::Gone,
        _ => DeviceError::Backend(e.to_string()),
    }
}

/// Whether the device is a camera. One that may not be opened counts, so that opening it reports the reason.
fn is_camera(number: u32) -> bool {
    let device = match Device::new(number as usize) {
        Ok(device) => device,
        Err(e) => return matches!(error(&e), DeviceError::PermissionDenied | DeviceError::Busy),
    };
    let captures = device.query_caps().is_ok_and(|caps| {
        caps.capabilities.contains(Flags::VIDEO_CAPTURE | Flags::STREAMING)
            && !caps.capabilities.contains(Flags::VIDEO_M2M)
    });
    // Infrared cameras for face recognition offer only grey formats.
    captures && device.enum_formats().is_ok_and(|all| all.iter().any(|f| source_format(f.fourcc).is_some()))
}

fn node(number: u32) -> Node {
    let sys = PathBuf::from(format!("/sys/class/video4linux/video{number}"));
    let read = |file: &str| fs::read_to_string(sys.join(file)).map(|s| s.trim().to_owned()).unwrap_or_default();
    let name = Some(read("name")).filter(|n| !n.is_empty()).unwrap_or_else(|| format!("Camera {number}"));
    // The USB port (1-2:1.0) or the platform device, then the index of the stream.
    let port = fs::canonicalize(sys.join("device")).ok();
    let port = port.as_deref().and_then(Path::file_name).map(|p| p.to_string_lossy().into_owned());
    let stream = read("index");
    let id = by_id(number).unwrap_or_else(|| match port {
        Some(port) => format!("v4l:{port}.{stream}"),
        None => format!("v4l:video{number}"),
    });
    Node { id, name, number }
}

/// udev's name from vendor, model and serial number, which does not depend on the port.
fn by_id(number: u32) -> Option<String> {
    let target = format!("video{number}");
    fs::read_dir("/dev/v4l/by-id").ok()?.filter_map(Result::ok).find_map(|entry| {
        let points_to = fs::read_link(entry.path()).ok()?;
        (points_to.file_name()? == target.as_str()).then(|| format!("v4l:{}", entry.file_name().to_string_lossy()))
    })
}

fn offers(device: &Device, request: CameraRequest) -> Vec<CameraMode> {
    let mut modes = Vec::new();
    for description in device.enum_formats().unwrap_or_default() {
        let Some(format) = source_format(description.fourcc) else { continue };
        for (width, height) in sizes(device, description.fourcc, request) {
            for fps in rates(device, description.fourcc, width, height, request.fps) {
                modes.push(CameraMode { width, height, fps, format });
            }
        }
    }
    modes
}

fn sizes(device: &Device, fourcc: FourCC, request: CameraRequest) -> Vec<(u32, u32)> {
    let sizes = device.enum_framesizes(fourcc).unwrap_or_default();
    sizes
        .into_iter()
        .map(|size| match size.size {
            FrameSizeEnum::Discrete(d) => (d.width, d.height),
            FrameSizeEnum::Stepwise(s) => (
                nearest_step(request.width, s.min_width, s.max_width, s.step_width),
                nearest_step(request.height, s.min_height, s.max_height, s.step_height),
            ),
        })
        .collect()
}

fn nearest_step(wanted: u32, min: u32, max: u32, step: u32) -> u32 {
    let wanted = wanted.clamp(min, max.max(min));
    wanted - (wanted - min) % step.max(1)
}

fn rates(device: &Device, fourcc: FourCC, width: u32, height: u32, wanted: u32) -> Vec<u32> {
    let intervals = device.enum_frameintervals(fourcc, width, height).unwrap_or_default();
    intervals
        .into_iter()
        .filter_map(|interval| match interval.interval {
            FrameIntervalEnum::Discrete(d) => whole_rate(d),
            FrameIntervalEnum::Stepwise(s) => {
                let fastest = s.min.denominator / s.min.numerator.max(1);
                let slowest = (s.max.denominator / s.max.numerator.max(1)).max(1);
                Some(wanted.clamp(slowest, fastest.max(slowest)))
            }
        })
        .collect()
}

/// nokhwa supports only integer frame rates.
fn whole_rate(interval: v4l::Fraction) -> Option<u32> {
    (interval.numerator == 1 && interval.denominator > 0).then_some(interval.denominator)
}

fn source_format(fourcc: FourCC) -> Option<SourceFormat> {
    match &fourcc.repr {
        b"NV12" => Some(SourceFormat::Nv12),
        b"YUYV" => Some(SourceFormat::Yuyv),
        b"MJPG" => Some(SourceFormat::Mjpeg),
        _ => None,
    }
}

fn fourcc(format: SourceFormat) -> &'static [u8; 4] {
    match format {
        SourceFormat::Nv12 | SourceFormat::I420 => b"NV12",
        SourceFormat::Yuyv => b"YUYV",
        SourceFormat::Mjpeg => b"MJPG",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errno_values_map_to_actionable_errors() {
        for (number, expected) in [
            (13, DeviceError::PermissionDenied),
            (16, DeviceError::Busy),
            (2, DeviceError::NotFound),
            (19, DeviceError::Gone),
        ] {
            assert_eq!(error(&io::Error::from_raw_os_error(number)), expected);
        }
        assert!(matches!(error(&io::Error::from_raw_os_error(5)), DeviceError::Backend(_)));
    }

    #[test]
    fn a_stepwise_size_is_rounded_to_a_step_within_its_range() {
        assert_eq!(nearest_step(641, 16, 1920, 16), 640);
        assert_eq!(nearest_step(4000, 16, 1920, 16), 1920);
        assert_eq!(nearest_step(1, 16, 1920, 16), 16);
        assert_eq!(nearest_step(640, 640, 640, 0), 640);
    }
}
