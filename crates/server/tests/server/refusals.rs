//! What the server refuses.

use std::time::Duration;

use futures_util::SinkExt as _;
use rooms::{Limits, Rate};
use server::Config;
use signaling::message::{ClientMessage, ErrorCode, Hello, ServerMessage};
use signaling::numbering::{body, frame};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::client::{Raw, join, key};
use crate::{config, start};

async fn refused_hello(change: impl FnOnce(Hello) -> Hello) -> (Option<ErrorCode>, Option<u16>) {
    let server = start(config()).await;
    let mut raw = Raw::connect(server.addr(), 1).await;
    let hello = change(raw.make_hello());
    raw.send_text(body(&ClientMessage::Hello(hello))).await;
    let end = raw.end().await;
    (end.error(), end.code)
}

#[tokio::test]
async fn another_protocol_version_is_refused() {
    let refused = refused_hello(|hello| Hello { version: 2, ..hello }).await;
    assert_eq!(refused, (Some(ErrorCode::UnsupportedVersion), Some(4003)));
}

#[tokio::test]
async fn an_unproved_key_is_refused() {
    let stolen = refused_hello(|hello| Hello { key: key(2).public().to_string(), ..hello }).await;
    assert_eq!(stolen, (Some(ErrorCode::BadSignature), Some(4004)));
    let replayed = refused_hello(|hello| Hello { signature: key(1).sign(&[0; 32], 1), ..hello }).await;
    assert_eq!(replayed, (Some(ErrorCode::BadSignature), Some(4004)));
}

/// Somebody has recorded the hello of a member, with the signature and the proof of membership.
#[tokio::test]
async fn a_recorded_hello_is_worthless_on_another_connection() {
    let server = start(Config { member_secret: Some("soup".into()), ..config() }).await;
    let mut ada = Raw::connect(server.addr(), 1).await;
    let (recorded, key) = (ada.member_hello("soup"), ada.key.public());
    ada.send_text(body(&ClientMessage::Hello(recorded.clone()))).await;
    assert!(ada.welcome().await.member);

    let mut thief = Raw::connect(server.addr(), 2).await;
    thief.send_text(body(&ClientMessage::Hello(recorded.clone()))).await;
    let end = thief.end().await;
    assert_eq!((end.error(), end.code), (Some(ErrorCode::BadSignature), Some(4004)));

    let mut thief = Raw::connect(server.addr(), 2).await;
    assert_ne!(thief.key.public(), key);
    let with_proof = Hello { member: recorded.member, ..thief.make_hello() };
    thief.send_text(body(&ClientMessage::Hello(with_proof))).await;
    assert!(!thief.welcome().await.member, "the proof is for another key and another challenge");
}

#[tokio::test]
async fn an_invisible_name_is_refused() {
    let refused = refused_hello(|hello| Hello { name: " \u{200b}".into(), ..hello }).await;
    assert_eq!(refused, (Some(ErrorCode::BadName), Some(4006)));
}

#[tokio::test]
async fn messages_before_the_hello_are_refused() {
    let server = start(config()).await;
    let mut raw = Raw::connect(server.addr(), 1).await;
    raw.say(join("soup")).await;
    assert_eq!(raw.end().await.error(), Some(ErrorCode::UnexpectedMessage));
    let mut raw = Raw::connect(server.addr(), 1).await;
    raw.send_text("{".into()).await;
    assert_eq!(raw.end().await.error(), Some(ErrorCode::Malformed));
}

#[tokio::test]
async fn a_client_that_sends_no_hello_is_closed() {
    let server = start(Config { hello_timeout: Duration::from_millis(100), ..config() }).await;
    let mut raw = Raw::connect(server.addr(), 1).await;
    let end = raw.end().await;
    assert_eq!((end.error(), end.code), (Some(ErrorCode::Timeout), Some(4013)));
}

#[tokio::test]
async fn a_silent_client_times_out() {
    let server = start(Config { silence: Duration::from_millis(200), ..config() }).await;
    let (mut raw, _) = Raw::joined(server.addr(), 1, "soup").await;
    let end = raw.end().await;
    assert_eq!((end.error(), end.code), (Some(ErrorCode::Timeout), Some(4013)));
}

#[tokio::test]
async fn an_oversized_frame_closes_only_the_socket() {
    let server = start(config()).await;
    let (mut ada, id) = Raw::joined(server.addr(), 1, "soup").await;
    let (mut bob, _) = Raw::joined(server.addr(), 2, "soup").await;
    // The server may close before everything is written.
    let _ = ada.socket.send(Message::text("x".repeat(100 * 1024))).await;
    let end = ada.end().await;
    assert_eq!((end.error(), end.code), (Some(ErrorCode::TooLarge), Some(1009)));
    assert_eq!(bob.receive().await, ServerMessage::ParticipantConnection { id, connected: false });
}

