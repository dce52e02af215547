//! Figures for the statistics panel.

use serde::Serialize;

/// The result of `stats`. Counters run from the start. Rates are differences between two results.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Stats {
    /// Unix time in milliseconds.
    pub at_ms: u64,
    /// Our own pictures.
    pub video_out: VideoOutFigures,
    /// Each remote participant.
    pub people: Vec<PersonStats>,
}

/// Our own pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct VideoOutFigures {
    /// Frames encoded, over all sizes.
    pub encoded: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// The average encoding time of a frame, milliseconds.
    pub encode_ms: f64,
    /// The current target bitrate of the encoders, bit/s.
    pub target: u64,
    /// The width of the largest size that is sent now.
    pub width: u32,
    /// The height of the largest size that is sent now.
    pub height: u32,
}

/// One remote participant.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PersonStats {
    /// The participant.
    pub id: String,
    /// The connection. Null if it did not answer in time.
    pub path: Option<PathFigures>,
    /// The participant's pictures.
    pub video_in: VideoInFigures,
    /// The participant's sound. Null before the connection is established.
    pub audio_in: Option<AudioFigures>,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PathFigures {
    /// The address types of both ends, such as `host/srflx`.
    pub pair: Option<String>,
    /// Whether the path uses a relay.
    pub relayed: bool,
    /// Transport to our relay: `udp`, `tcp` or `tls`; null if our side is not relayed.
    pub relay: Option<String>,
    /// The round-trip time, milliseconds.
    pub rtt_ms: Option<f64>,
    /// Bytes of all packets sent.
    pub bytes_sent: u64,
    /// Bytes of all packets received.
    pub bytes_received: u64,
    /// The video codec that is sent.
    pub video_codec: Option<String>,
    /// The video codec that is received.
    pub received_codec: Option<String>,
    /// The estimated capacity of the path for what we send, bit/s.
    pub estimate: u64,
    /// The recent fraction of our packets that were lost, 0 to 1.
    pub loss: f64,
    /// The queue of our packets on the path, milliseconds.
    pub queue_ms: f64,
    /// Missing packets of theirs that we requested again.
    pub nacked: u64,
    /// Missing packets that were recovered.
    pub recovered: u64,
}

/// A participant's pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct VideoInFigures {
    /// Frames decoded.
    pub decoded: u64,
    /// The average decoding time of a frame, milliseconds.
    pub decode_ms: f64,
    /// The average time of a frame in the jitter buffer, milliseconds.
    pub jitter_ms: f64,
    /// Freezes as getStats defines them.
    pub freezes: u64,
    /// The width of the last picture.
    pub width: u32,
    /// The height of the last picture.
    pub height: u32,
    /// From capture at the far side until the picture can be drawn, milliseconds. `None` until their clock is known.
    pub latency_ms: Option<f64>,
    /// By how much the latency can be wrong, milliseconds.
    pub latency_uncertainty_ms: Option<f64>,
}

/// A participant's sound.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AudioFigures {
    /// Samples played, 1/48000 s.
    pub samples: u64,
    /// Concealed samples among them.
    pub concealed: u64,
    /// The average time of a sample in the jitter buffer, milliseconds.
    pub jitter_ms: f64,
}
