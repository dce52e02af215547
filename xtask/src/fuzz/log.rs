//! Reads what libFuzzer printed.

use std::fmt;

/// The columns of [`Run`].
pub(super) const HEAD: &str = "target            executions   edges  inputs  seconds  result";

/// The outcome of one target.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    target: String,
    /// Whether there was no finding.
    pub(super) clean: bool,
    executions: u64,
    edges: u64,
    inputs: u64,
    seconds: u64,
    /// libFuzzer's summary of a finding, and where its input is.
    finding: Option<String>,
}

impl Run {
    /// Takes the figures from the log of a run.
    pub(super) fn read(target: &str, clean: bool, log: &str) -> Run {
        let done = log.lines().rev().find(|line| line.starts_with('#') && line.contains(" cov: ")).unwrap_or_default();
        let executions =
            number(log.lines().rev().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")));
        let seconds = log.lines().rev().find_map(|line| line.strip_prefix("Done ")?.split(" in ").nth(1));
        let after = |words: &str| log.lines().find_map(|line| line.split(words).nth(1));
        let finding = after("SUMMARY: libFuzzer: ").map(|summary| match after("Test unit written to ") {
            Some(input) => format!("{summary}: {input}"),
            None => summary.to_owned(),
        });
        let edges = number(done.split(" cov: ").nth(1));
        let inputs = number(done.split(" corp: ").nth(1));
        Run { target: target.into(), clean, executions, edges, inputs, seconds: number(seconds), finding }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = match (&self.finding, self.clean) {
            (Some(finding), _) => finding.as_str(),
            (None, true) => "clean",
            (None, false) => "stopped without a summary",
        };
        let Run { target, executions, edges, inputs, seconds, .. } = self;
        write!(f, "{target:<16}{executions:>12}{edges:>8}{inputs:>8}{seconds:>9}  {result}")
    }
}

/// The number at the start of the text, or 0.
fn number(text: Option<&str>) -> u64 {
    let text = text.unwrap_or_default().trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: &str = "\
#2\tINITED cov: 120 ft: 130 corp: 2/14b exec/s: 0 rss: 40Mb
#5000\tDONE   cov: 310 ft: 500 corp: 41/2Kb lim: 40 exec/s: 2500 rss: 60Mb
Done 5000 runs in 2 second(s)
stat::number_of_executed_units: 5000
stat::average_exec_per_sec:     2500
";

    fn words(clean: bool, log: &str) -> String {
        Run::read("link", clean, log).to_string().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_figures_of_a_clean_run_are_read() {
        assert_eq!(words(true, CLEAN), "link 5000 310 41 2 clean");
        assert_eq!(HEAD.split_whitespace().count(), 6);
    }

    #[test]
    fn a_finding_is_named_with_its_input() {
        let log = "#2\tINITED cov: 120 ft: 130 corp: 2/14b\nSUMMARY: libFuzzer: deadly signal\n\
            artifact_prefix='/f/link-'; Test unit written to /f/link-crash-1\nstat::number_of_executed_units: 7\n";
        assert_eq!(words(false, log), "link 7 120 2 0 deadly signal: /f/link-crash-1");
    }

    #[test]
    fn a_log_without_figures_is_no_clean_run() {
        assert_eq!(words(false, ""), "link 0 0 0 0 stopped without a summary");
    }
}
