//! The code by which two people compare their keys.

use super::{list, read, text};
use serde_json::Value;
use signaling::comparison::code;
use signaling::identity::PublicKey;

fn comparison() -> Value {
    read(include_str!("../../../../docs/protocol/comparison.json"))
}

#[test]
fn pairs_of_keys_have_these_codes_in_either_order() {
    let all = comparison();
    let words = |language: &str| list(&all["words"], language).to_vec();
    let (english, korean) = (words("en"), words("ko"));
    assert_eq!((english.len(), korean.len()), (256, 256));
    for case in list(&all, "codes") {
        let key = |name: &str| PublicKey::parse(text(&case[name])).expect("a key");
        let numbers = code(key("one"), key("other"));
        assert_eq!(Value::from(numbers.to_vec()), case["numbers"]);
        for (name, words) in [("en", &english), ("ko", &korean)] {
            let said: Vec<&str> = numbers.iter().map(|number| text(&words[usize::from(*number)])).collect();
            assert_eq!(said.join(" "), text(&case[name]));
        }
    }
}
