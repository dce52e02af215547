//! `cargo xtask bench audio`: recorded speech through our encoder, simulated paths and our jitter buffer, rated by PESQ.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use super::options::Options;
use super::table;
use crate::command;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str = "recorded speech over paths that lose and jitter, rated by PESQ: --only NAME";

/// The parent of Debian's `asterisk-core-sounds-*-g722`: recordings with 16 kHz.
const RECORDINGS: &str = "/usr/share/asterisk/sounds";
const HEADINGS: [&str; 7] =
    ["", "PESQ-wb", "delay, ms", "delay 95 %, ms", "concealed, %", "Opus + redundancy, kbit/s", "with headers"];

/// The figures are the same on every machine, because time is virtual.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments, &[("only", "")])?;
    setup::for_building()?;
    let Some(python) = setup::speech_python(workspace) else {
        println!("SKIPPED: PESQ is missing; `cargo xtask setup` fetches it");
        return Ok(());
    };
    let languages = languages()?;
    if languages.is_empty() {
        println!("SKIPPED: there is no recorded speech in {RECORDINGS}; `cargo xtask setup` installs it");
        return Ok(());
    }
    let (script, reports) = (workspace.root.join("tests/speech/score.py"), workspace.reports().join("audio"));
    let (clips, played) = (reports.join("clips"), reports.join("played"));
    renew(&clips)?;
    renew(&played)?;
    command::run(command::program(&python).arg(&script).arg("clips").arg(&clips).args(&languages))?;
    let bench = ["bench", "--quiet", "--package", "codecs", "--bench", "audio", "--"];
    let printed = command::output(
        command::cargo().args(bench).args([&clips, &played]).arg(options.text("only")).current_dir(&workspace.root),
    )?;
    let scores = rate(&python, &script, &printed)?;
    println!("{} clips in {} languages, median (min-max)\n", fs::read_dir(&clips)?.count(), languages.len());
    println!("{}", table(&rows(&printed, &scores)?));
    Ok(())
}

/// The folders of recordings, one for each language.
fn languages() -> Result<Vec<PathBuf>> {
    let Ok(folders) = fs::read_dir(RECORDINGS) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for folder in folders {
        let folder = folder?;
        // Further names of a folder are links.
        if folder.file_type()?.is_dir() && has_recordings(&folder.path()) {
            found.push(folder.path());
        }
    }
    found.sort();
    Ok(found)
}

fn has_recordings(folder: &Path) -> bool {
    let Ok(files) = fs::read_dir(folder) else { return false };
    files.flatten().any(|file| file.path().extension().is_some_and(|extension| extension == "g722"))
}

fn renew(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())
}

/// One score for each line that the benchmark printed.
fn rate(python: &Path, script: &Path, printed: &str) -> Result<Vec<f64>> {
    let pairs: String = printed.lines().filter_map(|line| line.split_once('\t')).map(|(_, rest)| pair(rest)).collect();
    let mut rating = command::program(python)
        .arg(script)
        .args(["pesq", "/"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the rating")?;
    rating.stdin.take().context("no standard input")?.write_all(pairs.as_bytes())?;
    let done = rating.wait_with_output()?;
    if !done.status.success() {
        bail!("the rating failed ({})", done.status);
    }
    String::from_utf8(done.stdout)?.lines().map(|line| line.trim().parse().context("a score")).collect()
}

/// The reference and the degraded sound: the first two of the fields.
fn pair(fields: &str) -> String {
    fields.split('\t').take(2).collect::<Vec<_>>().join("\t") + "\n"
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

/// The median, the lowest and the highest.
fn spread(mut values: Vec<f64>, digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    let (Some(lowest), Some(highest)) = (values.first(), values.last()) else { return "-".into() };
    let middle = values.len() / 2;
    let median = if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
    format!("{median:.digits$} ({lowest:.digits$}-{highest:.digits$})")
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
    fn a_line_without_figures_is_an_error() {
        assert!(rows("clean\n", &[4.0]).is_err());
        assert!(rows("clean\ta\tb\tx\n", &[4.0]).is_err());
    }
}
