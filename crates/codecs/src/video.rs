//! What all video codecs share.

use media::encoded::{EncodedFrame, VideoCodec};
use media::frame::VideoFrame;

/// The longest side of an encoded or decoded frame, in pixels.
pub const MAX_SIDE: u32 = 4096;

/// The largest area of an encoded or decoded frame, in pixels: 4096 by 2304, which H.264 level 5.1 allows.
pub const MAX_PIXELS: u32 = 4096 * 2304;

/// The kind of content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Content {
    /// A camera: motion and noise; smooth motion has priority.
    #[default]
    Camera,
    /// A screen: static, with sharp edges and few colours.
    Screen,
}

/// The configuration of an encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderConfig {
    /// The codec.
    pub codec: VideoCodec,
    /// Width of every frame in pixels.
    pub width: u32,
    /// Height of every frame in pixels.
    pub height: u32,
    /// Maximum frame rate. If fewer frames arrive, the encoder measures that from [`VideoFrame::time`] and spends the
    /// same bitrate on them.
    pub fps: u32,
    /// Target bitrate in bit/s.
    pub bitrate: u64,
    /// The bitrate above which quality does not visibly improve, in bit/s. If `bitrate` is lower, the path is the limit,
    /// and frames are kept even in size.
    pub full_bitrate: u64,
    /// Number of threads the codec may use, at least 1. H.264 always uses one, which yields one slice per access unit.
    pub threads: u32,
    /// The kind of content.
    pub content: Content,
    /// libvpx's `cpu-used` (VP8 -16..=16, VP9 0..=9); `None` chooses by frame size and threads.
    pub speed: Option<i32>,
}

/// Encodes frames. It controls its own bitrate, and drops frames if it must.
pub trait VideoEncoder: Send {
    /// Encodes the next frame. `Ok(None)` means that it was dropped to hold the bitrate.
    ///
    /// A requested keyframe is never dropped. Keyframes contain everything a decoder needs (H.264: SPS and PPS). The
    /// frame's `rtp_timestamp` and `time` are copied to the result.
    fn encode(&mut self, frame: &VideoFrame, force_keyframe: bool) -> Result<Option<EncodedFrame>, EncodeError>;

    /// Sets the target bitrate in bit/s and the maximum frame rate. Takes effect at the next frame, without a keyframe.
    fn set_rate(&mut self, bitrate: u64, fps: u32);

    /// Whether every other frame is in a second temporal layer: no later frame refers to it, so a receiver can do without
    /// it. Takes effect at the next frame, without a keyframe. Each frame then costs more bits. Returns false if the encoder
    /// has no such layer.
    fn set_temporal_layers(&mut self, two: bool) -> bool;

    /// The current configuration.
    fn config(&self) -> &EncoderConfig;
}

/// Decodes frames.
pub trait VideoDecoder: Send {
    /// Decodes one frame or access unit. `Ok(None)` means that it was valid but contains nothing to show.
    ///
    /// Size and colour of the result come from the bitstream, `time` and `rtp_timestamp` from `frame`. After an error,
    /// every frame fails with [`DecodeError::NeedKeyframe`] until a keyframe arrives.
    fn decode(&mut self, frame: &EncodedFrame) -> Result<Option<VideoFrame>, DecodeError>;
}

/// Why a frame was not encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The frame has a different size from the encoder's; open another encoder.
    #[error("the frame is {width}x{height}; the encoder has another size")]
    Size {
        /// Width of the frame.
        width: u32,
        /// Height of the frame.
        height: u32,
    },
    /// The configuration is not supported.
    #[error("this encoder configuration is not supported: {0}")]
    Config(&'static str),
    /// The library returned an error.
    #[error("the encoder failed: {0}")]
    Backend(String),
}

impl EncodeError {
    /// Stable name for logs and the UI.
    pub fn code(&self) -> &'static str {
        match self {
            EncodeError::Size { .. } => "encode-size",
            EncodeError::Config(_) => "encode-config",
            EncodeError::Backend(_) => "encode-failed",
        }
    }
}

/// Why a frame was not decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The frame was encoded with another codec.
    #[error("the frame was encoded with another codec")]
    Codec,
    /// Nothing has been decoded yet, or an error interrupted the stream; a keyframe is needed.
    #[error("only a keyframe can be decoded now")]
    NeedKeyframe,
    /// The bitstream is damaged.
    #[error("the bitstream is damaged")]
    Corrupt,
    /// The bitstream uses a profile that was never offered: not 8-bit 4:2:0.
    #[error("the bitstream's profile is not supported")]
    Unsupported,
    /// The frame is larger than [`MAX_SIDE`] or [`MAX_PIXELS`].
    #[error("a frame of {width}x{height} is too large")]
    TooLarge {
        /// Width in the bitstream.
        width: u32,
        /// Height in the bitstream.
        height: u32,
    },
    /// The library could not be initialised.
    #[error("the decoder failed: {0}")]
    Backend(String),
}

impl DecodeError {
    /// Stable name for logs and the UI.
    pub fn code(&self) -> &'static str {
        match self {
            DecodeError::Codec => "decode-codec",
            DecodeError::NeedKeyframe => "decode-need-keyframe",
            DecodeError::Corrupt => "decode-corrupt",
            DecodeError::Unsupported => "decode-unsupported",
            DecodeError::TooLarge { .. } => "decode-too-large",
            DecodeError::Backend(_) => "decode-failed",
        }
    }
}

/// Rejects empty frames and sizes above the bounds.
pub(crate) fn check_size(width: u32, height: u32) -> Result<(), DecodeError> {
    if width == 0 || height == 0 {
        return Err(DecodeError::Corrupt);
    }
    match fits(width, height) {
        true => Ok(()),
        false => Err(DecodeError::TooLarge { width, height }),
    }
}

/// Whether a picture of this size is within the bounds.
pub(crate) fn fits(width: u32, height: u32) -> bool {
    width.max(height) <= MAX_SIDE && u64::from(width) * u64::from(height) <= u64::from(MAX_PIXELS)
}

/// Clamps a target bitrate in bit/s to the range in which rate control works.
pub(crate) fn bound_bitrate(bitrate: u64) -> u32 {
    bitrate.clamp(20_000, 100_000_000) as u32
}

/// Clamps a frame rate.
pub(crate) fn bound_fps(fps: u32) -> u32 {
    fps.clamp(1, 120)
}
