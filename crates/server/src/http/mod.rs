//! The HTTP front end: WebSockets, a health check, the community's door, the pages of links, their files, calendars, and
//! signing in.
//!
//! It uses hyper directly: there are only ten paths, and with axum and tower-http, too, the limits on headers and
//! connections would be set in hyper.

mod answer;
mod auth;
mod files;
mod interface;
mod modules;
mod origin;
mod page;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use url::Url;

use crate::admission::Ticket;
use crate::connection::{self, Context, stopped};
use crate::feeds;
use crate::hub::ConnectionId;
use crate::ice::{Entrance, host_for};
use crate::openid::OpenId;
use answer::{Body, later, method_not_allowed, plain};

pub(crate) use interface::Interface;

/// Longest time to receive the header of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest request header, in bytes. A longer one is answered with 431.
const HEAD_BYTES: usize = 16 * 1024;

/// The path of calendars. A token follows it, so requests are not logged.
const CALENDAR: &str = "/calendar/";
/// When a client should ask again for a calendar if too many ask at the same time.
const BUSY: Duration = Duration::from_secs(2);
/// The only version of the WebSocket protocol. Requests for another one are answered with it (RFC 6455 section 4.4).
const WEBSOCKET_VERSION: &str = "13";

/// What every request needs.
pub(crate) struct Front {
    pub(crate) context: Context,
    pub(crate) public_url: Option<Url>,
    /// Origins of other web pages that may connect.
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) fingerprint: Option<[u8; 32]>,
    /// Where people sign in with an account.
    pub(crate) openid: Option<OpenId>,
    pub(crate) interface: Interface,
    /// The task that answers for calendars.
    pub(crate) feeds: mpsc::Sender<feeds::Request>,
    pub(crate) next_connection: AtomicU64,
}

/// How a client reached this server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reached {
    pub(crate) local: SocketAddr,
    pub(crate) encrypted: bool,
}

