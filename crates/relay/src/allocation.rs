//! An allocation: its owner, and the peers to whom it may send.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use stun_types::message::{IntegrityKey, TransactionId};

use crate::client::Client;
use crate::limits::{
    ALLOCATION_LIFETIME, CHANNEL_LIFETIME, MAX_CHANNELS, MAX_PERMISSIONS, PERMISSION_LIFETIME, REQUESTS,
};
use crate::quota::Holder;
use crate::rate::Meter;

/// A live allocation (RFC 8656 section 3.2).
#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) owner: Owner,
    /// The request that created it. A retransmission gets the same answer.
    pub(crate) transaction: TransactionId,
    /// The address at which peers reach it.
    pub(crate) relayed: SocketAddr,
    /// The token for the next higher port, if that was reserved too.
    pub(crate) token: Option<u64>,
    pub(crate) expires: Instant,
    requests: Meter,
    /// At most [`MAX_PERMISSIONS`].
    permissions: Vec<Permission>,
    /// At most [`MAX_CHANNELS`].
    channels: Vec<Channel>,
}

/// The owner of an allocation, or of one that is being opened.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) client: Client,
    pub(crate) username: Box<str>,
    pub(crate) key: IntegrityKey,
    /// Whether the credentials are from this server, which ties them to the session.
    pub(crate) own: bool,
    pub(crate) holder: Holder,
}

#[derive(Debug)]
struct Permission {
    peer: IpAddr,
    expires: Instant,
}

#[derive(Debug)]
struct Channel {
    number: u16,
    peer: SocketAddr,
    expires: Instant,
}

/// Why a permission or a channel is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotPermitted {
    /// The maximum number is reached.
    Full,
    /// The channel is bound to another peer, or the peer to another channel.
    Taken,
}

impl Allocation {
    pub(crate) fn new(
        now: Instant,
        owner: Owner,
        transaction: TransactionId,
        relayed: SocketAddr,
        token: Option<u64>,
    ) -> Allocation {
        let expires = now + ALLOCATION_LIFETIME;
        let (permissions, channels) = (Vec::new(), Vec::new());
        Allocation { owner, transaction, relayed, token, expires, requests: Meter::default(), permissions, channels }
    }

    pub(crate) fn is_live(&self, now: Instant) -> bool {
        now < self.expires
    }

    pub(crate) fn refresh(&mut self, now: Instant) {
        self.expires = now + ALLOCATION_LIFETIME;
    }

    /// Counts an authenticated request of the owner. Returns false if the rate is exceeded.
    pub(crate) fn may_ask(&mut self, now: Instant, for_peers: usize) -> bool {
        self.requests.take(now, REQUESTS, u32::try_from(for_peers.max(1)).unwrap_or(u32::MAX))
    }

    /// Permits all these peers, or none of them.
    pub(crate) fn permit(&mut self, now: Instant, peers: &[IpAddr]) -> Result<(), NotPermitted> {
        self.forget_expired(now);
        let mut new: Vec<IpAddr> = Vec::new();
        for peer in peers {
            if !self.is_permitted(now, *peer) && !new.contains(peer) {
                new.push(*peer);
            }
            if self.permissions.len() + new.len() > MAX_PERMISSIONS {
                return Err(NotPermitted::Full);
            }
        }
        let expires = now + PERMISSION_LIFETIME;
        let named = self.permissions.iter_mut().filter(|permission| peers.contains(&permission.peer));
        named.for_each(|permission| permission.expires = expires);
        self.permissions.extend(new.into_iter().map(|peer| Permission { peer, expires }));
        Ok(())
    }

    pub(crate) fn is_permitted(&self, now: Instant, peer: IpAddr) -> bool {
        self.permissions.iter().any(|permission| permission.peer == peer && now < permission.expires)
    }

    /// Binds a channel or renews it, and permits its peer (RFC 8656 section 12.2).
    pub(crate) fn bind(&mut self, now: Instant, number: u16, peer: SocketAddr) -> Result<(), NotPermitted> {
        self.forget_expired(now);
        let bound = self.channels.iter().find(|channel| channel.number == number || channel.peer == peer);
        match bound {
            Some(channel) if channel.number != number || channel.peer != peer => return Err(NotPermitted::Taken),
            Some(_) => {}
            None if self.channels.len() >= MAX_CHANNELS => return Err(NotPermitted::Full),
            None => {}
        }
        self.permit(now, &[peer.ip()])?;
        let expires = now + CHANNEL_LIFETIME;
        match self.channels.iter_mut().find(|channel| channel.number == number) {
            Some(channel) => channel.expires = expires,
            None => self.channels.push(Channel { number, peer, expires }),
        }
        Ok(())
    }

    pub(crate) fn peer_of(&self, now: Instant, number: u16) -> Option<SocketAddr> {
        let channel = self.channels.iter().find(|channel| channel.number == number)?;
        (now < channel.expires).then_some(channel.peer)
    }

    pub(crate) fn channel_of(&self, now: Instant, peer: SocketAddr) -> Option<u16> {
        let channel = self.channels.iter().find(|channel| channel.peer == peer)?;
        (now < channel.expires).then_some(channel.number)
    }

    pub(crate) fn forget_expired(&mut self, now: Instant) {
        self.permissions.retain(|permission| now < permission.expires);
        self.channels.retain(|channel| now < channel.expires);
    }
}
