//! `cargo xtask test`: everything that must pass before a change is accepted. CI runs exactly this.

mod follow;
mod screens;
mod suite;
mod tally;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tally::Tally;

use crate::workspace::Workspace;
use crate::{command, setup, tidy};

/// A check besides the tests, which passes or fails as a whole.
struct Check {
    name: &'static str,
    run: fn(&Workspace) -> Result<Outcome>,
}

/// The result of a check that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// Its tool is not installed.
    Skipped,
}

/// The checks, the quick ones first.
const CHECKS: &[Check] = &[
    Check { name: "tidy", run: |workspace| tidy::check(workspace).map(|()| Outcome::Passed) },
    Check { name: "fmt", run: fmt },
    Check { name: "deny", run: deny },
    Check { name: "types of the JavaScript", run: types },
    Check { name: "clippy", run: clippy },
];

/// `cargo xtask test`. Every check runs, even after a failure. The last line is the sum of all.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    if !arguments.is_empty() {
        bail!("usage: cargo xtask test");
    }
    let start = Instant::now();
    step("setup", || setup::for_testing(workspace))?;
    let mut sum = Tally::default();
    for check in CHECKS {
        match step(check.name, || (check.run)(workspace)) {
            Ok(Outcome::Passed) => sum.passed += 1,
            Ok(Outcome::Skipped) => sum.skipped += 1,
            Err(_) => sum.failed += 1,
        }
    }
    for (name, run) in [("tests", suite::run as fn(&Workspace) -> Result<Tally>), ("screens", screens::run)] {
        let tests = step(name, || run(workspace)).unwrap_or(Tally { failed: 1, ..Tally::default() });
        println!("== {name}: {tests}");
        sum += tests;
    }
    println!("== everything took {}", seconds(start.elapsed()));
    let good = verdict(&sum, strict());
    println!("{sum}");
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the run is successful. With `CI=true`, a skipped test counts as a failure, because nobody would notice it.
fn verdict(sum: &Tally, strict: bool) -> bool {
    if strict && sum.skipped > 0 {
        println!("== with CI=true nothing may be skipped");
    }
    sum.failed == 0 && !(strict && sum.skipped > 0)
}

fn strict() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}

fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("== {name}");
    let start = Instant::now();
    let done = work();
    let took = seconds(start.elapsed());
    match &done {
        Ok(_) => println!("== {name}: done in {took}"),
        Err(error) => println!("== {name}: FAILED in {took}: {error:#}"),
    }
    done
}

fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// The cargo for checks and tests. CI builds everything only once, so it disables incremental compilation, whose files
/// would be half of what is written.
fn cargo() -> Command {
    let mut cargo = command::cargo();
    if strict() {
        cargo.env("CARGO_INCREMENTAL", "0");
    }
    cargo
}

fn fmt(workspace: &Workspace) -> Result<Outcome> {
    pass(cargo().args(["fmt", "--all", "--check"]).current_dir(&workspace.root))
}

fn clippy(workspace: &Workspace) -> Result<Outcome> {
    let arguments = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    pass(cargo().args(arguments).current_dir(&workspace.root))
}

/// Checks the types in the JSDoc comments with TypeScript. Nothing is compiled.
fn types(workspace: &Workspace) -> Result<Outcome> {
    let folder = workspace.root.join("tests/browser");
    let compiler = folder.join("node_modules/typescript/bin/tsc");
    if !compiler.is_file() || command::find("node").is_none() {
        println!("{}: no TypeScript; see setup above", tally::SKIP_MARK);
        return Ok(Outcome::Skipped);
    }
    pass(command::program("node").arg(compiler).arg("--project").arg(folder))
}

/// Checks licences, sources and bans. Advisories are excluded: they need a download from outside the registry, and a
/// new advisory would fail old code.
fn deny(workspace: &Workspace) -> Result<Outcome> {
    let Some(program) = setup::cargo_deny(workspace) else { bail!("cargo-deny is missing; see setup above") };
    let arguments = ["--log-level=error", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    pass(command::program(program).args(arguments).current_dir(&workspace.root))
}

fn pass(command: &mut Command) -> Result<Outcome> {
    command::run(command).map(|()| Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_pass_only_without_strict_mode() {
        let skipped = Tally { passed: 3, failed: 0, skipped: 1 };
        assert!(verdict(&skipped, false));
        assert!(!verdict(&skipped, true));
    }

    #[test]
    fn failures_never_pass() {
        let failed = Tally { passed: 3, failed: 1, skipped: 0 };
        assert!(!verdict(&failed, false));
        assert!(!verdict(&failed, true));
        assert!(verdict(&Tally { passed: 3, failed: 0, skipped: 0 }, true));
    }
}
