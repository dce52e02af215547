//! The task that owns a connection. It handles one command, one driver event or one other event at a time.

use crate::agreement::{self, Agreed};
use crate::candidate::{self, Candidate, CandidateAddress, CandidateError};
use crate::config::PeerConfig;
use crate::connection;
use crate::error::PeerError;
use crate::event::{DescriptionKind, PeerEvent, PeerState, TrackKind};
use crate::handler::DriverEvent;
use crate::media_out::TrackHandle;
use crate::negotiation::{Negotiation, OnOffer};
use crate::outbox::Outbox;
use crate::outward::Outward;
use crate::path::MediaPath;
use crate::peer::{Command, Request};
use crate::sdp::{self, Description, Origin};
use crate::standin::Shown;
use crate::stats::{self, PeerStats};
use crate::{MAX_MEDIA_LINES, MAX_REMOTE_CANDIDATES};
use futures_util::FutureExt;
use media::encoded::VideoCodec;
use rtc::peer_connection::configuration::RTCOfferOptions;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};
use transport::RecvKind;
use webrtc::peer_connection::{PeerConnection, RTCIceCandidateInit, RTCSessionDescription};
use webrtc::rtp_transceiver::RtpSender;

/// Longest wait for the library to close. A driver that panicked never answers.
const CLOSING: Duration = Duration::from_secs(2);

/// The owner of a connection.
pub(crate) struct Task {
    pub(crate) config: PeerConfig,
    pub(crate) connection: Arc<dyn PeerConnection>,
    pub(crate) path: Arc<MediaPath>,
    pub(crate) panicked: Arc<Notify>,
    pub(crate) commands: mpsc::Receiver<Request>,
    pub(crate) driver: mpsc::Receiver<DriverEvent>,
    pub(crate) events: mpsc::Sender<PeerEvent>,
    pub(crate) state: PeerState,
    pub(crate) origin: Origin,
    pub(crate) outbox: Outbox,
    pub(crate) negotiation: Negotiation,
    /// Whether to offer as soon as an offer may be sent.
    pub(crate) needed: bool,
    /// Whether the owner has started the negotiation; nothing is offered before.
    pub(crate) begun: bool,
    /// Whether the next offer restarts ICE.
    pub(crate) restart: bool,
    /// Whether the pending offer restarts ICE.
    pub(crate) restarting: bool,
    /// Our pending offer.
    pub(crate) offer: Option<Description>,
    /// The media lines that the library has.
    pub(crate) shown: Shown,
    /// The far side's last applied description.
    pub(crate) remote: Option<Description>,
    /// The result of the last negotiation.
    pub(crate) agreed: Vec<Agreed>,
    /// Candidates that arrived before their description; at most [`MAX_REMOTE_CANDIDATES`].
    pub(crate) early: Vec<Candidate>,
    /// Candidates accepted since the last description with new ICE credentials; at most [`MAX_REMOTE_CANDIDATES`].
    pub(crate) taken: Vec<Candidate>,
    /// ICE user name of the far side's newest offer, if that was ignored. Candidates that follow wait, because a far
    /// side that rolls back its offer may answer ours with the same user name.
    pub(crate) ignored: Option<String>,
    /// Whether candidates of the far side may refer to this machine.
    pub(crate) loopback: bool,
    /// Whether the library has lost track of the negotiation. Only a new connection can recover.
    pub(crate) broken: bool,
    /// Number of candidates gathered for the current generation.
    pub(crate) gathered: usize,
    /// The library's sender of the first line.
    pub(crate) sender: Arc<dyn RtpSender>,
    /// The library's senders of lines added later, by SSRC.
    pub(crate) further: HashMap<u32, Arc<dyn RtpSender>>,
    /// Our DTLS role, when negotiated. It stays the same in all later negotiations.
    pub(crate) part: Option<sdp::Setup>,
    /// Generates SSRCs.
    pub(crate) ssrcs: Ssrcs,
}

/// Why the task woke.
enum Wake {
    Request(Option<Request>),
    Driver(DriverEvent),
    News,
    Panicked,
    /// Whether the owner's queue has room; false if the owner is gone.
    Room(bool),
}

/// Makes SSRCs that differ from each other and, most likely, from the far side's.
#[derive(Debug)]
pub(crate) struct Ssrcs(pub(crate) u64);

impl Ssrcs {
    /// The next SSRC (splitmix64).
    pub(crate) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) as u32).max(1)
    }
}

