//! The WebSocket to the signalling server: bytes only, the session decides.

use crate::config::ServerAddress;
use crate::tls;
use crate::view::Problem;
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use signaling::close::CloseInfo;
use signaling::limits::{MAX_FRAME_BYTES, MAX_UNACKNOWLEDGED};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Messages on their way into a socket: a whole replay and as much again. When full the socket counts as broken, and the
/// session, which keeps what is not acknowledged, says it again on the next one.
const QUEUE: usize = 2 * MAX_UNACKNOWLEDGED;
/// A server that has not answered by then is tried again.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a socket tells; each event bears the number of its socket, so that a replaced one is not mistaken for its heir.
#[derive(Debug)]
pub(crate) enum SocketEvent {
    Opened,
    Text(String),
    /// It ended, or never opened; in that case there is a problem that people should see.
    Closed(CloseInfo, Option<Problem>),
}

/// A socket; dropping it abandons the connection without a word, as a broken cable would.
pub(crate) struct Socket {
    pub(crate) number: u64,
    orders: mpsc::Sender<Order>,
}

enum Order {
    Say(String),
    Close(u16),
}

impl Socket {
    /// Connects in the background.
    pub(crate) fn open(number: u64, server: ServerAddress, events: mpsc::Sender<(u64, SocketEvent)>) -> Self {
        let (orders, inbox) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let (info, problem) = match tokio::time::timeout(PATIENCE, connect(&server)).await {
                Ok(Ok(stream)) => (run(number, stream, inbox, &events).await, None),
                Ok(Err(problem)) => (CloseInfo { code: None, reason: problem.message.clone() }, Some(problem)),
                Err(_) => {
                    let problem = unreachable(&server, "it does not answer");
                    (CloseInfo { code: None, reason: problem.message.clone() }, Some(problem))
                }
            };
            let _ = events.send((number, SocketEvent::Closed(info, problem))).await; // the engine may be gone
        });
        Self { number, orders }
    }

    /// Hands a message over; false if the socket is gone or does not get rid of what it has.
    pub(crate) fn send(&self, text: String) -> bool {
        self.orders.try_send(Order::Say(text)).is_ok()
    }

    /// Says goodbye with a close code and closes.
    pub(crate) fn close(self, code: u16) {
        let _ = self.orders.try_send(Order::Close(code)); // a full one is abandoned
    }
}

type Stream<S> = WebSocketStream<S>;

/// Plain or encrypted, one type.
trait Transport: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Transport for T {}

async fn connect(server: &ServerAddress) -> Result<Stream<Box<dyn Transport>>, Problem> {
    let host = server.url.host_str().ok_or_else(|| problem("bad_server", "the server's address has no host"))?;
    let port = server.url.port_or_known_default().unwrap_or(443);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let tcp = TcpStream::connect((bare, port)).await.map_err(|error| unreachable(server, &error.to_string()))?;
    let _ = tcp.set_nodelay(true); // it works without, later
    let stream: Box<dyn Transport> = match server.url.scheme() {
        "wss" => Box::new(encrypt(server, bare, tcp).await?),
        "ws" => Box::new(tcp),
        other => {
            return Err(problem("bad_server", &format!("{other}:// is no address of a server: use ws:// or wss://")));
        }
    };
    let config =
        WebSocketConfig::default().max_message_size(Some(MAX_FRAME_BYTES)).max_frame_size(Some(MAX_FRAME_BYTES));
    let opened = client_async_with_config(server.url.as_str(), stream, Some(config)).await;
    opened.map(|(stream, _)| stream).map_err(|error| match error {
        tungstenite::Error::Http(answer) => {
            let status = answer.status();
            problem("not_a_lunchroom_server", &format!("{host} answers, but not as a Lunchroom server ({status})"))
        }
        other => unreachable(server, &other.to_string()),
    })
}

async fn encrypt(
    server: &ServerAddress,
    host: &str,
    tcp: TcpStream,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Problem> {
    let config = tls::client_config(server.fingerprint).map_err(|error| problem("tls_setup", &error.to_string()))?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| problem("bad_server", &error.to_string()))?;
    TlsConnector::from(config).connect(name, tcp).await.map_err(|error| {
        let words = error.to_string();
        if words.contains(tls::WRONG_CERTIFICATE) {
            problem(
                "wrong_certificate",
                &format!("{}: ask for a new link, and do not go on if nobody knows why", tls::WRONG_CERTIFICATE),
            )
        } else {
            problem(
                "certificate_refused",
                &format!("{host} cannot prove who it is ({words}); a server on a local network needs a link with fp"),
            )
        }
    })
}

async fn run(
    number: u64,
    mut stream: Stream<Box<dyn Transport>>,
    mut inbox: mpsc::Receiver<Order>,
    events: &mpsc::Sender<(u64, SocketEvent)>,
) -> CloseInfo {
    if events.send((number, SocketEvent::Opened)).await.is_err() {
        return CloseInfo::default();
    }
    loop {
        tokio::select! {
            order = inbox.recv() => match order {
                Some(order) => match obey(&mut stream, order, &mut inbox).await {
                    Ok(true) => {}
                    Ok(false) => return CloseInfo::default(),
                    Err(error) => return CloseInfo { code: None, reason: error.to_string() },
                },
                None => return CloseInfo::default(),
            },
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    if events.send((number, SocketEvent::Text(text.as_str().to_owned()))).await.is_err() {
                        return CloseInfo::default();
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    let frame = frame.map(|f| (u16::from(f.code), f.reason.as_str().to_owned()));
                    let (code, reason) = frame.map_or((None, String::new()), |(c, r)| (Some(c), r));
                    return CloseInfo { code, reason };
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return CloseInfo { code: None, reason: error.to_string() },
                None => return CloseInfo::default(),
            },
        }
    }
}

/// What is ready leaves in one flight: hello and join, an offer and its candidates. False when it closed.
async fn obey(
    stream: &mut Stream<Box<dyn Transport>>,
    first: Order,
    inbox: &mut mpsc::Receiver<Order>,
) -> Result<bool, tungstenite::Error> {
    let mut next = Some(first);
    while let Some(order) = next {
        match order {
            Order::Say(text) => stream.feed(Message::text(text)).await?,
            Order::Close(code) => {
                let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
                let _ = tokio::time::timeout(Duration::from_secs(1), stream.close(Some(frame))).await;
                return Ok(false);
            }
        }
        next = inbox.try_recv().ok();
    }
    stream.flush().await?;
    Ok(true)
}

fn unreachable(server: &ServerAddress, why: &str) -> Problem {
    let text = format!("{} cannot be reached: {why}. Check the address and the network", server.url);
    problem("server_unreachable", &text)
}

fn problem(code: &str, message: &str) -> Problem {
    Problem { code: code.into(), message: message.into(), device: None }
}
