//! Motion JPEG of USB cameras, straight to planes.

use super::PixelError;
use super::convert::{Plane, i420};
use super::range::limit_range;
use crate::video::{DecodeError, check_size};
use media::frame::{FrameMut, FramePool, VideoFrame};
use std::time::Instant;
use turbojpeg::{Colorspace, Decompressor, Subsamp, YuvImage};

/// Decodes the JPEGs of one camera.
#[derive(Debug)]
pub struct Mjpeg {
    decompressor: Decompressor,
    planes: Vec<u8>,
}

impl Mjpeg {
    /// A decoder.
    pub fn new() -> Result<Self, PixelError> {
        let mut decompressor = Decompressor::new().map_err(|_| PixelError::Unsupported)?;
        // A progressive JPEG of a few kilobytes can take minutes; cameras send baseline.
        decompressor.set_scan_limit(16).map_err(|_| PixelError::Unsupported)?;
        Ok(Self { decompressor, planes: vec![] })
    }

    /// Decodes a JPEG of any subsampling, in its own size. JPEG is full range (JFIF); the frame is in limited range
    /// BT.601, which every codec and receiver agrees on.
    pub fn decode(&mut self, jpeg: &[u8], pool: &FramePool, time: Instant) -> Result<VideoFrame, PixelError> {
        let header = self.decompressor.read_header(jpeg).map_err(|_| PixelError::Corrupt)?;
        if header.is_lossless || !matches!(header.colorspace, Colorspace::YCbCr | Colorspace::Gray) {
            return Err(PixelError::Unsupported);
        }
        let (width, height) = (side(header.width)?, side(header.height)?);
        check_size(width, height).map_err(|error| match error {
            DecodeError::TooLarge { .. } => PixelError::TooLarge,
            _ => PixelError::Corrupt,
        })?;
        let mut out = pool.take(width, height);
        if header.subsamp == Subsamp::Sub2x2 && width % 2 == 0 && height % 2 == 0 {
            decompress(&mut self.decompressor, jpeg, out.data_mut(), (width, height), header.subsamp)?;
        } else {
            let len = turbojpeg::yuv_pixels_len(header.width, 1, header.height, header.subsamp);
            self.planes.resize(len.map_err(|_| PixelError::Unsupported)?, 0);
            decompress(&mut self.decompressor, jpeg, &mut self.planes, (width, height), header.subsamp)?;
            gather(&self.planes, header.subsamp, &mut out)?;
        }
        limit_range(&mut out);
        Ok(out.freeze(time))
    }
}

fn side(side: usize) -> Result<u32, PixelError> {
    u32::try_from(side).map_err(|_| PixelError::TooLarge)
}

fn decompress(
    decompressor: &mut Decompressor,
    jpeg: &[u8],
    pixels: &mut [u8],
    (width, height): (u32, u32),
    subsamp: Subsamp,
) -> Result<(), PixelError> {
    let image = YuvImage { pixels, width: width as usize, align: 1, height: height as usize, subsamp };
    match decompressor.decompress_to_yuv(jpeg, image) {
        Ok(()) => Ok(()),
        // Many USB cameras pad their JPEGs; libjpeg warns of it and has decoded the whole picture.
        Err(turbojpeg::Error::TurboJpegError(warning)) if warning.contains("extraneous bytes") => Ok(()),
        Err(_) => Err(PixelError::Corrupt),
    }
}

/// Brings planes of any subsampling to 4:2:0. TurboJPEG rounds the sides of all planes up to whole chroma samples.
fn gather(planes: &[u8], subsamp: Subsamp, out: &mut FrameMut) -> Result<(), PixelError> {
    let (width, height) = (out.width() as usize, out.height() as usize);
    let (across, down) = match subsamp {
        Subsamp::None => (1, 1),
        Subsamp::Sub2x1 => (2, 1),
        Subsamp::Sub2x2 => (2, 2),
        Subsamp::Sub1x2 => (1, 2),
        Subsamp::Sub4x1 => (4, 1),
        Subsamp::Sub1x4 => (1, 4),
        Subsamp::Gray => return grey(planes, out),
        _ => return Err(PixelError::Unsupported),
    };
    let (columns, rows) = (width.div_ceil(across), height.div_ceil(down));
    let luma_stride = columns * across;
    let luma_len = luma_stride * rows * down;
    let (luma, chroma) = planes.split_at_checked(luma_len).ok_or(PixelError::Layout)?;
    let (blue, red) = chroma.split_at_checked(columns * rows).ok_or(PixelError::Layout)?;
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let reach = Reach { across, down, columns, rows };
    let (mut u, mut v) = (vec![0; half_width * half_height], vec![0; half_width * half_height]);
    reach.gather(blue, &mut u, half_width);
    reach.gather(red, &mut v, half_width);
    let plane = |bytes, stride| Plane { bytes, stride };
    i420([plane(luma, luma_stride), plane(&u, half_width), plane(&v, half_width)], out)
}

fn grey(planes: &[u8], out: &mut FrameMut) -> Result<(), PixelError> {
    let (y, u, v) = out.planes_mut();
    y.copy_from_slice(planes.get(..y.len()).ok_or(PixelError::Layout)?);
    u.fill(128);
    v.fill(128);
    Ok(())
}

