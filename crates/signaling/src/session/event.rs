//! Outputs and events of a session.

use std::time::Instant;

use crate::close::CloseInfo;
use crate::message::{ErrorCode, ErrorMessage, IceServer, ServerMessage, Welcome};

/// What the driver has to do, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionOutput {
    /// Open a WebSocket to the server, then call [`handle_opened`](super::Session::handle_opened) or
    /// [`handle_closed`](super::Session::handle_closed).
    Connect,
    /// Send one text frame.
    SendText(String),
    /// Close or abandon the socket, even while it is being opened, without waiting for the other side. Pass on
    /// nothing more from it.
    CloseSocket {
        /// Close code. The server ends the session only on 1000.
        code: u16,
    },
    /// An event for the app.
    Event(SessionEvent),
}

/// Events for the app.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionEvent {
    /// A new session has begun.
    Welcome(Welcome),
    /// The session continues after a break; nothing was lost.
    Resumed {
        /// New ICE servers.
        ice_servers: Vec<IceServer>,
    },
    /// A message from the server. Each is delivered once, in order.
    Message(ServerMessage),
    /// There is no connection. The session reconnects automatically.
    Disconnected {
        /// When the connection broke.
        since: Instant,
        /// When the next attempt begins.
        retry_at: Instant,
        /// Why this attempt or connection ended.
        cause: DisconnectCause,
    },
    /// The session is lost, and with it the seat in the room and every unacknowledged message. A new session follows.
    /// A `join` sent now goes out with its hello.
    Lost,
    /// The session ended. Nothing follows.
    Ended(SessionEnd),
}

/// Why a connection ended or could not be established.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisconnectCause {
    /// The socket closed, broke or could not be opened.
    Closed(CloseInfo),
    /// The server sent nothing for too long.
    Silence,
    /// The handshake took too long.
    HandshakeTimeout,
    /// The network of this machine has changed ([`super::Session::reconnect`]).
    NetworkChange,
    /// The server refused the client temporarily, for example because it is full.
    Refused(ErrorMessage),
    /// The server ended the session and allows the client to reconnect.
    Bye(ErrorCode),
    /// The server violated the protocol.
    Protocol(&'static str),
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEnd {
    /// [`close`](super::Session::close) was called.
    Closed,
    /// The server refused this client, and would refuse it again.
    Refused(ErrorMessage),
}

/// Why a message cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The server has not acknowledged [`crate::limits::MAX_UNACKNOWLEDGED`] messages. The message was not sent.
    #[error("the connection to the server is too slow")]
    QueueFull,
    /// The server would refuse the message.
    #[error("the message is not allowed: {0:?}")]
    Invalid(ErrorCode),
    /// Only the session itself sends `hello`, `ping` and `ack`.
    #[error("the session sends this message automatically")]
    Reserved,
    /// The session has ended.
    #[error("the session has ended")]
    Closed,
}

impl SendError {
    /// Stable code for programs and translations.
    pub fn code(self) -> &'static str {
        match self {
            SendError::QueueFull => "send_queue_full",
            SendError::Invalid(_) => "send_invalid",
            SendError::Reserved => "send_reserved",
            SendError::Closed => "send_closed",
        }
    }
}

/// State of a session, for display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// A socket is being opened or the handshake is under way.
    Connecting,
    /// The session is open; messages flow.
    Open,
    /// The session waits for the next attempt.
    Backoff,
    /// The session has ended.
    Closed,
}
