mod traces;

use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

use rooms::board::{Board, Calendar, Kind, LastReminder, OrderChange, Round, RoundChange, Who};
use signaling::board::{Door, Draft};

use self::traces::{
    IMPERSONAL, LISTS, PERSONAL, account_of, changes_to, changes_to_account, changes_to_order, changes_to_rounds,
    order_of, rounds_of, traces_of,
};
use super::*;
use crate::accounts::{Account, Accounts};

const NOW: u64 = 1_774_605_600_000;

/// A temporary folder, removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("lunchroom-store-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn who(name: &str) -> Who {
    Who { key: format!("key-{name}"), name: name.into(), member: true, steward: false }
}

/// A board that uses every feature.
fn full_board() -> Board {
    let mut board = Board::new(Calendar::new("Asia/Seoul").unwrap(), [1; 32], [2; 32], Saved::default(), NOW);
    let draft = Draft {
        topic: "\u{1F35C} 'soup'; DROP TABLE tables".into(),
        place: "2층".into(),
        seats: 2,
        now: false,
        starts_ms: NOW + 3_600_000,
        minutes: 45,
        weekly: true,
        door: Door::Knock,
    };
    let weekly = board.lay(NOW, &who("Ada"), draft.clone()).unwrap();
    board.take(NOW, &who("Ben"), &weekly, false).unwrap();
    board.take(NOW, &who("Cem"), &weekly, true).unwrap();
    board.take(NOW, &who("Dan"), &weekly, true).unwrap();
    let open = board.lay(NOW, &who("Eve"), Draft { now: true, weekly: false, door: Door::Open, ..draft }).unwrap();
    let room = board.table(&open).unwrap().room.clone();
    board.come(&who("Eve"));
    board.come(&who("Fay"));
    board.enter(NOW, &who("Eve"), &room, None).unwrap();
    board.set_call(NOW, &room, [who("Eve").key, who("Fay").key].into());
    let (token, _) = board.invite(NOW, &who("Eve"), &room, 3, 5).unwrap();
    let gus = Who { member: false, ..who("Gus") };
    board.enter(NOW, &gus, &room, Some(&token)).unwrap();
    board.remove(NOW, &room, &gus.key);
    board.lock(NOW, &room, true);
    board.come(&who("Hal"));
    board.eat_now(NOW, &who("Hal"), vec![who("Ida").key, who("Jon").key]).unwrap();
    board
}

fn write_all(connection: &mut Connection, changes: impl Into<Changes>) -> rusqlite::Result<()> {
    write::batches(connection, [changes.into()].iter())
}

fn sorted(mut saved: Saved) -> Saved {
    saved.tables.sort_by(|a, b| a.id.cmp(&b.id));
    saved
}

#[test]
fn stored_boards_are_read_back() {
    let folder = Folder::new("again");
    let mut board = full_board();
    let tables: Vec<_> = board.tables().cloned().collect();
    let mut opened = open(Some(&folder.0)).unwrap();
    let secret = opened.invite_secret;
    write_all(&mut opened.connection, board.take_changes()).unwrap();
    drop(opened);
    let again = open(Some(&folder.0)).unwrap();
    assert_eq!(again.invite_secret, secret);
    let saved = sorted(again.saved);
    assert_eq!(saved.tables, tables);
    assert_eq!((saved.met.len(), saved.invites.len(), saved.hungry.len()), (1, 1, 1));
    assert_eq!(saved.hungry[0].1.with, [who("Ida").key, who("Jon").key]);
}

#[test]
fn calendars_and_their_cancelled_lunches_are_read_back_until_they_are_forgotten() {
    let folder = Folder::new("calendar");
    let mut board = full_board();
    let weekly = board.tables().find(|table| table.is_weekly()).unwrap().id.clone();
    let token = board.calendar_token(NOW, &who("Ben"), None).unwrap();
    board.leave(NOW, &who("Ben").key, &weekly).unwrap();
    let mut opened = open(Some(&folder.0)).unwrap();
    write_all(&mut opened.connection, board.take_changes()).unwrap();
    drop(opened);
    let mut opened = open(Some(&folder.0)).unwrap();
    let saved = std::mem::take(&mut opened.saved);
    assert_eq!((saved.feeds.len(), saved.cancelled.len()), (1, 1));
    let mut restored = Board::new(Calendar::new("Asia/Seoul").unwrap(), [3; 32], [2; 32], saved, NOW);
    let id = rooms::board::feed_id(&token.0);
    assert_eq!(restored.feed(NOW, &id), board.feed(NOW, &id));
    restored.forget(NOW, &who("Ben"));
    write_all(&mut opened.connection, restored.take_changes()).unwrap();
    let saved = read::all(&opened.connection).unwrap();
    assert_eq!((saved.feeds.len(), saved.cancelled.len()), (0, 0));
}

