//! The log: files of bounded number and length for fault reports, and standard error.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{InitError, RollingFileAppender, Rotation};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{fmt, registry};

/// Number of files kept, one for each day with log lines. When full, the oldest is deleted.
const FILES: usize = 5;
const PREFIX: &str = "lunchroom";
const SUFFIX: &str = "log";

/// Bytes written to the files per hour. When full, further lines of that hour are dropped from the file, so that nobody
/// can fill the disk by provoking warnings. Standard error still receives every line.
const HOUR_BYTES: usize = 2 << 20;
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Lines that wait for the disk. When the queue is full, new lines are dropped: no thread waits for the log.
const QUEUED_LINES: usize = 4_096;

const OURS: [&str; 9] = ["lunchroom", "engine", "peer", "devices", "codecs", "call", "signaling", "server", "relay"];

/// Libraries whose warnings contain the addresses of other people.
const WITH_ADDRESSES: [&str; 2] = ["rtc", "webrtc"];

/// Logs to a file in this folder and to standard error, or only to standard error if no file can be created. Lines of
/// libraries that use the `log` crate are included. Dropping the guard writes what is still queued.
pub(crate) fn start(folder: &Path, level: LevelFilter) -> Option<WorkerGuard> {
    let file = open(folder).map_err(|error| eprintln!("lunchroom: no log in {}: {error}", folder.display()));
    let (file, guard) = file.ok().unzip();
    if let Err(error) = subscriber(file, level).try_init() {
        eprintln!("lunchroom: no log: {error}");
    }
    guard
}

/// Writes all log files, oldest first, to one file that people can send, and returns its path.
pub(crate) fn export(folder: &Path, to: &Path) -> io::Result<PathBuf> {
    let mut text =
        format!("lunchroom {} on {} {}\n", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH)
            .into_bytes();
    for file in files(folder)? {
        text.extend(std::fs::read(file)?);
    }
    std::fs::create_dir_all(to)?;
    let file = to.join(format!("lunchroom-log-{}.txt", UNIX_EPOCH.elapsed().unwrap_or_default().as_secs()));
    std::fs::write(&file, text)?;
    Ok(file)
}

fn open(folder: &Path) -> Result<(NonBlocking, WorkerGuard), InitError> {
    let files = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(PREFIX)
        .filename_suffix(SUFFIX)
        .max_log_files(FILES)
        .build(folder)?;
    let queue = NonBlockingBuilder::default().buffered_lines_limit(QUEUED_LINES).lossy(true).thread_name("log");
    Ok(queue.finish(Capped { to: files, since: Instant::now(), written: 0 }))
}

fn subscriber(file: Option<NonBlocking>, level: LevelFilter) -> impl Subscriber + Send + Sync {
    let file = file.map(|file| fmt::layer().with_ansi(false).with_writer(file).with_filter(for_file(level)));
    let terminal = fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    registry().with(file).with(terminal.with_filter(for_terminal(level)))
}

/// Our own crates at this level, and warnings of libraries.
fn for_file(level: LevelFilter) -> Targets {
    let targets = ours(level).with_default(level.min(LevelFilter::WARN));
    if level >= LevelFilter::DEBUG {
        return targets;
    }
    targets.with_targets(WITH_ADDRESSES.map(|library| (library, level.min(LevelFilter::ERROR))))
}

/// Many warnings of libraries need no action: a candidate without a pair yet, a key of another layout. In the file they
/// help to find a fault. In a terminal they would hide messages for people, so they appear only from debug on.
fn for_terminal(level: LevelFilter) -> Targets {
    if level >= LevelFilter::DEBUG { for_file(level) } else { ours(level).with_default(level.min(LevelFilter::ERROR)) }
}

fn ours(level: LevelFilter) -> Targets {
    Targets::new().with_targets(OURS.map(|name| (name, level)))
}

/// The log files in order of their days, which their names contain.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Writes at most [`HOUR_BYTES`] an hour. Implemented by hand: `tracing-appender` limits only the number of files.
struct Capped<W> {
    to: W,
    since: Instant,
    written: usize,
}

impl<W: Write> Capped<W> {
    fn write_at(&mut self, now: Instant, line: &[u8]) -> io::Result<usize> {
        if now.duration_since(self.since) >= HOUR {
            (self.since, self.written) = (now, 0);
        }
        let before = self.written;
        self.written = before.saturating_add(line.len());
        if self.written <= HOUR_BYTES {
            self.to.write_all(line)?;
        } else if before <= HOUR_BYTES {
            self.to.write_all(b"The log is full for this hour. Further lines are dropped.\n")?;
        }
        Ok(line.len())
    }
}

