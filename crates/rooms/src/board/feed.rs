//! Calendar feeds: the lunches of one person at a secret address.
//!
//! Only the SHA-256 of an address's token is kept, so whoever reads the store cannot fetch a feed. A feed has the lunches
//! for which the person has a seat now. A lunch that leaves it before it begins stays as a cancelled one until its time
//! is over, because a calendar may already have it.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use signaling::board::CalendarToken;
use signaling::ics::Event;
use signaling::message::ErrorCode;

use super::key::Key;
use super::saved::{Cancelled, Feed, FeedId};
use super::{Board, Change, Table, Who, require};

/// Feeds of all people. When full, a new one is refused with `server_full`, until one expires.
pub const MAX_FEEDS: usize = 4_096;
/// Cancelled lunches of all people. When full, the one that is over first is forgotten.
pub const MAX_CANCELLED: usize = 2_048;
/// Cancelled lunches of one person. When full, the one that is over first is forgotten.
const MAX_CANCELLED_EACH: usize = 64;
/// Lunches in one feed, not counting cancelled ones. When there are more, the latest are left out.
pub const MAX_FEED_EVENTS: usize = 128;
/// How long a feed is kept for which nobody asks.
pub const FEED_KEPT_MS: u64 = 366 * DAY_MS;
/// How often it is stored that somebody asks for a feed.
const USED_EVERY_MS: u64 = DAY_MS;
const DAY_MS: u64 = 24 * 3_600_000;
/// Random bytes of a token: 192 bits.
const TOKEN_BYTES: usize = 24;

/// An event of a feed, and the room that its link opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lunch {
    /// The room; `None` if the lunch is cancelled.
    pub room: Option<String>,
    /// The event, without its link.
    pub event: Event,
}

/// All feeds.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    feeds: BTreeMap<Key, Feed>,
    /// The person of each feed.
    people: HashMap<FeedId, Key>,
    /// By person and table.
    cancelled: BTreeMap<(Key, String), Cancelled>,
}

impl Feeds {
    /// Restores the stored feeds.
    pub(super) fn from_saved(feeds: Vec<(Key, Feed)>, cancelled: Vec<(Key, String, Cancelled)>) -> Feeds {
        Feeds {
            people: feeds.iter().map(|(key, feed)| (feed.id, key.clone())).collect(),
            feeds: feeds.into_iter().collect(),
            cancelled: cancelled.into_iter().map(|(key, table, lunch)| ((key, table), lunch)).collect(),
        }
    }

    fn set(&mut self, key: &str, feed: Feed) {
        if let Some(before) = self.feeds.insert(key.to_owned(), feed) {
            self.people.remove(&before.id);
        }
        self.people.insert(feed.id, key.to_owned());
    }

    /// Removes a person's feed. Returns the tables of their cancelled lunches, which are removed too; `None` if they
    /// have no feed.
    fn remove(&mut self, key: &str) -> Option<Vec<String>> {
        let feed = self.feeds.remove(key)?;
        self.people.remove(&feed.id);
        let tables: Vec<String> = self.of(key).map(|(table, _)| table.to_owned()).collect();
        for table in &tables {
            self.cancelled.remove(&(key.to_owned(), table.clone()));
        }
        Some(tables)
    }

    /// The cancelled lunches of a person, by table.
    fn of<'a>(&'a self, key: &'a str) -> impl Iterator<Item = (&'a str, &'a Cancelled)> {
        let from = self.cancelled.range((key.to_owned(), String::new())..);
        from.take_while(move |((of, _), _)| of == key).map(|((_, table), lunch)| (table.as_str(), lunch))
    }

    /// The cancelled lunch to forget before another of this person is added, if there are too many.
    fn excess(&self, key: &str) -> Option<(Key, String)> {
        if self.of(key).count() >= MAX_CANCELLED_EACH {
            let first = self.of(key).min_by_key(|(table, lunch)| (lunch.ends, *table));
            return first.map(|(table, _)| (key.to_owned(), table.to_owned()));
        }
        let first = self.cancelled.iter().min_by_key(|(place, lunch)| (lunch.ends, *place));
        first.filter(|_| self.cancelled.len() >= MAX_CANCELLED).map(|(place, _)| place.clone())
    }
}