#[test]
fn a_file_without_calendars_accounts_and_order_is_migrated() {
    let folder = Folder::new("migrated");
    let mut opened = open(Some(&folder.0)).unwrap();
    write_all(&mut opened.connection, full_board().take_changes()).unwrap();
    let before = "ALTER TABLE tables DROP COLUMN sequence; ALTER TABLE tables DROP COLUMN stamped;
        DROP TABLE feeds; DROP TABLE cancelled; DROP TABLE devices; DROP TABLE accounts; DROP TABLE avatars;
        DROP TABLE blocks; DROP TABLE reports; DROP TABLE suspensions; DROP TABLE acts;
        DROP TABLE round_news; DROP TABLE sign_ups; DROP TABLE rounds; PRAGMA user_version = 1";
    opened.connection.execute_batch(before).unwrap();
    drop(opened);
    let tables = open(Some(&folder.0)).unwrap().saved.tables;
    assert_eq!(tables.len(), 2);
    assert!(tables.iter().all(|table| table.sequence == 0 && table.stamped > NOW), "stamped at the migration");
}

/// Whether a text is anywhere in the files of the store.
fn is_stored(folder: &Folder, text: &str) -> bool {
    has_bytes(folder, text.as_bytes())
}

fn has_bytes(folder: &Folder, wanted: &[u8]) -> bool {
    let files = std::fs::read_dir(&folder.0).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.into_iter().any(|bytes| bytes.windows(wanted.len()).any(|window| window == wanted))
}

#[test]
fn a_forgotten_person_is_erased_from_the_files_while_the_store_runs() {
    let folder = Folder::new("forget");
    let mut board = full_board();
    let (sender, reports) = channel();
    let mut store = Store::start(open(Some(&folder.0)).unwrap(), move |stored| sender.send(stored).unwrap()).unwrap();
    let written = || assert!(matches!(reports.recv_timeout(Duration::from_secs(10)), Ok(Stored::Written(_))));
    store.write(1, board.take_changes()).unwrap();
    written();
    assert!(is_stored(&folder, &who("Fay").key));
    board.forget(NOW, &who("Fay"));
    store.write(2, board.take_changes()).unwrap();
    written();
    assert!(!is_stored(&folder, &who("Fay").key));
    assert!(is_stored(&folder, &who("Eve").key), "others stay");
    drop(store);
    assert!(!is_stored(&folder, &who("Fay").key));
}

#[test]
fn pages_that_were_split_and_joined_keep_nothing_of_a_forgotten_person() {
    let folder = Folder::new("split");
    let (sender, reports) = channel();
    let mut store = Store::start(open(Some(&folder.0)).unwrap(), move |stored| sender.send(stored).unwrap()).unwrap();
    let key = |n: u64| format!("k{:042}", n * 7_919 % 1_000);
    let fay = key(500);
    let meetings = |n: u64| {
        let pair = |m: u64| (key(n).min(key(m)), key(n).max(key(m)));
        let met = move |m: u64| Change::Met { a: pair(m).0, b: pair(m).1, at: NOW };
        [n + 1, n + 17, n + 300, 500].into_iter().filter(|m| *m % 1_000 != n).map(met).collect::<Vec<_>>()
    };
    for n in 0..1_000 {
        store.write(n, meetings(n)).unwrap();
    }
    // Others are forgotten too, so that pages are joined.
    for n in (0..1_000).filter(|n| n % 3 == 0) {
        store.write(1_000 + n, vec![Change::Forget { key: key(n) }]).unwrap();
    }
    store.write(2_000, vec![Change::Forget { key: fay.clone() }]).unwrap();
    while !matches!(reports.recv_timeout(Duration::from_secs(20)).unwrap(), Stored::Written(2_000)) {}
    assert!(is_stored(&folder, &key(1)));
    assert!(!is_stored(&folder, &fay));
}

