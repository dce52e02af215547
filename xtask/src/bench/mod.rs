//! `cargo xtask bench NAME`: benchmarks.
//!
//! A benchmark starts our release programs, drives them, and prints and saves the results. Results are not compared
//! with stored figures here: people record them in docs/benchmarks.md.

mod audio;
mod board;
mod call;
mod counters;
mod echo;
mod ends;
mod figures;
mod files;
mod forward;
mod forwarder;
mod frames;
mod group;
mod material;
mod network;
mod noise;
mod options;
mod records;
mod rounds;
mod soak;
mod speech;
mod table;
mod usage;
mod window;

use std::process::ExitCode;

use anyhow::{Context, Result};
pub(crate) use counters::Counters;
pub(crate) use options::Options;
pub(crate) use table::table;

use crate::workspace::Workspace;

/// One benchmark.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn(&Workspace, &[String]) -> Result<()>,
}

/// A new benchmark needs a module and an entry here.
const BENCHES: &[Bench] = &[
    Bench { name: "audio", about: audio::ABOUT, run: audio::run },
    Bench { name: "board", about: board::ABOUT, run: board::run },
    Bench { name: "call", about: call::ABOUT, run: call::run },
    Bench { name: "echo", about: echo::ABOUT, run: echo::run },
    Bench { name: "files", about: files::ABOUT, run: files::run },
    Bench { name: "forward", about: forward::ABOUT, run: forward::run },
    Bench { name: "forwarder", about: forwarder::ABOUT, run: forwarder::run },
    Bench { name: "frames", about: frames::ABOUT, run: frames::run },
    Bench { name: "network", about: network::ABOUT, run: network::run },
    Bench { name: "noise", about: noise::ABOUT, run: noise::run },
    Bench { name: "rounds", about: rounds::ABOUT, run: rounds::run },
    Bench { name: "soak", about: soak::ABOUT, run: soak::run },
    Bench { name: "table", about: group::ABOUT, run: group::run },
    Bench { name: "window", about: window::ABOUT, run: window::run },
];

/// `cargo xtask bench [NAME [OPTIONS]]`.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let Some((name, rest)) = arguments.split_first() else {
        for bench in BENCHES {
            println!("{:9} {}", bench.name, bench.about);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let bench = BENCHES
        .iter()
        .find(|bench| bench.name == name)
        .with_context(|| format!("no such benchmark: {name}; `cargo xtask bench` lists them"))?;
    (bench.run)(workspace, rest)?;
    Ok(ExitCode::SUCCESS)
}
