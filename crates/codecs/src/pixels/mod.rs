//! Pixel formats: converts camera formats to I420, and I420 to other sizes, orientations, ranges and RGBA.
//!
//! Data from a device is checked against the length of its slice: a wrong stride or a short buffer returns
//! [`PixelError::Layout`] and never panics.

mod convert;
mod mjpeg;
mod range;
mod rotate;
mod scale;
mod screen;
mod turbo;

pub use convert::{Plane, i420, nv12, yuyv};
pub use mjpeg::Mjpeg;
pub use range::{full_to_limited, limit_range};
pub use rotate::rotate;
pub use scale::scale;
pub use screen::bgrx;

/// Why a frame was not converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PixelError {
    /// There are too few bytes for the given size and stride.
    #[error("the frame's size does not match its format")]
    Layout,
    /// The JPEG is damaged.
    #[error("the JPEG is damaged")]
    Corrupt,
    /// The JPEG is not 8-bit grey or YCbCr.
    #[error("the JPEG's colour format is not supported")]
    Unsupported,
    /// The frame is larger than [`MAX_SIDE`](crate::MAX_SIDE) or [`MAX_PIXELS`](crate::MAX_PIXELS).
    #[error("the frame is too large")]
    TooLarge,
}

impl PixelError {
    /// Stable name for logs and the UI.
    pub fn code(&self) -> &'static str {
        match self {
            PixelError::Layout => "pixels-layout",
            PixelError::Corrupt => "pixels-corrupt",
            PixelError::Unsupported => "pixels-unsupported",
            PixelError::TooLarge => "pixels-too-large",
        }
    }
}
