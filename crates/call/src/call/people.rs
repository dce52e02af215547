//! The other participants and the connections with them.

use super::Call;
use super::checks::Asked;
use crate::displayed::DisplayedSize;
use crate::event::{ForwarderOutput, Output, PeerSignal, SdpKind};
use crate::inflow::{Incoming, Inflow};
use crate::link::{LinkMonitor, PeerInput};
use crate::reactions::Reactions;
use crate::view::ParticipantView;
use e2ee::Stream;
use signaling::message::{ClientMessage, IceCandidate, IceServer, Participant, ParticipantId, Resolution};
use signaling::statement::{Fingerprint, Signer, StatementError, Stay};
use std::time::{Duration, Instant};

/// Another participant.
///
/// The server gives everybody a new id when they join again. Connections outlive that, so each participant has an id of
/// their own here, which outputs, inputs and the view use: the server's id from when they were first met.
#[derive(Debug)]
pub(super) struct Other {
    pub(super) id: ParticipantId,
    /// The participant as the server last described them.
    pub(super) participant: Participant,
    pub(super) seat: Seat,
    pub(super) link: LinkMonitor,
    pub(super) direct: Direct,
    pub(super) received: Received,
    /// Since when the room is forwarded and they have announced no frame key.
    pub(super) keyless_since: Option<Instant>,
    /// Whether that is so long that it is shown.
    pub(super) lacks_key: bool,
    pub(super) inflow: Inflow,
    /// Whether we joined later. The newcomer makes the first offer and is the polite peer.
    pub(super) newcomer: bool,
    pub(super) displayed: DisplayedSize,
    pub(super) asked: Asked,
    pub(super) reaction: Reactions,
    /// Why we do not connect to them: a description was not signed by their device for us. It stays so until they
    /// leave.
    pub(super) distrust: Option<StatementError>,
}

/// Whether a participant is in the room.
///
/// ```text
///  Taken ──we have a new seat, and the connection works──▶ Missed ──not back in time──▶ given up
///    ▲                                                       │
///    └──────────────they have a new seat too─────────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seat {
    /// In the room.
    Taken {
        /// Whether the server has a connection with them.
        connected: bool,
    },
    /// Not back yet after our seat was lost, probably together with theirs. Their connection continues until then.
    Missed {
        /// When it is given up.
        until: Instant,
    },
}

/// The peer connection to a participant.
///
/// ```text
///         media arrives from the forwarder, or the connection broke in a forwarded room
///  Open ───────────────────────────────────────────────────────────────────────────────▶ Closed
///    ▲                                the room is direct                                    │
///    └──────────────────────────────────────────────────────────────────────────────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direct {
    /// There is one, or there will be as soon as it is mended.
    Open,
    /// There is none.
    Closed,
}

/// When a participant's streams first arrived from the forwarder.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Received {
    pub(super) sound: Option<Instant>,
    pub(super) camera: Option<Instant>,
}

impl Received {
    pub(super) fn add(&mut self, stream: Stream, now: Instant) {
        match stream {
            Stream::Audio => drop(self.sound.get_or_insert(now)),
            Stream::Camera => drop(self.camera.get_or_insert(now)),
            Stream::Screen => {}
        }
    }
}

/// How long the connection with a participant continues who has not joined again. After a restart of the server
/// everybody is back within the longest delay between two attempts to connect.
const ABSENCE: Duration = Duration::from_secs(15);

impl Call {
    pub(super) fn participant_joined(&mut self, now: Instant, participant: Participant) {
        if self.in_room() {
            self.meet(now, participant, false);
        }
    }

    /// We have a new seat: previous ids are void, and so are signals of previous stays. Connections that work wait for
    /// the others to come back.
    pub(super) fn miss_everybody(&mut self, now: Instant) {
        for other in self.others.iter_mut().filter(|other| other.is_seated()) {
            other.seat = Seat::Missed { until: now + ABSENCE };
            other.inflow.clear();
            other.participant.hand = None;
        }
        self.give_up(|other| !other.link.works() || !other.is_trusted());
    }

    /// Gives up the connections with participants who have not come back.
    pub(super) fn give_up_missed(&mut self, now: Instant) {
        self.give_up(|other| other.missed_until().is_some_and(|until| until <= now));
    }

