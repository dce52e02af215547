//! The state of a call that a window displays.

use crate::link::{LinkState, Repair};
use crate::reactions::ShownReaction;
use crate::unsent::UnsentLine;
use serde::Serialize;
use signaling::board::Knocker;
use signaling::connection_report::ConnectionReport;
use signaling::message::{ErrorCode, Hand, LeaveReason, MediaState, Participant, ParticipantId};
use signaling::statement::StatementError;
use std::sync::Arc;
use std::time::Instant;

/// Stage of a call, as the person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(tag = "kind", content = "code", rename_all = "snake_case")]
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
    Reconnecting,
    /// The call ended.
    Ended(#[cfg_attr(feature = "typescript", ts(type = "string"))] Ended),
}

/// Why a call ended. Serialized as a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The person left.
    Left,
    /// The server or the room ended it.
    #[serde(untagged)]
    Removed(LeaveReason),
    /// The call could not be joined or continued.
    #[serde(untagged)]
    Refused(ErrorCode),
    /// Another machine answered, or one that cannot be distinguished from another.
    #[serde(untagged)]
    Untrusted(Distrust),
}

/// Why a server's identity is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
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

/// The current state of a call, but for its chat ([`crate::Call::chat`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct CallView {
    /// The stage.
    pub stage: Stage,
    /// When the connection to the server broke, while [`Stage::Reconnecting`].
    #[serde(skip)]
    pub reconnecting_since: Option<Instant>,
    /// The room.
    pub room: String,
    /// Own id, in a room.
    pub you: Option<ParticipantId>,
    /// Own microphone and camera, as wanted.
    pub media: MediaState,
    /// What the others have been sent. A device that does not work is off.
    #[serde(skip)]
    pub announced: MediaState,
    /// Our raised hand. `None` if it is down.
    pub hand: Option<Hand>,
    /// Our reaction, as the others see it now.
    pub reaction: Option<ShownReaction>,
    /// The others, earliest first.
    pub participants: Arc<[ParticipantView]>,
    /// Own lines that the server has not sent back yet, oldest first, at most [`crate::MAX_UNSENT_LINES`]. They wait
    /// for the server, or failed.
    pub unsent: Vec<UnsentLine>,
    /// The participant who may lock this room, admit people, mute and remove them. `None` if the room has no host, or
    /// its host is away for a moment. Also known while knocking.
    pub host: Option<ParticipantId>,
    /// Whether nobody new may join.
    pub locked: bool,
    /// The participant whom the host shows large to everybody.
    pub spotlight: Option<ParticipantId>,
    /// People who knock, earliest first. Only the host receives them.
    pub lobby: Vec<Knocker>,
    /// The last error, for a notice.
    #[serde(skip)]
    pub notice: Option<ErrorCode>,
    /// Whether media comes from the server's forwarder, and goes to it.
    #[serde(skip)]
    pub forwarded: bool,
    /// Number of notices so far. It distinguishes repeated notices.
    #[serde(skip)]
    pub notices: u64,
}

/// Another participant: what the server says of them, and the connection to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ParticipantView {
    /// The participant as the server describes them.
    #[serde(flatten)]
    pub info: Participant,
    /// The connection to them.
    pub link: LinkState,
    /// When it was interrupted, while [`LinkState::Interrupted`].
    #[serde(skip)]
    pub interrupted_since: Option<Instant>,
    /// What is done about it, while it is interrupted. `None` if that is not known.
    pub repair: Option<Repair>,
    /// Why there is no connection to them and will be none: a description was not signed by their device for us.
    #[cfg_attr(feature = "typescript", ts(type = "string | null"))]
    pub distrust: Option<StatementError>,
    /// Whether they cannot decrypt what we send through the server, because their app has announced no key.
    pub lacks_key: bool,
    /// Whether they are connected to the server.
    pub connected: bool,
    /// What their connection check found, since we last asked for it.
    pub report: Option<ConnectionReport>,
    /// Their reaction, while it is shown.
    pub reaction: Option<ShownReaction>,
}

/// A line of chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
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
