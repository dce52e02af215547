//! Checks PROTOCOL.md, which people read to write other clients: this crate must parse every example, and the page's
//! lists must be complete.

use std::collections::BTreeSet;

use serde_json::Value;
use signaling::close::close_code;
use signaling::limits;
use signaling::message::ErrorCode;
use signaling::parse;

const PAGE: &str = include_str!("../../../PROTOCOL.md");

/// Returns the fenced examples of one side.
fn examples(side: &str) -> Vec<&'static str> {
    let fence = format!("```json {side}\n");
    PAGE.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// Whether we also write every field of the example. A misspelled field would otherwise be ignored.
fn is_part_of(example: &Value, written: &Value) -> bool {
    match (example, written) {
        (Value::Object(example), Value::Object(written)) => {
            example.iter().all(|(key, value)| written.get(key).is_some_and(|other| is_part_of(value, other)))
        }
        (Value::Array(example), Value::Array(written)) => {
            example.len() == written.len() && example.iter().zip(written).all(|(a, b)| is_part_of(a, b))
        }
        (example, written) => example == written,
    }
}

fn kind(text: &str) -> String {
    let value: Value = serde_json::from_str(text).expect("an example is JSON");
    value["type"].as_str().expect("an example has a type").to_owned()
}

#[test]
fn every_client_example_parses() {
    for text in examples("client") {
        let envelope = parse::client_message(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let example: Value = serde_json::from_str(text).unwrap();
        assert!(is_part_of(&example, &serde_json::to_value(&envelope).unwrap()), "{text}");
    }
}

#[test]
fn every_server_example_parses() {
    for text in examples("server") {
        let envelope = parse::server_message(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let example: Value = serde_json::from_str(text).unwrap();
        assert!(is_part_of(&example, &serde_json::to_value(&envelope).unwrap()), "{text}");
    }
}

#[test]
fn every_message_has_an_example() {
    let kinds = |side| examples(side).into_iter().map(kind).collect::<BTreeSet<_>>();
    let (client, server) = (kinds("client"), kinds("server"));
    for expected in [
        "hello",
        "join",
        "leave",
        "offer",
        "candidate",
        "end_of_candidates",
        "media",
        "hand",
        "reaction",
        "resolution",
        "check_connection",
        "connection_report",
        "view",
        "frame_key",
        "sender_keys",
        "chat",
        "board",
        "room",
        "account",
        "ping",
        "ack",
    ] {
        assert!(client.contains(expected), "{expected}");
    }
    for expected in [
        "challenge",
        "welcome",
        "resumed",
        "joined",
        "left",
        "participant_joined",
        "participant_left",
        "participant_connection",
        "answer",
        "end_of_candidates",
        "media",
        "hand",
        "reaction",
        "resolution",
        "check_connection",
        "connection_report",
        "forwarded",
        "slots",
        "frame_key",
        "sender_key",
        "sender_keys_undelivered",
        "chat",
        "board",
        "room",
        "account",
        "pong",
        "error",
        "bye",
    ] {
        assert!(server.contains(expected), "{expected}");
    }
}

#[test]
fn every_board_and_room_message_has_an_example() {
    let second = |side, tag: &str| {
        let values = examples(side).into_iter().map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
        values.filter_map(|value| value[tag].as_str().map(str::to_owned)).collect::<BTreeSet<_>>()
    };
    let requests = [
        "subscribe",
        "unsubscribe",
        "lay",
        "take",
        "leave",
        "delete",
        "move",
        "cancel_date",
        "lay_round",
        "cancel_round",
        "sign_up",
        "withdraw",
        "eat_now",
        "stop_waiting",
        "presence",
        "about_me",
        "forget_me",
        "invite",
        "calendar",
        "revoke_calendar",
        "set_avatar",
        "photo",
        "report",
        "block",
        "unblock",
        "seen",
        "order_book",
        "close_report",
        "suspend",
        "lift",
        "close_table",
        "lock",
        "admit",
        "refuse",
        "mute",
        "lower_hand",
        "spotlight",
        "hand_over",
        "remove",
        "add_device",
        "devices",
        "remove_device",
    ];
    let news = [
        "snapshot",
        "patch",
        "you",
        "notice",
        "invite",
        "calendar",
        "about_me",
        "done",
        "knocking",
        "lobby",
        "state",
        "muted",
        "devices",
        "photo",
        "order",
        "order_book",
    ];
    assert_eq!(second("client", "do"), requests.map(str::to_owned).into());
    assert_eq!(second("server", "news"), news.map(str::to_owned).into());
}

#[test]
fn the_table_of_errors_is_complete() {
    let rows: Vec<(ErrorCode, u16)> = PAGE
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').map(str::trim).collect();
            let code = serde_json::from_value(Value::from(cells.first()?.trim_end_matches('`'))).ok()?;
            Some((code, cells.get(3)?.parse().ok()?))
        })
        .collect();
    assert_eq!(rows.len(), 52);
    for &(code, close) in &rows {
        assert_ne!(code, ErrorCode::Unknown, "misspelt on the page");
        assert_eq!(close_code(code), close, "{code:?}");
    }
    let codes: BTreeSet<String> = rows.iter().map(|(code, _)| format!("{code:?}")).collect();
    assert_eq!(codes.len(), rows.len());
}

