//! Changes and snapshots of the board for subscribers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use signaling::board::{BoardNews, Patch, PersonInfo, Presence, RoundInfo, Snapshot, TableInfo};
use signaling::limits::BOARD_PIECE_BYTES;

use super::history::Item;
use super::key::Key;
use super::people::Somebody;
use super::rounds::Rounds;
use super::{Board, Round, Table};

const ALL: (Bound<&str>, Bound<&str>) = (Bound::Unbounded, Bound::Unbounded);

/// Items that changed since the last version.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    tables: BTreeSet<String>,
    gone: BTreeSet<(String, String)>,
    /// Changed rounds, and those that are gone.
    rounds: BTreeSet<String>,
    people: BTreeSet<Key>,
    left: BTreeSet<Key>,
    counts: bool,
}

/// Changes for all members and for the guests of single tables.
#[derive(Debug, Default)]
pub struct News {
    /// For members, in as many patches as necessary.
    pub patches: Vec<Patch>,
    /// For guests, by room: what remains of the table; nothing if it was deleted.
    pub guests: Vec<(String, Patch)>,
}

impl Dirty {
    pub(super) fn table(&mut self, id: &str) {
        self.tables.insert(id.to_owned());
    }

    pub(super) fn table_gone(&mut self, id: &str, room: &str) {
        self.tables.remove(id);
        self.gone.insert((id.to_owned(), room.to_owned()));
    }

    pub(super) fn round(&mut self, id: &str) {
        self.rounds.insert(id.to_owned());
    }

    pub(super) fn person(&mut self, key: &str) {
        self.left.remove(key);
        self.people.insert(key.to_owned());
    }

    pub(super) fn person_left(&mut self, key: &str) {
        self.people.remove(key);
        self.left.insert(key.to_owned());
    }

    pub(super) fn counts(&mut self) {
        self.counts = true;
    }

    fn is_empty(&self) -> bool {
        let nobody = self.people.is_empty() && self.left.is_empty();
        let nothing = self.tables.is_empty() && self.gone.is_empty() && self.rounds.is_empty();
        nothing && nobody && !self.counts
    }
}

impl Board {
    /// Whether anything has changed since [`Board::turn`].
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Makes a new version of the changes since the last one. Returns the changes for guests of single tables: the
    /// room, and what remains of its table; nothing if it was deleted.
    pub fn turn(&mut self, now: u64) -> Vec<(String, Patch)> {
        if self.dirty.is_empty() {
            return Vec::new();
        }
        let dirty = std::mem::take(&mut self.dirty);
        let blank = self.blank_patch(now);
        let changed = dirty.tables.iter().filter_map(|id| self.tables.get(id));
        let mut guests: Vec<(String, Patch)> = changed
            .map(|table| (table.room.clone(), Patch { tables: vec![self.counts_of(table)], ..blank.clone() }))
            .collect();
        let gone = dirty.gone.iter();
        guests.extend(gone.map(|(id, room)| (room.clone(), Patch { gone: vec![id.clone()], ..blank.clone() })));
        let tables = dirty.tables.into_iter().chain(dirty.gone.into_iter().map(|(id, _)| id)).map(Item::Table);
        let rounds = dirty.rounds.into_iter().map(Item::Round);
        let people = dirty.people.into_iter().chain(dirty.left).map(Item::Person);
        // Members do not see guests, but must receive the removal of somebody who was a member before.
        let people = people.filter(|item| self.is_there(item) || self.history.knows(item)).collect::<Vec<_>>();
        let is_there = |item: &Item| is_there(&self.tables, &self.rounds, &self.people, item);
        self.history.turn(tables.chain(rounds).chain(people), is_there);
        guests
    }

    /// Returns the changes since the last call, for members, and for guests by room.
    pub fn take_patch(&mut self, now: u64) -> Option<News> {
        let before = self.history.version();
        let guests = self.turn(now);
        let pieces = (self.history.version() > before).then(|| self.pieces(now, Some(before)))?;
        let patches = pieces.into_iter().filter_map(|news| match news {
            BoardNews::Patch(patch) => Some(patch),
            _ => None,
        });
        Some(News { patches: patches.collect(), guests })
    }

