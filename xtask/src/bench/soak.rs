//! `cargo xtask bench soak`: the same call for a long time, to see what grows and what stops.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::call::{OPTIONS, keep, media, setting};
use super::ends::{Ends, unix_ms};
use super::figures::slope;
use super::options::Options;
use super::records::Received;
use super::table::figure;
use crate::local::Programs;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str =
    "one call for --minutes 30, a line each minute: what each end receives, its memory and how that grows";

const MINUTE: Duration = Duration::from_secs(60);

/// One end in one minute.
struct Sample {
    minute: u64,
    end: &'static str,
    received: Received,
    memory_mib: Option<f64>,
}

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments, &[OPTIONS.as_slice(), &[("minutes", "30")]].concat())?;
    let minutes: u64 = options.number("minutes")?;
    let media = media(workspace, &options)?;
    setup::for_building()?;
    let programs = Programs::build(workspace)?;
    let mut call = Ends::connect(&programs, &setting(&options, &media))?;
    let mut samples = Vec::new();
    println!("minute end   fps  lat p50  freezes  kbit/s     MiB");
    for minute in 1..=minutes {
        let from = unix_ms()?;
        call.follow(Instant::now() + MINUTE);
        let to = unix_ms()?;
        let new: Vec<Sample> = call.ends.iter().map(|end| sample(minute, end, from, to)).collect();
        new.iter().for_each(print);
        samples.extend(new);
        if samples.iter().rev().take(2).any(|sample| sample.received.fps.is_none_or(|fps| fps == 0.0)) {
            bail!("an end shows no picture any more, after {minute} minutes");
        }
    }
    let records = call.hang_up()?;
    let lost = records.iter().map(|records| records.counters().increase("v_freezes").map(|(n, _)| n));
    println!("freezes by the receivers' own count: {}", lost.map(|n| figure(n, 0)).collect::<Vec<_>>().join(", "));
    let growth: Vec<Value> = ["a", "b"].into_iter().map(|end| growth(&samples, end)).collect();
    keep(
        workspace,
        "soak",
        &json!({"minutes": minutes, "growth": growth, "samples": samples.iter().map(as_json).collect::<Vec<_>>()}),
    )
}

fn sample(minute: u64, end: &super::ends::End, from: f64, to: f64) -> Sample {
    let memory_mib = end.usage().map(|usage| usage.memory_mib);
    Sample { minute, end: end.name, received: end.records.between(from, to), memory_mib }
}

fn print(sample: &Sample) {
    let received = &sample.received;
    println!(
        "{:6} {:3} {:>5}  {:>7}  {:7}  {:>6}  {:>6}",
        sample.minute,
        sample.end,
        figure(received.fps, 1),
        figure(received.latency_p50, 1),
        received.freezes,
        figure(received.video_kbps, 0),
        figure(sample.memory_mib, 1),
    );
}

/// How its memory changed: MiB an hour by least squares, over all but the first minute.
fn growth(samples: &[Sample], end: &str) -> Value {
    let points: Vec<(f64, f64)> = samples
        .iter()
        .filter(|sample| sample.end == end && sample.minute > 1)
        .filter_map(|sample| Some((sample.minute as f64 / 60.0, sample.memory_mib?)))
        .collect();
    let hourly = slope(&points);
    println!("end {end}: memory changes by {} MiB an hour", figure(hourly, 1));
    json!({"end": end, "mib_per_hour": hourly})
}

fn as_json(sample: &Sample) -> Value {
    let Sample { minute, end, received, memory_mib } = sample;
    json!({"minute": minute, "end": end, "received": received.json(), "memory_mib": memory_mib})
}
