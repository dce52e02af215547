//! Stores the device's key in a file.

use anyhow::{Context, Result, bail};
use engine::signaling::identity::DeviceKey;
use std::path::Path;

/// The key from a file, which is created if it does not exist. Without a file, a new key that is not stored.
pub(crate) fn device_key(path: Option<&Path>) -> Result<DeviceKey> {
    let Some(path) = path else { return Ok(DeviceKey::from_secret(&random()?)) };
    match std::fs::read(path) {
        Ok(bytes) => match <[u8; 32]>::try_from(bytes.as_slice()) {
            Ok(secret) => Ok(DeviceKey::from_secret(&secret)),
            Err(_) => bail!("{} is not a device key (32 bytes); give another file to create one", path.display()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let secret = random()?;
            write_private(path, &secret).with_context(|| format!("cannot store the new key in {}", path.display()))?;
            Ok(DeviceKey::from_secret(&secret))
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn random() -> Result<[u8; 32]> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| anyhow::anyhow!("the operating system cannot provide random numbers: {error}"))?;
    Ok(secret)
}

/// Makes the file readable only by its owner.
fn write_private(path: &Path, secret: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(secret)
}