impl Board {
    /// Returns the token of a person's calendar: theirs, or a new one if they have none or another.
    ///
    /// # Errors
    /// `not_member`; `server_full`.
    pub fn calendar_token(
        &mut self,
        now: u64,
        who: &Who,
        kept: Option<CalendarToken>,
    ) -> Result<CalendarToken, ErrorCode> {
        require(who.member, ErrorCode::NotMember)?;
        let feed = self.feeds.feeds.get(&who.key);
        if let Some(token) = kept.filter(|token| feed.is_some_and(|feed| feed.id == feed_id(&token.0))) {
            return Ok(token);
        }
        require(feed.is_some() || self.feeds.feeds.len() < MAX_FEEDS, ErrorCode::ServerFull)?;
        let token = URL_SAFE_NO_PAD.encode(&self.names.bytes()[..TOKEN_BYTES]);
        let feed = Feed { id: feed_id(&token), used: now };
        self.feeds.set(&who.key, feed);
        self.changes.push(Change::Feed { key: who.key.clone(), feed: Some(feed) });
        self.revision += 1;
        Ok(CalendarToken(token))
    }

    /// Voids the address of a person's calendar. Does nothing without one.
    pub fn revoke_calendar(&mut self, key: &str) {
        let Some(tables) = self.feeds.remove(key) else { return };
        for table in tables {
            self.changes.push(Change::Cancelled { key: key.to_owned(), table, lunch: None });
        }
        self.changes.push(Change::Feed { key: key.to_owned(), feed: None });
        self.revision += 1;
    }

    /// Returns the lunches of the feed with this id, ordered by table; `None` if there is no such feed.
    pub fn feed(&mut self, now: u64, id: &FeedId) -> Option<Vec<Lunch>> {
        let key = self.feeds.people.get(id)?.clone();
        self.note_use(now, &key);
        let mut seats: Vec<&Table> = self.tables.values().filter(|table| table.seats_key(&key)).collect();
        if seats.len() > MAX_FEED_EVENTS {
            seats.sort_by_key(|table| table.starts);
            seats.truncate(MAX_FEED_EVENTS);
        }
        let seats = seats.into_iter().map(seated);
        let mut lunches: Vec<Lunch> =
            seats.chain(self.feeds.of(&key).map(|(table, lunch)| cancelled(table, lunch))).collect();
        lunches.sort_by(|a, b| a.event.table.cmp(&b.event.table));
        Some(lunches)
    }

    /// Increases whenever a feed may have changed.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Continues the revisions of a board that this one replaces.
    pub(crate) fn continue_revisions(&mut self, last: u64) {
        self.revision = last + 1;
    }

    /// A person has lost a seat. Before the beginning, their feed says so.
    pub(super) fn cancel_seat(&mut self, now: u64, table: &Table, key: &str) {
        if now >= table.starts || !self.feeds.feeds.contains_key(key) {
            return;
        }
        if let Some((of, table)) = self.feeds.excess(key) {
            self.forget_cancelled(&of, &table);
        }
        let lunch = Cancelled {
            topic: table.topic.clone(),
            place: table.place.clone(),
            starts: table.starts,
            ends: table.ends,
            sequence: table.sequence.saturating_add(1),
            stamped: now,
        };
        self.feeds.cancelled.insert((key.to_owned(), table.id.clone()), lunch.clone());
        self.changes.push(Change::Cancelled { key: key.to_owned(), table: table.id.clone(), lunch: Some(lunch) });
        self.revision += 1;
    }

