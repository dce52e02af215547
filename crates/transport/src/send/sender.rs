//! [`Sender`]: frames and packets in, paced RTP out.

use crate::stream::SendStream;
use bytes::Bytes;
use media::encoded::{EncodedFrame, VideoCodec};
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc_rtp::packet::Packet;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How a [`Sender`] begins and within which bounds it stays. Rates in bit/s of RTP packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderConfig {
    /// Assumed before anything is measured.
    pub start_bitrate: u64,
    /// The target never falls below.
    pub min_bitrate: u64,
    /// The target never rises above.
    pub max_bitrate: u64,
    /// For first sequence numbers and picture ids, RFC 3550 section 5.1.
    pub seed: u64,
}

impl Default for SenderConfig {
    fn default() -> Self {
        SenderConfig { start_bitrate: 1_000_000, min_bitrate: 50_000, max_bitrate: 10_000_000, seed: 0 }
    }
}

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No such stream.
    #[error("no stream with SSRC {0}")]
    UnknownStream(u32),
    /// Too many frames wait already. A base layer frame refused makes a keyframe necessary, which is asked for by an event.
    #[error("the path is slower than the encoder: the frame was skipped")]
    QueueFull,
    /// An earlier frame was refused, so only a keyframe is of use.
    #[error("waiting for a keyframe")]
    KeyframeNeeded,
    /// The stream is not of the frame's codec.
    #[error("the frame is of another codec than the stream")]
    WrongCodec,
    /// The bitstream is empty or malformed.
    #[error("the frame's bitstream is malformed")]
    Malformed,
}

/// What the sender tells its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderEvent {
    /// The next frame of this stream should be a keyframe.
    KeyframeRequested {
        /// SSRC of the media.
        ssrc: u32,
    },
    /// The encoders, audio included, should together produce about this many bit/s.
    TargetChanged {
        /// bit/s
        bitrate: u64,
    },
}

/// Counters since the start, for getStats and tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SenderStats {
    /// Media packets sent, retransmissions and probes not counted.
    pub packets_sent: u64,
    /// Bytes of RTP packets sent, all kinds.
    pub bytes_sent: u64,
}

/// See the crate's documentation.
#[derive(Debug)]
pub struct Sender {
    config: SenderConfig,
    out: VecDeque<Packet>,
    streams: Vec<SendStream>,
}

impl Sender {
    /// A sender without streams. Nothing is probed before [`Sender::set_connected`].
    pub fn new(config: SenderConfig, now: Instant) -> Self {
        let _ = now;
        Sender { config, out: VecDeque::new(), streams: Vec::new() }
    }
    /// Adds a stream, or replaces the one of the same SSRC.
    pub fn add_stream(&mut self, stream: SendStream) {
        self.streams.push(stream);
    }
    /// Forgets a stream and what of it still waits.
    pub fn remove_stream(&mut self, ssrc: u32) {
        self.streams.retain(|s| s.ssrc != ssrc);
    }
    /// From the next frame on, which must be a keyframe, the stream carries another codec.
    pub fn set_codec(&mut self, ssrc: u32, payload_type: u8, codec: VideoCodec) {
        let _ = (ssrc, payload_type, codec);
    }
    /// The path is open: packets may leave and probes begin.
    pub fn set_connected(&mut self, now: Instant) {
        let _ = now;
    }
    /// Takes one frame of a video stream.
    pub fn send_video(&mut self, now: Instant, ssrc: u32, frame: &EncodedFrame) -> Result<(), SendError> {
        let _ = (now, frame);
        Err(SendError::UnknownStream(ssrc))
    }
    /// Takes one Opus packet; it leaves at once.
    pub fn send_audio(
        &mut self,
        now: Instant,
        ssrc: u32,
        rtp_timestamp: u32,
        data: Bytes,
        marker: bool,
    ) -> Result<(), SendError> {
        let _ = (now, rtp_timestamp, data, marker);
        Err(SendError::UnknownStream(ssrc))
    }
    /// Transport-wide feedback of the other end.
    pub fn on_feedback(&mut self, now: Instant, feedback: &TransportLayerCc) {
        let _ = (now, feedback);
    }
    /// The other end misses packets, RFC 4585 section 6.2.1.
    pub fn on_nack(&mut self, now: Instant, nack: &TransportLayerNack) {
        let _ = (now, nack);
    }
    /// Reception report of the other end, RFC 3550 section 6.4.2.
    pub fn on_receiver_report(&mut self, now: Instant, report: &ReceiverReport) {
        let _ = (now, report);
    }
    /// A PLI or FIR of the other end.
    pub fn on_keyframe_request(&mut self, now: Instant, ssrc: u32) {
        let _ = (now, ssrc);
    }
    /// The most that the encoders together could use, bit/s: nothing far beyond it is probed.
    pub fn set_wanted(&mut self, bitrate: u64) {
        let _ = bitrate;
    }
    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }
    /// When [`Sender::handle_timeout`] is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    /// The next packet for the wire.
    pub fn poll_transmit(&mut self) -> Option<Packet> {
        self.out.pop_front()
    }
    /// The next event.
    pub fn poll_event(&mut self) -> Option<SenderEvent> {
        None
    }
    /// What the encoders, audio included, should together produce, bit/s.
    pub fn target_bitrate(&self) -> u64 {
        self.config.start_bitrate
    }
    /// How long the newest queued video packet will wait at the present pace. An encoder skips input above about 100 ms.
    pub fn queue_delay(&self, now: Instant) -> Duration {
        let _ = now;
        Duration::ZERO
    }
    /// Smoothed round trip time.
    pub fn rtt(&self) -> Option<Duration> {
        None
    }
    /// Counters.
    pub fn stats(&self) -> SenderStats {
        SenderStats::default()
    }
}
