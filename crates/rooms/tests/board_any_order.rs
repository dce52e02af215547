//! Whatever people request, in any order, and whatever the clock does, the board keeps its invariants.

mod stored;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rooms::board::{
    Board, Calendar, Cancelled, Change, Feed, GATHER_MS, Hungry, InviteId, Key, OrderChange, Saved, SavedAct,
    SavedAvatar, SavedOrder, SavedReport, SavedRounds, SavedSuspension, Table, Who,
};
use signaling::board::{BoardNews, Door, Draft, Presence, RoundDraft, RoundSize};
use signaling::board_fold::{BoardFold, BoardState};

const MINUTE: u64 = 60_000;
/// Two days before the clocks in Berlin go forward.
const START: u64 = 1_774_600_000_000;
const ZONES: [&str; 2] = ["Europe/Berlin", "Asia/Seoul"];

#[derive(Debug, Clone)]
enum Step {
    Come(u8),
    Go(u8),
    Lay { who: u8, seats: u8, now: bool, in_minutes: i16, minutes: u8, weekly: bool, door: Door },
    Take { who: u8, table: u8, wait: bool },
    Leave { who: u8, table: u8 },
    Delete { who: u8, table: u8 },
    EatNow { who: u8, with: Vec<u8> },
    StopWaiting(u8),
    Presence { who: u8, away: bool },
    Enter { who: u8, table: u8 },
    LeftCall { who: u8, table: u8 },
    Lock { table: u8, locked: bool },
    Remove { who: u8, table: u8 },
    Call { table: u8, who: Vec<u8> },
    LayRound { who: u8, in_minutes: u8, weekly: bool },
    SignUp { who: u8, round: u8 },
    Withdraw { who: u8, round: u8 },
    CancelRound { who: u8, round: u8 },
    Forget(u8),
    Pass { seconds: u32 },
    ClockBack { seconds: u32 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let w = 0..9u8;
    let t = 0..12u8;
    let some = prop::collection::vec(0..9u8, 0..3);
    prop_oneof![
        4 => w.clone().prop_map(Step::Come),
        1 => w.clone().prop_map(Step::Go),
        6 => (w.clone(), 2..5u8, any::<bool>(), -30..300i16, 15..120u8, prop::bool::weighted(0.3), prop::bool::weighted(0.2))
            .prop_map(|(who, seats, now, in_minutes, minutes, weekly, knock)| Step::Lay {
                who, seats, now, in_minutes, minutes, weekly, door: if knock { Door::Knock } else { Door::Open },
            }),
        8 => (w.clone(), t.clone(), any::<bool>()).prop_map(|(who, table, wait)| Step::Take { who, table, wait }),
        4 => (w.clone(), t.clone()).prop_map(|(who, table)| Step::Leave { who, table }),
        1 => (w.clone(), t.clone()).prop_map(|(who, table)| Step::Delete { who, table }),
        5 => (w.clone(), some.clone()).prop_map(|(who, with)| Step::EatNow { who, with }),
        1 => w.clone().prop_map(Step::StopWaiting),
        1 => (w.clone(), any::<bool>()).prop_map(|(who, away)| Step::Presence { who, away }),
        4 => (w.clone(), t.clone()).prop_map(|(who, table)| Step::Enter { who, table }),
        2 => (w.clone(), t.clone()).prop_map(|(who, table)| Step::LeftCall { who, table }),
        1 => (t.clone(), any::<bool>()).prop_map(|(table, locked)| Step::Lock { table, locked }),
        1 => (w.clone(), t.clone()).prop_map(|(who, table)| Step::Remove { who, table }),
        2 => (t, some).prop_map(|(table, who)| Step::Call { table, who }),
        2 => (w.clone(), 50..250u8, any::<bool>())
            .prop_map(|(who, in_minutes, weekly)| Step::LayRound { who, in_minutes, weekly }),
        6 => (w.clone(), 0..4u8).prop_map(|(who, round)| Step::SignUp { who, round }),
        1 => (w.clone(), 0..4u8).prop_map(|(who, round)| Step::Withdraw { who, round }),
        1 => (w.clone(), 0..4u8).prop_map(|(who, round)| Step::CancelRound { who, round }),
        1 => w.prop_map(Step::Forget),
        6 => (0..3_000u32).prop_map(|seconds| Step::Pass { seconds }),
        1 => (0..900_000u32).prop_map(|seconds| Step::Pass { seconds }),
        1 => (0..7_200u32).prop_map(|seconds| Step::ClockBack { seconds }),
        1 => Just(Step::Restart),
    ]
}

/// The contents of a store.
#[derive(Default)]
struct Store {
    tables: BTreeMap<String, Table>,
    met: BTreeMap<(Key, Key), u64>,
    invites: Vec<(InviteId, Key, u64)>,
    hungry: BTreeMap<Key, Hungry>,
    feeds: BTreeMap<Key, Feed>,
    cancelled: BTreeMap<(Key, String), Cancelled>,
    avatars: BTreeMap<Key, SavedAvatar>,
    blocks: BTreeMap<(Key, Key), String>,
    reports: BTreeMap<u32, SavedReport>,
    suspended: BTreeMap<Key, SavedSuspension>,
    acts: BTreeMap<u32, SavedAct>,
    rounds: SavedRounds,
}

impl Store {
    fn write(&mut self, change: Change) {
        match change {
            Change::Table(table) => {
                self.tables.insert(table.id.clone(), *table);
            }
            Change::Gone { id } => {
                self.tables.remove(&id);
            }
            Change::Met { a, b, at } => {
                assert!(a < b);
                self.met.insert((a, b), at);
            }
            Change::Forget { key } => {
                self.met.retain(|(a, b), _| *a != key && *b != key);
                self.invites.retain(|(_, used, _)| *used != key);
                self.hungry.remove(&key);
                self.blocks.retain(|(own, other), _| *own != key && *other != key);
                self.suspended.remove(&key);
                stored::forget(&mut self.rounds, &key);
            }
            Change::Prune { met_before, invites_before } => {
                self.met.retain(|_, at| *at >= met_before);
                self.invites.retain(|(_, _, expires)| *expires >= invites_before);
            }
            Change::InviteUsed { id, key, expires } => self.invites.push((id, key, expires)),
            Change::Hungry { key, wish: Some(wish) } => {
                self.hungry.insert(key, wish);
            }
            Change::Hungry { key, wish: None } => {
                self.hungry.remove(&key);
            }
            Change::Feed { key, feed: Some(feed) } => {
                self.feeds.insert(key, feed);
            }
            Change::Feed { key, feed: None } => {
                self.feeds.remove(&key);
            }
            Change::Cancelled { key, table, lunch: Some(lunch) } => {
                self.cancelled.insert((key, table), lunch);
            }
            Change::Cancelled { key, table, lunch: None } => {
                self.cancelled.remove(&(key, table));
            }
            Change::Avatar { key, avatar: Some(avatar) } => {
                self.avatars.insert(key, avatar);
            }
            Change::Avatar { key, avatar: None } => {
                self.avatars.remove(&key);
            }
            Change::Order(change) => self.write_order(change),
            Change::Round(change) => stored::write(&mut self.rounds, change),
        }
    }

