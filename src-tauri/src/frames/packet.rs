//! The packet that carries a picture to the window: a header of 24 bytes, little-endian, and the planes of I420 without
//! padding.
//!
//! ```text
//!  0  u32 magic `LRF1`     4  u16 stream   6  u16 flags   8  u16 width   10  u16 height
//! 12  u32 sequence        16  u64 capture time, Unix microseconds       24  Y, U, V
//! ```
//! Flags: 1: luma covers 0 to 255 instead of 16 to 235. 2: the matrix is BT.709 instead of BT.601.

use engine::FeedFrame;
use engine::media::frame::{Matrix, VideoFrame};
use std::time::{SystemTime, UNIX_EPOCH};

/// The first four bytes.
const MAGIC: &[u8; 4] = b"LRF1";
/// Length of the header in bytes.
const HEADER: usize = 24;
const FULL_RANGE: u16 = 1;
const BT709: u16 = 2;

/// Encodes a packet. Pictures have at most 4096 pixels per side, the limit of the decoders.
pub(crate) fn encode(FeedFrame { stream, sequence, frame }: &FeedFrame) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + frame.data().len());
    bytes.extend_from_slice(MAGIC);
    for field in [*stream, flags(frame), frame.width() as u16, frame.height() as u16] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&captured_us(frame).to_le_bytes());
    bytes.extend_from_slice(frame.data());
    bytes
}

fn flags(frame: &VideoFrame) -> u16 {
    let range = if frame.color.full_range { FULL_RANGE } else { 0 };
    let matrix = match frame.color.matrix {
        Matrix::Bt601 => 0,
        Matrix::Bt709 => BT709,
    };
    range | matrix
}

fn captured_us(frame: &VideoFrame) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(frame.time.elapsed()).as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::media::frame::{Color, FramePool};
    use std::time::Instant;

    #[test]
    fn a_packet_has_the_documented_layout() {
        let mut frame = FramePool::new().take(4, 2);
        frame.data_mut().copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        let mut frame = frame.freeze(Instant::now());
        frame.color = Color { matrix: Matrix::Bt709, full_range: true };
        let bytes = encode(&FeedFrame { stream: 0x0102, sequence: 7, frame });
        assert_eq!(&bytes[..16], b"LRF1\x02\x01\x03\x00\x04\x00\x02\x00\x07\x00\x00\x00");
        assert_eq!(&bytes[24..], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        let captured = u64::from_le_bytes(bytes[16..24].try_into().unwrap());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64;
        assert!(now - captured < 5_000_000);
    }
}
