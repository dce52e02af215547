//! Statistics of a running engine.

use crate::share_out::ShareOutStats;
use crate::video_in::VideoInStats;
use crate::video_out::VideoOutStats;
use media::jitter::AudioBufferStats;
use peer::PeerStats;
use signaling::message::ParticipantId;

/// A snapshot of all counters.
#[derive(Debug, Clone)]
pub struct EngineStats {
    /// Our own pictures.
    pub video_out: VideoOutStats,
    /// Our shared screen.
    pub share_out: ShareOutStats,
    /// Each remote participant.
    pub participants: Vec<ParticipantStats>,
}

/// Statistics of one remote participant.
#[derive(Debug, Clone)]
pub struct ParticipantStats {
    /// The participant.
    pub id: ParticipantId,
    /// The connection. Absent if it did not answer in time.
    pub path: Option<PeerStats>,
    /// The participant's pictures.
    pub video_in: VideoInStats,
    /// The participant's sound. Absent before the connection is established.
    pub audio_in: Option<AudioBufferStats>,
}
