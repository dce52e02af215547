//! Lunchroom without a window: calls, bots, measurements. Uses `engine` for everything, like the app, and `doctor` to
//! examine a network.

mod args;
mod board;
mod call;
mod clock;
mod devices;
mod diagnose;
mod key;
mod load;
mod measure;
mod report;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = args::Args::parse();
    report::start_log(args.verbosity());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let outcome = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let outcome = runtime.block_on(run(args.command));
        // A lookup in the DNS may still run, and cannot be cancelled.
        runtime.shutdown_background();
        outcome
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("lunchroom-cli: {}", report::one_line(&format!("{error:#}")));
        ExitCode::FAILURE
    })
}

async fn run(action: args::Action) -> anyhow::Result<ExitCode> {
    match action {
        args::Action::Call(options) => call::run(options).await?,
        args::Action::Board(options) => board::run(options).await?,
        args::Action::Devices { json } => devices::run(json).await?,
        args::Action::Doctor(options) => return Ok(diagnose::run(options).await),
        args::Action::Load(options) => load::run(options).await?,
        args::Action::Measure(options) => measure::run(options).await?,
    }
    Ok(ExitCode::SUCCESS)
}
