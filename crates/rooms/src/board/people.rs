//! The people who are present, and what they are doing.

use std::collections::BTreeSet;

use signaling::board::{PersonInfo, Presence};

use super::key::Key;
use super::{Board, Change, Who};

/// Somebody with at least one session. Bounded by the sessions of the server.
#[derive(Debug)]
pub(super) struct Somebody {
    name: String,
    member: bool,
    steward: bool,
    /// Suspended members are not shown, and may do nothing.
    suspended: bool,
    sessions: u32,
    away: bool,
    /// Whether they receive the board, and notices with it.
    watches: bool,
    /// Number of rooms they are in, with or without a table.
    rooms: u32,
}

impl Somebody {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_member(&self) -> bool {
        self.member && !self.suspended
    }

    pub(super) fn is_steward(&self) -> bool {
        self.steward && !self.suspended
    }

    pub(super) fn suspend(&mut self, suspended: bool) {
        self.suspended = suspended;
    }

    pub(super) fn sessions(&self) -> u32 {
        self.sessions
    }

    fn presence(&self) -> Presence {
        match (self.rooms, self.away) {
            (1.., _) => Presence::AtTable,
            (0, true) => Presence::Away,
            (0, false) => Presence::Free,
        }
    }
}

impl Board {
    /// Records a new session of somebody.
    pub fn come(&mut self, who: &Who) {
        let suspended = self.is_suspended(&who.key);
        let new = Somebody {
            name: who.name.clone(),
            member: who.member,
            steward: who.steward,
            suspended,
            sessions: 0,
            away: false,
            watches: false,
            rooms: 0,
        };
        let person = self.people.entry(who.key.clone()).or_insert(new);
        person.sessions += 1;
        person.name.clone_from(&who.name);
        (person.member, person.steward) = (who.member, who.steward);
        self.dirty.person(&who.key);
        self.call_by_name(&who.key, &who.name);
    }

    /// Records that somebody receives the board from now on.
    pub fn watch(&mut self, key: &str) {
        if let Some(person) = self.people.get_mut(key) {
            person.watches = true;
        }
    }

    /// Records that one of their sessions ended.
    pub fn go(&mut self, key: &str) {
        let Some(person) = self.people.get_mut(key) else { return };
        person.sessions = person.sessions.saturating_sub(1);
        if person.sessions == 0 {
            self.people.remove(key);
            self.dirty.person_left(key);
            self.stop_waiting(key);
        }
    }

    /// Sets whether somebody can be invited to tables. `at_table` has no effect.
    pub fn set_presence(&mut self, key: &str, presence: Presence) {
        let Some(person) = self.people.get_mut(key) else { return };
        person.away = match presence {
            Presence::Free => false,
            Presence::Away => true,
            Presence::AtTable => return,
        };
        self.dirty.person(key);
    }

    /// Records that somebody joined or left a room.
    pub fn in_room(&mut self, key: &str, is_in: bool) {
        let Some(person) = self.people.get_mut(key) else { return };
        person.rooms = if is_in { person.rooms + 1 } else { person.rooms.saturating_sub(1) };
        self.dirty.person(key);
    }

    /// Records who is in a table's call now. They have met.
    pub fn set_call(&mut self, now: u64, room: &str, keys: BTreeSet<Key>) {
        let Some(id) = self.rooms.get(room).cloned() else { return };
        let members: Vec<&Key> = keys.iter().filter(|key| self.is_member(key)).collect();
        for (index, a) in members.iter().enumerate() {
            for b in &members[index + 1..] {
                // Sets are sorted, so `a` is before `b`.
                if self.met.meet(a, b, now) {
                    self.changes.push(Change::Met { a: (*a).clone(), b: (*b).clone(), at: now });
                }
            }
        }
        if self.tables.get(&id).is_some_and(|table| keys.contains(&table.host)) && self.kept.remove(&id).is_some() {
            self.doors.insert(room.to_owned());
        }
        if keys.is_empty() {
            self.calls.remove(&id);
        } else {
            self.calls.insert(id.clone(), keys);
        }
        self.dirty.table(&id);
    }

    /// When two people last met, if that is remembered.
    pub fn last_met(&self, a: &str, b: &str) -> Option<u64> {
        self.met.last(a, b)
    }

    pub(super) fn is_here(&self, key: &str) -> bool {
        self.people.contains_key(key)
    }

    /// Whether a notice would reach them now.
    pub(super) fn watches(&self, key: &str) -> bool {
        self.people.get(key).is_some_and(|person| person.watches)
    }

    pub(super) fn has_call(&self, id: &str) -> bool {
        self.calls.contains_key(id)
    }

    pub(super) fn person(&self, key: &str) -> Option<PersonInfo> {
        let person = self.people.get(key).filter(|person| person.is_member())?;
        Some(PersonInfo {
            id: key.to_owned(),
            name: person.name.clone(),
            presence: person.presence(),
            avatar: self.avatar(key),
        })
    }

    pub(super) fn presence(&self, key: &str) -> Option<Presence> {
        self.people.get(key).map(Somebody::presence)
    }

    pub(super) fn everybody(&self) -> impl Iterator<Item = PersonInfo> {
        self.people.keys().filter_map(|key| self.person(key))
    }

    pub(super) fn show_people(&mut self, keys: BTreeSet<Key>) {
        for key in keys {
            self.dirty.person(&key);
        }
    }

    pub(super) fn is_in_call(&self, id: &str, key: &str) -> bool {
        self.calls.get(id).is_some_and(|keys| keys.contains(key))
    }

    pub(super) fn is_member(&self, key: &str) -> bool {
        self.people.get(key).is_some_and(Somebody::is_member)
    }

    /// Seats, lines, sign-ups and wishes have the name from the last hello.
    fn call_by_name(&mut self, key: &str, name: &str) {
        let wishes =
            self.hungry.iter_mut().filter(|waiting| waiting.is(key)).filter_map(|waiting| waiting.rename(name));
        self.changes.extend(wishes.map(|(key, wish)| Change::Hungry { key, wish: Some(wish) }));
        self.call_signed_up(key, name);
        let other = |called: &str| called != name;
        let stale = self.tables.values().filter(|table| {
            table.taken.iter().any(|seat| seat.key == key && other(&seat.name))
                || table.waiting.iter().any(|waiting| waiting.id == key && other(&waiting.name))
        });
        for id in stale.map(|table| table.id.clone()).collect::<Vec<_>>() {
            self.change(&id, |table| {
                for seat in table.taken.iter_mut().filter(|seat| seat.key == key) {
                    seat.name = name.to_owned();
                }
                for waiting in table.waiting.iter_mut().filter(|waiting| waiting.id == key) {
                    waiting.name = name.to_owned();
                }
            });
        }
    }
}