#[tokio::test]
async fn a_frame_of_exactly_the_limit_is_accepted() {
    let server = start(config()).await;
    let (mut ada, _) = Raw::joined(server.addr(), 1, "soup").await;
    let mut text = frame(2, 0, &body(&ClientMessage::Chat { text: "hi".into() }));
    text.push_str(&" ".repeat(64 * 1024 - text.len()));
    ada.send_text(text).await;
    assert!(matches!(ada.receive().await, ServerMessage::Chat { .. }));
}

#[tokio::test]
async fn binary_frames_are_refused() {
    let server = start(config()).await;
    let (mut ada, _) = Raw::joined(server.addr(), 1, "soup").await;
    ada.socket.send(Message::binary(vec![1, 2, 3])).await.expect("sent");
    assert_eq!(ada.end().await.code, Some(1003));
}

#[tokio::test]
async fn a_flood_of_pings_is_refused() {
    let server = start(config()).await;
    let (mut ada, _) = Raw::joined(server.addr(), 1, "soup").await;
    for _ in 0..200 {
        if ada.socket.send(Message::Ping(Bytes::new())).await.is_err() {
            break;
        }
    }
    assert_eq!(ada.end().await.code, Some(4002));
}

#[tokio::test]
async fn a_wrong_sequence_number_closes_the_socket() {
    for text in [
        frame(5, 0, &body(&ClientMessage::Leave)),
        frame(2, 99, &body(&ClientMessage::Leave)),
        frame(0, 0, &body(&ClientMessage::Leave)),
    ] {
        let server = start(config()).await;
        let (mut ada, _) = Raw::joined(server.addr(), 1, "soup").await;
        ada.send_text(text).await;
        assert_eq!(ada.end().await.code, Some(4000));
    }
}

#[tokio::test]
async fn a_full_server_sends_a_retry_time() {
    let rooms = Limits { sessions: 1, ..Limits::default() };
    let server = start(Config { rooms, ..config() }).await;
    let _ada = Raw::joined(server.addr(), 1, "soup").await;
    let mut bob = Raw::connect(server.addr(), 2).await;
    bob.hello().await;
    let end = bob.end().await;
    match end.messages[..] {
        [ServerMessage::Bye { code: ErrorCode::ServerFull, retry_after_ms: Some(1..) }] => {}
        ref other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn connections_per_address_are_limited_and_freed() {
    let server = start(Config { connections_per_address: 2, limit_loopback: true, ..config() }).await;
    let first = Raw::connect(server.addr(), 1).await;
    let _second = Raw::connect(server.addr(), 2).await;
    let mut third = TcpStream::connect(server.addr()).await.expect("connects");
    let mut answer = String::new();
    third.read_to_string(&mut answer).await.expect("text");
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    drop(first);
    // The server needs a moment to notice.
    let again = async {
        loop {
            let mut stream = TcpStream::connect(server.addr()).await.expect("connects");
            let mut byte = [0];
            let refused = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut byte)).await;
            if refused.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(crate::client::PATIENCE, again).await.expect("a place again");
}

#[tokio::test]
async fn connections_per_address_have_a_rate() {
    let server = start(Config { connection_rate: Rate::new(0.001, 3.0), limit_loopback: true, ..config() }).await;
    for seed in 0..3 {
        Raw::connect(server.addr(), seed).await;
    }
    let mut fourth = TcpStream::connect(server.addr()).await.expect("connects");
    let mut answer = String::new();
    fourth.read_to_string(&mut answer).await.expect("text");
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
}

#[tokio::test]
async fn flooding_a_client_that_does_not_read_delays_nobody() {
    let server = start(config()).await;
    let (mut slow, slow_id) = Raw::joined(server.addr(), 1, "soup").await;
    let (mut fast, _) = Raw::joined(server.addr(), 2, "soup").await;
    let (mut other, _) = Raw::joined(server.addr(), 3, "soup").await;
    let offer = ClientMessage::Offer { to: slow_id.clone(), sdp: "x".repeat(40 * 1024), signature: None };
    let mut refused = 0;
    for _ in 0..40 {
        fast.say(offer.clone()).await;
        while let Ok(message) = tokio::time::timeout(Duration::from_millis(1), fast.next()).await {
            assert!(!matches!(message, ServerMessage::ParticipantLeft { .. }), "{message:?}");
            refused += usize::from(matches!(message, ServerMessage::Error(e) if e.code == ErrorCode::RateLimited));
        }
    }
    assert!(refused > 20, "{refused}");
    other.say(ClientMessage::Offer { to: slow_id, sdp: "the last".into(), signature: None }).await;
    loop {
        match slow.next().await {
            ServerMessage::Offer { sdp, .. } if sdp == "the last" => break,
            ServerMessage::Bye { code, .. } => panic!("thrown out: {code:?}"),
            _ => {}
        }
    }
    fast.say(ClientMessage::Chat { text: "still here".into() }).await;
    loop {
        if let ServerMessage::Chat { text, .. } = fast.next().await {
            assert_eq!(text, "still here");
            break;
        }
    }
}
