//! Writes lunches as calendar files (iCalendar, RFC 5545) for the person's own calendar: one table as a file, or all
//! of a person's seats as a feed.
//!
//! **One event for each date.** A weekly table is not written as a rule of recurrence. A person has a seat for single
//! dates, and each date is a table of its own, which is moved, cancelled or left alone. Calendars differ most in how
//! they read overrides of a rule (`RECURRENCE-ID`), above all in subscribed calendars; Google, Apple and Outlook read
//! separate events alike. The table's id is the `UID`, so an imported file and the feed describe the same event, and
//! `SEQUENCE` tells which of two versions is newer.
//!
//! Times are in UTC, so calendars need not know the community's zone. Written by hand: `icalendar` always enables
//! chrono's clock and draws random numbers, which a pure crate must not, and the door writes the same lines in
//! JavaScript.

use crate::board::TableInfo;
use jiff::Timestamp;

/// Bytes of a content line before it must be folded (RFC 5545 section 3.1).
const LINE_BYTES: usize = 75;
/// How often calendars should ask for a feed (RFC 7986 section 5.7). Google decides for itself.
const REFRESH: &str = "PT1H";

/// A lunch in somebody's calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Id of the table.
    pub table: String,
    /// Topic; may be empty.
    pub topic: String,
    /// Menu or place; may be empty.
    pub place: String,
    /// Beginning, Unix milliseconds.
    pub starts_ms: u64,
    /// End, Unix milliseconds.
    pub ends_ms: u64,
    /// Opens the table.
    pub link: Option<String>,
    /// Version of the event (RFC 5545 section 3.8.7.4).
    pub sequence: u32,
    /// When this version was made, Unix milliseconds.
    pub stamp_ms: u64,
    /// Whether the person no longer has the seat, or the lunch does not take place.
    pub cancelled: bool,
}

/// Returns the text of a `.ics` file for a table. `title` stands for a missing topic, `link` opens the table, and
/// `now_ms` is the current time.
pub fn event(table: &TableInfo, title: &str, link: Option<&str>, now_ms: u64) -> String {
    let event = Event {
        table: table.id.clone(),
        topic: table.topic.clone(),
        place: table.place.clone(),
        starts_ms: table.starts_ms,
        ends_ms: table.ends_ms,
        link: link.map(str::to_owned),
        sequence: table.sequence,
        stamp_ms: now_ms,
        cancelled: false,
    };
    let mut lines = Lines::new();
    lines.event(&event, title);
    lines.end()
}

/// Returns the text of a calendar with a name. The same events always give the same text. `title` stands for missing
/// topics.
pub fn calendar(name: &str, title: &str, events: &[Event]) -> String {
    let mut lines = Lines::new();
    // Outlook and Google know only the older name.
    lines.add(&format!("NAME:{}", escape(name)));
    lines.add(&format!("X-WR-CALNAME:{}", escape(name)));
    lines.add(&format!("REFRESH-INTERVAL;VALUE=DURATION:{REFRESH}"));
    lines.add(&format!("X-PUBLISHED-TTL:{REFRESH}"));
    if events.is_empty() {
        lines.utc();
    }
    for event in events {
        lines.event(event, title);
    }
    lines.end()
}

/// The content lines of a calendar.
struct Lines(String);

impl Lines {
    fn new() -> Lines {
        let mut lines = Lines(String::new());
        let begin = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Lunchroom//Lunchroom 1//EN", "METHOD:PUBLISH"];
        begin.iter().for_each(|line| lines.add(line));
        lines
    }

