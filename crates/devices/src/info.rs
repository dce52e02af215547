//! Describes a device.

use serde::Serialize;

/// The kind of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Captures video.
    Camera,
    /// Captures audio.
    Microphone,
    /// Plays audio.
    Speaker,
}

/// A device that can be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct DeviceInfo {
    /// Stable when the device is plugged in again; unique among devices of its kind.
    pub id: String,
    /// The name to show.
    pub name: String,
    /// The kind.
    pub kind: DeviceKind,
    /// Whether the system prefers it among its kind.
    pub default: bool,
    /// Whether it is synthetic: the test pattern, the tone, silence.
    pub synthetic: bool,
}

impl DeviceInfo {
    pub(crate) fn synthetic(id: &str, name: &str, kind: DeviceKind) -> Self {
        Self { id: id.to_owned(), name: name.to_owned(), kind, default: false, synthetic: true }
    }
}
