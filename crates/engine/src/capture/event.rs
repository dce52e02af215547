//! What the device threads and the audio thread report to the driver.

use crate::audio::OnTrouble;
use devices::{DeviceError, DeviceEvent, DeviceKind, Microphone, Speaker};
use tokio::sync::mpsc;

/// Reports on their way to the driver. When the queue is full a device's thread waits.
pub(crate) const EVENTS: usize = 32;

/// A report of a device; the number says which opening it belongs to.
pub(crate) enum CaptureEvent {
    Opened(DeviceKind, u64, Result<Opened, DeviceError>),
    Device(DeviceKind, u64, DeviceEvent),
    /// Sound processing fails again and again, or works again.
    Processing {
        failing: bool,
    },
}

/// What is done with an open device elsewhere than in its thread.
pub(crate) enum Opened {
    /// Nothing: its pictures go into the slot.
    Camera,
    Microphone(Box<Microphone>),
    Speaker(Box<Speaker>),
}

/// Reports trouble of the audio thread to the driver. When the queue is full the report is lost; the next change is
/// reported again.
pub(crate) fn on_trouble(events: mpsc::Sender<CaptureEvent>) -> OnTrouble {
    Box::new(move |failing| {
        if events.try_send(CaptureEvent::Processing { failing }).is_err() {
            tracing::warn!("sound processing in trouble: {failing}");
        }
    })
}
