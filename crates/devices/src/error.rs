//! What can go wrong with a device.

/// Why a device cannot be used. The text says what the person can do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
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
    /// What the system said, where it is none of the others.
    #[error("The device failed: {0}. Unplug it and plug it in again, or choose another one.")]
    Backend(String),
}

impl DeviceError {
    /// A stable name for interfaces, which translate it.
    pub fn code(&self) -> &'static str {
        match self {
            DeviceError::NotFound => "device_not_found",
            DeviceError::Busy => "device_busy",
            DeviceError::PermissionDenied => "device_permission_denied",
            DeviceError::Gone => "device_gone",
            DeviceError::Unsupported => "device_unsupported",
            DeviceError::Backend(_) => "device_failed",
        }
    }
}

/// For a file that plays the part of a device.
pub(crate) fn file(path: &str, e: &std::io::Error) -> DeviceError {
    match e.kind() {
        std::io::ErrorKind::NotFound => DeviceError::NotFound,
        std::io::ErrorKind::PermissionDenied => DeviceError::PermissionDenied,
        _ => DeviceError::Backend(format!("{path}: {e}")),
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
            DeviceError::Backend("x".into()),
        ];
        let codes: std::collections::HashSet<_> = all.iter().map(DeviceError::code).collect();
        assert_eq!(codes.len(), all.len());
        for error in all {
            assert!(error.to_string().matches(". ").count() >= 1, "{error}: a second sentence says what to do");
        }
    }
}
