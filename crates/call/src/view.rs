//! The state of a call that a window displays.

use crate::link::LinkState;
use crate::unsent::UnsentLine;
use signaling::board::Knocker;
use signaling::message::{ErrorCode, LeaveReason, MediaState, ParticipantId};
use signaling::statement::StatementError;
use std::sync::Arc;
use std::time::Instant;

/// Stage of a call, as the person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// In no room.
    Idle,
    /// Joining a room.
    Joining,
    /// Waiting to be admitted. The host has been informed, and nobody receives media from us.
    Knocking,
    /// In the room.
    Joined,
    /// In a room, but disconnected from the server. Media between people continues.
    Reconnecting {
        /// When the connection broke.
        since: Instant,
    },
    /// The call ended.
    Ended(Ended),
}

/// Why a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The person left.
    Left,
    /// The server or the room ended it.
    Removed(LeaveReason),
    /// The call could not be joined or continued.
    Refused(ErrorCode),
    /// Another machine answered, or one that cannot be distinguished from another.
    Untrusted(Distrust),
}

/// Why a server's identity is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distrust {
    /// Its certificate is not the one that the link names.
    WrongCertificate,
    /// No authority that this machine trusts signed its certificate.
    CertificateRefused,
}

impl Distrust {
    /// Stable code for programs and translations.
    pub fn code(self) -> &'static str {
        match self {
            Distrust::WrongCertificate => "wrong_certificate",
            Distrust::CertificateRefused => "certificate_refused",
        }
    }
}

/// The current state of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallView {
    /// The stage.
    pub stage: Stage,
    /// The room.
    pub room: String,
    /// Own id, in a room.
    pub you: Option<ParticipantId>,
    /// Own microphone and camera, as wanted.
    pub media: MediaState,
    /// What the others have been sent. A device that does not work is off.
    pub announced: MediaState,
    /// The others, earliest first.
    pub participants: Arc<[ParticipantView]>,
    /// Lines of chat, oldest first, at most [`crate::Call::CHAT_KEPT`]. The `Arc` changes only when a line arrives;
    /// the `Arc` of a line never changes.
    pub chat: Arc<Vec<Arc<ChatLine>>>,
    /// Own lines that the server has not sent back yet, oldest first, at most [`crate::MAX_UNSENT_LINES`]. They wait
    /// for the server, or failed.
    pub unsent: Vec<UnsentLine>,
    /// The participant who may lock this room, admit people, mute and remove them. `None` if the room has no host, or
    /// its host is away for a moment. Also known while knocking.
    pub host: Option<ParticipantId>,
    /// Whether nobody new may join.
    pub locked: bool,
    /// People who knock, earliest first. Only the host receives them.
    pub lobby: Vec<Knocker>,
    /// The last error, for a notice.
    pub notice: Option<ErrorCode>,
    /// Number of notices so far. It distinguishes repeated notices.
    pub notices: u64,
}

/// Another participant.
#[derive(Debug, Clone, PartialEq)]
pub struct ParticipantView {
    /// Their id.
    pub id: ParticipantId,
    /// Display name.
    pub name: String,
    /// Device key, base64url.
    pub key: String,
    /// Microphone and camera.
    pub media: MediaState,
    /// The connection to them.
    pub link: LinkState,
    /// Why there is no connection to them and will be none: a description was not signed by their device for us.
    pub distrust: Option<StatementError>,
    /// Whether they are connected to the server.
    pub connected: bool,
}

/// A line of chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatLine {
    /// The author.
    pub from: ParticipantId,
    /// The author's name at that time.
    pub name: String,
    /// Plain text, never markup.
    pub text: String,
    /// Unix time in milliseconds by the server's clock.
    pub at: u64,
}
