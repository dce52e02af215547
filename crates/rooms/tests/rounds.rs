//! Planned rounds: signing up, being seated, and everything that may come between.

mod stored;

use std::collections::BTreeSet;

use rooms::board::{
    Board, Calendar, Change, Kind, MAX_ROUND_NEWS, MAX_ROUNDS, MAX_ROUNDS_EACH, MAX_SIGNED_UP, MAX_TABLES, Round,
    RoundNews, SIGN_UP_CLOSES_MS, Saved, SavedRounds, Who,
};
use signaling::board::{BoardNews, Door, Draft, Notice, NoticeKind, RoundDraft, RoundSize, Sitter};
use signaling::limits::MAX_SIGN_UPS;
use signaling::message::ErrorCode;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Friday, 27 March 2026, 11:00 in Berlin: the clocks go forward on Sunday at 2:00.
const FRIDAY: u64 = 1_774_605_600_000;

fn board_with(saved: Saved, now: u64) -> Board {
    Board::new(Calendar::new("Europe/Berlin").expect("a zone"), [3; 32], [4; 32], saved, now)
}

fn board() -> Board {
    board_with(Saved::default(), FRIDAY)
}

fn who(name: &str) -> Who {
    Who { key: format!("key of {name}"), name: name.into(), member: true, steward: false }
}

/// Somebody opens the board.
fn arrive(board: &mut Board, name: &str) {
    board.come(&who(name));
    board.watch(&who(name).key);
}

fn draft(starts_ms: u64) -> RoundDraft {
    RoundDraft { title: "Lunch roulette".into(), starts_ms, minutes: 60, weekly: false, size: RoundSize::Threes }
}

fn slot(starts_ms: u64) -> Draft {
    let (topic, place) = ("Soup".into(), "2F".into());
    Draft { topic, place, seats: 4, now: false, starts_ms, minutes: 60, weekly: false, door: Door::Open }
}

/// A round two hours from now, for which these people have signed up. All of them are here.
fn round_of(board: &mut Board, people: &[&str]) -> String {
    let id = board.lay_round(FRIDAY, &who("Ada"), draft(FRIDAY + 2 * HOUR)).expect("a round");
    for name in people {
        arrive(board, name);
        board.sign_up(FRIDAY, &who(name), &id).expect("a sign-up");
    }
    id
}

fn notices(board: &mut Board) -> Vec<(String, Notice)> {
    let notifications = std::iter::from_fn(|| board.poll_notification());
    let notices = notifications.filter_map(|(key, news)| match news {
        BoardNews::Notice(notice) => Some((key.trim_start_matches("key of ").to_owned(), notice)),
        _ => None,
    });
    notices.collect()
}

fn kinds(board: &mut Board) -> Vec<(String, NoticeKind)> {
    let mut kinds: Vec<_> = notices(board).into_iter().map(|(name, notice)| (name, notice.kind)).collect();
    kinds.sort_by(|a, b| a.0.cmp(&b.0));
    kinds
}

/// The people at each table.
fn tables(board: &Board) -> BTreeSet<Vec<String>> {
    let names = |table: &rooms::board::Table| {
        let mut names: Vec<String> = table.taken.iter().map(|seat| seat.name.clone()).collect();
        names.sort();
        names
    };
    board.tables().map(names).collect()
}

fn only(board: &Board) -> &Round {
    let rounds: Vec<&Round> = board.rounds().collect();
    let [round] = rounds.as_slice() else { panic!("{rounds:?}") };
    round
}

/// Stores the changes of rounds.
fn apply(saved: &mut SavedRounds, changes: Vec<Change>) {
    for change in changes {
        match change {
            Change::Round(change) => stored::write(saved, change),
            Change::Forget { key } => stored::forget(saved, &key),
            _ => {}
        }
    }
}

