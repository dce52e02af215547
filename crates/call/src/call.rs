//! The call's state machine.

use crate::event::{Command, Input, Output, PeerInput, PeerSignal, SdpKind, Signal};
use crate::link::Link;
use crate::sight::Sight;
use crate::view::{CallView, ChatLine, Ended, ParticipantView, Stage};
use signaling::board::{Knocker, RoomNews};
use signaling::message::{
    ClientMessage, ErrorCode, IceCandidate, IceServer, MediaState, Participant, ParticipantId, Resolution,
    ServerMessage,
};
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

/// Where the call is.
///
/// ```text
///  Idle ──Join──▶ Joining ──joined──▶ Joined ──disconnected──▶ Reconnecting
///   ▲              │ │  ▲               ▲ │ ▲ ▲                   │  │
///   │       knocking │  └lost┐          │ │ │ └──────resumed──────┘  │
///   │              │ └──▶ Knocking ──joined │ └─joined── Rejoining ◀─lost
///   │        refused│         │refused    │                │     │
///   │          Leave▼         ▼Leave      ▼                │     └─knocking─▶ Knocking
///   └────Join──── Ended ◀──Leave/removed──┴────refused─────┘
/// ```
#[derive(Debug, Clone, PartialEq)]
enum State {
    Idle,
    Joining,
    Knocking,
    Joined {
        you: ParticipantId,
    },
    Reconnecting {
        you: ParticipantId,
        since: Instant,
    },
    /// The server has forgotten our seat and we ask for one again. The old connections go on meanwhile: people see and
    /// hear each other through a restart of the server.
    Rejoining {
        since: Instant,
    },
    Ended(Ended),
}

#[derive(Debug)]
struct Other {
    participant: Participant,
    connected: bool,
    link: Link,
    /// We made the first offer; ICE is restarted from this side.
    offers: bool,
    sight: Sight,
}

/// One person's part in one room.
#[derive(Debug)]
pub struct Call {
    state: State,
    room: String,
    invite: Option<String>,
    media: MediaState,
    /// What works of it.
    able: MediaState,
    /// What the others know.
    told: MediaState,
    captured: MediaState,
    ice_servers: Vec<IceServer>,
    others: Vec<Other>,
    chat: VecDeque<ChatLine>,
    host: Option<ParticipantId>,
    locked: bool,
    lobby: Vec<Knocker>,
    notice: Option<ErrorCode>,
    outputs: VecDeque<Output>,
    changed: bool,
}

impl Default for Call {
    fn default() -> Self {
        Self::new()
    }
}

impl Call {
    /// Lines of chat kept; the oldest go first.
    pub const CHAT_KEPT: usize = 500;

    /// Not in any room.
    pub fn new() -> Self {
        Self {
            state: State::Idle,
            room: String::new(),
            invite: None,
            media: MediaState::default(),
            able: MediaState { microphone: true, camera: true },
            told: MediaState::default(),
            captured: MediaState::default(),
            ice_servers: vec![],
            others: vec![],
            chat: VecDeque::new(),
            host: None,
            locked: false,
            lobby: vec![],
            notice: None,
            outputs: VecDeque::new(),
            changed: false,
        }
    }

