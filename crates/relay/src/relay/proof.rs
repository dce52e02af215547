//! Authenticates requests by the long-term credential mechanism of RFC 8489 section 9.2.4.

use super::{Now, Relay};
use crate::allocation::Owner;
use crate::client::Client;
use crate::credentials::{UserName, password};
use crate::message::{Answer, Failure, INCOMPLETE, Incoming, STALE_NONCE, UNAUTHORIZED, WRONG_CREDENTIALS, key};
use crate::quota::Holder;
use crate::sessions::Standing;
use crate::slots::Slot;

/// The authenticated sender of a request.
pub(super) struct Proved {
    pub(super) owner: Owner,
    /// Whether they may create allocations.
    pub(super) may_allocate: bool,
}

/// Why a request is refused.
pub(super) enum Refused {
    /// Nothing is proved: the source address may be spoofed.
    Unproved(Failure),
    /// The sender is authenticated, but the allocation at this 5-tuple belongs to somebody else.
    Foreign(Box<Owner>),
}

impl Relay {
    /// Checks the credentials of a request, in the order of RFC 8489.
    pub(super) fn prove(&self, now: Now, client: &Client, message: &Incoming<'_>) -> Result<Proved, Refused> {
        if !message.has_integrity() {
            return Err(Refused::Unproved(UNAUTHORIZED));
        }
        let (Some(username), Some(nonce), true) = (message.username(), message.nonce(), message.has_realm()) else {
            return Err(Refused::Unproved(INCOMPLETE));
        };
        // A spoofed source has no nonce for its address, so its request costs no more than this check.
        if !self.nonces.is_good(now.instant, client, &nonce) {
            return Err(Refused::Unproved(STALE_NONCE));
        }
        let proved = match self.running(now, client, &username) {
            Some(owner) if message.proves(&owner.key) => Proved { owner: owner.clone(), may_allocate: false },
            Some(_) => return Err(Refused::Unproved(UNAUTHORIZED)),
            None => self.user(now, client, message, &username).ok_or(Refused::Unproved(UNAUTHORIZED))?,
        };
        match self.slots.of_client(client) {
            Some((_, Slot::Live(allocation))) if *allocation.owner.username != *username => {
                Err(Refused::Foreign(Box::new(proved.owner)))
            }
            _ => Ok(proved),
        }
    }

    /// Returns the owner of the allocation at this 5-tuple, if it was made with credentials of this server. These end
    /// with the session, not when they expire: a call continues, as with coturn.
    fn running(&self, now: Now, client: &Client, username: &str) -> Option<&Owner> {
        let Some((_, Slot::Live(allocation))) = self.slots.of_client(client) else { return None };
        let owner = Some(&allocation.owner).filter(|owner| owner.own && *owner.username == *username)?;
        (allocation.is_live(now.instant) && !self.sessions.is_over(now.instant, &owner.holder.session)).then_some(owner)
    }

    fn user(&self, now: Now, client: &Client, message: &Incoming<'_>, username: &str) -> Option<Proved> {
        let name = UserName::parse(username).filter(|name| name.expires > now.unix)?;
        let standing = self.sessions.standing(name.session);
        let with = |secret: &[u8]| {
            let key = key(username, password(secret, username));
            message.proves(&key).then_some(key)
        };
        let owner = |key, own, member| {
            let holder = Holder::new(name.person(), name.session, member, client.remote.ip());
            Owner { client: *client, username: username.into(), key, own, holder }
        };
        if let Some(standing) = standing
            && let Some(key) = with(&self.secrets.own)
        {
            let (may_allocate, member) = match standing {
                Standing::Member => (true, true),
                Standing::Seated => (true, false),
                Standing::Waiting | Standing::Leaving { .. } => (false, false),
            };
            return Some(Proved { owner: owner(key, true, member), may_allocate });
        }
        let key = with(self.secrets.shared.as_deref()?.as_bytes())?;
        Some(Proved { owner: owner(key, false, true), may_allocate: true })
    }

    /// Returns the answer to a refused request, or nothing if this source has received too many.
    pub(super) fn refuse(
        &mut self,
        now: Now,
        client: &Client,
        message: &Incoming<'_>,
        refused: &Refused,
    ) -> Option<Vec<u8>> {
        let asked = message.asked();
        match refused {
            Refused::Foreign(owner) => Some(Answer::failure(asked, WRONG_CREDENTIALS).finish(Some(&owner.key))),
            Refused::Unproved(failure) => {
                if !self.refusals.take(now.instant, client.remote.ip()) {
                    return None;
                }
                let answer = Answer::failure(asked, *failure);
                let challenged = *failure != INCOMPLETE;
                let answer = if challenged { answer.challenge(&self.nonces.make(now.instant, client)) } else { answer };
                Some(answer.finish(None))
            }
        }
    }
}
