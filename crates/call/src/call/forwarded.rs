//! A room whose media goes through the server's forwarder (PROTOCOL.md, *Forwarded rooms*).

use super::Call;
use super::people::{Direct, Other};
use crate::displayed::DisplayedSize;
use crate::event::{ForwarderInput, ForwarderOutput, Output};
use crate::link::{LinkMonitor, PeerInput};
use e2ee::{KeyError, KeyExchange};
use signaling::forwarding::{Displayed, FORWARDER, FrameKey, OwnDisplayed, Published, SlotInfo};
use signaling::limits::MAX_SENDER_KEYS;
use signaling::message::{ClientMessage, Participant, ParticipantId, Resolution};
use signaling::statement::StatementError;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Pictures that are received at once. The connection has a slot for each.
pub const MAX_PICTURES: usize = 25;
/// Shortest time between two `view` messages, each of which replaces the one before.
const VIEW_SPACING: Duration = Duration::from_millis(250);
/// The height that is asked for where no window has said how large a picture is shown, and of screens.
const FULL_HEIGHT: u32 = 1_200;
/// Screens are served before cameras.
const SCREEN_PRIORITY: u8 = 2;
/// How long media arrives on both ways after it has begun to on the second. The other side gets ours by then.
const OVERLAP: Duration = Duration::from_secs(1);
/// The same where nothing arrives on the second way: most people are silent, and some have their cameras off.
const LONGEST_OVERLAP: Duration = Duration::from_secs(8);
/// How long the connection to the forwarder goes on after direct connections have replaced it. Others may still need what
/// we send there, and do not say so.
const FORWARDER_OVERLAP: Duration = Duration::from_secs(3);
/// How long it goes on at most after a room has become direct.
const ENDING: Duration = Duration::from_secs(20);
/// How long a participant's frame key may take before its absence is shown.
const FRAME_KEY_PATIENCE: Duration = Duration::from_secs(5);
/// A key is replaced after this time, long before it has encrypted too many frames.
const KEY_LIFETIME: Duration = Duration::from_secs(4 * 3_600);

/// Where the room's media goes.
///
/// ```text
///           on                        off
///  Direct ──────▶ Forwarded ──────────────────────▶ Ending
///    ▲               ▲  │            on               │ │
///    │               └──┼─────────────────────────────┘ │
///    └──── a new stay ──┴──── all are connected directly, or 20 s are over
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    Direct,
    /// Nobody makes a direct connection. Those that there are end when media arrives from the forwarder.
    Forwarded,
    /// Direct connections are made. The forwarder's ends when they work.
    Ending {
        until: Instant,
    },
}

/// The state of forwarding in this call.
#[derive(Debug)]
pub(super) struct Forwarding {
    /// Most people in a forwarded room of this server, which forwards nothing without it.
    most_people: Option<usize>,
    path: Path,
    /// Whether the room that we join is forwarded.
    announced: bool,
    /// The keys of the present stay.
    keys: Option<KeyExchange>,
    /// The epoch of the own key that is used, and since when.
    key_used: Option<(u32, Instant)>,
    connection: Option<Connection>,
    /// The keys of people with whom files are being transferred, over direct connections.
    transferring: BTreeSet<String>,
}

/// The connection to the forwarder.
#[derive(Debug)]
struct Connection {
    link: LinkMonitor,
    /// Since when it works and we have a key to send with.
    ready: Option<Instant>,
    /// When the next `view` is due, and when the last was sent.
    view_due: Option<Instant>,
    view_sent: Option<Instant>,
    viewed: Vec<Displayed>,
    /// How large others display our camera.
    camera: DisplayedSize,
}

impl Default for Forwarding {
    fn default() -> Self {
        let path = Path::Direct;
        let transferring = BTreeSet::new();
        Self { most_people: None, path, announced: false, keys: None, key_used: None, connection: None, transferring }
    }
}

impl Forwarding {
    /// Takes what a server says about itself.
    pub(super) fn set_most_people(&mut self, most: Option<usize>) {
        self.most_people = most.map(|most| most.min(MAX_SENDER_KEYS + 1));
    }

    /// A `join` is sent: what is said before the answer is about that room.
    pub(super) fn joining(&mut self) {
        self.announced = false;
    }

