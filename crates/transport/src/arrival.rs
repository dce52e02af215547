//! What transport-wide feedback has shown of the packets that left.

use std::time::{Duration, Instant};

/// Arrival time on the other end's clock, in microseconds from an arbitrary zero.
pub(crate) type RemoteMicros = i64;

/// The probe cluster that a packet belongs to.
pub(crate) type ClusterId = u32;

/// A packet that is now known to have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) sent: Instant,
    pub(crate) arrived: RemoteMicros,
    /// Bytes.
    pub(crate) size: usize,
    pub(crate) cluster: Option<ClusterId>,
}

/// What one report changed.
#[derive(Debug, Default)]
pub(crate) struct FeedbackReport {
    /// In the order of arrival.
    pub(crate) arrivals: Vec<Arrival>,
    /// Packets newly known to be lost.
    pub(crate) lost: usize,
    /// Number of runs of consecutive lost packets among them.
    pub(crate) loss_bursts: usize,
    /// Clusters of the newly lost.
    pub(crate) lost_clusters: Vec<ClusterId>,
    /// Packets formerly reported lost that arrived after all.
    pub(crate) late: usize,
    /// From the newest packet that arrived: round trip and the time that the report waited to be sent.
    pub(crate) round_trip: Option<Duration>,
}
