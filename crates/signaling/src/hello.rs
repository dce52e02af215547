//! What a client says first.

use serde::{Deserialize, Serialize};

use crate::id::SessionId;

/// The client's first message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Protocol version the client chose from the challenge.
    pub version: u32,
    /// Ed25519 public key of the device, 32 bytes, base64url without padding.
    pub key: String,
    /// Signature over [`crate::identity::challenge_bytes`], 64 bytes, base64url without padding.
    pub signature: String,
    /// Display name. It proves nothing.
    pub name: String,
    /// Client software and version, for the server's log.
    #[serde(default)]
    pub client: String,
    /// Proof that this person knows the community's secret ([`crate::identity::member_proof`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// What this client can do beyond version 1. Unknown names mean nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// The broken session to resume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Resume>,
}

/// A request to resume a broken session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resume {
    /// The session.
    pub session: SessionId,
    /// Highest server message that the client has received.
    pub received: u64,
}
