//! One room: its seats, and what everybody in it hears.

use std::collections::{BTreeSet, VecDeque};

use signaling::board::{Knocker, RoomNews};
use signaling::limits::MAX_LOBBY;
use signaling::message::{
    ErrorCode, IceCandidate, LeaveReason, MediaState, Participant, ParticipantId, Resolution, ServerMessage, SessionId,
};

use crate::picture::Picture;

/// Who sits behind a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Device key, base64url without padding: who it really is.
    pub key: String,
    /// Label.
    pub name: String,
    /// One of the community.
    pub member: bool,
}

/// What one participant says to one other.
#[derive(Debug, Clone, PartialEq)]
pub enum Directed {
    /// SDP offer.
    Offer(String),
    /// SDP answer.
    Answer(String),
    /// Trickled ICE candidate.
    Candidate(IceCandidate),
    /// No more candidates.
    EndOfCandidates,
    /// How large the addressee's camera is shown.
    Resolution(Resolution),
}

/// The people in a room, earliest first. What they are to be told collects until [`Room::poll_output`] hands it out.
///
/// A seat's life:
/// ```text
///          join            disconnected
/// (none) ───────▶ connected ──────────▶ kept for the resume time
///    ▲                │  ▲                 │      │
///    │ leave,         │  └─────────────────┘      │ time is up
///    └─ replaced ─────┘       resumed             └──────────▶ (none)
/// ```
#[derive(Debug)]
pub struct Room {
    name: String,
    seats: Vec<Seat>,
    /// Those who knock, earliest first; at most [`MAX_LOBBY`].
    lobby: Vec<Waiter>,
    /// What everybody was last told of the door.
    door: Door,
    /// Somebody came or went since it was last asked.
    seats_changed: bool,
    /// Number of the next participant: ids are never used twice.
    next: u64,
    /// Bounded by the caller, who drains it after every call: one call adds at most a few messages a seat.
    outputs: VecDeque<(SessionId, ServerMessage)>,
}

/// Who keeps the door of a table's room, and whether it is locked. A room that is no table's has nobody at its door.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Door {
    keeper: Option<ParticipantId>,
    locked: bool,
}

impl Door {
    fn news(&self) -> ServerMessage {
        ServerMessage::Room(RoomNews::State { host: self.keeper.clone(), locked: self.locked })
    }
}

/// Somebody in the lobby.
#[derive(Debug, Clone)]
pub struct Waiter {
    /// Id in the lobby.
    pub id: ParticipantId,
    /// Their session.
    pub session: SessionId,
    /// Who.
    pub person: Person,
    /// Microphone and camera, for when they come in.
    pub media: MediaState,
}

#[derive(Debug)]
struct Seat {
    id: ParticipantId,
    session: SessionId,
    person: Person,
    media: MediaState,
    connected: bool,
    picture: Picture,
}

impl Room {
    /// An empty room.
    pub fn new(name: impl Into<String>) -> Room {
        Room {
            name: name.into(),
            seats: Vec::new(),
            lobby: Vec::new(),
            door: Door::default(),
            seats_changed: false,
            next: 1,
            outputs: VecDeque::new(),
        }
    }

    /// Takes a seat, at most `max` of them, and returns the sessions whose seat it took over: a device sits in a
    /// room once, so joining again from elsewhere replaces its older seat.
    ///
    /// # Errors
    /// [`ErrorCode::RoomFull`] when every seat is taken by somebody else.
    pub fn join(
        &mut self,
        session: &SessionId,
        person: &Person,
        media: MediaState,
        max: usize,
    ) -> Result<Vec<SessionId>, ErrorCode> {
        let replaced: Vec<SessionId> =
            self.seats.iter().filter(|seat| seat.person.key == person.key).map(|seat| seat.session.clone()).collect();
        if self.seats.len() - replaced.len() >= max {
            return Err(ErrorCode::RoomFull);
        }
        for old in &replaced {
            self.leave(old, LeaveReason::Replaced);
        }
        self.seat(session, person, media);
        Ok(replaced)
    }

