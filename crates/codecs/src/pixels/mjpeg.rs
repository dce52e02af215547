//! Decodes the Motion JPEG of USB cameras directly to planes.

use super::PixelError;
use super::convert::{Plane, i420};
use super::range::limit_range;
use super::turbo::{Header, JpegImage, Outcome};
use crate::video::{DecodeError, check_size};
use media::frame::{FrameMut, FramePool, VideoFrame};
use std::time::Instant;
use turbojpeg::Subsamp;

/// Number of truncated frames that are skipped, because the previous frame looks better. If a camera sends only
/// truncated frames, they are shown.
const LEFT_OUT: u32 = 3;

/// Decodes the JPEGs of one camera. Frames are independent, so damage affects one frame only.
#[derive(Debug, Default)]
pub struct Mjpeg {
    planes: Vec<u8>,
    /// Truncated frames since the last complete one.
    cut: u32,
}

impl Mjpeg {
    /// Makes a decoder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes a JPEG with any subsampling, at its own size. JPEG is full range (JFIF); the result is limited-range
    /// BT.601, which every codec and receiver supports.
    ///
    /// Frames for which libjpeg only warns (padding, no end marker, an invalid code) are returned. A frame that lacks
    /// more than its last rows fails with [`PixelError::Corrupt`] a few times; then it is returned as far as it was
    /// decoded.
    pub fn decode(&mut self, jpeg: &[u8], pool: &FramePool, time: Instant) -> Result<VideoFrame, PixelError> {
        let picture = JpegImage::read(jpeg)?;
        let header = picture.header();
        let (width, height) = (side(header.width)?, side(header.height)?);
        check_size(width, height).map_err(|error| match error {
            DecodeError::TooLarge { .. } => PixelError::TooLarge,
            _ => PixelError::Corrupt,
        })?;
        let mut out = pool.take(width, height);
        let extent = if header.subsamp == Subsamp::Sub2x2 && width % 2 == 0 && height % 2 == 0 {
            decompress(picture, jpeg, out.data_mut())?
        } else {
            self.planes.resize(picture.planes_len()?, 0);
            let extent = decompress(picture, jpeg, &mut self.planes)?;
            gather(&self.planes, header.subsamp, &mut out)?;
            extent
        };
        self.judge(extent)?;
        limit_range(&mut out);
        Ok(out.freeze(time))
    }

    /// Decides whether to show the frame.
    fn judge(&mut self, extent: Extent) -> Result<(), PixelError> {
        match extent {
            Extent::Whole => self.cut = 0,
            Extent::Cut => self.cut = self.cut.saturating_add(1),
            Extent::Nothing => return Err(PixelError::Corrupt),
        }
        if (1..=LEFT_OUT).contains(&self.cut) { Err(PixelError::Corrupt) } else { Ok(()) }
    }
}

fn side(side: usize) -> Result<u32, PixelError> {
    u32::try_from(side).map_err(|_| PixelError::TooLarge)
}

/// How much of a frame was decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// All rows, or at least seven eighths of them.
    Whole,
    /// Only the first rows.
    Cut,
    /// Not even the first block.
    Nothing,
}

/// The sample value that libjpeg produces for missing data.
const MISSING: u8 = 128;

/// Decodes all planes.
fn decompress(picture: JpegImage<'_>, jpeg: &[u8], planes: &mut [u8]) -> Result<Extent, PixelError> {
    planes.fill(MISSING); // for what libjpeg does not reach
    let header = picture.header();
    if picture.decompress(planes)? == Outcome::Clean || !is_missing(planes, header, Block::Late) {
        return Ok(Extent::Whole);
    }
    // If only the end marker is missing, all rows are present, even if the frame ends in plain grey.
    let ended = [jpeg, &[0xFF, 0xD9]].concat();
    if JpegImage::read(&ended)?.decompress(planes)? == Outcome::Clean {
        return Ok(Extent::Whole);
    }
    Ok(if is_missing(planes, header, Block::First) { Extent::Nothing } else { Extent::Cut })
}

/// A block of 8 by 8 luma samples, or the part of it inside the frame.
#[derive(Debug, Clone, Copy)]
enum Block {
    First,
    /// The block in the last column, at seven eighths of the height.
    Late,
}

/// Whether the block looks as it would without data.
fn is_missing(planes: &[u8], header: Header, block: Block) -> bool {
    let stride = header.width.next_multiple_of(chroma_reach(header.subsamp).0);
    let Header { width, height, .. } = header;
    let (x, y) = match block {
        Block::First => (0, 0),
        Block::Late => (width.saturating_sub(1) / 8 * 8, height * 7 / 8 / 8 * 8),
    };
    let (columns, mut rows) = (x..width.min(x + 8), y..height.min(y + 8));
    let row = |y: usize| planes.get(y * stride + columns.start..y * stride + columns.end).unwrap_or_default();
    rows.all(|y| row(y).iter().all(|sample| *sample == MISSING))
}

/// Width and height in pixels that one chroma sample covers.
fn chroma_reach(subsamp: Subsamp) -> (usize, usize) {
    match subsamp {
        Subsamp::Sub2x1 => (2, 1),
        Subsamp::Sub2x2 => (2, 2),
        Subsamp::Sub1x2 => (1, 2),
        Subsamp::Sub4x1 => (4, 1),
        Subsamp::Sub1x4 => (1, 4),
        _ => (1, 1),
    }
}

