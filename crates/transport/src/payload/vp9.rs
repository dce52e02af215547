//! VP9 payload format (RFC 9628). Frames are sent in flexible mode with one spatial layer. Both modes are parsed, and the
//! spatial layers of a picture are combined into one frame.

use super::{FrameStart, MAX_PAYLOAD, Malformed, ParsedPayload, Reader, fragment_lengths};
use bytes::{BufMut, Bytes, BytesMut};
use media::encoded::EncodedFrame;

/// Longest descriptor in bytes: flags, 15-bit picture id, layer indices, three references, and a scalability structure
/// with one size.
const DESCRIPTOR_LEN: usize = 1 + 2 + 1 + 3 + 5;
const TEMPORAL_LAYERS: usize = 8;

#[derive(Debug)]
pub(crate) struct Packetizer {
    picture_id: u16,
    /// Id of the newest picture of each temporal layer since the last keyframe.
    newest: [Option<u16>; TEMPORAL_LAYERS],
    layered: bool,
}

impl Packetizer {
    pub(crate) fn new(picture_id: u16) -> Self {
        Packetizer { picture_id: picture_id & 0x7fff, newest: [None; TEMPORAL_LAYERS], layered: false }
    }

    pub(crate) fn packetize(&mut self, frame: &EncodedFrame) -> Vec<Bytes> {
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        let temporal = usize::from(frame.temporal).min(TEMPORAL_LAYERS - 1);
        self.layered |= temporal > 0;
        let references = if frame.keyframe { Vec::new() } else { self.references(temporal) };
        if frame.keyframe {
            self.newest = [None; TEMPORAL_LAYERS];
        }
        self.newest[temporal] = Some(self.picture_id);

        let mut rest = &frame.data[..];
        let mut payloads: Vec<Bytes> = Vec::new();
        let lengths = fragment_lengths(rest.len(), MAX_PAYLOAD - DESCRIPTOR_LEN);
        for len in lengths {
            let (chunk, after) = rest.split_at(len);
            rest = after;
            let (starts_frame, ends_frame) = (payloads.is_empty(), rest.is_empty());
            let mut payload = BytesMut::with_capacity(DESCRIPTOR_LEN + len);
            self.write_descriptor(&mut payload, frame, &references, starts_frame, ends_frame);
            payload.put_slice(chunk);
            payloads.push(payload.freeze());
        }
        payloads
    }

    /// Distances to the pictures that this one may reference: the newest of each lower layer, or the newest base layer
    /// picture if this one is in the base layer. The format allows three. The encoder may use fewer of them, but no
    /// others.
    fn references(&self, temporal: usize) -> Vec<u8> {
        let distances = self.newest[..temporal.max(1)].iter().flatten();
        let distances = distances.map(|id| self.picture_id.wrapping_sub(*id) & 0x7fff);
        distances.filter_map(|d| u8::try_from(d).ok()).filter(|d| (1..128).contains(d)).take(3).collect()
    }

    fn write_descriptor(
        &self,
        out: &mut BytesMut,
        frame: &EncodedFrame,
        references: &[u8],
        starts_frame: bool,
        ends_frame: bool,
    ) {
        let structure = frame.keyframe && starts_frame;
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let inter = !references.is_empty();
        out.put_u8(
            0x80 | flag(inter, 0x40)
                | flag(self.layered, 0x20)
                | 0x10
                | flag(starts_frame, 0x08)
                | flag(ends_frame, 0x04)
                | flag(structure, 0x02),
        );
        out.put_u16(0x8000 | self.picture_id);
        if self.layered {
            out.put_u8(frame.temporal.min(7) << 5);
        }
        for (i, distance) in references.iter().enumerate() {
            out.put_u8(distance << 1 | flag(i + 1 < references.len(), 1));
        }
        if structure {
            out.put_u8(0x10);
            out.put_u16(u16::try_from(frame.width).unwrap_or(0));
            out.put_u16(u16::try_from(frame.height).unwrap_or(0));
        }
    }
}

