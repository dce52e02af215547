//! Any bitstream and any feedback through the sender: every packetiser, history, estimate, retransmission.
//!
//! Input: records of one byte of what it is, one of wait, one of length, and that many bytes.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use media::encoded::{EncodedFrame, VideoCodec};
use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc_shared::marshal::Unmarshal;
use std::time::{Duration, Instant};
use transport::{SendStream, Sender, SenderConfig, StreamKind};

const SSRC: u32 = 1;

fuzz_target!(|input: &[u8]| {
    let mut now = Instant::now();
    let mut sender = Sender::new(SenderConfig::default(), now);
    let kind = StreamKind::Video(VideoCodec::Vp8);
    sender.add_stream(SendStream { ssrc: SSRC, kind, payload_type: 96, rtx: Some((2, 97)), twcc_id: Some(3) });
    sender.set_connected(now);
    let mut rest = input;
    while let [what, wait, length, after @ ..] = rest {
        let (data, left) = after.split_at(after.len().min(usize::from(*length)));
        rest = left;
        now += Duration::from_millis(u64::from(*wait));
        step(&mut sender, now, *what, data);
        sender.handle_timeout(now);
        while sender.poll_transmit().is_some() {}
        while sender.poll_event().is_some() {}
    }
});

fn step(sender: &mut Sender, now: Instant, what: u8, data: &[u8]) {
    let mut raw = data;
    match what & 3 {
        0 => {
            if let Ok(feedback) = TransportLayerCc::unmarshal(&mut raw) {
                sender.on_feedback(now, &feedback);
            }
        }
        1 => {
            if let Ok(mut nack) = TransportLayerNack::unmarshal(&mut raw) {
                nack.media_ssrc = SSRC;
                sender.on_nack(now, &nack);
            }
        }
        _ => {
            let codec = VideoCodec::ALL[usize::from(what >> 2) % 3];
            sender.set_codec(SSRC, 96 + (what >> 2) % 3, codec);
            let (keyframe, temporal) = (what & 0x80 != 0, what >> 5 & 3);
            let (data, rtp_timestamp, width, height, layer) = (Bytes::copy_from_slice(data), 0, 64, 64, 0);
            let frame =
                EncodedFrame { codec, data, keyframe, rtp_timestamp, width, height, layer, temporal, time: now };
            let _ = sender.send_video(now, SSRC, &frame);
        }
    }
}
