//! User names and passwords of the TURN REST API (draft-uberti-behave-turn-rest-00): the user name is `expiry:session`,
//! the password base64(HMAC-SHA1(secret, user name)). coturn's `use-auth-secret` understands the same.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use crate::limits::MAX_USERNAME_BYTES;

/// With what passwords are made.
#[derive(Clone)]
pub struct Secrets {
    /// Of the credentials that this server gives out for this relay. New at each start and known to nobody else: they are
    /// good only while the session lives that they name.
    pub own: [u8; 32],
    /// Shared with other servers, and with whoever else the operator tells it: such credentials are good until they
    /// expire, and their owners count as members.
    pub shared: Option<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

/// What a user name says of itself. Nothing of it is true until a request's integrity has proved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UserName<'a> {
    /// Unix time in seconds.
    pub(crate) expires: u64,
    pub(crate) session: &'a str,
}

impl<'a> UserName<'a> {
    /// `None` if it is none of ours, or of coturn's form.
    pub(crate) fn parse(text: &'a str) -> Option<UserName<'a>> {
        let (expiry, session) = text.split_once(':').filter(|_| text.len() <= MAX_USERNAME_BYTES)?;
        Some(UserName { expires: expiry.parse().ok()?, session })
    }

    /// Marks the person: the same for each session of one device. Whoever has the shared secret may make user names of
    /// another form: each is a person then.
    pub(crate) fn person(&self) -> &'a str {
        self.session.rsplit_once('.').map_or(self.session, |(_, mark)| mark)
    }
}

/// The password of a user name.
pub fn password(secret: &[u8], username: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else { unreachable!("HMAC takes a key of any length") };
    mac.update(username.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_of_coturn() {
        // echo -n 1700000000:s.p | openssl dgst -sha1 -hmac secret -binary | base64
        assert_eq!(password(b"secret", "1700000000:s.p"), "7hMPhSA5ZVKWrqwWzSNTRbonyKM=");
    }

    #[test]
    fn a_user_name_says_when_it_expires_and_whose_it_is() {
        let name = UserName::parse("1700000000:s:x.p").unwrap();
        assert_eq!((name.expires, name.session, name.person()), (1_700_000_000, "s:x.p", "p"));
        assert_eq!(UserName::parse("1:alone").unwrap().person(), "alone");
        for bad in ["", "1", "x:s.p", "-1:s.p", ":", &format!("99999999999:{}.p", "s".repeat(200))] {
            assert_eq!(UserName::parse(bad), None, "{bad}");
        }
    }
}
