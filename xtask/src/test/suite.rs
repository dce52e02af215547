//! Running all tests of the workspace.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::tally::{Reader, Tally};
use crate::command;
use crate::workspace::Workspace;

/// A test program, or a compiler, that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(15 * 60);

/// Builds and runs them. What passes is silent; everything is in `target/xtask/test.log`.
pub(crate) fn run(workspace: &Workspace) -> Result<Tally> {
    let log = workspace.reports().join("test.log");
    std::fs::create_dir_all(workspace.reports())?;
    let mut file = File::create(&log).with_context(|| log.display().to_string())?;
    // `--show-output` also lets a test that passed tell us that it skipped something.
    let mut child = command::cargo()
        .args(["test", "--workspace", "--no-fail-fast", "--", "--show-output"])
        .current_dir(&workspace.root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start cargo test")?;
    let mut reader = Reader::new();
    let finished = follow(lines(&mut child), |line| {
        if reader.line(line) {
            println!("{line}");
        }
        writeln!(file, "{line}").context("test.log")
    })?;
    let succeeded = if finished { child.wait()?.success() } else { end(&mut child) };
    println!("all output: {}", log.display());
    Ok(reader.finish(succeeded))
}

/// Gives every line on; false if they stopped coming without an end.
fn follow(lines: Receiver<String>, mut take: impl FnMut(&str) -> Result<()>) -> Result<bool> {
    loop {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => take(&line)?,
            Err(RecvTimeoutError::Disconnected) => return Ok(true),
            Err(RecvTimeoutError::Timeout) => {
                take(&format!("nothing has been printed for {} minutes: it hangs", SILENCE.as_secs() / 60))?;
                return Ok(false);
            }
        }
    }
}

/// Both streams of the child, line by line as they come.
fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(stream) = child.stdout.take() {
        read(stream, sender.clone());
    }
    if let Some(stream) = child.stderr.take() {
        read(stream, sender);
    }
    receiver
}

fn read(stream: impl Read + Send + 'static, sender: Sender<String>) {
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            line.clear();
            if sender.send(text).is_err() {
                return;
            }
        }
    });
}

/// Ends what hangs: cargo's children first, because cargo does not take them along.
fn end(child: &mut Child) -> bool {
    let parent = child.id().to_string();
    if let Ok(listed) = command::program("ps").args(["-o", "pid=", "--ppid", &parent]).output() {
        for pid in String::from_utf8_lossy(&listed.stdout).split_whitespace() {
            command::succeeds(command::program("kill").arg(pid));
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    false
}
