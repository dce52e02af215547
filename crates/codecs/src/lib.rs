//! Video and audio codecs and pixel formats with safe APIs. The only crate that calls C libraries for media.
//!
//! Like the pure crates, it has no clock, device or socket. The C libraries may start worker threads of their own if
//! [`EncoderConfig::threads`] is more than one. For any input bytes, a decoder returns a frame, nothing, or an error.

mod apm;
mod cadence;
mod echo;
mod h264;
mod open;
mod opus;
pub mod pixels;
mod video;
mod vpx;

pub use apm::{Apm, ApmConfig, NoiseSuppression};
pub use open::{video_decoder, video_encoder};
pub use opus::{OpusConfig, OpusDecoder, OpusEncoder, OpusError};
pub use video::{Content, DecodeError, EncodeError, EncoderConfig, MAX_PIXELS, MAX_SIDE, VideoDecoder, VideoEncoder};
