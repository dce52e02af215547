//! RTP and RTCP from the network, and any bitstream from an encoder.
#![allow(dead_code, reason = "each test uses one of them")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use media::encoded::{EncodedFrame, VideoCodec};
use rtc_rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, RecvDelta, RunLengthChunk, StatusChunkTypeTcc, StatusVectorChunk, SymbolSizeTypeTcc,
    SymbolTypeTcc, TransportLayerCc,
};
use rtc_rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};
use rtc_rtp::packet::Packet;
use rtc_shared::marshal::{MarshalSize, Unmarshal};
use transport::{
    ReceiverConfig, ReceiverReport, RecvKind, RecvStream, RedBlock, SendStream, SenderConfig, StreamKind, VideoFormat,
};

const SSRC: u32 = 1;
/// Largest UDP payload that passes every IPv6 network.
const MAX_PACKET: usize = 1_232;

/// Any sequence of packets through the receiver: routing, payload parsers, repair, frame assembly and feedback.
///
/// Input: records of one byte for the wait in ms, one for the length, and that many bytes of an RTP packet.
pub(crate) fn receiver(input: &[u8]) {
    let mut now = Instant::now();
    let mut receiver = new_receiver(now);
    let mut rest = input;
    while let [wait, length, after @ ..] = rest {
        let (mut raw, left) = after.split_at(after.len().min(usize::from(*length)));
        rest = left;
        now += Duration::from_millis(u64::from(*wait));
        if let Ok(mut packet) = Packet::unmarshal(&mut raw) {
            packet.header.ssrc &= 3;
            packet.header.payload_type &= 7;
            receiver.on_rtp(now, &packet);
        }
        receiver.handle_timeout(now);
        while let Some((_, frame)) = receiver.poll_frame() {
            // H.264 gets longer: start codes take the place of lengths.
            assert!(frame.data.len() <= 4 * input.len(), "more than was received");
        }
        while let Some((_, packet)) = receiver.poll_audio() {
            assert!(packet.data.len() <= usize::from(*length));
        }
        while receiver.poll_rtcp().is_some() {}
    }
}

/// Any payload through the parser of RED. What it splits is joined to a payload that is split into the same again.
pub(crate) fn red(input: &[u8]) {
    let payload = Bytes::copy_from_slice(input);
    let Ok(blocks) = RedBlock::split(&payload) else { return };
    let bytes: usize = blocks.iter().map(|block| block.data.len()).sum();
    assert!(bytes < payload.len(), "more than was received");
    let Some((packet, copies)) = blocks.split_last() else { return };
    let fit = |block: &&RedBlock| block.payload_type == packet.payload_type && block.age > 0;
    let copies: Vec<&RedBlock> = copies.iter().filter(fit).collect();
    let ours = copies.iter().map(|block| (block.age, &block.data));
    let joined = RedBlock::join(packet.payload_type, ours, &packet.data, payload.len());
    let split = RedBlock::split(&joined).expect("what was joined");
    assert!(split.iter().eq(copies.into_iter().chain([packet])), "{split:?}");
}

