//! What a person learns of what the board holds about them, and what is left after they were erased.

use std::collections::BTreeSet;

use rooms::board::{
    Board, Calendar, Cancelled, Change, Feed, HORIZON_MS, Kind, LastReminder, Outcome, Round, RoundNews, Saved,
    SavedAct, SavedOrder, SavedReport, SavedRounds, SavedSuspension, Seat, SignUp, Table, Who,
};
use signaling::board::{
    AboutMe, AboutTable, ActKind, BoardNews, Door, Draft, Meeting, NoticeKind, Presence, RoundSize, Sitter, UsedInvite,
    Waiting,
};
use signaling::limits::MAX_FRAME_BYTES;
use signaling::message::{ErrorCode, ServerMessage};
use signaling::numbering::{body, frame};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Friday, 27 March 2026, 11:00 in Berlin.
const FRIDAY: u64 = 1_774_605_600_000;

fn board_of(saved: Saved) -> Board {
    Board::new(Calendar::new("Asia/Seoul").expect("a zone"), [3; 32], [4; 32], saved, FRIDAY)
}

fn board() -> Board {
    board_of(Saved::default())
}

fn who(name: &str) -> Who {
    Who { key: format!("key of {name}"), name: name.into(), member: true, steward: false }
}

fn slot(starts_ms: u64) -> Draft {
    Draft {
        topic: "Bibimbap".into(),
        place: "2F".into(),
        seats: 2,
        now: false,
        starts_ms,
        minutes: 60,
        weekly: false,
        door: Door::Open,
    }
}

fn room(board: &Board, id: &str) -> String {
    board.table(id).expect("a table").room.clone()
}

fn taken(board: &Board, id: &str) -> Vec<String> {
    board.table(id).expect("a table").taken.iter().map(|seat| seat.name.clone()).collect()
}

fn about(board: &Board, name: &str) -> AboutMe {
    board.about(FRIDAY, &who(name))
}

fn notices(board: &mut Board) -> Vec<(String, NoticeKind)> {
    let notifications = std::iter::from_fn(|| board.poll_notification());
    let notices = notifications.filter_map(|(key, news)| match news {
        BoardNews::Notice(notice) => Some((key, notice.kind)),
        _ => None,
    });
    notices.collect()
}

#[test]
fn a_stranger_is_known_by_nothing_but_the_connection() {
    let mut board = board();
    board.come(&who("Ada"));
    board.come(&who("Ada"));
    let about = about(&board, "Ada");
    assert_eq!((about.key.as_str(), about.names.as_slice()), ("key of Ada", ["Ada".to_owned()].as_slice()));
    assert_eq!((about.member, about.presence, about.sessions), (true, Presence::Free, 2));
    assert!(about.tables.is_empty() && about.invites.is_empty() && about.met.is_empty() && about.waiting.is_none());
    assert_eq!((about.named_by, about.left_out, about.met_days), (0, 0, 30));
    assert_eq!((about.now_ms, about.zone.as_str()), (FRIDAY, "Asia/Seoul"));
}

#[test]
fn every_part_in_a_table_is_reported() {
    let mut board = board();
    let hosted = board.lay(FRIDAY, &who("Ada"), Draft { weekly: true, ..slot(FRIDAY + DAY) }).expect("laid");
    let lined = board.lay(FRIDAY, &who("Ben"), slot(FRIDAY + 2 * DAY)).expect("laid");
    board.take(FRIDAY, &who("Cem"), &lined, false).expect("a seat");
    board.take(FRIDAY, &who("Dan"), &lined, true).expect("in line");
    board.take(FRIDAY, &who("Ada"), &lined, true).expect("in line");
    let left = board.lay(FRIDAY, &who("Ben"), Draft { now: true, ..slot(0) }).expect("laid");
    let room = room(&board, &left);
    board.enter(FRIDAY, &who("Ada"), &room, None).expect("a seat");
    board.remove(FRIDAY, &room, "key of Ada");
    board.lay(FRIDAY, &who("Eve"), slot(FRIDAY + 3 * DAY)).expect("somebody else's");
    let tables = about(&board, "Ada").tables;
    let plain = |id: &str, starts_ms: u64| AboutTable {
        id: id.into(),
        topic: "Bibimbap".into(),
        place: "2F".into(),
        starts_ms,
        ends_ms: starts_ms + HOUR,
        weekly: false,
        host: false,
        seat: false,
        place_in_line: 0,
        entered: false,
        removed: false,
        cancelled: false,
    };
    let expected = [
        AboutTable { removed: true, ..plain(&left, FRIDAY) },
        AboutTable { weekly: true, host: true, seat: true, ..plain(&hosted, FRIDAY + DAY) },
        AboutTable { place_in_line: 2, ..plain(&lined, FRIDAY + 2 * DAY) },
    ];
    assert_eq!(tables, expected);
    assert!(about(&board, "Eve").tables[0].seat);
    let entered = about(&board, "Ben").tables.into_iter().find(|table| table.id == left).expect("the host's");
    assert!(!entered.entered && entered.host);
}

