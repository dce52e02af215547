//! `cargo xtask bench board`: many open boards on one server.

use anyhow::{Context, Result};
use serde_json::Value;

use super::call::keep;
use super::options::Options;
use crate::command;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str =
    "how fast a change reaches every open board, with many tables and viewers: --people 2000 --tables 200";

/// The figures of the report, with their descriptions.
const FIGURES: [(&str, &str); 7] = [
    ("open_all_ms", "ms until all boards were open, one after the other"),
    ("half_ms_p50", "ms from a change to half of the open boards, median"),
    ("all_ms_p50", "ms from a change to every open board, median"),
    ("all_ms_p95", "ms from a change to every open board, 95 %"),
    ("cpu_ms_a_change", "ms of the server's CPU for each change"),
    ("idle_cpu_percent", "% of a core that the server uses when idle"),
    ("rss_mb", "MB of resident memory of the server"),
];

/// Clients and server share this machine, so the times are upper bounds.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments, &[("people", "2000"), ("tables", "200")])?;
    let (people, tables) = (options.number::<u32>("people")?, options.number::<u32>("tables")?);
    setup::for_building()?;
    let build = ["build", "--release", "--package", "server", "--bin", "lunchroom-server", "--example", "board-load"];
    command::run(command::cargo().args(build).current_dir(&workspace.root))?;
    let programs = workspace.target.join("release");
    let load = programs.join("examples/board-load").with_extension(std::env::consts::EXE_EXTENSION);
    let server = programs.join("lunchroom-server").with_extension(std::env::consts::EXE_EXTENSION);
    let text = command::output(command::program(load).arg(server).args([people.to_string(), tables.to_string()]))?;
    let report: Value = serde_json::from_str(text.trim()).context("figures")?;
    for (name, about) in FIGURES {
        println!("{:>10} {about}", report[name].to_string());
    }
    keep(workspace, "board", &report)
}
