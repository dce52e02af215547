//! Copies of audio packets (RFC 2198): when they are sent, and how they are received.

use bytes::Bytes;
use media::encoded::AudioPacket;
use media::level::AudioLevel;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtp::header::Extension;
use std::time::{Duration, Instant};
use transport::{
    Packet, PacketNames, Receiver, ReceiverConfig, RecvKind, RecvStream, SendStream, Sender, SenderConfig, StreamKind,
};

const SSRC: u32 = 3;
const OPUS: u8 = 111;
const RED: u8 = 63;
const LEVEL_ID: u8 = 5;
const LEVEL: AudioLevel = AudioLevel { below_full_scale: 41, voice: true };

fn sender(now: Instant, red: Option<u8>, start_bitrate: u64) -> Sender {
    let mut sender = Sender::new(SenderConfig { start_bitrate, ..SenderConfig::default() }, now);
    let kind = StreamKind::Audio;
    sender.add_stream(SendStream {
        ssrc: SSRC,
        kind,
        payload_type: OPUS,
        rtx: None,
        formats: vec![],
        repair: None,
        red,
        twcc_id: None,
        level_id: Some(LEVEL_ID),
        names: PacketNames::default(),
    });
    sender.set_connected(now);
    sender
}

fn report(sender: &mut Sender, now: Instant, lost: f64) {
    let fraction_lost = (lost * 256.0) as u8;
    let reports = vec![ReceptionReport { ssrc: SSRC, fraction_lost, ..Default::default() }];
    sender.on_receiver_report(now, &ReceiverReport { ssrc: 9, reports, ..Default::default() });
}

/// Sends packets of 20 ms, the first of which starts a talk spurt, and reports the loss after each.
fn send(sender: &mut Sender, start: Instant, packets: std::ops::Range<u32>, lost: f64) -> Vec<Packet> {
    let first = packets.start;
    for n in packets {
        let now = start + Duration::from_millis(20 * u64::from(n));
        report(sender, now, lost);
        sender.send_audio(now, SSRC, n * 960, Bytes::from(vec![n as u8; 60]), n == first, LEVEL).expect("sent");
    }
    std::iter::from_fn(|| sender.poll_transmit()).collect()
}

fn receiver(now: Instant) -> Receiver {
    let mut receiver = Receiver::new(ReceiverConfig::default(), now);
    let payload_types = vec![(OPUS, StreamKind::Audio), (RED, StreamKind::Red)];
    receiver.add_stream(RecvStream {
        ssrc: SSRC,
        kind: RecvKind::Audio,
        payload_types,
        rtx: None,
        repair: None,
        level_id: Some(LEVEL_ID),
    });
    receiver
}

fn received(receiver: &mut Receiver, now: Instant, packet: &Packet) -> Vec<AudioPacket> {
    receiver.on_rtp(now, packet);
    std::iter::from_fn(|| receiver.poll_audio().map(|(_, packet)| packet)).collect()
}

#[test]
fn copies_are_sent_only_while_packets_are_lost() {
    let now = Instant::now();
    let mut sender = sender(now, Some(RED), 1_000_000);
    assert!(send(&mut sender, now, 0..10, 0.0).iter().all(|p| p.header.payload_type == OPUS && p.payload.len() == 60));
    let lossy = send(&mut sender, now, 10..40, 0.25);
    assert!(lossy[5..].iter().all(|p| p.header.payload_type == RED && p.payload.len() == 9 + 3 * 60));
    let clean = send(&mut sender, now, 40..400, 0.0);
    assert!(clean[200..].iter().all(|p| p.header.payload_type == OPUS));
}

#[test]
fn nothing_is_copied_where_it_was_not_negotiated_or_the_path_is_narrow() {
    let now = Instant::now();
    for (red, bitrate) in [(None, 1_000_000), (Some(RED), 100_000)] {
        let mut sender = sender(now, red, bitrate);
        let packets = send(&mut sender, now, 0..40, 0.25);
        assert!(packets.iter().all(|p| p.header.payload_type == OPUS && p.payload.len() == 60));
        assert_eq!(sender.audio_need().fec_percent, 25, "in-band FEC instead");
    }
}

#[test]
fn a_talk_spurt_has_no_copies_from_before_it() {
    let now = Instant::now();
    let mut sender = sender(now, Some(RED), 1_000_000);
    send(&mut sender, now, 0..40, 0.25);
    let packets = send(&mut sender, now, 400..403, 0.25);
    assert_eq!(packets.iter().map(|p| p.payload.len()).collect::<Vec<_>>(), [61, 5 + 2 * 60, 9 + 3 * 60]);
}

#[test]
fn copies_arrive_with_their_own_times_before_the_packet() {
    let now = Instant::now();
    let packets = send(&mut sender(now, Some(RED), 1_000_000), now, 0..40, 0.25);
    let got = received(&mut receiver(now), now, &packets[30]);
    let sequence = packets[30].header.sequence_number;
    assert!(got.iter().all(|packet| packet.sequence == sequence));
    let parts: Vec<(u32, u32, u8)> = got.iter().map(|p| (p.rtp_timestamp, p.age, p.data[0])).collect();
    assert_eq!(parts, [(28 * 960, 1_920, 28), (29 * 960, 960, 29), (30 * 960, 0, 30)]);
}

#[test]
fn a_packet_has_its_level_and_copies_have_none() {
    let now = Instant::now();
    let mut sender = sender(now, Some(RED), 1_000_000);
    for packets in [send(&mut sender, now, 0..1, 0.0), send(&mut sender, now, 1..40, 0.25)] {
        let got = received(&mut receiver(now), now, packets.last().unwrap());
        let (newest, copies) = got.split_last().unwrap();
        assert_eq!(newest.level, Some(LEVEL));
        assert!(copies.iter().all(|copy| copy.level.is_none()));
    }
}

#[test]
fn every_value_of_the_level_is_accepted_and_an_empty_one_ignored() {
    let now = Instant::now();
    let packets = send(&mut sender(now, None, 1_000_000), now, 0..30, 0.0);
    let mut receiver = receiver(now);
    for (packet, value) in packets.iter().zip([&[][..], &[0], &[255], &[127, 9, 9]]) {
        let mut packet = packet.clone();
        packet.header.extensions = vec![Extension { id: LEVEL_ID, payload: Bytes::copy_from_slice(value) }];
        let got = received(&mut receiver, now, &packet);
        assert_eq!(got[0].level, value.first().map(|byte| AudioLevel::from_byte(*byte)));
    }
}

#[test]
fn invalid_and_duplicate_payloads_are_dropped() {
    let now = Instant::now();
    let packet = send(&mut sender(now, Some(RED), 1_000_000), now, 0..40, 0.25).pop().unwrap();
    let mut receiver = receiver(now);
    let mut cut = packet.clone();
    cut.payload = cut.payload.slice(..6);
    assert_eq!(received(&mut receiver, now, &cut).len(), 0);
    assert_eq!(receiver.stats().unknown_packets, 1);
    let mut next = packet.clone();
    next.header.sequence_number = next.header.sequence_number.wrapping_add(1);
    assert_eq!(received(&mut receiver, now, &next).len(), 3);
    assert_eq!(received(&mut receiver, now, &next).len(), 0);
    // Copies of another codec are none of ours.
    let mut other = next.clone();
    other.header.sequence_number = other.header.sequence_number.wrapping_add(1);
    let mut payload = other.payload.to_vec();
    payload[0] = 0x80 | 9;
    other.payload = payload.into();
    assert_eq!(received(&mut receiver, now, &other).len(), 2);
}