    /// Frees the seat of a session and tells everybody, the one who goes included.
    pub fn leave(&mut self, session: &SessionId, reason: LeaveReason) {
        let Some(index) = self.seats.iter().position(|seat| &seat.session == session) else { return };
        let seat = self.seats.remove(index);
        self.seats_changed = true;
        self.outputs.push_back((seat.session, ServerMessage::Left { reason }));
        for other in &mut self.seats {
            if let Some(message) = other.picture.left(&seat.id, reason) {
                self.outputs.push_back((other.session.clone(), message));
            }
        }
    }

    /// The session and key of the addressee of a message of somebody in this room.
    ///
    /// # Errors
    /// [`ErrorCode::UnexpectedMessage`] from somebody without a seat, [`ErrorCode::NoSuchParticipant`] when the
    /// addressee has none, or is the speaker.
    pub fn addressee(&self, session: &SessionId, to: &ParticipantId) -> Result<(SessionId, String), ErrorCode> {
        let from = self.id_of(session).ok_or(ErrorCode::UnexpectedMessage)?;
        let found = self.session_of(to).filter(|_| to != from);
        found.ok_or(ErrorCode::NoSuchParticipant)
    }

    /// Hands a message to one other participant of this room.
    ///
    /// # Errors
    /// [`ErrorCode::UnexpectedMessage`] from somebody without a seat, [`ErrorCode::NoSuchParticipant`] when the
    /// addressee has none, or is the speaker.
    pub fn relay(&mut self, session: &SessionId, to: &ParticipantId, said: Directed) -> Result<(), ErrorCode> {
        let (receiver, _) = self.addressee(session, to)?;
        let from = self.id_of(session).ok_or(ErrorCode::UnexpectedMessage)?.clone();
        self.introduce(&receiver, &from);
        let message = match said {
            Directed::Offer(sdp) => ServerMessage::Offer { from, sdp },
            Directed::Answer(sdp) => ServerMessage::Answer { from, sdp },
            Directed::Candidate(candidate) => ServerMessage::Candidate { from, candidate },
            Directed::EndOfCandidates => ServerMessage::EndOfCandidates { from },
            Directed::Resolution(most) => ServerMessage::Resolution { from, most },
        };
        self.outputs.push_back((receiver, message));
        Ok(())
    }

    /// Notes what somebody sends now and tells the others.
    pub fn set_media(&mut self, session: &SessionId, media: MediaState) {
        let Some(seat) = self.seats.iter_mut().find(|seat| &seat.session == session) else { return };
        seat.media = media;
        self.redraw_others(session);
    }

    /// Hands a line of chat to everybody, the speaker included, in the one order of this room.
    pub fn chat(&mut self, session: &SessionId, text: &str, at: u64) {
        let Some(from) = self.id_of(session).cloned() else { return };
        for to in self.sessions() {
            self.introduce(&to, &from);
            self.outputs.push_back((to, ServerMessage::Chat { from: from.clone(), text: text.to_owned(), at }));
        }
    }

    /// Notes that a session broke or came back and tells the others if that is news.
    pub fn set_connected(&mut self, session: &SessionId, connected: bool) {
        let Some(seat) = self.seats.iter_mut().find(|seat| &seat.session == session) else { return };
        if seat.connected == connected {
            return;
        }
        seat.connected = connected;
        self.redraw_others(session);
    }

    /// Whether what a session has not acknowledged leaves room for events. Who has fallen behind hears the newest
    /// state of everything once it does.
    pub fn set_open(&mut self, session: &SessionId, is_open: bool) {
        let Some(index) = self.seats.iter().position(|seat| &seat.session == session) else { return };
        self.seats[index].picture.is_open = is_open;
        if is_open {
            self.redraw(index);
        }
    }

    /// Everybody's session, earliest first.
    pub fn sessions(&self) -> Vec<SessionId> {
        self.seats.iter().map(|seat| seat.session.clone()).collect()
    }

    /// The next message to deliver, in the order in which things happened.
    pub fn poll_output(&mut self) -> Option<(SessionId, ServerMessage)> {
        self.outputs.pop_front()
    }

    /// Everybody in the room, earliest first.
    pub fn participants(&self) -> impl Iterator<Item = Participant> {
        self.seats.iter().map(Seat::participant)
    }

    /// The id a session has here.
    pub fn id_of(&self, session: &SessionId) -> Option<&ParticipantId> {
        self.seats.iter().find(|seat| &seat.session == session).map(|seat| &seat.id)
    }

