//! The sending half.

mod api;
mod feedback;
mod history;
mod meter;
mod outgoing;
mod pacer;
mod round_trip;
mod sender;

pub use api::{SendError, SenderConfig, SenderEvent, SenderStats};
pub use sender::Sender;
