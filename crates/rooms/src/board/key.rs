//! The identity of a person.

/// Identity of a person: the device key, base64url.
pub type Key = String;