    /// Continues the connection with a participant who is back, or opens one. With `newcomer` we joined later, make the
    /// offer, and are the polite peer.
    pub(super) fn meet(&mut self, now: Instant, participant: Participant, newcomer: bool) {
        self.rejoin.met(&participant);
        self.forwarding.participant_joined(now, &participant);
        // A participant that is announced twice gets one connection.
        if self.with(&participant.id).is_some() {
            return;
        }
        let is_back = |other: &Other| !other.is_seated() && other.participant.key == participant.key;
        let Some(other) = self.others.iter_mut().find(|other| is_back(other)) else {
            return self.open(now, participant, newcomer);
        };
        // A newcomer whose connection does not work makes another one. Whoever was here first waits for that.
        if Stay::of(&participant).is_some()
            && other.direct == Direct::Open
            && self.forwarding.is_direct()
            && (other.link.works() || !newcomer)
        {
            (other.participant, other.newcomer) = (participant, newcomer);
            other.seat = Seat::Taken { connected: true };
            self.outputs.push_back(Output::Reoffer { id: other.id.clone() });
            self.changed = true;
        } else {
            let id = other.id.clone();
            self.give_up(|other| other.id == id);
            self.open(now, participant, newcomer);
        }
    }

    fn open(&mut self, now: Instant, participant: Participant, newcomer: bool) {
        if self.others.len() + 1 >= self.forwarding.most_people(self.most_people) {
            self.give_up(|other| !other.is_seated());
        }
        // Further participants than the room has seats get no connection.
        if self.others.len() + 1 >= self.forwarding.most_people(self.most_people) {
            return;
        }
        let id = self.unused(&participant.id);
        let distrust = Stay::of(&participant).is_none().then_some(StatementError::Missing);
        self.others.push(Other {
            id: id.clone(),
            participant,
            seat: Seat::Taken { connected: true },
            link: LinkMonitor::new(now, newcomer),
            direct: Direct::Closed,
            received: Received::default(),
            keyless_since: None,
            lacks_key: false,
            inflow: Inflow::new(),
            newcomer,
            displayed: DisplayedSize::default(),
            asked: Asked::default(),
            reaction: Reactions::default(),
            distrust,
        });
        self.changed = true;
        let is_direct = self.forwarding.is_direct();
        let Some(other) = self.others.last_mut().filter(|_| distrust.is_none()) else { return };
        self.outputs.push_back(if is_direct {
            other.open_direct(now);
            other.opening(&self.ice_servers)
        } else {
            Output::Forwarder(ForwarderOutput::Add { id })
        });
    }

    /// The server's id, or a variant of it if another participant has had it in an earlier stay.
    fn unused(&self, id: &ParticipantId) -> ParticipantId {
        let variants = (2u32..).map(|n| ParticipantId(format!("{}~{n}", id.0)));
        let mut candidates = std::iter::once(id.clone()).chain(variants);
        candidates.find(|id| !self.others.iter().any(|other| other.id == *id)).unwrap_or_else(|| id.clone())
    }

    pub(super) fn participant_left(&mut self, now: Instant, id: &ParticipantId) {
        self.give_up(|other| other.is(id));
        self.forwarding.participant_left(now, id);
    }

    fn give_up(&mut self, which: impl Fn(&Other) -> bool) {
        for other in self.others.extract_if(.., |other| which(other)) {
            if other.is_trusted() {
                self.outputs.push_back(Output::ClosePeer { id: other.id });
            }
            self.changed = true;
        }
    }

    /// Passes a signal to a connection if it is from somebody in the room, within the rate limits and, if it is a
    /// description, signed by their device.
    pub(super) fn forward(&mut self, now: Instant, from: &ParticipantId, signal: Incoming) {
        let in_room = self.in_room();
        let known =
            |other: &&mut Other| in_room && other.is(from) && other.is_trusted() && other.direct == Direct::Open;
        if let Some(other) = self.others.iter_mut().find(known) {
            other.inflow.push(now, signal);
            self.pass_on_signals(now);
        }
    }

