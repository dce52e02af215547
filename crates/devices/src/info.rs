//! What a device is.

/// What a device is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// Pictures in.
    Camera,
    /// Sound in.
    Microphone,
    /// Sound out.
    Speaker,
}

/// One device that can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Stays the same when the device is plugged in again; unique among devices of its kind.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it is for.
    pub kind: DeviceKind,
    /// The system's choice of its kind.
    pub default: bool,
    /// Made by us: the test pattern, the tone, silence.
    pub synthetic: bool,
}

impl DeviceInfo {
    pub(crate) fn synthetic(id: &str, name: &str, kind: DeviceKind) -> Self {
        Self { id: id.to_owned(), name: name.to_owned(), kind, default: false, synthetic: true }
    }
}
