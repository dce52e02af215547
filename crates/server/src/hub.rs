//! The task that owns all rooms, sessions and accounts. Connections send it messages, and it never waits for them.

mod accounts;
mod forwarder;
mod member;

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rooms::board::{Board, FeedId, Lunch};
use rooms::source::Source;
use rooms::{Limits, Output, Rooms, text};
use signaling::backlog::{Cause, Text};
use signaling::close::{self, close_code};
use signaling::identity::PublicKey;
use signaling::limits::{MAX_CHAT_CHARS, MAX_FRAME_BYTES};
use signaling::message::{
    ClientMessage, Envelope, ErrorCode, ErrorMessage, Hello, IceServer, LimitsInfo, Resume, ServerMessage, SessionId,
    Welcome,
};
use signaling::parse::Rejected;
use signaling::server_session::{Place, QueueFull, ServerSession};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use self::member::Member;
use crate::accounts::{Accounts, Challenge, Identity, Standing};
use crate::error::StartError;
use crate::figures::Figures;
use crate::forwarding::{HubEnds, Report, Requests};
use crate::ice::{Entrance, IceDirectory, new_session_id};
use crate::keeping::{Keeping, Word};
use crate::line::Line;
use crate::store::Stored;
use crate::turn::Sessions;

/// Commands waiting for the hub. When full, a connection with another command waits, and reads nothing meanwhile.
pub(crate) const COMMANDS: usize = 256;
/// How often pending acknowledgements and disconnected sessions are checked: a quarter of the time by which an
/// acknowledgement may be delayed.
const TICK: Duration = Duration::from_millis(250);
/// Shortest time between two updates of the boards on screens: changes in between are sent together. The first change
/// after a pause is sent immediately.
const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// How long a client waits before it reconnects, in milliseconds, if the server is full.
const FULL_RETRY_MS: u64 = 5_000;

/// A connection, numbered from the start of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// A message to the hub.
#[derive(Debug)]
pub(crate) enum Command {
    /// A client has proved its key.
    Hello { connection: ConnectionId, line: Line, caller: Caller, hello: Hello, entrance: Entrance },
    /// A text frame of `bytes` bytes after the hello.
    Frame { connection: ConnectionId, bytes: usize, frame: Result<Envelope<ClientMessage>, Rejected> },
    /// A connection that had used up its window has written everything.
    Written { connection: ConnectionId },
    /// The connection has closed; `quit` if the client meant to end its session.
    Closed { connection: ConnectionId, quit: bool },
    /// Return the lunches of a calendar feed, and the revision of the board from which they are.
    Feed { id: FeedId, reply: oneshot::Sender<Option<(u64, Vec<Lunch>)>> },
    /// Somebody has signed in. Return a one-time code with which a device is added to the account; `None` if too many
    /// wait.
    SignedIn { identity: Identity, challenge: Option<Challenge>, reply: oneshot::Sender<Option<String>> },
    /// Return whether a device belongs to an account.
    Recognize { key: PublicKey, reply: oneshot::Sender<bool> },
    /// Send `bye` to every client and end.
    Stop { retry_after: Duration },
}

/// The client at the other end of a connection.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) key: PublicKey,
    /// A member of the community; proved if the community has a secret.
    pub(crate) member: bool,
    /// The network sources whose limits this session counts against.
    pub(crate) sources: Vec<Source>,
}

/// Starts the hub. It ends after [`Command::Stop`] or when every sender has been dropped. Also returns the board's
/// revision.
pub(crate) fn spawn(
    limits: Limits,
    ice: IceDirectory,
    relay: Option<Sessions>,
    forwarder: Option<HubEnds>,
    mut keeping: Keeping,
    figures: Figures,
) -> Result<(mpsc::Sender<Command>, watch::Receiver<u64>), StartError> {
    let (sender, receiver) = mpsc::channel(COMMANDS);
    let board = keeping.board(unix_ms())?;
    let mut hub = Hub::new(limits, ice, relay, board, keeping, figures);
    let (requests, reports) = forwarder.map(|HubEnds { requests, reports }| (requests, reports)).unzip();
    hub.forwarder = requests;
    let revision = hub.revision.subscribe();
    tokio::spawn(run(hub, receiver, reports));
    Ok((sender, revision))
}

