//! The messages of the signalling protocol, version 1 (PROTOCOL.md).
//!
//! Every message is one JSON text frame. After `welcome` or `resumed` each side wraps its messages in an
//! [`Envelope`]: its own sequence number and the highest number that it has received. With them a broken session can be
//! resumed without loss. The four messages of the handshake have no envelope.

use serde::{Deserialize, Serialize};

use crate::account::{AccountNews, AccountRequest};
use crate::avatar::Avatar;
use crate::board::{BoardNews, BoardRequest, RoomNews, RoomRequest};
use crate::connection_report::ConnectionReport;
pub use crate::error::{ErrorCode, ErrorMessage};
use crate::forwarding::{Displayed, FrameKey, OwnDisplayed, SealedKey, SlotInfo};
pub use crate::hello::{Hello, Resume};
pub use crate::ice::{IceCandidate, IceServer};
pub use crate::id::{Hand, ParticipantId, SessionId};
pub use crate::reaction::Reaction;
pub use crate::welcome::{LimitsInfo, Welcome};

/// The protocol version that this crate implements.
pub const VERSION: u32 = 1;

/// A message with its sequence number and acknowledgement: `{"seq":5,"ack":3,"type":"chat","text":"hi"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope<M> {
    /// Number of this message, from 1 in each direction; 0 for messages that are not numbered (`ping`, `pong`,
    /// `ack`).
    #[serde(default)]
    pub seq: u64,
    /// The highest number received from the other side. All earlier messages were received too.
    #[serde(default)]
    pub ack: u64,
    /// The message itself.
    #[serde(flatten)]
    pub message: M,
}