/// Converts planes of any subsampling to 4:2:0. TurboJPEG rounds the sides of all planes up to whole chroma samples.
fn gather(planes: &[u8], subsamp: Subsamp, out: &mut FrameMut) -> Result<(), PixelError> {
    let (width, height) = (out.width() as usize, out.height() as usize);
    if subsamp == Subsamp::Gray {
        return grey(planes, out);
    }
    let (across, down) = chroma_reach(subsamp);
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

/// The size and number of the chroma samples of a JPEG, in pixels.
struct Reach {
    across: usize,
    down: usize,
    columns: usize,
    rows: usize,
}

impl Reach {
    /// Makes each sample of `out` the mean of the samples within its 2x2 pixels.
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

    /// The samples that cover a line of pixels; below the last line, those of the last line.
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
        Mjpeg::new().decode(jpeg, &FramePool::new(), Instant::now())
    }

    #[test]
    fn all_subsamplings_give_the_same_limited_range_image() {
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
    fn red_and_white_have_their_limited_range_values() {
        let frame = decode(&jpeg(64, 64, Subsamp::Sub2x1)).expect("decoded");
        // RGB (200, 0, 0): Y' = 0.299 * 200 = 59.8, Cr = 128 + 0.5 * 200 = 228; in limited range 67 and 216.
        assert!(frame.y()[64 * 2 + 8].abs_diff(67) <= 3, "{}", frame.y()[64 * 2 + 8]);
        assert!(frame.v()[32 + 4].abs_diff(216) <= 3, "{}", frame.v()[32 + 4]);
    }

    #[test]
    fn grey_has_neutral_chroma() {
        let frame = decode(&jpeg(32, 32, Subsamp::Gray)).expect("decoded");
        assert!(frame.u().iter().chain(frame.v()).all(|c| *c == 128));
    }

    #[test]
    fn an_intact_image_decodes_after_a_damaged_one() {
        let good = jpeg(64, 48, Subsamp::Sub2x1);
        let whole = decode(&good).expect("decoded");
        let scan = good.windows(2).position(|two| two == [0xFF, 0xDA]).expect("a scan") + 14;
        let (pool, now) = (FramePool::new(), Instant::now());
        let mut mjpeg = Mjpeg::new();
        let mut follow = |damaged: &[u8], what: &str| {
            let _ = mjpeg.decode(damaged, &pool, now);
            let next = mjpeg.decode(&good, &pool, now).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(next.data(), whole.data(), "{what}");
        };
        for len in 0..good.len() {
            follow(&good[..len], &format!("cut after {len} bytes"));
        }
        for at in 0..scan {
            for change in [0x01, 0x10, 0x80, 0xFF] {
                let mut damaged = good.clone();
                damaged[at] ^= change;
                follow(&damaged, &format!("byte {at} changed by {change:#x}"));
            }
        }
        // A tables-only stream, which libjpeg accepts without a warning.
        let tables = [&good[..scan - 14], &[0xFF, 0xD9]].concat();
        follow(&tables, "tables without a picture");
    }

    #[test]
    fn images_with_libjpeg_warnings_are_decoded() {
        for subsamp in [Subsamp::Sub2x1, Subsamp::Sub2x2, Subsamp::Gray] {
            let good = jpeg(64, 48, subsamp);
            let whole = decode(&good).expect("decoded");
            let unended = &good[..good.len() - 2];
            let padded = [unended, &[0; 37], &[0xFF, 0xD9]].concat();
            let garbage_after = [&good[..], &[0x12, 0x34, 0xFF, 0xC0, 0x00]].concat();
            for bytes in [unended, &good[..good.len() - 1], &padded, &garbage_after] {
                assert_eq!(decode(bytes).expect("shown").data(), whole.data(), "{subsamp:?}");
            }
        }
    }

    #[test]
    fn an_image_that_lacks_only_its_last_rows_is_decoded() {
        let good = jpeg(320, 240, Subsamp::Sub2x2);
        let whole = decode(&good).expect("decoded");
        for missing in [3, 10, 25] {
            let shown = decode(&good[..good.len() - missing]).expect("shown");
            assert_eq!(shown.y()[..320 * 208], whole.y()[..320 * 208], "{missing} bytes fewer");
        }
    }

    #[test]
    fn a_uniform_image_without_its_end_is_complete() {
        let mut compressor = Compressor::new().expect("compressor");
        let image =
            Image { pixels: &[128u8; 64 * 48][..], width: 64, pitch: 64, height: 48, format: PixelFormat::GRAY };
        compressor.set_subsamp(Subsamp::Gray).expect("subsampling");
        let grey = compressor.compress_to_vec(image).expect("compressed");
        assert!(decode(&grey[..grey.len() - 2]).is_ok());
    }

    #[test]
    fn a_truncated_image_is_skipped_unless_all_are() {
        let good = jpeg(64, 48, Subsamp::Sub2x1);
        let scan = good.windows(2).position(|two| two == [0xFF, 0xDA]).expect("a scan") + 14;
        let cut = &good[..scan + (good.len() - scan) * 2 / 3];
        let (pool, now) = (FramePool::new(), Instant::now());
        let mut mjpeg = Mjpeg::new();
        for _ in 0..LEFT_OUT {
            assert_eq!(mjpeg.decode(cut, &pool, now).err(), Some(PixelError::Corrupt));
        }
        let shown = mjpeg.decode(cut, &pool, now).expect("what is there");
        let whole = mjpeg.decode(&good, &pool, now).expect("decoded");
        assert_eq!(shown.y()[..64 * 8], whole.y()[..64 * 8], "the rows that are there");
        assert_eq!(mjpeg.decode(cut, &pool, now).err(), Some(PixelError::Corrupt));
        for len in [20, 180, 300, 600] {
            for _ in 0..10 {
                assert!(mjpeg.decode(&good[..len], &pool, now).is_err(), "no picture at all after {len} bytes");
            }
        }
    }

    #[test]
    fn truncated_and_random_bytes_never_panic() {
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
