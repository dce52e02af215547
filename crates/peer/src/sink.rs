//! Where received media goes.

use media::encoded::{AudioPacket, EncodedFrame};

/// Where received media goes. Called on the connection's driver between two packets: an implementation hands over and
/// returns, it never blocks.
pub trait MediaSink: Send + Sync {
    /// A complete frame in decoding order; the first one of a line, and the first after a gap, is a keyframe.
    fn video(&self, mid: &str, frame: EncodedFrame);

    /// An Opus packet as it arrived: order, gaps and doubles are the jitter buffer's business.
    fn audio(&self, mid: &str, packet: AudioPacket);

    /// The far side's clock: `rtp` of this line was sampled at `ntp`, 32.32 bit seconds since 1900 (RFC 3550 6.4.1).
    fn sender_report(&self, mid: &str, ntp: u64, rtp: u32);
}
