//! The server as browsers see it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use server::{Config, Server};
use signaling::link::Link;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::Raw;
use crate::{config, start};

pub(crate) async fn get(addr: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    ask(addr, request.as_bytes()).await
}

pub(crate) async fn ask(addr: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.expect("connects");
    stream.write_all(request).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[tokio::test]
async fn the_health_check_returns_ok() {
    let server = start(config()).await;
    let answer = get(server.addr(), "/healthz").await;
    assert_eq!(status(&answer), "200");
    assert!(answer.ends_with("ok\n"));
}

#[tokio::test]
async fn the_room_page_links_to_this_server() {
    let page = Page::new("opens");
    let server = start(page.config()).await;
    let answer = get(server.addr(), "/r/soup?invite=abc").await;
    assert_eq!(status(&answer), "200");
    let link = answer.split("<p id=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
    let link = Link::parse(&link.replace("&amp;", "&")).expect("valid");
    assert_eq!(link.server.as_str(), format!("ws://{}/", server.addr()));
    assert_eq!(link.invite.as_deref(), Some("abc"));
}

/// The page of a room tells nobody whether somebody is in it.
#[tokio::test]
async fn the_page_of_an_empty_room_is_that_of_a_room_in_use() {
    let page = Page::new("same");
    let server = start(page.config()).await;
    let (_ada, _) = Raw::joined(server.addr(), 1, "soup").await;
    let [used, empty] = [get(server.addr(), "/r/soup").await, get(server.addr(), "/r/cake").await];
    let content = |answer: &str| answer.split_once("\r\n\r\n").expect("a body").1.to_owned();
    assert_eq!(status(&used), "200");
    assert_eq!(content(&used).replace("soup", "cake"), content(&empty));
}

#[tokio::test]
async fn everything_else_is_not_found() {
    let server = start(config()).await;
    let nothing =
        ["/r", "/r/", "/r/Bad%20Name", "/r/../etc/passwd", "/admin", "/ws/x", "/healthz/x", "/assets", "/assets/"];
    for path in nothing {
        assert_eq!(status(&get(server.addr(), path).await), "404", "{path}");
    }
    assert_eq!(status(&get(server.addr(), "/ws").await), "426");
}

#[tokio::test]
async fn pages_allow_only_get_and_head() {
    let server = start(config()).await;
    for path in ["/", "/healthz", "/r/soup", "/assets/x/shared/protocol.js"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
            let answer = ask(server.addr(), request.as_bytes()).await;
            assert_eq!(status(&answer), "405", "{method} {path}");
            assert_eq!(field(&answer, "allow"), Some("GET, HEAD"));
        }
    }
}

#[tokio::test]
async fn the_root_page_is_the_door() {
    let server = start(config()).await;
    let answer = get(server.addr(), "/").await;
    assert_eq!((status(&answer), field(&answer, "cache-control")), ("200", Some("no-cache")));
    assert!(answer.contains("/door/main.js") && !answer.contains("{{"), "{answer}");
    assert!(answer.contains("name=\"lunchroom-members\" content=\"open\""), "{answer}");
    let closed = start(Config { member_secret: Some("kimchi".into()), ..config() }).await;
    let answer = get(closed.addr(), "/").await;
    assert!(answer.contains("content=\"secret\"") && !answer.contains("kimchi"), "{answer}");
}

/// Whoever asks for compressed files gets them; each form has a tag of its own, and caches keep them apart.
#[tokio::test]
async fn files_are_sent_compressed_to_those_who_accept_it() {
    let server = start(config()).await;
    let page = get(server.addr(), "/").await;
    let main = page.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a script");
    let mut tags = std::collections::BTreeSet::new();
    for (accepted, coding) in [("identity", None), ("gzip, br", Some("br")), ("gzip", Some("gzip"))] {
        let addr = server.addr();
        let request =
            format!("GET {main} HTTP/1.1\r\nHost: {addr}\r\nAccept-Encoding: {accepted}\r\nConnection: close\r\n\r\n");
        let answer = ask(addr, request.as_bytes()).await;
        assert_eq!((status(&answer), field(&answer, "content-encoding")), ("200", coding), "{accepted}");
        assert_eq!(field(&answer, "vary"), Some("Accept-Encoding"));
        tags.insert(field(&answer, "etag").expect("a tag").to_owned());
    }
    assert_eq!(tags.len(), 3);
}

/// A header of an answer.
fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// A folder with a guest page, removed when the test ends.
struct Page(PathBuf);

impl Page {
    fn new(name: &str) -> Page {
        let page = Page(std::env::temp_dir().join(format!("lunchroom-page-{name}-{}", std::process::id())));
        std::fs::create_dir_all(page.0.join("guest")).expect("a folder");
        page.write("guest/index.html", "<head><script src=\"{{assets}}/guest/main.js\"></script><p id=\"{{link}}\">");
        page.write("guest/main.js", "export {};");
        page.write("guest/.secret.js", "export {};");
        page.write("guest/main.test.js", "export {};");
        page.write("secret.js", "export {};");
        page
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("written");
    }

    fn config(&self) -> Config {
        Config { ui_dir: Some(self.0.clone()), ..config() }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn the_guest_page_has_security_headers_and_is_revalidated() {
    let page = Page::new("guarded");
    let server = start(page.config()).await;
    let answer = get(server.addr(), "/r/soup").await;
    assert_eq!(status(&answer), "200");
    assert_eq!(field(&answer, "cache-control"), Some("no-cache"));
    assert_eq!(field(&answer, "x-content-type-options"), Some("nosniff"));
    assert_eq!(field(&answer, "x-frame-options"), Some("DENY"));
    assert_eq!(field(&answer, "referrer-policy"), Some("no-referrer"));
    assert!(field(&answer, "permissions-policy").is_some_and(|text| text.contains("camera=(self), microphone=(self)")));
    assert!(field(&answer, "permissions-policy").is_some_and(|text| text.contains("display-capture=(self)")));
    let policy = field(&answer, "content-security-policy").expect("a policy");
    let rules = [
        "default-src 'none'".to_owned(),
        "script-src 'self'".to_owned(),
        format!("connect-src 'self' ws://{0} wss://{0}", server.addr()),
        "media-src 'self' blob: mediastream:".to_owned(),
        "img-src 'self' data: blob:".to_owned(),
        "frame-ancestors 'none'".to_owned(),
    ];
    for rule in rules {
        assert!(policy.split("; ").any(|one| one == rule), "{rule} in {policy}");
    }
}

#[tokio::test]
async fn a_cached_page_is_answered_with_not_modified() {
    let page = Page::new("known");
    let server = start(page.config()).await;
    let tag = field(&get(server.addr(), "/r/soup").await, "etag").expect("a tag").to_owned();
    let again =
        format!("GET /r/soup HTTP/1.1\r\nHost: {}\r\nIf-None-Match: {tag}\r\nConnection: close\r\n\r\n", server.addr());
    let answer = ask(server.addr(), again.as_bytes()).await;
    assert_eq!((status(&answer), field(&answer, "etag")), ("304", Some(tag.as_str())));
    assert!(answer.ends_with("\r\n\r\n"), "nothing more: {answer}");
    page.write("guest/main.js", "export { };");
    assert_eq!(status(&ask(server.addr(), again.as_bytes()).await), "200", "its files are different now");
}

#[tokio::test]
async fn head_returns_the_headers_of_get() {
    let page = Page::new("head");
    let server = start(page.config()).await;
    let whole = get(server.addr(), "/r/soup").await;
    let request = format!("HEAD /r/soup HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.addr());
    let head = ask(server.addr(), request.as_bytes()).await;
    let of = |answer: &str| answer.split("\r\n\r\n").next().map(without_date).unwrap_or_default();
    assert_eq!(of(&head), of(&whole));
    assert!(head.ends_with("\r\n\r\n"), "{head}");
}

fn without_date(head: &str) -> String {
    head.lines().filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn only_files_of_the_page_are_served() {
    let page = Page::new("files");
    let server = start(page.config()).await;
    let answer = get(server.addr(), "/assets/any/guest/main.js").await;
    assert_eq!((status(&answer), field(&answer, "content-type")), ("200", Some("text/javascript; charset=utf-8")));
    assert_eq!(field(&answer, "cache-control"), Some("no-cache"), "the page is under development");
    assert_eq!(field(&answer, "x-content-type-options"), Some("nosniff"));
    for name in ["secret.js", "guest/../secret.js", "guest/.secret.js", "guest/main.test.js", "guest/", "guest"] {
        assert_eq!(status(&get(server.addr(), &format!("/assets/any/{name}")).await), "404", "{name}");
    }
}

#[tokio::test]
async fn versioned_files_are_immutable() {
    let server = start(config()).await;
    let page = get(server.addr(), "/r/soup").await;
    let main = page.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a script");
    assert_eq!(status(&get(server.addr(), main).await), "200", "{main}");
    let address = main.replace("/guest/main.js", "/shared/protocol.js");
    let answer = get(server.addr(), &address).await;
    assert_eq!(status(&answer), "200");
    assert_eq!(field(&answer, "cache-control"), Some("public, max-age=31536000, immutable"));
    assert!(answer.ends_with(include_str!("../../../../ui/shared/protocol.js")));
    assert_eq!(status(&get(server.addr(), "/assets/00000000000000000000/shared/protocol.js").await), "404");
}

/// A page has dozens of files. A new connection for each would run into the connection rate limit.
#[tokio::test]
async fn connections_are_kept_alive_and_closed_when_idle() {
    let page = Page::new("many");
    let server = start(page.config()).await;
    let mut stream = TcpStream::connect(server.addr()).await.expect("connects");
    let request = format!("GET /assets/any/guest/main.js HTTP/1.1\r\nHost: {}\r\n\r\n", server.addr());
    for _ in 0..50 {
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        while !answer.ends_with(b"export {};") {
            assert_ne!(stream.read_buf(&mut answer).await.expect("open"), 0, "it ended");
        }
    }
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(IDLE, stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "it is kept open");
}

/// A little longer than the server keeps an idle connection.
const IDLE: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_folder_without_a_page_is_an_error() {
    let folder = Some(std::env::temp_dir().join("lunchroom-no-such-folder"));
    let error = Server::start(Config { ui_dir: folder, ..config() }).await.err().expect("refused");
    assert!(error.to_string().contains("guest/index.html"), "{error}");
}

#[tokio::test]
async fn a_non_websocket_upgrade_is_a_bad_request() {
    let server = start(config()).await;
    let odd = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n";
    assert_eq!(status(&ask(server.addr(), odd.as_bytes()).await), "400");
    let keyless =
        "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n";
    assert_eq!(status(&ask(server.addr(), keyless.as_bytes()).await), "400");
}

#[tokio::test]
async fn a_page_of_another_origin_may_not_connect() {
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
async fn an_endless_request_head_is_refused() {
    let server = start(config()).await;
    let mut request = b"GET / HTTP/1.1\r\n".to_vec();
    for n in 0..2_000 {
        request.extend_from_slice(format!("X-{n}: {}\r\n", "y".repeat(20)).as_bytes());
    }
    let mut stream = TcpStream::connect(server.addr()).await.expect("connects");
    // The server may refuse it before it is completely sent.
    let _ = stream.write_all(&request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || status(&answer) == "431", "{answer}");
}

#[tokio::test]
async fn links_use_the_public_name_if_configured() {
    let url = Some("wss://lunch.example".parse().expect("a URL"));
    let server = start(Config { public_url: url, ..config() }).await;
    assert_eq!(server.url(), "wss://lunch.example");
    let answer = get(server.addr(), "/r/soup").await;
    assert!(answer.contains("server=wss://lunch.example") || answer.contains("server=wss%3A"), "{answer}");
}
