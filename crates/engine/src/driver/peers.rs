//! The peer connections with the other participants, and the one to the forwarder.

mod forwarder;

use self::forwarder::Forwarder;
use crate::audio::{self, Audio};
use crate::forwarded_in::{self, ForwardedIn};
use crate::participant::{ConnectionEvent, Direct, FromConnection, Participant, PeerCommand};
use crate::share_out::{ShareControl, ShareOut};
use crate::stats::{EngineStats, ParticipantStats};
use crate::video_out::{self, VideoOut};
use crate::view::Problem;
use call::{Input, PeerInput, PeerSignal, SdpKind};
use media::encoded::VideoCodec;
use media::slot::FrameSlot;
use peer::{
    CheckPacer, DescriptionKind, FarSession, IceServer, MediaOut, PeerConfig, PeerError, PeerEvent, PeerState,
    TrackKind,
};
use signaling::forwarding::FORWARDER;
use signaling::message::{self, IceCandidate, ParticipantId, Resolution};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

/// How long to wait for statistics.
const PATIENCE: Duration = Duration::from_millis(500);

/// Settings that all connections share.
pub(crate) struct PeerSettings {
    /// STUN and TURN servers to use instead of those that the server names.
    pub(crate) ice_servers: Option<Vec<IceServer>>,
    pub(crate) relay_only: bool,
    pub(crate) codecs: Vec<VideoCodec>,
    pub(crate) include_loopback: bool,
    /// Connect only to the participant with this name.
    pub(crate) meets: Option<String>,
}

/// Owns the connections, and the threads that send to them.
pub(crate) struct Peers {
    settings: PeerSettings,
    participants: HashMap<ParticipantId, Participant>,
    /// For each participant, their side of the last connection that was closed here.
    former: HashMap<ParticipantId, FarSession>,
    forwarder: Forwarder,
    forwarded: ForwardedIn,
    /// Limits the ICE checks of all connections together.
    checks: CheckPacer,
    seed: u64,
    /// The number of connections opened so far.
    opened: u64,
    audio: Audio,
    video: VideoOut,
    share: ShareOut,
    /// Whether we share a screen.
    shares: bool,
    /// Whether somebody has begun or stopped to share since the last [`Peers::take_sharing_changed`].
    sharing_changed: bool,
    reports: mpsc::Sender<FromConnection>,
    inputs: VecDeque<Input>,
    /// Why no connection can be established with the current settings.
    problem: Option<Problem>,
    /// Whether `problem` has changed since the last [`Peers::take_changed`].
    problem_changed: bool,
}

/// The parameters of a new connection.
pub(crate) struct Opening {
    /// Whether we are the polite peer, which yields when both sides offer.
    pub(crate) polite: bool,
    /// Whether we send the offer.
    pub(crate) offer: bool,
    pub(crate) ice_servers: Vec<message::IceServer>,
    /// SHA-256 of the server's certificate, if a link pins it.
    pub(crate) fingerprint: Option<[u8; 32]>,
}

