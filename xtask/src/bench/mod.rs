//! `cargo xtask bench NAME`: measuring.
//!
//! A bench starts our release programs, makes them do something, and prints and keeps what came of it. Nothing is
//! compared with a stored figure here: what is known is written in docs/benchmarks.md by people.

mod board;
mod call;
mod counters;
mod ends;
mod figures;
mod material;
mod options;
mod records;
mod soak;
mod table;
mod usage;
mod window;

use std::process::ExitCode;

use anyhow::{Context, Result};
pub(crate) use counters::Counters;
pub(crate) use options::Options;
pub(crate) use table::table;

use crate::workspace::Workspace;

/// One thing that can be measured.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn(&Workspace, &[String]) -> Result<()>,
}

/// A new bench is a module and a line here.
const BENCHES: &[Bench] = &[
    Bench { name: "board", about: board::ABOUT, run: board::run },
    Bench { name: "call", about: call::ABOUT, run: call::run },
    Bench { name: "soak", about: soak::ABOUT, run: soak::run },
    Bench { name: "window", about: window::ABOUT, run: window::run },
];

/// `cargo xtask bench [NAME [OPTIONS]]`.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let Some((name, rest)) = arguments.split_first() else {
        for bench in BENCHES {
            println!("{:6} {}", bench.name, bench.about);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let bench = BENCHES
        .iter()
        .find(|bench| bench.name == name)
        .with_context(|| format!("no such bench: {name}; `cargo xtask bench` lists them"))?;
    (bench.run)(workspace, rest)?;
    Ok(ExitCode::SUCCESS)
}
