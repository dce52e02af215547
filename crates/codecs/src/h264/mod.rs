//! H.264 constrained baseline with openh264.

mod decoder;
mod encoder;
mod sps;

pub(crate) use decoder::Decoder;
pub(crate) use encoder::Encoder;
