//! What people at the board may see and do.

use std::collections::BTreeSet;

use rooms::board::{
    ALONE_MS, Board, Calendar, Change, Entry, GATHER_MS, HORIZON_MS, KEPT_MS, MAX_HOSTED, OPENS_BEFORE_MS, Saved, Who,
};
use signaling::board::{BoardNews, Door, Draft, NoticeKind, Presence};
use signaling::message::ErrorCode;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Friday, 27 March 2026, 11:00 in Berlin: the clocks go forward on Sunday.
const FRIDAY: u64 = 1_774_605_600_000;

fn board(zone: &str) -> Board {
    Board::new(Calendar::new(zone).expect("a zone"), [3; 32], [4; 32], Saved::default(), FRIDAY)
}

fn who(name: &str) -> Who {
    Who { key: format!("key of {name}"), name: name.into(), member: true, steward: false }
}

fn guest(name: &str) -> Who {
    Who { member: false, ..who(name) }
}

fn slot(starts_ms: u64) -> Draft {
    Draft {
        topic: "Bibimbap".into(),
        place: "2F".into(),
        seats: 4,
        now: false,
        starts_ms,
        minutes: 60,
        weekly: false,
        door: Door::Open,
    }
}

fn now() -> Draft {
    Draft { now: true, ..slot(0) }
}

fn notices(board: &mut Board) -> Vec<(String, NoticeKind)> {
    let notifications = std::iter::from_fn(|| board.poll_notification());
    notifications
        .filter_map(|(key, news)| match news {
            BoardNews::Notice(notice) => Some((key.trim_start_matches("key of ").to_owned(), notice.kind)),
            _ => None,
        })
        .collect()
}

fn taken(board: &Board, id: &str) -> Vec<String> {
    board.table(id).expect("a table").taken.iter().map(|seat| seat.name.clone()).collect()
}

fn room(board: &Board, id: &str) -> String {
    board.table(id).expect("a table").room.clone()
}

#[test]
fn a_table_has_a_host_and_an_unguessable_room() {
    let mut board = board("Europe/Berlin");
    let id = board.lay(FRIDAY, &who("Ada"), slot(FRIDAY + HOUR)).unwrap();
    assert_eq!(taken(&board, &id), ["Ada"]);
    let table = board.table(&id).unwrap();
    assert_eq!((table.ends - table.starts, table.host.as_str()), (HOUR, "key of Ada"));
    assert!(table.room.len() >= 16 && !table.room.contains(&table.id));
}

#[test]
fn past_and_distant_times_are_refused_with_a_grace_period() {
    let mut board = board("Europe/Berlin");
    let mut lay =
        |starts| board.lay(FRIDAY, &who("Ada"), slot(starts)).map(|id| board.delete(FRIDAY, "key of Ada", &id));
    assert_eq!(lay(FRIDAY - 2 * MINUTE), Err(ErrorCode::SlotPast));
    assert_eq!(lay(0), Err(ErrorCode::SlotPast));
    assert_eq!(lay(FRIDAY + HORIZON_MS + 1), Err(ErrorCode::SlotTooFar));
    assert_eq!(lay(u64::MAX), Err(ErrorCode::SlotTooFar));
    assert!(lay(FRIDAY - MINUTE / 2).is_ok());
}

#[test]
fn overlapping_bookings_are_refused_and_adjacent_ones_allowed() {
    let mut board = board("Europe/Berlin");
    let first = board.lay(FRIDAY, &who("Ada"), slot(FRIDAY + HOUR)).unwrap();
    let clash = board.lay(FRIDAY, &who("Ben"), slot(FRIDAY + HOUR + 59 * MINUTE)).unwrap();
    let after = board.lay(FRIDAY, &who("Cem"), slot(FRIDAY + 2 * HOUR)).unwrap();
    assert_eq!(board.take(FRIDAY, &who("Ada"), &clash, true), Err(ErrorCode::AlreadySeated));
    assert_eq!(board.lay(FRIDAY, &who("Ada"), slot(FRIDAY + HOUR)), Err(ErrorCode::AlreadySeated));
    assert_eq!(board.take(FRIDAY, &who("Ada"), &after, false), Ok(()));
    assert_eq!(board.take(FRIDAY, &who("Ada"), &first, false), Ok(()), "a seat that the person already has");
    assert_eq!(taken(&board, &first), ["Ada"]);
}