    /// Takes whatever happened. Then drain [`Call::poll_output`].
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Command(command) => self.command(now, command),
            Input::Signal(signal) => self.signal(now, signal),
            Input::Able(able) => self.able(able),
            Input::LocalDescription { id, kind, sdp } => self.local_description(id, kind, sdp),
            Input::LocalCandidate { id, candidate } => self.local_candidate(id, candidate),
            Input::Peer { id, input } => self.peer(now, &id, input),
        }
    }

    /// Lets time pass: links that stayed silent are restarted, and others hear how large they are shown.
    pub fn handle_timeout(&mut self, now: Instant) {
        if !self.in_room() {
            return; // nobody would hear of it
        }
        for other in &mut self.others {
            if let Some(most) = other.sight.tell(now) {
                let to = other.participant.id.clone();
                self.outputs.push_back(Output::Send(ClientMessage::Resolution { to, most }));
            }
        }
        for other in self.others.iter_mut().filter(|o| o.offers) {
            if other.link.restart_due(now) {
                self.outputs.push_back(Output::RestartIce { id: other.participant.id.clone() });
            }
        }
    }

    /// When to call [`Call::handle_timeout`] at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let others = || self.others.iter().filter(|_| self.in_room());
        let mending = others().filter(|o| o.offers).filter_map(|o| o.link.poll_timeout());
        mending.chain(others().filter_map(|o| o.sight.due())).min()
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// True once after each change that shows in [`Call::view`].
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// In a room, or on the way into one.
    pub fn is_active(&self) -> bool {
        match self.state {
            State::Joining
            | State::Knocking
            | State::Joined { .. }
            | State::Reconnecting { .. }
            | State::Rejoining { .. } => true,
            State::Idle | State::Ended(_) => false,
        }
    }

    /// The call as it is.
    pub fn view(&self) -> CallView {
        let (stage, you) = match &self.state {
            State::Idle => (Stage::Idle, None),
            State::Joining => (Stage::Joining, None),
            State::Knocking => (Stage::Knocking, None),
            State::Joined { you } => (Stage::Joined, Some(you.clone())),
            State::Reconnecting { you, since } => (Stage::Reconnecting { since: *since }, Some(you.clone())),
            State::Rejoining { since } => (Stage::Reconnecting { since: *since }, None),
            State::Ended(why) => (Stage::Ended(*why), None),
        };
        CallView {
            stage,
            room: self.room.clone(),
            you,
            media: self.media,
            told: self.told,
            participants: self.others.iter().map(Other::view).collect(),
            chat: self.chat.iter().cloned().collect(),
            host: self.host.clone(),
            locked: self.locked,
            lobby: self.lobby.clone(),
            notice: self.notice,
        }
    }

    fn command(&mut self, now: Instant, command: Command) {
        self.changed = true;
        match command {
            Command::Join { room, invite, media } => self.join(room, invite, media),
            Command::Leave => self.leave(),
            Command::SetMicrophone(on) => self.set_media(MediaState { microphone: on, ..self.media }),
            Command::SetCamera(on) => self.set_media(MediaState { camera: on, ..self.media }),
            Command::SendChat(text) => {
                if self.is_active() {
                    self.say(ClientMessage::Chat { text });
                }
            }
            Command::Room(request) => {
                if self.in_room() {
                    self.say(ClientMessage::Room(request));
                }
            }
            Command::Show(sizes) => self.show(now, &sizes),
        }
    }

    /// Notes how large everybody is shown. A camera that is off is out of sight anyway; once it is on it should be there at
    /// once.
    fn show(&mut self, now: Instant, sizes: &BTreeMap<ParticipantId, Resolution>) {
        for other in &mut self.others {
            match sizes.get(&other.participant.id) {
                Some(size) => other.sight.show(now, *size),
                None if other.participant.media.camera => other.sight.show(now, Resolution::NONE),
                None => {}
            }
        }
        self.handle_timeout(now);
    }

    fn join(&mut self, room: String, invite: Option<String>, media: MediaState) {
        if self.is_active() {
            self.leave();
        }
        (self.room, self.invite, self.media) = (room, invite, media);
        self.chat.clear();
        self.notice = None;
        self.state = State::Joining;
        self.say_join();
        self.capture();
    }

    fn say_join(&mut self) {
        self.told = self.shown_media();
        self.say(ClientMessage::Join { room: self.room.clone(), media: self.told, invite: self.invite.clone() });
    }

    fn leave(&mut self) {
        if self.is_active() {
            self.say(ClientMessage::Leave);
            self.end(Ended::Left);
        }
    }

    fn set_media(&mut self, media: MediaState) {
        if media == self.media {
            return;
        }
        self.media = media;
        self.tell_media();
        self.capture();
    }

    fn able(&mut self, able: MediaState) {
        if able != self.able {
            self.able = able;
            self.tell_media();
        }
    }

    /// What the others may think is on.
    fn shown_media(&self) -> MediaState {
        MediaState {
            microphone: self.media.microphone && self.able.microphone,
            camera: self.media.camera && self.able.camera,
        }
    }

    fn tell_media(&mut self) {
        let shown = self.shown_media();
        if self.is_active() && shown != self.told {
            self.told = shown;
            self.say(ClientMessage::Media(shown));
            self.changed = true;
        }
    }

    fn signal(&mut self, now: Instant, signal: Signal) {
        match signal {
            Signal::Welcome { ice_servers } => self.ice_servers = ice_servers,
            Signal::Resumed { ice_servers } => {
                self.ice_servers = ice_servers;
                if let State::Reconnecting { you, .. } = &self.state {
                    self.state = State::Joined { you: you.clone() };
                    self.changed = true;
                }
            }
            Signal::Disconnected => {
                if let State::Joined { you } = &self.state {
                    self.state = State::Reconnecting { you: you.clone(), since: now };
                    self.changed = true;
                }
            }
            Signal::Lost => self.lost(now),
            Signal::Ended(code) => {
                if self.is_active() {
                    self.end(Ended::Refused(code));
                }
            }
            Signal::Message(message) => self.message(message),
        }
    }

    /// The server no longer knows us, and ids of before are void: ask for a seat in the same room.
    fn lost(&mut self, now: Instant) {
        self.state = match self.state {
            State::Idle | State::Ended(_) => return,
            // A knock that nobody remembers: again from the door on.
            State::Joining | State::Knocking => State::Joining,
            State::Joined { .. } => State::Rejoining { since: now },
            State::Reconnecting { since, .. } | State::Rejoining { since } => State::Rejoining { since },
        };
        self.say_join();
        self.changed = true;
    }

    fn message(&mut self, message: ServerMessage) {
        match message {
            ServerMessage::Joined { room, you, participants } => self.joined(room, you, participants),
            ServerMessage::Left { reason } => {
                if self.is_active() {
                    self.end(Ended::Removed(reason));
                }
            }
            ServerMessage::ParticipantJoined { participant } => self.participant_joined(participant),
            ServerMessage::ParticipantLeft { id, reason: _ } => self.participant_left(&id),
            ServerMessage::ParticipantConnection { id, connected } => {
                self.change(&id, |other| other.connected = connected)
            }
            ServerMessage::Offer { from, sdp } => self.forward_description(from, SdpKind::Offer, sdp),
            ServerMessage::Answer { from, sdp } => self.forward_description(from, SdpKind::Answer, sdp),
            ServerMessage::Candidate { from, candidate } => {
                self.forward(from, PeerSignal::Candidate(Some(candidate)));
            }
            ServerMessage::EndOfCandidates { from } => self.forward(from, PeerSignal::Candidate(None)),
            ServerMessage::Resolution { from, most } => {
                if self.in_room() && self.knows(&from) {
                    self.outputs.push_back(Output::Resolution { id: from, most });
                }
            }
            ServerMessage::Media { from, media } => self.change(&from, |other| other.participant.media = media),
            ServerMessage::Chat { from, text, at } => self.chat_line(from, text, at),
            ServerMessage::Error(error) => self.error(error.code),
            ServerMessage::Bye { code, retry_after_ms } => {
                if self.is_active() && retry_after_ms.is_none() {
                    self.end(Ended::Refused(code));
                }
            }
            ServerMessage::Room(news) => self.room_news(news),
            // The session keeps these to itself, and the board is not the call's.
            ServerMessage::Challenge { .. }
            | ServerMessage::Welcome(_)
            | ServerMessage::Resumed { .. }
            | ServerMessage::Board(_)
            | ServerMessage::Pong { .. }
            | ServerMessage::Ack => {}
        }
    }

    fn room_news(&mut self, news: RoomNews) {
        match news {
            RoomNews::Knocking { room } => {
                let asked = matches!(self.state, State::Joining | State::Rejoining { .. });
                if asked && room == self.room {
                    self.close_peers(); // of a seat that was lost: nobody may be seen before the door
                    self.state = State::Knocking;
                }
            }
            RoomNews::Lobby { knocking } if self.in_room() => self.lobby = knocking,
            RoomNews::State { host, locked } if self.in_room() => {
                let mine = self.you().is_some() && self.you() == host.as_ref();
                if !mine {
                    self.lobby.clear(); // somebody else keeps the door now
                }
                (self.host, self.locked) = (host, locked);
            }
            RoomNews::Muted if self.in_room() => {
                self.set_media(MediaState { microphone: false, ..self.media });
                self.notice = Some(ErrorCode::Muted);
            }
            // Whether somebody is there who could open.
            RoomNews::State { host, .. } if matches!(self.state, State::Knocking) => self.host = host,
            RoomNews::Lobby { .. } | RoomNews::State { .. } | RoomNews::Muted => return, // not in any more
        }
        self.changed = true;
    }

    fn you(&self) -> Option<&ParticipantId> {
        match &self.state {
            State::Joined { you } | State::Reconnecting { you, .. } => Some(you),
            State::Idle | State::Joining | State::Knocking | State::Rejoining { .. } | State::Ended(_) => None,
        }
    }

    fn joined(&mut self, room: String, you: ParticipantId, participants: Vec<Participant>) {
        let asked = matches!(self.state, State::Joining | State::Knocking | State::Rejoining { .. });
        if !asked || room != self.room {
            return; // an answer to a join that was taken back
        }
        self.close_peers(); // those of the seat that was lost
        self.state = State::Joined { you };
        self.forget_door(); // what is to be known of it follows
        self.changed = true;
        for participant in participants {
            self.open(participant, true);
        }
    }

    fn participant_joined(&mut self, participant: Participant) {
        if self.in_room() {
            self.open(participant, false);
        }
    }

    /// `newcomer`: we are; the one who comes offers, and yields when both offer at once.
    fn open(&mut self, participant: Participant, newcomer: bool) {
        let id = participant.id.clone();
        if self.knows(&id) {
            return; // a server that says it twice does not get two connections
        }
        self.others.push(Other {
            participant,
            connected: true,
            link: Link::new(),
            offers: newcomer,
            sight: Sight::default(),
        });
        let ice_servers = self.ice_servers.clone();
        self.outputs.push_back(Output::OpenPeer { id, polite: newcomer, offer: newcomer, ice_servers });
        self.changed = true;
    }

    fn participant_left(&mut self, id: &ParticipantId) {
        let before = self.others.len();
        self.others.retain(|o| o.participant.id != *id);
        if self.others.len() != before {
            self.outputs.push_back(Output::ClosePeer { id: id.clone() });
            self.changed = true;
        }
    }

    fn forward_description(&mut self, from: ParticipantId, kind: SdpKind, sdp: String) {
        self.forward(from, PeerSignal::Description { kind, sdp });
    }

    /// Only what comes from somebody in the room reaches a connection.
    fn forward(&mut self, id: ParticipantId, signal: PeerSignal) {
        if self.in_room() && self.knows(&id) {
            self.outputs.push_back(Output::Signal { id, signal });
        }
    }

    fn chat_line(&mut self, from: ParticipantId, text: String, at: u64) {
        let known = self.others.iter().find(|o| o.participant.id == from);
        let name = known.map(|o| o.participant.name.clone()).unwrap_or_default();
        if self.chat.len() == Self::CHAT_KEPT {
            self.chat.pop_front();
        }
        self.chat.push_back(ChatLine { from, name, text, at });
        self.changed = true;
    }

    fn error(&mut self, code: ErrorCode) {
        self.changed = true;
        match self.state {
            // No seat, no call: whatever the server did not like, we are not in.
            State::Joining | State::Knocking | State::Rejoining { .. } => self.end(Ended::Refused(code)),
            State::Joined { .. } | State::Reconnecting { .. } => self.notice = Some(code),
            State::Idle | State::Ended(_) => {}
        }
    }

    fn local_description(&mut self, id: ParticipantId, kind: SdpKind, sdp: String) {
        if self.in_room() && self.knows(&id) {
            self.say(match kind {
                SdpKind::Offer => ClientMessage::Offer { to: id, sdp },
                SdpKind::Answer => ClientMessage::Answer { to: id, sdp },
            });
        }
    }

    fn local_candidate(&mut self, id: ParticipantId, candidate: Option<IceCandidate>) {
        if self.in_room() && self.knows(&id) {
            self.say(match candidate {
                Some(candidate) => ClientMessage::Candidate { to: id, candidate },
                None => ClientMessage::EndOfCandidates { to: id },
            });
        }
    }

    fn peer(&mut self, now: Instant, id: &ParticipantId, input: PeerInput) {
        let Some(other) = self.others.iter_mut().find(|o| o.participant.id == *id) else { return };
        self.changed |= other.link.handle(now, input);
        self.handle_timeout(now);
    }

    fn change(&mut self, id: &ParticipantId, change: impl FnOnce(&mut Other)) {
        if let Some(other) = self.others.iter_mut().find(|o| o.participant.id == *id) {
            change(other);
            self.changed = true;
        }
    }

    fn end(&mut self, why: Ended) {
        self.close_peers();
        self.state = State::Ended(why);
        self.forget_door();
        self.capture();
        self.changed = true;
    }

    fn forget_door(&mut self) {
        self.host = None;
        self.locked = false;
        self.lobby.clear();
    }

    fn close_peers(&mut self) {
        for other in self.others.drain(..) {
            self.outputs.push_back(Output::ClosePeer { id: other.participant.id });
        }
    }

    /// Devices follow the wish while a call is on, and are closed otherwise.
    fn capture(&mut self) {
        let allowed = if self.is_active() { self.media } else { MediaState::default() };
        if allowed != self.captured {
            self.captured = allowed;
            self.outputs.push_back(Output::Capture(allowed));
        }
    }

    fn say(&mut self, message: ClientMessage) {
        self.outputs.push_back(Output::Send(message));
    }

    fn in_room(&self) -> bool {
        matches!(self.state, State::Joined { .. } | State::Reconnecting { .. })
    }

    fn knows(&self, id: &ParticipantId) -> bool {
        self.others.iter().any(|o| o.participant.id == *id)
    }
}

impl Other {
    fn view(&self) -> ParticipantView {
        ParticipantView {
            id: self.participant.id.clone(),
            name: self.participant.name.clone(),
            key: self.participant.key.clone(),
            media: self.participant.media,
            link: self.link.state,
            connected: self.connected,
        }
    }
}
