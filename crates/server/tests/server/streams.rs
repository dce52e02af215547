//! TURN over TCP and TLS, on its own ports and beside the WebSockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use relay::limits::{MAX_IDLE_STREAMS, STREAM_FRAME_TIME, STREAM_IDLE_TIME};
use server::{BuiltinTurn, Config, Server, Tls, Turn};
use signaling::message::IceServer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{interval, timeout};

use crate::client::{PATIENCE, Raw};
use crate::stun::{CHANNEL_NUMBER, DATA, NONCE, Requests, UDP, XOR_PEER_ADDRESS, attribute, error_code, xor};
use crate::tls::{connect, connect_to};
use crate::turn::{credentials, has_coturns_client, has_lost_nothing, has_received, peer, relay, run_coturns_client};
use crate::{loopback, start};

/// Longest time that the server waits for a client to accept data.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A deadline of the server, and as much time as a busy machine may be late.
fn soon_after(deadline: Duration) -> Duration {
    deadline + PATIENCE
}

/// With a further address for streams.
fn with_streams(turn: BuiltinTurn) -> BuiltinTurn {
    BuiltinTurn { stream_listen: vec![loopback()], ..turn }
}

fn encrypted() -> Config {
    Config { tls: Tls::SelfSigned, ..relay(with_streams) }
}

/// Credentials from a server with TLS.
async fn credentials_over_tls(server: &Server, seed: u8) -> IceServer {
    let stream = connect(server, server.fingerprint().expect("to be pinned")).await.expect("encrypted");
    let mut raw = Raw::over(stream, "wss://localhost/ws", seed).await;
    raw.hello().await;
    let credentials = raw.welcome().await.ice_servers.remove(1);
    tokio::spawn(async move { raw.end().await });
    credentials
}

/// A TURN client on a stream.
struct Hand<S> {
    stream: S,
    requests: Requests,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Hand<S> {
    fn new(stream: S, credentials: IceServer) -> Hand<S> {
        Hand { stream, requests: Requests::new(credentials) }
    }

    /// Requests an allocation. Returns the code of an error.
    async fn allocate(&mut self) -> Result<(), u16> {
        let refused = self.ask(0x0003, &[UDP], false).await;
        assert_eq!(error_code(&refused), Some(401));
        self.requests.nonce = attribute(&refused, NONCE).expect("a nonce");
        error_code(&self.ask(0x0003, &[UDP], true).await).map_or(Ok(()), Err)
    }

    /// Binds a channel.
    async fn bind(&mut self, peer: SocketAddr) {
        let attributes: [(u16, &[u8]); 2] = [(CHANNEL_NUMBER, &[0x40, 0, 0, 0]), (XOR_PEER_ADDRESS, &xor(peer))];
        assert_eq!(error_code(&self.ask(0x0009, &attributes, true).await), None);
    }

    async fn ask(&mut self, kind: u16, attributes: &[(u16, &[u8])], signed: bool) -> Vec<u8> {
        let message = self.requests.message(kind, attributes, signed);
        self.send(&message).await;
        let answer = self.frame().await;
        assert_eq!(answer[8..20], message[8..20], "the answer to this request");
        answer
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("sent");
        self.stream.flush().await.expect("sent");
    }

    /// The next frame, without padding.
    async fn frame(&mut self) -> Vec<u8> {
        let read = async {
            let mut frame = vec![0; 4];
            self.stream.read_exact(&mut frame).await.expect("a header");
            let length = usize::from(u16::from_be_bytes([frame[2], frame[3]]));
            let (whole, padded) = if frame[0] < 0x40 {
                (20 + length, 20 + length)
            } else {
                (4 + length, (4 + length).next_multiple_of(4))
            };
            frame.resize(padded, 0);
            self.stream.read_exact(&mut frame[4..]).await.expect("a frame");
            frame.truncate(whole);
            frame
        };
        timeout(PATIENCE, read).await.expect("in time")
    }
}

async fn is_closed(stream: &mut (impl AsyncRead + Unpin), patience: Duration) {
    let mut sink = Vec::new();
    let _ = timeout(patience, stream.read_to_end(&mut sink)).await.expect("the server closes the stream");
}

async fn tcp(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).await.expect("connects");
    stream.set_nodelay(true).expect("no delay");
    stream
}