    /// Whether nobody sits here, or waits to be let in.
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty() && self.lobby.is_empty()
    }

    /// Knocks, and tells who keeps the door.
    ///
    /// # Errors
    /// [`ErrorCode::RoomFull`] when [`MAX_LOBBY`] others do so already.
    pub fn knock(&mut self, session: &SessionId, person: &Person, media: MediaState) -> Result<(), ErrorCode> {
        if self.lobby.len() >= MAX_LOBBY {
            return Err(ErrorCode::RoomFull);
        }
        let id = ParticipantId(format!("k{}", self.next));
        self.next += 1;
        self.lobby.push(Waiter { id, session: session.clone(), person: person.clone(), media });
        let knocking = ServerMessage::Room(RoomNews::Knocking { room: self.name.clone() });
        self.outputs.push_back((session.clone(), knocking));
        self.outputs.push_back((session.clone(), self.door.news()));
        self.tell_lobby();
        Ok(())
    }

    /// Somebody knocks no more: they were let in, or not, or went away.
    pub fn stop_knocking(&mut self, session: &SessionId) {
        let before = self.lobby.len();
        self.lobby.retain(|waiter| waiter.session != *session);
        if self.lobby.len() < before {
            self.tell_lobby();
        }
    }

    /// Those who knock at a room in which nobody is, members first, each in the order of their coming.
    pub fn knocking_alone(&self) -> Vec<Waiter> {
        let alone = self.lobby.iter().filter(|_| self.seats.is_empty());
        let (members, guests): (Vec<_>, Vec<_>) = alone.cloned().partition(|waiter| waiter.person.member);
        members.into_iter().chain(guests).collect()
    }

    /// Sessions of those who knock.
    pub fn knocking(&self) -> impl Iterator<Item = &SessionId> {
        self.lobby.iter().map(|waiter| &waiter.session)
    }

    /// Somebody in the lobby.
    pub fn waiter(&self, id: &ParticipantId) -> Option<&Waiter> {
        self.lobby.iter().find(|waiter| waiter.id == *id)
    }

    /// Somebody's camera or microphone changed while they knock.
    pub fn set_waiter_media(&mut self, session: &SessionId, media: MediaState) {
        if let Some(waiter) = self.lobby.iter_mut().find(|waiter| waiter.session == *session) {
            waiter.media = media;
        }
    }

    /// The room is a table's: `host` keeps its door. In their absence nobody does while it `waits` for them, else who
    /// has been here longest, members first. Tells everybody what is news in that, also those who knock; false if
    /// nothing is.
    pub fn set_door(&mut self, host: &str, waits: bool, locked: bool) -> bool {
        let longest = || self.seats.iter().find(|seat| seat.person.member).or(self.seats.first());
        let other = || longest().filter(|_| !waits);
        let keeper = self.seats.iter().find(|seat| seat.person.key == host).or_else(other);
        let door = Door { keeper: keeper.map(|seat| seat.id.clone()), locked };
        if door == self.door {
            return false;
        }
        let new_keeper = door.keeper != self.door.keeper;
        self.door = door;
        for session in self.sessions() {
            self.tell_door(&session);
        }
        if new_keeper && !self.lobby.is_empty() {
            // Few words, and as seldom as somebody joins: also for who does not read.
            let knocking = self.lobby.iter().map(|waiter| (waiter.session.clone(), self.door.news()));
            self.outputs.extend(knocking);
            self.tell_lobby();
        }
        true
    }

    /// Tells one person of the door.
    pub fn tell_door(&mut self, session: &SessionId) {
        let Some(seat) = self.seats.iter_mut().find(|seat| &seat.session == session) else { return };
        seat.picture.door_is_news = !seat.picture.is_open;
        if seat.picture.is_open {
            self.outputs.push_back((session.clone(), self.door.news()));
        }
    }

    /// Whether a session keeps the door.
    pub fn keeps_door(&self, session: &SessionId) -> bool {
        self.door.keeper.is_some() && self.door.keeper.as_ref() == self.id_of(session)
    }

    /// Asks somebody to be silent.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchParticipant`].
    pub fn mute(&mut self, id: &ParticipantId) -> Result<(), ErrorCode> {
        let (session, _) = self.session_of(id).ok_or(ErrorCode::NoSuchParticipant)?;
        self.outputs.push_back((session, ServerMessage::Room(RoomNews::Muted)));
        Ok(())
    }

    /// The session and key of somebody in the room.
    pub fn session_of(&self, id: &ParticipantId) -> Option<(SessionId, String)> {
        let seat = self.seats.iter().find(|seat| seat.id == *id)?;
        Some((seat.session.clone(), seat.person.key.clone()))
    }

    /// Keys of everybody in the room, if somebody came or went since this was last asked.
    pub fn take_seats_changed(&mut self) -> Option<BTreeSet<String>> {
        let changed = std::mem::take(&mut self.seats_changed);
        changed.then(|| self.seats.iter().map(|seat| seat.person.key.clone()).collect())
    }

    fn tell_lobby(&mut self) {
        let keeper = self.seats.iter_mut().find(|seat| self.door.keeper.as_ref() == Some(&seat.id));
        let Some(Seat { session, picture, .. }) = keeper else { return };
        picture.lobby_is_news = !picture.is_open;
        if !picture.is_open {
            return;
        }
        let session = session.clone();
        let knocker = |w: &Waiter| Knocker { id: w.id.clone(), name: w.person.name.clone(), key: w.person.key.clone() };
        let knocking = self.lobby.iter().map(knocker).collect();
        self.outputs.push_back((session, ServerMessage::Room(RoomNews::Lobby { knocking })));
    }

    fn seat(&mut self, session: &SessionId, person: &Person, media: MediaState) {
        let id = ParticipantId(format!("p{}", self.next));
        self.next += 1;
        let picture = Picture::new(self.seats.iter().map(|seat| (seat.id.clone(), seat.media)));
        let seat = Seat { id, session: session.clone(), person: person.clone(), media, connected: true, picture };
        let joined = ServerMessage::Joined {
            room: self.name.clone(),
            you: seat.id.clone(),
            participants: self.participants().collect(),
        };
        self.outputs.push_back((session.clone(), joined));
        self.seats.push(seat);
        self.seats_changed = true;
        self.redraw(self.seats.len() - 1);
        self.redraw_others(session);
    }

    /// Brings everybody else's picture up to date.
    fn redraw_others(&mut self, session: &SessionId) {
        for index in 0..self.seats.len() {
            if &self.seats[index].session != session {
                self.redraw(index);
            }
        }
    }

    /// Tells one person everything that their picture of the others lacks, if they are told events now.
    fn redraw(&mut self, index: usize) {
        if !self.seats[index].picture.is_open {
            return;
        }
        let others: Vec<(Participant, bool)> = self.others(index).map(|o| (o.participant(), o.connected)).collect();
        let Seat { session, picture, .. } = &mut self.seats[index];
        let session = session.clone();
        let news = picture.draw(&others);
        self.outputs.extend(news.into_iter().map(|message| (session.clone(), message)));
        let Picture { door_is_news, lobby_is_news, .. } = self.seats[index].picture;
        if door_is_news {
            self.tell_door(&session);
        }
        if lobby_is_news {
            self.seats[index].picture.lobby_is_news = false;
            self.tell_lobby();
        }
    }

    /// Somebody hears of `id` before they hear from them, even if they have fallen behind.
    fn introduce(&mut self, to: &SessionId, id: &ParticipantId) {
        let Some(index) = self.seats.iter().position(|seat| &seat.session == to && &seat.id != id) else { return };
        let Some(other) = self.seats.iter().find(|seat| &seat.id == id).map(Seat::participant) else { return };
        if let Some(message) = self.seats[index].picture.introduce(other) {
            self.outputs.push_back((to.clone(), message));
        }
    }

    fn others(&self, index: usize) -> impl Iterator<Item = &Seat> {
        self.seats.iter().enumerate().filter(move |(other, _)| *other != index).map(|(_, seat)| seat)
    }
}

impl Seat {
    fn participant(&self) -> Participant {
        Participant {
            id: self.id.clone(),
            name: self.person.name.clone(),
            key: self.person.key.clone(),
            media: self.media,
        }
    }
}
