//! Passes any bitstream and any feedback to the sender: packetizers, history, estimator and retransmission.
//!
//! Input: records of one byte for the kind, one for the wait in ms, one for the length, and that many bytes.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use media::encoded::{EncodedFrame, VideoCodec};
use rtc_rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, RecvDelta, RunLengthChunk, StatusChunkTypeTcc, StatusVectorChunk, SymbolSizeTypeTcc,
    SymbolTypeTcc, TransportLayerCc,
};
use rtc_rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};
use std::time::{Duration, Instant};
use transport::{SendStream, Sender, SenderConfig, StreamKind};

const SSRC: u32 = 1;

fuzz_target!(|input: &[u8]| {
    let mut now = Instant::now();
    let mut sender = Sender::new(SenderConfig::default(), now);
    let kind = StreamKind::Video(VideoCodec::Vp8);
    sender.add_stream(SendStream { ssrc: SSRC, kind, payload_type: 96, rtx: Some((2, 97)), repair: Some(98), twcc_id: Some(3) });
    sender.set_connected(now);
    let mut rest = input;
    while let [kind_byte, wait, length, after @ ..] = rest {
        let (data, left) = after.split_at(after.len().min(usize::from(*length)));
        rest = left;
        now += Duration::from_millis(u64::from(*wait));
        step(&mut sender, now, *kind_byte, data);
        sender.handle_timeout(now);
        while sender.poll_transmit().is_some() {}
        while sender.poll_event().is_some() {}
    }
});

fn step(sender: &mut Sender, now: Instant, kind_byte: u8, data: &[u8]) {
    match kind_byte & 3 {
        0 => sender.on_feedback(now, &feedback(data)),
        1 => {
            let pair = |p: &[u8]| NackPair { packet_id: be16(p), lost_packets: be16(&p[2..]) };
            let nacks = data.chunks_exact(4).map(pair).collect();
            sender.on_nack(now, &TransportLayerNack { sender_ssrc: 9, media_ssrc: SSRC, nacks });
        }
        _ => {
            let codec = VideoCodec::ALL[usize::from(kind_byte >> 2) % 3];
            sender.set_codec(SSRC, 96 + (kind_byte >> 2) % 3, codec);
            let (keyframe, temporal) = (kind_byte & 0x80 != 0, kind_byte >> 5 & 3);
            let (data, rtp_timestamp, width, height, layer) = (Bytes::copy_from_slice(data), 0, 64, 64, 0);
            let frame =
                EncodedFrame { codec, data, keyframe, rtp_timestamp, width, height, layer, temporal, time: now };
            let _ = sender.send_video(now, SSRC, &frame);
        }
    }
}

/// Parses feedback without the parser of the library, which is fuzzed elsewhere and overflows in debug builds.
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
