//! What a process costs, where the system tells (Linux: /proc).

use std::fs;

/// What one process has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Seconds of processor time since it started.
    pub(crate) cpu_s: f64,
    /// MiB of memory, what is shared counted in parts (PSS).
    pub(crate) memory_mib: f64,
    /// Threads.
    pub(crate) threads: usize,
    /// Open descriptors.
    pub(crate) descriptors: usize,
}

/// The kernel's unit of processor time in /proc: a hundredth of a second on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the process has used so far; `None` where it cannot be known.
pub(crate) fn of(process: u32) -> Option<Usage> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let memory = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    Some(Usage {
        cpu_s: cpu_seconds(&stat)?,
        memory_mib: pss_mib(&memory)?,
        threads: entries(process, "task")?,
        descriptors: entries(process, "fd")?,
    })
}

/// `utime` and `stime` (proc(5)), counted after the name, which may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

fn pss_mib(rollup: &str) -> Option<f64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}

/// How many entries one of the kernel's folders of a process has.
fn entries(process: u32, folder: &str) -> Option<usize> {
    Some(fs::read_dir(format!("/proc/{process}/{folder}")).ok()?.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_any_name() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 4 0 100";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("42 (short) S 1"), None);
    }

    #[test]
    fn memory_is_the_proportional_size() {
        assert_eq!(pss_mib("aa-bb ---p 0 0\nRss: 9 kB\nPss:  2048 kB\nPss_Dirty: 1 kB\n"), Some(2.0));
        assert_eq!(pss_mib(""), None);
    }
}
