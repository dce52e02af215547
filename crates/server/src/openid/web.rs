//! Requests to the issuer: one connection each, with a limit on time and size, and without redirects.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{HOST, HeaderValue};
use hyper_util::rt::TokioIo;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use outbound::{ConnectError, Destination, Proxies, connect_within};
use rustls::ClientConfig;
use tokio::time::timeout;
use url::{Position, Url};

/// Longest time for a request, from resolving the name to the last byte of the answer.
const TIME: Duration = Duration::from_secs(5);
/// Longest answer, in bytes. Those of large issuers have 20 KiB.
pub(super) const ANSWER_BYTES: usize = 256 * 1024;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("it does not answer in time")]
    Timeout,
    #[error("it does not speak HTTP: {0}")]
    Http(#[from] hyper::Error),
    /// The body broke off, or is too long.
    #[error("its answer cannot be read: {0}")]
    Body(String),
    /// The URL is not one that this issuer may name.
    #[error("its address cannot be used: {0}")]
    Address(String),
}

/// The client of one issuer.
#[derive(Clone)]
pub(super) struct Web {
    tls: Arc<ClientConfig>,
    proxies: Proxies,
    /// Whether requests may be unencrypted, because the issuer itself is.
    plain: bool,
}

impl Web {
    /// # Errors
    /// The system has no root certificates.
    pub(super) fn new(plain: bool) -> Result<Web, rustls::Error> {
        Ok(Web { tls: outbound::client_config(None)?, proxies: Proxies::System, plain })
    }

    /// Whether the issuer may name this URL: an encrypted one, unless it is not encrypted itself.
    pub(super) fn allows(&self, url: &Url) -> bool {
        url.host_str().is_some() && (url.scheme() == "https" || self.plain && url.scheme() == "http")
    }

    /// Sends a request and returns the whole answer.
    ///
    /// # Errors
    /// [`WebError`].
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, WebError> {
        timeout(TIME, self.exchange(request)).await.unwrap_or(Err(WebError::Timeout))
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, WebError> {
        let text = request.uri().to_string();
        let url = Url::parse(&text).ok().filter(|url| self.allows(url)).ok_or(WebError::Address(text))?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        let tls = (url.scheme() == "https").then(|| Arc::clone(&self.tls));
        let proxy = self.proxies.find(&host, port).await.map_err(ConnectError::from)?;
        let stream = connect_within(TIME, &Destination { host, port, tls }, proxy.as_ref()).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = addressed(request, &url)?;
        let answer = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body =
                Limited::new(body, ANSWER_BYTES).collect().await.map_err(|error| WebError::Body(error.to_string()))?;
            Ok(HttpResponse::from_parts(head, body.to_bytes().to_vec()))
        };
        tokio::pin!(answer);
        // The connection ends with the answer: dropping it closes the socket.
        tokio::select! {
            answer = &mut answer => answer,
            ended = connection => {
                ended?;
                answer.await
            }
        }
    }
}

impl<'c> AsyncHttpClient<'c> for Web {
    type Error = WebError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, WebError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// A request for a server: with its path alone, and the host in a header (RFC 9112 section 3.2.1).
fn addressed(request: HttpRequest, url: &Url) -> Result<hyper::Request<Full<bytes::Bytes>>, WebError> {
    let wrong = || WebError::Address(url.to_string());
    let (mut head, body) = request.into_parts();
    head.uri = url[Position::BeforePath..Position::AfterQuery].parse().map_err(|_| wrong())?;
    let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]).map_err(|_| wrong())?;
    head.headers.insert(HOST, host);
    Ok(hyper::Request::from_parts(head, Full::from(body)))
}
