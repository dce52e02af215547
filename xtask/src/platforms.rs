//! `cargo xtask check-platforms`: type-checks the whole project for Windows and macOS, on Debian 12. Nothing is linked or
//! run.
//!
//! cargo builds the standard library of these systems from source, which Debian's newest Rust has. Its packages are
//! unpacked under `target/`, because they conflict with an installed Rust. MinGW compiles C and C++ for Windows; Zig,
//! from PyPI, compiles them for macOS.
//!
//! Two things are not what a real build has, and neither leaves `target/`: the interface of libvpx is read from this
//! machine's headers, and the Objective-C of one dependency (notifications on macOS) is not compiled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::workspace::Workspace;

/// Debian's newest Rust, and the libraries that it needs.
const RUST: [&str; 11] = [
    "cargo-web",
    "rustc-web",
    "libstd-rust-web-dev",
    "libstd-rust-web-1.96",
    "rust-web-src",
    "libllvm22",
    "libgit2-1.5",
    "libmbedtls14",
    "libmbedx509-1",
    "libmbedcrypto7",
    "libhttp-parser2.9",
];
/// The package on PyPI. It contains Apple's C headers, but no frameworks.
const ZIG: &str = "ziglang==0.17.1";

/// Calls Zig as a C compiler for macOS, without Apple's own options, which state what `-target` says. Objective-C needs the
/// headers of Apple's frameworks, so an empty file is compiled in its place: nothing is linked.
const ZIG_WRAPPER: &str = r#"#!/bin/sh
skip=
for argument do
    shift
    if [ -n "$skip" ]; then skip=; continue; fi
    case $argument in
        -arch) skip=yes ;;
        --target=*|-mmacosx-version-min=*) ;;
        *.m|*.mm) set -- "$@" -x c /dev/null ;;
        *) set -- "$@" "$argument" ;;
    esac
done
exec "ZIG" LANGUAGE -target aarch64-macos "$@"
"#;

const NETWORK: &[&str] = &[
    "signaling",
    "rooms",
    "relay",
    "sfu",
    "layers",
    "transport",
    "media",
    "call",
    "files",
    "e2ee",
    "outbound",
    "doctor",
    "peer",
    "server",
];
const MEDIA: &[&str] = &["codecs", "devices", "engine", "cli"];
const APP: &[&str] = &["lunchroom"];

/// A system, and the crates to check for it. Each group imports the one before, so an error is found early.
struct Platform {
    name: &'static str,
    target: &'static str,
    groups: &'static [&'static [&'static str]],
}

const PLATFORMS: [Platform; 2] = [
    Platform { name: "windows", target: "x86_64-pc-windows-gnu", groups: &[NETWORK, MEDIA, APP] },
    Platform { name: "macos", target: "aarch64-apple-darwin", groups: &[NETWORK, MEDIA, APP] },
];

/// `cargo xtask check-platforms [windows|macos]`.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let wanted = chosen(arguments)?;
    if let Some(missing) = missing(&wanted) {
        bail!("{missing}");
    }
    let folder = workspace.tools().join("platforms");
    let tools = Tools { rust: rust(&folder)?, folder, vpx: vpx()? };
    for platform in wanted {
        let start = Instant::now();
        platform.groups.iter().try_for_each(|crates| tools.check(workspace, platform, crates))?;
        let crates = platform.groups.concat().join(" ");
        println!("{}: checked in {} s: {crates}", platform.name, start.elapsed().as_secs());
    }
    println!("Types only: nothing was linked or run, and tests were not checked.");
    Ok(ExitCode::SUCCESS)
}

fn chosen(arguments: &[String]) -> Result<Vec<&'static Platform>> {
    match arguments {
        [] => Ok(PLATFORMS.iter().collect()),
        [name] => {
            let found = PLATFORMS.iter().find(|platform| platform.name == name);
            Ok(vec![found.with_context(|| format!("no such platform: {name}; there are windows and macos"))?])
        }
        _ => bail!("usage: cargo xtask check-platforms [windows|macos]"),
    }
}