    /// Whether direct connections are made.
    pub(super) fn is_direct(&self) -> bool {
        self.path != Path::Forwarded
    }

    /// Most people in the room, if a direct one has `direct`.
    pub(super) fn most_people(&self, direct: usize) -> usize {
        match self.path {
            Path::Direct => direct,
            Path::Forwarded | Path::Ending { .. } => self.most_people.unwrap_or(direct).max(direct),
        }
    }

    /// The connection to the forwarder, if there is one.
    pub(super) fn link(&self) -> Option<&LinkMonitor> {
        self.connection.as_ref().map(|connection| &connection.link)
    }

    /// The network of this machine has changed.
    pub(super) fn network_changed(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection {
            connection.link.network_changed(now);
        }
    }

    /// Other pictures are displayed, or there are others.
    pub(super) fn view_changed(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection {
            let soonest = connection.view_sent.map_or(now, |sent| now.max(sent + VIEW_SPACING));
            connection.view_due.get_or_insert(soonest);
        }
    }

    pub(super) fn participant_joined(&mut self, now: Instant, participant: &Participant) {
        if let Some(keys) = &mut self.keys {
            keys.joined(now, participant);
        }
        self.view_changed(now);
    }

    pub(super) fn participant_left(&mut self, now: Instant, id: &ParticipantId) {
        if let Some(keys) = &mut self.keys {
            keys.left(now, id);
        }
        self.view_changed(now);
    }

    /// Whether media is exchanged with the forwarder.
    pub(super) fn is_ready(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.ready.is_some())
    }

    /// When the direct connection with somebody is to end.
    fn closes_at(&self, other: &Other) -> Option<Instant> {
        let ready = self.connection.as_ref()?.ready?;
        if self.transferring.contains(&other.participant.key) {
            return None;
        }
        let media = other.participant.media;
        let arrived = match (media.camera && other.displayed.is_shown(), media.microphone) {
            (true, _) => other.received.camera,
            (false, true) => other.received.sound,
            (false, false) => None,
        };
        let longest = ready + LONGEST_OVERLAP;
        (self.path == Path::Forwarded).then(|| arrived.map_or(longest, |at| longest.min(at.max(ready) + OVERLAP)))
    }

    /// When the connection to the forwarder is to end.
    fn ends_at(&self, others: &[Other]) -> Option<Instant> {
        let Path::Ending { until } = self.path else { return None };
        let mut end = None;
        for other in others.iter().filter(|other| other.is_seated() && other.is_trusted()) {
            let Some(since) = other.works_directly_since() else { return Some(until) };
            end = end.max(Some(since + FORWARDER_OVERLAP));
        }
        Some(end.map_or(until, |end| end.min(until)))
    }

    fn poll_timeout(&self, server: bool) -> Option<Instant> {
        let connection = self.connection.as_ref();
        let link = connection.and_then(|connection| connection.link.poll_timeout(server));
        let camera = connection.and_then(|connection| connection.camera.due());
        let view = connection.filter(|connection| server && connection.link.works());
        let view = view.and_then(|connection| connection.view_due);
        let keys = self.keys.as_ref().and_then(KeyExchange::poll_timeout);
        let renewal = self.key_used.map(|(_, since)| since + KEY_LIFETIME);
        [link, camera, view, keys, renewal].into_iter().flatten().min()
    }
}

impl Call {
    /// We have a new stay, whose participants follow. Keys and connections of the former one are void.
    pub(super) fn begin_forwarding(&mut self, now: Instant) {
        self.close_forwarder();
        let Forwarding { most_people, announced, .. } = self.forwarding;
        let signer = self.signer.as_ref().filter(|_| most_people.is_some());
        let Some(signer) = signer else { return };
        let keys = KeyExchange::new(signer.clone(), &self.room, signer.stay_secret());
        self.outputs.push_back(Output::Send(keys.announcement()));
        self.forwarding.keys = Some(keys);
        if announced {
            self.start_forwarding(now);
        }
    }

    /// The call ends.
    pub(super) fn end_forwarding(&mut self) {
        self.close_forwarder();
        self.forwarding.keys = None;
    }

