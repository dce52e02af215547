//! What a session asks for and tells.

use std::time::Instant;

use crate::close::CloseInfo;
use crate::message::{ErrorCode, ErrorMessage, IceServer, ServerMessage, Welcome};

/// What the driver has to do, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionOutput {
    /// Open a WebSocket to the server, then call [`handle_opened`](super::Session::handle_opened) or [`handle_closed`](super::Session::handle_closed).
    Connect,
    /// Send one text frame.
    SendText(String),
    /// Close or abandon the socket, also one that is still being opened, without waiting for the other side.
    /// Nothing of it may be handed in any more.
    CloseSocket {
        /// Close code. Only 1000 ends the session for the server.
        code: u16,
    },
    /// For the app.
    Event(SessionEvent),
}

/// What the app learns.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionEvent {
    /// A new session has begun.
    Welcome(Welcome),
    /// The session goes on after a break; nothing was lost.
    Resumed {
        /// Fresh ICE servers.
        ice_servers: Vec<IceServer>,
    },
    /// The server says something: each of its messages once, in order.
    Message(ServerMessage),
    /// There is no connection; another attempt comes by itself.
    Disconnected {
        /// Since when there has been none.
        since: Instant,
        /// When the next attempt begins.
        retry_at: Instant,
        /// Why this attempt or connection ended.
        cause: DisconnectCause,
    },
    /// The session is gone, and with it the seat in the room and every message not acknowledged. A new session
    /// follows; `join` sent now goes out in its first flight.
    Lost,
    /// It is over: nothing follows.
    Ended(SessionEnd),
}

/// Why a connection ended or did not come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisconnectCause {
    /// The socket closed, broke or could not be opened.
    Closed(CloseInfo),
    /// The server was silent for too long.
    Silence,
    /// The handshake took too long.
    HandshakeTimeout,
    /// The server refused for now, for example because it is full.
    Refused(ErrorMessage),
    /// The server ended the session and lets the client come again.
    Bye(ErrorCode),
    /// The server broke the protocol.
    Protocol(&'static str),
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEnd {
    /// [`close`](super::Session::close) was called.
    Closed,
    /// The server does not want this client, and would not the next time.
    Refused(ErrorMessage),
}

/// Why a message cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The server has not acknowledged [`crate::limits::MAX_UNACKNOWLEDGED`] messages; nothing was sent.
    #[error("the connection to the server is too slow")]
    QueueFull,
    /// The server would refuse it.
    #[error("the message is not allowed: {0:?}")]
    Invalid(ErrorCode),
    /// `hello`, `ping` and `ack` are the session's own.
    #[error("the session sends this by itself")]
    Reserved,
    /// The session is over.
    #[error("the session is over")]
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

/// Where a session stands, for a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// A socket is being opened or the handshake is under way.
    Connecting,
    /// Messages flow.
    Open,
    /// Waiting for the next attempt.
    Backoff,
    /// Over.
    Closed,
}
