//! The messages of the signalling protocol, version 1 (PROTOCOL.md).
//!
//! Every message is one JSON text frame. After `welcome` or `resumed` each side wraps what it says in an
//! [`Envelope`]: a sequence number of its own and the highest number it has received, so that a session
//! that breaks can be resumed with nothing lost. The four messages of the handshake carry no envelope.

use serde::{Deserialize, Serialize};

use crate::board::{BoardNews, BoardRequest, RoomNews, RoomRequest};

/// The protocol version this crate speaks.
pub const VERSION: u32 = 1;

/// One person in one room, named by the server; never reused within the life of a room.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ParticipantId(pub String);

/// A signalling session, named by the server with 128 random bits; knowing it and the device key resumes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub String);

/// A message with its place in the session: `{"seq":5,"ack":3,"type":"chat","text":"hi"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope<M> {
    /// Number of this message, counted from 1 in its direction; 0 for messages outside the count (`ping`, `pong`, `ack`).
    #[serde(default)]
    pub seq: u64,
    /// The highest number received from the other side, all before it received too.
    #[serde(default)]
    pub ack: u64,
    /// What is said.
    #[serde(flatten)]
    pub message: M,
}

/// What a client may say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// First message, answering the server's `challenge`; no envelope.
    Hello(Hello),
    /// Enter a room. May be sent in one flight with `hello`, before `welcome` has come.
    Join {
        /// Name of the room, as in a link.
        room: String,
        /// Microphone and camera as they are at this moment.
        #[serde(default)]
        media: MediaState,
        /// Token of an invite, if the link had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invite: Option<String>,
    },
    /// Leave the room, keeping the session.
    Leave,
    /// SDP offer for one participant.
    Offer {
        /// For whom.
        to: ParticipantId,
        /// Session description.
        sdp: String,
    },
    /// SDP answer for one participant.
    Answer {
        /// For whom.
        to: ParticipantId,
        /// Session description.
        sdp: String,
    },
    /// One trickled ICE candidate for one participant.
    Candidate {
        /// For whom.
        to: ParticipantId,
        /// The candidate.
        candidate: IceCandidate,
    },
    /// No more candidates of this gathering follow.
    EndOfCandidates {
        /// For whom.
        to: ParticipantId,
    },
    /// How large one participant's camera is shown here: they need not send more.
    Resolution {
        /// Whose camera.
        to: ParticipantId,
        /// The size.
        #[serde(flatten)]
        most: Resolution,
    },
    /// Microphone or camera went on or off.
    Media(MediaState),
    /// A line of chat for the whole room.
    Chat {
        /// Plain text, never markup.
        text: String,
    },
    /// Something about the board of tables.
    Board(BoardRequest),
    /// Something the host of a table does in its room.
    Room(RoomRequest),
    /// Is the path alive? Outside the count.
    Ping {
        /// Comes back in `pong`.
        nonce: u64,
    },
    /// Carries only the envelope's `ack`. Outside the count.
    Ack,
}

impl ClientMessage {
    /// Whether it has a number of its own, is acknowledged, and is said again after a resume.
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
            | ClientMessage::Media(_)
            | ClientMessage::Board(_)
            | ClientMessage::Room(_)
            | ClientMessage::Chat { .. } => true,
        }
    }
}