    /// The server says where the room's media goes.
    pub(super) fn forwarded(&mut self, now: Instant, on: bool) {
        if !self.in_room() {
            self.forwarding.announced = on;
            return;
        }
        match (on, self.forwarding.path) {
            (true, Path::Direct | Path::Ending { .. }) if self.forwarding.keys.is_some() => {
                self.start_forwarding(now);
                for other in self.others.iter().filter(|other| other.is_seated() && other.is_trusted()) {
                    self.outputs.push_back(Output::Forwarder(ForwarderOutput::Add { id: other.id.clone() }));
                }
            }
            (false, Path::Forwarded) => self.go_direct(now),
            (true, _) | (false, Path::Direct | Path::Ending { .. }) => {}
        }
        self.changed = true;
        self.handle_timeout(now);
    }

    fn start_forwarding(&mut self, now: Instant) {
        self.forwarding.path = Path::Forwarded;
        if let Some(keys) = &mut self.forwarding.keys {
            keys.start(now);
        }
        if self.forwarding.connection.is_none() {
            let link = LinkMonitor::new(now, true);
            self.forwarding.connection = Some(Connection {
                link,
                ready: None,
                view_due: None,
                view_sent: None,
                viewed: vec![],
                camera: DisplayedSize::default(),
            });
            let ice_servers = self.ice_servers.clone();
            self.outputs.push_back(Output::Forwarder(ForwarderOutput::Open { ice_servers }));
        }
    }

    /// Files are being transferred with these people.
    pub(super) fn transferring(&mut self, now: Instant, keys: BTreeSet<String>) {
        self.forwarding.transferring = keys;
        self.handle_timeout(now);
    }

    /// The room is direct from now on: whoever joined later makes the offer.
    fn go_direct(&mut self, now: Instant) {
        self.forwarding.path = Path::Ending { until: now + ENDING };
        for other in &mut self.others {
            other.displayed.renew();
            if other.is_seated() && other.is_trusted() && other.direct == Direct::Closed {
                other.open_direct(now);
                self.outputs.push_back(other.opening(&self.ice_servers));
            }
        }
    }

    fn close_forwarder(&mut self) {
        if self.forwarding.connection.take().is_some() {
            self.changed = true;
            self.outputs.push_back(Output::Forwarder(ForwarderOutput::Close));
        }
        if let Some(keys) = &mut self.forwarding.keys {
            keys.stop();
        }
        (self.forwarding.path, self.forwarding.key_used) = (Path::Direct, None);
        self.others.iter_mut().for_each(|other| other.received = Default::default());
    }

    /// Something happened on the connection to the forwarder.
    pub(super) fn forwarder(&mut self, now: Instant, input: ForwarderInput) {
        let reaches_server = self.reaches_server();
        let Some(connection) = &mut self.forwarding.connection else { return };
        match input {
            ForwarderInput::Offer { sdp } => {
                let to = ParticipantId(FORWARDER.into());
                self.send(ClientMessage::Offer { to, sdp, signature: None });
            }
            ForwarderInput::State(state) => {
                let before = connection.link.state;
                connection.link.handle(now, state);
                self.changed |= before != connection.link.state;
                if state == PeerInput::Connected {
                    connection.viewed.clear();
                    self.forwarding.view_changed(now);
                } else if state == PeerInput::Disconnected && reaches_server {
                    self.outputs.push_back(Output::ProbeServer);
                }
            }
            ForwarderInput::Received { id, stream } => {
                if let Some(other) = self.others.iter_mut().find(|other| other.id == id) {
                    other.received.add(stream, now);
                }
            }
        }
        self.handle_timeout(now);
    }

    /// The forwarder has answered.
    pub(super) fn forwarder_answered(&mut self, sdp: String) {
        if self.forwarding.connection.is_some() {
            self.outputs.push_back(Output::Forwarder(ForwarderOutput::Answer { sdp }));
        }
    }

    /// The forwarder says whose media it sends.
    pub(super) fn slots(&mut self, now: Instant, slots: Vec<SlotInfo>, displayed: Option<OwnDisplayed>) {
        let Some(connection) = &mut self.forwarding.connection else { return };
        if let Some(displayed) = displayed {
            connection.camera.show(now, height(displayed.camera));
            self.follow_displayed(now);
        }
        let author = |slot: SlotInfo| Some((slot.csrc, self.with(&slot.id)?.id.clone()));
        let mut authors: Vec<_> = slots.into_iter().filter_map(author).collect();
        authors.sort();
        authors.dedup();
        self.outputs.push_back(Output::Forwarder(ForwarderOutput::Authors(authors)));
    }

