//! Devices and what is wrong with things.

use serde::{Deserialize, Serialize};

/// A camera, microphone or loudspeaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Device {
    /// Unique within its kind, the same when it is plugged in again.
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

/// What a device is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Pictures in.
    Camera,
    /// Sound in.
    Microphone,
    /// Sound out.
    Speaker,
}

/// Which devices are used; null: the system's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct Choice {
    /// Camera by id.
    pub camera: Option<String>,
    /// Microphone by id.
    pub microphone: Option<String>,
    /// Loudspeaker by id; `off` for none.
    pub speaker: Option<String>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Problem {
    /// Stable, for translations.
    pub code: String,
    /// English words that say what to do.
    pub message: String,
    /// `camera`, `microphone` or `speaker`, if it concerns one.
    pub device: Option<DeviceKind>,
}
