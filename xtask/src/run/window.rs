//! `cargo xtask run`: the app in its window, with a server unless one is named.

use std::fs::{self, File};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::local::Programs;
use crate::workspace::Workspace;
use crate::{command, setup};

/// Lines of the log that are shown if the window ends with an error.
const SHOWN_LINES: usize = 20;

/// Compiles what is out of date, starts a server if none is named, and opens the window until it is closed.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    setup::for_building()?;
    let app = Programs::build_app(workspace)?;
    let server = if names_a_server(arguments) { None } else { Some(app.programs.start_server()?) };
    let mut window = command::program(&app.window);
    window.args(arguments);
    // So that the lines below stay the last ones that are seen.
    let log = workspace.reports().join(log_name(arguments));
    fs::create_dir_all(workspace.reports())?;
    window.stderr(File::create(&log).with_context(|| log.display().to_string())?);
    if let Some(server) = &server {
        println!("{}", what_next(&server.url, &log));
        window.args(["--server", &server.url]);
    }
    let status = window.status().with_context(|| format!("cannot start {}", app.window.display()))?;
    if !status.success() {
        eprint!("{}", last_lines(&fs::read_to_string(&log).unwrap_or_default()));
    }
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The file for the window's log: one for each profile, because two may run at once.
fn log_name(arguments: &[String]) -> String {
    let mut words = arguments.iter().skip_while(|word| !word.starts_with("--profile"));
    let profile = match words.next().map(|word| word.split_once('=')) {
        Some(Some((_, profile))) => Some(profile),
        Some(None) => words.next().map(String::as_str),
        None => None,
    };
    let name: String = profile.unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect();
    if name.is_empty() { "window.log".into() } else { format!("window-{name}.log") }
}

/// The end of a log.
fn last_lines(log: &str) -> String {
    let from = log.lines().count().saturating_sub(SHOWN_LINES);
    log.lines().skip(from).map(|line| format!("{line}\n")).collect()
}

/// The last lines before the window opens.
fn what_next(url: &str, log: &Path) -> String {
    format!(
        "\nThe server is on {url}, and the window opens now. What you can do next:\n\
         - a second person on this machine, from another terminal:\n    \
         cargo xtask run --server {url} --profile bo --camera test --microphone tone\n\
         - a call between two machines, installing, hosting for others: README.md\n\
         The log is in {}. Closing the window ends the server too.",
        log.display()
    )
}

/// Whether the arguments name a server, or only ask for text output.
fn names_a_server(arguments: &[String]) -> bool {
    let names = |argument: &String| {
        argument.starts_with("--server")
            || argument.contains("://")
            || ["--help", "-h", "--version", "-V"].contains(&argument.as_str())
    };
    arguments.iter().any(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_say_how_a_second_person_comes() {
        let text = what_next("ws://127.0.0.1:5", Path::new("window.log"));
        let command = text.lines().find(|line| line.trim_start().starts_with("cargo xtask run")).unwrap();
        let words: Vec<String> = command.split_whitespace().skip(3).map(str::to_owned).collect();
        assert!(names_a_server(&words) && words.contains(&"--profile".to_owned()), "{command}");
    }

    #[test]
    fn each_profile_has_a_log() {
        let name = |words: &[&str]| log_name(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(name(&["--camera", "test"]), "window.log");
        assert_eq!(name(&["--profile", "bo", "--camera", "test"]), "window-bo.log");
        assert_eq!(name(&["--profile=../x"]), "window-x.log");
        assert_eq!(name(&["--profile"]), "window.log");
    }

    #[test]
    fn the_end_of_a_log_is_shown() {
        let log: String = (0..50).map(|n| format!("{n}\n")).collect();
        let shown = last_lines(&log);
        assert!(shown.starts_with("30\n") && shown.ends_with("49\n"), "{shown}");
        assert_eq!(last_lines("one"), "one\n");
    }

    #[test]
    fn a_server_is_started_only_if_none_is_named() {
        let named = |words: &[&str]| names_a_server(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert!(!named(&[]) && !named(&["--profile", "bo", "--camera", "test"]));
        assert!(named(&["--server", "ws://127.0.0.1:1"]) && named(&["--server=ws://h"]));
        assert!(named(&["lunchroom://join/soup?server=wss://h"]) && named(&["--help"]));
    }
}
