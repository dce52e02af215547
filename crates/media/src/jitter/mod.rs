//! Jitter buffers: what makes an even rhythm of what arrives unevenly.

mod unwrap;
mod video;

pub use video::VideoBuffer;
