//! Saves a table as a calendar file among the downloads, where the system's calendar opens it.

use std::io::Result;
use std::path::{Path, PathBuf};

use crate::folders::write_new;

/// The number of characters of a topic used in a file name.
const LONGEST: usize = 40;

/// Writes the text to a new file in the folder and returns its path.
///
/// # Errors
/// An error of the file system if the folder cannot be created or the file cannot be written.
pub(crate) fn save(folder: &Path, topic: &str, text: &str) -> Result<PathBuf> {
    write_new(folder, &name(topic), "ics", text)
}

/// The file name for a topic, valid on every system: letters and digits of any script, with hyphens for everything
/// else.
fn name(topic: &str) -> String {
    let kept: String = topic.chars().take(LONGEST).map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    let words: Vec<&str> = kept.split('-').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "lunchroom".into() } else { format!("lunchroom-{}", words.join("-")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folders::scratch::Scratch;

    #[test]
    fn a_topic_becomes_a_portable_file_name() {
        for (topic, file) in [
            ("Bibimbap", "lunchroom-Bibimbap"),
            ("김치찌개 먹을 사람", "lunchroom-김치찌개-먹을-사람"),
            ("../../etc/passwd", "lunchroom-etc-passwd"),
            ("a:b*c?\"<>|\\", "lunchroom-a-b-c"),
            ("\u{0}\u{202e}CON", "lunchroom-CON"),
            ("🍲", "lunchroom"),
            ("", "lunchroom"),
        ] {
            assert_eq!(name(topic), file, "{topic}");
        }
        assert!(name(&"한".repeat(1_000)).chars().count() < 60);
    }

    #[test]
    fn existing_files_are_not_overwritten() {
        let scratch = Scratch::new();
        let folder = scratch.0.join("not there yet");
        let paths = ["one", "two"].map(|text| save(&folder, "Soup", text).unwrap());
        assert_eq!(paths.each_ref().map(|path| std::fs::read_to_string(path).unwrap()), ["one", "two"]);
        assert_eq!(paths[1].file_name().unwrap(), "lunchroom-Soup (2).ics");
    }

    #[test]
    fn an_unwritable_folder_is_an_error() {
        let scratch = Scratch::new();
        let file = scratch.0.join("file");
        std::fs::create_dir_all(&scratch.0).unwrap();
        std::fs::write(&file, "").unwrap();
        assert!(save(&file, "Soup", "text").is_err());
    }
}