#[test]
fn waits_invites_and_meetings_are_reported_without_the_others() {
    let mut board = board();
    for name in ["Ada", "Ben", "Cem", "Dan"] {
        board.come(&who(name));
    }
    let id = board.lay(FRIDAY, &who("Ben"), Draft { seats: 4, now: true, ..slot(0) }).expect("laid");
    let room = room(&board, &id);
    let (token, expires_ms) = board.invite(FRIDAY, &who("Ben"), &room, 3, 5).expect("an invite");
    let guest = Who { member: false, ..who("Ada") };
    board.enter(FRIDAY, &guest, &room, Some(&token)).expect("invited");
    let call = |names: &[&str]| names.iter().map(|name| who(name).key).collect::<BTreeSet<_>>();
    board.set_call(FRIDAY, &room, call(&["Ada", "Ben", "Cem"]));
    board.set_call(FRIDAY + 9 * MINUTE, &room, call(&["Ada", "Ben", "Cem", "Dan"]));
    board.leave(FRIDAY, "key of Ada", &id).expect("gets up");
    board.eat_now(FRIDAY, &who("Ada"), vec!["key of Cem".into()]).expect("waits");
    board.eat_now(FRIDAY, &who("Cem"), vec!["key of Ada".into()]).expect("waits");
    let about = about(&board, "Ada");
    assert_eq!(about.waiting, Some(Waiting { since_ms: FRIDAY, with: vec!["key of Cem".into()] }));
    assert_eq!((about.named_by, about.invites.as_slice()), (1, [UsedInvite { expires_ms }].as_slice()));
    let met = [Meeting { at_ms: FRIDAY + 9 * MINUTE, people: 1 }, Meeting { at_ms: FRIDAY, people: 2 }];
    assert_eq!(about.met, met);
    let text = body(&ServerMessage::Board(BoardNews::AboutMe(Box::new(about))));
    for other in ["Ben", "Dan"] {
        assert!(!text.contains(other), "{other} in {text}");
    }
}

#[test]
fn a_calendar_is_reported_with_what_it_shows_and_erased() {
    let mut board = board();
    board.come(&who("Ada"));
    let id = board.lay(FRIDAY, &who("Ben"), slot(FRIDAY + DAY)).expect("laid");
    board.take(FRIDAY, &who("Ada"), &id, false).expect("a seat");
    let token = board.calendar_token(FRIDAY, &who("Ada"), None).expect("an address");
    board.leave(FRIDAY, "key of Ada", &id).expect("gets up");
    let about = about(&board, "Ada");
    assert!(about.calendar);
    let shown: Vec<_> = about.tables.iter().map(|table| (table.id.as_str(), table.cancelled, table.seat)).collect();
    assert_eq!(shown, [(id.as_str(), true, false)]);
    board.forget(FRIDAY, &who("Ada"));
    let after = board.about(FRIDAY, &who("Ada"));
    assert!(!after.calendar && after.tables.is_empty());
    assert_eq!(board.feed(FRIDAY, &rooms::board::feed_id(&token.0)), None);
}

