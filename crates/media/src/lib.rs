//! Frames and their pools, jitter buffers, mixing, sources and stamps. Pure: no clocks, threads or sockets.

pub mod acoustic_loop;
pub mod active_speaker;
pub mod audio;
pub mod encoded;
pub mod frame;
pub mod jitter;
pub mod level;
pub mod marker;
pub mod mixer;
pub mod quality;
pub mod remote_clock;
pub mod slot;
pub mod sound_check;
pub mod sources;
pub mod stamp;
pub mod sync;
