//! `cargo xtask bench soak`: one call for a long time, to find what grows and what stops.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::call::{OPTIONS, keep, media, setting};
use super::ends::{Ends, unix_ms};
use super::figures::slope;
use super::options::Options;
use super::records::Received;
use super::table::figure;
use super::usage::Usage;
use crate::local::Programs;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str =
    "one call for --minutes 30, a line each minute: what each end receives, its memory, threads and descriptors";

const MINUTE: Duration = Duration::from_secs(60);

/// One end during one minute.
struct Sample {
    minute: u64,
    end: &'static str,
    received: Received,
    usage: Option<Usage>,
}

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments, &[OPTIONS.as_slice(), &[("minutes", "30")]].concat())?;
    let minutes: u64 = options.number("minutes")?;
    let media = media(workspace, &options)?;
    setup::for_building()?;
    let programs = Programs::build(workspace)?;
    let mut call = Ends::connect(&programs, &setting(&options, &media))?;
    let mut samples = Vec::new();
    println!("minute end   fps  lat p50  freezes  kbit/s     MiB  own MiB  threads  descriptors");
    for minute in 1..=minutes {
        let from = unix_ms()?;
        call.follow(Instant::now() + MINUTE);
        let to = unix_ms()?;
        let new: Vec<Sample> = call.ends.iter().map(|end| sample(minute, end, from, to)).collect();
        new.iter().for_each(print);
        samples.extend(new);
        if samples.iter().rev().take(2).any(|sample| sample.received.fps.is_none_or(|fps| fps == 0.0)) {
            bail!("an end stopped showing pictures after {minute} minutes");
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
    Sample { minute, end: end.name, received: end.records.between(from, to), usage: end.usage() }
}

fn print(sample: &Sample) {
    let received = &sample.received;
    println!(
        "{:6} {:3} {:>5}  {:>7}  {:7}  {:>6}  {:>6}  {:>7}  {:>7}  {:>11}",
        sample.minute,
        sample.end,
        figure(received.fps, 1),
        figure(received.latency_p50, 1),
        received.freezes,
        figure(received.video_kbps, 0),
        figure(sample.usage.as_ref().map(|usage| usage.memory_mib), 1),
        figure(sample.usage.as_ref().map(|usage| usage.own_mib), 1),
        figure(sample.usage.as_ref().map(|usage| usage.threads as f64), 0),
        figure(sample.usage.as_ref().map(|usage| usage.descriptors as f64), 0),
    );
}

/// The change of an end's memory: in MiB per hour by least squares over all but the first minute, and from minutes 10
/// to 20 to the last ten. Also the smallest and largest numbers of threads and descriptors after the first minute.
/// Memory shared between processes is counted in parts, so the total changes with other programs that start and end.
/// The process's own memory does not.
fn growth(samples: &[Sample], end: &str) -> Value {
    let usages: Vec<(u64, &Usage)> = samples
        .iter()
        .filter(|sample| sample.end == end && sample.minute > 1)
        .filter_map(|sample| Some((sample.minute, sample.usage.as_ref()?)))
        .collect();
    let all = Change::of(&usages, |usage| usage.memory_mib);
    let own = Change::of(&usages, |usage| usage.own_mib);
    let threads = range(usages.iter().map(|(_, usage)| usage.threads));
    let descriptors = range(usages.iter().map(|(_, usage)| usage.descriptors));
    println!("end {end}: memory {}", all.text());
    println!("end {end}: own memory {}", own.text());
    println!("end {end}: threads {}, descriptors {}", as_text(threads), as_text(descriptors));
    json!({"end": end, "memory": all.json(), "own": own.json(), "threads": threads, "descriptors": descriptors})
}

/// All values in MiB.
struct Change {
    hourly: Option<f64>,
    early: Option<f64>,
    late: Option<f64>,
}

impl Change {
    fn of(usages: &[(u64, &Usage)], mib: impl Fn(&Usage) -> f64) -> Change {
        let points: Vec<(f64, f64)> =
            usages.iter().map(|(minute, usage)| (*minute as f64 / 60.0, mib(usage))).collect();
        let last = usages.last().map_or(0, |(minute, _)| *minute);
        let within = |minutes: std::ops::RangeInclusive<u64>| {
            mean(usages.iter().filter(|(minute, _)| minutes.contains(minute)).map(|(_, usage)| mib(usage)))
        };
        Change { hourly: slope(&points), early: within(11..=20), late: within((last + 1).saturating_sub(10)..=last) }
    }

    fn text(&self) -> String {
        let [hourly, early, late] = [self.hourly, self.early, self.late].map(|mib| figure(mib, 1));
        format!("changes by {hourly} MiB an hour: {early} MiB in minutes 10 to 20, {late} MiB in the last ten")
    }

    fn json(&self) -> Value {
        json!({"mib_per_hour": self.hourly, "early_mib": self.early, "late_mib": self.late})
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

fn range(values: impl Iterator<Item = usize> + Clone) -> Option<(usize, usize)> {
    Some((values.clone().min()?, values.max()?))
}

fn as_text(range: Option<(usize, usize)>) -> String {
    range.map_or("?".into(), |(fewest, most)| format!("{fewest} to {most}"))
}

fn as_json(sample: &Sample) -> Value {
    let Sample { minute, end, received, usage } = sample;
    let usage = usage.as_ref();
    json!({
        "minute": minute, "end": end, "received": received.json(), "memory_mib": usage.map(|usage| usage.memory_mib),
        "own_mib": usage.map(|usage| usage.own_mib), "threads": usage.map(|usage| usage.threads), "descriptors": usage.map(|usage| usage.descriptors),
    })
}
