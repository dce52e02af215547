//! Builds a client's copy of the board from the server's messages alone.
//!
//! ```text
//!             snapshot (first)             snapshot (last)
//!  Empty ───────────────────▶ Building ───────────────────▶ Whole ◀─┐ patch
//!    ▲                                                      │ │     │
//!    └──────────────────────── reset ───────────────────────┘ └─────┘
//! ```
//! The old board stays visible while a new snapshot is being built.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;

use crate::board::{
    BoardNews, Notice, NoticeKind, Order, Patch, PersonInfo, Presence, RoundInfo, Sitter, Snapshot, TableInfo, Waiting,
};
use crate::limits::{MAX_BOARD_ITEMS, MAX_ROUNDS_SHOWN};

/// Notices kept for the app. When full, the oldest is dropped: the board itself shows its contents.
const MAX_NOTICES: usize = 64;

/// The board as a window displays it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct BoardState {
    /// The server's clock at its last message, Unix milliseconds.
    pub now_ms: u64,
    /// How far the server's clock is ahead of this machine's, in milliseconds. Displayed times and countdowns use the
    /// server's clock.
    pub skew_ms: i64,
    /// IANA time zone of the community.
    pub zone: String,
    /// Whether this person is a member, who sees names and may create tables.
    pub member: bool,
    /// Tables, ordered by beginning, then by id. A later state holds the same `Arc` of each table that no patch named.
    pub tables: Vec<Arc<TableView>>,
    /// Rounds, ordered by beginning, then by id.
    pub rounds: Vec<RoundView>,
    /// People who are present, ordered by name, then by id, and shared in the same way.
    pub people: Vec<Arc<PersonInfo>>,
    /// Number of people who are free.
    pub free_count: u32,
    /// Number of people who wait to eat now.
    pub hungry_count: u32,
    /// This person's own wait to eat now.
    pub waiting: Option<Waiting>,
    /// The earliest table at which this person has a seat.
    pub seated: Option<String>,
    /// What of the community's order concerns this person.
    pub order: Order,
}

/// A table as one person sees it: what the server says of it, and this person's part in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct TableView {
    /// The table as the server describes it.
    #[serde(flatten)]
    pub info: TableInfo,
    /// This person's part in the table.
    pub mine: Mine,
    /// This person's place in line, from 1; 0 if not in line.
    pub my_place: u16,
}

/// A round as one person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct RoundView {
    /// The round as the server describes it.
    #[serde(flatten)]
    pub info: RoundInfo,
    /// Whether this person created it.
    pub own: bool,
    /// Whether this person has signed up for its next date.
    pub joined: bool,
}

/// A person's part in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Mine {
    /// None.
    None,
    /// A seat.
    Seat,
    /// A place in line.
    Waiting,
    /// The host's seat.
    Host,
}

/// Reduces the server's messages about the board to its current state.
#[derive(Debug)]
pub struct BoardFold {
    you: String,
    building: Option<BoardContents>,
    whole: Option<BoardContents>,
    waiting: Option<Waiting>,
    /// Ids of the rounds for which they have signed up.
    joined: Vec<String>,
    order: Order,
    notices: VecDeque<Notice>,
}

#[derive(Debug, Default)]
struct BoardContents {
    now_ms: u64,
    skew_ms: i64,
    zone: String,
    member: bool,
    free_count: u32,
    hungry_count: u32,
    tables: BTreeMap<String, Arc<TableView>>,
    rounds: BTreeMap<String, RoundInfo>,
    people: BTreeMap<String, Arc<PersonInfo>>,
}

impl BoardFold {
    /// Creates an empty board. `you` is the person id: this client's key for the server
    /// ([`crate::identity::PublicKey`] as text).
    pub fn new(you: impl Into<String>) -> BoardFold {
        BoardFold {
            you: you.into(),
            building: None,
            whole: None,
            waiting: None,
            joined: Vec::new(),
            order: Order::default(),
            notices: VecDeque::new(),
        }
    }