    fn write_order(&mut self, change: OrderChange) {
        match change {
            OrderChange::Block { key, other, name } => set(&mut self.blocks, (key, other), name),
            OrderChange::Report { id, report } => set(&mut self.reports, id, report.map(|one| *one)),
            OrderChange::Suspension { key, suspension } => set(&mut self.suspended, key, suspension),
            OrderChange::Act { id, act } => set(&mut self.acts, id, act.map(|one| *one)),
        }
    }

    fn saved(&self) -> Saved {
        Saved {
            tables: self.tables.values().cloned().collect(),
            met: self.met.iter().map(|((a, b), at)| (a.clone(), b.clone(), *at)).collect(),
            invites: self.invites.clone(),
            hungry: self.hungry.iter().map(|(key, wish)| (key.clone(), wish.clone())).collect(),
            feeds: self.feeds.iter().map(|(key, feed)| (key.clone(), *feed)).collect(),
            cancelled: self
                .cancelled
                .iter()
                .map(|((key, id), lunch)| (key.clone(), id.clone(), lunch.clone()))
                .collect(),
            avatars: self.avatars.iter().map(|(key, avatar)| (key.clone(), avatar.clone())).collect(),
            order: SavedOrder {
                blocks: self
                    .blocks
                    .iter()
                    .map(|((key, other), name)| (key.clone(), other.clone(), name.clone()))
                    .collect(),
                reports: self.reports.clone().into_iter().collect(),
                suspended: self.suspended.clone().into_iter().collect(),
                acts: self.acts.clone().into_iter().collect(),
            },
            rounds: self.rounds.clone(),
        }
    }
}

fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

struct World {
    zone: &'static str,
    board: Board,
    store: Store,
    now: u64,
    here: BTreeSet<u8>,
    screen: BoardFold,
    restarts: u8,
}

fn who(n: u8) -> Who {
    Who { key: format!("key {n}"), name: format!("Person {n}"), member: true, steward: false }
}

impl World {
    fn new(zone: &'static str) -> World {
        let calendar = Calendar::new(zone).expect("works");
        let board = Board::new(calendar, [0; 32], [1; 32], Saved::default(), START);
        let screen = BoardFold::new("key 0");
        let mut world =
            World { zone, board, store: Store::default(), now: START, here: BTreeSet::new(), screen, restarts: 0 };
        world.redraw();
        world
    }

