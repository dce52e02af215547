//! The messages about accounts and their devices (PROTOCOL.md, *Accounts*).

use serde::{Deserialize, Serialize};

/// A client's request: `{"type":"account","do":"devices"}`. The server answers it with `done` or with an `error` about
/// it, after the change is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum AccountRequest {
    /// Adds this device to the account that has just signed in. The session goes on without it: the next one is a
    /// member's.
    AddDevice {
        /// The one-time code of the sign-in.
        code: String,
        /// The text whose SHA-256 the app gave when it opened the browser (RFC 7636 section 4.1). Pages have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verifier: Option<String>,
        /// What the person calls the device.
        #[serde(default)]
        name: String,
    },
    /// Asks for the devices of the account.
    Devices,
    /// Removes a device from the account. Its sessions end at once.
    RemoveDevice {
        /// Its key, base64url.
        key: String,
    },
}

/// What a server says about an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum AccountNews {
    /// The devices of the account, the earliest first.
    Devices {
        /// The devices.
        devices: Vec<AccountDevice>,
    },
    /// A request is done and stored.
    Done {
        /// Its `seq`.
        about: u64,
    },
}

/// A device of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct AccountDevice {
    /// Its key, base64url. The client finds itself by it.
    pub key: String,
    /// What the person calls it; may be empty.
    pub name: String,
    /// When it was added, Unix milliseconds.
    pub added_ms: u64,
    /// When it was last used, Unix milliseconds, to a day.
    pub used_ms: u64,
    /// Whether it is connected.
    pub connected: bool,
}

/// The account to which a client's device belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountInfo {
    /// The id by which the board knows the person, instead of the device's key.
    pub person: String,
    /// The person's name, from their account.
    pub name: String,
}