#[test]
fn an_hour_before_the_meal_everybody_has_a_table_and_learns_of_it() {
    let mut board = board();
    let names = ["Ada", "Ben", "Cem", "Dan", "Eve", "Fay", "Gus"];
    let id = round_of(&mut board, &names);
    assert_eq!(board.you("key of Ben"), BoardNews::You { waiting: None, rounds: vec![id] });
    board.tick(FRIDAY + HOUR - 1);
    assert_eq!((board.tables().count(), kinds(&mut board)), (0, vec![]));
    board.tick(FRIDAY + HOUR);
    let groups = tables(&board);
    assert_eq!(groups.iter().map(Vec::len).collect::<BTreeSet<_>>(), [3, 4].into());
    assert_eq!(groups.iter().flatten().map(String::as_str).collect::<BTreeSet<_>>(), names.into());
    for table in board.tables() {
        assert_eq!((table.topic.as_str(), &table.kind, table.door), ("Lunch roulette", &Kind::Round, Door::Open));
        assert_eq!((table.starts, table.ends), (FRIDAY + 2 * HOUR, FRIDAY + 3 * HOUR));
        assert_eq!(table.host, table.taken[0].key);
    }
    let news = notices(&mut board);
    assert_eq!(news.len(), names.len());
    for (name, notice) in news {
        assert_eq!(notice.kind, NoticeKind::Matched);
        let table = board.table(&notice.table).unwrap();
        assert!(table.room == notice.room && table.seats_key(&who(&name).key));
    }
    board.tick(FRIDAY + HOUR + 1);
    assert_eq!((board.rounds().count(), kinds(&mut board)), (0, vec![]), "once is enough");
    assert_eq!(board.you("key of Ben"), BoardNews::You { waiting: None, rounds: vec![] });
    board.tick(FRIDAY + 2 * HOUR - 5 * MINUTE);
    assert!(kinds(&mut board).iter().all(|(_, kind)| *kind == NoticeKind::Soon), "like at other tables");
}

#[test]
fn whoever_comes_later_learns_of_the_table_then() {
    let mut board = board();
    round_of(&mut board, &["Ada", "Ben", "Cem"]);
    board.go("key of Cem");
    board.tick(FRIDAY + HOUR);
    assert_eq!(kinds(&mut board).len(), 2);
    arrive(&mut board, "Cem");
    board.tick(FRIDAY + HOUR + MINUTE);
    assert_eq!(kinds(&mut board), [("Cem".into(), NoticeKind::Matched)]);
}

#[test]
fn somebody_alone_is_not_seated_and_learns_why_when_they_come() {
    let mut board = board();
    round_of(&mut board, &["Ada"]);
    board.go("key of Ada");
    board.tick(FRIDAY + HOUR);
    let mut saved = SavedRounds::default();
    apply(&mut saved, board.take_changes());
    assert_eq!((board.tables().count(), saved.rounds.len(), saved.news.len()), (0, 0, 1));
    let mut board = board_with(Saved { rounds: saved.clone(), ..Saved::default() }, FRIDAY + HOUR);
    assert!(board.about(FRIDAY + HOUR, &who("Ada")).rounds[0].pending);
    arrive(&mut board, "Ada");
    board.tick(FRIDAY + HOUR + MINUTE);
    let news = notices(&mut board);
    assert_eq!(news.len(), 1);
    let Notice { kind, topic, table, starts_ms, .. } = &news[0].1;
    assert_eq!((*kind, topic.as_str(), table.as_str()), (NoticeKind::Unmatched, "Lunch roulette", ""));
    assert_eq!(*starts_ms, FRIDAY + 2 * HOUR);
    apply(&mut saved, board.take_changes());
    assert_eq!(saved.news, []);
}

#[test]
fn a_day_later_nobody_receives_news_of_an_old_round() {
    let mut board = board();
    round_of(&mut board, &["Ada"]);
    board.go("key of Ada");
    board.tick(FRIDAY + HOUR);
    board.tick(FRIDAY + 2 * HOUR + DAY);
    arrive(&mut board, "Ada");
    board.tick(FRIDAY + 2 * HOUR + DAY + 1);
    assert_eq!((kinds(&mut board), board.about(FRIDAY, &who("Ada")).rounds), (vec![], vec![]));
}

