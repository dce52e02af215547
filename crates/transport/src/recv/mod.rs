//! The receiving half.

mod receiver;

pub use receiver::{Feedback, Receiver, ReceiverConfig, ReceiverStats};
