//! `cargo xtask package server`: the server as a Debian package.
//!
//! The program is in /usr/bin, its settings in /etc/lunchroom, its data in /var/lib/lunchroom, and it runs as a user of
//! its own. Upgrading and removing keep settings and data; purging deletes them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command;
use crate::workspace::Workspace;

const NAME: &str = "lunchroom-server";
const SETTINGS: &str = "etc/lunchroom/lunchroom-server.toml";
/// The line of the example that the package switches on.
const DATA_DIR: &str = "data-dir = \"/var/lib/lunchroom\"";
/// Scripts that dpkg runs.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Builds the package. Returns its path.
pub(super) fn build(workspace: &Workspace) -> Result<PathBuf> {
    if command::find("dpkg-deb").is_none() {
        bail!("the server's package needs dpkg-deb, which Debian and Ubuntu have");
    }
    println!("compiling the server for release; this takes minutes");
    let arguments = ["build", "--release", "--locked", "--package", "server"];
    command::run(command::cargo().args(arguments).current_dir(&workspace.root))?;
    let folder = workspace.target.join("release/server-package");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let tree = folder.join("tree");
    stage(&workspace.root, &workspace.target.join("release").join(NAME), &tree)?;
    let program = tree.join("usr/bin").join(NAME);
    command::run(command::program("strip").arg(&program))?;
    let architecture = command::output(command::program("dpkg").arg("--print-architecture"))?.trim().to_owned();
    let version = version(&workspace.root)?;
    let control = control(&version, &architecture, &libraries(&folder, &program)?);
    fs::write(tree.join("DEBIAN/control"), control)?;
    let package = folder.join(format!("{NAME}_{version}_{architecture}.deb"));
    command::run(
        command::program("dpkg-deb").args(["--root-owner-group", "-Zxz", "--build"]).arg(&tree).arg(&package),
    )?;
    fs::remove_dir_all(&tree)?;
    Ok(package)
}

/// Lays out the package's files, without `control`.
fn stage(root: &Path, program: &Path, tree: &Path) -> Result<()> {
    let package = root.join("crates/server/package");
    let example = fs::read_to_string(root.join("crates/server/lunchroom-server.toml"))?;
    put(tree, &format!("usr/bin/{NAME}"), &fs::read(program).with_context(|| program.display().to_string())?, 0o755)?;
    let unit = format!("{NAME}.service");
    put(tree, &format!("lib/systemd/system/{unit}"), &fs::read(package.join(&unit))?, 0o644)?;
    put(tree, SETTINGS, settings(&example)?.as_bytes(), 0o640)?;
    let documents = [("hosting.md", "docs"), ("grafana-dashboard.json", "docs"), ("CHANGELOG.md", ".")];
    for (file, folder) in documents {
        put(tree, &format!("usr/share/doc/{NAME}/{file}"), &fs::read(root.join(folder).join(file))?, 0o644)?;
    }
    let licences = [fs::read(root.join("LICENSE-MIT"))?, b"\n\n".to_vec(), fs::read(root.join("LICENSE-APACHE"))?];
    put(tree, &format!("usr/share/doc/{NAME}/copyright"), &licences.concat(), 0o644)?;
    // dpkg asks before it replaces changed settings.
    put(tree, "DEBIAN/conffiles", format!("/{SETTINGS}\n").as_bytes(), 0o644)?;
    for script in SCRIPTS {
        put(tree, &format!("DEBIAN/{script}"), &fs::read(package.join(script))?, 0o755)?;
    }
    Ok(())
}

/// The example of all settings, with the data folder of the package.
fn settings(example: &str) -> Result<String> {
    let off = format!("\n#{DATA_DIR}\n");
    if !example.contains(&off) {
        bail!("lunchroom-server.toml has no line #{DATA_DIR}");
    }
    Ok(example.replacen(&off, &format!("\n{DATA_DIR}\n"), 1))
}

