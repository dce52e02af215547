//! Statistics of a connection.

use crate::candidate::{Candidate, CandidateAddress, CandidateType};
use crate::event::PeerState;
use crate::path::MediaPath;
use crate::relay_transport::RelayTransport;
use media::encoded::VideoCodec;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use transport::{ReceiverStats, SenderStats};
use webrtc::peer_connection::{RTCIceCandidateType, RTCStatsReport};
use webrtc::rtp_transceiver::RtpSender;

/// A snapshot of a connection's statistics. Counters start at 0 with the connection.
#[derive(Debug, Clone)]
pub struct PeerStats {
    /// The state at the time of the snapshot.
    pub state: PeerState,
    /// The selected candidate pair as "host-host udp", local type first, with the types of RFC 8839 (`host`, `srflx`,
    /// `prflx`, `relay`). `None` before one is selected. The remote type is the one that the far side signalled, or
    /// `prflx` if it did not signal the address.
    pub pair: Option<String>,
    /// Whether the path uses a TURN server of either side. False if the far side's TURN server sends from an address
    /// that was not signalled, because that is indistinguishable from a NAT.
    pub relayed: bool,
    /// The transport to our TURN server, if our side of the pair is relayed.
    pub relay: Option<RelayTransport>,
    /// Round-trip time of the path, from transport feedback, or from ICE checks until there is feedback.
    pub rtt: Option<Duration>,
    /// Bytes sent, including RTP headers and retransmissions, excluding UDP and IP headers.
    pub bytes_sent: u64,
    /// Bytes received, counted in the same way.
    pub bytes_received: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets received.
    pub packets_received: u64,
    /// The codec that our first video line sends.
    pub video_codec: Option<VideoCodec>,
    /// The codec of the last received frame.
    pub received_codec: Option<VideoCodec>,
    /// Estimate and counters of the sender.
    pub sender: SenderStats,
    /// Counters of the receiver.
    pub receiver: ReceiverStats,
}

/// The selected pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) local: CandidateType,
    pub(crate) remote: CandidateType,
    /// Our relayed address, if it is one.
    pub(crate) relayed_from: Option<SocketAddr>,
}

/// Asks the library for the selected pair. `announced` are the far side's candidates: if its check arrived before the
/// candidate was signalled, the library treats the address as peer-reflexive permanently.
pub(crate) async fn pair(sender: &dyn RtpSender, announced: &[Candidate]) -> Option<Pair> {
    let dtls = sender.transport().await.ok()??;
    let pair = dtls.ice_transport().get_selected_candidate_pair().await.ok()??;
    let (local, mut remote) = (kind(pair.local().typ)?, kind(pair.remote().typ)?);
    if remote == CandidateType::PeerReflexive
        && let Ok(ip) = pair.remote().address.parse()
    {
        remote = announced_kind(announced, ip, pair.remote().port).unwrap_or(remote);
    }
    let address = pair.local().address.parse().ok().map(|ip| SocketAddr::new(ip, pair.local().port));
    Some(Pair { local, remote, relayed_from: address.filter(|_| local == CandidateType::Relay) })
}

fn announced_kind(announced: &[Candidate], ip: IpAddr, port: u16) -> Option<CandidateType> {
    let address = CandidateAddress::Ip(ip);
    announced.iter().find(|one| one.address == address && one.port == port).map(|one| one.kind)
}

fn kind(kind: RTCIceCandidateType) -> Option<CandidateType> {
    match kind {
        RTCIceCandidateType::Host => Some(CandidateType::Host),
        RTCIceCandidateType::Srflx => Some(CandidateType::ServerReflexive),
        RTCIceCandidateType::Prflx => Some(CandidateType::PeerReflexive),
        RTCIceCandidateType::Relay => Some(CandidateType::Relay),
        _ => None,
    }
}

/// Combines the library's report with our own counters.
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
    let receiving = path.receiving.lock();
    PeerStats {
        state,
        pair: pair.map(|Pair { local, remote, .. }| format!("{}-{} udp", local.word(), remote.word())),
        relayed: pair.is_some_and(|Pair { local, remote, .. }| [local, remote].contains(&CandidateType::Relay)),
        relay: None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate;

    #[test]
    fn a_candidate_type_is_the_one_that_was_announced() {
        let announced = [
            "candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host",
            "candidate:2 1 udp 41885439 203.0.113.9 50000 typ relay raddr 192.0.2.7 rport 50000",
        ];
        let announced = announced.map(|text| candidate::parse(text).unwrap());
        let kind = |ip: &str, port| announced_kind(&announced, ip.parse().unwrap(), port);
        assert_eq!(kind("203.0.113.9", 50_000), Some(CandidateType::Relay));
        assert_eq!(kind("203.0.113.9", 50_001), None, "a different port is a different address");
        assert_eq!(kind("192.0.2.7", 50_000), Some(CandidateType::Host));
    }
}
