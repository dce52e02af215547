//! One room: its seats, its lobby, and the messages to everybody in it.

mod forwarding;
mod keys;
mod seat;

use std::collections::{BTreeSet, VecDeque};

use signaling::avatar::Avatar;
use signaling::board::{Knocker, RoomNews};
use signaling::connection_report::ConnectionReport;
use signaling::forwarding::OwnDisplayed;
use signaling::limits::MAX_LOBBY;
use signaling::message::{
    ErrorCode, Hand, IceCandidate, LeaveReason, MediaState, Participant, ParticipantId, Reaction, Resolution,
    ServerMessage, SessionId,
};

use self::forwarding::MediaPath;
pub use self::forwarding::{ForwarderRequest, Policy};
use self::seat::Seat;
use crate::room_view::RoomView;

/// The person who owns a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Key that identifies the person, base64url without padding: that of their device, or of their account.
    pub key: String,
    /// Display name.
    pub name: String,
    /// Whether they are a member of the community.
    pub member: bool,
    /// Whether they are a steward of the community.
    pub steward: bool,
    /// Key of the device, if it is not `key`. An account may have several devices.
    pub device: Option<String>,
}

impl Person {
    /// Key of the device, which has proved it and signs its descriptions with it.
    pub fn device_key(&self) -> &str {
        self.device.as_deref().unwrap_or(&self.key)
    }
}

/// What the others learn with a `join`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Whether microphone and camera are on.
    pub media: MediaState,
    /// The nonce of the join, which the others receive unchanged; at most 64 bytes.
    pub nonce: Option<String>,
    /// How the board shows them.
    pub avatar: Avatar,
    /// Whether the client can be in a forwarded room.
    pub forwards: bool,
}

/// A message from one participant to one other.
#[derive(Debug, Clone, PartialEq)]
pub enum Directed {
    /// SDP offer and its signature.
    Offer(String, Option<String>),
    /// SDP answer and its signature.
    Answer(String, Option<String>),
    /// Trickled ICE candidate.
    Candidate(IceCandidate),
    /// End of candidates.
    EndOfCandidates,
    /// How large the sender displays the recipient's camera.
    Resolution(Resolution),
    /// The sender asks for the recipient's report.
    CheckConnection,
    /// The sender's report.
    ConnectionReport(ConnectionReport),
}

/// The people in a room, earliest first. Messages to them collect until [`Room::poll_output`] returns them.
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
    /// People who knock, earliest first; at most [`MAX_LOBBY`].
    lobby: Vec<Waiter>,
    /// The door's state that everybody was last sent.
    door: Door,
    /// Whether anybody joined or left since [`Room::take_seats_changed`].
    seats_changed: bool,
    /// Number of the next participant. Ids are never reused.
    next: u64,
    /// The hand that was raised last.
    last_hand: Hand,
    path: MediaPath,
    /// As many as there are seats after one call, at most. The caller drains them after every call.
    for_forwarder: VecDeque<ForwarderRequest>,
    /// Bounded by the caller, who drains them after every call: one call adds at most a few messages for each seat.
    outputs: VecDeque<(SessionId, ServerMessage)>,
}

/// The participant who admits people to a table's room (the door's keeper), whether the room is locked, and whom the
/// keeper shows large. A room without a table has no keeper.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Door {
    keeper: Option<ParticipantId>,
    locked: bool,
    spotlight: Option<ParticipantId>,
}

impl Door {
    fn news(&self) -> ServerMessage {
        let Door { keeper, locked, spotlight } = self.clone();
        ServerMessage::Room(RoomNews::State { host: keeper, locked, spotlight })
    }
}

/// A person in the lobby.
#[derive(Debug, Clone)]
pub struct Waiter {
    /// Id in the lobby.
    pub id: ParticipantId,
    /// Their session.
    pub session: SessionId,
    /// The person.
    pub person: Person,
    /// What the others receive when they are admitted.
    pub arrival: Arrival,
}

