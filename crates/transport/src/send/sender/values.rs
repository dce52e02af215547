//! What a sender reports of itself, and what it is told of the client's other senders.

use super::{OutgoingStream, Sender, SenderStats};
use crate::uplink::{UplinkFlow, UplinkShare};
use media::encoded::VideoCodec;
use std::time::{Duration, Instant};

impl Sender {
    /// The codec that a video stream sends now.
    pub fn video_codec(&self, ssrc: u32) -> Option<VideoCodec> {
        self.streams.iter().find(|s| s.stream.ssrc == ssrc)?.codec()
    }

    /// The smoothed round-trip time. `None` before the first measurement.
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt.get(self.now)
    }

    /// The state that concerns the client's other senders; see [`Uplink`](crate::Uplink).
    pub fn uplink_flow(&self) -> UplinkFlow {
        let active = self.connected && self.streams.iter().any(OutgoingStream::is_video);
        let need = self.audio_need();
        UplinkFlow {
            active,
            paused: false,
            rate: self.estimator.estimate().min(self.estimator.desired()) as u64,
            sound: if self.connected { need.total } else { 0 },
            sound_wire: if self.connected { need.wire } else { 0 },
            limited: self.estimator.desired() <= self.estimator.estimate(),
            lost_percent: (self.estimator.loss() * 100.0) as u8,
            draining: self.estimator.is_draining(),
            probing: self.estimator.is_probing(),
        }
    }

    /// Takes account of the client's other senders. Without a call, this sender is alone.
    pub fn set_uplink_share(&mut self, now: Instant, share: UplinkShare) {
        self.estimator.set_share(now, share);
    }

    /// The shortest round-trip time of the last half or whole minute, from reception reports.
    pub fn shortest_rtt(&self) -> Option<Duration> {
        self.rtt.shortest()
    }

    /// Counters and current values.
    pub fn stats(&self) -> SenderStats {
        SenderStats {
            estimate: self.estimator.estimate() as u64,
            path_queue_delay: self.estimator.queue(),
            loss: self.estimator.loss(),
            unknown_reports: self.history.unknown(),
            ..self.stats.clone()
        }
    }
}