    /// Applies a message that arrived at `local_ms` by this machine's clock (Unix milliseconds; it need not be
    /// right). Returns whether the board changed.
    pub fn handle(&mut self, local_ms: u64, news: &BoardNews) -> bool {
        match news {
            BoardNews::Snapshot(piece) => self.snapshot(local_ms, piece),
            BoardNews::Patch(patch) => self.patch(local_ms, patch),
            BoardNews::You { waiting, rounds } => {
                let before = (self.waiting.take(), std::mem::take(&mut self.joined));
                (self.waiting, self.joined) = (waiting.clone(), rounds.clone());
                (&before.0, &before.1) != (&self.waiting, &self.joined)
            }
            BoardNews::Order(order) => std::mem::replace(&mut self.order, order.clone()) != *order,
            // A kind that this version has no words for.
            BoardNews::Notice(Notice { kind: NoticeKind::Unknown, .. }) => false,
            BoardNews::Notice(notice) => {
                if self.notices.len() == MAX_NOTICES {
                    self.notices.pop_front();
                }
                self.notices.push_back(notice.clone());
                false
            }
            BoardNews::Invite { .. }
            | BoardNews::Photo { .. }
            | BoardNews::Calendar { .. }
            | BoardNews::AboutMe(_)
            | BoardNews::OrderBook(_)
            | BoardNews::Done { .. } => false,
        }
    }

    /// Returns the next notice, oldest first.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Discards everything, for another server or when the board is no longer wanted.
    pub fn reset(&mut self, you: impl Into<String>) {
        *self = BoardFold::new(you);
    }

    /// Returns the board if it is complete.
    pub fn state(&self) -> Option<BoardState> {
        let contents = self.whole.as_ref()?;
        let mut tables: Vec<_> = contents.tables.values().cloned().collect();
        tables.sort_by(|a, b| (a.info.starts_ms, &a.info.id).cmp(&(b.info.starts_ms, &b.info.id)));
        let mut people: Vec<_> = contents.people.values().cloned().collect();
        people.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        let seated = tables.iter().find(|table| sits(&self.you, &table.info.taken)).map(|table| table.info.id.clone());
        Some(BoardState {
            now_ms: contents.now_ms,
            skew_ms: contents.skew_ms,
            zone: contents.zone.clone(),
            member: contents.member,
            tables,
            rounds: self.rounds(contents),
            people,
            free_count: contents.free_count,
            hungry_count: contents.hungry_count,
            waiting: self.waiting.clone(),
            seated,
            order: self.order.clone(),
        })
    }

    fn rounds(&self, contents: &BoardContents) -> Vec<RoundView> {
        let view = |info: &RoundInfo| RoundView {
            own: info.host == self.you,
            joined: self.joined.contains(&info.id),
            info: info.clone(),
        };
        let mut rounds: Vec<RoundView> = contents.rounds.values().map(view).collect();
        rounds.sort_by(|a, b| (a.info.starts_ms, &a.info.id).cmp(&(b.info.starts_ms, &b.info.id)));
        rounds
    }

    fn snapshot(&mut self, local_ms: u64, piece: &Snapshot) -> bool {
        if piece.first {
            self.building = Some(BoardContents::default());
        }
        // A piece without a first one: the server's fault. There is nothing to add it to.
        let Some(building) = &mut self.building else { return false };
        building.clock(local_ms, piece.now_ms);
        building.zone.clone_from(&piece.zone);
        building.member = piece.member;
        (building.free_count, building.hungry_count) = (piece.free_count, piece.hungry_count);
        building.take(&self.you, &piece.tables, &piece.people);
        building.take_rounds(&piece.rounds);
        if piece.last {
            self.whole = self.building.take();
        }
        piece.last
    }

    fn patch(&mut self, local_ms: u64, patch: &Patch) -> bool {
        let Some(contents) = self.building.as_mut().or(self.whole.as_mut()) else { return false };
        contents.clock(local_ms, patch.now_ms);
        for id in &patch.gone {
            contents.tables.remove(id);
        }
        for id in &patch.rounds_gone {
            contents.rounds.remove(id);
        }
        for id in &patch.left {
            contents.people.remove(id);
        }
        contents.take(&self.you, &patch.tables, &patch.people);
        contents.take_rounds(&patch.rounds);
        (contents.free_count, contents.hungry_count) = (patch.free_count, patch.hungry_count);
        self.building.is_none()
    }
}

impl BoardContents {
    fn clock(&mut self, local_ms: u64, server_ms: u64) {
        let signed = |ms| i64::try_from(ms).unwrap_or(i64::MAX);
        let skew = signed(server_ms).saturating_sub(signed(local_ms));
        // The delay of a message does not change the offset; only a clock that was set does.
        if self.now_ms == 0 || skew.abs_diff(self.skew_ms) > 1_000 {
            self.skew_ms = skew;
        }
        self.now_ms = server_ms;
    }

