//! Synthetic audio and video, for people without a device and for measurements.

mod clip;
mod error;
mod font;
mod pattern;
mod riff;
mod tone;
mod wav;

pub use clip::{CLIP_FRAMES, Clip, ClipError, clip_index};
pub use error::WavError;
pub use pattern::TestPattern;
pub use tone::Tone;
pub use wav::Wav;
