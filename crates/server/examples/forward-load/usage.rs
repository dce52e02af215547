//! CPU time and memory of a process (proc(5)).

use anyhow::{Context as _, Result, bail};

/// The unit of CPU time on Linux: a hundredth of a second.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Seconds in the program and in the system for it.
    pub(crate) user_s: f64,
    pub(crate) system_s: f64,
    pub(crate) rss_mib: f64,
    pub(crate) threads: usize,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Result<Usage> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        // The name may contain spaces and parentheses.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |n: usize| fields.get(n).and_then(|text| text.parse::<f64>().ok()).context("no CPU time");
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no memory")?;
        Ok(Usage {
            user_s: ticks(11)? / TICKS_PER_SECOND,
            system_s: ticks(12)? / TICKS_PER_SECOND,
            rss_mib: rss.trim().trim_end_matches(" kB").trim().parse::<f64>()? / 1024.0,
            threads: ticks(17)? as usize,
        })
    }

    /// Seconds of all CPUs together in which they were not idle, since the machine started.
    pub(crate) fn of_machine() -> Result<f64> {
        let stat = std::fs::read_to_string("/proc/stat")?;
        let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
        let ticks: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
        let [user, nice, system, _idle, _waiting, irq, softirq, steal, ..] = ticks[..] else { bail!("no CPU times") };
        Ok((user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND)
    }

    pub(crate) fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}
