//! The log: a file of bounded length for reports of faults, and standard error.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

/// When the file is longer than this it becomes the old one, and the old one goes.
const LONGEST: u64 = 2 << 20;
const NAME: &str = "lunchroom.log";
const OLD: &str = "lunchroom.old.log";

/// Logs to a file of this folder and to standard error. Without the file, to standard error alone.
pub(crate) fn start(folder: &Path, level: log::LevelFilter) {
    let file = LogFile::open(folder).map_err(|error| eprintln!("lunchroom: no log in {}: {error}", folder.display()));
    let logger = Logger { file: Mutex::new(file.ok()) };
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(level);
    }
}

/// Writes the log, the old part first, to a file that people can send; where it is.
pub(crate) fn export(folder: &Path, to: &Path) -> std::io::Result<PathBuf> {
    let mut text =
        format!("lunchroom {} on {} {}\n", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH)
            .into_bytes();
    for name in [OLD, NAME] {
        text.extend(std::fs::read(folder.join(name)).unwrap_or_default());
    }
    std::fs::create_dir_all(to)?;
    let file = to.join(format!("lunchroom-log-{}.txt", unix_ms() / 1_000));
    std::fs::write(&file, text)?;
    Ok(file)
}

struct LogFile {
    folder: PathBuf,
    file: File,
    len: u64,
}

impl LogFile {
    fn open(folder: &Path) -> std::io::Result<LogFile> {
        std::fs::create_dir_all(folder)?;
        let file = OpenOptions::new().create(true).append(true).open(folder.join(NAME))?;
        Ok(LogFile { folder: folder.to_owned(), len: file.metadata()?.len(), file })
    }

    fn write(&mut self, line: &str) -> std::io::Result<()> {
        if self.len > LONGEST {
            std::fs::rename(self.folder.join(NAME), self.folder.join(OLD))?;
            *self = LogFile::open(&self.folder)?;
        }
        self.len += line.len() as u64;
        self.file.write_all(line.as_bytes())
    }
}

struct Logger {
    file: Mutex<Option<LogFile>>,
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        // Libraries tell of themselves at length; only our own crates and faults of others are kept.
        is_ours(metadata.target()) || metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = format!("{} {:5} {}: {}\n", time(unix_ms()), record.level(), record.target(), record.args());
        if is_for_terminal(record.metadata(), log::max_level()) {
            eprint!("{line}");
        }
        let mut file = self.file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if file.as_mut().is_some_and(|file| file.write(&line).is_err()) {
            *file = None; // the disk is full, or the folder gone: standard error goes on
        }
    }

    fn flush(&self) {}
}

fn is_ours(target: &str) -> bool {
    const OURS: [&str; 8] = ["lunchroom", "engine", "peer", "devices", "codecs", "call", "signaling", "server"];
    OURS.contains(&target.split("::").next().unwrap_or_default())
}

/// Libraries warn of much that nobody can act on: a candidate without a pair yet, a key of another layout. In the file it
/// helps who looks for a fault; in a terminal it hides what is for people, unless they asked for more.
fn is_for_terminal(metadata: &log::Metadata<'_>, most: log::LevelFilter) -> bool {
    is_ours(metadata.target()) || metadata.level() == log::Level::Error || most >= log::LevelFilter::Debug
}

/// `2026-01-31 12:00:00.123` UTC.
fn time(unix_ms: u64) -> String {
    let (days, ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
    let (year, month, day) = date(days);
    let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02}.{:03}", ms % 1_000)
}

/// Days since 1970 as a date: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
fn date(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * day_of_year + 2) / 153;
    let month = if m < 10 { m + 3 } else { m - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day_of_year - (153 * m + 2) / 5 + 1)
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folders::scratch::Scratch;

    #[test]
    fn libraries_warn_in_the_file_and_not_in_the_terminal() {
        let shown =
            |target, level, most| is_for_terminal(&log::Metadata::builder().target(target).level(level).build(), most);
        use log::{Level, LevelFilter};
        for target in ["rtc_ice::agent", "rtc::peer_connection", "webrtc::peer_connection", "tao::platform_impl"] {
            assert!(!shown(target, Level::Warn, LevelFilter::Info), "{target}");
            assert!(shown(target, Level::Error, LevelFilter::Info), "{target}");
            assert!(shown(target, Level::Warn, LevelFilter::Debug), "{target}");
        }
        for target in ["engine::capture", "devices", "server::hub"] {
            assert!(shown(target, Level::Warn, LevelFilter::Info), "{target}");
        }
    }

    #[test]
    fn times_are_written_for_people() {
        assert_eq!(time(0), "1970-01-01 00:00:00.000");
        assert_eq!(time(951_827_696_789), "2000-02-29 12:34:56.789");
        assert_eq!(time(1_798_761_599_999), "2026-12-31 23:59:59.999");
    }

    #[test]
    fn the_file_stays_bounded_and_is_exported_in_order() {
        let scratch = Scratch::new();
        let mut file = LogFile::open(&scratch.0).unwrap();
        file.write("first\n").unwrap();
        file.write(&"x".repeat(LONGEST as usize)).unwrap();
        file.write("second\n").unwrap();
        assert!(std::fs::metadata(scratch.0.join(NAME)).unwrap().len() < 100);
        let out = export(&scratch.0, &scratch.0.join("out")).unwrap();
        let text = std::fs::read_to_string(out).unwrap();
        assert!(text.starts_with("lunchroom ") && text.find("first") < text.find("second"));
    }
}
