//! What a connection tells its owner.

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
    /// Any video codec.
    Video,
}

/// `RTCPeerConnectionState` of W3C WebRTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// Nothing was negotiated yet.
    New,
    /// ICE checks or the DTLS handshake are under way.
    Connecting,
    /// Media flows.
    Connected,
    /// No answer from the far side for some seconds; may come back by itself.
    Disconnected,
    /// No path was found, or it stayed lost. Only an ICE restart helps.
    Failed,
    /// Closed by us.
    Closed,
}

/// What a connection tells its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerEvent {
    /// Send this description to the far side.
    LocalDescription {
        /// Offer or answer.
        kind: DescriptionKind,
        /// The description.
        sdp: String,
    },
    /// Send this candidate to the far side, `RTCIceCandidateInit` of W3C WebRTC.
    LocalCandidate {
        /// `candidate:...`, RFC 8839.
        candidate: String,
        /// Media line by its `mid`.
        sdp_mid: Option<String>,
        /// Media line by its place.
        sdp_mline_index: Option<u16>,
    },
    /// No more candidates of this gathering follow.
    EndOfCandidates,
    /// The connection's state is now this.
    State(PeerState),
    /// An offer and its answer are both in force.
    Negotiated {
        /// Codec of our first video line's sending side; `None` when it cannot send.
        video: Option<VideoCodec>,
        /// Whether our first audio line can send.
        audio: bool,
    },
    /// The far side began to send a media line.
    RemoteTrack {
        /// Its media line; the same in the calls of [`crate::MediaSink`].
        mid: String,
        /// Sound or picture.
        kind: TrackKind,
    },
    /// The far side ceased to send a media line.
    RemoteTrackEnded {
        /// Its media line.
        mid: String,
    },
    /// The far side needs a keyframe of this line of ours.
    KeyframeRequested {
        /// The media line.
        mid: String,
    },
    /// All that may leave a second now, bit/s. Newest wins: stale ones are not delivered.
    Target(u64),
}
