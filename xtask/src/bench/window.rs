//! `cargo xtask bench window`: the app's window on its own display, compared with a headless client and a browser tab.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::call::keep;
use super::figures::percentile;
use super::options::Options;
use super::table::{figure, table};
use super::usage::{self, Usage};
use crate::command;
use crate::local::Process;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str =
    "the window: latency on the screen, nine tiles, CPU and memory against a browser tab: --runs 3 --seconds 15";

/// The longest time without output: a start of the app, a warm-up and a measurement.
const SILENCE: Duration = Duration::from_secs(180);

/// How long the benchmark may take to close what it opened.
const GOODBYE: Duration = Duration::from_secs(30);

/// The name of the scene with nine tiles, which is the last of each run.
const NINE: &str = "nine tiles";

/// Figures by name, with one value per run.
type Figures = BTreeMap<String, Vec<f64>>;

/// The start of a measurement: CPU used so far, and the time.
struct Mark {
    used: Usage,
    at: Instant,
}

/// The processes of the window and of the tab are measured in the same call. The far side is a headless client that
/// sends 640x360. The own camera delivers 640x360 first and then 1280x720.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments, &[("runs", "3"), ("seconds", "15")])?;
    let (runs, seconds) = (options.number::<u32>("runs")?, options.number::<u64>("seconds")?.max(5));
    setup::for_testing(workspace)?;
    let bins = ["--bin", "lunchroom", "--bin", "window-bench", "--bin", "lunchroom-server"];
    println!("compiling the app for release; the first time takes minutes");
    let packages = ["lunchroom", "whole-system", "server"].map(|name| ["--package", name]);
    let build = ["build", "--quiet", "--release", "--example", "board-load"];
    command::run(command::cargo().args(build).args(packages.concat()).args(bins).current_dir(&workspace.root))?;
    let program = |name: &str| workspace.target.join("release").join(name);
    let mut bench = command::program(program("window-bench"));
    bench.arg(program("lunchroom")).args([runs.to_string(), seconds.to_string()]);
    bench.args([program("examples/board-load"), program("lunchroom-server")]);
    let figures = follow(&Process::start(&mut bench)?, seconds, runs)?;
    let rows: Vec<Vec<String>> = figures.iter().map(|(name, values)| row(name, values)).collect();
    println!("{}", table(&rows));
    keep(workspace, "window", &json!({"options": arguments, "figures": figures}))
}

fn follow(bench: &Process, seconds: u64, runs: u32) -> Result<Figures> {
    let mut figures = Figures::new();
    let mut marks: BTreeMap<String, Mark> = BTreeMap::new();
    let mut nines = 0;
    while nines < runs {
        let until = Instant::now() + SILENCE + Duration::from_secs(seconds);
        let Some(line) = bench.line_until(until) else { bail!("the benchmark ended too early, see above") };
        let said = serde_json::from_str::<Value>(&line.text).unwrap_or_default();
        let Some(what) = said["what"].as_str().map(str::to_owned) else { continue }; // a message about a browser
        match said["mark"].as_str() {
            Some("start") => drop(marks.insert(what, look(&said)?)),
            Some(_) => cost(&mut figures, &what, &marks.remove(&what).context("no start")?, &look(&said)?),
            None => {
                nines += u32::from(what == NINE);
                pictures(&mut figures, &what, &said);
            }
        }
    }
    // It closes the last window and browser before it ends.
    while bench.line_until(Instant::now() + GOODBYE).is_some() {}
    Ok(figures)
}

fn look(said: &Value) -> Result<Mark> {
    let process = said["process"].as_u64().and_then(|id| u32::try_from(id).ok()).context("a process")?;
    let used = usage::of_tree(process, said["itself"] == true).context("its processes cannot be seen")?;
    Ok(Mark { used, at: Instant::now() })
}

fn cost(figures: &mut Figures, what: &str, before: &Mark, after: &Mark) {
    let cores = (after.used.cpu_s - before.used.cpu_s) / (after.at - before.at).as_secs_f64();
    figures.entry(format!("{what}: cores")).or_default().push(cores);
    figures.entry(format!("{what}: PSS, MiB")).or_default().push(after.used.memory_mib);
}

fn pictures(figures: &mut Figures, what: &str, said: &Value) {
    let mut note = |name: &str, value: &Value| {
        figures.entry(format!("{what}{name}")).or_default().extend(value.as_f64());
    };
    match what {
        "start" => {
            note(" in a new home, ms", &said["first_ms"]);
            note(" to device check, ms", &said["check_ms"]);
            note(" to a board of 200 tables and 2,000 people, ms", &said["board_ms"]);
        }
        NINE => {
            let tiles = said["tiles"].as_array().map(Vec::as_slice).unwrap_or_default();
            let all = |name: &str| -> Vec<f64> { tiles.iter().filter_map(|tile| tile[name].as_f64()).collect() };
            note(": fps, slowest tile", &json!(percentile(all("fps"), 0.0)));
            note(": fps, median tile", &json!(percentile(all("fps"), 0.5)));
            note(": latency p50, ms, median tile", &json!(percentile(all("p50_ms"), 0.5)));
        }
        _ => {
            note(": latency p50, ms", &said["pictures"]["p50_ms"]);
            note(": latency p95, ms", &said["pictures"]["p95_ms"]);
            note(": fps", &said["pictures"]["fps"]);
        }
    }
}

/// The median, with the lowest and highest value.
fn row(name: &str, values: &[f64]) -> Vec<String> {
    let at = |share| figure(percentile(values.to_vec(), share), 2);
    vec![name.to_owned(), at(0.5), format!("({}-{})", at(0.0), at(1.0))]
}
