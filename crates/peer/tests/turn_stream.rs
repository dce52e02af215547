//! Calls over TURN servers that are reached by TCP and TLS, on loopback.
//!
//! The server behind is one over UDP. A gateway carries each TCP connection's messages to it and back.
#![allow(clippy::unwrap_used)] // Helpers of tests.

mod pair;
mod turn_server;

use pair::*;
use peer::{IceServer, PeerConfig, PeerState, PeerStats, Proxies, Proxy, RelayTransport};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// A gateway. Each change of the value of `cut` breaks its connections.
struct Gateway {
    address: SocketAddr,
    cut: watch::Sender<u32>,
}

impl Gateway {
    async fn start(turn: SocketAddr, tls: Option<TlsAcceptor>) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, watched) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, mut watched) = (tls.clone(), watched.clone());
                watched.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        () = accepted(stream, tls, turn) => {}
                        _ = watched.changed() => {}
                    }
                });
            }
        });
        Gateway { address, cut }
    }
}

async fn accepted(stream: TcpStream, tls: Option<TlsAcceptor>, turn: SocketAddr) {
    stream.set_nodelay(true).unwrap();
    match tls {
        // A client that refuses the certificate ends the handshake.
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                carry(stream, turn).await;
            }
        }
        None => carry(stream, turn).await,
    }
}

async fn carry(stream: impl AsyncRead + AsyncWrite, turn: SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(turn).await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let up = async {
        while let Some(message) = message(&mut reader).await {
            socket.send(&message).await.unwrap();
        }
    };
    let down = async {
        let mut buffer = [0; 4096];
        while let Ok(length) = socket.recv(&mut buffer).await {
            let padded = length.next_multiple_of(4);
            buffer[length..padded].fill(0);
            if writer.write_all(&buffer[..padded]).await.is_err() || writer.flush().await.is_err() {
                break;
            }
        }
    };
    tokio::select! { () = up => {}, () = down => {} }
}

/// Reads a message without its padding; `None` at the end.
async fn message(reader: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut message = vec![0; 4];
    reader.read_exact(&mut message).await.ok()?;
    let length = usize::from(u16::from_be_bytes([message[2], message[3]]));
    let (whole, padded) = match message[0] >> 6 {
        0 => (20 + length, 20 + length),
        1 => (4 + length, 4 + length.next_multiple_of(4)),
        _ => panic!("no TURN message: {message:?}"),
    };
    message.resize(padded, 0);
    reader.read_exact(&mut message[4..]).await.ok()?;
    message.truncate(whole);
    Some(message)
}

