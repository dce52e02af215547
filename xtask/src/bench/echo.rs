//! `cargo xtask bench echo`: the far side's voice in the microphone of simulated rooms, through our processing.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use super::options::Options;
use super::speech::{Speech, spread};
use super::table;
use crate::command;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str =
    "echo cancelling in three simulated rooms: how much echo is left, and of one's own voice";

const HEADINGS: [&str; 4] =
    ["room", "ERLE after 5 s, dB", "STOI of one's own voice, both speak", "STOI, not processed"];

/// The figures are the same on every machine, because time is virtual.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    Options::parse(arguments, &[])?;
    setup::for_building()?;
    let Some(speech) = Speech::prepare(workspace, "echo")? else { return Ok(()) };
    let bench = ["bench", "--quiet", "--package", "codecs", "--bench", "processing", "--"];
    let printed = command::output(
        command::cargo().args(bench).args([&speech.clips, &speech.out]).arg("echo").current_dir(&workspace.root),
    )?;
    let scores = speech.rate("stoi", &printed)?;
    println!("{}, median (min-max)\n", speech.about);
    println!("{}", table(&rows(&printed, &scores)?));
    Ok(())
}

/// A row for each room. Two lines belong to each call: what was sent, with its ERLE, and what was captured.
fn rows(printed: &str, scores: &[f64]) -> Result<Vec<Vec<String>>> {
    let mut rooms: BTreeMap<&str, [Vec<f64>; 3]> = BTreeMap::new();
    for (line, score) in printed.lines().zip(scores) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [room, _, _, erle @ ..] = &fields[..] else { bail!("not a line of figures: {line}") };
        let [erles, sent, captured] = rooms.entry(room).or_default();
        match erle {
            [erle] => {
                erles.push(erle.parse().with_context(|| line.to_owned())?);
                sent.push(*score);
            }
            [] => captured.push(*score),
            _ => bail!("not a line of figures: {line}"),
        }
    }
    let headings = HEADINGS.iter().map(|heading| (*heading).to_owned()).collect();
    let row = |(room, [erles, sent, captured]): (&str, [Vec<f64>; 3])| {
        vec![room.to_owned(), spread(erles, 1), spread(sent, 2), spread(captured, 2)]
    };
    Ok(std::iter::once(headings).chain(rooms.into_iter().map(row)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_a_room_become_one_row() {
        let printed = "hall\ta\tb\t30\nhall\ta\tc\nhall\td\te\t40\nhall\td\tf\n";
        let rows = rows(printed, &[0.7, 0.9, 0.8, 0.9]).unwrap();
        assert_eq!(rows[1], ["hall", "35.0 (30.0-40.0)", "0.75 (0.70-0.80)", "0.90 (0.90-0.90)"]);
        assert!(super::rows("hall\n", &[1.0]).is_err());
    }
}