    fn redraw(&mut self) {
        for piece in self.board.snapshot(self.now) {
            self.screen.handle(self.now, &BoardNews::Snapshot(piece));
        }
    }

    fn id(&self, table: u8) -> Option<(String, String)> {
        let tables: Vec<_> = self.board.tables().collect();
        let table = tables.get(usize::from(table) % tables.len().max(1))?;
        Some((table.id.clone(), table.room.clone()))
    }

    fn round(&self, round: u8) -> Option<String> {
        let count = self.board.rounds().count().max(1);
        self.board.rounds().nth(usize::from(round) % count).map(|round| round.id.clone())
    }

    fn take(&mut self, step: &Step) {
        let now = self.now;
        match step {
            Step::Come(n) => {
                if self.here.insert(*n) {
                    self.board.come(&who(*n));
                }
            }
            Step::Go(n) => {
                if self.here.remove(n) {
                    self.board.go(&who(*n).key);
                }
            }
            Step::Lay { who: n, seats, now: at_once, in_minutes, minutes, weekly, door } => {
                let starts_ms = (now as i64 + i64::from(*in_minutes) * MINUTE as i64) as u64;
                let draft = Draft {
                    topic: "soup".into(),
                    place: String::new(),
                    seats: *seats,
                    now: *at_once,
                    starts_ms,
                    minutes: u32::from(*minutes),
                    weekly: *weekly,
                    door: *door,
                };
                let _ = self.board.lay(now, &who(*n), draft); // refusals are tested elsewhere
            }
            Step::Take { who: n, table, wait } => {
                let Some((id, _)) = self.id(*table) else { return };
                let line: Vec<Key> = self.line(&id);
                if self.board.take(now, &who(*n), &id, *wait).is_ok() {
                    let after = self.line(&id);
                    let kept: Vec<&Key> = after.iter().filter(|key| **key != who(*n).key).collect();
                    let stays = |key: &&Key| **key != who(*n).key && after.contains(key);
                    let before: Vec<&Key> = line.iter().filter(stays).collect();
                    assert_eq!(kept, before, "a newcomer does not change anybody's place in line");
                    // A seat that the newcomer gave up may have gone to somebody who waits here too.
                    for gone in line.iter().filter(|key| !after.contains(key)) {
                        assert!(self.board.tables().any(|table| table.seats_key(gone)), "{gone} has lost a place");
                    }
                }
            }
            Step::Leave { who: n, table } => {
                let Some((id, _)) = self.id(*table) else { return };
                let _ = self.board.leave(now, &who(*n).key, &id);
            }
            Step::Delete { who: n, table } => {
                let Some((id, _)) = self.id(*table) else { return };
                let _ = self.board.delete(now, &who(*n).key, &id);
            }
            Step::EatNow { who: n, with } => {
                let with = with.iter().map(|n| who(*n).key).collect();
                if self.here.contains(n) {
                    let _ = self.board.eat_now(now, &who(*n), with);
                }
            }
            Step::StopWaiting(n) => self.board.stop_waiting(&who(*n).key),
            Step::Presence { who: n, away } => {
                let presence = if *away { Presence::Away } else { Presence::Free };
                self.board.set_presence(&who(*n).key, presence);
            }
            Step::Enter { who: n, table } => {
                let Some((_, room)) = self.id(*table) else { return };
                let _ = self.board.enter(now, &who(*n), &room, None);
            }
            Step::LeftCall { who: n, table } => {
                let Some((_, room)) = self.id(*table) else { return };
                self.board.left_call(now, &room, &who(*n).key);
            }
            Step::Lock { table, locked } => {
                let Some((_, room)) = self.id(*table) else { return };
                self.board.lock(now, &room, *locked);
            }
            Step::Remove { who: n, table } => {
                let Some((_, room)) = self.id(*table) else { return };
                self.board.remove(now, &room, &who(*n).key);
            }
            Step::Call { table, who: keys } => {
                let Some((_, room)) = self.id(*table) else { return };
                self.board.set_call(now, &room, keys.iter().map(|n| who(*n).key).collect());
            }
            Step::LayRound { who: n, in_minutes, weekly } => {
                let draft = RoundDraft {
                    title: format!("by {}", who(*n).name),
                    starts_ms: now + u64::from(*in_minutes) * MINUTE,
                    minutes: 60,
                    weekly: *weekly,
                    size: RoundSize::Threes,
                };
                let _ = self.board.lay_round(now, &who(*n), draft);
            }
            Step::SignUp { who: n, round } => {
                let Some(id) = self.round(*round) else { return };
                let _ = self.board.sign_up(now, &who(*n), &id);
            }
            Step::Withdraw { who: n, round } => {
                let Some(id) = self.round(*round) else { return };
                let _ = self.board.withdraw(now, &who(*n).key, &id);
            }
            Step::CancelRound { who: n, round } => {
                let Some(id) = self.round(*round) else { return };
                let _ = self.board.cancel_round(&who(*n), &id);
            }
            Step::Forget(n) => {
                // The server lets them leave the call before.
                for table in self.board.tables().map(|table| table.room.clone()).collect::<Vec<_>>() {
                    self.board.left_call(now, &table, &who(*n).key);
                }
                self.board.forget(now, &who(*n));
                self.settle();
                let stored = format!("{:?}", self.store.saved());
                assert!(!stored.contains(&who(*n).key) && !stored.contains(&who(*n).name), "{stored}");
            }
            Step::Pass { seconds } => self.now += u64::from(*seconds) * 1_000,
            Step::ClockBack { seconds } => self.now -= u64::from(*seconds) * 1_000,
            Step::Restart => self.restart(),
        }
    }

