//! `cargo xtask package`: installers of this machine's kind, by Tauri's bundler.
//!
//! On Linux .deb and .rpm. The metadata for Windows (NSIS) and macOS (usage strings, entitlements) is in `src-tauri`,
//! and nobody has built those yet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{command, setup};

/// The release of Tauri's command, by its prebuilt npm package.
const CLI: &str = "@tauri-apps/cli";
const CLI_VERSION: &str = "2.12.5";

/// `cargo xtask package`.
pub(crate) fn main(workspace: &Workspace) -> Result<ExitCode> {
    setup::for_building()?;
    let cli = tauri_cli(workspace)?;
    let bundles = if cfg!(target_os = "linux") {
        "deb,rpm"
    } else if cfg!(windows) {
        "nsis"
    } else {
        "app,dmg"
    };
    println!("compiling for release; this takes minutes");
    command::run(
        command::program("node")
            .arg(cli)
            .args(["build", "--ci", "--bundles", bundles])
            // Debug information is for us, not for everybody's disk.
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
            .current_dir(workspace.root.join("src-tauri")),
    )?;
    for package in packages(&workspace.target.join("release/bundle"))? {
        println!("{} ({:.1} MB)", package.display(), fs::metadata(&package)?.len() as f64 / 1e6);
    }
    Ok(ExitCode::SUCCESS)
}

fn tauri_cli(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.tools().join(format!("tauri-cli-{CLI_VERSION}"));
    let program = folder.join("node_modules").join(CLI).join("tauri.js");
    if !program.is_file() {
        println!("fetching {CLI} {CLI_VERSION}");
        fs::create_dir_all(&folder)?;
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        let package = format!("{CLI}@{CLI_VERSION}");
        let arguments = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix"];
        command::run(command::program(npm).args(arguments).arg(&folder).arg(package))?;
    }
    if !program.is_file() {
        bail!("{} is not there", program.display());
    }
    Ok(program)
}

/// What was bundled: files in the folders of the kinds.
fn packages(folder: &Path) -> Result<Vec<PathBuf>> {
    const ENDINGS: [&str; 5] = ["deb", "rpm", "exe", "dmg", "app"];
    let mut found = vec![];
    for kind in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        for file in fs::read_dir(kind?.path())? {
            let file = file?.path();
            if file.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| ENDINGS.contains(&ending)) {
                found.push(file);
            }
        }
    }
    Ok(found)
}
