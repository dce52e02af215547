//! Identifiers and numbers in messages.

use serde::{Deserialize, Serialize};

/// Identifies one person in one room. The server assigns it and does not reuse it while the room exists.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(transparent)]
pub struct ParticipantId(pub String);

/// Identifies a signalling session: 128 random bits from the server. Whoever has it and the device key can resume the
/// session.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub String);

/// Place of a raised hand in the order in which the hands of a room were raised: earlier ones have smaller numbers. An
/// absent one is not raised.
pub type Hand = u32;
