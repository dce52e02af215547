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

#[test]
fn a_forgotten_person_is_erased_from_the_file() {
    let folder = Folder::new("forget");
    let mut board = full_board();
    let mut opened = open(Some(&folder.0)).unwrap();
    write::all(&mut opened.connection, board.take_changes().iter()).unwrap();
    board.forget(&who("Fay").key);
    write::all(&mut opened.connection, board.take_changes().iter()).unwrap();
    opened.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(opened);
    let bytes = std::fs::read(folder.0.join(FILE)).unwrap();
    assert!(!bytes.windows(7).any(|window| window == b"key-Fay"));
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
    assert_eq!(error.code(), "server_store");
    assert!(error.to_string().contains("newer server"), "{error}");
    let path = folder.0.join(FILE);
    std::fs::write(&path, "no database at all, but long enough to be looked at as one".repeat(100)).unwrap();
    assert_eq!(open(Some(&folder.0)).unwrap_err().code(), "server_store");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("no database"));
}
