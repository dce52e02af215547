//! Receiving: routing, retransmission requests, repair and frame assembly.

mod assembler;
mod downlink_flow;
mod duplicate_filter;
mod keyframe;
mod nack;
mod receiver;
mod segments;
mod stats;
mod video;

pub use receiver::{Feedback, Receiver, ReceiverConfig};
pub use stats::ReceiverStats;
