//! One WebSocket connection: challenge, hello, then text frames in both directions until either side closes it.
//!
//! ```text
//!           challenge sent            key proved                    close, silence, failure
//! (upgraded) ────────────▶ Greeting ────────────▶ Talking (the hub) ─────────────────────▶ Ending ──▶ (closed)
//!                             │  no hello, bad hello, server stops                           ▲
//!                             └──────────────────────────────────────────────────────────────┘
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use rooms::{Bucket, Rate};
use signaling::close::{self, close_code};
use signaling::identity::{Nonce, PublicKey, encode_nonce, is_member, verify};
use signaling::limits::MAX_FRAME_BYTES;
use signaling::message::{ClientMessage, ErrorCode, Hello, ServerMessage, VERSION};
use signaling::numbering::body;
use signaling::parse;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message, Utf8Bytes};

use crate::admission::Ticket;
use crate::frames::FRAGMENT;
use crate::hub::{Caller, Command, ConnectionId, bye, error};
use crate::ice::Entrance;
use crate::line::{Budget, Charge, Line, Outgoing, Queue, Writing};
use crate::meter::{FREE, MESSAGE_TIMEOUT, Meter, Metered, READ_BYTES, Slots};

/// Longest time to send the final message and receive the other side's close frame.
const ENDING: Duration = Duration::from_secs(1);
/// Bytes read and discarded while closing. Unread data would make the system send a reset, which may overtake our final
/// message.
const ENDING_BYTES: usize = 1024 * 1024;
/// Longest time for which a socket may accept nothing. A client that reads nothing for so long is disconnected; its
/// session can be resumed.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Size of a client's control frame without its payload, in bytes.
const CONTROL_HEAD: usize = 6;
/// Rate of pings, pongs and other control frames.
const CONTROL_FRAMES: Rate = Rate::new(10.0, 50.0);
/// Buffer size of the WebSocket library for each direction, in bytes. Longer messages are split into fragments so that
/// the buffers do not grow permanently.
const BUFFER_BYTES: usize = 4 * 1024;
/// The most memory that one connection and its task use, in bytes: the buffers of both directions (the write buffer
/// grows by doubling to a fragment more), the reader's own buffer, a short unfinished message while it is reassembled,
/// and the head of the HTTP request before that.
pub(crate) const CONNECTION_BYTES: usize =
    2 * BUFFER_BYTES + 2 * (BUFFER_BYTES + FRAGMENT) + READ_BYTES + 2 * FREE + 12 * 1024;

/// What every connection shares.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) hub: mpsc::Sender<Command>,
    /// Who is a member.
    pub(crate) members: Members,
    /// True when the server stops; closed if the server was dropped.
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) hello_timeout: Duration,
    pub(crate) silence: Duration,
    /// Bytes handed to all connections that are not in their sockets yet.
    pub(crate) writing: Budget,
    /// Slots for long unfinished messages.
    pub(crate) slots: Slots,
}

/// Who is a member of the community.
#[derive(Debug, Clone)]
pub(crate) struct Members {
    /// The community's secret, if it has one.
    pub(crate) secret: Option<Arc<str>>,
    /// Whether people can sign in with an account.
    pub(crate) accounts: bool,
}

impl Members {
    /// Whether everybody who can reach the server is a member.
    pub(crate) fn is_everybody(&self) -> bool {
        self.secret.is_none() && !self.accounts
    }
}

/// Waits until the server stops or is dropped.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Drop the returned guard: it holds a lock.
    drop(stopping.wait_for(|stopping| *stopping).await);
}

/// Waits until the server is dropped without being stopped. Its hub sends no `bye` then.
async fn abandoned(mut stopping: watch::Receiver<bool>) {
    while stopping.changed().await.is_ok() {}
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The client closed it; `quit` if it also meant to end its session.
    Closed { quit: bool },
    /// The connection failed, or the close frame has been sent.
    Silent,
    /// Send an error first, then this close code.
    Error(ErrorCode, u16),
    /// Send a `bye`.
    Bye(ErrorCode),
}