    /// Adds tables and people, bounded by [`MAX_BOARD_ITEMS`]. Further ones are ignored.
    fn take(&mut self, you: &str, tables: &[TableInfo], people: &[PersonInfo]) {
        for table in tables {
            if self.tables.len() < MAX_BOARD_ITEMS || self.tables.contains_key(&table.id) {
                self.tables.insert(table.id.clone(), Arc::new(seen_by(you, table)));
            }
        }
        for person in people {
            if self.people.len() < MAX_BOARD_ITEMS || self.people.contains_key(&person.id) {
                self.people.insert(person.id.clone(), Arc::new(person.clone()));
            }
        }
    }

    /// Adds rounds, bounded by [`MAX_ROUNDS_SHOWN`]. Further ones are ignored.
    fn take_rounds(&mut self, rounds: &[RoundInfo]) {
        for round in rounds {
            if self.rounds.len() < MAX_ROUNDS_SHOWN || self.rounds.contains_key(&round.id) {
                self.rounds.insert(round.id.clone(), round.clone());
            }
        }
    }
}

/// Returns the table as the person with this id sees it.
fn seen_by(you: &str, table: &TableInfo) -> TableView {
    let place = table.waiting.iter().position(|id| id == you).map_or(0, |place| place + 1);
    let mine = match sits(you, &table.taken) {
        true if table.host == you => Mine::Host,
        true => Mine::Seat,
        false if place > 0 => Mine::Waiting,
        false => Mine::None,
    };
    TableView { info: table.clone(), mine, my_place: u16::try_from(place).unwrap_or(u16::MAX) }
}

fn sits(you: &str, taken: &[Sitter]) -> bool {
    taken.iter().any(|sitter| sitter.id == you)
}

