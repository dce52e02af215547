//! What all video codecs have in common.

use crate::{h264, vpx};
use media::encoded::{EncodedFrame, VideoCodec};
use media::frame::{FramePool, VideoFrame};

/// The longest side of a picture that is encoded or decoded, in pixels.
pub const MAX_SIDE: u32 = 4096;

/// The largest area of a picture that is encoded or decoded: 4096 by 2304, what H.264 level 5.1 allows.
pub const MAX_PIXELS: u32 = 4096 * 2304;

/// What the pictures show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Content {
    /// A camera: motion and noise, smoothness first.
    #[default]
    Camera,
    /// A screen: still, sharp edges, palettes.
    Screen,
}

/// How an encoder is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderConfig {
    /// Bitstream to make.
    pub codec: VideoCodec,
    /// Width in pixels of every frame.
    pub width: u32,
    /// Height in pixels of every frame.
    pub height: u32,
    /// The most frames a second. Where fewer come, the encoder sees it from [`VideoFrame::time`] and spends the same
    /// bitrate on them.
    pub fps: u32,
    /// Target in bit/s.
    pub bitrate: u64,
    /// Threads the codec may use, at least 1. H.264 always uses one, for the sake of one slice in each access unit.
    pub threads: u32,
    /// What the pictures show.
    pub content: Content,
    /// libvpx's `cpu-used` (VP8 -16..=16, VP9 0..=9); `None` chooses by size and threads.
    pub speed: Option<i32>,
}

/// Makes a bitstream of pictures. It holds the target bitrate by its own means, dropping frames when it must.
pub trait VideoEncoder: Send {
    /// Encodes the next picture. `Ok(None)`: it was dropped to hold the bitrate.
    ///
    /// A picture asked to be a keyframe is never dropped. Keyframes carry all that a decoder needs (H.264: SPS and
    /// PPS). The frame's `rtp_timestamp` and `time` go through unchanged.
    fn encode(&mut self, frame: &VideoFrame, force_keyframe: bool) -> Result<Option<EncodedFrame>, EncodeError>;

    /// Changes the target, bit/s, and the most frames a second, from the next picture on and without a keyframe.
    fn set_rate(&mut self, bitrate: u64, fps: u32);

    /// How it is running now.
    fn config(&self) -> &EncoderConfig;
}

/// Makes pictures of a bitstream.
pub trait VideoDecoder: Send {
    /// Decodes one frame or access unit. `Ok(None)`: it was valid and shows nothing.
    ///
    /// Size and colour of the picture are those of the bitstream, `time` and `rtp_timestamp` those of `frame`. After an
    /// error every frame is refused with [`DecodeError::NeedKeyframe`] until a keyframe comes.
    fn decode(&mut self, frame: &EncodedFrame) -> Result<Option<VideoFrame>, DecodeError>;
}

/// Why a picture was not encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The frame has another size than the encoder: open another.
    #[error("the frame is {width}x{height}, the encoder is not")]
    Size {
        /// Width of the frame.
        width: u32,
        /// Height of the frame.
        height: u32,
    },
    /// The configuration cannot be met.
    #[error("an encoder cannot be opened so: {0}")]
    Config(&'static str),
    /// The library refused.
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

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The frame belongs to another codec.
    #[error("the frame is of another codec")]
    Codec,
    /// The stream has not begun, or broke; a keyframe mends it.
    #[error("only a keyframe can be decoded now")]
    NeedKeyframe,
    /// The bitstream is damaged.
    #[error("the bitstream is damaged")]
    Corrupt,
    /// The bitstream is of a profile that was never offered: not 8 bit 4:2:0.
    #[error("the bitstream's profile is not supported")]
    Unsupported,
    /// The picture is larger than [`MAX_SIDE`] or [`MAX_PIXELS`].
    #[error("a picture of {width}x{height} is too large")]
    TooLarge {
        /// Width in the bitstream.
        width: u32,
        /// Height in the bitstream.
        height: u32,
    },
    /// The library could not be opened.
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

/// Opens an encoder.
pub fn video_encoder(config: EncoderConfig) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    check(&config)?;
    Ok(match config.codec {
        VideoCodec::Vp8 | VideoCodec::Vp9 => Box::new(vpx::Encoder::open(config)?),
        VideoCodec::H264 => Box::new(h264::Encoder::open(config)?),
    })
}

/// Opens a decoder whose pictures take their memory from `pool`.
pub fn video_decoder(codec: VideoCodec, pool: FramePool) -> Result<Box<dyn VideoDecoder>, DecodeError> {
    Ok(match codec {
        VideoCodec::Vp8 | VideoCodec::Vp9 => Box::new(vpx::Decoder::open(codec, pool)?),
        VideoCodec::H264 => Box::new(h264::Decoder::open(pool)?),
    })
}

/// Refuses sizes above the bounds and empty ones.
pub(crate) fn check_size(width: u32, height: u32) -> Result<(), DecodeError> {
    if width == 0 || height == 0 {
        return Err(DecodeError::Corrupt);
    }
    match fits(width, height) {
        true => Ok(()),
        false => Err(DecodeError::TooLarge { width, height }),
    }
}

/// What a target may be, bit/s. Outside of it rate control has nothing to work with.
pub(crate) fn bound_bitrate(bitrate: u64) -> u32 {
    bitrate.clamp(20_000, 100_000_000) as u32
}

/// What a frame rate may be.
pub(crate) fn bound_fps(fps: u32) -> u32 {
    fps.clamp(1, 120)
}

fn fits(width: u32, height: u32) -> bool {
    width.max(height) <= MAX_SIDE && u64::from(width) * u64::from(height) <= u64::from(MAX_PIXELS)
}

fn check(config: &EncoderConfig) -> Result<(), EncodeError> {
    if config.width < 16 || config.height < 16 {
        return Err(EncodeError::Config("a side is shorter than 16 pixels"));
    }
    if !fits(config.width, config.height) {
        return Err(EncodeError::Config("the picture is too large"));
    }
    if config.fps == 0 || config.threads == 0 {
        return Err(EncodeError::Config("no frame rate or no thread"));
    }
    Ok(())
}
