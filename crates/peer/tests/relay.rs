//! Calls over a TURN server (RFC 8656) on loopback.
#![allow(clippy::unwrap_used)] // Helpers of tests.

mod pair;
mod turn_server;

use pair::*;
use peer::{IceServer, PeerConfig};
use std::time::{Duration, Instant};
use turn::server::Server;

async fn relay() -> (Server, IceServer) {
    let (server, address) = turn_server::start().await;
    (server, turn_server::ice_server(format!("turn:{address}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn relay_only_sides_connect_and_exchange_video() {
    let (server, client) = relay().await;
    let hidden = |polite| PeerConfig { relay_only: true, ice_servers: vec![client.clone()], ..config(polite) };
    let (mut a, mut b) = (Side::new(hidden(false)).await, Side::new(hidden(true)).await);
    join(&mut a, &mut b, Duration::ZERO);
    let start = Instant::now();
    a.peer.offer().await.unwrap();
    let _streams = [stream(&a, media::encoded::VideoCodec::Vp8), stream(&b, media::encoded::VideoCodec::Vp8)];
    for side in [&a, &b] {
        let (at, _) = *side.connected().await.states.last().unwrap();
        println!("connected after {:?}", at - start);
        assert!(at - start < Duration::from_millis(400), "about 8 ms on an idle machine");
        side.wait_for_media("pictures", |received| received.frames.get("1").is_some_and(|frames| frames.len() > 10))
            .await;
        let log = side.log.borrow().clone();
        assert!(!log.candidates.is_empty() && log.candidates.iter().all(|text| text.contains("typ relay")), "{log:?}");
        let stats = side.peer.stats().await.unwrap();
        assert!(stats.relayed && stats.pair.as_deref().is_some_and(|pair| pair.starts_with("relay-")), "{stats:?}");
    }
    a.peer.close().await;
    b.peer.close().await;
    server.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_path_is_preferred_over_a_relay() {
    let (server, client) = relay().await;
    let either = |polite| PeerConfig { ice_servers: vec![client.clone()], ..config(polite) };
    let (a, b) = connected(either(false), either(true)).await;
    assert!(!a.peer.stats().await.unwrap().relayed);
    a.peer.close().await;
    b.peer.close().await;
    server.close().await.unwrap();
}
