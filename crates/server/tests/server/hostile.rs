//! Sends arbitrary bytes to every port; afterwards, a client must be able to join as usual.

use std::net::SocketAddr;
use std::time::Duration;

use fastrand::Rng;
use futures_util::SinkExt as _;
use signaling::message::ServerMessage;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{PATIENCE, Raw};
use crate::{config, config_with_turn, start};

/// Random bytes, fewer than this.
fn random_bytes(random: &mut Rng, most: usize) -> Vec<u8> {
    (0..random.usize(..most)).map(|_| random.u8(..)).collect()
}

/// Writes bytes to a TCP port and reads until the server closes the connection.
pub(crate) async fn throw(addr: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(addr).await.expect("connects");
    // Either may fail: the server may close first.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut sink = Vec::new();
    let _ =
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut sink)).await.expect("the server closes the connection");
}

#[tokio::test]
async fn the_server_survives_random_bytes_on_the_tcp_port() {
    let server = start(config()).await;
    let mut random = Rng::with_seed(1);
    for n in 0..60 {
        let mut bytes = random_bytes(&mut random, 2_000);
        if n % 3 == 1 {
            bytes.splice(0..0, *b"GET /ws HTTP/1.1\r\n");
        }
        throw(server.addr(), &bytes).await;
    }
    Raw::joined(server.addr(), 1, "soup").await;
}

#[tokio::test]
async fn the_server_survives_random_bytes_after_an_upgrade() {
    let server = start(config()).await;
    let mut random = Rng::with_seed(2);
    let upgrade = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    for _ in 0..40 {
        let mut bytes = upgrade.to_vec();
        bytes.extend(random_bytes(&mut random, 500));
        throw(server.addr(), &bytes).await;
    }
    Raw::joined(server.addr(), 1, "soup").await;
}

#[tokio::test]
async fn the_server_survives_random_text_from_a_member() {
    let server = start(config()).await;
    let mut random = Rng::with_seed(3);
    let words = [
        "{",
        "}",
        "\"seq\":",
        "1",
        "\"type\":",
        "\"join\"",
        "\"chat\"",
        ",",
        "\"room\":\"soup\"",
        "null",
        "[",
        "]",
        "\"ack\":18446744073709551615",
        "\u{0}",
        "😀",
        "\"text\":\"x\"",
    ];
    for _ in 0..10 {
        let (mut raw, _) = Raw::joined(server.addr(), 9, "cake").await;
        for _ in 0..30 {
            let text: String = (0..random.usize(..12)).filter_map(|_| random.choice(words)).collect();
            if raw.socket.send(Message::text(text)).await.is_err() {
                break;
            }
        }
    }
    Raw::joined(server.addr(), 1, "soup").await;
}

#[tokio::test]
async fn the_server_survives_random_bytes_on_the_udp_port() {
    let server = start(config_with_turn()).await;
    let turn = server.turn_addr().expect("serves TURN");
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let mut random = Rng::with_seed(4);
    for n in 0..2_000 {
        let mut bytes = random_bytes(&mut random, 300);
        // Most random bytes fail the header check; give half of them a valid header.
        if n % 2 == 0 && bytes.len() >= 24 {
            let length = (bytes.len() - 20) / 4 * 4;
            bytes.truncate(20 + length);
            bytes[..2].copy_from_slice(&[[0, 1], [0, 3], [0, 4], [0, 8], [0, 9], [0, 0x16]][n / 2 % 6]);
            bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        }
        socket.send_to(&bytes, turn).await.expect("sent");
        if n % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let fresh = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let binding = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    let mut answer = [0; 100];
    let answered = async {
        loop {
            // The preceding flood may have filled the socket's buffer.
            fresh.send_to(&binding, turn).await.expect("sent");
            if tokio::time::timeout(Duration::from_millis(100), fresh.recv_from(&mut answer)).await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.expect("STUN still answers");
    assert_eq!((&answer[..2], &answer[8..20]), (&[1, 1][..], &binding[8..]));
    let (mut raw, _) = Raw::joined(server.addr(), 1, "soup").await;
    raw.say(signaling::message::ClientMessage::Leave).await;
    assert!(matches!(raw.receive().await, ServerMessage::Left { .. }));
}
