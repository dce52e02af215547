//! The JSON lines of `lunchroom-cli measure`, sorted by type.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::counters::Counters;
use super::figures::{freezes, latency_ms, percentile};
use super::table::figure;

/// A picture that was displayed.
#[derive(Clone, Copy, Debug)]
struct Shown {
    ms: f64,
    /// Milliseconds since it was passed to the far side's encoder. `None` if its stamp could not be read.
    latency: Option<f64>,
}

/// All reports of one end.
#[derive(Debug, Default)]
pub(crate) struct Records {
    events: BTreeMap<String, f64>,
    shown: Vec<Shown>,
    /// Time, PSNR and SSIM of the luma.
    quality: Vec<(f64, f64, f64)>,
    markers: Vec<f64>,
    counters: Counters,
}

impl Records {
    /// Adds one line. Lines that are not reports are ignored.
    pub(crate) fn add(&mut self, line: &str) {
        let Ok(value) = serde_json::from_str::<Value>(line) else { return };
        let Some(ms) = value["ms"].as_f64() else { return };
        match value["t"].as_str() {
            Some("ev") => {
                let name = value["name"].as_str().unwrap_or_default().to_owned();
                self.events.entry(name).or_insert(ms);
            }
            Some("f") => {
                let latency = value["tx"].as_f64().map(|sent| latency_ms(ms, sent));
                self.shown.push(Shown { ms, latency });
            }
            Some("q") => {
                if let (Some(psnr), Some(ssim)) = (value["psnr"].as_f64(), value["ssim"].as_f64()) {
                    self.quality.push((ms, psnr, ssim));
                }
            }
            Some("am") => self.markers.push(ms),
            Some("s") => self.counters.add(ms, value),
            _ => {}
        }
    }

    /// The Unix time in milliseconds at which an event first occurred.
    pub(crate) fn event(&self, name: &str) -> Option<f64> {
        self.events.get(name).copied()
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What the end received in a period, in Unix milliseconds.
    pub(crate) fn between(&self, from: f64, to: f64) -> Received {
        let inside = |ms: f64| (from..=to).contains(&ms);
        let shown: Vec<Shown> = self.shown.iter().copied().filter(|shown| inside(shown.ms)).collect();
        let latencies: Vec<f64> = shown.iter().filter_map(|shown| shown.latency).collect();
        let frozen = freezes(&shown.iter().map(|shown| shown.ms).collect::<Vec<_>>());
        let quality: Vec<_> = self.quality.iter().filter(|(ms, ..)| inside(*ms)).collect();
        let counters = self.counters.between(from, to);
        // The far side sends sound markers at each even second.
        let sound: Vec<f64> = self.markers.iter().filter(|ms| inside(**ms)).map(|ms| ms.rem_euclid(2000.0)).collect();
        Received {
            fps: (to > from).then(|| shown.len() as f64 * 1000.0 / (to - from)),
            latency_p50: percentile(latencies.clone(), 0.5),
            latency_p95: percentile(latencies, 0.95),
            freezes: frozen.len(),
            freeze_s: frozen.iter().fold(0.0, |sum, ms| sum + ms / 1000.0),
            longest_freeze_s: frozen.iter().fold(0.0, |longest: f64, ms| longest.max(ms / 1000.0)),
            psnr: percentile(quality.iter().map(|(_, psnr, _)| *psnr).collect(), 0.5),
            ssim: percentile(quality.iter().map(|(_, _, ssim)| *ssim).collect(), 0.5),
            sound_ms: percentile(sound, 0.5),
            video_kbps: counters.kbps("v_rx_bytes"),
            target_kbps: counters.gauge("v_target_kbps"),
            rtt_ms: counters.gauge("rtt_ms"),
            concealed_percent: counters.concealed_percent(),
            encode_ms: counters.ratio("v_enc_time", "v_enc_frames").map(|seconds| seconds * 1000.0),
            decode_ms: counters.ratio("v_dec_time", "v_frames").map(|seconds| seconds * 1000.0),
        }
    }
}

/// What one end received in a period. `None` means that it could not be measured.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) fps: Option<f64>,
    pub(crate) latency_p50: Option<f64>,
    pub(crate) latency_p95: Option<f64>,
    pub(crate) freezes: usize,
    pub(crate) freeze_s: f64,
    pub(crate) longest_freeze_s: f64,
    pub(crate) psnr: Option<f64>,
    pub(crate) ssim: Option<f64>,
    pub(crate) sound_ms: Option<f64>,
    pub(crate) video_kbps: Option<f64>,
    pub(crate) target_kbps: Option<f64>,
    pub(crate) rtt_ms: Option<f64>,
    pub(crate) concealed_percent: Option<f64>,
    pub(crate) encode_ms: Option<f64>,
    pub(crate) decode_ms: Option<f64>,
}

impl Received {
    /// The columns of [`Received::row`].
    pub(crate) const HEADINGS: [&str; 13] = [
        "fps", "lat p50", "lat p95", "freezes", "freeze s", "PSNR", "SSIM", "sound ms", "kbit/s", "target", "RTT",
        "enc ms", "dec ms",
    ];

    pub(crate) fn row(&self) -> Vec<String> {
        vec![
            figure(self.fps, 1),
            figure(self.latency_p50, 1),
            figure(self.latency_p95, 1),
            self.freezes.to_string(),
            figure(Some(self.freeze_s), 2),
            figure(self.psnr, 1),
            figure(self.ssim, 3),
            figure(self.sound_ms, 0),
            figure(self.video_kbps, 0),
            figure(self.target_kbps, 0),
            figure(self.rtt_ms, 1),
            figure(self.encode_ms, 2),
            figure(self.decode_ms, 2),
        ]
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "fps": self.fps, "latency_p50_ms": self.latency_p50, "latency_p95_ms": self.latency_p95,
            "freezes": self.freezes, "freeze_s": self.freeze_s, "longest_freeze_s": self.longest_freeze_s, "psnr": self.psnr, "ssim": self.ssim,
            "sound_ms": self.sound_ms, "video_kbps": self.video_kbps, "target_kbps": self.target_kbps,
            "rtt_ms": self.rtt_ms, "concealed_percent": self.concealed_percent, "encode_ms": self.encode_ms,
            "decode_ms": self.decode_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_of_ten_seconds_is_summarised() {
        let mut records = Records::default();
        records.add(r#"{"t":"ev","name":"joined","ms":5}"#);
        records.add(r#"{"t":"ev","name":"joined","ms":9}"#);
        for n in 0..300 {
            let sent = 10_000.0 + f64::from(n) * 33.0;
            records.add(&json!({"t": "f", "ms": sent + 40.0, "tx": sent, "seq": n}).to_string());
        }
        records.add(r#"{"t":"q","ms":12000,"psnr":38.5,"ssim":0.97}"#);
        records.add(r#"{"t":"am","ms":12090.0}"#);
        records.add("not a record");
        records.add(r#"{"t":"f","ms":19999}"#);
        assert_eq!(records.event("joined"), Some(5.0));
        let received = records.between(10_000.0, 20_000.0);
        assert_eq!(received.latency_p50, Some(40.0));
        assert_eq!(received.fps, Some(30.1));
        assert_eq!(received.psnr, Some(38.5));
        assert_eq!(received.sound_ms, Some(90.0));
        assert_eq!(received.freezes, 0);
        assert_eq!(received.video_kbps, None);
    }

    #[test]
    fn there_is_a_cell_for_every_heading() {
        assert_eq!(Records::default().between(0.0, 1.0).row().len(), Received::HEADINGS.len());
    }
}