fn control(version: &str, architecture: &str, libraries: &str) -> String {
    format!(
        "Package: {NAME}\nVersion: {version}\nArchitecture: {architecture}\nSection: net\nPriority: optional\n\
         Maintainer: The Lunchroom authors <lunchroom@example.org>\nDepends: adduser, {libraries}\n\
         Description: server of Lunchroom, video calls for people who eat together\n \
         Rooms, the lunch board, signalling, and STUN and TURN over UDP, TCP and TLS\n in one program. \
         Settings are in /etc/lunchroom, data is in /var/lib/lunchroom.\n"
    )
}

/// The packages of the linked libraries, as `dpkg-shlibdeps` finds them.
fn libraries(folder: &Path, program: &Path) -> Result<String> {
    // It reads the name of the source from here.
    put(folder, "debian/control", format!("Source: {NAME}\n\nPackage: {NAME}\nArchitecture: any\n").as_bytes(), 0o644)?;
    let said = command::output(
        command::program("dpkg-shlibdeps").args(["-O", "--ignore-missing-info"]).arg(program).current_dir(folder),
    )?;
    fs::remove_dir_all(folder.join("debian"))?;
    let depends = said.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    Ok(depends.context("dpkg-shlibdeps named no library")?.to_owned())
}

fn version(root: &Path) -> Result<String> {
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let line = manifest.lines().find_map(|line| line.strip_prefix("version = \""));
    Ok(line.and_then(|rest| rest.split('"').next()).context("Cargo.toml names no version")?.to_owned())
}

fn put(tree: &Path, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
    let file = tree.join(path);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&file, bytes).with_context(|| file.display().to_string())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&file, fs::Permissions::from_mode(mode))?;
    }
    #[cfg(not(unix))]
    let _ = mode;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> PathBuf {
        Workspace::find().unwrap().root
    }

    fn staged(name: &str) -> PathBuf {
        let tree = std::env::temp_dir().join(format!("lunchroom-package-{}-{name}", std::process::id()));
        let program = tree.join("program");
        put(&tree, "program", b"no real program", 0o755).unwrap();
        stage(&root(), &program, &tree).unwrap();
        tree
    }

    #[test]
    fn the_unit_starts_what_the_package_contains() {
        let tree = staged("unit");
        let unit = fs::read_to_string(tree.join("lib/systemd/system/lunchroom-server.service")).unwrap();
        let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/")).unwrap();
        let (program, settings) = start.split_once(" --config /").unwrap();
        assert!(tree.join(program).is_file() && tree.join(settings).is_file(), "{start}");
        assert!(unit.contains("StateDirectory=lunchroom\n"));
        fs::remove_dir_all(&tree).unwrap();
    }

    #[test]
    fn settings_are_kept_by_upgrades_and_name_the_data_folder() {
        let tree = staged("settings");
        let kept = fs::read_to_string(tree.join("DEBIAN/conffiles")).unwrap();
        assert_eq!(kept.trim(), format!("/{SETTINGS}"));
        let settings = fs::read_to_string(tree.join(SETTINGS)).unwrap();
        let active: Vec<&str> = settings.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert_eq!(active, [DATA_DIR]);
        assert!(super::settings("no such line").is_err());
        fs::remove_dir_all(&tree).unwrap();
    }

    #[test]
    fn the_scripts_are_shell() {
        let folder = root().join("crates/server/package");
        for script in SCRIPTS {
            let mut check = command::program("sh");
            assert!(command::succeeds(check.arg("-n").arg(folder.join(script))), "{script}");
        }
    }

    #[test]
    fn a_version_and_dependencies_are_stated() {
        let version = version(&root()).unwrap();
        assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{version}");
        let control = control(&version, "amd64", "libc6 (>= 2.34)");
        assert!(control.contains("\nDepends: adduser, libc6 (>= 2.34)\n") && control.ends_with(".\n"), "{control}");
        assert!(
            control.lines().skip_while(|line| !line.starts_with("Description")).skip(1).all(|l| l.starts_with(' '))
        );
    }
}
