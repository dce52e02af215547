//! Jitter buffers, which release audio and video at even intervals although packets arrive at uneven ones.

mod arrivals;
mod audio;
mod delay_estimator;
mod packet_buffer;
mod pull_clock;
mod sample_tracker;
mod stats;
mod stretch;
mod toc;
mod unwrap;
mod video;

pub use audio::{AudioBuffer, BlockKind, PulledBlock};
pub use stats::AudioBufferStats;
pub use video::VideoBuffer;
