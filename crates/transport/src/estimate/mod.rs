//! How much the path carries, from transport-wide feedback.
//!
//! Delay decides: a queue that grows means too much (Carlucci et al., "Congestion Control for Web Real-Time
//! Communication", 2017; draft-ietf-rmcat-gcc-02), and a queue that stands is drained. Loss decides only where
//! sending less makes less of it. Probes find what lies above.

mod acked_bitrate;
mod bursts;
mod estimator;
mod inter_arrival;
mod loss;
mod probe;
mod queue_delay;
mod rate;
mod trendline;

pub(crate) use estimator::{Estimator, EstimatorConfig};
pub(crate) use probe::ProbeCluster;

/// What the trend of the delay says about the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BandwidthUsage {
    /// The queue grows.
    Overusing,
    /// Neither grows nor shrinks.
    Normal,
    /// The queue shrinks: wait until it is gone.
    Underusing,
}