    fn restart(&mut self) {
        self.restarts += 1;
        let calendar = Calendar::new(self.zone).expect("works");
        self.board = Board::new(calendar, [self.restarts; 32], [1; 32], self.store.saved(), self.now);
        for n in &self.here {
            self.board.come(&who(*n));
        }
        self.redraw();
    }

    fn line(&self, id: &str) -> Vec<Key> {
        self.board.table(id).map(|t| t.waiting.iter().map(|w| w.id.clone()).collect()).unwrap_or_default()
    }

    /// Stores and displays what has happened.
    fn settle(&mut self) {
        for change in self.board.take_changes() {
            self.store.write(change);
        }
        while self.board.poll_notification().is_some() {}
        for patch in self.board.take_patch(self.now).into_iter().flat_map(|news| news.patches) {
            self.screen.handle(self.now, &BoardNews::Patch(patch));
        }
    }

    fn check(&self) {
        let tables: Vec<&Table> = self.board.tables().collect();
        for table in &tables {
            let seated: BTreeSet<&Key> = table.taken.iter().map(|seat| &seat.key).collect();
            assert_eq!(seated.len(), table.taken.len(), "nobody has two seats at one table");
            assert!(table.taken.len() <= usize::from(table.seats), "no seat is taken twice");
            assert!(table.starts < table.ends);
            let line: BTreeSet<&Key> = table.waiting.iter().map(|waiting| &waiting.id).collect();
            assert_eq!(line.len(), table.waiting.len());
            assert!(line.is_disjoint(&seated));
            let over = self.now >= table.ends;
            assert!(line.is_empty() || table.locked || over || !table.has_room(), "a free seat and a line: {table:?}");
            assert!(table.is_weekly() || !seated.is_empty(), "an empty table is cleared");
            for other in tables.iter().filter(|other| other.id != table.id && other.overlaps(table.starts, table.ends))
            {
                for key in &seated {
                    assert!(!other.seats_key(key), "{key} sits at two tables at one time");
                    assert!(other.place_of(key).is_none(), "{key} sits and waits for the same time");
                }
            }
        }
        self.check_rounds(&tables);
        let stored: Vec<&Table> = self.store.tables.values().collect();
        assert_eq!(stored, tables, "the store matches the board");
        assert_eq!(self.picture(&self.screen), self.fresh(), "patches lead to the same board as a new snapshot");
    }

