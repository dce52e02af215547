//! The lunch board: who eats when and with whom. Pure: requests and the time go in, decisions come out.
//!
//! Time is Unix milliseconds, because lunches are calendar events. The clock may jump: nothing here requires it to be
//! monotonic. [`Board::take_changes`] returns the changes to store, [`Board::take_patch`] the changes to display, and
//! [`Board::poll_notification`] the messages to single people.

mod about;
mod avatars;
mod calendar;
mod dates;
mod door;
mod feed;
mod forget;
mod history;
mod host;
mod hungry;
mod invite;
mod key;
mod matching;
mod met;
mod names;
mod order;
mod order_book;
mod people;
mod round;
mod rounds;
mod saved;
mod shown;
mod table;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use signaling::board::{BoardNews, Door, Draft, Notice, NoticeKind, Sitter};
use signaling::limits::MAX_TABLE_LINE;
use signaling::message::ErrorCode;

pub use avatars::{AVATAR_KEPT_MS, MAX_AVATARS, MAX_PHOTOS_BYTES};
pub use calendar::Calendar;
pub use door::Entry;
pub use feed::{FEED_KEPT_MS, Lunch, MAX_CANCELLED, MAX_FEED_EVENTS, MAX_FEEDS, feed_id};
pub(crate) use history::Item;
pub use history::MAX_HISTORY;
pub use host::HOST_KEPT_MS;
pub use hungry::{ALONE_MS, GATHER_MS};
pub use key::Key;
pub use met::{KEPT_MS, MAX_MEETINGS};
pub use order::{MAX_ACTS, MAX_BLOCKS, MAX_REPORTS, MAX_REPORTS_EACH, MAX_SUSPENDED, ORDER_KEPT_MS};
pub use round::{Outcome, Round, RoundChange, RoundNews, SIGN_UP_CLOSES_MS, SavedRounds, SignUp};
pub use rounds::{MAX_ROUND_NEWS, MAX_ROUNDS, MAX_ROUNDS_EACH, MAX_SIGNED_UP};
pub use saved::{
    Cancelled, Change, Feed, FeedId, Hungry, InviteId, OrderChange, Saved, SavedAct, SavedAvatar, SavedOrder,
    SavedReport, SavedSuspension,
};
pub use shown::News;
pub use table::{Kind, LastReminder, Seat, Table};

use avatars::Avatars;
use feed::Feeds;
use host::Kept;
use hungry::Waiting;
use met::Met;
use names::Names;
use order::Order;
use people::Somebody;
use rounds::Rounds;

/// Simultaneous tables, and those that rounds may need. When full, a new table is refused with `too_many_tables`; "eat now" continues.
pub const MAX_TABLES: usize = 1_000;
/// Tables that one person hosts at the same time. Another is refused with `too_many_tables`.
pub const MAX_HOSTED: usize = 20;
/// Uses of invites, each remembered until the invite expires. When full, somebody new with an invite receives
/// `server_full`.
pub const MAX_INVITE_USES: usize = 65_536;
/// Removed people remembered for one table. When full, the first of them may come back.
pub const MAX_REMOVED: usize = 64;
/// People who were erased after a host had removed them, remembered until the table or the process ends. When full, the
/// first of them may come back.
pub const MAX_BARRED: usize = 1_024;
/// How far ahead a table may begin.
pub const HORIZON_MS: u64 = 62 * 24 * 3_600_000;
/// How long before a table begins its room opens.
pub const OPENS_BEFORE_MS: u64 = 10 * MINUTE_MS;
/// How long before a table begins people with a seat are reminded.
pub const REMINDED_BEFORE_MS: u64 = 5 * MINUTE_MS;
/// How long after its beginning a table still sends `begins` to somebody who arrives.
const BEGINS_FOR_MS: u64 = 10 * MINUTE_MS;
/// How long after its end a table stays if its call continues.
pub const OVERRUN_MS: u64 = 3 * 3_600_000;
/// A beginning at most this far in the past counts as now, because the request was in flight.
const JUST_NOW_MS: u64 = MINUTE_MS;
const MINUTE_MS: u64 = 60_000;

