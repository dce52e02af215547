//! A snapshot of a connection's figures.

use crate::event::PeerState;
use media::encoded::VideoCodec;
use std::time::Duration;
use transport::{ReceiverStats, SenderStats};

/// A snapshot of a connection's figures. Counters grow from the connection's start.
#[derive(Debug, Clone)]
pub struct PeerStats {
    /// State at the snapshot.
    pub state: PeerState,
    /// The path in use as "host-host udp", local kind first, kinds as in RFC 8839 (`host`, `srflx`, `prflx`, `relay`);
    /// `None` before one is chosen.
    pub pair: Option<String>,
    /// Whether the path goes over a TURN server.
    pub relayed: bool,
    /// Round trip of the path, by ICE checks or by transport's feedback, whichever is newer.
    pub rtt: Option<Duration>,
    /// Bytes sent, with RTP headers and retransmissions, without UDP and IP.
    pub bytes_sent: u64,
    /// Bytes received, counted alike.
    pub bytes_received: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets received.
    pub packets_received: u64,
    /// Codec of our first video line's sending side.
    pub video_codec: Option<VideoCodec>,
    /// Codec of the last frame that came.
    pub received_codec: Option<VideoCodec>,
    /// Sending side's estimate and counters.
    pub sender: SenderStats,
    /// Receiving side's counters.
    pub receiver: ReceiverStats,
}