async fn run(mut hub: Hub, mut commands: mpsc::Receiver<Command>, mut reports: Option<mpsc::Receiver<Report>>) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let flush = hub.flush_at();
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Stop { retry_after }) => return hub.stop(retry_after),
                Some(command) => hub.handle(Instant::now(), command),
                None => return,
            },
            Some(stored) = hub.keeping.next_report() => hub.stored(stored),
            Some(report) = forwarder::next(&mut reports) => hub.reported(report),
            () = sleep_until(flush) => {}
            _ = tick.tick() => hub.tick(Instant::now()),
        }
        hub.flush(Instant::now());
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

struct Hub {
    limits: Limits,
    ice: IceDirectory,
    /// Receives which sessions may use the relay, if this server has one.
    relay: Option<Sessions>,
    /// Receives what the forwarder of media is to do, if this server has one.
    forwarder: Option<Requests>,
    rooms: Rooms,
    sessions: HashMap<SessionId, Member>,
    accounts: Accounts,
    /// Keys of stewards in the settings.
    stewards: Vec<String>,
    /// Sessions to end when everything decided before is on disk. Emptied after each command.
    endings: Vec<(SessionId, ErrorCode)>,
    keeping: Keeping,
    figures: Figures,
    /// When the boards on screens were last updated.
    flushed: Instant,
    /// That of the board, for calendar feeds.
    revision: watch::Sender<u64>,
    /// The session of each connection. A connection that was refused or replaced has none.
    carried: HashMap<ConnectionId, SessionId>,
}

impl Hub {
    fn new(
        limits: Limits,
        ice: IceDirectory,
        relay: Option<Sessions>,
        board: Board,
        mut keeping: Keeping,
        figures: Figures,
    ) -> Hub {
        let rooms = Rooms::new(limits.clone(), board);
        let (accounts, stewards) = (keeping.accounts(), keeping.stewards());
        Hub {
            limits,
            ice,
            relay,
            forwarder: None,
            rooms,
            sessions: HashMap::new(),
            accounts,
            stewards,
            endings: Vec::new(),
            keeping,
            figures,
            flushed: Instant::now(),
            revision: watch::Sender::new(0),
            carried: HashMap::new(),
        }
    }

    fn handle(&mut self, now: Instant, command: Command) {
        match command {
            Command::Hello { connection, line, caller, hello, entrance } => {
                self.hello(now, connection, line, (caller, hello), &entrance);
            }
            Command::Frame { connection, bytes, frame } => {
                self.frame(now, connection, bytes, frame);
                self.drain();
                // After many frames without a reply, an acknowledgement is due before the next tick.
                let member = self.carried.get(&connection).and_then(|id| self.sessions.get_mut(id));
                if let Some(member) = member {
                    member.acknowledge(now);
                }
            }
            Command::Written { connection } => {
                let member = self.carried.get(&connection).and_then(|id| self.sessions.get_mut(id));
                if let Some(member) = member {
                    member.hand_over();
                }
            }
            Command::Closed { connection, quit } => self.closed(now, connection, quit),
            Command::Feed { id, reply } => {
                let lunches = self.rooms.feed(unix_ms(), &id);
                // The client may have gone.
                let _ = reply.send(lunches.map(|lunches| (self.rooms.board().revision(), lunches)));
            }
            Command::SignedIn { identity, challenge, reply } => {
                let _ = reply.send(self.signed_in(identity, challenge));
            }
            Command::Recognize { key, reply } => {
                let _ = reply.send(matches!(self.accounts.standing(&key.to_string()), Standing::Of(_)));
            }
            // Unreachable in practice: the loop handles this command before it calls `handle`.
            Command::Stop { retry_after } => self.say_bye(retry_after),
        }
        self.drain();
    }

