//! Raw frames: I420 planes in pooled memory.

use std::sync::{Arc, Mutex};
use std::time::Instant;

/// The clockwise rotation that makes a frame upright.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rotation {
    /// No rotation.
    #[default]
    None,
    /// 90°.
    Clockwise90,
    /// 180°.
    Half,
    /// 270°.
    Clockwise270,
}

/// The colour matrix, ITU-T H.273.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Matrix {
    /// BT.601, which VP8 always uses.
    #[default]
    Bt601,
    /// BT.709.
    Bt709,
}

/// The colour format of the planes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Color {
    /// The colour matrix.
    pub matrix: Matrix,
    /// Whether luma uses 0..=255 instead of 16..=235.
    pub full_range: bool,
}

/// A frame in I420: planes Y, U, V without padding, chroma of `(width + 1) / 2` by `(height + 1) / 2`.
///
/// Cheap to clone. The memory returns to its [`FramePool`] when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct VideoFrame {
    buffer: Arc<Buffer>,
    width: u32,
    height: u32,
    /// The rotation to apply before the frame is shown.
    pub rotation: Rotation,
    /// The colour format.
    pub color: Color,
    /// When it was captured (own camera) or became due (remote).
    pub time: Instant,
    /// RTP timestamp in 1/90000 s; 0 if there is none.
    pub rtp_timestamp: u32,
}

impl VideoFrame {
    /// Number of bytes of an I420 frame of this size.
    pub fn byte_len(width: u32, height: u32) -> usize {
        let (w, h) = (width as usize, height as usize);
        w * h + 2 * (w.div_ceil(2) * h.div_ceil(2))
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All three planes, one after another.
    pub fn data(&self) -> &[u8] {
        &self.buffer.bytes
    }

    /// Luma, `width * height` bytes.
    pub fn y(&self) -> &[u8] {
        &self.buffer.bytes[..self.luma_len()]
    }

    /// The blue-difference plane.
    pub fn u(&self) -> &[u8] {
        let start = self.luma_len();
        &self.buffer.bytes[start..start + self.chroma_len()]
    }

    /// The red-difference plane.
    pub fn v(&self) -> &[u8] {
        let start = self.luma_len() + self.chroma_len();
        &self.buffer.bytes[start..start + self.chroma_len()]
    }

    /// Bytes per row of U or V.
    pub fn chroma_width(&self) -> usize {
        (self.width as usize).div_ceil(2)
    }

    fn luma_len(&self) -> usize {
        self.width as usize * self.height as usize
    }

    fn chroma_len(&self) -> usize {
        self.chroma_width() * (self.height as usize).div_ceil(2)
    }
}

/// A frame being filled; [`FrameMut::freeze`] turns it into a [`VideoFrame`].
#[derive(Debug)]
pub struct FrameMut {
    buffer: Buffer,
    width: u32,
    height: u32,
}

impl FrameMut {
    /// All three planes, one after another. They may contain data of an earlier frame.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.buffer.bytes
    }

    /// The Y, U and V planes.
    pub fn planes_mut(&mut self) -> (&mut [u8], &mut [u8], &mut [u8]) {
        let luma = self.width as usize * self.height as usize;
        let chroma = (self.width as usize).div_ceil(2) * (self.height as usize).div_ceil(2);
        let (y, rest) = self.buffer.bytes.split_at_mut(luma);
        let (u, v) = rest.split_at_mut(chroma);
        (y, u, v)
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Makes the frame immutable.
    pub fn freeze(self, time: Instant) -> VideoFrame {
        VideoFrame {
            buffer: Arc::new(self.buffer),
            width: self.width,
            height: self.height,
            rotation: Rotation::None,
            color: Color::default(),
            time,
            rtp_timestamp: 0,
        }
    }
}

/// Recycles the memory of frames. Clones share the same buffers.
#[derive(Debug, Clone, Default)]
pub struct FramePool {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl FramePool {
    /// Number of buffers kept for reuse; further ones are freed.
    pub const KEPT: usize = 8;

    /// An empty pool.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a frame to fill. Its content is arbitrary.
    pub fn take(&self, width: u32, height: u32) -> FrameMut {
        let len = VideoFrame::byte_len(width, height);
        let mut bytes = self.lock().pop().unwrap_or_default();
        bytes.resize(len, 0);
        FrameMut { buffer: Buffer { bytes, home: self.free.clone() }, width, height }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[derive(Debug)]
struct Buffer {
    bytes: Vec<u8>,
    home: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = self.home.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if free.len() < FramePool::KEPT {
            free.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_of_odd_sizes_fill_the_buffer() {
        let pool = FramePool::new();
        let frame = pool.take(5, 3).freeze(Instant::now());
        assert_eq!(frame.y().len(), 15);
        assert_eq!(frame.u().len(), 6);
        assert_eq!(frame.y().len() + frame.u().len() + frame.v().len(), frame.data().len());
    }

    #[test]
    fn memory_returns_to_the_pool_with_the_last_clone() {
        let pool = FramePool::new();
        let frame = pool.take(64, 48).freeze(Instant::now());
        let address = frame.data().as_ptr();
        let clone = frame.clone();
        drop(frame);
        assert_eq!(pool.lock().len(), 0);
        drop(clone);
        assert_eq!(pool.take(64, 48).data_mut().as_ptr(), address);
    }

    #[test]
    fn the_pool_keeps_no_more_than_its_bound() {
        let pool = FramePool::new();
        let frames: Vec<_> = (0..FramePool::KEPT + 5).map(|_| pool.take(16, 16)).collect();
        drop(frames);
        assert_eq!(pool.lock().len(), FramePool::KEPT);
    }
}
