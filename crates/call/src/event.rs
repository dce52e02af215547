//! Inputs and outputs of a call.

use crate::link::PeerInput;
use crate::view::Distrust;
use e2ee::{SenderKey, Stream};
use signaling::board::RoomRequest;
use signaling::connection_report::ConnectionReport;
use signaling::message::{
    ClientMessage, ErrorCode, IceCandidate, IceServer, MediaState, ParticipantId, Reaction, Resolution, ServerMessage,
};
use signaling::statement::{Fingerprint, Signer};
use std::collections::{BTreeMap, BTreeSet};

/// Commands of the person.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Join a room. Nothing else may cause a first packet or open a device.
    Join {
        /// Name of the room, as in the link.
        room: String,
        /// Token of the invite, if the link has one.
        invite: Option<String>,
        /// Whether microphone and camera are on at the start.
        media: MediaState,
        /// Signs our descriptions, with the key by which the server knows us.
        signer: Box<Signer>,
    },
    /// Leave the room.
    Leave,
    /// Switch the microphone on or off.
    SetMicrophone(bool),
    /// Switch the camera on or off.
    SetCamera(bool),
    /// Raise or lower the hand.
    SetHand(bool),
    /// Show everybody a reaction. Too many at once are dropped.
    React(Reaction),
    /// Drop an own line of chat that failed or was not sent yet, by its [`crate::UnsentLine::number`].
    DropLine(u64),
    /// A request as the host of the room. The server checks whether the sender is the host.
    Room(RoomRequest),
    /// The display size of each camera in device pixels. A camera that is not listed is not displayed. Without this
    /// command everybody sends what they can.
    Show(BTreeMap<ParticipantId, Resolution>),
    /// Ask everybody what their networks let through. Their answers appear in the view.
    CheckOthers,
}

/// Inputs of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A command of the person.
    Command(Command),
    /// A signal from the signalling session.
    Signal(Signal),
    /// Whether microphone and camera work, as far as they are wanted. A device that is on but does not work is
    /// reported to the others as off.
    Able(MediaState),
    /// Whether we share a screen, which the others are to know.
    Sharing(bool),
    /// With whom files are being transferred, by their keys. Direct connections with them go on while the room is forwarded.
    Transferring(BTreeSet<String>),
    /// The result of an [`Output::Send`] of a `join` or a `chat`. Pass it in before taking the next output.
    Sent(SendOutcome),
    /// A peer connection created a description for the other side.
    LocalDescription {
        /// The participant.
        id: ParticipantId,
        /// Offer or answer.
        kind: SdpKind,
        /// Session description.
        sdp: String,
    },
    /// A peer connection gathered a local candidate.
    LocalCandidate {
        /// The participant.
        id: ParticipantId,
        /// The candidate; `None` at the end of candidates.
        candidate: Option<IceCandidate>,
    },
    /// A peer connection's state changed.
    Peer {
        /// The participant.
        id: ParticipantId,
        /// The change.
        input: PeerInput,
    },
    /// Something about the connection to the server's forwarder.
    Forwarder(ForwarderInput),
    /// The network of this machine has changed: another address or another way out.
    NetworkChanged,
    /// The check of an [`Output::CheckConnection`] has ended.
    Checked(ConnectionReport),
    /// The offer in an [`Output::Signal`] is from a new connection of the participant, not from the one to which ours
    /// is connected.
    NewSession {
        /// The participant.
        id: ParticipantId,
        /// The offer.
        sdp: String,
        /// The certificate that the participant signed.
        fingerprint: Fingerprint,
    },
}

/// What happens on the connection to the forwarder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwarderInput {
    /// The connection has made its offer.
    Offer {
        /// Session description.
        sdp: String,
    },
    /// The connection's state changed.
    State(PeerInput),
    /// The first frame of this stream of a participant was decrypted, on this connection.
    Received {
        /// The participant.
        id: ParticipantId,
        /// The stream.
        stream: Stream,
    },
}

/// The result of sending a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// The `join` was sent with this number.
    Join {
        /// Its number, to which the server's answer refers.
        about: u64,
    },
    /// The line of chat was sent with this number.
    Chat {
        /// Its number, to which the server's answer refers.
        about: u64,
    },
    /// The session accepts no more at the moment. The line waits.
    ChatDeferred,
    /// The line is not allowed.
    ChatRefused(ErrorCode),
}