async fn received(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2_000];
    let (length, from) = timeout(PATIENCE, socket.recv_from(&mut buffer)).await.expect("in time").expect("received");
    (buffer[..length].to_vec(), from)
}

/// Data by indications and by a channel, in both directions.
async fn relays<S: AsyncRead + AsyncWrite + Unpin>(stream: S, credentials: IceServer) {
    let mut hand = Hand::new(stream, credentials);
    hand.allocate().await.expect("an allocation");
    let (peer, addr) = peer().await;
    assert_eq!(error_code(&hand.ask(0x0008, &[(XOR_PEER_ADDRESS, &xor(addr))], true).await), None);
    let indication = hand.requests.indication(addr, b"by indication");
    hand.send(&indication).await;
    let (data, relayed) = received(&peer).await;
    assert_eq!(data, b"by indication");
    peer.send_to(b"back", relayed).await.expect("sent");
    assert_eq!(attribute(&hand.frame().await, DATA).as_deref(), Some(&b"back"[..]));
    hand.bind(addr).await;
    for n in 0..20_u8 {
        // Of every length modulo four, and two frames at once.
        let frame = [&[0x40, 0, 0, n][..], &vec![n; usize::from(n)]].concat();
        let padded = [&frame[..], &[0; 3]].concat()[..frame.len().next_multiple_of(4)].to_vec();
        hand.send(&padded.repeat(2)).await;
        for _ in 0..2 {
            assert_eq!(received(&peer).await.0, vec![n; usize::from(n)]);
        }
        peer.send_to(&vec![n; usize::from(n)], relayed).await.expect("sent");
        assert_eq!(hand.frame().await, frame);
    }
}

#[tokio::test]
async fn turn_is_relayed_over_tcp_at_every_port_beside_websockets() {
    let server = start(relay(with_streams)).await;
    let turn = server.turn_addr().expect("serves TURN");
    assert_eq!(server.turn_stream_addrs()[0], turn, "the same port as UDP");
    assert_eq!(server.turn_stream_addrs().len(), 2);
    for addr in [&[server.addr()], server.turn_stream_addrs()].concat() {
        relays(tcp(addr).await, credentials(&server, 1).await).await;
    }
    Raw::joined(server.addr(), 1, "soup").await;
}

#[tokio::test]
async fn turn_is_relayed_over_tls_and_tcp_at_every_port_beside_websockets() {
    let server = start(encrypted()).await;
    let fingerprint = server.fingerprint().expect("to be pinned");
    for addr in [&[server.addr()], server.turn_stream_addrs()].concat() {
        let stream = connect_to(addr, fingerprint).await.expect("encrypted");
        relays(stream, credentials_over_tls(&server, 1).await).await;
        relays(tcp(addr).await, credentials_over_tls(&server, 1).await).await;
    }
}

#[tokio::test]
async fn clients_receive_the_urls_of_every_transport() {
    let server = start(relay(|turn| turn)).await;
    let [web, turn] = [server.addr(), server.turn_addr().expect("serves TURN")].map(|addr| addr.port());
    let urls = credentials(&server, 1).await.urls;
    let tcp = |port| format!("turn:127.0.0.1:{port}?transport=tcp");
    assert_eq!(urls, [format!("turn:127.0.0.1:{turn}?transport=udp"), tcp(turn), tcp(web)]);

    let server = start(encrypted()).await;
    let urls = credentials_over_tls(&server, 1).await.urls;
    // The URL of that client names no port.
    assert_eq!(urls[2..], ["turn:localhost:443?transport=tcp", "turns:localhost:443?transport=tcp"]);
}

#[tokio::test]
async fn a_server_without_a_relay_closes_turn_streams() {
    let server = start(crate::config()).await;
    let mut stream = tcp(server.addr()).await;
    stream.write_all(&[0, 1, 0, 0]).await.expect("sent");
    is_closed(&mut stream, PATIENCE).await;
    Raw::joined(server.addr(), 1, "soup").await;
}

