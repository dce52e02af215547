//! `cargo xtask bench network`: simulated calls over simulated paths, in virtual time.

use anyhow::Result;

use super::options::Options;
use crate::command;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str = "simulated calls over paths that lose, jitter, shrink and are shared: --only NAME";

/// The figures are the same on every machine, because time is virtual.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments, &[("only", "")])?;
    setup::for_building()?;
    let bench = ["bench", "--quiet", "--package", "transport", "--bench", "network", "--"];
    command::run(command::cargo().args(bench).arg(options.text("only")).current_dir(&workspace.root))
}
