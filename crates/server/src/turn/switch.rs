//! From one relayed address to another, inside this process.
//!
//! Two people who both need the relay name each other's relayed addresses as peers. Sent through the system, such a
//! datagram would leave by an address of this machine that need not be the one its receiver was told (several
//! networks, a NAT that does not send back what comes from inside), and the policy for peers would have to open this
//! machine's addresses as a whole. So it never leaves the relay, and of this machine only ports that belong to an
//! allocation can be reached.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::mpsc;

use super::policy::PeerPolicy;

/// Datagrams that wait at a relayed address, a tenth of a second of good video. What comes when it is full is lost,
/// as it would be at a full socket.
const QUEUE: usize = 128;

/// A datagram on its way, and the relayed address it comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parcel {
    pub(super) data: Vec<u8>,
    pub(super) from: SocketAddr,
}

/// Relayed addresses as they are told to peers.
#[derive(Debug)]
pub(super) struct Switch {
    policy: PeerPolicy,
    /// Ended ones have no queue. They stay known for a while: a client refreshes all its permissions in one request,
    /// and an address that ended must not cost it the others.
    addresses: RwLock<BTreeMap<SocketAddr, Option<mpsc::Sender<Parcel>>>>,
    /// Twice as many as there can be allocations; then those that ended are forgotten.
    bound: usize,
}

/// A relayed address in use, ended when dropped.
#[derive(Debug)]
pub(super) struct Berth {
    switch: Arc<Switch>,
    addr: SocketAddr,
    pub(super) queue: tokio::sync::Mutex<mpsc::Receiver<Parcel>>,
}

impl Switch {
    pub(super) fn new(policy: PeerPolicy, allocations: usize) -> Switch {
        Switch { policy, addresses: RwLock::default(), bound: allocations.saturating_mul(2) }
    }

    /// Takes a relayed address into use; `None` if it already is.
    pub(super) fn open(self: &Arc<Switch>, addr: SocketAddr) -> Option<Berth> {
        let mut addresses = self.addresses.write().unwrap_or_else(PoisonError::into_inner);
        if addresses.get(&addr).is_some_and(Option::is_some) {
            return None;
        }
        if addresses.len() >= self.bound {
            addresses.retain(|_, queue| queue.is_some());
        }
        let (queue, receiver) = mpsc::channel(QUEUE);
        addresses.insert(addr, Some(queue));
        Some(Berth { switch: Arc::clone(self), addr, queue: tokio::sync::Mutex::new(receiver) })
    }

    /// Whether a client may ask for a peer at all.
    pub(super) fn may_be_named(&self, peer: SocketAddr) -> bool {
        self.read().contains_key(&peer) || self.reaches(peer.ip())
    }

    /// Whether datagrams may go to, and come from, a peer through the system. The machine of the relay is no public
    /// place, whatever its address.
    pub(super) fn reaches(&self, peer: IpAddr) -> bool {
        let beside = self.policy.allow_lan || self.policy.allow_loopback;
        self.policy.allows(peer) && (beside || !self.is_own(peer))
    }

    /// Hands a datagram over if it goes to a relayed address that is in use, and tells whether it did.
    pub(super) fn deliver(&self, data: &[u8], from: SocketAddr, to: SocketAddr) -> bool {
        let addresses = self.read();
        let Some(queue) = addresses.get(&to).and_then(Option::as_ref) else { return false };
        if queue.try_send(Parcel { data: data.to_vec(), from }).is_err() {
            tracing::trace!("a relayed address is too slow");
        }
        true
    }

    fn is_own(&self, ip: IpAddr) -> bool {
        let ports = SocketAddr::new(ip, u16::MIN)..=SocketAddr::new(ip, u16::MAX);
        self.read().range(ports).next().is_some()
    }

    /// Locked for a look-up, never across an await.
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<SocketAddr, Option<mpsc::Sender<Parcel>>>> {
        self.addresses.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Berth {
    /// The relayed address as peers know it.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(super) fn switch(&self) -> &Switch {
        &self.switch
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        let mut addresses = self.switch.addresses.write().unwrap_or_else(PoisonError::into_inner);
        addresses.insert(self.addr, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn switch(policy: PeerPolicy) -> Arc<Switch> {
        Arc::new(Switch::new(policy, 2))
    }

    #[tokio::test]
    async fn a_datagram_reaches_the_relayed_address_and_says_where_it_comes_from() {
        let switch = switch(PeerPolicy::default());
        let (ada, ben) = (switch.open(addr("10.0.0.1:1")).unwrap(), switch.open(addr("10.0.0.1:2")).unwrap());
        assert!(switch.deliver(b"hello", ada.addr(), ben.addr()));
        let parcel = ben.queue.lock().await.recv().await;
        assert_eq!(parcel, Some(Parcel { data: b"hello".to_vec(), from: ada.addr() }));
    }

    #[tokio::test]
    async fn a_full_queue_loses_what_comes() {
        let switch = switch(PeerPolicy::default());
        let berth = switch.open(addr("10.0.0.1:1")).unwrap();
        for _ in 0..QUEUE + 9 {
            assert!(switch.deliver(b"x", berth.addr(), berth.addr()));
        }
        assert_eq!(berth.queue.lock().await.len(), QUEUE);
    }

    #[test]
    fn of_this_machine_only_relayed_addresses_can_be_named() {
        let strict = switch(PeerPolicy::default());
        for own in ["10.0.0.1", "8.8.8.8", "127.0.0.1"] {
            let berth = strict.open(addr(&format!("{own}:5000"))).unwrap();
            assert!(strict.may_be_named(berth.addr()));
            assert!(!strict.may_be_named(addr(&format!("{own}:5001"))), "{own}");
            assert!(!strict.reaches(berth.addr().ip()), "not through the system: {own}");
        }
        assert!(strict.may_be_named(addr("9.9.9.9:5001")));
        let lan = switch(PeerPolicy { allow_lan: true, allow_loopback: false });
        let _berth = lan.open(addr("10.0.0.1:5000")).unwrap();
        assert!(lan.may_be_named(addr("10.0.0.1:5001")) && lan.reaches(addr("10.0.0.1:1").ip()));
    }

    #[test]
    fn an_address_that_ended_is_known_for_a_while_and_takes_nothing() {
        let switch = switch(PeerPolicy::default());
        let ended = switch.open(addr("10.0.0.1:1")).unwrap().addr();
        assert!(!switch.deliver(b"x", ended, ended));
        assert!(switch.may_be_named(ended));
        let berths: Vec<Berth> = (2..6).map(|port| switch.open(SocketAddr::new(ended.ip(), port)).unwrap()).collect();
        assert!(!switch.may_be_named(ended), "forgotten");
        assert!(berths.iter().all(|berth| switch.may_be_named(berth.addr())));
        assert!(switch.open(berths[0].addr()).is_none(), "in use");
    }
}
