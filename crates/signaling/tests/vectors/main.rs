//! The test vectors in `docs/protocol`, which the guest page's JavaScript runs too (PROTOCOL.md, *Test vectors*).

mod board;
mod calendar;
mod comparison;
mod members;
mod session;
mod statements;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use signaling::host::is_private;
use signaling::limits::is_room_name;
use signaling::link::{Link, LinkError, origin, server_url};
use signaling::text::{clean_chat, clean_name, shown_label, shown_name};
use url::Url;

/// Parses one file. `{"repeat": "x", "times": 3, "then": "y"}` stands for the repeated text.
fn read(file: &str) -> Value {
    expanded(serde_json::from_str(file).expect("JSON"))
}

fn expanded(value: Value) -> Value {
    match value {
        Value::Array(all) => all.into_iter().map(expanded).collect(),
        Value::Object(fields) => match fields.get("repeat").and_then(Value::as_str) {
            Some(part) => {
                let times = fields["times"].as_u64().expect("a number");
                let then = fields.get("then").and_then(Value::as_str).unwrap_or_default();
                (part.repeat(usize::try_from(times).expect("a few")) + then).into()
            }
            None => fields.into_iter().map(|(key, value)| (key, expanded(value))).collect(),
        },
        other => other,
    }
}

/// Whether a value has everything that is expected. An expected null means that the field is absent.
fn fits(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (Value::Object(value), Value::Object(expected)) => {
            expected.iter().all(|(key, one)| fits(value.get(key).unwrap_or(&Value::Null), one))
        }
        (Value::Array(value), Value::Array(expected)) => {
            value.len() == expected.len() && value.iter().zip(expected).all(|(value, expected)| fits(value, expected))
        }
        (value, expected) => value == expected,
    }
}

fn list<'a>(file: &'a Value, name: &str) -> &'a [Value] {
    let all = file[name].as_array().expect("a list");
    assert!(!all.is_empty(), "{name}");
    all
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn texts() -> Value {
    read(include_str!("../../../../docs/protocol/text.json"))
}

fn addresses() -> Value {
    read(include_str!("../../../../docs/protocol/addresses.json"))
}

fn links() -> Value {
    read(include_str!("../../../../docs/protocol/links.json"))
}

fn rooms() -> Value {
    read(include_str!("../../../../docs/protocol/rooms.json"))
}

#[test]
fn names_are_cleaned_and_shown() {
    for case in list(&texts(), "names") {
        let typed = text(&case["typed"]);
        match clean_name(typed) {
            Ok(name) => assert_eq!(name, case["name"], "{typed:?}"),
            Err(error) => assert_eq!(error.code(), case["error"], "{typed:?}"),
        }
        let shown = case.get("shown").unwrap_or(&case["name"]);
        assert_eq!(shown_name(typed), *shown, "{typed:?}");
    }
}

#[test]
fn labels_are_shown() {
    for case in list(&texts(), "labels") {
        let most = usize::try_from(case[1].as_u64().expect("a number")).expect("a few");
        assert_eq!(shown_label(text(&case[0]), most), case[2], "{case}");
    }
}

#[test]
fn chat_lines_are_cleaned() {
    for case in list(&texts(), "chat") {
        match clean_chat(text(&case["typed"])) {
            Ok(line) => assert_eq!(line, case["text"], "{case}"),
            Err(error) => assert_eq!(error.code(), case["error"], "{case}"),
        }
    }
}

#[test]
fn typed_addresses_parse_as_servers() {
    let all = addresses();
    for case in list(&all, "typed") {
        let Some(meant) = case[1].as_str() else { continue };
        let url = Url::parse(meant).expect("an address");
        assert_eq!(url.as_str().trim_end_matches('/'), meant, "{case}: in our spelling");
        assert_eq!(server_url(meant).as_ref(), Ok(&url), "{case}");
        if !text(&case[0]).contains("://") {
            assert_eq!(url.scheme() == "ws", is_private(&url.host().expect("a host")), "{case}");
        }
    }
    for case in list(&all, "same") {
        assert_eq!(origin_of(text(&case[0])), origin_of(text(&case[1])), "{case}");
    }
    for case in list(&all, "different") {
        assert_ne!(origin_of(text(&case[0])), origin_of(text(&case[1])), "{case}");
    }
}

fn origin_of(address: &str) -> String {
    origin(&server_url(address).expect("a server"), None)
}

#[test]
fn private_hosts_may_be_unencrypted() {
    for case in list(&addresses(), "private") {
        let address = format!("ws://{}", text(&case[0]));
        let url = Url::parse(&address).expect("an address");
        assert_eq!(is_private(&url.host().expect("a host")), case[1], "{case}");
        let refused = server_url(&address).err();
        assert_eq!(refused, (case[1] == false).then_some(LinkError::Insecure), "{case}");
    }
}

#[test]
fn links_name_valid_servers() {
    for case in list(&addresses(), "servers") {
        let refused = server_url(text(&case[0])).err().map(LinkError::code);
        assert_eq!(refused, case[1].as_str(), "{case}");
    }
}

#[test]
fn links_parse_or_are_refused() {
    for case in list(&links(), "links") {
        match Link::parse(text(&case["link"])) {
            Ok(link) => {
                assert_eq!(link.room, case["room"], "{case}");
                assert_eq!(link.server.as_str().trim_end_matches('/'), case["server"], "{case}");
                let fingerprint = link.fingerprint.map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
                assert_eq!(fingerprint.as_deref(), case["fp"].as_str(), "{case}");
                assert_eq!(link.invite.as_deref(), case["invite"].as_str(), "{case}");
            }
            Err(error) => assert_eq!(error.code(), case["error"], "{case}"),
        }
    }
}

#[test]
fn parameters_in_the_fragment_are_refused() {
    for case in list(&links(), "fragments") {
        let refused = Link::parse(&format!("https://lunch.example/r/soup{}", text(&case[0]))).err();
        assert_eq!(refused, (case[1] == true).then_some(LinkError::Parameter), "{case}");
    }
}

#[test]
fn room_names_are_validated() {
    let all = rooms();
    for name in list(&all, "valid") {
        assert!(is_room_name(text(name)), "{name}");
    }
    for name in list(&all, "invalid") {
        assert!(!is_room_name(text(name)), "{name}");
    }
    for case in list(&all, "linked") {
        let link = Link::parse(&format!("https://lunch.example/r/{}", text(&case[0])));
        assert_eq!(link.as_ref().map(|link| link.room.as_str()).ok(), case[1].as_str(), "{case}");
        assert!(link.is_ok() || link == Err(LinkError::Room), "{case}");
    }
    for case in list(&all, "typed") {
        let room = text(&case[1]);
        assert!(room.is_empty() || is_room_name(room), "{case}");
    }
}
