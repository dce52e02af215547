//! One room: its seats, and what everybody in it hears.

use std::collections::VecDeque;

use signaling::message::{
    ErrorCode, IceCandidate, LeaveReason, MediaState, Participant, ParticipantId, ServerMessage, SessionId,
};

/// Who sits behind a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Device key, base64url without padding: who it really is.
    pub key: String,
    /// Label.
    pub name: String,
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
    /// Number of the next participant: ids are never used twice.
    next: u64,
    /// Bounded by the caller, who drains it after every call: one call adds at most a few messages a seat.
    outputs: VecDeque<(SessionId, ServerMessage)>,
}

#[derive(Debug)]
struct Seat {
    id: ParticipantId,
    session: SessionId,
    person: Person,
    media: MediaState,
    connected: bool,
}

impl Room {
    /// An empty room.
    pub fn new(name: impl Into<String>) -> Room {
        Room { name: name.into(), seats: Vec::new(), next: 1, outputs: VecDeque::new() }
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
        self.outputs.push_back((seat.session, ServerMessage::Left { reason }));
        for other in &self.seats {
            let message = ServerMessage::ParticipantLeft { id: seat.id.clone(), reason };
            self.outputs.push_back((other.session.clone(), message));
        }
    }

    /// Hands a message to one other participant of this room.
    ///
    /// # Errors
    /// [`ErrorCode::UnexpectedMessage`] from somebody without a seat, [`ErrorCode::NoSuchParticipant`] when the
    /// addressee has none, or is the speaker.
    pub fn relay(&mut self, session: &SessionId, to: &ParticipantId, said: Directed) -> Result<(), ErrorCode> {
        let from = self.id_of(session).ok_or(ErrorCode::UnexpectedMessage)?.clone();
        let receiver = self.seats.iter().find(|seat| &seat.id == to && seat.id != from);
        let receiver = receiver.ok_or(ErrorCode::NoSuchParticipant)?.session.clone();
        let message = match said {
            Directed::Offer(sdp) => ServerMessage::Offer { from, sdp },
            Directed::Answer(sdp) => ServerMessage::Answer { from, sdp },
            Directed::Candidate(candidate) => ServerMessage::Candidate { from, candidate },
            Directed::EndOfCandidates => ServerMessage::EndOfCandidates { from },
        };
        self.outputs.push_back((receiver, message));
        Ok(())
    }

    /// Notes what somebody sends now and tells the others.
    pub fn set_media(&mut self, session: &SessionId, media: MediaState) {
        let Some(seat) = self.seats.iter_mut().find(|seat| &seat.session == session) else { return };
        seat.media = media;
        let from = seat.id.clone();
        self.tell_others(session, &ServerMessage::Media { from, media });
    }

    /// Hands a line of chat to everybody, the speaker included, in the one order of this room.
    pub fn chat(&mut self, session: &SessionId, text: &str, at: u64) {
        let Some(from) = self.id_of(session).cloned() else { return };
        for seat in &self.seats {
            let message = ServerMessage::Chat { from: from.clone(), text: text.to_owned(), at };
            self.outputs.push_back((seat.session.clone(), message));
        }
    }

    /// Notes that a session broke or came back and tells the others if that is news.
    pub fn set_connected(&mut self, session: &SessionId, connected: bool) {
        let Some(seat) = self.seats.iter_mut().find(|seat| &seat.session == session) else { return };
        if seat.connected == connected {
            return;
        }
        seat.connected = connected;
        let id = seat.id.clone();
        self.tell_others(session, &ServerMessage::ParticipantConnection { id, connected });
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

    /// Whether nobody sits here.
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    fn seat(&mut self, session: &SessionId, person: &Person, media: MediaState) {
        let id = ParticipantId(format!("p{}", self.next));
        self.next += 1;
        let seat = Seat { id, session: session.clone(), person: person.clone(), media, connected: true };
        let joined = ServerMessage::Joined {
            room: self.name.clone(),
            you: seat.id.clone(),
            participants: self.participants().collect(),
        };
        self.outputs.push_back((session.clone(), joined));
        for other in self.seats.iter().filter(|other| !other.connected) {
            let message = ServerMessage::ParticipantConnection { id: other.id.clone(), connected: false };
            self.outputs.push_back((session.clone(), message));
        }
        self.tell_others(session, &ServerMessage::ParticipantJoined { participant: seat.participant() });
        self.seats.push(seat);
    }

    fn tell_others(&mut self, session: &SessionId, message: &ServerMessage) {
        for seat in self.seats.iter().filter(|seat| &seat.session != session) {
            self.outputs.push_back((seat.session.clone(), message.clone()));
        }
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
