//! Saves a table as a calendar file among the downloads, where the system's calendar opens it, and the addresses of
//! calendars to subscribe to.

use std::io::Result;
use std::path::{Path, PathBuf};

use crate::folders::write_new;
use engine::signaling::limits::is_calendar_token;
use url::Url;

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

/// The address of a calendar at a server with this `ws:` or `wss:` URL.
pub(crate) fn address(server: &Url, token: &str) -> String {
    let scheme = if server.scheme() == "wss" { "https" } else { "http" };
    let authority = &server[url::Position::BeforeHost..url::Position::AfterPort];
    format!("{scheme}://{authority}/calendar/{token}.ics")
}

/// The address of a calendar with the scheme `webcal`, which calendar apps open. `None` if it is anything else: other
/// addresses may start other programs.
pub(crate) fn subscription(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let is_plain = url.scheme() == "webcal" && url.username().is_empty() && url.password().is_none();
    let token = url.path().strip_prefix("/calendar/")?.strip_suffix(".ics")?;
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    (is_plain && is_calendar_token(token)).then(|| format!("webcal://{authority}/calendar/{token}.ics"))
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
    fn the_address_of_a_calendar_is_at_its_server() {
        let address = |server: &str| address(&Url::parse(server).unwrap(), "T0k");
        assert_eq!(address("wss://lunch.example"), "https://lunch.example/calendar/T0k.ics");
        assert_eq!(address("ws://192.168.1.5:7077"), "http://192.168.1.5:7077/calendar/T0k.ics");
        assert_eq!(address("wss://[fd00::1]:7077/"), "https://[fd00::1]:7077/calendar/T0k.ics");
    }

    #[test]
    fn only_addresses_of_calendars_are_opened() {
        let opened = subscription("webcal://lunch.example:8443/calendar/T0-k_.ics");
        assert_eq!(opened.as_deref(), Some("webcal://lunch.example:8443/calendar/T0-k_.ics"));
        for other in [
            "file:///calendar/a.ics",
            "https://lunch.example/calendar/a.ics",
            "webcal://a@lunch.example/calendar/a.ics",
            "webcal://lunch.example/calendar/.ics",
            "webcal://lunch.example/calendar/a/b.ics",
            "webcal://lunch.example/r/a.ics",
            "-x",
            "",
        ] {
            assert_eq!(subscription(other), None, "{other}");
        }
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
