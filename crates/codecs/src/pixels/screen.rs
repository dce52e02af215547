//! Conversion of the pixels of a screen.

use super::{PixelError, Plane};
use media::frame::FrameMut;

/// Bytes of a pixel: blue, green, red, padding.
const PIXEL: usize = 4;

/// Converts `rows` rows of 32-bit pixels (blue, green, red, padding) into the rows of the frame from `first` on, with
/// the BT.601 matrix in limited range. Each pixel of the frame is the mean of `shrink` x `shrink` pixels, so a large
/// screen can be converted in bands without a copy of its full size.
///
/// # Errors
/// [`PixelError::Layout`] if there are too few bytes, the band does not fit the frame, or a side, `first` or the number
/// of converted rows is odd.
pub fn bgrx(packed: Plane<'_>, rows: usize, shrink: usize, first: usize, out: &mut FrameMut) -> Result<(), PixelError> {
    let (width, height) = (out.width() as usize, out.height() as usize);
    let made = rows.checked_div(shrink).ok_or(PixelError::Layout)?;
    let are_even = [width, height, first, made].iter().all(|n| n.is_multiple_of(2));
    if !are_even || first + made > height {
        return Err(PixelError::Layout);
    }
    let (mut above, mut below) = (Row::new(width, shrink), Row::new(width, shrink));
    let mut rows = packed.rows(width * shrink * PIXEL, made * shrink)?;
    let half = width / 2;
    let (y, u, v) = out.planes_mut();
    let luma = y.chunks_exact_mut(2 * width).skip(first / 2);
    let chroma = u.chunks_exact_mut(half).zip(v.chunks_exact_mut(half)).skip(first / 2);
    for (luma, (u, v)) in luma.zip(chroma).take(made / 2) {
        let (above, below) = (above.take(&mut rows), below.take(&mut rows));
        let (upper, lower) = luma.split_at_mut(width);
        luma_of(above, upper);
        luma_of(below, lower);
        chroma_of(above, below, u, v);
    }
    Ok(())
}

/// The memory for a row of means.
struct Row {
    shrink: usize,
    sums: Vec<u32>,
    means: Vec<u8>,
}

impl Row {
    fn new(width: usize, shrink: usize) -> Row {
        let len = if shrink > 1 { width * PIXEL } else { 0 };
        Row { shrink, sums: vec![0; len], means: vec![0; len] }
    }

    /// The mean of the next rows.
    fn take<'a, 'p: 'a>(&'a mut self, rows: &mut impl Iterator<Item = &'p [u8]>) -> &'a [u8] {
        if self.shrink == 1 {
            return rows.next().unwrap_or_default();
        }
        self.sums.fill(0);
        for row in rows.take(self.shrink) {
            for (sum, block) in self.sums.chunks_exact_mut(PIXEL).zip(row.chunks_exact(PIXEL * self.shrink)) {
                for pixel in block.chunks_exact(PIXEL) {
                    sum.iter_mut().zip(pixel).for_each(|(sum, byte)| *sum += u32::from(*byte));
                }
            }
        }
        let area = (self.shrink * self.shrink) as u32;
        self.means.iter_mut().zip(&self.sums).for_each(|(mean, sum)| *mean = (sum / area) as u8);
        &self.means
    }
}

fn luma_of(row: &[u8], luma: &mut [u8]) {
    for (luma, pixel) in luma.iter_mut().zip(row.chunks_exact(PIXEL)) {
        let [b, g, r] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
        *luma = (((66 * r + 129 * g + 25 * b + 128) >> 8) + 16) as u8;
    }
}

fn chroma_of(above: &[u8], below: &[u8], u: &mut [u8], v: &mut [u8]) {
    for (((u, v), a), b) in u.iter_mut().zip(v).zip(above.chunks_exact(2 * PIXEL)).zip(below.chunks_exact(2 * PIXEL)) {
        let sum = |n: usize| [a[n], a[n + PIXEL], b[n], b[n + PIXEL]].into_iter().map(i32::from).sum::<i32>();
        let (blue, green, red) = (sum(0), sum(1), sum(2));
        *u = (((112 * blue - 74 * green - 38 * red + 512) >> 10) + 128) as u8;
        *v = (((112 * red - 94 * green - 18 * blue + 512) >> 10) + 128) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::frame::{FramePool, VideoFrame};
    use std::time::Instant;

    /// Converts a picture of these pixels in bands of two rows of the frame.
    fn converted(width: usize, height: usize, shrink: usize, pixel: impl Fn(usize, usize) -> [u8; 3]) -> VideoFrame {
        let all: Vec<u8> =
            (0..height * width).flat_map(|n| [pixel(n % width, n / width).as_slice(), &[9]].concat()).collect();
        let mut out = FramePool::new().take((width / shrink) as u32, (height / shrink) as u32);
        let band = 2 * shrink * width * PIXEL;
        for (n, bytes) in all.chunks(band).enumerate() {
            bgrx(Plane { bytes, stride: width * PIXEL }, 2 * shrink, shrink, 2 * n, &mut out).expect("laid out");
        }
        out.freeze(Instant::now())
    }

    #[test]
    fn colours_are_those_of_bt_601_in_limited_range() {
        for (bgr, yuv) in [
            ([0, 0, 0], [16, 128, 128]),
            ([255, 255, 255], [235, 128, 128]),
            ([0, 0, 255], [82, 90, 240]),
            ([0, 255, 0], [144, 54, 34]),
            ([255, 0, 0], [41, 240, 110]),
        ] {
            let frame = converted(4, 4, 1, |_, _| bgr);
            for (plane, want) in [frame.y(), frame.u(), frame.v()].into_iter().zip(yuv) {
                assert!(plane.iter().all(|byte| byte.abs_diff(want) <= 1), "{bgr:?}: {plane:?}, not {want}");
            }
        }
    }

    #[test]
    fn each_band_has_its_place() {
        let frame = converted(4, 8, 1, |x, y| [(10 * y + x) as u8; 3]);
        let grey = |value: usize| ((220 * value + 128) >> 8) as u8 + 16;
        for (n, luma) in frame.y().iter().enumerate() {
            assert_eq!(*luma, grey(10 * (n / 4) + n % 4), "{n}");
        }
    }

    #[test]
    fn a_smaller_frame_has_the_means() {
        let frame = converted(8, 8, 2, |x, _| [if x % 2 == 0 { 100 } else { 140 }; 3]);
        assert_eq!((frame.width(), frame.height()), (4, 4));
        assert!(frame.y().iter().all(|luma| *luma == ((220 * 120 + 128) >> 8) as u8 + 16));
    }

    #[test]
    fn a_band_that_does_not_fit_is_refused() {
        let bytes = [0; 4 * 4 * PIXEL];
        let plane = Plane { bytes: &bytes, stride: 4 * PIXEL };
        let mut out = FramePool::new().take(4, 4);
        for (rows, shrink, first) in [(4, 1, 2), (3, 1, 0), (2, 1, 1), (6, 1, 0), (4, 0, 0), (4, 2, 0)] {
            assert_eq!(bgrx(plane, rows, shrink, first, &mut out), Err(PixelError::Layout), "{rows} {shrink} {first}");
        }
        assert_eq!(bgrx(plane, 4, 1, 0, &mut out), Ok(()));
    }
}
