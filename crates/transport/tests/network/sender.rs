//! Tests of the packets that a sender sends, and of their order.

use crate::twcc::TWCC_ID;
use bytes::Bytes;
use media::encoded::{EncodedFrame, VideoCodec};
use media::level::AudioLevel;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::nack_pairs_from_sequence_numbers;
use std::time::{Duration, Instant};
use transport::{
    Packet, PacketNames, Receiver, ReceiverConfig, RecvKind, RecvStream, SendError, SendStream, Sender, SenderConfig,
    SenderEvent, StreamKind, TransportLayerNack, VideoFormat,
};

const VIDEO: u32 = 1;
const RTX: u32 = 2;
const AUDIO: u32 = 3;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Extension id and value of the level of all sound.
const LEVEL_ID: u8 = 6;
const LEVEL: AudioLevel = AudioLevel { below_full_scale: 30, voice: true };

fn video() -> SendStream {
    let kind = StreamKind::Video(VideoCodec::Vp8);
    SendStream {
        ssrc: VIDEO,
        kind,
        payload_type: 96,
        rtx: Some((RTX, 97)),
        formats: vec![],
        repair: None,
        red: None,
        twcc_id: Some(TWCC_ID),
        level_id: None,
        names: PacketNames::default(),
    }
}

fn sender(now: Instant) -> Sender {
    let mut sender = Sender::new(SenderConfig::default(), now);
    sender.add_stream(video());
    let kind = StreamKind::Audio;
    sender.add_stream(SendStream {
        ssrc: AUDIO,
        kind,
        payload_type: 111,
        rtx: None,
        formats: vec![],
        repair: None,
        red: None,
        twcc_id: Some(TWCC_ID),
        level_id: Some(LEVEL_ID),
        names: PacketNames::default(),
    });
    sender.set_desired_bitrate(2_000_000);
    sender.set_connected(now);
    events(&mut sender);
    sender
}

fn frame(now: Instant, size: usize, keyframe: bool) -> EncodedFrame {
    let (codec, data) = (VideoCodec::Vp8, Bytes::from(vec![1; size]));
    let (rtp_timestamp, width, height, layer, temporal) = (0, 640, 360, 0, 0);
    EncodedFrame {
        codec,
        data,
        keyframe,
        rtp_timestamp,
        width,
        height,
        layer,
        temporal,
        time: now,
        captured: None,
        source: None,
    }
}

fn events(sender: &mut Sender) -> Vec<SenderEvent> {
    std::iter::from_fn(|| sender.poll_event()).collect()
}

fn keyframes_requested(sender: &mut Sender) -> usize {
    events(sender).iter().filter(|e| matches!(e, SenderEvent::KeyframeRequested { ssrc: VIDEO })).count()
}

fn sent_now(sender: &mut Sender) -> Vec<Packet> {
    std::iter::from_fn(|| sender.poll_transmit()).collect()
}

/// Advances the time. Returns the packets sent.
fn run(sender: &mut Sender, from: Instant, to: Instant) -> Vec<Packet> {
    let (mut now, mut sent, mut steps) = (from, sent_now(sender), 0);
    while let Some(next) = sender.poll_timeout().filter(|next| *next <= to) {
        now = next.max(now);
        sender.handle_timeout(now);
        sent.extend(sent_now(sender));
        steps += 1;
        assert!(steps < 50_000, "the time does not advance");
    }
    sender.handle_timeout(to);
    sent.extend(sent_now(sender));
    sent
}

fn nack(sequences: &[u16]) -> TransportLayerNack {
    TransportLayerNack { sender_ssrc: 9, media_ssrc: VIDEO, nacks: nack_pairs_from_sequence_numbers(sequences) }
}