#[test]
fn the_last_seat_goes_to_one_and_the_other_may_queue() {
    let mut board = board("Europe/Berlin");
    let id = board.lay(FRIDAY, &who("Ada"), Draft { seats: 2, ..slot(FRIDAY + HOUR) }).unwrap();
    assert_eq!(board.take(FRIDAY, &who("Ben"), &id, false), Ok(()));
    assert_eq!(board.take(FRIDAY, &who("Cem"), &id, false), Err(ErrorCode::TableFull));
    assert_eq!(board.take(FRIDAY, &who("Cem"), &id, true), Ok(()));
    assert_eq!(board.take(FRIDAY, &who("Dan"), &id, true), Ok(()));
    board.leave(FRIDAY, "key of Ben", &id).unwrap();
    assert_eq!(taken(&board, &id), ["Ada", "Cem"]);
    assert_eq!(notices(&mut board), [("Cem".to_owned(), NoticeKind::MovedUp)]);
}

#[test]
fn a_leaving_host_hands_over_and_the_last_person_removes_the_table() {
    let mut board = board("Europe/Berlin");
    let id = board.lay(FRIDAY, &who("Ada"), slot(FRIDAY + HOUR)).unwrap();
    board.take(FRIDAY, &who("Ben"), &id, false).unwrap();
    board.leave(FRIDAY, "key of Ada", &id).unwrap();
    assert_eq!(board.table(&id).unwrap().host, "key of Ben");
    assert_eq!(board.delete(FRIDAY, "key of Ada", &id), Err(ErrorCode::NotHost));
    board.leave(FRIDAY, "key of Ben", &id).unwrap();
    assert!(board.table(&id).is_none());
    assert_eq!(board.leave(FRIDAY, "key of Ben", &id), Err(ErrorCode::NoSuchTable));
}

#[test]
fn deleting_a_table_notifies_the_seated_and_the_waiting() {
    let mut board = board("Europe/Berlin");
    let id = board.lay(FRIDAY, &who("Ada"), Draft { seats: 2, ..slot(FRIDAY + HOUR) }).unwrap();
    board.take(FRIDAY, &who("Ben"), &id, false).unwrap();
    board.take(FRIDAY, &who("Cem"), &id, true).unwrap();
    board.delete(FRIDAY, "key of Ada", &id).unwrap();
    let deleted = NoticeKind::Deleted;
    assert_eq!(notices(&mut board), [("Ben".to_owned(), deleted), ("Cem".to_owned(), deleted)]);
    assert_eq!(board.take(FRIDAY, &who("Dan"), &id, true), Err(ErrorCode::NoSuchTable));
}

#[test]
fn seated_people_get_each_reminder_once_while_present() {
    let mut board = board("Asia/Seoul");
    let starts = FRIDAY + HOUR;
    let id = board.lay(FRIDAY, &who("Ada"), slot(starts)).unwrap();
    board.take(FRIDAY, &who("Ben"), &id, false).unwrap();
    board.come(&who("Ada"));
    board.tick(starts - 5 * MINUTE - 1);
    assert_eq!(notices(&mut board), []);
    board.tick(starts - 5 * MINUTE);
    board.tick(starts - 4 * MINUTE);
    assert_eq!(notices(&mut board), [("Ada".to_owned(), NoticeKind::Soon)]);
    board.come(&who("Ben"));
    board.tick(starts);
    board.tick(starts - MINUTE); // the clock was set back
    board.tick(starts + MINUTE);
    let begins = NoticeKind::Begins;
    assert_eq!(notices(&mut board)[..2], [("Ada".to_owned(), begins), ("Ben".to_owned(), begins)]);
    assert_eq!(notices(&mut board), []);
}

