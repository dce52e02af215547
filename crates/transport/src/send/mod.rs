//! The sending half.

mod api;
pub(crate) mod feedback;
pub(crate) mod history;
mod meter;
mod outgoing;
mod pacer;
mod round_trip;
mod sender;

pub use api::{SendError, SenderConfig, SenderEvent, SenderStats};
pub use sender::Sender;
