//! Calendars over random histories: what a person's calendar shows is what the board says, whatever happens, and a
//! program that reads calendars reads the same.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use fastrand::Rng;
use rooms::board::{Board, Calendar, Change, FeedId, Kind, Lunch, Saved, Table, Who, feed_id};
use serde_json::{Value, json};
use signaling::board::{Door, Draft};
use signaling::ics;

const HISTORIES: u64 = 200;
const STEPS: usize = 60;
const PEOPLE: usize = 4;
const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;
/// Two days before the clocks in Berlin go forward, and six before they go back.
const STARTS: [u64; 2] = [1_774_600_000_000, 1_792_400_000_000];
const ZONES: [&str; 3] = ["Europe/Berlin", "Asia/Seoul", "America/New_York"];
const TOPICS: [&str; 6] = [
    "",
    "김치찌개 먹을 사람, 2층; 그리고 \\커피\\",
    "<b>soup</b> &amp; \"bread\": a,b;c",
    "\u{05de}\u{05e8}\u{05e7} \u{200f}(חם)\u{200e} soup",
    "🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚🍚",
    "BEGIN:VALARM\nEND:VCALENDAR\n한글",
];
/// Reads documents, each a JSON text on a line, and writes their events as JSON.
const READER: &str = r#"
import json, sys
from icalendar import Calendar
for line in sys.stdin:
    calendar = Calendar.from_ical(json.loads(line))
    print(json.dumps([{
        "uid": str(event["uid"]), "sequence": int(event["sequence"]), "status": str(event["status"]),
        "starts": int(event["dtstart"].dt.timestamp()), "ends": int(event["dtend"].dt.timestamp()),
        "summary": str(event["summary"]), "location": str(event.get("location", "")), "url": str(event.get("url", "")),
        "alarms": sum(1 for part in event.walk("VALARM")),
    } for event in calendar.walk("VEVENT")]))
"#;

/// What a person's calendar has of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    starts: u64,
    ends: u64,
    topic: String,
    place: String,
    cancelled: bool,
    sequence: u32,
}

struct World {
    random: Rng,
    board: Board,
    /// What was stored.
    saved: Saved,
    now: u64,
    /// The calendar of each person, as a program sees it that looks after each step.
    feeds: Vec<(FeedId, BTreeMap<String, Entry>)>,
}

