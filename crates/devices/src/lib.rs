//! Cameras, microphones and loudspeakers: those of the system, through nokhwa and cpal, and ours (a test pattern, a
//! tone, files). Nothing else in the project touches a device.
//!
//! Every device has a thread of its own. Pictures go to a [`media::slot::FrameSlot`], sound through lock-free rings;
//! sound is 48 kHz, one channel, on our side of the ring.

mod audio;
mod camera;
mod error;
mod event;
mod list;
mod pace;

pub use audio::{Microphone, MicrophoneOptions, Speaker};
pub use camera::{Camera, CameraMode, CameraRequest, SourceFormat};
pub use error::DeviceError;
pub use event::{DeviceEvent, EventSink, ignore_events};
pub use list::{DeviceInfo, DeviceKind, list};
