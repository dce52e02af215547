//! The task that owns a connection. It handles one command, one event of the library or one change of the path at a
//! time.
//!
//! What changes together has one owner: [`Descriptions`] has the descriptions of both sides, [`RemoteCandidates`] the
//! far side's candidates, [`Senders`] our lines, and [`Outbox`] the events for the connection's owner. All but the
//! senders are pure.

mod negotiate;

use crate::MAX_MEDIA_LINES;
use crate::candidate;
use crate::command::{Command, Request};
use crate::config::{IceServer, PeerConfig};
use crate::connection;
use crate::descriptions::Descriptions;
use crate::error::PeerError;
use crate::event::{DescriptionKind, PeerEvent, PeerState};
use crate::gathered::Gathered;
use crate::handler::DriverEvent;
use crate::library::Library;
use crate::media_out::TrackHandle;
use crate::outbox::Outbox;
use crate::outward::Outward;
use crate::path::MediaPath;
use crate::remote_candidates::RemoteCandidates;
use crate::runtime::DriverRuntime;
use crate::senders::Senders;
use crate::servers::Servers;
use crate::stats::{self, PeerStats};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};

/// Longest wait for the addresses of STUN and TURN servers before an ICE restart, which is urgent.
const RESOLVE: Duration = Duration::from_millis(200);

/// The owner of a connection.
pub(crate) struct Task {
    pub(crate) config: PeerConfig,
    pub(crate) library: Library,
    pub(crate) runtime: Arc<DriverRuntime>,
    pub(crate) path: Arc<MediaPath>,
    pub(crate) inbox: Inbox,
    pub(crate) owner: Owner,
    pub(crate) descriptions: Descriptions,
    pub(crate) candidates: RemoteCandidates,
    pub(crate) senders: Senders,
    pub(crate) gathered: Gathered,
    /// Whether the library has lost track of the negotiation. Only a new connection can recover.
    pub(crate) broken: bool,
}

/// Sources of input to the task.
pub(crate) struct Inbox {
    pub(crate) commands: mpsc::Receiver<Request>,
    pub(crate) driver: mpsc::Receiver<DriverEvent>,
    pub(crate) panicked: Arc<Notify>,
}

/// The connection's owner, as the task sees it.
pub(crate) struct Owner {
    events: mpsc::Sender<PeerEvent>,
    outbox: Outbox,
    state: PeerState,
}

impl Owner {
    pub(crate) fn new(events: mpsc::Sender<PeerEvent>) -> Owner {
        Owner { events, outbox: Outbox::default(), state: PeerState::New }
    }

    fn push(&mut self, event: PeerEvent) {
        self.outbox.push(event);
    }

    fn set_state(&mut self, state: PeerState) {
        if self.state != state && self.state != PeerState::Closed {
            self.state = state;
            self.outbox.push(PeerEvent::State(state));
        }
    }

    /// Sends the events that fit into the owner's queue.
    fn flush(&mut self) {
        while let Ok(permit) = self.events.try_reserve() {
            let Some(event) = self.outbox.pop() else { break };
            permit.send(event);
        }
    }
}

/// Why the task woke.
enum Wake {
    Request(Option<Request>),
    Driver(DriverEvent),
    News,
    Panicked,
    /// Whether the owner's queue has room; false if its receiver was dropped.
    Room(bool),
}

impl Task {
    /// Runs until the connection is closed by its handle, or the handle is dropped.
    pub(crate) async fn run(mut self) {
        let closing = loop {
            match self.wait().await {
                Wake::Request(Some(Request { command: Command::Close, done })) => break Some(done),
                Wake::Request(Some(Request { command, done })) => {
                    let outcome = self.command(command).await;
                    // The caller may have stopped waiting.
                    let _ = done.send(outcome);
                }
                Wake::Request(None) => break None,
                Wake::Driver(event) => self.driver_event(event).await,
                Wake::News => self.news(),
                Wake::Panicked => self.broken = true,
                Wake::Room(true) => self.owner.flush(),
                Wake::Room(false) => self.owner.outbox.clear(),
            }
            if let Err(error) = self.offer_if_needed().await {
                tracing::warn!("cannot make an offer: {error}");
            }
            if self.broken {
                self.owner.set_state(PeerState::Failed);
                break None;
            }
        };
        self.library.close().await;
        self.owner.set_state(PeerState::Closed);
        // Events that do not fit now are dropped.
        self.owner.flush();
        if let Some(done) = closing {
            let _ = done.send(Ok(()));
        }
    }

    async fn wait(&mut self) -> Wake {
        let Inbox { commands, driver, panicked } = &mut self.inbox;
        let Owner { events, outbox, .. } = &self.owner;
        tokio::select! {
            request = commands.recv(), if !outbox.is_full() => Wake::Request(request),
            Some(event) = driver.recv() => Wake::Driver(event),
            () = self.path.news.notified() => Wake::News,
            () = panicked.notified() => Wake::Panicked,
            room = events.reserve(), if !outbox.is_empty() => Wake::Room(room.is_ok()),
        }
    }

