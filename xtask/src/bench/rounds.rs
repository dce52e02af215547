//! `cargo xtask bench rounds`: a simulated year of rounds, beside random seating and a greedy matcher.

use anyhow::{Context, Result};
use serde_json::Value;

use super::call::keep;
use super::options::Options;
use crate::command;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str =
    "whom people meet in a simulated year with days off: --people 100 --days 7 between rounds (1: workdays) --seed 1";

/// The figures of each matcher, with their descriptions.
const FIGURES: [(&str, &str); 8] = [
    ("seats", "seats of all rounds"),
    ("pairs", "pairs that met"),
    ("of", "of so many"),
    ("repeats", "meetings within 30 days of the last"),
    ("longest_wait", "rounds in a row in which somebody met only people of the last 30 days, at most"),
    ("fewest", "different people whom anybody met, at least"),
    ("alone", "people who sat alone"),
    ("slowest_ms", "ms for the slowest round"),
];

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments, &[("people", "100"), ("days", "7"), ("seed", "1")])?;
    let numbers = ["people", "days", "seed"].map(|name| options.number::<u32>(name).map(|number| number.to_string()));
    setup::for_building()?;
    let build = ["build", "--release", "--package", "rooms", "--example", "rounds-year"];
    command::run(command::cargo().args(build).current_dir(&workspace.root))?;
    let year = workspace.target.join("release/examples/rounds-year").with_extension(std::env::consts::EXE_EXTENSION);
    let text = command::output(command::program(year).args(numbers.into_iter().collect::<Result<Vec<_>>>()?))?;
    let report: Value = serde_json::from_str(text.trim()).context("figures")?;
    println!("{:>10} {:>10} {:>10}", "matcher", "greedy", "random");
    for (name, about) in FIGURES {
        let [ours, greedy, random] = ["matcher", "greedy", "random"].map(|matcher| report[matcher][name].to_string());
        println!("{ours:>10} {greedy:>10} {random:>10}  {about}");
    }
    keep(workspace, "rounds", &report)
}
