//! All sessions and rooms of a server.

mod board;
mod buckets;
mod door;
mod fair;
mod forwarding;
mod order;
mod people;
mod refusal;
mod watching;

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use signaling::backlog::{Backlog, Pool, Text};
use signaling::forwarding::FORWARDER;
use signaling::message::{
    ClientMessage, ErrorCode, LeaveReason, MediaState, Participant, ParticipantId, ServerMessage, SessionId,
};

use self::fair::Refusal;
pub use self::people::MAX_REMEMBERED;
use self::people::People;
use self::refusal::refusal;
pub use self::refusal::text;
pub use self::watching::MAX_PIECES;
use self::watching::{Pieces, Watching};
use crate::board::{Board, Change, Entry};
use crate::limits::Limits;
use crate::room::{Arrival, Directed, ForwarderRequest, Person, Room};
use crate::source::Source;

/// Actions for the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Deliver a message. If the session is broken, deliver it after the resume.
    Send {
        /// The recipient.
        to: SessionId,
        /// The message.
        message: ServerMessage,
    },
    /// Somebody is being erased, with the changes that follow. Their key.
    Forgotten(String),
    /// Store these changes, all or nothing. Deliver later [`Output::Kept`] and [`Output::Publish`] only after they
    /// are stored.
    Write(Vec<Change>),
    /// Like [`Output::Send`], after all earlier writes are stored.
    Kept {
        /// The recipient.
        to: SessionId,
        /// The message.
        message: ServerMessage,
    },
    /// Send one text to many, after all earlier writes are stored.
    Publish {
        /// The recipients.
        to: Vec<SessionId>,
        /// [`signaling::numbering::body`] of the message. [`Rooms::pool`] counts it once for all recipients.
        text: Text,
    },
    /// Ask the forwarder of media. Its answers come back with [`Rooms::forwarder_answered`] and
    /// [`Rooms::forwarder_assigned`].
    Forwarder(ForwarderRequest),
    /// The session has ended. Forget it and close its socket if it has one.
    End {
        /// The session.
        session: SessionId,
        /// The reason, if the client is to receive one.
        code: Option<ErrorCode>,
    },
}

/// All sessions and rooms. After each other call, call [`Rooms::poll_output`] until it returns `None`.
#[derive(Debug)]
pub struct Rooms {
    limits: Limits,
    rooms: HashMap<String, Room>,
    sessions: HashMap<SessionId, Session>,
    people: People,
    /// Number of sessions of non-members. They may take half of all sessions.
    strangers: usize,
    /// Memory of messages that clients have not acknowledged.
    pool: Pool,
    board: Board,
    /// Somebody lacks a part of the board that only the next flush sends.
    is_asked: bool,
    pieces: Pieces,
    /// Unix time of the last message or tick, in milliseconds.
    unix_ms: u64,
    /// Bounded by the caller, who drains them after every call.
    outputs: VecDeque<Output>,
}

/// State of a session's connection to its client.
///
/// ```text
///   open          disconnected
/// ───────▶ Live ──────────────▶ Broken ──▶ (ended: the resume time is up)
///          │  ▲                   │
///    close │  └───────────────────┘
///          ▼          resume
///       (ended)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientConnection {
    Live,
    Broken { until: Instant },
}

#[derive(Debug)]
struct Session {
    person: Person,
    /// Whether the client can be in a forwarded room.
    forwards: bool,
    room: Option<String>,
    /// The room at which they knock.
    knocks: Option<String>,
    watching: Watching,
    /// Bytes of the board that are published but not yet in the backlog.
    publishing: usize,
    connection: ClientConnection,
    /// The networks from which they connect; empty for proven members.
    sources: Vec<Source>,
    /// Messages that the client has not acknowledged.
    backlog: Backlog,
    /// Whether the backlog has room for events.
    is_open: bool,
    refused_in_a_row: u32,
}

