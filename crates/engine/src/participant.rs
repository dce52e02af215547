//! One remote participant: what is received of them, and the task of the peer connection with them. The connection to the
//! forwarder has the same kind of task.

use crate::lip_sync::SoundIn;
use crate::video_in::{self, AskKeyframe, VideoInThread};
use e2ee::Stream;
use peer::{
    DataChannel, DescriptionKind, FarSession, IceServer, MediaOut, MediaSink, Peer, PeerConfig, PeerError, PeerEvent,
    PeerStats, TrackHandle,
};
use signaling::message::{IceCandidate, ParticipantId, Resolution};
use signaling::statement::Fingerprint;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

/// Commands on their way to a peer connection. When full, the connection is closed and replaced after a pause: the
/// driver never waits for it.
const COMMANDS: usize = 128;
/// Events on their way from a connection to its task here. When full, the connection holds them back.
const EVENTS: usize = 64;
/// Messages of all connections' tasks on their way to the driver. When full, a task waits.
pub(crate) const MESSAGES: usize = 256;

/// A command to a peer connection's task.
pub(crate) enum PeerCommand {
    Offer,
    /// The certificate is the one that the participant signed. The forwarder signs none.
    Description(DescriptionKind, String, Option<Fingerprint>),
    Candidate(Option<IceCandidate>),
    /// With these STUN and TURN servers.
    RestartIce(Vec<IceServer>),
    Reoffer,
    /// Adds the line of our share, or removes it.
    Share(bool),
    Stats(oneshot::Sender<PeerStats>),
}

/// A report of a peer connection's task.
#[derive(Debug)]
pub(crate) enum ConnectionEvent {
    /// The connection is ready to negotiate.
    Ready(MediaOut, Lines),
    Peer(PeerEvent),
    /// The line of our share was added.
    Share(TrackHandle),
    /// The first frame of this stream of a participant was decrypted, on this connection to the forwarder.
    Received(ParticipantId, Stream),
    /// The connection refused something, or could not be created.
    Problem(PeerError),
    /// The connection could not be created, or has ended. No event follows.
    Ended,
}

/// An event, with the connection's number and the participant's id.
pub(crate) type FromConnection = (u64, ParticipantId, ConnectionEvent);

/// What a connection has beside a line for sound and one for a camera.
#[derive(Debug)]
pub(crate) enum Lines {
    /// With a participant: a channel for files.
    Direct(Option<DataChannel>),
    /// To the forwarder: the encodings of the camera, smallest first, and a screen.
    Forwarder([TrackHandle; 3], TrackHandle),
}

/// One remote participant. Dropping it closes the connection and ends the threads.
pub(crate) struct Participant {
    pub(crate) video: VideoInThread,
    /// The connection with them, if there is one.
    pub(crate) direct: Option<Direct>,
    /// Whether their media may arrive from the forwarder.
    pub(crate) is_forwarded: bool,
    /// Whether they share a screen in a forwarded room.
    pub(crate) shares_forwarded: bool,
}

/// The connection with a participant.
pub(crate) struct Direct {
    pub(crate) connection: Connection,
    pub(crate) audio: Arc<SoundIn>,
    /// The largest size at which they show our camera, if reported.
    pub(crate) most: Option<Resolution>,
    /// The line on which they share a screen.
    pub(crate) screen: Option<String>,
    /// Whether our share was requested on this connection.
    pub(crate) shares: bool,
    /// Their side of the connection, from their newest description.
    pub(crate) far: Option<FarSession>,
}

/// A connection in its own task. Dropping it closes the connection.
pub(crate) struct Connection {
    /// Identifies this connection: after a restart of the server, another participant may have the same id.
    pub(crate) number: u64,
    pub(crate) commands: mpsc::Sender<PeerCommand>,
    pub(crate) media: Option<MediaOut>,
    /// Whether the connection was ever established.
    pub(crate) connected: bool,
    task: AbortHandle,
}

impl Participant {
    /// Starts the threads of somebody of whom nothing is received yet.
    pub(crate) fn new(id: &ParticipantId) -> std::io::Result<Self> {
        let video = video_in::start(&id.0)?;
        Ok(Self { video, direct: None, is_forwarded: false, shares_forwarded: false })
    }

    /// Whether they share a screen.
    pub(crate) fn is_sharing(&self) -> bool {
        self.shares_forwarded || self.direct.as_ref().is_some_and(|direct| direct.screen.is_some())
    }

    /// Creates the connection with them.
    pub(crate) fn connect(
        &mut self,
        id: ParticipantId,
        number: u64,
        config: PeerConfig,
        reports: mpsc::Sender<FromConnection>,
    ) {
        let audio = Arc::new(SoundIn::new(Instant::now()));
        let (out, ask) = asking();
        let Some(sink) = self.video.sink(number, audio.clone(), ask) else { return };
        let connection = Connection::open(id, number, config, Arc::new(sink), out, reports);
        self.direct = Some(Direct { connection, audio, most: None, screen: None, shares: false, far: None });
    }
}

