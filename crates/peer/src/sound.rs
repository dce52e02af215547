//! An encoded packet of sound on its way to the transport.

use bytes::Bytes;
use media::level::AudioLevel;
use std::time::Instant;

/// An Opus packet to send.
#[derive(Debug, Clone)]
pub struct OutgoingSound {
    /// When its first sample was captured, which determines the far side's lip sync.
    pub captured: Instant,
    /// Counts samples at 48 kHz.
    pub rtp_timestamp: u32,
    /// The packet.
    pub data: Bytes,
    /// Whether it starts a talk spurt.
    pub marker: bool,
    /// How loud it is.
    pub level: AudioLevel,
}