#[test]
fn a_blocked_pair_is_never_seated_together() {
    for seed in 0..60 {
        let calendar = Calendar::new("Asia/Seoul").unwrap();
        let mut board = Board::new(calendar, [seed; 32], [4; 32], Saved::default(), FRIDAY);
        round_of(&mut board, &["Ada", "Ben", "Cem", "Dan", "Eve", "Fay"]);
        board.block(&who("Ada"), &Sitter::new("key of Ben", "Ben")).unwrap();
        board.block(&who("Cem"), &Sitter::new("key of Ada", "Ada")).unwrap();
        board.tick(FRIDAY + HOUR);
        let together = |table: &Vec<String>| {
            let has = |name: &str| table.iter().any(|one| one == name);
            has("Ada") && (has("Ben") || has("Cem"))
        };
        assert!(!tables(&board).iter().any(together), "{:?}", tables(&board));
        assert_eq!(tables(&board).iter().flatten().count(), 6);
    }
}

#[test]
fn a_person_whom_all_have_blocked_receives_the_same_as_somebody_alone() {
    let mut board = board();
    round_of(&mut board, &["Ada", "Ben", "Cem", "Dan"]);
    for name in ["Ben", "Cem", "Dan"] {
        board.block(&who(name), &Sitter::new("key of Ada", "Ada")).unwrap();
    }
    board.tick(FRIDAY + HOUR);
    assert_eq!(tables(&board), [vec!["Ben".to_owned(), "Cem".into(), "Dan".into()]].into());
    assert_eq!(kinds(&mut board)[0], ("Ada".into(), NoticeKind::Unmatched));
}

#[test]
fn people_who_met_lately_sit_with_others() {
    let names = ["Ada", "Ben", "Cem", "Dan", "Eve", "Fay"];
    let met = |a: &str, b: &str| (who(a).key, who(b).key, FRIDAY - 3 * DAY);
    let pairs = [("Ada", "Ben"), ("Ada", "Cem"), ("Ben", "Cem"), ("Dan", "Eve"), ("Dan", "Fay"), ("Eve", "Fay")];
    // In two groups of three, somebody meets again; but never all three.
    let saved = Saved { met: pairs.map(|(a, b)| met(a, b)).into(), ..Saved::default() };
    let mut board = board_with(saved, FRIDAY);
    round_of(&mut board, &names);
    board.tick(FRIDAY + HOUR);
    let old: Vec<String> = names[..3].iter().map(|name| (*name).to_owned()).collect();
    assert!(tables(&board).len() == 2 && !tables(&board).contains(&old), "{:?}", tables(&board));
}

#[test]
fn people_can_change_their_mind_until_the_close() {
    let mut board = board();
    let id = round_of(&mut board, &["Ada", "Ben"]);
    board.sign_up(FRIDAY, &who("Ben"), &id).unwrap();
    assert_eq!(only(&board).signed_up.len(), 2, "once each");
    board.withdraw(FRIDAY, "key of Ben", &id).unwrap();
    assert_eq!(board.withdraw(FRIDAY, "key of Ben", &id), Err(ErrorCode::NoSuchRound));
    board.sign_up(FRIDAY, &who("Ben"), &id).unwrap();
    let late = FRIDAY + HOUR;
    assert_eq!(board.sign_up(late, &who("Cem"), &id), Err(ErrorCode::SignUpClosed));
    assert_eq!(board.withdraw(late, "key of Ben", &id), Err(ErrorCode::SignUpClosed));
    assert_eq!(board.sign_up(FRIDAY, &who("Cem"), "nothing"), Err(ErrorCode::NoSuchRound));
    let guest = Who { member: false, ..who("Gus") };
    assert_eq!(board.sign_up(FRIDAY, &guest, &id), Err(ErrorCode::NotMember));
    assert_eq!(board.lay_round(FRIDAY, &guest, draft(FRIDAY + DAY)), Err(ErrorCode::NotMember));
}

#[test]
fn a_round_begins_at_least_an_hour_from_now_and_within_two_months() {
    let mut board = board();
    for (starts, code) in [
        (FRIDAY, ErrorCode::SlotPast),
        (FRIDAY + SIGN_UP_CLOSES_MS, ErrorCode::SignUpClosed),
        (FRIDAY + 63 * DAY, ErrorCode::SlotTooFar),
        (u64::MAX, ErrorCode::SlotTooFar),
    ] {
        assert_eq!(board.lay_round(FRIDAY, &who("Ada"), draft(starts)), Err(code));
    }
    assert!(board.lay_round(FRIDAY, &who("Ada"), draft(FRIDAY + SIGN_UP_CLOSES_MS + 1)).is_ok());
}

