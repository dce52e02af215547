//! Passes any sequence of packets to the receiver: routing, payload parsers, frame assembly and feedback.
//!
//! Input: records of one byte for the wait in ms, one for the length, and that many bytes of an RTP packet.

#![no_main]

use libfuzzer_sys::fuzz_target;
use media::encoded::VideoCodec;
use rtc_rtp::packet::Packet;
use rtc_shared::marshal::Unmarshal;
use std::time::{Duration, Instant};
use transport::{Receiver, ReceiverConfig, RecvKind, RecvStream, StreamKind};

fuzz_target!(|input: &[u8]| {
    let mut now = Instant::now();
    let mut receiver = receiver(now);
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
        while receiver.poll_frame().is_some() {}
        while receiver.poll_audio().is_some() {}
        while receiver.poll_rtcp().is_some() {}
    }
});

fn receiver(now: Instant) -> Receiver {
    let mut receiver = Receiver::new(ReceiverConfig::default(), now);
    let video = |payload_type: u8, codec| (payload_type, StreamKind::Video(codec));
    let payload_types = vec![video(1, VideoCodec::Vp8), video(2, VideoCodec::Vp9), video(3, VideoCodec::H264)];
    let rtx = Some((2, vec![(4, 1), (5, 2), (6, 3)]));
    receiver.add_stream(RecvStream { ssrc: 1, kind: RecvKind::Video, payload_types, rtx, repair: Some(0) });
    let payload_types = vec![(7, StreamKind::Audio)];
    receiver.add_stream(RecvStream { ssrc: 3, kind: RecvKind::Audio, payload_types, rtx: None, repair: None });
    receiver
}
