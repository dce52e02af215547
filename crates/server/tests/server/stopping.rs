//! How a server stops.

use std::time::Duration;

use server::Config;
use signaling::message::{ErrorCode, ServerMessage};
use signaling::session::{DisconnectCause, SessionEvent};
use tokio::net::TcpStream;

use crate::client::{App, Raw, join};
use crate::{config, config_with_turn, start};

#[tokio::test]
async fn every_client_receives_bye_with_a_retry_time() {
    let server = start(config_with_turn()).await;
    let addr = server.addr();
    let (mut ada, _) = Raw::joined(addr, 1, "soup").await;
    let mut guest = Raw::connect(addr, 2).await;
    let idle = TcpStream::connect(addr).await.expect("connects");
    let stopped = tokio::spawn(server.stop());
    for raw in [&mut ada, &mut guest] {
        let end = raw.end().await;
        let bye = end.messages.last().expect("a last message");
        assert!(
            matches!(bye, ServerMessage::Bye { code: ErrorCode::ServerStopping, retry_after_ms: Some(2_000) }),
            "{bye:?}"
        );
        assert_eq!(end.code, Some(1001));
    }
    tokio::time::timeout(crate::client::PATIENCE, stopped).await.expect("in time").expect("stops");
    drop(idle);
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_client_reconnects_to_the_next_server() {
    let server = start(Config { retry_after: Duration::from_millis(50), ..config() }).await;
    let mut ada = App::new(server.addr(), 1, "Ada");
    ada.send(join("soup"));
    ada.joined().await;
    server.stop().await;
    loop {
        match ada.event().await {
            SessionEvent::Disconnected { cause, .. } => {
                assert_eq!(cause, DisconnectCause::Bye(ErrorCode::ServerStopping));
            }
            SessionEvent::Lost => break,
            other => panic!("{other:?}"),
        }
    }
    let next = start(config()).await;
    ada.go_to(next.addr());
    ada.send(join("soup"));
    ada.joined().await;
}

#[tokio::test]
async fn dropping_a_server_closes_connections_and_ports() {
    let server = start(config_with_turn()).await;
    let (addr, turn) = (server.addr(), server.turn_addr().expect("serves TURN"));
    let (mut ada, _) = Raw::joined(addr, 1, "soup").await;
    drop(server);
    assert_eq!(ada.end().await.code, Some(1001));
    let free = async {
        loop {
            let tcp = tokio::net::TcpListener::bind(addr).await;
            let udp = tokio::net::UdpSocket::bind(turn).await;
            if tcp.is_ok() && udp.is_ok() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::client::PATIENCE, free).await.expect("both ports are free");
}
