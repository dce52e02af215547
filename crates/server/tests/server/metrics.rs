//! Figures for Prometheus.

use std::net::SocketAddr;

use server::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{PATIENCE, Raw};
use crate::{config, loopback, start};

pub(crate) async fn get(addr: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.expect("accepted");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("text");
    answer
}

#[tokio::test]
async fn metrics_are_served_on_their_own_port_only() {
    let server = start(Config { metrics_listen: Some(loopback()), ..config() }).await;
    let metrics = server.metrics_addr().expect("served");
    let (_raw, _) = Raw::joined(server.addr(), 1, "soup").await;
    // The hub publishes its figures from time to time, so the session may be counted before its room.
    let lines =
        ["lunchroom_sessions 1", "lunchroom_rooms 1", "lunchroom_connections 1", "lunchroom_sessions_opened_total 1"];
    let counted = async {
        loop {
            let text = get(metrics, "/metrics").await;
            if lines.iter().all(|line| text.lines().any(|found| found == *line)) {
                return text;
            }
        }
    };
    let text = timeout(PATIENCE, counted).await.expect("counted in time");
    assert!(text.lines().any(|line| line == "# EOF"), "{text}");
    assert!(!text.contains("127.0.0.1:"), "no address of a client: {text}");
    assert!(!get(server.addr(), "/metrics").await.contains("lunchroom_sessions"));
    server.stop().await;
    assert!(TcpStream::connect(metrics).await.is_err());
}

#[tokio::test]
async fn idle_connections_do_not_keep_prometheus_out() {
    let server = start(Config { metrics_listen: Some(loopback()), ..config() }).await;
    let metrics = server.metrics_addr().expect("served");
    let mut idle = Vec::new();
    for _ in 0..7 {
        idle.push(TcpStream::connect(metrics).await.expect("accepted"));
    }
    assert!(get(metrics, "/metrics").await.contains("lunchroom_sessions"));
}

#[tokio::test]
async fn without_the_setting_there_are_no_metrics() {
    assert_eq!(start(config()).await.metrics_addr(), None);
}
