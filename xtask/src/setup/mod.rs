//! `cargo xtask setup`: installs what this machine lacks.
//!
//! A need is checked by what it provides, never by a package's name, so that a tool from another source counts. A
//! package manager is started only if something is missing, and only apt is started automatically.

mod apt;
mod fetched;
mod needs;

use std::process::ExitCode;

use anyhow::{Result, bail};
pub(crate) use fetched::{cargo_deny, speech_python};
use needs::{Need, Purpose};

use crate::workspace::Workspace;

/// `cargo xtask setup [--build]`.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => for_testing(workspace)?,
        ["--build"] => for_building()?,
        _ => bail!("usage: cargo xtask setup [--build]"),
    }
    println!("setup: ready");
    Ok(ExitCode::SUCCESS)
}

/// Provides what compiling needs. Fails if something is still missing afterwards.
pub(crate) fn for_building() -> Result<()> {
    provide(&[Purpose::Building])
}

/// Provides what compiling and the tests need. A test tool that cannot be installed is reported, and the tests that
/// need it print `SKIPPED`. Tools for compiling and for the checks are required.
pub(crate) fn for_testing(workspace: &Workspace) -> Result<()> {
    provide(&[Purpose::Building, Purpose::Testing])?;
    fetched::toolchain_components()?;
    if let Err(error) = fetched::provide(workspace) {
        println!("setup: {error:#}");
    }
    Ok(())
}

fn provide(purposes: &[Purpose]) -> Result<()> {
    let missing = needs::missing(purposes);
    if missing.is_empty() {
        return Ok(());
    }
    println!("setup: missing: {}", names(&missing));
    if apt::is_here() {
        apt::install(&missing)?;
    }
    let still = needs::missing(purposes);
    for need in &still {
        println!("setup: still missing: {}. {}", need.name, need.advice());
    }
    let (building, testing): (Vec<_>, Vec<_>) = still.into_iter().partition(|need| need.purpose == Purpose::Building);
    if !testing.is_empty() {
        println!("setup: tests that need {} will be skipped", names(&testing));
    }
    if !building.is_empty() {
        bail!("cannot build without {}", names(&building));
    }
    Ok(())
}

fn names(needs: &[&Need]) -> String {
    needs.iter().map(|need| need.name).collect::<Vec<_>>().join(", ")
}
