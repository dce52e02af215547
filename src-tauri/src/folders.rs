//! The folders and files of the app on this machine.

use crate::autostart::Autostart;
use std::path::{Path, PathBuf};
use tauri::{AppHandle, Manager};

/// How many numbered variants of a file name are tried before saving fails.
const TRIES: u32 = 100;

/// Folders of this profile. Each is created when something is first written to it.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    /// Settings and key.
    pub(crate) config: PathBuf,
    /// Data of the server in the app.
    pub(crate) server: PathBuf,
    /// The log.
    pub(crate) log: PathBuf,
    /// Where people look for files that they saved.
    pub(crate) downloads: PathBuf,
    /// The entry for the system's start of the app.
    pub(crate) autostart: Autostart,
}

impl Folders {
    /// The system's folders for this app. A profile has its own identifier, and so its own folders.
    pub(crate) fn find(app: &AppHandle) -> tauri::Result<Folders> {
        let path = app.path();
        let data = path.app_local_data_dir()?;
        let downloads = path.download_dir().or_else(|_| path.home_dir())?;
        // On Windows, the configuration folder may follow its owner to other machines. The key and the chosen devices are
        // those of one machine.
        let config = if cfg!(windows) { data.clone() } else { path.app_config_dir()? };
        let autostart =
            Autostart { folder: path.config_dir()?.join("autostart"), name: app.config().identifier.clone() };
        Ok(Folders { config, server: data.join("server"), log: path.app_log_dir()?, downloads, autostart })
    }
}

/// Writes a file that only its owner can read. The content is written to a second file, which is then moved into place,
/// so that a crash leaves either the old or the new content.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

/// Writes a text to a new file in a folder for people, `NAME.EXTENSION` or `NAME (2).EXTENSION` and so on. Returns its path.
///
/// # Errors
/// An error of the file system if the folder cannot be created or the file cannot be written.
pub(crate) fn write_new(folder: &Path, name: &str, extension: &str, text: &str) -> std::io::Result<PathBuf> {
    use std::io::{ErrorKind, Write as _};
    std::fs::create_dir_all(folder)?;
    for n in 1..=TRIES {
        let number = if n == 1 { String::new() } else { format!(" ({n})") };
        let path = folder.join(format!("{name}{number}.{extension}"));
        match std::fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => return file.write_all(text.as_bytes()).map(|()| path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// Renames an unreadable file to a free name, and returns that name.
pub(crate) fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = (1..).map(|n| path.with_file_name(format!("{name}.broken-{n}"))).find(|new| !new.exists());
    let new = free.unwrap_or_else(|| path.with_extension("broken"));
    std::fs::rename(path, &new)?;
    Ok(new)
}

#[cfg(test)]
pub(crate) mod scratch {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    /// A temporary folder, which is removed when the value is dropped.
    pub(crate) struct Scratch(pub(crate) PathBuf);

    impl Scratch {
        pub(crate) fn new() -> Scratch {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let name = format!("lunchroom-app-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
            let folder = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            Scratch(folder)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
