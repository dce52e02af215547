//! Codec payload formats: how a frame is cut into packets and what a packet says about its frame.

mod h264;
mod vp8;
mod vp9;

use bytes::Bytes;
use media::encoded::{EncodedFrame, VideoCodec};

/// Most bytes of RTP payload, descriptor included. Leaves room in 1,280 bytes (IPv6's least MTU) for IP, UDP,
/// SRTP, extensions, the two bytes of RTX and TURN's channel header. Repair packets are larger by their overhead.
pub(crate) const MAX_PAYLOAD: usize = 1180 - crate::repair::OVERHEAD;

/// A bitstream that cannot be packetised, or a payload that is not of its codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Whether a packet begins a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameStart {
    /// The descriptor says so.
    Yes,
    /// The descriptor denies it.
    No,
    /// The format does not tell (H.264): a new RTP time does.
    Unknown,
}

/// What one packet carries of its frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParsedPayload {
    pub(crate) frame_start: FrameStart,
    /// Seen in this packet; that of a frame is any of its parts'.
    pub(crate) keyframe: bool,
    /// Temporal layer.
    pub(crate) temporal: u8,
    /// Number of the base layer frame that this one belongs to, TL0PICIDX, where the format carries it.
    pub(crate) tl0_pic_idx: Option<u8>,
    /// Needs nothing of its own temporal layer: one may go up to it here.
    pub(crate) layer_sync: bool,
    /// Width and height in pixels where the packet says so.
    pub(crate) size: Option<(u16, u16)>,
    /// Bitstream to append.
    pub(crate) data: Bytes,
}

/// Reads one payload. Total: any bytes give a part or [`Malformed`].
pub(crate) fn parse(codec: VideoCodec, payload: &Bytes) -> Result<ParsedPayload, Malformed> {
    match codec {
        VideoCodec::Vp8 => vp8::parse(payload),
        VideoCodec::Vp9 => vp9::parse(payload),
        VideoCodec::H264 => h264::parse(payload),
    }
}

/// Cuts the frames of one stream into payloads.
#[derive(Debug)]
pub(crate) enum Packetizer {
    Vp8(vp8::Packetizer),
    Vp9(vp9::Packetizer),
    H264(h264::Packetizer),
}

impl Packetizer {
    /// `picture_id` is the first one, 15 bits.
    pub(crate) fn new(codec: VideoCodec, picture_id: u16) -> Self {
        match codec {
            VideoCodec::Vp8 => Packetizer::Vp8(vp8::Packetizer::new(picture_id)),
            VideoCodec::Vp9 => Packetizer::Vp9(vp9::Packetizer::new(picture_id)),
            VideoCodec::H264 => Packetizer::H264(h264::Packetizer::default()),
        }
    }

    pub(crate) fn codec(&self) -> VideoCodec {
        match self {
            Packetizer::Vp8(_) => VideoCodec::Vp8,
            Packetizer::Vp9(_) => VideoCodec::Vp9,
            Packetizer::H264(_) => VideoCodec::H264,
        }
    }

    /// The frame's payloads in order; the last one's packet gets the marker bit.
    pub(crate) fn packetize(&mut self, frame: &EncodedFrame) -> Result<Vec<Bytes>, Malformed> {
        if frame.data.is_empty() {
            return Err(Malformed);
        }
        match self {
            Packetizer::Vp8(p) => Ok(p.packetize(frame)),
            Packetizer::Vp9(p) => Ok(p.packetize(frame)),
            Packetizer::H264(p) => p.packetize(frame),
        }
    }
}

/// Lengths of the fewest pieces of about equal size, none over `max`: a small last packet costs as much loss
/// as a full one and gains nothing.
fn fragment_lengths(len: usize, max: usize) -> impl Iterator<Item = usize> {
    let count = len.div_ceil(max.max(1)).max(1);
    (0..count).map(move |i| len * (i + 1) / count - len * i / count)
}

/// Reads big-endian fields and never past the end.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn u8(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.0.split_first().ok_or(Malformed)?;
        self.0 = rest;
        Ok(first)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    /// 7 bits, or 15 if the first one is set.
    fn picture_id(&mut self) -> Result<u16, Malformed> {
        let first = self.u8()?;
        if first & 0x80 == 0 {
            return Ok(u16::from(first));
        }
        Ok(u16::from(first & 0x7f) << 8 | u16::from(self.u8()?))
    }

    fn skip(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.0 = self.0.get(bytes..).ok_or(Malformed)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Instant;

    fn frame(codec: VideoCodec, data: Vec<u8>, keyframe: bool, temporal: u8) -> EncodedFrame {
        let data = Bytes::from(data);
        let (width, height) = (640, 360);
        EncodedFrame {
            codec,
            data,
            keyframe,
            rtp_timestamp: 0,
            width,
            height,
            layer: 0,
            temporal,
            time: Instant::now(),
        }
    }

    fn join(codec: VideoCodec, payloads: &[Bytes]) -> Vec<u8> {
        payloads.iter().flat_map(|p| parse(codec, p).unwrap().data.to_vec()).collect()
    }

    proptest! {
        #[test]
        fn no_payload_panics_a_parser(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let payload = Bytes::from(bytes);
            for codec in VideoCodec::ALL {
                let _ = parse(codec, &payload);
            }
        }

        #[test]
        fn no_bitstream_panics_a_packetizer(bytes in prop::collection::vec(any::<u8>(), 0..5000), key: bool) {
            for codec in VideoCodec::ALL {
                if let Ok(payloads) = Packetizer::new(codec, 7).packetize(&frame(codec, bytes.clone(), key, 0)) {
                    prop_assert!(payloads.iter().all(|p| p.len() <= MAX_PAYLOAD && !p.is_empty()));
                }
            }
        }

        #[test]
        fn vp8_and_vp9_frames_round_trip(bytes in prop::collection::vec(any::<u8>(), 1..9000), key: bool, temporal in 0u8..3) {
            for codec in [VideoCodec::Vp8, VideoCodec::Vp9] {
                let mut packetizer = Packetizer::new(codec, 0x7ffe);
                for _ in 0..3 {
                    let payloads = packetizer.packetize(&frame(codec, bytes.clone(), key, temporal)).unwrap();
                    prop_assert_eq!(join(codec, &payloads), bytes.clone());
                    prop_assert_eq!(parse(codec, &payloads[0]).unwrap().frame_start, FrameStart::Yes);
                    prop_assert!(payloads[1..].iter().all(|p| parse(codec, p).unwrap().frame_start == FrameStart::No));
                }
            }
        }

        #[test]
        fn fragment_lengths_add_up(len in 1usize..100_000, max in 1usize..2000) {
            let lengths: Vec<usize> = fragment_lengths(len, max).collect();
            prop_assert_eq!(lengths.iter().sum::<usize>(), len);
            prop_assert!(lengths.iter().all(|p| (1..=max).contains(p)));
            prop_assert_eq!(lengths.len(), len.div_ceil(max));
        }
    }
}