impl Rooms {
    /// Creates a server without sessions or rooms, with a board.
    pub fn new(limits: Limits, board: Board) -> Rooms {
        Rooms {
            limits,
            rooms: HashMap::new(),
            sessions: HashMap::new(),
            people: People::default(),
            strangers: 0,
            pool: Pool::default(),
            board,
            is_asked: false,
            pieces: Pieces::default(),
            unix_ms: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Opens a session for somebody whose key has been verified.
    ///
    /// # Errors
    /// [`ErrorCode::ServerFull`], or [`ErrorCode::Internal`] if the id is in use.
    pub fn open(&mut self, now: Instant, session: SessionId, person: Person) -> Result<(), ErrorCode> {
        self.open_from(now, session, person, Vec::new())
    }

    /// Like [`Rooms::open`], for somebody who counts against the limits of their sources.
    ///
    /// # Errors
    /// Those of [`Rooms::open`].
    pub fn open_from(
        &mut self,
        now: Instant,
        session: SessionId,
        person: Person,
        sources: Vec<Source>,
    ) -> Result<(), ErrorCode> {
        let is_full = self.sessions.len() >= self.limits.sessions
            || !person.member && self.strangers >= self.limits.sessions / 2
            || !self.people.takes(&self.limits, &person.key, &sources);
        if is_full {
            return Err(ErrorCode::ServerFull);
        }
        if self.sessions.contains_key(&session) {
            return Err(ErrorCode::Internal);
        }
        self.board.come(&board::who(&person));
        self.people.come(now, &self.limits, &session, &person.key, &sources);
        self.strangers += usize::from(!person.member);
        let opened = Session {
            person,
            forwards: false,
            room: None,
            knocks: None,
            watching: Watching::No,
            publishing: 0,
            connection: ClientConnection::Live,
            sources,
            backlog: Backlog::default(),
            is_open: true,
            refused_in_a_row: 0,
        };
        self.sessions.insert(session, opened);
        self.settle_board();
        Ok(())
    }

    /// Memory of unacknowledged messages, which all [`signaling::server_session::ServerSession`]s share.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The client resumed the session, perhaps from another connection of the same device.
    ///
    /// # Errors
    /// [`ErrorCode::CannotResume`] if the session does not exist or belongs to another device.
    pub fn resume(&mut self, session: &SessionId, key: &str) -> Result<(), ErrorCode> {
        let found = self.sessions.get_mut(session).filter(|found| found.person.device_key() == key);
        found.ok_or(ErrorCode::CannotResume)?.connection = ClientConnection::Live;
        self.in_room(session, |room| room.set_connected(session, true));
        Ok(())
    }

    /// The socket of a session broke. The session keeps its seat for [`Limits::resume`]. A session that has no seat
    /// and nothing waiting for it ends immediately.
    pub fn disconnected(&mut self, now: Instant, session: &SessionId) {
        let until = now + self.limits.resume;
        if self.sessions.contains_key(session) && !self.is_worth_keeping(session) {
            return self.end(session, Some(ErrorCode::Timeout), LeaveReason::Timeout);
        }
        let Some(found) = self.sessions.get_mut(session) else { return };
        if found.connection == ClientConnection::Live {
            found.connection = ClientConnection::Broken { until };
            self.in_room(session, |room| room.set_connected(session, false));
        }
    }

    /// Ends a session that cannot continue. The others see a timeout.
    pub fn close(&mut self, session: &SessionId, code: ErrorCode) {
        self.end(session, Some(code), LeaveReason::Timeout);
    }

    /// The client ended its session on purpose.
    pub fn quit(&mut self, session: &SessionId) {
        self.end(session, None, LeaveReason::Left);
    }

    /// The server is stopping. Everybody receives `bye` and may reconnect after `retry_after_ms`.
    pub fn stop(&mut self, retry_after_ms: u64) {
        for to in self.sessions.keys() {
            let message = ServerMessage::Bye { code: ErrorCode::ServerStopping, retry_after_ms: Some(retry_after_ms) };
            self.outputs.push_back(Output::Send { to: to.clone(), message });
        }
        self.sessions.clear();
        self.people.clear();
        self.strangers = 0;
        self.rooms.clear();
    }

    /// Handles a client's message: number `seq` of its session, in a frame of `bytes` bytes, at Unix time `unix_ms`.
    /// [`signaling::parse::client_message`] has checked its limits and cleaned its texts.
    pub fn message(
        &mut self,
        now: Instant,
        unix_ms: u64,
        session: &SessionId,
        seq: u64,
        bytes: usize,
        message: ClientMessage,
    ) {
        self.unix_ms = unix_ms;
        if !self.sessions.contains_key(session) {
            return;
        }
        let result = self.admit(now, session, bytes, Some(&message));
        let result = result.and_then(|()| self.decide(now, session, seq, bytes, message));
        self.settle_board();
        self.answer(session, seq, result);
    }

    /// A client's frame could not be parsed. Answers with an error, and counts the frame against the rate limits like
    /// a message.
    pub fn refused(&mut self, now: Instant, session: &SessionId, seq: u64, bytes: usize, code: ErrorCode) {
        if self.sessions.contains_key(session) {
            let result = self.admit(now, session, bytes, None);
            self.answer(session, seq, result.and(Err(code.into())));
        }
    }

    /// Ends sessions that have been broken for too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.people.forget(now);
        let mut over: Vec<(Instant, SessionId)> = self
            .sessions
            .iter()
            .filter_map(|(id, session)| match session.connection {
                ClientConnection::Broken { until } if until <= now => Some((until, id.clone())),
                ClientConnection::Broken { .. } | ClientConnection::Live => None,
            })
            .collect();
        over.sort_by(|a, b| (a.0, &a.1.0).cmp(&(b.0, &b.1.0)));
        for (_, session) in over {
            self.end(&session, Some(ErrorCode::Timeout), LeaveReason::Timeout);
        }
    }

    /// When to call [`Rooms::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.sessions
            .values()
            .filter_map(|session| match session.connection {
                ClientConnection::Broken { until } => Some(until),
                ClientConnection::Live => None,
            })
            .min()
    }

