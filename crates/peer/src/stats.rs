//! A snapshot of a connection's figures.

use crate::event::PeerState;
use crate::path::MediaPath;
use media::encoded::VideoCodec;
use std::time::Duration;
use transport::{ReceiverStats, SenderStats};
use webrtc::peer_connection::{RTCIceCandidateType, RTCStatsReport};
use webrtc::rtp_transceiver::RtpSender;

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
    /// Round trip of the path, by transport's feedback or, before there is any, by ICE checks.
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

/// Candidate types of the path in use, ours first.
pub(crate) type Pair = (RTCIceCandidateType, RTCIceCandidateType);

/// Asks the library which path is in use.
pub(crate) async fn pair(sender: &dyn RtpSender) -> Option<Pair> {
    let dtls = sender.transport().await.ok()??;
    let pair = dtls.ice_transport().get_selected_candidate_pair().await.ok()??;
    Some((pair.local().typ, pair.remote().typ))
}

/// Puts a snapshot together from the library's report of the path and our own counters.
pub(crate) fn collect(report: &RTCStatsReport, pair: Option<Pair>, state: PeerState, path: &MediaPath) -> PeerStats {
    let selected = report
        .transport()
        .and_then(|transport| report.candidate_pairs().find(|p| p.stats.id == transport.selected_candidate_pair_id));
    let checks = selected.map(|pair| pair.current_round_trip_time).filter(|seconds| *seconds > 0.0);
    let sending = path.sending();
    let rtt = sending.sender.rtt().or(checks.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()));
    let (bytes_sent, packets_sent, sender) = (sending.bytes, sending.packets, sending.stats());
    let video_codec = sending.first_video_codec();
    drop(sending);
    let receiving = path.receiving();
    PeerStats {
        state,
        pair: pair.map(|(local, remote)| format!("{local}-{remote} udp")),
        relayed: pair.is_some_and(|(local, remote)| [local, remote].contains(&RTCIceCandidateType::Relay)),
        rtt,
        bytes_sent,
        bytes_received: receiving.bytes,
        packets_sent,
        packets_received: receiving.packets,
        video_codec,
        received_codec: receiving.codec,
        sender,
        receiver: receiving.stats(),
    }
}
