//! The table of relay ports: every open socket and its purpose.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use crate::allocation::{Allocation, Owner};
use crate::client::Client;
use crate::message::Asked;

/// A relay port, which is one socket of the driver. Numbers of closed ports are reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId(pub u32);

/// The purpose of a port.
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
    /// A socket has been requested from the driver.
    Opening(Box<Opening>),
    Live(Box<Allocation>),
    Reserved(Box<Reserved>),
}

#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) owner: Owner,
    pub(crate) asked: Asked,
    /// The next higher port, and the token for it.
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

/// All ports. The quota bounds their number.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Vec<PortId>,
    by_client: HashMap<Client, PortId>,
    by_relayed: HashMap<SocketAddr, PortId>,
    /// Relayed addresses that ended lately. A client refreshes all its permissions in one request, and an ended
    /// address must not cost it the others.
    ended: VecDeque<SocketAddr>,
    /// Maximum length of `ended`. When full, the oldest is dropped.
    remembered: usize,
}

impl Slots {
    pub(crate) fn new(total: usize) -> Slots {
        Slots { remembered: total, ..Slots::default() }
    }

    /// Reserves a free place for [`Slots::put`].
    pub(crate) fn reserve(&mut self) -> PortId {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::Free);
            // The quota is far smaller.
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
            // Nobody sends from it yet, but the address is taken.
            Slot::Reserved(reserved) => drop(self.by_relayed.insert(reserved.relayed, id)),
        }
        if let Some(place) = self.place_mut(id) {
            *place = slot;
        }
    }

    /// Empties a place and returns what was in it.
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

    /// Like [`Slots::take`], for a place that is filled again immediately.
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

    /// Frees a place that was reserved and not filled.
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

    /// The port with this relayed address, if there is one.
    pub(crate) fn of_relayed(&self, relayed: SocketAddr) -> Option<PortId> {
        self.by_relayed.get(&relayed).copied()
    }

    /// Whether an address is a relayed one, or was one lately.
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
