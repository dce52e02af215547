//! The handle of a connection. It sends commands to the connection's task (`task.rs`) and waits for results.

use crate::command::{COMMANDS, Command, Request};
use crate::config::{IceServer, PeerConfig, Slots};
use crate::connection;
use crate::data::DataChannel;
use crate::descriptions::Descriptions;
use crate::dtls_cookie::Cookies;
use crate::early::Gate;
use crate::error::PeerError;
use crate::event::{DescriptionKind, PeerEvent};
use crate::forwarded::Forwarding;
use crate::gathered::Gathered;
use crate::handler::{DRIVER_EVENTS, Handler};
use crate::kick::Kick;
use crate::library::Library;
use crate::media_out::{MediaOut, TrackHandle};
use crate::paced::Checks;
use crate::path::MediaPath;
use crate::relayed::Relays;
use crate::remote_candidates::{CandidatePolicy, RemoteCandidates};
use crate::runtime::DriverRuntime;
use crate::sdp::Stream;
use crate::senders::Senders;
use crate::servers::Servers;
use crate::sink::MediaSink;
use crate::ssrcs::Ssrcs;
use crate::stats::PeerStats;
use crate::task::{Inbox, Owner, Task};
use crate::turn_stream::{Connector, Streams};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Notify, mpsc, oneshot};
use transport::SenderConfig;
use webrtc::peer_connection::PeerConnection;
use webrtc::rtp_transceiver::RtpSender;

/// A peer connection: an audio and a video line in both directions, and further video lines (a shared screen) as
/// needed. Dropping it closes the connection.
pub struct Peer {
    commands: mpsc::Sender<Request>,
    media: MediaOut,
    /// The SSRCs of the larger encodings of a camera and of a screen, to a forwarder.
    further: Vec<u32>,
    /// Not to a forwarder.
    data: Option<DataChannel>,
}

impl Peer {
    /// Builds a connection and starts its tasks. Nothing is sent before [`Peer::offer`] or
    /// [`Peer::remote_description`].
    ///
    /// Must be called within a tokio runtime. `events` may be read slowly: the events that wait are bounded (see
    /// `task.rs`).
    pub async fn new(
        config: PeerConfig,
        sink: Arc<dyn MediaSink>,
        events: mpsc::Sender<PeerEvent>,
    ) -> Result<Peer, PeerError> {
        if config.codecs.is_empty() {
            return Err(PeerError::Setup("no video codec is given".into()));
        }
        let servers = Servers::usable(&config.ice_servers, connection::has_only_v6()).await;
        let loopback = connection::uses_loopback(&config);
        let now = Instant::now();
        let (kick, gate) = (Arc::new(Kick::default()), Arc::new(Gate::default()));
        let panicked = Arc::new(Notify::new());
        let transport = SenderConfig {
            start_bitrate: config.start_bitrate,
            max_bitrate: config.max_bitrate,
            seed: config.seed,
            ..SenderConfig::default()
        };
        let path = Arc::new(MediaPath::new(transport, sink, kick.clone(), now));
        let mut ssrcs = Ssrcs::new(config.seed);
        let (audio, video) = (ssrcs.next(), ssrcs.next_pair());
        let (driver, driver_events) = mpsc::channel(DRIVER_EVENTS);
        let checks = Checks::new(config.checks.clone(), servers.relays(), loopback);
        let cookies = Arc::new(Cookies::new().map_err(|error| PeerError::Setup(error.to_string()))?);
        let (checked, opened) = (checks.clone(), gate.clone());
        let handler = Arc::new(Handler { path: path.clone(), gate: opened, checks: checked, events: driver.clone() });
        let connector = Connector { fingerprint: config.fingerprint, proxies: config.proxies.clone() };
        let runtime = Arc::new(DriverRuntime::new(
            kick.clone(),
            gate,
            Relays::new(servers.relays().iter().map(|relay| relay.address).collect(), now),
            checks,
            cookies.clone(),
            Streams::new(servers.streams.clone(), connector, driver),
            panicked.clone(),
        ));
        let connection = connection::build(&config, &servers, path.clone(), audio, runtime.clone(), handler).await?;
        let Lines { sender, further, data, forwarding } =
            add_lines(&*connection, config.forwarder, audio, video, &mut ssrcs).await?;
        path.add_lines(audio, std::iter::once(video.ssrc).chain(further.iter().copied()));
        let (commands, requests) = mpsc::channel(COMMANDS);
        let task = Task {
            descriptions: Descriptions::new(u64::from(ssrcs.next()), cookies.own(), forwarding),
            candidates: RemoteCandidates::new(CandidatePolicy { mdns: config.asks_for_names(), loopback }),
            senders: Senders::new(sender, ssrcs),
            inbox: Inbox { commands: requests, driver: driver_events, panicked },
            owner: Owner::new(events),
            library: Library(connection),
            runtime,
            path: path.clone(),
            config,
            gathered: Gathered::new(servers),
            broken: false,
        };
        tokio::spawn(task.run());
        Ok(Peer { commands, media: MediaOut { path, audio, video: video.ssrc }, further, data })
    }

    /// Starts the negotiation.
    pub async fn offer(&self) -> Result<(), PeerError> {
        self.call(Command::Offer).await
    }