impl Task {
    /// Runs until the handle closes the connection or is dropped.
    pub(crate) async fn run(mut self) {
        let closing = loop {
            match self.wait().await {
                Wake::Request(Some(Request { command: Command::Close, done })) => break Some(done),
                Wake::Request(Some(Request { command, done })) => {
                    let outcome = self.command(command).await;
                    // The caller may be gone.
                    let _ = done.send(outcome);
                }
                Wake::Request(None) => break None,
                Wake::Driver(event) => self.driver_event(event),
                Wake::News => self.news(),
                Wake::Panicked => self.broken = true,
                Wake::Room(true) => self.flush(),
                Wake::Room(false) => self.outbox.clear(),
            }
            if let Err(error) = self.offer_if_needed().await {
                log::warn!("an offer could not be made: {error}");
            }
            if self.broken {
                self.set_state(PeerState::Failed);
                break None;
            }
        };
        self.close().await;
        if let Some(done) = closing {
            let _ = done.send(Ok(()));
        }
    }

    async fn wait(&mut self) -> Wake {
        tokio::select! {
            request = self.commands.recv(), if !self.outbox.is_full() => Wake::Request(request),
            Some(event) = self.driver.recv() => Wake::Driver(event),
            () = self.path.news.notified() => Wake::News,
            () = self.panicked.notified() => Wake::Panicked,
            room = self.events.reserve(), if !self.outbox.is_empty() => Wake::Room(room.is_ok()),
        }
    }

    /// Sends the waiting events for which the owner's queue has room.
    fn flush(&mut self) {
        while let Ok(permit) = self.events.try_reserve() {
            let Some(event) = self.outbox.pop() else { break };
            permit.send(event);
        }
    }

    async fn close(&mut self) {
        match tokio::time::timeout(CLOSING, guarded(self.connection.close())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::debug!("closing: {error}"),
            Err(_) => log::warn!("the library does not close a connection"),
        }
        self.set_state(PeerState::Closed);
        // Events that do not fit are dropped.
        self.flush();
    }

    async fn command(&mut self, command: Command) -> Result<(), PeerError> {
        match command {
            Command::Offer => {
                (self.begun, self.needed) = (true, true);
                self.offer_if_needed().await
            }
            Command::RemoteDescription { kind: DescriptionKind::Offer, sdp } => self.remote_offer(&sdp).await,
            Command::RemoteDescription { kind: DescriptionKind::Answer, sdp } => self.remote_answer(&sdp).await,
            Command::RemoteCandidate { candidate } => self.remote_candidate(&candidate).await,
            // The library pairs candidates as they arrive, and does not need the end.
            Command::EndOfRemoteCandidates => Ok(()),
            Command::AddVideoTrack(reply) => {
                let track = self.add_video_track().await?;
                let _ = reply.send(track);
                Ok(())
            }
            Command::RemoveVideoTrack(ssrc) => self.remove_video_track(ssrc).await,
            Command::RestartIce => {
                (self.restart, self.needed) = (true, true);
                self.offer_if_needed().await
            }
            Command::Stats(reply) => {
                let _ = reply.send(self.stats().await);
                Ok(())
            }
            Command::Close => Ok(()),
        }
    }

    async fn offer_if_needed(&mut self) -> Result<(), PeerError> {
        let outcome = self.make_offer().await;
        // Otherwise the offer would be lost, and nothing could be negotiated again.
        self.broken |= outcome.is_err();
        outcome
    }

    async fn make_offer(&mut self) -> Result<(), PeerError> {
        if !self.needed || !self.begun || !self.negotiation.may_offer() || self.state == PeerState::Closed {
            return Ok(());
        }
        self.needed = false;
        self.restarting = std::mem::take(&mut self.restart);
        let options = RTCOfferOptions { ice_restart: self.restarting };
        let offer = guarded(self.connection.create_offer(Some(options))).await?;
        let library = library_description(&offer.sdp)?;
        let mut description = self.shown.offer(library, self.remote.as_ref());
        // Also when the roles are fixed: the answerer knows its role (RFC 8842 section 5.2).
        description.transport.setup = sdp::Setup::ActPass;
        if self.restarting {
            self.gathered = 0;
        }
        guarded(self.connection.set_local_description(offer)).await?;
        self.negotiation.offered();
        self.publish(DescriptionKind::Offer, &description);
        self.offer = Some(description);
        Ok(())
    }

