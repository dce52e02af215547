//! Figures of a running engine.

use crate::video_in::VideoInStats;
use crate::video_out::VideoOutStats;
use media::jitter::AudioBufferStats;
use peer::PeerStats;
use signaling::message::ParticipantId;

/// A snapshot of everything that is counted.
#[derive(Debug, Clone)]
pub struct EngineStats {
    /// Own pictures.
    pub video_out: VideoOutStats,
    /// Each of the others.
    pub participants: Vec<ParticipantStats>,
}

/// Figures of one other person.
#[derive(Debug, Clone)]
pub struct ParticipantStats {
    /// Who.
    pub id: ParticipantId,
    /// The connection; absent if it did not answer in time.
    pub path: Option<PeerStats>,
    /// Their pictures.
    pub video_in: VideoInStats,
    /// Their sound; absent before the connection stands.
    pub audio_in: Option<AudioBufferStats>,
}
