//! Opens the encoder or decoder of a codec.

use crate::video::{DecodeError, EncodeError, EncoderConfig, VideoDecoder, VideoEncoder, fits};
use crate::{h264, vpx};
use media::encoded::VideoCodec;
use media::frame::FramePool;

/// Opens an encoder.
pub fn video_encoder(config: EncoderConfig) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    check(&config)?;
    Ok(match config.codec {
        VideoCodec::Vp8 | VideoCodec::Vp9 => Box::new(vpx::Encoder::open(config)?),
        VideoCodec::H264 => Box::new(h264::Encoder::open(config)?),
    })
}

/// Opens a decoder that takes the memory of its frames from `pool`.
pub fn video_decoder(codec: VideoCodec, pool: FramePool) -> Result<Box<dyn VideoDecoder>, DecodeError> {
    Ok(match codec {
        VideoCodec::Vp8 | VideoCodec::Vp9 => Box::new(vpx::Decoder::open(codec, pool)?),
        VideoCodec::H264 => Box::new(h264::Decoder::open(pool)?),
    })
}

fn check(config: &EncoderConfig) -> Result<(), EncodeError> {
    if config.width < 16 || config.height < 16 {
        return Err(EncodeError::Config("width and height must be at least 16 pixels"));
    }
    if !fits(config.width, config.height) {
        return Err(EncodeError::Config("the frame is too large"));
    }
    if config.fps == 0 || config.threads == 0 {
        return Err(EncodeError::Config("the frame rate and the number of threads must be at least 1"));
    }
    Ok(())
}