    /// A participant has reported the size at which they display our camera.
    pub(super) fn displayed_there(&mut self, now: Instant, from: &ParticipantId, most: Resolution) {
        let in_room = self.in_room();
        if let Some(other) = self.others.iter_mut().find(|other| in_room && other.is(from) && other.is_trusted()) {
            other.inflow.push_size(most);
            self.pass_on_signals(now);
        }
    }

    /// Passes on the signals and display sizes that the rate limits allow now. A description that its sender's device has not signed
    /// ends the connection with that participant.
    pub(super) fn pass_on_signals(&mut self, now: Instant) {
        let Some(signer) = &self.signer else { return };
        for other in &mut self.others {
            if other.is_trusted()
                && let Some(most) = other.inflow.next_size(now)
            {
                self.outputs.push_back(Output::Resolution { id: other.id.clone(), most });
            }
            while other.is_trusted()
                && let Some(signal) = other.inflow.next(now)
            {
                let id = other.id.clone();
                match other.check(signer, &self.room, signal) {
                    Ok(signal) => self.outputs.push_back(Output::Signal { id, signal }),
                    Err(error) => {
                        other.distrust = Some(error);
                        // There is no connection any more.
                        other.link = LinkMonitor::new(now, other.newcomer);
                        other.direct = Direct::Closed;
                        self.outputs.push_back(Output::ClosePeer { id });
                        self.changed = true;
                    }
                }
            }
        }
    }

    /// A participant has a new connection. Ours is replaced, and the new one gets the offer.
    pub(super) fn new_session(&mut self, now: Instant, id: ParticipantId, sdp: String, fingerprint: Fingerprint) {
        let in_room = self.in_room();
        let known =
            |other: &&mut Other| in_room && other.id == id && other.is_trusted() && other.direct == Direct::Open;
        let Some(other) = self.others.iter_mut().find(known) else { return };
        if !other.inflow.may_renew(now) {
            return; // they will send another offer
        }
        other.link.renewed(now);
        self.outputs.push_back(other.renewal(false, &self.ice_servers));
        let signal = PeerSignal::Description { kind: SdpKind::Offer, sdp, fingerprint };
        self.outputs.push_back(Output::Signal { id, signal });
        self.changed = true;
    }

    pub(super) fn local_description(&mut self, id: &ParticipantId, kind: SdpKind, sdp: String) {
        let Some(stay) = self.addressee(id).and_then(|other| Stay::of(&other.participant)) else { return };
        let Some(to) = self.address(id) else { return };
        // Our own descriptions name a certificate.
        let signature = self.signer.as_ref().and_then(|signer| signer.sign(&self.room, stay, &sdp));
        self.send(match kind {
            SdpKind::Offer => ClientMessage::Offer { to, sdp, signature },
            SdpKind::Answer => ClientMessage::Answer { to, sdp, signature },
        });
    }

    pub(super) fn local_candidate(&mut self, id: &ParticipantId, candidate: Option<IceCandidate>) {
        if let Some(to) = self.address(id) {
            self.send(match candidate {
                Some(candidate) => ClientMessage::Candidate { to, candidate },
                None => ClientMessage::EndOfCandidates { to },
            });
        }
    }

    pub(super) fn peer(&mut self, now: Instant, id: &ParticipantId, input: PeerInput) {
        let server = self.reaches_server();
        let known = |other: &&mut Other| other.id == *id && other.is_trusted() && other.direct == Direct::Open;
        let Some(other) = self.others.iter_mut().find(known) else { return };
        let before = other.link.state;
        other.link.handle(now, input);
        let changed = before != other.link.state;
        self.changed |= changed;
        // The path to the server may be broken too, and a repair needs it.
        if input == PeerInput::Disconnected && server {
            self.outputs.push_back(Output::ProbeServer);
        }
        self.handle_timeout(now);
    }

    /// The network of this machine has changed: every connection looks for a new path.
    pub(super) fn network_changed(&mut self, now: Instant) {
        for other in &mut self.others {
            other.link.network_changed(now);
        }
        self.forwarding.network_changed(now);
        self.handle_timeout(now);
    }

    pub(super) fn change(&mut self, id: &ParticipantId, change: impl FnOnce(&mut Other)) {
        if let Some(other) = self.others.iter_mut().find(|other| other.is(id)) {
            change(other);
            self.changed = true;
        }
    }

