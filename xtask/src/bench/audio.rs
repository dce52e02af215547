//! `cargo xtask bench audio`: recorded speech through our encoder, simulated paths and our jitter buffer, rated by PESQ,
//! and what sound costs.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use super::options::Options;
use super::speech::{Speech, spread};
use super::table;
use crate::command;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str =
    "recorded speech over paths that lose and jitter, rated by PESQ, and what sound costs: --only NAME, --only cost";

const HEADINGS: [&str; 7] =
    ["", "PESQ-wb", "delay, ms", "delay 95 %, ms", "concealed, %", "Opus + redundancy, kbit/s", "with headers"];

/// What sound may cost, in percent of a core, for each row that the benchmark prints.
const MOST: [&str; 5] = ["4", "4", "0.6", "6", ""];

/// The figures of paths are the same on every machine, because time is virtual. Those of the cost are not.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments, &[("only", "")])?;
    setup::for_building()?;
    let Some(speech) = Speech::prepare(workspace, "audio")? else { return Ok(()) };
    if options.text("only") != "cost" {
        paths(workspace, &speech, &options)?;
    }
    if ["", "cost"].contains(&options.text("only")) {
        cost(workspace, &speech)?;
    }
    Ok(())
}

fn cost(workspace: &Workspace, speech: &Speech) -> Result<()> {
    let bench = ["bench", "--quiet", "--package", "codecs", "--bench", "processing", "--"];
    let printed = command::output(
        command::cargo().args(bench).args([&speech.clips, &speech.out]).arg("cost").current_dir(&workspace.root),
    )?;
    println!("{}", table(&cost_rows(&printed)?));
    Ok(())
}

fn cost_rows(printed: &str) -> Result<Vec<Vec<String>>> {
    let mut rows = vec![["", "% of a core", "at most"].map(str::to_owned).to_vec()];
    for (line, most) in printed.lines().zip(MOST) {
        let (name, percent) = line.split_once('\t').with_context(|| format!("not a line of figures: {line}"))?;
        rows.push([name, percent, most].map(str::to_owned).to_vec());
    }
    Ok(rows)
}

fn paths(workspace: &Workspace, speech: &Speech, options: &Options) -> Result<()> {
    let bench = ["bench", "--quiet", "--package", "codecs", "--bench", "audio", "--"];
    let printed = command::output(
        command::cargo()
            .args(bench)
            .args([&speech.clips, &speech.out])
            .arg(options.text("only"))
            .current_dir(&workspace.root),
    )?;
    let scores = speech.rate("pesq", &printed)?;
    println!("{}, median (min-max)\n", speech.about);
    println!("{}", table(&rows(&printed, &scores)?));
    Ok(())
}

fn rows(printed: &str, scores: &[f64]) -> Result<Vec<Vec<String>>> {
    let mut scenarios: BTreeMap<&str, Vec<Vec<f64>>> = BTreeMap::new();
    for (line, score) in printed.lines().zip(scores) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, _, _, figures @ ..] = &fields[..] else { bail!("not a line of figures: {line}") };
        let figures = figures.iter().map(|figure| figure.parse().with_context(|| line.to_owned()));
        let figures: Vec<f64> = std::iter::once(Ok(*score)).chain(figures).collect::<Result<_>>()?;
        scenarios.entry(name).or_default().push(figures);
    }
    let headings = HEADINGS.iter().map(|heading| (*heading).to_owned()).collect();
    let digits = [2, 0, 0, 2, 1, 1];
    let row = |(name, calls): (&&str, &Vec<Vec<f64>>)| {
        let scale = |column: usize| if column == 3 { 100.0 } else { 1.0 };
        let cells = digits.iter().enumerate().map(|(column, digits)| {
            spread(calls.iter().filter_map(|call| call.get(column)).map(|v| v * scale(column)).collect(), *digits)
        });
        std::iter::once((*name).to_owned()).chain(cells).collect()
    };
    Ok(std::iter::once(headings).chain(scenarios.iter().map(row)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_a_scenario_become_one_row() {
        let printed = "clean\ta\tb\t16\t17\t0.0125\t31\t56\nclean\tc\td\t18\t19\t0.0175\t33\t58\n";
        let rows = rows(printed, &[4.0, 4.5]).unwrap();
        assert_eq!(rows[1][..5], ["clean", "4.25 (4.00-4.50)", "17 (16-18)", "18 (17-19)", "1.50 (1.25-1.75)"]);
    }

    #[test]
    fn costs_stand_beside_what_they_may_be() {
        let rows = cost_rows("microphone\t2.31\nstrong\t3.40\ndecoding\t0.41\n").unwrap();
        assert_eq!(rows[3], ["decoding", "0.41", "0.6"]);
        assert!(cost_rows("microphone\n").is_err());
    }

    #[test]
    fn a_line_without_figures_is_an_error() {
        assert!(rows("clean\n", &[4.0]).is_err());
        assert!(rows("clean\ta\tb\tx\n", &[4.0]).is_err());
    }
}
