//! Video and audio codecs and pixel formats behind safe types: the only crate that calls C libraries for media.
//!
//! Everything here is pure in the project's sense: input in, output out, no clock, no device, no socket. The C
//! libraries may start worker threads of their own where [`EncoderConfig::threads`] allows more than one.
//! Whatever bytes come from the network, a decoder answers with a picture, nothing, or an error.

mod apm;
mod cadence;
mod h264;
mod opus;
pub mod pixels;
mod video;
mod vpx;

pub use apm::{Apm, ApmConfig, NoiseSuppression};
pub use opus::{OpusConfig, OpusDecoder, OpusEncoder, OpusError};
pub use video::{
    Content, DecodeError, EncodeError, EncoderConfig, MAX_PIXELS, MAX_SIDE, VideoDecoder, VideoEncoder, video_decoder,
    video_encoder,
};