#[test]
fn transport_sequence_numbers_have_no_gaps() {
    let start = Instant::now();
    let mut sender = sender(start);
    sender.send_video(start, VIDEO, &frame(start, 30_000, true)).unwrap();
    let mut sent = run(&mut sender, start, start + ms(200));
    let sequences: Vec<u16> = sent.iter().map(|p| p.header.sequence_number).take(5).collect();
    sender.on_nack(start + ms(200), &nack(&sequences));
    sender.send_audio(start + ms(200), AUDIO, 0, Bytes::from_static(b"opus"), false, LEVEL).unwrap();
    sent.extend(run(&mut sender, start + ms(200), start + ms(400)));
    let number = |p: &Packet| u16::from_be_bytes(p.header.get_extension(TWCC_ID).unwrap()[..].try_into().unwrap());
    let numbers: Vec<u16> = sent.iter().map(number).collect();
    assert_eq!(numbers, (numbers[0]..).take(numbers.len()).collect::<Vec<u16>>());
    for ssrc in [VIDEO, RTX, AUDIO] {
        assert!(sent.iter().any(|p| p.header.ssrc == ssrc), "no packet of {ssrc}");
    }
    assert_eq!(sender.stats().retransmitted_packets_sent, 5);
}

#[test]
fn sound_carries_its_level_where_that_was_negotiated() {
    let start = Instant::now();
    let mut sender = sender(start);
    let level = |sender: &mut Sender| {
        sender.send_audio(start, AUDIO, 960, Bytes::from_static(b"opus"), true, LEVEL).unwrap();
        let packet = sent_now(sender).pop().unwrap();
        assert_eq!(packet.header.get_extension(TWCC_ID).unwrap().len(), 2);
        packet.header.get_extension(LEVEL_ID).map(|value| value.to_vec())
    };
    assert_eq!(level(&mut sender), Some(vec![0x80 | 30]));
    let stream = SendStream { rtx: None, kind: StreamKind::Audio, ssrc: AUDIO, payload_type: 111, ..video() };
    sender.add_stream(stream);
    assert_eq!(level(&mut sender), None);
}

#[test]
fn audio_is_sent_before_queued_video() {
    let start = Instant::now();
    let mut sender = sender(start);
    sender.send_video(start, VIDEO, &frame(start, 200_000, true)).unwrap();
    sent_now(&mut sender);
    assert!(sender.queue_delay(start) > ms(100));
    sender.send_audio(start, AUDIO, 960, Bytes::from_static(b"opus"), true, LEVEL).unwrap();
    let sent = sent_now(&mut sender);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].header.ssrc, sent[0].header.marker), (AUDIO, true));
}

#[test]
fn retransmissions_stay_within_their_share() {
    let start = Instant::now();
    let mut sender = sender(start);
    sender.send_video(start, VIDEO, &frame(start, 100_000, true)).unwrap();
    let sent = run(&mut sender, start, start + ms(1000));
    let sequences: Vec<u16> =
        sent.iter().filter(|p| p.header.ssrc == VIDEO).map(|p| p.header.sequence_number).collect();
    let before = sender.stats().bytes_sent;
    let mut now = start + ms(1000);
    for _ in 0..40 {
        sender.on_nack(now, &nack(&sequences));
        run(&mut sender, now, now + ms(50));
        now += ms(50);
    }
    let rate = (sender.stats().bytes_sent - before) as f64 * 8.0 / 2.0;
    // Half of 1 Mbit/s, and once the budget saved in 400 ms.
    assert!(rate < 0.65e6, "{rate}");
    assert!(rate > 0.3e6, "{rate}");
}

#[test]
fn a_packet_is_retransmitted_at_most_once_per_round_trip() {
    let start = Instant::now();
    let mut sender = sender(start);
    sender.send_video(start, VIDEO, &frame(start, 1000, true)).unwrap();
    let sent = run(&mut sender, start, start + ms(500));
    let sequence = sent[0].header.sequence_number;
    let before = sender.stats().retransmitted_packets_sent;
    for i in 0..100 {
        sender.on_nack(start + ms(500 + i), &nack(&[sequence]));
    }
    assert_eq!(sender.stats().retransmitted_packets_sent - before, 1, "the assumed round-trip time is 100 ms");
}