/// What a server may say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// Sent at once when the socket opens; no envelope.
    Challenge {
        /// 32 random bytes, base64url without padding.
        nonce: String,
        /// Protocol versions this server speaks.
        versions: Vec<u32>,
    },
    /// The hello was accepted and a new session begins; no envelope.
    Welcome(Welcome),
    /// The hello was accepted and the old session goes on; both sides now send again what the other has not received. No envelope.
    Resumed {
        /// Highest client message the server had received.
        received: u64,
        /// Fresh ICE servers: credentials are short-lived.
        ice_servers: Vec<IceServer>,
    },
    /// You are in the room.
    Joined {
        /// Name of the room.
        room: String,
        /// Your id in it.
        you: ParticipantId,
        /// Everybody else in it, earliest first. The newcomer offers to each of them.
        participants: Vec<Participant>,
    },
    /// You left the room, or were made to.
    Left {
        /// Why.
        reason: LeaveReason,
    },
    /// Somebody came in.
    ParticipantJoined {
        /// Who.
        participant: Participant,
    },
    /// Somebody went.
    ParticipantLeft {
        /// Who.
        id: ParticipantId,
        /// Why.
        reason: LeaveReason,
    },
    /// Somebody's connection to the server broke or came back; their seat is kept meanwhile.
    ParticipantConnection {
        /// Who.
        id: ParticipantId,
        /// Whether the server has a live socket to them.
        connected: bool,
    },
    /// SDP offer from a participant.
    Offer {
        /// From whom.
        from: ParticipantId,
        /// Session description.
        sdp: String,
    },
    /// SDP answer from a participant.
    Answer {
        /// From whom.
        from: ParticipantId,
        /// Session description.
        sdp: String,
    },
    /// One trickled ICE candidate from a participant.
    Candidate {
        /// From whom.
        from: ParticipantId,
        /// The candidate.
        candidate: IceCandidate,
    },
    /// No more candidates follow from a participant.
    EndOfCandidates {
        /// From whom.
        from: ParticipantId,
    },
    /// How large a participant shows one's own camera.
    Resolution {
        /// Who shows it.
        from: ParticipantId,
        /// The size.
        #[serde(flatten)]
        most: Resolution,
    },
    /// Somebody's microphone or camera went on or off.
    Media {
        /// Who.
        from: ParticipantId,
        /// Their state now.
        #[serde(flatten)]
        media: MediaState,
    },
    /// A line of chat; your own lines come back too, which puts them in one order for all.
    Chat {
        /// Who said it.
        from: ParticipantId,
        /// Plain text.
        text: String,
        /// Unix time in milliseconds by the server's clock.
        at: u64,
    },
    /// News of the board of tables.
    Board(BoardNews),
    /// News in or at the door of a table's room.
    Room(RoomNews),
    /// Answer to `ping`. Outside the count.
    Pong {
        /// As in the ping.
        nonce: u64,
    },
    /// Carries only the envelope's `ack`. Outside the count.
    Ack,
    /// Something could not be done; the session goes on unless the socket closes after it.
    Error(ErrorMessage),
    /// The server ends the session, for example because it is shutting down.
    Bye {
        /// Why.
        code: ErrorCode,
        /// After how many milliseconds a client may try again; absent: do not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
}

impl ServerMessage {
    /// Whether it must have a number. `error` and `bye` may come with one or without.
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
            | ServerMessage::Media { .. }
            | ServerMessage::Board(_)
            | ServerMessage::Room(_)
            | ServerMessage::Chat { .. } => true,
        }
    }
}

/// The client's first message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Protocol version the client chose from the challenge.
    pub version: u32,
    /// Ed25519 public key of the device, 32 bytes, base64url without padding.
    pub key: String,
    /// Signature over [`crate::identity::challenge_bytes`], 64 bytes, base64url without padding.
    pub signature: String,
    /// What people call this person: a label, proves nothing.
    pub name: String,
    /// Client software and version, for the server's log.
    #[serde(default)]
    pub client: String,
    /// Proof that this person knows the community's secret, [`crate::identity::member_proof`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The broken session to go on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Resume>,
}

/// Asks to go on with a broken session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resume {
    /// Which.
    pub session: SessionId,
    /// Highest server message the client had received.
    pub received: u64,
}

/// A new session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// Its name.
    pub session: SessionId,
    /// How long a broken session is kept, in milliseconds.
    pub resume_ms: u64,
    /// STUN and TURN servers with credentials for this person.
    pub ice_servers: Vec<IceServer>,
    /// What this server allows.
    pub limits: LimitsInfo,
    /// Whether this person is one of the community and may see its board. Absent: yes, the server is open.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub member: bool,
}

fn yes() -> bool {
    true
}

// serde hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_yes(member: &bool) -> bool {
    *member
}

/// One entry of WebRTC's `RTCConfiguration.iceServers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:` and `turn:` addresses.
    pub urls: Vec<String>,
    /// TURN user name: expiry as Unix seconds, a colon, the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// TURN password: base64 of HMAC-SHA1 over the user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// Limits a client can show or keep by itself; [`crate::limits`] has the defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitsInfo {
    /// Bytes of one frame.
    pub max_message_bytes: usize,
    /// People in one room.
    pub max_participants: usize,
    /// Characters (Unicode scalar values) of a line of chat.
    pub max_chat_chars: usize,
}

