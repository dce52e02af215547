//! Receives media.

use media::encoded::{AudioPacket, EncodedFrame};

/// Receives media. Called on the connection's driver between two packets, so implementations must pass the data on and
/// never block.
pub trait MediaSink: Send + Sync {
    /// The first video line, which is the camera's. Others are shared screens. Called before their first frame.
    fn camera(&self, _mid: &str) {}

    /// A complete frame, in decoding order. The first frame of a line, and the first after a gap, is a keyframe.
    fn video(&self, mid: &str, frame: EncodedFrame);

    /// An Opus packet in order of arrival. The jitter buffer handles reordering, gaps and duplicates.
    fn audio(&self, mid: &str, packet: AudioPacket);

    /// The far side's clock: `rtp` of this line was sampled at `ntp`, 32.32-bit seconds since 1900 (RFC 3550 section
    /// 6.4.1).
    fn sender_report(&self, mid: &str, ntp: u64, rtp: u32);
}
