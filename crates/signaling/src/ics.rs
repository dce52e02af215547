//! Writes a table as a calendar file (iCalendar, RFC 5545) for the person's own calendar.
//!
//! Times are in UTC, so calendars need not know the community's zone. The file of a weekly table holds only the
//! lunch for which the person has a seat. Written by hand: `icalendar` depends on chrono's clock and on uuid's random
//! numbers, and this crate is pure.

use crate::board::TableInfo;
use jiff::Timestamp;

/// Bytes of a content line before it must be folded (RFC 5545 section 3.1).
const LINE_BYTES: usize = 75;

/// Returns the text of a `.ics` file for a table. `link` opens the table; `now_ms` is the current time.
pub fn event(table: &TableInfo, title: &str, link: Option<&str>, now_ms: u64) -> String {
    let mut text = String::new();
    let mut line = |line: String| fold(&mut text, &line);
    line("BEGIN:VCALENDAR".into());
    line("VERSION:2.0".into());
    line("PRODID:-//Lunchroom//Lunchroom 1//EN".into());
    line("METHOD:PUBLISH".into());
    line("BEGIN:VEVENT".into());
    line(format!("UID:{}@lunchroom", escape(&table.id)));
    line(format!("DTSTAMP:{}", utc(now_ms)));
    line(format!("DTSTART:{}", utc(table.starts_ms)));
    line(format!("DTEND:{}", utc(table.ends_ms)));
    line(format!("SUMMARY:{}", escape(if table.topic.is_empty() { title } else { &table.topic })));
    if !table.place.is_empty() {
        line(format!("LOCATION:{}", escape(&table.place)));
    }
    if let Some(link) = link.filter(|link| link.chars().all(|c| c.is_ascii_graphic())) {
        line(format!("URL:{link}"));
        line(format!("DESCRIPTION:{}", escape(link)));
    }
    line("BEGIN:VALARM".into());
    line("ACTION:DISPLAY".into());
    line(format!("DESCRIPTION:{}", escape(title)));
    line("TRIGGER:-PT5M".into());
    line("END:VALARM".into());
    line("END:VEVENT".into());
    line("END:VCALENDAR".into());
    text
}

/// Escapes a TEXT value (RFC 5545 section 3.3.11). No part of it can begin a new content line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Writes a content line, folded between characters.
fn fold(text: &mut String, line: &str) {
    let mut bytes = 0;
    for c in line.chars() {
        if bytes + c.len_utf8() > LINE_BYTES {
            text.push_str("\r\n ");
            bytes = 1;
        }
        text.push(c);
        bytes += c.len_utf8();
    }
    text.push_str("\r\n");
}

/// `19970714T173000Z`, form 2 of RFC 5545 section 3.3.5. Times that `jiff` cannot represent are clamped to its
/// last one.
fn utc(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.unwrap_or(Timestamp::MAX).strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Door;

    fn table(topic: &str) -> TableInfo {
        TableInfo {
            id: "abc".into(),
            room: "t-abc".into(),
            topic: topic.into(),
            place: "Kantine; 2. Stock".into(),
            seats: 4,
            starts_ms: 1_774_748_400_000,
            ends_ms: 1_774_752_000_000,
            now: false,
            weekly: false,
            host: String::new(),
            door: Door::Open,
            locked: false,
            taken: vec![],
            taken_count: 0,
            waiting: vec![],
            waiting_count: 0,
            in_call: 0,
        }
    }

    #[test]
    fn times_are_written_in_utc() {
        for (ms, text) in [
            (0, "19700101T000000Z"),
            (951_782_400_000, "20000229T000000Z"),
            (1_774_748_400_123, "20260329T014000Z"),
            (4_107_542_399_000, "21000228T235959Z"),
            (u64::MAX, "99991230T220000Z"),
        ] {
            assert_eq!(utc(ms), text);
        }
    }

    #[test]
    fn a_file_has_the_required_fields_and_folded_lines() {
        let topic = "비빔밥, 김치; \\n\nBEGIN:VALARM ".repeat(4);
        let text = event(&table(&topic), "Lunch", Some("https://lunch.example/r/t-abc"), 1_774_000_000_000);
        for line in text.split("\r\n") {
            assert!(line.len() <= LINE_BYTES, "{line}");
            assert!(!line.contains('\n'));
        }
        let unfolded = text.replace("\r\n ", "");
        for line in [
            "DTSTART:20260329T014000Z",
            "DTEND:20260329T024000Z",
            "UID:abc@lunchroom",
            "LOCATION:Kantine\\; 2. Stock",
            "URL:https://lunch.example/r/t-abc",
        ] {
            assert!(unfolded.split("\r\n").any(|l| l == line), "{line}");
        }
        assert_eq!(unfolded.matches("BEGIN:VALARM\r\n").count(), 1, "a topic cannot begin a part of its own");
        assert!(unfolded.contains("SUMMARY:비빔밥\\, 김치\\; \\\\n\\nBEGIN"));
    }

    #[test]
    fn a_missing_topic_gets_the_default_title_and_a_foreign_link_is_omitted() {
        let text = event(&table(""), "점심", Some("https://x\r\nBEGIN:VEVENT"), 0);
        assert!(text.contains("SUMMARY:점심\r\n") && !text.contains("URL:"));
    }
}
