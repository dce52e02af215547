//! Events of an open device.

use crate::error::DeviceError;
use std::sync::Arc;

/// A change of an open device.
///
/// ```text
/// open() ──► Live ⇄ Failed(recovering) ──► Gone
///             ⇅
///          Replaced
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceEvent {
    /// The first frame or samples arrived, or they arrive again after `Failed` or `Replaced`.
    Live,
    /// The chosen device is absent, and samples flow to or from the system's default instead. `Live` follows when it
    /// returns. Only microphones and loudspeakers that may be replaced report this.
    Replaced,
    /// The device was unplugged. Nothing more arrives; open another one.
    Gone,
    /// The device stopped working. A microphone or loudspeaker keeps trying, and reports `Live` when it works again.
    Failed(DeviceError),
}

/// Receives events. Called on the device's own thread, never in an audio callback. It must only pass them on.
pub type EventSink = Arc<dyn Fn(DeviceEvent) + Send + Sync>;

/// A sink that ignores everything.
pub fn ignore_events() -> EventSink {
    Arc::new(|_| {})
}
