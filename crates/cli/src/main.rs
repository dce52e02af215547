//! Lunchroom without a window: calls, bots, measurements. Uses `engine` for everything, like the app.

mod args;
mod board;
mod call;
mod clock;
mod devices;
mod key;
mod load;
mod measure;
mod report;

use clap::Parser;

fn main() -> std::process::ExitCode {
    let args = args::Args::parse();
    report::start_log(args.verbosity());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let outcome = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match args.command {
                args::Action::Call(options) => call::run(options).await,
                args::Action::Board(options) => board::run(options).await,
                args::Action::Devices { json } => devices::run(json).await,
                args::Action::Load(options) => load::run(options).await,
                args::Action::Measure(options) => measure::run(options).await,
            }
        })
    });
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lunchroom-cli: {}", report::one_line(&format!("{error:#}")));
            std::process::ExitCode::FAILURE
        }
    }
}
