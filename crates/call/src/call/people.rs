//! The other participants and the connections with them.

use super::Call;
use crate::displayed::DisplayedSize;
use crate::event::{Output, PeerSignal, SdpKind};
use crate::inflow::Inflow;
use crate::link::{LinkMonitor, PeerInput};
use crate::view::ParticipantView;
use signaling::message::{ClientMessage, IceCandidate, IceServer, Participant, ParticipantId};
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
        self.others.push(Other {
            participant,
            connected: true,
            link: LinkMonitor::new(now, newcomer),
            inflow: Inflow::new(),
            newcomer,
            displayed: DisplayedSize::default(),
        });
        let ice_servers = self.ice_servers.clone();
        self.outputs.push_back(Output::OpenPeer { id, polite: newcomer, offer: newcomer, ice_servers });
        self.changed = true;
    }

    pub(super) fn participant_left(&mut self, id: &ParticipantId) {
        let before = self.others.len();
        self.others.retain(|o| o.participant.id != *id);
        if self.others.len() != before {
            self.outputs.push_back(Output::ClosePeer { id: id.clone() });
            self.changed = true;
        }
    }

    pub(super) fn forward_description(&mut self, now: Instant, from: &ParticipantId, kind: SdpKind, sdp: String) {
        self.forward(now, from, PeerSignal::Description { kind, sdp });
    }

    /// Passes a signal to a connection if it is from somebody in the room and within the rate limits.
    pub(super) fn forward(&mut self, now: Instant, id: &ParticipantId, signal: PeerSignal) {
        if !self.in_room() {
            return;
        }
        if let Some(other) = self.others.iter_mut().find(|o| o.participant.id == *id) {
            other.inflow.push(now, signal);
            while let Some(signal) = other.inflow.next(now) {
                self.outputs.push_back(Output::Signal { id: id.clone(), signal });
            }
        }
    }

    /// A participant has a new connection. Ours is replaced, and the new one gets the offer.
    pub(super) fn new_session(&mut self, now: Instant, id: ParticipantId, sdp: String) {
        let in_room = self.in_room();
        let Some(other) = self.others.iter_mut().find(|o| in_room && o.participant.id == id) else { return };
        if !other.inflow.may_renew(now) {
            return; // they will send another offer
        }
        other.link.renewed(now);
        self.outputs.push_back(other.renewal(false, &self.ice_servers));
        self.outputs.push_back(Output::Signal { id, signal: PeerSignal::Description { kind: SdpKind::Offer, sdp } });
        self.changed = true;
    }

    pub(super) fn local_description(&mut self, id: ParticipantId, kind: SdpKind, sdp: String) {
        if self.in_room() && self.knows(&id) {
            self.send(match kind {
                SdpKind::Offer => ClientMessage::Offer { to: id, sdp },
                SdpKind::Answer => ClientMessage::Answer { to: id, sdp },
            });
        }
    }

    pub(super) fn local_candidate(&mut self, id: ParticipantId, candidate: Option<IceCandidate>) {
        if self.in_room() && self.knows(&id) {
            self.send(match candidate {
                Some(candidate) => ClientMessage::Candidate { to: id, candidate },
                None => ClientMessage::EndOfCandidates { to: id },
            });
        }
    }

    pub(super) fn peer(&mut self, now: Instant, id: &ParticipantId, input: PeerInput) {
        let Some(other) = self.others.iter_mut().find(|o| o.participant.id == *id) else { return };
        self.changed |= other.link.handle(now, input);
        self.handle_timeout(now);
    }

    pub(super) fn change(&mut self, id: &ParticipantId, change: impl FnOnce(&mut Other)) {
        if let Some(other) = self.others.iter_mut().find(|o| o.participant.id == *id) {
            change(other);
            self.changed = true;
        }
    }

    pub(super) fn close_peers(&mut self) {
        for other in self.others.drain(..) {
            self.outputs.push_back(Output::ClosePeer { id: other.participant.id });
        }
    }

    pub(super) fn knows(&self, id: &ParticipantId) -> bool {
        self.others.iter().any(|o| o.participant.id == *id)
    }
}

impl Other {
    /// `offer`: whether we make the offer.
    pub(super) fn renewal(&self, offer: bool, ice_servers: &[IceServer]) -> Output {
        let (id, ice_servers) = (self.participant.id.clone(), ice_servers.to_vec());
        Output::RenewPeer { id, polite: self.newcomer, offer, ice_servers }
    }

    pub(super) fn view(&self) -> ParticipantView {
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
