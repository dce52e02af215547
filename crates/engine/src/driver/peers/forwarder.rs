//! The connection to the server's forwarder, on which a room of many is received and sent.

use super::{Opening, Peers};
use crate::audio;
use crate::forwarded_in;
use crate::lip_sync::SoundIn;
use crate::participant::{self, Connection, ConnectionEvent, Lines, Participant, PeerCommand};
use crate::share_out::ShareControl;
use crate::video_out;
use call::{ForwarderInput, ForwarderOutput, Input, MAX_PICTURES, PeerInput};
use e2ee::SenderKey;
use media::encoded::VideoCodec;
use peer::{DescriptionKind, MediaOut, PeerConfig, PeerEvent, PeerState, Slots, TrackHandle};
use signaling::forwarding::FORWARDER;
use signaling::message::{self, ParticipantId};
use std::sync::Arc;
use std::time::Instant;

/// Voices that are received at once: those who spoke last.
const VOICES: usize = 8;

/// Owns the connection to the forwarder.
#[derive(Default)]
pub(super) struct Forwarder {
    connection: Option<Connection>,
    /// Requests keyframes on the present connection.
    out: Arc<std::sync::OnceLock<MediaOut>>,
    camera: Option<[TrackHandle; 3]>,
    screen: Option<TrackHandle>,
    /// Whether we share a screen there.
    shares: bool,
}

impl Forwarder {
    /// The connection, to ask for its statistics.
    pub(super) fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }
}

impl Peers {
    /// Does what the call wants of the connection to the forwarder. `fingerprint`: see [`Opening`].
    pub(crate) fn forward(&mut self, output: ForwarderOutput, fingerprint: Option<[u8; 32]>) {
        match output {
            ForwarderOutput::Open { ice_servers } => self.open_forwarder(ice_servers, fingerprint),
            ForwarderOutput::Answer { sdp } => {
                self.send_forwarder(PeerCommand::Description(DescriptionKind::Answer, sdp, None));
            }
            ForwarderOutput::Use(key) => self.set_key(Some(&key)),
            ForwarderOutput::Add { id } => self.add_forwarded(&id),
            ForwarderOutput::Key { id, key } => self.forwarded.send(forwarded_in::Control::Key(id, key)),
            ForwarderOutput::Displayed { height } => self.video.send(video_out::Control::ForwardedHeight(height)),
            ForwarderOutput::Authors(authors) => self.forwarded.send(forwarded_in::Control::Authors(authors)),
            ForwarderOutput::Close => self.close_forwarder(),
        }
    }

