//! Project commands: `cargo xtask setup | run | test | tidy | package | icons | bench`.
//!
//! This is compiled before anything else on a new machine, so it depends on little: `syn`, for `tidy`, is the largest.

mod bench;
mod command;
mod icons;
mod local;
mod package;
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

  setup [--build]   install what is missing on this machine; --build: only what compiling needs
  run [ARGUMENTS]   open the app, with a server to meet at unless one is named;
                    --headless [--seconds N]: two clients without a window call each other, and what they measure
  test              everything that must pass: formatting, clippy, licences, tidy and all tests
  tidy [--lower]    the rules of the architecture alone: imports, circles, names, sizes, queues, pure crates;
                    --lower: allow no more retired names than are left; --unused: list public items without a caller
  package           make installers of this machine's kind
  icons             draw icons/*.svg in the forms that systems want
  bench [NAME]      measure; without a name: the list of benches
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
        "package" => package::main(&Workspace::find()?),
        "icons" => icons::main(&Workspace::find()?),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("no such command: {command}\n\n{USAGE}"),
    }
}
