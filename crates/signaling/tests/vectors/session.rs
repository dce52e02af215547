//! What a session does with its sockets, sends and reports, for a sequence of events.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signaling::close::CloseInfo;
use signaling::identity::DeviceKey;
use signaling::message::{ClientMessage, ErrorCode};
use signaling::session::{DisconnectCause, SendError, Session, SessionConfig, SessionEnd, SessionEvent, SessionOutput};

use super::{fits, list, read, text};

#[test]
fn a_session_follows_the_vectors() {
    let file = read(include_str!("../../../../docs/protocol/session.json"));
    for seed in 1..=3 {
        for case in list(&file, "cases") {
            let mut run = Run::new(seed);
            for (at, step) in list(case, "steps").iter().enumerate() {
                run.step(step, &file["messages"], &format!("{}, step {at}", case["name"]));
            }
        }
    }
}

/// A session during the steps of a case, and what it has done in the current step.
struct Run {
    session: Session,
    now: Instant,
    socket: Vec<Value>,
    sent: Vec<Value>,
    events: Vec<Value>,
}

impl Run {
    fn new(seed: u64) -> Run {
        let config = SessionConfig {
            key: DeviceKey::from_secret(&[1; 32]),
            name: "Ada".into(),
            client: "test/1".into(),
            member: None,
            features: Vec::new(),
            seed,
        };
        let now = Instant::now();
        let session = Session::new(config, now).expect("a name");
        Run { session, now, socket: vec![], sent: vec![], events: vec![] }
    }

    fn step(&mut self, step: &Value, messages: &Value, place: &str) {
        for n in 0..step["times"].as_u64().unwrap_or(1) {
            self.input(step, n, messages, place);
            self.pass(Duration::ZERO);
        }
        for (name, seen) in [("socket", &mut self.socket), ("sent", &mut self.sent), ("events", &mut self.events)] {
            let seen = Value::Array(std::mem::take(seen));
            let expected = step.get(name).cloned().unwrap_or_else(|| json!([]));
            assert!(fits(&seen, &expected), "{place}: {name} {seen}, not {expected}");
        }
    }

    fn input(&mut self, step: &Value, n: u64, messages: &Value, place: &str) {
        let now = self.now;
        for (key, value) in step.as_object().expect("a step") {
            match key.as_str() {
                "opened" => self.session.handle_opened(now),
                "closed" => self.session.handle_closed(now, closed(value)),
                "server" => {
                    let mut message = value.as_str().map_or(value, |name| &messages[name]).clone();
                    if let Some(seq) = message["seq"].as_u64().filter(|_| step.get("times").is_some()) {
                        message["seq"] = (seq + n).into();
                    }
                    self.session.handle_text(now, &message.to_string());
                }
                "text" => self.session.handle_text(now, text(value)),
                "send" => self.send(value, step["refused"].as_str(), place),
                "probe" => self.session.handle_network_change(now),
                "close" => self.session.close(now),
                "pass_ms" => self.pass(Duration::from_millis(value.as_u64().expect("milliseconds"))),
                "until_connect_ms" => self.until_connect(value, place),
                "start" | "times" | "refused" | "socket" | "sent" | "events" => {}
                other => panic!("{place}: what is {other}?"),
            }
        }
    }

    fn send(&mut self, message: &Value, refused: Option<&str>, place: &str) {
        let message: ClientMessage = serde_json::from_value(message.clone()).expect("a message");
        let code = self.session.send(self.now, message).err().map(|error| match error {
            SendError::Invalid(code) => code_of(code),
            SendError::QueueFull | SendError::Reserved | SendError::Closed => error.code().to_owned(),
        });
        assert_eq!(code.as_deref(), refused, "{place}");
    }

    /// Lets time pass, and handles each timeout when it is due.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.drain();
        while let Some(at) = self.session.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.session.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn until_connect(&mut self, between: &Value, place: &str) {
        let start = self.now;
        while self.socket.is_empty() {
            self.now = self.session.poll_timeout().expect("it waits for something");
            self.session.handle_timeout(self.now);
            self.drain();
        }
        let waited = self.now.duration_since(start).as_secs_f64() * 1_000.0;
        let bound = |at: usize| between[at].as_f64().expect("milliseconds");
        assert!(waited >= bound(0) - 0.001 && waited <= bound(1) + 0.001, "{place}: {waited} ms");
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                SessionOutput::Connect => self.socket.push("connect".into()),
                SessionOutput::CloseSocket { code: 1000 } => self.socket.push("close_1000".into()),
                SessionOutput::CloseSocket { code: _ } => self.socket.push("close".into()),
                SessionOutput::SendText(frame) => self.sent.push(serde_json::from_str(&frame).expect("JSON")),
                SessionOutput::Event(event) => self.events.extend(shown(event)),
            }
        }
    }
}

fn closed(code: &Value) -> CloseInfo {
    let code = code.as_u64().and_then(|code| u16::try_from(code).ok());
    CloseInfo { code, reason: String::new() }
}

/// An event in the notation of the vectors. The result of our own `close` is left out.
fn shown(event: SessionEvent) -> Option<Value> {
    Some(match event {
        SessionEvent::Welcome(_) => json!({"event": "welcome"}),
        SessionEvent::Resumed { .. } => json!({"event": "resumed"}),
        SessionEvent::Message(message) => {
            let mut value = serde_json::to_value(message).expect("JSON");
            value["event"] = "message".into();
            value
        }
        SessionEvent::Disconnected { cause, .. } => json!({"event": "disconnected", "code": cause_of(cause)}),
        SessionEvent::Lost => json!({"event": "lost"}),
        SessionEvent::Ended(SessionEnd::Refused(error)) => json!({"event": "ended", "code": error.code}),
        SessionEvent::Ended(SessionEnd::Closed) => return None,
    })
}

fn cause_of(cause: DisconnectCause) -> String {
    match cause {
        DisconnectCause::Closed(_) => "server_unreachable".into(),
        DisconnectCause::Silence | DisconnectCause::HandshakeTimeout | DisconnectCause::NetworkChange => {
            "server_silent".into()
        }
        DisconnectCause::Protocol(_) => "not_a_lunchroom_server".into(),
        DisconnectCause::Refused(error) => code_of(error.code),
        DisconnectCause::Bye(code) => code_of(code),
    }
}

fn code_of(code: ErrorCode) -> String {
    serde_json::to_value(code).ok().and_then(|code| code.as_str().map(str::to_owned)).unwrap_or_default()
}
