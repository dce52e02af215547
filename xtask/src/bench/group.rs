//! `cargo xtask bench table`: six people at one table, each behind an emulated access line.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::call::{keep, media};
use super::figures::percentile;
use super::options::Options;
use super::records::{Received, Records};
use super::table::{figure, table};
use super::usage;
use crate::command;
use crate::local::Process;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str =
    "six people, each behind an access line (Linux, root): --seconds 60 --size 424x240 --media FOLDER";

/// The longest time without output: six clients open their devices, and connect on a busy machine.
const SILENCE: Duration = Duration::from_secs(120);

/// What a client shows of another: the reports of the client (first) about the other (second).
type Shown = BTreeMap<(String, String), Records>;

/// Each situation is measured in the same call, after the lines have changed and some seconds have passed.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments, &[("seconds", "60"), ("size", "424x240"), ("media", "")])?;
    let media = media(workspace, &options)?;
    setup::for_testing(workspace)?;
    println!("compiling the client and the server for release; the first time takes minutes");
    let packages = ["cli", "server", "whole-system"].map(|name| ["--package", name]).concat();
    let bins = ["lunchroom-cli", "lunchroom-server", "table-bench"].map(|name| ["--bin", name]).concat();
    let build = ["build", "--quiet", "--release"];
    command::run(command::cargo().args(build).args(packages).args(bins).current_dir(&workspace.root))?;
    let program = |name: &str| workspace.target.join("release").join(name);
    let mut bench = command::program(program("table-bench"));
    bench.args([program("lunchroom-cli"), program("lunchroom-server"), media]);
    bench.args([options.text("size"), options.text("seconds")]);
    let (seats, situations) = follow(&Process::start(&mut bench)?, options.number("seconds")?)?;
    println!("\nfrom the click to the last of the newcomer's first frames\n{}", table(&rows_of(&seats)));
    for situation in &situations {
        println!("\n{}\n{}", situation.name, table(&situation.rows()));
    }
    let situations: Vec<Value> = situations.iter().map(Situation::json).collect();
    let seats: Vec<Value> = seats.iter().map(|seat| json!({"others": seat.others, "ms": seat.ms})).collect();
    keep(workspace, "table", &json!({"options": arguments, "seats": seats, "situations": situations}))
}

/// How long it took until a newcomer saw all others.
struct Seat {
    others: u64,
    ms: f64,
}

/// The times, and their ratios to that with one other person.
fn rows_of(seats: &[Seat]) -> Vec<Vec<String>> {
    let alone = seats.iter().find(|seat| seat.others == 1).map(|seat| seat.ms);
    let headings = ["others", "ms", "ratio"].map(str::to_owned).to_vec();
    let row = |seat: &Seat| {
        vec![seat.others.to_string(), figure(Some(seat.ms), 0), figure(alone.map(|alone| seat.ms / alone), 2)]
    };
    std::iter::once(headings).chain(seats.iter().map(row)).collect()
}

/// The figures of everybody in one situation.
struct Situation {
    name: String,
    people: Vec<Person>,
}

/// The figures of one client.
struct Person {
    name: String,
    /// What it received from each of the others.
    received: Vec<Received>,
    cores: Option<f64>,
    /// The 95th percentile of the waiting time in its line's queue up and down, in ms.
    queue_ms: [Option<f64>; 2],
    /// Rate of its line up and down, in kbit/s.
    kbps: [f64; 2],
}

/// Reads the benchmark's lines until it ends: how long it took to see so many others, and the situations. A situation is
/// complete with its end mark.
fn follow(bench: &Process, seconds: u64) -> Result<(Vec<Seat>, Vec<Situation>)> {
    let (mut shown, mut seats, mut situations, mut started) = (Shown::new(), vec![], vec![], None);
    while let Some(line) = bench.line_until(Instant::now() + SILENCE + Duration::from_secs(seconds)) {
        let Ok(said) = serde_json::from_str::<Value>(&line.text) else { continue };
        if let Some(receiver) = said["from"].as_str() {
            let sender = said["line"]["from"].as_str().unwrap_or_default();
            let records = shown.entry((receiver.to_owned(), sender.to_owned())).or_default();
            records.add(&said["line"].to_string());
        } else if let (Some(others), Some(ms)) = (said["others"].as_u64(), said["last_first_frame_ms"].as_f64()) {
            seats.push(Seat { others, ms });
        } else if said["mark"] == "start" {
            started = Some((said.clone(), processor_seconds(&said)));
        } else if said["mark"] == "end" {
            let (start, used) = started.take().context("an end without a start")?;
            situations.push(situation(&shown, &start, &used, &said)?);
        }
    }
    if situations.is_empty() {
        bail!("the benchmark ended too early, see above");
    }
    Ok((seats, situations))
}

