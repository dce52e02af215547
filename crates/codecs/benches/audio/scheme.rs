//! Ways to survive loss, at equal rate.

use codecs::OpusConfig;
use std::time::Duration;

/// What is sent.
#[derive(Clone)]
pub(crate) struct Scheme {
    pub(crate) name: String,
    pub(crate) opus: OpusConfig,
    /// Copies in RED, by their distance in packets.
    pub(crate) copies: Vec<usize>,
    /// Whether lost packets are requested.
    pub(crate) nack: bool,
    /// Whether `transport` decides all of this, as in the app.
    pub(crate) adaptive: bool,
}

/// Parses `app`, which adapts to the path as the app does, or `fec`, `red2`, `fec+red1+red2` or `nack`, with `@` and the bitrate of Opus in kbit/s, `/` and the expected
/// loss in percent, and perhaps `/` and the duration of a packet in ms.
pub(crate) fn parse(name: &str) -> Scheme {
    if name == "app" {
        let opus = OpusConfig { expected_loss_percent: 1, ..OpusConfig::default() };
        return Scheme { name: name.to_owned(), opus, copies: vec![], nack: false, adaptive: true };
    }
    let (what, rate) = name.split_once('@').expect("WHAT@RATE/LOSS");
    let (rate, loss) = rate.split_once('/').expect("WHAT@RATE/LOSS");
    let (loss, frame_ms) = loss.split_once('/').unwrap_or((loss, "20"));
    let parts: Vec<&str> = what.split('+').collect();
    let copies = parts.iter().filter_map(|part| part.strip_prefix("red")?.parse().ok()).collect();
    let opus = OpusConfig {
        bitrate: (rate.parse::<f64>().expect("kbit/s") * 1_000.0) as u32,
        fec: parts.contains(&"fec"),
        expected_loss_percent: loss.parse().expect("percent"),
        frame_ms: frame_ms.parse().expect("ms"),
        ..OpusConfig::default()
    };
    Scheme { name: name.to_owned(), opus, copies, nack: parts.contains(&"nack"), adaptive: false }
}

/// When a packet that is missing is requested, and again.
pub(crate) const NACK_AFTER: Duration = Duration::from_millis(1);