    fn tick(&mut self, now: Instant) {
        self.rooms.handle_timeout(now);
        self.rooms.tick(unix_ms());
        self.keeping.hand_over();
        if let Some(relay) = &mut self.relay {
            relay.tick();
        }
        if let Some(forwarder) = &mut self.forwarder {
            forwarder.tick();
        }
        let mut late = Vec::new();
        for (id, member) in &mut self.sessions {
            member.acknowledge(now);
            if let Some((_, line)) = &member.line {
                if line.is_waiting() {
                    member.hand_over();
                }
                if member.session.is_late(now) {
                    late.push(id.clone());
                }
            }
        }
        for session in late {
            self.rooms.close(&session, ErrorCode::TooSlow);
        }
        self.drain();
        self.figures.sessions.set(as_gauge(self.rooms.sessions()));
        self.figures.rooms.set(as_gauge(self.rooms.rooms()));
    }

    /// When the boards on screens are due for an update, if anything has changed.
    fn flush_at(&self) -> Option<Instant> {
        let wanted = self.rooms.wants_flush();
        wanted.then(|| self.flushed + FLUSH_EVERY)
    }

    fn flush(&mut self, now: Instant) {
        if self.flush_at().is_some_and(|at| at <= now) {
            self.flushed = now;
            self.rooms.flush_board(unix_ms());
            self.drain();
        }
    }

    fn stored(&mut self, stored: Stored) {
        if matches!(stored, Stored::Failed(_)) {
            self.figures.board_failures.inc();
        }
        let words = match stored {
            Stored::Written(number) => self.keeping.written(number),
            Stored::Failed(saved) => {
                let (board, accounts) = *saved;
                self.accounts.restore(accounts);
                match self.keeping.failed(board, unix_ms()) {
                    Ok((board, words)) => {
                        self.rooms.replace_board(board);
                        words
                    }
                    Err(error) => {
                        return tracing::error!(%error, "the board could not be restored; unsaved changes stay in memory");
                    }
                }
            }
        };
        for word in words {
            self.say(word);
        }
        self.drain();
    }

    fn say(&mut self, word: Word) {
        match word {
            Word::To(to, message) => self.deliver(&to, &message),
            Word::ToAll(to, text) => to.iter().for_each(|to| self.deliver_text(to, text.clone())),
            Word::End(session, code) => self.rooms.close(&session, code),
        }
    }

    fn say_when_safe(&mut self, word: Word) {
        if let Some(word) = self.keeping.hold(word) {
            self.say(word);
        }
    }

    fn stop(mut self, retry_after: Duration) {
        tracing::info!(sessions = self.rooms.sessions(), rooms = self.rooms.rooms(), "stopping");
        self.say_bye(retry_after);
        self.drain();
        for (_, line) in self.sessions.into_values().filter_map(|member| member.line) {
            line.close(close::GOING_AWAY);
        }
    }