#[test]
fn nobody_is_in_two_places_at_once() {
    let mut board = board();
    let id = round_of(&mut board, &["Ada"]);
    let at = FRIDAY + 2 * HOUR;
    let table = board.lay(FRIDAY, &who("Ben"), slot(at + 30 * MINUTE)).unwrap();
    assert_eq!(board.sign_up(FRIDAY, &who("Ben"), &id), Err(ErrorCode::AlreadySeated));
    let other = board.lay_round(FRIDAY, &who("Ada"), draft(at - 59 * MINUTE)).unwrap();
    assert_eq!(board.sign_up(FRIDAY, &who("Ada"), &other), Err(ErrorCode::AlreadySignedUp));
    board.sign_up(FRIDAY, &who("Cem"), &other).unwrap();
    let next = board.lay_round(FRIDAY, &who("Ada"), draft(at + HOUR)).unwrap();
    board.sign_up(FRIDAY, &who("Ada"), &next).unwrap();
    // Taking a seat gives up a sign-up at that time, like a place in line.
    board.take(FRIDAY, &who("Ada"), &table, false).unwrap();
    assert_eq!(board.you("key of Ada"), BoardNews::You { waiting: None, rounds: vec![] });
}

#[test]
fn a_table_that_is_moved_into_the_meal_goes_before_the_round() {
    let mut board = board();
    let id = round_of(&mut board, &["Ada", "Ben"]);
    let table = board.lay(FRIDAY, &who("Ben"), slot(FRIDAY + 8 * HOUR)).unwrap();
    board.take(FRIDAY, &who("Ada"), &table, false).unwrap();
    board.move_table(FRIDAY, "key of Ben", &table, FRIDAY + 2 * HOUR, 60).unwrap();
    assert_eq!(only(&board).signed_up, []);
    assert_eq!(board.sign_up(FRIDAY, &who("Ben"), &id), Err(ErrorCode::AlreadySeated));
}

#[test]
fn a_place_in_line_ends_when_a_round_seats_somebody() {
    let mut board = board();
    let full = board.lay(FRIDAY, &who("Gus"), Draft { seats: 2, ..slot(FRIDAY + 2 * HOUR) }).unwrap();
    board.take(FRIDAY, &who("Hal"), &full, false).unwrap();
    round_of(&mut board, &["Ada", "Ben", "Cem"]);
    board.take(FRIDAY, &who("Ben"), &full, true).unwrap();
    board.tick(FRIDAY + HOUR);
    assert_eq!(board.table(&full).unwrap().waiting, []);
    board.leave(FRIDAY + HOUR, "key of Hal", &full).unwrap();
    assert_eq!(board.table(&full).unwrap().taken.len(), 1);
}

#[test]
fn a_weekly_round_opens_for_the_next_week_at_the_same_local_time() {
    let mut board = board();
    let id = board.lay_round(FRIDAY, &who("Ada"), RoundDraft { weekly: true, ..draft(FRIDAY + 2 * HOUR) }).unwrap();
    for name in ["Ada", "Ben"] {
        board.sign_up(FRIDAY, &who(name), &id).expect("a sign-up");
    }
    board.tick(FRIDAY + HOUR);
    let next = only(&board).clone();
    // The clocks went forward in between.
    assert_eq!((next.id, next.starts, next.signed_up), (id.clone(), FRIDAY + 2 * HOUR + 7 * DAY - HOUR, vec![]));
    assert_eq!(board.tables().count(), 1);
    board.sign_up(FRIDAY + HOUR, &who("Ben"), &id).unwrap();
}

#[test]
fn a_weekly_round_in_the_missing_hour_is_an_hour_later_once() {
    let mut board = board();
    let last_sunday = FRIDAY - 5 * DAY - 9 * HOUR - 30 * MINUTE; // 1:30 in Berlin
    let laid = last_sunday - 2 * DAY;
    let half_past_two = last_sunday + HOUR;
    let id = board.lay_round(laid, &who("Ada"), RoundDraft { weekly: true, ..draft(half_past_two) }).unwrap();
    board.tick(half_past_two);
    assert_eq!(only(&board).starts, half_past_two + 7 * DAY, "2:30 does not exist: 3:30");
    board.sign_up(half_past_two, &who("Ben"), &id).unwrap();
    board.sign_up(half_past_two, &who("Cem"), &id).unwrap();
    board.tick(half_past_two + 7 * DAY - HOUR - 1);
    assert_eq!(board.tables().count(), 0);
    board.tick(half_past_two + 7 * DAY - HOUR);
    assert_eq!(board.tables().count(), 1);
    assert_eq!(only(&board).starts, half_past_two + 14 * DAY - HOUR, "2:30 by the new time");
}

