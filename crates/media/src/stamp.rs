//! A timestamp inside a frame: a barcode over its top tenth.
//!
//! It tells a reader how old the frame is, and which frame of a known clip it is. It survives every codec and scaling
//! that we use.
//!
//! # Format
//! The band is `round(height / 20) * 2` rows high and spans the whole width. It holds two rows of 32 equal cells; cell `c`
//! covers the columns from `round(c * width / 32)` up to `round((c + 1) * width / 32)`. Luma 235 is a 1, luma 16 a 0
//! (limited range), chroma is 128. The 64 bits, row by row, left to right, most significant first, are
//!
//! | bits | meaning |
//! |---|---|
//! | 4 | `1010` |
//! | 40 | Unix time in ms modulo 2^40, when the frame is passed to the encoder |
//! | 12 | frame number modulo 4096 |
//! | 8 | CRC-8 (polynomial 0x07, initial value 0, not reflected) of the seven bytes before |
//!
//! A reader computes the mean luma over the middle 40 % of each cell at the *received* size (cells as fractions of a
//! band of exactly a tenth), compares it with the threshold 125.5, and checks `1010` and the CRC.

use crate::frame::{FrameMut, VideoFrame};

const CELLS: usize = 32;
const ONE: u8 = 235;
const ZERO: u8 = 16;
const TIME_MASK: u64 = (1 << 40) - 1;
const SEQ_MASK: u16 = 4095;

/// The content of a stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Unix time in ms, modulo 2^40.
    pub unix_ms: u64,
    /// Frame number, modulo 4096.
    pub seq: u16,
}

impl Stamp {
    /// Milliseconds from the stamp to `unix_ms`, across a wrap; negative if the clocks disagree.
    pub fn age_ms(&self, unix_ms: u64) -> i64 {
        let forward = unix_ms.wrapping_sub(self.unix_ms).wrapping_add(1 << 39) & TIME_MASK;
        forward as i64 - (1 << 39)
    }
}

/// Number of rows of the band in a frame of this height.
pub fn band_height(height: u32) -> u32 {
    (f64::from(height) * 0.1 / 2.0 + 0.5).floor() as u32 * 2
}

/// Writes a stamp over the top of the frame. A frame of less than 10 rows has no room and is unchanged.
pub fn write(frame: &mut FrameMut, unix_ms: u64, seq: u16) {
    let (width, band) = (frame.width() as usize, band_height(frame.height()) as usize);
    let (y, u, v) = frame.planes_mut();
    let bytes = encode(unix_ms, seq);
    for r in 0..2 {
        let rows = &mut y[r * band / 2 * width..(r + 1) * band / 2 * width];
        if rows.is_empty() {
            return;
        }
        for c in 0..CELLS {
            let bit = r * CELLS + c;
            let luma = if bytes[bit / 8] >> (7 - bit % 8) & 1 == 1 { ONE } else { ZERO };
            rows[edge(c, width)..edge(c + 1, width)].fill(luma);
        }
        for row in 1..band / 2 {
            rows.copy_within(..width, row * width);
        }
    }
    let chroma = width.div_ceil(2) * (band / 2);
    u[..chroma].fill(128);
    v[..chroma].fill(128);
}

/// The stamp of a frame, `None` if there is no readable one.
pub fn read(frame: &VideoFrame) -> Option<Stamp> {
    read_luma(frame.y(), frame.width() as usize, frame.width(), frame.height())
}

/// Like [`read`], for a luma plane alone with `stride` bytes per row, at least `width`. `None` if the plane is too
/// short.
pub fn read_luma(y: &[u8], stride: usize, width: u32, height: u32) -> Option<Stamp> {
    let (w, h) = (width as usize, height as usize);
    if w == 0 || h == 0 || stride < w || y.len() < stride.checked_mul(h - 1)?.checked_add(w)? {
        return None;
    }
    let (row, cell) = (f64::from(height) * 0.1 / 2.0, f64::from(width) / CELLS as f64);
    let mut bytes = [0u8; 8];
    for bit in 0..64 {
        let (x, line) = ((bit % CELLS) as f64, (bit / CELLS) as f64);
        let columns = ((x + 0.3) * cell) as usize..=((x + 0.7) * cell) as usize;
        let rows = ((line + 0.3) * row) as usize..=((line + 0.7) * row) as usize;
        let count = (columns.clone().count() * rows.clone().count()) as f64;
        let sum: u64 = rows.map(|r| y[r * stride..][columns.clone()].iter().map(|&p| u64::from(p)).sum::<u64>()).sum();
        if sum as f64 / count > 125.5 {
            bytes[bit / 8] |= 128 >> (bit % 8);
        }
    }
    decode(bytes)
}