#[test]
fn a_weekly_table_recurs_at_the_same_local_time() {
    for (zone, later) in [("Europe/Berlin", 7 * DAY - HOUR), ("Asia/Seoul", 7 * DAY)] {
        let mut board = board(zone);
        let starts = FRIDAY + HOUR;
        let id = board.lay(FRIDAY, &who("Ada"), Draft { weekly: true, ..slot(starts) }).unwrap();
        board.take(FRIDAY, &who("Ben"), &id, false).unwrap();
        board.tick(starts + HOUR);
        let tables: Vec<_> = board.tables().collect();
        assert_eq!(tables.len(), 1, "{zone}");
        let next = tables[0];
        assert_eq!((next.starts - starts, next.ends - next.starts), (later, HOUR), "{zone}");
        assert_eq!(next.taken.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["Ada"]);
        assert!(next.is_weekly() && next.room != room_of(&id), "an old link does not open the next lunch");
    }
    fn room_of(id: &str) -> String {
        format!("t-{id}")
    }
}

#[test]
fn a_busy_host_of_a_weekly_table_keeps_it_without_a_seat() {
    let mut board = board("Asia/Seoul");
    board.lay(FRIDAY, &who("Ada"), Draft { weekly: true, ..slot(FRIDAY + HOUR) }).unwrap();
    let other = board.lay(FRIDAY, &who("Ben"), slot(FRIDAY + HOUR + 7 * DAY)).unwrap();
    board.take(FRIDAY, &who("Ada"), &other, false).unwrap();
    board.tick(FRIDAY + 3 * HOUR);
    let next = board.tables().find(|table| table.is_weekly()).unwrap();
    assert!(next.taken.is_empty());
    assert_eq!(next.host, "key of Ada");
}

#[test]
fn a_table_stays_while_its_call_continues() {
    let mut board = board("Asia/Seoul");
    let id = board.lay(FRIDAY, &who("Ada"), now()).unwrap();
    let room = room(&board, &id);
    board.set_call(FRIDAY, &room, BTreeSet::from(["key of Ada".to_owned()]));
    board.tick(FRIDAY + 2 * HOUR);
    assert!(board.table(&id).is_some());
    board.set_call(FRIDAY, &room, BTreeSet::new());
    board.tick(FRIDAY + 2 * HOUR);
    assert!(board.table(&id).is_none());
}

#[test]
fn two_hungry_people_are_matched_after_a_short_wait() {
    let mut board = board("Asia/Seoul");
    for name in ["Ada", "Ben"] {
        board.come(&who(name));
        board.eat_now(FRIDAY, &who(name), vec![]).unwrap();
    }
    board.tick(FRIDAY + GATHER_MS - 1);
    assert_eq!(board.tables().count(), 0);
    board.tick(FRIDAY + GATHER_MS);
    let table = board.tables().next().unwrap();
    assert_eq!((table.taken.len(), table.seats, table.starts), (2, 4, FRIDAY + GATHER_MS));
    assert_eq!(board.hungry_count(), 0);
    let seated = NoticeKind::Seated;
    assert_eq!(notices(&mut board), [("Ada".to_owned(), seated), ("Ben".to_owned(), seated)]);
}

#[test]
fn a_late_hungry_person_joins_a_table_and_a_lone_one_waits() {
    let mut board = board("Asia/Seoul");
    for name in ["Ada", "Ben", "Cem"] {
        board.come(&who(name));
    }
    board.eat_now(FRIDAY, &who("Cem"), vec![]).unwrap();
    board.tick(FRIDAY + 10 * ALONE_MS);
    assert_eq!((board.tables().count(), board.hungry_count()), (0, 1));
    board.stop_waiting("key of Cem");
    for name in ["Ada", "Ben"] {
        board.eat_now(FRIDAY, &who(name), vec![]).unwrap();
    }
    board.tick(FRIDAY + GATHER_MS);
    let later = FRIDAY + 5 * MINUTE;
    board.eat_now(later, &who("Cem"), vec![]).unwrap();
    board.tick(later + ALONE_MS);
    assert_eq!(board.tables().next().unwrap().taken.len(), 3);
}

