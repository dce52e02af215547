//! Installation on Debian, Ubuntu and derivatives.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::needs::Need;
use crate::command;

/// The pause before the second attempt, for temporary failures of mirrors.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Packages with a service of the same name, which Debian starts on installation.
const SERVERS: [&str; 3] = ["coturn", "nginx", "caddy"];

/// Whether this machine has apt.
pub(crate) fn is_here() -> bool {
    command::find("apt-get").is_some()
}

/// Updates the package lists and installs the packages of the missing needs. The caller checks again which needs are
/// still missing, because apt may lack a package or fail to install it. An error means that apt itself could not be
/// used.
pub(crate) fn install(missing: &[&Need]) -> Result<()> {
    if !may_install() {
        bail!(
            "not root and no sudo: as root, run: apt-get update && apt-get install {}",
            first_choices(missing).join(" ")
        );
    }
    if !twice(RETRY_AFTER, || apt_get(&["update"])) {
        println!("setup: apt-get update failed; continuing with the existing lists");
    }
    let packages: Vec<&str> = missing.iter().filter_map(|need| available(need)).collect();
    if packages.is_empty() {
        return Ok(());
    }
    println!("setup: apt-get install {}", packages.join(" "));
    if !twice(RETRY_AFTER, || install_packages(&packages)) {
        // One package that cannot be installed must not prevent the others.
        for package in &packages {
            install_packages(std::slice::from_ref(package));
        }
    }
    keep_quiet(&packages);
    Ok(())
}

fn first_choices(missing: &[&Need]) -> Vec<&'static str> {
    missing.iter().filter_map(|need| need.apt.first().copied()).collect()
}

/// The first of the need's packages that this release has.
fn available(need: &Need) -> Option<&'static str> {
    need.apt.iter().copied().find(|package| {
        let policy = command::program("apt-cache").args(["policy", package]).env("LC_ALL", "C").output();
        policy.is_ok_and(|said| has_candidate(&String::from_utf8_lossy(&said.stdout)))
    })
}

/// Whether `apt-cache policy` names a version that can be installed.
fn has_candidate(policy: &str) -> bool {
    policy
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Candidate:"))
        .any(|version| !version.trim().is_empty() && version.trim() != "(none)")
}

fn install_packages(packages: &[&str]) -> bool {
    let mut arguments = vec!["install", "--yes", "--no-install-recommends", "-q", "-o", "Acquire::Retries=3"];
    arguments.extend(packages);
    apt_get(&arguments)
}

/// Runs apt-get. Its output is long, so it is printed only on failure.
fn apt_get(arguments: &[&str]) -> bool {
    let mut apt = as_root();
    // Without systemd, packages start no services in runlevel 1.
    apt.args(["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "-o", "DPkg::Lock::Timeout=120"])
        .args(arguments);
    match apt.output().context("apt-get") {
        Ok(done) if done.status.success() => true,
        Ok(done) => {
            let said = [done.stdout, done.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            let last: Vec<&str> = said.lines().rev().take(15).collect();
            println!("setup: apt-get {} failed:", arguments[0]);
            last.iter().rev().for_each(|line| println!("    {line}"));
            false
        }
        Err(error) => {
            println!("setup: {error:#}");
            false
        }
    }
}

/// Stops the servers that Debian starts on installation. The tests start their own.
fn keep_quiet(installed: &[&str]) {
    let started = SERVERS.iter().filter(|server| installed.contains(server));
    if Path::new("/run/systemd/system").exists() {
        for server in started {
            let _ = as_root().args(["systemctl", "disable", "--now", server]).output();
        }
    }
}

fn twice(pause: Duration, mut attempt: impl FnMut() -> bool) -> bool {
    attempt() || {
        thread::sleep(pause);
        attempt()
    }
}

fn may_install() -> bool {
    is_root() || command::find("sudo").is_some()
}

/// A command prefix that runs as root: `sudo`, or a plain `env` if we are root already.
fn as_root() -> Command {
    if is_root() {
        let mut plain = command::program("env");
        plain.arg("--");
        plain
    } else {
        command::program("sudo")
    }
}

fn is_root() -> bool {
    command::program("id").arg("-u").output().is_ok_and(|said| said.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_without_a_version_is_unavailable() {
        assert!(has_candidate("chromium:\n  Installed: (none)\n  Candidate: 140.0-1\n"));
        assert!(!has_candidate("chromium:\n  Installed: (none)\n  Candidate: (none)\n"));
        assert!(!has_candidate(""));
    }

    #[test]
    fn an_installation_is_retried_once() {
        let tries_until = |success_at: u32| {
            let mut tries = 0;
            let done = twice(Duration::ZERO, || {
                tries += 1;
                tries == success_at
            });
            (done, tries)
        };
        assert_eq!(tries_until(1), (true, 1));
        assert_eq!(tries_until(2), (true, 2));
        assert_eq!(tries_until(3), (false, 2));
    }
}
