//! Everything that a server holds about one person (PROTOCOL.md, *about_me*).

use serde::{Deserialize, Serialize};

use super::{AboutRound, Act, Presence, Suspension, Waiting};
use crate::account::AccountDevice;
use crate::avatar::Avatar;

/// What the board of a server holds about the person who asked, and nothing about anybody else. Where it would be too
/// long for a message, [`AboutMe::left_out`] counts what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct AboutMe {
    /// The server's clock, Unix milliseconds.
    pub now_ms: u64,
    /// IANA time zone of the community.
    pub zone: String,
    /// The id of the person: the device key, or that of the account's first device.
    pub key: String,
    /// The names that are stored with the key; usually one.
    pub names: Vec<String>,
    /// Whether the person is a member.
    pub member: bool,
    /// What the members see that the person is doing. It is not stored.
    pub presence: Presence,
    /// Number of connections with this key. It is not stored.
    pub sessions: u32,
    /// Tables with this key, by beginning. The latest are left out first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "typescript", ts(as = "Option<Vec<AboutTable>>", optional))]
    pub tables: Vec<AboutTable>,
    /// Rounds with this key, by beginning. The latest are left out first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "typescript", ts(as = "Option<Vec<AboutRound>>", optional))]
    pub rounds: Vec<AboutRound>,
    /// The wait to eat now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub waiting: Option<Waiting>,
    /// Number of people who wait to eat now and named this person.
    #[serde(default)]
    pub named_by: u32,
    /// How others see the person. The photo is what they sent, without its metadata.
    #[serde(default, skip_serializing_if = "Avatar::is_default")]
    #[cfg_attr(feature = "typescript", ts(as = "Option<Avatar>", optional))]
    pub avatar: Avatar,
    /// Whether the person's calendar has an address.
    #[serde(default)]
    pub calendar: bool,
    /// Invites that the person has used, by expiry. Those that expire first are left out first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "typescript", ts(as = "Option<Vec<UsedInvite>>", optional))]
    pub invites: Vec<UsedInvite>,
    /// When the person last met others, newest first. The oldest are left out first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "typescript", ts(as = "Option<Vec<Meeting>>", optional))]
    pub met: Vec<Meeting>,
    /// The person's account, if they have signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub account: Option<AboutAccount>,
    /// Number of people whom the person has blocked.
    #[serde(default)]
    pub blocked: u32,
    /// Reports by the person that wait for a steward, newest first. Those about the person are not here: they would name
    /// others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "typescript", ts(as = "Option<Vec<AboutReport>>", optional))]
    pub reports: Vec<AboutReport>,
    /// What stewards did to the person in the last days, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "typescript", ts(as = "Option<Vec<Act>>", optional))]
    pub acts: Vec<Act>,
    /// The person's suspension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub suspension: Option<Suspension>,
    /// Days for which the server remembers who met whom.
    pub met_days: u32,
    /// Number of tables, rounds, invites, meetings, reports and acts that are missing above.
    #[serde(default)]
    pub left_out: u32,
}

/// An account that the server has stored, with the person's devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct AboutAccount {
    /// The issuer (`iss`).
    pub issuer: String,
    /// Id of the account at the issuer (`sub`).
    pub subject: String,
    /// The name that others see.
    pub name: String,
    /// The devices, the earliest first.
    pub devices: Vec<AccountDevice>,
}

/// A table, and what the person has to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct AboutTable {
    /// Id.
    pub id: String,
    /// Topic; may be empty.
    pub topic: String,
    /// Menu or place; may be empty.
    pub place: String,
    /// Beginning, Unix milliseconds.
    pub starts_ms: u64,
    /// End, Unix milliseconds.
    pub ends_ms: u64,
    /// Whether the table repeats each week.
    #[serde(default)]
    pub weekly: bool,
    /// Whether the person is the host.
    #[serde(default)]
    pub host: bool,
    /// Whether the person has a seat.
    #[serde(default)]
    pub seat: bool,
    /// The person's place in line, from 1; 0 for none.
    #[serde(default)]
    pub place_in_line: u16,
    /// Whether the person has been in the call, and so need not knock.
    #[serde(default)]
    pub entered: bool,
    /// Whether the host has removed the person.
    #[serde(default)]
    pub removed: bool,
    /// Whether the person's calendar still shows it as cancelled. The person has no seat then.
    #[serde(default)]
    pub cancelled: bool,
}

/// A report by the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct AboutReport {
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// What happened, in the person's words.
    pub text: String,
}

/// An invite that the person has used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct UsedInvite {
    /// When it expires, Unix milliseconds. The server forgets its use then.
    pub expires_ms: u64,
}

/// The last meeting with some people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Meeting {
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// Number of people whom the person has not met since.
    pub people: u32,
}
