//! Statements: a device signs the DTLS certificate of its connection to one other participant.
//!
//! The server forwards session descriptions, so it could replace the certificate's fingerprint in them and connect to
//! both sides itself. A statement prevents this: the sender's device key signs the fingerprint together with the room
//! and both stays. A stay is a device key and the nonce of its `join`, so a statement is worthless for any other
//! person, room or day (PROTOCOL.md, *Statements*).

pub mod frames;

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::identity::{DeviceKey, Nonce, PublicKey, decode_nonce, encode_nonce};
use crate::message::Participant;

/// Domain separation: no other signature of a device key begins with these bytes.
const DOMAIN: &[u8] = b"lunchroom-statement-v1\0";

/// SHA-256 of a certificate in DER (RFC 8122).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// One stay of one device in a room: the device's key and the nonce of its `join`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// The device.
    pub key: PublicKey,
    /// 32 random bytes that the client drew for this `join`.
    pub nonce: Nonce,
}

/// What a signed value is for. A signature for one purpose is worthless for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The certificate of a DTLS connection.
    Dtls,
}

/// A statement about the sender's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement<'a> {
    /// What the value is for.
    pub purpose: Purpose,
    /// Name of the room.
    pub room: &'a str,
    /// The sender.
    pub from: Stay,
    /// The addressee.
    pub to: Stay,
    /// The sender's certificate.
    pub fingerprint: Fingerprint,
}

/// Signs the descriptions of one device, and checks those of others, during its stays in rooms, one stay at a time.
#[derive(Clone, PartialEq)]
pub struct Signer {
    key: DeviceKey,
    seed: [u8; 32],
    stays: u64,
}

/// Why a description is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, thiserror::Error)]
pub enum StatementError {
    /// There is no signature, or the participant was announced without a nonce.
    #[error("the description is not signed")]
    #[serde(rename = "statement_missing")]
    Missing,
    /// The signature is for another key, person, room, stay or certificate, or the description names several
    /// certificates.
    #[error("the description is not signed by the participant's device for this connection")]
    #[serde(rename = "statement_wrong")]
    Wrong,
}

impl StatementError {
    /// Stable code for programs and translations.
    pub fn code(self) -> &'static str {
        match self {
            StatementError::Missing => "statement_missing",
            StatementError::Wrong => "statement_wrong",
        }
    }
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Purpose::Dtls => b"dtls\0",
        }
    }
}

impl Stay {
    /// The stay of a participant as the server announced it; `None` without a valid key or nonce.
    pub fn of(participant: &Participant) -> Option<Stay> {
        let nonce = decode_nonce(participant.nonce.as_deref()?)?;
        Some(Stay { key: PublicKey::parse(&participant.key)?, nonce })
    }

    /// The nonce as in `join`.
    pub fn nonce_text(&self) -> String {
        encode_nonce(&self.nonce)
    }
}

impl Signer {
    /// Creates a signer for the stays of `key`, with 32 random bytes that nobody else knows and that are not used
    /// twice.
    pub fn new(key: DeviceKey, seed: [u8; 32]) -> Signer {
        Signer { key, seed, stays: 0 }
    }

    /// Begins another stay, with a new nonce. Descriptions for the previous one are no longer accepted.
    pub fn begin_stay(&mut self) {
        self.stays += 1;
    }

    /// The present stay.
    pub fn stay(&self) -> Stay {
        let mut hash = Sha256::new();
        hash.update(b"lunchroom-stay-v1\0");
        hash.update(self.seed);
        hash.update(self.stays.to_be_bytes());
        Stay { key: self.key.public(), nonce: hash.finalize().into() }
    }

