//! Where encoders put their output.

use bytes::Bytes;
use media::encoded::{EncodedFrame, VideoCodec};
use std::time::Duration;

/// Where encoders put their output: the connection's first audio and video line. Cheap to clone, usable from any
/// thread; each call packetises under a short lock and wakes the driver once.
///
/// No video-orientation extension is negotiated: a sender turns the pixels themselves.
#[derive(Clone)]
pub struct MediaOut {}

impl MediaOut {
    /// Sends a picture. Before the connection is up, and when the far side cannot decode this codec, it is dropped:
    /// begin with a keyframe at `State(Connected)` and at each `KeyframeRequested`.
    pub fn video(&self, frame: &EncodedFrame) {
        let _ = frame;
    }

    /// Sends an Opus packet; `rtp_timestamp` counts 48 kHz samples, `marker` begins a talk spurt. Before the
    /// connection is up it is dropped.
    pub fn audio(&self, rtp_timestamp: u32, data: Bytes, marker: bool) {
        let _ = (rtp_timestamp, data, marker);
    }

    /// The most that encoders should use together, bit/s. Beyond it transport does not probe far.
    pub fn set_wanted(&self, bitrate: u64) {
        let _ = bitrate;
    }

    /// All that may leave a second now, bit/s.
    pub fn target_bitrate(&self) -> u64 {
        0
    }

    /// How long a frame given now would wait for its last packet to leave.
    pub fn queue_delay(&self) -> Duration {
        Duration::ZERO
    }

    /// Asks the far side for a keyframe of every video line.
    pub fn request_keyframe(&self) {}

    /// Codec the first video line sends; `None` before negotiation and when the far side takes no video.
    pub fn video_codec(&self) -> Option<VideoCodec> {
        None
    }

    /// Whether the path is up: media given now leaves.
    pub fn connected(&self) -> bool {
        false
    }
}

/// A video line added by [`crate::Peer::add_video_track`].
#[derive(Debug, Clone)]
pub struct TrackHandle {}

impl TrackHandle {
    /// Its media line; `None` before the negotiation that names it.
    pub fn mid(&self) -> Option<String> {
        None
    }

    /// Sends a picture, as [`MediaOut::video`].
    pub fn video(&self, frame: &EncodedFrame) {
        let _ = frame;
    }

    /// Codec this line sends; `None` before negotiation and when the far side takes none of ours.
    pub fn video_codec(&self) -> Option<VideoCodec> {
        None
    }
}