    /// Returns the whole board for members, in as many pieces as necessary.
    pub fn snapshot(&self, now: u64) -> Vec<Snapshot> {
        let pieces = self.pieces(now, None).into_iter().filter_map(|news| match news {
            BoardNews::Snapshot(piece) => Some(piece),
            _ => None,
        });
        pieces.collect()
    }

    /// Returns what a guest sees: the table of one room, without names.
    pub fn guest_snapshot(&self, now: u64, room: &str) -> Vec<Snapshot> {
        let tables = self.table_of_room(room).map(|table| self.counts_of(table)).into_iter().collect();
        vec![self.snapshot_piece(now, (true, true), false, Piece { tables, ..Piece::default() })]
    }

    /// The version that [`Board::turn`] made last. It increases with each change.
    pub(crate) fn version(&self) -> u64 {
        self.history.version()
    }

    /// Whether the changes after a version are still known. If not, the whole board must be sent.
    pub(crate) fn reaches(&self, version: u64) -> bool {
        self.history.reaches(version)
    }

    /// Returns a piece for members, as large as fits in a frame: of the changes since a version or of the whole
    /// board, starting after `after`. Also returns the item after which the next piece begins, if there is one.
    pub(crate) fn piece(&self, now: u64, since: Option<u64>, after: Option<&Item>) -> (BoardNews, Option<Item>) {
        let mut piece = Piece::default();
        let (mut last, mut is_last) = (None, true);
        for item in self.items(since, after) {
            if !self.add(&mut piece, &item) {
                is_last = false;
                break;
            }
            last = Some(item);
        }
        let next = last.filter(|_| !is_last);
        let news = match since {
            None => BoardNews::Snapshot(self.snapshot_piece(now, (after.is_none(), is_last), true, piece)),
            Some(_) => {
                let Piece { tables, rounds, people, gone, rounds_gone, left, .. } = piece;
                let blank = self.blank_patch(now);
                BoardNews::Patch(Patch { tables, rounds, people, gone, rounds_gone, left, ..blank })
            }
        };
        (news, next)
    }

    fn pieces(&self, now: u64, since: Option<u64>) -> Vec<BoardNews> {
        let (first, mut next) = self.piece(now, since, None);
        let mut pieces = vec![first];
        while let Some(after) = next {
            let (piece, more) = self.piece(now, since, Some(&after));
            pieces.push(piece);
            next = more;
        }
        pieces
    }

    /// Returns all items, or those that changed, in order.
    fn items<'a>(&'a self, since: Option<u64>, after: Option<&'a Item>) -> Box<dyn Iterator<Item = Item> + 'a> {
        if let Some(since) = since {
            return Box::new(self.history.since(since, after).cloned());
        }
        // Tables come before rounds, and rounds before people.
        let from = |id: &'a str| (Bound::Excluded(id), Bound::Unbounded);
        let (table, round) = match after {
            None => (ALL, ALL),
            Some(Item::Table(id)) => (from(id), ALL),
            Some(Item::Round(id)) => return Box::new(self.round_items(from(id)).chain(self.members(ALL))),
            Some(Item::Person(key)) => return Box::new(self.members(from(key))),
        };
        let tables = self.tables.range::<str, _>(table).map(|(id, _)| Item::Table(id.clone()));
        Box::new(tables.chain(self.round_items(round)).chain(self.members(ALL)))
    }

    fn round_items(&self, range: (Bound<&str>, Bound<&str>)) -> impl Iterator<Item = Item> {
        self.rounds.all.range::<str, _>(range).map(|(id, _)| Item::Round(id.clone()))
    }

    fn members(&self, range: (Bound<&str>, Bound<&str>)) -> impl Iterator<Item = Item> {
        let people = self.people.range::<str, _>(range).filter(|(_, person)| person.is_member());
        people.map(|(key, _)| Item::Person(key.clone()))
    }