/// The processor time that each client has used, in seconds.
fn processor_seconds(mark: &Value) -> Vec<Option<f64>> {
    let process = |person: &Value| u32::try_from(person["process"].as_u64()?).ok();
    people(mark).map(|person| Some(usage::of(process(person)?)?.cpu_s)).collect()
}

fn people(mark: &Value) -> impl Iterator<Item = &Value> {
    mark["people"].as_array().into_iter().flatten()
}

fn situation(shown: &Shown, start: &Value, used: &[Option<f64>], end: &Value) -> Result<Situation> {
    let (from, to) = start["ms"].as_f64().zip(end["ms"].as_f64()).context("a mark without a time")?;
    let person = |((person, before), after): ((&Value, &Option<f64>), &Option<f64>)| {
        let name = person["name"].as_str().unwrap_or_default();
        let samples =
            |n: usize| person["queue_ms"][n].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        Person {
            name: name.to_owned(),
            received: shown
                .iter()
                .filter(|((receiver, sender), _)| receiver == name && !sender.is_empty())
                .map(|(_, records)| records.between(from, to))
                .collect(),
            cores: before.zip(*after).map(|(before, after)| (after - before) * 1000.0 / (to - from)),
            queue_ms: [0, 1].map(|n| percentile(samples(n), 0.95)),
            kbps: [0, 1].map(|n| person["bytes"][n].as_f64().unwrap_or(0.0) * 8.0 / (to - from)),
        }
    };
    let after = processor_seconds(end);
    let people = people(end).zip(used).zip(&after).map(person).collect();
    Ok(Situation { name: start["situation"].as_str().unwrap_or_default().to_owned(), people })
}

impl Situation {
    const HEADINGS: [&str; 11] = [
        "",
        "seen",
        "fps least",
        "fps mean",
        "lat p50",
        "lat p95",
        "frozen s",
        "longest s",
        "concealed %",
        "queue up, down",
        "cores",
    ];

    fn rows(&self) -> Vec<Vec<String>> {
        let headings = Self::HEADINGS.map(str::to_owned).to_vec();
        std::iter::once(headings).chain(self.people.iter().map(Person::row)).collect()
    }

    fn json(&self) -> Value {
        json!({"name": self.name, "people": self.people.iter().map(Person::json).collect::<Vec<_>>()})
    }
}

impl Person {
    fn row(&self) -> Vec<String> {
        let all = |value: fn(&Received) -> Option<f64>| self.received.iter().filter_map(value).collect::<Vec<f64>>();
        let mean = |values: Vec<f64>| Some(values.iter().sum::<f64>() / values.len() as f64);
        vec![
            self.name.clone(),
            self.received.iter().filter(|from| from.fps.is_some_and(|fps| fps > 0.0)).count().to_string(),
            figure(percentile(all(|from| from.fps), 0.0), 1),
            figure(mean(all(|from| from.fps)), 1),
            figure(percentile(all(|from| from.latency_p50), 0.5), 0),
            figure(percentile(all(|from| from.latency_p95), 1.0), 0),
            figure(Some(all(|from| Some(from.freeze_s)).iter().sum()), 1),
            figure(percentile(all(|from| Some(from.longest_freeze_s)), 1.0), 2),
            figure(percentile(all(|from| from.concealed_percent), 1.0), 2),
            self.queue_ms.map(|queue| figure(queue, 0)).join(", "),
            figure(self.cores, 2),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "received": self.received.iter().map(Received::json).collect::<Vec<_>>(),
            "cores": self.cores, "queue_p95_ms": self.queue_ms, "line_kbps": self.kbps,
        })
    }
}
