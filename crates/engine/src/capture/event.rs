//! What the device threads and the audio thread report to the driver.

use crate::audio::{AudioReport, OnReport};
use devices::{DeviceError, DeviceEvent, DeviceKind, Microphone, Speaker};
use tokio::sync::mpsc;

/// Reports on their way to the driver. When full, a device's thread waits.
pub(crate) const EVENTS: usize = 32;

/// A report of a device. The number identifies the opening that it belongs to.
pub(crate) enum CaptureEvent {
    Opened(DeviceKind, u64, Result<Opened, DeviceError>),
    Device(DeviceKind, u64, DeviceEvent),
    /// A report of the audio thread.
    Audio(AudioReport),
}

/// The part of an open device that is used outside its thread.
pub(crate) enum Opened {
    /// Nothing: the camera's pictures go into the slot.
    Camera,
    Microphone(Box<Microphone>),
    Speaker(Box<Speaker>),
}

/// Passes reports of the audio thread to the driver. When the queue is full, the report is made again later.
pub(crate) fn on_report(events: mpsc::Sender<CaptureEvent>) -> OnReport {
    Box::new(move |report| events.try_send(CaptureEvent::Audio(report)).is_ok())
}
