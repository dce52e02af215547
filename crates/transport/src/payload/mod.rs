//! RTP payload formats: packetization of frames, and parsing of packets.

mod h264;
pub(crate) mod red;
mod vp8;
mod vp9;

use bytes::Bytes;
use media::encoded::{EncodedFrame, VideoCodec};

/// Longest RTP payload in bytes, including the payload descriptor. Together with IP, UDP, SRTP, header extensions, the
/// two bytes of RTX and the TURN channel header, a packet fits the minimum IPv6 MTU of 1,280 bytes. The payloads of
/// repair packets are longer by [`OVERHEAD`](crate::repair::OVERHEAD).
pub(crate) const MAX_PAYLOAD: usize = 1180 - crate::repair::OVERHEAD;

/// The bitstream cannot be packetized, or the payload is invalid for its codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Whether a packet starts a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameStart {
    /// The descriptor marks the start of a frame.
    Yes,
    /// The packet continues a frame.
    No,
    /// The format does not signal it (H.264). A new RTP timestamp does.
    Unknown,
}

/// A parsed payload: its descriptor, and its part of the bitstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParsedPayload {
    pub(crate) frame_start: FrameStart,
    /// Whether this payload shows a keyframe. A frame is a keyframe if any of its payloads shows it.
    pub(crate) keyframe: bool,
    /// Temporal layer, 0 is the base.
    pub(crate) temporal: u8,
    /// TL0PICIDX, the index of the base layer frame that this frame depends on, if the format has it.
    pub(crate) tl0_pic_idx: Option<u8>,
    /// Whether the frame depends only on the base layer, so that a receiver may switch up to this temporal layer
    /// (Y in VP8, U in VP9).
    pub(crate) layer_sync: bool,
    /// Width and height in pixels, if the payload contains them.
    pub(crate) size: Option<(u16, u16)>,
    /// Bitstream to append to the frame.
    pub(crate) data: Bytes,
}

/// Parses a payload. Accepts any bytes, and returns [`Malformed`] if they are invalid.
pub(crate) fn parse(codec: VideoCodec, payload: &Bytes) -> Result<ParsedPayload, Malformed> {
    match codec {
        VideoCodec::Vp8 => vp8::parse(payload),
        VideoCodec::Vp9 => vp9::parse(payload),
        VideoCodec::H264 => h264::parse(payload),
    }
}

/// Packetizes the frames of one stream.
#[derive(Debug)]
pub(crate) enum Packetizer {
    Vp8(vp8::Packetizer),
    Vp9(vp9::Packetizer),
    H264(h264::Packetizer),
}

impl Packetizer {
    /// Creates a packetizer. `picture_id` precedes the first picture id; its low 15 bits are used.
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

    /// Returns the payloads of the frame in order. The packet of the last one needs the marker bit.
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

/// Splits `len` bytes into the fewest fragments of at most `max` bytes and about equal length. A short last packet would
/// be lost as often as a full one, without a benefit.
fn fragment_lengths(len: usize, max: usize) -> impl Iterator<Item = usize> {
    let count = len.div_ceil(max.max(1)).max(1);
    (0..count).map(move |i| len * (i + 1) / count - len * i / count)
}

/// Reads big-endian fields, and fails at the end of the data.
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

    /// A picture id of 7 bits, or of 15 bits if the first bit is set.
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
            captured: None,
            source: None,
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