#[test]
fn people_who_met_are_separated_until_forgotten() {
    let eat = |board: &mut Board, at: u64| {
        for name in ["Ada", "Ben", "Cem", "Dan", "Eve", "Fay"] {
            board.eat_now(at, &who(name), vec![]).unwrap();
        }
        board.tick(at + GATHER_MS);
        board.tables().map(|t| t.taken.iter().map(|s| s.key.clone()).collect()).collect::<Vec<BTreeSet<String>>>()
    };
    let mut board = board("Asia/Seoul");
    for name in ["Ada", "Ben", "Cem", "Dan", "Eve", "Fay"] {
        board.come(&who(name));
    }
    let first = eat(&mut board, FRIDAY);
    assert_eq!(first.len(), 2);
    for keys in &first {
        let room = board.tables().find(|t| keys.contains(&t.host)).unwrap().room.clone();
        board.set_call(FRIDAY, &room, keys.clone());
        board.set_call(FRIDAY, &room, BTreeSet::new());
    }
    let changes = board.take_changes();
    assert_eq!(changes.iter().filter(|change| matches!(change, Change::Met { .. })).count(), 6);
    let tomorrow = FRIDAY + DAY;
    board.tick(tomorrow);
    let second = eat(&mut board, tomorrow);
    assert!(second.iter().all(|keys| !first.contains(keys)), "people other than yesterday's: {second:?}");
    board.forget(tomorrow, &who("Ada"));
    assert!(board.take_changes().contains(&Change::Forget { key: "key of Ada".into() }));
    assert_eq!(board.last_met("key of Ada", "key of Ben"), None);
}

#[test]
fn meetings_are_forgotten_after_thirty_days() {
    let mut board = board("Asia/Seoul");
    let id = board.lay(FRIDAY, &who("Ada"), now()).unwrap();
    let room = room(&board, &id);
    for name in ["Ada", "Ben"] {
        board.come(&who(name));
    }
    board.come(&guest("Gus"));
    let keys = ["Ada", "Ben", "Gus"].map(|name| who(name).key);
    board.set_call(FRIDAY, &room, keys.into());
    assert_eq!(board.last_met("key of Ben", "key of Ada"), Some(FRIDAY));
    assert_eq!(board.last_met("key of Gus", "key of Ada"), None, "meetings with guests are not recorded");
    board.tick(FRIDAY + KEPT_MS + 1);
    assert_eq!(board.last_met("key of Ben", "key of Ada"), None);
}

#[test]
fn meetings_are_forgotten_after_as_many_days_as_are_set() {
    let saved = Saved {
        met: vec![("a".into(), "b".into(), FRIDAY), ("a".into(), "c".into(), FRIDAY - DAY)],
        ..Saved::default()
    };
    let calendar = Calendar::new("Asia/Seoul").expect("a zone");
    let mut board = Board::new(calendar, [3; 32], [4; 32], saved, FRIDAY).remembering_meetings_for(DAY);
    board.tick(FRIDAY + 1);
    assert_eq!((board.last_met("a", "b"), board.last_met("a", "c")), (Some(FRIDAY), None), "at the start");
    let erased =
        |change: &Change| matches!(change, Change::Prune { met_before, .. } if *met_before == FRIDAY + 1 - DAY);
    assert!(board.take_changes().iter().any(erased));
    board.tick(FRIDAY + DAY + HOUR);
    assert_eq!(board.last_met("a", "b"), None, "and later");
}

#[test]
fn a_table_room_opens_early_for_seated_people() {
    let mut board = board("Asia/Seoul");
    let id = board.lay(FRIDAY, &who("Ada"), Draft { seats: 2, ..slot(FRIDAY + HOUR) }).unwrap();
    let room = room(&board, &id);
    let opens = FRIDAY + HOUR - OPENS_BEFORE_MS;
    assert_eq!(board.enter(opens - 1, &who("Ada"), &room, None), Err(ErrorCode::TooEarly));
    assert_eq!(board.enter(opens, &who("Ada"), &room, None), Ok(Entry::Seated { seats: 2 }));
    assert_eq!(board.enter(opens, &who("Ben"), &room, None), Ok(Entry::Seated { seats: 2 }), "a free seat is taken");
    assert_eq!(board.enter(opens, &who("Cem"), &room, None), Err(ErrorCode::TableFull));
    assert_eq!(board.enter(opens, &who("Cem"), "soup", None), Ok(Entry::Plain));
    assert_eq!(board.enter(opens, &who("Cem"), "t-0123456789abcdef", None), Err(ErrorCode::NoSuchTable));
}

