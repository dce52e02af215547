//! `cargo xtask run`: the app in its window, with a server unless one is named.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::local::Programs;
use crate::workspace::Workspace;
use crate::{command, setup};

/// Compiles what is out of date, starts a server if none is named, and opens the window until it is closed.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    setup::for_building()?;
    let app = Programs::build_app(workspace)?;
    let server = if names_a_server(arguments) { None } else { Some(app.programs.start_server()?) };
    let mut window = command::program(&app.window);
    window.args(arguments);
    if let Some(server) = &server {
        println!("server on {}; a second person: cargo xtask run --server {} --profile bo", server.url, server.url);
        window.args(["--server", &server.url]);
    }
    let status = window.status().with_context(|| format!("cannot start {}", app.window.display()))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
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
    fn a_server_is_started_only_if_none_is_named() {
        let named = |words: &[&str]| names_a_server(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert!(!named(&[]) && !named(&["--profile", "bo", "--camera", "test"]));
        assert!(named(&["--server", "ws://127.0.0.1:1"]) && named(&["--server=ws://h"]));
        assert!(named(&["lunchroom://join/soup?server=wss://h"]) && named(&["--help"]));
    }
}
