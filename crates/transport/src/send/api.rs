//! What a sender is told and tells, besides packets.

use std::time::Duration;

/// How a [`Sender`](crate::Sender) begins and within which bounds it stays. Rates in bit/s of RTP packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderConfig {
    /// Assumed before anything is measured.
    pub start_bitrate: u64,
    /// The target never falls below.
    pub min_bitrate: u64,
    /// The target never rises above.
    pub max_bitrate: u64,
    /// For first sequence numbers and picture ids, RFC 3550 section 5.1.
    pub seed: u64,
}

impl Default for SenderConfig {
    fn default() -> Self {
        SenderConfig { start_bitrate: 1_000_000, min_bitrate: 50_000, max_bitrate: 10_000_000, seed: 0 }
    }
}

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No such stream.
    #[error("no stream with SSRC {0}")]
    UnknownStream(u32),
    /// [`Sender::set_connected`](crate::Sender::set_connected) has not been called.
    #[error("the path is not open yet")]
    NotConnected,
    /// Too many frames wait already. Refusing a base layer frame makes a keyframe necessary, which an event asks for.
    #[error("the path is slower than the encoder: the frame was skipped")]
    QueueFull,
    /// An earlier frame was refused, the stream is new or the simulcast layer changed: only a keyframe is of use.
    #[error("waiting for a keyframe")]
    KeyframeNeeded,
    /// The stream is not of the frame's codec.
    #[error("the frame is of another codec than the stream")]
    WrongCodec,
    /// The bitstream is empty or malformed.
    #[error("the frame's bitstream is malformed")]
    Malformed,
}

/// What the sender tells its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderEvent {
    /// The next frame of this stream should be a keyframe.
    KeyframeRequested {
        /// SSRC of the media.
        ssrc: u32,
    },
    /// See [`Sender::target_bitrate`](crate::Sender::target_bitrate).
    TargetChanged {
        /// bit/s
        bitrate: u64,
    },
}

/// Counters since the start and present values, for getStats and tests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SenderStats {
    /// Media packets sent, retransmissions and probes not counted.
    pub packets_sent: u64,
    /// Bytes of RTP packets sent, all kinds.
    pub bytes_sent: u64,
    /// Retransmissions sent because they were asked for.
    pub retransmitted_packets_sent: u64,
    /// Repair packets sent.
    pub repair_packets_sent: u64,
    /// Retransmissions sent as filling of probes.
    pub padding_packets_sent: u64,
    /// Probes begun.
    pub probes: u64,
    /// Sequence numbers asked for.
    pub nacked_packets: u64,
    /// Keyframes asked for by the other end.
    pub keyframe_requests: u64,
    /// Frames refused.
    pub frames_refused: u64,
    /// Reports on packets that were never sent or are long forgotten.
    pub unknown_reports: u64,
    /// What the path carries, bit/s.
    pub estimate: u64,
    /// The queue on the path.
    pub path_queue_delay: Duration,
    /// Share of packets lost lately, 0..1.
    pub loss: f64,
}
