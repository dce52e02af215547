//! A client's session with a server: connects, authenticates, and continues over a new socket when one breaks.
//!
//! While the session lives, no message is lost and none is delivered twice. When the server no longer knows the
//! session, [`SessionEvent::Lost`] reports it and a new session begins. The app then joins its room again.

mod backoff;
mod event;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use self::backoff::{Jitter, backoff, is_final};
pub use self::event::{DisconnectCause, SendError, SessionEnd, SessionEvent, SessionOutput, SessionState};
use crate::close::{self, CloseInfo};
use crate::identity::{DeviceKey, decode_nonce, member_proof};
use crate::limits::{
    BACKOFF_RESET, HANDSHAKE_TIMEOUT, MAX_FRAME_BYTES, PING_INTERVAL, PROBE_LIMIT, RESUME_WINDOW, RETRY_AFTER_MAX,
    SILENCE_LIMIT,
};
use crate::message::{
    ClientMessage, Envelope, ErrorCode, ErrorMessage, Hello, IceServer, Resume, ServerMessage, SessionId, VERSION,
    Welcome,
};
use crate::numbering::{Inbox, Outbox, Place, QueueFull, body, frame};
use crate::parse;
use crate::text::{NameError, clean_name};

/// Identity and configuration of the client.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// The device's key for this server ([`DeviceKey::for_server`]).
    pub key: DeviceKey,
    /// Display name; [`clean_name`] is applied.
    pub name: String,
    /// Client software and version, for the server's log; at most [`crate::limits::MAX_CLIENT_BYTES`].
    pub client: String,
    /// The community's secret, if the server has one.
    pub member: Option<String>,
    /// What the client can do beyond this version ([`crate::message::Hello::features`]).
    pub features: Vec<String>,
    /// Seed for the backoff's jitter. Each client should have a different one.
    pub seed: u64,
}

/// A signalling session as a state machine. Call the `handle_` functions for input, then drain
/// [`Session::poll_output`], and call [`Session::handle_timeout`] at [`Session::poll_timeout`].
///
/// Outputs are bounded: one call adds at most a replay of the outbox and a few more.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    state: ConnectionState,
    /// The session that the server knows, from `welcome` on.
    established: Option<Established>,
    outbox: Outbox,
    inbox: Inbox,
    /// Failed attempts since the last connection that lasted.
    failures: u32,
    /// When the last open connection broke; before the first one, when the session was created.
    broken_at: Instant,
    max_frame: usize,
    next_nonce: u64,
    jitter: Jitter,
    outputs: VecDeque<SessionOutput>,
}

/// ```text
///           new                       welcome, resumed
///            │ Connect          ┌───────────────────────────┐
///            ▼                  │                           ▼
///        Connecting ────────────┘                          Open
///  Socket → Challenge → Answer                              │
///        ▲        │ closed, timeout, refused for now        │ closed, silence, bye with retry,
///        │        ▼                                         │ broken protocol
///        └──── Backoff ◄────────────────────────────────────┘
///     time is up
///
///  any ── close, refused for good, bye without retry ──► Closed
/// ```
#[derive(Debug)]
enum ConnectionState {
    Connecting { stage: Stage, deadline: Instant },
    Open { since: Instant, ping_at: Instant, silent_at: Instant },
    Backoff { until: Instant },
    Closed,
}

/// The stage of a connection attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The socket is being opened.
    Socket,
    /// The socket is open; the server's challenge has not arrived.
    Challenge,
    /// The hello was sent.
    Answer(Asked),
}

/// What the hello requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The old session.
    Resume,
    /// A new session. `join`s up to the number `flown` were sent with the hello; everything else waits for the
    /// welcome. If no welcome arrives, they are sent again. Only a `join` may be sent twice without harm.
    New { flown: u64 },
}

#[derive(Debug)]
struct Established {
    id: SessionId,
    window: Duration,
}

impl Session {
    /// Creates a session and immediately requests a connection.
    pub fn new(mut config: SessionConfig, now: Instant) -> Result<Session, NameError> {
        config.name = clean_name(&config.name)?;
        let jitter = Jitter::new(config.seed);
        let mut session = Session {
            config,
            state: ConnectionState::Closed,
            established: None,
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            failures: 0,
            broken_at: now,
            max_frame: MAX_FRAME_BYTES,
            next_nonce: 0,
            jitter,
            outputs: VecDeque::new(),
        };
        session.connect(now);
        Ok(session)
    }