    /// Adds the current state of an item to a piece. Returns false if the piece is full.
    fn add(&self, piece: &mut Piece, item: &Item) -> bool {
        let added = match item {
            Item::Table(id) => match self.tables.get(id).map(|table| self.info_of(table)) {
                Some(table) => piece.takes(table_bytes(&table)).then(|| piece.tables.push(table)),
                None => piece.takes(id.len() + 3).then(|| piece.gone.push(id.clone())),
            },
            Item::Round(id) => match self.rounds.all.get(id).map(Round::info) {
                Some(round) => piece.takes(round_bytes(&round)).then(|| piece.rounds.push(round)),
                None => piece.takes(id.len() + 3).then(|| piece.rounds_gone.push(id.clone())),
            },
            Item::Person(key) => match self.person(key) {
                Some(person) => piece.takes(person_bytes(&person)).then(|| piece.people.push(person)),
                None => piece.takes(key.len() + 3).then(|| piece.left.push(key.clone())),
            },
        };
        added.is_some()
    }

    fn is_there(&self, item: &Item) -> bool {
        is_there(&self.tables, &self.rounds, &self.people, item)
    }

    fn snapshot_piece(&self, now_ms: u64, (first, last): (bool, bool), member: bool, piece: Piece) -> Snapshot {
        let Patch { free_count, hungry_count, .. } = self.blank_patch(now_ms);
        let zone = self.calendar.name().to_owned();
        let Piece { tables, rounds, people, .. } = piece;
        Snapshot { first, last, now_ms, zone, member, tables, rounds, people, free_count, hungry_count }
    }

    fn blank_patch(&self, now_ms: u64) -> Patch {
        let free = self.everybody().filter(|person| person.presence == Presence::Free).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Patch { now_ms, free_count: count(free), hungry_count: count(self.hungry.len()), ..Patch::default() }
    }

    fn info_of(&self, table: &Table) -> TableInfo {
        let mut info = table.info(self.in_call(table));
        for sitter in &mut info.taken {
            sitter.avatar = self.avatar(&sitter.id);
        }
        info
    }

    fn counts_of(&self, table: &Table) -> TableInfo {
        table.counts(self.in_call(table))
    }

    fn in_call(&self, table: &Table) -> usize {
        self.calls.get(&table.id).map_or(0, BTreeSet::len)
    }
}

/// The contents of one frame.
#[derive(Debug, Default)]
struct Piece {
    tables: Vec<TableInfo>,
    rounds: Vec<RoundInfo>,
    people: Vec<PersonInfo>,
    gone: Vec<String>,
    rounds_gone: Vec<String>,
    left: Vec<Key>,
    bytes: usize,
}

impl Piece {
    /// Reserves space for this many bytes. The first item always fits.
    fn takes(&mut self, bytes: usize) -> bool {
        let fits = self.bytes == 0 || self.bytes + bytes <= BOARD_PIECE_BYTES;
        if fits {
            self.bytes += bytes;
        }
        fits
    }
}

/// Whether members see the item.
fn is_there(tables: &BTreeMap<String, Table>, rounds: &Rounds, people: &BTreeMap<Key, Somebody>, item: &Item) -> bool {
    match item {
        Item::Table(id) => tables.contains_key(id),
        Item::Round(id) => rounds.all.contains_key(id),
        Item::Person(key) => people.get(key).is_some_and(Somebody::is_member),
    }
}

/// Upper bound for the encoded size of an avatar, with the names of its fields and those beside it.
const AVATAR_BYTES: usize = 160;

/// Upper bound for the encoded size of a table, in bytes.
fn table_bytes(table: &TableInfo) -> usize {
    let sitters: usize =
        table.taken.iter().map(|sitter| sitter.id.len() + json_bytes(&sitter.name) + AVATAR_BYTES).sum();
    let line: usize = table.waiting.iter().map(|id| id.len() + 3).sum();
    512 + json_bytes(&table.topic) + json_bytes(&table.place) + sitters + line
}

/// Upper bound for the encoded size of a round, in bytes.
fn round_bytes(round: &RoundInfo) -> usize {
    256 + round.id.len() + round.host.len() + json_bytes(&round.title)
}

/// Upper bound for the encoded size of a person, in bytes.
fn person_bytes(person: &PersonInfo) -> usize {
    person.id.len() + json_bytes(&person.name) + 64 + AVATAR_BYTES
}

/// Size of a clean text in JSON, where only quotes and backslashes are escaped.
pub(super) fn json_bytes(text: &str) -> usize {
    let escaped = text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    text.len() + escaped + 2
}
