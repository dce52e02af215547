//! From what a camera delivers to I420.

use super::layout::Layout;
use media::frame::{FrameMut, FramePool, VideoFrame};
use std::time::Instant;

/// Fills frames from a pool of its own.
#[derive(Debug)]
pub(super) struct Converter {
    pool: FramePool,
}

impl Converter {
    pub(super) fn new() -> Self {
        Self { pool: FramePool::new() }
    }

    /// A frame of our own pool, for sources that need no conversion.
    pub(super) fn take(&self, width: u32, height: u32) -> FrameMut {
        self.pool.take(width, height)
    }

    /// `None` if the picture is broken, as single JPEGs of USB cameras sometimes are.
    pub(super) fn convert(
        &mut self,
        layout: Layout,
        width: u32,
        height: u32,
        bytes: &[u8],
        time: Instant,
    ) -> Option<VideoFrame> {
        let mut frame = self.pool.take(width, height);
        match layout {
            Layout::Nv12 { luma, luma_stride, chroma, chroma_stride } => {
                nv12(bytes.get(luma..)?, luma_stride, bytes.get(chroma..)?, chroma_stride, &mut frame);
            }
            Layout::Yuyv { stride } => yuyv(bytes, stride, &mut frame),
            Layout::Mjpeg => return None,
        }
        Some(frame.freeze(time))
    }
}

fn nv12(luma: &[u8], luma_stride: usize, chroma: &[u8], chroma_stride: usize, out: &mut FrameMut) {
    let width = out.width() as usize;
    let (y, u, v) = out.planes_mut();
    for (to, from) in y.chunks_exact_mut(width).zip(luma.chunks(luma_stride)) {
        to.copy_from_slice(&from[..width]);
    }
    let half = width.div_ceil(2);
    for ((u, v), from) in u.chunks_exact_mut(half).zip(v.chunks_exact_mut(half)).zip(chroma.chunks(chroma_stride)) {
        for ((u, v), pair) in u.iter_mut().zip(v).zip(from.chunks_exact(2)) {
            (*u, *v) = (pair[0], pair[1]);
        }
    }
}

fn yuyv(bytes: &[u8], stride: usize, out: &mut FrameMut) {
    let width = out.width() as usize;
    let half = width.div_ceil(2);
    let (y, u, v) = out.planes_mut();
    for (row, (to, from)) in y.chunks_exact_mut(width).zip(bytes.chunks(stride)).enumerate() {
        for (pair, four) in to.chunks_mut(2).zip(from.chunks_exact(4)) {
            pair[0] = four[0];
            if let Some(second) = pair.get_mut(1) {
                *second = four[2];
            }
        }
        if row % 2 == 0 {
            let chroma = row / 2 * half..(row / 2 + 1) * half;
            for ((u, v), four) in u[chroma.clone()].iter_mut().zip(&mut v[chroma]).zip(from.chunks_exact(4)) {
                (*u, *v) = (four[1], four[3]);
            }
        }
    }
}
