//! Microphones and loudspeakers.

#[cfg(target_os = "linux")]
mod alsa_log;
mod drift;
mod keep;
mod microphone;
mod native;
mod rate;
mod ring;
mod speaker;
mod stream;
mod synthetic;

use crate::list::DeviceInfo;
pub use microphone::{Microphone, MicrophoneOptions};
pub use speaker::Speaker;

/// Samples a second on our side of every ring.
const RATE: u32 = 48_000;

/// Samples in 10 ms, what is read and written at once.
const BLOCK: usize = 480;

/// Streams that were built anew before anyone read or wrote. When as many wait, a further one is closed and tried again
/// later.
const REBUILT: usize = 8;

pub(crate) fn list() -> Vec<DeviceInfo> {
    let mut all = native::list(native::Direction::Input);
    all.extend(native::list(native::Direction::Output));
    all
}
