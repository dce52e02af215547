//! Configuration, events, errors and statistics of a [`Sender`](crate::Sender).

use std::time::Duration;

/// Configuration of a [`Sender`](crate::Sender). Bitrates are in bit/s and include RTP headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderConfig {
    /// Bandwidth estimate before the first measurement.
    pub start_bitrate: u64,
    /// Lower bound of the target bitrate.
    pub min_bitrate: u64,
    /// Upper bound of the target bitrate.
    pub max_bitrate: u64,
    /// Seed of the random initial sequence numbers (RFC 3550 section 5.1) and picture ids.
    pub seed: u64,
}

impl Default for SenderConfig {
    fn default() -> Self {
        SenderConfig { start_bitrate: 1_000_000, min_bitrate: 50_000, max_bitrate: 10_000_000, seed: 0 }
    }
}

/// Errors of [`Sender::send_video`](crate::Sender::send_video) and [`Sender::send_audio`](crate::Sender::send_audio).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no stream with this SSRC.
    #[error("no stream with SSRC {0}")]
    UnknownStream(u32),
    /// [`Sender::set_connected`](crate::Sender::set_connected) has not been called.
    #[error("the path is not connected yet")]
    NotConnected,
    /// The queue is full, so the frame was dropped. If it was a base layer frame, a keyframe is needed, and
    /// [`SenderEvent::KeyframeRequested`] requests it.
    #[error("the send queue is full, so the frame was dropped")]
    QueueFull,
    /// Only a keyframe can be sent: an earlier frame was dropped, the stream is new, or the simulcast layer changed.
    #[error("waiting for a keyframe")]
    KeyframeNeeded,
    /// The codec of the frame is not that of the stream.
    #[error("the codec of the frame differs from that of the stream")]
    WrongCodec,
    /// The bitstream is empty or malformed.
    #[error("the frame's bitstream is malformed")]
    Malformed,
}

/// Events of a [`Sender`](crate::Sender).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderEvent {
    /// The next frame of this stream should be a keyframe.
    KeyframeRequested {
        /// SSRC of the media.
        ssrc: u32,
    },
    /// The target bitrate changed; see [`Sender::target_bitrate`](crate::Sender::target_bitrate).
    TargetChanged {
        /// The new target in bit/s.
        bitrate: u64,
    },
}

/// Counters since the start, and current values. Names follow W3C webrtc-stats where it has the counter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SenderStats {
    /// Media packets sent, excluding retransmissions, repair packets and padding.
    pub packets_sent: u64,
    /// Bytes of all RTP packets sent, including headers.
    pub bytes_sent: u64,
    /// Retransmissions sent in response to NACKs, including copies.
    pub retransmitted_packets_sent: u64,
    /// Repair packets sent.
    pub repair_packets_sent: u64,
    /// Retransmissions sent as padding of probes.
    pub padding_packets_sent: u64,
    /// Probes started.
    pub probes: u64,
    /// Sequence numbers in received NACKs.
    pub nacked_packets: u64,
    /// Keyframe requests (PLI and FIR) received.
    pub keyframe_requests: u64,
    /// Frames that their stream rejected: full queue, missing keyframe, wrong codec or malformed bitstream.
    pub frames_refused: u64,
    /// Feedback about packets that were never sent or are no longer in the history.
    pub unknown_reports: u64,
    /// Estimated bandwidth of the path in bit/s.
    pub estimate: u64,
    /// Delay of the standing queue on the path.
    pub path_queue_delay: Duration,
    /// Share of packets lost recently, 0..1.
    pub loss: f64,
}
