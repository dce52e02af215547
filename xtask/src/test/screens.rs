//! The tests of the app's screens: node's own test runner with headless Chromium.

use std::process::Stdio;

use anyhow::Result;

use super::tally::{SKIP_MARK, Tally};
use crate::command;
use crate::workspace::Workspace;

/// What the tests import beside node's own modules.
const MODULES: &[&str] = &["puppeteer-core", "axe-core"];

/// Runs `tests/browser/ui`. What failed is printed; everything is in `target/xtask/screens.log`.
pub(crate) fn run(workspace: &Workspace) -> Result<Tally> {
    let folder = workspace.root.join("tests/browser");
    let modules = MODULES.iter().all(|module| folder.join("node_modules").join(module).is_dir());
    let chromium = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(command::find);
    let (true, Some(_), Some(chromium)) = (modules, command::find("node"), chromium) else {
        println!("{SKIP_MARK}: no node, Chromium or modules for it; see setup above");
        return Ok(Tally { skipped: 1, ..Tally::default() });
    };
    let output = command::program("node")
        .args(["--test", "--test-reporter=tap"])
        .arg(folder.join("ui/test.mjs"))
        .env("CHROMIUM", chromium)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    std::fs::create_dir_all(workspace.reports())?;
    std::fs::write(workspace.reports().join("screens.log"), text.as_bytes())?;
    text.lines().filter(|line| is_failure(line)).for_each(|line| println!("{}", line.trim()));
    Ok(count(&text, output.status.success()))
}

fn is_failure(line: &str) -> bool {
    line.trim_start().starts_with("not ok ")
}

/// The sums at the end of TAP as node prints it; a run that ended badly without saying what failed is a failure too.
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
    fn the_sums_of_tap_are_taken() {
        let tap = "ok 1 - a\n# tests 5\n# pass 3\n# fail 1\n# cancelled 0\n# skipped 1\n# todo 0\n# duration_ms 5\n";
        assert_eq!(count(tap, false), Tally { passed: 3, failed: 1, skipped: 1 });
    }

    #[test]
    fn a_run_that_says_nothing_or_ends_badly_has_failed() {
        assert_eq!(count("", true).failed, 1);
        assert_eq!(count("# pass 3\n# fail 0\n", false).failed, 1);
        assert_eq!(count("# pass 3\n# fail 0\n", true), Tally { passed: 3, failed: 0, skipped: 0 });
    }
}
