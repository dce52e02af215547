//! What a browser sees.

use std::net::SocketAddr;

use server::Config;
use signaling::link::Link;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{config, start};

async fn get(addr: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    ask(addr, request.as_bytes()).await
}

async fn ask(addr: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.expect("connects");
    stream.write_all(request).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[tokio::test]
async fn the_health_check_says_ok() {
    let server = start(config()).await;
    let answer = get(server.addr(), "/healthz").await;
    assert_eq!(status(&answer), "200");
    assert!(answer.ends_with("ok\n"));
}

#[tokio::test]
async fn the_page_of_a_room_opens_the_app_here() {
    let server = start(config()).await;
    let answer = get(server.addr(), "/r/soup?invite=abc").await;
    assert_eq!(status(&answer), "200");
    assert!(answer.contains("default-src 'none'"));
    let link = answer.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
    let link = Link::parse(&link.replace("&amp;", "&")).expect("valid");
    assert_eq!(link.server.as_str(), format!("ws://{}/", server.addr()));
    assert_eq!(link.invite.as_deref(), Some("abc"));
}

#[tokio::test]
async fn everything_else_is_not_found() {
    let server = start(config()).await;
    for path in ["/", "/r", "/r/", "/r/Bad%20Name", "/r/../etc/passwd", "/admin", "/ws/x", "/healthz/x"] {
        assert_eq!(status(&get(server.addr(), path).await), "404", "{path}");
    }
    assert_eq!(status(&get(server.addr(), "/ws").await), "426");
    let post = b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
    assert_eq!(status(&ask(server.addr(), post).await), "404");
}

#[tokio::test]
async fn an_upgrade_that_is_not_a_websocket_s_is_a_bad_request() {
    let server = start(config()).await;
    let odd = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n";
    assert_eq!(status(&ask(server.addr(), odd.as_bytes()).await), "400");
    let keyless =
        "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n";
    assert_eq!(status(&ask(server.addr(), keyless.as_bytes()).await), "400");
}

#[tokio::test]
async fn another_s_web_page_may_not_connect() {
    let server = start(config()).await;
    let request = |origin: &str| {
        format!(
            "GET /ws HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            server.addr()
        )
    };
    assert_eq!(status(&ask(server.addr(), request("https://evil.example").as_bytes()).await), "403");
    let mut own = TcpStream::connect(server.addr()).await.expect("connects");
    own.write_all(request(&format!("http://{}", server.addr())).as_bytes()).await.expect("sent");
    let mut answer = [0; 12];
    own.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 101");
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let server = start(config()).await;
    let mut request = b"GET / HTTP/1.1\r\n".to_vec();
    for n in 0..2_000 {
        request.extend_from_slice(format!("X-{n}: {}\r\n", "y".repeat(20)).as_bytes());
    }
    let mut stream = TcpStream::connect(server.addr()).await.expect("connects");
    // It may be refused before it is sent whole.
    let _ = stream.write_all(&request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || status(&answer) == "431", "{answer}");
}

#[tokio::test]
async fn links_name_the_public_server_when_it_has_a_name() {
    let url = Some("wss://lunch.example".parse().expect("a URL"));
    let server = start(Config { public_url: url, ..config() }).await;
    assert_eq!(server.url(), "wss://lunch.example");
    let answer = get(server.addr(), "/r/soup").await;
    assert!(answer.contains("server=wss://lunch.example") || answer.contains("server=wss%3A"), "{answer}");
}