impl Ending {
    fn error(code: ErrorCode) -> Ending {
        Ending::Error(code, close_code(code))
    }
}

/// Serves an upgraded connection until it ends. `entrance` is how the client reached us, for STUN and TURN.
pub(crate) async fn serve<S>(io: S, id: ConnectionId, entrance: Entrance, ticket: &Ticket, mut context: Context)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES));
    let io = Metered::new(io, context.slots.clone());
    let meter = io.meter();
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let ending = match greet(&mut socket, &meter, &mut context).await {
        Ok((key, hello, member)) => {
            let is_proved = match member {
                true => !context.members.is_everybody(),
                false => context.members.accounts && is_of_account(key, &context).await,
            };
            if is_proved {
                ticket.prove_member();
                socket.get_mut().prove_member();
            }
            let caller = Caller { key, member, sources: ticket.sources() };
            converse(&mut socket, id, &meter, (caller, hello, entrance), &context).await
        }
        Err(ending) => ending,
    };
    tracing::debug!(connection = id.0, ?ending, "connection ends");
    let _ = timeout(2 * ENDING, end(socket, ending)).await;
}

/// Whether a device belongs to an account. The hub decides again about the hello.
async fn is_of_account(key: PublicKey, context: &Context) -> bool {
    let (reply, answer) = oneshot::channel();
    context.hub.send(Command::Recognize { key, reply }).await.is_ok() && answer.await.unwrap_or(false)
}

/// Registers the connection with the hub and carries its frames until it ends.
async fn converse<S>(
    socket: &mut WebSocketStream<Metered<S>>,
    id: ConnectionId,
    meter: &Meter,
    (caller, hello, entrance): (Caller, Hello, Entrance),
    context: &Context,
) -> Ending
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (line, queue) = Line::new(Arc::clone(&context.writing));
    if context.hub.send(Command::Hello { connection: id, line, caller, hello, entrance }).await.is_err() {
        return Ending::Bye(ErrorCode::ServerStopping);
    }
    let ending = talk(socket, id, meter, queue, context).await;
    let quit = ending == Ending::Closed { quit: true };
    // If the hub has ended, there is no session to end.
    let _ = context.hub.send(Command::Closed { connection: id, quit }).await;
    ending
}

/// Sends the challenge and waits for a hello that proves the client's key.
async fn greet<S>(
    socket: &mut WebSocketStream<S>,
    meter: &Meter,
    context: &mut Context,
) -> Result<(PublicKey, Hello, bool), Ending>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut nonce: Nonce = [0; 32];
    getrandom::fill(&mut nonce).map_err(|_| Ending::error(ErrorCode::Internal))?;
    let challenge = ServerMessage::Challenge { nonce: encode_nonce(&nonce), versions: vec![VERSION] };
    let greeting = async {
        socket.send(Message::text(body(&challenge))).await.map_err(|_| Ending::Silent)?;
        let mut control = Bucket::new(CONTROL_FRAMES, Instant::now());
        loop {
            let next = socket.next().await;
            if meter.is_large() {
                return Err(Ending::Error(ErrorCode::TooLarge, close::MESSAGE_TOO_BIG));
            }
            match sort(next, meter, &mut control)? {
                Some(text) => return accept(&text, &nonce, &context.members),
                None => continue,
            }
        }
    };
    tokio::select! {
        done = timeout(context.hello_timeout, greeting) => done.unwrap_or(Err(Ending::error(ErrorCode::Timeout))),
        () = stopped(&mut context.stopping) => Err(Ending::Bye(ErrorCode::ServerStopping)),
    }
}

