//! Errors of a connection.

use thiserror::Error;

/// Why an operation failed. The connection continues, unless the error is [`PeerError::Closed`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PeerError {
    /// The connection could not be built: no socket, or an invalid ICE server address.
    #[error("the connection could not be built: {0}")]
    Setup(String),
    /// Only relayed paths are allowed, and no TURN server can be used.
    #[error("no TURN server is usable, and a direct path is not allowed")]
    NoRelay,
    /// The far side's description is invalid or not supported.
    #[error("the far side's session description is invalid: {0}")]
    BadDescription(String),
    /// The far side's certificate cannot be verified, because its description has no SHA-256 fingerprint.
    #[error("the far side's description has no sha-256 fingerprint of its certificate")]
    NoFingerprint,
    /// The far side's description names another certificate than the one that it has proved to be its own.
    #[error("the far side's description names another certificate than the signed one")]
    WrongFingerprint,
    /// A description arrived in the wrong state, for example an answer without an offer.
    #[error("unexpected session description")]
    UnexpectedDescription,
    /// The far side's candidate is invalid.
    #[error("the far side's candidate is invalid: {0}")]
    BadCandidate(String),
    /// More candidates than [`crate::MAX_REMOTE_CANDIDATES`] or more media lines than [`crate::MAX_MEDIA_LINES`].
    #[error("too many candidates or media lines")]
    TooMany,
    /// The WebRTC library returned an error.
    #[error("the WebRTC library returned an error: {0}")]
    Refused(String),
    /// The connection is closed.
    #[error("the connection is closed")]
    Closed,
}

impl PeerError {
    /// A stable code for the UI and logs.
    pub fn code(&self) -> &'static str {
        match self {
            PeerError::Setup(_) => "peer_setup",
            PeerError::NoRelay => "peer_no_relay",
            PeerError::BadDescription(_) => "peer_bad_description",
            PeerError::NoFingerprint => "peer_no_fingerprint",
            PeerError::WrongFingerprint => "peer_wrong_fingerprint",
            PeerError::UnexpectedDescription => "peer_unexpected_description",
            PeerError::BadCandidate(_) => "peer_bad_candidate",
            PeerError::TooMany => "peer_too_many",
            PeerError::Refused(_) => "peer_refused",
            PeerError::Closed => "peer_closed",
        }
    }
}
