//! What boards on screens have to redraw, and the whole board for a new one.

use std::collections::BTreeSet;

use signaling::board::{Patch, PersonInfo, Presence, Snapshot, TableInfo};
use signaling::limits::BOARD_PIECE_BYTES;

use super::saved::Key;
use super::{Board, Table};

/// What has changed since it was last asked.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    tables: BTreeSet<String>,
    gone: BTreeSet<(String, String)>,
    people: BTreeSet<Key>,
    left: BTreeSet<Key>,
    counts: bool,
}

/// What has changed, for all members alike, and for the guests of single tables.
#[derive(Debug, Default)]
pub struct News {
    /// For members, in as many patches as fit in frames.
    pub patches: Vec<Patch>,
    /// For guests, by room: what is left of it, nothing if it is gone.
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
        self.tables.is_empty() && self.gone.is_empty() && nobody && !self.counts
    }
}

impl Board {
    /// Whether [`Board::take_patch`] has anything.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// What has changed since the last call.
    pub fn take_patch(&mut self, now: u64) -> Option<News> {
        if self.dirty.is_empty() {
            return None;
        }
        let dirty = std::mem::take(&mut self.dirty);
        let changed: Vec<&Table> = dirty.tables.iter().filter_map(|id| self.tables.get(id)).collect();
        let blank = self.blank_patch(now);
        let mut guests: Vec<(String, Patch)> = changed
            .iter()
            .map(|table| (table.room.clone(), Patch { tables: vec![self.counts_of(table)], ..blank.clone() }))
            .collect();
        let gone = dirty.gone.iter();
        guests.extend(gone.map(|(id, room)| (room.clone(), Patch { gone: vec![id.clone()], ..blank.clone() })));
        let tables = changed.into_iter().map(|table| self.info_of(table)).collect();
        let people = dirty.people.iter().filter_map(|key| self.person(key)).collect();
        let mut patches: Vec<Patch> = pieces(tables, people)
            .into_iter()
            .map(|(tables, people)| Patch { tables, people, ..blank.clone() })
            .collect();
        if let Some(first) = patches.first_mut() {
            first.gone = dirty.gone.into_iter().map(|(id, _)| id).collect();
            first.left = dirty.left.into_iter().collect();
        }
        Some(News { patches, guests })
    }

    /// The whole board for members, in as many pieces as fit in frames.
    pub fn snapshot(&self, now: u64) -> Vec<Snapshot> {
        let tables = self.tables.values().map(|table| self.info_of(table)).collect();
        self.pieces_of(now, true, pieces(tables, self.everybody().collect()))
    }

    /// What a guest sees: the table of one room, without names.
    pub fn guest_snapshot(&self, now: u64, room: &str) -> Vec<Snapshot> {
        let tables = self.table_of_room(room).map(|table| self.counts_of(table)).into_iter().collect();
        self.pieces_of(now, false, vec![(tables, Vec::new())])
    }

    fn pieces_of(&self, now_ms: u64, member: bool, pieces: Vec<(Vec<TableInfo>, Vec<PersonInfo>)>) -> Vec<Snapshot> {
        let last = pieces.len() - 1;
        let blank = self.blank_patch(now_ms);
        let whole = pieces.into_iter().enumerate().map(|(index, (tables, people))| Snapshot {
            first: index == 0,
            last: index == last,
            now_ms,
            zone: self.calendar.name().to_owned(),
            member,
            tables,
            people,
            free_count: blank.free_count,
            hungry_count: blank.hungry_count,
        });
        whole.collect()
    }

    fn blank_patch(&self, now_ms: u64) -> Patch {
        let free = self.everybody().filter(|person| person.presence == Presence::Free).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Patch { now_ms, free_count: count(free), hungry_count: count(self.hungry.len()), ..Patch::default() }
    }

    fn info_of(&self, table: &Table) -> TableInfo {
        table.info(self.in_call(table))
    }

    fn counts_of(&self, table: &Table) -> TableInfo {
        table.counts(self.in_call(table))
    }

    fn in_call(&self, table: &Table) -> usize {
        self.calls.get(&table.id).map_or(0, BTreeSet::len)
    }
}

/// Cut so that each piece fits in a frame; at least one, which may be empty.
fn pieces(tables: Vec<TableInfo>, people: Vec<PersonInfo>) -> Vec<(Vec<TableInfo>, Vec<PersonInfo>)> {
    let mut pieces = vec![(Vec::new(), Vec::new())];
    let mut bytes = 0;
    let mut room_for = |size: usize, pieces: &mut Vec<(Vec<TableInfo>, Vec<PersonInfo>)>| {
        if bytes > 0 && bytes + size > BOARD_PIECE_BYTES {
            pieces.push((Vec::new(), Vec::new()));
            bytes = 0;
        }
        bytes += size;
    };
    for table in tables {
        room_for(table_bytes(&table), &mut pieces);
        if let Some(piece) = pieces.last_mut() {
            piece.0.push(table);
        }
    }
    for person in people {
        room_for(person.id.len() + json_bytes(&person.name) + 64, &mut pieces);
        if let Some(piece) = pieces.last_mut() {
            piece.1.push(person);
        }
    }
    pieces
}

/// At least as many bytes as it has on the wire.
fn table_bytes(table: &TableInfo) -> usize {
    let sitters: usize = table.taken.iter().map(|sitter| sitter.id.len() + json_bytes(&sitter.name) + 24).sum();
    let line: usize = table.waiting.iter().map(|id| id.len() + 3).sum();
    512 + json_bytes(&table.topic) + json_bytes(&table.place) + sitters + line
}

/// A clean text in JSON: quotes and backslashes are escaped, nothing else is.
fn json_bytes(text: &str) -> usize {
    2 * text.len() + 2
}
