//! Lists the devices.

use crate::info::{DeviceInfo, DeviceKind};
use crate::{audio, camera};

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
    fn synthetic_devices_are_always_listed() {
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