#[test]
fn a_weekly_round_in_the_doubled_hour_means_the_first_and_closes_once() {
    let mut board = board();
    // Sunday, 18 October 2026, 2:30 in Berlin; a week later 2:30 comes twice.
    let sunday = 1_792_283_400_000;
    let id = board.lay_round(sunday - DAY, &who("Ada"), RoundDraft { weekly: true, ..draft(sunday) }).unwrap();
    board.tick(sunday);
    assert_eq!(only(&board).starts, sunday + 7 * DAY);
    for name in ["Ada", "Ben"] {
        board.sign_up(sunday, &who(name), &id).unwrap();
    }
    for minute in (0..170).step_by(5) {
        board.tick(sunday + 7 * DAY - 2 * HOUR + minute * MINUTE);
    }
    assert_eq!(only(&board).starts, sunday + 14 * DAY + HOUR);
    assert_eq!(board.tables().count(), 1);
}

#[test]
fn a_server_that_was_down_seats_people_if_the_meal_has_not_begun() {
    for (back_after, seated) in [(HOUR + 59 * MINUTE, true), (2 * HOUR, false), (20 * DAY, false)] {
        let mut board = board();
        let id = board.lay_round(FRIDAY, &who("Ada"), RoundDraft { weekly: true, ..draft(FRIDAY + 2 * HOUR) }).unwrap();
        for name in ["Ada", "Ben", "Cem"] {
            board.sign_up(FRIDAY, &who(name), &id).expect("a sign-up");
        }
        let mut rounds = SavedRounds::default();
        apply(&mut rounds, board.take_changes());
        let now = FRIDAY + back_after;
        let mut board = board_with(Saved { rounds, ..Saved::default() }, now);
        for name in ["Ada", "Ben", "Cem"] {
            arrive(&mut board, name);
        }
        board.tick(now);
        assert_eq!(board.tables().count(), usize::from(seated));
        let (kind, other) = (NoticeKind::RoundMissed, NoticeKind::Soon);
        let all = |kind| ["Ada", "Ben", "Cem"].map(|name| (name.to_owned(), kind));
        assert_eq!(kinds(&mut board), if seated { all(other) } else { all(kind) });
        assert!(only(&board).closes() > now && only(&board).signed_up.is_empty(), "open for the next date");
    }
}

#[test]
fn a_cancelled_round_is_announced_to_all_but_the_one_who_cancels() {
    let steward = Who { steward: true, ..who("Sun") };
    for canceller in [who("Ada"), steward] {
        let mut board = board();
        let id = round_of(&mut board, &["Ada", "Ben", "Cem"]);
        board.go("key of Cem");
        assert_eq!(board.cancel_round(&who("Ben"), &id), Err(ErrorCode::NotHost));
        board.cancel_round(&canceller, &id).unwrap();
        assert_eq!(board.cancel_round(&canceller, &id), Err(ErrorCode::NoSuchRound));
        let expected: &[&str] = if canceller.steward { &["Ada", "Ben"] } else { &["Ben"] };
        let names: Vec<String> = kinds(&mut board).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, expected);
        arrive(&mut board, "Cem");
        board.tick(FRIDAY + HOUR);
        assert_eq!(kinds(&mut board), [("Cem".into(), NoticeKind::RoundCancelled)]);
        assert_eq!(board.tables().count(), 0);
    }
}

