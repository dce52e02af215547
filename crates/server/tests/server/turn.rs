//! The relay, with real datagrams on loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use server::{BuiltinTurn, Config, Server, Turn};
use signaling::message::{ClientMessage, IceServer, ServerMessage};
use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio::time::timeout;
use turn::client::{Client, ClientConfig};
use webrtc_util::Conn;

use crate::client::{PATIENCE, Raw};
use crate::stun::{CHANNEL_NUMBER, NONCE, Requests, UDP, XOR_PEER_ADDRESS, attribute, error_code, xor};
use crate::{config, loopback, start};

/// Time within which a datagram on loopback would have arrived.
const LONG_ENOUGH: Duration = Duration::from_millis(200);

pub(crate) fn relay(change: impl FnOnce(BuiltinTurn) -> BuiltinTurn) -> Config {
    let turn = BuiltinTurn { listen: loopback(), allow_loopback: true, ..BuiltinTurn::default() };
    Config { turn: Turn::Builtin(change(turn)), ..config() }
}

/// Credentials of a client that stays connected: they are valid while its session lives.
pub(crate) async fn credentials(server: &Server, seed: u8) -> IceServer {
    let mut raw = Raw::connect(server.addr(), seed).await;
    raw.hello().await;
    let credentials = raw.welcome().await.ice_servers.remove(1);
    tokio::spawn(async move { raw.end().await });
    credentials
}

async fn client(server: &Server, credentials: &IceServer) -> Client {
    client_at(server.turn_addr().expect("serves TURN"), credentials).await
}

