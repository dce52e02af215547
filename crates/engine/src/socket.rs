//! The WebSocket to the signalling server. It transports text; the session interprets it.

use crate::config::ServerAddress;
use crate::view::Problem;
use futures_util::{SinkExt, StreamExt};
use outbound::{Failed, Proxies, Proxy, ProxyError, TlsFailure};
use signaling::close::CloseInfo;
use signaling::limits::{MAX_FRAME_BYTES, MAX_UNACKNOWLEDGED};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

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

pub(crate) type Stream = WebSocketStream<Box<dyn outbound::Stream>>;

/// Connects through the proxy that the system's settings name, or directly if there is none.
pub(crate) async fn connect(server: &ServerAddress) -> Result<Stream, Problem> {
    connect_by(server, &Proxies::System).await
}

async fn connect_by(server: &ServerAddress, proxies: &Proxies) -> Result<Stream, Problem> {
    let host = bare_host(server).ok_or_else(|| problem("bad_server", "the server's address has no host"))?;
    let port = server.url.port_or_known_default().unwrap_or(443);
    let proxy = proxies.find(host, port).await.map_err(|error| proxy_problem(server, error))?;
    let (to, at) = proxy.as_ref().map_or((host, port), |proxy| (proxy.host(), proxy.port()));
    let addresses = outbound::resolve(to, at).await.map_err(|error| match proxy {
        Some(_) => proxy_problem(server, ProxyError::Unreachable),
        None => unreachable(server, &error.to_string()),
    })?;
    first_of(server, proxy, addresses).await
}

/// Without the brackets of an IPv6 address.
fn bare_host(server: &ServerAddress) -> Option<&str> {
    server.url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']'))
}

/// Races the addresses of the server, or of the proxy, up to the open WebSocket.
async fn first_of(server: &ServerAddress, proxy: Option<Proxy>, addresses: Vec<SocketAddr>) -> Result<Stream, Problem> {
    let outcome =
        outbound::first_of(addresses, |address, reached| attempt(server.clone(), proxy.clone(), address, reached));
    outcome.await.map_err(|failure| failure.unwrap_or_else(|| unreachable(server, "its name has no address")))
}

async fn attempt(
    server: ServerAddress,
    proxy: Option<Proxy>,
    address: SocketAddr,
    reached: mpsc::Sender<()>,
) -> Result<Stream, Failed<Problem>> {
    let tcp = outbound::tcp(address).await.map_err(|error| match proxy {
        Some(_) => Failed::Unreached(proxy_problem(&server, ProxyError::Unreachable)),
        None => Failed::Unreached(unreachable(&server, &error.to_string())),
    })?;
    let _ = reached.try_send(()); // it has room for each attempt
    let stream: Box<dyn outbound::Stream> = match &proxy {
        Some(proxy) => tunnel(&server, proxy, tcp).await?,
        None => Box::new(tcp),
    };
    let stream = match server.url.scheme() {
        "wss" => Box::new(encrypt(&server, stream).await?),
        "ws" => stream,
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
        other => Failed::Unreached(unreachable(&server, &other.to_string())),
    })
}

async fn tunnel(
    server: &ServerAddress,
    proxy: &Proxy,
    tcp: TcpStream,
) -> Result<Box<dyn outbound::Stream>, Failed<Problem>> {
    let (host, port) = (bare_host(server).unwrap_or_default(), server.url.port_or_known_default().unwrap_or(443));
    proxy.tunnel(tcp, host, port).await.map_err(|error| match error {
        ProxyError::Unreachable | ProxyError::NoAnswer => Failed::Unreached(proxy_problem(server, error)),
        ProxyError::InvalidAnswer | ProxyError::Authentication | ProxyError::Refused(_) | ProxyError::Unsupported => {
            Failed::Answered(proxy_problem(server, error))
        }
    })
}

