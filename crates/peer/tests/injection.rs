//! Datagrams from a stranger who knows our addresses, and from somebody on the path.
#![allow(clippy::unwrap_used)] // Helpers of tests.

mod forged;
mod middle;
mod pair;

use forged::*;
use media::encoded::VideoCodec;
use middle::Middle;
use pair::*;
use peer::PeerState;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;

/// The ports of a side's candidates.
fn ports(log: &watch::Receiver<EventLog>) -> Vec<u16> {
    let port = |candidate: &String| candidate.split(' ').nth(5)?.parse().ok();
    log.borrow().candidates.iter().filter_map(port).collect()
}

/// Sends forged datagrams to both sides from an address that nobody signalled, until it is aborted.
fn stranger(sides: [&Side; 2]) -> tokio::task::JoinHandle<()> {
    let logs = sides.map(|side| side.log.clone());
    tokio::spawn(async move {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut tick = tokio::time::interval(Duration::from_millis(2));
        for sequence in 0.. {
            tick.tick().await;
            let [controlling, controlled] = role_conflicts();
            let media = media(1, 111, sequence as u16);
            let forged = [controlling, controlled, client_hello(sequence), fatal_alert(sequence), media];
            for port in logs.iter().flat_map(ports).collect::<Vec<u16>>() {
                for datagram in &forged {
                    let _ = socket.send_to(datagram, ("127.0.0.1", port)).await;
                }
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_of_a_stranger_do_not_disturb_the_setup() {
    let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
    let stranger = stranger([&a, &b]);
    join(&mut a, &mut b, Duration::from_millis(20));
    a.peer.offer().await.unwrap();
    a.connected().await;
    b.connected().await;
    let _stream = stream(&a, VideoCodec::Vp8);
    b.wait_for_media("pictures", |received| received.frames.get("1").is_some_and(|frames| frames.len() >= 30)).await;
    stranger.abort();
    assert_eq!([&a, &b].map(|side| side.log.borrow().connections()), [1, 1]);
}

/// Everything that somebody on the path can write without a key.
#[tokio::test(flavor = "multi_thread")]
async fn forged_records_on_the_path_do_not_end_a_connection() {
    let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
    let middle = Middle::join(&mut a, &mut b, |_, data| vec![data.to_vec()]).await;
    a.peer.offer().await.unwrap();
    a.connected().await;
    b.connected().await;
    let fragments: Vec<Vec<u8>> = (5..9).flat_map(|message| many_fragments(message, 2_000)).collect();
    let mut random = fastrand::Rng::with_seed(7);
    for side in 0..2 {
        for message in 5..80 {
            middle.inject(side, &any_handshake(&mut random, message)).await;
            middle.inject(side, &any_media(&mut random)).await;
        }
        for n in 0..20 {
            let sequence = 100 + 10 * n;
            let [controlling, controlled] = role_conflicts();
            let records = [close_notify(sequence), fatal_alert(sequence + 1), client_hello(sequence + 2)];
            let others = [record(20, sequence + 3, &[1]), record(23, sequence + 4, b"data"), controlling, controlled];
            for datagram in records.iter().chain(&others).chain(&fragments[4 * n as usize..][..4]) {
                middle.inject(side, datagram).await;
            }
        }
    }
    let _streams = [stream(&a, VideoCodec::Vp8), stream(&b, VideoCodec::Vp8)];
    for side in [&a, &b] {
        side.wait_for_media("pictures", |media| media.frames.get("1").is_some_and(|frames| frames.len() >= 30)).await;
        assert_eq!(side.log.borrow().states.last().map(|(_, state)| *state), Some(PeerState::Connected));
        assert_eq!(side.log.borrow().connections(), 1);
    }
}

/// What the far side itself sends is parsed after it has been authenticated.
#[test]
fn no_bytes_panic_the_parsers_of_rtp_rtcp_and_stun() {
    use rtc::shared::marshal::Unmarshal as _;
    let mut random = fastrand::Rng::with_seed(8);
    for _ in 0..200_000 {
        let media = any_media(&mut random);
        let _ = rtc::rtp::Packet::unmarshal(&mut &media[..]);
        let _ = rtc::rtcp::packet::unmarshal(&mut &media[..]);
        let mut message = role_conflicts()[0].clone();
        for _ in 0..random.usize(1..6) {
            let place = random.usize(..message.len());
            message[place] = random.u8(..);
        }
        let _ = rtc::stun::message::Message::new().unmarshal_binary(&message);
    }
}

/// CVE-2025-53399: media whose authentication tag was not checked.
#[tokio::test(flavor = "multi_thread")]
async fn altered_forged_and_replayed_media_is_dropped() {
    let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
    let passed = Arc::new(AtomicUsize::new(0));
    let count = passed.clone();
    let change = move |_, data: &[u8]| {
        if !(128..192).contains(&data[0]) {
            return vec![data.to_vec()];
        }
        let number = count.fetch_add(1, Ordering::Relaxed);
        // Marker and payload type, sequence number, time, payload, tag.
        let mut altered = data.to_vec();
        altered[[1, 3, 6, data.len() / 2, data.len() - 1][number % 5]] ^= 1;
        let plain = [&data[..12], b"nobody sent this"].concat();
        vec![altered, plain, data.to_vec(), data.to_vec()]
    };
    let _middle = Middle::join(&mut a, &mut b, change).await;
    a.peer.offer().await.unwrap();
    a.connected().await;
    b.connected().await;
    let _stream = stream(&a, VideoCodec::Vp8);
    let enough = |media: &ReceivedMedia| {
        media.frames.get("1").is_some_and(|frames| frames.len() >= 45)
            && media.audio.get("0").is_some_and(|packets| packets.len() >= 45)
    };
    let received = b.wait_for_media("pictures and sound", enough).await;
    for frame in &received.frames["1"] {
        let sent = picture(VideoCodec::Vp8, frame.keyframe, 0, if frame.keyframe { 9_000 } else { 2_500 });
        assert_eq!(frame.data, sent.data);
    }
    let audio = &received.audio["0"];
    assert!(audio.iter().all(|packet| packet.data[..] == [0xfc, 0xff, 0xfe]));
    assert!(audio.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    assert!(passed.load(Ordering::Relaxed) > 100, "the media took this path");
}
