//! `cargo xtask bench forward`: what it costs to forward media in a large room.

use anyhow::{Context, Result};

use super::options::Options;
use crate::command;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str = "what forwarding costs, without sockets: --people 20 --seconds 10";

/// The figures of the line, with their descriptions.
const FIGURES: [&str; 7] = [
    "people, each with three encodings and a page of the others",
    "s of virtual time",
    "packets that were forwarded",
    "packets for each second of a core",
    "Mbit/s for each second of a core",
    "µs that 5 ms of datagrams take, median",
    "µs that 5 ms of datagrams take, 99 %",
];

/// Clients are not counted: only the time within the SFU is. Other programs make it longer.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments, &[("people", "20"), ("seconds", "10")])?;
    let (people, seconds) = (options.number::<u32>("people")?, options.number::<u32>("seconds")?);
    setup::for_building()?;
    let bench = ["bench", "--quiet", "--package", "sfu", "--bench", "forward", "--"];
    let printed = command::output(
        command::cargo().args(bench).args([people.to_string(), seconds.to_string()]).current_dir(&workspace.root),
    )?;
    let line = printed.lines().last().context("no figures")?;
    for (figure, about) in line.split(' ').zip(FIGURES) {
        println!("{figure:>10} {about}");
    }
    Ok(())
}
