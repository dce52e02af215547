//! A signalling session alone, without calls, devices or threads, for programs that need thousands of them.

use crate::config::ServerAddress;
use crate::socket::{Stream, connect};
use crate::view::Problem;
use futures_util::{FutureExt, SinkExt, StreamExt};
use signaling::close::CloseInfo;
use signaling::limits::HANDSHAKE_TIMEOUT;
use signaling::message::ClientMessage;
use signaling::session::{SendError, Session, SessionConfig, SessionEvent, SessionOutput};
use signaling::text::NameError;
use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio_tungstenite::tungstenite::{self, Message};

/// A session with its socket. [`Line::next`] drives both; between its calls nothing happens.
pub struct Line {
    server: ServerAddress,
    session: Session,
    socket: LineSocket,
    /// Messages that the socket has not taken. Bounded by what the session keeps until it is acknowledged.
    unsent: VecDeque<String>,
}

/// The socket of a [`Line`].
enum LineSocket {
    Closed,
    Opening(Pin<Box<dyn Future<Output = Result<Stream, Problem>> + Send>>),
    Open(Box<Stream>),
}

/// What happened to the socket.
enum SocketInput {
    Opened(Box<Stream>),
    Text(String),
    Closed(CloseInfo),
}

impl Line {
    /// Begins a session. It connects in [`Line::next`].
    ///
    /// # Errors
    /// [`NameError`]: the name has no visible character.
    pub fn new(server: ServerAddress, config: SessionConfig) -> Result<Line, NameError> {
        let session = Session::new(config, Instant::now())?;
        Ok(Line { server, session, socket: LineSocket::Closed, unsent: VecDeque::new() })
    }

    /// Sends a message in the next call of [`Line::next`].
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send(&mut self, message: ClientMessage) -> Result<(), SendError> {
        self.session.send(Instant::now(), message)
    }

    /// Returns the next event. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> SessionEvent {
        loop {
            if let Some(event) = self.perform() {
                return event;
            }
            let timeout = self.session.poll_timeout();
            tokio::select! {
                input = self.socket.input(&mut self.unsent) => self.handle(input),
                () = sleep_until(timeout) => self.session.handle_timeout(Instant::now()),
            }
        }
    }

    /// Performs the session's outputs up to the next event.
    fn perform(&mut self) -> Option<SessionEvent> {
        while let Some(output) = self.session.poll_output() {
            match output {
                SessionOutput::Connect => {
                    let server = self.server.clone();
                    self.replace_socket(LineSocket::Opening(Box::pin(async move { open(&server).await })));
                }
                SessionOutput::SendText(text) => self.unsent.push_back(text),
                SessionOutput::CloseSocket { .. } => self.replace_socket(LineSocket::Closed),
                SessionOutput::Event(event) => return Some(event),
            }
        }
        None
    }

    fn replace_socket(&mut self, socket: LineSocket) {
        self.socket = socket;
        self.unsent.clear();
    }

    fn handle(&mut self, input: SocketInput) {
        let now = Instant::now();
        match input {
            SocketInput::Opened(stream) => {
                self.socket = LineSocket::Open(stream);
                self.session.handle_opened(now);
            }
            SocketInput::Text(text) => self.session.handle_text(now, &text),
            SocketInput::Closed(info) => {
                self.replace_socket(LineSocket::Closed);
                self.session.handle_closed(now, info);
            }
        }
    }
}

impl LineSocket {
    /// Writes what is unsent, and returns the next input.
    async fn input(&mut self, unsent: &mut VecDeque<String>) -> SocketInput {
        match self {
            LineSocket::Closed => pending().await,
            LineSocket::Opening(opening) => match opening.as_mut().await {
                Ok(stream) => SocketInput::Opened(Box::new(stream)),
                Err(problem) => SocketInput::Closed(CloseInfo { code: None, reason: problem.message }),
            },
            LineSocket::Open(stream) => poll_fn(|context| exchange(stream, unsent, context)).await,
        }
    }
}

/// Writes as much as the stream takes, then reads.
fn exchange(stream: &mut Stream, unsent: &mut VecDeque<String>, context: &mut Context<'_>) -> Poll<SocketInput> {
    let written = write(stream, unsent, context);
    if let Poll::Ready(Err(error)) = written {
        return Poll::Ready(closed(&error));
    }
    loop {
        return match stream.poll_next_unpin(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(Message::Text(text)))) => Poll::Ready(SocketInput::Text(text.as_str().to_owned())),
            Poll::Ready(Some(Ok(Message::Close(frame)))) => {
                let info = frame.map(|f| CloseInfo { code: Some(f.code.into()), reason: f.reason.as_str().to_owned() });
                Poll::Ready(SocketInput::Closed(info.unwrap_or_default()))
            }
            Poll::Ready(Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => {
                continue;
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(closed(&error)),
            Poll::Ready(None) => Poll::Ready(SocketInput::Closed(CloseInfo::default())),
        };
    }
}

fn write(
    stream: &mut Stream,
    unsent: &mut VecDeque<String>,
    context: &mut Context<'_>,
) -> Poll<Result<(), tungstenite::Error>> {
    while !unsent.is_empty() {
        std::task::ready!(stream.poll_ready_unpin(context))?;
        if let Some(text) = unsent.pop_front() {
            stream.start_send_unpin(Message::text(text))?;
        }
    }
    stream.poll_flush_unpin(context)
}

fn closed(error: &tungstenite::Error) -> SocketInput {
    SocketInput::Closed(CloseInfo { code: None, reason: error.to_string() })
}

async fn open(server: &ServerAddress) -> Result<Stream, Problem> {
    let late = Problem { code: "server_unreachable".into(), message: "it does not answer".into(), device: None };
    tokio::time::timeout(HANDSHAKE_TIMEOUT, connect(server)).map(|outcome| outcome.unwrap_or(Err(late))).await
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => pending().await,
    }
}
