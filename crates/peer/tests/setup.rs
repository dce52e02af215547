//! Setting up and closing connections.
#![allow(clippy::unwrap_used)] // Helpers of tests.

mod middle;
mod pair;

use middle::Middle;
use pair::*;
use peer::{IceServer, Peer, PeerConfig, PeerState};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Less than the second after which DTLS retransmits a lost flight: this guards against such a stall. On an idle
/// machine it takes about 5 ms.
const SETUP: Duration = Duration::from_millis(900);

#[tokio::test(flavor = "multi_thread")]
async fn two_sides_connect_without_a_stall() {
    assert_connects(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_signalling_adds_little_more_than_its_round_trip() {
    assert_connects(Duration::from_millis(150)).await;
}

/// Two sides connect with signalling that takes `way` in each direction. A busy machine may delay one attempt, a stall
/// delays all.
async fn assert_connects(way: Duration) {
    let mut took = Vec::new();
    for _ in 0..5 {
        let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
        join(&mut a, &mut b, way);
        let start = Instant::now();
        a.peer.offer().await.unwrap();
        let mut last = start;
        for side in [&a, &b] {
            last = last.max(side.connected().await.states.last().unwrap().0);
        }
        took.push(last - start);
        assert!(last - start >= 2 * way, "{took:?}");
        if last - start < 2 * way + SETUP {
            println!("connected after {:?}", last - start);
            return;
        }
    }
    panic!("{took:?}");
}

/// A check and its answer, and two round trips of DTLS. The far side's keys are there half a round trip earlier.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_takes_three_round_trips() {
    const WAY: Duration = Duration::from_millis(100);
    let mut took = Vec::new();
    for _ in 0..5 {
        let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
        let start = Instant::now();
        let _middle = Middle::join_far(&mut a, &mut b, WAY, |_, data| vec![data.to_vec()]).await;
        a.peer.offer().await.unwrap();
        let [a, b] = [a.connected().await, b.connected().await].map(|log| log.states.last().unwrap().0 - start);
        assert!(a >= 6 * WAY && b >= 5 * WAY, "a way is {WAY:?}: {a:?}, {b:?}");
        if a < 7 * WAY && b < 6 * WAY {
            return;
        }
        took.push((a, b));
    }
    panic!("{took:?}");
}

/// As a version of the client that does not know the attribute.
#[tokio::test(flavor = "multi_thread")]
async fn two_sides_connect_if_one_names_no_cookie() {
    fn without(sdp: &str) -> String {
        sdp.split_inclusive("\r\n").filter(|line| !line.starts_with("a=x-lunchroom-dtls-cookie:")).collect()
    }
    for rewrite in [[without, str::to_owned], [str::to_owned, without]] {
        let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
        join_through(&mut a, &mut b, Duration::ZERO, rewrite);
        a.peer.offer().await.unwrap();
        a.connected().await;
        b.connected().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_is_prompt_and_emits_the_last_event() {
    let (a, _b) = connected(config(false), config(true)).await;
    let start = Instant::now();
    a.peer.close().await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed()); // detects a stall
    a.wait_for("closed", |log| log.state() == Some(PeerState::Closed)).await;
    assert_eq!(a.peer.offer().await.map_err(|error| error.code()), Err("peer_closed"));
    a.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_task_outlives_a_connection() {
    for by_hand in [true, false] {
        let (media, _) = watch::channel(ReceivedMedia::default());
        let sink = Arc::new(Sink::new(media));
        let (events, mut event_receiver) = mpsc::channel(64);
        let peer = Peer::new(config(false), sink.clone(), events).await.unwrap();
        let media = peer.media();
        peer.offer().await.unwrap();
        if by_hand {
            peer.close().await;
        }
        drop((peer, media));
        // The task owns the sender of events, the driver the sink. Both must be dropped.
        let gone = async {
            while event_receiver.recv().await.is_some() {}
            while Arc::strong_count(&sink) > 1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.expect("something was not dropped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn relay_only_without_a_relay_has_its_own_error_code() {
    let (events, _event_receiver) = mpsc::channel(64);
    let (media, _) = watch::channel(ReceivedMedia::default());
    let config = PeerConfig { relay_only: true, ..config(false) };
    let error = Peer::new(config, Arc::new(Sink::new(media)), events).await.err().map(|error| error.code());
    assert_eq!(error, Some("peer_no_relay"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unresponsive_relay_reveals_no_local_address() {
    // A socket that receives and never answers.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("turn:{}", silent.local_addr().unwrap());
    let server = IceServer { urls: vec![url], username: "u".into(), credential: "c".into() };
    let config_a = PeerConfig { relay_only: true, ice_servers: vec![server], ..config(false) };
    let (mut a, mut b) = (Side::new(config_a).await, Side::new(config(true)).await);
    join(&mut a, &mut b, Duration::ZERO);
    a.peer.offer().await.unwrap();
    b.wait_for("answered", |log| !log.descriptions.is_empty() && !log.candidates.is_empty()).await;
    assert_eq!(a.log.borrow().candidates, Vec::<String>::new());
    a.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_path_is_detected_within_seconds() {
    let (a, b) = connected(config(false), config(true)).await;
    // Closing ends DTLS and the sockets; the library notices only because its checks are not answered.
    b.peer.close().await;
    a.wait_for("gone", |log| {
        matches!(log.state(), Some(PeerState::Disconnected | PeerState::Failed | PeerState::Closed))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stats_name_the_candidate_pair() {
    let (a, _b) = connected(config(false), config(true)).await;
    let stats = a.peer.stats().await.unwrap();
    assert_eq!(
        (stats.state, stats.pair.as_deref(), stats.relayed),
        (PeerState::Connected, Some("host-host udp"), false)
    );
}