    fn event(&mut self, event: &Event, title: &str) {
        self.add("BEGIN:VEVENT");
        self.add(&format!("UID:{}@lunchroom", escape(&event.table)));
        self.add(&format!("DTSTAMP:{}", utc(event.stamp_ms)));
        self.add(&format!("SEQUENCE:{}", event.sequence.min(i32::MAX as u32)));
        self.add(if event.cancelled { "STATUS:CANCELLED" } else { "STATUS:CONFIRMED" });
        self.add(&format!("DTSTART:{}", utc(event.starts_ms)));
        self.add(&format!("DTEND:{}", utc(event.ends_ms)));
        self.add(&format!("SUMMARY:{}", escape(if event.topic.is_empty() { title } else { &event.topic })));
        if !event.place.is_empty() {
            self.add(&format!("LOCATION:{}", escape(&event.place)));
        }
        if let Some(link) = event.link.as_ref().filter(|link| link.chars().all(|c| c.is_ascii_graphic())) {
            self.add(&format!("URL:{link}"));
            self.add(&format!("DESCRIPTION:{}", escape(link)));
        }
        if !event.cancelled {
            self.alarm(title);
        }
        self.add("END:VEVENT");
    }

    fn alarm(&mut self, title: &str) {
        self.add("BEGIN:VALARM");
        self.add("ACTION:DISPLAY");
        self.add(&format!("DESCRIPTION:{}", escape(title)));
        self.add("TRIGGER:-PT5M");
        self.add("END:VALARM");
    }

    /// A calendar must have a component (RFC 5545 section 3.6), so an empty one describes the zone of its times.
    fn utc(&mut self) {
        self.add("BEGIN:VTIMEZONE");
        self.add("TZID:Etc/UTC");
        self.add("BEGIN:STANDARD");
        self.add("DTSTART:19700101T000000");
        self.add("TZOFFSETFROM:+0000");
        self.add("TZOFFSETTO:+0000");
        self.add("END:STANDARD");
        self.add("END:VTIMEZONE");
    }

    /// Adds a content line, folded between characters.
    fn add(&mut self, line: &str) {
        let Lines(text) = self;
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

    fn end(mut self) -> String {
        self.add("END:VCALENDAR");
        self.0
    }
}

/// Escapes a TEXT value (RFC 5545 section 3.3.11). No part of it can begin a new content line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            // Some readers end a line at Unicode's separators too.
            '\n' | '\u{2028}' | '\u{2029}' => escaped.push_str("\\n"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
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
            sequence: 2,
        }
    }

    fn lunch(table: &str, cancelled: bool) -> Event {
        Event {
            table: table.into(),
            topic: "\u{202b}מרק\u{202c} <b>&amp; soup</b>".into(),
            place: String::new(),
            starts_ms: 1_774_748_400_000,
            ends_ms: 1_774_752_000_000,
            link: Some("https://lunch.example/r/t-abc".into()),
            sequence: 3,
            stamp_ms: 0,
            cancelled,
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
            "SEQUENCE:2",
            "STATUS:CONFIRMED",
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

    #[test]
    fn a_feed_has_one_event_for_each_lunch_and_no_alarm_for_a_cancelled_one() {
        let text = calendar("Lunchroom", "Lunch", &[lunch("a", false), lunch("b", true)]);
        assert_eq!(text.matches("BEGIN:VEVENT\r\n").count(), 2);
        assert_eq!(text.matches("BEGIN:VALARM\r\n").count(), 1);
        assert_eq!(text.matches("STATUS:CANCELLED\r\n").count(), 1);
        assert_eq!(text.matches("SEQUENCE:3\r\n").count(), 2);
        for line in ["NAME:Lunchroom", "X-WR-CALNAME:Lunchroom", "REFRESH-INTERVAL;VALUE=DURATION:PT1H"] {
            assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}");
        }
        assert!(text.contains("SUMMARY:\u{202b}מרק\u{202c} <b>&amp\\; soup</b>\r\n"), "{text}");
        assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"));
    }

    #[test]
    fn an_empty_feed_still_has_a_component() {
        let text = calendar("Lunchroom", "Lunch", &[]);
        assert!(text.contains("BEGIN:VTIMEZONE\r\n") && !text.contains("VEVENT"));
    }

    #[test]
    fn no_text_can_begin_a_line() {
        let mut event = lunch("a", false);
        event.topic = "a\r\nb\u{85}c\u{2028}d\u{2029}e\u{0}".into();
        let text = calendar("Lunchroom", "Lunch", &[event]);
        assert!(text.contains("SUMMARY:a\\nbc\\nd\\ne\r\n"), "{text}");
    }
}