#[test]
fn the_documented_limits_match_the_code() {
    let page = PAGE.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let has = |text: String| assert!(page.contains(&text), "{text}");
    let thousands = |n: usize| if n < 1_000 { n.to_string() } else { format!("{},{:03}", n / 1_000, n % 1_000) };
    has(format!("| frame | {} bytes |", thousands(limits::MAX_FRAME_BYTES)));
    has(format!("| SDP | {} bytes |", thousands(limits::MAX_SDP_BYTES)));
    has(format!("| {}; {} bytes |", thousands(limits::MAX_CANDIDATE_BYTES), limits::MAX_MID_BYTES));
    has(format!("| name | {} characters, {} bytes |", limits::MAX_NAME_CHARS, limits::MAX_NAME_BYTES));
    has(format!("{} combining marks", limits::MAX_MARKS));
    has(format!("| chat line | {} characters |", thousands(limits::MAX_CHAT_CHARS)));
    has(format!("| invite token | {} of ", limits::MAX_INVITE_CHARS));
    has(format!("| token of a calendar | {} of ", limits::MAX_CALENDAR_TOKEN_CHARS));
    has(format!("| devices of an account | {} |", limits::MAX_DEVICES));
    has(format!("| code of a sign-in | {} of ", limits::MAX_SIGN_IN_CODE_CHARS));
    has(format!("| people in a room | {} |", limits::MAX_PARTICIPANTS));
    has(format!("| people in a forwarded room | {} |", limits::MAX_FORWARDED));
    has(format!("| pictures of a `view` | {} |", limits::MAX_VIEW));
    has(format!("| 1 in {} seconds, {} at once |", 1.0 / limits::FORWARD_OFFER_RATE, limits::FORWARD_OFFER_BURST));
    has(format!("| `view` | {} a second, {} at once |", limits::VIEW_RATE, limits::VIEW_BURST));
    let (each, burst) = (1.0 / limits::FRAME_KEY_RATE, limits::FRAME_KEY_BURST);
    has(format!("| `frame_key` | 1 in {each} seconds, {burst} at once |"));
    let (rate, burst, most) = (limits::SENDER_KEYS_RATE, limits::SENDER_KEYS_BURST, limits::MAX_SENDER_KEYS);
    has(format!("| `sender_keys` | {rate} a second, {burst} at once; {most} keys each |"));
    has(format!("| sealed key; its signature | {} bytes each |", limits::MAX_SEALED_BYTES));
    has(format!("at most {} of {} bytes", limits::MAX_FEATURES, limits::MAX_FEATURE_BYTES));
    has(format!("| {} a second, {} at once |", limits::MESSAGE_RATE, thousands(limits::MESSAGE_BURST as usize)));
    has(format!("| {} a second, {} at once |", limits::CHAT_RATE, limits::CHAT_BURST));
    has(format!("of hosts | {} a second, {} at once |", limits::BOARD_RATE, limits::BOARD_BURST));
    has(format!("| {}; {} characters |", limits::MAX_TOPIC_CHARS, limits::MAX_PLACE_CHARS));
    has(format!("| line of a table | {} people |", limits::MAX_TABLE_LINE));
    has(format!("sign-ups of one person | 5; {} |", limits::MAX_SIGN_UPS));
    has(format!("| lobby of a room | {} people |", limits::MAX_LOBBY));
    has(format!("| 1 in {} seconds, {} at once |", 1.0 / limits::JOIN_RATE, limits::JOIN_BURST));
    has(format!("| {} messages, {} MiB |", limits::MAX_UNACKNOWLEDGED, limits::MAX_UNACKNOWLEDGED_BYTES >> 20));
    has(format!("| hello | within {} s |", limits::HANDSHAKE_TIMEOUT.as_secs()));
    has(format!("| disconnected session | {} s |", limits::RESUME_WINDOW.as_secs()));
    has(format!("A link has at most {} bytes", thousands(limits::MAX_LINK_BYTES)));
    has(format!("A client uses at most {} of them.", limits::MAX_ICE_SERVERS));
}
