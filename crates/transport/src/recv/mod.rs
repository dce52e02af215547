//! The receiving half.

mod assembler;
mod audio;
mod keyframe;
mod nack;
mod receiver;
mod segments;
mod video;

pub use receiver::{Feedback, Receiver, ReceiverConfig, ReceiverStats};
