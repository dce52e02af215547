//! `cargo xtask run --headless`: a server on a free port and two clients with a test pattern and a tone. Prints what
//! each of them receives.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench::{Counters, Options, table};
use crate::local::{Process, Programs, Server};
use crate::setup;
use crate::workspace::Workspace;

/// How much longer than the call a client may run.
const PATIENCE: Duration = Duration::from_secs(30);

/// `cargo xtask run --headless [--seconds N]`.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let options = Options::parse(arguments, &[("seconds", "10")])?;
    let seconds: u64 = options.number("seconds")?;
    setup::for_building()?;
    let programs = Programs::build(workspace)?;
    let server = programs.start_server()?;
    println!("server on {}; Anna and Bo call each other for {seconds} s", server.url);
    let people: Vec<_> = ["Anna", "Bo"]
        .into_iter()
        .map(|name| Ok((name, start(&programs, &server, name, seconds)?)))
        .collect::<Result<_>>()?;
    let until = Instant::now() + Duration::from_secs(seconds) + PATIENCE;
    let followed: Vec<_> =
        people.into_iter().map(|(name, client)| (name, thread::spawn(move || follow(name, client, until)))).collect();
    let mut rows = vec![Counters::HEADINGS.map(str::to_owned).to_vec()];
    for (name, thread) in followed {
        let counters = thread.join().ok().context("a reader panicked")?.with_context(|| name.to_owned())?;
        rows.push(counters.row(name));
    }
    println!("\nreceived by\n{}", table(&rows));
    Ok(ExitCode::SUCCESS)
}

fn start(programs: &Programs, server: &Server, name: &str, seconds: u64) -> Result<Process> {
    let seconds = seconds.to_string();
    Process::start(
        programs
            .client()
            .args(["call", "--server", &server.url, "--room", "lunch", "--name", name])
            .args(["--camera", "test", "--microphone", "tone", "--speaker", "off"])
            .args(["--seconds", &seconds, "--loopback", "--json"]),
    )
}

/// Prints a client's events and returns its counters. Fails if no picture was received.
fn follow(name: &str, client: Process, until: Instant) -> Result<Counters> {
    let mut counters = Counters::new();
    let start = Instant::now();
    while let Some(line) = client.line_until(until) {
        let Ok(value) = serde_json::from_str::<Value>(&line.text) else { continue };
        match value["t"].as_str() {
            Some("ev") => {
                let event = value["name"].as_str().unwrap_or_default();
                let text = value["text"].as_str().unwrap_or_default();
                println!("{:6.2} s  {name}: {event} {text}", (line.at - start).as_secs_f64());
            }
            Some("s") => counters.add((line.at - start).as_secs_f64() * 1000.0, value),
            _ => {}
        }
    }
    client.finish()?;
    if counters.frames() == 0 {
        bail!("received no picture");
    }
    Ok(counters)
}
