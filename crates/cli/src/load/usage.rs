//! CPU time and memory of the server, from Linux's `/proc`.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::Instant;

/// Ticks per second in `/proc/PID/stat` on every Linux platform.
const TICKS: f64 = 100.0;

/// What a process has used up to one moment.
pub(super) struct Usage {
    at: Instant,
    cpu_s: f64,
    rss_kib: f64,
}

impl Usage {
    /// `None` without a process.
    ///
    /// # Errors
    /// There is no such process, or no `/proc`.
    pub(super) fn of(pid: Option<u32>) -> Result<Option<Usage>> {
        let Some(pid) = pid else { return Ok(None) };
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read {path}: is {pid} the server's process?"))
        };
        let cpu_s = cpu(&read("stat")?).context("/proc/PID/stat has an unknown form")?;
        let rss_kib = rss(&read("status")?).context("/proc/PID/status has an unknown form")?;
        Ok(Some(Usage { at: Instant::now(), cpu_s, rss_kib }))
    }
}

/// User and system time in seconds.
fn cpu(stat: &str) -> Option<f64> {
    // The name of the program may contain spaces and parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

/// Resident memory in KiB.
fn rss(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

pub(super) fn cpu_seconds(before: Option<&Usage>, after: Option<&Usage>) -> Option<f64> {
    Some(after?.cpu_s - before?.cpu_s)
}

/// What idle sessions cost: memory since the server was empty, and CPU time between two moments.
pub(super) fn idle(
    empty: Option<&Usage>,
    before: Option<&Usage>,
    after: Option<&Usage>,
    sessions: u32,
) -> Option<Value> {
    let (empty, before, after) = (empty?, before?, after?);
    let share = (after.cpu_s - before.cpu_s) / (after.at - before.at).as_secs_f64();
    let each = f64::from(sessions.max(1));
    Some(json!({
        "rss_mib": after.rss_kib / 1024.0,
        "kib_per_session": (after.rss_kib - empty.rss_kib) / each,
        "cpu_percent": share * 100.0,
        "cpu_us_per_session_and_second": share * 1e6 / each,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_linux_are_read() {
        let stat = "77 (a b) c) S 1 77 77 0 -1 4194304 9 0 0 0 250 150 0 0 20 0 3 0 5 9 9";
        assert_eq!(cpu(stat), Some(4.0));
        assert_eq!(cpu("77 (x) S 1"), None);
        assert_eq!(rss("Name:\tx\nVmRSS:\t   2048 kB\nThreads: 1"), Some(2048.0));
        assert_eq!(rss("Name: x"), None);
    }

    #[test]
    fn idle_sessions_share_memory_and_cpu() {
        let at = Instant::now();
        let usage = |s: u64, cpu_s, rss_kib| Usage { at: at + std::time::Duration::from_secs(s), cpu_s, rss_kib };
        let figures =
            idle(Some(&usage(0, 0.0, 1_000.0)), Some(&usage(5, 2.0, 3_000.0)), Some(&usage(15, 3.0, 5_000.0)), 100);
        let figures = figures.expect("three measurements");
        assert_eq!(figures["kib_per_session"], 40.0);
        assert_eq!(figures["cpu_percent"], 10.0);
        assert_eq!(figures["cpu_us_per_session_and_second"], 1_000.0);
        assert!(idle(None, None, None, 1).is_none());
    }
}