/// The author of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Device key, which identifies the person.
    pub key: Key,
    /// Display name.
    pub name: String,
    /// Whether they are a member of the community. Non-members see counts, and join by invite.
    pub member: bool,
    /// Whether they are a steward, who keeps order.
    pub steward: bool,
}

/// All tables, and everybody who is present.
#[derive(Debug)]
pub struct Board {
    calendar: Calendar,
    names: Names,
    invite_secret: [u8; 32],
    tables: BTreeMap<String, Table>,
    /// Table id by room.
    rooms: HashMap<String, String>,
    /// The people in each table's call, by table.
    calls: HashMap<String, BTreeSet<Key>>,
    /// Tables whose host is absent for a moment. Not stored, because a new process has no calls.
    kept: BTreeMap<String, Kept>,
    /// Number of people who knock, by table.
    knocking: BTreeMap<String, usize>,
    people: BTreeMap<Key, Somebody>,
    hungry: Vec<Waiting>,
    rounds: Rounds,
    met: Met,
    invites: HashMap<InviteId, (u64, BTreeSet<Key>)>,
    /// Tables, and people whom their hosts removed and who were erased since. Not stored.
    barred: VecDeque<(String, Key)>,
    feeds: Feeds,
    avatars: Avatars,
    order: Order,
    /// People whose suspension has begun or ended.
    suspension_changes: BTreeSet<Key>,
    /// Version of what feeds show.
    revision: u64,
    pruned: u64,
    /// Tables to store. The caller drains this and everything below after each call.
    touched: BTreeSet<String>,
    changes: Vec<Change>,
    notifications: VecDeque<(Key, BoardNews)>,
    /// Rooms whose door must be checked.
    doors: BTreeSet<String>,
    dirty: shown::Dirty,
    history: history::History,
}

impl Board {
    /// Restores a stored board. `seed` and `invite_secret` are random. Each process has a new seed, and all have the
    /// same secret.
    pub fn new(calendar: Calendar, seed: [u8; 32], invite_secret: [u8; 32], saved: Saved, now: u64) -> Board {
        let mut invites: HashMap<InviteId, (u64, BTreeSet<Key>)> = HashMap::new();
        for (id, key, expires) in saved.invites {
            invites.entry(id).or_insert((expires, BTreeSet::new())).1.insert(key);
        }
        let rooms = saved.tables.iter().map(|table| (table.room.clone(), table.id.clone())).collect();
        Board {
            calendar,
            names: Names::new(seed),
            invite_secret,
            rooms,
            tables: saved.tables.into_iter().map(|table| (table.id.clone(), table)).collect(),
            calls: HashMap::new(),
            kept: BTreeMap::new(),
            knocking: BTreeMap::new(),
            people: BTreeMap::new(),
            hungry: hungry::from_saved(saved.hungry, now),
            rounds: Rounds::from_saved(saved.rounds),
            met: Met::from_saved(saved.met),
            invites,
            barred: VecDeque::new(),
            feeds: Feeds::from_saved(saved.feeds, saved.cancelled),
            avatars: Avatars::from_saved(saved.avatars),
            order: Order::from_saved(saved.order),
            suspension_changes: BTreeSet::new(),
            revision: 0,
            pruned: 0,
            touched: BTreeSet::new(),
            changes: Vec::new(),
            notifications: VecDeque::new(),
            doors: BTreeSet::new(),
            dirty: shown::Dirty::default(),
            history: history::History::default(),
        }
    }

    /// Sets for how long it is remembered who met whom; by default [`KEPT_MS`]. Older meetings are erased with the next
    /// [`Board::tick`].
    #[must_use]
    pub fn remembering_meetings_for(mut self, ms: u64) -> Board {
        self.met.remember_for(ms);
        self
    }