#[test]
fn order_survives_a_restart() {
    let folder = Folder::new("order");
    let order = order_of(&who("Ada"));
    let mut opened = open(Some(&folder.0)).unwrap();
    write_all(&mut opened.connection, changes_to_order(&order)).unwrap();
    drop(opened);
    assert_eq!(open(Some(&folder.0)).unwrap().saved.order, order);
    let mut opened = open(Some(&folder.0)).unwrap();
    let (key, other) = (who("Ada").key, who("Ben").key);
    let gone = [
        OrderChange::Block { key: key.clone(), other, name: None },
        OrderChange::Report { id: 1, report: None },
        OrderChange::Suspension { key, suspension: None },
        OrderChange::Act { id: 1, act: None },
    ];
    write_all(&mut opened.connection, gone.map(Change::Order).to_vec()).unwrap();
    drop(opened);
    let left = open(Some(&folder.0)).unwrap().saved.order;
    let counts = (left.blocks.len(), left.reports.len(), left.suspended.len(), left.acts.len());
    assert_eq!(counts, (1, 2, 0, 2));
}

#[test]
fn rounds_survive_a_restart() {
    let folder = Folder::new("rounds");
    let mut rounds = rounds_of(&who("Ada"));
    let mut opened = open(Some(&folder.0)).unwrap();
    write_all(&mut opened.connection, changes_to_rounds(&rounds)).unwrap();
    drop(opened);
    let read = |folder: &Folder| {
        let mut read = open(Some(&folder.0)).unwrap().saved.rounds;
        read.news.sort_by(|a, b| a.key.cmp(&b.key));
        read
    };
    rounds.rounds[0].signed_up.sort_by(|a, b| a.key.cmp(&b.key)); // all have signed up at the same time
    assert_eq!(read(&folder), rounds);
    let mut opened = open(Some(&folder.0)).unwrap();
    let (round, key) = (rounds.rounds[0].id.clone(), who("Ben").key);
    let moved = Round { starts: NOW + 1, weekly_at: None, signed_up: Vec::new(), ..rounds.rounds[0].clone() };
    let changes = [
        RoundChange::Round(Box::new(moved)),
        RoundChange::Withdrawn { round: round.clone(), key: key.clone() },
        RoundChange::Gone { id: rounds.rounds[1].id.clone() },
        RoundChange::NewsGone { key, round: "gone".into() },
    ];
    write_all(&mut opened.connection, changes.map(Change::Round).to_vec()).unwrap();
    drop(opened);
    let left = read(&folder);
    assert_eq!((left.rounds.len(), left.rounds[0].starts, left.news.len()), (1, NOW + 1, 2));
    assert_eq!(left.rounds[0].signed_up.len(), 1, "only Ada's");
    let mut opened = open(Some(&folder.0)).unwrap();
    write_all(&mut opened.connection, vec![Change::Round(RoundChange::Cleared { round })]).unwrap();
    drop(opened);
    assert_eq!(read(&folder).rounds[0].signed_up, []);
}

#[test]
fn a_seat_of_which_nobody_knows_yet_is_read_back_as_such() {
    let folder = Folder::new("unannounced");
    let mut table = traces_of(&who("Ada")).tables.remove(0);
    table.kind = Kind::Round;
    table.taken[1].last_reminder = LastReminder::Unannounced;
    let mut opened = open(Some(&folder.0)).unwrap();
    write_all(&mut opened.connection, vec![Change::Table(Box::new(table.clone()))]).unwrap();
    drop(opened);
    assert_eq!(open(Some(&folder.0)).unwrap().saved.tables, [table]);
}