impl Presence {
    /// Whether the person can be invited to a table.
    pub fn is_free(self) -> bool {
        match self {
            Presence::Free => true,
            Presence::AtTable | Presence::Away => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::avatar::Avatar;
    use crate::board::Door;

    fn table(id: &str, starts_ms: u64, taken: &[&str], waiting: &[&str]) -> TableInfo {
        TableInfo {
            id: id.into(),
            room: "t-x".into(),
            topic: String::new(),
            place: String::new(),
            seats: 4,
            starts_ms,
            ends_ms: starts_ms + 1,
            now: false,
            weekly: false,
            host: taken.first().copied().unwrap_or_default().into(),
            door: Door::Open,
            locked: false,
            taken: taken.iter().map(|id| Sitter::new(id, id)).collect(),
            taken_count: taken.len() as u8,
            waiting: waiting.iter().map(|id| (*id).into()).collect(),
            sequence: 0,
            waiting_count: waiting.len() as u16,
            in_call: 0,
        }
    }

    fn person(id: &str) -> PersonInfo {
        PersonInfo { id: id.into(), name: id.into(), presence: Presence::Free, avatar: Avatar::default() }
    }

    fn piece(first: bool, last: bool, tables: Vec<TableInfo>, people: Vec<PersonInfo>) -> BoardNews {
        BoardNews::Snapshot(Snapshot {
            first,
            last,
            now_ms: 10_000,
            zone: "Asia/Seoul".into(),
            member: true,
            tables,
            rounds: Vec::new(),
            people,
            free_count: 1,
            hungry_count: 0,
        })
    }

    fn round(id: &str, starts_ms: u64) -> RoundInfo {
        RoundInfo {
            id: id.into(),
            title: String::new(),
            starts_ms,
            ends_ms: starts_ms + 1,
            closes_ms: starts_ms - 1,
            weekly: true,
            size: crate::board::RoundSize::Fours,
            host: "me".into(),
            signed_up: 2,
        }
    }

    #[test]
    fn rounds_say_who_has_created_them_and_signed_up() {
        let mut fold = BoardFold::new("me");
        fold.handle(0, &piece(true, true, vec![], vec![]));
        let rounds = vec![round("a", 3), RoundInfo { host: "you".into(), ..round("b", 2) }, round("c", 9)];
        assert!(fold.handle(0, &BoardNews::Patch(Patch { rounds, ..Patch::default() })));
        let you =
            |rounds: &[&str]| BoardNews::You { waiting: None, rounds: rounds.iter().map(|&id| id.into()).collect() };
        assert!(fold.handle(0, &you(&["a"])) && !fold.handle(0, &you(&["a"])), "only a change is one");
        fold.handle(0, &BoardNews::Patch(Patch { rounds_gone: vec!["c".into()], ..Patch::default() }));
        let seen: Vec<_> = fold.state().unwrap().rounds.into_iter().map(|r| (r.info.id, r.own, r.joined)).collect();
        assert_eq!(seen, [("b".into(), false, false), ("a".into(), true, true)]);
    }

    #[test]
    fn a_board_appears_once_its_last_piece_arrived() {
        let mut fold = BoardFold::new("me");
        assert!(!fold.handle(4_000, &piece(true, false, vec![table("b", 2, &[], &[])], vec![])));
        assert_eq!(fold.state(), None);
        assert!(fold.handle(4_000, &piece(false, true, vec![table("a", 2, &["me"], &[])], vec![person("x")])));
        let state = fold.state().unwrap();
        assert_eq!(state.tables.iter().map(|t| t.info.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((state.skew_ms, state.now_ms, state.people.len()), (6_000, 10_000, 1));
        // A new snapshot begins. The old board stays until the new one is complete.
        fold.handle(4_000, &piece(true, false, vec![], vec![]));
        assert_eq!(fold.state(), Some(state));
    }

    #[test]
    fn patches_change_only_what_they_name() {
        let mut fold = BoardFold::new("me");
        let patch = Patch { now_ms: 11_000, gone: vec!["a".into()], ..Patch::default() };
        assert!(!fold.handle(0, &BoardNews::Patch(patch.clone())), "nothing to patch yet");
        let tables = vec![table("a", 1, &[], &[]), table("b", 2, &[], &[]), table("c", 3, &["you"], &[])];
        fold.handle(5_000, &piece(true, true, tables, vec![person("x"), person("y")]));
        let patch = Patch {
            tables: vec![table("b", 9, &["me"], &[]), table("d", 4, &["x"], &["y", "me"])],
            people: vec![PersonInfo { presence: Presence::Away, ..person("x") }],
            left: vec!["y".into()],
            ..patch
        };
        assert!(fold.handle(6_000, &BoardNews::Patch(patch)));
        let state = fold.state().unwrap();
        let seen: Vec<_> = state.tables.iter().map(|t| (t.info.id.as_str(), t.mine, t.my_place)).collect();
        assert_eq!(seen, [("c", Mine::None, 0), ("d", Mine::Waiting, 2), ("b", Mine::Host, 0)]);
        assert_eq!(state.people, [Arc::new(PersonInfo { presence: Presence::Away, ..person("x") })]);
        assert_eq!((state.seated.as_deref(), state.free_count), (Some("b"), 0));
        assert_eq!(state.skew_ms, 5_000, "another second of delay is not another clock");
    }

    #[test]
    fn a_patch_shares_the_tables_it_does_not_name() {
        let mut fold = BoardFold::new("me");
        fold.handle(0, &piece(true, true, vec![table("a", 1, &[], &[]), table("b", 2, &[], &[])], vec![person("x")]));
        let before = fold.state().unwrap();
        let patch = Patch { now_ms: 11_000, tables: vec![table("b", 2, &["me"], &[])], ..Patch::default() };
        assert!(fold.handle(0, &BoardNews::Patch(patch)));
        let after = fold.state().unwrap();
        assert!(Arc::ptr_eq(&after.tables[0], &before.tables[0]) && Arc::ptr_eq(&after.people[0], &before.people[0]));
        assert_eq!((before.tables[1].mine, after.tables[1].mine), (Mine::None, Mine::Host));
    }

    #[test]
    fn notices_are_bounded_and_in_order() {
        let mut fold = BoardFold::new("me");
        for starts_ms in 0..100 {
            let notice = Notice {
                kind: NoticeKind::Soon,
                table: "a".into(),
                room: "t-x".into(),
                topic: String::new(),
                starts_ms,
            };
            fold.handle(0, &BoardNews::Notice(notice));
        }
        let kept: Vec<u64> = std::iter::from_fn(|| fold.poll_notice()).map(|n| n.starts_ms).collect();
        assert_eq!(kept, (36..100).collect::<Vec<_>>());
    }
}
