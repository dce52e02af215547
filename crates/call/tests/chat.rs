//! No written line is lost, whatever happens to the session. An error ends only what it refers to.

mod people;

use call::{Call, ChatRefusal, Command, Ended, Input, NotSaid, Output, SendOutcome, Signal, Stage};
use signaling::message::{
    ClientMessage, ErrorCode, ErrorMessage, LeaveReason, MediaState, Participant, ParticipantId, ServerMessage,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn id(text: &str) -> ParticipantId {
    ParticipantId(text.into())
}

/// One person and their session, which numbers messages like a real one.
struct One {
    call: Call,
    now: Instant,
    seq: u64,
    /// Messages sent in the session since it was last lost.
    said: Vec<(u64, ClientMessage)>,
}

impl One {
    fn joined() -> One {
        let mut one = One { call: Call::new(), now: Instant::now(), seq: 0, said: vec![] };
        one.input(Input::Command(people::join("lunch", MediaState::default())));
        one.seat("p9");
        one
    }

    fn input(&mut self, input: Input) {
        self.call.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.call.poll_output() {
            let Output::Send(message) = output else { continue };
            self.seq += 1;
            let about = self.seq;
            self.said.push((about, message.clone()));
            match message {
                ClientMessage::Join { .. } => self.call.handle(self.now, Input::Sent(SendOutcome::Join { about })),
                ClientMessage::Chat { .. } => self.call.handle(self.now, Input::Sent(SendOutcome::Chat { about })),
                _ => {}
            }
        }
    }

    fn receive(&mut self, message: ServerMessage) {
        self.input(Input::Signal(Signal::Message(message)));
    }

    fn seat(&mut self, you: &str) {
        let bo = people::participant("p1", "Bo", MediaState::default());
        self.receive(ServerMessage::Joined { room: "lunch".into(), you: id(you), participants: vec![bo] });
    }

    fn lose(&mut self) {
        (self.seq, self.said) = (0, vec![]);
        self.input(Input::Signal(Signal::Lost));
    }

    fn write(&mut self, text: &str) -> Result<u64, ChatRefusal> {
        let number = self.call.send_chat(self.now, text);
        self.drain();
        number
    }

    fn error(&mut self, code: ErrorCode, about: Option<u64>) {
        self.receive(ServerMessage::Error(ErrorMessage { code, message: String::new(), about }));
    }

    fn echo(&mut self, you: &str, text: &str) {
        self.receive(ServerMessage::Chat { from: id(you), text: text.into(), at: 1 });
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.call.handle_timeout(self.now);
        self.drain();
    }

    /// Lines sent in the current session.
    fn lines(&self) -> Vec<String> {
        let text = |message: &ClientMessage| match message {
            ClientMessage::Chat { text } => Some(text.clone()),
            _ => None,
        };
        self.said.iter().filter_map(|(_, message)| text(message)).collect()
    }

    fn unsent(&self) -> Vec<(String, Option<NotSaid>)> {
        self.call.view().unsent.into_iter().map(|line| (line.text, line.failed)).collect()
    }
}

#[test]
fn a_line_written_while_reconnecting_is_sent_once_after_the_resume() {
    let mut one = One::joined();
    one.input(Input::Signal(Signal::Disconnected));
    one.write("soup is ready").unwrap();
    assert_eq!(one.lines(), [""; 0], "nobody would receive it");
    assert_eq!(one.unsent(), [("soup is ready".into(), None)]);
    one.input(Input::Signal(Signal::Resumed { ice_servers: vec![] }));
    assert_eq!(one.lines(), ["soup is ready"]);
    assert_eq!(one.unsent(), [("soup is ready".into(), None)], "until the room has it");
    one.echo("p9", "soup is ready");
    assert_eq!(one.unsent(), []);
    assert_eq!(one.call.chat().len(), 1);
    one.wait(Duration::from_secs(60));
    assert_eq!(one.lines(), ["soup is ready"], "once");
}

#[test]
fn a_waiting_line_is_sent_once_after_rejoining() {
    let mut one = One::joined();
    one.input(Input::Signal(Signal::Disconnected));
    one.write("soup").unwrap();
    one.lose();
    one.write("bread").unwrap();
    assert_eq!(one.lines(), [""; 0], "not before there is a seat");
    one.seat("p3");
    assert_eq!(one.lines(), ["soup", "bread"]);
    one.echo("p3", "soup");
    one.echo("p3", "bread");
    assert_eq!(one.unsent(), []);
}

#[test]
fn lines_in_the_session_are_not_sent_again_after_a_resume() {
    let mut one = One::joined();
    one.write("soup").unwrap();
    one.input(Input::Signal(Signal::Disconnected));
    one.input(Input::Signal(Signal::Resumed { ice_servers: vec![] }));
    assert_eq!(one.lines(), ["soup"], "the session itself sends again what the server has not received");
    one.echo("p9", "soup");
    assert_eq!((one.unsent().len(), one.call.chat().len()), (0, 1));
}

#[test]
fn a_line_of_unknown_fate_is_returned_and_not_resent() {
    let mut one = One::joined();
    let number = one.write("soup").unwrap();
    one.input(Input::Signal(Signal::Disconnected));
    one.lose();
    one.seat("p3");
    assert_eq!(one.lines(), [""; 0]);
    assert_eq!(one.unsent(), [("soup".into(), Some(NotSaid::Unconfirmed))]);
    one.input(Input::Command(Command::DropLine(number)));
    assert_eq!(one.unsent(), []);
}

#[test]
fn an_ended_call_returns_waiting_lines() {
    let mut one = One::joined();
    one.input(Input::Signal(Signal::Disconnected));
    one.write("soup").unwrap();
    one.lose();
    let join = one.seq;
    one.error(ErrorCode::RoomFull, Some(join));
    assert_eq!(one.call.view().stage, Stage::Ended(Ended::Refused(ErrorCode::RoomFull)));
    assert_eq!(one.unsent(), [("soup".into(), Some(NotSaid::CallEnded))]);
    assert_eq!(one.write("more"), Err(ChatRefusal::NoCall));
    let media = MediaState::default();
    one.input(Input::Command(people::join("lunch", media)));
    assert_eq!(one.unsent().len(), 1, "it is the same room");
    one.input(Input::Command(people::join("tea", media)));
    assert_eq!(one.unsent(), []);
}

#[test]
fn lines_over_the_burst_are_sent_one_by_one() {
    let mut one = One::joined();
    one.input(Input::Signal(Signal::Disconnected));
    for n in 0..20 {
        one.write(&n.to_string()).unwrap();
    }
    one.input(Input::Signal(Signal::Resumed { ice_servers: vec![] }));
    assert!(one.lines().len() < 10);
    for _ in 0..20 {
        let due = one.call.poll_timeout().unwrap_or(one.now);
        one.wait(due - one.now);
    }
    assert_eq!(one.lines(), (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn an_error_about_another_message_ends_neither_a_join_nor_a_call() {
    for code in [ErrorCode::NoSuchParticipant, ErrorCode::RateLimited, ErrorCode::TooLarge, ErrorCode::RoomFull] {
        let mut one = One::joined();
        one.lose();
        let join = one.seq;
        one.error(code, Some(join + 1));
        assert!(one.call.view().stage == Stage::Reconnecting, "{code:?}");
        one.seat("p3");
        one.error(code, Some(join + 1));
        assert_eq!(one.call.view().stage, Stage::Joined, "{code:?}");
    }
}

#[test]
fn a_rate_limited_rejoin_is_retried() {
    let mut one = One::joined();
    one.lose();
    let joins = |one: &One| one.said.iter().filter(|(_, m)| matches!(m, ClientMessage::Join { .. })).count();
    for tries in 1..=6 {
        assert_eq!(joins(&one), tries);
        let join = one.seq;
        one.error(ErrorCode::RateLimited, Some(join));
        one.wait(Duration::from_secs(40));
    }
    let join = one.seq;
    one.error(ErrorCode::RateLimited, Some(join));
    assert_eq!(one.call.view().stage, Stage::Ended(Ended::Refused(ErrorCode::RateLimited)), "not forever");
}

#[test]
fn a_lost_seat_is_requested_again() {
    for reason in [LeaveReason::Timeout, LeaveReason::ServerStopping] {
        let mut one = One::joined();
        one.said.clear();
        one.receive(ServerMessage::Left { reason });
        assert!(one.call.view().stage == Stage::Reconnecting);
        assert!(matches!(&one.said[..], [(_, ClientMessage::Join { room, .. })] if room == "lunch"), "{:?}", one.said);
        one.seat("p3");
        assert_eq!(one.call.view().stage, Stage::Joined);
    }
}

#[test]
fn rejoining_ends_if_every_seat_is_lost_at_once() {
    let mut one = One::joined();
    for _ in 0..20 {
        one.receive(ServerMessage::Left { reason: LeaveReason::Timeout });
        one.wait(Duration::from_secs(20));
        one.seat("p3");
    }
    assert_eq!(one.call.view().stage, Stage::Ended(Ended::Removed(LeaveReason::Timeout)));
}

#[test]
fn the_chat_and_its_lines_are_shared() {
    let mut one = One::joined();
    one.echo("p1", "first");
    let before = one.call.chat();
    one.input(Input::Command(Command::SetMicrophone(true)));
    assert!(Arc::ptr_eq(&one.call.chat(), &before));
    one.echo("p1", "second");
    let after = one.call.chat();
    assert_eq!((before.len(), after.len()), (1, 2));
    assert!(Arc::ptr_eq(&after[0], &before[0]));
}

#[test]
fn chat_from_outside_the_room_is_ignored() {
    let mut one = One::joined();
    one.echo("p7", "boo");
    assert!(one.call.chat().is_empty());
}

#[test]
fn a_waiting_line_is_held_until_its_audience_returns() {
    for late in [Duration::from_secs(2), Duration::from_secs(60)] {
        let mut one = One::joined();
        one.input(Input::Signal(Signal::Disconnected));
        one.write("soup").unwrap();
        one.lose();
        let (you, room) = (id("p3"), "lunch".to_owned());
        one.receive(ServerMessage::Joined { room, you, participants: vec![] });
        assert_eq!(one.lines(), [""; 0], "Bo would not receive it");
        let due = one.call.poll_timeout().unwrap();
        assert!(due > one.now && due <= one.now + Duration::from_secs(10));
        if late < due - one.now {
            one.now += late;
            let bo = Participant { id: id("p5"), ..people::participant("p1", "Bo", MediaState::default()) };
            one.receive(ServerMessage::ParticipantJoined { participant: bo });
        } else {
            one.wait(due - one.now);
        }
        assert_eq!(one.lines(), ["soup"]);
    }
}