#[test]
fn a_new_name_replaces_the_old_one_wherever_it_is_stored() {
    let mut board = board();
    board.come(&who("Ada"));
    board.lay(FRIDAY, &who("Ada"), slot(FRIDAY + DAY)).expect("laid");
    board.eat_now(FRIDAY, &who("Ada"), vec![]).expect("waits");
    board.take_changes();
    let renamed = Who { name: "Ada L.".into(), ..who("Ada") };
    board.come(&renamed);
    assert_eq!(board.about(FRIDAY, &renamed).names, ["Ada L."]);
    let named = |change: &Change| matches!(change, Change::Hungry { wish: Some(wish), .. } if wish.name == "Ada L.");
    assert!(board.take_changes().iter().any(named));
}

/// A board on which one person has as much as possible, with the longest texts.
fn largest() -> Saved {
    let key = who("Ada").key;
    let quotes = "\\\"".repeat(96);
    let table = |n: u64| Table {
        id: format!("{n:016}"),
        room: format!("t-{n:016}"),
        topic: "\"".repeat(80),
        place: "\u{1F35C}".repeat(120),
        seats: 12,
        starts: FRIDAY + n * HOUR,
        ends: FRIDAY + n * HOUR + HOUR,
        kind: Kind::Slot,
        host: key.clone(),
        door: Door::Open,
        locked: false,
        taken: vec![Seat { key: key.clone(), name: quotes.clone(), last_reminder: LastReminder::Nothing }],
        waiting: vec![Sitter::new(&key, &format!("{n:0192}"))],
        inside: vec![key.clone()],
        removed: vec![key.clone()],
        sequence: 0,
        stamped: FRIDAY,
    };
    let lunch = |n: u64| Cancelled {
        topic: "\"".repeat(80),
        place: "\u{1F35C}".repeat(120),
        starts: FRIDAY + n,
        ends: FRIDAY + n + HOUR,
        sequence: 1,
        stamped: FRIDAY,
    };
    Saved {
        tables: (0..1_000).map(table).collect(),
        met: (0..2_000).map(|n| (key.clone(), format!("{n:043}"), FRIDAY - n)).collect(),
        invites: (0..200u64).map(|n| (n.to_be_bytes(), key.clone(), FRIDAY + n)).collect(),
        hungry: Vec::new(),
        feeds: vec![(key.clone(), Feed { id: [1; 32], used: FRIDAY })],
        cancelled: (0..64).map(|n| (key.clone(), format!("gone {n}"), lunch(n))).collect(),
        avatars: Vec::new(),
        order: largest_order(&key),
        rounds: largest_rounds(&key),
    }
}

fn largest_rounds(key: &str) -> SavedRounds {
    let title = || "\u{1F35C}".repeat(80);
    let round = |n: u64| Round {
        id: format!("{n:016}"),
        title: title(),
        host: key.to_owned(),
        starts: FRIDAY + n * DAY,
        minutes: 60,
        weekly_at: None,
        size: RoundSize::Threes,
        signed_up: vec![SignUp { key: key.to_owned(), name: title(), at: FRIDAY }],
    };
    let news = |n: u64| RoundNews {
        key: key.to_owned(),
        round: format!("gone {n}"),
        title: title(),
        starts: FRIDAY - n,
        outcome: Outcome::Missed,
    };
    SavedRounds { rounds: (1..=20).map(round).collect(), news: (0..20).map(news).collect() }
}

fn largest_order(key: &str) -> SavedOrder {
    let long = || "\u{1F35C}".repeat(200);
    let report = |n: u32| SavedReport {
        at: FRIDAY + u64::from(n),
        by: key.to_owned(),
        by_name: long(),
        of: format!("{n:043}"),
        of_name: long(),
        text: long(),
        in_call: true,
    };
    let act = |n: u32| SavedAct {
        at: FRIDAY + u64::from(n),
        kind: ActKind::Closed,
        key: key.to_owned(),
        name: long(),
        topic: "\"".repeat(80),
        reason: long(),
        until: Some(u64::MAX),
        steward: String::new(),
        steward_name: long(),
        seen: false,
    };
    SavedOrder {
        blocks: (0..50).map(|n| (key.to_owned(), format!("{n:043}"), long())).collect(),
        reports: (0..10).map(|n| (n, report(n))).collect(),
        suspended: vec![(key.to_owned(), SavedSuspension { name: long(), since: 0, until: None, reason: long() })],
        acts: (0..16).map(|n| (n, act(n))).collect(),
    }
}

