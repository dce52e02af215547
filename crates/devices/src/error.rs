//! What can go wrong with a device.

use crate::list::DeviceKind;
use media::sources::WavError;

/// Why a device cannot be used. The text says what the person can do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// There is none of its kind, and none was chosen.
    #[error("No {} was found. Plug one in.", kind_text(*.0))]
    None(DeviceKind),
    /// No device has this id or name.
    #[error("The device was not found. Plug it in, or choose another one.")]
    NotFound,
    /// Another program has it.
    #[error("Another program is using the device. Close that program, or choose another device.")]
    Busy,
    /// The system refuses.
    #[error("{}", permission_text())]
    PermissionDenied,
    /// It was there and went away.
    #[error("The device was unplugged. Plug it in again, or choose another one.")]
    Gone,
    /// It offers nothing that we can use.
    #[error("The device offers no format that can be used. Choose another one.")]
    Unsupported,
    /// It works, and what it gives cannot be understood.
    #[error("The camera's pictures arrive damaged. Try another cable or socket, or choose another camera.")]
    Damaged,
    /// What the system said, where it is none of the others.
    #[error("The device failed: {0}. Unplug it and plug it in again, or choose another one.")]
    Backend(String),
    /// The file that plays the part of a device is not there.
    #[error("There is no file {0}. Choose another one.")]
    FileNotFound(String),
    /// The file cannot be opened, read or written.
    #[error("The file cannot be used: {0}. Choose another one.")]
    FileUnusable(String),
    /// The file holds something else than what can be played.
    #[error("The file cannot be played: {0}. Choose another one.")]
    FileUnplayable(String),
    /// There is nothing in it.
    #[error("The file has no sound in it. Choose another one.")]
    FileEmpty,
    /// It is longer than what is kept in memory.
    #[error("The file is too long: {0}. Choose a shorter one.")]
    FileTooLong(String),
}

impl DeviceError {
    /// A stable name for interfaces, which translate it.
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

    /// What it means that a device of this kind was not found: one that nobody named is none at all.
    pub(crate) fn of(self, kind: DeviceKind, named: bool) -> DeviceError {
        match self {
            DeviceError::NotFound if !named => DeviceError::None(kind),
            other => other,
        }
    }
}

/// For a file that plays the part of a device.
pub(crate) fn file(path: &str, e: &std::io::Error) -> DeviceError {
    match e.kind() {
        std::io::ErrorKind::NotFound => DeviceError::FileNotFound(path.to_owned()),
        _ => DeviceError::FileUnusable(format!("{path}: {e}")),
    }
}

/// For a file that plays the part of a microphone.
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
        "The system does not allow this. Allow it in Settings, Privacy & security, Camera and Microphone (for desktop apps)."
    } else if cfg!(target_os = "macos") {
        "The system does not allow this. Allow it in System Settings, Privacy & Security, Camera and Microphone, then start the app again."
    } else {
        "The system does not allow this. Add yourself to the groups `video` and `audio`, then log in again."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_own_code_and_says_what_to_do() {
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