    async fn remote_offer(&mut self, text: &str) -> Result<(), PeerError> {
        let remote = self.read(text)?;
        match self.negotiation.remote_offer(self.config.polite) {
            OnOffer::Ignore => {
                self.early = remote.candidates;
                self.ignored = Some(remote.transport.ufrag);
                return Ok(());
            }
            OnOffer::TakeBackAndAnswer => {
                if let Err(error) = self.take_back().await {
                    self.broken = true;
                    return Err(error);
                }
            }
            OnOffer::Answer => {}
        }
        self.begun = true;
        let outcome = self.answer(remote).await;
        if outcome.is_err() {
            self.drop_remote_offer().await;
        }
        self.negotiation.settled();
        outcome
    }

    async fn answer(&mut self, remote: Description) -> Result<(), PeerError> {
        let shown = self.shown.for_library(&remote, self.remote.as_ref(), &self.config.codecs);
        let offer = RTCSessionDescription::offer(shown.write(self.origin)).map_err(refused)?;
        guarded(self.connection.set_remote_description(offer)).await?;
        let answer = guarded(self.connection.create_answer(None)).await?;
        let mut local = Shown::answer(library_description(&answer.sdp)?, &remote);
        // The library reports its role for a new handshake, even if the far side has already chosen one.
        let ours = match remote.transport.setup {
            sdp::Setup::ActPass => local.transport.setup,
            chosen @ (sdp::Setup::Active | sdp::Setup::Passive) => chosen.opposite(),
        };
        // For an existing handshake, browsers reject a change of roles (RFC 8842 section 5.3).
        let part = *self.part.get_or_insert(ours);
        local.transport.setup = part;
        if self.note_generation(&remote) && self.remote.is_some() {
            self.gathered = 0;
        }
        guarded(self.connection.set_local_description(answer)).await?;
        self.shown.settle(&shown);
        self.publish(DescriptionKind::Answer, &local);
        self.conclude(&local, remote);
        self.add_early().await;
        Ok(())
    }

    async fn remote_answer(&mut self, text: &str) -> Result<(), PeerError> {
        let mut remote = self.read(text)?;
        let Some(offer) = self.offer.clone().filter(|_| self.negotiation == Negotiation::HaveLocalOffer) else {
            return Err(PeerError::UnexpectedDescription);
        };
        if !remote.take_names(&offer) || remote.transport.setup == sdp::Setup::ActPass {
            return Err(PeerError::BadDescription("it is not an answer to our offer".into()));
        }
        let shown = self.shown.for_library(&remote, Some(&offer), &self.config.codecs);
        let answer = RTCSessionDescription::answer(shown.write(self.origin)).map_err(refused)?;
        self.note_generation(&remote);
        guarded(self.connection.set_remote_description(answer)).await?;
        self.negotiation.remote_answer();
        self.shown.settle(&shown);
        self.part.get_or_insert(remote.transport.setup.opposite());
        self.offer = None;
        self.restarting = false;
        self.conclude(&offer, remote);
        self.add_early().await;
        Ok(())
    }

    /// Parses a description and checks that it continues the previous one.
    fn read(&self, text: &str) -> Result<Description, PeerError> {
        let mut remote = sdp::parse(text, &self.config.codecs).map_err(|error| match error {
            sdp::SdpError::TooManyLines => PeerError::TooMany,
            sdp::SdpError::Fingerprint => PeerError::NoFingerprint,
            other => PeerError::BadDescription(other.to_string()),
        })?;
        self.shown.refuse_unfit(&mut remote);
        if remote.lines.iter().all(|line| line.rejected) {
            return Err(PeerError::BadDescription("it has no supported media line".into()));
        }
        let follows = |before: &Description| {
            remote.continues(before) && remote.transport.fingerprint == before.transport.fingerprint
        };
        if !self.remote.as_ref().is_none_or(follows) {
            return Err(PeerError::BadDescription("it belongs to another session".into()));
        }
        remote.candidates.retain(|candidate| self.may_use(candidate));
        Ok(remote)
    }

    fn may_use(&self, candidate: &Candidate) -> bool {
        let hidden = matches!(candidate.address, CandidateAddress::Mdns(_));
        (self.config.asks_for_names() || !hidden) && (self.loopback || !candidate.is_loopback())
    }