#[test]
fn the_largest_answer_fits_in_a_frame_and_counts_what_is_missing() {
    let about = board_of(largest()).about(FRIDAY, &Who { name: "\"".repeat(192), ..who("Ada") });
    let (tables, invites, met) = (about.tables.len(), about.invites.len(), about.met.len());
    let (reports, acts, rounds) = (about.reports.len(), about.acts.len(), about.rounds.len());
    assert!(tables >= 20 && invites == 100 && met == 400, "{tables} {invites} {met}");
    assert!(reports >= 3 && acts >= 3 && about.blocked == 50 && about.suspension.is_some(), "{reports} {acts}");
    assert!(rounds >= 6 && about.rounds[0].pending, "{rounds}");
    let missing = 1_064 - tables + 40 - rounds + 200 - invites + 2_000 - met + 10 - reports + 16 - acts;
    assert_eq!(about.left_out as usize, missing);
    assert_eq!(about.acts[0].at_ms, FRIDAY + 15, "the newest stay");
    assert_eq!(about.tables[0].starts_ms, FRIDAY, "the nearest stay");
    assert_eq!(about.invites[0].expires_ms, FRIDAY + 199, "those that last longest stay");
    assert_eq!((about.met[0].at_ms, about.met[399].at_ms), (FRIDAY, FRIDAY - 399), "the newest stay");
    let text = frame(u64::MAX, u64::MAX, &body(&ServerMessage::Board(BoardNews::AboutMe(Box::new(about)))));
    assert!((MAX_FRAME_BYTES / 2..=MAX_FRAME_BYTES).contains(&text.len()), "{}", text.len());
    assert!(signaling::parse::server_message(&text).is_ok());
}

#[test]
fn a_hosted_table_goes_on_with_somebody_else_and_an_empty_one_is_deleted() {
    let mut board = board();
    let shared =
        board.lay(FRIDAY, &who("Ada"), Draft { topic: "ADA’s soup".into(), ..slot(FRIDAY + DAY) }).expect("laid");
    board.take(FRIDAY, &who("Ben"), &shared, false).expect("a seat");
    board.take(FRIDAY, &who("Cem"), &shared, true).expect("in line");
    let weekly = board.lay(FRIDAY, &who("Ada"), Draft { weekly: true, ..slot(FRIDAY + 2 * DAY) }).expect("laid");
    board.take(FRIDAY, &who("Ben"), &weekly, false).expect("a seat");
    let alone = board.lay(FRIDAY, &who("Ada"), Draft { weekly: true, ..slot(FRIDAY + 3 * DAY) }).expect("laid");
    let others = board.lay(FRIDAY, &who("Dan"), slot(FRIDAY + 4 * DAY)).expect("laid");
    board.take(FRIDAY, &who("Ada"), &others, false).expect("a seat");
    notices(&mut board);
    board.forget(FRIDAY, &who("Ada"));
    assert_eq!(taken(&board, &shared), ["Ben", "Cem"], "the line moves up");
    let host = |id: &str| board.table(id).expect("a table").host.clone();
    assert_eq!((host(&shared), host(&weekly), host(&others)), (who("Ben").key, who("Ben").key, who("Dan").key));
    let table = board.table(&shared).expect("a table");
    assert_eq!((table.topic.as_str(), table.place.as_str()), ("", "2F"), "a topic with the name is cleared");
    assert_eq!(board.table(&weekly).expect("a table").topic, "Bibimbap");
    assert!(board.table(&alone).is_none());
    assert_eq!(taken(&board, &others), ["Dan"]);
    assert_eq!(notices(&mut board), [("key of Cem".to_owned(), NoticeKind::MovedUp)]);
    assert!(about(&board, "Ada").tables.is_empty());
}

