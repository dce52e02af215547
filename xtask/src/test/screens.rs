//! Tests of the app's screens and of the browser's half of the protocol. They use node's own test runner, and headless
//! Chromium for the screens.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::follow::{self, Patience};
use super::tally::{SKIP_MARK, Tally};
use crate::command;
use crate::workspace::Workspace;

/// The modules that the tests import besides node's own.
const MODULES: &[&str] = &["puppeteer-core", "axe-core"];

/// The test files that take longest, which are started first. All others follow.
const LONG: &[&str] = &["layout.test.mjs", "screens.test.mjs", "door.test.mjs", "messages.test.mjs"];

/// The test files that are run after all others, one at a time: calls of several browsers, which need the whole machine.
const ALONE: &[&str] = &["forwarded.test.mjs"];

/// The tests take four minutes. If the browser does not work, every single test waits for it.
const PATIENCE: Patience = Patience { silence: Duration::from_secs(10 * 60), whole: Duration::from_secs(20 * 60) };

/// Lines of a failure that are printed, of node's description of it.
const FAILURE_LINES: usize = 20;

/// Runs the tests in `tests/browser/ui`. Failures are printed. The complete output is in `target/xtask/screens.log`.
pub(crate) fn run(workspace: &Workspace) -> Result<Tally> {
    let folder = workspace.root.join("tests/browser");
    let modules = MODULES.iter().all(|module| folder.join("node_modules").join(module).is_dir());
    let chromium = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(command::find);
    let (true, Some(_), Some(chromium)) = (modules, command::find("node"), chromium) else {
        println!("{SKIP_MARK}: no node, Chromium or modules for it; see setup above");
        return Ok(Tally { skipped: 1, ..Tally::default() });
    };
    std::fs::create_dir_all(workspace.reports())?;
    let log = workspace.reports().join("screens.log");
    let mut log = File::create(&log).with_context(|| log.display().to_string())?;
    let (alone, others): (Vec<_>, Vec<_>) = files(&folder.join("ui"))?.into_iter().partition(|file| is_run_alone(file));
    let mut tally = run_files(&chromium, &others, 2, &mut log)?;
    tally += run_files(&chromium, &alone, 1, &mut log)?;
    Ok(tally)
}

/// Runs these files, so many at the same time.
fn run_files(chromium: &Path, files: &[PathBuf], at_once: usize, log: &mut File) -> Result<Tally> {
    let mut tap = String::new();
    let mut node = command::program("node");
    node.args(["--test", "--test-reporter=tap"]).arg(format!("--test-concurrency={at_once}")).env("CHROMIUM", chromium);
    // A failed test leaves its page open, which must not keep the tests from ending. Node knows this from 20.14 on.
    if command::succeeds(command::program("node").args(["--test-force-exit", "--eval", "0"])) {
        node.arg("--test-force-exit");
    }
    node.args(files);
    let mut left = 0;
    let succeeded = follow::run(&mut node, PATIENCE, |line| {
        left = match is_failure(line) {
            true => FAILURE_LINES,
            false if line.trim() == "..." => 0,
            false => usize::saturating_sub(left, 1),
        };
        if left > 0 {
            println!("{line}");
        }
        tap.extend([line, "\n"]);
        writeln!(log, "{line}").context("screens.log")
    })?;
    Ok(count(&tap, succeeded))
}

/// The paths of all test files of this folder, in the order in which they are started.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".test.mjs") {
            names.push(name);
        }
    }
    names.sort_by_key(|name| (LONG.iter().position(|long| long == name).unwrap_or(LONG.len()), name.clone()));
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

fn is_run_alone(file: &Path) -> bool {
    ALONE.iter().any(|name| file.ends_with(name))
}

fn is_failure(line: &str) -> bool {
    line.trim_start().starts_with("not ok ")
}

/// Reads the sums at the end of node's TAP output. A run that failed without naming a failed test counts as a failure.
fn count(tap: &str, good: bool) -> Tally {
    let sum = |name: &str| {
        let mut lines =
            tap.lines().filter_map(|line| line.strip_prefix("# ")?.strip_prefix(name)?.trim().parse::<usize>().ok());
        lines.next_back().unwrap_or(0)
    };
    let mut tally = Tally {
        passed: sum("pass "),
        failed: sum("fail ") + sum("cancelled "),
        skipped: sum("skipped ") + sum("todo "),
    };
    let silent = tally.passed == 0;
    if tally.failed == 0 && (silent || !good) {
        tally.failed = 1;
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_file_is_run_and_the_long_ones_begin() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/browser/ui");
        let files = files(&folder).expect("the folder");
        assert!(files.iter().zip(LONG).all(|(file, long)| file.ends_with(long)), "{files:?}");
        assert!(files.iter().any(|file| file.ends_with("order.test.mjs")), "{files:?}");
        assert_eq!(files.iter().filter(|file| is_run_alone(file)).count(), ALONE.len(), "{files:?}");
        assert!(!files.iter().any(|file| file.ends_with("scenes.mjs")), "{files:?}");
    }

    #[test]
    fn tap_totals_are_parsed() {
        let tap = "ok 1 - a\n# tests 5\n# pass 3\n# fail 1\n# cancelled 0\n# skipped 1\n# todo 0\n# duration_ms 5\n";
        assert_eq!(count(tap, false), Tally { passed: 3, failed: 1, skipped: 1 });
    }

    #[test]
    fn a_silent_or_failing_run_has_failed() {
        assert_eq!(count("", true).failed, 1);
        assert_eq!(count("# pass 3\n# fail 0\n", false).failed, 1);
        assert_eq!(count("# pass 3\n# fail 0\n", true), Tally { passed: 3, failed: 0, skipped: 0 });
    }
}
