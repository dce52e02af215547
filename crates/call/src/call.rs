//! The call's state machine.

mod chat;
mod checks;
mod door;
mod forwarded;
mod hand;
mod media;
mod people;
mod reactions;
mod stay;

use self::checks::OwnCheck;
use self::forwarded::Forwarding;
pub use self::forwarded::MAX_PICTURES;
use self::people::{Direct, Other, Seat};
use crate::event::{Command, Input, Output, SdpKind, SendOutcome, Signal};
use crate::inflow::Incoming;
use crate::link::Mend;
use crate::reactions::{OwnReactions, Reactions};
use crate::rejoin::{Rejoin, refuses_entry};
use crate::unsent::{ChatRefusal, Unsent};
use crate::view::{CallView, ChatLine, Ended, Stage};
use signaling::board::Knocker;
use signaling::forwarding::FORWARDER;
use signaling::limits::MAX_PARTICIPANTS;
use signaling::message::{
    ClientMessage, ErrorCode, ErrorMessage, Hand, IceServer, MediaState, ParticipantId, Resolution, ServerMessage,
};
use signaling::statement::Signer;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// Phase of a call.
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
enum Phase {
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
    /// The server has forgotten our seat or given it up, and we join again. The old connections continue meanwhile,
    /// so people see and hear each other through a restart of the server.
    Rejoining {
        since: Instant,
    },
    Ended(Ended),
}

/// One person's part in one room.
#[derive(Debug)]
pub struct Call {
    phase: Phase,
    room: String,
    invite: Option<String>,
    /// Since the first join.
    signer: Option<Signer>,
    media: MediaState,
    /// Which devices work.
    able: MediaState,
    /// What the others have been sent.
    announced: MediaState,
    captured: MediaState,
    /// Our raised hand, as the server counts it.
    hand: Option<Hand>,
    reaction: Reactions,
    own_reactions: OwnReactions,
    ice_servers: Vec<IceServer>,
    forwarding: Forwarding,
    /// Maximum number of people in the room, including oneself. Further participants are ignored.
    most_people: usize,
    others: Vec<Other>,
    /// Shared with the views. A new line copies the pointers, not the lines.
    chat: Arc<Vec<Arc<ChatLine>>>,
    unsent: Unsent,
    /// Number of the last `join`, to which the server's answer refers.
    join: Option<u64>,
    rejoin: Rejoin,
    host: Option<ParticipantId>,
    locked: bool,
    /// The server's id.
    spotlight: Option<ParticipantId>,
    lobby: Vec<Knocker>,
    check: OwnCheck,
    notice: Option<ErrorCode>,
    notices: u64,
    outputs: VecDeque<Output>,
    changed: bool,
}

impl Default for Call {
    fn default() -> Self {
        Self::new()
    }
}

impl Call {
    /// Lines of chat kept. When full, the oldest is dropped.
    pub const CHAT_KEPT: usize = 500;

    /// Creates a call that is in no room.
    pub fn new() -> Self {
        Self {
            phase: Phase::Idle,
            room: String::new(),
            invite: None,
            signer: None,
            media: MediaState::default(),
            able: MediaState { microphone: true, camera: true, screen: false },
            announced: MediaState::default(),
            captured: MediaState::default(),
            hand: None,
            reaction: Reactions::default(),
            own_reactions: OwnReactions::default(),
            ice_servers: vec![],
            forwarding: Forwarding::default(),
            most_people: MAX_PARTICIPANTS,
            others: vec![],
            chat: Arc::default(),
            unsent: Unsent::default(),
            join: None,
            rejoin: Rejoin::default(),
            host: None,
            locked: false,
            spotlight: None,
            lobby: vec![],
            check: OwnCheck::default(),
            notice: None,
            notices: 0,
            outputs: VecDeque::new(),
            changed: false,
        }
    }

