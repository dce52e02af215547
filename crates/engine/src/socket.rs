//! The WebSocket to the signalling server. It transports text; the session interprets it.

use crate::config::ServerAddress;
use crate::race::Race;
use crate::tls::{self, Refusal};
use crate::view::Problem;
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use signaling::close::CloseInfo;
use signaling::host::relative;
use signaling::limits::{MAX_FRAME_BYTES, MAX_UNACKNOWLEDGED};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Host;

/// Messages on their way into a socket: a full replay, and as many again. When full, the socket counts as broken, and
/// the session sends the unacknowledged messages again on the next socket.
const QUEUE: usize = 2 * MAX_UNACKNOWLEDGED;
/// How long a connection attempt may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An event of a socket. Events carry the number of their socket, so that those of a replaced socket can be ignored.
#[derive(Debug)]
pub(crate) enum SocketEvent {
    Opened,
    Text(String),
    /// The socket closed, or never opened. In the second case there is a problem to show.
    Closed(CloseInfo, Option<Problem>),
}

/// A socket. Dropping it abandons the connection without a close frame, as a broken cable would.
pub(crate) struct Socket {
    pub(crate) number: u64,
    commands: mpsc::Sender<SocketCommand>,
}

/// A command to a socket's task.
enum SocketCommand {
    Send(String),
    Close(u16),
}

impl Socket {
    /// Starts connecting in the background.
    pub(crate) fn open(number: u64, server: ServerAddress, events: mpsc::Sender<(u64, SocketEvent)>) -> Self {
        let (commands, inbox) = mpsc::channel(QUEUE);
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
        Self { number, commands }
    }

    /// Queues a message. Returns false if the socket is gone or its queue is full.
    pub(crate) fn send(&self, text: String) -> bool {
        self.commands.try_send(SocketCommand::Send(text)).is_ok()
    }

    /// Sends a close frame with this code and closes the socket.
    pub(crate) fn close(self, code: u16) {
        let _ = self.commands.try_send(SocketCommand::Close(code)); // a full queue: the socket is abandoned
    }
}

type Stream = WebSocketStream<Box<dyn Transport>>;

/// A plain or encrypted stream, as one type.
trait Transport: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Transport for T {}

async fn connect(server: &ServerAddress) -> Result<Stream, Problem> {
    let port = server.url.port_or_known_default().unwrap_or(443);
    let addresses = match server.url.host() {
        Some(Host::Ipv4(ip)) => vec![SocketAddr::new(ip.into(), port)],
        Some(Host::Ipv6(ip)) => vec![SocketAddr::new(ip.into(), port)],
        Some(Host::Domain(name)) => {
            let found = tokio::net::lookup_host((name, port)).await;
            found.map_err(|error| unreachable(server, &error.to_string()))?.collect()
        }
        None => return Err(problem("bad_server", "the server's address has no host")),
    };
    first_of(server, addresses).await
}