#[test]
fn outsiders_see_nothing_and_guests_need_an_invite() {
    let mut board = board("Asia/Seoul");
    let id = board.lay(FRIDAY, &who("Ada"), now()).unwrap();
    let room = room(&board, &id);
    let gus = guest("Gus");
    for any in [room.as_str(), "t-0123456789abcdef", "soup"] {
        assert_eq!(board.enter(FRIDAY, &gus, any, None), Err(ErrorCode::NotMember));
        assert_eq!(board.enter(FRIDAY, &gus, any, Some("AAAA")), Err(ErrorCode::InviteInvalid));
    }
    assert_eq!(board.invite(FRIDAY, &gus, &room, 2, 1), Err(ErrorCode::NotMember));
    assert_eq!(board.invite(FRIDAY, &who("Ben"), &room, 2, 1), Err(ErrorCode::NotHost));
    let (token, expires) = board.invite(FRIDAY, &who("Ada"), &room, 2, 1).unwrap();
    assert_eq!(expires, FRIDAY + HOUR);
    let token = Some(token.as_str());
    assert!(board.enter(FRIDAY, &gus, &room, token).is_ok());
    assert!(board.enter(FRIDAY, &gus, &room, token).is_ok(), "the same device again");
    assert!(board.enter(FRIDAY, &guest("Hal"), &room, token).is_ok());
    assert_eq!(board.enter(FRIDAY, &guest("Ida"), &room, token), Err(ErrorCode::InviteUsed));
    assert_eq!(board.enter(expires, &guest("Ida"), &room, token), Err(ErrorCode::InviteExpired));
    assert_eq!(board.enter(FRIDAY, &guest("Ida"), "soup", token), Err(ErrorCode::InviteInvalid));
    assert!(board.enter(expires, &gus, &room, None).is_ok(), "a person who was in the room may rejoin");
    let changes = board.take_changes();
    assert_eq!(changes.iter().filter(|change| matches!(change, Change::InviteUsed { .. })).count(), 2);
}

#[test]
fn a_host_controls_the_door() {
    let mut board = board("Asia/Seoul");
    let id = board.lay(FRIDAY, &who("Ada"), Draft { door: Door::Knock, ..now() }).unwrap();
    let room = room(&board, &id);
    assert!(matches!(board.enter(FRIDAY, &who("Ada"), &room, None), Ok(Entry::Seated { .. })));
    board.take(FRIDAY, &who("Ben"), &id, false).unwrap();
    for name in ["Ben", "Cem"] {
        assert_eq!(board.enter(FRIDAY, &who(name), &room, None), Ok(Entry::Knock));
    }
    board.admit(FRIDAY, &who("Cem"), &room).unwrap();
    assert!(matches!(board.enter(FRIDAY, &who("Cem"), &room, None), Ok(Entry::Seated { .. })), "after being admitted");
    board.lock(FRIDAY, &room, true);
    assert_eq!(board.enter(FRIDAY, &who("Dan"), &room, None), Err(ErrorCode::RoomLocked));
    assert_eq!(board.take(FRIDAY, &who("Dan"), &id, true), Err(ErrorCode::RoomLocked));
    assert!(board.enter(FRIDAY, &who("Cem"), &room, None).is_ok(), "a locked room readmits people");
    board.remove(FRIDAY, &room, "key of Cem");
    board.lock(FRIDAY, &room, false);
    assert_eq!(board.enter(FRIDAY, &who("Cem"), &room, None), Err(ErrorCode::Removed));
    assert_eq!(board.take(FRIDAY, &who("Cem"), &id, false), Err(ErrorCode::Removed));
}

