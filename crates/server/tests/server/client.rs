//! Two clients: one that sends exactly what a test wants, and one driven by the app's session.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use signaling::board::{BoardNews, BoardRequest};
use signaling::close::CloseInfo;
use signaling::identity::{DeviceKey, decode_nonce, member_proof};
use signaling::message::{
    ClientMessage, Envelope, ErrorCode, Hello, MediaState, ParticipantId, Resume, ServerMessage, VERSION, Welcome,
};
use signaling::numbering::{body, frame};
use signaling::session::{Session, SessionConfig, SessionEvent, SessionOutput};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Longest time for anything in these tests. Only a fault takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn key(seed: u8) -> DeviceKey {
    DeviceKey::from_secret(&[seed; 32])
}

/// The key for a seed, for more people than one byte can count.
fn key_of(seed: &[u8]) -> DeviceKey {
    let mut secret = [0xa5; 32];
    secret[..seed.len()].copy_from_slice(seed);
    DeviceKey::from_secret(&secret)
}

pub(crate) fn join(room: &str) -> ClientMessage {
    ClientMessage::Join { room: room.into(), media: MediaState::default(), invite: None, nonce: None }
}

pub(crate) fn candidate(to: &ParticipantId, text: impl Into<String>) -> ClientMessage {
    let candidate = signaling::message::IceCandidate { candidate: text.into(), ..Default::default() };
    ClientMessage::Candidate { to: to.clone(), candidate }
}

/// A client that does nothing automatically.
pub(crate) struct Raw<S = TcpStream> {
    pub(crate) socket: WebSocketStream<S>,
    pub(crate) key: DeviceKey,
    nonce: [u8; 32],
    sent: u64,
    received: u64,
}

/// How a connection ended: the messages before it and the close code.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) messages: Vec<ServerMessage>,
    pub(crate) code: Option<u16>,
}

impl Raw {
    /// Connects and reads the challenge.
    pub(crate) async fn connect(addr: SocketAddr, seed: u8) -> Raw {
        let stream = TcpStream::connect(addr).await.expect("connects");
        stream.set_nodelay(true).expect("no delay");
        Raw::over(stream, &format!("ws://{addr}/ws"), seed).await
    }

    /// Connects with a key from a longer seed.
    pub(crate) async fn connect_with(addr: SocketAddr, seed: &[u8]) -> Raw {
        Raw { key: key_of(seed), ..Raw::connect(addr, 0).await }
    }

    /// Connects, says hello, and joins a room.
    pub(crate) async fn joined(addr: SocketAddr, seed: u8, room: &str) -> (Raw, ParticipantId) {
        Raw::connect(addr, seed).await.join_room(room).await
    }

    /// Connects with a key from a longer seed, says hello, and joins a room.
    pub(crate) async fn joined_with(addr: SocketAddr, seed: &[u8], room: &str) -> (Raw, ParticipantId) {
        Raw::connect_with(addr, seed).await.join_room(room).await
    }