    /// Creates a table, seats its host, and returns its id.
    ///
    /// # Errors
    /// `not_member`, `slot_past`, `slot_too_far`, `too_many_tables`, `already_seated`.
    pub fn lay(&mut self, now: u64, who: &Who, draft: Draft) -> Result<String, ErrorCode> {
        require(who.member, ErrorCode::NotMember)?;
        let starts = if draft.now { now } else { draft.starts_ms };
        require(starts.saturating_add(JUST_NOW_MS) >= now, ErrorCode::SlotPast)?;
        require(starts <= now.saturating_add(HORIZON_MS), ErrorCode::SlotTooFar)?;
        let hosted = self.tables.values().filter(|table| table.host == who.key).count();
        let tables = self.tables.len() + self.rounds.tables();
        require(hosted < MAX_HOSTED && tables < MAX_TABLES, ErrorCode::TooManyTables)?;
        let ends = starts + u64::from(draft.minutes) * MINUTE_MS;
        require(!self.is_busy(&who.key, starts, ends), ErrorCode::AlreadySeated)?;
        let kind = match (draft.weekly, draft.now) {
            (true, _) => Kind::Weekly { at: self.calendar.civil(starts).ok_or(ErrorCode::SlotTooFar)? },
            (false, true) => Kind::Now,
            (false, false) => Kind::Slot,
        };
        let table = Table {
            topic: draft.topic,
            place: draft.place,
            seats: draft.seats,
            host: who.key.clone(),
            door: draft.door,
            ..self.blank(now, starts, ends, kind)
        };
        let id = self.put(table);
        self.sit(now, &id, &who.key, &who.name);
        Ok(id)
    }

    /// Takes a seat; or with `wait`, if every seat is taken, a place in line. Somebody who already has one keeps it.
    /// A seat that is kept for them at another table in that time becomes free.
    ///
    /// # Errors
    /// `not_member`, `no_such_table`, `slot_past`, `removed`, `room_locked`, `already_seated`, `table_full`.
    pub fn take(&mut self, now: u64, who: &Who, id: &str, wait: bool) -> Result<(), ErrorCode> {
        require(who.member, ErrorCode::NotMember)?;
        let table = self.tables.get(id).ok_or(ErrorCode::NoSuchTable)?;
        if table.seats_key(&who.key) || table.place_of(&who.key).is_some() {
            return Ok(());
        }
        require(now < table.ends, ErrorCode::SlotPast)?;
        require(!self.has_removed(table, &who.key), ErrorCode::Removed)?;
        require(!table.locked, ErrorCode::RoomLocked)?;
        require(!self.is_busy(&who.key, table.starts, table.ends), ErrorCode::AlreadySeated)?;
        let may_wait = wait && table.waiting.len() < MAX_TABLE_LINE;
        require(table.has_room() || may_wait, ErrorCode::TableFull)?;
        let (starts, ends) = (table.starts, table.ends);
        self.release_kept(now, &who.key, starts, ends, id);
        if self.tables.get(id).is_some_and(Table::has_room) {
            self.sit(now, id, &who.key, &who.name);
            self.host_if_none(id, &who.key);
        } else {
            self.change(id, |table| table.waiting.push(Sitter::new(&who.key, &who.name)));
        }
        Ok(())
    }

    /// Gives up a seat or a place in line. The first in line moves up, and the person who has been seated longest
    /// becomes the host. A table at which nobody sits or knocks is deleted, unless it is weekly.
    ///
    /// # Errors
    /// `no_such_table`, also for a table at which the person has neither.
    pub fn leave(&mut self, now: u64, key: &str, id: &str) -> Result<(), ErrorCode> {
        let table = self.tables.get(id).ok_or(ErrorCode::NoSuchTable)?;
        if table.place_of(key).is_some() {
            self.change(id, |table| table.waiting.retain(|waiting| waiting.id != key));
            return Ok(());
        }
        require(table.seats_key(key), ErrorCode::NoSuchTable)?;
        self.get_up(now, id, key);
        Ok(())
    }

