//! The other participants and the connections with them.

use super::Call;
use crate::displayed::DisplayedSize;
use crate::event::{Output, PeerSignal, SdpKind};
use crate::inflow::{Incoming, Inflow};
use crate::link::{LinkMonitor, PeerInput};
use crate::view::ParticipantView;
use signaling::message::{ClientMessage, IceCandidate, IceServer, Participant, ParticipantId};
use signaling::statement::{Fingerprint, Signer, StatementError, Stay};
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Other {
    pub(super) participant: Participant,
    pub(super) connected: bool,
    pub(super) link: LinkMonitor,
    pub(super) inflow: Inflow,
    /// Whether we joined later. The newcomer makes the first offer and is the polite peer.
    pub(super) newcomer: bool,
    pub(super) displayed: DisplayedSize,
    /// Why we do not connect to them: a description was not signed by their device for us. It stays so until they
    /// leave.
    pub(super) distrust: Option<StatementError>,
}

impl Call {
    pub(super) fn participant_joined(&mut self, now: Instant, participant: Participant) {
        if self.in_room() {
            self.open(now, participant, false);
        }
    }

    /// Opens a connection to a participant. With `newcomer` we joined later, make the offer, and are the polite peer.
    pub(super) fn open(&mut self, now: Instant, participant: Participant, newcomer: bool) {
        let id = participant.id.clone();
        self.rejoin.met(&participant);
        // A participant that is announced twice gets one connection. Further participants than the room has seats get
        // none.
        if self.knows(&id) || self.others.len() + 1 >= self.most_people {
            return;
        }
        let distrust = Stay::of(&participant).is_none().then_some(StatementError::Missing);
        self.others.push(Other {
            participant,
            connected: true,
            link: LinkMonitor::new(now, newcomer),
            inflow: Inflow::new(),
            newcomer,
            displayed: DisplayedSize::default(),
            distrust,
        });
        self.changed = true;
        if distrust.is_none() {
            let ice_servers = self.ice_servers.clone();
            self.outputs.push_back(Output::OpenPeer { id, polite: newcomer, offer: newcomer, ice_servers });
        }
    }

    pub(super) fn participant_left(&mut self, id: &ParticipantId) {
        let Some(index) = self.others.iter().position(|o| o.participant.id == *id) else { return };
        if self.others.remove(index).is_trusted() {
            self.outputs.push_back(Output::ClosePeer { id: id.clone() });
        }
        self.changed = true;
    }

    /// Passes a signal to a connection if it is from somebody in the room, within the rate limits and, if it is a
    /// description, signed by their device.
    pub(super) fn forward(&mut self, now: Instant, id: &ParticipantId, signal: Incoming) {
        if self.in_room()
            && let Some(other) = self.trusted(id)
        {
            other.inflow.push(now, signal);
            self.pass_on_signals(now);
        }
    }

    /// Passes on the signals that the rate limits allow now. A description that its sender's device has not signed
    /// ends the connection with that participant.
    pub(super) fn pass_on_signals(&mut self, now: Instant) {
        let Some(signer) = &self.signer else { return };
        for other in &mut self.others {
            while other.is_trusted()
                && let Some(signal) = other.inflow.next(now)
            {
                let id = other.participant.id.clone();
                match other.check(signer, &self.room, signal) {
                    Ok(signal) => self.outputs.push_back(Output::Signal { id, signal }),
                    Err(error) => {
                        other.distrust = Some(error);
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
        let known = |other: &&mut Other| in_room && other.participant.id == id && other.is_trusted();
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

    pub(super) fn local_description(&mut self, id: ParticipantId, kind: SdpKind, sdp: String) {
        if !self.in_room() {
            return;
        }
        let Some(to) = self.trusted(&id).and_then(|other| Stay::of(&other.participant)) else { return };
        // Our own descriptions name a certificate.
        let signature = self.signer.as_ref().and_then(|signer| signer.sign(&self.room, to, &sdp));
        self.send(match kind {
            SdpKind::Offer => ClientMessage::Offer { to: id, sdp, signature },
            SdpKind::Answer => ClientMessage::Answer { to: id, sdp, signature },
        });
    }

    pub(super) fn local_candidate(&mut self, id: ParticipantId, candidate: Option<IceCandidate>) {
        if self.in_room() && self.trusted(&id).is_some() {
            self.send(match candidate {
                Some(candidate) => ClientMessage::Candidate { to: id, candidate },
                None => ClientMessage::EndOfCandidates { to: id },
            });
        }
    }

    pub(super) fn peer(&mut self, now: Instant, id: &ParticipantId, input: PeerInput) {
        let server = self.reaches_server();
        let Some(other) = self.trusted(id) else { return };
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
        self.handle_timeout(now);
    }

    pub(super) fn change(&mut self, id: &ParticipantId, change: impl FnOnce(&mut Other)) {
        if let Some(other) = self.others.iter_mut().find(|o| o.participant.id == *id) {
            change(other);
            self.changed = true;
        }
    }

    pub(super) fn close_peers(&mut self) {
        for other in self.others.drain(..).filter(Other::is_trusted) {
            self.outputs.push_back(Output::ClosePeer { id: other.participant.id });
        }
    }

    /// Somebody with whom there may be a connection.
    pub(super) fn trusted(&mut self, id: &ParticipantId) -> Option<&mut Other> {
        self.others.iter_mut().find(|other| other.participant.id == *id && other.is_trusted())
    }

    pub(super) fn knows(&self, id: &ParticipantId) -> bool {
        self.others.iter().any(|o| o.participant.id == *id)
    }
}

impl Other {
    pub(super) fn is_trusted(&self) -> bool {
        self.distrust.is_none()
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

    /// `offer`: whether we make the offer.
    pub(super) fn renewal(&self, offer: bool, ice_servers: &[IceServer]) -> Output {
        let (id, ice_servers) = (self.participant.id.clone(), ice_servers.to_vec());
        Output::RenewPeer { id, polite: self.newcomer, offer, ice_servers }
    }

    pub(super) fn view(&self) -> ParticipantView {
        ParticipantView {
            info: self.participant.clone(),
            link: self.link.state.into(),
            interrupted_since: self.link.interruption().map(|(since, _)| since),
            repair: self.link.interruption().map(|(_, repair)| repair),
            distrust: self.distrust,
            connected: self.connected,
        }
    }
}
