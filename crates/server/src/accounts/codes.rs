//! One-time codes of sign-ins.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Identity;

/// Codes that wait for their device. When full, those that have expired are dropped; if there are none, a sign-in fails.
pub(crate) const MAX_CODES: usize = 256;
/// How long a code is valid, in milliseconds.
pub(crate) const CODE_TIME: u64 = 5 * 60_000;

/// SHA-256 of the text that the program which asked for a code has to show with it (RFC 7636 section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Challenge([u8; 32]);

impl Challenge {
    /// Parses base64url.
    pub(crate) fn parse(text: &str) -> Option<Challenge> {
        let bytes = (text.len() == 43).then(|| URL_SAFE_NO_PAD.decode(text).ok())??;
        bytes.try_into().ok().map(Challenge)
    }

    fn fits(self, verifier: &str) -> bool {
        Sha256::digest(verifier.as_bytes()).as_slice() == self.0
    }
}

/// The codes, by their SHA-256: how long a comparison takes tells nothing about a code.
#[derive(Debug, Default)]
pub(super) struct Codes(HashMap<[u8; 32], Waiting>);

#[derive(Debug)]
struct Waiting {
    identity: Identity,
    challenge: Option<Challenge>,
    /// Unix milliseconds.
    until: u64,
}

impl Codes {
    pub(super) fn put(&mut self, now: u64, code: &str, identity: Identity, challenge: Option<Challenge>) -> bool {
        // The second bound is for a clock that was set back.
        self.0.retain(|_, waiting| now < waiting.until && waiting.until <= now + CODE_TIME);
        if self.0.len() >= MAX_CODES {
            return false;
        }
        self.0.insert(Sha256::digest(code).into(), Waiting { identity, challenge, until: now + CODE_TIME });
        true
    }

    /// Takes a code, which is void afterwards, also with a wrong verifier: whoever has it without the verifier has
    /// stolen it.
    pub(super) fn take(&mut self, now: u64, code: &str, verifier: Option<&str>) -> Option<Identity> {
        let Waiting { identity, challenge, until } = self.0.remove(Sha256::digest(code).as_slice())?;
        let fits = match (challenge, verifier) {
            (Some(challenge), Some(verifier)) => challenge.fits(verifier),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        (fits && now < until && until <= now + CODE_TIME).then_some(identity)
    }

    /// Voids the codes of an account.
    pub(super) fn forget(&mut self, issuer: &str, subject: &str) {
        self.0.retain(|_, Waiting { identity, .. }| identity.issuer != issuer || identity.subject != subject);
    }
}