    fn say_bye(&mut self, retry_after: Duration) {
        self.rooms.stop(u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX));
    }

    fn hello(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        line: Line,
        (caller, hello): (Caller, Hello),
        entrance: &Entrance,
    ) {
        let Caller { key, member, sources } = caller;
        let person = self.person(&key.to_string(), hello.name, member);
        let member = person.member;
        let line = match &hello.resume {
            None => line,
            Some(resume) => match self.resume(connection, line, &key, resume, entrance) {
                Ok(()) => return,
                Err(line) => {
                    line.say(&error(ErrorCode::CannotResume));
                    line
                }
            },
        };
        let opened = new_session_id(&key)
            .map_err(|_| ErrorCode::Internal)
            .and_then(|id| self.rooms.open_from(now, id.clone(), person, sources).map(|()| id));
        match opened {
            Ok(id) => {
                tracing::debug!(client = hello.client, sessions = self.rooms.sessions(), "session opened");
                self.rooms.set_features(&id, &hello.features);
                self.figures.sessions_opened.inc();
                if let Some(relay) = &mut self.relay {
                    relay.opened(&id, member);
                }
                let ice_servers = self.ice_servers(entrance, &id);
                let key = key.to_string();
                line.say(&ServerMessage::Welcome(self.welcome(id.clone(), member, &key, ice_servers)));
                self.carried.insert(connection, id.clone());
                let session = ServerSession::with_pool(self.rooms.pool().clone());
                self.sessions.insert(id, Member { session, key, line: Some((connection, line)), pong: None });
            }
            Err(code) => {
                let retry_after_ms = Some(FULL_RETRY_MS);
                line.say(&ServerMessage::Bye { code, retry_after_ms });
                line.close(close_code(code));
            }
        }
    }

    /// Resumes a session on a new connection. Returns the line if that is not possible.
    fn resume(
        &mut self,
        connection: ConnectionId,
        line: Line,
        key: &PublicKey,
        resume: &Resume,
        entrance: &Entrance,
    ) -> Result<(), Line> {
        let id = &resume.session;
        if self.rooms.resume(id, &key.to_string()).is_err() {
            return Err(line);
        }
        let ice_servers = self.ice_servers(entrance, id);
        let Some(member) = self.sessions.get_mut(id) else { return Err(line) };
        // Detach the old connection first: nothing more may be received from it or sent to it.
        if let Some((old, line)) = member.line.take() {
            self.carried.remove(&old);
            line.say(&bye(ErrorCode::Replaced));
            line.close(close_code(ErrorCode::Replaced));
        }
        if member.session.resume_at(resume.received).is_err() {
            self.rooms.close(id, ErrorCode::CannotResume);
            return Err(line);
        }
        tracing::debug!(replayed = member.session.backlog().total().messages, "session resumed");
        line.say(&ServerMessage::Resumed { received: member.session.received(), ice_servers });
        member.line = Some((connection, line));
        member.hand_over();
        self.rooms.note(id, member.session.backlog());
        self.carried.insert(connection, id.clone());
        Ok(())
    }

    fn frame(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        bytes: usize,
        frame: Result<Envelope<ClientMessage>, Rejected>,
    ) {
        let Some(id) = self.carried.get(&connection).cloned() else { return };
        let Some(member) = self.sessions.get_mut(&id) else { return };
        let (seq, ack) = match &frame {
            Ok(envelope) => (envelope.seq, envelope.ack),
            Err(rejected) => (rejected.seq, rejected.ack),
        };
        let place = member.session.receive_numbers(now, seq, ack);
        // Send what this acknowledgement made room for.
        member.hand_over();
        self.rooms.note(&id, member.session.backlog());
        match place {
            Ok(Place::New | Place::Uncounted) => {}
            Ok(Place::Duplicate) => return,
            Err(count) => {
                tracing::debug!(%count, "the client's sequence numbers are wrong");
                return self.break_off(now, connection, ErrorCode::Malformed);
            }
        }
        match frame {
            // A message that changes state must be numbered; otherwise a replay could apply it twice.
            Ok(envelope) if seq == 0 && envelope.message.is_counted() => {
                self.break_off(now, connection, ErrorCode::Malformed);
            }
            // Refuse requests whose result could not be stored.
            Ok(Envelope { message: ClientMessage::Board(_) | ClientMessage::Account(_), .. })
                if self.keeping.is_stuck() =>
            {
                self.rooms.refused(now, &id, seq, bytes, ErrorCode::NotSaved);
            }
            Ok(envelope) if matches!(envelope.message, ClientMessage::Account(_)) => {
                if self.rooms.admits(now, &id, seq, bytes, &envelope.message) {
                    self.account_request(&id, seq, envelope.message);
                }
            }
            Ok(envelope) => self.rooms.message(now, unix_ms(), &id, seq, bytes, envelope.message),
            Err(rejected) => self.rooms.refused(now, &id, seq, bytes, rejected.code),
        }
    }

    fn closed(&mut self, now: Instant, connection: ConnectionId, quit: bool) {
        let Some(id) = self.carried.remove(&connection) else { return };
        if let Some(member) = self.sessions.get_mut(&id) {
            member.line = None;
        }
        if quit {
            self.rooms.quit(&id);
        } else {
            self.rooms.disconnected(now, &id);
        }
    }

    /// Closes a connection. Its session may be resumed.
    fn break_off(&mut self, now: Instant, connection: ConnectionId, code: ErrorCode) {
        let member = self.carried.get(&connection).and_then(|id| self.sessions.get_mut(id));
        if let Some((_, line)) = member.and_then(|member| member.line.take()) {
            line.say(&error(code));
            line.close(close_code(code));
        }
        self.closed(now, connection, false);
    }

    /// Executes the decisions of the rooms, including those that follow from a client found to be too slow.
    fn drain(&mut self) {
        while let Some(output) = self.next_output() {
            match output {
                Output::Send { to, message } => self.deliver(&to, &message),
                Output::Forgotten(person) => self.forget_account(&person),
                Output::Write(changes) => self.keeping.write(changes),
                Output::Kept { to, message } => {
                    let message = self.with_account(message);
                    self.say_when_safe(Word::To(to, message));
                }
                Output::Publish { to, text } => self.say_when_safe(Word::ToAll(to, text)),
                Output::Forwarder(request) => self.ask_forwarder(request),
                Output::End { session, code } => self.end(&session, code),
            }
        }
        let revision = self.rooms.board().revision();
        self.revision.send_if_modified(|last| std::mem::replace(last, revision) != revision);
    }

    fn deliver(&mut self, to: &SessionId, message: &ServerMessage) {
        if let Some(relay) = &mut self.relay {
            relay.observe(to, message);
        }
        let Some(member) = self.sessions.get_mut(to) else { return };
        match message {
            ServerMessage::Pong { nonce } => {
                member.pong = Some(*nonce);
                member.hand_over();
            }
            ServerMessage::Bye { .. } => {
                let frame = member.session.uncounted(message);
                if let Some((_, line)) = &member.line {
                    line.hand(frame);
                }
            }
            _ => {
                let delivered = member.session.deliver(message);
                self.delivered(to, delivered);
            }
        }
    }

    /// Delivers a piece of the board, which is serialized once for all its subscribers.
    fn deliver_text(&mut self, to: &SessionId, text: Text) {
        let Some(member) = self.sessions.get_mut(to) else { return };
        self.rooms.published(to, text.len());
        let delivered = member.session.deliver_text(Cause::Board, text);
        self.delivered(to, delivered);
    }

    fn delivered(&mut self, to: &SessionId, delivered: Result<(), QueueFull>) {
        let Some(member) = self.sessions.get_mut(to) else { return };
        match delivered {
            Ok(()) => {
                member.hand_over();
                self.rooms.note(to, member.session.backlog());
            }
            Err(QueueFull) => self.rooms.close(to, ErrorCode::TooSlow),
        }
    }

    fn end(&mut self, session: &SessionId, code: Option<ErrorCode>) {
        if let Some(relay) = &mut self.relay {
            relay.closed(session);
        }
        let Some(member) = self.sessions.remove(session) else { return };
        let Some((connection, line)) = member.line else { return };
        self.carried.remove(&connection);
        let Some(code) = code else { return line.close(close::NORMAL) };
        tracing::debug!(?code, "session ended");
        // A client that is too slow would not read a `bye` in the queue either, so its connection is cut.
        if code == ErrorCode::TooSlow {
            line.cut(code);
        } else {
            let retry_after_ms = (code != ErrorCode::DeviceRemoved).then_some(FULL_RETRY_MS);
            line.say(&ServerMessage::Bye { code, retry_after_ms });
            line.close(close_code(code));
        }
    }

    fn welcome(&self, session: SessionId, member: bool, key: &str, ice_servers: Vec<IceServer>) -> Welcome {
        Welcome {
            session,
            resume_ms: u64::try_from(self.limits.resume.as_millis()).unwrap_or(u64::MAX),
            ice_servers,
            limits: LimitsInfo {
                max_message_bytes: MAX_FRAME_BYTES,
                max_participants: self.limits.participants,
                max_forwarded: self.limits.forwarding.map(|limits| limits.participants),
                max_chat_chars: MAX_CHAT_CHARS,
            },
            member,
            sign_in: self.accounts.is_open(),
            account: self.account_info(key),
        }
    }

    fn ice_servers(&self, entrance: &Entrance, session: &SessionId) -> Vec<IceServer> {
        self.ice.servers(entrance, session, SystemTime::now())
    }
}

/// An error without a sequence number.
pub(crate) fn error(code: ErrorCode) -> ServerMessage {
    ServerMessage::Error(ErrorMessage { code, message: text(code).into(), about: None })
}

/// A final `bye`: the client must not reconnect.
pub(crate) fn bye(code: ErrorCode) -> ServerMessage {
    ServerMessage::Bye { code, retry_after_ms: None }
}

fn as_gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