/// Verifies a hello. Returns the key, the hello, and whether the client is a member of the community.
fn accept(text: &str, nonce: &Nonce, members: &Members) -> Result<(PublicKey, Hello, bool), Ending> {
    let message = parse::client_message(text).map_err(|rejected| Ending::error(rejected.code))?.message;
    let ClientMessage::Hello(hello) = message else { return Err(Ending::error(ErrorCode::UnexpectedMessage)) };
    if hello.version != VERSION {
        return Err(Ending::error(ErrorCode::UnsupportedVersion));
    }
    let key = verify(&hello, nonce).map_err(Ending::error)?;
    let proof = hello.member.as_deref().unwrap_or_default();
    let proves = members.secret.as_deref().is_some_and(|secret| is_member(proof, secret, nonce, key));
    let member = proves || members.is_everybody();
    Ok((key, hello, member))
}

/// Carries frames in both directions.
async fn talk<S>(
    socket: &mut WebSocketStream<S>,
    id: ConnectionId,
    meter: &Meter,
    queue: Queue,
    context: &Context,
) -> Ending
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (sink, stream) = socket.split();
    let Queue { frames, cut, writing } = queue;
    let mut out = Out { sink, written: Vec::new(), hub: &context.hub, id };
    tokio::select! {
        // Must be polled first: when the hub cuts a connection its queue closes too, and the client must receive the
        // reason.
        biased;
        Ok(code) = cut => Ending::Bye(code),
        ending = read(stream, id, meter, context) => ending,
        ending = out.write(frames, &writing) => ending,
        () = abandoned(context.stopping.clone()) => Ending::Bye(ErrorCode::ServerStopping),
    }
}

async fn read<S>(
    mut stream: SplitStream<&mut WebSocketStream<S>>,
    id: ConnectionId,
    meter: &Meter,
    context: &Context,
) -> Ending
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut control = Bucket::new(CONTROL_FRAMES, Instant::now());
    let mut large_since = None;
    loop {
        // Pings keep a connection alive, but they must not extend the time of an unfinished message.
        large_since = meter.is_large().then(|| large_since.unwrap_or_else(Instant::now));
        if large_since.is_some_and(|since| since.elapsed() > MESSAGE_TIMEOUT) {
            return Ending::error(ErrorCode::Timeout);
        }
        let Ok(next) = timeout(context.silence, stream.next()).await else { return Ending::error(ErrorCode::Timeout) };
        let text = match sort(next, meter, &mut control) {
            Ok(Some(text)) => text,
            Ok(None) => continue,
            Err(ending) => return ending,
        };
        let command = Command::Frame { connection: id, bytes: text.len(), frame: parse::client_message(&text) };
        if context.hub.send(command).await.is_err() {
            return Ending::Bye(ErrorCode::ServerStopping);
        }
    }
}

/// The writing half of a connection.
struct Out<'a, S> {
    sink: SplitSink<&'a mut WebSocketStream<S>, Message>,
    /// The frames written since the last flush; dropping them returns their share of the window.
    written: Vec<Charge>,
    hub: &'a mpsc::Sender<Command>,
    id: ConnectionId,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Out<'_, S> {
    /// Writes what the hub hands over. Flushes once for all frames that wait.
    async fn write(&mut self, mut frames: mpsc::Receiver<Outgoing>, writing: &Writing) -> Ending {
        while let Some(first) = frames.recv().await {
            let mut next = Some(first);
            while let Some(outgoing) = next {
                let done = match outgoing {
                    Outgoing::Text(text, charge) => {
                        self.written.push(charge);
                        self.feed(text).await
                    }
                    Outgoing::Close(code) => {
                        // If this fails, the client has already stopped reading.
                        let _ = timeout(WRITE_TIMEOUT, self.sink.send(close_frame(code))).await;
                        return Ending::Silent;
                    }
                };
                if !done {
                    return Ending::Silent;
                }
                next = frames.try_recv().ok();
            }
            if !matches!(timeout(WRITE_TIMEOUT, self.sink.flush()).await, Ok(Ok(()))) {
                return Ending::Silent;
            }
            self.written.clear();
            if writing.take_wanted() && self.hub.send(Command::Written { connection: self.id }).await.is_err() {
                return Ending::Bye(ErrorCode::ServerStopping);
            }
        }
        Ending::Silent
    }

    /// Passes a message to the socket, a long one in fragments. Returns false if the socket does not accept it in time.
    async fn feed(&mut self, text: String) -> bool {
        if text.len() <= FRAGMENT {
            return matches!(timeout(WRITE_TIMEOUT, self.sink.feed(Message::text(text))).await, Ok(Ok(())));
        }
        let mut rest = Bytes::from(text);
        let mut kind = Data::Text;
        while !rest.is_empty() {
            let fragment = rest.split_to(rest.len().min(FRAGMENT));
            let frame = Frame::message(fragment, OpCode::Data(kind), rest.is_empty());
            kind = Data::Continue;
            if !matches!(timeout(WRITE_TIMEOUT, self.sink.feed(Message::Frame(frame))).await, Ok(Ok(()))) {
                return false;
            }
        }
        true
    }
}