    /// Deletes a table, including all repetitions of a weekly one, and informs the people at it and in line.
    ///
    /// # Errors
    /// `no_such_table`, `not_host`.
    pub fn delete(&mut self, now: u64, key: &str, id: &str) -> Result<(), ErrorCode> {
        let table = self.tables.get(id).ok_or(ErrorCode::NoSuchTable)?;
        require(table.host == key, ErrorCode::NotHost)?;
        self.delete_table(now, id, key);
        Ok(())
    }

    /// Deletes a table and informs the people at it and in line, but not the one who deletes it.
    fn delete_table(&mut self, now: u64, id: &str, key: &str) {
        let Some(table) = self.tables.get(id) else { return };
        let others = table.taken.iter().map(|seat| &seat.key).chain(table.waiting.iter().map(|waiting| &waiting.id));
        let others: Vec<Key> = others.filter(|other| *other != key).cloned().collect();
        let notice = notice(table, NoticeKind::Deleted);
        for other in others {
            self.notify(other, BoardNews::Notice(notice.clone()));
        }
        self.cancel_seats(now, id);
        self.drop_table(id);
    }

    /// Advances the time: seats the people of rounds, sends reminders, hands over absent hosts' tables, matches people who wait to eat, removes
    /// tables that are over, and creates the next of weekly ones.
    pub fn tick(&mut self, now: u64) {
        self.close_rounds(now);
        self.bring_round_news(now);
        self.remind(now);
        self.hand_over_all(now);
        self.clear(now);
        self.clear_cancelled(now);
        self.end_suspensions(now);
        self.fill_all(now);
        self.match_hungry(now);
        self.prune(now);
    }

    /// Returns the changes that must be stored before anybody is informed of them.
    pub fn take_changes(&mut self) -> Vec<Change> {
        let mut changes = std::mem::take(&mut self.changes);
        for id in std::mem::take(&mut self.touched) {
            if let Some(table) = self.tables.get(&id) {
                changes.push(Change::Table(Box::new(table.clone())));
            }
        }
        changes
    }

    /// Returns the next message for a single person, in the order of events.
    pub fn poll_notification(&mut self) -> Option<(Key, BoardNews)> {
        self.notifications.pop_front()
    }

    /// All tables, by id.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }

    /// The table with this id.
    pub fn table(&self, id: &str) -> Option<&Table> {
        self.tables.get(id)
    }

    /// The table with this room.
    pub fn table_of_room(&self, room: &str) -> Option<&Table> {
        self.tables.get(self.rooms.get(room)?)
    }

    /// The community's calendar.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Whether somebody has a seat at a table that overlaps this time.
    fn is_busy(&self, key: &str, starts: u64, ends: u64) -> bool {
        let sits = |table: &Table| table.seats_key(key) && !self.keeps_seat_of(table, key);
        self.tables.values().any(|table| table.overlaps(starts, ends) && sits(table))
    }

    /// Seats somebody who is not busy at a table with room. They lose their places in line for that time.
    fn sit(&mut self, now: u64, id: &str, key: &str, name: &str) {
        let Some(table) = self.tables.get(id) else { return };
        let (starts, ends) = (table.starts, table.ends);
        self.release_kept(now, key, starts, ends, id);
        // Somebody who sits down at a running table needs no reminder.
        let last_reminder = if now >= starts { LastReminder::Begins } else { LastReminder::Nothing };
        self.change(id, |table| {
            table.waiting.retain(|waiting| waiting.id != key);
            table.taken.push(Seat { key: key.to_owned(), name: name.to_owned(), last_reminder });
        });
        self.restore_seat(now, id, key);
        self.leave_lines(key, starts, ends);
        self.no_longer_hungry_if_busy(now, key);
    }

