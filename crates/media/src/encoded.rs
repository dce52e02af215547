//! Encoded frames and packets, as passed between codecs, transport and jitter buffers.

use crate::level::AudioLevel;
use crate::remote_clock::CaptureTime;
use bytes::Bytes;
use std::time::Instant;

/// A negotiated video codec: RFC 7741 (VP8), RFC 9628 (VP9), RFC 6184 (H.264).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// VP8, RFC 6386.
    Vp8,
    /// VP9 profile 0.
    Vp9,
    /// H.264 constrained baseline, packetization mode 1.
    H264,
}

impl VideoCodec {
    /// All codecs, in the order in which descriptions list them. Browsers send the first that they support. Our senders
    /// choose by the path.
    pub const ALL: [VideoCodec; 3] = [VideoCodec::Vp8, VideoCodec::Vp9, VideoCodec::H264];

    /// MIME type as in SDP and getStats.
    pub fn mime(self) -> &'static str {
        match self {
            VideoCodec::Vp8 => "video/VP8",
            VideoCodec::Vp9 => "video/VP9",
            VideoCodec::H264 => "video/H264",
        }
    }
}

/// An encoded frame: a VP8 or VP9 frame, or an H.264 access unit in Annex B format.
#[derive(Debug, Clone)]
pub struct EncodedFrame {
    /// The codec.
    pub codec: VideoCodec,
    /// The bitstream.
    pub data: Bytes,
    /// Whether it can be decoded without any earlier frame.
    pub keyframe: bool,
    /// RTP timestamp in 1/90000 s, wrapping.
    pub rtp_timestamp: u32,
    /// Width in pixels, 0 if the receiver does not know it yet.
    pub width: u32,
    /// Height in pixels, 0 if the receiver does not know it yet.
    pub height: u32,
    /// Simulcast encoding, 0 is the smallest.
    pub layer: u8,
    /// Temporal layer, 0 is the base.
    pub temporal: u8,
    /// Sending: when the frame was captured. Receiving: when the last packet arrived that the path did not lose; packets
    /// that were repaired may have arrived later.
    pub time: Instant,
    /// Receiving: when the frame was captured, if the far side's clock is known. Sending: not used.
    pub captured: Option<CaptureTime>,
    /// Receiving: whose it is, if a mixer or forwarder sends it (CSRC, RFC 3550 section 5.1). Sending: not used.
    pub source: Option<u32>,
}

/// An Opus packet, for a jitter buffer or for sending.
#[derive(Debug, Clone)]
pub struct AudioPacket {
    /// RTP sequence number of the packet that it came in.
    pub sequence: u16,
    /// RTP timestamp in 1/48000 s, wrapping.
    pub rtp_timestamp: u32,
    /// Opus payload, RFC 7587.
    pub data: Bytes,
    /// By how much its RTP timestamp is earlier than that of the packet that it came in. 0, unless it is a copy in a later
    /// packet (RFC 2198).
    pub age: u32,
    /// Its level, if the packet that it came in says it and it is not a copy (RFC 6464).
    pub level: Option<AudioLevel>,
    /// Arrival time.
    pub arrived: Instant,
    /// Whose it is, if a mixer or forwarder sends it (CSRC, RFC 3550 section 5.1).
    pub source: Option<u32>,
}