    async fn join_room(self, room: &str) -> (Raw, ParticipantId) {
        let mut raw = self;
        raw.hello().await;
        raw.say(join(room)).await;
        raw.welcome().await;
        match raw.next().await {
            ServerMessage::Joined { you, .. } => (raw, you),
            other => panic!("{other:?}"),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(crate) async fn over(stream: S, url: &str, seed: u8) -> Raw<S> {
        let (socket, _) = client_async(url, stream).await.expect("upgrades");
        let mut raw = Raw { socket, key: key(seed), nonce: [0; 32], sent: 0, received: 0 };
        match raw.next().await {
            ServerMessage::Challenge { nonce, versions } => {
                assert_eq!(versions, [VERSION]);
                raw.nonce = decode_nonce(&nonce).expect("a nonce");
            }
            other => panic!("{other:?}"),
        }
        raw
    }

    pub(crate) fn make_hello(&self) -> Hello {
        Hello {
            version: VERSION,
            key: self.key.public().to_string(),
            signature: self.key.sign(&self.nonce, VERSION),
            name: "Ada".into(),
            client: "test".into(),
            member: None,
            features: Vec::new(),
            resume: None,
        }
    }

    pub(crate) async fn hello(&mut self) {
        let hello = self.make_hello();
        self.send_text(body(&ClientMessage::Hello(hello))).await;
    }

    /// A hello that proves a member secret.
    pub(crate) fn member_hello(&self, secret: &str) -> Hello {
        let member = Some(member_proof(secret, &self.nonce, self.key.public()));
        Hello { member, ..self.make_hello() }
    }

    /// Sends a hello that proves a member secret.
    pub(crate) async fn hello_with(&mut self, secret: &str) {
        let hello = self.member_hello(secret);
        self.send_text(body(&ClientMessage::Hello(hello))).await;
    }

    pub(crate) async fn resume(&mut self, resume: Resume) {
        let hello = Hello { resume: Some(resume), ..self.make_hello() };
        self.send_text(body(&ClientMessage::Hello(hello))).await;
    }

    pub(crate) async fn welcome(&mut self) -> Welcome {
        match self.next().await {
            ServerMessage::Welcome(welcome) => welcome,
            other => panic!("{other:?}"),
        }
    }

    /// Sends a request to the board. Returns the number that its answer refers to.
    pub(crate) async fn ask(&mut self, request: BoardRequest) -> u64 {
        self.say(ClientMessage::Board(request)).await;
        self.sent
    }

    /// Sends a request to the board and waits for the answer.
    pub(crate) async fn asked(&mut self, request: BoardRequest) -> Result<Vec<BoardNews>, ErrorCode> {
        let seq = self.ask(request).await;
        let mut news = Vec::new();
        loop {
            match self.next().await {
                ServerMessage::Board(BoardNews::Done { about }) if about == seq => return Ok(news),
                ServerMessage::Error(error) if error.about == Some(seq) => return Err(error.code),
                ServerMessage::Board(other) => news.push(other),
                _ => {}
            }
        }
    }

    /// Sends a message in an envelope.
    pub(crate) async fn say(&mut self, message: ClientMessage) {
        self.sent += 1;
        let text = frame(self.sent, self.received, &body(&message));
        self.send_text(text).await;
    }

    pub(crate) async fn send_text(&mut self, text: String) {
        self.socket.send(Message::text(text)).await.expect("sent");
    }

    pub(crate) async fn next(&mut self) -> ServerMessage {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("in time") {
                Some(Ok(Message::Text(text))) => return self.take(&text),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no message: {other:?}"),
            }
        }
    }

    /// The next message other than a bare acknowledgement.
    pub(crate) async fn receive(&mut self) -> ServerMessage {
        loop {
            match self.next().await {
                ServerMessage::Ack => {}
                message => return message,
            }
        }
    }

    /// Reads until the connection ends.
    pub(crate) async fn end(&mut self) -> End {
        let mut messages = Vec::new();
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("in time") {
                Some(Ok(Message::Text(text))) => messages.push(self.take(&text)),
                Some(Ok(Message::Close(frame))) => return End { messages, code: frame.map(|frame| frame.code.into()) },
                Some(Ok(_)) => {}
                Some(Err(Error::Protocol(_) | Error::Io(_) | Error::ConnectionClosed)) | None => {
                    return End { messages, code: None };
                }
                Some(Err(other)) => panic!("{other}"),
            }
        }
    }

    fn take(&mut self, text: &str) -> ServerMessage {
        let value: Value = serde_json::from_str(text).expect("JSON");
        let envelope: Envelope<ServerMessage> = serde_json::from_value(value).expect("a message");
        if envelope.seq > 0 {
            assert_eq!(envelope.seq, self.received + 1, "no gap and nothing twice");
            self.received = envelope.seq;
        }
        envelope.message
    }
}

