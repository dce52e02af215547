//! Signing in with an account in the system's browser, which comes back to a port of this machine (RFC 8252 section 7.3).
//!
//! ```text
//!  listening ── the browser is opened ──▶ waiting ── the server's code, with our state ──▶ done
//!                                            │
//!                                            └── a quarter of an hour, or another sign-in ──▶ given up
//! ```
//! The code is worth nothing to anybody else on this machine: the server wants the verifier with it (RFC 7636).

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use url::Url;

/// Longest time in the browser. The server gives up then, too.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// Longest time for one request. Anything on this machine may connect.
const REQUEST_TIME: Duration = Duration::from_secs(2);
/// Longest request line with its headers, in bytes.
const HEAD_BYTES: usize = 16 * 1024;
/// The page that the browser shows in the end. It does not know the person's language.
const PAGE: &str = "<!DOCTYPE html><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
    <title>Lunchroom</title><body style=\"font: 1.1rem system-ui; text-align: center; margin-top: 20vh\">\
    <p lang=\"ko\">런치룸 앱으로 돌아가세요. 이 탭은 닫아도 돼요.</p>\
    <p lang=\"en\">Go back to the Lunchroom app. You can close this tab.</p>";

/// Why there is no code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The server's reason, a code for translations.
    Server(String),
    /// The person did not come back in time.
    TooLate,
}

/// A sign-in that waits for the browser.
#[derive(Debug)]
pub(crate) struct SignIn {
    listener: TcpListener,
    port: u16,
    state: String,
    verifier: String,
}

/// What the server wants to add this device to the account.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) code: String,
    pub(crate) verifier: String,
}

impl SignIn {
    /// Listens on a free port of this machine.
    pub(crate) async fn listen() -> io::Result<SignIn> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        Ok(SignIn { listener, port, state: random_text()?, verifier: random_text()? })
    }

    /// The address to open in the browser. `server` is the `ws:` or `wss:` URL of the server.
    pub(crate) fn address(&self, server: &Url) -> Option<Url> {
        let mut url = Url::parse(&server.as_str().replacen("ws", "http", 1)).ok()?;
        url.set_path("/auth/start");
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier));
        url.query_pairs_mut()
            .append_pair("port", &self.port.to_string())
            .append_pair("challenge", &challenge)
            .append_pair("state", &self.state);
        Some(url)
    }

    /// Waits until the browser comes back.
    pub(crate) async fn wait(self) -> Result<Code, Failed> {
        timeout(PATIENCE, self.returned()).await.unwrap_or(Err(Failed::TooLate))
    }

    async fn returned(self) -> Result<Code, Failed> {
        loop {
            // One after the other: each has little time.
            let Ok((mut stream, _)) = self.listener.accept().await else { continue };
            let Ok(Some(path)) = timeout(REQUEST_TIME, asked(&mut stream)).await else { continue };
            let answer = self.answer(&path);
            let text = match answer {
                Some(_) => format!(
                    "200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\r\n{PAGE}",
                    PAGE.len()
                ),
                // A page or another program guesses, or the browser asks for an icon.
                None => "404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
            };
            let text = format!(
                "HTTP/1.1 {}",
                text.replacen("\r\n", "\r\nConnection: close\r\nReferrer-Policy: no-referrer\r\n", 1)
            );
            let _ = timeout(REQUEST_TIME, stream.write_all(text.as_bytes())).await; // the tab may be closed
            if let Some(answer) = answer {
                return answer.map(|code| Code { code, verifier: self.verifier }).map_err(Failed::Server);
            }
        }
    }

    /// The result in a request's path. `None` if it is not of this sign-in.
    fn answer(&self, path: &str) -> Option<Result<String, String>> {
        let url = Url::parse("http://127.0.0.1").ok()?.join(path).ok()?;
        let find = |name: &str| url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned());
        if url.path() != "/" || find("state").as_deref() != Some(&self.state) {
            return None;
        }
        let is_code =
            |text: &String| text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        match (find("code").filter(is_code), find("error").filter(is_code)) {
            (Some(code), _) => Some(Ok(code)),
            (None, Some(error)) => Some(Err(error)),
            (None, None) => None,
        }
    }
}

/// Reads a request and returns its path, if it is a GET.
async fn asked(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0 && head.len() < HEAD_BYTES)?;
        head.extend_from_slice(&buffer[..read]);
    }
    let line = String::from_utf8_lossy(&head);
    let mut words = line.lines().next()?.split(' ');
    (words.next() == Some("GET")).then(|| words.next().map(str::to_owned))?
}

/// 256 random bits.
fn random_text() -> io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(port: u16, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[test]
    fn the_address_has_a_challenge_and_not_the_verifier() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let sign_in = runtime.block_on(SignIn::listen()).unwrap();
        let address = sign_in.address(&Url::parse("wss://lunch.example:8443/").unwrap()).unwrap().to_string();
        assert!(address.starts_with("https://lunch.example:8443/auth/start?port="), "{address}");
        assert!(address.contains(&format!("state={}", sign_in.state)) && !address.contains(&sign_in.verifier));
        let plain = sign_in.address(&Url::parse("ws://127.0.0.1:7077").unwrap()).unwrap();
        assert_eq!(plain.scheme(), "http");
    }

    #[tokio::test]
    async fn only_the_browser_with_our_state_ends_the_wait() {
        let sign_in = SignIn::listen().await.unwrap();
        let (port, state, verifier) = (sign_in.port, sign_in.state.clone(), sign_in.verifier.clone());
        let waiting = tokio::spawn(sign_in.wait());
        for request in [
            "GET /?code=abc HTTP/1.1\r\n\r\n".to_owned(),
            "GET /?code=abc&state=guess HTTP/1.1\r\n\r\n".into(),
            format!("GET /favicon.ico?state={state}&code=abc HTTP/1.1\r\n\r\n"),
            format!("GET /?state={state} HTTP/1.1\r\n\r\n"),
            format!("GET /?state={state}&code=%3Cscript%3E HTTP/1.1\r\n\r\n"),
        ] {
            assert!(get(port, &request).await.starts_with("HTTP/1.1 404"), "{request}");
        }
        assert_eq!(get(port, &format!("POST /?state={state}&code=abc HTTP/1.1\r\n\r\n")).await, "");
        let page = get(port, &format!("GET /?state={state}&code=S1gn-3d HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert!(
            page.starts_with("HTTP/1.1 200") && page.contains("Lunchroom app") && page.contains("런치룸"),
            "{page}"
        );
        assert_eq!(waiting.await.unwrap(), Ok(Code { code: "S1gn-3d".into(), verifier }));
    }

    #[tokio::test]
    async fn the_servers_reason_is_passed_on() {
        let sign_in = SignIn::listen().await.unwrap();
        let (port, state) = (sign_in.port, sign_in.state.clone());
        let waiting = tokio::spawn(sign_in.wait());
        get(port, &format!("GET /?state={state}&error=issuer_unreachable HTTP/1.1\r\n\r\n")).await;
        assert_eq!(waiting.await.unwrap(), Err(Failed::Server("issuer_unreachable".into())));
    }
}
