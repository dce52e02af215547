//! `cargo xtask fuzz [TARGET...] [--minutes N] [--keep]`: libFuzzer over every parser of input from outside.
//!
//! The targets are functions in one program, `tests/fuzz`, which is built once. Each runs for N minutes, as many at a
//! time as there are cores. Inputs that reach new code accumulate in `target/fuzz/corpus`; `--keep` adds a small set of
//! them to the stored corpus, over which the ordinary tests run every target.

mod log;

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use log::Run;

use crate::command;
use crate::workspace::Workspace;

/// What LLVM inserts: counters at edges, and operands of comparisons, from which libFuzzer learns constants.
///
/// `-Zsanitizer`, and with it AddressSanitizer, needs a nightly compiler. The pass that counts edges is a part of LLVM,
/// and `-Cpasses` and `-Cllvm-args` are stable. Level 4 includes indirect calls.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// One input may take this many seconds and this much memory in MiB.
const LIMITS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=2048"];

/// Edges alone, not how often they are passed: a small set that covers everything.
const SMALL: [&str; 2] = ["-set_cover_merge=1", "-use_counters=0"];
/// Most inputs of one target that `--keep` adds, and the longest in bytes. The stored corpus is part of the repository.
const KEPT: usize = 4;
const LONGEST_KEPT: u64 = 8 * 1024;

/// `cargo xtask fuzz`. Fails if any target has a finding.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let options = Options::parse(arguments)?;
    let fuzzer = Fuzzer::build(workspace)?;
    let targets = fuzzer.choose(&options.targets)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut findings = 0;
    println!("{}", log::HEAD);
    for some in targets.chunks(cores) {
        for run in fuzzer.run(some, options.seconds)? {
            println!("{run}");
            findings += usize::from(!run.clean);
        }
    }
    if options.keep {
        targets.iter().try_for_each(|target| fuzzer.keep(target))?;
    }
    if findings == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    println!("{findings} with a finding; inputs are in {}", fuzzer.findings().display());
    Ok(ExitCode::FAILURE)
}

struct Options {
    targets: Vec<String>,
    seconds: u64,
    keep: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options { targets: Vec::new(), seconds: 60, keep: false };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--minutes" => {
                    let minutes: f64 = rest.next().context("--minutes needs a number")?.parse().context("--minutes")?;
                    ensure!((0.0..=10_000.0).contains(&minutes), "--minutes is out of range");
                    options.seconds = (minutes * 60.0).ceil().max(1.0) as u64;
                }
                "--keep" => options.keep = true,
                name if !name.starts_with('-') => options.targets.push(name.to_owned()),
                _ => bail!("usage: cargo xtask fuzz [TARGET...] [--minutes N] [--keep]"),
            }
        }
        Ok(options)
    }
}

/// The compiled program and its folders.
struct Fuzzer {
    program: PathBuf,
    /// Working corpora, findings and logs.
    folder: PathBuf,
    /// `tests/fuzz/corpus`.
    stored: PathBuf,
}

impl Fuzzer {
    fn build(workspace: &Workspace) -> Result<Fuzzer> {
        let source = workspace.root.join("tests/fuzz");
        let folder = workspace.target.join("fuzz");
        let host = host()?;
        // With an explicit target, build scripts and procedural macros are not instrumented.
        let mut cargo = command::cargo();
        cargo.args(["build", "--release", "--locked", "--target", &host, "--target-dir"]).arg(&folder);
        cargo.env("RUSTFLAGS", COVERAGE).env_remove("CARGO_ENCODED_RUSTFLAGS").current_dir(&source);
        command::run(&mut cargo)?;
        let program = folder.join(host).join("release").join("fuzz");
        Ok(Fuzzer { program, folder, stored: source.join("corpus") })
    }

    /// The named targets, or all.
    fn choose(&self, named: &[String]) -> Result<Vec<String>> {
        let all = command::output(&mut self.command(""))?;
        let all: Vec<&str> = all.lines().collect();
        if let Some(unknown) = named.iter().find(|name| !all.contains(&name.as_str())) {
            bail!("no such target: {unknown}; there are: {}", all.join(" "));
        }
        Ok(if named.is_empty() { all.into_iter().map(str::to_owned).collect() } else { named.to_vec() })
    }

