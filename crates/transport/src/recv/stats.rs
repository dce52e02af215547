//! What a [`Receiver`](super::Receiver) counts.

/// Counters since the start, for getStats and tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceiverStats {
    /// Media packets taken, retransmissions and duplicates not counted.
    pub packets_received: u64,
    /// Packets that came as retransmission and were missing.
    pub retransmitted_packets_received: u64,
    /// Packets restored from repair packets.
    pub repaired_packets: u64,
    /// Packets that were there already (a probe's filling too) or came too late.
    pub duplicate_packets: u64,
    /// Packets of an SSRC or payload type that was not negotiated.
    pub unknown_packets: u64,
    /// Payloads that are not of their codec.
    pub malformed_packets: u64,
    /// Sequence numbers asked for.
    pub nacked_packets: u64,
    /// Times that a missing packet was given up.
    pub abandoned_packets: u64,
    /// Keyframes asked for.
    pub keyframe_requests: u64,
    /// Frames handed out.
    pub frames_received: u64,
    /// Bytes of video packets with their RTP headers, retransmissions and fillings too.
    pub video_bytes: u64,
    /// Bytes of audio packets with their RTP headers.
    pub audio_bytes: u64,
}