/// A self-signed certificate and its fingerprint.
fn certificate() -> (TlsAcceptor, [u8; 32]) {
    let made = rcgen::generate_simple_self_signed(["elsewhere.example".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    (TlsAcceptor::from(Arc::new(config)), Sha256::digest(made.cert.der()).into())
}

fn relayed(servers: &[IceServer], polite: bool) -> PeerConfig {
    PeerConfig { relay_only: true, ice_servers: servers.to_vec(), ..config(polite) }
}

/// Connects two sides, waits for pictures, and returns their statistics.
async fn call(configs: [PeerConfig; 2]) -> ([Side; 2], [PeerStats; 2]) {
    let [one, other] = configs;
    let (mut a, mut b) = (Side::new(one).await, Side::new(other).await);
    join(&mut a, &mut b, Duration::ZERO);
    a.peer.offer().await.unwrap();
    let _streams = [stream(&a, media::encoded::VideoCodec::Vp8), stream(&b, media::encoded::VideoCodec::Vp8)];
    for side in [&a, &b] {
        side.connected().await;
        side.wait_for_media("pictures", |media| media.frames.get("1").is_some_and(|frames| frames.len() > 10)).await;
    }
    let stats = [a.peer.stats().await.unwrap(), b.peer.stats().await.unwrap()];
    ([a, b], stats)
}

async fn close(sides: [Side; 2]) {
    for side in sides {
        side.peer.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_relayed_over_tcp() {
    let (server, turn) = turn_server::start().await;
    let gateway = Gateway::start(turn, None).await;
    let servers = [turn_server::ice_server(format!("turn:{}?transport=tcp", gateway.address))];
    let (sides, stats) = call([relayed(&servers, false), relayed(&servers, true)]).await;
    assert!(stats.iter().all(|one| one.relayed && one.relay == Some(RelayTransport::Tcp)), "{stats:?}");
    let candidates = sides[0].log.borrow().candidates.clone();
    assert!(candidates.len() == 1 && candidates[0].contains(" 127.0.0.1 "), "{candidates:?}");
    close(sides).await;
    server.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_relayed_over_tls_with_the_pinned_certificate() {
    let (server, turn) = turn_server::start().await;
    let (acceptor, fingerprint) = certificate();
    let gateway = Gateway::start(turn, Some(acceptor)).await;
    let servers = [turn_server::ice_server(format!("turns:{}?transport=tcp", gateway.address))];
    let pinned = |polite| PeerConfig { fingerprint: Some(fingerprint), ..relayed(&servers, polite) };
    let (sides, stats) = call([pinned(false), pinned(true)]).await;
    assert!(stats.iter().all(|one| one.relay == Some(RelayTransport::Tls)), "{stats:?}");
    close(sides).await;
    server.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_whose_certificate_nobody_trusts_is_not_used() {
    let (server, turn) = turn_server::start().await;
    let gateway = Gateway::start(turn, Some(certificate().0)).await;
    let urls = [format!("turns:{}", gateway.address), format!("turn:{turn}")];
    let servers = urls.map(turn_server::ice_server);
    let pinned = |polite| PeerConfig { fingerprint: Some([0; 32]), ..relayed(&servers, polite) };
    let (sides, stats) = call([pinned(false), pinned(true)]).await;
    assert!(stats.iter().all(|one| one.relay == Some(RelayTransport::Udp)), "{stats:?}");
    assert_eq!(sides[0].log.borrow().candidates.len(), 1, "only UDP has an allocation");
    close(sides).await;
    server.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_over_udp_is_preferred_where_it_works() {
    let (server, turn) = turn_server::start().await;
    let gateway = Gateway::start(turn, None).await;
    let urls = [format!("turn:{}?transport=tcp", gateway.address), format!("turn:{turn}")];
    let servers = urls.map(turn_server::ice_server);
    let (sides, stats) = call([relayed(&servers, false), relayed(&servers, true)]).await;
    assert!(stats.iter().all(|one| one.relay == Some(RelayTransport::Udp)), "{stats:?}");
    close(sides).await;
    server.close().await.unwrap();
}

/// A proxy that takes every name for this address. Only it can resolve the name.
async fn proxy(to: SocketAddr) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::new("127.0.0.1", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                assert!(request.starts_with(b"CONNECT relay.lunch.invalid:443 "));
                let mut server = TcpStream::connect(to).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    proxy
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_is_reached_through_a_proxy() {
    let (server, turn) = turn_server::start().await;
    let gateway = Gateway::start(turn, None).await;
    let servers = [turn_server::ice_server("turn:relay.lunch.invalid:443?transport=tcp".into())];
    let proxies = Proxies::One(proxy(gateway.address).await);
    let proxied = |polite| PeerConfig { proxies: proxies.clone(), ..relayed(&servers, polite) };
    let (sides, stats) = call([proxied(false), proxied(true)]).await;
    assert!(stats.iter().all(|one| one.relay == Some(RelayTransport::Tcp)), "{stats:?}");
    close(sides).await;
    server.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_stream_fails_the_connection_at_once_and_a_restart_opens_another() {
    let (server, turn) = turn_server::start().await;
    let gateway = Gateway::start(turn, None).await;
    let servers = [turn_server::ice_server(format!("turn:{}?transport=tcp", gateway.address))];
    let (sides, _) = call([relayed(&servers, false), relayed(&servers, true)]).await;
    gateway.cut.send_modify(|cuts| *cuts += 1);
    for side in &sides {
        let failed = side.wait_for("failed", |log| log.state() == Some(PeerState::Failed)).await;
        assert!(!failed.states.iter().any(|(_, state)| *state == PeerState::Disconnected), "{failed:?}");
    }
    sides[0].peer.restart_ice(servers.to_vec()).await.unwrap();
    for side in &sides {
        side.wait_for("connected again", |log| log.connections() == 2).await;
    }
    let stats = sides[0].peer.stats().await.unwrap();
    assert_eq!(stats.relay, Some(RelayTransport::Tcp));
    close(sides).await;
    server.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_opens_the_streams_of_the_servers_that_it_names() {
    let (server, turn) = turn_server::start().await;
    let (acceptor, fingerprint) = certificate();
    let (before, after) = (Gateway::start(turn, None).await, Gateway::start(turn, Some(acceptor)).await);
    let servers = [turn_server::ice_server(format!("turn:{}?transport=tcp", before.address))];
    let pinned = |polite| PeerConfig { fingerprint: Some(fingerprint), ..relayed(&servers, polite) };
    let (sides, stats) = call([pinned(false), pinned(true)]).await;
    assert!(stats.iter().all(|one| one.relay == Some(RelayTransport::Tcp)), "{stats:?}");
    let urls = [format!("turns:{}", after.address), format!("turn:{turn}")];
    sides[0].peer.restart_ice(urls.map(turn_server::ice_server).to_vec()).await.unwrap();
    for side in &sides {
        side.wait_for("connected again", |log| log.connections() == 2).await;
    }
    assert_eq!(sides[0].peer.stats().await.unwrap().relay, Some(RelayTransport::Udp), "preferred among the new ones");
    sides[0].peer.restart_ice(vec![turn_server::ice_server(format!("turns:{}", after.address))]).await.unwrap();
    for side in &sides {
        side.wait_for("connected again", |log| log.connections() == 3).await;
    }
    assert_eq!(sides[0].peer.stats().await.unwrap().relay, Some(RelayTransport::Tls));
    close(sides).await;
    server.close().await.unwrap();
}