    /// 32 secret bytes of the present stay, from which its keys for frames are made.
    pub fn stay_secret(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"lunchroom-stay-secret-v1\0");
        hash.update(self.seed);
        hash.update(self.stays.to_be_bytes());
        hash.finalize().into()
    }

    /// Signs our description for somebody in the room. `None` if it names no certificate.
    pub fn sign(&self, room: &str, to: Stay, sdp: &str) -> Option<String> {
        let fingerprint = Fingerprint::of_description(sdp)?;
        Some(Statement { purpose: Purpose::Dtls, room, from: self.stay(), to, fingerprint }.sign(&self.key))
    }

    /// Checks a description for us from somebody in the room. Returns its certificate's fingerprint.
    ///
    /// # Errors
    /// [`StatementError`] if the description is not accepted.
    pub fn verify(
        &self,
        room: &str,
        from: Stay,
        sdp: &str,
        signature: Option<&str>,
    ) -> Result<Fingerprint, StatementError> {
        let signature = Some(signature.ok_or(StatementError::Missing)?);
        let fingerprint = Fingerprint::of_description(sdp).ok_or(StatementError::Wrong)?;
        let statement = Statement { purpose: Purpose::Dtls, room, from, to: self.stay(), fingerprint };
        statement.verify(signature).map(|()| fingerprint)
    }
}

impl fmt::Debug for Signer {
    /// Shows neither the secret key nor the seed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("key", &self.key).field("stays", &self.stays).finish_non_exhaustive()
    }
}

impl Statement<'_> {
    /// The bytes that are signed. Every part has a fixed length, or ends with a zero byte, which it cannot contain.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = DOMAIN.to_vec();
        bytes.extend_from_slice(self.purpose.label());
        bytes.extend_from_slice(self.room.as_bytes());
        bytes.push(0);
        for stay in [&self.from, &self.to] {
            bytes.extend_from_slice(stay.key.as_bytes());
            bytes.extend_from_slice(&stay.nonce);
        }
        bytes.extend_from_slice(&self.fingerprint.0);
        bytes
    }

    /// Signs the statement; base64url. `key` is the secret half of `from.key`.
    pub fn sign(&self, key: &DeviceKey) -> String {
        key.sign_bytes(&self.bytes())
    }

    /// Checks a received signature.
    ///
    /// # Errors
    /// [`StatementError::Missing`] without a signature, [`StatementError::Wrong`] if it is not the sender's for exactly
    /// this statement, or if the sender is the addressee.
    pub fn verify(&self, signature: Option<&str>) -> Result<(), StatementError> {
        let signature = signature.ok_or(StatementError::Missing)?;
        // A server that announces our own key could send us our own statement.
        let is_reflected = self.from.key == self.to.key;
        if is_reflected || self.room.contains('\0') || !self.from.key.verify(&self.bytes(), signature) {
            return Err(StatementError::Wrong);
        }
        Ok(())
    }
}

impl Fingerprint {
    /// Finds the SHA-256 fingerprint that a session description names, in the session and in every media line.
    ///
    /// Returns `None` if there is none, if two differ, or if one is malformed. Fingerprints with other hashes do not
    /// count: no client may hand them to its WebRTC library.
    pub fn of_description(sdp: &str) -> Option<Fingerprint> {
        let mut found = None;
        for line in sdp.split(['\r', '\n']) {
            let Some((hash, digits)) = attribute(line) else { continue };
            if !hash.eq_ignore_ascii_case("sha-256") {
                continue;
            }
            let fingerprint = Fingerprint::parse(digits)?;
            if *found.get_or_insert(fingerprint) != fingerprint {
                return None;
            }
        }
        found
    }

    /// Parses 32 pairs of hexadecimal digits with colons between them.
    fn parse(text: &str) -> Option<Fingerprint> {
        let mut bytes = [0; 32];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs.next().filter(|pair| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        pairs.next().is_none().then_some(Fingerprint(bytes))
    }
}

impl fmt::Display for Fingerprint {
    /// `AB:CD:...`, as in `a=fingerprint`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

/// Hash and digits of a fingerprint line.
fn attribute(line: &str) -> Option<(&str, &str)> {
    const NAME: &str = "a=fingerprint:";
    let line = line.trim();
    let value = line.get(..NAME.len()).filter(|name| name.eq_ignore_ascii_case(NAME)).map(|_| &line[NAME.len()..])?;
    let (hash, digits) = value.trim().split_once([' ', '\t']).unwrap_or((value.trim(), ""));
    Some((hash, digits.trim()))
}

#[cfg(test)]
mod tests;
