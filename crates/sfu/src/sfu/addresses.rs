//! Whose datagrams come from where.
//!
//! A check names the server's user name fragment, which only its client knows. Everything else counts only from an address
//! that an authentic check came from.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use str0m::ice::StunMessage;

use super::Person;
use crate::limits::MAX_ADDRESSES;

#[derive(Debug, Default)]
pub(super) struct Addresses {
    by_ufrag: HashMap<String, Person>,
    by_address: HashMap<SocketAddr, Person>,
    /// What there is of each person: their fragment, and their addresses, oldest first.
    people: HashMap<Person, (String, VecDeque<SocketAddr>)>,
}

impl Addresses {
    /// A person's connection has this user name fragment.
    pub(super) fn insert(&mut self, person: Person, ufrag: &str) {
        self.remove(person);
        self.by_ufrag.insert(ufrag.to_owned(), person);
        self.people.insert(person, (ufrag.to_owned(), VecDeque::new()));
    }

    pub(super) fn remove(&mut self, person: Person) {
        let Some((ufrag, addresses)) = self.people.remove(&person) else { return };
        self.by_ufrag.remove(&ufrag);
        for address in addresses {
            if self.by_address.get(&address) == Some(&person) {
                self.by_address.remove(&address);
            }
        }
    }

    /// Whose datagram it seems to be. Checks are yet to be authenticated.
    pub(super) fn find(&self, from: SocketAddr, datagram: &[u8]) -> Option<Person> {
        // RFC 7983 section 7: the first byte tells the protocol.
        if datagram.first().is_some_and(|first| *first < 4)
            && let Ok(message) = StunMessage::parse(datagram)
            && let Some((ours, _)) = message.split_username()
        {
            return self.by_ufrag.get(ours).copied();
        }
        self.by_address.get(&from).copied()
    }

    /// An authentic datagram of a person came from this address.
    pub(super) fn prove(&mut self, person: Person, from: SocketAddr) {
        if self.by_address.get(&from) == Some(&person) {
            return;
        }
        if !self.people.contains_key(&person) {
            return;
        }
        if let Some((_, before)) = self.by_address.get(&from).and_then(|before| self.people.get_mut(before)) {
            // A person who has replaced another at the same address, such as one who joined anew.
            before.retain(|address| *address != from);
        }
        if let Some((_, addresses)) = self.people.get_mut(&person) {
            if addresses.len() >= MAX_ADDRESSES
                && let Some(oldest) = addresses.pop_front()
            {
                self.by_address.remove(&oldest);
            }
            addresses.push_back(from);
        }
        self.by_address.insert(from, person);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::ParticipantId;
    use crate::sfu::RoomId;

    fn person(id: u32) -> Person {
        Person { room: RoomId(1), id: ParticipantId(id) }
    }

    fn address(port: usize) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], 1_000 + port as u16))
    }

    const MEDIA: &[u8] = &[0x80, 0, 0, 0];

    #[test]
    fn only_proved_addresses_count_and_only_a_few() {
        let mut addresses = Addresses::default();
        addresses.insert(person(1), "one");
        assert_eq!(addresses.find(address(0), MEDIA), None);
        (0..MAX_ADDRESSES + 2).for_each(|port| addresses.prove(person(1), address(port)));
        assert_eq!(addresses.find(address(1), MEDIA), None, "the oldest");
        assert_eq!(addresses.find(address(2), MEDIA), Some(person(1)));
        assert_eq!(addresses.by_address.len(), MAX_ADDRESSES);
    }

    #[test]
    fn an_address_belongs_to_the_last_who_proved_it() {
        let mut addresses = Addresses::default();
        addresses.insert(person(1), "one");
        addresses.insert(person(2), "two");
        addresses.prove(person(1), address(0));
        addresses.prove(person(2), address(0));
        addresses.remove(person(1));
        assert_eq!(addresses.find(address(0), MEDIA), Some(person(2)));
        addresses.remove(person(2));
        assert_eq!(addresses.find(address(0), MEDIA), None);
        assert!(addresses.by_address.is_empty() && addresses.by_ufrag.is_empty() && addresses.people.is_empty());
    }
}
