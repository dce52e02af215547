//! The file with the device's secret key.

use crate::folders::{set_aside, write_private};
use engine::Problem;
use engine::signaling::identity::DeviceKey;
use std::io::ErrorKind;
use std::path::Path;

/// Returns the stored key, or creates a new one. A broken file does not stop the app: a new key is created, and the
/// problem is reported, because the others will see a new device.
pub(crate) fn device_key(folder: &Path) -> (DeviceKey, Option<Problem>) {
    let path = folder.join("device.key");
    let problem = match std::fs::read(&path) {
        Ok(bytes) => match <[u8; 32]>::try_from(bytes.as_slice()) {
            Ok(secret) => return (DeviceKey::from_secret(&secret), None),
            Err(_) => Some(broken(&path)),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => Some(logged("key_unreadable", format!("{} cannot be read: {error}", path.display()))),
    };
    let (key, unwritten) = new_key(&path);
    (key, problem.or(unwritten))
}

fn broken(path: &Path) -> Problem {
    let aside = set_aside(path)
        .map_or_else(|error| format!("not renamed: {error}"), |new| format!("renamed to {}", new.display()));
    logged("key_set_aside", format!("The device's key file is damaged ({aside}). Others will see a new device."))
}

fn new_key(path: &Path) -> (DeviceKey, Option<Problem>) {
    let mut secret = [0; 32];
    if let Err(error) = getrandom::fill(&mut secret) {
        tracing::error!("the system provides no random numbers: {error}");
        std::process::abort(); // a guessable key would be worse than no app
    }
    let written = write_private(path, &secret);
    let problem = written.err().map(|error| {
        logged("key_not_kept", format!("The device's key cannot be saved in {}: {error}", path.display()))
    });
    (DeviceKey::from_secret(&secret), problem)
}

fn logged(code: &str, message: String) -> Problem {
    tracing::warn!("{message}");
    Problem { code: code.into(), message, device: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folders::scratch::Scratch;

    #[test]
    fn a_key_is_created_once_and_readable_only_by_its_owner() {
        let scratch = Scratch::new();
        let (key, problem) = device_key(&scratch.0);
        assert_eq!(problem, None);
        assert_eq!(device_key(&scratch.0).0.public(), key.public());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(scratch.0.join("device.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
    }

    #[test]
    fn a_damaged_key_is_set_aside_and_reported() {
        let scratch = Scratch::new();
        std::fs::write(scratch.0.join("device.key"), b"short").unwrap();
        let (key, problem) = device_key(&scratch.0);
        assert_eq!(problem.map(|p| p.code).as_deref(), Some("key_set_aside"));
        assert_eq!(std::fs::read(scratch.0.join("device.key.broken-1")).unwrap(), b"short");
        assert_eq!(device_key(&scratch.0).0.public(), key.public());
    }
}
