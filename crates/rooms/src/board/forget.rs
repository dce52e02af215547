//! Erasing a person.

use std::collections::BTreeSet;

use super::key::Key;
use super::{Board, Change, MAX_BARRED, Table, Who};

impl Board {
    /// Erases everything stored about somebody. They give up every seat, place in line and sign-up. A table that they host goes
    /// on without them if somebody else has a seat, and is deleted otherwise. The number of devices that have used an
    /// invite stays, without their key. They must be in no table's call.
    pub fn forget(&mut self, now: u64, who: &Who) {
        let (key, names) = (&who.key, self.names_of(who));
        self.met.forget(key);
        // Before the seats: a feed shows those that are lost.
        self.revoke_calendar(key);
        self.forget_in_cancelled(&names);
        self.remove_avatar(key);
        self.changes.push(Change::Forget { key: key.clone() });
        self.stop_waiting(key);
        self.forget_in_order(key, &names);
        self.forget_in_rounds(key, &names);
        self.forget_in_wishes(key);
        self.forget_in_invites(key);
        let tables = self.tables.values().filter(|table| names_key(table, key));
        for id in tables.map(|table| table.id.clone()).collect::<Vec<_>>() {
            self.forget_at(now, &id, key, &names);
        }
    }

    /// Whether the host has removed somebody, who may not come back.
    pub(super) fn has_removed(&self, table: &Table, key: &str) -> bool {
        table.removed.iter().any(|removed| removed == key)
            || self.barred.iter().any(|(id, barred)| *id == table.id && barred == key)
    }

    /// Others no longer wait for this person in particular.
    fn forget_in_wishes(&mut self, key: &str) {
        let mut changed = Vec::new();
        for waiting in self.hungry.iter_mut().filter(|waiting| waiting.wish().with.iter().any(|other| other == key)) {
            changed.push(waiting.forget(key));
        }
        for (key, wish) in changed {
            self.tell_you(&key);
            self.changes.push(Change::Hungry { key, wish: Some(wish) });
        }
    }

    /// An invite stays used by as many devices as before. Otherwise one invite would admit any number of devices.
    fn forget_in_invites(&mut self, key: &str) {
        for (id, (expires, used)) in &mut self.invites {
            if used.remove(key) {
                let nobody = self.names.id();
                used.insert(nobody.clone());
                self.changes.push(Change::InviteUsed { id: *id, key: nobody, expires: *expires });
            }
        }
    }

    /// Others' calendars no longer name this person. Their hosts are not known any more.
    fn forget_in_cancelled(&mut self, names: &BTreeSet<String>) {
        self.change_cancelled(|lunch| {
            clear_if_named(&mut lunch.topic, names);
            clear_if_named(&mut lunch.place, names);
        });
    }

    fn forget_at(&mut self, now: u64, id: &str, key: &str, names: &BTreeSet<String>) {
        let Some(table) = self.tables.get(id) else { return };
        let was_host = table.host == key;
        if table.removed.iter().any(|removed| removed == key) {
            self.bar(id, key);
        }
        self.change(id, |table| {
            table.waiting.retain(|waiting| waiting.id != key);
            table.removed.retain(|removed| removed != key);
            if was_host {
                clear_if_named(&mut table.topic, names);
                clear_if_named(&mut table.place, names);
            }
        });
        self.get_up(now, id, key);
        // Getting up leaves the host of a weekly table, and of one at which somebody knocks.
        let Some(table) = self.tables.get(id).filter(|table| table.host == key) else { return };
        match self.heir(table) {
            Some(heir) => self.set_host(id, heir),
            None => self.delete_table(now, id, key),
        }
    }

    /// Remembers that a host has removed somebody, until the table or the process ends. It is not stored.
    fn bar(&mut self, id: &str, key: &str) {
        if self.barred.len() >= MAX_BARRED {
            self.barred.pop_front();
        }
        self.barred.push_back((id.to_owned(), key.to_owned()));
    }
}

fn names_key(table: &Table, key: &str) -> bool {
    let is = |other: &Key| other == key;
    let listed = table.inside.iter().chain(&table.removed).any(is);
    table.host == key || table.seats_key(key) || table.place_of(key).is_some() || listed
}

/// Empties a text that contains one of the names, in any case of letters. A part of it could say whose table it was.
pub(super) fn clear_if_named(text: &mut String, names: &BTreeSet<String>) {
    let lower = text.to_lowercase();
    if names.iter().any(|name| lower.contains(&name.to_lowercase())) {
        text.clear();
    }
}
