//! Setting up a connection over a path that loses datagrams.
#![allow(clippy::unwrap_used)] // Helpers of tests.

mod middle;
mod pair;

use media::encoded::VideoCodec;
use middle::Middle;
use pair::*;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Loses every handshake datagram when it is sent for the first time. The library's own retransmissions are new datagrams,
/// so that only copies arrive.
fn lossy() -> impl Fn(usize, &[u8]) -> Vec<Vec<u8>> + Clone + Send + Sync + 'static {
    let seen: Arc<Mutex<HashSet<Vec<u8>>>> = Arc::default();
    move |_, data| match data.first() {
        Some(20..=63) if seen.lock().unwrap().insert(data.to_vec()) => vec![],
        _ => vec![data.to_vec()],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_completes_although_each_datagram_is_lost_once() {
    let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
    let _middle = Middle::join(&mut a, &mut b, lossy()).await;
    a.peer.offer().await.unwrap();
    a.connected().await;
    b.connected().await;
    let _streams = [stream(&a, VideoCodec::Vp8), stream(&b, VideoCodec::Vp8)];
    for side in [&a, &b] {
        side.wait_for_media("pictures", |received| received.frames.values().any(|frames| frames.len() >= 10)).await;
    }
}

/// The first hello is lost until long after the last copy, when only the library repeats what it sends.
#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_completes_although_its_beginning_is_lost() {
    let start = Instant::now();
    let lossy = move |_, data: &[u8]| {
        let is_lost = matches!(data.first(), Some(20..=63)) && start.elapsed() < Duration::from_millis(1_500);
        if is_lost { vec![] } else { vec![data.to_vec()] }
    };
    let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
    let _middle = Middle::join(&mut a, &mut b, lossy).await;
    a.peer.offer().await.unwrap();
    a.connected().await;
    b.connected().await;
}

/// STUN messages with the flag of a nomination (RFC 8445 section 7.1.2).
fn nominates(data: &[u8]) -> bool {
    data.first() == Some(&0) && data.windows(4).any(|bytes| bytes == [0, 0x25, 0, 0])
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_connect_although_nominations_are_lost() {
    let lost = Arc::new(AtomicUsize::new(0));
    let counted = lost.clone();
    let lossy = move |_, data: &[u8]| {
        let is_lost = nominates(data) && counted.fetch_add(1, Ordering::Relaxed) < 4;
        if is_lost { vec![] } else { vec![data.to_vec()] }
    };
    let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
    let _middle = Middle::join(&mut a, &mut b, lossy).await;
    a.peer.offer().await.unwrap();
    a.connected().await;
    b.connected().await;
    assert!(lost.load(Ordering::Relaxed) > 4, "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_sound_arrives_as_copies_in_later_packets() {
    let sent = Arc::new(AtomicUsize::new(0));
    // Every sixth packet of media is lost; the connection's own packets are not.
    let lossy = move |_, data: &[u8]| {
        let media = matches!(data.first(), Some(128..=191)) && !matches!(data.get(1), Some(192..=223));
        let lost = media && sent.fetch_add(1, Ordering::Relaxed).is_multiple_of(6);
        if lost { vec![] } else { vec![data.to_vec()] }
    };
    let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
    let _middle = Middle::join(&mut a, &mut b, lossy).await;
    a.peer.offer().await.unwrap();
    a.connected().await;
    b.connected().await;
    let _streams = [stream(&a, VideoCodec::Vp8), stream(&b, VideoCodec::Vp8)];
    for side in [&a, &b] {
        side.wait_for_media("copies", |received| {
            received.audio.values().any(|packets| packets.iter().filter(|packet| packet.age > 0).count() >= 20)
        })
        .await;
    }
}