fn column_names(connection: &Connection) -> Vec<(String, String)> {
    let sql = "SELECT tables.name, columns.name FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns
        WHERE tables.type = 'table'";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Fails for a column that is in neither list above: whoever adds one decides whether erasing a person must reach it.
#[test]
fn every_column_is_known_to_hold_something_of_a_person_or_not() {
    let opened = open(None).unwrap();
    let found: std::collections::BTreeSet<_> = column_names(&opened.connection).into_iter().collect();
    let own = |(table, column): &(&str, &str)| (table.to_string(), column.to_string());
    let known = PERSONAL.iter().chain(IMPERSONAL).map(own).collect();
    assert_eq!(found, known);
}

#[test]
fn an_erased_person_leaves_no_trace_in_any_file() {
    let folder = Folder::new("trace");
    let raw = [0x5a, 0xc3, 0x17, 0x9e].repeat(8);
    let key = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, &raw);
    let ada = Who { key: key.clone(), name: "Adalovelacia".into(), member: true, steward: false };
    let saved = traces_of(&ada);
    let mut opened = open(Some(&folder.0)).unwrap();
    let account = account_of(&ada);
    let changes = Changes { board: changes_to(&saved), accounts: changes_to_account(&account) };
    write_all(&mut opened.connection, changes).unwrap();
    let count = |sql: &str| {
        let search = [key.to_lowercase(), ada.name.to_lowercase()];
        opened.connection.query_row(sql, search, |row| row.get::<_, i64>(0)).unwrap()
    };
    for (table, column) in PERSONAL {
        let holds = format!("instr(lower({column}), ?1) + instr(lower({column}), ?2) > 0");
        let found = count(&format!("SELECT count(*) FROM {table} WHERE {holds}"));
        assert!(found > 0, "nothing of the person in {table}.{column}");
    }
    for list in LISTS {
        let sql = format!("SELECT count(*) FROM sitters WHERE list = '{list}' AND lower(key) = ?1 AND ?2 > ''");
        assert!(count(&sql) > 0, "the person is not {list}");
    }
    let (sender, reports) = channel();
    let mut store = Store::start(opened, move |stored| sender.send(stored).unwrap()).unwrap();
    let mut board = Board::new(Calendar::new("Asia/Seoul").unwrap(), [1; 32], [2; 32], saved, NOW);
    board.forget(NOW, &ada);
    let mut accounts = Accounts::new(account, None);
    accounts.forget(&key);
    store.write(1, Changes { board: board.take_changes(), accounts: accounts.take_changes() }).unwrap();
    assert!(matches!(reports.recv_timeout(Duration::from_secs(10)), Ok(Stored::Written(1))));
    let traces = |when: &str| {
        for trace in [key.as_str(), &ada.name, &ada.name.to_uppercase()] {
            assert!(!is_stored(&folder, trace), "{trace} {when}");
        }
        assert!(!has_bytes(&folder, &raw), "the key's bytes {when}");
        assert!(is_stored(&folder, &who("Ben").name), "others stay {when}");
    };
    traces("while the store runs");
    drop(store);
    traces("when it has ended");
    let again = open(Some(&folder.0)).unwrap();
    let (stored, kept) = (sorted(again.saved), board.tables().cloned().collect::<Vec<_>>());
    assert_eq!(stored.tables, kept, "the file has what the board has");
}

#[test]
fn old_records_leave_the_journal_when_their_time_is_up() {
    let folder = Folder::new("prune");
    let (sender, reports) = channel();
    let mut store = Store::start(open(Some(&folder.0)).unwrap(), move |stored| sender.send(stored).unwrap()).unwrap();
    let [a, b] = ["key-Old", "key-Older"].map(str::to_owned);
    store.write(1, vec![Change::Met { a, b, at: NOW - 1 }]).unwrap();
    store.write(2, vec![Change::Met { a: "key-New".into(), b: "key-Newer".into(), at: NOW }]).unwrap();
    store.write(3, vec![Change::Prune { met_before: NOW, invites_before: NOW }]).unwrap();
    while !matches!(reports.recv_timeout(Duration::from_secs(10)).unwrap(), Stored::Written(3)) {}
    assert!(is_stored(&folder, "key-New") && !is_stored(&folder, "key-Old"));
}

#[test]
fn the_thread_reports_durable_batches() {
    let folder = Folder::new("thread");
    let mut board = full_board();
    let (sender, reports) = channel();
    let opened = open(Some(&folder.0)).unwrap();
    let mut store = Store::start(opened, move |stored| sender.send(stored).unwrap()).unwrap();
    store.write(1, board.take_changes()).unwrap();
    store.write(2, vec![Change::Gone { id: "nobody's".into() }]).unwrap();
    let mut safe = 0;
    while safe < 2 {
        match reports.recv_timeout(Duration::from_secs(10)).unwrap() {
            Stored::Written(number) => safe = number,
            Stored::Failed(_) => panic!("failed"),
        }
    }
    drop(store);
    assert_eq!(open(Some(&folder.0)).unwrap().saved.tables.len(), 2);
}

#[test]
fn a_failed_batch_discards_later_batches() {
    let (sender, reports) = channel();
    let opened = open(None).unwrap();
    opened
        .connection
        .execute_batch("CREATE TRIGGER full BEFORE INSERT ON met BEGIN SELECT RAISE(ABORT, 'disk'); END")
        .unwrap();
    let mut store = Store::start(opened, move |stored| sender.send(stored).unwrap()).unwrap();
    let mut board = full_board();
    let changes = board.take_changes();
    store.write(1, changes.clone()).unwrap();
    let Ok(Stored::Failed(saved)) = reports.recv_timeout(Duration::from_secs(10)) else { panic!("written") };
    assert_eq!(saved.0, Saved::default(), "all or nothing");
    // Sent before the hub learned of the failure: discarded.
    store.write(2, vec![Change::Hungry { key: "a".into(), wish: None }]).unwrap();
    store.go_on();
    store.write(3, changes.into_iter().filter(|c| !matches!(c, Change::Met { .. })).collect::<Vec<_>>()).unwrap();
    assert!(matches!(reports.recv_timeout(Duration::from_secs(10)), Ok(Stored::Written(3))));
}

