//! The test vectors in `docs/protocol` about tables and their rooms, which the guest page's JavaScript runs too
//! (PROTOCOL.md, *Test vectors*).

use rooms::board::{Board, Calendar, Entry, Saved, Who};
use serde_json::{Value, json};
use signaling::board::{Door, Draft};
use signaling::message::ErrorCode;

const DAY_MS: u64 = 24 * 3_600_000;

fn board(now: u64) -> Board {
    Board::new(Calendar::new("Asia/Seoul").expect("a zone"), [1; 32], [2; 32], Saved::default(), now)
}

fn ada() -> Who {
    Who { key: "key of Ada".into(), name: "Ada".into(), member: true, steward: false }
}

/// A board with the table of a case, when the table is created. Returns the board and the name of the table's room.
fn laid(case: &Value) -> (Board, String) {
    let starts_ms = case["starts_ms"].as_u64().expect("a time");
    let is_now = case["now"] == true;
    let draft = Draft {
        topic: String::new(),
        place: String::new(),
        seats: 4,
        now: is_now,
        starts_ms,
        minutes: serde_json::from_value(case["minutes"].clone()).expect("minutes"),
        weekly: false,
        door: Door::Open,
    };
    let now = if is_now { starts_ms } else { starts_ms - DAY_MS };
    let mut board = board(now);
    let id = board.lay(now, &ada(), draft).expect("it is laid");
    let room = board.table(&id).expect("a table").room.clone();
    (board, room)
}

#[test]
fn a_table_room_opens_and_closes() {
    let file: Value = serde_json::from_str(include_str!("../../../docs/protocol/tables.json")).expect("JSON");
    for case in file["tables"].as_array().expect("a list") {
        let (mut board, room) = laid(case);
        for at in case["at"].as_array().expect("a list") {
            let now = at[0].as_u64().expect("a time");
            if case["call"] == true {
                board.set_call(now, &room, [ada().key].into());
            }
            board.tick(now);
            let refused = board.enter(now, &ada(), &room, None).err();
            assert_eq!(json!(refused), at[1], "{}, at {now}", case["name"]);
        }
    }
}

#[test]
fn a_table_room_is_recognised_by_its_name() {
    let file: Value = serde_json::from_str(include_str!("../../../docs/protocol/rooms.json")).expect("JSON");
    for case in file["tables"].as_array().expect("a list") {
        let entry = board(0).enter(0, &ada(), case[0].as_str().expect("a name"), None);
        let expected = if case[1] == true { Err(ErrorCode::NoSuchTable) } else { Ok(Entry::Plain) };
        assert_eq!(entry, expected, "{case}");
    }
}
