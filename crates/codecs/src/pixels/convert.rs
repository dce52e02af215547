//! Conversions between I420 and the formats of cameras and screens.

use super::PixelError;
use media::frame::FrameMut;

/// A plane whose rows are `stride` bytes apart.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// At least the bytes from the start of the first row to the last used byte of the last row.
    pub bytes: &'a [u8],
    /// Bytes from the start of one row to the next.
    pub stride: usize,
}

impl<'a> Plane<'a> {
    /// Iterates over rows of `width` bytes.
    pub(super) fn rows(self, width: usize, height: usize) -> Result<impl Iterator<Item = &'a [u8]>, PixelError> {
        let needed = height.checked_sub(1).and_then(|n| n.checked_mul(self.stride)).and_then(|n| n.checked_add(width));
        if self.stride < width || width == 0 || needed.is_none_or(|needed| needed > self.bytes.len()) {
            return Err(PixelError::Layout);
        }
        Ok(self.bytes.chunks(self.stride).take(height).map(move |row| &row[..width]))
    }
}

/// Copies Y, U and V planes. The frame has the size of `out`.
pub fn i420(planes: [Plane<'_>; 3], out: &mut FrameMut) -> Result<(), PixelError> {
    let (width, height) = (out.width() as usize, out.height() as usize);
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let (y, u, v) = out.planes_mut();
    copy(planes[0], y, width, height)?;
    copy(planes[1], u, half_width, half_height)?;
    copy(planes[2], v, half_width, half_height)
}

/// Converts NV12: luma, then interleaved U and V. The frame has the size of `out`.
pub fn nv12(luma: Plane<'_>, chroma: Plane<'_>, out: &mut FrameMut) -> Result<(), PixelError> {
    let (width, height) = (out.width() as usize, out.height() as usize);
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let (y, u, v) = out.planes_mut();
    copy(luma, y, width, height)?;
    let pairs = chroma.rows(2 * half_width, half_height)?;
    for ((u, v), row) in u.chunks_exact_mut(half_width).zip(v.chunks_exact_mut(half_width)).zip(pairs) {
        for ((u, v), pair) in u.iter_mut().zip(v).zip(row.chunks_exact(2)) {
            (*u, *v) = (pair[0], pair[1]);
        }
    }
    Ok(())
}

/// Converts YUYV (4:2:2, Y0 U Y1 V); chroma is the mean of two rows. The frame has the size of `out`.
pub fn yuyv(packed: Plane<'_>, out: &mut FrameMut) -> Result<(), PixelError> {
    let (width, height) = (out.width() as usize, out.height() as usize);
    let half = width.div_ceil(2);
    // A row of odd width ends with half a pair: Y0 U, or a complete Y0 U Y1 V if the device pads.
    let used = if packed.stride >= half * 4 { half * 4 } else { width * 2 };
    let mut rows = packed.rows(width * 2, height)?.zip(0..);
    let (y, u, v) = out.planes_mut();
    let mut lines = y.chunks_exact_mut(width);
    for (u, v) in u.chunks_exact_mut(half).zip(v.chunks_exact_mut(half)) {
        let Some((above, n)) = rows.next() else { break };
        let below = rows.next().map_or(above, |(row, _)| row);
        let padded = packed.bytes.get(n * packed.stride..n * packed.stride + used).unwrap_or(above);
        for (line, row) in lines.by_ref().take(2).zip([above, below]) {
            line.iter_mut().zip(row.chunks_exact(2)).for_each(|(to, from)| *to = from[0]);
        }
        chroma(above, below, u, v);
        if width % 2 == 1 {
            u[half - 1] = above[width * 2 - 1];
            v[half - 1] = padded.get(width * 2 + 1).copied().unwrap_or(if half > 1 { v[half - 2] } else { 128 });
        }
    }
    Ok(())
}

/// Converts the chroma of complete pairs.
fn chroma(above: &[u8], below: &[u8], u: &mut [u8], v: &mut [u8]) {
    let mean = |a: u8, b: u8| (u16::from(a) + u16::from(b)).div_ceil(2) as u8;
    for (((u, v), a), b) in u.iter_mut().zip(v).zip(above.chunks_exact(4)).zip(below.chunks_exact(4)) {
        (*u, *v) = (mean(a[1], b[1]), mean(a[3], b[3]));
    }
}

fn copy(from: Plane<'_>, to: &mut [u8], width: usize, height: usize) -> Result<(), PixelError> {
    let rows = from.rows(width, height)?;
    if from.stride == width {
        to.copy_from_slice(&from.bytes[..width * height]);
        return Ok(());
    }
    for (to, from) in to.chunks_exact_mut(width).zip(rows) {
        to.copy_from_slice(from);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::frame::FramePool;
    use std::time::Instant;

    fn taken(width: u32, height: u32) -> FrameMut {
        FramePool::new().take(width, height)
    }

    #[test]
    fn padding_is_skipped_and_odd_sizes_are_complete() {
        let (stride, half) = (8, 4);
        let luma: Vec<u8> = (0..8 * 3).collect();
        let chroma: Vec<u8> = (100..100 + 4 * 2).collect();
        let mut out = taken(5, 3);
        let plane = |bytes, stride| Plane { bytes, stride };
        i420([plane(&luma, stride), plane(&chroma, half), plane(&chroma, half)], &mut out).expect("laid out");
        let frame = out.freeze(Instant::now());
        assert_eq!(frame.y()[5..10], [8, 9, 10, 11, 12]);
        assert_eq!(frame.u(), [100, 101, 102, 104, 105, 106]);
    }

    #[test]
    fn nv12_is_split_into_planes() {
        let mut out = taken(4, 2);
        let (luma, chroma) = ([1, 2, 3, 4, 0, 5, 6, 7, 8], [10, 20, 11, 21]);
        nv12(Plane { bytes: &luma, stride: 5 }, Plane { bytes: &chroma, stride: 4 }, &mut out).expect("laid out");
        assert_eq!(out.data_mut(), [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 20, 21]);
    }

    #[test]
    fn yuyv_keeps_luma_and_averages_chroma_rows() {
        let mut out = taken(4, 3);
        let rows = [[1, 50, 2, 60, 3, 70, 4, 80], [5, 52, 6, 62, 7, 72, 8, 82], [9, 90, 10, 91, 11, 92, 12, 93]];
        let mut bytes = rows.map(|row| [&row[..], &[0; 3]].concat()).concat();
        bytes.truncate(2 * 11 + 8); // the last row needs no padding
        yuyv(Plane { bytes: &bytes, stride: 11 }, &mut out).expect("laid out");
        let luma = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        assert_eq!(out.data_mut(), [&luma[..], &[51, 71, 90, 92], &[61, 81, 91, 93]].concat());
    }

    #[test]
    fn yuyv_of_odd_width_is_complete_with_and_without_padding() {
        let mut out = taken(3, 1);
        yuyv(Plane { bytes: &[1, 50, 2, 60, 3, 70], stride: 6 }, &mut out).expect("laid out");
        assert_eq!(out.data_mut(), [1, 2, 3, 50, 70, 60, 60]);
        yuyv(Plane { bytes: &[1, 50, 2, 60, 3, 70, 0, 80], stride: 8 }, &mut out).expect("laid out");
        assert_eq!(out.data_mut(), [1, 2, 3, 50, 70, 60, 80]);
    }

    #[test]
    fn short_buffers_are_refused() {
        let mut out = taken(4, 4);
        let short = Plane { bytes: &[0; 15], stride: 4 };
        assert_eq!(i420([short; 3], &mut out), Err(PixelError::Layout));
        assert_eq!(nv12(short, short, &mut out), Err(PixelError::Layout));
        assert_eq!(yuyv(short, &mut out), Err(PixelError::Layout));
        assert_eq!(i420([Plane { bytes: &[0; 99], stride: 3 }; 3], &mut out), Err(PixelError::Layout));
        assert_eq!(i420([Plane { bytes: &[0; 99], stride: usize::MAX }; 3], &mut out), Err(PixelError::Layout));
    }
}