/// The messages that a client sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// The first message, in answer to the server's `challenge`; no envelope.
    Hello(Hello),
    /// Joins a room. May be sent in the same flight as `hello`, before `welcome` arrives.
    Join {
        /// Name of the room, as in the link.
        room: String,
        /// Whether microphone and camera are on at this moment.
        #[serde(default)]
        media: MediaState,
        /// Token of the invite, if the link has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invite: Option<String>,
        /// 32 random bytes for this join, base64url ([`crate::statement::Stay`]). Without it nobody connects to this
        /// client.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
    },
    /// Leaves the room and keeps the session.
    Leave,
    /// SDP offer for one participant.
    Offer {
        /// Recipient.
        to: ParticipantId,
        /// Session description.
        sdp: String,
        /// Signature of the [`crate::statement::Statement`] about the description's certificate, base64url.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// SDP answer for one participant.
    Answer {
        /// Recipient.
        to: ParticipantId,
        /// Session description.
        sdp: String,
        /// Signature of the [`crate::statement::Statement`] about the description's certificate, base64url.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// One trickled ICE candidate for one participant.
    Candidate {
        /// Recipient.
        to: ParticipantId,
        /// The candidate.
        candidate: IceCandidate,
    },
    /// End of candidates for this ICE generation (RFC 8838).
    EndOfCandidates {
        /// Recipient.
        to: ParticipantId,
    },
    /// How large this client displays a participant's camera. The participant need not send a larger picture.
    Resolution {
        /// The owner of the camera.
        to: ParticipantId,
        /// The display size.
        #[serde(flatten)]
        most: Resolution,
    },
    /// Asks a participant what their network lets through to the server.
    CheckConnection {
        /// Recipient.
        to: ParticipantId,
    },
    /// The answer to [`ServerMessage::CheckConnection`].
    ConnectionReport {
        /// Who asked.
        to: ParticipantId,
        /// What the check found.
        #[serde(flatten)]
        report: ConnectionReport,
    },
    /// Which pictures this client displays in a forwarded room. Others are not sent.
    View {
        /// The pictures; each message replaces the one before.
        pictures: Vec<Displayed>,
    },
    /// Announces the key of this stay, to which others seal the keys of their frames. Once in a stay.
    FrameKey(FrameKey),
    /// Gives the key of the own frames to others in a forwarded room.
    SenderKeys {
        /// Number of the key; a newer key has a higher one.
        epoch: u32,
        /// The key, sealed to each of them.
        keys: Vec<SealedKey>,
    },
    /// The microphone or camera was switched on or off.
    Media(MediaState),
    /// Raises or lowers the own hand.
    Hand {
        /// Whether the hand is raised.
        raised: bool,
    },
    /// Shows everybody a reaction.
    Reaction {
        /// Which one.
        reaction: Reaction,
    },
    /// A line of chat for the whole room.
    Chat {
        /// Plain text, never markup.
        text: String,
    },
    /// A request about the board.
    Board(BoardRequest),
    /// A request of the host in a table's room.
    Room(RoomRequest),
    /// A request about the person's account.
    Account(AccountRequest),
    /// Checks whether the connection is alive. Not numbered.
    Ping {
        /// The `pong` repeats it.
        nonce: u64,
    },
    /// Carries only the envelope's `ack`. Not numbered.
    Ack,
}

impl ClientMessage {
    /// Whether the message has a sequence number, is acknowledged, and is sent again after a resume.
    pub fn is_counted(&self) -> bool {
        match self {
            ClientMessage::Hello(_) | ClientMessage::Ping { .. } | ClientMessage::Ack => false,
            ClientMessage::Join { .. }
            | ClientMessage::Leave
            | ClientMessage::Offer { .. }
            | ClientMessage::Answer { .. }
            | ClientMessage::Candidate { .. }
            | ClientMessage::EndOfCandidates { .. }
            | ClientMessage::Resolution { .. }
            | ClientMessage::CheckConnection { .. }
            | ClientMessage::ConnectionReport { .. }
            | ClientMessage::View { .. }
            | ClientMessage::FrameKey(_)
            | ClientMessage::SenderKeys { .. }
            | ClientMessage::Media(_)
            | ClientMessage::Hand { .. }
            | ClientMessage::Reaction { .. }
            | ClientMessage::Board(_)
            | ClientMessage::Room(_)
            | ClientMessage::Account(_)
            | ClientMessage::Chat { .. } => true,
        }
    }
}

/// The messages that a server sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// Sent as soon as the socket is open; no envelope.
    Challenge {
        /// 32 random bytes, base64url without padding.
        nonce: String,
        /// Protocol versions that this server supports.
        versions: Vec<u32>,
    },
    /// The hello was accepted and a new session begins; no envelope.
    Welcome(Welcome),
    /// The hello was accepted and the old session continues; no envelope. Both sides now send again what the other
    /// has not received.
    Resumed {
        /// Highest client message that the server has received.
        received: u64,
        /// New ICE servers, because their credentials are short-lived.
        ice_servers: Vec<IceServer>,
    },
    /// The client is in the room.
    Joined {
        /// Name of the room.
        room: String,
        /// The client's id in this room.
        you: ParticipantId,
        /// The others in the room, earliest first. The newcomer sends an offer to each of them.
        participants: Vec<Participant>,
    },
    /// The client left the room or was removed from it.
    Left {
        /// The reason.
        reason: LeaveReason,
    },
    /// Somebody joined the room.
    ParticipantJoined {
        /// The new participant.
        participant: Participant,
    },
    /// Somebody left the room.
    ParticipantLeft {
        /// The participant.
        id: ParticipantId,
        /// The reason.
        reason: LeaveReason,
    },
    /// The server lost or regained a participant's socket. Their seat is kept meanwhile.
    ParticipantConnection {
        /// The participant.
        id: ParticipantId,
        /// Whether the server has an open socket to them.
        connected: bool,
    },
    /// SDP offer from a participant.
    Offer {
        /// Sender.
        from: ParticipantId,
        /// Session description.
        sdp: String,
        /// Signature of the [`crate::statement::Statement`] about the description's certificate, base64url.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// SDP answer from a participant.
    Answer {
        /// Sender.
        from: ParticipantId,
        /// Session description.
        sdp: String,
        /// Signature of the [`crate::statement::Statement`] about the description's certificate, base64url.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// One trickled ICE candidate from a participant.
    Candidate {
        /// Sender.
        from: ParticipantId,
        /// The candidate.
        candidate: IceCandidate,
    },
    /// End of candidates from a participant (RFC 8838).
    EndOfCandidates {
        /// Sender.
        from: ParticipantId,
    },
    /// How large a participant displays this client's camera.
    Resolution {
        /// The participant who displays it.
        from: ParticipantId,
        /// The display size.
        #[serde(flatten)]
        most: Resolution,
    },
    /// A participant asks what this client's network lets through to the server.
    CheckConnection {
        /// Who asks.
        from: ParticipantId,
    },
    /// A participant's answer to [`ClientMessage::CheckConnection`].
    ConnectionReport {
        /// The participant.
        from: ParticipantId,
        /// What the check found.
        #[serde(flatten)]
        report: ConnectionReport,
    },
    /// Whether the room's media goes through the server's forwarder. Comes before `joined` if it does.
    Forwarded {
        /// It does from now on; otherwise any two people have a connection of their own.
        on: bool,
    },
    /// What each line of the connection to the forwarder carries now. Lines that are not named carry nothing.
    Slots {
        /// The lines.
        slots: Vec<SlotInfo>,
        /// How large others display the client's own pictures; `None` if that is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        displayed: Option<OwnDisplayed>,
    },
    /// A participant's key, to which the keys of frames are sealed.
    FrameKey {
        /// The participant.
        from: ParticipantId,
        /// Their key.
        #[serde(flatten)]
        key: FrameKey,
    },
    /// The key of a participant's frames, sealed to this client.
    SenderKey {
        /// The participant.
        from: ParticipantId,
        /// Number of the key.
        epoch: u32,
        /// The sealed key (RFC 9180), base64url.
        sealed: String,
        /// Signature of what the key is bound to ([`crate::statement::frames::Giving`]), base64url.
        signature: String,
    },
    /// The keys of this client's frames did not reach these participants, who do not acknowledge what they receive.
    SenderKeysUndelivered {
        /// Number of the key.
        epoch: u32,
        /// The participants.
        to: Vec<ParticipantId>,
    },
    /// A participant's microphone or camera was switched on or off.
    Media {
        /// The participant.
        from: ParticipantId,
        /// Their state now.
        #[serde(flatten)]
        media: MediaState,
    },
    /// A hand was raised or lowered. Its owner receives it too, because the server counts the hands.
    Hand {
        /// The participant.
        from: ParticipantId,
        /// Their hand now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hand: Option<Hand>,
    },
    /// A participant is shown differently now.
    Avatar {
        /// The participant.
        from: ParticipantId,
        /// How they are shown.
        #[serde(default, skip_serializing_if = "Avatar::is_default")]
        avatar: Avatar,
    },
    /// A reaction. Its author receives it too. Nobody receives it later: it is worth nothing then.
    Reaction {
        /// The participant.
        from: ParticipantId,
        /// Which one.
        reaction: Reaction,
    },
    /// A line of chat. The sender receives it too, so everybody sees the lines in the same order.
    Chat {
        /// The author.
        from: ParticipantId,
        /// Plain text.
        text: String,
        /// Unix time in milliseconds by the server's clock.
        at: u64,
    },
    /// News of the board.
    Board(BoardNews),
    /// News in a table's room, or for somebody who knocks at it.
    Room(RoomNews),
    /// News of the person's account.
    Account(AccountNews),
    /// Answer to `ping`. Not numbered.
    Pong {
        /// The number in the ping.
        nonce: u64,
    },
    /// Carries only the envelope's `ack`. Not numbered.
    Ack,
    /// A request failed. The session continues unless the server then closes the socket.
    Error(ErrorMessage),
    /// The server ends the session, for example because it is shutting down.
    Bye {
        /// The reason.
        code: ErrorCode,
        /// Milliseconds after which a client may reconnect. Absent: do not reconnect.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
}

impl ServerMessage {
    /// Whether the message must have a sequence number. `error` and `bye` may have one.
    pub fn is_counted(&self) -> bool {
        match self {
            ServerMessage::Challenge { .. }
            | ServerMessage::Welcome(_)
            | ServerMessage::Resumed { .. }
            | ServerMessage::Pong { .. }
            | ServerMessage::Ack
            | ServerMessage::Error(_)
            | ServerMessage::Bye { .. } => false,
            ServerMessage::Joined { .. }
            | ServerMessage::Left { .. }
            | ServerMessage::ParticipantJoined { .. }
            | ServerMessage::ParticipantLeft { .. }
            | ServerMessage::ParticipantConnection { .. }
            | ServerMessage::Offer { .. }
            | ServerMessage::Answer { .. }
            | ServerMessage::Candidate { .. }
            | ServerMessage::EndOfCandidates { .. }
            | ServerMessage::Resolution { .. }
            | ServerMessage::CheckConnection { .. }
            | ServerMessage::ConnectionReport { .. }
            | ServerMessage::Forwarded { .. }
            | ServerMessage::Slots { .. }
            | ServerMessage::FrameKey { .. }
            | ServerMessage::SenderKey { .. }
            | ServerMessage::SenderKeysUndelivered { .. }
            | ServerMessage::Media { .. }
            | ServerMessage::Hand { .. }
            | ServerMessage::Avatar { .. }
            | ServerMessage::Reaction { .. }
            | ServerMessage::Board(_)
            | ServerMessage::Room(_)
            | ServerMessage::Account(_)
            | ServerMessage::Chat { .. } => true,
        }
    }
}

/// A person in the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Participant {
    /// Id in this room.
    pub id: ParticipantId,
    /// Display name.
    pub name: String,
    /// Device key, base64url. It identifies the person; the name does not.
    pub key: String,
    /// The nonce of their `join`, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional = nullable))]
    pub nonce: Option<String>,
    /// Microphone and camera.
    #[serde(default)]
    pub media: MediaState,
    /// Their raised hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional = nullable))]
    pub hand: Option<Hand>,
    /// How they are shown.
    #[serde(default, skip_serializing_if = "Avatar::is_default")]
    #[cfg_attr(feature = "typescript", ts(as = "Option<Avatar>", optional))]
    pub avatar: Avatar,
}

/// Whether somebody's microphone and camera are on, and whether they share a screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct MediaState {
    /// The microphone is on.
    #[serde(default)]
    pub microphone: bool,
    /// The camera is on.
    #[serde(default)]
    pub camera: bool,
    /// A screen is shared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub screen: bool,
}

/// The largest size that is of use to a receiver, like `RTCResolutionRestriction` of W3C WebRTC
/// (`scaleResolutionDownTo`). The picture keeps its aspect ratio and fits within both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Width in pixels; 0 if the picture is not displayed.
    pub max_width: u32,
    /// Height in pixels; 0 if the picture is not displayed.
    pub max_height: u32,
}

impl Resolution {
    /// The picture is not displayed.
    pub const NONE: Self = Self { max_width: 0, max_height: 0 };

    /// Whether the picture is not displayed.
    pub fn is_none(self) -> bool {
        self.max_width == 0 || self.max_height == 0
    }
}

/// Why somebody is no longer in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// They left by their own choice.
    Left,
    /// They were disconnected for longer than the server keeps a session.
    Timeout,
    /// The same person joined the room again in another session.
    Replaced,
    /// The server is shutting down.
    ServerStopping,
    /// The host removed them.
    Removed,
    /// A steward suspended them.
    Suspended,
    /// A steward closed the table.
    TableClosed,
}
