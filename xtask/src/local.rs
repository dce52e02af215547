//! A server and its clients as processes on this machine's loopback.

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

/// What the server says on its standard output once it can be reached, before its address.
const LISTENING: &str = "listening on ";
/// How long a server may take to say so.
const SERVER_START: Duration = Duration::from_secs(20);
/// How long a process may take to end by itself after it was told to.
const GOODBYE: Duration = Duration::from_secs(8);
/// Lines of a program that nobody has read yet. When full, further ones are lost and the program goes on.
const LINES: usize = 65_536;

/// Our programs, compiled for release.
pub(crate) struct Programs {
    server: PathBuf,
    client: PathBuf,
    /// Where the server keeps what it makes; never the user's own server's folder.
    data: PathBuf,
}

/// The app and what it needs around it.
pub(crate) struct App {
    pub(crate) programs: Programs,
    /// The program with the window.
    pub(crate) window: PathBuf,
}

impl Programs {
    /// Compiles them if they are not up to date.
    pub(crate) fn build(workspace: &Workspace) -> Result<Programs> {
        println!("compiling the server and the client for release; the first time takes minutes");
        let arguments = ["build", "--quiet", "--release", "--package", "server", "--package", "cli"];
        command::run(command::cargo().args(arguments).current_dir(&workspace.root))?;
        let program =
            |name: &str| workspace.target.join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        Ok(Programs {
            server: program("lunchroom-server"),
            client: program("lunchroom-cli"),
            data: workspace.reports().join("server"),
        })
    }

    /// Compiles the window and the server for working on them: in seconds instead of minutes.
    pub(crate) fn build_app(workspace: &Workspace) -> Result<App> {
        println!("compiling the app; the first time takes minutes");
        let arguments = ["build", "--quiet", "--package", "lunchroom", "--package", "server", "--package", "cli"];
        command::run(command::cargo().args(arguments).current_dir(&workspace.root))?;
        let program =
            |name: &str| workspace.target.join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        let programs = Programs {
            server: program("lunchroom-server"),
            client: program("lunchroom-cli"),
            data: workspace.reports().join("server"),
        };
        Ok(App { programs, window: program("lunchroom") })
    }

    /// A server of our own on a free port of the loopback, with no STUN or TURN; it ends when it is dropped.
    pub(crate) fn start_server(&self) -> Result<Server> {
        let listen = format!("{}:0", Ipv4Addr::LOCALHOST);
        let mut process = Process::start(
            command::program(&self.server)
                .args(["--listen", &listen, "--no-turn", "--log", "warn", "--data-dir"])
                .arg(&self.data),
        )?;
        let url = process
            .wait_for(SERVER_START, |line| line.split_once(LISTENING).map(|(_, url)| url.trim().to_owned()))
            .context("the server did not say where it listens")?;
        Ok(Server { url, _process: process })
    }

    /// A client, to be given its arguments.
    pub(crate) fn client(&self) -> Command {
        command::program(&self.client)
    }
}

/// A running server.
pub(crate) struct Server {
    /// `ws://…`.
    pub(crate) url: String,
    _process: Process,
}

/// A running program whose standard output is read line by line and whose standard input can be written.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Line>,
    name: String,
}

/// A line and when it came.
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

    /// The next line, if one comes until then; `None` also when there will be no more.
    pub(crate) fn line_until(&self, until: Instant) -> Option<Line> {
        self.lines.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
    }

    /// Reads lines until one of them is what is looked for.
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

    /// Writes a line to its standard input.
    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("its standard input is closed")?;
        writeln!(input, "{line}").and_then(|()| input.flush()).with_context(|| self.name.clone())
    }

    /// Waits until it ends by itself; an error if it fails or does not.
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