    /// Gives up somebody's places in line and sign-ups in this time.
    fn leave_lines(&mut self, key: &str, starts: u64, ends: u64) {
        let lines = self.tables.values().filter(|other| other.overlaps(starts, ends) && other.place_of(key).is_some());
        for line in lines.map(|other| other.id.clone()).collect::<Vec<_>>() {
            self.change(&line, |other| other.waiting.retain(|waiting| waiting.id != key));
        }
        self.leave_rounds(key, starts, ends);
    }

    /// Frees a seat, with all consequences.
    fn get_up(&mut self, now: u64, id: &str, key: &str) {
        if let Some(table) = self.tables.get(id).filter(|table| table.seats_key(key)).cloned() {
            self.cancel_seat(now, &table, key);
        }
        self.change(id, |table| {
            table.taken.retain(|seat| seat.key != key);
            table.inside.retain(|inside| inside != key);
        });
        self.fill(now, id);
        let Some(table) = self.tables.get(id) else { return };
        if table.is_weekly() {
            return; // a weekly table keeps its host, who may be absent once
        }
        match self.heir(table) {
            Some(heir) if table.host == key => self.set_host(id, heir),
            Some(_) => {}
            None if table.seats_key(&table.host) || self.knocking.contains_key(id) => {}
            None => self.drop_table(id),
        }
    }

    /// Seats people in line while there is room.
    fn fill(&mut self, now: u64, id: &str) {
        while let Some(table) = self.tables.get(id)
            && table.has_room()
            && !table.locked
            && now < table.ends
            && let Some(Sitter { id: key, name, .. }) = table.waiting.first().cloned()
        {
            let notice = notice(table, NoticeKind::MovedUp);
            self.sit(now, id, &key, &name);
            self.notify(key, BoardNews::Notice(notice));
        }
    }

    /// Seats that became free after the end are not filled, unless the clock was set back since.
    fn fill_all(&mut self, now: u64) {
        let open = |table: &&Table| !table.waiting.is_empty() && table.has_room();
        for id in self.tables.values().filter(open).map(|table| table.id.clone()).collect::<Vec<_>>() {
            self.fill(now, &id);
        }
    }

    fn remind(&mut self, now: u64) {
        let mut due = Vec::new();
        for table in self.tables.values() {
            let kind = if now >= table.starts && now < table.starts + BEGINS_FOR_MS {
                (LastReminder::Begins, NoticeKind::Begins)
            } else if now < table.starts && now + REMINDED_BEFORE_MS >= table.starts {
                (LastReminder::Soon, NoticeKind::Soon)
            } else if now < table.starts {
                (LastReminder::Nothing, NoticeKind::Matched)
            } else {
                continue;
            };
            // The news of a table is not lost on somebody who has come and does not receive the board yet.
            let reaches = |key: &str| if kind.1 == NoticeKind::Matched { self.watches(key) } else { self.is_here(key) };
            let here = |seat: &&Seat| seat.last_reminder < kind.0 && reaches(&seat.key);
            let keys = table.taken.iter().filter(here).map(|seat| seat.key.clone()).collect::<Vec<_>>();
            due.extend(keys.into_iter().map(|key| (table.id.clone(), key, kind, notice(table, kind.1))));
        }
        for (id, key, (last_reminder, _), notice) in due {
            // Reminders are not displayed: the board does not change.
            self.touched.insert(id.clone());
            let seat = self.tables.get_mut(&id).and_then(|t| t.taken.iter_mut().find(|seat| seat.key == key));
            if let Some(seat) = seat {
                seat.last_reminder = last_reminder;
            }
            self.notify(key, BoardNews::Notice(notice));
        }
    }

