//! The connections with the others.

use super::Driver;
use crate::audio;
use crate::participant::{FromPeer, Order, Participant, Told};
use crate::video_out;
use call::{Input, PeerInput, PeerSignal, SdpKind};
use peer::{DescriptionKind, FarSession, IceServer, MediaOut, PeerConfig, PeerEvent, PeerState};
use signaling::message::{IceCandidate, ParticipantId, Resolution};
use std::time::Instant;
use tokio::sync::mpsc::error::TrySendError;

impl Driver {
    pub(super) fn meets(&self, id: &ParticipantId) -> bool {
        let Some(name) = &self.config.meets else { return true };
        self.call.view().participants.iter().any(|who| who.id == *id && who.name == *name)
    }

    pub(super) fn open(
        &mut self,
        id: ParticipantId,
        polite: bool,
        offer: bool,
        servers: Vec<signaling::message::IceServer>,
    ) {
        self.seeds = self.seeds.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let config = PeerConfig {
            ice_servers: self
                .config
                .ice_servers
                .clone()
                .unwrap_or_else(|| servers.into_iter().map(ice_server).collect()),
            relay_only: self.config.relay_only,
            codecs: self.config.codecs.clone(),
            polite,
            include_loopback: self.config.include_loopback,
            checks: self.checks.clone(),
            seed: self.seeds,
            ..PeerConfig::default()
        };
        self.opened += 1;
        match Participant::open(id.clone(), self.opened, config, self.told.clone()) {
            Ok(participant) => {
                self.participants.insert(id.clone(), participant);
                if offer {
                    self.order(&id, Order::Offer);
                }
            }
            Err(error) => {
                log::error!("no thread for {}: {error}", id.0);
                self.broken(&id);
            }
        }
    }

    /// They are gone.
    pub(super) fn close(&mut self, id: &ParticipantId) {
        self.disconnect(id);
        self.former.remove(id);
    }

    /// Closes the connection with somebody who stays.
    pub(super) fn disconnect(&mut self, id: &ParticipantId) {
        self.video.tell(video_out::Control::Remove(id.clone()));
        self.audio.tell(audio::Control::Remove(id.clone()));
        if let Some(far) = self.participants.remove(id).and_then(|mut participant| participant.far.take()) {
            self.former.insert(id.clone(), far);
        }
    }

    /// Nothing but a new connection helps; the call decides when.
    fn broken(&mut self, id: &ParticipantId) {
        self.disconnect(id);
        self.call.handle(Instant::now(), Input::Peer { id: id.clone(), input: PeerInput::Broken });
    }

    /// What somebody says to our connection. What is of their former connection is of no use to ours, and what begins
    /// another one needs another one here.
    pub(super) fn pass_on(&mut self, now: Instant, id: ParticipantId, signal: PeerSignal) {
        let former = self.former.get(&id);
        let order = match signal {
            PeerSignal::Description { kind, sdp } => {
                let session = FarSession::of(&sdp);
                let of = |known: Option<&FarSession>| session.as_ref().zip(known).map(|(new, old)| new.continues(old));
                if of(former) == Some(true) {
                    return;
                }
                let other = self.participants.get(&id).is_none_or(|here| of(here.far.as_ref()) == Some(false));
                if other && kind == SdpKind::Offer {
                    return self.call.handle(now, Input::NewSession { id, sdp });
                }
                if let Some(participant) = self.participants.get_mut(&id) {
                    participant.far = session.or(participant.far.take());
                }
                let kind = match kind {
                    SdpKind::Offer => DescriptionKind::Offer,
                    SdpKind::Answer => DescriptionKind::Answer,
                };
                Order::Description(kind, sdp)
            }
            // Their description comes first.
            PeerSignal::Candidate(_)
                if former.is_some() && self.participants.get(&id).is_none_or(|p| p.far.is_none()) =>
            {
                return;
            }
            PeerSignal::Candidate(candidate) => Order::Candidate(candidate),
        };
        self.order(&id, order);
    }

    /// Never waits: a connection that takes nothing is of no use, and must not hold up the others.
    pub(super) fn order(&mut self, id: &ParticipantId, order: Order) {
        let Some(participant) = self.participants.get(id) else { return };
        match participant.orders.try_send(order) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                log::warn!("{}: the connection takes nothing any more and is made anew", id.0);
                self.broken(id);
            }
            Err(TrySendError::Closed(_)) => self.broken(id),
        }
    }

    pub(super) fn told(&mut self, (number, id, told): FromPeer) {
        let Some(participant) = self.participants.get_mut(&id).filter(|p| p.number == number) else { return };
        match told {
            Told::Ready(media) => {
                participant.media = Some(media.clone());
                self.audio.tell(audio::Control::Add(id, media, participant.audio.clone()));
            }
            Told::Event(event) => self.event(id, event),
            Told::Problem(error) => log::warn!("{}: {error}", id.0),
            Told::Ended => self.broken(&id),
        }
    }

    fn event(&mut self, id: ParticipantId, event: PeerEvent) {
        let now = Instant::now();
        let input = match event {
            PeerEvent::LocalDescription { kind, sdp } => {
                let kind = match kind {
                    DescriptionKind::Offer => SdpKind::Offer,
                    DescriptionKind::Answer => SdpKind::Answer,
                };
                Input::LocalDescription { id, kind, sdp }
            }
            PeerEvent::LocalCandidate { candidate, sdp_mid, sdp_mline_index } => {
                let candidate = Some(IceCandidate { candidate, sdp_mid, sdp_mline_index, username_fragment: None });
                Input::LocalCandidate { id, candidate }
            }
            PeerEvent::EndOfCandidates => Input::LocalCandidate { id, candidate: None },
            PeerEvent::State(state) => match self.state(&id, state) {
                Some(input) => Input::Peer { id, input },
                None => return,
            },
            PeerEvent::KeyframeRequested { .. } => return self.video.tell(video_out::Control::Keyframe(id)),
            PeerEvent::Negotiated { .. } => return self.negotiated(&id),
            PeerEvent::RemoteTrack { .. } | PeerEvent::RemoteTrackEnded { .. } | PeerEvent::Target(_) => return, // encoders read codec and target themselves
        };
        self.call.handle(now, input);
    }

    fn negotiated(&self, id: &ParticipantId) {
        if let Some((media, most)) = self.media(id) {
            self.video.tell(video_out::Control::Prepare(media, most));
        }
    }

    /// The way out to somebody, and how much of a picture they have use for.
    fn media(&self, id: &ParticipantId) -> Option<(MediaOut, Option<Resolution>)> {
        let participant = self.participants.get(id)?;
        Some((participant.media.clone()?, participant.most))
    }

    /// Media flows only over a path that stands.
    fn state(&mut self, id: &ParticipantId, state: PeerState) -> Option<PeerInput> {
        match state {
            PeerState::Connected => {
                log::debug!("{} is connected", id.0);
                if let Some((media, most)) = self.media(id) {
                    self.video.tell(video_out::Control::Add(id.clone(), media, most));
                    self.audio.tell(audio::Control::Connected(id.clone()));
                }
                Some(PeerInput::Connected)
            }
            PeerState::Disconnected => Some(PeerInput::Disconnected),
            PeerState::Failed => Some(PeerInput::Failed),
            PeerState::New | PeerState::Connecting | PeerState::Closed => None,
        }
    }
}

fn ice_server(server: signaling::message::IceServer) -> IceServer {
    IceServer {
        urls: server.urls,
        username: server.username.unwrap_or_default(),
        credential: server.credential.unwrap_or_default(),
    }
}
