//! The far side's limit for what it is sent (REMB, draft-alvestrand-rmcat-remb), and the bitrate that the encoders could
//! use.

use super::Sender;
use std::time::{Duration, Instant};

/// A limit that is not repeated for this time has ended.
const LIFETIME: Duration = Duration::from_secs(5);

/// A limit, with the time of the message.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReceiverLimit {
    bitrate: f64,
    received: Instant,
}

impl Sender {
    /// Sets the bitrate that all encoders together could use, in bit/s. Probes do not go far beyond it.
    pub fn set_desired_bitrate(&mut self, bitrate: u64) {
        self.desired = bitrate as f64;
        self.apply_desired_bitrate();
    }

    /// Processes a limit for all streams together, in bit/s. It holds for five seconds. Values that are no numbers have no
    /// effect.
    pub fn on_receiver_limit(&mut self, now: Instant, bitrate: f32) {
        if bitrate.is_finite() && bitrate >= 0.0 {
            self.receiver_limit = Some(ReceiverLimit { bitrate: f64::from(bitrate).max(self.min), received: now });
            self.apply_desired_bitrate();
        }
    }

    pub(super) fn expire_receiver_limit(&mut self, now: Instant) {
        if self.receiver_limit.is_some_and(|limit| now.saturating_duration_since(limit.received) >= LIFETIME) {
            self.receiver_limit = None;
            self.apply_desired_bitrate();
        }
    }

    /// The limit in bit/s.
    pub(super) fn limit(&self) -> f64 {
        self.receiver_limit.map_or(f64::MAX, |limit| limit.bitrate)
    }

    fn apply_desired_bitrate(&mut self) {
        self.estimator.set_desired_bitrate(self.now, self.desired.min(self.limit()));
    }
}
