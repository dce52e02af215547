//! Reads the first bits of a VP8 or VP9 frame before libvpx decodes it: whether it is a keyframe, and its size.
//!
//! VP8: RFC 6386 section 9.1. VP9: the bitstream specification, version 0.6, section 6.2 and annex B (superframes).

use crate::video::{DecodeError, check_size};
use media::encoded::VideoCodec;

/// Checks the size that a frame declares. Returns whether it is a keyframe.
pub(super) fn inspect(codec: VideoCodec, data: &[u8]) -> Result<bool, DecodeError> {
    if data.is_empty() {
        return Err(DecodeError::Corrupt); // libvpx would treat it as a flush
    }
    match codec {
        VideoCodec::Vp8 => vp8(data),
        VideoCodec::Vp9 => vp9(data),
        VideoCodec::H264 => Err(DecodeError::Codec),
    }
}

fn vp8(data: &[u8]) -> Result<bool, DecodeError> {
    let tag = data.get(..3).ok_or(DecodeError::Corrupt)?;
    if tag[0] & 1 == 1 {
        return Ok(false);
    }
    match data.get(3..10) {
        Some(&[0x9d, 0x01, 0x2a, w0, w1, h0, h1]) => {
            let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
            check_size(side(w0, w1), side(h0, h1)).map(|()| true)
        }
        _ => Err(DecodeError::Corrupt),
    }
}

fn vp9(data: &[u8]) -> Result<bool, DecodeError> {
    let mut keyframe = false;
    for frame in superframe(data) {
        keyframe |= vp9_frame(frame)?;
    }
    Ok(keyframe)
}

/// The frames of a superframe, or the single frame.
fn superframe(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let sizes = index(data).unwrap_or_else(|| vec![data.len()]);
    let mut rest = data;
    sizes.into_iter().filter(|size| *size > 0).map_while(move |size| {
        let (frame, after) = rest.split_at_checked(size)?;
        rest = after;
        Some(frame)
    })
}

fn index(data: &[u8]) -> Option<Vec<usize>> {
    let marker = *data.last()?;
    if marker & 0xe0 != 0xc0 {
        return None;
    }
    let (frames, bytes) = (usize::from(marker & 7) + 1, usize::from(marker >> 3 & 3) + 1);
    let start = data.len().checked_sub(2 + frames * bytes)?;
    if data[start] != marker {
        return None;
    }
    let sizes = data[start + 1..data.len() - 1].chunks_exact(bytes);
    Some(sizes.map(|size| size.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte))).collect())
}

fn vp9_frame(data: &[u8]) -> Result<bool, DecodeError> {
    let mut bits = Bits { data, at: 0 };
    if bits.read(2)? != 2 {
        return Err(DecodeError::Corrupt);
    }
    if bits.read(2)? != 0 {
        return Err(DecodeError::Unsupported); // profiles 1 to 3: other chroma formats or bit depths
    }
    if bits.read(1)? == 1 {
        return Ok(false); // show_existing_frame
    }
    let (inter, shown, resilient) = (bits.read(1)?, bits.read(1)?, bits.read(1)?);
    if inter == 0 {
        bits.sync()?;
        if bits.read(3)? == 7 {
            return Err(DecodeError::Unsupported); // sRGB is not allowed in profile 0
        }
        bits.read(1)?; // range
        return bits.size().map(|()| true);
    }
    let intra_only = shown == 0 && bits.read(1)? == 1;
    if resilient == 0 {
        bits.read(2)?;
    }
    if intra_only {
        bits.sync()?;
        bits.read(8)?;
        return bits.size().map(|()| false);
    }
    bits.read(8 + 3 * 4)?;
    for _ in 0..3 {
        if bits.read(1)? == 1 {
            return Ok(false); // the size of a reference frame, which has been checked
        }
    }
    bits.size().map(|()| false)
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: usize) -> Result<u32, DecodeError> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.data.get(self.at / 8).ok_or(DecodeError::Corrupt)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    fn sync(&mut self) -> Result<(), DecodeError> {
        match self.read(24)? {
            0x49_83_42 => Ok(()),
            _ => Err(DecodeError::Corrupt),
        }
    }

    fn size(&mut self) -> Result<(), DecodeError> {
        let (width, height) = (self.read(16)? + 1, self.read(16)? + 1);
        check_size(width, height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_vp8_keyframe_is_refused_by_its_header() {
        let data = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f, 0, 0];
        assert_eq!(vp8(&data), Err(DecodeError::TooLarge { width: 16383, height: 16383 }));
        assert_eq!(vp8(&data[..9]), Err(DecodeError::Corrupt));
    }

    #[test]
    fn a_vp9_size_is_parsed_from_keyframes_and_references() {
        // Marker 2, profile 0, shown keyframe, sync code, BT.601 limited, 65536 by 65536.
        let key = bits("10 00 0 0 1 0 010010011000001101000010 010 0 1111111111111111 1111111111111111");
        assert_eq!(vp9(&key), Err(DecodeError::TooLarge { width: 65536, height: 65536 }));
        // A shown inter frame that does not take its size from a reference.
        let inter = bits("10 00 0 1 1 0 00 00000001 0000 0000 0000 0 0 0 1111111111111111 0000000000000111");
        assert_eq!(vp9(&inter), Err(DecodeError::TooLarge { width: 65536, height: 8 }));
        let reference = bits("10 00 0 1 1 0 00 00000001 0000 0000 0000 0 1");
        assert_eq!(vp9(&reference), Ok(false));
        assert_eq!(vp9(&bits("10 10 0 0")), Err(DecodeError::Unsupported));
    }

    #[test]
    fn each_frame_of_a_superframe_is_inspected() {
        let small = bits("10 00 0 0 1 0 010010011000001101000010 010 0 0000000000011111 0000000000011111");
        let large = bits("10 00 0 0 1 0 010010011000001101000010 010 0 1111111111111111 0000000000011111");
        let mut data = [small.clone(), large.clone()].concat();
        data.extend([0xc1, small.len() as u8, large.len() as u8, 0xc1]);
        assert_eq!(vp9(&data), Err(DecodeError::TooLarge { width: 65536, height: 32 }));
    }

    fn bits(text: &str) -> Vec<u8> {
        let bits: Vec<u8> = text.bytes().filter(|c| *c != b' ').map(|c| c - b'0').collect();
        bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |sum, (n, bit)| sum | bit << (7 - n))).collect()
    }
}
