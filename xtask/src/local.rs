//! A server and its clients, as processes on this machine's loopback interface.

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command;
use crate::workspace::Workspace;

/// What the server prints on its standard output before its address, as soon as it accepts connections.
const LISTENING: &str = "listening on ";
/// How long a server may take to start.
const SERVER_START: Duration = Duration::from_secs(20);
/// How long a process may take to end after it was asked to.
const GOODBYE: Duration = Duration::from_secs(8);
/// Unread lines of a program. When full, further lines are dropped, and the program continues.
const LINES: usize = 65_536;

/// Our programs.
pub(crate) struct Programs {
    server: PathBuf,
    client: PathBuf,
    /// The data folder of the server, separate from that of a server of the user.
    data: PathBuf,
}

/// The app and the programs around it.
pub(crate) struct App {
    pub(crate) programs: Programs,
    /// The program with the window.
    pub(crate) window: PathBuf,
}

impl Programs {
    /// Compiles the programs for release if they are out of date.
    pub(crate) fn build(workspace: &Workspace) -> Result<Programs> {
        compile(workspace, "the server and the client for release", &["--release"], &["server", "cli"])?;
        let program =
            |name: &str| workspace.target.join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        Ok(Programs {
            server: program("lunchroom-server"),
            client: program("lunchroom-cli"),
            data: workspace.reports().join("server"),
        })
    }

    /// Compiles the window and the server for development, in seconds instead of minutes.
    pub(crate) fn build_app(workspace: &Workspace) -> Result<App> {
        compile(workspace, "the app", &[], &["lunchroom", "server", "cli"])?;
        let program =
            |name: &str| workspace.target.join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        let programs = Programs {
            server: program("lunchroom-server"),
            client: program("lunchroom-cli"),
            data: workspace.reports().join("server"),
        };
        Ok(App { programs, window: program("lunchroom") })
    }

    /// Starts a server on a free loopback port, without STUN and TURN. It ends when the value is dropped.
    pub(crate) fn start_server(&self) -> Result<Server> {
        let listen = format!("{}:0", Ipv4Addr::LOCALHOST);
        let mut process = Process::start(
            command::program(&self.server)
                .args(["--listen", &listen, "--no-turn", "--log", "warn", "--data-dir"])
                .arg(&self.data),
        )?;
        let url = process
            .wait_for(SERVER_START, |line| line.split_once(LISTENING).map(|(_, url)| url.trim().to_owned()))
            .context("the server did not report its address")?;
        Ok(Server { url, _process: process })
    }

    /// The client, without arguments.
    pub(crate) fn client(&self) -> Command {
        command::program(&self.client)
    }
}

/// Compiles packages with cargo's own progress, and says how long it took. Cargo says at once that nothing is to do.
fn compile(workspace: &Workspace, what: &str, options: &[&str], packages: &[&str]) -> Result<()> {
    let profile = workspace.target.join(if options.is_empty() { "debug" } else { "release" });
    let is_first = !profile.join(format!("lunchroom-server{}", std::env::consts::EXE_SUFFIX)).is_file();
    let times = if is_first { "; the first time takes many minutes: cargo shows how far it is" } else { "" };
    println!("compiling {what}{times}");
    let start = Instant::now();
    let mut cargo = command::cargo();
    cargo.arg("build").args(options).args(packages.iter().flat_map(|package| ["--package", package]));
    command::run(cargo.current_dir(&workspace.root))?;
    println!("compiled in {} s", start.elapsed().as_secs());
    Ok(())
}

/// A running server.
pub(crate) struct Server {
    /// `ws://…`.
    pub(crate) url: String,
    _process: Process,
}

/// A running program, whose standard output is read by line and whose standard input can be written.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Line>,
    name: String,
}

/// A line, with the time at which it was read.
pub(crate) struct Line {
    pub(crate) at: Instant,
    pub(crate) text: String,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Result<Process> {
        let name = command::shown(command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let output = child.stdout.take().context("no standard output")?;
        let (sender, lines) = sync_channel(LINES);
        thread::spawn(move || {
            for text in BufReader::new(output).lines().map_while(Result::ok) {
                if let Err(TrySendError::Disconnected(_)) = sender.try_send(Line { at: Instant::now(), text }) {
                    return;
                }
            }
        });
        Ok(Process { input: child.stdin.take(), child, lines, name })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the next line if one arrives before `until`. `None` also if the program closed its output.
    pub(crate) fn line_until(&self, until: Instant) -> Option<Line> {
        self.lines.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
    }

    /// Reads lines until `look` finds something in one of them.
    pub(crate) fn wait_for<T>(&mut self, limit: Duration, mut look: impl FnMut(&str) -> Option<T>) -> Result<T> {
        let until = Instant::now() + limit;
        while let Some(line) = self.line_until(until) {
            if let Some(found) = look(&line.text) {
                return Ok(found);
            }
        }
        match self.child.try_wait()? {
            Some(status) => bail!("{} ended ({status})", self.name),
            None => bail!("{} was silent for {} s", self.name, limit.as_secs()),
        }
    }

    /// Writes a line to the program's standard input.
    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("its standard input is closed")?;
        writeln!(input, "{line}").and_then(|()| input.flush()).with_context(|| self.name.clone())
    }

    /// Waits until the program ends on its own.
    pub(crate) fn finish(mut self) -> Result<()> {
        drop(self.input.take());
        let until = Instant::now() + GOODBYE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                return if status.success() { Ok(()) } else { bail!("{} failed ({status})", self.name) };
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("{} did not end", self.name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