    /// The height to which our camera is sent, if it has changed.
    fn follow_displayed(&mut self, now: Instant) {
        if let Some(connection) = &mut self.forwarding.connection
            && let Some(most) = connection.camera.take_due(now)
        {
            self.outputs.push_back(Output::Forwarder(ForwarderOutput::Displayed { height: most.max_height }));
        }
    }

    /// Somebody announces the key to which keys for them are sealed.
    pub(super) fn frame_key(&mut self, now: Instant, from: &ParticipantId, key: &FrameKey) {
        let Some(keys) = &mut self.forwarding.keys else { return };
        if let Err(KeyError::Statement(error)) = keys.announced(now, from, key) {
            self.distrust(now, from, error);
        }
        self.handle_timeout(now);
    }

    /// Somebody gives us the key of their frames.
    pub(super) fn sender_key(&mut self, now: Instant, from: &ParticipantId, epoch: u32, sealed: &str, signature: &str) {
        let Some(keys) = &mut self.forwarding.keys else { return };
        match keys.receive(from, epoch, sealed, signature) {
            Ok(key) => {
                if let Some(other) = self.with(from).filter(|other| other.is_trusted()) {
                    let id = other.id.clone();
                    self.outputs.push_back(Output::Forwarder(ForwarderOutput::Key { id, key }));
                }
            }
            Err(KeyError::Statement(error)) => self.distrust(now, from, error),
            // A repetition, or a key of somebody who has gone or whose device has made a mistake: it opens no frame.
            Err(KeyError::NotHere | KeyError::NotNewer | KeyError::Unreadable) => {}
        }
    }

    /// A key of ours did not reach some people.
    pub(super) fn sender_keys_undelivered(&mut self, now: Instant, epoch: u32, to: &[ParticipantId]) {
        if let Some(keys) = &mut self.forwarding.keys {
            keys.undelivered(now, epoch, to);
        }
    }

    /// Handles what is due: keys, the connection's repair, the end of one of two ways, and the view.
    pub(super) fn handle_forwarding_timeout(&mut self, now: Instant) {
        self.handle_keys_timeout(now);
        self.note_missing_keys(now);
        self.repair_forwarder(now);
        if self.forwarding.ends_at(&self.others).is_some_and(|end| end <= now) {
            self.close_forwarder();
        }
        let forwarding = &self.forwarding;
        for other in self.others.iter_mut().filter(|other| other.direct == Direct::Open) {
            // Nobody repairs it now.
            let is_over =
                !forwarding.is_direct() && (other.link.is_gone() || forwarding.is_ready() && !other.link.works());
            if is_over || forwarding.closes_at(other).is_some_and(|at| at <= now) {
                other.direct = Direct::Closed;
                self.outputs.push_back(Output::CloseDirect { id: other.id.clone() });
                self.changed = true;
            }
        }
        self.follow_displayed(now);
        self.send_view(now);
    }

    /// When to call [`Call::handle_timeout`] for that.
    pub(super) fn forwarding_timeout(&self) -> Option<Instant> {
        let forwarding = &self.forwarding;
        let direct = self.others.iter().filter(|other| other.direct == Direct::Open);
        let closing = direct.filter_map(|other| forwarding.closes_at(other)).min();
        let waiting = self.others.iter().filter(|other| !other.lacks_key);
        let keyless = waiting.filter_map(|other| other.keyless_since).min().map(|since| since + FRAME_KEY_PATIENCE);
        let timeouts =
            [forwarding.poll_timeout(self.reaches_server()), forwarding.ends_at(&self.others), closing, keyless];
        timeouts.into_iter().flatten().min()
    }

