//! Compressed frames and packets, as they pass between codecs, transport and jitter buffers.

use bytes::Bytes;
use std::time::Instant;

/// A video codec of the negotiation, RFC 7741 (VP8), RFC 9628 (VP9), RFC 6184 (H.264).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// VP8, RFC 6386.
    Vp8,
    /// VP9 profile 0.
    Vp9,
    /// H.264 constrained baseline, packetisation mode 1.
    H264,
}

impl VideoCodec {
    /// All, in the order in which we prefer them.
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

/// One compressed picture: a VP8 or VP9 frame, or an H.264 access unit in Annex B form.
#[derive(Debug, Clone)]
pub struct EncodedFrame {
    /// How it is compressed.
    pub codec: VideoCodec,
    /// The bitstream.
    pub data: Bytes,
    /// Decodable without any frame before it.
    pub keyframe: bool,
    /// RTP time in 1/90000 s, wrapping.
    pub rtp_timestamp: u32,
    /// Width in pixels, 0 if the receiver does not know it yet.
    pub width: u32,
    /// Height in pixels, 0 if the receiver does not know it yet.
    pub height: u32,
    /// Simulcast layer, 0 the smallest.
    pub layer: u8,
    /// Temporal layer, 0 the base.
    pub temporal: u8,
    /// Sending: when the picture was captured. Receiving: when its first packet arrived.
    pub time: Instant,
}

/// One Opus packet on its way to a jitter buffer or to the wire.
#[derive(Debug, Clone)]
pub struct AudioPacket {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP time in 1/48000 s, wrapping.
    pub rtp_timestamp: u32,
    /// Opus payload, RFC 7587.
    pub data: Bytes,
    /// When it arrived.
    pub arrived: Instant,
}