/// Serves one connection until it ends, including after an upgrade. `ticket` is dropped at the end.
pub(crate) async fn serve<S>(io: S, front: Arc<Front>, reached: Reached, ticket: Arc<Ticket>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut stopping = front.context.stopping.clone();
    let service = service_fn(move |request| {
        let (front, ticket) = (Arc::clone(&front), Arc::clone(&ticket));
        async move { Ok::<_, Infallible>(answer(request, &front, reached, &ticket).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    tokio::select! {
        done = connection => if let Err(error) = done {
            tracing::debug!(%error, "HTTP connection failed");
        },
        () = stopped(&mut stopping) => {}
    }
}

async fn answer(
    request: Request<Incoming>,
    front: &Arc<Front>,
    reached: Reached,
    ticket: &Arc<Ticket>,
) -> Response<Body> {
    let path = request.uri().path();
    let is_upgrade = request.headers().contains_key(header::UPGRADE);
    match path {
        "/ws" | "/" if is_upgrade => upgrade(request, front, reached, ticket),
        "/ws" => {
            let mut response = plain(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket endpoint\n");
            response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            response
        }
        _ if path.starts_with(auth::AUTH) => auth::answer(&request, front, reached, ticket).await,
        _ if path.starts_with(CALENDAR) => calendar(&request, front, reached, ticket).await,
        _ => read(&request, front, reached),
    }
}

/// Answers a request for a calendar, `/calendar/TOKEN.ics`.
async fn calendar(request: &Request<Incoming>, front: &Front, reached: Reached, ticket: &Ticket) -> Response<Body> {
    if !is_reading(request) {
        return method_not_allowed();
    }
    let name = &request.uri().path()[CALENDAR.len()..];
    let address = feeds::Address { server: server_url(request, front, reached), fingerprint: front.fingerprint };
    let (asked, answered) =
        feeds::Request::new(name.strip_suffix(".ics").unwrap_or_default(), ticket.sources(), address);
    let answer = match front.feeds.try_send(asked) {
        Ok(()) => answered.await.ok(),
        Err(_) => None,
    };
    match answer {
        Some(feeds::Answer::Calendar(document)) => answer::calendar(request.headers(), document),
        Some(feeds::Answer::Unknown) => plain(StatusCode::NOT_FOUND, "not found\n"),
        Some(feeds::Answer::TooMany(pause)) => later(StatusCode::TOO_MANY_REQUESTS, pause),
        None => later(StatusCode::SERVICE_UNAVAILABLE, BUSY),
    }
}

/// Answers a GET or HEAD request. Hyper omits the body of an answer to HEAD.
fn read(request: &Request<Incoming>, front: &Front, reached: Reached) -> Response<Body> {
    let path = request.uri().path();
    let answer: &dyn Fn() -> Response<Body> = match path {
        "/" => &|| {
            let server = server_url(request, front, reached);
            page::door(request.headers(), &front.interface, &server, front.fingerprint, &front.context.members)
        },
        "/healthz" => &|| plain(StatusCode::OK, "ok\n"),
        _ if path.starts_with("/r/") => &|| {
            let server = server_url(request, front, reached);
            let asked = page::Asked { path, query: request.uri().query(), headers: request.headers() };
            page::room(asked, &front.interface, &server, front.fingerprint)
        },
        _ if path.starts_with("/assets/") => &|| match front.interface.find(&path["/assets/".len()..]) {
            Some((served, kept)) => answer::file(request.headers(), &served, kept),
            None => plain(StatusCode::NOT_FOUND, "not found\n"),
        },
        _ => return plain(StatusCode::NOT_FOUND, "not found\n"),
    };
    if is_reading(request) { answer() } else { method_not_allowed() }
}

fn upgrade(
    mut request: Request<Incoming>,
    front: &Arc<Front>,
    reached: Reached,
    ticket: &Arc<Ticket>,
) -> Response<Body> {
    let own = origin::Own { public: front.public_url.as_ref(), encrypted: reached.encrypted };
    if !origin::is_welcome(request.headers(), own, &front.allowed_origins) {
        return plain(StatusCode::FORBIDDEN, "this web page may not connect here\n");
    }
    if request.headers().get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version != WEBSOCKET_VERSION) {
        let mut response = plain(StatusCode::UPGRADE_REQUIRED, "only WebSocket version 13 is supported\n");
        let version = HeaderValue::from_static(WEBSOCKET_VERSION);
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, version);
        return response;
    }
    let response = match create_response_with_body(&request, Body::default) {
        Ok(response) => response,
        Err(error) => return plain(StatusCode::BAD_REQUEST, &format!("{error}\n")),
    };
    let entrance = entrance(&request, front, reached);
    let id = ConnectionId(front.next_connection.fetch_add(1, Ordering::Relaxed));
    let context = front.context.clone();
    let ticket = Arc::clone(ticket);
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgraded.await {
            Ok(io) => connection::serve(TokioIo::new(io), id, entrance, &ticket, context).await,
            Err(error) => tracing::debug!(%error, "upgrade failed"),
        }
        drop(ticket);
    });
    response
}

fn is_reading(request: &Request<Incoming>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

fn asked_host(request: &Request<Incoming>) -> Option<&str> {
    request.headers().get(header::HOST)?.to_str().ok()
}

fn host(request: &Request<Incoming>, front: &Front, reached: Reached) -> String {
    let public = front.public_url.as_ref().and_then(|url| url.host_str());
    host_for(public, asked_host(request), reached.local)
}

/// How this client reaches the server.
fn entrance(request: &Request<Incoming>, front: &Front, reached: Reached) -> Entrance {
    let asked = asked_host(request).and_then(|asked| asked.parse::<hyper::http::uri::Authority>().ok());
    let port = match (&front.public_url, asked) {
        (Some(url), _) => url.port_or_known_default(),
        // Without a port it is the scheme's default port, whatever port we listen on behind a firewall.
        (None, Some(authority)) => Some(authority.port_u16().unwrap_or(if reached.encrypted { 443 } else { 80 })),
        (None, None) => None,
    };
    Entrance { host: host(request, front, reached), port: port.unwrap_or(reached.local.port()) }
}

/// The WebSocket URL by which this client can reach the server again.
fn server_url(request: &Request<Incoming>, front: &Front, reached: Reached) -> String {
    if let Some(url) = &front.public_url {
        return url.to_string();
    }
    let scheme = if reached.encrypted { "wss" } else { "ws" };
    let host = host(request, front, reached);
    let asked = asked_host(request).and_then(|asked| asked.parse::<hyper::http::uri::Authority>().ok());
    // A Host header without a port means the scheme's default port, whatever port we listen on behind a proxy or
    // firewall.
    match asked.map(|authority| authority.port_u16()) {
        Some(Some(port)) => format!("{scheme}://{host}:{port}"),
        Some(None) => format!("{scheme}://{host}"),
        None => format!("{scheme}://{host}:{}", reached.local.port()),
    }
}