#[test]
fn people_in_line_are_informed_if_nobody_can_sit_down() {
    let mut board = board();
    let id = board.lay(FRIDAY, &who("Ada"), Draft { weekly: true, ..slot(FRIDAY + DAY) }).expect("laid");
    board.take(FRIDAY, &who("Ben"), &id, false).expect("a seat");
    board.take(FRIDAY, &who("Cem"), &id, true).expect("in line");
    let room = room(&board, &id);
    board.lock(FRIDAY, &room, true);
    board.leave(FRIDAY, "key of Ben", &id).expect("gets up");
    notices(&mut board);
    board.forget(FRIDAY, &who("Ada"));
    assert!(board.table(&id).is_none(), "a locked table seats nobody");
    assert_eq!(notices(&mut board), [("key of Cem".to_owned(), NoticeKind::Deleted)]);
}

#[test]
fn an_erased_person_does_not_free_a_used_invite() {
    let mut board = board();
    let id = board.lay(FRIDAY, &who("Ben"), Draft { seats: 4, now: true, ..slot(0) }).expect("laid");
    let room = room(&board, &id);
    let (token, _) = board.invite(FRIDAY, &who("Ben"), &room, 1, 5).expect("an invite");
    let [ada, eve] = ["Ada", "Eve"].map(|name| Who { member: false, ..who(name) });
    board.enter(FRIDAY, &ada, &room, Some(&token)).expect("invited");
    board.forget(FRIDAY, &ada);
    assert!(about(&board, "Ada").invites.is_empty());
    for guest in [&eve, &ada] {
        assert_eq!(board.enter(FRIDAY, guest, &room, Some(&token)), Err(ErrorCode::InviteUsed));
    }
    let changes = board.take_changes();
    let anonymous = changes.iter().filter(|c| matches!(c, Change::InviteUsed { key, .. } if *key != ada.key)).count();
    assert_eq!(anonymous, 1, "{changes:?}");
}

#[test]
fn an_erased_person_whom_a_host_removed_may_not_come_back() {
    let mut board = board();
    let id = board.lay(FRIDAY, &who("Ben"), Draft { seats: 4, now: true, ..slot(0) }).expect("laid");
    let room = room(&board, &id);
    board.enter(FRIDAY, &who("Ada"), &room, None).expect("a seat");
    board.remove(FRIDAY, &room, "key of Ada");
    board.forget(FRIDAY, &who("Ada"));
    assert_eq!(board.table(&id).expect("a table").removed, Vec::<String>::new(), "not stored");
    assert_eq!(board.enter(FRIDAY, &who("Ada"), &room, None), Err(ErrorCode::Removed));
    assert_eq!(board.take(FRIDAY, &who("Ada"), &id, false), Err(ErrorCode::Removed));
    assert!(about(&board, "Ada").tables[0].removed, "and it is not concealed");
}

#[test]
fn others_no_longer_wait_for_an_erased_person() {
    let mut board = board();
    for name in ["Ada", "Ben"] {
        board.come(&who(name));
    }
    board.eat_now(FRIDAY, &who("Ada"), vec![]).expect("waits");
    board.eat_now(FRIDAY, &who("Ben"), vec!["key of Ada".into(), "key of Cem".into()]).expect("waits");
    while board.poll_notification().is_some() {}
    board.forget(FRIDAY, &who("Ada"));
    assert_eq!(board.hungry_count(), 1);
    assert_eq!(about(&board, "Ben").waiting.expect("still waits").with, ["key of Cem"]);
    let informed: BTreeSet<String> = std::iter::from_fn(|| board.poll_notification()).map(|(key, _)| key).collect();
    assert_eq!(informed, ["Ada", "Ben"].map(|name| who(name).key).into());
}

#[test]
fn no_change_after_the_erasure_names_the_person() {
    let mut board = board_of(largest());
    board.forget(FRIDAY, &who("Ada"));
    board.tick(FRIDAY + HORIZON_MS);
    let changes = board.take_changes();
    let after = changes.split(|change| matches!(change, Change::Forget { .. })).nth(1).expect("the erasure");
    // Only that nobody waits under this key any more, which deletes.
    let silent = |change: &&Change| !matches!(change, Change::Hungry { wish: None, .. });
    let text = format!("{:?}", after.iter().filter(silent).collect::<Vec<_>>());
    assert!(!text.contains("key of Ada"), "{text}");
}
