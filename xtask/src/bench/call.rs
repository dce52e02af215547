//! `cargo xtask bench call`: one call between two people on this machine.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::ends::{Ends, Setting, size, unix_ms};
use super::options::Options;
use super::records::{Received, Records};
use super::table::{figure, table};
use super::{material, usage::Usage};
use crate::local::Programs;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str =
    "two clients call each other on loopback: --seconds 40 --codec auto --size 640x360 --fps 30 --media FOLDER";

pub(crate) const OPTIONS: [(&str, &str); 4] = [("codec", "auto"), ("size", "640x360"), ("fps", "30"), ("media", "")];

/// Excluded from the figures, because bitrates are still rising.
const WARM_UP: Duration = Duration::from_secs(10);

/// The latency of an end is measured from the far side's encoder to a 60 Hz tick of this end.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments, &[OPTIONS.as_slice(), &[("seconds", "40")]].concat())?;
    let seconds = Duration::from_secs(options.number::<u64>("seconds")?.max(WARM_UP.as_secs() + 5));
    let media = media(workspace, &options)?;
    setup::for_building()?;
    let programs = Programs::build(workspace)?;
    let mut call = Ends::connect(&programs, &setting(&options, &media))?;
    call.follow(Instant::now() + WARM_UP);
    let (from, used_before) = (unix_ms()?, usages(&call));
    call.follow(Instant::now() + (seconds - WARM_UP));
    let (to, used_after) = (unix_ms()?, usages(&call));
    let records = call.hang_up()?;
    let ends: Vec<EndReport> = ["a", "b"]
        .into_iter()
        .zip(&records)
        .zip(used_before.into_iter().zip(used_after))
        .map(|((name, records), used)| EndReport::new(name, records, used, from, to))
        .collect();
    print(&ends);
    keep(
        workspace,
        "call",
        &json!({"options": arguments, "ends": ends.iter().map(EndReport::json).collect::<Vec<_>>()}),
    )
}

/// The media folder that was named, or a generated one.
pub(crate) fn media(workspace: &Workspace, options: &Options) -> Result<PathBuf> {
    match options.text("media") {
        "" => {
            let (width, height) = size(options.text("size"))?;
            material::provide(workspace.reports().join("media"), width, height)
        }
        folder => fs::canonicalize(folder).with_context(|| folder.to_owned()),
    }
}

pub(crate) fn setting<'a>(options: &'a Options, media: &'a std::path::Path) -> Setting<'a> {
    Setting { codec: options.text("codec"), size: options.text("size"), fps: options.text("fps"), media }
}

/// Writes the figures to `target/xtask/NAME.json`.
pub(crate) fn keep(workspace: &Workspace, name: &str, report: &Value) -> Result<()> {
    fs::create_dir_all(workspace.reports())?;
    let file = workspace.reports().join(format!("{name}.json"));
    fs::write(&file, format!("{report:#}\n")).with_context(|| file.display().to_string())?;
    println!("written to {}", file.display());
    Ok(())
}

fn usages(call: &Ends) -> Vec<Option<Usage>> {
    call.ends.iter().map(|end| end.usage()).collect()
}

/// One end, as a row of the table.
struct EndReport {
    name: &'static str,
    /// Milliseconds from joining to the first picture.
    first_picture_ms: Option<f64>,
    received: Received,
    /// Cores used by the process.
    cores: Option<f64>,
    memory_mib: Option<f64>,
}

impl EndReport {
    fn new(name: &'static str, records: &Records, used: (Option<Usage>, Option<Usage>), from: f64, to: f64) -> Self {
        let (before, after) = used;
        let since_click = |event: &str| Some(records.event(event)? - records.event("click")?);
        EndReport {
            name,
            first_picture_ms: since_click("first_frame"),
            received: records.between(from, to),
            cores: before.zip(after).map(|(before, after)| (after.cpu_s - before.cpu_s) * 1000.0 / (to - from)),
            memory_mib: after.map(|after| after.memory_mib),
        }
    }

    fn row(&self) -> Vec<String> {
        let own = [figure(self.first_picture_ms, 0), figure(self.cores, 2), figure(self.memory_mib, 0)];
        std::iter::once(self.name.to_owned()).chain(self.received.row()).chain(own).collect()
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "first_picture_ms": self.first_picture_ms, "received": self.received.json(),
            "cores": self.cores, "memory_mib": self.memory_mib,
        })
    }
}

fn print(ends: &[EndReport]) {
    let headings = std::iter::once("end").chain(Received::HEADINGS).chain(["picture ms", "cores", "MiB"]);
    let mut rows = vec![headings.map(str::to_owned).collect()];
    rows.extend(ends.iter().map(EndReport::row));
    println!("{}", table(&rows));
    println!("b joins first, so its \"picture ms\" includes the wait for a");
}