fn edge(cell: usize, width: usize) -> usize {
    (2 * cell * width + CELLS) / (2 * CELLS)
}

fn encode(unix_ms: u64, seq: u16) -> [u8; 8] {
    let word = 0xA << 60 | (unix_ms & TIME_MASK) << 20 | u64::from(seq & SEQ_MASK) << 8;
    let mut bytes = word.to_be_bytes();
    bytes[7] = crc8(&bytes[..7]);
    bytes
}

fn decode(bytes: [u8; 8]) -> Option<Stamp> {
    if bytes[0] >> 4 != 0xA || crc8(&bytes[..7]) != bytes[7] {
        return None;
    }
    let word = u64::from_be_bytes(bytes);
    Some(Stamp { unix_ms: word >> 20 & TIME_MASK, seq: (word >> 8) as u16 & SEQ_MASK })
}

fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| (0..8).fold(crc ^ byte, |c: u8, _| if c & 128 != 0 { c << 1 ^ 7 } else { c << 1 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FramePool;
    use proptest::prelude::*;
    use std::time::Instant;

    fn stamped(width: u32, height: u32, unix_ms: u64, seq: u16) -> VideoFrame {
        let mut frame = FramePool::new().take(width, height);
        frame.data_mut().fill(90);
        write(&mut frame, unix_ms, seq);
        frame.freeze(Instant::now())
    }

    /// The bits that the measuring rig's `barcode.js` draws for `stamp(buf, 640, 360, 1700000000123, 4095)`.
    #[test]
    fn bits_match_the_reference_writer() {
        assert_eq!(encode(1_700_000_000_123, 4095), REFERENCE);
        assert_eq!(crc8(b"123456789"), 0xF4); // the catalogue's check value of CRC-8/SMBUS
    }

    const REFERENCE: [u8; 8] = [0xA8, 0xBC, 0xFE, 0x56, 0x87, 0xBF, 0xFF, 0xD2];

    #[test]
    fn the_stamp_of_360_rows_is_36_rows_high() {
        let frame = stamped(640, 360, 1, 1);
        assert_eq!(band_height(360), 36);
        assert!(frame.y()[..36 * 640].iter().all(|p| *p == ONE || *p == ZERO));
        assert!(frame.y()[36 * 640..].iter().all(|p| *p == 90));
        assert!(frame.u()[..18 * 320].iter().all(|p| *p == 128));
        assert!(frame.v()[18 * 320..].iter().all(|p| *p == 90));
    }

    #[test]
    fn a_damaged_cell_is_detected() {
        let mut frame = FramePool::new().take(640, 360);
        write(&mut frame, 123_456, 7);
        for row in 0..18 {
            let cell = &mut frame.data_mut()[row * 640 + 200..row * 640 + 220];
            cell.iter_mut().for_each(|p| *p = 251 - *p);
        }
        assert_eq!(read(&frame.freeze(Instant::now())), None);
    }

    #[test]
    fn age_survives_the_40_bit_wrap() {
        let stamp = Stamp { unix_ms: (1 << 40) - 10, seq: 0 };
        assert_eq!(stamp.age_ms((3 << 40) + 15), 25);
        assert_eq!(stamp.age_ms((3 << 40) - 15), -5);
    }

    #[test]
    fn too_small_planes_are_refused() {
        assert_eq!(read(&stamped(1, 1, 5, 5)), None);
        assert_eq!(read_luma(&[0; 10], 64, 64, 64), None);
        assert_eq!(read_luma(&[], 0, 0, 0), None);
    }

    proptest! {
        #[test]
        fn a_stamp_round_trips(w in 64u32..1300, h in 40u32..740, ms in any::<u64>(), seq in any::<u16>()) {
            let stamp = read(&stamped(w, h, ms, seq)).expect("readable");
            prop_assert_eq!(stamp, Stamp { unix_ms: ms & TIME_MASK, seq: seq & SEQ_MASK });
        }

        #[test]
        fn a_stamp_survives_being_scaled_down(scale in 2usize..5, ms in 0u64..1 << 40, seq in 0u16..4096) {
            let big = stamped(1280, 720, ms, seq);
            let (w, h) = (1280 / scale, 720 / scale);
            let small: Vec<u8> = (0..w * h).map(|i| big.y()[i / w * scale * 1280 + i % w * scale]).collect();
            prop_assert_eq!(read_luma(&small, w, w as u32, h as u32), Some(Stamp { unix_ms: ms, seq }));
        }

        #[test]
        fn any_plane_is_read_without_a_panic(y in prop::collection::vec(any::<u8>(), 0..4000), w in 0u32..70, h in 0u32..70) {
            let _ = read_luma(&y, w as usize, w, h);
        }
    }
}
