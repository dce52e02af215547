//! Sending: packetization, pacing, retransmission, repair and feedback.

mod api;
mod audio;
mod feedback;
mod feedback_wait;
mod history;
mod keyframe_budget;
mod pacer;
mod rate_meter;
mod retransmission_budget;
mod rtt;
mod sender;
mod stream;

pub use api::{SendError, SenderConfig, SenderEvent, SenderStats};
pub use audio::AudioNeed;
pub use sender::Sender;