async fn client_at(turn: SocketAddr, credentials: &IceServer) -> Client {
    let turn = turn.to_string();
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
async fn stun_returns_the_mapped_address() {
    let server = start(relay(|turn| turn)).await;
    let client = client(&server, &credentials(&server, 1).await).await;
    let seen = timeout(PATIENCE, client.send_binding_request()).await.expect("in time").expect("an answer");
    assert!(seen.ip().is_loopback());
}

#[tokio::test]
async fn data_is_relayed_both_ways() {
    let server = start(relay(|turn| turn)).await;
    let client = client(&server, &credentials(&server, 1).await).await;
    let relayed = client.allocate().await.expect("an allocation");
    let peer = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let peer_addr = peer.local_addr().expect("an address");
    // The first packets need a permission; later ones also request a channel.
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
async fn a_denied_peer_neither_receives_nor_sends() {
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
async fn only_own_unexpired_credentials_are_accepted() {
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
async fn allocations_per_person_are_limited_across_sessions() {
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
    // A place is free again when an allocation ends.
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
async fn relayed_ports_are_in_the_configured_range() {
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
async fn relayed_addresses_use_the_external_address() {
    let external = "203.0.113.7".parse().expect("an address");
    let server = start(relay(|turn| BuiltinTurn { external: vec![external], ..turn })).await;
    let client = client(&server, &credentials(&server, 1).await).await;
    let relayed = client.allocate().await.expect("an allocation");
    assert_eq!(relayed.local_addr().expect("an address").ip(), external);
}

/// A TURN client that sends exactly what a test wants.
struct Hand {
    socket: UdpSocket,
    turn: SocketAddr,
    requests: Requests,
}

impl Hand {
    /// A client with an allocation.
    async fn new(server: &Server) -> Hand {
        let requests = Requests::new(credentials(server, 1).await);
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let turn = server.turn_addr().expect("serves TURN");
        let mut hand = Hand { socket, turn, requests };
        let refused = hand.ask(0x0003, &[UDP], false).await;
        assert_eq!(error_code(&refused), Some(401));
        hand.requests.nonce = attribute(&refused, NONCE).expect("a nonce");
        assert_eq!(hand.request(0x0003, &[UDP]).await[..2], [0x01, 0x03]);
        hand
    }

    async fn request(&mut self, kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        self.ask(kind, attributes, true).await
    }

    async fn ask(&mut self, kind: u16, attributes: &[(u16, &[u8])], signed: bool) -> Vec<u8> {
        let message = self.requests.message(kind, attributes, signed);
        self.socket.send_to(&message, self.turn).await.expect("sent");
        let (answer, _) = receive(&self.socket).await.expect("an answer");
        assert_eq!(answer[8..20], message[8..20], "the answer to this request");
        answer
    }

    async fn indicate(&mut self, peer: SocketAddr, data: &[u8]) {
        let message = self.requests.indication(peer, data);
        self.socket.send_to(&message, self.turn).await.expect("sent");
    }
}

pub(crate) async fn peer() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let addr = socket.local_addr().expect("an address");
    (socket, addr)
}

#[tokio::test]
async fn one_request_permits_every_listed_peer() {
    let server = start(relay(|turn| turn)).await;
    let mut hand = Hand::new(&server).await;
    // Permissions are per address, so two loopback addresses are needed.
    let (one, one_addr) = peer().await;
    let two = UdpSocket::bind("127.0.0.2:0").await.expect("a socket");
    let two_addr = two.local_addr().expect("an address");
    let (xor_one, xor_two) = (xor(one_addr), xor(two_addr));
    let peers: [(u16, &[u8]); 2] = [(XOR_PEER_ADDRESS, &xor_one), (XOR_PEER_ADDRESS, &xor_two)];
    assert_eq!(hand.request(0x0008, &peers).await[..2], [0x01, 0x08]);
    hand.indicate(one_addr, b"one").await;
    hand.indicate(two_addr, b"two").await;
    assert_eq!(receive(&one).await.expect("relayed").0, b"one");
    assert_eq!(receive(&two).await.expect("relayed").0, b"two");
}

#[tokio::test]
async fn a_full_relay_drops_pictures_before_sound() {
    let server = start(relay(|turn| BuiltinTurn { bandwidth: Some(1), ..turn })).await;
    let mut hand = Hand::new(&server).await;
    let (far, addr) = peer().await;
    let xor_peer = xor(addr);
    assert_eq!(hand.request(0x0008, &[(XOR_PEER_ADDRESS, &xor_peer)]).await[..2], [0x01, 0x08]);
    for _ in 0..100 {
        hand.indicate(addr, &[1; 1_000]).await;
    }
    hand.indicate(addr, &[2; 100]).await;
    let mut pictures = 0;
    while receive(&far).await.expect("the sound arrives").0 != [2; 100] {
        pictures += 1;
    }
    // The upper half of the smallest bucket: 64 KiB.
    assert_eq!(pictures, 65);
    // Requests are not counted.
    assert_eq!(hand.request(0x0008, &[(XOR_PEER_ADDRESS, &xor_peer)]).await[..2], [0x01, 0x08]);
}

#[tokio::test]
async fn a_request_with_a_wrong_integrity_permits_nobody() {
    let server = start(relay(|turn| turn)).await;
    let mut hand = Hand::new(&server).await;
    hand.requests.key = b"guess".to_vec();
    let two = UdpSocket::bind("127.0.0.2:0").await.expect("a socket");
    let two_addr = two.local_addr().expect("an address");
    let (xor_one, xor_two) = (xor(peer().await.1), xor(two_addr));
    let peers: [(u16, &[u8]); 2] = [(XOR_PEER_ADDRESS, &xor_one), (XOR_PEER_ADDRESS, &xor_two)];
    assert!(error_code(&hand.request(0x0008, &peers).await).is_some());
    hand.indicate(two_addr, b"two").await;
    assert_eq!(receive(&two).await, None);
}

#[tokio::test]
async fn no_send_method_reaches_a_denied_peer() {
    let server = start(relay(|turn| BuiltinTurn { allow_loopback: false, ..turn })).await;
    let mut hand = Hand::new(&server).await;
    let (victim, addr) = peer().await;
    let xor_peer = xor(addr);
    let named: (u16, &[u8]) = (XOR_PEER_ADDRESS, &xor_peer);
    assert_eq!(error_code(&hand.request(0x0008, &[named]).await), Some(403));
    let channel: (u16, &[u8]) = (CHANNEL_NUMBER, &[0x40, 0, 0, 0]);
    assert_eq!(error_code(&hand.request(0x0009, &[channel, named]).await), Some(403));
    hand.indicate(addr, b"attack").await;
    hand.socket.send_to(&[0x40, 0, 0, 6, 0, 0, 0, 0, 0, 0], hand.turn).await.expect("sent");
    assert_eq!(receive(&victim).await, None);
    // A permitted public peer comes first; an invalid one behind it must not be accepted with it.
    let public = xor("8.8.8.8:9".parse().expect("an address"));
    let both: [(u16, &[u8]); 2] = [(XOR_PEER_ADDRESS, &public), named];
    assert_eq!(error_code(&hand.request(0x0008, &both).await), Some(403));
    hand.indicate(addr, b"attack").await;
    assert_eq!(receive(&victim).await, None);
}

#[tokio::test]
async fn a_flood_of_requests_is_dropped_and_data_still_flows() {
    let server = start(relay(|turn| turn)).await;
    let mut hand = Hand::new(&server).await;
    let (peer, addr) = peer().await;
    let xor_peer = xor(addr);
    let mut answered = 0;
    for _ in 0..150 {
        let message = hand.requests.message(0x0008, &[(XOR_PEER_ADDRESS, &xor_peer)], true);
        hand.socket.send_to(&message, hand.turn).await.expect("sent");
        let mut buffer = [0; 500];
        let answer = timeout(Duration::from_millis(5), hand.socket.recv_from(&mut buffer)).await;
        answered += usize::from(answer.is_ok());
    }
    assert!(answered < 140, "{answered}");
    hand.indicate(addr, b"still here").await;
    assert_eq!(receive(&peer).await.expect("relayed").0, b"still here");
}

/// Whoever forges the source of requests sends the answers to a victim.
#[tokio::test]
async fn requests_without_credentials_get_few_and_short_answers() {
    let server = start(relay(|turn| turn)).await;
    let turn = server.turn_addr().expect("serves TURN");
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let allocate = [&[0, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    let (mut answers, mut bytes, mut buffer) = (0, 0, [0; 500]);
    let start = std::time::Instant::now();
    for n in 0..6_000 {
        socket.send_to(&allocate, turn).await.expect("sent");
        // The server reads what has been sent before more is sent, so that no buffer overflows.
        let patience = if n % 50 == 49 { LONG_ENOUGH / 20 } else { Duration::ZERO };
        while let Ok(Ok((length, _))) = timeout(patience, socket.recv_from(&mut buffer)).await {
            (answers, bytes) = (answers + 1, bytes + length);
        }
    }
    let most = 2_000 + 400 * (start.elapsed().as_secs() as usize + 1);
    assert!((1..=most).contains(&answers), "{answers} of at most {most}");
    assert!(bytes <= 72 * answers, "{bytes} bytes");
    let mut hand = Hand::new(&server).await;
    assert_eq!(hand.request(0x0004, &[]).await[..2], [0x01, 0x04], "whoever has credentials is served");
}

#[tokio::test]
async fn coturn_accepts_our_credentials() {
    let probe = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let addr = probe.local_addr().expect("an address");
    drop(probe);
    let coturn = Command::new("turnserver")
        .args(["-n", "--use-auth-secret", "--static-auth-secret=shared", "--realm=lunchroom", "--no-tls", "--no-dtls"])
        .args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--allow-loopback-peers", "--no-cli", "--no-tcp"])
        .args([&format!("--listening-port={}", addr.port()), "--log-file=/dev/null", "--pidfile=/dev/null"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let Ok(_coturn) = coturn else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "turnserver is missing");
        return println!("SKIPPED: turnserver (coturn) is not installed");
    };
    let turn = Turn::External(vec![format!("turn:{addr}?transport=udp")]);
    let server = start(Config { turn, secret: Some("shared".into()), ..config() }).await;
    let credentials = credentials(&server, 1).await;
    let allocated = async {
        loop {
            // It takes a moment before the server listens.
            if client_at(addr, &credentials).await.allocate().await.is_ok() {
                return;
            }
        }
    };
    timeout(PATIENCE, allocated).await.expect("an allocation");
}

/// Whether a client on a new port gets an allocation.
async fn may_allocate(server: &Server, credentials: &IceServer) -> bool {
    client(server, credentials).await.allocate().await.is_ok()
}

/// The relay may learn of a change a moment after the client.
async fn soon_refused(server: &Server, credentials: &IceServer) {
    let refused = async { while may_allocate(server, credentials).await {} };
    timeout(PATIENCE, refused).await.expect("refused");
}

#[tokio::test]
async fn credentials_are_valid_as_long_as_their_session() {
    let server = start(relay(|turn| turn)).await;
    let mut ada = Raw::connect(server.addr(), 1).await;
    ada.hello().await;
    let credentials = ada.welcome().await.ice_servers.remove(1);
    let running = client(&server, &credentials).await;
    let allocation = running.allocate().await.expect("an allocation");
    ada.socket.close(Some(close_frame(1000))).await.expect("closes");
    soon_refused(&server, &credentials).await;
    // Existing allocations continue for a while.
    let (peer, addr) = peer().await;
    allocation.send_to(b"still here", addr).await.expect("sent");
    assert_eq!(receive(&peer).await.expect("relayed").0, b"still here");
}

fn close_frame(code: u16) -> tokio_tungstenite::tungstenite::protocol::CloseFrame {
    tokio_tungstenite::tungstenite::protocol::CloseFrame { code: code.into(), reason: "".into() }
}

#[tokio::test]
async fn a_guest_may_relay_only_while_seated() {
    let config = Config { member_secret: Some("soup".into()), ..relay(|turn| turn) };
    let server = start(config).await;
    let mut ada = Raw::connect(server.addr(), 1).await;
    ada.hello_with("soup").await;
    let of_ada = ada.welcome().await.ice_servers.remove(1);
    assert!(may_allocate(&server, &of_ada).await, "a member needs no room");
    let (room, invite) = crate::board::invited(&mut ada).await;

    let mut gus = Raw::connect(server.addr(), 9).await;
    gus.hello().await;
    let of_gus = gus.welcome().await.ice_servers.remove(1);
    assert!(!may_allocate(&server, &of_gus).await);
    let media = signaling::message::MediaState::default();
    gus.say(ClientMessage::Join { room, media, invite: Some(invite), nonce: None }).await;
    assert!(matches!(gus.receive().await, ServerMessage::Joined { .. }));
    assert!(may_allocate(&server, &of_gus).await);
    gus.say(ClientMessage::Leave).await;
    while !matches!(gus.receive().await, ServerMessage::Left { .. }) {}
    soon_refused(&server, &of_gus).await;
}

#[tokio::test]
async fn another_username_cannot_use_an_allocation() {
    let server = start(relay(|turn| turn)).await;
    let mut ada = Hand::new(&server).await;
    let mallory = Requests::new(credentials(&server, 2).await);
    let (name, key) = (ada.requests.username.clone(), ada.requests.key.clone());
    (ada.requests.username, ada.requests.key) = (mallory.username, mallory.key);
    let nothing: (u16, &[u8]) = (0x000d, &[0; 4]);
    assert_eq!(error_code(&ada.request(0x0004, &[nothing]).await), Some(441));
    (ada.requests.username, ada.requests.key) = (name, key);
    assert_eq!(ada.request(0x0004, &[]).await[..2], [0x01, 0x04]);
}

/// Whether coturn's own client is installed.
pub(crate) fn has_coturns_client() -> bool {
    let is_missing = |[tool, help]: &[&str; 2]| std::process::Command::new(tool).arg(help).output().is_err();
    if [["turnutils_uclient", "-h"], ["turnutils_peer", "-h"]].iter().any(is_missing) {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "turnutils_uclient is missing");
        println!("SKIPPED: turnutils_uclient (coturn) is not installed");
        return false;
    }
    true
}

/// Runs coturn's own client against a server with the shared secret "shared". Returns what it printed.
pub(crate) async fn run_coturns_client(port: u16, arguments: &[&str]) -> String {
    let uclient = Command::new("turnutils_uclient")
        .args(["-u", "somebody", "-W", "shared", "-n", "20", "-m", "2", "-p", &port.to_string()])
        .args(arguments)
        .arg("127.0.0.1")
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE * 3, uclient).await.expect("in time").expect("runs");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Whether coturn's client has received all of its data.
pub(crate) fn has_lost_nothing(printed: &str) -> bool {
    printed.contains("Total lost packets 0 (0.000000%)") && has_received(printed)
}

/// Whether coturn's client has received data.
pub(crate) fn has_received(printed: &str) -> bool {
    let total = printed.rsplit("tot_recv_msgs=").next().unwrap_or_default();
    total.starts_with(|first: char| first.is_ascii_digit() && first != '0')
}

/// coturn's own client: data by channels and by indications, to itself and to a peer. It requests pairs of ports.
#[tokio::test]
async fn the_coturn_client_works_with_this_relay() {
    if !has_coturns_client() {
        return;
    }
    let server = start(Config { secret: Some("shared".into()), ..relay(|turn| turn) }).await;
    let turn = server.turn_addr().expect("serves TURN").port();
    let (_probe, addr) = peer().await;
    drop(_probe);
    let echo = addr.port().to_string();
    let _peer = Command::new("turnutils_peer")
        .args(["-L", "127.0.0.1", "-p", &echo])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("a peer");
    let to_peer = ["-e", "127.0.0.1", "-r", &echo];
    let ways = [&["-y"][..], &["-y", "-s"], &to_peer, &[&to_peer[..], &["-s"]].concat(), &["-y", "-c", "-g"]];
    join_all(ways.map(|way| async move {
        let printed = run_coturns_client(turn, way).await;
        assert!(has_lost_nothing(&printed), "{way:?}\n{printed}");
    }))
    .await;
}