#[test]
fn packets_before_a_keyframe_are_not_retransmitted() {
    let start = Instant::now();
    let mut sender = sender(start);
    sender.send_video(start, VIDEO, &frame(start, 1000, true)).unwrap();
    let before = run(&mut sender, start, start + ms(100))[0].header.sequence_number;
    let later = start + ms(500);
    sender.send_video(later, VIDEO, &frame(later, 1000, true)).unwrap();
    let after = sent_now(&mut sender)[0].header.sequence_number;
    let retransmitted_before = sender.stats().retransmitted_packets_sent;
    sender.on_nack(later, &nack(&[before, after]));
    assert_eq!(sender.stats().retransmitted_packets_sent - retransmitted_before, 1);
}

#[test]
fn keyframe_requests_are_coalesced() {
    let start = Instant::now();
    let mut sender = sender(start);
    let requested: usize = (0..1000)
        .map(|i| {
            sender.on_keyframe_request(start + ms(i), VIDEO);
            keyframes_requested(&mut sender)
        })
        .sum();
    assert_eq!(requested, 3);
    let now = start + ms(2000);
    sender.send_video(now, VIDEO, &frame(now, 1000, true)).unwrap();
    sender.on_keyframe_request(now + ms(50), VIDEO);
    assert_eq!(keyframes_requested(&mut sender), 0, "the keyframe just sent satisfies it");
}

#[test]
fn a_storm_of_keyframe_requests_causes_one_keyframe_a_second() {
    let start = Instant::now();
    let mut sender = sender(start);
    let mut requested = 0;
    for i in 0..60_000 {
        sender.on_keyframe_request(start + ms(i), VIDEO);
        let keyframes = keyframes_requested(&mut sender);
        if keyframes > 0 {
            sender.send_video(start + ms(i), VIDEO, &frame(start, 1000, true)).unwrap();
        }
        requested += keyframes;
    }
    assert!((59..=62).contains(&requested), "{requested}");
    let later = start + ms(70_000);
    sender.on_keyframe_request(later, VIDEO);
    assert_eq!(keyframes_requested(&mut sender), 1, "who asks rarely is answered");
}

#[test]
fn a_refused_frame_requests_a_keyframe() {
    let start = Instant::now();
    let mut sender = sender(start);
    sender.send_video(start, VIDEO, &frame(start, 100_000, true)).unwrap();
    for _ in 0..3 {
        sender.send_video(start, VIDEO, &frame(start, 10_000, false)).unwrap();
    }
    assert_eq!(sender.send_video(start, VIDEO, &frame(start, 10_000, false)), Err(SendError::QueueFull));
    assert_eq!(keyframes_requested(&mut sender), 1);
    let later = start + ms(2000);
    run(&mut sender, start, later);
    assert_eq!(sender.send_video(later, VIDEO, &frame(later, 10_000, false)), Err(SendError::KeyframeNeeded));
    assert_eq!(sender.send_video(later, VIDEO, &frame(later, 10_000, true)), Ok(()));
}

#[test]
fn nothing_is_sent_before_the_path_is_connected() {
    let start = Instant::now();
    let mut sender = Sender::new(SenderConfig::default(), start);
    sender.add_stream(video());
    assert_eq!(sender.send_video(start, VIDEO, &frame(start, 1000, true)), Err(SendError::NotConnected));
    assert_eq!(sender.poll_timeout(), None);
    assert!(sent_now(&mut sender).is_empty());
    sender.set_connected(start);
    assert_eq!(keyframes_requested(&mut sender), 1);
}