    pub(super) fn close_peers(&mut self) {
        self.give_up(|_| true);
    }

    /// The participant in the room to whom the server has given this id.
    pub(super) fn with(&self, id: &ParticipantId) -> Option<&Other> {
        self.others.iter().find(|other| other.is(id))
    }

    /// The server's present id of a participant in the room.
    pub(super) fn address(&self, id: &ParticipantId) -> Option<ParticipantId> {
        self.addressee(id).map(|other| other.participant.id.clone())
    }

    /// Somebody in the room with whom there may be a connection.
    fn addressee(&self, id: &ParticipantId) -> Option<&Other> {
        let here = |other: &&Other| self.in_room() && other.is_seated() && other.is_trusted();
        self.others.iter().find(|other| other.id == *id).filter(here)
    }
}

impl Other {
    /// Whether the server's id means this participant.
    pub(super) fn is(&self, id: &ParticipantId) -> bool {
        self.is_seated() && self.participant.id == *id
    }

    /// Whether they are in the room.
    pub(super) fn is_seated(&self) -> bool {
        self.missed_until().is_none()
    }

    /// When the connection with somebody who has not come back is given up.
    pub(super) fn missed_until(&self) -> Option<Instant> {
        match self.seat {
            Seat::Taken { .. } => None,
            Seat::Missed { until } => Some(until),
        }
    }

    pub(super) fn is_trusted(&self) -> bool {
        self.distrust.is_none()
    }

    /// Whether there is a direct connection to keep up.
    pub(super) fn is_mended(&self) -> bool {
        self.is_seated() && self.is_trusted() && self.direct == Direct::Open
    }

    /// Checks the signature of a description.
    fn check(&self, signer: &Signer, room: &str, signal: Incoming) -> Result<PeerSignal, StatementError> {
        match signal {
            Incoming::Description { kind, sdp, signature } => {
                let from = Stay::of(&self.participant).ok_or(StatementError::Missing)?;
                let fingerprint = signer.verify(room, from, &sdp, signature.as_deref())?;
                Ok(PeerSignal::Description { kind, sdp, fingerprint })
            }
            Incoming::Candidate(candidate) => Ok(PeerSignal::Candidate(candidate)),
        }
    }

    /// Records that a direct connection is made.
    pub(super) fn open_direct(&mut self, now: Instant) {
        self.direct = Direct::Open;
        self.link = LinkMonitor::new(now, self.newcomer);
        self.inflow.clear();
    }

    /// Makes that connection.
    pub(super) fn opening(&self, ice_servers: &[IceServer]) -> Output {
        let (id, ice_servers) = (self.id.clone(), ice_servers.to_vec());
        Output::OpenPeer { id, polite: self.newcomer, offer: self.newcomer, ice_servers }
    }

    /// Since when the direct connection works.
    pub(super) fn works_directly_since(&self) -> Option<Instant> {
        self.link.works_since().filter(|_| self.direct == Direct::Open)
    }

    /// `offer`: whether we make the offer.
    pub(super) fn renewal(&self, offer: bool, ice_servers: &[IceServer]) -> Output {
        let (id, ice_servers) = (self.id.clone(), ice_servers.to_vec());
        Output::RenewPeer { id, polite: self.newcomer, offer, ice_servers }
    }

    /// `forwarder`: the connection to the forwarder.
    pub(super) fn view(&self, forwarder: Option<&LinkMonitor>) -> ParticipantView {
        let is_direct = self.direct == Direct::Open && (self.link.works() || forwarder.is_none());
        let link = forwarder.filter(|_| !is_direct && self.is_trusted()).unwrap_or(&self.link);
        ParticipantView {
            info: Participant { id: self.id.clone(), ..self.participant.clone() },
            link: link.state.into(),
            interrupted_since: link.interruption().map(|(since, _)| since),
            repair: link.interruption().map(|(_, repair)| repair),
            distrust: self.distrust,
            lacks_key: self.lacks_key,
            connected: self.seat == Seat::Taken { connected: true },
            report: self.asked.report.clone(),
            reaction: self.reaction.shown(),
        }
    }
}
