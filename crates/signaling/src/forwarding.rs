//! Rooms whose media goes through the server's forwarder (PROTOCOL.md, *Forwarded rooms*).

use serde::{Deserialize, Serialize};

use crate::id::ParticipantId;

/// The feature of a client that can be in a forwarded room ([`crate::message::Hello::features`]).
pub const FEATURE: &str = "forwarding";
/// The id of the forwarder in `offer` and `answer`. No participant has it.
pub const FORWARDER: &str = "server";

/// What is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Published {
    /// A voice.
    Audio,
    /// A camera.
    Camera,
    /// A screen or window.
    Screen,
    /// A kind that this version does not know.
    #[serde(other)]
    Unknown,
}

/// A picture that a client displays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Displayed {
    /// The participant.
    pub id: ParticipantId,
    /// Their camera or screen.
    pub kind: Published,
    /// Height of the tile in pixels of the screen.
    pub height: u32,
    /// Higher ones are served first.
    #[serde(default)]
    pub priority: u8,
}

/// How large others display the client's own pictures: the height of the largest tile in pixels of its screen, 0 if nobody
/// does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnDisplayed {
    /// The camera.
    pub camera: u32,
    /// The shared screen.
    pub screen: u32,
}

/// What a line of the client's connection to the forwarder carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotInfo {
    /// The line (`a=mid`).
    pub mid: String,
    /// Whose picture or voice it is.
    pub id: ParticipantId,
    /// What it is.
    pub kind: Published,
    /// The contributing source (CSRC) of the participant's packets.
    pub csrc: u32,
}

/// The key of one device for one stay, to which others seal the keys of their frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameKey {
    /// X25519 public key, base64url.
    pub key: String,
    /// Signature of the announcement ([`crate::statement::frames`]), base64url.
    pub signature: String,
}

/// A sender's key that is sealed to one other participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedKey {
    /// The participant.
    pub to: ParticipantId,
    /// The sealed key (RFC 9180), base64url.
    pub sealed: String,
    /// Signature of what the key is bound to ([`crate::statement::frames::Giving`]), base64url.
    pub signature: String,
}