#[test]
fn queued_video_is_dropped_when_the_path_is_lost_and_audio_is_sent_first_on_the_next() {
    let start = Instant::now();
    let mut sender = sender(start);
    sender.send_video(start, VIDEO, &frame(start, 200_000, true)).unwrap();
    assert!(!sent_now(&mut sender).is_empty());
    sender.set_lost(start + ms(20));
    let sound = || Bytes::from_static(&[1; 80]);
    assert_eq!(sender.send_audio(start, AUDIO, 0, sound(), false, LEVEL), Err(SendError::NotConnected));
    assert_eq!((sender.poll_timeout(), sent_now(&mut sender)), (None, vec![]));
    events(&mut sender);
    let later = start + ms(3_000);
    sender.set_connected(later);
    assert_eq!(keyframes_requested(&mut sender), 1);
    assert_eq!(sender.send_video(later, VIDEO, &frame(later, 1000, false)), Err(SendError::KeyframeNeeded));
    sender.send_audio(later, AUDIO, 960, sound(), false, LEVEL).unwrap();
    let left = run(&mut sender, later, later + ms(200));
    assert_eq!(left.iter().map(|packet| packet.header.ssrc).collect::<Vec<_>>(), [AUDIO]);
}

#[test]
fn renegotiation_continues_a_stream() {
    let start = Instant::now();
    let mut sender = sender(start);
    sender.send_video(start, VIDEO, &frame(start, 1000, true)).unwrap();
    let first = sent_now(&mut sender)[0].header.sequence_number;
    sender.add_stream(SendStream { twcc_id: Some(5), ..video() });
    sender.send_video(start, VIDEO, &frame(start, 1000, false)).unwrap();
    let next = run(&mut sender, start, start + ms(50));
    let next = next.iter().find(|p| p.header.ssrc == VIDEO).unwrap();
    assert_eq!(next.header.sequence_number, first.wrapping_add(1));
    assert!(next.header.get_extension(5).is_some());
}

#[test]
fn a_codec_change_starts_with_a_keyframe() {
    let start = Instant::now();
    let mut sender = sender(start);
    sender.send_video(start, VIDEO, &frame(start, 1000, true)).unwrap();
    let vp9 = |keyframe| EncodedFrame { codec: VideoCodec::Vp9, ..frame(start, 1000, keyframe) };
    assert_eq!(sender.send_video(start, VIDEO, &vp9(true)), Err(SendError::WrongCodec));
    let format = VideoFormat { codec: VideoCodec::Vp9, payload_type: 98, rtx: Some((RTX, 99)) };
    sender.add_stream(SendStream { formats: vec![format], ..video() });
    assert_eq!(sender.send_video(start, VIDEO, &vp9(false)), Err(SendError::KeyframeNeeded));
    assert_eq!(sender.send_video(start, VIDEO, &vp9(true)), Ok(()));
    let sent = run(&mut sender, start, start + ms(100));
    assert!(sent.iter().any(|p| p.header.payload_type == 98));
}

#[test]
fn an_extension_id_above_14_uses_two_byte_headers() {
    let start = Instant::now();
    let mut sender = sender(start);
    sender.add_stream(SendStream { twcc_id: Some(20), ..video() });
    sender.send_video(start, VIDEO, &frame(start, 1000, true)).unwrap();
    let packet = sent_now(&mut sender).remove(0);
    assert_eq!(packet.header.extension_profile, 0x1000);
    assert!(packet.header.get_extension(20).is_some());
}

#[test]
fn sound_with_a_low_id_of_its_level_is_measured_where_the_other_id_is_high() {
    let start = Instant::now();
    let mut sender = sender(start);
    let stream = SendStream { ssrc: AUDIO, kind: StreamKind::Audio, payload_type: 111, rtx: None, ..video() };
    sender.add_stream(SendStream { twcc_id: Some(20), level_id: Some(LEVEL_ID), ..stream });
    sender.send_audio(start, AUDIO, 0, Bytes::from_static(b"opus"), false, LEVEL).unwrap();
    let packet = sent_now(&mut sender).remove(0);
    assert_eq!(packet.header.extension_profile, 0x1000);
    assert!(packet.header.get_extension(20).is_some() && packet.header.get_extension(LEVEL_ID).is_some());
}

