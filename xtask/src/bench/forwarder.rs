//! `cargo xtask bench forwarder`: fifty people in a forwarded room, beside Janus, and with bad paths.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::call::keep;
use super::figures::freezes;
use super::options::Options;
use super::speech::spread;
use super::table::table;
use crate::command;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const ABOUT: &str = "a forwarded room of fifty (Linux): --people 50 --cameras 6 --voices 2 --tile 360 \
                                --seconds 20 --runs 5 --peer janus --impaired";

const OPTIONS: [(&str, &str); 8] = [
    ("people", "50"),
    ("cameras", "6"),
    ("voices", "2"),
    ("tile", "360"),
    ("seconds", "20"),
    ("runs", "5"),
    ("peer", ""),
    // Janus's own default is a thread for each connection, which costs it three times as much.
    ("janus-loops", "1"),
];

/// The load client is given this address, which no other network has: Janus uses no loopback address.
const NETWORK: &str = "ip link set lo up && ip link add forward0 type veth peer name forward1 && \
    ip addr add 10.9.0.1/24 dev forward0 && ip link set forward0 up && ip link set forward1 up && exec \"$@\"";
const ADDRESS: &str = "10.9.0.1";

/// Cores that other programs may use during a run. Beyond that, the run is made anew, so many times at most.
const MOST_OTHER_CORES: f64 = 0.15;
const ATTEMPTS: usize = 5;

/// A figure of the table: its name, how a run has it, and its decimals.
struct Figure {
    name: &'static str,
    of: fn(&Value) -> Option<f64>,
    digits: usize,
}

const FIGURES: [Figure; 14] = [
    Figure { name: "packets a core-second", of: |run| run["packets_per_core_second"].as_f64(), digits: 0 },
    Figure { name: "Mbit/s a core", of: |run| run["mbit_per_core_second"].as_f64(), digits: 0 },
    Figure { name: "packets/s", of: |run| Some(run["packets"].as_f64()? / run["seconds"].as_f64()?), digits: 0 },
    Figure { name: "Mbit/s", of: |run| run["mbit_per_second"].as_f64(), digits: 1 },
    Figure { name: "cores", of: |run| run["cores"].as_f64(), digits: 3 },
    Figure { name: "memory (RSS), MiB", of: |run| run["rss_mib"].as_f64(), digits: 0 },
    Figure { name: "added latency p50, ms", of: |run| added_ms(run, "p50"), digits: 2 },
    Figure { name: "added latency p95, ms", of: |run| added_ms(run, "p95"), digits: 2 },
    Figure { name: "without a server p50, ms", of: |run| latency_ms(run, "direct_us", "p50"), digits: 3 },
    Figure { name: "lost packets", of: |run| run["lost"].as_f64(), digits: 0 },
    Figure { name: "wanted encoding everywhere after, s", of: |run| run["settled_s"].as_f64(), digits: 0 },
    Figure {
        name: "keyframes requested of publishers",
        of: |run| run["keyframes_requested_of_publishers"].as_f64(),
        digits: 0,
    },
    Figure { name: "cores of the load client", of: |run| run["client_cores"].as_f64(), digits: 2 },
    Figure { name: "cores of other programs", of: |run| run["other_cores"].as_f64(), digits: 2 },
];

/// Servers and load client share this machine, so nothing else may run.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let (flags, arguments): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|one| *one == "--impaired");
    let arguments: Vec<String> = arguments.into_iter().cloned().collect();
    let options = Options::parse(&arguments, &OPTIONS)?;
    let is_impaired = !flags.is_empty();
    let variants: &[(&str, &[&str])] = match options.text("peer") {
        "" if is_impaired => &[("clear", &[]), ("impaired", &["--impaired"])],
        "" => &[("Lunchroom", &[])],
        "janus" if !is_impaired => &[("Lunchroom", &[]), ("Janus", &["--janus"])],
        "janus" => bail!("--impaired is measured without a peer"),
        other => bail!("no such peer: {other}; there is janus"),
    };
    setup::for_building()?;
    let load = Load::build(workspace, &options)?;
    let mut runs: Vec<Vec<Value>> = vec![Vec::new(); variants.len()];
    for n in 0..options.number::<usize>("runs")?.max(1) {
        for ((name, flags), runs) in variants.iter().zip(&mut runs) {
            println!("run {}: {name}", n + 1);
            runs.push(load.run(flags)?);
        }
    }
    let names: Vec<&str> = variants.iter().map(|(name, _)| *name).collect();
    println!("\n{}", table(&figure_rows(&names, &runs)));
    if is_impaired {
        println!("\nthe speaker's picture\n{}", table(&picture_rows(&names, &runs)));
    }
    let all: Vec<Value> = names.iter().zip(&runs).map(|(name, runs)| json!({"name": name, "runs": runs})).collect();
    keep(workspace, "forwarder", &json!({"options": arguments, "variants": all}))
}

/// The programs, and the options of each run.
struct Load {
    client: String,
    arguments: Vec<String>,
}

impl Load {
    fn build(workspace: &Workspace, options: &Options) -> Result<Load> {
        println!("compiling for release; the first time takes minutes");
        let build = ["build", "--quiet", "--release", "--package", "server", "--bin", "lunchroom-server"];
        let mut cargo = command::cargo();
        command::run(cargo.args(build).args(["--example", "forward-load"]).current_dir(&workspace.root))?;
        let programs = workspace.target.join("release");
        let path = |name: &str| programs.join(name).display().to_string();
        let mut arguments =
            vec!["--server".to_owned(), path("lunchroom-server"), "--address".to_owned(), ADDRESS.to_owned()];
        for name in ["people", "cameras", "voices", "tile", "seconds", "janus-loops"] {
            arguments.extend([format!("--{name}"), options.text(name).to_owned()]);
        }
        Ok(Load { client: path("examples/forward-load"), arguments })
    }

