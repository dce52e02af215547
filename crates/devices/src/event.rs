//! Events of an open device.

use crate::error::DeviceError;
use std::sync::Arc;

/// A change of an open device.
///
/// ```text
/// open() ──► Live ⇄ Failed(recovering) ──► Gone
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceEvent {
    /// The first frame or samples arrived, or they arrive again after `Failed`.
    Live,
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
