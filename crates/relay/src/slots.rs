//! The table of relay ports: every socket that is open for somebody, and what it is for.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use crate::allocation::{Allocation, Owner};
use crate::client::Client;
use crate::message::Asked;

/// A relay port: one socket of the driver. Numbers are used again once a port is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId(pub u32);

/// What a port is for.
///
/// ```text
///        Allocate                opened
///  Free ──────────▶ Opening ──────────────▶ Live ───▶ Free: refreshed to 0, expired, or its session is over
///   ▲ ▲                │                     ▲
///   │ └────────────────┘ not opened          │ Allocate with the token
///   │                                        │
///   └──────────── Reserved ──────────────────┘
///     time is up     ▲
///                    └── opened beside an even port
/// ```
#[derive(Debug)]
pub(crate) enum Slot {
    Free,
    /// The driver has been asked for a socket.
    Opening(Box<Opening>),
    Live(Box<Allocation>),
    Reserved(Box<Reserved>),
}

#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) owner: Owner,
    pub(crate) asked: Asked,
    /// The port above, and the token that takes it.
    pub(crate) beside: Option<(PortId, u64)>,
}

/// A port that waits for its allocation.
#[derive(Debug)]
pub(crate) struct Reserved {
    pub(crate) owner: Owner,
    pub(crate) token: u64,
    pub(crate) relayed: SocketAddr,
    pub(crate) expires: Instant,
}

/// All ports. There are never more than the quota has places.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Vec<PortId>,
    by_client: HashMap<Client, PortId>,
    by_relayed: HashMap<SocketAddr, PortId>,
    /// Relayed addresses that ended lately. A client refreshes all its permissions in one request, and an address that
    /// ended must not cost it the others.
    ended: VecDeque<SocketAddr>,
    /// Addresses kept in `ended`; then the oldest is forgotten.
    remembered: usize,
}

impl Slots {
    pub(crate) fn new(total: usize) -> Slots {
        Slots { remembered: total, ..Slots::default() }
    }

    /// A free place, to be filled by [`Slots::put`].
    pub(crate) fn reserve(&mut self) -> PortId {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::Free);
            // The quota is far below this.
            PortId(u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX))
        })
    }

    pub(crate) fn put(&mut self, id: PortId, slot: Slot) {
        match &slot {
            Slot::Free => {}
            Slot::Opening(opening) => drop(self.by_client.insert(opening.owner.client, id)),
            Slot::Live(allocation) => {
                self.by_client.insert(allocation.owner.client, id);
                self.by_relayed.insert(allocation.relayed, id);
            }
            // Nobody sends from there yet, but nobody else can have the address.
            Slot::Reserved(reserved) => drop(self.by_relayed.insert(reserved.relayed, id)),
        }
        if let Some(place) = self.place_mut(id) {
            *place = slot;
        }
    }

    /// Empties a place and gives what was in it.
    pub(crate) fn take(&mut self, id: PortId) -> Slot {
        let Some(place) = self.place_mut(id) else { return Slot::Free };
        let slot = std::mem::replace(place, Slot::Free);
        match &slot {
            Slot::Free => return slot,
            Slot::Opening(opening) => drop(self.by_client.remove(&opening.owner.client)),
            Slot::Live(allocation) => {
                self.by_client.remove(&allocation.owner.client);
                self.by_relayed.remove(&allocation.relayed);
                self.remember(allocation.relayed);
            }
            Slot::Reserved(reserved) => drop(self.by_relayed.remove(&reserved.relayed)),
        }
        self.free.push(id);
        slot
    }

    /// Like [`Slots::take`], for a place that is filled again at once.
    pub(crate) fn take_out(&mut self, id: PortId) -> Slot {
        let slot = self.take(id);
        if !matches!(slot, Slot::Free) {
            self.free.pop();
        }
        slot
    }

    pub(crate) fn is_opening(&self, id: PortId) -> bool {
        usize::try_from(id.0).is_ok_and(|place| matches!(self.slots.get(place), Some(Slot::Opening(_))))
    }

    /// A place that was set aside and stays empty.
    pub(crate) fn release(&mut self, id: PortId) {
        self.free.push(id);
    }

    pub(crate) fn of_client(&self, client: &Client) -> Option<(PortId, &Slot)> {
        let id = *self.by_client.get(client)?;
        Some((id, self.slots.get(usize::try_from(id.0).ok()?)?))
    }

    pub(crate) fn live(&self, id: PortId) -> Option<&Allocation> {
        match self.slots.get(usize::try_from(id.0).ok()?)? {
            Slot::Live(allocation) => Some(allocation),
            Slot::Free | Slot::Opening(_) | Slot::Reserved(_) => None,
        }
    }

    pub(crate) fn live_mut(&mut self, id: PortId) -> Option<&mut Allocation> {
        match self.place_mut(id)? {
            Slot::Live(allocation) => Some(allocation),
            Slot::Free | Slot::Opening(_) | Slot::Reserved(_) => None,
        }
    }

    /// The port that a peer's address is, if it is a relayed one.
    pub(crate) fn of_relayed(&self, relayed: SocketAddr) -> Option<PortId> {
        self.by_relayed.get(&relayed).copied()
    }

    /// Whether an address is a relayed one, or was lately.
    pub(crate) fn knows(&self, relayed: SocketAddr) -> bool {
        self.by_relayed.contains_key(&relayed) || self.ended.contains(&relayed)
    }

    pub(crate) fn reserved(&self, token: u64) -> Option<(PortId, &Reserved)> {
        self.all().find_map(|(id, slot)| match slot {
            Slot::Reserved(reserved) if reserved.token == token => Some((id, &**reserved)),
            Slot::Free | Slot::Opening(_) | Slot::Live(_) | Slot::Reserved(_) => None,
        })
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (PortId, &Slot)> {
        (0..).map(PortId).zip(&self.slots)
    }

    pub(crate) fn lives_mut(&mut self) -> impl Iterator<Item = &mut Allocation> {
        self.slots.iter_mut().filter_map(|slot| match slot {
            Slot::Live(allocation) => Some(&mut **allocation),
            Slot::Free | Slot::Opening(_) | Slot::Reserved(_) => None,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    fn place_mut(&mut self, id: PortId) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(id.0).ok()?)
    }

    fn remember(&mut self, relayed: SocketAddr) {
        if self.ended.len() >= self.remembered {
            self.ended.pop_front();
        }
        self.ended.push_back(relayed);
    }
}