impl Room {
    /// Creates an empty room.
    pub fn new(name: impl Into<String>) -> Room {
        Room {
            name: name.into(),
            seats: Vec::new(),
            lobby: Vec::new(),
            door: Door::default(),
            seats_changed: false,
            next: 1,
            last_hand: 0,
            path: MediaPath::default(),
            for_forwarder: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes one of at most `max` seats. Returns the sessions whose seats it replaced: a person has one seat in a
    /// room, so joining in another session, also on another device, gives up the older seat. With a `policy` the room may
    /// become forwarded, or direct.
    ///
    /// # Errors
    /// [`ErrorCode::RoomFull`] if others have all the seats.
    pub fn join(
        &mut self,
        session: &SessionId,
        person: &Person,
        arrival: Arrival,
        max: usize,
        policy: Option<&Policy>,
    ) -> Result<Vec<SessionId>, ErrorCode> {
        let replaced: Vec<SessionId> =
            self.seats.iter().filter(|seat| seat.person.key == person.key).map(|seat| seat.session.clone()).collect();
        if self.seats.len() - replaced.len() >= max {
            return Err(ErrorCode::RoomFull);
        }
        for old in &replaced {
            self.leave(old, LeaveReason::Replaced);
        }
        if let Some(policy) = policy {
            self.choose_path(policy, Some(arrival.forwards));
        }
        self.seat(session, person, arrival);
        Ok(replaced)
    }

    /// Frees the seat of a session and informs everybody, including the one who leaves.
    pub fn leave(&mut self, session: &SessionId, reason: LeaveReason) {
        let Some(index) = self.seats.iter().position(|seat| &seat.session == session) else { return };
        let seat = self.seats.remove(index);
        self.seats_changed = true;
        self.drop_from_forwarder(&seat);
        self.outputs.push_back((seat.session, ServerMessage::Left { reason }));
        for other in &mut self.seats {
            if let Some(message) = other.view.left(&seat.id, reason) {
                self.outputs.push_back((other.session.clone(), message));
            }
        }
    }

    /// Returns the session and key of the recipient of a participant's message.
    ///
    /// # Errors
    /// [`ErrorCode::UnexpectedMessage`] if the sender has no seat, [`ErrorCode::NoSuchParticipant`] if the recipient
    /// has none or is the sender.
    pub fn addressee(&self, session: &SessionId, to: &ParticipantId) -> Result<(SessionId, String), ErrorCode> {
        let from = self.id_of(session).ok_or(ErrorCode::UnexpectedMessage)?;
        let found = self.session_of(to).filter(|_| to != from);
        found.ok_or(ErrorCode::NoSuchParticipant)
    }

    /// Forwards a message to one other participant of this room.
    ///
    /// # Errors
    /// [`ErrorCode::UnexpectedMessage`] if the sender has no seat, [`ErrorCode::NoSuchParticipant`] if the recipient
    /// has none or is the sender.
    pub fn relay(&mut self, session: &SessionId, to: &ParticipantId, said: Directed) -> Result<(), ErrorCode> {
        let (receiver, _) = self.addressee(session, to)?;
        let from = self.id_of(session).ok_or(ErrorCode::UnexpectedMessage)?.clone();
        self.introduce(&receiver, &from);
        let message = match said {
            Directed::Offer(sdp, signature) => ServerMessage::Offer { from, sdp, signature },
            Directed::Answer(sdp, signature) => ServerMessage::Answer { from, sdp, signature },
            Directed::Candidate(candidate) => ServerMessage::Candidate { from, candidate },
            Directed::EndOfCandidates => ServerMessage::EndOfCandidates { from },
            Directed::Resolution(most) => ServerMessage::Resolution { from, most },
            Directed::CheckConnection => ServerMessage::CheckConnection { from },
            Directed::ConnectionReport(report) => ServerMessage::ConnectionReport { from, report },
        };
        self.outputs.push_back((receiver, message));
        Ok(())
    }

    /// Records whether somebody's microphone and camera are on, and informs the others.
    pub fn set_media(&mut self, session: &SessionId, media: MediaState) {
        let Some(seat) = self.seats.iter_mut().find(|seat| &seat.session == session) else { return };
        seat.arrival.media = media;
        self.redraw_others(session);
    }

    /// Shows somebody differently, also if they knock and are admitted later.
    pub fn set_avatar(&mut self, session: &SessionId, avatar: Avatar) {
        if let Some(waiter) = self.lobby.iter_mut().find(|waiter| waiter.session == *session) {
            waiter.arrival.avatar = avatar;
        } else if let Some(seat) = self.seats.iter_mut().find(|seat| &seat.session == session) {
            seat.arrival.avatar = avatar;
            self.redraw_others(session);
        }
    }

    /// Raises or lowers somebody's hand, and informs everybody if that is a change.
    pub fn set_hand(&mut self, session: &SessionId, raised: bool) {
        let Some(index) = self.seats.iter().position(|seat| &seat.session == session) else { return };
        if raised == self.seats[index].hand.is_some() {
            return;
        }
        self.seats[index].hand = raised.then(|| self.next_hand());
        self.tell_hand(index);
        self.redraw_others(session);
    }

    /// Lowers somebody's hand, if it is raised.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchParticipant`].
    pub fn lower_hand(&mut self, id: &ParticipantId) -> Result<(), ErrorCode> {
        let (session, _) = self.session_of(id).ok_or(ErrorCode::NoSuchParticipant)?;
        self.set_hand(&session, false);
        Ok(())
    }

    /// Shows a reaction to everybody, including its author. Who has fallen behind does not get it.
    pub fn react(&mut self, session: &SessionId, reaction: Reaction) {
        let Some(from) = self.id_of(session).cloned() else { return };
        for seat in self.seats.iter().filter(|seat| seat.view.is_open) {
            let message = ServerMessage::Reaction { from: from.clone(), reaction };
            self.outputs.push_back((seat.session.clone(), message));
        }
    }

    /// Sends a line of chat to everybody, including its author, in the one order of this room.
    pub fn chat(&mut self, session: &SessionId, text: &str, at: u64) {
        let Some(from) = self.id_of(session).cloned() else { return };
        for to in self.sessions() {
            self.introduce(&to, &from);
            self.outputs.push_back((to, ServerMessage::Chat { from: from.clone(), text: text.to_owned(), at }));
        }
    }

    /// Records that a session broke or resumed, and informs the others if that is a change.
    pub fn set_connected(&mut self, session: &SessionId, connected: bool) {
        let Some(seat) = self.seats.iter_mut().find(|seat| &seat.session == session) else { return };
        if seat.connected == connected {
            return;
        }
        seat.connected = connected;
        self.redraw_others(session);
    }

    /// Sets whether a session's backlog has room for events. A session that had fallen behind receives the newest
    /// state as soon as it has.
    pub fn set_open(&mut self, session: &SessionId, is_open: bool) {
        let Some(index) = self.seats.iter().position(|seat| &seat.session == session) else { return };
        self.seats[index].view.is_open = is_open;
        if is_open {
            self.redraw(index);
        }
    }

    /// All sessions, earliest first.
    pub fn sessions(&self) -> Vec<SessionId> {
        self.seats.iter().map(|seat| seat.session.clone()).collect()
    }

    /// Returns the next message to deliver, in the order of events.
    pub fn poll_output(&mut self) -> Option<(SessionId, ServerMessage)> {
        self.outputs.pop_front()
    }

    /// Everybody in the room, earliest first.
    pub fn participants(&self) -> impl Iterator<Item = Participant> {
        self.seats.iter().map(Seat::participant)
    }

    /// The id of a session in this room.
    pub fn id_of(&self, session: &SessionId) -> Option<&ParticipantId> {
        self.seats.iter().find(|seat| &seat.session == session).map(|seat| &seat.id)
    }

    /// Whether nobody sits here or knocks.
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty() && self.lobby.is_empty()
    }

    /// Adds somebody to the lobby and informs the door's keeper.
    ///
    /// # Errors
    /// [`ErrorCode::RoomFull`] if [`MAX_LOBBY`] others already knock.
    pub fn knock(&mut self, session: &SessionId, person: &Person, arrival: Arrival) -> Result<(), ErrorCode> {
        if self.lobby.len() >= MAX_LOBBY {
            return Err(ErrorCode::RoomFull);
        }
        let id = ParticipantId(format!("k{}", self.next));
        self.next += 1;
        self.lobby.push(Waiter { id, session: session.clone(), person: person.clone(), arrival });
        let knocking = ServerMessage::Room(RoomNews::Knocking { room: self.name.clone() });
        self.outputs.push_back((session.clone(), knocking));
        self.outputs.push_back((session.clone(), self.door.news()));
        self.tell_lobby();
        Ok(())
    }

    /// Somebody stops knocking: they were admitted or refused, or left.
    pub fn stop_knocking(&mut self, session: &SessionId) {
        let before = self.lobby.len();
        self.lobby.retain(|waiter| waiter.session != *session);
        if self.lobby.len() < before {
            self.tell_lobby();
        }
    }

    /// People who knock while the room is empty: members first, each group in order of arrival.
    pub fn knocking_alone(&self) -> Vec<Waiter> {
        let alone = self.lobby.iter().filter(|_| self.seats.is_empty());
        let (members, guests): (Vec<_>, Vec<_>) = alone.cloned().partition(|waiter| waiter.person.member);
        members.into_iter().chain(guests).collect()
    }

    /// Sessions of those who knock.
    pub fn knocking(&self) -> impl Iterator<Item = &SessionId> {
        self.lobby.iter().map(|waiter| &waiter.session)
    }

    /// The person in the lobby with this id.
    pub fn waiter(&self, id: &ParticipantId) -> Option<&Waiter> {
        self.lobby.iter().find(|waiter| waiter.id == *id)
    }

    /// Updates the microphone and camera of somebody who knocks.
    pub fn set_waiter_media(&mut self, session: &SessionId, media: MediaState) {
        if let Some(waiter) = self.lobby.iter_mut().find(|waiter| waiter.session == *session) {
            waiter.arrival.media = media;
        }
    }

    /// Sets the door of a table's room. Its keeper is `host`. While the host is absent there is no keeper if the room
    /// `waits` for them; otherwise it is the participant who has been here longest, members first. Sends changes to
    /// everybody, also to those who knock. Returns false if nothing changed.
    pub fn set_door(&mut self, host: &str, waits: bool, locked: bool) -> bool {
        let longest = || self.seats.iter().find(|seat| seat.person.member).or(self.seats.first());
        let other = || longest().filter(|_| !waits);
        let keeper = self.seats.iter().find(|seat| seat.person.key == host).or_else(other);
        let spotlight = self.door.spotlight.clone().filter(|id| self.seats.iter().any(|seat| seat.id == *id));
        let door = Door { keeper: keeper.map(|seat| seat.id.clone()), locked, spotlight };
        if door == self.door {
            return false;
        }
        let new_keeper = door.keeper != self.door.keeper;
        self.door = door;
        self.tell_door_to_all();
        if new_keeper && !self.lobby.is_empty() {
            // Short messages, as rare as joins: also for clients that do not acknowledge.
            let knocking = self.lobby.iter().map(|waiter| (waiter.session.clone(), self.door.news()));
            self.outputs.extend(knocking);
            self.tell_lobby();
        }
        true
    }

    /// Shows somebody large to everybody, or nobody any longer.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchParticipant`].
    pub fn set_spotlight(&mut self, id: Option<ParticipantId>) -> Result<(), ErrorCode> {
        if id.as_ref().is_some_and(|id| self.session_of(id).is_none()) {
            return Err(ErrorCode::NoSuchParticipant);
        }
        if self.door.spotlight != id {
            self.door.spotlight = id;
            self.tell_door_to_all();
        }
        Ok(())
    }

    fn tell_door_to_all(&mut self) {
        for session in self.sessions() {
            self.tell_door(&session);
        }
    }

    /// Sends the door's state to one person.
    pub fn tell_door(&mut self, session: &SessionId) {
        let Some(seat) = self.seats.iter_mut().find(|seat| &seat.session == session) else { return };
        seat.view.door_is_news = !seat.view.is_open;
        if seat.view.is_open {
            self.outputs.push_back((session.clone(), self.door.news()));
        }
    }

    /// Whether a session is the door's keeper.
    pub fn keeps_door(&self, session: &SessionId) -> bool {
        self.door.keeper.is_some() && self.door.keeper.as_ref() == self.id_of(session)
    }

    /// Asks somebody to mute.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchParticipant`].
    pub fn mute(&mut self, id: &ParticipantId) -> Result<(), ErrorCode> {
        let (session, _) = self.session_of(id).ok_or(ErrorCode::NoSuchParticipant)?;
        self.outputs.push_back((session, ServerMessage::Room(RoomNews::Muted)));
        Ok(())
    }

    /// The session and key of a participant.
    pub fn session_of(&self, id: &ParticipantId) -> Option<(SessionId, String)> {
        let seat = self.seats.iter().find(|seat| seat.id == *id)?;
        Some((seat.session.clone(), seat.person.key.clone()))
    }

    /// Returns the keys of everybody in the room if anybody joined or left since the last call.
    pub fn take_seats_changed(&mut self) -> Option<BTreeSet<String>> {
        let changed = std::mem::take(&mut self.seats_changed);
        changed.then(|| self.people())
    }

    /// The keys of everybody who has a seat.
    pub fn people(&self) -> BTreeSet<String> {
        self.seats.iter().map(|seat| seat.person.key.clone()).collect()
    }

    fn tell_lobby(&mut self) {
        let keeper = self.seats.iter_mut().find(|seat| self.door.keeper.as_ref() == Some(&seat.id));
        let Some(Seat { session, view, .. }) = keeper else { return };
        view.lobby_is_news = !view.is_open;
        if !view.is_open {
            return;
        }
        let session = session.clone();
        let knocker = |w: &Waiter| {
            let key = w.person.device_key().to_owned();
            Knocker { id: w.id.clone(), name: w.person.name.clone(), key }
        };
        let knocking = self.lobby.iter().map(knocker).collect();
        self.outputs.push_back((session, ServerMessage::Room(RoomNews::Lobby { knocking })));
    }

    fn seat(&mut self, session: &SessionId, person: &Person, arrival: Arrival) {
        let id = ParticipantId(format!("p{}", self.next));
        self.next += 1;
        let view = RoomView::new(self.participants());
        let (session, person) = (session.clone(), person.clone());
        let (slots, displayed) = (Vec::new(), OwnDisplayed::default());
        let (hand, frame_key) = (None, None);
        let seat = Seat {
            id,
            session,
            person,
            arrival,
            connected: true,
            hand,
            is_forwarded: false,
            slots,
            displayed,
            frame_key,
            view,
        };
        let is_forwarded = self.path.is_forwarded();
        if is_forwarded {
            self.outputs.push_back((seat.session.clone(), ServerMessage::Forwarded { on: true }));
        }
        let joined = ServerMessage::Joined {
            room: self.name.clone(),
            you: seat.id.clone(),
            participants: self.participants().collect(),
        };
        let session = seat.session.clone();
        self.outputs.push_back((session.clone(), joined));
        self.seats.push(seat);
        self.seats_changed = true;
        if is_forwarded {
            self.take_to_forwarder(self.seats.len() - 1);
        }
        self.redraw(self.seats.len() - 1);
        self.redraw_others(&session);
    }

    /// Brings the views of everybody else up to date.
    fn redraw_others(&mut self, session: &SessionId) {
        for index in 0..self.seats.len() {
            if &self.seats[index].session != session {
                self.redraw(index);
            }
        }
    }

    /// Sends one person everything that their view of the others lacks, if they currently receive events.
    fn redraw(&mut self, index: usize) {
        if !self.seats[index].view.is_open {
            return;
        }
        let others: Vec<(Participant, bool)> = self.others(index).map(|o| (o.participant(), o.connected)).collect();
        let Seat { session, view, .. } = &mut self.seats[index];
        let session = session.clone();
        let news = view.update(&others);
        self.outputs.extend(news.into_iter().map(|message| (session.clone(), message)));
        let RoomView { path_is_news, slots_are_news, door_is_news, lobby_is_news, hand_is_news, .. } =
            self.seats[index].view;
        self.tell_frame_keys(index);
        if path_is_news {
            self.tell_path(index);
        }
        if slots_are_news {
            self.tell_slots(index);
        }
        if hand_is_news {
            self.tell_hand(index);
        }
        if door_is_news {
            self.tell_door(&session);
        }
        if lobby_is_news {
            self.seats[index].view.lobby_is_news = false;
            self.tell_lobby();
        }
    }

    /// The number of the next hand: numbers begin again when no hand is raised.
    fn next_hand(&mut self) -> Hand {
        if self.seats.iter().all(|seat| seat.hand.is_none()) {
            self.last_hand = 0;
        }
        self.last_hand = self.last_hand.saturating_add(1);
        self.last_hand
    }

    /// Sends one person the state of their own hand.
    fn tell_hand(&mut self, index: usize) {
        let Seat { id, session, hand, view, .. } = &mut self.seats[index];
        view.hand_is_news = !view.is_open;
        if view.is_open {
            self.outputs.push_back((session.clone(), ServerMessage::Hand { from: id.clone(), hand: *hand }));
        }
    }

    /// Introduces `id` before their first message, even to somebody who has fallen behind.
    fn introduce(&mut self, to: &SessionId, id: &ParticipantId) {
        let Some(index) = self.seats.iter().position(|seat| &seat.session == to && &seat.id != id) else { return };
        let Some(other) = self.seats.iter().find(|seat| &seat.id == id).map(Seat::participant) else { return };
        if let Some(message) = self.seats[index].view.introduce(other) {
            self.outputs.push_back((to.clone(), message));
        }
    }

    fn others(&self, index: usize) -> impl Iterator<Item = &Seat> {
        self.seats.iter().enumerate().filter(move |(other, _)| *other != index).map(|(_, seat)| seat)
    }
}