    /// Says which people in a forwarded room share a screen.
    pub(crate) fn set_forwarded_screens<'a>(&mut self, screens: impl Iterator<Item = (&'a ParticipantId, bool)>) {
        for (id, shares) in screens {
            let Some(participant) = self.participants.get_mut(id) else { continue };
            let shares = shares && participant.is_forwarded;
            if std::mem::replace(&mut participant.shares_forwarded, shares) != shares {
                if !participant.is_sharing() {
                    participant.video.end_screen();
                }
                self.sharing_changed = true;
            }
        }
    }

    fn open_forwarder(&mut self, ice_servers: Vec<message::IceServer>, fingerprint: Option<[u8; 32]>) {
        self.drop_forwarder();
        self.opened += 1;
        let number = self.opened;
        let config = PeerConfig {
            codecs: vec![VideoCodec::Vp8],
            // The others do not learn our address from it, and it is the server's own.
            relay_only: false,
            forwarder: Some(Slots { voices: VOICES, pictures: MAX_PICTURES }),
            ..self.config(Opening { polite: false, offer: true, ice_servers, fingerprint })
        };
        let (out, _) = participant::asking();
        let (sink, reports) = (Arc::new(self.forwarded.sink(number)), self.reports.clone());
        let connection = Connection::open(forwarder(), number, config, sink, out.clone(), reports);
        (self.forwarder.connection, self.forwarder.out) = (Some(connection), out);
        self.send_forwarder(PeerCommand::Offer);
        let everybody: Vec<_> =
            self.participants.iter().filter(|(_, p)| p.is_forwarded).map(|(id, _)| id.clone()).collect();
        everybody.iter().for_each(|id| self.receive_forwarded(id));
    }

    /// A participant's media may arrive from the forwarder.
    fn add_forwarded(&mut self, id: &ParticipantId) {
        let participant = match self.participant(id) {
            Ok(participant) => participant,
            Err(error) => return tracing::error!("no thread for {}: {error}", id.0),
        };
        participant.is_forwarded = true;
        self.receive_forwarded(id);
    }

    /// Passes what arrives of a participant on the present connection to their threads.
    fn receive_forwarded(&mut self, id: &ParticipantId) {
        let Some(number) = self.forwarder.connection.as_ref().map(|connection| connection.number) else { return };
        let Some(participant) = self.participants.get(id) else { return };
        let (sound, out) = (Arc::new(SoundIn::new(Instant::now())), self.forwarder.out.clone());
        let ask = Box::new(move |mid: &str| {
            if let Some(media) = out.get() {
                media.request_keyframe(mid);
            }
        });
        let Some(sink) = participant.video.sink(number, sound.clone(), ask) else { return };
        self.audio.send(audio::Control::Play(id.clone(), number, sound));
        self.forwarded.send(forwarded_in::Control::Add(id.clone(), number, sink));
    }

    fn set_key(&self, key: Option<&SenderKey>) {
        self.audio.send(audio::Control::Key(key.cloned()));
        self.video.send(video_out::Control::Key(key.cloned()));
        self.share.send(ShareControl::Key(key.cloned()));
    }

    /// Everybody is connected directly.
    fn close_forwarder(&mut self) {
        self.drop_forwarder();
        self.set_key(None);
        let forwarded: Vec<_> =
            self.participants.iter().filter(|(_, p)| p.is_forwarded).map(|(id, _)| id.clone()).collect();
        for id in forwarded {
            self.forwarded.send(forwarded_in::Control::Remove(id.clone()));
            if let Some(participant) = self.participants.get_mut(&id) {
                (participant.is_forwarded, participant.shares_forwarded) = (false, false);
            }
            self.sharing_changed = true;
            self.drop_unreached(&id);
        }
    }

    /// Closes the connection, if there is one.
    fn drop_forwarder(&mut self) {
        let Some(connection) = std::mem::take(&mut self.forwarder).connection else { return };
        self.audio.send(audio::Control::SendToForwarder(None));
        self.video.send(video_out::Control::Forward(None));
        self.share.send(ShareControl::Remove(forwarder()));
        for (id, _) in self.participants.iter().filter(|(_, participant)| participant.is_forwarded) {
            self.audio.send(audio::Control::StopPlaying(id.clone(), connection.number));
        }
    }

    fn send_forwarder(&mut self, command: PeerCommand) {
        let Some(connection) = &self.forwarder.connection else { return };
        if connection.commands.try_send(command).is_err() {
            tracing::warn!("the connection to the forwarder accepts no more commands and is replaced");
            self.forwarder_broken();
        }
    }

    fn forwarder_broken(&mut self) {
        self.drop_forwarder();
        self.inputs.push_back(Input::Forwarder(ForwarderInput::State(PeerInput::Broken)));
    }

    /// Takes a report of the connection to the forwarder, or of the thread that decrypts its frames.
    pub(super) fn handle_forwarder(&mut self, number: u64, event: ConnectionEvent) {
        let Some(connection) = self.forwarder.connection.as_mut().filter(|one| one.number == number) else { return };
        match event {
            ConnectionEvent::Ready(media, Lines::Forwarder(camera, screen)) => {
                connection.media = Some(media);
                (self.forwarder.camera, self.forwarder.screen) = (Some(camera), Some(screen));
            }
            ConnectionEvent::Peer(PeerEvent::LocalDescription { kind: DescriptionKind::Offer, sdp }) => {
                self.inputs.push_back(Input::Forwarder(ForwarderInput::Offer { sdp }));
            }
            ConnectionEvent::Peer(PeerEvent::State(state)) => self.forwarder_state(state),
            ConnectionEvent::Received(id, stream) => {
                self.inputs.push_back(Input::Forwarder(ForwarderInput::Received { id, stream }));
            }
            ConnectionEvent::Problem(error) => tracing::warn!("forwarder: {error}"),
            ConnectionEvent::Ended => self.forwarder_broken(),
            // It has all candidates in its answer, and one negotiation.
            ConnectionEvent::Ready(_, Lines::Direct(_)) | ConnectionEvent::Share(_) | ConnectionEvent::Peer(_) => {}
        }
    }

    fn forwarder_state(&mut self, state: PeerState) {
        let input = match state {
            PeerState::Connected => {
                self.send_to_forwarder();
                PeerInput::Connected
            }
            PeerState::Disconnected => PeerInput::Disconnected,
            PeerState::Failed => PeerInput::Failed,
            PeerState::New | PeerState::Connecting | PeerState::Closed => return,
        };
        self.inputs.push_back(Input::Forwarder(ForwarderInput::State(input)));
    }

    /// Starts sending as soon as the connection is established. Each thread waits for its key.
    fn send_to_forwarder(&mut self) {
        let Some(connection) = &mut self.forwarder.connection else { return };
        let before = std::mem::replace(&mut connection.connected, true);
        let (Some(media), Some(camera)) = (connection.media.clone(), self.forwarder.camera.clone()) else { return };
        if !before {
            self.audio.send(audio::Control::SendToForwarder(Some(media.clone())));
            self.video.send(video_out::Control::Forward(Some((media, camera))));
        }
        self.update_forwarded_share();
    }

    /// Sends our share to the forwarder, or stops.
    pub(super) fn update_forwarded_share(&mut self) {
        let Some(connection) = self.forwarder.connection.as_ref().filter(|connection| connection.connected) else {
            return;
        };
        if self.forwarder.shares == self.shares {
            return;
        }
        self.forwarder.shares = self.shares;
        match (self.shares, connection.media.clone(), self.forwarder.screen.clone()) {
            (true, Some(media), Some(screen)) => {
                self.share.send(ShareControl::AddForwarder(forwarder(), media, screen));
            }
            (true, _, _) => {}
            (false, _, _) => self.share.send(ShareControl::Remove(forwarder())),
        }
    }

    /// The participant with this id, whose threads are started if there are none.
    pub(super) fn participant(&mut self, id: &ParticipantId) -> std::io::Result<&mut Participant> {
        if !self.participants.contains_key(id) {
            self.participants.insert(id.clone(), Participant::new(id)?);
        }
        self.participants.get_mut(id).ok_or_else(|| std::io::Error::other("no participant"))
    }
}

fn forwarder() -> ParticipantId {
    ParticipantId(FORWARDER.into())
}