    /// Runs some targets at the same time.
    fn run(&self, targets: &[String], seconds: u64) -> Result<Vec<Run>> {
        let children: Vec<Child> = targets.iter().map(|target| self.start(target, seconds)).collect::<Result<_>>()?;
        let finish = |(target, mut child): (&String, Child)| {
            let clean = child.wait().context("libFuzzer")?.success();
            Ok(Run::read(target, clean, &fs::read_to_string(self.log(target))?))
        };
        targets.iter().zip(children).map(finish).collect()
    }

    fn start(&self, target: &str, seconds: u64) -> Result<Child> {
        let work = self.work(target);
        fs::create_dir_all(&work)?;
        fs::create_dir_all(self.findings())?;
        let mut command = self.command(target);
        command.arg(&work).arg(self.stored.join(target)).args(LIMITS);
        command.arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1");
        command.arg(format!("-artifact_prefix={}/{target}-", self.findings().display()));
        log_to(&mut command, &self.log(target))?;
        command.spawn().with_context(|| command::shown(&command))
    }

    /// Adds to the stored corpus the inputs that reach the most code that it does not reach.
    fn keep(&self, target: &str) -> Result<()> {
        let (stored, merged) = (self.stored.join(target), self.folder.join("merged").join(target));
        fs::create_dir_all(&stored)?;
        if merged.exists() {
            fs::remove_dir_all(&merged)?;
        }
        fs::create_dir_all(&merged)?;
        for input in inputs(&stored)? {
            fs::copy(stored.join(&input), merged.join(&input))?;
        }
        let mut command = self.command(target);
        command.arg("-merge=1").args(SMALL).args(LIMITS).arg(&merged).arg(self.work(target));
        log_to(&mut command, &self.folder.join(format!("{target}.merge.log")))?;
        command::run(&mut command)?;
        // libFuzzer writes first what adds most.
        let new = inputs(&merged)?.into_iter().filter(|input| !stored.join(input).exists()).take(KEPT);
        new.into_iter().try_for_each(|input| fs::copy(merged.join(&input), stored.join(&input)).map(drop))?;
        Ok(())
    }

    fn command(&self, target: &str) -> Command {
        let mut command = command::program(&self.program);
        command.env("FUZZ_TARGET", target).current_dir(&self.folder);
        command
    }

    /// What a target has found interesting so far.
    fn work(&self, target: &str) -> PathBuf {
        self.folder.join("corpus").join(target)
    }

    fn findings(&self) -> PathBuf {
        self.folder.join("findings")
    }

    fn log(&self, target: &str) -> PathBuf {
        self.folder.join(format!("{target}.log"))
    }
}

/// The names of the inputs in a folder, from the oldest to the newest, without long ones.
fn inputs(folder: &Path) -> Result<Vec<OsString>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.len() <= LONGEST_KEPT {
            found.push((metadata.modified()?, entry.file_name()));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, name)| name).collect())
}

fn log_to(command: &mut Command, log: &Path) -> Result<()> {
    let log = File::create(log).with_context(|| log.display().to_string())?;
    command.stdout(log.try_clone()?).stderr(log);
    Ok(())
}

/// The target triple of this machine.
fn host() -> Result<String> {
    let version = command::output(command::program("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
    Ok(host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options> {
        Options::parse(&arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn targets_and_minutes_are_read() {
        let options = parse(&["link", "--minutes", "1.5", "wav"]).unwrap();
        assert_eq!((options.targets, options.seconds, options.keep), (vec!["link".into(), "wav".into()], 90, false));
        assert!(parse(&["--keep"]).unwrap().keep);
        assert!(parse(&["--minutes"]).is_err());
        assert!(parse(&["--minutes", "-1"]).is_err());
        assert!(parse(&["--forever"]).is_err());
    }
}