/// How far the chroma samples of a JPEG reach, in pixels, and how many there are.
struct Reach {
    across: usize,
    down: usize,
    columns: usize,
    rows: usize,
}

impl Reach {
    /// Each sample of `out` is the mean of those within its two by two pixels.
    fn gather(&self, from: &[u8], out: &mut [u8], width: usize) {
        for (line, out) in out.chunks_exact_mut(width).enumerate() {
            let (above, below) = (self.row(from, line * 2), self.row(from, line * 2 + 1));
            match self.across {
                1 => {
                    let sum = |row: &[u8], n: usize| {
                        u16::from(row[n * 2]) + u16::from(row[(n * 2 + 1).min(self.columns - 1)])
                    };
                    let mean = |n| ((sum(above, n) + sum(below, n) + 2) >> 2) as u8;
                    out.iter_mut().enumerate().for_each(|(n, out)| *out = mean(n));
                }
                2 => out.iter_mut().zip(above.iter().zip(below)).for_each(|(out, (a, b))| *out = mean(*a, *b)),
                _ => out.iter_mut().enumerate().for_each(|(n, out)| *out = mean(above[n / 2], below[n / 2])),
            }
        }
    }

    /// The samples that reach the pixels of a line; below the last line those of the last.
    fn row<'a>(&self, from: &'a [u8], line: usize) -> &'a [u8] {
        let row = (line / self.down).min(self.rows - 1);
        &from[row * self.columns..(row + 1) * self.columns]
    }
}

fn mean(a: u8, b: u8) -> u8 {
    (u16::from(a) + u16::from(b)).div_ceil(2) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use turbojpeg::{Compressor, Image, PixelFormat};

    /// Red on the left, blue on the right, bright at the bottom.
    fn jpeg(width: usize, height: usize, subsamp: Subsamp) -> Vec<u8> {
        let pixel = |n: usize| {
            let light = (n / width * 200 / height) as u8;
            if n % width < width / 2 { [200, light / 4, light / 4] } else { [light / 4, light / 4, 200] }
        };
        let pixels: Vec<u8> = (0..width * height).flat_map(pixel).collect();
        let mut compressor = Compressor::new().expect("compressor");
        compressor.set_quality(95).expect("quality");
        compressor.set_subsamp(subsamp).expect("subsampling");
        let image = Image { pixels: &pixels[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
        compressor.compress_to_vec(image).expect("compressed")
    }

    fn decode(jpeg: &[u8]) -> Result<VideoFrame, PixelError> {
        Mjpeg::new().expect("decoder").decode(jpeg, &FramePool::new(), Instant::now())
    }

    #[test]
    fn all_subsamplings_give_the_same_picture_in_limited_range() {
        for (width, height) in [(64, 48), (67, 45), (16, 2)] {
            let reference = decode(&jpeg(width, height, Subsamp::None)).expect("decoded");
            for subsamp in [Subsamp::Sub2x1, Subsamp::Sub2x2, Subsamp::Sub1x2, Subsamp::Sub4x1] {
                let frame = decode(&jpeg(width, height, subsamp)).expect("decoded");
                assert_eq!((frame.width() as usize, frame.height() as usize), (width, height));
                assert!(!frame.color.full_range);
                let far = |a: &[u8], b: &[u8]| {
                    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
                };
                assert!(far(frame.y(), reference.y()) < 2.5, "{subsamp:?} {width}x{height}");
                assert!(far(frame.u(), reference.u()) < 9.0, "{subsamp:?} {width}x{height}");
                assert!(far(frame.v(), reference.v()) < 9.0, "{subsamp:?} {width}x{height}");
            }
        }
    }

    #[test]
    fn red_and_white_land_where_limited_range_has_them() {
        let frame = decode(&jpeg(64, 64, Subsamp::Sub2x1)).expect("decoded");
        // RGB (200, 0, 0): Y' = 0.299 * 200 = 59.8, Cr = 128 + 0.5 * 200 = 228, in limited range 67 and 216.
        assert!(frame.y()[64 * 2 + 8].abs_diff(67) <= 3, "{}", frame.y()[64 * 2 + 8]);
        assert!(frame.v()[32 + 4].abs_diff(216) <= 3, "{}", frame.v()[32 + 4]);
    }

    #[test]
    fn grey_has_neutral_chroma() {
        let frame = decode(&jpeg(32, 32, Subsamp::Gray)).expect("decoded");
        assert!(frame.u().iter().chain(frame.v()).all(|c| *c == 128));
    }

    #[test]
    fn truncated_and_random_bytes_are_refused_or_decoded_but_never_panic() {
        let whole = jpeg(64, 48, Subsamp::Sub2x1);
        for len in (0..whole.len()).step_by(7) {
            let _ = decode(&whole[..len]);
        }
        let mut seed = 7u32;
        for _ in 0..300 {
            let mut broken = whole.clone();
            for _ in 0..4 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = seed as usize % broken.len();
                broken[at] ^= (seed >> 24) as u8;
            }
            let _ = decode(&broken);
        }
        assert_eq!(decode(&[]).err(), Some(PixelError::Corrupt));
    }
}
