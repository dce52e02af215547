//! Connects the signalling session with its socket.

use crate::check::Checked;
use crate::config::ServerAddress;
use crate::socket::{Socket, SocketEvent};
use crate::view::{AccountView, Problem, SessionView};
use call::{Distrust, Signal};
use signaling::forwarding;
use signaling::identity::DeviceKey;
use signaling::message::{ClientMessage, ErrorCode};
use signaling::session::{
    DisconnectCause, SendError, Session, SessionConfig, SessionEnd, SessionEvent, SessionOutput, SessionState,
};
use signaling::statement::Signer;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use url::{Host, Url};

/// Events of sockets on their way to the driver. When full, the socket waits.
pub(crate) const EVENTS: usize = 64;
/// A session that nobody needs is closed after this delay, so that a second join soon afterwards finds it open.
const LINGER: Duration = Duration::from_secs(5);

/// An event, with the number of its socket.
pub(crate) type FromSocket = (u64, SocketEvent);

/// At most one session with one server.
pub(crate) struct Signalling {
    key: DeviceKey,
    client: String,
    seed: u64,
    events: mpsc::Sender<FromSocket>,
    open: Option<Open>,
    sockets: u64,
    signals: VecDeque<Signal>,
    /// Secrets of communities, by the origin of their server.
    secrets: HashMap<String, String>,
    problem: Option<Problem>,
    unneeded_since: Option<Instant>,
    /// What the server of the session said about accounts.
    account: AccountView,
    /// Whether [`Signalling::view`] or [`Signalling::account`] may have changed since the last [`Signalling::take_changed`].
    changed: bool,
}

struct Open {
    server: ServerAddress,
    name: String,
    session: Session,
    /// The session's state at the last check.
    state: SessionState,
    socket: Option<Socket>,
}

impl Signalling {
    pub(crate) fn new(key: DeviceKey, client: String, seed: u64, events: mpsc::Sender<FromSocket>) -> Self {
        Self {
            key,
            client,
            seed,
            events,
            open: None,
            sockets: 0,
            signals: VecDeque::new(),
            secrets: HashMap::new(),
            problem: None,
            unneeded_since: None,
            account: AccountView::default(),
            changed: false,
        }
    }

    /// Opens a session with this server under this name, or keeps the existing one.
    pub(crate) fn open(&mut self, now: Instant, server: ServerAddress, name: &str) -> Result<(), Problem> {
        if self
            .open
            .as_ref()
            .is_some_and(|o| o.server == server && o.name == name && o.session.state() != SessionState::Closed)
        {
            self.hurry(now);
            return Ok(());
        }
        self.close(now);
        self.seed = self.seed.wrapping_add(1);
        let key = self.key.for_server(&server.origin());
        let member = self.secrets.get(&server.origin()).cloned();
        let config = SessionConfig {
            key,
            name: name.into(),
            client: self.client.clone(),
            member,
            features: vec![forwarding::FEATURE.into()],
            seed: self.seed,
        };
        let session = Session::new(config, now).map_err(|error| problem("bad_name", &error.to_string()))?;
        let state = session.state();
        self.open = Some(Open { server, name: name.into(), session, state, socket: None });
        self.changed = true;
        self.pump(now);
        Ok(())
    }

    /// If the session is waiting before its next attempt, makes that attempt immediately.
    fn hurry(&mut self, now: Instant) {
        if let Some(open) = &mut self.open
            && open.session.state() == SessionState::Backoff
        {
            open.session.handle_network_change(now);
            self.pump(now);
        }
    }

    /// The network of this machine has changed: a session with another machine continues over a new socket.
    pub(crate) fn network_changed(&mut self, now: Instant) {
        if let Some(open) = &mut self.open
            && !is_here(&open.server.url)
        {
            open.session.reconnect(now);
            self.pump(now);
        }
    }

