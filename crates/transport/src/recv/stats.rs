//! Statistics of a [`Receiver`](super::Receiver).

/// Counters since the start. Names follow W3C webrtc-stats where it has the counter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceiverStats {
    /// Media packets received, excluding retransmissions and duplicates.
    pub packets_received: u64,
    /// Retransmitted packets received that were missing.
    pub retransmitted_packets_received: u64,
    /// Missing packets restored from repair packets.
    pub repaired_packets: u64,
    /// Packets received more than once, including the padding of probes, or too late.
    pub duplicate_packets: u64,
    /// Packets with an SSRC or payload type that was not negotiated.
    pub unknown_packets: u64,
    /// Packets whose payload is invalid for its codec.
    pub malformed_packets: u64,
    /// Sequence numbers requested by NACK, including repeated requests.
    pub nacked_packets: u64,
    /// Number of times that missing packets were abandoned after the last request.
    pub abandoned_packets: u64,
    /// Keyframe requests (PLI) sent.
    pub keyframe_requests: u64,
    /// Complete frames delivered.
    pub frames_received: u64,
    /// Bytes of video packets including RTP headers, retransmissions, padding and repair packets.
    pub video_bytes: u64,
    /// Bytes of audio packets including RTP headers.
    pub audio_bytes: u64,
}