    fn check_rounds(&self, tables: &[&Table]) {
        let rounds: Vec<_> = self.board.rounds().cloned().collect();
        for round in &rounds {
            let keys: BTreeSet<&Key> = round.signed_up.iter().map(|one| &one.key).collect();
            assert_eq!(keys.len(), round.signed_up.len(), "everybody signs up once");
            let same_time =
                |key: &Key| tables.iter().any(|t| t.overlaps(round.starts, round.ends()) && t.seats_key(key));
            assert!(!keys.iter().any(|key| same_time(key)), "{round:?} and a seat");
            let others =
                rounds.iter().filter(|other| other.id != round.id && other.overlaps(round.starts, round.ends()));
            assert!(!{ others }.any(|other| keys.iter().any(|key| other.has(key))), "{round:?} and another");
        }
        let mut stored = self.store.rounds.rounds.clone();
        stored.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(stored, rounds, "the store matches the rounds");
    }

    fn fresh(&self) -> Option<BoardState> {
        let mut fresh = BoardFold::new("key 0");
        for piece in self.board.snapshot(self.now) {
            fresh.handle(self.now, &BoardNews::Snapshot(piece));
        }
        self.picture(&fresh)
    }

    /// The board without the time of the last message.
    fn picture(&self, fold: &BoardFold) -> Option<BoardState> {
        fold.state().map(|state| BoardState { now_ms: 0, skew_ms: 0, ..state })
    }
}

proptest! {

    #[test]
    fn the_board_keeps_its_invariants(zone in 0..2usize, steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new(ZONES[zone]);
        for step in &steps {
            world.take(step);
            world.settle();
            world.board.tick(world.now);
            world.settle();
            world.check();
        }
    }

    #[test]
    fn no_two_hungry_people_keep_waiting(
        steps in prop::collection::vec(step(), 0..60),
        hungry in prop::collection::btree_set(0..9u8, 2..9),
        with in prop::collection::vec(prop::collection::vec(0..9u8, 0..3), 9),
    ) {
        let mut world = World::new(ZONES[1]);
        for step in &steps {
            world.take(step);
            world.board.tick(world.now);
            world.settle();
        }
        let mut wait = BTreeSet::new();
        for n in hungry {
            world.take(&Step::Come(n));
            let with = with[usize::from(n)].iter().map(|n| who(*n).key).collect();
            if world.board.eat_now(world.now, &who(n), with).is_ok() {
                wait.insert(n);
            }
        }
        // A request may free a seat for somebody in line who had also asked.
        wait.retain(|n| world.board.is_hungry(&who(*n).key));
        for _ in 0..2 {
            // Twice, because a clock that was set back may have shortened the first wait.
            world.now += GATHER_MS;
            world.board.tick(world.now);
            world.settle();
        }
        world.check();
        if wait.len() >= 2 {
            for n in &wait {
                let table = world.board.tables().find(|t| t.overlaps(world.now, world.now + 1) && t.seats_key(&who(*n).key));
                let table = table.expect("has a table");
                prop_assert!(table.taken.len() >= 2, "{table:?}");
            }
        }
    }

    #[test]
    fn a_queue_moves_in_order(leave in prop::collection::vec(0..8usize, 1..20), seats in 2..5u8, line in 1..8u8) {
        let mut world = World::new(ZONES[0]);
        let draft = Draft {
            topic: String::new(), place: String::new(), seats, now: false, starts_ms: START + 60 * MINUTE,
            minutes: 60, weekly: false, door: Door::Open,
        };
        let id = world.board.lay(START, &who(0), draft).unwrap();
        for n in 1..seats + line {
            world.board.take(START, &who(n), &id, true).unwrap();
        }
        let mut expected: Vec<Key> = (0..seats + line).map(|n| who(n).key).collect();
        for n in leave {
            if expected.is_empty() {
                break;
            }
            let key = expected.remove(n % expected.len());
            world.board.leave(START, &key, &id).unwrap();
            let Some(table) = world.board.table(&id) else { break };
            let now: Vec<Key> = table.taken.iter().map(|s| s.key.clone())
                .chain(table.waiting.iter().map(|w| w.id.clone())).collect();
            prop_assert_eq!(&now, &expected);
            prop_assert_eq!(table.taken.len(), expected.len().min(usize::from(seats)));
        }
    }
}

/// A case found by the property above: after the clock was set back, the start of the first wait lies some seconds in
/// the future.
#[test]
fn a_wait_that_began_in_the_future_is_not_longer() {
    for ahead in [15_000, 9_000, 8_000, 7_000, 1_000, 1] {
        let mut world = World::new(ZONES[1]);
        for n in [6, 0, 1] {
            world.take(&Step::Come(n));
        }
        world.board.eat_now(world.now, &who(6), vec![]).expect("waits");
        world.now -= ahead;
        for n in [0, 1] {
            world.board.eat_now(world.now, &who(n), vec![]).expect("waits");
        }
        for _ in 0..=GATHER_MS / 1_000 {
            world.now += 1_000;
            world.board.tick(world.now);
            world.settle();
        }
        world.check();
        assert_eq!(world.board.hungry_count(), 0, "{ahead} ms");
    }
}

/// A case found by the first property: a host who has left keeps their seat for two minutes, and it must not count as
/// a second place.
#[test]
fn a_host_who_left_gives_up_the_kept_seat_for_a_place_in_line() {
    let mut world = World::new(ZONES[0]);
    let now = Draft { now: true, ..draft(START) };
    let left = world.board.lay(START, &who(6), now.clone()).expect("creates a table");
    let full = world.board.lay(START, &who(0), now).expect("creates a table");
    world.board.take(START, &who(1), &full, false).expect("has room");
    let room = world.board.table(&left).expect("exists").room.clone();
    world.board.left_call(START, &room, &who(6).key);
    assert!(world.board.table(&left).is_some(), "the seat is kept");
    world.board.take(START, &who(6), &full, true).expect("has a line");
    assert_eq!(world.line(&full), [who(6).key]);
    assert!(world.board.table(&left).is_none(), "nobody sits there any more");
    world.settle();
    world.check();
}

/// A case found by the first property: a call goes on after its table is over, and somebody with a seat there asks to
/// eat while a younger table that began before that end has a free seat.
#[test]
fn a_late_seat_is_not_at_a_table_that_overlaps_another_seat() {
    let mut world = World::new(ZONES[0]);
    let long = world.board.lay(START, &who(1), draft(START)).expect("creates a table");
    world.board.take(START, &who(6), &long, false).expect("has room");
    let room = world.board.table(&long).expect("exists").room.clone();
    world.board.set_call(START, &room, BTreeSet::from([who(1).key]));
    for n in [6, 0, 8] {
        world.take(&Step::Come(n));
    }
    world.now = START + 50 * MINUTE;
    for n in [0, 8] {
        world.take(&Step::EatNow { who: n, with: vec![] });
    }
    for minutes in 1..20 {
        world.now += MINUTE;
        world.take(&Step::EatNow { who: 6, with: vec![] });
        world.board.tick(world.now);
        world.settle();
        world.check();
        assert!(world.board.table(&long).is_some(), "the call keeps the table, {minutes} minutes later");
    }
}

fn draft(starts_ms: u64) -> Draft {
    Draft {
        topic: String::new(),
        place: String::new(),
        seats: 2,
        now: false,
        starts_ms,
        minutes: 60,
        weekly: false,
        door: Door::Open,
    }
}