/// Returns the text of a frame, `None` for a control frame, or how the connection ends.
fn sort(
    next: Option<Result<Message, SocketError>>,
    meter: &Meter,
    control: &mut Bucket,
) -> Result<Option<Utf8Bytes>, Ending> {
    match next {
        Some(Ok(Message::Text(text))) => {
            meter.finished();
            Ok(Some(text))
        }
        Some(Ok(Message::Ping(payload) | Message::Pong(payload))) => {
            meter.discount(payload.len() + CONTROL_HEAD);
            if control.take(Instant::now(), 1.0) { Ok(None) } else { Err(Ending::error(ErrorCode::RateLimited)) }
        }
        Some(Ok(Message::Binary(_) | Message::Frame(_))) => {
            Err(Ending::Error(ErrorCode::Malformed, close::UNSUPPORTED_DATA))
        }
        Some(Ok(Message::Close(frame))) => {
            let quit = frame.is_some_and(|frame| u16::from(frame.code) == close::NORMAL);
            Err(Ending::Closed { quit })
        }
        Some(Err(_)) if meter.is_too_much() => Err(Ending::Error(ErrorCode::TooLarge, close::MESSAGE_TOO_BIG)),
        Some(Err(SocketError::Capacity(_))) => Err(Ending::Error(ErrorCode::TooLarge, close::MESSAGE_TOO_BIG)),
        Some(Err(SocketError::Protocol(_) | SocketError::Utf8(_))) => Err(Ending::error(ErrorCode::Malformed)),
        Some(Err(_)) | None => Err(Ending::Silent),
    }
}

/// Sends the final message and closes in an order that lets it arrive.
async fn end<S>(mut socket: WebSocketStream<S>, ending: Ending)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let words = match ending {
        Ending::Closed { .. } | Ending::Silent => None,
        Ending::Error(code, close) => Some((error(code), close)),
        Ending::Bye(code @ (ErrorCode::ServerStopping | ErrorCode::TooSlow)) => {
            let retry_after_ms = Some(crate::config::DEFAULT_RETRY_MS);
            Some((ServerMessage::Bye { code, retry_after_ms }, close_code(code)))
        }
        Ending::Bye(code) => Some((bye(code), close_code(code))),
    };
    let speak = async {
        if let Some((message, code)) = words {
            socket.send(Message::text(body(&message))).await?;
            socket.send(close_frame(code)).await?;
        }
        // If the other side closed first, this sends our answer.
        socket.flush().await
    };
    let _ = timeout(ENDING, speak).await;
    drain(socket.into_inner()).await;
}

/// Shuts down our direction and reads the other to its end. Closing a socket with unread bytes resets the connection,
/// and the reset may overtake the last write.
async fn drain<S>(mut io: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let rest = async {
        if io.shutdown().await.is_err() {
            return;
        }
        let mut buffer = [0; 4096];
        let mut total = 0;
        while let Ok(read @ 1..) = io.read(&mut buffer).await {
            total += read;
            if total > ENDING_BYTES {
                return;
            }
        }
    };
    let _ = timeout(ENDING, rest).await;
}

fn close_frame(code: u16) -> Message {
    Message::Close(Some(CloseFrame { code: code.into(), reason: Utf8Bytes::from_static("") }))
}