fn new_receiver(now: Instant) -> transport::Receiver {
    let mut receiver = transport::Receiver::new(ReceiverConfig::default(), now);
    let video = |payload_type: u8, codec| (payload_type, StreamKind::Video(codec));
    let payload_types = vec![video(1, VideoCodec::Vp8), video(2, VideoCodec::Vp9), video(3, VideoCodec::H264)];
    let rtx = Some((2, vec![(4, 1), (5, 2), (6, 3)]));
    receiver.add_stream(RecvStream {
        ssrc: 1,
        kind: RecvKind::Video,
        payload_types,
        rtx,
        repair: Some(0),
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

/// Any bitstream and any feedback through the sender: packetizers, history, estimator and retransmission.
///
/// Input: records of one byte for the kind, one for the wait in ms, one for the length, and that many bytes.
pub(crate) fn sender(input: &[u8]) {
    let mut now = Instant::now();
    let mut sender = new_sender(now);
    let mut rest = input;
    while let [kind_byte, wait, length, after @ ..] = rest {
        let (data, left) = after.split_at(after.len().min(usize::from(*length)));
        rest = left;
        now += Duration::from_millis(u64::from(*wait));
        step(&mut sender, now, *kind_byte, data);
        drain(&mut sender, now);
    }
}

/// Any RTCP through the library's parser to the sender, while video is sent.
///
/// Input: records of one byte for the wait in ms, one for the length, and that many bytes of a compound packet.
pub(crate) fn rtcp(input: &[u8]) {
    let mut now = Instant::now();
    let mut sender = new_sender(now);
    let mut rest = input;
    while let [wait, length, after @ ..] = rest {
        let (raw, left) = after.split_at(after.len().min(usize::from(*length)));
        rest = left;
        now += Duration::from_millis(u64::from(*wait));
        let _ = sender.send_video(now, SSRC, &frame(VideoCodec::Vp8, raw, true, 0, now)); // refused when full
        let mut raw = Bytes::copy_from_slice(raw);
        for packet in rtc_rtcp::packet::unmarshal(&mut raw).unwrap_or_default() {
            let packet = packet.as_any();
            if let Some(feedback) = packet.downcast_ref::<TransportLayerCc>() {
                sender.on_feedback(now, feedback);
            } else if let Some(nack) = packet.downcast_ref::<TransportLayerNack>() {
                sender.on_nack(now, nack);
            } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
                sender.on_receiver_report(now, report);
            }
        }
        drain(&mut sender, now);
    }
}

fn new_sender(now: Instant) -> transport::Sender {
    let mut sender = transport::Sender::new(SenderConfig::default(), now);
    let kind = StreamKind::Video(VideoCodec::Vp8);
    let format =
        |(codec, n): (VideoCodec, u8)| VideoFormat { codec, payload_type: 96 + 2 * n, rtx: Some((2, 97 + 2 * n)) };
    sender.add_stream(SendStream {
        ssrc: SSRC,
        kind,
        payload_type: 96,
        rtx: Some((2, 97)),
        formats: VideoCodec::ALL.into_iter().zip(0_u8..).map(format).collect(),
        repair: Some(110),
        red: None,
        twcc_id: Some(3),
        level_id: None,
        names: transport::PacketNames::default(),
    });
    sender.set_connected(now);
    sender
}

fn drain(sender: &mut transport::Sender, now: Instant) {
    sender.handle_timeout(now);
    while let Some(packet) = sender.poll_transmit() {
        assert!(packet.marshal_size() <= MAX_PACKET, "{:?}", packet.header);
    }
    while sender.poll_event().is_some() {}
}

fn step(sender: &mut transport::Sender, now: Instant, kind_byte: u8, data: &[u8]) {
    match kind_byte & 3 {
        0 => sender.on_feedback(now, &feedback(data)),
        1 => {
            let pair = |p: &[u8]| NackPair { packet_id: be16(p), lost_packets: be16(&p[2..]) };
            let nacks = data.chunks_exact(4).map(pair).collect();
            sender.on_nack(now, &TransportLayerNack { sender_ssrc: 9, media_ssrc: SSRC, nacks });
        }
        _ => {
            let codec = VideoCodec::ALL[usize::from(kind_byte >> 2) % 3];
            let (keyframe, temporal) = (kind_byte & 0x80 != 0, kind_byte >> 5 & 3);
            let _ = sender.send_video(now, SSRC, &frame(codec, data, keyframe, temporal, now)); // refused when full
        }
    }
}

fn frame(codec: VideoCodec, data: &[u8], keyframe: bool, temporal: u8, time: Instant) -> EncodedFrame {
    let data = Bytes::copy_from_slice(data);
    EncodedFrame {
        codec,
        data,
        keyframe,
        rtp_timestamp: 0,
        width: 64,
        height: 64,
        layer: 0,
        temporal,
        time,
        captured: None,
        source: None,
    }
}

/// Builds feedback without the library's parser, so that more of the input reaches the sender.
fn feedback(data: &[u8]) -> TransportLayerCc {
    let mut feedback = TransportLayerCc::default();
    let Some((head, rest)) = data.split_first_chunk::<8>() else { return feedback };
    feedback.base_sequence_number = be16(head);
    feedback.packet_status_count = be16(&head[2..]);
    feedback.reference_time = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
    for field in rest.chunks_exact(3) {
        let value = be16(&field[1..]);
        if field[0] & 1 == 0 {
            feedback.packet_chunks.push(chunk(field[0], value));
        } else {
            let type_tcc_packet = SymbolTypeTcc::PacketReceivedLargeDelta;
            feedback.recv_deltas.push(RecvDelta { type_tcc_packet, delta: i64::from(value as i16) * 250 });
        }
    }
    feedback
}

fn chunk(kind_byte: u8, value: u16) -> PacketStatusChunk {
    if kind_byte & 2 == 0 {
        return PacketStatusChunk::RunLengthChunk(RunLengthChunk {
            type_tcc: StatusChunkTypeTcc::RunLengthChunk,
            packet_status_symbol: SymbolTypeTcc::from(u16::from(kind_byte >> 2 & 3)),
            run_length: value & 0x1fff,
        });
    }
    PacketStatusChunk::StatusVectorChunk(StatusVectorChunk {
        type_tcc: StatusChunkTypeTcc::StatusVectorChunk,
        symbol_size: SymbolSizeTypeTcc::TwoBit,
        symbol_list: (0..7).map(|i| SymbolTypeTcc::from(value >> (2 * i) & 3)).collect(),
    })
}

fn be16(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}