    /// Returns the current state.
    pub fn state(&self) -> SessionState {
        match self.state {
            ConnectionState::Connecting { .. } => SessionState::Connecting,
            ConnectionState::Open { .. } => SessionState::Open,
            ConnectionState::Backoff { .. } => SessionState::Backoff,
            ConnectionState::Closed => SessionState::Closed,
        }
    }

    /// Returns the next output.
    pub fn poll_output(&mut self) -> Option<SessionOutput> {
        self.outputs.pop_front()
    }

    /// Returns when to call [`Session::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let at = match self.state {
            ConnectionState::Connecting { deadline, .. } => Some(deadline),
            ConnectionState::Open { ping_at, silent_at, .. } => {
                earliest(Some(ping_at.min(silent_at)), self.inbox.ack_at())
            }
            ConnectionState::Backoff { until } => Some(until),
            ConnectionState::Closed => None,
        };
        earliest(at, self.lost_at())
    }

    /// Number of the last message sent in this session, which the `about` of its answer repeats. 0 if nothing was
    /// sent.
    pub fn sent(&self) -> u64 {
        self.outbox.sent()
    }

    /// Sends a message to the server, now or as soon as there is a connection.
    pub fn send(&mut self, now: Instant, mut message: ClientMessage) -> Result<(), SendError> {
        if let ConnectionState::Closed = self.state {
            return Err(SendError::Closed);
        }
        if !message.is_counted() {
            return Err(SendError::Reserved);
        }
        self.lose_if_too_old(now);
        parse::check_client(&mut message).map_err(SendError::Invalid)?;
        let body = body(&message);
        // 64 bytes suffice for the envelope's two numbers.
        if body.len() + 64 > self.max_frame {
            return Err(SendError::Invalid(ErrorCode::TooLarge));
        }
        let seq = self.outbox.push(body.into()).map_err(|QueueFull| SendError::QueueFull)?;
        match self.state {
            ConnectionState::Open { .. } => self.say_from(seq),
            ConnectionState::Connecting { stage: Stage::Answer(Asked::New { flown }), .. } => self.fly(flown),
            ConnectionState::Connecting { .. } | ConnectionState::Backoff { .. } | ConnectionState::Closed => {}
        }
        Ok(())
    }

    /// Ends the session. The server releases the seat immediately.
    pub fn close(&mut self, _now: Instant) {
        self.end(SessionEnd::Closed);
    }

    /// The socket for [`SessionOutput::Connect`] is open.
    pub fn handle_opened(&mut self, now: Instant) {
        if let ConnectionState::Connecting { stage: stage @ Stage::Socket, deadline } = &mut self.state {
            *stage = Stage::Challenge;
            *deadline = now + HANDSHAKE_TIMEOUT;
        }
    }

    /// The socket closed, broke, or could not be opened.
    pub fn handle_closed(&mut self, now: Instant, info: CloseInfo) {
        match self.state {
            ConnectionState::Connecting { .. } | ConnectionState::Open { .. } => {}
            ConnectionState::Backoff { .. } | ConnectionState::Closed => return,
        }
        match info.code.and_then(close::error_code) {
            Some(code) if is_final(code) => {
                self.end_without_socket(SessionEnd::Refused(ErrorMessage { code, message: info.reason, about: None }));
            }
            _ => self.back_off(now, DisconnectCause::Closed(info), None),
        }
    }

    /// A text frame arrived.
    pub fn handle_text(&mut self, now: Instant, text: &str) {
        match &mut self.state {
            ConnectionState::Open { silent_at, .. } => {
                *silent_at = now + SILENCE_LIMIT;
                self.handle_open(now, text);
            }
            ConnectionState::Connecting { stage, .. } => {
                let stage = *stage;
                self.handle_handshake(now, stage, text);
            }
            // The socket was abandoned. Frames that were still in flight come again after the resume.
            ConnectionState::Backoff { .. } | ConnectionState::Closed => {}
        }
    }

    /// Handles the timeouts that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.lose_if_too_old(now);
        match self.state {
            ConnectionState::Connecting { deadline, .. } if now >= deadline => {
                self.drop_socket(now, ErrorCode::Timeout, DisconnectCause::HandshakeTimeout);
            }
            ConnectionState::Open { silent_at, .. } if now >= silent_at => {
                self.drop_socket(now, ErrorCode::Timeout, DisconnectCause::Silence);
            }
            ConnectionState::Open { ping_at, .. } if now >= ping_at => self.ping(now),
            ConnectionState::Open { .. } if self.inbox.ack_at().is_some_and(|at| now >= at) => {
                self.send_uncounted(&ClientMessage::Ack);
            }
            ConnectionState::Backoff { until } if now >= until => self.connect(now),
            ConnectionState::Connecting { .. }
            | ConnectionState::Open { .. }
            | ConnectionState::Backoff { .. }
            | ConnectionState::Closed => {}
        }
    }

    /// The network has changed, so that the socket's path no longer exists: connects again immediately, and resumes.
    pub fn reconnect(&mut self, now: Instant) {
        match self.state {
            ConnectionState::Connecting { .. } | ConnectionState::Open { .. } => {
                self.drop_socket(now, ErrorCode::Timeout, DisconnectCause::NetworkChange);
            }
            ConnectionState::Backoff { .. } => {}
            ConnectionState::Closed => return,
        }
        self.failures = 0;
        self.connect(now);
    }

    /// Something suggests that the network has changed, or the person asks to reconnect. Reconnects immediately; an
    /// open socket has [`PROBE_LIMIT`] to prove that it is alive.
    pub fn handle_network_change(&mut self, now: Instant) {
        match &mut self.state {
            ConnectionState::Open { silent_at, .. } => {
                *silent_at = (*silent_at).min(now + PROBE_LIMIT);
                self.ping(now);
            }
            ConnectionState::Connecting { stage: Stage::Socket, .. } => {
                self.outputs.push_back(SessionOutput::CloseSocket { code: close::close_code(ErrorCode::Timeout) });
                self.connect(now);
            }
            ConnectionState::Backoff { .. } => self.connect(now),
            ConnectionState::Connecting { .. } | ConnectionState::Closed => {}
        }
    }

    fn handle_handshake(&mut self, now: Instant, stage: Stage, text: &str) {
        let message = match parse::server_message(text) {
            Ok(Envelope { seq: 0, message, .. }) => message,
            Ok(_) => return self.protocol_error(now, "a numbered message before the welcome"),
            Err(_) => return self.protocol_error(now, "not a handshake message"),
        };
        match (stage, message) {
            (Stage::Challenge, ServerMessage::Challenge { nonce, versions }) => self.hello(now, &nonce, &versions),
            (Stage::Answer(asked), ServerMessage::Welcome(welcome)) => self.welcome(now, asked, welcome),
            (Stage::Answer(Asked::Resume), ServerMessage::Resumed { received, ice_servers }) => {
                self.resumed(now, received, ice_servers);
            }
            (Stage::Answer(Asked::Resume), ServerMessage::Error(error)) if error.code == ErrorCode::CannotResume => {
                // A welcome follows on the same socket. A `join` that the app sends on `Lost` goes out before it
                // arrives.
                self.lose();
                self.await_answer(now, Asked::New { flown: 0 });
            }
            (_, ServerMessage::Error(error)) => self.refused(now, error),
            (_, ServerMessage::Bye { code, retry_after_ms }) => self.bye(now, code, retry_after_ms),
            (_, _) => self.protocol_error(now, "an unexpected message in the handshake"),
        }
    }

    fn handle_open(&mut self, now: Instant, text: &str) {
        let (seq, ack, message) = match parse::server_message(text) {
            Ok(envelope) => (envelope.seq, envelope.ack, Some(envelope.message)),
            // A numbered message of an unknown type, perhaps of a later version, is counted and ignored.
            Err(rejected) if rejected.seq > 0 => (rejected.seq, rejected.ack, None),
            Err(_) => return self.protocol_error(now, "not a message"),
        };
        if self.outbox.acknowledge(ack).is_err() {
            return self.protocol_error(now, "an acknowledgement of a message that was not sent");
        }
        let place = self.inbox.accept(now, seq);
        self.inbox.weigh(text.len());
        match (place, message) {
            (Ok(Place::New | Place::Uncounted), Some(message)) => self.deliver(now, seq, message),
            (Ok(_), _) => {}
            (Err(_), _) => self.protocol_error(now, "a message is missing"),
        }
    }

    fn deliver(&mut self, now: Instant, seq: u64, message: ServerMessage) {
        match message {
            ServerMessage::Pong { .. } | ServerMessage::Ack => {}
            ServerMessage::Bye { code, retry_after_ms } => self.bye(now, code, retry_after_ms),
            ServerMessage::Challenge { .. } | ServerMessage::Welcome(_) | ServerMessage::Resumed { .. } => {
                self.protocol_error(now, "a handshake message after the handshake");
            }
            message if seq == 0 && message.is_counted() => self.protocol_error(now, "a message without a number"),
            message => self.event(SessionEvent::Message(message)),
        }
    }

    fn connect(&mut self, now: Instant) {
        self.state = ConnectionState::Connecting { stage: Stage::Socket, deadline: now + HANDSHAKE_TIMEOUT };
        self.outputs.push_back(SessionOutput::Connect);
    }

    fn hello(&mut self, now: Instant, nonce: &str, versions: &[u32]) {
        let Some(nonce) = decode_nonce(nonce) else {
            return self.protocol_error(now, "a challenge without a nonce");
        };
        if !versions.contains(&VERSION) {
            let message = format!("the server supports versions {versions:?}, this client supports {VERSION}");
            let error = ErrorMessage { code: ErrorCode::UnsupportedVersion, message, about: None };
            return self.end(SessionEnd::Refused(error));
        }
        self.lose_if_too_old(now);
        let resume = self
            .established
            .as_ref()
            .map(|established| Resume { session: established.id.clone(), received: self.inbox.received() });
        let asked = if resume.is_some() { Asked::Resume } else { Asked::New { flown: 0 } };
        let hello = ClientMessage::Hello(Hello {
            version: VERSION,
            key: self.config.key.public().to_string(),
            signature: self.config.key.sign(&nonce, VERSION),
            name: self.config.name.clone(),
            client: self.config.client.clone(),
            member: self.config.member.as_deref().map(|secret| member_proof(secret, &nonce, self.config.key.public())),
            features: self.config.features.clone(),
            resume,
        });
        self.outputs.push_back(SessionOutput::SendText(body(&hello)));
        self.await_answer(now, asked);
        if asked != Asked::Resume {
            self.fly(0);
        }
    }

    fn await_answer(&mut self, now: Instant, asked: Asked) {
        self.state = ConnectionState::Connecting { stage: Stage::Answer(asked), deadline: now + HANDSHAKE_TIMEOUT };
    }

    /// Sends the `join`s that follow `flown` at the head of the queue, before the welcome.
    fn fly(&mut self, mut flown: u64) {
        while let Some(body) = self.outbox.get(flown + 1).filter(|body| is_join(body)) {
            flown += 1;
            self.outputs.push_back(SessionOutput::SendText(frame(flown, 0, body)));
        }
        if let ConnectionState::Connecting { stage, .. } = &mut self.state {
            *stage = Stage::Answer(Asked::New { flown });
        }
    }

    fn welcome(&mut self, now: Instant, asked: Asked, welcome: Welcome) {
        let flown = match asked {
            Asked::New { flown } => flown,
            Asked::Resume => {
                // The server has forgotten the session.
                self.lose();
                0
            }
        };
        let window = Duration::from_millis(welcome.resume_ms).min(10 * RESUME_WINDOW);
        self.established = Some(Established { id: welcome.session.clone(), window });
        self.max_frame = welcome.limits.max_message_bytes.min(MAX_FRAME_BYTES);
        self.open(now);
        self.event(SessionEvent::Welcome(welcome));
        self.say_from(flown + 1);
    }

    fn resumed(&mut self, now: Instant, received: u64, ice_servers: Vec<IceServer>) {
        if self.outbox.resume(received).is_err() {
            self.lose();
            return self.protocol_error(now, "resumed with an impossible count");
        }
        self.open(now);
        self.event(SessionEvent::Resumed { ice_servers });
        self.say_from(0);
    }

    fn open(&mut self, now: Instant) {
        self.state = ConnectionState::Open { since: now, ping_at: now + PING_INTERVAL, silent_at: now + SILENCE_LIMIT };
    }

    /// Sends the queued messages from this number on.
    fn say_from(&mut self, first: u64) {
        let ack = self.inbox.take_ack();
        let queued = self.outbox.unacknowledged_from(first);
        self.outputs.extend(queued.map(|(seq, body)| SessionOutput::SendText(frame(seq, ack, body))));
    }

    fn refused(&mut self, now: Instant, error: ErrorMessage) {
        if is_final(error.code) || error.code == ErrorCode::Malformed {
            self.end(SessionEnd::Refused(error));
        } else {
            self.drop_socket(now, error.code, DisconnectCause::Refused(error));
        }
    }

    fn bye(&mut self, now: Instant, code: ErrorCode, retry_after_ms: Option<u64>) {
        let Some(wait) = retry_after_ms else {
            return self.end(SessionEnd::Refused(ErrorMessage { code, message: String::new(), about: None }));
        };
        let wait = Duration::from_millis(wait).min(RETRY_AFTER_MAX);
        self.outputs.push_back(SessionOutput::CloseSocket { code: close::NORMAL });
        self.back_off(now, DisconnectCause::Bye(code), Some(wait));
        self.lose();
    }

    fn protocol_error(&mut self, now: Instant, what: &'static str) {
        self.drop_socket(now, ErrorCode::Malformed, DisconnectCause::Protocol(what));
    }

    fn drop_socket(&mut self, now: Instant, code: ErrorCode, cause: DisconnectCause) {
        self.outputs.push_back(SessionOutput::CloseSocket { code: close::close_code(code) });
        self.back_off(now, cause, None);
    }

    fn back_off(&mut self, now: Instant, cause: DisconnectCause, least: Option<Duration>) {
        if let ConnectionState::Open { since, .. } = self.state {
            self.broken_at = now;
            // A server that accepts and immediately drops the connection must not be contacted four times a second
            // forever.
            if now.saturating_duration_since(since) >= BACKOFF_RESET {
                self.failures = 0;
            }
        }
        let delay = self.jitter.spread(backoff(self.failures)) + least.unwrap_or_default();
        self.failures = self.failures.saturating_add(1);
        let until = now + delay;
        self.state = ConnectionState::Backoff { until };
        self.event(SessionEvent::Disconnected { since: self.broken_at, retry_at: until, cause });
    }

    fn end(&mut self, end: SessionEnd) {
        match self.state {
            ConnectionState::Connecting { .. } | ConnectionState::Open { .. } => {
                self.outputs.push_back(SessionOutput::CloseSocket { code: close::NORMAL });
            }
            ConnectionState::Backoff { .. } => {}
            ConnectionState::Closed => return,
        }
        self.end_without_socket(end);
    }

    fn end_without_socket(&mut self, end: SessionEnd) {
        self.state = ConnectionState::Closed;
        self.established = None;
        self.event(SessionEvent::Ended(end));
    }

    /// When the server has certainly discarded the session. `None` while the session is open or a resume awaits its
    /// answer.
    fn lost_at(&self) -> Option<Instant> {
        let broken = match self.state {
            ConnectionState::Backoff { .. }
            | ConnectionState::Connecting { stage: Stage::Socket | Stage::Challenge, .. } => true,
            ConnectionState::Connecting { stage: Stage::Answer(_), .. }
            | ConnectionState::Open { .. }
            | ConnectionState::Closed => false,
        };
        let established = self.established.as_ref().filter(|_| broken)?;
        Some(self.broken_at + established.window)
    }

    fn lose_if_too_old(&mut self, now: Instant) {
        if self.lost_at().is_some_and(|at| now >= at) {
            self.lose();
        }
    }

    /// Discards the session, if there is one. Messages that were queued before the first welcome are kept.
    fn lose(&mut self) {
        if self.established.take().is_some() {
            self.outbox = Outbox::default();
            self.inbox = Inbox::default();
            self.event(SessionEvent::Lost);
        }
    }

    fn ping(&mut self, now: Instant) {
        if let ConnectionState::Open { ping_at, .. } = &mut self.state {
            *ping_at = now + PING_INTERVAL;
            self.next_nonce += 1;
            self.send_uncounted(&ClientMessage::Ping { nonce: self.next_nonce });
        }
    }

    fn send_uncounted(&mut self, message: &ClientMessage) {
        let text = frame(0, self.inbox.take_ack(), &body(message));
        self.outputs.push_back(SessionOutput::SendText(text));
    }

    fn event(&mut self, event: SessionEvent) {
        self.outputs.push_back(SessionOutput::Event(event));
    }
}

/// Whether a queued body is a `join`. serde writes the tag first.
fn is_join(body: &str) -> bool {
    body.starts_with(r#"{"type":"join""#)
}

fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
mod tests;