/// Signals from the signalling session.
#[derive(Debug, Clone, PartialEq)]
pub enum Signal {
    /// A new session began.
    Welcome {
        /// ICE servers for new connections.
        ice_servers: Vec<IceServer>,
        /// Maximum number of people in a room of this server.
        max_participants: usize,
        /// The same for forwarded rooms. `None` if the server forwards nothing.
        max_forwarded: Option<usize>,
    },
    /// The broken session continues; nothing was lost.
    Resumed {
        /// ICE servers with new credentials.
        ice_servers: Vec<IceServer>,
    },
    /// The socket broke, and the session is reconnecting.
    Disconnected,
    /// The session could not be resumed. The server has forgotten our seat.
    Lost,
    /// The session ended for good.
    Ended(ErrorCode),
    /// The machine that answered could not prove to be the server. The client does not connect to it again.
    Untrusted(Distrust),
    /// A message from the server.
    Message(ServerMessage),
}

/// Kind of a session description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SdpKind {
    /// Offer.
    Offer,
    /// Answer.
    Answer,
}

/// Actions for the driver.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a message to the server.
    Send(ClientMessage),
    /// Create a peer connection.
    OpenPeer {
        /// The participant.
        id: ParticipantId,
        /// Whether we are the polite peer, which the newcomer is.
        polite: bool,
        /// Whether we make the offer, which the newcomer does.
        offer: bool,
        /// STUN and TURN servers.
        ice_servers: Vec<IceServer>,
    },
    /// Close the peer connection and create another in its place.
    RenewPeer {
        /// The participant.
        id: ParticipantId,
        /// Whether we are the polite peer.
        polite: bool,
        /// Whether we make the offer.
        offer: bool,
        /// STUN and TURN servers.
        ice_servers: Vec<IceServer>,
    },
    /// Pass a signal to a peer connection.
    Signal {
        /// The participant.
        id: ParticipantId,
        /// The signal.
        signal: PeerSignal,
    },
    /// Restart ICE.
    RestartIce {
        /// The participant.
        id: ParticipantId,
        /// STUN and TURN servers, with the newest credentials.
        ice_servers: Vec<IceServer>,
    },
    /// The participant has joined again, and the connection continues. An offer that waits for its answer was lost with
    /// the session: make it again.
    Reoffer {
        /// The participant.
        id: ParticipantId,
    },
    /// Check whether the server still answers.
    ProbeServer,
    /// Check what this machine's network lets through to the server, and report it with [`Input::Checked`].
    CheckConnection,
    /// The other side needs no larger pictures than this from now on.
    Resolution {
        /// The participant.
        id: ParticipantId,
        /// The size.
        most: Resolution,
    },
    /// Close everything that concerns a participant.
    ClosePeer {
        /// The participant.
        id: ParticipantId,
    },
    /// Close the peer connection. The participant's media arrives from the forwarder.
    CloseDirect {
        /// The participant.
        id: ParticipantId,
    },
    /// Something about the connection to the server's forwarder.
    Forwarder(ForwarderOutput),
    /// Open exactly these devices for the call, and close the others.
    Capture(MediaState),
}

/// Actions for the connection to the server's forwarder.
#[derive(Debug, Clone, PartialEq)]
pub enum ForwarderOutput {
    /// Create a connection, in place of any that there is, and make the offer.
    Open {
        /// STUN and TURN servers.
        ice_servers: Vec<IceServer>,
    },
    /// Pass the forwarder's answer to the connection.
    Answer {
        /// Session description.
        sdp: String,
    },
    /// Encrypt what is sent with this key from now on. Nothing is sent before the first.
    Use(SenderKey),
    /// A participant's media may arrive there.
    Add {
        /// The participant.
        id: ParticipantId,
    },
    /// A participant encrypts with this key.
    Key {
        /// The participant.
        id: ParticipantId,
        /// The key.
        key: SenderKey,
    },
    /// Nobody displays our camera taller than this, in pixels; 0 if nobody displays it. Until it is said, send all.
    Displayed {
        /// The height.
        height: u32,
    },
    /// The numbers of participants, by which packets name their author (CSRC). Others stay as they were.
    Authors(Vec<(u32, ParticipantId)>),
    /// Close the connection, and forget all keys.
    Close,
}

/// A signal for one peer connection.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerSignal {
    /// Offer or answer from the other side, signed by their device.
    Description {
        /// Offer or answer.
        kind: SdpKind,
        /// Session description.
        sdp: String,
        /// The certificate that the participant signed. The connection accepts no other.
        fingerprint: Fingerprint,
    },
    /// Candidate from the other side; `None` at the end of candidates.
    Candidate(Option<IceCandidate>),
}
