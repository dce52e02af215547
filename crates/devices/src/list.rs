//! Lists the devices.

use crate::{audio, camera};

/// The kind of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// Captures video.
    Camera,
    /// Captures audio.
    Microphone,
    /// Plays audio.
    Speaker,
}

/// A device that can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// Lists all devices, those of the system first. Blocks for tens of milliseconds. Failures are logged, and their
/// devices left out.
pub fn list() -> Vec<DeviceInfo> {
    let mut all = camera::list();
    all.extend(audio::list());
    all.push(DeviceInfo::synthetic("test", "Test pattern", DeviceKind::Camera));
    all.push(DeviceInfo::synthetic("tone", "Tone", DeviceKind::Microphone));
    all.push(DeviceInfo::synthetic("null", "No sound", DeviceKind::Speaker));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_synthetic_devices_are_always_there() {
        let all = list();
        for (id, kind) in
            [("test", DeviceKind::Camera), ("tone", DeviceKind::Microphone), ("null", DeviceKind::Speaker)]
        {
            assert!(all.iter().any(|d| d.id == id && d.kind == kind && d.synthetic), "{id}");
        }
    }

    #[test]
    fn ids_are_unique_within_a_kind() {
        let all = list();
        let unique: std::collections::HashSet<_> = all.iter().map(|d| (d.kind, &d.id)).collect();
        assert_eq!(unique.len(), all.len());
    }
}
