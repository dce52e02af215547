//! The sending half.

pub(crate) mod feedback;
pub(crate) mod history;
mod meter;
mod outgoing;
mod pacer;
mod round_trip;
mod sender;

pub use sender::{SendError, Sender, SenderConfig, SenderEvent, SenderStats};
