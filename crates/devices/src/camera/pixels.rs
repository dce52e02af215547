//! Converts the formats of cameras to I420.

use super::layout::Layout;
use codecs::pixels::{Mjpeg, PixelError, Plane, nv12, yuyv};
use media::frame::{FramePool, VideoFrame};
use std::time::Instant;

/// Converts frames, with a pool of its own.
#[derive(Debug, Default)]
pub(super) struct Converter {
    pool: FramePool,
    jpeg: Mjpeg,
}

impl Converter {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn pool(&self) -> &FramePool {
        &self.pool
    }

    /// An error means a damaged frame, which USB cameras with JPEG produce occasionally. A JPEG's size may differ from
    /// the mode.
    pub(super) fn convert(
        &mut self,
        layout: Layout,
        width: u32,
        height: u32,
        bytes: &[u8],
        time: Instant,
    ) -> Result<VideoFrame, PixelError> {
        let part = |from: usize| bytes.get(from..).ok_or(PixelError::Layout);
        match layout {
            Layout::Nv12 { luma, luma_stride, chroma, chroma_stride } => {
                let mut frame = self.pool.take(width, height);
                let luma = Plane { bytes: part(luma)?, stride: luma_stride };
                let chroma = Plane { bytes: part(chroma)?, stride: chroma_stride };
                nv12(luma, chroma, &mut frame)?;
                Ok(frame.freeze(time))
            }
            Layout::Yuyv { stride } => {
                let mut frame = self.pool.take(width, height);
                yuyv(Plane { bytes, stride }, &mut frame)?;
                Ok(frame.freeze(time))
            }
            Layout::Mjpeg => self.jpeg.decode(bytes, &self.pool, time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_read_at_their_layout_offsets() {
        let (width, height, stride) = (4u32, 2u32, 6);
        let mut bytes = vec![0xEE; 3 + stride * 2];
        for row in 0..2 {
            for x in 0..4 {
                bytes[3 + row * stride + x] = (10 * row + x) as u8;
            }
        }
        let chroma = bytes.len();
        bytes.extend([100, 200, 101, 201]);
        let layout = Layout::Nv12 { luma: 3, luma_stride: stride, chroma, chroma_stride: 4 };
        let frame = Converter::new().convert(layout, width, height, &bytes, Instant::now()).unwrap();
        assert_eq!(frame.y(), [0, 1, 2, 3, 10, 11, 12, 13]);
        assert_eq!((frame.u(), frame.v()), (&[100, 101][..], &[200, 201][..]));
    }

    #[test]
    fn a_damaged_frame_is_an_error() {
        let mut converter = Converter::new();
        let now = Instant::now();
        assert!(converter.convert(Layout::Yuyv { stride: 8 }, 4, 2, &[0; 8], now).is_err());
        assert!(converter.convert(Layout::Mjpeg, 4, 2, &[0xFF, 0xD8, 0xFF, 0xE0], now).is_err());
    }
}
