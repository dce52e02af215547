//! Whether a sign-in page answers in place of the server. Such pages intercept plain HTTP; to TLS they show a wrong
//! certificate or nothing, so that the cause would not be recognised there.

use std::net::SocketAddr;
use std::time::Duration;

use httparse::{EMPTY_HEADER, Response, Status};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use url::Url;

/// Longest answer: status line and headers.
const MAX_ANSWER: usize = 16 * 1024;
/// Most headers.
const MAX_HEADERS: usize = 64;
/// Network Authentication Required, RFC 6585 section 6.
const SIGN_IN: u16 = 511;

/// The host of the sign-in page, if the server's port 80 redirects to another organisation's host or requires a
/// sign-in. An answer that is late, long or not HTTP is no sign of it.
pub(super) async fn find(server: SocketAddr, host: &str, time: Duration) -> Option<String> {
    timeout(time, ask(SocketAddr::new(server.ip(), 80), host)).await.ok().flatten()
}

async fn ask(server: SocketAddr, host: &str) -> Option<String> {
    let mut stream = outbound::tcp(server).await.ok()?;
    let authority = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let request = format!("GET / HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    while answer.len() < MAX_ANSWER {
        if stream.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
        match read(&answer, host) {
            Answer::Partial => {}
            Answer::Portal(to) => return Some(to),
            Answer::Other => return None,
        }
    }
    None
}

/// What the beginning of an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Partial,
    Portal(String),
    Other,
}

pub(crate) fn read(answer: &[u8], host: &str) -> Answer {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut response = Response::new(&mut headers);
    match response.parse(answer) {
        Ok(Status::Complete(_)) => {}
        Ok(Status::Partial) => return Answer::Partial,
        Err(_) => return Answer::Other,
    }
    let location = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("location"));
    let location = location.and_then(|header| std::str::from_utf8(header.value).ok());
    let to = location.and_then(|url| Url::parse(url).ok()).and_then(|url| url.host_str().map(str::to_owned));
    match (response.code, to) {
        (Some(SIGN_IN), to) => Answer::Portal(to.unwrap_or_else(|| host.to_owned())),
        (Some(300..=399), Some(to)) if organisation(&to) != organisation(host) => Answer::Portal(to),
        (_, _) => Answer::Other,
    }
}

/// The last two labels of a name, in lower case; an IP address as it is. A server often redirects from one of its names
/// to another.
fn organisation(host: &str) -> String {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.parse::<std::net::IpAddr>().is_ok() {
        return host.to_owned();
    }
    let labels: Vec<&str> = host.rsplit('.').take(2).collect();
    labels.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redirect(to: &str) -> Answer {
        read(format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\n\r\n").as_bytes(), "lunch.example.org")
    }

    #[test]
    fn a_redirection_to_another_organisation_is_a_portal() {
        assert_eq!(redirect("http://login.wifi.example/?x"), Answer::Portal("login.wifi.example".into()));
        assert_eq!(redirect("https://10.0.0.1/"), Answer::Portal("10.0.0.1".into()));
        for own in ["https://lunch.example.org/", "https://www.EXAMPLE.org./", "/login", ""] {
            assert_eq!(redirect(own), Answer::Other, "{own}");
        }
        let required = b"HTTP/1.1 511 Network Authentication Required\r\n\r\n";
        assert_eq!(read(required, "lunch.example"), Answer::Portal("lunch.example".into()));
        assert_eq!(read(b"HTTP/1.1 200 OK\r\n\r\n", "lunch.example"), Answer::Other);
        assert_eq!(read(b"HTTP/1.1 302 F", "lunch.example"), Answer::Partial);
        assert_eq!(read(b"SSH-2.0-OpenSSH_9.2\r\n", "lunch.example"), Answer::Other);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), url in "\\PC{0,40}") {
            let _ = (read(&bytes, "a.example"), redirect(&url));
        }
    }
}
