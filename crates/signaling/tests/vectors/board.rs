//! How a client handles the board's messages.

use serde_json::{Value, json};
use signaling::board_fold::{BoardFold, BoardState, Mine, TableView};
use signaling::message::ServerMessage;
use signaling::parse;

use super::{fits, list, read, text};

#[test]
fn the_board_follows_its_news() {
    let file = read(include_str!("../../../../docs/protocol/board.json"));
    for case in list(&file, "cases") {
        let mut fold = BoardFold::new(text(&file["you"]));
        for (at, step) in list(case, "steps").iter().enumerate() {
            let place = format!("{}, step {at}", case["name"]);
            let message = parse::server_message(&step["news"].to_string()).expect("a message").message;
            let ServerMessage::Board(news) = message else { panic!("{place}: {message:?}") };
            assert_eq!(fold.handle(0, &news), step["changed"], "{place}");
            let state = fold.state().map_or(Value::Null, |state| shown(&state));
            assert!(fits(&state, &step["state"]), "{place}: {state} is not {}", step["state"]);
        }
    }
}

fn shown(state: &BoardState) -> Value {
    json!({
        "now_ms": state.now_ms,
        "zone": state.zone,
        "member": state.member,
        "tables": state.tables.iter().map(|one| table(one)).collect::<Vec<_>>(),
        "people": state.people.iter().map(|person| &**person).collect::<Vec<_>>(),
        "free_count": state.free_count,
        "waiting": state.waiting,
        "seated": state.seated,
    })
}

fn table(table: &TableView) -> Value {
    let mine = match table.mine {
        Mine::None => "none",
        Mine::Seat => "seat",
        Mine::Waiting => "waiting",
        Mine::Host => "host",
    };
    json!({
        "id": table.id,
        "room": table.room,
        "topic": table.topic,
        "place": table.place,
        "seats": table.seats,
        "starts_ms": table.starts_ms,
        "ends_ms": table.ends_ms,
        "now": table.now,
        "weekly": table.weekly,
        "host": table.host,
        "door": table.door,
        "locked": table.locked,
        "taken": table.taken,
        "taken_count": table.taken_count,
        "waiting_count": table.waiting_count,
        "mine": mine,
        "my_place": table.my_place,
        "in_call": table.in_call,
    })
}
