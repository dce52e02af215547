//! HTTP proxies: a tunnel by CONNECT, RFC 9110 section 9.3.6.

use crate::answer::Answer;
use crate::stream::{Stream, encrypt};
use crate::tls::client_config;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::client::proxy::matcher::Intercept;
use std::fmt;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Longest wait for a tunnel: the TLS handshake with the proxy, the request, and the proxy's connection to the
/// destination.
const DEADLINE: Duration = Duration::from_secs(8);

/// An HTTP proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether the connection to the proxy itself is encrypted (`https://` in its URL).
    pub(crate) tls: bool,
    /// The value of `Proxy-Authorization`.
    pub(crate) authorization: Option<String>,
}

/// Why a proxy does not connect us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// No connection to the proxy.
    #[error("the proxy cannot be reached")]
    Unreachable,
    /// It closed the connection, or was silent.
    #[error("the proxy does not answer")]
    NoAnswer,
    /// Its answer is not HTTP, or too long.
    #[error("the proxy's answer is not HTTP")]
    InvalidAnswer,
    /// It requires a user name and password, or refuses ours (status 407).
    #[error("the proxy requires a user name and password")]
    Authentication,
    /// It refuses the destination, or cannot reach it.
    #[error("the proxy does not connect us: status {0}")]
    Refused(u16),
    /// The settings name a proxy that is not an HTTP proxy.
    #[error("the settings name a proxy that is not an HTTP proxy")]
    Unsupported,
}

impl ProxyError {
    /// A stable name for the interface.
    pub fn code(self) -> &'static str {
        match self {
            ProxyError::Unreachable => "proxy_unreachable",
            ProxyError::NoAnswer => "proxy_no_answer",
            ProxyError::InvalidAnswer => "proxy_invalid_answer",
            ProxyError::Authentication => "proxy_authentication",
            ProxyError::Refused(_) => "proxy_refused",
            ProxyError::Unsupported => "proxy_unsupported",
        }
    }
}

impl Proxy {
    /// An HTTP proxy without TLS and authentication. An IPv6 address may be in brackets.
    pub fn new(host: impl AsRef<str>, port: u16) -> Proxy {
        let host = host.as_ref().trim_start_matches('[').trim_end_matches(']').to_owned();
        Proxy { host, port, tls: false, authorization: None }
    }

    /// The same proxy with Basic authentication, RFC 7617.
    pub fn with_password(self, user: &str, password: &str) -> Proxy {
        let authorization = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        Proxy { authorization: Some(authorization), ..self }
    }

    /// The proxy that the settings name.
    pub(crate) fn of(intercept: &Intercept) -> Result<Proxy, ProxyError> {
        let uri = intercept.uri();
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(ProxyError::Unsupported),
        };
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let authorization = intercept.basic_auth().and_then(|value| value.to_str().ok()).map(str::to_owned);
        let proxy = Proxy { tls, authorization, ..Proxy::new(uri.host().unwrap_or_default(), port) };
        if proxy.host.is_empty() { Err(ProxyError::Unsupported) } else { Ok(proxy) }
    }

    /// Its name or IP address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes a connection to the proxy into one to this host. The destination must not be a protocol in which the
    /// server speaks first.
    ///
    /// # Errors
    /// See [`ProxyError`].
    pub async fn tunnel<S: Stream + 'static>(
        &self,
        stream: S,
        host: &str,
        port: u16,
    ) -> Result<Box<dyn Stream>, ProxyError> {
        tokio::time::timeout(DEADLINE, self.negotiate(stream, host, port)).await.unwrap_or(Err(ProxyError::NoAnswer))
    }

    async fn negotiate<S: Stream + 'static>(
        &self,
        stream: S,
        host: &str,
        port: u16,
    ) -> Result<Box<dyn Stream>, ProxyError> {
        let request = self.request(host, port).ok_or(ProxyError::Refused(400))?;
        let mut stream: Box<dyn Stream> = if self.tls {
            let config = client_config(None).map_err(|_| ProxyError::Unreachable)?;
            Box::new(encrypt(config, &self.host, stream).await.map_err(|_| ProxyError::Unreachable)?)
        } else {
            Box::new(stream)
        };
        stream.write_all(request.as_bytes()).await.map_err(|_| ProxyError::NoAnswer)?;
        stream.flush().await.map_err(|_| ProxyError::NoAnswer)?;
        let mut answer = Answer::default();
        let mut buffer = [0; 1024];
        loop {
            let count = stream.read(&mut buffer).await.map_err(|_| ProxyError::NoAnswer)?;
            if count == 0 {
                return Err(ProxyError::NoAnswer);
            }
            match answer.push(&buffer[..count]).map_err(|_| ProxyError::InvalidAnswer)? {
                None => {}
                Some(200..=299) => return Ok(stream),
                Some(407) => return Err(ProxyError::Authentication),
                Some(status) => return Err(ProxyError::Refused(status)),
            }
        }
    }

    /// `None` if the host cannot be in a request.
    pub(crate) fn request(&self, host: &str, port: u16) -> Option<String> {
        let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_valid) {
            return None;
        }
        let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let authorization = match &self.authorization {
            Some(value) => format!("Proxy-Authorization: {value}\r\n"),
            None => String::new(),
        };
        Some(format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{authorization}\r\n"))
    }
}

