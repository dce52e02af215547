//! Connections that fail, and sessions that survive them.

use std::time::Duration;

use rooms::Limits;
use server::Config;
use signaling::message::{ClientMessage, ErrorCode, LeaveReason, Resume, ServerMessage, SessionId};
use signaling::session::SessionEvent;

use crate::client::{App, Raw, candidate, join};
use crate::{config, start};

#[tokio::test]
async fn nothing_is_lost_or_duplicated_when_both_sockets_break() {
    const MESSAGES: usize = 400;
    let server = start(config()).await;
    let mut ada = App::new(server.addr(), 1, "Ada");
    ada.send(join("soup"));
    ada.joined().await;
    let mut bob = App::new(server.addr(), 2, "Bob");
    bob.send(join("soup"));
    let bob_id = bob.joined().await;

    let sender = tokio::spawn(async move {
        for n in 0..MESSAGES {
            ada.send(candidate(&bob_id, format!("candidate:{n}")));
            // Write a part of it, then drop the socket with whatever is in flight.
            let _ = tokio::time::timeout(Duration::from_micros(200), ada.run()).await;
            if n == 120 || n == 300 {
                ada.cut();
            }
        }
        loop {
            ada.run().await;
        }
    });
    let mut received = Vec::new();
    while received.len() < MESSAGES {
        match bob.message().await {
            ServerMessage::Candidate { candidate, .. } => {
                received.push(candidate.candidate);
                if received.len() == 60 || received.len() == 200 {
                    bob.cut();
                }
            }
            ServerMessage::ParticipantConnection { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    sender.abort();
    let expected: Vec<String> = (0..MESSAGES).map(|n| format!("candidate:{n}")).collect();
    assert_eq!(received, expected);
}

#[tokio::test]
async fn a_seat_is_kept_while_the_socket_is_broken() {
    let server = start(config()).await;
    let mut ada = App::new(server.addr(), 1, "Ada");
    ada.send(join("soup"));
    let id = ada.joined().await;
    let (mut bob, _) = Raw::joined(server.addr(), 2, "soup").await;
    ada.cut();
    assert_eq!(bob.receive().await, ServerMessage::ParticipantConnection { id: id.clone(), connected: false });
    bob.say(ClientMessage::Chat { text: "wait for Ada".into() }).await;
    assert!(matches!(bob.receive().await, ServerMessage::Chat { .. }));
    assert!(matches!(ada.message().await, ServerMessage::ParticipantJoined { .. }));
    assert!(matches!(ada.message().await, ServerMessage::Chat { .. }));
    assert_eq!(bob.receive().await, ServerMessage::ParticipantConnection { id, connected: true });
}

#[tokio::test]
async fn a_seat_is_freed_after_the_resume_window() {
    let rooms = Limits { resume: Duration::from_millis(300), ..Limits::default() };
    let server = start(Config { rooms, ..config() }).await;
    let (ada, id) = Raw::joined(server.addr(), 1, "soup").await;
    let (mut bob, _) = Raw::joined(server.addr(), 2, "soup").await;
    drop(ada);
    assert_eq!(bob.receive().await, ServerMessage::ParticipantConnection { id: id.clone(), connected: false });
    assert_eq!(bob.receive().await, ServerMessage::ParticipantLeft { id, reason: LeaveReason::Timeout });
}

#[tokio::test]
async fn quitting_frees_the_seat_at_once() {
    let server = start(config()).await;
    let (mut ada, id) = Raw::joined(server.addr(), 1, "soup").await;
    let (mut bob, _) = Raw::joined(server.addr(), 2, "soup").await;
    let normal = tokio_tungstenite::tungstenite::protocol::CloseFrame { code: 1000.into(), reason: "".into() };
    ada.socket.close(Some(normal)).await.expect("closes");
    assert_eq!(bob.receive().await, ServerMessage::ParticipantLeft { id, reason: LeaveReason::Left });
}

#[tokio::test]
async fn a_newer_connection_takes_over_the_session() {
    let server = start(config()).await;
    let mut old = Raw::connect(server.addr(), 1).await;
    old.hello().await;
    let session = old.welcome().await.session;
    let mut new = Raw::connect(server.addr(), 1).await;
    new.resume(Resume { session, received: 0 }).await;
    assert!(matches!(new.next().await, ServerMessage::Resumed { received: 0, .. }));
    let end = old.end().await;
    assert_eq!((end.error(), end.code), (Some(ErrorCode::Replaced), Some(4014)));
    new.say(join("soup")).await;
    assert!(matches!(new.receive().await, ServerMessage::Joined { .. }));
}

#[tokio::test]
async fn another_device_cannot_take_over_a_session() {
    let server = start(config()).await;
    let mut ada = Raw::connect(server.addr(), 1).await;
    ada.hello().await;
    let session = ada.welcome().await.session;
    let mut eve = Raw::connect(server.addr(), 2).await;
    eve.resume(Resume { session: session.clone(), received: 0 }).await;
    match eve.next().await {
        ServerMessage::Error(error) => assert_eq!(error.code, ErrorCode::CannotResume),
        other => panic!("{other:?}"),
    }
    assert_ne!(eve.welcome().await.session, session);
    ada.say(join("soup")).await;
    assert!(matches!(ada.receive().await, ServerMessage::Joined { .. }));
}

#[tokio::test]
async fn an_impossible_resume_count_begins_a_new_session() {
    let server = start(config()).await;
    let mut ada = Raw::connect(server.addr(), 1).await;
    ada.hello().await;
    let session = ada.welcome().await.session;
    let mut again = Raw::connect(server.addr(), 1).await;
    again.resume(Resume { session, received: 1_000 }).await;
    match again.next().await {
        ServerMessage::Error(error) => assert_eq!(error.code, ErrorCode::CannotResume),
        other => panic!("{other:?}"),
    }
    again.welcome().await;
}

#[tokio::test]
async fn a_client_joins_again_after_a_server_restart() {
    let server = start(config()).await;
    let mut ada = App::new(server.addr(), 1, "Ada");
    ada.send(join("soup"));
    ada.joined().await;
    // Killed: no `bye` is sent, and the next server knows none of the sessions.
    drop(server);
    let next = start(config()).await;
    ada.go_to(next.addr());
    ada.cut();
    loop {
        match ada.event().await {
            SessionEvent::Lost => break,
            SessionEvent::Disconnected { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    ada.send(join("soup"));
    ada.joined().await;
}

#[tokio::test]
async fn resuming_an_unknown_session_begins_a_new_one() {
    let server = start(config()).await;
    let mut raw = Raw::connect(server.addr(), 1).await;
    raw.resume(Resume { session: SessionId("made-up".into()), received: 3 }).await;
    assert!(matches!(raw.next().await, ServerMessage::Error(_)));
    raw.welcome().await;
}