#[tokio::test]
async fn ports_for_turn_serve_no_web_pages() {
    let server = start(relay(with_streams)).await;
    for addr in server.turn_stream_addrs() {
        let mut stream = tcp(*addr).await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("closed");
        assert_eq!(answer, b"");
    }
}

#[tokio::test]
async fn an_allocation_ends_when_its_stream_closes() {
    let server = start(relay(|turn| BuiltinTurn { per_person: 1, ..turn })).await;
    let credentials = credentials(&server, 1).await;
    let mut first = Hand::new(tcp(server.addr()).await, credentials.clone());
    first.allocate().await.expect("an allocation");
    let mut second = Hand::new(tcp(server.addr()).await, credentials.clone());
    assert_eq!(second.allocate().await, Err(486));
    drop(first);
    let again = async { while second.allocate().await.is_err() {} };
    timeout(PATIENCE, again).await.expect("the place is free");
}

#[tokio::test]
async fn bytes_that_are_not_turn_close_the_stream_at_once() {
    let server = start(relay(|turn| turn)).await;
    let binding = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[0; 12]].concat();
    let too_long = [&binding[..], &[0x40, 0, 0xff, 0xff]].concat();
    let not_turn = [&binding[..], b"GET / HTTP/1.1\r\n"].concat();
    for bytes in [&[0; 30][..], &too_long, &[&binding[..], &[0xff]].concat()] {
        let began = Instant::now();
        let mut stream = tcp(server.addr()).await;
        stream.write_all(bytes).await.expect("sent");
        is_closed(&mut stream, PATIENCE).await;
        assert!(began.elapsed() < STREAM_FRAME_TIME, "{bytes:?}");
    }
    // "GET " may begin channel data; it ends as half a frame.
    let mut stream = tcp(server.addr()).await;
    stream.write_all(&not_turn).await.expect("sent");
    is_closed(&mut stream, soon_after(STREAM_FRAME_TIME)).await;
}

/// Each is closed in bounded time, whatever it sends meanwhile.
#[tokio::test]
async fn clients_that_trickle_are_closed() {
    let server = start(encrypted()).await;
    let nothing = async { is_closed(&mut tcp(server.addr()).await, soon_after(Duration::from_secs(5))).await };
    let endless_hello = async {
        let mut stream = tcp(server.addr()).await;
        stream.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await.expect("sent");
        trickle(&mut stream, &[7], soon_after(Duration::from_secs(5))).await;
    };
    let silent_tls = async {
        let mut stream = connect(&server, server.fingerprint().expect("to be pinned")).await.expect("encrypted");
        is_closed(&mut stream, soon_after(Duration::from_secs(5))).await;
    };
    let half_a_frame = async {
        let mut hand = Hand::new(tcp(server.addr()).await, credentials_over_tls(&server, 1).await);
        hand.allocate().await.expect("an allocation");
        hand.send(&[0x40, 0, 0x0f, 0xff]).await;
        trickle(&mut hand.stream, &[7], soon_after(STREAM_FRAME_TIME)).await;
    };
    let bindings_only = async {
        let mut stream = tcp(server.addr()).await;
        let binding = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[0; 12]].concat();
        trickle(&mut stream, &binding, soon_after(STREAM_IDLE_TIME)).await;
    };
    tokio::join!(nothing, endless_hello, silent_tls, half_a_frame, bindings_only);
}

