//! The test vectors in `docs/protocol`, which the guest page's JavaScript runs too (PROTOCOL.md, *Test vectors*).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signaling::message::{ErrorCode, Resolution};

use crate::displayed::DisplayedSize;
use crate::inflow::Inflow;
use crate::link::{LinkMonitor, Mend, PeerInput};
use crate::unsent::Unsent;

fn list<'a>(file: &'a Value, name: &str) -> &'a [Value] {
    let all = file[name].as_array().expect("a list");
    assert!(!all.is_empty(), "{name}");
    all
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

/// A text, or what `{"repeat": "x", "times": 3, "then": "y"}` stands for.
fn text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => {
            let times = usize::try_from(number(&value["times"])).expect("a few");
            value["repeat"].as_str().expect("a text").repeat(times) + value["then"].as_str().unwrap_or_default()
        }
    }
}

#[test]
fn sizes_are_sent_when_they_are_due() {
    let file: Value = serde_json::from_str(include_str!("../../../docs/protocol/sizes.json")).expect("JSON");
    for case in list(&file, "cases") {
        let (mut displayed, start) = (DisplayedSize::default(), Instant::now());
        let mut sent = vec![];
        let mut until = |displayed: &mut DisplayedSize, end: u64| {
            let end = start + Duration::from_millis(end);
            while let Some(at) = displayed.due().filter(|at| *at <= end) {
                let size = displayed.take_due(at).expect("it is due");
                let millis = u64::try_from(at.duration_since(start).as_millis()).expect("a while");
                sent.push(json!([millis, size.max_width, size.max_height]));
            }
        };
        for shown in case["shown"].as_array().expect("a list") {
            let at = number(&shown[0]);
            // What is due at this very moment is not known to be of the past.
            until(&mut displayed, at.saturating_sub(1));
            let side = |at: usize| u32::try_from(number(&shown[at])).expect("pixels");
            let size = Resolution { max_width: side(1), max_height: side(2) };
            displayed.show(start + Duration::from_millis(at), size);
            until(&mut displayed, at);
        }
        until(&mut displayed, number(&case["until_ms"]));
        assert_eq!(json!(sent), case["sent"], "{}", case["name"]);
    }
}

/// Somebody's lines, and the session that takes them.
struct Lines {
    unsent: Unsent,
    start: Instant,
    now: Instant,
    connected: bool,
    full: bool,
    sent: Vec<Value>,
}

impl Lines {
    fn new() -> Lines {
        let now = Instant::now();
        Lines { unsent: Unsent::default(), start: now, now, connected: true, full: false, sent: vec![] }
    }

    /// Sends everything that is due until then.
    fn pass(&mut self, until_ms: u64) {
        let end = self.start + Duration::from_millis(until_ms);
        while let Some(due) = self.unsent.due().filter(|due| self.connected && *due <= end) {
            self.now = self.now.max(due);
            let line = self.unsent.next(self.now).expect("it is due");
            if self.full {
                self.unsent.put_back(self.now);
                continue;
            }
            self.sent.push(json!([self.now.duration_since(self.start).as_millis() as u64, line]));
            self.unsent.taken(self.sent.len() as u64);
        }
        self.now = end;
    }

    fn step(&mut self, step: &Value) {
        self.pass(number(&step["at_ms"]));
        let now = self.now;
        for (key, value) in step.as_object().expect("a step") {
            match key.as_str() {
                "connected" => self.connected = value == true,
                "queue_full" => self.full = value == true,
                "write" => {
                    let refused = self.unsent.push(now, &text(value)).err().map(|refusal| refusal.code());
                    assert_eq!(refused, step["refused"].as_str(), "{step}");
                }
                "repeated" => self.unsent.repeated(),
                "error" => drop(self.unsent.error(now, number(&value["about"]), code(&value["code"]))),
                "session_lost" => self.unsent.session_lost(),
                "call_ended" => self.unsent.call_ended(),
                "drop" => drop(self.unsent.drop_line(number(value))),
                "other_room" => self.unsent.clear(),
                "at_ms" | "refused" => {}
                other => panic!("what is {other}?"),
            }
        }
        self.pass(number(&step["at_ms"]));
    }

    fn view(&self) -> Vec<Value> {
        self.unsent.view().into_iter().map(|line| json!([line.number, line.text, line.failed])).collect()
    }
}

fn code(value: &Value) -> ErrorCode {
    serde_json::from_value(value.clone()).expect("a code")
}

#[test]
fn chat_lines_wait_leave_and_fail() {
    let file: Value = serde_json::from_str(include_str!("../../../docs/protocol/chat.json")).expect("JSON");
    for case in list(&file, "cases") {
        let mut lines = Lines::new();
        case["steps"].as_array().expect("a list").iter().for_each(|step| lines.step(step));
        lines.pass(number(&case["until_ms"]));
        let plain = |all: &Value| -> Vec<Value> {
            let all = all.as_array().expect("a list").iter();
            all.map(|line| line.as_array().expect("a line").iter().map(expanded).collect()).collect()
        };
        assert_eq!(lines.sent, plain(&case["sent"]), "{}", case["name"]);
        if let Some(unsent) = case.get("unsent") {
            assert_eq!(lines.view(), plain(unsent), "{}", case["name"]);
        }
    }
}

fn expanded(value: &Value) -> Value {
    if value.is_object() { text(value).into() } else { value.clone() }
}

fn connections() -> Value {
    serde_json::from_str(include_str!("../../../docs/protocol/connections.json")).expect("JSON")
}

#[test]
fn connections_are_replaced_with_backoff() {
    let mut now = Instant::now();
    let mut link = LinkMonitor::new(now, false);
    for (at, case) in list(&connections(), "pauses").iter().enumerate() {
        if let Some(stood) = case[0].as_u64() {
            link.handle(now, PeerInput::Connected);
            now += Duration::from_millis(stood);
        }
        link.handle(now, PeerInput::Broken);
        let due = link.poll_timeout(true).expect("a repair is scheduled");
        assert_eq!(due - now, Duration::from_millis(number(&case[1])), "pause {at}");
        now = due;
        assert_eq!(link.take_due(now, true), Some(Mend::Renew));
    }
}

#[test]
fn new_connections_of_a_participant_are_rate_limited() {
    let (mut inflow, start) = (Inflow::new(), Instant::now());
    for (at, case) in list(&connections(), "accepted").iter().enumerate() {
        let now = start + Duration::from_millis(number(&case[0]));
        assert_eq!(inflow.may_renew(now), case[1], "offer {at}");
    }
}