/// Somebody in the room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Participant {
    /// Id in this room.
    pub id: ParticipantId,
    /// Label.
    pub name: String,
    /// Device key, base64url: who it really is.
    pub key: String,
    /// Microphone and camera.
    #[serde(default)]
    pub media: MediaState,
}

/// What somebody sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaState {
    /// The microphone is heard.
    #[serde(default)]
    pub microphone: bool,
    /// The camera is seen.
    #[serde(default)]
    pub camera: bool,
}

/// The most that is of use of a picture, as `RTCResolutionRestriction` of W3C WebRTC (`scaleResolutionDownTo`): the picture
/// keeps its shape and fits within both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// In pixels; 0: it is not shown at all.
    pub max_width: u32,
    /// In pixels; 0: it is not shown at all.
    pub max_height: u32,
}

impl Resolution {
    /// Nobody looks.
    pub const NONE: Self = Self { max_width: 0, max_height: 0 };

    /// Whether nothing of the picture is shown.
    pub fn is_none(self) -> bool {
        self.max_width == 0 || self.max_height == 0
    }
}

/// `RTCIceCandidateInit` of W3C WebRTC, in the field's JSON spelling.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// The `candidate-attribute` of RFC 8839, with or without `candidate:` before it.
    pub candidate: String,
    /// Media line by its `mid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdp_mid: Option<String>,
    /// Media line by its place.
    #[serde(default, rename = "sdpMLineIndex", skip_serializing_if = "Option::is_none")]
    pub sdp_mline_index: Option<u16>,
    /// ICE user name fragment of the generation it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_fragment: Option<String>,
}

/// Why somebody is no longer in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// They left.
    Left,
    /// Their connection was gone for longer than a session is kept.
    Timeout,
    /// The same device joined the room again from elsewhere.
    Replaced,
    /// The server shuts down.
    ServerStopping,
    /// The host sent them out.
    Removed,
}

/// Something could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorMessage {
    /// Stable code, for programs and translations.
    pub code: ErrorCode,
    /// For people who read logs, in English.
    #[serde(default)]
    pub message: String,
    /// `seq` of the message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<u64>,
}

/// Stable error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, or not a message of the protocol.
    Malformed,
    /// Longer than a frame, name, chat line or SDP may be.
    TooLarge,
    /// Too many messages in too short a time.
    RateLimited,
    /// No protocol version in common.
    UnsupportedVersion,
    /// The signature does not fit the key and challenge.
    BadSignature,
    /// Such a message is not allowed now, for example `offer` before `joined`.
    UnexpectedMessage,
    /// The name is empty or has control characters.
    BadName,
    /// The room's name is not one.
    BadRoom,
    /// Every seat is taken.
    RoomFull,
    /// The server has no place for another session or room.
    ServerFull,
    /// The addressee is not in the room.
    NoSuchParticipant,
    /// The session to resume is unknown, too old, or another device's.
    CannotResume,
    /// The client read too slowly, its queue was full.
    TooSlow,
    /// The hello did not come in time.
    Timeout,
    /// The session was taken over by another connection of the same device.
    Replaced,
    /// The server is shutting down.
    ServerStopping,
    /// A fault of the server.
    Internal,
    /// The time of the table is over.
    SlotPast,
    /// The time is further away than the calendar goes.
    SlotTooFar,
    /// You have a seat at another table at that time.
    AlreadySeated,
    /// Every seat is taken; there is a line to wait in unless it is full too.
    TableFull,
    /// There is no such table, or it is over or taken away.
    NoSuchTable,
    /// You host as many tables as one person may, or the board is full.
    TooManyTables,
    /// The room opens only minutes before the table begins.
    TooEarly,
    /// Only the host may do that.
    NotHost,
    /// Only members of the community may do that.
    NotMember,
    /// The invite is not for this room, or was not made by this server.
    InviteInvalid,
    /// The invite is too old.
    InviteExpired,
    /// The invite was used by as many as it was made for.
    InviteUsed,
    /// The host did not let you in.
    KnockingRefused,
    /// The host has locked the room.
    RoomLocked,
    /// The host has sent you out of this room.
    Removed,
    /// The host asks you to be silent. Never an error: what a client shows for `muted`.
    Muted,
    /// The server could not write it down, so it did not happen.
    NotSaved,
    /// A code this version does not know.
    #[serde(other)]
    Unknown,
}