impl Peers {
    /// Starts without connections. `seed` must be secret. `reports` leads back to [`Peers::handle`].
    pub(crate) fn new(
        settings: PeerSettings,
        seed: u64,
        audio: Audio,
        video: VideoOut,
        share: ShareOut,
        reports: mpsc::Sender<FromConnection>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            settings,
            participants: HashMap::new(),
            former: HashMap::new(),
            forwarder: Forwarder::default(),
            forwarded: ForwardedIn::start(reports.clone())?,
            checks: CheckPacer::default(),
            seed,
            opened: 0,
            audio,
            video,
            share,
            shares: false,
            sharing_changed: false,
            reports,
            inputs: VecDeque::new(),
            problem: None,
            problem_changed: false,
        })
    }

    /// Uses only relayed paths for new connections, or any path.
    pub(crate) fn set_relay_only(&mut self, on: bool) {
        self.settings.relay_only = on;
        self.set_problem(None);
    }

    /// The sizes at which cameras are displayed: the largest ones come first where there is no room for all.
    pub(crate) fn set_displayed(&self, sizes: BTreeMap<ParticipantId, Resolution>) {
        self.video.send(video_out::Control::Displayed(sizes));
    }

    /// Sends and receives little video, or as much as is useful.
    pub(crate) fn set_data_saver(&self, on: bool) {
        self.video.send(video_out::Control::DataSaver(on));
    }

    fn set_problem(&mut self, problem: Option<Problem>) {
        self.problem_changed |= self.problem != problem;
        self.problem = problem;
    }

    /// Why no connection can be established with the current settings.
    pub(crate) fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// Returns true once after each change of [`Peers::problem`].
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.problem_changed)
    }

    /// Shares our screen with everybody, or stops.
    pub(crate) fn set_share(&mut self, on: bool) {
        if std::mem::replace(&mut self.shares, on) == on {
            return;
        }
        let ids: Vec<ParticipantId> = self.participants.keys().cloned().collect();
        ids.iter().for_each(|id| self.update_share(id));
        self.update_forwarded_share();
    }

    /// Adds or removes the line of our share on a connection that is established.
    fn update_share(&mut self, id: &ParticipantId) {
        let shares = self.shares;
        let Some(direct) = self.direct_mut(id) else { return };
        if std::mem::replace(&mut direct.shares, shares && direct.connection.connected) == direct.shares {
            return;
        }
        if !self.shares {
            self.share.send(ShareControl::Remove(id.clone()));
        }
        self.send(id, PeerCommand::Share(self.shares));
    }

    /// Whether a participant shares a screen.
    pub(crate) fn is_sharing(&self, id: &ParticipantId) -> bool {
        self.participants.get(id).is_some_and(Participant::is_sharing)
    }

    /// Returns true once after somebody has begun or stopped to share.
    pub(crate) fn take_sharing_changed(&mut self) -> bool {
        std::mem::take(&mut self.sharing_changed)
    }

    /// Whether to connect to a participant with this name.
    pub(crate) fn meets(&self, name: Option<&str>) -> bool {
        self.settings.meets.as_deref().is_none_or(|meets| name == Some(meets))
    }

    /// Opens a connection.
    pub(crate) fn open(&mut self, id: ParticipantId, opening: Opening) {
        let offer = opening.offer;
        self.opened += 1;
        let config = self.config(opening);
        let (number, reports) = (self.opened, self.reports.clone());
        match self.participant(&id) {
            Ok(participant) => {
                participant.connect(id.clone(), number, config, reports);
                if offer {
                    self.send(&id, PeerCommand::Offer);
                }
            }
            Err(error) => {
                tracing::error!("no thread for {}: {error}", id.0);
                self.broken(&id);
            }
        }
    }

    /// Closes the connection and opens another one in its place.
    pub(crate) fn renew(&mut self, id: ParticipantId, opening: Opening) {
        self.disconnect(&id);
        self.open(id, opening);
    }

    /// Closes the connection with a participant whose media arrives from the forwarder.
    pub(crate) fn close_direct(&mut self, id: &ParticipantId) {
        self.disconnect(id);
    }

    /// Forgets a participant who has left.
    pub(crate) fn close(&mut self, id: &ParticipantId) {
        self.disconnect(id);
        self.forwarded.send(forwarded_in::Control::Remove(id.clone()));
        self.audio.send(audio::Control::Remove(id.clone()));
        let removed = self.participants.remove(id);
        self.sharing_changed |= removed.is_some_and(|participant| participant.is_sharing());
        self.former.remove(id);
        if self.participants.is_empty() {
            self.set_problem(None);
        }
    }

    /// Restarts ICE, to find another path to a participant.
    pub(crate) fn restart_ice(&mut self, id: &ParticipantId, ice_servers: Vec<message::IceServer>) {
        let ice_servers = self.ice_servers(ice_servers);
        self.send(id, PeerCommand::RestartIce(ice_servers));
    }

    /// Makes an offer again that a participant has not received.
    pub(crate) fn reoffer(&mut self, id: &ParticipantId) {
        self.send(id, PeerCommand::Reoffer);
    }

    /// Sets the largest size that a participant can use from now on.
    pub(crate) fn set_resolution(&mut self, id: ParticipantId, most: Resolution) {
        if let Some(direct) = self.direct_mut(&id) {
            direct.most = Some(most);
        }
        self.video.send(video_out::Control::Resolution(id, most));
    }

    /// Passes signalling from the far side to its connection. Signalling of a former connection is dropped. An offer
    /// that starts a new connection on the far side needs a new one here, which the call decides on.
    pub(crate) fn handle_signal(&mut self, id: ParticipantId, signal: PeerSignal) {
        let former = self.former.get(&id);
        let command = match signal {
            PeerSignal::Description { kind, sdp, fingerprint } => {
                let session = FarSession::of(&sdp);
                let of = |known: Option<&FarSession>| session.as_ref().zip(known).map(|(new, old)| new.continues(old));
                if of(former) == Some(true) {
                    return;
                }
                let other = self.direct(&id).is_none_or(|here| of(here.far.as_ref()) == Some(false));
                match (other, kind) {
                    (false, _) => {}
                    (true, SdpKind::Offer) => {
                        return self.inputs.push_back(Input::NewSession { id, sdp, fingerprint });
                    }
                    // They have no connection any more that could have answered for the old one.
                    (true, SdpKind::Answer) => return self.broken(&id),
                }
                if let Some(direct) = self.direct_mut(&id) {
                    direct.far = session.or(direct.far.take());
                }
                let kind = match kind {
                    SdpKind::Offer => DescriptionKind::Offer,
                    SdpKind::Answer => DescriptionKind::Answer,
                };
                PeerCommand::Description(kind, sdp, Some(fingerprint))
            }
            // The description must arrive before its candidates.
            PeerSignal::Candidate(_)
                if former.is_some() && self.direct(&id).is_none_or(|direct| direct.far.is_none()) =>
            {
                return;
            }
            PeerSignal::Candidate(candidate) => PeerCommand::Candidate(candidate),
        };
        self.send(&id, command);
    }

    /// Takes a report of a connection. Reports of a closed connection are ignored.
    pub(crate) fn handle(&mut self, (number, id, event): FromConnection) {
        if id.0 == FORWARDER {
            return self.handle_forwarder(number, event);
        }
        let Some(direct) = self.direct_mut(&id).filter(|direct| direct.connection.number == number) else { return };
        match event {
            ConnectionEvent::Ready(media, _) => {
                direct.connection.media = Some(media);
                let sound = direct.audio.clone();
                self.audio.send(audio::Control::Play(id, number, sound));
            }
            ConnectionEvent::Peer(event) => self.handle_peer(id, event),
            ConnectionEvent::Share(track) => {
                if let Some(media) = direct.connection.media.clone().filter(|_| direct.shares) {
                    self.share.send(ShareControl::Add(id, media, track));
                }
            }
            ConnectionEvent::Received(..) => {} // of the forwarder only
            ConnectionEvent::Problem(error) => {
                tracing::warn!("{}: {error}", id.0);
                if let PeerError::NoRelay = error {
                    self.set_problem(Some(Problem {
                        code: error.code().into(),
                        message: error.to_string(),
                        device: None,
                    }));
                }
            }
            ConnectionEvent::Ended => self.broken(&id),
        }
    }

    /// Returns the next input for the call, in order.
    pub(crate) fn poll_input(&mut self) -> Option<Input> {
        self.inputs.pop_front()
    }

    /// The slot with the newest frames of a participant's camera (`0`) or shared screen (`1`).
    pub(crate) fn pictures(&self, id: &ParticipantId, line: usize) -> Option<FrameSlot> {
        self.participants.get(id)?.video.slots.get(line).cloned()
    }

    /// Asks all connections at the same time and answers when all have replied. A connection that does not reply in
    /// time has no `path`.
    pub(crate) fn stats(&self, answer: oneshot::Sender<EngineStats>) {
        let (to_audio, audio_stats) = oneshot::channel();
        self.audio.send(audio::Control::Stats(to_audio));
        let mut asked = vec![];
        for (id, participant) in &self.participants {
            let direct = participant.direct.as_ref().map(|direct| &direct.connection);
            let connection = direct.or(self.forwarder.connection().filter(|_| participant.is_forwarded));
            let (to, from) = oneshot::channel();
            let asking = connection.is_some_and(|one| one.commands.try_send(PeerCommand::Stats(to)).is_ok());
            asked.push((id.clone(), participant.video.stats(), asking.then_some(from)));
        }
        let (video_out, share_out) = (self.video.stats(), self.share.stats());
        tokio::spawn(async move {
            let sounds = in_time(audio_stats).await.unwrap_or_default();
            let mut participants = vec![];
            for (id, video_in, from) in asked {
                let path = match from {
                    Some(from) => in_time(from).await,
                    None => None,
                };
                let audio_in = sounds.iter().find(|(who, _)| *who == id).map(|(_, stats)| *stats);
                participants.push(ParticipantStats { id, path, video_in, audio_in });
            }
            let _ = answer.send(EngineStats { video_out, share_out, participants }); // the receiver may be dropped
        });
    }

    fn config(&mut self, opening: Opening) -> PeerConfig {
        let Opening { polite, offer: _, ice_servers, fingerprint } = opening;
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        PeerConfig {
            ice_servers: self.ice_servers(ice_servers),
            relay_only: self.settings.relay_only,
            codecs: self.settings.codecs.clone(),
            polite,
            include_loopback: self.settings.include_loopback,
            checks: self.checks.clone(),
            fingerprint,
            seed: self.seed,
            ..PeerConfig::default()
        }
    }

    /// The STUN and TURN servers that the server named, unless others were configured.
    fn ice_servers(&self, named: Vec<message::IceServer>) -> Vec<IceServer> {
        let named = || named.into_iter().map(ice_server).collect();
        self.settings.ice_servers.clone().unwrap_or_else(named)
    }

    /// Closes the connection with a participant who stays in the room.
    fn disconnect(&mut self, id: &ParticipantId) {
        self.video.send(video_out::Control::Remove(id.clone()));
        self.share.send(ShareControl::Remove(id.clone()));
        self.audio.send(audio::Control::StopSending(id.clone()));
        let Some(participant) = self.participants.get_mut(id) else { return };
        let Some(direct) = participant.direct.take() else { return };
        if direct.screen.is_some() {
            self.sharing_changed = true;
            if !participant.is_sharing() {
                participant.video.end_screen();
            }
        }
        self.audio.send(audio::Control::StopPlaying(id.clone(), direct.connection.number));
        if let Some(far) = direct.far {
            self.former.insert(id.clone(), far);
        }
        self.drop_unreached(id);
    }

    /// Ends the threads of somebody of whom nothing can arrive any more.
    fn drop_unreached(&mut self, id: &ParticipantId) {
        let is_reached = |participant: &Participant| participant.direct.is_some() || participant.is_forwarded;
        if self.participants.get(id).is_some_and(|participant| !is_reached(participant)) {
            self.participants.remove(id);
            self.audio.send(audio::Control::Remove(id.clone()));
        }
    }

    fn direct(&self, id: &ParticipantId) -> Option<&Direct> {
        self.participants.get(id)?.direct.as_ref()
    }

    fn direct_mut(&mut self, id: &ParticipantId) -> Option<&mut Direct> {
        self.participants.get_mut(id)?.direct.as_mut()
    }

    /// Only a new connection can help. The call decides when to open it.
    fn broken(&mut self, id: &ParticipantId) {
        self.disconnect(id);
        self.inputs.push_back(Input::Peer { id: id.clone(), input: PeerInput::Broken });
    }

    /// Sends a command without waiting. A connection that accepts no commands is useless, and must not delay the
    /// others.
    fn send(&mut self, id: &ParticipantId, command: PeerCommand) {
        let Some(direct) = self.direct(id) else { return };
        match direct.connection.commands.try_send(command) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                tracing::warn!("{}: the connection accepts no more commands and is replaced", id.0);
                self.broken(id);
            }
            Err(TrySendError::Closed(_)) => self.broken(id),
        }
    }

    fn handle_peer(&mut self, id: ParticipantId, event: PeerEvent) {
        let input = match event {
            PeerEvent::LocalDescription { kind, sdp } => {
                let kind = match kind {
                    DescriptionKind::Offer => SdpKind::Offer,
                    DescriptionKind::Answer => SdpKind::Answer,
                };
                Input::LocalDescription { id, kind, sdp }
            }
            PeerEvent::LocalCandidate { candidate, sdp_mid, sdp_mline_index, username_fragment } => {
                let candidate = Some(IceCandidate { candidate, sdp_mid, sdp_mline_index, username_fragment });
                Input::LocalCandidate { id, candidate }
            }
            PeerEvent::EndOfCandidates => Input::LocalCandidate { id, candidate: None },
            PeerEvent::State(state) => match self.handle_state(&id, state) {
                Some(input) => Input::Peer { id, input },
                None => return,
            },
            PeerEvent::Negotiated { .. } => return self.prepare(&id),
            PeerEvent::RemoteTrack { mid, kind: TrackKind::Screen } => return self.set_screen(&id, Some(mid)),
            PeerEvent::RemoteTrackEnded { mid } => {
                let is_screen = self.direct(&id).is_some_and(|direct| direct.screen.as_ref() == Some(&mid));
                return if is_screen {
                    self.set_screen(&id, None)
                };
            }
            // Encoders read codec, target bitrate and keyframe requests directly.
            PeerEvent::RemoteTrack { .. } | PeerEvent::Target(_) => return,
        };
        self.inputs.push_back(input);
    }

    /// A participant shares on this line, or no longer.
    fn set_screen(&mut self, id: &ParticipantId, line: Option<String>) {
        let Some(participant) = self.participants.get_mut(id) else { return };
        let Some(direct) = &mut participant.direct else { return };
        let is_shared = line.is_some();
        direct.screen = line;
        if !participant.is_sharing() {
            participant.video.end_screen();
        }
        self.video.send(video_out::Control::ReceivesShare(id.clone(), is_shared));
        self.sharing_changed = true;
    }

    /// A codec is negotiated, so the first keyframe can be encoded.
    fn prepare(&self, id: &ParticipantId) {
        if let Some((media, most)) = self.media(id) {
            self.video.send(video_out::Control::Prepare(id.clone(), media, most));
        }
    }

    /// The media output to a participant, and the largest size that they can use.
    fn media(&self, id: &ParticipantId) -> Option<(MediaOut, Option<Resolution>)> {
        let direct = self.direct(id)?;
        Some((direct.connection.media.clone()?, direct.most))
    }

    /// Starts sending media as soon as the connection is established.
    fn handle_state(&mut self, id: &ParticipantId, state: PeerState) -> Option<PeerInput> {
        match state {
            PeerState::Connected => {
                tracing::debug!("{} is connected", id.0);
                if let Some((media, most)) = self.media(id) {
                    self.video.send(video_out::Control::Add(id.clone(), media.clone(), most));
                    self.audio.send(audio::Control::Send(id.clone(), media));
                }
                if let Some(direct) = self.direct_mut(id) {
                    direct.connection.connected = true;
                }
                self.update_share(id);
                Some(PeerInput::Connected)
            }
            PeerState::Disconnected => Some(PeerInput::Disconnected),
            PeerState::Failed => Some(PeerInput::Failed),
            PeerState::Connecting => Some(PeerInput::Restarting),
            PeerState::New | PeerState::Closed => None,
        }
    }
}

async fn in_time<T>(answer: oneshot::Receiver<T>) -> Option<T> {
    tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
}

fn ice_server(server: message::IceServer) -> IceServer {
    IceServer {
        urls: server.urls,
        username: server.username.unwrap_or_default(),
        credential: server.credential.unwrap_or_default(),
    }
}