fn who(n: usize) -> Who {
    Who { key: format!("key {n}"), name: format!("Person {n}"), member: true, steward: false }
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Rng::with_seed(seed);
        let now = STARTS[random.usize(..STARTS.len())];
        let zone = Calendar::new(ZONES[random.usize(..ZONES.len())]).expect("a zone");
        let mut board = Board::new(zone, [seed as u8; 32], [2; 32], Saved::default(), now);
        let feeds = (0..PEOPLE).map(|n| {
            let token = board.calendar_token(now, &who(n), None).expect("a calendar");
            (feed_id(&token.0), BTreeMap::new())
        });
        let feeds = feeds.collect();
        let mut world = World { random, board, saved: Saved::default(), now, feeds };
        let changes = world.board.take_changes();
        world.store(changes);
        world
    }

    fn text(&mut self) -> String {
        TOPICS[self.random.usize(..TOPICS.len())].to_owned()
    }

    fn table(&mut self) -> Option<Table> {
        let tables: Vec<&Table> = self.board.tables().collect();
        (!tables.is_empty()).then(|| tables[self.random.usize(..tables.len())].clone())
    }

    /// A beginning within some days, on a quarter of an hour.
    fn soon(&mut self) -> u64 {
        (self.now / (15 * MINUTE) + self.random.u64(1..600)) * 15 * MINUTE
    }

    fn step(&mut self) {
        let (now, who) = (self.now, who(self.random.usize(..PEOPLE)));
        match self.random.u8(..12) {
            0..=2 => {
                let weekly = self.random.bool();
                let (topic, place, starts_ms) = (self.text(), self.text(), self.soon());
                let (seats, door) = (self.random.u8(2..4), Door::Open);
                let draft = Draft { topic, place, seats, now: false, starts_ms, minutes: 60, weekly, door };
                let _ = self.board.lay(now, &who, draft);
            }
            3..=5 => {
                let wait = self.random.bool();
                let _ = self.table().map(|table| self.board.take(now, &who, &table.id, wait));
            }
            6 => {
                let _ = self.table().map(|table| self.board.leave(now, &who.key, &table.id));
            }
            7 => {
                let (starts, minutes) = (self.soon(), self.random.u32(15..120));
                let _ = self.table().map(|table| self.board.move_table(now, &table.host, &table.id, starts, minutes));
            }
            8 => {
                let _ = self.table().map(|table| self.board.cancel_date(now, &table.host, &table.id));
            }
            9 => {
                let _ = self.table().map(|table| self.board.delete(now, &table.host, &table.id));
            }
            10 => self.now += self.random.u64(MINUTE..3 * DAY),
            _ => self.restart(),
        }
        self.board.tick(self.now);
        let changes = self.board.take_changes();
        self.store(changes);
    }

    fn store(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Table(table) => {
                    self.saved.tables.retain(|one| one.id != table.id);
                    self.saved.tables.push(*table);
                }
                Change::Gone { id } => self.saved.tables.retain(|one| one.id != id),
                Change::Feed { key, feed } => {
                    self.saved.feeds.retain(|(of, _)| *of != key);
                    self.saved.feeds.extend(feed.map(|feed| (key, feed)));
                }
                Change::Cancelled { key, table, lunch } => {
                    self.saved.cancelled.retain(|(of, id, _)| (of, id) != (&key, &table));
                    self.saved.cancelled.extend(lunch.map(|lunch| (key, table, lunch)));
                }
                _ => {}
            }
        }
    }

    /// The server starts again, perhaps with another zone.
    fn restart(&mut self) {
        let zone = Calendar::new(ZONES[self.random.usize(..ZONES.len())]).expect("a zone");
        let seed = self.random.u64(..).to_le_bytes().repeat(4).try_into().expect("32 bytes");
        self.board = Board::new(zone, seed, [2; 32], self.saved.clone(), self.now);
    }

    /// Compares each calendar with the board and with what it was before. Returns the calendars.
    fn look(&mut self) -> Vec<Vec<Lunch>> {
        (0..PEOPLE).map(|n| self.look_at(n)).collect()
    }

    fn look_at(&mut self, n: usize) -> Vec<Lunch> {
        let (id, before) = self.feeds[n].clone();
        let lunches = self.board.feed(self.now, &id).expect("a feed");
        let after: BTreeMap<String, Entry> = lunches.iter().map(entry).collect();
        assert_eq!(after.len(), lunches.len(), "one event for each table");
        let seats = |table: &&Table| table.seats_key(&who(n).key);
        let seats: BTreeMap<&str, &Table> =
            self.board.tables().filter(seats).map(|table| (table.id.as_str(), table)).collect();
        let shown: BTreeSet<&str> = after.iter().filter(|(_, one)| !one.cancelled).map(|(id, _)| id.as_str()).collect();
        assert_eq!(shown, seats.keys().copied().collect(), "seats are confirmed, and nothing else is");
        for (id, table) in seats {
            let one = &after[id];
            assert_eq!((one.starts, one.ends), (table.starts, table.ends));
            assert_eq!((&one.topic, &one.place), (&table.topic, &table.place));
        }
        for (id, old) in &before {
            match after.get(id) {
                Some(new) if (new.starts, new.ends, new.cancelled) == (old.starts, old.ends, old.cancelled) => {
                    assert!(new.sequence >= old.sequence, "{old:?} {new:?}");
                }
                Some(new) => assert!(new.sequence > old.sequence, "one change, and a newer one: {old:?} {new:?}"),
                None => {
                    assert!(self.now >= old.starts, "what a calendar has does not vanish before it begins: {old:?}")
                }
            }
        }
        for (id, new) in after.iter().filter(|(_, new)| new.cancelled) {
            assert!(before.contains_key(id) && self.now < new.ends, "only what a calendar had is cancelled: {new:?}");
        }
        self.feeds[n].1 = after;
        lunches
    }
}

fn entry(lunch: &Lunch) -> (String, Entry) {
    let ics::Event { table, topic, place, starts_ms, ends_ms, sequence, cancelled, .. } = lunch.event.clone();
    (table, Entry { starts: starts_ms, ends: ends_ms, topic, place, cancelled, sequence })
}

