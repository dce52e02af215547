//! Microphones and loudspeakers.

use crate::error::DeviceError;
use crate::event::EventSink;
use crate::list::DeviceInfo;
use std::time::Duration;

/// Samples a second on our side of every ring.
pub(crate) const RATE: u32 = 48_000;

/// What a microphone should do besides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MicrophoneOptions {
    /// Files only: put a burst of 3 kHz where each even second of the wall clock begins, for measuring.
    pub markers: bool,
}

/// An open microphone: 48 kHz, one channel. Dropping it closes the device.
#[derive(Debug)]
pub struct Microphone {}

impl Microphone {
    /// Opens by id or name; `default` is the system's choice, ours are `tone` and `wav:FILE` (in a loop).
    pub fn open(id: &str, events: EventSink) -> Result<Microphone, DeviceError> {
        Self::open_with(id, MicrophoneOptions::default(), events)
    }

    /// Opens with options.
    pub fn open_with(id: &str, options: MicrophoneOptions, events: EventSink) -> Result<Microphone, DeviceError> {
        let _ = (id, options, events);
        Err(DeviceError::NotFound)
    }

    /// Takes 10 ms. Never blocks: `false` says that there is not enough yet, and leaves `out` alone.
    pub fn read(&mut self, out: &mut [f32; 480]) -> bool {
        let _ = out;
        false
    }

    /// Samples that can be read now.
    pub fn buffered(&self) -> usize {
        0
    }
}

/// An open loudspeaker: 48 kHz, one channel. Dropping it closes the device.
#[derive(Debug)]
pub struct Speaker {}

impl Speaker {
    /// Opens by id or name; `default` is the system's choice, ours are `null` and `wav:FILE` (writes what it is given).
    pub fn open(id: &str, events: EventSink) -> Result<Speaker, DeviceError> {
        let _ = (id, events);
        Err(DeviceError::NotFound)
    }

    /// Queues samples. Never blocks; what is too much makes the oldest be dropped.
    pub fn write(&mut self, samples: &[f32]) {
        let _ = samples;
    }

    /// Samples that should be written now to keep the device fed. Write when it is 480 or more.
    pub fn wanted(&self) -> usize {
        0
    }

    /// From `write` until it is heard.
    pub fn latency(&self) -> Duration {
        Duration::ZERO
    }
}

pub(crate) fn list() -> Vec<DeviceInfo> {
    Vec::new()
}
