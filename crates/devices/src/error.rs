//! Errors of devices.

use crate::info::DeviceKind;
use media::sources::WavError;

/// Why a device cannot be used. The message tells the person what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// There is no device of this kind, and none was chosen by name.
    #[error("No {} was found. Plug one in.", kind_text(*.0))]
    None(DeviceKind),
    /// No device has this id or name.
    #[error("The device was not found. Plug it in, or choose another one.")]
    NotFound,
    /// Another program is using the device.
    #[error("Another program is using the device. Close that program, or choose another device.")]
    Busy,
    /// The system denies access.
    #[error("{}", permission_text())]
    PermissionDenied,
    /// The device was unplugged.
    #[error("The device was unplugged. Plug it in again, or choose another one.")]
    Gone,
    /// The device offers no supported format.
    #[error("The device does not offer a supported format. Choose another one.")]
    Unsupported,
    /// The device works, but its data is damaged.
    #[error("The camera's video arrives damaged. Try another cable or port, or choose another camera.")]
    Damaged,
    /// Any other error, with the system's message.
    #[error("The device failed: {0}. Unplug it and plug it in again, or choose another one.")]
    Backend(String),
    /// The file of a synthetic device does not exist.
    #[error("The file {0} does not exist. Choose another one.")]
    FileNotFound(String),
    /// The file cannot be opened, read or written.
    #[error("The file cannot be used: {0}. Choose another one.")]
    FileUnusable(String),
    /// The file has an unsupported format.
    #[error("The file cannot be played: {0}. Choose another one.")]
    FileUnplayable(String),
    /// The file contains no audio.
    #[error("The file has no sound in it. Choose another one.")]
    FileEmpty,
    /// The file is longer than the limit.
    #[error("The file is too long: {0}. Choose a shorter one.")]
    FileTooLong(String),
}

impl DeviceError {
    /// A stable code, which user interfaces translate.
    pub fn code(&self) -> &'static str {
        match self {
            DeviceError::None(DeviceKind::Camera) => "no_camera",
            DeviceError::None(DeviceKind::Microphone) => "no_microphone",
            DeviceError::None(DeviceKind::Speaker) => "no_speaker",
            DeviceError::NotFound => "device_not_found",
            DeviceError::Busy => "device_busy",
            DeviceError::PermissionDenied => "device_permission_denied",
            DeviceError::Gone => "device_gone",
            DeviceError::Unsupported => "device_unsupported",
            DeviceError::Damaged => "device_damaged",
            DeviceError::Backend(_) => "device_failed",
            DeviceError::FileNotFound(_) => "file_not_found",
            DeviceError::FileUnusable(_) => "file_unusable",
            DeviceError::FileUnplayable(_) => "file_unplayable",
            DeviceError::FileEmpty => "file_empty",
            DeviceError::FileTooLong(_) => "file_too_long",
        }
    }

    /// The error for a device that was not found: if no device was named, there is none of the kind.
    pub(crate) fn of(self, kind: DeviceKind, named: bool) -> DeviceError {
        match self {
            DeviceError::NotFound if !named => DeviceError::None(kind),
            other => other,
        }
    }
}

/// The error of a file for a synthetic device.
pub(crate) fn file(path: &str, e: &std::io::Error) -> DeviceError {
    match e.kind() {
        std::io::ErrorKind::NotFound => DeviceError::FileNotFound(path.to_owned()),
        _ => DeviceError::FileUnusable(format!("{path}: {e}")),
    }
}

/// The error of a WAV file for a synthetic microphone.
pub(crate) fn wav(path: &str, e: &WavError) -> DeviceError {
    match e {
        WavError::Unreadable(e) => file(path, e),
        WavError::NoWav | WavError::NoFormat | WavError::Unsupported(_) => {
            DeviceError::FileUnplayable(format!("{path}: {e}"))
        }
        WavError::Empty => DeviceError::FileEmpty,
        WavError::TooLong => DeviceError::FileTooLong(format!("{path}: {e}")),
    }
}

fn kind_text(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Camera => "camera",
        DeviceKind::Microphone => "microphone",
        DeviceKind::Speaker => "loudspeaker",
    }
}

fn permission_text() -> &'static str {
    if cfg!(target_os = "windows") {
        "The system denied access. Allow it in Settings, Privacy & security, Camera and Microphone (for desktop apps)."
    } else if cfg!(target_os = "macos") {
        "The system denied access. Allow it in System Settings, Privacy & Security, Camera and Microphone, then start the app again."
    } else {
        "The system denied access. Add yourself to the groups `video` and `audio`, then log in again."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_own_code_and_a_remedy() {
        let all = [
            DeviceError::NotFound,
            DeviceError::Busy,
            DeviceError::PermissionDenied,
            DeviceError::Gone,
            DeviceError::Unsupported,
            DeviceError::Damaged,
            DeviceError::Backend("x".into()),
            DeviceError::None(DeviceKind::Camera),
            DeviceError::None(DeviceKind::Microphone),
            DeviceError::None(DeviceKind::Speaker),
            DeviceError::FileNotFound("x".into()),
            DeviceError::FileUnusable("x".into()),
            DeviceError::FileUnplayable("x".into()),
            DeviceError::FileEmpty,
            DeviceError::FileTooLong("x".into()),
        ];
        let codes: std::collections::HashSet<_> = all.iter().map(DeviceError::code).collect();
        assert_eq!(codes.len(), all.len());
        for error in all {
            assert!(error.to_string().matches(". ").count() >= 1, "{error}: a second sentence says what to do");
        }
    }
}