pub(crate) fn parse(payload: &Bytes) -> Result<ParsedPayload, Malformed> {
    let mut reader = Reader(payload);
    let flags = reader.u8()?;
    let (inter, flexible) = (flags & 0x40 != 0, flags & 0x10 != 0);
    if flags & 0x80 != 0 {
        reader.picture_id()?;
    }
    let (mut temporal, mut spatial, mut layer_sync, mut tl0_pic_idx) = (0, 0, false, None);
    if flags & 0x20 != 0 {
        let layer = reader.u8()?;
        (temporal, spatial, layer_sync) = (layer >> 5, layer >> 1 & 0x07, layer & 0x10 != 0);
        tl0_pic_idx = if flexible { None } else { Some(reader.u8()?) };
    }
    if inter && flexible {
        skip_references(&mut reader)?;
    }
    let size = if flags & 0x02 != 0 { parse_structure(&mut reader)? } else { None };
    if reader.0.is_empty() {
        return Err(Malformed);
    }
    // The decoder takes all spatial layers of a picture as one frame, which starts with the lowest layer.
    let starts_frame = flags & 0x08 != 0 && spatial == 0;
    Ok(ParsedPayload {
        frame_start: if starts_frame { FrameStart::Yes } else { FrameStart::No },
        keyframe: starts_frame && !inter,
        temporal,
        tl0_pic_idx,
        layer_sync,
        size,
        data: payload.slice_ref(reader.0),
    })
}

fn skip_references(reader: &mut Reader) -> Result<(), Malformed> {
    for _ in 0..3 {
        if reader.u8()? & 1 == 0 {
            return Ok(());
        }
    }
    Err(Malformed)
}

/// Parses a scalability structure. Returns the size of the highest spatial layer.
fn parse_structure(reader: &mut Reader) -> Result<Option<(u16, u16)>, Malformed> {
    let header = reader.u8()?;
    let mut size = None;
    if header & 0x10 != 0 {
        for _ in 0..=header >> 5 {
            size = Some((reader.u16()?, reader.u16()?));
        }
    }
    if header & 0x08 != 0 {
        for _ in 0..reader.u8()? {
            let picture = reader.u8()?;
            reader.skip(usize::from(picture >> 2 & 0x03))?;
        }
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed_bytes(bytes: &[u8]) -> Result<ParsedPayload, Malformed> {
        parse(&Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn a_non_flexible_keyframe_with_picture_group_is_read() {
        // I L B V; 15-bit id; TID 0, TL0PICIDX 5; SS: one layer, 640x360, one picture with one reference.
        let bytes = [0xaa, 0x80, 0x01, 0x00, 5, 0x18, 0x02, 0x80, 0x01, 0x68, 1, 0x04, 1, 0xde, 0xad];
        let parsed = parsed_bytes(&bytes).unwrap();
        assert!(parsed.keyframe);
        assert_eq!(parsed.frame_start, FrameStart::Yes);
        assert_eq!((parsed.temporal, parsed.tl0_pic_idx), (0, Some(5)));
        assert_eq!(parsed.size, Some((640, 360)));
        assert_eq!(&parsed.data[..], &[0xde, 0xad]);
    }

    #[test]
    fn an_upper_spatial_layer_continues_the_picture() {
        // I L B, spatial layer 1 predicted from the one below.
        let parsed = parsed_bytes(&[0xa8, 0x01, 0x03, 5, 0xaa]).unwrap();
        assert_eq!(parsed.frame_start, FrameStart::No);
        assert!(!parsed.keyframe);
    }

    #[test]
    fn flexible_references_are_skipped() {
        let parsed = parsed_bytes(&[0xd8, 0x01, 0x03, 0x04, 0xaa]).unwrap();
        assert_eq!(&parsed.data[..], &[0xaa]);
        assert_eq!(super::parse(&Bytes::from_static(&[0xd8, 1, 3, 3, 3, 4, 0xaa])), Err(Malformed));
    }

    #[test]
    fn truncated_descriptors_are_malformed() {
        let whole = [0xaa, 0x80, 0x01, 0x00, 5, 0x18, 0x02, 0x80, 0x01, 0x68, 1, 0x04, 1];
        for len in 0..=whole.len() {
            assert_eq!(parsed_bytes(&whole[..len]), Err(Malformed), "{len}");
        }
    }
}