/// Without the password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    /// What a tunnel comes to if the proxy answers this and closes; and what the proxy received.
    async fn answered(proxy: Proxy, host: &str, answer: &'static [u8]) -> (Result<(), ProxyError>, String) {
        let (ours, mut theirs) = duplex(65_536);
        let proxying = tokio::spawn(async move {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && theirs.read_buf(&mut request).await.is_ok_and(|count| count > 0) {}
            let _ = theirs.write_all(answer).await;
            String::from_utf8(request).expect("a request is ASCII")
        });
        let outcome = proxy.tunnel(ours, host, 443).await.map(drop);
        (outcome, proxying.await.expect("it does not panic"))
    }

    #[tokio::test]
    async fn the_request_names_the_destination_and_carries_the_password() {
        let proxy = Proxy::new("proxy", 8080).with_password("Aladdin", "open sesame");
        let (outcome, request) = answered(proxy, "2001:db8::1", b"HTTP/1.1 200 OK\r\n\r\n").await;
        assert_eq!(outcome, Ok(()));
        assert_eq!(
            request,
            "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\
             Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
        );
    }

    #[tokio::test]
    async fn each_kind_of_answer_has_its_own_error() {
        let cases: [(&'static [u8], ProxyError); 5] = [
            (
                b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
                ProxyError::Authentication,
            ),
            (b"HTTP/1.0 403 Filtered\r\nContent-Type: text/html\r\n\r\n<p>no</p>", ProxyError::Refused(403)),
            (b"SSH-2.0-OpenSSH_9.2\r\n", ProxyError::InvalidAnswer),
            (b"HTTP/1.1 2", ProxyError::NoAnswer),
            (b"", ProxyError::NoAnswer),
        ];
        for (answer, error) in cases {
            assert_eq!(answered(Proxy::new("proxy", 1), "h.example", answer).await.0, Err(error));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_proxy_is_given_up_after_its_deadline() {
        let (ours, _theirs) = duplex(1024);
        let start = tokio::time::Instant::now();
        let outcome = Proxy::new("proxy", 1).tunnel(ours, "h.example", 443).await.map(drop);
        assert_eq!((outcome, start.elapsed()), (Err(ProxyError::NoAnswer), DEADLINE));
    }

    #[tokio::test]
    async fn a_host_that_would_add_lines_to_the_request_is_refused() {
        let (outcome, request) = answered(Proxy::new("proxy", 1), "h\r\nX: y", b"HTTP/1.1 200 OK\r\n\r\n").await;
        assert_eq!((outcome, request.as_str()), (Err(ProxyError::Refused(400)), ""));
    }

    #[test]
    fn a_password_is_not_printed() {
        let proxy = Proxy::new("proxy", 1).with_password("user", "secret");
        assert!(!format!("{proxy:?}").contains(&STANDARD.encode("user:secret")));
    }
}
