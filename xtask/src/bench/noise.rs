//! `cargo xtask bench noise`: recorded speech in the noise of a canteen, a fan and a keyboard, with each setting.

use anyhow::{Context, Result, bail};

use super::options::Options;
use super::speech::{Speech, spread};
use super::table;
use crate::command;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str = "noise suppression: how much quieter a canteen, a fan and a keyboard are, and the voice";

const HEADINGS: [&str; 4] = ["noise and setting", "noise alone, dB lower", "STOI", "PESQ-wb"];

/// The figures are the same on every machine, because time is virtual.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    Options::parse(arguments, &[])?;
    setup::for_building()?;
    let Some(speech) = Speech::prepare(workspace, "noise")? else { return Ok(()) };
    let bench = ["bench", "--quiet", "--package", "codecs", "--bench", "processing", "--"];
    let printed = command::output(
        command::cargo().args(bench).args([&speech.clips, &speech.out]).arg("noise").current_dir(&workspace.root),
    )?;
    let (stoi, pesq) = (speech.rate("stoi", &printed)?, speech.rate("pesq", &printed)?);
    println!("{}, median (min-max)\n", speech.about);
    println!("{}", table(&rows(&printed, &stoi, &pesq)?));
    Ok(())
}

/// A row for each noise and setting, in the order of the first lines.
fn rows(printed: &str, stoi: &[f64], pesq: &[f64]) -> Result<Vec<Vec<String>>> {
    let mut calls: Vec<(&str, [Vec<f64>; 3])> = Vec::new();
    for ((line, stoi), pesq) in printed.lines().zip(stoi).zip(pesq) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, _, _, lower] = &fields[..] else { bail!("not a line of figures: {line}") };
        let figures = [lower.parse().with_context(|| line.to_owned())?, *stoi, *pesq];
        let at = calls.iter().position(|call| call.0 == *name).unwrap_or(calls.len());
        if at == calls.len() {
            calls.push((name, Default::default()));
        }
        calls[at].1.iter_mut().zip(figures).for_each(|(all, figure)| all.push(figure));
    }
    let headings = HEADINGS.iter().map(|heading| (*heading).to_owned()).collect();
    let row = |(name, [lower, stoi, pesq]): (&str, [Vec<f64>; 3])| {
        vec![name.to_owned(), spread(lower, 1), spread(stoi, 2), spread(pesq, 2)]
    };
    Ok(std::iter::once(headings).chain(calls.into_iter().map(row)).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn calls_with_one_setting_become_one_row() {
        let printed = "hall: off\ta\tb\t0\nhall: on\ta\tc\t10\nhall: off\td\te\t1\nhall: on\td\tf\t12\n";
        let rows = super::rows(printed, &[0.8, 0.9, 0.7, 0.9], &[1.0, 2.0, 1.0, 2.0]).unwrap();
        assert_eq!(rows[2], ["hall: on", "11.0 (10.0-12.0)", "0.90 (0.90-0.90)", "2.00 (2.00-2.00)"]);
        assert_eq!(rows[1][1], "0.5 (0.0-1.0)");
        assert!(super::rows("hall\n", &[1.0], &[1.0]).is_err());
    }
}
