use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

use rooms::board::{Board, Calendar, Who};
use signaling::board::{Door, Draft};

use super::*;

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
    Who { key: format!("key-{name}"), name: name.into(), member: true }
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
    write::all(&mut opened.connection, board.take_changes().iter()).unwrap();
    drop(opened);
    let again = open(Some(&folder.0)).unwrap();
    assert_eq!(again.invite_secret, secret);
    let saved = sorted(again.saved);
    assert_eq!(saved.tables, tables);
    assert_eq!((saved.met.len(), saved.invites.len(), saved.hungry.len()), (1, 1, 1));
    assert_eq!(saved.hungry[0].1.with, [who("Ida").key, who("Jon").key]);
}

/// Whether a text is anywhere in the files of the store.
fn is_stored(folder: &Folder, text: &str) -> bool {
    let files = std::fs::read_dir(&folder.0).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.into_iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
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
    board.forget(&who("Fay").key);
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
    assert_eq!(*saved, Saved::default(), "all or nothing");
    // Sent before the hub learned of the failure: discarded.
    store.write(2, vec![Change::Hungry { key: "a".into(), wish: None }]).unwrap();
    store.go_on();
    store.write(3, changes.into_iter().filter(|c| !matches!(c, Change::Met { .. })).collect()).unwrap();
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
    let error = write::all(&mut opened.connection, many.iter().chain([&big])).unwrap_err();
    let fault = StoreFault::from(error);
    assert_eq!(fault, StoreFault::DiskFull);
    assert!(fault.to_string().contains("free some space"), "{fault}");

    let mut store = Store::start(opened, move |stored| sender.send(stored).unwrap()).unwrap();
    store.write(1, vec![big]).unwrap();
    let Ok(Stored::Failed(saved)) = reports.recv_timeout(Duration::from_secs(10)) else { panic!("written") };
    assert_eq!(*saved, Saved::default(), "nothing of it");
    store.go_on();
    store.write(2, changes).unwrap();
    let report = reports.recv_timeout(Duration::from_secs(10)).unwrap();
    drop(store);
    // What fits is written, or the failure is reported again: nothing is claimed that is not there.
    let stored = open(Some(&folder.0)).unwrap().saved.tables.len();
    assert_eq!(stored, if matches!(report, Stored::Written(2)) { 2 } else { 0 });
}
