//! Events of a connection.

use media::encoded::VideoCodec;

/// Kind of a session description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DescriptionKind {
    /// RFC 3264 offer.
    Offer,
    /// RFC 3264 answer.
    Answer,
}

/// Kind of a media line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// Opus.
    Audio,
    /// The first video line: a camera.
    Video,
    /// A further video line: a shared screen.
    Screen,
}

/// `RTCPeerConnectionState` of W3C WebRTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// Nothing has been negotiated yet.
    New,
    /// ICE checks or the DTLS handshake are in progress.
    Connecting,
    /// Media can flow.
    Connected,
    /// The far side has not answered for some seconds. The connection may recover automatically.
    Disconnected,
    /// No path was found, or it was lost for too long. Only an ICE restart can recover.
    Failed,
    /// The connection was closed locally.
    Closed,
}

/// An event of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerEvent {
    /// Send this description to the far side.
    LocalDescription {
        /// Offer or answer.
        kind: DescriptionKind,
        /// The description.
        sdp: String,
    },
    /// Send this candidate to the far side: `RTCIceCandidateInit` of W3C WebRTC.
    LocalCandidate {
        /// `candidate:...`, RFC 8839.
        candidate: String,
        /// The media line's `mid`.
        sdp_mid: Option<String>,
        /// The media line's index.
        sdp_mline_index: Option<u16>,
        /// The ICE user name fragment of the generation that it belongs to.
        username_fragment: Option<String>,
    },
    /// No more candidates of this generation follow.
    EndOfCandidates,
    /// The connection's state has changed.
    State(PeerState),
    /// An offer and its answer have been applied.
    Negotiated {
        /// The codec that our first video line sends; `None` if it cannot send.
        video: Option<VideoCodec>,
        /// Whether our first audio line can send.
        audio: bool,
    },
    /// The far side started to send a media line.
    RemoteTrack {
        /// Its media line, as in the calls of [`crate::MediaSink`].
        mid: String,
        /// Audio or video.
        kind: TrackKind,
    },
    /// The far side stopped sending a media line.
    RemoteTrackEnded {
        /// Its media line.
        mid: String,
    },
    /// The target bitrate for all media, in bit/s. Only the newest is delivered.
    Target(u64),
}