    /// Everybody at a table loses the seat.
    pub(super) fn cancel_seats(&mut self, now: u64, id: &str) {
        let Some(table) = self.tables.get(id).cloned() else { return };
        for seat in &table.taken {
            self.cancel_seat(now, &table, &seat.key);
        }
    }

    /// A person takes a seat that their feed may have as cancelled. Calendars must take the seat for the newer version.
    pub(super) fn restore_seat(&mut self, now: u64, id: &str, key: &str) {
        let Some(lunch) = self.feeds.cancelled.get(&(key.to_owned(), id.to_owned())) else { return };
        let sequence = lunch.sequence.saturating_add(1);
        self.forget_cancelled(key, id);
        self.change(id, |table| {
            table.sequence = table.sequence.max(sequence);
            table.stamped = now;
        });
    }

    /// Forgets cancelled lunches that are over.
    pub(super) fn clear_cancelled(&mut self, now: u64) {
        let over = self.feeds.cancelled.iter().filter(|(_, lunch)| now >= lunch.ends);
        for (key, table) in over.map(|(place, _)| place.clone()).collect::<Vec<_>>() {
            self.forget_cancelled(&key, &table);
        }
    }

    /// Removes feeds for which nobody has asked for long.
    pub(super) fn prune_feeds(&mut self, now: u64) {
        let old = self.feeds.feeds.iter().filter(|(_, feed)| feed.used.saturating_add(FEED_KEPT_MS) < now);
        for key in old.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.revoke_calendar(&key);
        }
    }

    /// Whether a person's calendar has an address.
    pub(super) fn has_calendar(&self, key: &str) -> bool {
        self.feeds.feeds.contains_key(key)
    }

    /// The cancelled lunches of a person, by table.
    pub(super) fn cancelled_of<'a>(&'a self, key: &'a str) -> impl Iterator<Item = (&'a str, &'a Cancelled)> {
        self.feeds.of(key)
    }

    /// Changes cancelled lunches of all people.
    pub(super) fn change_cancelled(&mut self, change: impl Fn(&mut Cancelled)) {
        for ((key, table), lunch) in &mut self.feeds.cancelled {
            let before = lunch.clone();
            change(lunch);
            if *lunch != before {
                let (key, table) = (key.clone(), table.clone());
                self.changes.push(Change::Cancelled { key, table, lunch: Some(lunch.clone()) });
                self.revision += 1;
            }
        }
    }

    fn forget_cancelled(&mut self, key: &str, table: &str) {
        if self.feeds.cancelled.remove(&(key.to_owned(), table.to_owned())).is_some() {
            self.changes.push(Change::Cancelled { key: key.to_owned(), table: table.to_owned(), lunch: None });
            self.revision += 1;
        }
    }

    fn note_use(&mut self, now: u64, key: &str) {
        let Some(feed) = self.feeds.feeds.get_mut(key) else { return };
        if now.abs_diff(feed.used) >= USED_EVERY_MS {
            feed.used = now;
            self.changes.push(Change::Feed { key: key.to_owned(), feed: Some(*feed) });
        }
    }
}

/// The id of the feed with a token.
pub fn feed_id(token: &str) -> FeedId {
    Sha256::digest(token.as_bytes()).into()
}

fn seated(table: &Table) -> Lunch {
    let event = Event {
        table: table.id.clone(),
        topic: table.topic.clone(),
        place: table.place.clone(),
        starts_ms: table.starts,
        ends_ms: table.ends,
        link: None,
        sequence: table.sequence,
        stamp_ms: table.stamped,
        cancelled: false,
    };
    Lunch { room: Some(table.room.clone()), event }
}

fn cancelled(table: &str, lunch: &Cancelled) -> Lunch {
    let event = Event {
        table: table.to_owned(),
        topic: lunch.topic.clone(),
        place: lunch.place.clone(),
        starts_ms: lunch.starts,
        ends_ms: lunch.ends,
        link: None,
        sequence: lunch.sequence,
        stamp_ms: lunch.stamped,
        cancelled: true,
    };
    Lunch { room: None, event }
}
