//! Who asks: the long-term credential mechanism of RFC 8489 section 9.2.4.

use super::{Now, Relay};
use crate::allocation::Owner;
use crate::client::Client;
use crate::credentials::{UserName, password};
use crate::message::{Answer, Failure, INCOMPLETE, Incoming, STALE_NONCE, UNAUTHORIZED, WRONG_CREDENTIALS, key};
use crate::quota::Holder;
use crate::sessions::Standing;
use crate::slots::Slot;

/// Who has proved to ask.
pub(super) struct Proved {
    pub(super) owner: Owner,
    /// Whether they may have something new.
    pub(super) may_allocate: bool,
}

/// Why a request is not heard.
pub(super) enum Refused {
    /// Nothing is proved: whoever has that source address may not have asked.
    Unproved(Failure),
    /// Proved, but the allocation at this 5-tuple is somebody else's.
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
        // A false source has no nonce of its own, so it costs no more than this.
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

    /// Who has an allocation at this 5-tuple by credentials of this server. They end with the session: a call goes on
    /// when they expire, as it does with coturn.
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

    /// What a refusal is answered with; nothing where too many have gone to this source.
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
