//! User names and passwords of the TURN REST API (draft-uberti-behave-turn-rest-00): the user name is
//! `expiry:session`, the password is base64(HMAC-SHA1(secret, user name)). coturn's `use-auth-secret` is compatible.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use crate::limits::MAX_USERNAME_BYTES;

/// The secrets from which passwords are computed.
#[derive(Clone)]
pub struct Secrets {
    /// For credentials that this server issues for this relay. New at each start and known to nobody else. The
    /// credentials are valid only while their session lives.
    pub own: [u8; 32],
    /// Shared with other servers, or with anybody to whom the operator gives it. Its credentials are valid until they
    /// expire, and their owners count as members.
    pub shared: Option<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

/// The contents of a user name. They are not trusted until a request's integrity proves them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UserName<'a> {
    /// Unix time in seconds.
    pub(crate) expires: u64,
    pub(crate) session: &'a str,
}

impl<'a> UserName<'a> {
    /// Returns `None` if the text has neither our form nor coturn's.
    pub(crate) fn parse(text: &'a str) -> Option<UserName<'a>> {
        let (expiry, session) = text.split_once(':').filter(|_| text.len() <= MAX_USERNAME_BYTES)?;
        Some(UserName { expires: expiry.parse().ok()?, session })
    }

    /// Identifies the person: the same for all sessions of one device. An owner of the shared secret may make user
    /// names of another form; each then counts as a person.
    pub(crate) fn person(&self) -> &'a str {
        self.session.rsplit_once('.').map_or(self.session, |(_, mark)| mark)
    }
}

/// Computes the password for a user name.
pub fn password(secret: &[u8], username: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else { unreachable!("HMAC takes a key of any length") };
    mac.update(username.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_match_those_of_coturn() {
        // echo -n 1700000000:s.p | openssl dgst -sha1 -hmac secret -binary | base64
        assert_eq!(password(b"secret", "1700000000:s.p"), "7hMPhSA5ZVKWrqwWzSNTRbonyKM=");
    }

    #[test]
    fn a_username_contains_its_expiry_and_owner() {
        let name = UserName::parse("1700000000:s:x.p").unwrap();
        assert_eq!((name.expires, name.session, name.person()), (1_700_000_000, "s:x.p", "p"));
        assert_eq!(UserName::parse("1:alone").unwrap().person(), "alone");
        for bad in ["", "1", "x:s.p", "-1:s.p", ":", &format!("99999999999:{}.p", "s".repeat(200))] {
            assert_eq!(UserName::parse(bad), None, "{bad}");
        }
    }
}
