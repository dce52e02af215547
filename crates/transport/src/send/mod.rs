//! The sending half.

mod sender;

pub use sender::{SendError, Sender, SenderConfig, SenderEvent, SenderStats};
