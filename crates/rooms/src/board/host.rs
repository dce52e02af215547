//! The host of a table. If the host leaves, the table waits for them; then the person who has been seated longest
//! becomes the host.

use super::key::Key;
use super::{Board, MAX_HOSTED, MINUTE_MS, Seat, Table, require};
use signaling::message::ErrorCode;

/// How long a table waits for its host and keeps their seat.
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
    /// Whether they left on purpose, which frees the seat at the end. Somebody who lost the connection keeps it until
    /// the table is over.
    left: bool,
}

impl Board {
    /// Somebody left a table's call on purpose. If the table has begun, their seat becomes free; a host's, in two
    /// minutes.
    pub fn left_call(&mut self, now: u64, room: &str, key: &str) {
        let Some(table) = self.table_of_room(room).filter(|table| table.seats_key(key)) else { return };
        let (id, begun) = (table.id.clone(), now >= table.starts);
        if table.host == key {
            self.keep(now, &id, begun);
        } else if begun {
            self.get_up(now, &id, key);
        }
    }

    /// Somebody in a table's call lost the connection to the server. They keep their seat.
    pub fn lost_call(&mut self, now: u64, room: &str, key: &str) {
        if let Some(id) = self.table_of_room(room).filter(|table| table.host == key).map(|table| table.id.clone()) {
            self.keep(now, &id, false);
        }
    }

    /// Whether the table waits for its host. Nobody else admits people meanwhile.
    pub fn waits_for_host(&self, room: &str) -> bool {
        self.rooms.get(room).is_some_and(|id| self.kept.contains_key(id))
    }

    /// Whether somebody who knocks at an empty room is admitted without a host: the table has begun, and the host has
    /// had time to come.
    pub fn opens_itself(&self, now: u64, room: &str) -> bool {
        self.table_of_room(room)
            .is_some_and(|table| !self.kept.contains_key(&table.id) && now >= table.starts + HOST_KEPT_MS)
    }

    /// Sets the number of people who knock at a table's room.
    pub fn set_knocking(&mut self, room: &str, knocking: usize) {
        let Some(id) = self.rooms.get(room).cloned() else { return };
        if knocking > 0 {
            self.knocking.insert(id, knocking);
        } else if self.knocking.remove(&id).is_some() {
            // The table was kept only for people who knocked.
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

    /// Returns the rooms whose table was deleted, has a new host, or no longer waits for one, since the last call.
    pub fn take_doors(&mut self) -> Vec<String> {
        std::mem::take(&mut self.doors).into_iter().collect()
    }

    /// Hands over the tables that have waited long enough for their host.
    pub(super) fn hand_over_all(&mut self, now: u64) {
        for kept in self.kept.values_mut() {
            kept.until = kept.until.min(now + HOST_KEPT_MS); // the clock was set back
        }
        let due = self.kept.iter().filter(|(_, kept)| kept.until <= now);
        for id in due.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.hand_over(now, &id);
        }
    }

    /// Ends the wait for a host.
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

    /// The host of a room's table makes somebody else at it the host. A weekly table has that host from now on.
    ///
    /// # Errors
    /// `no_such_table`; `not_host`; `no_such_participant` if they have no seat; `too_many_tables` if they host as many as
    /// one may.
    pub fn give_host(&mut self, room: &str, host: &str, heir: &str) -> Result<(), ErrorCode> {
        let table = self.table_of_room(room).ok_or(ErrorCode::NoSuchTable)?;
        require(table.host == host, ErrorCode::NotHost)?;
        require(table.seats_key(heir), ErrorCode::NoSuchParticipant)?;
        let hosted = self.tables.values().filter(|table| table.host == heir).count();
        require(heir == host || hosted < MAX_HOSTED, ErrorCode::TooManyTables)?;
        let id = table.id.clone();
        self.set_host(&id, heir.to_owned());
        Ok(())
    }

    /// Returns the next host among people with a seat: members in the call, then members who are present, then
    /// anybody; in each group, whoever has been seated longest.
    pub(super) fn heir(&self, table: &Table) -> Option<Key> {
        let rank = |seat: &&Seat| match (self.is_member(&seat.key), self.is_in_call(&table.id, &seat.key)) {
            (true, true) => 0,
            (true, false) => 1,
            (false, _) => 2,
        };
        let others = table.taken.iter().filter(|seat| seat.key != table.host);
        others.min_by_key(rank).map(|seat| seat.key.clone())
    }

    /// Makes somebody who joins the host of a table whose host has given up their seat.
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

    /// Whether a table only keeps the seat of its host, who left. Such a host may sit down at another table.
    pub(super) fn keeps_seat_of(&self, table: &Table, key: &str) -> bool {
        table.host == key && self.kept.get(&table.id).is_some_and(|kept| kept.left)
    }

    /// Gives up seats that are kept for somebody in this time because they want another, at table `seat` if that is
    /// known.
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
