//! Counts tests in the output of `cargo test`.

use std::fmt;
use std::ops::AddAssign;

/// The start of a line which reports that a test, or a part of it, was skipped, and why.
pub(crate) const SKIP_MARK: &str = "SKIPPED";

/// The numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// Ignored tests and lines that begin with [`SKIP_MARK`].
    pub(crate) skipped: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The current section of a test program's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// One line for each test, as they end.
    Running,
    /// The output of passed tests (`--show-output`).
    Passed,
    /// The output of failed tests.
    Failed,
}

/// Reads the output of `cargo test -- --show-output` line by line.
#[derive(Debug)]
pub(crate) struct Reader {
    part: Part,
    tally: Tally,
    /// Test programs that were started, and that reported a result.
    started: usize,
    ended: usize,
    /// Whether the test whose output is being read has already reported a skip.
    reported: bool,
    /// Skipped tests that libtest counts as passed, because it has no result for a skip.
    not_really_passed: usize,
}

impl Reader {
    pub(crate) fn new() -> Reader {
        Reader {
            part: Part::Running,
            tally: Tally::default(),
            started: 0,
            ended: 0,
            reported: false,
            not_really_passed: 0,
        }
    }

    /// Reads one line. Returns whether to show it.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        if line.starts_with(SKIP_MARK) {
            self.skip();
            return true;
        }
        if is_start(line) {
            self.started += 1;
            return true;
        }
        if let Some(result) = line.strip_prefix("test result: ") {
            self.ended += 1;
            self.part = Part::Running;
            self.tally += counts(result);
            return true;
        }
        self.turn(line);
        match self.part {
            Part::Running => !line.is_empty() && !is_routine(line),
            Part::Passed => false,
            Part::Failed => true,
        }
    }

    /// Returns the sum. A program that ended without a result has crashed, which counts as a failure, as does a run
    /// that failed without a failed test.
    pub(crate) fn finish(mut self, succeeded: bool) -> Tally {
        if !succeeded {
            self.tally.failed += self.started.saturating_sub(self.ended);
            self.tally.failed = self.tally.failed.max(1);
        }
        self.tally.passed = self.tally.passed.saturating_sub(self.not_really_passed);
        self.tally
    }

    fn skip(&mut self) {
        self.tally.skipped += 1;
        if self.part == Part::Passed && !self.reported {
            self.reported = true;
            self.not_really_passed += 1;
        }
    }

    fn turn(&mut self, line: &str) {
        match line {
            "successes:" => self.part = Part::Passed,
            "failures:" => self.part = Part::Failed,
            _ => {}
        }
        if line.starts_with("---- ") {
            self.reported = false;
        }
    }
}

/// `     Running unittests src/lib.rs (target/…)` or `   Doc-tests media`.
fn is_start(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("Running ") || line.starts_with("Doc-tests ")
}

fn is_routine(line: &str) -> bool {
    (line.starts_with("test ") && (line.ends_with("... ok") || line.ends_with("... ignored")))
        || (line.starts_with("running ") && line.ends_with(" tests") || line == "running 1 test")
        || line.trim_start().starts_with("Compiling ")
        || line.trim_start().starts_with("Download")
}

/// `ok. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s`
fn counts(result: &str) -> Tally {
    let count = |what: &str| {
        result
            .split([';', '.'])
            .find_map(|part| part.trim().strip_suffix(what)?.trim().parse::<usize>().ok())
            .unwrap_or(0)
    };
    Tally { passed: count("passed"), failed: count("failed"), skipped: count("ignored") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &str, succeeded: bool) -> Tally {
        let mut reader = Reader::new();
        for line in output.lines() {
            reader.line(line);
        }
        reader.finish(succeeded)
    }

    const GOOD: &str = "     Running unittests src/lib.rs (target/debug/deps/media-1)\n\nrunning 3 tests\n\
        test a ... ok\ntest b ... ok\ntest c ... ignored\n\nsuccesses:\n\n---- a stdout ----\n\
        SKIPPED a: no chromium\nSKIPPED a: no firefox\n\nsuccesses:\n    a\n    b\n\n\
        test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s\n";

    const BAD: &str = "     Running unittests src/lib.rs (target/debug/deps/call-1)\n\nrunning 2 tests\n\
        test a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\npanicked at 'x'\n\nfailures:\n    b\n\n\
        test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s\n";

    #[test]
    fn a_test_that_skips_is_not_counted_as_passed() {
        assert_eq!(read(GOOD, true), Tally { passed: 1, failed: 0, skipped: 3 });
    }

    #[test]
    fn failures_are_counted_over_all_programs() {
        let both = format!("{GOOD}{BAD}");
        assert_eq!(read(&both, false), Tally { passed: 2, failed: 1, skipped: 3 });
    }

    #[test]
    fn a_program_that_crashes_is_a_failure() {
        let crash =
            format!("{GOOD}     Running tests/x.rs (target/debug/deps/x-1)\n\nrunning 5 tests\ntest a ... ok\n");
        assert_eq!(read(&crash, false).failed, 1);
    }

    #[test]
    fn a_build_that_fails_is_a_failure() {
        assert_eq!(read("error[E0425]: cannot find value\n", false), Tally { passed: 0, failed: 1, skipped: 0 });
    }

    #[test]
    fn output_of_passing_tests_is_hidden() {
        let mut reader = Reader::new();
        let seen: Vec<&str> = GOOD.lines().chain(BAD.lines()).filter(|line| reader.line(line)).collect();
        assert!(seen.contains(&"SKIPPED a: no chromium"));
        assert!(seen.contains(&"panicked at 'x'"));
        assert!(seen.contains(&"test b ... FAILED"));
        assert!(!seen.contains(&"---- a stdout ----"));
        assert!(!seen.contains(&"test a ... ok"));
    }

    #[test]
    fn the_last_line_has_the_documented_form() {
        let tally = Tally { passed: 12, failed: 0, skipped: 3 };
        assert_eq!(tally.to_string(), "12 passed, 0 failed, 3 skipped");
    }
}