#[test]
fn leaving_a_call_frees_the_seat_once_the_table_has_begun() {
    let mut board = board("Asia/Seoul");
    let id = board.lay(FRIDAY, &who("Ada"), slot(FRIDAY + 5 * MINUTE)).unwrap();
    board.take(FRIDAY, &who("Ben"), &id, false).unwrap();
    let room = room(&board, &id);
    board.left_call(FRIDAY, &room, "key of Ben");
    assert_eq!(taken(&board, &id), ["Ada", "Ben"], "somebody who was too early joins later");
    board.left_call(FRIDAY + 6 * MINUTE, &room, "key of Ben");
    assert_eq!(taken(&board, &id), ["Ada"]);
}

#[test]
fn guests_see_counts_and_members_see_names() {
    let mut board = board("Asia/Seoul");
    board.come(&who("Ada"));
    board.come(&who("Ben"));
    board.come(&guest("Gus"));
    board.set_presence("key of Ben", Presence::Away);
    let id = board.lay(FRIDAY, &who("Ada"), now()).unwrap();
    board.lay(FRIDAY, &who("Ben"), now()).unwrap();
    let room = room(&board, &id);
    let seen = board.guest_snapshot(FRIDAY, &room);
    let [table] = seen[0].tables.as_slice() else { panic!("{seen:?}") };
    assert_eq!((table.taken_count, table.taken.len(), table.host.as_str()), (1, 0, ""));
    assert!(seen[0].people.is_empty() && !seen[0].member);
    assert!(board.guest_snapshot(FRIDAY, "t-0123456789abcdef")[0].tables.is_empty());
    let seen = board.snapshot(FRIDAY);
    assert_eq!((seen[0].tables.len(), seen[0].people.len(), seen[0].free_count), (2, 2, 1));
    let news = board.take_patch(FRIDAY).unwrap();
    assert!(news.guests.iter().all(|(_, patch)| patch.people.is_empty() && patch.tables[0].taken.is_empty()));
}

#[test]
fn a_full_board_fits_into_frames() {
    let mut board = board("Asia/Seoul");
    let long = |n: u32| Who { key: format!("{n:043}"), name: "\u{1F35C}\"".repeat(24), member: true, steward: false };
    for n in 0..2_000 {
        board.come(&long(n));
    }
    for n in 0..200 {
        let draft = Draft { topic: "\u{1F35C}".repeat(80), place: "\"".repeat(120), seats: 12, ..now() };
        let id = board.lay(FRIDAY, &long(n * 10), draft).unwrap();
        for other in 1..10 {
            board.take(FRIDAY, &long(n * 10 + other), &id, true).unwrap();
        }
    }
    let pieces = board.snapshot(FRIDAY);
    assert_eq!(pieces.iter().map(|piece| piece.people.len()).sum::<usize>(), 2_000);
    assert_eq!(pieces.iter().map(|piece| piece.tables.len()).sum::<usize>(), 200);
    let frames = pieces.into_iter().map(|piece| serde_json::to_string(&BoardNews::Snapshot(piece)).unwrap().len());
    assert!(frames.max().unwrap() < 60 * 1024);
    let patches = board.take_patch(FRIDAY).unwrap().patches;
    let frames = patches.into_iter().map(|patch| serde_json::to_string(&BoardNews::Patch(patch)).unwrap().len());
    assert!(frames.max().unwrap() < 60 * 1024);
}

#[test]
fn tables_per_host_are_limited() {
    let mut board = board("Asia/Seoul");
    for n in 0..MAX_HOSTED as u64 {
        board.lay(FRIDAY, &who("Ada"), slot(FRIDAY + n * HOUR)).unwrap();
    }
    assert_eq!(board.lay(FRIDAY, &who("Ada"), slot(FRIDAY + 30 * HOUR)), Err(ErrorCode::TooManyTables));
}