    /// One run while nothing else runs, if there is such a time.
    fn run(&self, flags: &[&str]) -> Result<Value> {
        let mut run = self.attempt(flags)?;
        for _ in 1..ATTEMPTS {
            let Some(others) = run["other_cores"].as_f64().filter(|cores| *cores > MOST_OTHER_CORES) else { break };
            println!("other programs use {others:.2} cores, so the run is made anew");
            run = self.attempt(flags)?;
        }
        Ok(run)
    }

    /// One run, in a network of its own.
    fn attempt(&self, flags: &[&str]) -> Result<Value> {
        let mut unshare = command::program("unshare");
        unshare.args(["--map-root-user", "--net", "sh", "-c", NETWORK, "sh", &self.client]);
        let printed = command::output(unshare.args(&self.arguments).args(flags).env("LUNCHROOM_LOG", "warn"))?;
        serde_json::from_str(printed.trim()).context("the load client's figures")
    }
}

fn latency_ms(run: &Value, of: &str, share: &str) -> Option<f64> {
    Some(run[of][share].as_f64()? / 1_000.0)
}

/// What the server adds to a datagram's way.
fn added_ms(run: &Value, share: &str) -> Option<f64> {
    Some(latency_ms(run, "latency_us", share)? - latency_ms(run, "direct_us", "p50")?)
}

fn figure_rows(names: &[&str], runs: &[Vec<Value>]) -> Vec<Vec<String>> {
    let headings = [&[""], names].concat().iter().map(|name| (*name).to_owned()).collect();
    let row = |figure: &Figure| {
        let cell = |runs: &Vec<Value>| spread(runs.iter().filter_map(figure.of).collect(), figure.digits);
        std::iter::once(figure.name.to_owned()).chain(runs.iter().map(cell)).collect()
    };
    std::iter::once(headings).chain(FIGURES.iter().map(row)).collect()
}

/// Frames and freezes of the speaker's picture: of the receivers whose path may be impaired, who are the last two, and of the
/// others.
fn picture_rows(names: &[&str], runs: &[Vec<Value>]) -> Vec<Vec<String>> {
    let headings = ["receivers", "run", "frames/s", "freezes", "frozen, s"].map(str::to_owned).to_vec();
    let mut rows = vec![headings];
    for (group, is_in) in GROUPS {
        for (name, runs) in names.iter().zip(runs) {
            let views: Vec<View> = runs.iter().flat_map(|run| views(run, is_in)).collect();
            let cell = |of: fn(&View) -> f64, digits| spread(views.iter().map(of).collect(), digits);
            let cells = [cell(|view| view.fps, 1), cell(|view| view.freezes, 0), cell(|view| view.frozen_s, 2)];
            rows.push([vec![group.to_owned(), (*name).to_owned()], cells.to_vec()].concat());
        }
    }
    rows
}

/// A group of receivers, by their distance from the last.
type Group = (&'static str, fn(usize) -> bool);

const GROUPS: [Group; 3] =
    [("300 kbit/s", |last| last == 1), ("10 % loss", |last| last == 0), ("the others", |last| last > 1)];

/// What a receiver could display of the speaker.
struct View {
    fps: f64,
    freezes: f64,
    frozen_s: f64,
}

fn views(run: &Value, is_in: fn(usize) -> bool) -> Vec<View> {
    let seconds = run["seconds"].as_f64().unwrap_or(f64::NAN);
    let receivers = run["receivers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let chosen = receivers.iter().rev().enumerate().filter(|(last, one)| is_in(*last) && one["is_speaker"] != true);
    let view = |(_, one): (usize, &Value)| {
        let times = one["shown_ms"].as_array().into_iter().flatten().filter_map(Value::as_f64);
        // What is displayed until the end counts as a frame there.
        let times: Vec<f64> = times.chain([seconds * 1_000.0]).collect();
        let frozen = freezes(&times);
        let frames = (times.len() - 1) as f64;
        // The sum of nothing is -0.
        let frozen_s = frozen.iter().sum::<f64>().abs() / 1_000.0;
        View { fps: frames / seconds, freezes: frozen.len() as f64, frozen_s }
    };
    chosen.map(view).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(shown: &[&[u64]]) -> Value {
        let receivers: Vec<Value> = shown.iter().map(|times| json!({"is_speaker": false, "shown_ms": times})).collect();
        json!({"seconds": 1.0, "latency_us": {"p50": 930}, "direct_us": {"p50": 30}, "receivers": receivers})
    }

    #[test]
    fn the_added_latency_is_without_that_of_the_system() {
        assert_eq!(added_ms(&run(&[]), "p50"), Some(0.9));
        assert_eq!(added_ms(&run(&[]), "p95"), None);
    }

    #[test]
    fn receivers_are_counted_from_the_last() {
        let steady: Vec<u64> = (0..30).map(|n| n * 33).collect();
        let frozen: Vec<u64> = steady.iter().copied().filter(|ms| *ms < 400 || *ms > 800).collect();
        let run = run(&[&steady, &steady, &frozen, &[]]);
        let fps = |group: usize| views(&run, GROUPS[group].1).iter().map(|view| view.fps).collect::<Vec<f64>>();
        assert_eq!((fps(0), fps(1), fps(2)), (vec![18.0], vec![0.0], vec![30.0, 30.0]));
        let narrow = views(&run, GROUPS[0].1).remove(0);
        assert_eq!((narrow.freezes, narrow.frozen_s), (1.0, 0.429));
    }
}