    /// Returns the next action for the server, in the order of the decisions.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Number of sessions, including broken ones.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Number of rooms with people in them.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// Everybody in a room, earliest first; empty if the room does not exist.
    pub fn participants(&self, room: &str) -> Vec<Participant> {
        self.rooms.get(room).map(|room| room.participants().collect()).unwrap_or_default()
    }

    /// The room in which a session sits, and its id there.
    pub fn seat(&self, session: &SessionId) -> Option<(&str, &ParticipantId)> {
        let name = self.sessions.get(session)?.room.as_deref()?;
        Some((name, self.rooms.get(name)?.id_of(session)?))
    }

    fn decide(
        &mut self,
        now: Instant,
        session: &SessionId,
        seq: u64,
        bytes: usize,
        message: ClientMessage,
    ) -> Result<(), Refusal> {
        let mut relay = |to: ParticipantId, said| self.relay(now, session, bytes, &to, said);
        match message {
            ClientMessage::Offer { to, sdp, .. } if to.0 == FORWARDER => {
                Ok(self.offer_to_forwarder(session, seq, sdp)?)
            }
            // The forwarder learns the client's addresses from its checks.
            ClientMessage::Candidate { to, .. } | ClientMessage::EndOfCandidates { to } if to.0 == FORWARDER => Ok(()),
            ClientMessage::View { pictures } => Ok(self.display(session, pictures)?),
            ClientMessage::FrameKey(key) => Ok(self.announce_key(session, key)?),
            ClientMessage::SenderKeys { epoch, keys } => Ok(self.give_keys(session, epoch, keys)?),
            ClientMessage::Offer { to, sdp, signature } => relay(to, Directed::Offer(sdp, signature)),
            ClientMessage::Answer { to, sdp, signature } => relay(to, Directed::Answer(sdp, signature)),
            ClientMessage::Candidate { to, candidate } => relay(to, Directed::Candidate(candidate)),
            ClientMessage::EndOfCandidates { to } => relay(to, Directed::EndOfCandidates),
            ClientMessage::Resolution { to, most } => unless_gone(relay(to, Directed::Resolution(most))),
            ClientMessage::CheckConnection { to } => unless_gone(relay(to, Directed::CheckConnection)),
            ClientMessage::ConnectionReport { to, report } => {
                unless_gone(relay(to, Directed::ConnectionReport(report)))
            }
            ClientMessage::Hello(_) => Err(ErrorCode::UnexpectedMessage.into()),
            ClientMessage::Join { room, media, invite, nonce } => {
                let forwards = self.sessions.get(session).is_some_and(|found| found.forwards);
                let arrival = Arrival { media, nonce, avatar: self.avatar_of(session), forwards };
                Ok(self.join(session, room, arrival, invite.as_deref())?)
            }
            ClientMessage::Leave => Ok(self.leave(session)?),
            ClientMessage::Media(media) => Ok(self.media(session, media)?),
            ClientMessage::Hand { raised } => Ok(self.seated(session, |room| room.set_hand(session, raised))?),
            ClientMessage::Reaction { reaction } => Ok(self.seated(session, |room| room.react(session, reaction))?),
            ClientMessage::Chat { text } => Ok(self.chat(session, bytes, &text)?),
            ClientMessage::Board(request) => {
                self.board_request(session, seq, request);
                Ok(())
            }
            ClientMessage::Room(request) => Ok(self.room_request(session, request)?),
            // The server owns the accounts, and answers before.
            ClientMessage::Account(_) => Err(ErrorCode::UnexpectedMessage.into()),
            ClientMessage::Ping { nonce } => {
                self.outputs.push_back(Output::Send { to: session.clone(), message: ServerMessage::Pong { nonce } });
                Ok(())
            }
            ClientMessage::Ack => Ok(()),
        }
    }

