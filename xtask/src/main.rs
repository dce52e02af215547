//! Project commands: `cargo xtask setup | run | test | tidy | fuzz | package | check-platforms | icons | bench`.
//!
//! This is compiled before anything else on a new machine, so it has few dependencies. The largest is `syn`, for
//! `tidy`.

mod bench;
mod command;
mod fuzz;
mod icons;
mod local;
mod package;
mod platforms;
mod run;
mod setup;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};
use workspace::Workspace;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  setup [--build]   install missing tools; --build: only those needed for compiling
  run [ARGUMENTS]   open the app, and start a server unless one is named;
                    --headless [--seconds N]: run a call between two clients without a window, and print statistics
  test              run everything that must pass: formatting, clippy, licences, tidy and all tests
  tidy [--lower]    check only the rules of the architecture: imports, cycles, names, sizes, queues, pure crates;
                    --lower: lower the allowed counts of retired names; --unused: list public items without a caller
  fuzz [TARGET...]  run libFuzzer over every parser; --minutes N: for each target (1); --keep: store new inputs
  package [WHAT]    build installers for this platform: of the app, of the server, or of both
  check-platforms   type-check for Windows and macOS (on Debian 12; each takes ten minutes); windows or macos: only that one
  icons             render icons/*.svg into the formats that systems require
  bench [NAME]      run a benchmark; without a name: list them
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<ExitCode> {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    match command {
        "setup" => setup::main(&Workspace::find()?, rest),
        "run" => run::main(&Workspace::find()?, rest),
        "test" => test::main(&Workspace::find()?, rest),
        "tidy" => tidy::main(&Workspace::find()?, rest),
        "bench" => bench::main(&Workspace::find()?, rest),
        "fuzz" => fuzz::main(&Workspace::find()?, rest),
        "package" => package::main(&Workspace::find()?, rest),
        "check-platforms" => platforms::main(&Workspace::find()?, rest),
        "icons" => icons::main(&Workspace::find()?),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("no such command: {command}\n\n{USAGE}"),
    }
}
