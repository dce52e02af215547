//! Tables as calendar files.

use super::{list, read, text};
use serde_json::{Value, json};
use signaling::board::TableInfo;
use signaling::ics;

#[test]
fn calendar_files_have_these_lines() {
    for case in list(&read(include_str!("../../../../docs/protocol/calendar.json")), "tables") {
        let now_ms = case["now_ms"].as_u64().expect("a time");
        let written = ics::event(&table(&case["table"]), text(&case["title"]), case["link"].as_str(), now_ms);
        let lines: Vec<&str> = written.strip_suffix("\r\n").expect("a last line").split("\r\n").collect();
        assert_eq!(json!(lines), case["lines"]);
    }
}

/// A table with these fields. The others do not matter to calendars.
fn table(fields: &Value) -> TableInfo {
    let mut all = json!({ "room": "t-x", "seats": 4, "taken_count": 1 });
    for (name, value) in fields.as_object().expect("fields") {
        all[name] = value.clone();
    }
    serde_json::from_value(all).expect("a table")
}
