//! Calls over a TURN server (RFC 8656) on loopback.
#![allow(clippy::unwrap_used)] // Helpers of tests.

mod pair;

use pair::*;
use peer::{IceServer, PeerConfig};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use turn::auth::{AuthHandler, generate_auth_key};
use turn::relay::relay_static::RelayAddressGeneratorStatic;
use turn::server::Server;
use turn::server::config::{ConnConfig, ServerConfig};
use webrtc_util::vnet::net::Net;

struct Anyone;

impl AuthHandler for Anyone {
    fn auth_handle(&self, user: &str, realm: &str, _: SocketAddr) -> Result<Vec<u8>, turn::Error> {
        Ok(generate_auth_key(user, realm, "secret"))
    }
}

async fn relay() -> (Server, IceServer) {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let url = format!("turn:{}", socket.local_addr().unwrap());
    let generator = RelayAddressGeneratorStatic {
        relay_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        address: "127.0.0.1".into(),
        net: Arc::new(Net::new(None)),
    };
    let server = Server::new(ServerConfig {
        conn_configs: vec![ConnConfig { conn: Arc::new(socket), relay_addr_generator: Box::new(generator) }],
        realm: "lunch".into(),
        auth_handler: Arc::new(Anyone),
        channel_bind_timeout: Duration::ZERO,
        alloc_close_notify: None,
    });
    let client = IceServer { urls: vec![url], username: "u".into(), credential: "secret".into() };
    (server.await.unwrap(), client)
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
