//! A device's identity: an Ed25519 key, which the `hello` proves by signing the server's challenge.
//!
//! A server could forward the challenge of another server and use the signature there. A client therefore has a
//! separate key for each server, which [`DeviceKey::for_server`] derives from its secret. A signature for one server
//! is worthless at another, and two servers cannot tell that they know the same person.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::message::{ErrorCode, Hello};

/// 32 random bytes, of a `challenge` or of a `join`.
pub type Nonce = [u8; 32];

/// A device's secret key. `Debug` shows only the public half.
#[derive(Clone)]
pub struct DeviceKey(SigningKey);

/// The public half of a [`DeviceKey`], which identifies a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl DeviceKey {
    /// Creates a key from 32 secret random bytes, which the device stores.
    pub fn from_secret(secret: &[u8; 32]) -> DeviceKey {
        DeviceKey(SigningKey::from_bytes(secret))
    }

    /// Derives the key for the server with this `origin` ([`crate::link::Link::origin`]).
    pub fn for_server(&self, origin: &str) -> DeviceKey {
        let mut hash = Sha256::new();
        hash.update(b"lunchroom-server-key-v1\0");
        hash.update(self.0.as_bytes());
        hash.update(origin.as_bytes());
        DeviceKey(SigningKey::from_bytes(&hash.finalize().into()))
    }

    /// Returns the public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs a challenge. Returns base64url, as in `hello.signature`.
    pub fn sign(&self, nonce: &Nonce, version: u32) -> String {
        self.sign_bytes(&challenge_bytes(nonce, version))
    }

    /// Signs bytes that begin with a domain of their own. Returns base64url.
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.0.sign(bytes).to_bytes())
    }
}

impl PartialEq for DeviceKey {
    fn eq(&self, other: &Self) -> bool {
        self.public() == other.public()
    }
}

impl std::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceKey({})", self.public())
    }
}

