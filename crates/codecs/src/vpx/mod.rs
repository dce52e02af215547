//! VP8 and VP9 over libvpx.

mod buffers;
mod context;
mod decoder;
mod encoder;
mod header;
#[cfg(static_vpx)]
mod memory;

pub(crate) use decoder::Decoder;
pub(crate) use encoder::Encoder;
