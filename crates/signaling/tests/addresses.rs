//! The web page reads the same examples: both must agree which hosts are private.

use serde_json::Value;
use signaling::host::is_private;
use signaling::link::{origin, server_url};
use url::Url;

fn examples(name: &str) -> Vec<(String, Option<String>)> {
    let all: Value = serde_json::from_str(include_str!("addresses.json")).expect("JSON");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let pairs = all[name].as_array().expect("a list").iter();
    pairs.map(|pair| (text(&pair[0]).expect("a text"), text(&pair[1]))).collect()
}

fn origin_of(text: &str) -> String {
    origin(&server_url(text).expect("a server"), None)
}

#[test]
fn what_the_page_makes_of_an_address_is_a_server_to_us() {
    let typed = examples("typed");
    assert!(typed.len() > 50);
    for (typed, meant) in typed {
        let Some(meant) = meant else { continue };
        let url = server_url(&meant).expect("a server");
        assert_eq!(url.as_str().trim_end_matches('/'), meant, "{typed}: written as we write it");
        if !typed.contains("://") {
            let private = is_private(&url.host().expect("a host"));
            assert_eq!(url.scheme() == "ws", private, "{typed}");
        }
    }
}

#[test]
fn a_server_is_the_same_however_it_is_written() {
    for (one, other) in examples("same") {
        assert_eq!(origin_of(&one), origin_of(&other.expect("another")));
    }
    for (one, other) in examples("different") {
        assert_ne!(origin_of(&one), origin_of(&other.expect("another")));
    }
}

#[test]
fn a_plain_address_that_is_not_private_is_refused() {
    for (typed, meant) in examples("typed") {
        let Some(url) = meant.and_then(|meant| Url::parse(&meant).ok()) else { continue };
        let plain = url.as_str().replacen("wss:", "ws:", 1);
        assert_eq!(server_url(&plain).is_ok(), is_private(&url.host().expect("a host")), "{typed}");
    }
}