    /// Checks whether the server still answers.
    pub(crate) fn probe(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.session.handle_network_change(now);
            self.pump(now);
        }
    }

    /// Sets the secret of the community behind a server. An existing session with that server is closed and starts
    /// again.
    pub(crate) fn set_secret(&mut self, now: Instant, server: &ServerAddress, secret: Option<String>) {
        let origin = server.origin();
        let before = match secret.clone() {
            Some(secret) => self.secrets.insert(origin, secret),
            None => self.secrets.remove(&origin),
        };
        if before != secret && self.server() == Some(server) {
            self.close(now);
        }
    }

    pub(crate) fn send(&mut self, now: Instant, message: ClientMessage) -> Result<(), Problem> {
        match self.number(now, message) {
            Ok(_) | Err(SendError::Closed) => Ok(()),
            Err(error @ (SendError::QueueFull | SendError::Invalid(_) | SendError::Reserved)) => Err(not_sent(error)),
        }
    }

    /// Like [`send`](Self::send), but returns the number by which the server's answer will refer to the message.
    pub(crate) fn ask(&mut self, now: Instant, message: ClientMessage) -> Result<u64, Problem> {
        self.number(now, message).map_err(|error| match error {
            SendError::Closed => problem("not_connected", "there is no connection to a server"),
            SendError::QueueFull | SendError::Invalid(_) | SendError::Reserved => not_sent(error),
        })
    }

    /// Sends a message. Returns its number in the session.
    pub(crate) fn number(&mut self, now: Instant, message: ClientMessage) -> Result<u64, SendError> {
        let open = self.open.as_mut().ok_or(SendError::Closed)?;
        let sent = open.session.send(now, message).map(|()| open.session.sent());
        self.pump(now);
        sent
    }

    /// Closes the session, after which another one begins.
    pub(crate) fn begin_again(&mut self, now: Instant) {
        self.close(now);
    }

    /// What the server of the session says about accounts.
    pub(crate) fn account(&self) -> &AccountView {
        &self.account
    }

    /// The id by which the board of the current server knows us.
    pub(crate) fn person(&self) -> String {
        self.account.own.as_ref().map_or_else(|| self.key(), |own| own.person.clone())
    }

    /// The key by which the current server knows us.
    pub(crate) fn key(&self) -> String {
        let of = |server: &ServerAddress| self.key.for_server(&server.origin()).public().to_string();
        self.server().map(of).unwrap_or_default()
    }

    /// Signs descriptions with the key by which the present server knows us.
    ///
    /// # Errors
    /// `no_randomness`: no nonce can be drawn.
    pub(crate) fn signer(&self) -> Result<Signer, Problem> {
        let origin = self.server().map(ServerAddress::origin).unwrap_or_default();
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| problem("no_randomness", &error.to_string()))?;
        Ok(Signer::new(self.key.for_server(&origin), seed))
    }

    pub(crate) fn handle(&mut self, now: Instant, (number, event): FromSocket) {
        let Some(open) = &mut self.open else { return };
        if open.socket.as_ref().is_none_or(|s| s.number != number) {
            return; // from a socket that was abandoned
        }
        match event {
            SocketEvent::Opened => {
                self.changed |= self.problem.take().is_some();
                open.session.handle_opened(now);
            }
            SocketEvent::Text(text) => open.session.handle_text(now, &text),
            SocketEvent::Closed(info, problem) => {
                open.socket = None;
                let distrust = problem.as_ref().and_then(distrust);
                self.changed |= self.problem != problem;
                self.problem = problem;
                match distrust {
                    // A retry would end the same way, or reach whoever intercepts the connection.
                    Some(why) => {
                        open.session.close(now);
                        self.signals.push_back(Signal::Untrusted(why));
                    }
                    None => open.session.handle_closed(now, info),
                }
            }
        }
        self.pump(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Some(open) = &mut self.open
            && open.session.poll_timeout().is_some_and(|at| at <= now)
        {
            open.session.handle_timeout(now);
            self.pump(now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let session = self.open.as_ref().and_then(|o| o.session.poll_timeout());
        let linger = self.unneeded_since.map(|since| since + LINGER);
        [session, linger].into_iter().flatten().min()
    }

    /// Returns the session's next signal for the call, in order.
    pub(crate) fn poll_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }

    /// Closes the session [`LINGER`] after it is last needed.
    pub(crate) fn keep_while(&mut self, now: Instant, needed: bool) {
        if needed || self.open.is_none() {
            self.unneeded_since = None;
        } else if now >= *self.unneeded_since.get_or_insert(now) + LINGER {
            self.close(now);
        }
    }

    /// Returns true once after each change of [`Signalling::view`].
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    pub(crate) fn view(&self) -> SessionView {
        let Some(open) = &self.open else { return SessionView::Closed { problem: self.problem.clone() } };
        match open.session.state() {
            SessionState::Open => SessionView::Open { server: open.server.clone() },
            SessionState::Connecting | SessionState::Backoff => {
                SessionView::Connecting { server: open.server.clone(), problem: self.problem.clone() }
            }
            SessionState::Closed => SessionView::Closed { problem: self.problem.clone() },
        }
    }

    /// The server of the current session, or of the last one that was refused.
    pub(crate) fn server(&self) -> Option<&ServerAddress> {
        self.open.as_ref().map(|open| &open.server)
    }

    /// What a connection check of that server needs.
    pub(crate) fn to_check(&self) -> Option<Checked> {
        let server = self.server()?.clone();
        let member_secret = self.secrets.get(&server.origin()).cloned();
        Some(Checked { server, member_secret, client: self.client.clone() })
    }

    /// Whether the session is open: a message that is sent now reaches the server.
    pub(crate) fn is_open(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.session.state() == SessionState::Open)
    }

    /// Ends the session and waits 50 ms, so that its last messages are sent.
    pub(crate) async fn flush(&mut self) {
        self.close(Instant::now());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    fn close(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.session.close(now);
        }
        self.pump(now);
        self.changed |= self.open.take().is_some();
        self.account = AccountView::default();
        self.unneeded_since = None;
    }

    /// Handles the outputs of the session.
    fn pump(&mut self, now: Instant) {
        let Some(open) = &mut self.open else { return };
        while let Some(output) = open.session.poll_output() {
            match output {
                SessionOutput::Connect => {
                    self.sockets += 1;
                    open.socket = Some(Socket::open(self.sockets, open.server.clone(), self.events.clone()));
                }
                SessionOutput::SendText(text) => {
                    let sent = open.socket.as_ref().is_some_and(|socket| socket.send(text));
                    if !sent && open.socket.take().is_some() {
                        // The socket is stuck, so treat it as broken. The session will resend what it did not accept.
                        open.session.handle_closed(now, Default::default());
                    }
                }
                SessionOutput::CloseSocket { code } => {
                    if let Some(socket) = open.socket.take() {
                        socket.close(code);
                    }
                }
                SessionOutput::Event(event) => {
                    if let Some(problem) = why(&event) {
                        self.problem.get_or_insert(problem);
                        self.changed = true;
                    }
                    if let SessionEvent::Welcome(welcome) = &event {
                        self.account = AccountView { sign_in: welcome.sign_in, own: welcome.account.clone() };
                        self.changed = true;
                    }
                    self.signals.extend(signal(event));
                }
            }
        }
        let state = open.session.state();
        self.changed |= std::mem::replace(&mut open.state, state) != state;
    }
}