/// A document, and the events that a program should read in it.
fn written(lunches: &[Lunch]) -> (String, Value) {
    let link = |room: &str| format!("https://lunch.example/r/{room}");
    let events: Vec<ics::Event> = lunches
        .iter()
        .map(|lunch| ics::Event { link: lunch.room.as_deref().map(link), ..lunch.event.clone() })
        .collect();
    let read = events.iter().map(|event| {
        json!({
            "uid": format!("{}@lunchroom", event.table), "sequence": event.sequence,
            "status": if event.cancelled { "CANCELLED" } else { "CONFIRMED" },
            "starts": event.starts_ms / 1_000, "ends": event.ends_ms / 1_000,
            "summary": if event.topic.is_empty() { "Lunch" } else { &event.topic }, "location": event.place,
            "url": event.link.clone().unwrap_or_default(), "alarms": u8::from(!event.cancelled),
        })
    });
    let expected = Value::Array(read.collect());
    (ics::calendar("Lunchroom", "Lunch", &events), expected)
}

/// The Python that has `icalendar`, if there is one. Debian's package is for the system's Python.
fn python() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"].into_iter().find(|python| {
        let done = Command::new(python).args(["-c", "import icalendar"]).stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success())
    })
}

/// Reads documents with Python's `icalendar`.
fn read(python: &str, documents: &[String]) -> Vec<Value> {
    let mut child = Command::new(python)
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let lines: String = documents.iter().map(|document| format!("{}\n", json!(document))).collect();
    let mut input = child.stdin.take().expect("piped");
    let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("ends");
    writing.join().expect("no panic").expect("written");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn calendars_show_what_the_board_says_over_any_history() {
    let mut checked = Vec::new();
    let (mut moved, mut cancelled) = (0, 0);
    for seed in 0..HISTORIES {
        let mut world = World::new(seed);
        for n in 0..STEPS {
            world.step();
            let calendars = world.look();
            moved += world.board.tables().filter(|table| table.sequence > 0 && table.taken.len() > 1).count();
            cancelled += calendars.iter().flatten().filter(|lunch| lunch.event.cancelled).count();
            if n % 20 == 19 {
                checked.extend(calendars.iter().map(|lunches| written(lunches)));
            }
        }
    }
    assert!(moved > 100 && cancelled > 100, "the histories have everything: {moved} {cancelled}");
    let Some(python) = python() else { return println!("SKIPPED: Python's icalendar is not installed") };
    let (documents, expected): (Vec<String>, Vec<Value>) = checked.into_iter().unzip();
    let found = read(python, &documents);
    assert_eq!(found.len(), expected.len());
    for ((found, expected), document) in found.iter().zip(&expected).zip(&documents) {
        assert_eq!(found, expected, "{document}");
    }
}

#[test]
fn a_moved_date_is_one_change_of_one_event() {
    let zone = Calendar::new("Europe/Berlin").expect("a zone");
    let now = STARTS[0];
    let mut board = Board::new(zone, [1; 32], [2; 32], Saved::default(), now);
    let token = board.calendar_token(now, &who(1), None).expect("a calendar");
    let draft = Draft {
        topic: "soup".into(),
        place: String::new(),
        seats: 4,
        now: false,
        starts_ms: now + DAY,
        minutes: 60,
        weekly: true,
        door: Door::Open,
    };
    let id = board.lay(now, &who(0), draft).expect("laid");
    board.take(now, &who(1), &id, false).expect("seated");
    let look = |board: &mut Board, now| {
        let lunches = board.feed(now, &feed_id(&token.0)).expect("a feed");
        lunches.iter().map(entry).collect::<Vec<_>>()
    };
    let before = look(&mut board, now);
    board.move_table(now, &who(0).key, &id, now + 2 * DAY, 45).expect("moved");
    let after = look(&mut board, now);
    assert_eq!((before.len(), after.len(), &before[0].0), (1, 1, &after[0].0));
    assert_eq!((after[0].1.starts, after[0].1.ends), (now + 2 * DAY, now + 2 * DAY + 45 * MINUTE));
    assert!(after[0].1.sequence > before[0].1.sequence && !after[0].1.cancelled);
    // The next date is at the usual time again.
    let later = now + 2 * DAY + 60 * MINUTE;
    board.tick(later);
    let next = board.tables().next().expect("laid again");
    assert!(matches!(next.kind, Kind::Weekly { .. }) && next.id != id);
    assert_eq!(next.starts, now + 8 * DAY - 60 * MINUTE, "a week later, across the change of the clocks");
}
