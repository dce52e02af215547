//! The relay, with real datagrams on loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use server::{BuiltinTurn, Config, Server, Turn};
use signaling::message::IceServer;
use tokio::net::UdpSocket;
use tokio::time::timeout;
use turn::client::{Client, ClientConfig};
use webrtc_util::Conn;

use crate::client::{PATIENCE, Raw};
use crate::{config, loopback, start};

/// Time in which a datagram on loopback would long have come.
const LONG_ENOUGH: Duration = Duration::from_millis(200);

fn relay(change: impl FnOnce(BuiltinTurn) -> BuiltinTurn) -> Config {
    let turn = BuiltinTurn { listen: loopback(), allow_loopback: true, ..BuiltinTurn::default() };
    Config { turn: Turn::Builtin(change(turn)), ..config() }
}

/// Credentials as a client gets them.
async fn credentials(server: &Server, seed: u8) -> IceServer {
    let mut raw = Raw::connect(server.addr(), seed).await;
    raw.hello().await;
    raw.welcome().await.ice_servers.remove(1)
}

async fn client(server: &Server, credentials: &IceServer) -> Client {
    let turn = server.turn_addr().expect("serves TURN").to_string();
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let client = Client::new(ClientConfig {
        stun_serv_addr: turn.clone(),
        turn_serv_addr: turn,
        username: credentials.username.clone().expect("a user name"),
        password: credentials.credential.clone().expect("a password"),
        realm: String::new(),
        software: String::new(),
        rto_in_ms: 0,
        conn: Arc::new(socket),
        vnet: None,
    })
    .await
    .expect("a client");
    client.listen().await.expect("listens");
    client
}

async fn receive(socket: &UdpSocket) -> Option<(Vec<u8>, SocketAddr)> {
    let mut buffer = [0; 1500];
    let (length, from) = timeout(LONG_ENOUGH, socket.recv_from(&mut buffer)).await.ok()?.expect("received");
    Some((buffer[..length].to_vec(), from))
}

#[tokio::test]
async fn stun_tells_a_client_its_address() {
    let server = start(relay(|turn| turn)).await;
    let client = client(&server, &credentials(&server, 1).await).await;
    let seen = timeout(PATIENCE, client.send_binding_request()).await.expect("in time").expect("an answer");
    assert!(seen.ip().is_loopback());
}

#[tokio::test]
async fn data_goes_through_the_relay_both_ways() {
    let server = start(relay(|turn| turn)).await;
    let client = client(&server, &credentials(&server, 1).await).await;
    let relayed = client.allocate().await.expect("an allocation");
    let peer = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let peer_addr = peer.local_addr().expect("an address");
    // The first packets ask for permission, the later ones for a channel too.
    for n in 0..20_u8 {
        relayed.send_to(&[n; 100], peer_addr).await.expect("sent");
        let (data, from) = receive(&peer).await.expect("relayed");
        assert_eq!((data, from), (vec![n; 100], relayed.local_addr().expect("an address")));
        peer.send_to(&[n, n], from).await.expect("sent");
        let mut buffer = [0; 100];
        let (length, from) =
            timeout(PATIENCE, relayed.recv_from(&mut buffer)).await.expect("in time").expect("received");
        assert_eq!((&buffer[..length], from), (&[n, n][..], peer_addr));
    }
}

#[tokio::test]
async fn a_peer_that_is_denied_is_never_sent_to_and_never_heard() {
    let server = start(relay(|turn| BuiltinTurn { allow_loopback: false, ..turn })).await;
    let client = client(&server, &credentials(&server, 1).await).await;
    let relayed = client.allocate().await.expect("an allocation");
    let victim = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let victim_addr = victim.local_addr().expect("an address");
    for _ in 0..5 {
        assert!(relayed.send_to(b"attack", victim_addr).await.is_err(), "permission is refused");
    }
    assert_eq!(receive(&victim).await, None);
    victim.send_to(b"secret", relayed.local_addr().expect("an address")).await.expect("sent");
    let mut buffer = [0; 100];
    assert!(timeout(LONG_ENOUGH, relayed.recv_from(&mut buffer)).await.is_err());
}

#[tokio::test]
async fn only_credentials_of_this_server_that_have_not_expired_are_believed() {
    let server = start(relay(|turn| turn)).await;
    let good = credentials(&server, 1).await;
    let guessed = IceServer { credential: Some("guess".into()), ..good.clone() };
    assert!(client(&server, &guessed).await.allocate().await.is_err());
    let name = good.username.clone().expect("a user name");
    let later = name.replacen(|c: char| c.is_ascii_digit(), "9", 1);
    let stretched = IceServer { username: Some(later), ..good.clone() };
    assert!(client(&server, &stretched).await.allocate().await.is_err());
    assert!(client(&server, &good).await.allocate().await.is_ok());

    let config = Config { credential_lifetime: Duration::ZERO, ..relay(|turn| turn) };
    let server = start(config).await;
    let expired = credentials(&server, 1).await;
    assert!(client(&server, &expired).await.allocate().await.is_err());
}

#[tokio::test]
async fn one_person_has_so_many_allocations_in_all_their_sessions() {
    let server = start(relay(|turn| BuiltinTurn { per_person: 2, total: 3, ..turn })).await;
    let (ada, ada_again) = (credentials(&server, 1).await, credentials(&server, 1).await);
    let (bob, eve) = (credentials(&server, 2).await, credentials(&server, 3).await);
    let first = client(&server, &ada).await;
    let allocation = first.allocate().await.expect("the first");
    let second = client(&server, &ada_again).await;
    let _second = second.allocate().await.expect("the second");
    let third = client(&server, &ada_again).await;
    assert!(third.allocate().await.is_err());
    let other = client(&server, &bob).await;
    let _other = other.allocate().await.expect("of another person");
    let late = client(&server, &eve).await;
    assert!(late.allocate().await.is_err(), "all are taken");
    // Given back when it ends.
    allocation.close().await.expect("closes");
    let again = async {
        loop {
            let late = client(&server, &eve).await;
            if late.allocate().await.is_ok() {
                return;
            }
        }
    };
    timeout(PATIENCE, again).await.expect("a place again");
}

#[tokio::test]
async fn relayed_ports_are_those_configured() {
    // A range in which some ports are free on any machine.
    let server = start(relay(|turn| BuiltinTurn { ports: 52_000..=52_063, ..turn })).await;
    let credentials = credentials(&server, 1).await;
    for _ in 0..4 {
        let client = client(&server, &credentials).await;
        let relayed = client.allocate().await.expect("an allocation");
        let port = relayed.local_addr().expect("an address").port();
        assert!((52_000..=52_063).contains(&port), "{port}");
    }
}

#[tokio::test]
async fn peers_are_told_the_external_address() {
    let external = "203.0.113.7".parse().expect("an address");
    let server = start(relay(|turn| BuiltinTurn { external: vec![external], ..turn })).await;
    let client = client(&server, &credentials(&server, 1).await).await;
    let relayed = client.allocate().await.expect("an allocation");
    assert_eq!(relayed.local_addr().expect("an address").ip(), external);
}