    fn error(&mut self, session: &SessionId, seq: u64, code: ErrorCode) {
        self.outputs.push_back(Output::Send { to: session.clone(), message: refusal(seq, code) });
    }

    fn join(
        &mut self,
        session: &SessionId,
        name: String,
        arrival: Arrival,
        invite: Option<&str>,
    ) -> Result<(), ErrorCode> {
        let Some(joining) = self.sessions.get(session) else { return Err(ErrorCode::Internal) };
        if joining.room.is_some() || joining.knocks.is_some() {
            return Err(ErrorCode::UnexpectedMessage);
        }
        let person = joining.person.clone();
        if self.board.is_suspended(&person.key) {
            return Err(ErrorCode::Suspended);
        }
        let entry = self.board.enter(self.unix_ms, &board::who(&person), &name, invite)?;
        // Non-members leave half of all rooms to members.
        let most = if person.member { self.limits.rooms } else { self.limits.rooms / 2 };
        if !self.rooms.contains_key(&name) && self.rooms.len() >= most {
            return Err(ErrorCode::ServerFull);
        }
        let seats = match entry {
            Entry::Plain => self.plain_seats(&name, arrival.forwards),
            Entry::Seated { seats } => usize::from(seats).min(self.limits.participants),
            Entry::Knock => return self.knock(session, name, &person, arrival),
        };
        self.take_in(session, &name, &person, arrival, seats)
    }

    fn take_in(
        &mut self,
        session: &SessionId,
        name: &str,
        person: &Person,
        arrival: Arrival,
        seats: usize,
    ) -> Result<(), ErrorCode> {
        let policy = self.forward_policy();
        let room = self.rooms.entry(name.to_owned()).or_insert_with(|| Room::new(name));
        let joined = room.join(session, person, arrival, seats, policy.as_ref());
        if let (Ok(_), Some(table)) = (&joined, self.board.table_of_room(name))
            && !room.set_door(&table.host, self.board.waits_for_host(name), table.locked)
        {
            room.tell_door(session);
        }
        for old in joined.iter().flatten() {
            self.set_room(old, None);
        }
        if joined.is_ok() {
            self.set_room(session, Some(name.to_owned()));
            let is_open = self.sessions.get(session).is_some_and(|found| found.is_open);
            if let Some(room) = self.rooms.get_mut(name).filter(|_| !is_open) {
                room.set_open(session, false);
            }
        }
        self.drain(name);
        joined.map(|_| ())
    }

