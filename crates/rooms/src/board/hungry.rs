//! "Eat now": after a short wait, everybody who waits has a table.

use signaling::board::{BoardNews, Door, NoticeKind, Waiting as Wait};
use signaling::message::ErrorCode;

use super::key::Key;
use super::matching::{self, MOST, Wish};
use super::saved::Hungry;
use super::{Board, Change, Kind, MINUTE_MS, Table, Who, notice, require};

/// How long the first person waits before tables are made.
pub const GATHER_MS: u64 = 8_000;
/// How long a person waits alone before they are seated at an "eat now" table that has begun.
pub const ALONE_MS: u64 = GATHER_MS;
/// How long after its beginning such a table accepts another person.
const JOINABLE_MS: u64 = 20 * MINUTE_MS;
/// Length of a table of "eat now".
const LENGTH_MS: u64 = 60 * MINUTE_MS;
/// Somebody whose next seat begins within this time is no longer seated.
const LEAST_MS: u64 = 20 * MINUTE_MS;
/// Somebody whose next seat begins within this time cannot start to wait.
const ASK_MS: u64 = LEAST_MS + 10 * MINUTE_MS;
/// After a restart, how long people who were waiting have to reconnect.
const BACK_MS: u64 = 60_000;

/// Somebody who waits. At most one entry for each person.
#[derive(Debug)]
pub(super) struct Waiting {
    key: Key,
    wish: Hungry,
    /// Until when the entry is kept although the person is absent; set when the board is restored.
    kept_until: u64,
}

impl Waiting {
    pub(super) fn is(&self, key: &str) -> bool {
        self.key == key
    }

    pub(super) fn wish(&self) -> &Hungry {
        &self.wish
    }

    /// Removes somebody from the people to sit with. Returns the change to store.
    pub(super) fn forget(&mut self, key: &str) -> (Key, Hungry) {
        self.wish.with.retain(|other| other != key);
        (self.key.clone(), self.wish.clone())
    }

    /// Changes the name. Returns the change to store, if there is one.
    pub(super) fn rename(&mut self, name: &str) -> Option<(Key, Hungry)> {
        if self.wish.name == name {
            return None;
        }
        self.wish.name = name.to_owned();
        Some((self.key.clone(), self.wish.clone()))
    }
}

/// Restores the people who waited, longest first.
pub(super) fn from_saved(saved: Vec<(Key, Hungry)>, now: u64) -> Vec<Waiting> {
    let kept_until = now + BACK_MS;
    let mut waiting: Vec<Waiting> = saved.into_iter().map(|(key, wish)| Waiting { key, wish, kept_until }).collect();
    waiting.sort_by(|a, b| (a.wish.since, &a.key).cmp(&(b.wish.since, &b.key)));
    waiting
}

impl Board {
    /// Seats somebody with others who want to eat now, as soon as there are some. A second request replaces `with`.
    ///
    /// # Errors
    /// `not_member`; `already_seated` if they have a seat now or soon.
    pub fn eat_now(&mut self, now: u64, who: &Who, with: Vec<Key>) -> Result<(), ErrorCode> {
        require(who.member, ErrorCode::NotMember)?;
        require(!self.is_busy(&who.key, now, now + ASK_MS), ErrorCode::AlreadySeated)?;
        self.release_kept(now, &who.key, now, now + LENGTH_MS, "");
        let with: Vec<Key> = with.into_iter().filter(|other| *other != who.key).collect();
        let before = self.hungry.iter().position(|waiting| waiting.key == who.key);
        let since = before.map_or(now, |at| self.hungry[at].wish.since);
        let wish = Hungry { name: who.name.clone(), since, with };
        match before {
            Some(at) => self.hungry[at].wish = wish.clone(),
            None => self.hungry.push(Waiting { key: who.key.clone(), wish: wish.clone(), kept_until: 0 }),
        }
        self.changes.push(Change::Hungry { key: who.key.clone(), wish: Some(wish) });
        self.tell_you(&who.key);
        self.dirty.counts();
        Ok(())
    }

    /// Stops somebody's wait. Does nothing if they were not waiting.
    pub fn stop_waiting(&mut self, key: &str) {
        let before = self.hungry.len();
        self.hungry.retain(|waiting| waiting.key != key);
        if self.hungry.len() < before {
            self.changes.push(Change::Hungry { key: key.to_owned(), wish: None });
            self.tell_you(key);
            self.dirty.counts();
        }
    }

