//! The settings file. Fields of later versions are preserved. A file that cannot be read is renamed, not overwritten.
//! Implemented by hand: `figment` reads and merges settings, but does not write them.

use crate::folders::{set_aside, write_private};
use crate::state::Settings;
use engine::Problem;
use serde_json::{Map, Value};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The largest accepted file, in bytes. A settings file has a few hundred bytes.
const LONGEST: u64 = 1 << 20;

/// The saved settings.
#[derive(Debug)]
pub(crate) struct SettingsFile {
    path: PathBuf,
    settings: Settings,
    /// The content of the file, including fields that we do not know.
    raw: Map<String, Value>,
}

impl SettingsFile {
    /// Reads the file. Without one, starts with the default settings.
    pub(crate) fn open(folder: &Path) -> (SettingsFile, Option<Problem>) {
        let path = folder.join("settings.json");
        match read(&path) {
            Ok(Some((settings, raw))) => (SettingsFile { path, settings, raw }, None),
            Ok(None) => (SettingsFile { path, settings: Settings::default(), raw: Map::new() }, None),
            Err(reason) => {
                let problem = broken(&path, &reason);
                (SettingsFile { path, settings: Settings::default(), raw: Map::new() }, Some(problem))
            }
        }
    }

    pub(crate) fn get(&self) -> &Settings {
        &self.settings
    }

    /// Sets and saves new settings. They take effect even if the file cannot be written.
    pub(crate) fn set(&mut self, settings: Settings) -> Result<(), Problem> {
        if settings == self.settings && self.path.exists() {
            return Ok(());
        }
        self.settings = settings;
        let Ok(Value::Object(new)) = serde_json::to_value(&self.settings) else { return Ok(()) };
        merge(&mut self.raw, new);
        let text = serde_json::to_string_pretty(&self.raw).unwrap_or_default() + "\n";
        write_private(&self.path, text.as_bytes()).map_err(|error| {
            problem("settings_not_kept", format!("The settings cannot be saved in {}: {error}", self.path.display()))
        })
    }
}

/// The content of a file, parsed and raw.
type Content = (Settings, Map<String, Value>);

fn read(path: &Path) -> Result<Option<Content>, String> {
    match std::fs::metadata(path) {
        Ok(file) if file.len() > LONGEST => return Err("it is too long".into()),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let raw: Map<String, Value> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let settings = serde_json::from_value(Value::Object(raw.clone())).map_err(|error| error.to_string())?;
    Ok(Some((settings, raw)))
}

fn broken(path: &Path, reason: &str) -> Problem {
    let aside = set_aside(path)
        .map_or_else(|error| format!("not renamed: {error}"), |new| format!("renamed to {}", new.display()));
    problem("settings_set_aside", format!("The settings file could not be read: {reason} ({aside})."))
}

fn problem(code: &str, message: String) -> Problem {
    tracing::warn!("{message}");
    Problem { code: code.into(), message, device: None }
}

/// Replaces known fields and keeps unknown ones, also in nested objects. Lists are replaced as a whole.
fn merge(old: &mut Map<String, Value>, new: Map<String, Value>) {
    for (key, value) in new {
        match (old.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => drop(old.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folders::scratch::Scratch;
    use crate::state::Theme;

    #[test]
    fn settings_keep_fields_of_later_versions() {
        let scratch = Scratch::new();
        let text = r#"{"name":"Ada","theme":"dark","hologram":true,"devices":{"camera":"c1","nose":"n1"}}"#;
        std::fs::write(scratch.0.join("settings.json"), text).unwrap();
        let (mut file, problem) = SettingsFile::open(&scratch.0);
        assert_eq!((problem, file.get().theme), (None, Theme::Dark));
        assert!(file.get().camera_on, "missing fields are as usual");
        let mut settings = file.get().clone();
        settings.name = "Ada B.".into();
        settings.devices.camera = None;
        file.set(settings.clone()).unwrap();
        assert_eq!(SettingsFile::open(&scratch.0).0.get(), &settings);
        let raw: Value = serde_json::from_slice(&std::fs::read(scratch.0.join("settings.json")).unwrap()).unwrap();
        assert_eq!((&raw["hologram"], &raw["devices"]["nose"]), (&Value::Bool(true), &Value::from("n1")));
    }

    #[test]
    fn a_corrupt_file_is_set_aside_and_reported() {
        for text in ["{", "[]", r#"{"theme":"loud"}"#, "\u{0}"] {
            let scratch = Scratch::new();
            std::fs::write(scratch.0.join("settings.json"), text).unwrap();
            let (mut file, problem) = SettingsFile::open(&scratch.0);
            assert_eq!(problem.map(|p| p.code).as_deref(), Some("settings_set_aside"), "{text}");
            assert_eq!(file.get(), &Settings::default());
            file.set(Settings { name: "Ben".into(), ..Settings::default() }).unwrap();
            assert_eq!(std::fs::read_to_string(scratch.0.join("settings.json.broken-1")).unwrap(), text);
            assert_eq!(SettingsFile::open(&scratch.0).0.get().name, "Ben");
        }
    }

    #[test]
    fn an_unwritable_folder_is_reported_and_the_settings_apply() {
        let scratch = Scratch::new();
        std::fs::write(scratch.0.join("file"), "").unwrap();
        let (mut file, _) = SettingsFile::open(&scratch.0.join("file"));
        let failed = file.set(Settings { name: "Ben".into(), ..Settings::default() });
        assert_eq!(failed.map_err(|p| p.code), Err("settings_not_kept".into()));
        assert_eq!(file.get().name, "Ben");
    }
}
