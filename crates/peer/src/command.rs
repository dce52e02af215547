//! Commands from the handle of a connection to its task.

use crate::config::IceServer;
use crate::error::PeerError;
use crate::event::DescriptionKind;
use crate::media_out::TrackHandle;
use crate::stats::PeerStats;
use tokio::sync::oneshot;

/// Commands that wait for a connection's task. When the queue is full, the caller waits.
pub(crate) const COMMANDS: usize = 32;

/// A command of the connection's owner.
#[derive(Debug)]
pub(crate) enum Command {
    Offer,
    RemoteDescription {
        kind: DescriptionKind,
        sdp: String,
        certificate: Option<[u8; 32]>,
    },
    RemoteCandidate {
        candidate: String,
        mid: Option<String>,
        username_fragment: Option<String>,
    },
    EndOfRemoteCandidates,
    AddVideoTrack(oneshot::Sender<TrackHandle>),
    /// The SSRC of the line.
    RemoveVideoTrack(u32),
    /// With these STUN and TURN servers.
    RestartIce(Vec<IceServer>),
    Reoffer,
    Stats(oneshot::Sender<PeerStats>),
    Close,
}

/// A command and the channel for its result.
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) done: oneshot::Sender<Result<(), PeerError>>,
}
