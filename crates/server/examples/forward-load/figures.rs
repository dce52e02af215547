//! The figures of a run.

use std::time::Instant;

use serde_json::{Value, json};

use crate::connection::Connection;
use crate::crowd::Crowd;
use crate::pictures::ENCODINGS;
use crate::usage::Usage;

/// The speaker is the first who publishes.
const SPEAKER: u8 = 0;

/// What was measured besides what the clients have counted.
pub(crate) struct Measured {
    pub(crate) began: Instant,
    pub(crate) seconds: f64,
    pub(crate) settled_s: Option<f64>,
    /// Before and after.
    pub(crate) server: [Usage; 2],
    pub(crate) own: [Usage; 2],
    /// CPU time of all programs in between.
    pub(crate) machine_s: f64,
}

/// `packets` have something in them and are counted where they arrive; `datagrams` are all, with RTCP and checks. `shown_ms` is
/// when each receiver could display frames of the speaker.
pub(crate) fn report(crowd: &mut Crowd, measured: &Measured) -> Value {
    let [before, after] = measured.server;
    let all = &crowd.connections;
    let sum = |of: &dyn Fn(&Connection) -> u64| all.iter().map(of).sum::<u64>();
    let pictures = |encoding: usize| sum(&|one| one.tally.pictures[encoding]);
    let clear = || all.iter().filter(|one| one.path.is_clear());
    let lost: u64 = clear().map(|one| one.tally.lost()).sum();
    let mut latencies: Vec<u32> = clear().flat_map(|one| one.tally.latencies.iter().copied()).collect();
    let cpu_s = after.cpu_s() - before.cpu_s();
    let packets = sum(&|one| one.tally.packets());
    let bits = sum(&|one| one.tally.bytes) * 8;
    let own_cpu_s = measured.own[1].cpu_s() - measured.own[0].cpu_s();
    let shown: Vec<Value> = all.iter().filter(|one| one.receives()).map(|one| shown(one, measured)).collect();
    json!({
        "seconds": measured.seconds,
        "settled_s": measured.settled_s,
        "connections": all.len(),
        "packets": packets,
        "packets_per_core_second": packets as f64 / cpu_s,
        "mbit_per_core_second": bits as f64 / 1e6 / cpu_s,
        "mbit_per_second": bits as f64 / 1e6 / measured.seconds,
        "datagrams": sum(&|one| one.tally.datagrams),
        "cores": cpu_s / measured.seconds,
        "system_share": (after.system_s - before.system_s) / cpu_s,
        "rss_mib": after.rss_mib,
        "threads": after.threads,
        "latency_us": percentiles(&mut latencies),
        "direct_us": percentiles(&mut crowd.direct.clone()),
        "lost": lost,
        "sound": sum(&|one| one.tally.sound),
        "pictures": (0..ENCODINGS.len()).map(pictures).collect::<Vec<u64>>(),
        "keyframes_requested_of_publishers": sum(&|one| one.tally.requested),
        "keyframes_requested_by_receivers": sum(&|one| one.tally.requests),
        "client_cores": own_cpu_s / measured.seconds,
        "other_cores": (measured.machine_s - cpu_s - own_cpu_s).max(0.0) / measured.seconds,
        "receivers": shown,
    })
}

/// When a receiver displayed the speaker, in ms since the measurement began, and the path.
fn shown(connection: &Connection, measured: &Measured) -> Value {
    let times = connection.tally.displays.get(&SPEAKER).map(|display| display.shown.as_slice()).unwrap_or_default();
    let ms = |at: &Instant| at.saturating_duration_since(measured.began).as_millis() as u64;
    let (sound, pictures) = (connection.tally.sound, connection.tally.pictures);
    json!({
        "path": connection.path.name(),
        "is_speaker": connection.person == usize::from(SPEAKER),
        "shown_ms": times.iter().map(ms).collect::<Vec<u64>>(),
        "sound": sound,
        "pictures": pictures,
        "requests": connection.tally.requests,
    })
}

fn percentiles(values: &mut [u32]) -> Value {
    values.sort_unstable();
    let at = |share: f64| values.get(((values.len() as f64 * share).ceil() as usize).max(1) - 1).copied();
    json!({"p50": at(0.5), "p95": at(0.95), "p99": at(0.99)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let mut values: Vec<u32> = (1..=200).rev().collect();
        assert_eq!(percentiles(&mut values), json!({"p50": 100, "p95": 190, "p99": 198}));
        assert_eq!(percentiles(&mut []), json!({"p50": null, "p95": null, "p99": null}));
    }
}
