//! Results of transport-wide feedback about the packets sent.

use std::time::{Duration, Instant};

/// Arrival time on the remote clock, in microseconds from an arbitrary zero.
pub(crate) type RemoteMicros = i64;

/// Identifies the probe cluster that a packet belongs to.
pub(crate) type ClusterId = u32;

/// A packet that the remote end has reported as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) sent: Instant,
    pub(crate) arrived: RemoteMicros,
    /// Bytes.
    pub(crate) size: usize,
    pub(crate) cluster: Option<ClusterId>,
}

/// The changes caused by one feedback message.
#[derive(Debug, Default)]
pub(crate) struct FeedbackReport {
    /// Newly received packets, in the order of arrival.
    pub(crate) arrivals: Vec<Arrival>,
    /// Packets newly reported lost.
    pub(crate) lost: usize,
    /// Number of runs of consecutive packets among `lost`.
    pub(crate) loss_bursts: usize,
    /// The probe cluster of each newly lost probe packet.
    pub(crate) lost_clusters: Vec<ClusterId>,
    /// Packets that an earlier message reported lost, and this one received.
    pub(crate) late: usize,
    /// Time since the newest received packet was sent: the round-trip time plus the delay of the feedback message.
    pub(crate) round_trip: Option<Duration>,
}
