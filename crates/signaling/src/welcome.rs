//! What a client learns when a session begins.

use serde::{Deserialize, Serialize};

use crate::account::AccountInfo;
use crate::ice::IceServer;
use crate::id::SessionId;

/// A new session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The session's id.
    pub session: SessionId,
    /// How long the server keeps a broken session, in milliseconds.
    pub resume_ms: u64,
    /// STUN and TURN servers with credentials for this person.
    pub ice_servers: Vec<IceServer>,
    /// The server's limits.
    pub limits: LimitsInfo,
    /// Whether this person is a member of the community and may see its board. Absent means yes: the server is open.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub member: bool,
    /// Whether people can sign in with an account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sign_in: bool,
    /// The account to which the device belongs, if it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountInfo>,
}

fn yes() -> bool {
    true
}

// serde passes a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_yes(member: &bool) -> bool {
    *member
}

/// Limits that a client displays or applies itself. [`crate::limits`] has the defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitsInfo {
    /// Bytes of one frame.
    pub max_message_bytes: usize,
    /// People in one room.
    pub max_participants: usize,
    /// People in one forwarded room. Absent: the server forwards no media.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_forwarded: Option<usize>,
    /// Characters (Unicode scalar values) of a line of chat.
    pub max_chat_chars: usize,
}
