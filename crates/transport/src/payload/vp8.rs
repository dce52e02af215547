//! VP8 payload format (RFC 7741).

use super::{FrameStart, MAX_PAYLOAD, Malformed, ParsedPayload, Reader, fragment_lengths};
use bytes::{BufMut, Bytes, BytesMut};
use media::encoded::EncodedFrame;

/// Length of the descriptor in bytes: two flag octets, a 15-bit picture id, TL0PICIDX and TID.
const DESCRIPTOR_LEN: usize = 6;

#[derive(Debug)]
pub(crate) struct Packetizer {
    picture_id: u16,
    /// TL0PICIDX, which counts base layer frames. It is always written, because a second layer may be added after the
    /// keyframe, and the field must not appear in the middle of a stream.
    tl0_pic_idx: u8,
}

impl Packetizer {
    pub(crate) fn new(picture_id: u16) -> Self {
        Packetizer { picture_id: picture_id & 0x7fff, tl0_pic_idx: 0 }
    }

    pub(crate) fn packetize(&mut self, frame: &EncodedFrame) -> Vec<Bytes> {
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        if frame.temporal == 0 {
            self.tl0_pic_idx = self.tl0_pic_idx.wrapping_add(1);
        }
        let mut rest = &frame.data[..];
        let mut payloads = Vec::new();
        for len in fragment_lengths(rest.len(), MAX_PAYLOAD - DESCRIPTOR_LEN) {
            let (chunk, after) = rest.split_at(len);
            rest = after;
            let mut payload = BytesMut::with_capacity(DESCRIPTOR_LEN + len);
            payload.put_u8(if payloads.is_empty() { 0x90 } else { 0x80 });
            payload.put_u8(0xe0);
            payload.put_u16(0x8000 | self.picture_id);
            payload.put_u8(self.tl0_pic_idx);
            // Y (RFC 7741 section 4.2): frames of the second layer depend only on the base layer.
            payload.put_u8(frame.temporal.min(3) << 6 | u8::from(frame.temporal == 1) << 5);
            payload.put_slice(chunk);
            payloads.push(payload.freeze());
        }
        payloads
    }
}

pub(crate) fn parse(payload: &Bytes) -> Result<ParsedPayload, Malformed> {
    let mut reader = Reader(payload);
    let first = reader.u8()?;
    let extended = if first & 0x80 != 0 { reader.u8()? } else { 0 };
    if extended & 0x80 != 0 {
        reader.picture_id()?;
    }
    let tl0_pic_idx = if extended & 0x40 != 0 { Some(reader.u8()?) } else { None };
    let layer = if extended & 0x30 != 0 { reader.u8()? } else { 0 };
    let layer = if extended & 0x20 != 0 { layer } else { 0 };
    if reader.0.is_empty() {
        return Err(Malformed);
    }
    let starts_frame = first & 0x10 != 0 && first & 0x07 == 0;
    let keyframe = starts_frame && reader.0[0] & 1 == 0;
    Ok(ParsedPayload {
        frame_start: if starts_frame { FrameStart::Yes } else { FrameStart::No },
        keyframe,
        temporal: layer >> 6,
        tl0_pic_idx: tl0_pic_idx.filter(|_| extended & 0x20 != 0),
        layer_sync: layer & 0x20 != 0,
        size: if keyframe { size(reader.0) } else { None },
        data: payload.slice_ref(reader.0),
    })
}

/// Width and height of a keyframe, 14 bits each after the frame tag and the start code (RFC 6386 section 9.1).
fn size(bitstream: &[u8]) -> Option<(u16, u16)> {
    match bitstream {
        [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] => {
            Some((u16::from_le_bytes([*w0, *w1]) & 0x3fff, u16::from_le_bytes([*h0, *h1]) & 0x3fff))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed_bytes(bytes: &[u8]) -> Result<ParsedPayload, Malformed> {
        parse(&Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn a_keyframe_carries_its_size() {
        let parsed = parsed_bytes(&[0x10, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, 9]).unwrap();
        assert!(parsed.keyframe);
        assert_eq!(parsed.frame_start, FrameStart::Yes);
        assert_eq!(parsed.size, Some((640, 360)));
        assert_eq!(parsed.tl0_pic_idx, None);
    }

    #[test]
    fn every_optional_field_is_skipped() {
        // X=1 S=1; I L T K; 7-bit picture id; TL0PICIDX 9; TID 2.
        let parsed = parsed_bytes(&[0x90, 0xf0, 0x11, 9, 0x80, 0x01, 0xaa]).unwrap();
        assert_eq!((parsed.temporal, parsed.tl0_pic_idx), (2, Some(9)));
        assert!(!parsed.keyframe);
        assert_eq!(&parsed.data[..], &[0x01, 0xaa]);
    }

    #[test]
    fn a_later_partition_does_not_start_a_frame() {
        assert_eq!(parsed_bytes(&[0x11, 0x00]).unwrap().frame_start, FrameStart::No);
    }

    #[test]
    fn a_descriptor_alone_is_malformed() {
        for bytes in [&[][..], &[0x90], &[0x90, 0x80], &[0x90, 0x80, 0x80], &[0x90, 0xe0, 0x80, 1, 2], &[0x10]] {
            assert_eq!(parsed_bytes(bytes), Err(Malformed), "{bytes:?}");
        }
    }
}