    async fn command(&mut self, command: Command) -> Result<(), PeerError> {
        match command {
            Command::Offer => {
                self.descriptions.begin();
                self.descriptions.need_offer();
                self.offer_if_needed().await
            }
            Command::RemoteDescription { kind, sdp, certificate } => {
                let remote =
                    self.descriptions.read(&sdp, certificate, &self.config.codecs, self.candidates.policy())?;
                match kind {
                    DescriptionKind::Offer => self.remote_offer(remote).await,
                    DescriptionKind::Answer => self.remote_answer(remote).await,
                }
            }
            Command::RemoteCandidate { candidate, mid, username_fragment } => {
                self.remote_candidate(&candidate, mid, username_fragment).await
            }
            // The library pairs candidates as they arrive and needs no end.
            Command::EndOfRemoteCandidates => Ok(()),
            Command::AddVideoTrack(reply) => {
                let track = self.add_video_track().await?;
                let _ = reply.send(track);
                Ok(())
            }
            Command::RemoveVideoTrack(ssrc) => self.remove_video_track(ssrc).await,
            Command::RestartIce(servers) => {
                self.renew_servers(servers).await;
                self.descriptions.need_restart();
                self.offer_if_needed().await
            }
            Command::Reoffer => self.reoffer().await,
            Command::Stats(reply) => {
                let _ = reply.send(self.stats().await);
                Ok(())
            }
            Command::Close => Ok(()),
        }
    }

    /// Uses these STUN and TURN servers from the next gathering on. Their names are resolved again, because another
    /// network may have another address family. Where that fails or takes too long, the former servers stay.
    async fn renew_servers(&mut self, named: Vec<IceServer>) {
        let lookup = Servers::usable(&named, connection::has_only_v6());
        let Ok(servers) = tokio::time::timeout(RESOLVE, lookup).await else { return };
        let are_enough = !servers.library.is_empty() || named.is_empty();
        if !are_enough || self.config.relay_only && servers.relays().is_empty() {
            return;
        }
        if let Err(error) = self.library.set_servers(servers.library.clone()).await {
            tracing::warn!("the STUN and TURN servers stay as they were: {error}");
            return;
        }
        self.runtime.set_servers(&servers);
        self.gathered.set_servers(servers);
    }

    async fn remote_candidate(
        &mut self,
        text: &str,
        mid: Option<String>,
        ufrag: Option<String>,
    ) -> Result<(), PeerError> {
        let current = self.descriptions.remote_generation();
        let Some(candidate) = self.candidates.receive(text, mid, ufrag, current)? else { return Ok(()) };
        self.library.add_candidate(&candidate).await?;
        // Send the first check now, not at the next timer.
        self.path.kick.kick();
        Ok(())
    }

    /// Adds the candidates that waited for the description just applied.
    async fn add_early_candidates(&mut self) {
        let Some(current) = self.descriptions.remote_generation() else { return };
        for candidate in self.candidates.take_early(current) {
            if let Err(error) = self.library.add_candidate(&candidate).await {
                tracing::debug!("a candidate was not added: {error}");
            }
        }
        self.path.kick.kick();
    }

    async fn add_video_track(&mut self) -> Result<TrackHandle, PeerError> {
        if 1 + self.descriptions.agreed().len() + self.senders.further() >= MAX_MEDIA_LINES {
            return Err(PeerError::TooMany);
        }
        let ssrc = self.senders.add_video(&self.library).await?;
        self.path.sending().add_line(ssrc, true);
        self.descriptions.need_offer();
        Ok(TrackHandle { path: self.path.clone(), ssrc })
    }

    async fn remove_video_track(&mut self, ssrc: u32) -> Result<(), PeerError> {
        let Some(sender) = self.senders.remove(ssrc) else { return Ok(()) };
        self.path.sending().remove_line(ssrc);
        self.descriptions.need_offer();
        self.library.remove_track(&sender).await
    }

    async fn driver_event(&mut self, event: DriverEvent) {
        match event {
            DriverEvent::Candidate { candidate, url } => self.local_candidate(&candidate, &url),
            DriverEvent::RelayLost { server } => self.relay_lost(server).await,
            DriverEvent::GatheringComplete => {
                self.owner.push(PeerEvent::EndOfCandidates);
                if self.gathered.is_empty() {
                    tracing::warn!(
                        "no local address can be used: there is no network, or no relay where one is required"
                    );
                    self.owner.set_state(PeerState::Failed);
                }
            }
            DriverEvent::State(state) => self.owner.set_state(state),
        }
    }

    /// The filter for the addresses that we send.
    fn outward(&self) -> Outward {
        Outward { relay_only: self.config.relay_only }
    }

    /// The stream to a TURN server broke, and with it our allocation there. Without this, silence would show it only
    /// seconds later.
    async fn relay_lost(&mut self, server: usize) {
        let pair = stats::pair(self.senders.first(), self.candidates.added()).await;
        if pair.is_some_and(|pair| pair.relayed_from.is_some_and(|address| self.gathered.is_over(address, server))) {
            self.path.set_lost(Instant::now());
            self.owner.set_state(PeerState::Failed);
        }
    }

    fn local_candidate(&mut self, text: &str, url: &str) {
        match candidate::parse(text).map(|candidate| self.outward().candidate(candidate)) {
            Ok(None) => {}
            Ok(Some(mut candidate)) => {
                self.gathered.add(&mut candidate, url);
                let (sdp_mid, index) = self.descriptions.tagged_line();
                let candidate = candidate.to_string();
                let username_fragment = self.descriptions.local_ufrag().map(str::to_owned);
                let sdp_mline_index = Some(index);
                let event = PeerEvent::LocalCandidate { candidate, sdp_mid, sdp_mline_index, username_fragment };
                self.owner.push(event);
            }
            Err(error) => tracing::debug!("a local candidate is not sent: {error}"),
        }
    }

    fn news(&mut self) {
        let news = self.path.take_news();
        if let Some(target) = news.target {
            self.owner.push(PeerEvent::Target(target));
        }
    }

    async fn stats(&self) -> PeerStats {
        let report = self.library.stats().await;
        let pair = stats::pair(self.senders.first(), self.candidates.added()).await;
        let relay = pair.and_then(|pair| self.gathered.transport(pair.relayed_from?));
        PeerStats { relay, ..stats::collect(&report, pair, self.owner.state, &self.path) }
    }
}
