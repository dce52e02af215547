//! H.264 decoding.

use super::sps::{IDR, SLICE, SPS, Sps, nal_type, nal_units};
use crate::pixels::{self, Plane};
use crate::video::{DecodeError, VideoDecoder, check_size};
use media::encoded::{EncodedFrame, VideoCodec};
use media::frame::{Color, FramePool, VideoFrame};
use openh264::OpenH264API;
use openh264::decoder::{self as open, DecodedYUV, DecoderConfig, Flush};
use openh264::formats::YUVSource;

/// The decoder of one stream.
pub(crate) struct Decoder {
    /// `None` after an error, so that its state cannot affect later frames.
    decoder: Option<open::Decoder>,
    pool: FramePool,
    color: Color,
    await_keyframe: bool,
}

impl Decoder {
    /// Opens a decoder.
    pub(crate) fn open(pool: FramePool) -> Result<Self, DecodeError> {
        Ok(Decoder { decoder: Some(open_decoder()?), pool, color: Color::default(), await_keyframe: true })
    }

    /// Reads the NAL units that matter here.
    fn inspect(&mut self, data: &[u8]) -> Result<Access, DecodeError> {
        let mut access = None;
        for unit in nal_units(data) {
            let kind = match nal_type(unit) {
                SPS => {
                    self.color = Sps::parse(unit)?.color;
                    Access::Parameters
                }
                IDR => Access::Keyframe,
                SLICE => Access::Delta,
                _ => Access::Parameters,
            };
            access = access.max(Some(kind));
        }
        access.ok_or(DecodeError::Corrupt)
    }

    fn run(&mut self, frame: &EncodedFrame) -> Result<Option<VideoFrame>, DecodeError> {
        i32::try_from(frame.data.len()).map_err(|_| DecodeError::Corrupt)?;
        let mut decoder = match self.decoder.take() {
            Some(decoder) => decoder,
            None => open_decoder()?,
        };
        let shown = match decoder.decode(&frame.data) {
            Ok(Some(picture)) => Some(copy(&picture, &self.pool, self.color, frame)?),
            Ok(None) => None,
            Err(_) => return Err(DecodeError::Corrupt),
        };
        self.decoder = Some(decoder);
        Ok(shown)
    }
}

impl VideoDecoder for Decoder {
    fn decode(&mut self, frame: &EncodedFrame) -> Result<Option<VideoFrame>, DecodeError> {
        if frame.codec != VideoCodec::H264 {
            return Err(DecodeError::Codec);
        }
        let shown = match self.inspect(&frame.data) {
            Ok(Access::Delta) if self.await_keyframe => Err(DecodeError::NeedKeyframe),
            // Parameter sets alone neither start nor interrupt a stream.
            Ok(Access::Parameters) => return self.run(frame),
            Ok(Access::Delta) => self.run(frame),
            // Undetected damage in the decoder must not affect an intact keyframe, so try again with a new instance.
            Ok(Access::Keyframe) if self.decoder.is_some() => self.run(frame).or_else(|_| self.run(frame)),
            Ok(Access::Keyframe) => self.run(frame),
            Err(error) => Err(error),
        };
        self.await_keyframe = shown.is_err();
        shown
    }
}

/// The content of an access unit; the greatest value applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Access {
    /// Nothing to show.
    Parameters,
    /// A picture that depends on earlier ones.
    Delta,
    /// A picture that depends on no other.
    Keyframe,
}

fn open_decoder() -> Result<open::Decoder, DecodeError> {
    // Baseline does not reorder, so each access unit returns its own picture. Flushing would only hide errors.
    let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
    open::Decoder::with_api_config(OpenH264API::from_source(), config)
        .map_err(|error| DecodeError::Backend(error.to_string()))
}

fn copy(
    picture: &DecodedYUV<'_>,
    pool: &FramePool,
    color: Color,
    frame: &EncodedFrame,
) -> Result<VideoFrame, DecodeError> {
    let (width, height) = picture.dimensions();
    let (width, height) = (width as u32, height as u32);
    check_size(width, height)?;
    let (luma, chroma, _) = picture.strides();
    let planes = [
        Plane { bytes: picture.y(), stride: luma },
        Plane { bytes: picture.u(), stride: chroma },
        Plane { bytes: picture.v(), stride: chroma },
    ];
    let mut out = pool.take(width, height);
    pixels::i420(planes, &mut out).map_err(|_| DecodeError::Corrupt)?;
    let mut out = out.freeze(frame.time);
    out.rtp_timestamp = frame.rtp_timestamp;
    out.color = color;
    Ok(out)
}