    fn publish(&mut self, kind: DescriptionKind, description: &Description) {
        self.origin.version += 1;
        let sdp = self.outward().description(description, self.origin);
        self.outbox.push(PeerEvent::LocalDescription { kind, sdp });
    }

    /// Both descriptions have been applied.
    fn conclude(&mut self, local: &Description, remote: Description) {
        let agreed = agreement::agree(local, &remote);
        self.path.apply(&agreed, Instant::now());
        for line in agreed.iter().filter(|line| line.receives) {
            if !self.agreed.iter().any(|before| before.mid == line.mid && before.receives) {
                let kind = match line.kind {
                    RecvKind::Audio => TrackKind::Audio,
                    RecvKind::Video => TrackKind::Video,
                };
                self.outbox.push(PeerEvent::RemoteTrack { mid: line.mid.clone(), kind });
            }
        }
        for before in self.agreed.iter().filter(|before| before.receives) {
            if !agreed.iter().any(|line| line.mid == before.mid && line.receives) {
                self.outbox.push(PeerEvent::RemoteTrackEnded { mid: before.mid.clone() });
            }
        }
        let video = agreed.iter().find(|line| line.kind == RecvKind::Video).and_then(Agreed::video_codec);
        let audio = agreed.iter().any(|line| line.kind == RecvKind::Audio && line.send.is_some());
        self.outbox.push(PeerEvent::Negotiated { video, audio });
        self.agreed = agreed;
        self.remote = Some(remote);
    }

    /// Rolls back our offer, so that the far side's can be answered. It is offered again later.
    async fn take_back(&mut self) -> Result<(), PeerError> {
        let rollback = RTCSessionDescription::rollback(None).map_err(refused)?;
        guarded(self.connection.set_local_description(rollback)).await?;
        self.offer = None;
        self.shown.take_back();
        self.needed = true;
        self.restart |= std::mem::take(&mut self.restarting);
        Ok(())
    }

    async fn drop_remote_offer(&mut self) {
        let Ok(rollback) = RTCSessionDescription::rollback(None) else { return };
        if let Err(error) = guarded(self.connection.set_remote_description(rollback)).await {
            log::debug!("a refused offer could not be taken back: {error}");
        }
    }

    /// Records the ICE generation. Returns whether the far side's ICE credentials are new.
    fn note_generation(&mut self, remote: &Description) -> bool {
        let new = self.remote.as_ref().is_none_or(|before| before.transport.ufrag != remote.transport.ufrag);
        if new {
            self.taken.clone_from(&remote.candidates);
        }
        new
    }

    async fn remote_candidate(&mut self, text: &str) -> Result<(), PeerError> {
        if text.trim().is_empty() {
            return Ok(());
        }
        let candidate = match candidate::parse(text) {
            Ok(candidate) => candidate,
            Err(CandidateError::Unused) => return Ok(()),
            Err(error) => return Err(PeerError::BadCandidate(error.to_string())),
        };
        if !self.may_use(&candidate) {
            return Ok(());
        }
        let known = self.remote.as_ref().map(|remote| &remote.transport.ufrag);
        if known.is_some() && self.ignored.as_ref().is_none_or(|ignored| Some(ignored) == known) {
            return self.add_candidate(&candidate).await;
        }
        if self.early.iter().any(|early| early.leads_where(&candidate)) {
            return Ok(());
        }
        if self.early.len() >= MAX_REMOTE_CANDIDATES {
            return Err(PeerError::TooMany);
        }
        self.early.push(candidate);
        Ok(())
    }

    async fn add_candidate(&mut self, candidate: &Candidate) -> Result<(), PeerError> {
        if self.taken.iter().any(|taken| taken.leads_where(candidate)) {
            return Ok(()); // it would be checked twice
        }
        if self.taken.len() >= MAX_REMOTE_CANDIDATES {
            return Err(PeerError::TooMany);
        }
        self.taken.push(candidate.clone());
        let init = RTCIceCandidateInit { candidate: candidate.to_string(), ..RTCIceCandidateInit::default() };
        guarded(self.connection.add_ice_candidate(init)).await?;
        // Send the first check now, not at the next timer.
        self.path.kick.kick();
        Ok(())
    }