    /// Removes tables that are over, and creates the next of weekly ones.
    fn clear(&mut self, now: u64) {
        let goes_on = |table: &Table| self.has_call(&table.id) || self.knocking.contains_key(&table.id);
        let over = |table: &&Table| now >= table.ends && (!goes_on(table) || now >= table.ends + OVERRUN_MS);
        let over: Vec<String> = self.tables.values().filter(over).map(|table| table.id.clone()).collect();
        for id in over {
            let Some(table) = self.tables.get(&id).cloned() else { continue };
            self.drop_table(&id);
            if let Kind::Weekly { at } = table.kind {
                self.lay_again(now, table, at);
            }
        }
    }

    fn lay_again(&mut self, now: u64, last: Table, at: jiff::civil::DateTime) {
        let length = last.ends - last.starts;
        // Skip a repetition that would already be over.
        let Some((at, starts)) = self.calendar.next_week(at, now.saturating_sub(length)) else { return };
        let name = last.taken.iter().find(|seat| seat.key == last.host).map(|seat| seat.name.clone());
        let table = Table {
            topic: last.topic,
            place: last.place,
            seats: last.seats,
            host: last.host.clone(),
            door: last.door,
            ..self.blank(now, starts, starts + length, Kind::Weekly { at })
        };
        let id = self.put(table);
        // A host who was absent or is busy then is not seated without being asked.
        if let Some(name) = name.filter(|_| !self.is_busy(&last.host, starts, starts + length)) {
            self.sit(now, &id, &last.host, &name);
        }
    }

    fn prune(&mut self, now: u64) {
        const EVERY_MS: u64 = 3_600_000;
        if now.abs_diff(self.pruned) < EVERY_MS {
            return;
        }
        self.pruned = now;
        let met_before = self.met.prune(now);
        self.prune_feeds(now);
        self.prune_avatars(now);
        self.prune_order(now);
        self.invites.retain(|_, (expires, _)| *expires >= now);
        self.changes.push(Change::Prune { met_before, invites_before: now });
    }

    /// Returns an empty table.
    fn blank(&mut self, now: u64, starts: u64, ends: u64, kind: Kind) -> Table {
        Table {
            id: self.names.id(),
            room: self.names.room(),
            topic: String::new(),
            place: String::new(),
            seats: 4,
            starts,
            ends,
            kind,
            host: String::new(),
            door: Door::Open,
            locked: false,
            taken: Vec::new(),
            waiting: Vec::new(),
            inside: Vec::new(),
            removed: Vec::new(),
            sequence: 0,
            stamped: now,
        }
    }

    fn put(&mut self, table: Table) -> String {
        let id = table.id.clone();
        self.rooms.insert(table.room.clone(), id.clone());
        self.tables.insert(id.clone(), table);
        self.change(&id, |_| {});
        id
    }

    fn drop_table(&mut self, id: &str) {
        let Some(table) = self.tables.remove(id) else { return };
        self.rooms.remove(&table.room);
        if let Some(call) = self.calls.remove(id) {
            self.show_people(call);
        }
        self.kept.remove(id);
        self.barred.retain(|(table, _)| table != id);
        self.knocking.remove(id);
        self.doors.insert(table.room.clone());
        self.touched.remove(id);
        self.revision += 1;
        self.changes.push(Change::Gone { id: id.to_owned() });
        self.dirty.table_gone(id, &table.room);
    }

    /// Changes a table and marks it to be stored and displayed.
    fn change(&mut self, id: &str, change: impl FnOnce(&mut Table)) {
        let Some(table) = self.tables.get_mut(id) else { return };
        change(table);
        self.touched.insert(id.to_owned());
        self.revision += 1;
        self.dirty.table(id);
    }

    fn notify(&mut self, key: Key, news: BoardNews) {
        self.notifications.push_back((key, news));
    }
}

fn notice(table: &Table, kind: NoticeKind) -> Notice {
    Notice {
        kind,
        table: table.id.clone(),
        room: table.room.clone(),
        topic: table.topic.clone(),
        starts_ms: table.starts,
    }
}

fn require(condition: bool, code: ErrorCode) -> Result<(), ErrorCode> {
    if condition { Ok(()) } else { Err(code) }
}