#[test]
fn somebody_who_is_suspended_has_signed_up_for_nothing_before_the_end() {
    let steward = Who { steward: true, ..who("Sun") };
    let mut board = board();
    let id = round_of(&mut board, &["Ada", "Ben", "Cem"]);
    let later = board.lay_round(FRIDAY, &who("Ada"), draft(FRIDAY + 3 * DAY)).unwrap();
    board.sign_up(FRIDAY, &who("Ben"), &later).unwrap();
    board.suspend(FRIDAY, &steward, "key of Ben", 24, "rude").unwrap();
    assert_eq!(board.you("key of Ben"), BoardNews::You { waiting: None, rounds: vec![later] });
    assert!(!board.rounds().any(|round| round.id == id && round.has("key of Ben")));
}

#[test]
fn rounds_and_sign_ups_are_bounded() {
    let mut board = board();
    let mut ids = Vec::new();
    for n in 0..MAX_ROUNDS {
        let starts = FRIDAY + 2 * HOUR + n as u64 * HOUR;
        let host = who(&format!("host {}", n / MAX_ROUNDS_EACH));
        ids.push(board.lay_round(FRIDAY, &host, draft(starts)).unwrap());
    }
    assert_eq!(board.lay_round(FRIDAY, &who("Ada"), draft(FRIDAY + DAY)), Err(ErrorCode::TooManyRounds));
    board.cancel_round(&who("host 1"), &ids[5]).unwrap();
    assert_eq!(board.lay_round(FRIDAY, &who("host 0"), draft(FRIDAY + DAY)), Err(ErrorCode::TooManyRounds));
    for id in &ids[6..6 + MAX_SIGN_UPS] {
        board.sign_up(FRIDAY, &who("Ada"), id).unwrap();
    }
    assert_eq!(board.sign_up(FRIDAY, &who("Ada"), &ids[40]), Err(ErrorCode::TooManySignUps));
    let mut signed_up = MAX_SIGN_UPS;
    for id in &ids[40..] {
        for n in 0..=MAX_SIGNED_UP {
            match board.sign_up(FRIDAY, &who(&format!("{id} {n}")), id) {
                Ok(()) => signed_up += 1,
                Err(code) => assert_eq!(code, ErrorCode::RoundFull),
            }
        }
    }
    assert_eq!(signed_up, 2 * MAX_TABLES, "each two keep the place of a table");
    assert_eq!(board.lay(FRIDAY, &who("Ben"), slot(FRIDAY + HOUR)), Err(ErrorCode::TooManyTables));
    (0..MAX_ROUNDS as u64).for_each(|n| board.tick(FRIDAY + 46 * HOUR + n));
    assert_eq!(board.tables().count(), 0, "these rounds were missed");
    let mut saved = SavedRounds::default();
    apply(&mut saved, board.take_changes());
    assert_eq!(saved.news.len(), MAX_ROUND_NEWS);
}

#[test]
fn hundreds_are_seated_at_once() {
    let mut board = board();
    let id = board.lay_round(FRIDAY, &who("Ada"), draft(FRIDAY + 2 * HOUR)).expect("a round");
    for n in 0..MAX_SIGNED_UP {
        board.sign_up(FRIDAY, &who(&n.to_string()), &id).unwrap();
    }
    assert_eq!(board.sign_up(FRIDAY, &who("one more"), &id), Err(ErrorCode::RoundFull));
    board.tick(FRIDAY + HOUR);
    assert_eq!(board.tables().map(|table| table.taken.len()).sum::<usize>(), MAX_SIGNED_UP);
    assert!(board.tables().all(|table| table.taken.len() == 3 && !table.has_room()));
}