    fn handle_keys_timeout(&mut self, now: Instant) {
        let Forwarding { keys: Some(keys), key_used, .. } = &mut self.forwarding else { return };
        if let Some((epoch, since)) = key_used
            && *since + KEY_LIFETIME <= now
        {
            *since = now;
            keys.renew(now, *epoch);
        }
        keys.handle_timeout(now);
        while let Some(output) = keys.poll_output() {
            self.outputs.push_back(match output {
                e2ee::Output::Send(message) => Output::Send(message),
                e2ee::Output::Use(key) => {
                    *key_used = Some((key.epoch(), now));
                    Output::Forwarder(ForwarderOutput::Use(key))
                }
            });
        }
    }

    /// Notes who has announced no frame key for a while, though the room is forwarded.
    fn note_missing_keys(&mut self, now: Instant) {
        let forwarding = &self.forwarding;
        let keys = forwarding.keys.as_ref().filter(|_| !forwarding.is_direct());
        let uncovered: BTreeSet<&ParticipantId> = keys.iter().flat_map(|keys| keys.uncovered()).collect();
        for other in &mut self.others {
            let is_uncovered = other.is_seated() && other.is_trusted() && uncovered.contains(&other.participant.id);
            other.keyless_since = is_uncovered.then(|| other.keyless_since.unwrap_or(now));
            let lacks_key = other.keyless_since.is_some_and(|since| since + FRAME_KEY_PATIENCE <= now);
            self.changed |= std::mem::replace(&mut other.lacks_key, lacks_key) != lacks_key;
        }
    }

    /// A connection that does not work is replaced: the forwarder knows no restart of ICE.
    fn repair_forwarder(&mut self, now: Instant) {
        let server = self.reaches_server();
        let has_key = self.forwarding.key_used.is_some();
        let Some(connection) = &mut self.forwarding.connection else { return };
        let before = connection.link.state;
        if connection.link.take_due(now, server).is_some() {
            connection.link.renewed(now);
            let ice_servers = self.ice_servers.clone();
            self.outputs.push_back(Output::Forwarder(ForwarderOutput::Open { ice_servers }));
        }
        let (ready, was_ready) = (connection.link.works() && has_key, connection.ready.is_some());
        connection.ready = connection.ready.or(Some(now)).filter(|_| ready);
        self.changed |= before != connection.link.state || ready != was_ready;
    }

    fn send_view(&mut self, now: Instant) {
        let server = self.reaches_server();
        let Some(connection) = &mut self.forwarding.connection else { return };
        if !server || !connection.link.works() || connection.view_due.is_none_or(|due| due > now) {
            return;
        }
        connection.view_due = None;
        let pictures = pictures(&self.others);
        if connection.viewed != pictures {
            (connection.viewed, connection.view_sent) = (pictures.clone(), Some(now));
            self.send(ClientMessage::View { pictures });
        }
    }

    /// Nothing of this participant is accepted any more: somebody is in the middle.
    fn distrust(&mut self, now: Instant, id: &ParticipantId, error: StatementError) {
        let known = |other: &&mut Other| other.is(id) && other.is_trusted();
        if let Some(other) = self.others.iter_mut().find(known) {
            other.distrust = Some(error);
            other.link = LinkMonitor::new(now, other.newcomer);
            other.direct = Direct::Closed;
            self.outputs.push_back(Output::ClosePeer { id: other.id.clone() });
            self.changed = true;
        }
    }
}

/// A height as a size.
fn height(height: u32) -> Resolution {
    Resolution { max_width: height, max_height: height }
}

/// The pictures to ask for, the most important first.
fn pictures(others: &[Other]) -> Vec<Displayed> {
    let mut pictures = vec![];
    for other in others.iter().filter(|other| other.is_seated() && other.is_trusted()) {
        let id = || other.participant.id.clone();
        if other.participant.media.screen {
            let (height, priority) = (FULL_HEIGHT, SCREEN_PRIORITY);
            pictures.push(Displayed { id: id(), kind: Published::Screen, height, priority });
        }
        let height = other.displayed.sent().map_or(FULL_HEIGHT, |size| size.max_height);
        if other.participant.media.camera && height > 0 {
            pictures.push(Displayed { id: id(), kind: Published::Camera, height, priority: 0 });
        }
    }
    pictures.sort_by_key(|picture| std::cmp::Reverse((picture.priority, picture.height)));
    pictures.truncate(MAX_PICTURES);
    pictures
}
