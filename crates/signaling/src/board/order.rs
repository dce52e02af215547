//! Order in the community: reports, blocks, and what stewards do (PROTOCOL.md, *Order*).

use serde::{Deserialize, Serialize};

use super::Sitter;
use crate::id::ParticipantId;

/// Whom a report or a block concerns: somebody in the same call, or somebody on the board. Exactly one is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whom {
    /// Id in the room in which the sender is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant: Option<ParticipantId>,
    /// Person id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
}

/// What a steward did to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ActKind {
    /// Closed a table at which the person had a seat.
    Closed,
    /// Suspended the person.
    Suspended,
    /// Lifted the person's suspension.
    Lifted,
    /// A kind that this version does not know. It is not shown.
    #[serde(other)]
    #[cfg_attr(feature = "typescript", ts(skip))]
    Unknown,
}

/// What a steward did to a person, as that person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Act {
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// What.
    pub kind: ActKind,
    /// The topic of the closed table; may be empty.
    #[serde(default)]
    pub topic: String,
    /// Why; may be empty when a suspension is lifted.
    #[serde(default)]
    pub reason: String,
    /// The end of the suspension, Unix milliseconds; absent: until it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub until_ms: Option<u64>,
}

/// A suspension that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Suspension {
    /// Why.
    pub reason: String,
    /// Its end, Unix milliseconds; absent: until it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub until_ms: Option<u64>,
}

/// What of the community's order concerns one person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Order {
    /// Whether the person is a steward.
    #[serde(default)]
    pub steward: bool,
    /// Number of reports that wait for a steward; 0 for everybody else.
    #[serde(default)]
    pub reports: u32,
    /// People whom the person has blocked, by id.
    #[serde(default)]
    pub blocked: Vec<Sitter>,
    /// What was done to the person and not yet acknowledged, earliest first.
    #[serde(default)]
    pub acts: Vec<Act>,
    /// The person's suspension. They see an empty board meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub suspension: Option<Suspension>,
}

/// What waits for the stewards, and what they have done. Newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct OrderBook {
    /// Reports.
    #[serde(default)]
    pub reports: Vec<OrderReport>,
    /// Suspensions in force.
    #[serde(default)]
    pub suspended: Vec<SuspendedPerson>,
    /// What stewards did in the last days.
    #[serde(default)]
    pub acts: Vec<StewardAct>,
    /// Number of entries that are missing above, because the message would be too long.
    #[serde(default)]
    pub left_out: u32,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct OrderReport {
    /// Number.
    pub id: u32,
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// Who reports.
    pub by: Sitter,
    /// Who is reported.
    pub of: Sitter,
    /// What happened, in the words of whoever reports it.
    pub text: String,
    /// Whether both were in one call.
    #[serde(default)]
    pub in_call: bool,
}

/// Somebody who is suspended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct SuspendedPerson {
    /// Id to lift the suspension by.
    pub id: String,
    /// Name; empty if the person has erased themselves.
    pub name: String,
    /// Since when, Unix milliseconds.
    pub since_ms: u64,
    /// The suspension.
    #[serde(flatten)]
    pub suspension: Suspension,
}

/// What a steward did, as stewards see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct StewardAct {
    /// Name of the person to whom it was done; empty if they have erased themselves.
    pub name: String,
    /// Name of the steward; empty if they have erased themselves.
    pub steward: String,
    /// What was done.
    #[serde(flatten)]
    pub act: Act,
}