impl PublicKey {
    /// Parses the base64url form of `hello.key`. Returns `None` if it is not 32 bytes.
    pub fn parse(text: &str) -> Option<PublicKey> {
        decode(text).map(PublicKey)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `signature` (base64url) is this key's over `bytes`.
    ///
    /// Keys of small order and malleable signatures are rejected (`verify_strict`), so each key has one encoding.
    pub(crate) fn verify(&self, bytes: &[u8], signature: &str) -> bool {
        let signature: Option<[u8; 64]> = decode(signature);
        let key = VerifyingKey::from_bytes(&self.0).ok();
        let given = key.zip(signature);
        given.is_some_and(|(key, signature)| key.verify_strict(bytes, &Signature::from_bytes(&signature)).is_ok())
    }
}

impl std::fmt::Display for PublicKey {
    /// Base64url without padding, 43 characters.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Returns the bytes that a `hello` signs: `lunchroom-hello-v1`, a zero byte, the nonce.
pub fn challenge_bytes(nonce: &Nonce, version: u32) -> Vec<u8> {
    let mut bytes = format!("lunchroom-hello-v{version}\0").into_bytes();
    bytes.extend_from_slice(nonce);
    bytes
}

/// Encodes a nonce.
pub fn encode_nonce(nonce: &Nonce) -> String {
    URL_SAFE_NO_PAD.encode(nonce)
}

/// Decodes a nonce. Returns `None` if it is not 32 bytes of base64url.
pub fn decode_nonce(text: &str) -> Option<Nonce> {
    decode(text)
}

/// Verifies that a `hello` was signed for this nonce by the key that it names.
pub fn verify(hello: &Hello, nonce: &Nonce) -> Result<PublicKey, ErrorCode> {
    let key = PublicKey::parse(&hello.key).ok_or(ErrorCode::BadSignature)?;
    let is_valid = key.verify(&challenge_bytes(nonce, hello.version), &hello.signature);
    if is_valid { Ok(key) } else { Err(ErrorCode::BadSignature) }
}

/// Computes the proof that the owner of `key` knows the community's secret: HMAC-SHA256 (RFC 2104) with the secret's
/// UTF-8 as the key, over `lunchroom-member-v1`, a zero byte, the challenge's nonce and the device's public key;
/// base64url.
///
/// The secret itself is never sent. The proof is worthless on another connection or for another device.
pub fn member_proof(secret: &str, nonce: &Nonce, key: PublicKey) -> String {
    member_mac(secret, nonce, key).map(|mac| URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())).unwrap_or_default()
}

/// Whether a `hello.member` proves the secret. Compares in constant time.
pub fn is_member(proof: &str, secret: &str, nonce: &Nonce, key: PublicKey) -> bool {
    let given: Option<[u8; 32]> = decode(proof);
    given.zip(member_mac(secret, nonce, key)).is_some_and(|(given, mac)| mac.verify_slice(&given).is_ok())
}

fn member_mac(secret: &str, nonce: &Nonce, key: PublicKey) -> Option<Hmac<Sha256>> {
    // HMAC accepts keys of any length, so this never fails.
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(b"lunchroom-member-v1\0");
    mac.update(nonce);
    mac.update(&key.0);
    Some(mac)
}

/// Encodes bytes as base64url.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes base64url. Returns `None` if it is not exactly `N` bytes.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    // A longer text cannot decode to N bytes. Do not decode a megabyte to find out.
    if text.len() > 2 * N {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(key: &DeviceKey, nonce: &Nonce) -> Hello {
        Hello {
            version: 1,
            key: key.public().to_string(),
            signature: key.sign(nonce, 1),
            name: "Ada".into(),
            client: String::new(),
            member: None,
            features: Vec::new(),
            resume: None,
        }
    }

    #[test]
    fn the_signed_text_is_the_documented_prefix_and_the_nonce() {
        let bytes = challenge_bytes(&[7; 32], 1);
        assert_eq!(&bytes[..19], b"lunchroom-hello-v1\0");
        assert_eq!(&bytes[19..], [7; 32]);
    }

    #[test]
    fn a_signed_hello_proves_its_key() {
        let key = DeviceKey::from_secret(&[1; 32]);
        assert_eq!(verify(&hello(&key, &[2; 32]), &[2; 32]), Ok(key.public()));
    }

    #[test]
    fn a_modified_hello_is_refused() {
        let key = DeviceKey::from_secret(&[1; 32]);
        let nonce = [2; 32];
        let good = hello(&key, &nonce);
        let refused = |hello: &Hello, nonce: &Nonce| assert_eq!(verify(hello, nonce), Err(ErrorCode::BadSignature));
        refused(&good, &[3; 32]);
        refused(&Hello { version: 2, ..good.clone() }, &nonce);
        refused(&Hello { key: DeviceKey::from_secret(&[4; 32]).public().to_string(), ..good.clone() }, &nonce);
        refused(&Hello { signature: key.sign(&[3; 32], 1), ..good.clone() }, &nonce);
        refused(&Hello { signature: "A".repeat(86), ..good.clone() }, &nonce);
        refused(&Hello { signature: String::new(), ..good.clone() }, &nonce);
        refused(&Hello { key: "A".repeat(1 << 20), ..good.clone() }, &nonce);
        refused(&Hello { key: format!("{}=", good.key), ..good }, &nonce);
    }

    #[test]
    fn the_all_zero_key_of_small_order_is_refused() {
        // With the identity point as the key, R = identity and s = 0 would pass a lax check for any message.
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        let forged = Hello {
            key: URL_SAFE_NO_PAD.encode(identity),
            signature: URL_SAFE_NO_PAD.encode(signature),
            ..hello(&DeviceKey::from_secret(&[1; 32]), &[2; 32])
        };
        assert_eq!(verify(&forged, &[2; 32]), Err(ErrorCode::BadSignature));
    }

    #[test]
    fn each_server_sees_its_own_stable_key() {
        let device = DeviceKey::from_secret(&[1; 32]);
        let here = device.for_server("wss://here.example");
        assert_eq!(here.public(), device.for_server("wss://here.example").public());
        assert_ne!(here.public(), device.for_server("wss://there.example").public());
        assert_ne!(here.public(), device.public());
    }

    #[test]
    fn a_member_proof_is_bound_to_challenge_and_key() {
        let (ada, ben) = (DeviceKey::from_secret(&[1; 32]).public(), DeviceKey::from_secret(&[2; 32]).public());
        let proof = member_proof("kimchi", &[7; 32], ada);
        assert!(is_member(&proof, "kimchi", &[7; 32], ada));
        assert!(!is_member(&proof, "bibimbap", &[7; 32], ada));
        assert!(!is_member(&proof, "kimchi", &[8; 32], ada));
        assert!(!is_member(&proof, "kimchi", &[7; 32], ben));
        for wrong in ["", "AAAA", "kimchi"] {
            assert!(!is_member(wrong, "kimchi", &[7; 32], ada), "{wrong}");
        }
    }

    #[test]
    fn debug_output_hides_the_secret() {
        let key = DeviceKey::from_secret(&[1; 32]);
        assert_eq!(format!("{key:?}"), format!("DeviceKey({})", key.public()));
    }

    #[test]
    fn nonces_round_trip_as_text() {
        assert_eq!(decode_nonce(&encode_nonce(&[9; 32])), Some([9; 32]));
        assert_eq!(decode_nonce("AAAA"), None);
        assert_eq!(decode_nonce("!"), None);
    }
}
