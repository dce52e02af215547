//! Data that the server generates once and stores: the secret of TURN credentials and its own certificate.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::StartError;

const SECRET_FILE: &str = "turn-secret";
const CERTIFICATE_FILE: &str = "certificate.pem";
const KEY_FILE: &str = "certificate-key.pem";

/// The stored secret, or a new one of 256 random bits.
pub(crate) fn secret(folder: Option<&Path>) -> Result<String, StartError> {
    let Some(folder) = folder else { return random_token() };
    let path = folder.join(SECRET_FILE);
    let kept = read(&path)?.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    match kept {
        Some(secret) => Ok(secret),
        None => {
            let secret = random_token()?;
            write_private(&path, &secret)?;
            Ok(secret)
        }
    }
}

/// A certificate and its key in PEM form.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
    /// Where the certificate is stored, for errors.
    pub(crate) path: PathBuf,
}

/// The stored certificate, or a new one from `make`.
pub(crate) fn identity(
    folder: Option<&Path>,
    make: impl FnOnce() -> Result<(String, String), StartError>,
) -> Result<Identity, StartError> {
    let Some(folder) = folder else {
        let (certificate, key) = make()?;
        return Ok(Identity { certificate, key, path: CERTIFICATE_FILE.into() });
    };
    let (path, key_path) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
    if let (Some(certificate), Some(key)) = (read(&path)?, read(&key_path)?) {
        return Ok(Identity { certificate, key, path });
    }
    let (certificate, key) = make()?;
    // The key first: a certificate counts only together with its key.
    write_private(&key_path, &key)?;
    write_private(&path, &certificate)?;
    Ok(Identity { certificate, key, path })
}

/// 256 random bits, base64url.
pub(crate) fn random_token() -> Result<String, StartError> {
    random_bytes().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// 32 new random bytes.
pub(crate) fn random_bytes() -> Result<[u8; 32], StartError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(StartError::Random)?;
    Ok(bytes)
}

fn read(path: &Path) -> Result<Option<String>, StartError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StartError::Data { path: path.to_owned(), source }),
    }
}

/// Writes to a temporary file and renames it: a crash must not leave a truncated file, which would be an empty secret.
fn write_private(path: &Path, text: &str) -> Result<(), StartError> {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let beside = path.with_extension("new");
        let written = private_file(&beside).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        let done = written.and_then(|()| fs::rename(&beside, path));
        if done.is_err() {
            // Remove the partial file, for example when the disk is full.
            let _ = fs::remove_file(&beside);
        }
        done
    };
    write().map_err(|source| StartError::Data { path: path.to_owned(), source })
}

#[cfg(unix)]
fn private_file(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn private_file(path: &Path) -> io::Result<fs::File> {
    // On Windows, other users cannot read a person's own data folder anyway.
    fs::File::create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A temporary folder, removed when the test ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let folder = std::env::temp_dir().join(format!("lunchroom-data-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            Folder(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_secret_is_created_once_and_kept() {
        let folder = Folder::new("secret");
        let first = secret(Some(&folder.0)).unwrap();
        assert_eq!(first.len(), 43);
        assert_eq!(secret(Some(&folder.0)).unwrap(), first);
        assert_ne!(secret(None).unwrap(), first);
    }

    #[cfg(unix)]
    #[test]
    fn other_users_cannot_read_the_secret() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = Folder::new("mode");
        secret(Some(&folder.0)).unwrap();
        let mode = fs::metadata(folder.0.join(SECRET_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }

    #[test]
    fn a_certificate_is_recreated_only_if_its_key_is_missing() {
        let folder = Folder::new("certificate");
        let make = |name: &str| Ok((format!("{name} certificate"), format!("{name} key")));
        identity(Some(&folder.0), || make("first")).unwrap();
        let kept = identity(Some(&folder.0), || make("second")).unwrap();
        assert_eq!((kept.certificate.as_str(), kept.key.as_str()), ("first certificate", "first key"));
        fs::remove_file(folder.0.join(KEY_FILE)).unwrap();
        assert_eq!(identity(Some(&folder.0), || make("third")).unwrap().key, "third key");
    }

    #[test]
    fn a_failed_write_leaves_no_file_behind() {
        let folder = Folder::new("rest");
        let path = folder.0.join("secret");
        // A file cannot replace a folder that is not empty.
        fs::create_dir_all(path.join("in the way")).unwrap();
        assert!(write_private(&path, "secret").is_err());
        let left: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["secret"]);
    }

    #[test]
    fn an_unusable_folder_is_an_error() {
        let folder = Folder::new("file");
        fs::write(&folder.0, "not a folder").unwrap();
        let error = secret(Some(&folder.0)).unwrap_err();
        assert_eq!(error.code(), "server_data");
        assert!(error.to_string().contains("--data-dir"), "{error}");
        fs::remove_file(&folder.0).unwrap();
    }
}
