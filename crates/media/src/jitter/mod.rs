//! Jitter buffers: what makes an even rhythm of what arrives unevenly.

mod audio;
mod clock;
mod delay;
mod ledger;
mod packets;
mod stats;
mod stretch;
mod toc;
mod unwrap;
mod video;

pub use audio::{AudioBuffer, Pulled, Sound};
pub use stats::AudioBufferStats;
pub use video::VideoBuffer;
