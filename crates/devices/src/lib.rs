//! Cameras, microphones and loudspeakers: those of the system, through nokhwa and cpal, and synthetic ones (a test
//! pattern, a tone, files); and the screens and windows of an X11 display. No other crate accesses devices.
//!
//! Every device has its own thread. Frames go to a [`media::slot::FrameSlot`], audio through lock-free rings. On our
//! side of a ring, audio is 48 kHz mono.

mod audio;
mod camera;
mod error;
mod event;
mod hold;
mod info;
mod list;
mod pace;
mod screen;
#[cfg(test)]
mod watched;

pub use audio::{Microphone, MicrophoneOptions, Speaker, SpeakerOptions};
pub use camera::{Camera, CameraMode, CameraRequest, SourceFormat};
pub use error::DeviceError;
pub use event::{DeviceEvent, EventSink, ignore_events};
pub use hold::Hold;
pub use info::{DeviceInfo, DeviceKind};
pub use list::list;
pub use screen::{ScreenCapture, ScreenError, ScreenEvent, ScreenEvents, ScreenInfo, ScreenKind, screens};

#[cfg(test)]
mod tests {
    fn sendable<T: Send>() {}

    #[test]
    fn open_devices_are_send() {
        sendable::<super::Camera>();
        sendable::<super::Microphone>();
        sendable::<super::Speaker>();
    }
}