#[test]
fn a_moved_table_keeps_its_people_but_those_who_are_busy_then() {
    let mut board = board("Europe/Berlin");
    let soup = board.lay(FRIDAY, &who("Ada"), Draft { seats: 3, ..slot(FRIDAY + 2 * HOUR) }).unwrap();
    board.take(FRIDAY, &who("Ben"), &soup, false).unwrap();
    board.take(FRIDAY, &who("Cem"), &soup, false).unwrap();
    for name in ["Dan", "Eve"] {
        board.take(FRIDAY, &who(name), &soup, true).unwrap();
    }
    // Cem and Dan have other plans five hours later.
    let cake = board.lay(FRIDAY, &who("Cem"), slot(FRIDAY + 5 * HOUR)).unwrap();
    board.take(FRIDAY, &who("Dan"), &cake, false).unwrap();
    assert_eq!(board.move_table(FRIDAY, "key of Ben", &soup, FRIDAY + 5 * HOUR, 60), Err(ErrorCode::NotHost));
    assert_eq!(board.move_table(FRIDAY, "key of Ada", &soup, FRIDAY, 60), Err(ErrorCode::SlotPast));
    board.move_table(FRIDAY, "key of Ada", &soup, FRIDAY + 5 * HOUR, 60).unwrap();
    let notified: Vec<_> = notices(&mut board).into_iter().filter(|(_, kind)| *kind == NoticeKind::Moved).collect();
    assert_eq!(notified.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["Ben", "Cem", "Dan", "Eve"]);
    let table = board.table(&soup).unwrap();
    assert_eq!((table.starts, table.ends), (FRIDAY + 5 * HOUR, FRIDAY + 6 * HOUR));
    let names: Vec<&str> = table.taken.iter().map(|seat| seat.name.as_str()).collect();
    assert_eq!(
        (names.as_slice(), table.waiting.len()),
        (["Ada", "Ben", "Eve"].as_slice(), 0),
        "Eve moves up, Dan does not"
    );
    let late = FRIDAY + 5 * HOUR;
    assert_eq!(board.move_table(late, "key of Ada", &soup, late + HOUR, 60), Err(ErrorCode::SlotPast), "it has begun");
}

#[test]
fn a_host_who_is_busy_then_cannot_move_a_table() {
    let mut board = board("Europe/Berlin");
    let soup = board.lay(FRIDAY, &who("Ada"), slot(FRIDAY + 2 * HOUR)).unwrap();
    board.lay(FRIDAY, &who("Ada"), slot(FRIDAY + 5 * HOUR)).unwrap();
    let busy = board.move_table(FRIDAY, "key of Ada", &soup, FRIDAY + 5 * HOUR, 60);
    assert_eq!(busy, Err(ErrorCode::AlreadySeated));
    board.move_table(FRIDAY, "key of Ada", &soup, FRIDAY + 2 * HOUR, 90).unwrap();
    assert_eq!(board.table(&soup).unwrap().ends, FRIDAY + 2 * HOUR + 90 * 60_000, "a table is not in its own way");
}

#[test]
fn cancelling_a_date_lays_the_next_one() {
    let mut board = board("Europe/Berlin");
    let soup = board.lay(FRIDAY, &who("Ada"), Draft { weekly: true, ..slot(FRIDAY + 2 * HOUR) }).unwrap();
    board.take(FRIDAY, &who("Ben"), &soup, false).unwrap();
    let once = board.lay(FRIDAY, &who("Cem"), slot(FRIDAY + 2 * HOUR)).unwrap();
    assert_eq!(board.cancel_date(FRIDAY, "key of Cem", &once), Err(ErrorCode::NoSuchTable), "it is not weekly");
    assert_eq!(board.cancel_date(FRIDAY, "key of Ben", &soup), Err(ErrorCode::NotHost));
    board.cancel_date(FRIDAY, "key of Ada", &soup).unwrap();
    assert_eq!(notices(&mut board), [("Ben".to_owned(), NoticeKind::Deleted)]);
    assert!(board.table(&soup).is_none());
    let next = board.tables().find(|table| table.is_weekly()).unwrap();
    // The clocks go forward in between.
    assert_eq!(next.starts, FRIDAY + 2 * HOUR + 7 * 24 * HOUR - HOUR);
    assert_eq!(next.taken.iter().map(|seat| seat.name.as_str()).collect::<Vec<_>>(), ["Ada"]);
}
