//! What can go wrong.

use thiserror::Error;

/// Why an operation on a connection failed. The connection itself lives on unless it is [`PeerError::Closed`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PeerError {
    /// The connection could not be built: no socket, or a broken ICE server address.
    #[error("the connection could not be built: {0}")]
    Setup(String),
    /// Only relayed paths are allowed, and no TURN server can be used.
    #[error("no relay server can be used, and a direct path is not allowed")]
    NoRelay,
    /// The far side's description is not SDP that we accept.
    #[error("the far side's session description is broken: {0}")]
    BadDescription(String),
    /// The far side's certificate could not be told from another's: its description has no fingerprint by SHA-256.
    #[error("the far side names no fingerprint of its certificate that can be checked: sha-256 is needed")]
    NoFingerprint,
    /// A description came when it does not fit, for example an answer without an offer.
    #[error("an unexpected session description came")]
    UnexpectedDescription,
    /// The far side's candidate is not one that we accept.
    #[error("the far side's candidate is broken: {0}")]
    BadCandidate(String),
    /// More candidates than [`crate::MAX_REMOTE_CANDIDATES`] or more media lines than [`crate::MAX_MEDIA_LINES`].
    #[error("too many candidates or media lines")]
    TooMany,
    /// The WebRTC library refused.
    #[error("the connection refused: {0}")]
    Refused(String),
    /// The connection is closed.
    #[error("the connection is closed")]
    Closed,
}

impl PeerError {
    /// A stable word for the UI and for logs.
    pub fn code(&self) -> &'static str {
        match self {
            PeerError::Setup(_) => "peer_setup",
            PeerError::NoRelay => "peer_no_relay",
            PeerError::BadDescription(_) => "peer_bad_description",
            PeerError::NoFingerprint => "peer_no_fingerprint",
            PeerError::UnexpectedDescription => "peer_unexpected_description",
            PeerError::BadCandidate(_) => "peer_bad_candidate",
            PeerError::TooMany => "peer_too_many",
            PeerError::Refused(_) => "peer_refused",
            PeerError::Closed => "peer_closed",
        }
    }
}
