//! The test vectors in `docs/protocol`, which the guest page's JavaScript runs too (PROTOCOL.md, *Test vectors*).

use signaling::avatar::Avatar;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signaling::identity::DeviceKey;
use signaling::message::{
    ClientMessage, ErrorCode, Hand, LeaveReason, MediaState, Participant, ParticipantId, Reaction, Resolution,
    ServerMessage,
};
use signaling::statement::Signer;

use crate::call::Call;
use crate::displayed::DisplayedSize;
use crate::event::{Command, Input, Output, Signal};
use crate::inflow::Inflow;
use crate::link::{LinkMonitor, Mend, PeerInput};
use crate::reactions::{OwnReactions, Reactions};
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

#[test]
fn reactions_are_shown_and_sent() {
    let file: Value = serde_json::from_str(include_str!("../../../docs/protocol/reactions.json")).expect("JSON");
    assert_eq!(json!(Reaction::ALL), file["known"]);
    for case in list(&file, "shown") {
        let (mut reactions, start, mut changes) = (Reactions::default(), Instant::now(), vec![]);
        let hide = |reactions: &mut Reactions, changes: &mut Vec<Value>, until: u64| {
            while let Some(due) = reactions.due().filter(|due| *due <= start + Duration::from_millis(until)) {
                assert!(reactions.hide_due(due));
                changes.push(json!([due.duration_since(start).as_millis() as u64, null, null]));
            }
        };
        for received in list(case, "received") {
            let at = number(&received[0]);
            hide(&mut reactions, &mut changes, at);
            let reaction: Reaction = serde_json::from_value(received[1].clone()).expect("a reaction");
            if reactions.show(start + Duration::from_millis(at), reaction) {
                let shown = reactions.shown().expect("it is shown");
                changes.push(json!([at, shown.reaction, shown.number]));
            }
        }
        hide(&mut reactions, &mut changes, number(&case["until_ms"]));
        assert_eq!(json!(changes), case["changes"], "{}", case["name"]);
    }
    for case in list(&file, "sent") {
        let (mut own, start) = (OwnReactions::default(), Instant::now());
        let pressed = list(case, "pressed").iter();
        let sent = pressed.filter(|at| own.may_send(start + Duration::from_millis(number(at)))).collect::<Vec<_>>();
        assert_eq!(json!(sent), case["sent"], "{}", case["name"]);
    }
}

fn id(value: &Value) -> ParticipantId {
    ParticipantId(text(value))
}

fn hand(value: &Value) -> Option<Hand> {
    value.as_u64().map(|hand| hand.try_into().expect("small"))
}

fn with_hand(id: ParticipantId, raised: &Value) -> Participant {
    let (name, key) = (id.0.clone(), String::new());
    Participant {
        id,
        name,
        key,
        nonce: None,
        media: MediaState::default(),
        hand: hand(raised),
        avatar: Avatar::default(),
    }
}

/// The input of a step about hands.
fn hands_input(step: &Value) -> Input {
    if let Some(you) = step.get("joined") {
        let hands = step["hands"].as_object().expect("hands");
        let participants = hands.iter().map(|(id, raised)| with_hand(ParticipantId(id.clone()), raised)).collect();
        return message(ServerMessage::Joined { room: "soup".into(), you: id(you), participants });
    }
    if let Some(raised) = step.get("hand") {
        return message(ServerMessage::Hand { from: id(&raised[0]), hand: hand(&raised[1]) });
    }
    if let Some(came) = step.get("came") {
        return message(ServerMessage::ParticipantJoined { participant: with_hand(id(&came[0]), &came[1]) });
    }
    if let Some(left) = step.get("left") {
        return message(ServerMessage::ParticipantLeft { id: id(left), reason: LeaveReason::Left });
    }
    if let Some(raised) = step["raise"].as_bool() {
        return Input::Command(Command::SetHand(raised));
    }
    if step["lost"] == true { Input::Signal(Signal::Lost) } else { Input::Command(Command::Leave) }
}

fn message(message: ServerMessage) -> Input {
    Input::Signal(Signal::Message(message))
}

#[test]
fn hands_are_as_the_server_counts_them() {
    let file: Value = serde_json::from_str(include_str!("../../../docs/protocol/hands.json")).expect("JSON");
    for case in list(&file, "cases") {
        let (mut call, now) = (Call::new(), Instant::now());
        let signer = Box::new(Signer::new(DeviceKey::from_secret(&[255; 32]), [255; 32]));
        let join = Command::Join { room: "soup".into(), invite: None, media: MediaState::default(), signer };
        call.handle(now, Input::Command(join));
        while call.poll_output().is_some() {}
        for step in list(case, "steps") {
            call.handle(now, hands_input(step));
            let outputs = std::iter::from_fn(|| call.poll_output());
            let sent = outputs.filter_map(|output| match output {
                Output::Send(ClientMessage::Hand { raised }) => Some(raised),
                _ => None,
            });
            let none = json!([]);
            assert_eq!(json!(sent.collect::<Vec<_>>()), *step.get("sent").unwrap_or(&none), "{}: {step}", case["name"]);
            let view = call.view();
            if let Some(own) = step.get("own") {
                assert_eq!(json!(view.hand), *own, "{}: {step}", case["name"]);
            }
            if let Some(others) = step.get("others") {
                let hands = view.participants.iter().map(|one| (one.info.id.0.clone(), json!(one.info.hand)));
                assert_eq!(Value::Object(hands.collect()), *others, "{}: {step}", case["name"]);
            }
        }
    }
}
