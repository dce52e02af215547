//! Joining, talking and leaving.

use std::time::{Duration, Instant};

use rooms::Limits;
use server::{Config, Turn};
use signaling::message::{ClientMessage, ErrorCode, LeaveReason, ParticipantId, ServerMessage};
use signaling::numbering::{body, frame};

use crate::client::{App, Raw, candidate, join};
use crate::{config, config_with_turn, start};

#[tokio::test]
async fn hello_and_join_in_one_flight_get_answers_in_one_flight() {
    let server = start(config()).await;
    let mut raw = Raw::connect(server.addr(), 1).await;
    raw.hello().await;
    raw.say(join("soup")).await;
    let welcome = raw.welcome().await;
    assert_eq!((welcome.resume_ms, welcome.limits.max_participants), (30_000, 12));
    match raw.next().await {
        ServerMessage::Joined { room, participants, .. } => {
            assert_eq!((room.as_str(), participants.len()), ("soup", 0))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn joining_is_fast() {
    let server = start(config()).await;
    let mut times: Vec<Duration> = Vec::new();
    for seed in 0..10 {
        let begin = Instant::now();
        let _seat = Raw::joined(server.addr(), seed, "soup").await;
        times.push(begin.elapsed());
    }
    times.sort();
    // Any timer on the path, such as the hub's tick or a delayed acknowledgement, would show here.
    assert!(times[5] < Duration::from_millis(40), "{times:?}");
}

#[tokio::test]
async fn two_people_join_and_exchange_messages() {
    let server = start(config()).await;
    let mut ada = App::new(server.addr(), 1, "Ada");
    ada.send(join("soup"));
    let ada_id = ada.joined().await;
    let mut bob = App::new(server.addr(), 2, "Bob");
    bob.send(join("soup"));
    let bob_id = bob.joined().await;
    match ada.message().await {
        ServerMessage::ParticipantJoined { participant } => assert_eq!(participant.name, "Bob"),
        other => panic!("{other:?}"),
    }
    bob.send(ClientMessage::Offer { to: ada_id.clone(), sdp: "offer".into(), signature: None });
    // A client sends nothing unless it is driven; this call sends.
    bob.send(ClientMessage::Chat { text: "hi".into() });
    assert!(matches!(bob.message().await, ServerMessage::Chat { .. }));
    assert_eq!(
        ada.message().await,
        ServerMessage::Offer { from: bob_id.clone(), sdp: "offer".into(), signature: None }
    );
    match ada.message().await {
        ServerMessage::Chat { from, text, at } => {
            assert_eq!((from, text.as_str()), (bob_id.clone(), "hi"));
            assert!(at > 1_700_000_000_000);
        }
        other => panic!("{other:?}"),
    }
    bob.send(ClientMessage::Leave);
    assert_eq!(bob.message().await, ServerMessage::Left { reason: LeaveReason::Left });
    assert_eq!(ada.message().await, ServerMessage::ParticipantLeft { id: bob_id, reason: LeaveReason::Left });
}

#[tokio::test]
async fn a_full_room_refuses_the_join_and_keeps_the_session() {
    let rooms = Limits { participants: 2, ..Limits::default() };
    let server = start(Config { rooms, ..config() }).await;
    let _ada = Raw::joined(server.addr(), 1, "soup").await;
    let _bob = Raw::joined(server.addr(), 2, "soup").await;
    let mut eve = Raw::connect(server.addr(), 3).await;
    eve.hello().await;
    eve.say(join("soup")).await;
    eve.welcome().await;
    match eve.next().await {
        ServerMessage::Error(error) => assert_eq!((error.code, error.about), (ErrorCode::RoomFull, Some(1))),
        other => panic!("{other:?}"),
    }
    eve.say(join("cake")).await;
    assert!(matches!(eve.receive().await, ServerMessage::Joined { .. }));
}

#[tokio::test]
async fn a_message_without_an_addressee_is_refused_by_number() {
    let server = start(config()).await;
    let (mut ada, _) = Raw::joined(server.addr(), 1, "soup").await;
    ada.say(candidate(&ParticipantId("p99".into()), "candidate:1")).await;
    match ada.receive().await {
        ServerMessage::Error(error) => assert_eq!((error.code, error.about), (ErrorCode::NoSuchParticipant, Some(2))),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn unknown_messages_are_refused_and_counted() {
    let server = start(config()).await;
    let (mut ada, _) = Raw::joined(server.addr(), 1, "soup").await;
    ada.send_text(r#"{"seq":2,"ack":0,"type":"teleport"}"#.into()).await;
    match ada.receive().await {
        ServerMessage::Error(error) => assert_eq!((error.code, error.about), (ErrorCode::Malformed, Some(2))),
        other => panic!("{other:?}"),
    }
    ada.send_text(frame(3, 0, &body(&ClientMessage::Chat { text: "still here".into() }))).await;
    assert!(matches!(ada.receive().await, ServerMessage::Chat { .. }));
}

#[tokio::test]
async fn pings_are_answered_and_messages_acknowledged() {
    let server = start(config()).await;
    let (mut ada, _) = Raw::joined(server.addr(), 1, "soup").await;
    ada.send_text(frame(0, 0, &body(&ClientMessage::Ping { nonce: 7 }))).await;
    assert_eq!(ada.receive().await, ServerMessage::Pong { nonce: 7 });
    ada.say(ClientMessage::Media(Default::default())).await;
    assert_eq!(ada.next().await, ServerMessage::Ack);
}

#[tokio::test]
async fn a_device_that_joins_twice_keeps_the_later_seat() {
    let server = start(config()).await;
    let (mut laptop, laptop_id) = Raw::joined(server.addr(), 1, "soup").await;
    let (mut bob, _) = Raw::joined(server.addr(), 2, "soup").await;
    let _telephone = Raw::joined(server.addr(), 1, "soup").await;
    assert!(matches!(laptop.receive().await, ServerMessage::ParticipantJoined { .. }));
    assert_eq!(laptop.receive().await, ServerMessage::Left { reason: LeaveReason::Replaced });
    let left = ServerMessage::ParticipantLeft { id: laptop_id, reason: LeaveReason::Replaced };
    assert_eq!(bob.receive().await, left);
    assert!(matches!(bob.receive().await, ServerMessage::ParticipantJoined { .. }));
}

#[tokio::test]
async fn welcome_announces_stun_and_turn_at_the_host_of_the_client() {
    let server = start(config_with_turn()).await;
    let port = server.turn_addr().expect("serves TURN").port();
    let mut raw = Raw::connect(server.addr(), 1).await;
    raw.hello().await;
    let welcome = raw.welcome().await;
    assert_eq!(welcome.ice_servers[0].urls, [format!("stun:127.0.0.1:{port}")]);
    let turn = |port, transport| format!("turn:127.0.0.1:{port}?transport={transport}");
    assert_eq!(welcome.ice_servers[1].urls, [turn(port, "udp"), turn(port, "tcp"), turn(server.addr().port(), "tcp")]);
    let username = welcome.ice_servers[1].username.clone().expect("credentials");
    assert!(username.ends_with(&format!(":{}", welcome.session.0)));

    let url = Some("wss://lunch.example".parse().expect("a URL"));
    let server = start(Config { public_url: url, ..config_with_turn() }).await;
    let mut raw = Raw::connect(server.addr(), 1).await;
    raw.hello().await;
    let servers = raw.welcome().await.ice_servers;
    assert!(servers[0].urls[0].starts_with("stun:lunch.example:"));
    // The proxy that terminates TLS passes on WebSockets, not TURN.
    let transports = servers[1].urls.iter().map(|url| url.rsplit_once(':').expect("a port").1.split_once('?'));
    let transports: Vec<_> = transports.map(|port| port.expect("a transport").1).collect();
    assert_eq!(transports, ["transport=udp", "transport=tcp"]);
}

#[tokio::test]
async fn external_relays_get_credentials_from_the_shared_secret() {
    let turn = Turn::External(vec!["turn:relay.example:3478".into()]);
    let server = start(Config { turn, secret: Some("shared".into()), ..config() }).await;
    let mut raw = Raw::connect(server.addr(), 1).await;
    raw.hello().await;
    let servers = raw.welcome().await.ice_servers;
    assert_eq!(servers[0].urls, ["stun:relay.example:3478"]);
    assert_eq!(servers[1].urls, ["turn:relay.example:3478"]);
    assert!(servers[1].credential.is_some());
}
