//! What goes into a call and what comes out of it.

use crate::view::Distrust;
use signaling::board::RoomRequest;
use signaling::message::{
    ClientMessage, ErrorCode, IceCandidate, IceServer, MediaState, ParticipantId, Resolution, ServerMessage,
};
use std::collections::BTreeMap;

/// What the person wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Enter a room. The only way to a first packet or an open device.
    Join {
        /// Room name, as in a link.
        room: String,
        /// Invite token, if the link had one.
        invite: Option<String>,
        /// Microphone and camera at the start.
        media: MediaState,
    },
    /// Leave it.
    Leave,
    /// Microphone on or off.
    SetMicrophone(bool),
    /// Camera on or off.
    SetCamera(bool),
    /// Forget a line of one's own that was not said, or not yet: [`crate::UnsentLine::number`].
    DropLine(u64),
    /// Do something as the host of the room. The server judges whether one is.
    Room(RoomRequest),
    /// How large each camera is shown, in pixels of the screen; who is not listed is out of sight. Without it everybody
    /// sends what they can.
    Show(BTreeMap<ParticipantId, Resolution>),
}

/// What happens around the call.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The person.
    Command(Command),
    /// The signalling session.
    Signal(Signal),
    /// Which of microphone and camera work, as far as they are wanted: what is on here and does not work is off to others.
    Able(MediaState),
    /// What became of an [`Output::Send`] of a `join` or a `chat`; before the next output is taken.
    Sent(SendOutcome),
    /// A peer connection made a description for the far side.
    LocalDescription {
        /// To whom.
        id: ParticipantId,
        /// Which kind.
        kind: SdpKind,
        /// Opaque here.
        sdp: String,
    },
    /// A peer connection found a candidate of its own.
    LocalCandidate {
        /// To whom.
        id: ParticipantId,
        /// The candidate; `None`: no more follow.
        candidate: Option<IceCandidate>,
    },
    /// A peer connection's state changed.
    Peer {
        /// To whom.
        id: ParticipantId,
        /// How.
        input: PeerInput,
    },
    /// What [`Output::Signal`] gave is the offer of another connection of theirs than the one we are connected with.
    NewSession {
        /// Whose.
        id: ParticipantId,
        /// The offer.
        sdp: String,
    },
}

/// What became of a message that was to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// The `join` has this number.
    Join {
        /// By it the server's answer names it.
        about: u64,
    },
    /// The line of chat has this number.
    Chat {
        /// By it the server's answer names it.
        about: u64,
    },
    /// The session takes no more for now: the line waits.
    ChatDeferred,
    /// The line may not be sent.
    ChatRefused(ErrorCode),
}

/// What the signalling session reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Signal {
    /// A new session.
    Welcome {
        /// For the connections to come.
        ice_servers: Vec<IceServer>,
        /// People that a room of this server has at most.
        max_participants: usize,
    },
    /// The broken session goes on; nothing was lost.
    Resumed {
        /// Fresh credentials.
        ice_servers: Vec<IceServer>,
    },
    /// The socket broke; the session tries to come back.
    Disconnected,
    /// The session could not be resumed: the server has forgotten our seat.
    Lost,
    /// The session is over and does not come back.
    Ended(ErrorCode),
    /// Whoever answered at the server's address could not prove to be the server; nobody asks there again.
    Untrusted(Distrust),
    /// A message of the server.
    Message(ServerMessage),
}

/// A change of a peer connection's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerInput {
    /// ICE and DTLS stand.
    Connected,
    /// Nothing comes any more; it may mend itself.
    Disconnected,
    /// ICE gave up.
    Failed,
    /// It could not be made, or has ended: nothing but a new one helps.
    Broken,
}

/// Kind of a session description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SdpKind {
    /// Offer.
    Offer,
    /// Answer.
    Answer,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Say this to the server.
    Send(ClientMessage),
    /// Make a peer connection.
    OpenPeer {
        /// To whom.
        id: ParticipantId,
        /// We yield when both offer at once: the newcomer does.
        polite: bool,
        /// We offer: the newcomer does.
        offer: bool,
        /// STUN and TURN.
        ice_servers: Vec<IceServer>,
    },
    /// Close the peer connection and make another one in its place.
    RenewPeer {
        /// To whom.
        id: ParticipantId,
        /// We yield when both offer at once.
        polite: bool,
        /// We offer.
        offer: bool,
        /// STUN and TURN.
        ice_servers: Vec<IceServer>,
    },
    /// Hand this to a peer connection.
    Signal {
        /// Whose.
        id: ParticipantId,
        /// What.
        signal: PeerSignal,
    },
    /// Restart ICE.
    RestartIce {
        /// To whom.
        id: ParticipantId,
    },
    /// From now on the far side has use for no larger pictures than this.
    Resolution {
        /// Whose.
        id: ParticipantId,
        /// The size.
        most: Resolution,
    },
    /// Close a peer connection.
    ClosePeer {
        /// To whom.
        id: ParticipantId,
    },
    /// From now on exactly these devices may be open for the call.
    Capture(MediaState),
}

/// Signalling for one peer connection.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerSignal {
    /// Offer or answer from the far side.
    Description {
        /// Which.
        kind: SdpKind,
        /// Opaque here.
        sdp: String,
    },
    /// Candidate from the far side; `None`: no more follow.
    Candidate(Option<IceCandidate>),
}