    /// Adds the candidates that waited for the description just applied.
    async fn add_early(&mut self) {
        let early = std::mem::take(&mut self.early);
        let current = self.remote.as_ref().map(|remote| remote.transport.ufrag.as_str());
        let other = self.ignored.take().is_some_and(|ignored| Some(ignored.as_str()) != current);
        for candidate in early.iter().filter(|_| !other) {
            if let Err(error) = self.add_candidate(candidate).await {
                log::debug!("a candidate was not taken: {error}");
            }
        }
        self.path.kick.kick();
    }

    async fn add_video_track(&mut self) -> Result<TrackHandle, PeerError> {
        if self.agreed.len() + self.further.len() >= MAX_MEDIA_LINES {
            return Err(PeerError::TooMany);
        }
        let (ssrc, rtx) = (self.ssrcs.next(), self.ssrcs.next());
        let sender = guarded(self.connection.add_track(connection::track(ssrc, Some(rtx)))).await?;
        self.further.insert(ssrc, sender);
        self.path.sending().add_line(ssrc, true);
        self.needed = true;
        Ok(TrackHandle { path: self.path.clone(), ssrc })
    }

    async fn remove_video_track(&mut self, ssrc: u32) -> Result<(), PeerError> {
        let Some(sender) = self.further.remove(&ssrc) else { return Ok(()) };
        self.path.sending().remove_line(ssrc);
        self.needed = true;
        guarded(self.connection.remove_track(&sender)).await
    }

    fn driver_event(&mut self, event: DriverEvent) {
        match event {
            DriverEvent::Candidate { candidate } => self.local_candidate(&candidate),
            DriverEvent::GatheringComplete => {
                self.outbox.push(PeerEvent::EndOfCandidates);
                if self.gathered == 0 {
                    log::warn!("no address of ours can be used: no network, or no relay where one is demanded");
                    self.set_state(PeerState::Failed);
                }
            }
            DriverEvent::State(state) => self.set_state(state),
        }
    }

    /// The one way of our addresses to the far side.
    fn outward(&self) -> Outward {
        Outward { relay_only: self.config.relay_only }
    }

    fn local_candidate(&mut self, text: &str) {
        match candidate::parse(text).map(|candidate| self.outward().candidate(candidate)) {
            Ok(None) => {}
            Ok(Some(candidate)) => {
                self.gathered += 1;
                let description = self.offer.as_ref().or(self.remote.as_ref());
                let index = description.and_then(Description::tagged);
                let line = description.zip(index).map(|(description, index)| &description.lines[index]);
                let sdp_mid = line.filter(|line| line.named).map(|line| line.mid.clone());
                let sdp_mline_index = Some(index.unwrap_or_default() as u16);
                let candidate = candidate.to_string();
                self.outbox.push(PeerEvent::LocalCandidate { candidate, sdp_mid, sdp_mline_index });
            }
            Err(error) => log::debug!("a candidate of ours is not told: {error}"),
        }
    }

    fn news(&mut self) {
        let news = self.path.take_news();
        if let Some(target) = news.target {
            self.outbox.push(PeerEvent::Target(target));
        }
        for mid in news.keyframes {
            self.outbox.push(PeerEvent::KeyframeRequested { mid });
        }
    }

    fn set_state(&mut self, state: PeerState) {
        if self.state != state && self.state != PeerState::Closed {
            self.state = state;
            self.outbox.push(PeerEvent::State(state));
        }
    }

    async fn stats(&self) -> PeerStats {
        let report = self.connection.get_stats(Instant::now(), webrtc::peer_connection::StatsSelector::None).await;
        let pair = stats::pair(&*self.sender, &self.taken).await;
        stats::collect(&report, pair, self.state, &self.path)
    }
}

/// Parses the library's description of our side.
fn library_description(text: &str) -> Result<Description, PeerError> {
    let description = sdp::parse(text, &VideoCodec::ALL);
    let mut description = description.map_err(|error| PeerError::Refused(format!("own SDP: {error}")))?;
    // Candidates are sent separately. Those of an earlier generation would be misleading.
    description.candidates.clear();
    Ok(description)
}

/// Calls the library. A panic in it becomes an error, because input from the far side must not end the process.
async fn guarded<T>(call: impl Future<Output = Result<T, webrtc::error::Error>>) -> Result<T, PeerError> {
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(outcome) => outcome.map_err(refused),
        Err(_) => Err(PeerError::Refused("the library panicked".into())),
    }
}

fn refused(error: webrtc::error::Error) -> PeerError {
    PeerError::Refused(error.to_string())
}
