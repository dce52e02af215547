//! The counters that a client reports each second (getStats' names), and figures derived from them.

use serde_json::Value;

use super::figures::percentile;
use super::table::figure;

/// The reports of one client, in order.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// The time in milliseconds, by any clock, and the report.
    lines: Vec<(f64, Value)>,
}

impl Counters {
    /// The columns of [`Counters::row`].
    pub(crate) const HEADINGS: [&str; 8] =
        ["", "fps", "picture", "video kbit/s", "audio kbit/s", "freezes", "RTT ms", "concealed %"];

    pub(crate) fn new() -> Counters {
        Counters::default()
    }

    pub(crate) fn add(&mut self, ms: f64, line: Value) {
        self.lines.push((ms, line));
    }

    /// The reports within a period.
    pub(crate) fn between(&self, from: f64, to: f64) -> Counters {
        Counters { lines: self.lines.iter().filter(|(ms, _)| (from..=to).contains(ms)).cloned().collect() }
    }

    /// The number of pictures decoded by the last report.
    pub(crate) fn frames(&self) -> u64 {
        self.lines.last().and_then(|(_, line)| line["v_frames"].as_u64()).unwrap_or(0)
    }

    /// The increase of a counter from the first report that has it to the last, and the milliseconds between them.
    pub(crate) fn increase(&self, name: &str) -> Option<(f64, f64)> {
        let value = |(ms, line): &(f64, Value)| Some((*ms, line[name].as_f64()?));
        let (from, first) = self.lines.iter().find_map(value)?;
        let (to, last) = self.lines.iter().rev().find_map(value)?;
        (to > from).then_some((last - first, to - from))
    }

    /// The increase of a counter per second.
    pub(crate) fn rate(&self, name: &str) -> Option<f64> {
        self.increase(name).map(|(increase, ms)| increase * 1000.0 / ms)
    }

    /// A counter of bytes, in kbit/s.
    pub(crate) fn kbps(&self, name: &str) -> Option<f64> {
        self.increase(name).map(|(increase, ms)| increase * 8.0 / ms)
    }

    /// The increase of one counter per unit of another.
    pub(crate) fn ratio(&self, name: &str, of: &str) -> Option<f64> {
        let (part, whole) = (self.increase(name)?.0, self.increase(of)?.0);
        (whole > 0.0).then(|| part / whole)
    }

    /// The median of a gauge.
    pub(crate) fn gauge(&self, name: &str) -> Option<f64> {
        percentile(self.lines.iter().filter_map(|(_, line)| line[name].as_f64()).collect(), 0.5)
    }

    /// The share of sound that was concealed, without silence, in percent.
    pub(crate) fn concealed_percent(&self) -> Option<f64> {
        let silent = self.ratio("a_silent_concealed", "a_samples")?;
        Some((self.ratio("a_concealed", "a_samples")? - silent) * 100.0)
    }

    /// One row of a table.
    pub(crate) fn row(&self, name: &str) -> Vec<String> {
        let size = |side: &str| figure(self.lines.last().and_then(|(_, line)| line[side].as_f64()), 0);
        vec![
            name.to_owned(),
            figure(self.rate("v_frames"), 1),
            format!("{}x{}", size("v_w"), size("v_h")),
            figure(self.kbps("v_rx_bytes"), 0),
            figure(self.kbps("a_rx_bytes"), 0),
            figure(self.increase("v_freezes").map(|(increase, _)| increase), 0),
            figure(self.gauge("rtt_ms"), 1),
            figure(self.concealed_percent(), 2),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn three_seconds() -> Counters {
        let mut counters = Counters::new();
        for second in 0..=3 {
            counters.add(
                f64::from(second) * 1000.0,
                json!({"v_frames": second * 30, "v_rx_bytes": second * 50_000, "rtt_ms": second, "v_w": 640, "v_h": 360,
                       "a_samples": second * 48_000, "a_concealed": second * 480, "a_silent_concealed": second * 240}),
            );
        }
        counters
    }

    #[test]
    fn rates_are_increases_over_time() {
        let counters = three_seconds();
        assert_eq!(counters.rate("v_frames"), Some(30.0));
        assert_eq!(counters.kbps("v_rx_bytes"), Some(400.0));
        assert_eq!(counters.between(1000.0, 2000.0).increase("v_frames"), Some((30.0, 1000.0)));
        assert_eq!(counters.frames(), 90);
    }

    #[test]
    fn concealed_silence_does_not_count() {
        assert_eq!(three_seconds().concealed_percent(), Some(0.5));
    }

    #[test]
    fn missing_counters_give_no_rate() {
        let counters = three_seconds();
        assert_eq!(counters.rate("v_nothing"), None);
        assert_eq!(counters.ratio("v_frames", "v_nothing"), None);
        assert_eq!(Counters::new().frames(), 0);
        assert_eq!(counters.row("a")[4], "-");
    }
}
