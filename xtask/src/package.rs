//! `cargo xtask package`: builds installers of the app for this platform with Tauri's bundler, and on Linux a package of
//! the server.
//!
//! On Linux it builds .deb and .rpm. The metadata for Windows (NSIS) and macOS (usage strings, entitlements) is in
//! `src-tauri`, but those packages have not been built yet.

mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{command, setup};

/// The version of Tauri's command, from its prebuilt npm package.
const CLI: &str = "@tauri-apps/cli";
const CLI_VERSION: &str = "2.12.5";

/// `cargo xtask package [app|server]`.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let (app, server) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => (true, cfg!(target_os = "linux")),
        ["app"] => (true, false),
        ["server"] => (false, true),
        _ => bail!("usage: cargo xtask package [app|server]"),
    };
    if server {
        show(&server::build(workspace)?)?;
    }
    if app {
        package_app(workspace)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn package_app(workspace: &Workspace) -> Result<()> {
    setup::for_building()?;
    let cli = tauri_cli(workspace)?;
    let bundles = if cfg!(target_os = "linux") {
        "deb,rpm"
    } else if cfg!(windows) {
        "nsis"
    } else {
        "app,dmg"
    };
    let tauri = || {
        let mut command = command::program("node");
        command.arg(&cli).current_dir(workspace.root.join("src-tauri"));
        command
    };
    println!("compiling for release; this takes minutes");
    command::run(tauri().args(["build", "--ci", "--no-bundle"]))?;
    let program = workspace.target.join("release").join("lunchroom");
    if cfg!(unix) {
        // Users do not need debug information. Cargo's own `strip` setting would compile everything again.
        command::run(command::program("strip").arg(&program))?;
    }
    let libraries = libraries(&program);
    command::run(tauri().args(["bundle", "--ci", "--bundles", bundles, "--config", &libraries.config()]))?;
    packages(&workspace.target.join("release/bundle"))?.iter().try_for_each(|package| show(package))
}

fn show(package: &Path) -> Result<()> {
    println!("{} ({:.1} MB)", package.display(), fs::metadata(package)?.len() as f64 / 1e6);
    Ok(())
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
        bail!("{} is missing", program.display());
    }
    Ok(program)
}

/// The installed libvpx. Its name differs between releases of a system, and the packages must depend on the one that
/// was linked.
#[derive(Debug, Default, PartialEq, Eq)]
struct Libraries {
    /// `libvpx.so.7`.
    soname: Option<String>,
    /// `libvpx7`.
    debian: Option<String>,
}

fn libraries(program: &Path) -> Libraries {
    let Ok(said) = command::output(command::program("ldd").arg(program)) else { return Libraries::default() };
    let Some((soname, file)) = linked(&said, "libvpx.so") else { return Libraries::default() };
    // Resolves links first: dpkg may list the file under another path than the linker's (merged /usr).
    let real = fs::canonicalize(&file).unwrap_or_else(|_| file.clone().into());
    let owner = command::program("dpkg").arg("-S").arg(real).output().ok();
    let owner = owner.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
    let debian = owner.split(':').next().filter(|name| !name.is_empty()).map(str::to_owned);
    Libraries { soname: Some(soname), debian }
}

/// The name and the file of a library in the output of `ldd`.
fn linked(ldd: &str, library: &str) -> Option<(String, String)> {
    let line = ldd.lines().map(str::trim).find(|line| line.starts_with(library))?;
    let (soname, rest) = line.split_once(" => ")?;
    Some((soname.to_owned(), rest.split_whitespace().next()?.to_owned()))
}

impl Libraries {
    /// The overrides of `tauri.conf.json`. Lists replace the lists there. `desktop-file-utils` registers the program as
    /// the handler of our links when the package is installed.
    fn config(&self) -> String {
        let deb = ["desktop-file-utils", "libasound2 | libasound2t64", "libdbus-1-3", "libstdc++6"]
            .into_iter()
            .chain(self.debian.as_deref());
        let rpm = self.soname.iter().map(|soname| format!("{soname}()(64bit)"));
        let linux = serde_json::json!({
            "deb": { "depends": deb.collect::<Vec<_>>() },
            "rpm": { "depends": rpm.chain(["libasound.so.2()(64bit)", "desktop-file-utils"].map(str::to_owned)).collect::<Vec<_>>() },
        });
        serde_json::json!({ "bundle": { "linux": linux } }).to_string()
    }
}

/// The packages in the bundler's folders.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_depend_on_the_linked_library() {
        let ldd = "\tlinux-vdso.so.1 (0x1)\n\tlibvpx.so.7 => /lib/x86_64-linux-gnu/libvpx.so.7 (0x2)\n";
        let found = linked(ldd, "libvpx.so");
        assert_eq!(found, Some(("libvpx.so.7".into(), "/lib/x86_64-linux-gnu/libvpx.so.7".into())));
        let libraries = Libraries { soname: Some("libvpx.so.7".into()), debian: Some("libvpx7".into()) };
        let config = libraries.config();
        assert!(config.contains("\"libvpx7\"") && config.contains("libvpx.so.7()(64bit)"), "{config}");
        assert_eq!(linked("\tlibc.so.6 => /lib/libc.so.6 (0x1)", "libvpx.so"), None);
    }
}
