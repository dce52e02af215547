//! `cargo xtask bench frames`: what the encryption of frames in forwarded rooms costs.

use anyhow::{Context, Result};

use super::options::Options;
use crate::command;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str = "what encrypting frames end to end costs";

/// The figures of the line, with their descriptions.
const FIGURES: [&str; 6] = [
    "µs to encrypt a frame of 1,200 bytes",
    "µs to decrypt it",
    "µs to encrypt a frame of 12,000 bytes",
    "µs to decrypt it",
    "ms to make a key and seal it to 59 others",
    "µs to receive a key",
];

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    Options::parse(arguments, &[])?;
    setup::for_building()?;
    let bench = ["bench", "--quiet", "--package", "e2ee", "--bench", "frames"];
    let printed = command::output(command::cargo().args(bench).current_dir(&workspace.root))?;
    let line = printed.lines().last().context("no figures")?;
    for (figure, about) in line.split(' ').zip(FIGURES) {
        println!("{figure:>10} {about}");
    }
    Ok(())
}
