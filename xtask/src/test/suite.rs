//! Runs all tests of the workspace.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};

use super::follow::{self, Patience};
use super::tally::{Reader, Tally};
use crate::workspace::Workspace;

/// A test program or compiler that prints nothing for this long counts as hanging.
const PATIENCE: Patience = Patience { silence: Duration::from_secs(15 * 60), whole: Duration::from_secs(70 * 60) };

/// Builds and runs the tests. Passing tests print nothing. The complete output is in `target/xtask/test.log`.
pub(crate) fn run(workspace: &Workspace) -> Result<Tally> {
    let log = workspace.reports().join("test.log");
    std::fs::create_dir_all(workspace.reports())?;
    let mut file = File::create(&log).with_context(|| log.display().to_string())?;
    let mut cargo = super::cargo();
    // `--show-output` prints the output of passed tests too, which may report a skip.
    cargo.args(["test", "--workspace", "--no-fail-fast", "--", "--show-output"]).current_dir(&workspace.root);
    let mut reader = Reader::new();
    let succeeded = follow::run(&mut cargo, PATIENCE, |line| {
        if reader.line(line) {
            println!("{line}");
        }
        writeln!(file, "{line}").context("test.log")
    })?;
    println!("all output: {}", log.display());
    Ok(reader.finish(succeeded))
}
