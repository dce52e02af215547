//! Pixel formats: what cameras deliver to I420, and I420 to other sizes, orientations, ranges and RGBA.
//!
//! What comes from a device is checked against the slice it lies in: a wrong stride or a short buffer is
//! [`PixelError::Layout`], never a panic.

mod convert;
mod mjpeg;
mod range;
mod rotate;
mod scale;
mod turbo;

pub use convert::{Plane, i420, nv12, to_rgba, yuyv};
pub use mjpeg::Mjpeg;
pub use range::{full_to_limited, limit_range};
pub use rotate::rotate;
pub use scale::scale;

/// Why a picture was not converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PixelError {
    /// The bytes are too few for the size and stride that were named.
    #[error("the picture is not laid out as its format says")]
    Layout,
    /// The JPEG is damaged.
    #[error("the JPEG is damaged")]
    Corrupt,
    /// The JPEG holds something else than 8 bit grey or YCbCr.
    #[error("the JPEG's kind is not supported")]
    Unsupported,
    /// The picture is above [`MAX_SIDE`](crate::MAX_SIDE) or [`MAX_PIXELS`](crate::MAX_PIXELS).
    #[error("the picture is too large")]
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