/// Returns a random number that nobody else can guess.
///
/// # Errors
/// The system provides no randomness. Without it, sessions could not be told apart either.
pub(crate) fn random_seed() -> std::io::Result<u64> {
    getrandom::u64().map_err(|error| std::io::Error::other(error.to_string()))
}

/// Whether the server is on this machine, so that no change of network concerns it.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    }
}

fn distrust(problem: &Problem) -> Option<Distrust> {
    [Distrust::WrongCertificate, Distrust::CertificateRefused].into_iter().find(|why| why.code() == problem.code)
}

fn signal(event: SessionEvent) -> Option<Signal> {
    Some(match event {
        SessionEvent::Welcome(welcome) => {
            let (max_participants, max_forwarded) = (welcome.limits.max_participants, welcome.limits.max_forwarded);
            Signal::Welcome { ice_servers: welcome.ice_servers, max_participants, max_forwarded }
        }
        SessionEvent::Resumed { ice_servers } => Signal::Resumed { ice_servers },
        SessionEvent::Message(message) => Signal::Message(message),
        SessionEvent::Disconnected { .. } => Signal::Disconnected,
        SessionEvent::Lost => Signal::Lost,
        SessionEvent::Ended(SessionEnd::Closed) => return None,
        SessionEvent::Ended(SessionEnd::Refused(error)) => Signal::Ended(error.code),
    })
}

/// The problem to show for a session event, if any.
fn why(event: &SessionEvent) -> Option<Problem> {
    match event {
        SessionEvent::Disconnected { cause, .. } => match cause {
            DisconnectCause::Closed(info) if info.reason.is_empty() => None,
            DisconnectCause::Closed(info) => Some(problem("disconnected", &info.reason)),
            DisconnectCause::Silence => Some(problem("server_silent", "the server stopped answering")),
            DisconnectCause::NetworkChange => None,
            DisconnectCause::HandshakeTimeout => Some(problem("server_silent", "the server does not answer")),
            DisconnectCause::Refused(error) => Some(problem(&code(error.code), &error.message)),
            DisconnectCause::Bye(bye) => Some(problem(&code(*bye), "the server closed the session for now")),
            DisconnectCause::Protocol(words) => Some(problem("not_a_lunchroom_server", words)),
        },
        SessionEvent::Ended(SessionEnd::Refused(error)) => Some(problem(&code(error.code), &error.message)),
        SessionEvent::Ended(SessionEnd::Closed)
        | SessionEvent::Welcome(_)
        | SessionEvent::Resumed { .. }
        | SessionEvent::Message(_)
        | SessionEvent::Lost => None,
    }
}

/// The code as sent on the wire.
pub(crate) fn code(code: ErrorCode) -> String {
    serde_json::to_value(code).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn not_sent(error: SendError) -> Problem {
    problem(error.code(), &error.to_string())
}

fn problem(code: &str, message: &str) -> Problem {
    Problem { code: code.into(), message: message.into(), device: None }
}
