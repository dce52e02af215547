//! [`Receiver`]: RTP in, frames, audio packets and requests out.

use crate::stream::RecvStream;
use media::encoded::{AudioPacket, EncodedFrame};
use rtc_rtp::packet::Packet;
use std::time::{Duration, Instant};

/// How patient a [`Receiver`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverConfig {
    /// Assumed before [`Receiver::set_rtt`].
    pub initial_rtt: Duration,
}

impl Default for ReceiverConfig {
    fn default() -> Self {
        ReceiverConfig { initial_rtt: Duration::from_millis(100) }
    }
}

/// RTCP to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feedback {
    /// Generic NACK, RFC 4585 section 6.2.1.
    Nack {
        /// SSRC of the media.
        ssrc: u32,
        /// Missing sequence numbers, oldest first.
        sequences: Vec<u16>,
    },
    /// Picture loss indication, RFC 4585 section 6.3.1.
    Pli {
        /// SSRC of the media.
        ssrc: u32,
    },
}

/// Counters since the start, for getStats and tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceiverStats {
    /// Media packets taken, duplicates not counted.
    pub packets_received: u64,
}

/// See the crate's documentation.
#[derive(Debug)]
pub struct Receiver {}

impl Receiver {
    /// A receiver without streams.
    pub fn new(config: ReceiverConfig, now: Instant) -> Self {
        let _ = (config, now);
        Receiver {}
    }
    /// Adds a stream, or replaces the one of the same SSRC.
    pub fn add_stream(&mut self, stream: RecvStream) {
        let _ = stream;
    }
    /// Forgets a stream.
    pub fn remove_stream(&mut self, ssrc: u32) {
        let _ = ssrc;
    }
    /// Takes a packet as it came from the wire, media or retransmission.
    pub fn on_rtp(&mut self, now: Instant, packet: &Packet) {
        let _ = (now, packet);
    }
    /// Round trip time as the sending half measured it.
    pub fn set_rtt(&mut self, rtt: Duration) {
        let _ = rtt;
    }
    /// The decoder needs a keyframe: frames are withheld until one is complete.
    pub fn request_keyframe(&mut self, now: Instant, ssrc: u32) {
        let _ = (now, ssrc);
    }
    /// The next complete frame, decodable after those before it.
    pub fn poll_frame(&mut self) -> Option<(u32, EncodedFrame)> {
        None
    }
    /// The next audio packet, in the order of arrival, without duplicates.
    pub fn poll_audio(&mut self) -> Option<(u32, AudioPacket)> {
        None
    }
    /// The next RTCP to send.
    pub fn poll_rtcp(&mut self) -> Option<Feedback> {
        None
    }
    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }
    /// When [`Receiver::handle_timeout`] is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    /// Counters.
    pub fn stats(&self) -> ReceiverStats {
        ReceiverStats::default()
    }
}