    /// What only this person sees, for a new subscriber.
    pub fn you(&self, key: &str) -> BoardNews {
        let waiting = self.hungry.iter().find(|waiting| waiting.key == key);
        BoardNews::You {
            waiting: waiting.map(|w| Wait { since_ms: w.wish.since, with: w.wish.with.clone() }),
            rounds: self.rounds.of(key).map(|round| round.id.clone()).collect(),
        }
    }

    /// Whether somebody is waiting.
    pub fn is_hungry(&self, key: &str) -> bool {
        self.hungry.iter().any(|waiting| waiting.key == key)
    }

    /// Number of people who wait.
    pub fn hungry_count(&self) -> usize {
        self.hungry.len()
    }

    pub(super) fn no_longer_hungry_if_busy(&mut self, now: u64, key: &str) {
        if self.is_busy(key, now, now + LEAST_MS) {
            self.stop_waiting(key);
        }
    }

    /// Makes tables for the people who wait, if the first of them has waited long enough.
    pub(super) fn match_hungry(&mut self, now: u64) {
        let gone = |waiting: &&Waiting| !self.is_here(&waiting.key) && now >= waiting.kept_until;
        let busy = |waiting: &&Waiting| self.is_busy(&waiting.key, now, now + LEAST_MS);
        let out = self.hungry.iter().filter(|w| gone(w) || busy(w)).map(|w| w.key.clone()).collect::<Vec<_>>();
        out.iter().for_each(|key| self.stop_waiting(key));
        let here: Vec<&Waiting> = self.hungry.iter().filter(|waiting| self.is_here(&waiting.key)).collect();
        // If the clock is set back, nobody waits longer: a wait that began in what is now the future is over.
        let patient = |w: &&Waiting| now.checked_sub(w.wish.since).is_none_or(|waited| waited >= GATHER_MS);
        if !here.first().is_some_and(patient) {
            return;
        }
        let wishes: Vec<Wish> = here.iter().map(|w| Wish { key: w.key.clone(), with: w.wish.with.clone() }).collect();
        if let [alone] = wishes.as_slice() {
            return self.seat_late(now, &alone.key.clone());
        }
        let apart = |a: &str, b: &str| self.order.separates(a, b);
        for party in matching::tables(&wishes, |a, b| self.met.staleness(a, b, now), apart) {
            self.seat_party(now, &party);
        }
        // Who may sit with none of the others may find a table that has begun.
        for Wish { key, .. } in wishes.iter().filter(|wish| self.is_hungry(&wish.key)).cloned().collect::<Vec<_>>() {
            self.seat_late(now, &key);
        }
    }

    fn seat_party(&mut self, now: u64, party: &[Key]) {
        let Some(host) = party.first() else { return };
        // The table ends at the latest when the first of them has a seat elsewhere.
        let next = self.tables.values().filter(|table| party.iter().any(|key| table.seats_key(key)));
        let ends = next.map(|table| table.starts).filter(|starts| *starts > now).min().unwrap_or(u64::MAX);
        let ends = ends.min(now + LENGTH_MS);
        let table = Table {
            seats: MOST as u8,
            host: host.clone(),
            door: Door::Open,
            ..self.blank(now, now, ends, Kind::EatNow)
        };
        let id = self.put(table);
        for key in party {
            self.seat_hungry(now, &id, key);
        }
    }

    /// Seats a person who waits alone at the newest "eat now" table with a free seat, if there is one.
    fn seat_late(&mut self, now: u64, key: &str) {
        let joinable = |table: &&Table| {
            let young = now >= table.starts && now < table.starts + JOINABLE_MS && now + LEAST_MS <= table.ends;
            let apart = table.taken.iter().any(|seat| self.order.separates(&seat.key, key));
            let open = !table.locked && table.door == Door::Open && !self.has_removed(table, key) && !apart;
            let free = table.has_room() && !self.is_busy(key, table.starts, table.ends);
            table.kind == Kind::EatNow && young && open && free
        };
        let youngest = self.tables.values().filter(joinable).max_by_key(|table| (table.starts, table.id.clone()));
        if let Some(id) = youngest.map(|table| table.id.clone()) {
            self.seat_hungry(now, &id, key);
        }
    }

    fn seat_hungry(&mut self, now: u64, id: &str, key: &str) {
        let Some(name) = self.hungry.iter().find(|w| w.key == key).map(|w| w.wish.name.clone()) else { return };
        // Sitting down ends the wait.
        self.sit(now, id, key, &name);
        if let Some(table) = self.tables.get(id) {
            let notice = notice(table, NoticeKind::Seated);
            self.notify(key.to_owned(), BoardNews::Notice(notice));
        }
    }

    pub(super) fn tell_you(&mut self, key: &str) {
        let you = self.you(key);
        self.notify(key.to_owned(), you);
    }
}