    /// Applies the far side's description. The answer to an offer is sent as [`PeerEvent::LocalDescription`].
    ///
    /// `certificate` is the SHA-256 fingerprint of the certificate that the far side has proved to be its own; a
    /// description with another one is refused before the library sees it. `None` accepts any, where the two sides have
    /// no keys.
    ///
    /// Perfect negotiation: on glare the impolite side ignores the offer (this returns `Ok`); the polite side rolls
    /// back its own and offers again later.
    pub async fn remote_description(
        &self,
        kind: DescriptionKind,
        sdp: &str,
        certificate: Option<[u8; 32]>,
    ) -> Result<(), PeerError> {
        self.call(Command::RemoteDescription { kind, sdp: sdp.into(), certificate }).await
    }

    /// Adds a candidate of the far side. A candidate that arrives before its description is kept; one of an earlier ICE
    /// generation is dropped, and so is one of a line that uses the transport of another line (RFC 9143 section 7.2):
    /// its port closes when our answer arrives.
    ///
    /// `mid` and `username_fragment` are those of `RTCIceCandidateInit`. Without the first, the candidate belongs to the
    /// tagged line; without the second, to the last description.
    pub async fn remote_candidate(
        &self,
        candidate: &str,
        mid: Option<&str>,
        username_fragment: Option<&str>,
    ) -> Result<(), PeerError> {
        let [mid, username_fragment] = [mid, username_fragment].map(|text| text.map(str::to_owned));
        self.call(Command::RemoteCandidate { candidate: candidate.into(), mid, username_fragment }).await
    }

    /// The far side sends no more candidates of this generation.
    pub async fn end_of_remote_candidates(&self) -> Result<(), PeerError> {
        self.call(Command::EndOfRemoteCandidates).await
    }

    /// Adds a video line (a shared screen) and negotiates again.
    pub async fn add_video_track(&self) -> Result<TrackHandle, PeerError> {
        let (reply, track) = oneshot::channel();
        self.call(Command::AddVideoTrack(reply)).await?;
        track.await.map_err(|_| PeerError::Closed)
    }

    /// Stops sending a line added by [`Peer::add_video_track`], and negotiates again.
    pub async fn remove_video_track(&self, track: TrackHandle) -> Result<(), PeerError> {
        self.call(Command::RemoveVideoTrack(track.ssrc)).await
    }

    /// Restarts ICE: after a change of network, or when the state is `Failed`. From now on these STUN and TURN servers are
    /// used, because credentials expire.
    pub async fn restart_ice(&self, servers: Vec<IceServer>) -> Result<(), PeerError> {
        self.call(Command::RestartIce(servers)).await
    }

    /// Offers again if an offer waits for its answer: either of them was lost together with the signalling session.
    pub async fn reoffer(&self) -> Result<(), PeerError> {
        self.call(Command::Reoffer).await
    }

    /// Closes the connection, its sockets and tasks. The last event is `State(Closed)`. A second call does nothing.
    pub async fn close(&self) {
        let _ = self.call(Command::Close).await;
    }

    /// The interface for encoders.
    pub fn media(&self) -> MediaOut {
        self.media.clone()
    }

    /// What we send to a forwarder beside sound: the encodings of a camera, smallest first, and a screen. `None` if the far
    /// side is a person.
    pub fn forwarded(&self) -> Option<([TrackHandle; 3], TrackHandle)> {
        let [middle, large, screen] = self.further[..].try_into().ok()?;
        let track = |ssrc| TrackHandle { path: self.media.path.clone(), ssrc };
        Some(([self.media.video, middle, large].map(track), track(screen)))
    }

    /// The data channel. It opens if the far side has one, too. `None` to a forwarder.
    pub fn data(&self) -> Option<DataChannel> {
        self.data.clone()
    }

    /// A snapshot of the connection's statistics.
    pub async fn stats(&self) -> Result<PeerStats, PeerError> {
        let (reply, stats) = oneshot::channel();
        self.call(Command::Stats(reply)).await?;
        stats.await.map_err(|_| PeerError::Closed)
    }

    async fn call(&self, command: Command) -> Result<(), PeerError> {
        let (done, outcome) = oneshot::channel();
        self.commands.send(Request { command, done }).await.map_err(|_| PeerError::Closed)?;
        outcome.await.map_err(|_| PeerError::Closed)?
    }
}

/// What a new connection sends and receives on.
struct Lines {
    sender: Arc<dyn RtpSender>,
    /// See [`Peer::further`].
    further: Vec<u32>,
    data: Option<DataChannel>,
    forwarding: Option<Forwarding>,
}

/// Adds our lines to the library's connection: for a person with a data channel, for a forwarder with a screen.
async fn add_lines(
    connection: &dyn PeerConnection,
    forwarder: Option<Slots>,
    audio: u32,
    video: Stream,
    ssrcs: &mut Ssrcs,
) -> Result<Lines, PeerError> {
    let setup = |error: webrtc::error::Error| PeerError::Setup(error.to_string());
    let sender = connection.add_track(connection::track(audio, None)).await.map_err(setup)?;
    connection.add_track(connection::track(video.ssrc, video.rtx)).await.map_err(setup)?;
    let Some(slots) = forwarder else {
        let data = Some(DataChannel::open(connection).await?);
        return Ok(Lines { sender, further: Vec::new(), data, forwarding: None });
    };
    let encodings = [video, ssrcs.next_pair(), ssrcs.next_pair()];
    let screen = ssrcs.next_pair();
    connection.add_track(connection::track(screen.ssrc, screen.rtx)).await.map_err(setup)?;
    let further = [encodings[1], encodings[2], screen].map(|stream| stream.ssrc).to_vec();
    Ok(Lines { sender, further, data: None, forwarding: Some(Forwarding { slots, encodings }) })
}
