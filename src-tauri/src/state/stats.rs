//! Figures for the statistics panel.

use serde::Serialize;

/// What `stats` answers. Counters run from the start; rates are differences of two answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Stats {
    /// Unix time in milliseconds.
    pub at_ms: u64,
    /// Own pictures.
    pub video_out: VideoOutFigures,
    /// Each of the others.
    pub people: Vec<PersonStats>,
}

/// Own pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct VideoOutFigures {
    /// Frames encoded, over all sizes.
    pub encoded: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Milliseconds a frame took, on average.
    pub encode_ms: f64,
    /// What the encoders are asked for, bit/s.
    pub target: u64,
    /// Largest size sent now.
    pub width: u32,
    /// Largest size sent now.
    pub height: u32,
}

/// One of the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PersonStats {
    /// Participant.
    pub id: String,
    /// The connection; null if it did not answer.
    pub path: Option<PathFigures>,
    /// Their pictures.
    pub video_in: VideoInFigures,
    /// Their sound; null before the connection stands.
    pub audio_in: Option<AudioFigures>,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PathFigures {
    /// Kinds of both ends' addresses, `host/srflx`.
    pub pair: Option<String>,
    /// Through a relay.
    pub relayed: bool,
    /// Transport to our relay: `udp`, `tcp` or `tls`; null if our side is not relayed.
    pub relay: Option<String>,
    /// Round trip, milliseconds.
    pub rtt_ms: Option<f64>,
    /// All packets.
    pub bytes_sent: u64,
    /// All packets.
    pub bytes_received: u64,
    /// Codec sent.
    pub video_codec: Option<String>,
    /// Codec received.
    pub received_codec: Option<String>,
    /// What the path carries our way out, bit/s.
    pub estimate: u64,
    /// Share of our packets lost lately, 0 to 1.
    pub loss: f64,
    /// Our queue on the path, milliseconds.
    pub queue_ms: f64,
    /// Missing packets of theirs we asked for.
    pub nacked: u64,
    /// Those that came.
    pub recovered: u64,
}

/// Somebody's pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct VideoInFigures {
    /// Frames decoded.
    pub decoded: u64,
    /// Milliseconds a frame took, on average.
    pub decode_ms: f64,
    /// Milliseconds a frame waited in the jitter buffer, on average.
    pub jitter_ms: f64,
    /// Interruptions.
    pub freezes: u64,
    /// Of the last picture.
    pub width: u32,
    /// Of the last picture.
    pub height: u32,
}

/// Somebody's sound.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AudioFigures {
    /// Samples played, 1/48000 s.
    pub samples: u64,
    /// Invented among them.
    pub concealed: u64,
    /// Milliseconds a sample waited in the jitter buffer, on average.
    pub jitter_ms: f64,
}