impl<W: Write> Write for Capped<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_at(Instant::now(), line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folders::scratch::Scratch;
    use tracing::Level;

    const LIBRARIES: [&str; 4] = ["rtc_ice::agent", "rtc::peer_connection", "webrtc::peer_connection", "tao::platform"];

    #[test]
    fn library_warnings_reach_the_terminal_only_on_request() {
        let shown = |target, level, most| for_terminal(most).would_enable(target, &level);
        for target in LIBRARIES {
            assert!(!shown(target, Level::WARN, LevelFilter::INFO), "{target}");
            assert!(shown(target, Level::ERROR, LevelFilter::INFO), "{target}");
            assert!(shown(target, Level::WARN, LevelFilter::DEBUG), "{target}");
        }
        for target in ["engine::capture", "devices", "server::hub"] {
            assert!(shown(target, Level::WARN, LevelFilter::INFO), "{target}");
        }
    }

    #[test]
    fn addresses_are_logged_only_from_debug_level() {
        let kept = |target, level, most| for_file(most).would_enable(target, &level);
        assert!(kept("tao::platform", Level::WARN, LevelFilter::INFO));
        assert!(!kept("rtc_ice::agent", Level::WARN, LevelFilter::INFO));
        assert!(kept("rtc_ice::agent", Level::WARN, LevelFilter::DEBUG));
        assert!(!kept("rtc_ice::agent", Level::INFO, LevelFilter::TRACE), "libraries describe themselves at length");
    }

    #[test]
    fn the_lowest_level_logs_only_errors() {
        for target in ["lunchroom", "rtc_ice", "tao"] {
            assert!(!for_file(LevelFilter::OFF).would_enable(target, &Level::ERROR), "{target}");
            assert!(!for_file(LevelFilter::ERROR).would_enable(target, &Level::WARN), "{target}");
        }
    }

    #[test]
    fn the_export_has_all_lines_in_order_of_days() {
        let scratch = Scratch::new();
        std::fs::create_dir_all(&scratch.0).unwrap();
        std::fs::write(scratch.0.join("lunchroom.2001-02-03.log"), "an old line\n").unwrap();
        let (file, guard) = open(&scratch.0).unwrap();
        {
            let _scope = subscriber(Some(file), LevelFilter::INFO).set_default();
            tracing::info!(target: "engine", "a line of ours");
            tracing::debug!(target: "engine", "a detail");
            log::warn!(target: "tao", "a line of a library");
            log::warn!(target: "rtc_ice", "discard message from 192.0.2.1");
        }
        drop(guard);
        let text = std::fs::read_to_string(export(&scratch.0, &scratch.0.join("out")).unwrap()).unwrap();
        let lines = ["lunchroom ", "an old line", "INFO engine: a line of ours", "WARN tao: a line of a library"];
        let found = lines.map(|line| text.find(line).unwrap_or_else(|| panic!("{line} is missing in {text}")));
        assert!(found.is_sorted(), "{text}");
        assert!(!text.contains("a detail") && !text.contains("192.0.2.1"), "{text}");
    }

    #[test]
    fn old_log_files_are_deleted() {
        let scratch = Scratch::new();
        std::fs::create_dir_all(&scratch.0).unwrap();
        for day in 1..=9 {
            std::fs::write(scratch.0.join(format!("lunchroom.2001-02-0{day}.log")), "").unwrap();
        }
        drop(open(&scratch.0).unwrap());
        assert_eq!(files(&scratch.0).unwrap().len(), FILES);
    }

    #[test]
    fn the_log_size_per_hour_is_bounded() {
        let now = Instant::now();
        let mut log = Capped { to: Vec::new(), since: now, written: 0 };
        let line = [b'x'; 1_000];
        for _ in 0..HOUR_BYTES {
            assert_eq!(log.write_at(now, &line).unwrap(), line.len());
        }
        assert!(log.to.len() <= HOUR_BYTES + 100);
        assert!(log.to.ends_with(b"are dropped.\n"));
        log.write_at(now + HOUR, b"later\n").unwrap();
        assert!(log.to.ends_with(b"later\n"));
    }

    #[test]
    fn an_empty_log_is_exported_without_lines() {
        let scratch = Scratch::new();
        let file = export(&scratch.0.join("nowhere"), &scratch.0.join("out")).unwrap();
        assert_eq!(std::fs::read_to_string(file).unwrap().lines().count(), 1);
    }

    #[test]
    fn an_unwritable_log_folder_is_an_error() {
        let scratch = Scratch::new();
        std::fs::create_dir_all(&scratch.0).unwrap();
        std::fs::write(scratch.0.join("file"), "").unwrap();
        assert!(open(&scratch.0.join("file")).is_err());
    }
}
