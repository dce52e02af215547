//! Limits on the number of allocations of one person, session or address, and in total.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use crate::client::{is_this_machine, site, subscriber};
use crate::limits::{PER_ADDRESS, PER_SESSION, PER_SITE, STRANGERS_PART};

/// Limits that are settings.
#[derive(Debug, Clone, Copy)]
pub struct Shares {
    /// Simultaneous allocations of one person (one device key).
    pub per_person: usize,
    /// Simultaneous allocations in total.
    pub total: usize,
}

/// Everything against which an allocation counts.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub(crate) person: Box<str>,
    pub(crate) session: Box<str>,
    /// Whether they have proved to be a member.
    pub(crate) member: bool,
    /// `None` for this machine itself: its streams come from a proxy that serves everybody.
    address: Option<IpAddr>,
    site: Option<Ipv6Addr>,
}

impl Holder {
    pub(crate) fn new(person: &str, session: &str, member: bool, ip: IpAddr) -> Holder {
        let limited = Some(ip).filter(|ip| !is_this_machine(*ip));
        let (address, site) = (limited.map(subscriber), limited.and_then(site));
        Holder { person: person.into(), session: session.into(), member, address, site }
    }

    fn names(&self) -> impl Iterator<Item = Name> {
        let mine = [Name::Person(self.person.clone()), Name::Session(self.session.clone())];
        mine.into_iter().chain(self.address.map(Name::Address)).chain(self.site.map(Name::Site))
    }
}

/// Names under which allocations are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    Person(Box<str>),
    Session(Box<str>),
    Address(IpAddr),
    Site(Ipv6Addr),
}

/// Why an allocation is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The sender's own share is used up.
    Own,
    /// All places are taken, or all that non-members may take.
    All,
}

/// Counts allocations, under at most four names each.
#[derive(Debug)]
pub(crate) struct Quota {
    shares: Shares,
    all: usize,
    strangers: usize,
    counts: HashMap<Name, usize>,
}

impl Quota {
    pub(crate) fn new(shares: Shares) -> Quota {
        Quota { shares, all: 0, strangers: 0, counts: HashMap::new() }
    }

    /// Counts `places` more, if they are available.
    pub(crate) fn take(&mut self, holder: &Holder, places: usize) -> Result<(), Full> {
        let part = |share: usize| if holder.member { share } else { share / STRANGERS_PART };
        let strangers_full = !holder.member && self.strangers + places > part(self.shares.total);
        if self.all + places > self.shares.total || strangers_full {
            return Err(Full::All);
        }
        let share = |name: &Name| match name {
            Name::Person(_) => self.shares.per_person,
            Name::Session(_) => PER_SESSION,
            Name::Address(_) => part(PER_ADDRESS),
            Name::Site(_) => part(PER_SITE),
        };
        if holder.names().any(|name| self.count(&name) + places > share(&name)) {
            return Err(Full::Own);
        }
        self.all += places;
        self.strangers += if holder.member { 0 } else { places };
        holder.names().for_each(|name| *self.counts.entry(name).or_default() += places);
        Ok(())
    }

    /// Releases one place.
    pub(crate) fn give_back(&mut self, holder: &Holder) {
        self.all = self.all.saturating_sub(1);
        self.strangers = self.strangers.saturating_sub(usize::from(!holder.member));
        for name in holder.names() {
            let left = self.count(&name).saturating_sub(1);
            if left == 0 {
                self.counts.remove(&name);
            } else {
                self.counts.insert(name, left);
            }
        }
    }

    pub(crate) fn holds(&self, session: &str) -> bool {
        self.counts.contains_key(&Name::Session(session.into()))
    }

    fn count(&self, name: &Name) -> usize {
        self.counts.get(name).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(per_person: usize, total: usize) -> Quota {
        Quota::new(Shares { per_person, total })
    }

    /// Session `n` of a person, each at its own address.
    fn holder(person: &str, n: u32, member: bool) -> Holder {
        Holder::new(person, &format!("{n}.{person}"), member, IpAddr::V4(n.into()))
    }

    #[test]
    fn allocations_are_counted_per_person_and_in_total_and_freed() {
        let mut quota = quota(2, 3);
        let [ada, ada_again, ben, eve] =
            [holder("ada", 1, true), holder("ada", 2, true), holder("ben", 3, true), holder("eve", 4, true)];
        quota.take(&ada, 1).unwrap();
        quota.take(&ada_again, 1).unwrap();
        assert_eq!(quota.take(&ada, 1), Err(Full::Own));
        assert_eq!(quota.take(&ben, 2), Err(Full::All));
        quota.take(&ben, 1).unwrap();
        assert_eq!(quota.take(&eve, 1), Err(Full::All));
        quota.give_back(&ada);
        assert!(!quota.holds("1.ada") && quota.holds("2.ada"));
        quota.take(&eve, 1).unwrap();
        for holder in [&ada_again, &ben, &eve] {
            quota.give_back(holder);
        }
        assert_eq!((quota.all, quota.counts.len()), (0, 0));
    }

    #[test]
    fn sessions_and_addresses_have_shares() {
        let mut quota = quota(1_000, 10_000);
        let ada = holder("ada", 1, true);
        assert_eq!((0..100).filter(|_| quota.take(&ada, 1).is_ok()).count(), PER_SESSION);
        let house = |n: u32| Holder::new(&n.to_string(), &n.to_string(), true, "2001:db8::1".parse().unwrap());
        assert_eq!((0..1_000).filter(|n| quota.take(&house(*n), 1).is_ok()).count(), PER_ADDRESS);
        let street = |n: u32| {
            let ip = format!("2001:db8:0:{n:x}::1").parse().unwrap();
            Holder::new(&format!("s{n}"), &format!("s{n}"), true, ip)
        };
        let taken = (1..2_000).filter(|n| quota.take(&street(*n), 1).is_ok()).count();
        assert_eq!(taken, PER_SITE - PER_ADDRESS);
    }

    #[test]
    fn a_proxy_on_this_machine_does_not_share_one_address() {
        let mut quota = quota(64, 1_000);
        let proxied = |n: u32| Holder::new(&n.to_string(), &n.to_string(), true, "127.0.0.1".parse().unwrap());
        assert_eq!((0..2_000).filter(|n| quota.take(&proxied(*n), 1).is_ok()).count(), 1_000);
    }

    #[test]
    fn guests_leave_a_share_to_members() {
        let mut quota = quota(64, 1_000);
        let taken = (0..2_000).filter(|n| quota.take(&holder(&n.to_string(), *n, false), 1).is_ok()).count();
        assert_eq!(taken, 500);
        let one_place = |n: u32| Holder::new(&format!("m{n}"), &format!("m{n}"), true, IpAddr::V4((n % 9).into()));
        assert_eq!((0..2_000).filter(|n| quota.take(&one_place(*n), 1).is_ok()).count(), 500);
    }

    #[test]
    fn guests_at_one_address_leave_a_share_to_its_members() {
        let mut quota = quota(64, 1_000);
        let at_home =
            |n: u32, member| Holder::new(&n.to_string(), &n.to_string(), member, "192.0.2.1".parse().unwrap());
        assert_eq!((0..1_000).filter(|n| quota.take(&at_home(*n, false), 1).is_ok()).count(), PER_ADDRESS / 2);
        assert_eq!((0..1_000).filter(|n| quota.take(&at_home(*n, true), 1).is_ok()).count(), PER_ADDRESS / 2);
    }
}
