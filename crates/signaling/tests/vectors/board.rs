//! How a client handles the board's messages.

use signaling::board_fold::BoardFold;
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
            let state = serde_json::to_value(fold.state()).expect("JSON");
            assert!(fits(&state, &step["state"]), "{place}: {state} is not {}", step["state"]);
        }
    }
}