async fn encrypt(
    server: &ServerAddress,
    stream: Box<dyn outbound::Stream>,
) -> Result<impl outbound::Stream + 'static + use<>, Failed<Problem>> {
    let wrong = |code: &str, text: &str| Failed::Answered(problem(code, text));
    let config = outbound::client_config(server.fingerprint).map_err(|error| wrong("tls_setup", &error.to_string()))?;
    let host = bare_host(server).unwrap_or_default();
    outbound::encrypt(config, host, stream).await.map_err(|error| match TlsFailure::of(&error) {
        _ if error.kind() == std::io::ErrorKind::InvalidInput => wrong("bad_server", &error.to_string()),
        TlsFailure::WrongCertificate => wrong(
            "wrong_certificate",
            "the server's certificate is not the one that the link names: ask for a new link, and do not continue if \
             nobody can explain why",
        ),
        TlsFailure::Certificate => wrong(
            "certificate_refused",
            &format!(
                "the certificate of {host} is not trusted ({error}); a server on a local network needs a link with fp"
            ),
        ),
        TlsFailure::NoTls => stranger(server, &error),
        TlsFailure::Broken => Failed::Unreached(unreachable(server, &error.to_string())),
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

/// The code says what to do, in the words of the interface.
fn proxy_problem(server: &ServerAddress, error: ProxyError) -> Problem {
    problem(error.code(), &format!("no connection to {}: {error}", server.url))
}

fn stranger(server: &ServerAddress, answer: &dyn std::fmt::Display) -> Failed<Problem> {
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
    use std::time::Instant;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
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
        first_of(&server("ws"), None, vec![dead.address, living]).await.expect("the second answers");
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(2), "{took:?}");
    }

    #[tokio::test]
    async fn a_silent_address_is_skipped() {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let living = answering("127.0.0.2:0").await;
        let addresses = vec![silent.local_addr().expect("it is bound"), living];
        first_of(&server("ws"), None, addresses).await.expect("the second answers");
    }

    #[tokio::test]
    async fn when_every_address_fails_the_first_reason_is_given() {
        let gone = testkit::loopback::address();
        let failed = first_of(&server("ws"), None, vec![gone, gone]).await.err().expect("nobody is there");
        assert_eq!(failed.code, "server_unreachable");
        let failed = first_of(&server("ws"), None, Vec::new()).await.err().expect("there is nothing");
        assert_eq!(failed.code, "server_unreachable");
    }

    #[tokio::test]
    async fn a_server_without_tls_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            tokio::time::sleep(Duration::from_secs(5)).await;
        });
        let failed =
            first_of(&ServerAddress { fingerprint: Some([0; 32]), ..server("wss") }, None, vec![address]).await;
        assert_eq!(failed.err().expect("it does not speak TLS").code, "not_a_lunchroom_server");
    }

    /// A proxy on loopback that answers CONNECT like this, and then connects to `to`. Returns it and what it received.
    async fn proxy(answer: &'static [u8], to: Option<SocketAddr>) -> (Proxy, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let proxy = Proxy::new("127.0.0.1", listener.local_addr().expect("it is bound").port());
        let (requests, received) = mpsc::channel(4);
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.is_ok_and(|n| n > 0) {}
            let _ = requests.send(String::from_utf8_lossy(&request).into_owned()).await;
            stream.write_all(answer).await.expect("it is read");
            if let Some(to) = to {
                let mut server = TcpStream::connect(to).await.expect("a server");
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
            }
        });
        (proxy, received)
    }

    #[tokio::test]
    async fn a_websocket_opens_through_a_proxy_that_resolves_the_name_itself() {
        let living = answering("127.0.0.2:0").await;
        let (proxy, mut received) = proxy(b"HTTP/1.1 200 OK\r\n\r\n", Some(living)).await;
        let proxies = Proxies::One(proxy.with_password("ada", "secret"));
        connect_by(&server("ws"), &proxies).await.expect("it opens");
        let request = received.recv().await.expect("a request");
        assert!(request.starts_with("CONNECT kitchen.local:80 HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("Proxy-Authorization: Basic YWRhOnNlY3JldA==\r\n"), "{request}");
    }

    #[tokio::test]
    async fn what_a_proxy_refuses_has_its_own_code_and_no_password_in_its_words() {
        let cases: [(&[u8], &str); 3] = [
            (b"HTTP/1.1 407 Authenticate\r\n\r\n", "proxy_authentication"),
            (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "proxy_refused"),
            (b"\0\x01rubbish\r\n\r\n", "proxy_invalid_answer"),
        ];
        for (answer, code) in cases {
            let (proxy, _received) = proxy(answer, None).await;
            let failed = connect_by(&server("wss"), &Proxies::One(proxy.with_password("ada", "secret"))).await;
            let failed = failed.err().expect("there is no tunnel");
            assert_eq!(failed.code, code);
            assert!(!failed.message.contains("secret") && !failed.message.contains("YWRh"), "{}", failed.message);
        }
        let gone = testkit::loopback::address();
        let failed = connect_by(&server("ws"), &Proxies::One(Proxy::new(gone.ip().to_string(), gone.port()))).await;
        assert_eq!(failed.err().expect("nobody is there").code, "proxy_unreachable");
    }
}