impl End {
    /// The code of the last error or bye.
    pub(crate) fn error(&self) -> Option<ErrorCode> {
        match self.messages.last() {
            Some(ServerMessage::Error(error)) => Some(error.code),
            Some(ServerMessage::Bye { code, .. }) => Some(*code),
            _ => None,
        }
    }
}

/// The app's session over a real socket.
pub(crate) struct App {
    addr: SocketAddr,
    session: Session,
    socket: Option<WebSocketStream<TcpStream>>,
}

impl App {
    pub(crate) fn new(addr: SocketAddr, seed: u8, name: &str) -> App {
        let config = SessionConfig {
            key: key(seed),
            features: Vec::new(),
            name: name.into(),
            client: "test".into(),
            member: None,
            seed: u64::from(seed),
        };
        App { addr, session: Session::new(config, Instant::now()).expect("a name"), socket: None }
    }

    pub(crate) fn go_to(&mut self, addr: SocketAddr) {
        self.addr = addr;
    }

    pub(crate) fn send(&mut self, message: ClientMessage) {
        self.session.send(Instant::now(), message).expect("room in the queue");
    }

    /// Drops the socket and whatever is in its buffers.
    pub(crate) fn cut(&mut self) {
        if let Some(socket) = self.socket.take() {
            // Closed with a reset, so nothing in a buffer arrives.
            let _ = socket.get_ref().set_zero_linger();
        }
        self.session.handle_closed(Instant::now(), CloseInfo::default());
    }

    /// The next message of the room, through any number of reconnections.
    pub(crate) async fn message(&mut self) -> ServerMessage {
        loop {
            if let SessionEvent::Message(message) = self.event().await {
                return message;
            }
        }
    }

    pub(crate) async fn joined(&mut self) -> ParticipantId {
        loop {
            if let ServerMessage::Joined { you, .. } = self.message().await {
                return you;
            }
        }
    }

    pub(crate) async fn event(&mut self) -> SessionEvent {
        timeout(PATIENCE, self.run()).await.expect("in time")
    }

    /// Drives the session until it has an event for the app.
    pub(crate) async fn run(&mut self) -> SessionEvent {
        loop {
            while let Some(output) = self.session.poll_output() {
                match output {
                    SessionOutput::Connect => self.open().await,
                    SessionOutput::SendText(text) => self.write(text).await,
                    SessionOutput::CloseSocket { .. } => self.socket = None,
                    SessionOutput::Event(event) => return event,
                }
            }
            let until = self.session.poll_timeout().expect("never idle");
            let Some(socket) = &mut self.socket else {
                tokio::time::sleep_until(until.into()).await;
                self.session.handle_timeout(Instant::now());
                continue;
            };
            match tokio::time::timeout_at(until.into(), socket.next()).await {
                Err(_) => self.session.handle_timeout(Instant::now()),
                Ok(Some(Ok(Message::Text(text)))) => self.session.handle_text(Instant::now(), &text),
                Ok(Some(Ok(Message::Close(frame)))) => {
                    self.socket = None;
                    let code = frame.map(|frame| frame.code.into());
                    self.session.handle_closed(Instant::now(), CloseInfo { code, reason: String::new() });
                }
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(_)) | None) => self.cut(),
            }
        }
    }

    async fn open(&mut self) {
        let opened = async {
            let stream = TcpStream::connect(self.addr).await.ok()?;
            client_async(format!("ws://{}/", self.addr), stream).await.ok()
        };
        match opened.await {
            Some((socket, _)) => {
                self.socket = Some(socket);
                self.session.handle_opened(Instant::now());
            }
            None => self.session.handle_closed(Instant::now(), CloseInfo::default()),
        }
    }

    async fn write(&mut self, text: String) {
        let Some(socket) = &mut self.socket else { return };
        if socket.send(Message::text(text)).await.is_err() {
            self.cut();
        }
    }
}
