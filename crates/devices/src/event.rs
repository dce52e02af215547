//! What an open device reports.

use crate::error::DeviceError;
use std::sync::Arc;

/// A change in the life of an open device.
///
/// ```text
/// open() ──► Live ⇄ Failed(recovering) ──► Gone
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceEvent {
    /// The first picture or sound came, or it came back after `Failed`.
    Live,
    /// It was unplugged. Nothing more comes; open another one.
    Gone,
    /// It stopped working. A microphone or loudspeaker goes on trying and reports `Live` when it is back.
    Failed(DeviceError),
}

/// Where events go. It is called on a device's own thread, never in an audio callback, and should only pass them on.
pub type EventSink = Arc<dyn Fn(DeviceEvent) + Send + Sync>;

/// A sink that ignores everything.
pub fn ignore_events() -> EventSink {
    Arc::new(|_| {})
}