    fn leave(&mut self, session: &SessionId) -> Result<(), ErrorCode> {
        if self.stop_knocking(session) {
            let message = ServerMessage::Left { reason: LeaveReason::Left };
            self.outputs.push_back(Output::Send { to: session.clone(), message });
            return Ok(());
        }
        self.get_up(session);
        self.seated(session, |room| room.leave(session, LeaveReason::Left))?;
        self.set_room(session, None);
        Ok(())
    }

    fn media(&mut self, session: &SessionId, media: MediaState) -> Result<(), ErrorCode> {
        let knocks = self.sessions.get(session).and_then(|found| found.knocks.as_ref());
        if let Some(room) = knocks.and_then(|name| self.rooms.get_mut(name)) {
            room.set_waiter_media(session, media);
            return Ok(());
        }
        self.seated(session, |room| room.set_media(session, media))
    }

    /// Records the room of a session.
    fn set_room(&mut self, session: &SessionId, room: Option<String>) {
        let Some(found) = self.sessions.get_mut(session) else { return };
        let (was, is) = (found.room.is_some(), room.is_some());
        found.room = room;
        if was != is {
            self.board.in_room(&found.person.key, is);
        }
    }

    /// Whether somebody who resumes would find anything to resume.
    fn is_worth_keeping(&self, session: &SessionId) -> bool {
        let Some(found) = self.sessions.get(session) else { return false };
        let sits = found.room.is_some() || found.knocks.is_some();
        let waits = found.watching != Watching::No
            || found.backlog.total().messages > 0
            || self.board.is_hungry(&found.person.key);
        sits || found.person.member && waits
    }

    fn end(&mut self, session: &SessionId, code: Option<ErrorCode>, reason: LeaveReason) {
        if !self.sessions.contains_key(session) {
            return;
        }
        self.stop_knocking(session);
        match reason {
            LeaveReason::Left => self.get_up(session),
            _ => self.lose(session),
        }
        self.in_room(session, |room| room.leave(session, reason));
        self.set_room(session, None);
        if let Some(gone) = self.sessions.remove(session) {
            self.strangers -= usize::from(!gone.person.member);
            self.people.go(session, &gone.person.key, &gone.sources, gone.backlog.total().bytes);
            self.forget_session(&gone.person.key);
        }
        self.outputs.push_back(Output::End { session: session.clone(), code });
    }

    /// Runs `act` on the room in which a session sits. Fails if it sits in none.
    fn seated<T>(&mut self, session: &SessionId, act: impl FnOnce(&mut Room) -> T) -> Result<T, ErrorCode> {
        self.in_room(session, act).ok_or(ErrorCode::UnexpectedMessage)
    }

    fn in_room<T>(&mut self, session: &SessionId, act: impl FnOnce(&mut Room) -> T) -> Option<T> {
        let name = self.sessions.get(session)?.room.clone()?;
        let done = act(self.rooms.get_mut(&name)?);
        self.drain(&name);
        Some(done)
    }

    /// Takes the outputs of a room, and drops the room if it is empty.
    pub(super) fn drain(&mut self, name: &str) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        if let Some(keys) = room.take_seats_changed() {
            self.board.set_call(self.unix_ms, name, keys);
        }
        self.board.set_knocking(name, room.knocking().count());
        if let Some(table) = self.board.table_of_room(name) {
            room.set_door(&table.host, self.board.waits_for_host(name), table.locked);
        }
        while let Some((to, message)) = room.poll_output() {
            self.outputs.push_back(Output::Send { to, message });
        }
        while let Some(request) = room.poll_forwarder() {
            self.outputs.push_back(Output::Forwarder(request));
        }
        if room.is_empty() {
            self.rooms.remove(name);
        }
    }
}

/// A message to somebody who has just left is not an error.
fn unless_gone(relayed: Result<(), Refusal>) -> Result<(), Refusal> {
    match relayed {
        Err(Refusal::Code(ErrorCode::NoSuchParticipant)) => Ok(()),
        other => other,
    }
}
