//! The host's part of a table: it waits for a host who goes away, and then goes to who has sat longest.

use super::saved::Key;
use super::{Board, MINUTE_MS, Seat, Table};

/// How long the seat and the part of a host wait for them.
pub const HOST_KEPT_MS: u64 = 2 * MINUTE_MS;

/// A host's absence from their table's call.
///
/// ```text
///             comes in                left, or lost
/// not yet in ──────────▶ in the call ──────────────▶ kept ──2 minutes──▶ handed over; the seat is free if they left
///                             ▲                        │
///                             └──────comes back────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    /// When it ends, Unix milliseconds.
    until: u64,
    /// They left on purpose: the seat is free then. Who lost the connection has it until the table is over.
    left: bool,
}

impl Board {
    /// Somebody has left a table's call on purpose: once it has begun, their seat is free; a host's in two minutes.
    pub fn left_call(&mut self, now: u64, room: &str, key: &str) {
        let Some(table) = self.table_of_room(room).filter(|table| table.seats_key(key)) else { return };
        let (id, begun) = (table.id.clone(), now >= table.starts);
        if table.host == key {
            self.keep(now, &id, begun);
        } else if begun {
            self.get_up(now, &id, key);
        }
    }

    /// The server has lost somebody who was in a table's call. They keep their seat.
    pub fn lost_call(&mut self, now: u64, room: &str, key: &str) {
        if let Some(id) = self.table_of_room(room).filter(|table| table.host == key).map(|table| table.id.clone()) {
            self.keep(now, &id, false);
        }
    }

    /// Whether the host's part waits for them: nobody else keeps the door meanwhile.
    pub fn waits_for_host(&self, room: &str) -> bool {
        self.rooms.get(room).is_some_and(|id| self.kept.contains_key(id))
    }

    /// Whether somebody who knocks at an empty room is let in without a host: it has begun, and there was time for one
    /// to come.
    pub fn opens_itself(&self, now: u64, room: &str) -> bool {
        self.table_of_room(room)
            .is_some_and(|table| !self.kept.contains_key(&table.id) && now >= table.starts + HOST_KEPT_MS)
    }

    /// How many knock at a table's room.
    pub fn set_knocking(&mut self, room: &str, knocking: usize) {
        let Some(id) = self.rooms.get(room).cloned() else { return };
        if knocking > 0 {
            self.knocking.insert(id, knocking);
        } else if self.knocking.remove(&id).is_some() {
            // It was there for who knocked.
            let empty = |table: &&Table| table.taken.is_empty() && !table.is_weekly();
            if self.tables.get(&id).filter(empty).is_some() {
                self.drop_table(&id);
            }
        }
    }

    /// Rooms of tables at which somebody knocks.
    pub fn knocked_rooms(&self) -> Vec<String> {
        self.knocking.keys().filter_map(|id| self.tables.get(id)).map(|table| table.room.clone()).collect()
    }

    /// Rooms whose table is gone or has another host, or waits for one no more, since this was last asked.
    pub fn take_doors(&mut self) -> Vec<String> {
        std::mem::take(&mut self.doors).into_iter().collect()
    }

    /// Hands over what was kept long enough.
    pub(super) fn hand_over_all(&mut self, now: u64) {
        for kept in self.kept.values_mut() {
            kept.until = kept.until.min(now + HOST_KEPT_MS); // the clock was set back
        }
        let due = self.kept.iter().filter(|(_, kept)| kept.until <= now);
        for id in due.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.hand_over(now, &id);
        }
    }

    /// Ends the waiting for a host.
    pub(super) fn hand_over(&mut self, now: u64, id: &str) {
        let Some(kept) = self.kept.remove(id) else { return };
        let Some(table) = self.tables.get(id) else { return };
        self.doors.insert(table.room.clone());
        let host = table.host.clone();
        let heir = self.heir(table).filter(|heir| self.is_in_call(id, heir));
        if let Some(heir) = heir.filter(|_| now >= table.starts && !table.is_weekly()) {
            self.set_host(id, heir);
        }
        if kept.left {
            self.get_up(now, id, &host);
        }
    }

    /// Who of those with a seat becomes host: members who are in the call, members who are here, then anybody; of each
    /// who has sat longest.
    pub(super) fn heir(&self, table: &Table) -> Option<Key> {
        let rank = |seat: &&Seat| match (self.is_member(&seat.key), self.is_in_call(&table.id, &seat.key)) {
            (true, true) => 0,
            (true, false) => 1,
            (false, _) => 2,
        };
        let others = table.taken.iter().filter(|seat| seat.key != table.host);
        others.min_by_key(rank).map(|seat| seat.key.clone())
    }

    /// Whoever comes in hosts a table whose host has given up their seat.
    pub(super) fn host_if_none(&mut self, id: &str, key: &str) {
        let hostless = |table: &&Table| !table.is_weekly() && !table.seats_key(&table.host);
        if self.tables.get(id).filter(hostless).is_some() {
            self.set_host(id, key.to_owned());
        }
    }

    pub(super) fn set_host(&mut self, id: &str, host: Key) {
        self.change(id, |table| table.host = host);
        self.kept.remove(id);
        if let Some(table) = self.tables.get(id) {
            self.doors.insert(table.room.clone());
        }
    }

    /// A host with a seat at one table that only waits for them may sit down at another.
    pub(super) fn keeps_seat_of(&self, table: &Table, key: &str) -> bool {
        table.host == key && self.kept.get(&table.id).is_some_and(|kept| kept.left)
    }

    /// Gives up the seats that wait for somebody in this time: they want another one, at `seat` if that is known.
    pub(super) fn release_kept(&mut self, now: u64, key: &str, starts: u64, ends: u64, seat: &str) {
        let kept = |table: &&Table| table.id != seat && table.overlaps(starts, ends) && self.keeps_seat_of(table, key);
        for id in self.tables.values().filter(kept).map(|table| table.id.clone()).collect::<Vec<_>>() {
            self.hand_over(now, &id);
        }
    }

    fn keep(&mut self, now: u64, id: &str, left: bool) {
        self.kept.insert(id.to_owned(), Kept { until: now + HOST_KEPT_MS, left });
        if let Some(table) = self.tables.get(id) {
            self.doors.insert(table.room.clone());
        }
    }
}
