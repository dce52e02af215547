//! Limits on what we send to addresses that have never answered.
#![allow(clippy::unwrap_used)] // Helpers of tests.

mod pair;

use pair::*;
use peer::{CheckPacer, DescriptionKind, MAX_REMOTE_CANDIDATES, PeerConfig};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

const CHROMIUM: &str = include_str!("../src/sdp/chromium.sdp");
const WATCHED: Duration = Duration::from_secs(5);

/// A socket that never answers.
fn stranger() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn came(sockets: &[UdpSocket]) -> usize {
    let mut buffer = [0; 2048];
    sockets.iter().map(|socket| std::iter::from_fn(|| socket.recv(&mut buffer).ok()).count()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_peers_with_bogus_candidates_cause_at_most_400_packets_in_5_seconds() {
    let checks = CheckPacer::default();
    let strangers: Vec<UdpSocket> = (0..10 * MAX_REMOTE_CANDIDATES).map(|_| stranger()).collect();
    let mut sides = vec![];
    for named in strangers.chunks(MAX_REMOTE_CANDIDATES) {
        let side = Side::new(PeerConfig { checks: checks.clone(), ..config(true) }).await;
        side.peer.remote_description(DescriptionKind::Offer, CHROMIUM, None).await.unwrap();
        for (n, socket) in named.iter().enumerate() {
            let port = socket.local_addr().unwrap().port();
            let candidate = format!("candidate:{n} 1 udp {} 127.0.0.1 {port} typ host", 2_130_706_431 - n);
            side.peer.remote_candidate(&candidate, None, None).await.unwrap();
        }
        sides.push(side);
    }
    let start = Instant::now();
    let mut packets = 0;
    while start.elapsed() < WATCHED - Duration::from_millis(300) {
        packets += came(&strangers);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{packets} packets in {:?}", start.elapsed());
    assert!((50..=400).contains(&packets), "{packets}");
}

/// A busy machine may delay one attempt, a stall delays all.
#[tokio::test(flavor = "multi_thread")]
async fn eleven_simultaneous_connections_are_as_fast_as_one() {
    let mut took = Vec::new();
    for _ in 0..5 {
        took.push(connect_eleven().await);
        if took.last() < Some(&Duration::from_secs(3)) {
            println!("eleven connected after {took:?}");
            return;
        }
    }
    panic!("{took:?}");
}

async fn connect_eleven() -> Duration {
    let checks = CheckPacer::default();
    let mut pairs = vec![];
    for _ in 0..11 {
        let one = Side::new(PeerConfig { checks: checks.clone(), ..config(false) }).await;
        let other = Side::new(config(true)).await;
        pairs.push((one, other));
    }
    for (one, other) in &mut pairs {
        join(one, other, Duration::from_millis(20));
    }
    let start = Instant::now();
    for (one, _) in &pairs {
        one.peer.offer().await.unwrap();
    }
    for (one, _) in &pairs {
        one.connected().await;
    }
    start.elapsed()
}
