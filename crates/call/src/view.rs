//! What a window shows of a call.

use crate::link::LinkState;
use crate::unsent::UnsentLine;
use signaling::board::Knocker;
use signaling::message::{ErrorCode, LeaveReason, MediaState, ParticipantId};
use std::sync::Arc;
use std::time::Instant;

/// Where a call stands, as the person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// In no room.
    Idle,
    /// On the way in.
    Joining,
    /// At the door: the host knows, and nobody sees or hears anything of us.
    Knocking,
    /// In the room.
    Joined,
    /// In the room, the server out of reach since then; media between people goes on.
    Reconnecting {
        /// Since when.
        since: Instant,
    },
    /// Over.
    Ended(Ended),
}

/// Why a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The person left.
    Left,
    /// The server or the room ended it.
    Removed(LeaveReason),
    /// It could not be joined or kept.
    Refused(ErrorCode),
    /// Another machine answered, or one that cannot be told from another.
    Untrusted(Distrust),
}

/// Why a server is not believed to be itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distrust {
    /// Its certificate is not the one that the link names.
    WrongCertificate,
    /// Nobody this machine trusts vouches for its certificate.
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

/// A call as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct CallView {
    /// Where it stands.
    pub stage: Stage,
    /// The room.
    pub room: String,
    /// Own id, once in.
    pub you: Option<ParticipantId>,
    /// Own microphone and camera, as wished.
    pub media: MediaState,
    /// What the others know of it: off where the device does not work.
    pub announced: MediaState,
    /// The others, earliest first.
    pub participants: Arc<[ParticipantView]>,
    /// Lines of chat, oldest first, at most [`crate::Call::CHAT_KEPT`]. The same `Arc` until a line comes, and the same of
    /// each line.
    pub chat: Arc<Vec<Arc<ChatLine>>>,
    /// Own lines that the room has not seen yet, oldest first, at most [`crate::MAX_UNSENT_LINES`]: they wait for the
    /// server, or were not said.
    pub unsent: Vec<UnsentLine>,
    /// Who keeps the door of this room: may lock it, let people in, mute and send out. Nobody where a room has none, or
    /// its host is away for a moment. Also known to who knocks.
    pub host: Option<ParticipantId>,
    /// Nobody new comes in.
    pub locked: bool,
    /// Who knocks, earliest first; only the host hears of them.
    pub lobby: Vec<Knocker>,
    /// The last thing that could not be done, for a notice.
    pub notice: Option<ErrorCode>,
    /// How many notices there were: the same one again is another one.
    pub notices: u64,
}

/// Somebody else in the room.
#[derive(Debug, Clone, PartialEq)]
pub struct ParticipantView {
    /// Who.
    pub id: ParticipantId,
    /// Label.
    pub name: String,
    /// Device key, base64url.
    pub key: String,
    /// Microphone and camera.
    pub media: MediaState,
    /// The way media takes to them.
    pub link: LinkState,
    /// Whether the server reaches them.
    pub connected: bool,
}

/// A line of chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatLine {
    /// Who said it.
    pub from: ParticipantId,
    /// Their name when they said it.
    pub name: String,
    /// Plain text, never markup.
    pub text: String,
    /// Unix time in milliseconds by the server's clock.
    pub at: u64,
}
