//! Starting the app, without its window, when the person logs in.

use std::io;
use std::path::PathBuf;

/// The argument that starts the app without its window.
const ARGUMENT: &str = "--hidden";

/// The entry that makes the system start the app.
#[derive(Debug, Clone)]
pub(crate) struct Autostart {
    /// The folder for entries (Desktop Application Autostart Specification). Used on Linux only.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code))]
    pub(crate) folder: PathBuf,
    /// The app's identifier.
    pub(crate) name: String,
}

impl Autostart {
    /// Adds or removes the entry.
    pub(crate) fn set(&self, on: bool) -> io::Result<()> {
        if on { self.add(&program()?) } else { self.remove() }
    }

    /// Writes the entry again, because the program may have moved since the last start.
    pub(crate) fn refresh(&self) {
        if self.is_on()
            && let Err(error) = self.set(true)
        {
            tracing::warn!("the app may not start at the next login: {error}");
        }
    }
}

/// This program, or the AppImage that it is in.
fn program() -> io::Result<PathBuf> {
    let image = std::env::var_os("APPIMAGE").filter(|image| !image.is_empty());
    image.map_or_else(std::env::current_exe, |image| Ok(image.into()))
}

/// Implemented by hand: `auto-launch` does not quote the path, and ignores `XDG_CONFIG_HOME`.
#[cfg(target_os = "linux")]
mod system {
    use super::{ARGUMENT, Autostart};
    use std::io;
    use std::path::{Path, PathBuf};

    impl Autostart {
        /// Whether the system starts the app. The person may have changed that in the system's settings.
        pub(crate) fn is_on(&self) -> bool {
            let entry = std::fs::read_to_string(self.entry()).unwrap_or_default();
            let is_off = |line: &str| ["Hidden=true", "X-GNOME-Autostart-enabled=false"].contains(&line.trim());
            entry.lines().any(|line| line.starts_with("Exec=")) && !entry.lines().any(is_off)
        }

        pub(super) fn add(&self, program: &Path) -> io::Result<()> {
            let program = program.to_str().ok_or_else(|| io::Error::other("the program's path is not Unicode"))?;
            std::fs::create_dir_all(&self.folder)?;
            std::fs::write(
                self.entry(),
                format!(
                    "[Desktop Entry]\nType=Application\nName=Lunchroom\nExec={} {ARGUMENT}\nTerminal=false\n",
                    quoted(program)
                ),
            )
        }

        pub(super) fn remove(&self) -> io::Result<()> {
            match std::fs::remove_file(self.entry()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            }
        }

        fn entry(&self) -> PathBuf {
            self.folder.join(format!("{}.desktop", self.name))
        }
    }

    /// Quotes an argument of `Exec` (Desktop Entry Specification, "The Exec key"): first as an argument, then as a string.
    fn quoted(path: &str) -> String {
        let mut argument = String::from('"');
        for c in path.chars() {
            match c {
                '"' | '`' | '$' | '\\' => argument.extend(['\\', c]),
                '%' => argument.push_str("%%"),
                _ => argument.push(c),
            }
        }
        argument.push('"');
        argument.replace('\\', "\\\\").replace('\n', "\\n")
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::folders::scratch::Scratch;

        #[test]
        fn an_entry_is_added_and_removed_and_the_systems_settings_count() {
            let scratch = Scratch::new();
            let autostart = Autostart { folder: scratch.0.join("autostart"), name: "org.lunchroom.test".into() };
            assert!(!autostart.is_on());
            autostart.remove().unwrap();
            autostart.add(Path::new("/opt/my apps/lunchroom")).unwrap();
            assert!(autostart.is_on());
            let entry = scratch.0.join("autostart/org.lunchroom.test.desktop");
            let text = std::fs::read_to_string(&entry).unwrap();
            assert!(text.contains("Exec=\"/opt/my apps/lunchroom\" --hidden\n"), "{text}");
            std::fs::write(&entry, format!("{text}X-GNOME-Autostart-enabled=false\n")).unwrap();
            assert!(!autostart.is_on());
            autostart.remove().unwrap();
            assert!(!entry.exists());
        }

        #[test]
        fn special_characters_in_the_path_reach_the_program() {
            for (path, exec) in [
                ("/a b", r#""/a b""#),
                ("/100%", r#""/100%%""#),
                ("/$HOME", r#""/\\$HOME""#),
                (r#"/"x"`y`\z"#, r#""/\\"x\\"\\`y\\`\\\\z""#),
                ("/a\nb", r#""/a\nb""#),
            ] {
                assert_eq!(quoted(path), exec);
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{ARGUMENT, Autostart};
    use auto_launch::{AutoLaunch, AutoLaunchBuilder};
    use std::io;
    use std::path::Path;

    impl Autostart {
        /// Whether the system starts the app. The person may have changed that in the system's settings.
        pub(crate) fn is_on(&self) -> bool {
            let launch = super::program().and_then(|program| self.launch(&program));
            launch.is_ok_and(|launch| launch.is_enabled().unwrap_or(false))
        }

        pub(super) fn add(&self, program: &Path) -> io::Result<()> {
            self.launch(program)?.enable().map_err(io::Error::other)
        }

        pub(super) fn remove(&self) -> io::Result<()> {
            if self.is_on() { self.launch(&super::program()?)?.disable().map_err(io::Error::other) } else { Ok(()) }
        }

        fn launch(&self, program: &Path) -> io::Result<AutoLaunch> {
            let program = program.to_str().ok_or_else(|| io::Error::other("the program's path is not Unicode"))?;
            // The library writes the path into the registry as it is, and it may contain spaces.
            let program = if cfg!(windows) { format!("\"{program}\"") } else { program.to_owned() };
            let mut builder = AutoLaunchBuilder::new();
            builder.set_app_name(&self.name).set_app_path(&program).set_args(&[ARGUMENT]);
            #[cfg(target_os = "macos")]
            builder.set_macos_launch_mode(auto_launch::MacOSLaunchMode::LaunchAgent);
            builder.build().map_err(io::Error::other)
        }
    }
}