    /// Handles an input. Drain [`Call::poll_output`] afterwards.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Command(command) => self.command(now, command),
            Input::Signal(signal) => self.signal(now, signal),
            Input::Able(able) => self.able(able),
            Input::Transferring(keys) => self.transferring(now, keys),
            Input::Sharing(on) => self.set_media(MediaState { screen: on, ..self.media }),
            Input::Sent(outcome) => self.sent(now, outcome),
            Input::LocalDescription { id, kind, sdp } => self.local_description(&id, kind, sdp),
            Input::LocalCandidate { id, candidate } => self.local_candidate(&id, candidate),
            Input::Peer { id, input } => self.peer(now, &id, input),
            Input::NewSession { id, sdp, fingerprint } => self.new_session(now, id, sdp, fingerprint),
            Input::Forwarder(input) => self.forwarder(now, input),
            Input::NetworkChanged => self.network_changed(now),
            Input::Checked(report) => self.checked(now, report),
        }
        self.send_waiting_chat(now);
    }

    /// Queues a line of chat. It stays in [`CallView::unsent`] until the server sends it back. Drain
    /// [`Call::poll_output`] afterwards.
    ///
    /// # Errors
    /// [`ChatRefusal`] if the line is not accepted.
    pub fn send_chat(&mut self, now: Instant, text: &str) -> Result<u64, ChatRefusal> {
        if !self.is_active() {
            return Err(ChatRefusal::NoCall);
        }
        let number = self.unsent.push(now, text)?;
        self.changed = true;
        self.send_waiting_chat(now);
        Ok(number)
    }

    /// Handles the timeouts that are due: sends waiting lines of chat, joins again after a lost seat, restarts silent
    /// links, and sends display sizes.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.send_waiting_chat(now);
        if matches!(self.phase, Phase::Rejoining { .. }) && self.rejoin.take_due(now) {
            self.send_join();
        }
        if !self.in_room() {
            return; // nobody is there
        }
        self.give_up_missed(now);
        self.hide_reactions(now);
        for other in self.others.iter_mut().filter(|other| other.is_seated()) {
            let Some(most) = other.displayed.take_due(now) else { continue };
            self.forwarding.view_changed(now);
            if other.direct == Direct::Open {
                let to = other.participant.id.clone();
                self.outputs.push_back(Output::Send(ClientMessage::Resolution { to, most }));
            }
        }
        self.handle_forwarding_timeout(now);
        self.mend(now);
        self.pass_on_signals(now);
    }

    /// Repairs the direct connections. In a forwarded room nobody does.
    fn mend(&mut self, now: Instant) {
        let server = self.reaches_server();
        for other in self.others.iter_mut().filter(|other| self.forwarding.is_direct() && other.is_mended()) {
            let before = other.link.state;
            match other.link.take_due(now, server) {
                Some(Mend::RestartIce) => {
                    let (id, ice_servers) = (other.id.clone(), self.ice_servers.clone());
                    self.outputs.push_back(Output::RestartIce { id, ice_servers });
                }
                Some(Mend::Renew) => self.outputs.push_back(other.renewal(true, &self.ice_servers)),
                None => {}
            }
            self.changed |= before != other.link.state;
        }
    }

    /// The latest time at which to call [`Call::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        let everybody = || self.others.iter().filter(|_| self.in_room());
        let others = || everybody().filter(|other| other.is_seated());
        let missed = everybody().filter_map(Other::missed_until);
        let server = self.reaches_server();
        let mended = others().filter(|other| self.forwarding.is_direct() && other.is_mended());
        let mending = mended.filter_map(|other| other.link.poll_timeout(server));
        let signals = others().filter(|other| other.is_trusted()).filter_map(|other| other.inflow.due());
        let forwarding = self.forwarding_timeout().filter(|_| self.in_room());
        let rejoining = self.rejoin.due().filter(|_| matches!(self.phase, Phase::Rejoining { .. }));
        let chat = self.unsent.due().filter(|_| matches!(self.phase, Phase::Joined { .. }));
        let chat = chat.max(self.rejoin.company().filter(|_| chat.is_some()));
        let reactions = self.reactions_due().filter(|_| self.in_room());
        mending
            .chain(signals)
            .chain(forwarding)
            .chain(missed)
            .chain(reactions)
            .chain(others().filter_map(|o| o.displayed.due()))
            .chain(rejoining)
            .chain(chat)
            .min()
    }

    /// Returns the next output, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns true, once, after a change that is visible in [`Call::view`].
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Whether the call is in a room or joining one.
    pub fn is_active(&self) -> bool {
        match self.phase {
            Phase::Joining
            | Phase::Knocking
            | Phase::Joined { .. }
            | Phase::Reconnecting { .. }
            | Phase::Rejoining { .. } => true,
            Phase::Idle | Phase::Ended(_) => false,
        }
    }

    /// Name of another participant.
    pub fn name_of(&self, id: &ParticipantId) -> Option<&str> {
        self.others.iter().find(|other| other.id == *id).map(|other| other.participant.name.as_str())
    }

    /// Returns the current state for a window.
    pub fn view(&self) -> CallView {
        let (stage, you, reconnecting_since) = match &self.phase {
            Phase::Idle => (Stage::Idle, None, None),
            Phase::Joining => (Stage::Joining, None, None),
            Phase::Knocking => (Stage::Knocking, None, None),
            Phase::Joined { you } => (Stage::Joined, Some(you.clone()), None),
            Phase::Reconnecting { you, since } => (Stage::Reconnecting, Some(you.clone()), Some(*since)),
            Phase::Rejoining { since } => (Stage::Reconnecting, None, Some(*since)),
            Phase::Ended(why) => (Stage::Ended(*why), None, None),
        };
        CallView {
            stage,
            reconnecting_since,
            room: self.room.clone(),
            you,
            media: self.media,
            announced: self.announced,
            hand: self.hand,
            reaction: self.reaction.shown(),
            participants: self.others.iter().map(|other| other.view(self.forwarding.link())).collect(),
            unsent: self.unsent.view(),
            host: self.host.as_ref().map(|host| self.shown_id(host)),
            locked: self.locked,
            spotlight: self.spotlight.as_ref().map(|id| self.shown_id(id)),
            lobby: self.lobby.clone(),
            notice: self.notice,
            forwarded: self.forwarding.is_ready(),
            notices: self.notices,
        }
    }

    /// The view's id for an id of the server.
    fn shown_id(&self, id: &ParticipantId) -> ParticipantId {
        self.with(id).map_or(id, |other| &other.id).clone()
    }

    /// Lines of chat, oldest first, at most [`Call::CHAT_KEPT`]. The `Arc` changes only when a line arrives or the chat
    /// is cleared; the `Arc` of a line never changes.
    pub fn chat(&self) -> Arc<Vec<Arc<ChatLine>>> {
        self.chat.clone()
    }

    fn command(&mut self, now: Instant, command: Command) {
        // The window itself causes display sizes, so they are not a change for it.
        self.changed |= !matches!(command, Command::Show(_));
        match command {
            Command::Join { room, invite, media, signer } => {
                self.signer = Some(*signer);
                self.join(room, invite, media);
            }
            Command::Leave => self.leave(),
            Command::SetMicrophone(on) => self.set_media(MediaState { microphone: on, ..self.media }),
            Command::SetCamera(on) => self.set_media(MediaState { camera: on, ..self.media }),
            Command::SetHand(raised) => self.set_hand(raised),
            Command::React(reaction) => self.react(now, reaction),
            Command::DropLine(number) => drop(self.unsent.drop_line(number)),
            Command::Room(request) => {
                if self.in_room() {
                    let request = self.addressed(request);
                    self.send(ClientMessage::Room(request));
                }
            }
            Command::Show(sizes) => self.show(now, &sizes),
            Command::CheckOthers => self.check_others(),
        }
    }

    /// Records the display size of everybody. A camera that is off is not displayed anyway, and should appear
    /// immediately when it is switched on.
    fn show(&mut self, now: Instant, sizes: &BTreeMap<ParticipantId, Resolution>) {
        for other in &mut self.others {
            match sizes.get(&other.id) {
                Some(size) => other.displayed.show(now, *size),
                None if other.participant.media.camera => other.displayed.show(now, Resolution::NONE),
                None => {}
            }
        }
        self.handle_timeout(now);
    }

    fn signal(&mut self, now: Instant, signal: Signal) {
        match signal {
            Signal::Welcome { ice_servers, max_participants, max_forwarded } => {
                self.ice_servers = ice_servers;
                self.forwarding.set_most_people(max_forwarded);
                self.most_people = max_participants.min(MAX_PARTICIPANTS);
            }
            Signal::Resumed { ice_servers } => {
                self.ice_servers = ice_servers;
                if let Phase::Reconnecting { you, .. } = &self.phase {
                    self.phase = Phase::Joined { you: you.clone() };
                    self.changed = true;
                }
            }
            Signal::Disconnected => {
                if let Phase::Joined { you } = &self.phase {
                    self.phase = Phase::Reconnecting { you: you.clone(), since: now };
                    self.changed = true;
                }
            }
            Signal::Lost => {
                self.session_lost();
                self.lost(now);
            }
            Signal::Ended(code) => {
                self.session_lost();
                if self.is_active() {
                    self.end(Ended::Refused(code));
                }
            }
            Signal::Untrusted(why) => {
                self.session_lost();
                if self.is_active() {
                    self.end(Ended::Untrusted(why));
                }
            }
            Signal::Message(message) => self.message(now, message),
        }
    }

    /// The result of the last message to send.
    fn sent(&mut self, now: Instant, outcome: SendOutcome) {
        match outcome {
            SendOutcome::Join { about } => self.join = Some(about),
            SendOutcome::Chat { about } => self.unsent.taken(about),
            SendOutcome::ChatDeferred => self.unsent.put_back(now),
            SendOutcome::ChatRefused(code) => {
                self.unsent.refused(code);
                self.changed = true;
            }
        }
    }

    fn message(&mut self, now: Instant, message: ServerMessage) {
        match message {
            ServerMessage::Joined { room, you, participants } => self.joined(now, room, you, participants),
            ServerMessage::Left { reason } => self.left(now, reason),
            ServerMessage::ParticipantJoined { participant } => self.participant_joined(now, participant),
            ServerMessage::ParticipantLeft { id, reason: _ } => self.participant_left(now, &id),
            ServerMessage::ParticipantConnection { id, connected } => {
                self.change(&id, |other| other.seat = Seat::Taken { connected })
            }
            ServerMessage::Offer { from, sdp, signature } => {
                self.forward(now, &from, Incoming::Description { kind: SdpKind::Offer, sdp, signature });
            }
            ServerMessage::Answer { from, sdp, .. } if from.0 == FORWARDER => self.forwarder_answered(sdp),
            ServerMessage::Answer { from, sdp, signature } => {
                self.forward(now, &from, Incoming::Description { kind: SdpKind::Answer, sdp, signature });
            }
            ServerMessage::Candidate { from, candidate } => {
                self.forward(now, &from, Incoming::Candidate(Some(candidate)));
            }
            ServerMessage::EndOfCandidates { from } => self.forward(now, &from, Incoming::Candidate(None)),
            ServerMessage::Resolution { from, most } => self.displayed_there(now, &from, most),
            ServerMessage::CheckConnection { from } => self.asked_to_check(now, &from),
            ServerMessage::ConnectionReport { from, report } => self.reported(&from, report),
            ServerMessage::Media { from, media } => {
                self.change(&from, |other| other.participant.media = media);
                self.forwarding.view_changed(now);
                self.handle_timeout(now);
            }
            ServerMessage::Forwarded { on } => self.forwarded(now, on),
            ServerMessage::Slots { slots, displayed } => self.slots(now, slots, displayed),
            ServerMessage::FrameKey { from, key } => self.frame_key(now, &from, &key),
            ServerMessage::SenderKey { from, epoch, sealed, signature } => {
                self.sender_key(now, &from, epoch, &sealed, &signature);
            }
            ServerMessage::SenderKeysUndelivered { epoch, to } => self.sender_keys_undelivered(now, epoch, &to),
            ServerMessage::Hand { from, hand } => self.hand_changed(&from, hand),
            ServerMessage::Avatar { from, avatar } => self.change(&from, |other| other.participant.avatar = avatar),
            ServerMessage::Reaction { from, reaction } => self.reacted(now, &from, reaction),
            ServerMessage::Chat { from, text, at } => self.chat_line(from, text, at),
            ServerMessage::Error(error) => self.error(now, &error),
            ServerMessage::Bye { code, retry_after_ms: None } if self.is_active() => self.end(Ended::Refused(code)),
            ServerMessage::Bye { .. } => {}
            ServerMessage::Room(news) => self.room_news(news),
            // The session and the board.
            ServerMessage::Challenge { .. }
            | ServerMessage::Welcome(_)
            | ServerMessage::Resumed { .. }
            | ServerMessage::Board(_)
            | ServerMessage::Account(_)
            | ServerMessage::Pong { .. }
            | ServerMessage::Ack => {}
        }
    }

    fn you(&self) -> Option<&ParticipantId> {
        match &self.phase {
            Phase::Joined { you } | Phase::Reconnecting { you, .. } => Some(you),
            Phase::Idle | Phase::Joining | Phase::Knocking | Phase::Rejoining { .. } | Phase::Ended(_) => None,
        }
    }

    /// Handles an error about one message. Only an error about the join ends the call.
    fn error(&mut self, now: Instant, error: &ErrorMessage) {
        self.changed = true;
        let code = error.code;
        let entry = match error.about {
            Some(about) if self.unsent.error(now, about, code) => return,
            Some(about) => self.join == Some(about),
            // The host's refusal arrives long after the join.
            None => refuses_entry(code),
        };
        match self.phase {
            Phase::Joining | Phase::Knocking if entry => self.end(Ended::Refused(code)),
            Phase::Rejoining { .. } if entry => {
                if refuses_entry(code) || !self.seat_lost(now) {
                    self.end(Ended::Refused(code));
                }
            }
            Phase::Joining
            | Phase::Knocking
            | Phase::Rejoining { .. }
            | Phase::Joined { .. }
            | Phase::Reconnecting { .. } => self.notify(code),
            Phase::Idle | Phase::Ended(_) => {}
        }
    }

    fn notify(&mut self, code: ErrorCode) {
        self.notice = Some(code);
        self.notices += 1;
    }

    fn send(&mut self, message: ClientMessage) {
        self.outputs.push_back(Output::Send(message));
    }

    /// Whether what is sent now reaches the server.
    fn reaches_server(&self) -> bool {
        matches!(self.phase, Phase::Joined { .. })
    }

    fn in_room(&self) -> bool {
        matches!(self.phase, Phase::Joined { .. } | Phase::Reconnecting { .. })
    }
}
