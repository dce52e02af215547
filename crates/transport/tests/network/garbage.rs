//! Any input is handled without a panic and with bounded output.

use bytes::Bytes;
use media::encoded::VideoCodec;
use proptest::prelude::*;
use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};
use rtc_rtp::header::Header;
use std::time::{Duration, Instant};
use transport::{
    Packet, PacketNames, Receiver, ReceiverConfig, RecvKind, RecvStream, SendStream, Sender, SenderConfig, StreamKind,
};

fn receiver(now: Instant) -> Receiver {
    let mut receiver = Receiver::new(ReceiverConfig::default(), now);
    let video = |pt: u8, codec| (pt, StreamKind::Video(codec));
    let payload_types = vec![video(1, VideoCodec::Vp8), video(2, VideoCodec::Vp9), video(3, VideoCodec::H264)];
    let rtx = Some((2, vec![(4, 1), (5, 2), (6, 3)]));
    receiver.add_stream(RecvStream {
        ssrc: 1,
        kind: RecvKind::Video,
        payload_types,
        rtx,
        repair: Some(8),
        level_id: None,
    });
    let payload_types = vec![(7, StreamKind::Audio), (5, StreamKind::Red)];
    receiver.add_stream(RecvStream {
        ssrc: 3,
        kind: RecvKind::Audio,
        payload_types,
        rtx: None,
        repair: None,
        level_id: Some(1),
    });
    receiver
}

fn packet() -> impl Strategy<Value = Packet> {
    let sequence = prop_oneof![0u16..64, any::<u16>()];
    let payload = prop::collection::vec(any::<u8>(), 0..40);
    (0u32..5, 0u8..9, sequence, 0u32..8, any::<bool>(), payload).prop_map(|(ssrc, pt, seq, time, marker, payload)| {
        let header = Header {
            version: 2,
            marker,
            payload_type: pt,
            sequence_number: seq,
            timestamp: time * 3000,
            ssrc,
            ..Default::default()
        };
        Packet { header, payload: Bytes::from(payload) }
    })
}

proptest! {
    #[test]
    fn any_packets_are_handled(packets in prop::collection::vec((packet(), 0u64..50), 0..300)) {
        let mut now = Instant::now();
        let mut receiver = receiver(now);
        let mut last_pli = None;
        for (packet, wait) in packets {
            now += Duration::from_millis(wait);
            receiver.on_rtp(now, &packet);
            receiver.handle_timeout(now);
            while receiver.poll_frame().is_some() {}
            while receiver.poll_audio().is_some() {}
            while let Some(feedback) = receiver.poll_rtcp() {
                if let transport::Feedback::Pli { .. } = feedback {
                    prop_assert!(last_pli.is_none_or(|last| now - last >= Duration::from_millis(300)));
                    last_pli = Some(now);
                }
            }
        }
        let stats = receiver.stats();
        prop_assert!(stats.keyframe_requests <= 60);
    }

    #[test]
    fn timeouts_advance_after_any_packets(packets in prop::collection::vec(packet(), 0..200)) {
        let mut now = Instant::now();
        let mut receiver = receiver(now);
        for packet in packets {
            receiver.on_rtp(now, &packet);
        }
        for _ in 0..200 {
            let Some(next) = receiver.poll_timeout() else { break };
            now = next.max(now + Duration::from_micros(100));
            receiver.handle_timeout(now);
            while receiver.poll_rtcp().is_some() {}
            prop_assert!(receiver.poll_timeout().is_none_or(|next| next > now), "the next timeout is not in the future");
        }
    }

    #[test]
    fn any_feedback_is_handled(
        base: u16, count: u16, reference: u32, nacks in prop::collection::vec((any::<u16>(), any::<u16>()), 0..50)
    ) {
        let now = Instant::now();
        let mut sender = Sender::new(SenderConfig::default(), now);
        let kind = StreamKind::Video(VideoCodec::Vp8);
        sender.add_stream(SendStream { ssrc: 1, kind, payload_type: 1, rtx: Some((2, 4)), formats: vec![], repair: Some(6), red: None, twcc_id: Some(1), level_id: None, names: PacketNames::default() });
        sender.set_connected(now);
        let feedback = TransportLayerCc {
            base_sequence_number: base,
            packet_status_count: count,
            reference_time: reference,
            ..Default::default()
        };
        sender.on_feedback(now, &feedback);
        let nacks = nacks.into_iter().map(|(packet_id, lost_packets)| NackPair { packet_id, lost_packets }).collect();
        sender.on_nack(now, &TransportLayerNack { sender_ssrc: 9, media_ssrc: 1, nacks });
        prop_assert!(sender.poll_transmit().is_none());
    }
}