/// What to install, if programs are missing.
fn missing(platforms: &[&Platform]) -> Option<String> {
    let windows = platforms.iter().any(|platform| platform.name == "windows");
    let macos = platforms.iter().any(|platform| platform.name == "macos");
    let needs = [
        ("apt-get", "Debian 12, whose packages this command uses", true),
        ("cmake", "cargo xtask setup --build", true),
        ("nasm", "cargo xtask setup --build", true),
        ("pkg-config", "cargo xtask setup --build", true),
        ("x86_64-w64-mingw32-g++", "apt-get install gcc-mingw-w64-x86-64-win32 g++-mingw-w64-x86-64-win32", windows),
        ("pip3", "apt-get install python3-pip", macos),
    ];
    let lacks = needs.iter().filter(|(program, _, needed)| *needed && command::find(program).is_none());
    let lines: Vec<String> = lacks.map(|(program, how, _)| format!("{program} is missing: {how}")).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Downloads and unpacks Debian's Rust. Returns its folder.
fn rust(folder: &Path) -> Result<PathBuf> {
    let rust = folder.join("rust");
    if !rust.is_dir() {
        println!("fetching Debian's newest Rust with its source (145 MB) into {}", rust.display());
        let packages = folder.join("packages");
        fs::create_dir_all(&packages)?;
        let download = command::run(command::program("apt-get").arg("download").args(RUST).current_dir(&packages));
        download.context("run `apt-get update` first; Debian 12's security archive has these packages")?;
        // Renamed only when complete, so that an interruption leaves no half of it.
        let part = folder.join("rust.part");
        for package in fs::read_dir(&packages)? {
            command::run(command::program("dpkg-deb").arg("--extract").arg(package?.path()).arg(&part))?;
        }
        fs::rename(&part, &rust)?;
        fs::remove_dir_all(&packages)?;
    }
    Ok(rust.join("usr"))
}

/// The folder of libvpx's headers and its version on this machine.
fn vpx() -> Result<(PathBuf, String)> {
    let ask = |what: &str| command::output(command::program("pkg-config").args([what, "vpx"]));
    let folder = ask("--variable=includedir").context("libvpx's headers are missing: cargo xtask setup --build")?;
    Ok((PathBuf::from(folder.trim()), ask("--modversion")?.trim().to_owned()))
}

struct Tools {
    folder: PathBuf,
    rust: PathBuf,
    vpx: (PathBuf, String),
}

impl Tools {
    fn check(&self, workspace: &Workspace, platform: &Platform, crates: &[&str]) -> Result<()> {
        println!("{}: {}", platform.name, crates.join(" "));
        let mut cargo = command::program(self.rust.join("bin/cargo"));
        cargo.args(["check", "--locked", "--target", platform.target, "-Zbuild-std=std,panic_abort,panic_unwind"]);
        // The usual settings of dependencies would compile their C code for speed.
        cargo.args(["--config", "profile.dev.package.\"*\".opt-level=0", "--config", "profile.dev.debug=false"]);
        cargo.args(crates.iter().flat_map(|name| ["--package", name]));
        self.environment(&mut cargo, workspace, platform)?;
        command::run(&mut cargo)
    }

    fn environment(&self, cargo: &mut Command, workspace: &Workspace, platform: &Platform) -> Result<()> {
        let libraries = [self.rust.join("lib/x86_64-linux-gnu"), self.rust.join("lib")];
        cargo.current_dir(&workspace.root);
        cargo.env("LD_LIBRARY_PATH", std::env::join_paths(libraries)?);
        cargo.env("RUSTC", self.rust.join("bin/rustc")).env("RUSTC_BOOTSTRAP", "1");
        cargo.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
        cargo.env("CARGO_TARGET_DIR", workspace.target.join("platforms"));
        // Only libvpx's headers are read, because nothing is linked.
        let headers = self.vpx_headers()?;
        cargo.env("VPX_LIB_DIR", &headers).env("VPX_INCLUDE_DIR", &headers).env("VPX_VERSION", &self.vpx.1);
        cargo.env("PKG_CONFIG_ALLOW_CROSS", "1");
        let suffix = platform.target.replace('-', "_");
        let system =
            if platform.name == "macos" { self.zig(cargo, &suffix)? } else { "/usr/x86_64-w64-mingw32/include".into() };
        cargo.env(format!("BINDGEN_EXTRA_CLANG_ARGS_{suffix}"), format!("-isystem {}", system.display()));
        Ok(())
    }

    /// A folder with libvpx's headers and no others: those beside them are of this system.
    fn vpx_headers(&self) -> Result<PathBuf> {
        let folder = self.folder.join("headers");
        fs::create_dir_all(folder.join("vpx"))?;
        for file in fs::read_dir(self.vpx.0.join("vpx"))? {
            let file = file?;
            fs::copy(file.path(), folder.join("vpx").join(file.file_name()))?;
        }
        Ok(folder)
    }

    /// Fetches Zig and names it to build scripts as the compiler. Returns the folder of Apple's C headers.
    fn zig(&self, cargo: &mut Command, suffix: &str) -> Result<PathBuf> {
        let folder = self.folder.join("zig");
        if !folder.is_dir() {
            println!("fetching {ZIG} (90 MB) into {}", folder.display());
            let part = self.folder.join("zig.part");
            let mut pip = command::program("pip3");
            pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]);
            command::run(pip.arg(&part).arg(ZIG))?;
            fs::rename(&part, &folder)?;
        }
        let zig = folder.join("ziglang/zig");
        for (language, variable) in [("cc", "CC"), ("c++", "CXX")] {
            let wrapper = self.folder.join(format!("zig-{language}"));
            let text = ZIG_WRAPPER.replace("ZIG", &zig.display().to_string()).replace("LANGUAGE", language);
            fs::write(&wrapper, text)?;
            command::run(command::program("chmod").arg("+x").arg(&wrapper))?;
            cargo.env(format!("{variable}_{suffix}"), wrapper);
        }
        Ok(folder.join("ziglang/lib/libc/include/any-darwin-any"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_that_people_get_is_checked() {
        let root = Workspace::find().unwrap().root;
        let checked = PLATFORMS[0].groups.concat();
        for folder in fs::read_dir(root.join("crates")).unwrap() {
            let name = folder.unwrap().file_name().into_string().unwrap();
            assert!(name == "testkit" || checked.contains(&name.as_str()), "{name}");
        }
    }

    #[test]
    fn an_unknown_platform_is_refused() {
        let names = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            chosen(&arguments).ok().map(|found| found.iter().map(|platform| platform.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]), Some(vec!["windows", "macos"]));
        assert_eq!(names(&["macos"]), Some(vec!["macos"]));
        assert_eq!(names(&["amiga"]), None);
        assert_eq!(names(&["macos", "windows"]), None);
    }
}
