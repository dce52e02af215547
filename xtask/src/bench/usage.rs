//! The resources that a process uses, where the system reports them (Linux: /proc).

use std::fs;

/// The resources that one process has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Seconds of processor time since it started.
    pub(crate) cpu_s: f64,
    /// Memory in MiB, with shared pages counted in parts (PSS).
    pub(crate) memory_mib: f64,
    /// Private memory in MiB (anonymous pages), which does not depend on other processes.
    pub(crate) own_mib: f64,
    /// Threads.
    pub(crate) threads: usize,
    /// Open descriptors.
    pub(crate) descriptors: usize,
}

/// The kernel's unit of processor time in /proc: a hundredth of a second on every Linux that Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// The resources used so far. `None` if they cannot be read.
pub(crate) fn of(process: u32) -> Option<Usage> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let memory = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    Some(Usage {
        cpu_s: cpu_seconds(&stat)?,
        memory_mib: mib(&memory, "Pss:")?,
        own_mib: mib(&memory, "Anonymous:")?,
        threads: entries(process, "task")?,
        descriptors: entries(process, "fd")?,
    })
}

/// The resources of a process and all its descendants, or of the descendants only.
pub(crate) fn of_tree(process: u32, itself: bool) -> Option<Usage> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|id| Some((id, parent(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)?)))
        .collect();
    let mut tree = vec![process];
    let mut next = 0;
    while let Some(&of) = tree.get(next) {
        tree.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(id, _)| *id));
        next += 1;
    }
    let wanted = tree.into_iter().skip(usize::from(!itself));
    wanted.filter_map(of).reduce(|sum, one| Usage {
        cpu_s: sum.cpu_s + one.cpu_s,
        memory_mib: sum.memory_mib + one.memory_mib,
        own_mib: sum.own_mib + one.own_mib,
        threads: sum.threads + one.threads,
        descriptors: sum.descriptors + one.descriptors,
    })
}

/// `ppid` (proc(5)).
fn parent(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

/// `utime` and `stime` (proc(5)), counted from the end of the name, which may contain anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

/// A line of `smaps_rollup` (proc(5)), converted from KiB to MiB.
fn mib(rollup: &str, name: &str) -> Option<f64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}

/// The number of entries in a folder of the process in /proc.
fn entries(process: u32, folder: &str) -> Option<usize> {
    Some(fs::read_dir(format!("/proc/{process}/{folder}")).ok()?.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_parsed_after_any_process_name() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 4 0 100";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("42 (short) S 1"), None);
        assert_eq!(parent(stat), Some(1));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_includes_its_children() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let (whole, children) =
            (of_tree(std::process::id(), true).unwrap(), of_tree(std::process::id(), false).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(whole.memory_mib > children.memory_mib && children.memory_mib > 0.0);
    }

    #[test]
    fn memory_is_the_proportional_size() {
        assert_eq!(mib("aa-bb ---p 0 0\nRss: 9 kB\nPss:  2048 kB\nPss_Dirty: 1 kB\n", "Pss:"), Some(2.0));
        assert_eq!(mib("", "Pss:"), None);
    }
}
