//! `cargo xtask run`: the quickest way to a call.

mod call;
mod window;

use std::process::ExitCode;

use anyhow::Result;

use crate::workspace::Workspace;

/// `cargo xtask run [ARGUMENTS OF THE APP]` opens the window. `--headless` runs a call without windows instead.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    match arguments.split_first() {
        Some((first, rest)) if first == "--headless" => call::main(workspace, rest),
        Some((first, rest)) if first == "--" => window::main(workspace, rest),
        Some(_) | None => window::main(workspace, arguments),
    }
}
