//! Microphones and loudspeakers.

#[cfg(target_os = "linux")]
mod alsa_log;
mod callback;
mod drift;
mod keep;
mod microphone;
mod native;
mod rate;
mod ring;
mod signal;
mod speaker;
mod stream;
mod synthetic;

use crate::info::DeviceInfo;
pub use microphone::Microphone;
pub use speaker::Speaker;

/// Samples per second on our side of every ring.
const RATE: u32 = 48_000;

/// Samples in 10 ms, the unit of reading and writing.
const BLOCK: usize = 480;

/// Most rebuilt streams whose ring has not been picked up by a reader or writer. Beyond that, a stream is closed and
/// tried again later.
const REBUILT: usize = 8;

/// Options of a microphone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MicrophoneOptions {
    /// Files only: insert a 3 kHz burst at each even second of the wall clock, for measurements.
    pub markers: bool,
    /// While the chosen device is absent, use the system's default. Then opening fails only if there is neither.
    pub replaceable: bool,
}

/// Options of a loudspeaker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpeakerOptions {
    /// While the chosen device is absent, use the system's default. Then opening fails only if there is neither.
    pub replaceable: bool,
}

pub(crate) fn list() -> Vec<DeviceInfo> {
    let mut all = native::list(native::Direction::Input);
    all.extend(native::list(native::Direction::Output));
    all
}

/// Whether no particular device was chosen.
fn is_default(id: &str) -> bool {
    matches!(id, "" | "default")
}
