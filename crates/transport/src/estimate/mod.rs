//! Send-side bandwidth estimation from transport-wide feedback.
//!
//! The estimate is mainly delay-based: it decreases while a queue grows (Carlucci et al., "Congestion Control for Web
//! Real-Time Communication", 2017; draft-ietf-rmcat-gcc-02), and a standing queue is drained. Loss limits the estimate
//! only if a lower rate reduces the loss. Probes measure capacity above the estimate.

mod acked_bitrate;
mod bursts;
mod drain;
mod estimator;
mod inter_arrival;
mod loss;
mod probe;
mod queue_delay;
mod rate;
mod trendline;

pub(crate) use estimator::{Estimator, EstimatorConfig, Sent};
pub(crate) use probe::ProbeCluster;

/// Use of the path according to the delay trend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BandwidthUsage {
    /// The queue grows.
    Overusing,
    /// The queue neither grows nor shrinks.
    Normal,
    /// The queue shrinks. The estimate is held until the queue is empty.
    Underusing,
}