#[test]
fn newer_and_corrupt_files_are_refused_and_left_unchanged() {
    let folder = Folder::new("later");
    let opened = open(Some(&folder.0)).unwrap();
    opened.connection.pragma_update(None, "user_version", 1_000).unwrap();
    drop(opened);
    let error = open(Some(&folder.0)).unwrap_err();
    assert_eq!(error.code(), "server_store_newer");
    let text = error.to_string();
    for word in ["newer version", "format 1000", "install that version", "backup"] {
        assert!(text.contains(word), "{text}");
    }
    let path = folder.0.join(FILE);
    std::fs::write(&path, "no database at all, but long enough to be looked at as one".repeat(100)).unwrap();
    let error = open(Some(&folder.0)).unwrap_err();
    assert!(matches!(error, StartError::Store { fault: StoreFault::Damaged(_), .. }), "{error}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("no database"));
}

#[test]
fn a_full_disk_is_reported_and_written_again_when_there_is_room() {
    let folder = Folder::new("full");
    let (sender, reports) = channel();
    let mut opened = open(Some(&folder.0)).unwrap();
    let pages = |opened: &Opened, count: i64| {
        opened
            .connection
            .query_row(&format!("PRAGMA max_page_count = {count}"), [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    // No room for one page more than there are. SQLite reports it as it reports a full disk.
    pages(&opened, 1);
    let mut board = full_board();
    let changes = board.take_changes();
    let many: Vec<Change> = (0..200).flat_map(|_| changes.clone()).collect();
    let wish = rooms::board::Hungry { name: "x".repeat(60_000), since: 0, with: Vec::new() };
    let big = Change::Hungry { key: "big".into(), wish: Some(wish) };
    let error =
        write_all(&mut opened.connection, many.into_iter().chain([big.clone()]).collect::<Vec<_>>()).unwrap_err();
    let fault = StoreFault::from(error);
    assert_eq!(fault, StoreFault::DiskFull);
    assert!(fault.to_string().contains("free some space"), "{fault}");

    let mut store = Store::start(opened, move |stored| sender.send(stored).unwrap()).unwrap();
    store.write(1, vec![big]).unwrap();
    let Ok(Stored::Failed(saved)) = reports.recv_timeout(Duration::from_secs(10)) else { panic!("written") };
    assert_eq!(saved.0, Saved::default(), "nothing of it");
    store.go_on();
    store.write(2, changes).unwrap();
    let report = reports.recv_timeout(Duration::from_secs(10)).unwrap();
    drop(store);
    // What fits is written, or the failure is reported again: nothing is claimed that is not there.
    let stored = open(Some(&folder.0)).unwrap().saved.tables.len();
    assert_eq!(stored, if matches!(report, Stored::Written(2)) { 2 } else { 0 });
}

#[test]
fn accounts_are_read_back_until_they_are_forgotten() {
    let folder = Folder::new("accounts");
    let mut opened = open(Some(&folder.0)).unwrap();
    let account = account_of(&who("Ada"));
    write_all(&mut opened.connection, changes_to_account(&account)).unwrap();
    // A new name keeps the devices.
    let renamed = Account { name: "Ada Kim".into(), ..account.accounts[0].clone() };
    write_all(&mut opened.connection, vec![accounts::Change::Account(renamed)]).unwrap();
    drop(opened);
    let mut opened = open(Some(&folder.0)).unwrap();
    let mut found = std::mem::take(&mut opened.accounts);
    found.devices.sort_by_key(|device| device.key != who("Ada").key);
    assert_eq!((found.accounts[0].name.as_str(), &found.devices), ("Ada Kim", &account.devices));
    let mut accounts = Accounts::new(found, None);
    accounts.remove_device(&who("Ada").key, "a second key").unwrap();
    write_all(&mut opened.connection, accounts.take_changes()).unwrap();
    assert_eq!(read::accounts(&opened.connection).unwrap().devices.len(), 1);
    accounts.forget(&who("Ada").key);
    write_all(&mut opened.connection, accounts.take_changes()).unwrap();
    assert_eq!(read::accounts(&opened.connection).unwrap(), accounts::Saved::default());
}