/// A way to request keyframes on a connection that does not exist yet.
pub(crate) fn asking() -> (Arc<OnceLock<MediaOut>>, AskKeyframe) {
    let out: Arc<OnceLock<MediaOut>> = Arc::default();
    let asked = out.clone();
    let ask = Box::new(move |mid: &str| {
        if let Some(media) = asked.get() {
            media.request_keyframe(mid);
        }
    });
    (out, ask)
}

impl Connection {
    /// Creates the connection. `out` receives its media output.
    pub(crate) fn open(
        id: ParticipantId,
        number: u64,
        config: PeerConfig,
        sink: Arc<dyn MediaSink>,
        out: Arc<OnceLock<MediaOut>>,
        reports: mpsc::Sender<FromConnection>,
    ) -> Self {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let task = tokio::spawn(async move {
            run((number, &id), config, sink, out, inbox, &reports).await;
            let _ = reports.send((number, id, ConnectionEvent::Ended)).await; // the engine may be gone
        });
        Self { number, commands, media: None, connected: false, task: task.abort_handle() }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The task may hang in the library and would not notice a closed channel.
        self.task.abort();
    }
}

async fn run(
    (number, id): (u64, &ParticipantId),
    config: PeerConfig,
    sink: Arc<dyn MediaSink>,
    out: Arc<OnceLock<MediaOut>>,
    mut inbox: mpsc::Receiver<PeerCommand>,
    reports: &mpsc::Sender<FromConnection>,
) {
    let (events, mut happened) = mpsc::channel(EVENTS);
    let peer = match Peer::new(config, sink, events).await {
        Ok(peer) => peer,
        Err(error) => {
            let _ = reports.send((number, id.clone(), ConnectionEvent::Problem(error))).await; // the engine may be gone
            return;
        }
    };
    let _ = out.set(peer.media());
    let lines = peer.forwarded().map(|(camera, screen)| Lines::Forwarder(camera, screen));
    let ready = ConnectionEvent::Ready(peer.media(), lines.unwrap_or_else(|| Lines::Direct(peer.data())));
    if reports.send((number, id.clone(), ready)).await.is_err() {
        return;
    }
    let mut share = None;
    loop {
        tokio::select! {
            command = inbox.recv() => {
                let Some(command) = command else { break };
                let outcome = match command {
                    PeerCommand::Share(on) => {
                        let outcome = set_share(&peer, &mut share, on).await;
                        if let Some(track) = share.clone().filter(|_| on)
                            && reports.send((number, id.clone(), ConnectionEvent::Share(track))).await.is_err()
                        {
                            break;
                        }
                        outcome
                    }
                    command => carry_out(&peer, command).await,
                };
                if let Err(error) = outcome {
                    tracing::warn!("{}: {error}", id.0);
                    if reports.send((number, id.clone(), ConnectionEvent::Problem(error))).await.is_err() {
                        break;
                    }
                }
            }
            event = happened.recv() => {
                let Some(event) = event else { break };
                if reports.send((number, id.clone(), ConnectionEvent::Peer(event))).await.is_err() {
                    break;
                }
            }
        }
    }
    peer.close().await;
}

/// Adds the line of our share unless there is one, or removes it.
async fn set_share(peer: &Peer, share: &mut Option<TrackHandle>, on: bool) -> Result<(), PeerError> {
    match (on, share.take()) {
        (true, None) => *share = Some(peer.add_video_track().await?),
        (true, known) => *share = known,
        (false, Some(track)) => peer.remove_video_track(track).await?,
        (false, None) => {}
    }
    Ok(())
}

async fn carry_out(peer: &Peer, command: PeerCommand) -> Result<(), PeerError> {
    match command {
        PeerCommand::Offer => peer.offer().await,
        PeerCommand::Description(kind, sdp, certificate) => {
            peer.remote_description(kind, &sdp, certificate.map(|certificate| certificate.0)).await
        }
        PeerCommand::Candidate(Some(c)) => {
            peer.remote_candidate(&c.candidate, c.sdp_mid.as_deref(), c.username_fragment.as_deref()).await
        }
        PeerCommand::Candidate(None) => peer.end_of_remote_candidates().await,
        PeerCommand::RestartIce(servers) => peer.restart_ice(servers).await,
        PeerCommand::Reoffer => peer.reoffer().await,
        PeerCommand::Share(_) => Ok(()), // handled in `run`
        PeerCommand::Stats(answer) => {
            let _ = answer.send(peer.stats().await?); // the receiver may be dropped
            Ok(())
        }
    }
}
