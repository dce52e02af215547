//! What the device threads and the audio thread report to the driver.

use crate::audio::OnTrouble;
use devices::{DeviceError, DeviceEvent, DeviceKind, Microphone, Speaker};
use tokio::sync::mpsc;

/// Reports on their way to the driver. When full, a device's thread waits.
pub(crate) const EVENTS: usize = 32;

/// A report of a device. The number identifies the opening that it belongs to.
pub(crate) enum CaptureEvent {
    Opened(DeviceKind, u64, Result<Opened, DeviceError>),
    Device(DeviceKind, u64, DeviceEvent),
    /// Audio processing fails repeatedly, or works again.
    Processing {
        failing: bool,
    },
}

/// The part of an open device that is used outside its thread.
pub(crate) enum Opened {
    /// Nothing: the camera's pictures go into the slot.
    Camera,
    Microphone(Box<Microphone>),
    Speaker(Box<Speaker>),
}

/// Reports trouble of the audio thread to the driver. When the queue is full, the report is dropped. The next change is
/// reported again.
pub(crate) fn on_trouble(events: mpsc::Sender<CaptureEvent>) -> OnTrouble {
    Box::new(move |failing| {
        if events.try_send(CaptureEvent::Processing { failing }).is_err() {
            tracing::warn!("report dropped: sound processing fails: {failing}");
        }
    })
}
