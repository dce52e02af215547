//! Runs a program, reads its output as it is written, and ends the program if it hangs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::command;

/// Lines that wait to be read. When full, the program that writes them waits.
const LINES: usize = 1_024;

/// How long a program may take before it counts as hanging.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// The time without a line of output.
    pub silence: Duration,
    /// The total time.
    pub whole: Duration,
}

/// Passes every line of both streams to `take` as it arrives. Returns false if the program failed or had to be ended.
pub(super) fn run(command: &mut Command, patience: Patience, mut take: impl FnMut(&str) -> Result<()>) -> Result<bool> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", command::shown(command)))?;
    let lines = lines(&mut child);
    let start = Instant::now();
    loop {
        let left = patience.whole.saturating_sub(start.elapsed()).min(patience.silence);
        match lines.recv_timeout(left) {
            Ok(line) if !left.is_zero() => take(&line)?,
            Err(RecvTimeoutError::Disconnected) => return Ok(child.wait()?.success()),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {
                let minutes = start.elapsed().as_secs() / 60;
                take(&format!("it hangs and is ended after {minutes} minutes"))?;
                end(&mut child);
                return Ok(false);
            }
        }
    }
}

/// The lines of both streams of the child, as they arrive.
fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = sync_channel(LINES);
    if let Some(stream) = child.stdout.take() {
        read(stream, sender.clone());
    }
    if let Some(stream) = child.stderr.take() {
        read(stream, sender);
    }
    receiver
}

fn read(stream: impl Read + Send + 'static, sender: SyncSender<String>) {
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

/// Ends a hanging program. Its children are ended first, because cargo does not end them.
fn end(child: &mut Child) {
    let parent = child.id().to_string();
    if let Ok(listed) = command::program("ps").args(["-o", "pid=", "--ppid", &parent]).output() {
        for pid in String::from_utf8_lossy(&listed.stdout).split_whitespace() {
            command::succeeds(command::program("kill").arg(pid));
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const PATIENT: Patience = Patience { silence: Duration::from_secs(60), whole: Duration::from_secs(60) };

    fn shell(script: &str, patience: Patience) -> (bool, Vec<String>) {
        let mut lines = Vec::new();
        let good = run(Command::new("sh").args(["-c", script]), patience, |line| {
            lines.push(line.to_owned());
            Ok(())
        })
        .expect("sh starts");
        lines.sort();
        (good, lines)
    }

    #[test]
    fn both_streams_and_the_exit_are_reported() {
        assert_eq!(shell("echo a; echo b >&2", PATIENT), (true, vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(shell("echo a; exit 3", PATIENT), (false, vec!["a".to_owned()]));
    }

    #[test]
    fn silent_and_endless_programs_are_stopped() {
        let brief = Duration::from_millis(50);
        let (good, lines) = shell("exec sleep 600", Patience { silence: brief, ..PATIENT });
        assert!(!good && lines.len() == 1, "{lines:?}");
        let (good, lines) = shell("while echo talk; do sleep 0.01; done", Patience { whole: brief, ..PATIENT });
        assert!(!good && lines.iter().any(|line| line.contains("hangs")), "{lines:?}");
    }
}
