//! The configuration of a simulated flow.

use media::encoded::VideoCodec;
use std::time::Duration;

/// Configuration of a flow.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) codec: VideoCodec,
    /// Whether the flow takes the backward path, and its feedback the forward path.
    pub(crate) backward: bool,
    /// Frames per second of the source.
    pub(crate) fps: u32,
    pub(crate) start_bitrate: u64,
    /// Highest bitrate of the encoder in bit/s.
    pub(crate) desired: u64,
    /// Lowest bitrate of the encoder in bit/s. There is no video if the path has less than 5/8 of it.
    pub(crate) floor: u64,
    /// Whether the encoder follows the target. If not, it always produces `desired`.
    pub(crate) follows_target: bool,
    /// Interval between feedback messages of the receiver.
    pub(crate) report_interval: Duration,
    /// Maximum delay of the sender's timers.
    pub(crate) max_timer_delay: Duration,
    /// Time constant with which the encoder follows the target.
    pub(crate) encoder_lag: Duration,
    /// Whether frames pass through a jitter buffer, which may request keyframes.
    pub(crate) plays: bool,
    /// Whether repair packets were negotiated.
    pub(crate) repair: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            codec: VideoCodec::Vp8,
            backward: false,
            fps: 30,
            start_bitrate: 1_000_000,
            desired: 2_500_000,
            floor: 0,
            follows_target: true,
            report_interval: Duration::from_millis(50),
            max_timer_delay: Duration::ZERO,
            encoder_lag: Duration::ZERO,
            plays: false,
            repair: false,
        }
    }
}

impl Plan {
    pub(crate) fn frame_interval(&self) -> Duration {
        Duration::from_secs(1) / self.fps
    }
}