/// RFC 8852: a receiver of several encodings finds retransmissions by the name of their original.
#[test]
fn packets_name_their_line_and_encoding_and_retransmissions_that_of_the_original() {
    let start = Instant::now();
    let mut sender = sender(start);
    let value = |text: &'static str| Bytes::from_static(text.as_bytes());
    let names =
        PacketNames { mid: Some((4, value("1"))), rid: Some((10, value("h"))), repaired_rid: Some((11, value("h"))) };
    sender.add_stream(SendStream { names, ..video() });
    sender.send_video(start, VIDEO, &frame(start, 500, true)).unwrap();
    let packet = sent_now(&mut sender).remove(0);
    let of = |packet: &Packet| [4, 10, 11].map(|id| packet.header.get_extension(id));
    assert_eq!(of(&packet), [Some(value("1")), Some(value("h")), None]);
    let sequence = packet.header.sequence_number;
    let nacks = nack_pairs_from_sequence_numbers(&[sequence]);
    sender.on_nack(start + ms(30), &TransportLayerNack { sender_ssrc: 9, media_ssrc: VIDEO, nacks });
    let sent = run(&mut sender, start + ms(30), start + ms(60));
    let retransmitted = sent.iter().find(|packet| packet.header.ssrc == RTX).expect("retransmitted");
    assert_eq!(of(retransmitted), [Some(value("1")), None, Some(value("h"))]);
    assert!(retransmitted.header.get_extension(TWCC_ID).is_some());
}

/// Browsers without transport-wide feedback exist, and aiortc has none.
#[test]
fn the_target_is_low_until_feedback_or_a_reception_report_comes() {
    let start = Instant::now();
    let mut sender = sender(start);
    run(&mut sender, start, start + ms(900));
    assert!(sender.target_bitrate() <= 350_000, "{}", sender.target_bitrate());
    for second in 1..30 {
        let block = ReceptionReport { ssrc: VIDEO, ..ReceptionReport::default() };
        let report = ReceiverReport { reports: vec![block], ..ReceiverReport::default() };
        sender.on_receiver_report(start + ms(1_000 * second), &report);
    }
    assert!(sender.target_bitrate() > 1_500_000, "{}", sender.target_bitrate());
}

/// What a forwarder sends names its author in the list of contributing sources (RFC 3550 section 5.1).
#[test]
fn what_is_received_has_its_contributing_source() {
    let start = Instant::now();
    let (mut sender, mut receiver) = (sender(start), Receiver::new(ReceiverConfig::default(), start));
    let stream = |ssrc, kind, payload_type, of| RecvStream {
        ssrc,
        kind,
        payload_types: vec![(payload_type, of)],
        level_id: None,
        rtx: None,
        repair: None,
    };
    receiver.add_stream(stream(VIDEO, RecvKind::Video, 96, StreamKind::Video(VideoCodec::Vp8)));
    receiver.add_stream(stream(AUDIO, RecvKind::Audio, 111, StreamKind::Audio));
    let header = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];
    let data = [&header[..], &[0; 3_000]].concat().into();
    sender.send_video(start, VIDEO, &EncodedFrame { data, ..frame(start, 0, true) }).unwrap();
    sender.send_audio(start, AUDIO, 0, Bytes::from_static(b"opus"), false, LEVEL).unwrap();
    for mut packet in run(&mut sender, start, start + ms(100)) {
        packet.header.csrc = vec![if packet.header.ssrc == VIDEO { 5 } else { 6 }];
        receiver.on_rtp(start + ms(50), &packet);
    }
    assert_eq!(receiver.poll_frame().expect("whole").1.source, Some(5));
    assert_eq!(receiver.poll_audio().expect("sound").1.source, Some(6));
}