/// Races the addresses of a server. An address where something else answers ends the race with an error, because the
/// name leads there.
async fn first_of(server: &ServerAddress, addresses: Vec<SocketAddr>) -> Result<Stream, Problem> {
    let (reached, mut news) = mpsc::channel(addresses.len().max(1));
    let mut race = Race::new(addresses, Instant::now());
    let mut attempts = JoinSet::new();
    let mut failure = None;
    loop {
        if let Some(address) = race.begin(Instant::now()) {
            attempts.spawn(attempt(server.clone(), address, reached.clone()));
        } else if attempts.is_empty() && race.wakes().is_none() {
            return Err(failure.unwrap_or_else(|| unreachable(server, "its name has no address")));
        }
        let turn = race.wakes();
        tokio::select! {
            () = until(turn) => {}
            Some(()) = news.recv() => race.reached(Instant::now()),
            Some(done) = attempts.join_next() => match done {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(Failed::Answered(problem))) => return Err(problem),
                Ok(Err(Failed::Unreached(problem))) => {
                    failure.get_or_insert(problem);
                    race.failed(Instant::now());
                }
                Err(_) => race.failed(Instant::now()), // a panic: no attempt is aborted during the race
            },
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Why an attempt failed.
#[derive(Debug)]
enum Failed {
    /// The address cannot be reached, or the connection broke.
    Unreached(Problem),
    /// Something answered, but not the server that we look for.
    Answered(Problem),
}

async fn attempt(server: ServerAddress, address: SocketAddr, reached: mpsc::Sender<()>) -> Result<Stream, Failed> {
    let broken = |why: &dyn std::fmt::Display| Failed::Unreached(unreachable(&server, &why.to_string()));
    let tcp = TcpStream::connect(address).await.map_err(|error| broken(&error))?;
    let _ = reached.try_send(()); // it has room for each attempt
    let _ = tcp.set_nodelay(true); // without it, messages are only slower
    let stream: Box<dyn Transport> = match server.url.scheme() {
        "wss" => Box::new(encrypt(&server, tcp).await?),
        "ws" => Box::new(tcp),
        other => {
            let text = format!("{other}:// is not a server address: use ws:// or wss://");
            return Err(Failed::Answered(problem("bad_server", &text)));
        }
    };
    let config =
        WebSocketConfig::default().max_message_size(Some(MAX_FRAME_BYTES)).max_frame_size(Some(MAX_FRAME_BYTES));
    let opened = client_async_with_config(server.url.as_str(), stream, Some(config)).await;
    opened.map(|(stream, _)| stream).map_err(|error| match error {
        tungstenite::Error::Http(answer) => stranger(&server, &answer.status()),
        other => broken(&other),
    })
}

async fn encrypt(server: &ServerAddress, tcp: TcpStream) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Failed> {
    let wrong = |code: &str, text: &str| Failed::Answered(problem(code, text));
    let config = tls::client_config(server.fingerprint).map_err(|error| wrong("tls_setup", &error.to_string()))?;
    let host = server.url.host_str().unwrap_or_default();
    let bare = relative(host.trim_start_matches('[').trim_end_matches(']')).to_owned();
    let name = ServerName::try_from(bare).map_err(|error| wrong("bad_server", &error.to_string()))?;
    TlsConnector::from(config).connect(name, tcp).await.map_err(|error| match Refusal::of(&error) {
        Refusal::WrongCertificate => wrong(
            "wrong_certificate",
            "the server's certificate is not the one that the link names: ask for a new link, and do not continue if \
             nobody can explain why",
        ),
        Refusal::Certificate => wrong(
            "certificate_refused",
            &format!(
                "the certificate of {host} is not trusted ({error}); a server on a local network needs a link with fp"
            ),
        ),
        Refusal::NoTls => stranger(server, &error),
        Refusal::Broken => Failed::Unreached(unreachable(server, &error.to_string())),
    })
}

async fn run(
    number: u64,
    mut stream: Stream,
    mut inbox: mpsc::Receiver<SocketCommand>,
    events: &mpsc::Sender<(u64, SocketEvent)>,
) -> CloseInfo {
    if events.send((number, SocketEvent::Opened)).await.is_err() {
        return CloseInfo::default();
    }
    loop {
        tokio::select! {
            command = inbox.recv() => match command {
                Some(command) => match write(&mut stream, command, &mut inbox).await {
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

/// Writes all waiting messages in one flush: hello and join, or an offer and its candidates. Returns false after a
/// close.
async fn write(
    stream: &mut Stream,
    first: SocketCommand,
    inbox: &mut mpsc::Receiver<SocketCommand>,
) -> Result<bool, tungstenite::Error> {
    let mut next = Some(first);
    while let Some(command) = next {
        match command {
            SocketCommand::Send(text) => stream.feed(Message::text(text)).await?,
            SocketCommand::Close(code) => {
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

fn stranger(server: &ServerAddress, answer: &dyn std::fmt::Display) -> Failed {
    let host = server.url.host_str().unwrap_or_default();
    let text = format!("{host} answers, but is not a Lunchroom server ({answer})");
    Failed::Answered(problem("not_a_lunchroom_server", &text))
}

fn problem(code: &str, message: &str) -> Problem {
    Problem { code: code.into(), message: message.into(), device: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpSocket};

    fn server(scheme: &str) -> ServerAddress {
        ServerAddress { url: format!("{scheme}://kitchen.local").parse().expect("an address"), fingerprint: None }
    }

    /// A server that only accepts WebSockets.
    async fn answering(at: &str) -> SocketAddr {
        let listener = TcpListener::bind(at).await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut opened = tokio_tungstenite::accept_async(stream).await.expect("a WebSocket");
                    while opened.next().await.is_some() {}
                });
            }
        });
        address
    }

    /// An address that does not answer SYNs: a listener whose backlog is full.
    struct Blackhole {
        address: SocketAddr,
        _listener: TcpListener,
        _queued: Vec<TcpStream>,
    }

    impl Blackhole {
        async fn new() -> Blackhole {
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
            let listener = socket.listen(0).expect("it listens");
            let address = listener.local_addr().expect("it is bound");
            let mut queued = Vec::new();
            while let Ok(Ok(stream)) =
                tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
            {
                queued.push(stream);
                assert!(queued.len() < 16, "a backlog of 0 accepts every connection");
            }
            Blackhole { address, _listener: listener, _queued: queued }
        }
    }

    #[tokio::test]
    async fn a_dead_first_address_does_not_block_the_second() {
        let dead = Blackhole::new().await;
        let living = answering("127.0.0.2:0").await;
        let start = Instant::now();
        first_of(&server("ws"), vec![dead.address, living]).await.expect("the second answers");
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(2), "{took:?}");
    }

    #[tokio::test]
    async fn a_silent_address_is_skipped() {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let living = answering("127.0.0.2:0").await;
        let addresses = vec![silent.local_addr().expect("it is bound"), living];
        first_of(&server("ws"), addresses).await.expect("the second answers");
    }

    #[tokio::test]
    async fn when_every_address_fails_the_first_reason_is_given() {
        let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("it is bound");
        let failed = first_of(&server("ws"), vec![gone, gone]).await.err().expect("nobody is there");
        assert_eq!(failed.code, "server_unreachable");
        let failed = first_of(&server("ws"), Vec::new()).await.err().expect("there is nothing");
        assert_eq!(failed.code, "server_unreachable");
    }

    #[tokio::test]
    async fn a_server_without_tls_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            tokio::time::sleep(Duration::from_secs(5)).await;
        });
        let failed = first_of(&ServerAddress { fingerprint: Some([0; 32]), ..server("wss") }, vec![address]).await;
        assert_eq!(failed.err().expect("it does not speak TLS").code, "not_a_lunchroom_server");
    }
}
