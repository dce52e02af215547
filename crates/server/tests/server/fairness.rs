//! One client's load must not affect other clients.

use std::time::{Duration, Instant};

use futures_util::SinkExt as _;
use rooms::{Limits, Rate};
use server::Config;
use signaling::message::{ClientMessage, ErrorCode, Resume, ServerMessage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::client::{App, Raw, join};
use crate::{config, start};

#[tokio::test]
async fn a_client_that_acknowledges_nothing_is_closed_with_a_code() {
    let server = start(config()).await;
    for seed in 0..10 {
        let mut raw = Raw::connect(server.addr(), seed).await;
        raw.hello().await;
        raw.welcome().await;
        for _ in 0..600 {
            raw.send_text("x".into()).await;
        }
        let end = raw.end().await;
        assert_eq!((end.error(), end.code), (Some(ErrorCode::TooSlow), Some(4012)));
    }
}

#[tokio::test]
async fn an_endless_fragmented_message_is_refused() {
    let server = start(config()).await;
    let (mut raw, _) = Raw::joined(server.addr(), 1, "soup").await;
    let mut kind = Data::Text;
    for _ in 0..100_000 {
        let frame = Frame::message(Vec::new(), OpCode::Data(kind), false);
        kind = Data::Continue;
        if raw.socket.feed(Message::Frame(frame)).await.is_err() {
            break;
        }
    }
    // A failed write may close the connection before we read the code.
    let end = raw.end().await;
    assert!(matches!(end.code, Some(1009) | None), "{end:?}");
    let (_other, _) = Raw::joined(server.addr(), 2, "soup").await;
}

#[tokio::test]
async fn long_messages_arrive_intact_in_both_directions() {
    let server = start(config()).await;
    let (mut ada, _) = Raw::joined(server.addr(), 1, "soup").await;
    let (mut bob, to) = Raw::joined(server.addr(), 2, "soup").await;
    for length in [1, 4_000, 4_096, 4_097, 20_000, 40_000, 49_000] {
        let sdp: String = "\u{d55c}\u{ae00} v=0 ".chars().cycle().take(length / 2).collect();
        ada.say(ClientMessage::Offer { to: to.clone(), sdp: sdp.clone(), signature: None }).await;
        loop {
            match bob.receive().await {
                ServerMessage::Offer { sdp: received, .. } => {
                    assert_eq!(received, sdp);
                    break;
                }
                other => assert!(!matches!(other, ServerMessage::Error(_)), "{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn an_impossible_acknowledgement_closes_only_the_socket() {
    let server = start(config()).await;
    let mut raw = Raw::connect(server.addr(), 1).await;
    raw.hello().await;
    let session = raw.welcome().await.session;
    raw.say(join("soup")).await;
    assert!(matches!(raw.next().await, ServerMessage::Joined { .. }));
    raw.send_text(r#"{"seq":0,"ack":2,"type":"ack"}"#.into()).await;
    let end = raw.end().await;
    assert_eq!((end.error(), end.code), (Some(ErrorCode::Malformed), Some(4000)));
    let mut again = Raw::connect(server.addr(), 1).await;
    again.resume(Resume { session, received: 1 }).await;
    assert!(matches!(again.next().await, ServerMessage::Resumed { .. }));
}

#[tokio::test]
async fn another_websocket_version_is_answered_with_the_supported_one() {
    let server = start(config()).await;
    let mut stream = TcpStream::connect(server.addr()).await.expect("connects");
    let request = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\
        Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 8\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("text");
    assert!(answer.starts_with("HTTP/1.1 426"), "{answer}");
    assert!(answer.to_lowercase().contains("sec-websocket-version: 13\r\n"), "{answer}");
}

/// The members at a school, for example, share one address.
#[tokio::test]
async fn five_hundred_members_from_one_address_join_within_a_minute() {
    const MEMBERS: usize = 500;
    let server = start(Config { member_secret: Some("soup".into()), limit_loopback: true, ..config() }).await;
    let addr = server.addr();
    let begin = Instant::now();
    let members: Vec<_> = (0..MEMBERS)
        .map(|n| {
            tokio::spawn(async move {
                let mut raw = Raw::connect(addr, u8::try_from(n % 250).expect("small")).await;
                raw.hello_with("soup").await;
                raw.say(join(&format!("table-{}", n / 10 * 10 + n / 250))).await;
                raw.welcome().await;
                loop {
                    if let ServerMessage::Joined { .. } = raw.receive().await {
                        return raw;
                    }
                }
            })
        })
        .collect();
    let mut seated = Vec::new();
    for member in members {
        seated.push(member.await.expect("is in"));
    }
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    assert_eq!(seated.len(), MEMBERS);
}

#[tokio::test]
async fn guests_cannot_keep_members_out() {
    let rooms = Limits { sessions: 20, ..Limits::default() };
    let server = start(Config { rooms, member_secret: Some("soup".into()), ..config() }).await;
    let mut strangers = Vec::new();
    let mut welcome = 0;
    for seed in 0..20 {
        let mut raw = Raw::connect(server.addr(), seed).await;
        raw.hello().await;
        welcome += usize::from(matches!(raw.next().await, ServerMessage::Welcome(_)));
        strangers.push(raw);
    }
    assert_eq!(welcome, 10);
    for seed in 100..110 {
        let mut raw = Raw::connect(server.addr(), seed).await;
        raw.hello_with("soup").await;
        assert!(raw.welcome().await.member);
        strangers.push(raw);
    }
}

#[tokio::test]
async fn a_guest_session_without_a_seat_ends_with_its_socket() {
    let rooms = Limits { sessions: 4, ..Limits::default() };
    let server = start(Config { rooms, member_secret: Some("soup".into()), ..config() }).await;
    for seed in 0..40 {
        let mut raw = Raw::connect(server.addr(), seed).await;
        raw.hello().await;
        // The previous client's place is free as soon as the server has noticed its end.
        let mut first = raw.next().await;
        for _ in 0..100 {
            if matches!(first, ServerMessage::Welcome(_)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            raw = Raw::connect(server.addr(), seed).await;
            raw.hello().await;
            first = raw.next().await;
        }
        assert!(matches!(first, ServerMessage::Welcome(_)), "{first:?}");
        // Reset, not closed.
        raw.socket.get_ref().set_zero_linger().expect("works");
    }
}

/// All sessions of one key share the rates of one person.
#[tokio::test]
async fn sessions_of_one_key_share_the_join_rate() {
    let server = start(config()).await;
    let mut victim = App::new(server.addr(), 200, "Victim");
    victim.send(join("doors"));
    victim.joined().await;
    let mut joined = 0;
    for _ in 0..20 {
        let mut raw = Raw::connect(server.addr(), 1).await;
        raw.hello().await;
        raw.welcome().await;
        raw.say(join("doors")).await;
        joined += usize::from(matches!(raw.receive().await, ServerMessage::Joined { .. }));
        raw.say(ClientMessage::Leave).await;
        raw.receive().await;
    }
    assert!((10..=12).contains(&joined), "{joined}");
}

#[tokio::test]
async fn messages_per_address_are_limited_without_ending_sessions() {
    let mut rooms = Limits::default();
    rooms.shares.source_messages = Rate::new(0.001, 20.0);
    let server = start(Config { rooms, limit_loopback: true, ..config() }).await;
    let (mut ada, _) = Raw::joined(server.addr(), 1, "soup").await;
    let (mut bob, _) = Raw::joined(server.addr(), 2, "soup").await;
    let mut refused = 0;
    for n in 0..40 {
        let raw = if n % 2 == 0 { &mut ada } else { &mut bob };
        raw.say(ClientMessage::Ping { nonce: 1 }).await;
        loop {
            match raw.receive().await {
                ServerMessage::Pong { .. } => break,
                ServerMessage::Error(error) => {
                    assert_eq!(error.code, ErrorCode::RateLimited);
                    refused += 1;
                    break;
                }
                _ => {}
            }
        }
    }
    assert_eq!(refused, 22);
}