/// Sends the same bytes a few times each second until the server closes the stream.
async fn trickle(stream: &mut TcpStream, bytes: &[u8], patience: Duration) {
    let (mut reader, mut writer) = stream.split();
    let mut sink = Vec::new();
    let mut ticks = interval(Duration::from_millis(200));
    let sending = async {
        loop {
            ticks.tick().await;
            if writer.write_all(bytes).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let closed = async {
        tokio::select! {
            _ = reader.read_to_end(&mut sink) => {}
            () = sending => {}
        }
    };
    timeout(patience, closed).await.expect("the server closes the stream");
}

#[tokio::test]
async fn streams_without_an_allocation_do_not_lock_members_out() {
    let server = start(relay(|turn| turn)).await;
    let credentials = credentials(&server, 1).await;
    let mut early = Hand::new(tcp(server.addr()).await, credentials.clone());
    early.allocate().await.expect("an allocation");
    let mut idle = Vec::new();
    for _ in 0..MAX_IDLE_STREAMS + 20 {
        let mut stream = tcp(server.addr()).await;
        stream.write_all(&[0]).await.expect("sent");
        idle.push(stream);
    }
    // Those over the number are closed, the oldest first. Connections may arrive in another order than they were opened.
    let mut closed: FuturesUnordered<_> =
        idle.iter_mut().map(|stream| async { stream.read_to_end(&mut Vec::new()).await.is_ok() }).collect();
    for _ in 0..20 {
        timeout(STREAM_IDLE_TIME / 2, closed.next()).await.expect("closed before its time is up");
    }
    drop(closed);
    let mut late = Hand::new(tcp(server.addr()).await, credentials);
    late.allocate().await.expect("an allocation");
    let refresh: (u16, &[u8]) = (0x000d, &[0; 4]);
    assert_eq!(error_code(&early.ask(0x0004, &[refresh], true).await), None, "the member's stream is still open");
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_closed_and_delays_nobody() {
    let server = start(relay(|turn| turn)).await;
    let credentials = credentials(&server, 1).await;
    let (flooder, addr) = peer().await;
    let (mut slow, mut other) = (
        Hand::new(tcp(server.addr()).await, credentials.clone()),
        Hand::new(tcp(server.addr()).await, credentials.clone()),
    );
    for hand in [&mut slow, &mut other] {
        hand.allocate().await.expect("an allocation");
        hand.bind(addr).await;
        hand.send(&[0x40, 0, 0, 1, 1, 0, 0, 0]).await;
    }
    let to_slow = received(&flooder).await.1;
    let to_other = received(&flooder).await.1;
    let flood = async {
        loop {
            let _ = flooder.send_to(&[9; 1_400], to_slow).await;
            tokio::task::yield_now().await;
        }
    };
    let others = async {
        for _ in 0..50 {
            flooder.send_to(b"in time", to_other).await.expect("sent");
            assert_eq!(other.frame().await, b"\x40\x00\x00\x07in time");
        }
        // A write fails when the server has closed the stream.
        let binding = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[0; 12]].concat();
        let mut ticks = interval(Duration::from_millis(200));
        while slow.stream.write_all(&binding).await.is_ok() {
            ticks.tick().await;
        }
    };
    let finished = async {
        tokio::select! {
            () = flood => {}
            () = others => {}
        }
    };
    timeout(soon_after(2 * WRITE_TIMEOUT), finished).await.expect("the server closes the stream");
}

/// coturn's own client over TCP and TLS, at the port of WebSockets and at its own.
#[tokio::test]
async fn coturns_client_works_over_streams() {
    if !has_coturns_client() {
        return;
    }
    let server = start(Config { secret: Some("shared".into()), ..encrypted() }).await;
    let ports = [server.addr(), server.turn_stream_addrs()[0]].map(|addr| addr.port());
    let ways = [&["-y", "-t"][..], &["-y", "-t", "-s"]].map(|way| ports.map(|port| (port, way)));
    // The client mostly waits.
    join_all(ways.as_flattened().iter().map(|&(port, way)| async move {
        let printed = run_coturns_client(port, way).await;
        assert!(has_lost_nothing(&printed), "{way:?}\n{printed}");
    }))
    .await;
    join_all(ports.map(|port| async move {
        // This client takes a TLS record for one frame, and drops what else is in it.
        let printed = run_coturns_client(port, &["-y", "-c", "-t", "-S"]).await;
        assert!(has_received(&printed), "{printed}");
    }))
    .await;
}

#[tokio::test]
async fn configured_urls_replace_the_ports_of_this_server() {
    let urls = vec!["turns:turn.lunch.example:443?transport=tcp".to_owned()];
    let server = start(relay(|turn| BuiltinTurn { stream_urls: urls.clone(), ..turn })).await;
    assert_eq!(credentials(&server, 1).await.urls[1..], urls);
    let wrong = BuiltinTurn { stream_urls: vec!["https://lunch.example".into()], ..BuiltinTurn::default() };
    let error = Server::start(Config { turn: Turn::Builtin(wrong), ..crate::config() }).await.err().expect("refused");
    assert!(error.to_string().contains("turn-stream-url"), "{error}");
}
