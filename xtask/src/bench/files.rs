//! `cargo xtask bench files`: a file between two people in a call, over an emulated link of 20 Mbit/s and 50 ms.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::call::keep;
use super::options::Options;
use super::table::{figure, table};
use crate::command;
use crate::local::Process;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str = "a file beside a call, and its resumption (Linux, root): --mb 1000 --break-mb 200";

/// The slowest transfer that is waited for, in megabytes a second.
const SLOWEST: u64 = 1;
const SILENCE: Duration = Duration::from_secs(300);

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments, &[("mb", "1000"), ("break-mb", "200")])?;
    setup::for_testing(workspace)?;
    println!("compiling for release; the first time takes minutes");
    let packages = ["server", "whole-system"].map(|name| ["--package", name]).concat();
    let bins = ["lunchroom-server", "files-bench"].map(|name| ["--bin", name]).concat();
    command::run(
        command::cargo().args(["build", "--quiet", "--release"]).args(packages).args(bins).current_dir(&workspace.root),
    )?;
    let program = |name: &str| workspace.target.join("release").join(name);
    let mut bench = command::program(program("files-bench"));
    bench.arg(program("lunchroom-server")).args([options.text("mb"), options.text("break-mb")]);
    let most = options.number::<u64>("mb")?.max(options.number("break-mb")?) / SLOWEST;
    let bench = Process::start(&mut bench)?;
    let mut situations = vec![];
    while let Some(line) = bench.line_until(Instant::now() + SILENCE + Duration::from_secs(most)) {
        let Ok(situation) = serde_json::from_str::<Value>(&line.text) else { continue };
        println!("\n{}", words(&situation));
        situations.push(situation);
    }
    if situations.len() < 2 {
        bail!("the benchmark ended too early, see above");
    }
    keep(workspace, "files", &json!({"options": arguments, "situations": situations}))
}

fn words(situation: &Value) -> String {
    let number = |name: &str, digits: usize| figure(situation[name].as_f64(), digits);
    let name = situation["situation"].as_str().unwrap_or_default();
    let whole = if situation["is_equal"] == true { "equal" } else { "NOT EQUAL" };
    let head = format!("{name}: {} s, hashes {whole}", number("seconds", 0));
    let Some(goodput) = situation["goodput"].as_f64() else {
        return format!(
            "{head}; it went on {} s after the break and {} s after the kill, with {} % of what had arrived",
            number("resumed_after_break", 1),
            number("resumed_after_kill", 1),
            figure(situation["kept"].as_f64().map(|kept| kept * 100.0), 1),
        );
    };
    let row = |title: &str, name: &str| {
        let span = &situation[name];
        let figures = ["fps", "freezes", "concealed_percent"].map(|name| span[name].as_f64());
        [vec![title.to_owned()], figures.iter().zip([1, 0, 2]).map(|(n, digits)| figure(*n, digits)).collect()].concat()
    };
    let heading = ["receiver's call", "frames/s", "freezes", "concealed %"].map(str::to_owned).to_vec();
    let rows =
        [heading, row("alone", "alone"), row("beside the file", "beside"), row("sender's call", "beside_sender")];
    format!(
        "{head}, {:.0} % of the link; its queue {} ms (p95)\n{}",
        goodput * 100.0,
        number("queue_ms", 0),
        table(&rows)
    )
}