#[test]
fn erasing_a_person_takes_them_out_of_rounds_and_their_names_out_of_titles() {
    let mut board = board();
    let by_ada = |minutes, weekly| RoundDraft {
        title: "Ada's lunch".into(),
        weekly,
        ..draft(FRIDAY + 2 * HOUR + minutes * MINUTE)
    };
    let goes_on = board.lay_round(FRIDAY, &who("Ada"), by_ada(0, true)).unwrap();
    let empty = board.lay_round(FRIDAY, &who("Ada"), by_ada(120, false)).unwrap();
    for name in ["Ada", "Ben", "Cem", "Dan"] {
        board.sign_up(FRIDAY, &who(name), &goes_on).unwrap();
    }
    board.tick(FRIDAY + HOUR);
    board.sign_up(FRIDAY + HOUR, &who("Ben"), &goes_on).unwrap();
    let alone = board.lay_round(FRIDAY, &who("Ada"), by_ada(240, false)).unwrap();
    board.sign_up(FRIDAY, &who("Gus"), &alone).unwrap();
    (0..2).for_each(|n| board.tick(FRIDAY + 6 * HOUR + n));
    assert_eq!(board.about(FRIDAY, &who("Ada")).rounds.len(), 1, "the one that repeats");
    board.forget(FRIDAY + 6 * HOUR, &who("Ada"));
    assert!(board.rounds().all(|round| round.id != empty && round.host.is_empty() && round.title.is_empty()));
    assert!(board.rounds().all(|round| !round.has("key of Ada")) && board.rounds().count() == 1);
    assert!(board.tables().all(|table| table.topic.is_empty()), "tables by the round");
    assert_eq!(board.about(FRIDAY, &who("Gus")).rounds[0].title, "", "news of the round");
    assert!(board.about(FRIDAY, &who("Ada")).rounds.is_empty());
    // Nobody owns it: it ends when nobody signs up.
    (0..2).for_each(|week| board.tick(FRIDAY + (7 + 7 * week) * DAY + 2 * HOUR));
    assert_eq!(board.rounds().count(), 0);
}

#[test]
fn a_new_name_is_that_of_the_sign_up() {
    let mut board = board();
    round_of(&mut board, &["Ada", "Ben"]);
    board.come(&Who { name: "Benno".into(), ..who("Ben") });
    board.tick(FRIDAY + HOUR);
    assert_eq!(tables(&board), [vec!["Ada".to_owned(), "Benno".into()]].into());
}

#[test]
fn members_see_rounds_and_guests_do_not() {
    let mut board = board();
    let table = board.lay(FRIDAY, &who("Gus"), slot(FRIDAY + HOUR)).unwrap();
    let id = round_of(&mut board, &["Ada", "Ben"]);
    let whole = board.snapshot(FRIDAY);
    let shown = &whole[0].rounds[0];
    assert_eq!((shown.id.as_str(), shown.signed_up, shown.host.as_str()), (id.as_str(), 2, "key of Ada"));
    assert_eq!((shown.closes_ms, shown.ends_ms), (FRIDAY + HOUR, FRIDAY + 3 * HOUR));
    let room = board.table(&table).unwrap().room.clone();
    assert!(board.guest_snapshot(FRIDAY, &room)[0].rounds.is_empty());
    board.take_patch(FRIDAY);
    board.withdraw(FRIDAY, "key of Ben", &id).unwrap();
    let patch = board.take_patch(FRIDAY).unwrap().patches;
    assert_eq!((patch.len(), patch[0].rounds[0].signed_up, patch[0].tables.len()), (1, 1, 0));
    board.cancel_round(&who("Ada"), &id).unwrap();
    assert_eq!(board.take_patch(FRIDAY).unwrap().patches[0].rounds_gone, [id]);
}

#[test]
fn many_rounds_fit_into_pieces() {
    let title = "\u{1F35C}".repeat(80);
    let round = |n: usize| Round {
        id: format!("{n:016}"),
        title: title.clone(),
        host: format!("{n:043}"),
        starts: FRIDAY + 2 * HOUR,
        minutes: 60,
        weekly_at: None,
        size: RoundSize::Fours,
        signed_up: Vec::new(),
    };
    let news = |n: usize| RoundNews {
        key: "key of Ada".into(),
        round: n.to_string(),
        title: title.clone(),
        starts: FRIDAY,
        outcome: rooms::board::Outcome::Unmatched,
    };
    let rounds = SavedRounds { rounds: (0..500).map(round).collect(), news: (0..100).map(news).collect() };
    let mut board = board_with(Saved { rounds, ..Saved::default() }, FRIDAY);
    for n in 0..100 {
        arrive(&mut board, &n.to_string());
    }
    let pieces = board.snapshot(FRIDAY);
    assert!(pieces.len() > 3);
    assert_eq!(pieces.iter().map(|piece| piece.rounds.len()).sum::<usize>(), 500);
    assert_eq!(pieces.iter().map(|piece| piece.people.len()).sum::<usize>(), 100);
    assert!(board.about(FRIDAY, &who("Ada")).left_out > 0);
}
