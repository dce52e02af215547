//! Connection checks that participants ask each other for.

mod people;

use call::{Call, Command, Input, Output, Signal};
use signaling::connection_report::{ConnectionReport, ConnectionVerdict};
use signaling::message::{ClientMessage, LeaveReason, MediaState, ParticipantId, ServerMessage};
use std::time::{Duration, Instant};

const ON: MediaState = MediaState { microphone: true, camera: true, screen: false };

fn id(text: &str) -> ParticipantId {
    ParticipantId(text.into())
}

fn report(code: &str) -> ConnectionReport {
    ConnectionReport { verdict: ConnectionVerdict::Restricted, findings: vec![code.into()] }
}

struct One {
    call: Call,
    now: Instant,
}

impl One {
    /// At a table with Ada and Ben.
    fn new() -> One {
        let mut one = One { call: Call::new(), now: Instant::now() };
        one.input(Input::Command(people::join("soup", ON)));
        let participants = ["ada", "ben"].map(|name| people::participant(name, name, ON)).into();
        one.receive(ServerMessage::Joined { room: "soup".into(), you: id("me"), participants });
        one
    }

    fn input(&mut self, input: Input) -> Vec<Output> {
        self.call.handle(self.now, input);
        std::iter::from_fn(|| self.call.poll_output()).collect()
    }

    fn receive(&mut self, message: ServerMessage) -> Vec<Output> {
        self.input(Input::Signal(Signal::Message(message)))
    }

    /// Somebody asks for our report.
    fn asked_by(&mut self, who: &str) -> Vec<Output> {
        self.receive(ServerMessage::CheckConnection { from: id(who) })
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn report_of(&self, who: &str) -> Option<ConnectionReport> {
        let participants = self.call.view().participants;
        participants.iter().find(|one| one.info.id.0 == who).and_then(|one| one.report.clone())
    }
}

fn answer(to: &str, report: &ConnectionReport) -> Output {
    Output::Send(ClientMessage::ConnectionReport { to: id(to), report: report.clone() })
}

#[test]
fn everybody_is_asked_and_only_asked_reports_are_shown() {
    let mut one = One::new();
    one.receive(ServerMessage::ConnectionReport { from: id("ada"), report: report("unasked") });
    assert_eq!(one.report_of("ada"), None);
    let asked = one.input(Input::Command(Command::CheckOthers));
    assert_eq!(asked, ["ada", "ben"].map(|to| Output::Send(ClientMessage::CheckConnection { to: id(to) })));
    one.call.take_changed();
    one.receive(ServerMessage::ConnectionReport { from: id("ada"), report: report("udp_blocked") });
    assert!(one.call.take_changed());
    assert_eq!(one.report_of("ada"), Some(report("udp_blocked")));
    assert_eq!(one.report_of("ben"), None);
    one.receive(ServerMessage::ConnectionReport { from: id("ada"), report: report("a second one") });
    assert_eq!(one.report_of("ada"), Some(report("udp_blocked")), "one answer to one question");
    one.input(Input::Command(Command::CheckOthers));
    assert_eq!(one.report_of("ada"), None, "a new check starts without the old result");
}

#[test]
fn one_check_answers_everybody_who_waits() {
    let mut one = One::new();
    assert_eq!(one.asked_by("ada"), [Output::CheckConnection]);
    assert_eq!(one.asked_by("ben"), []);
    assert_eq!(one.asked_by("ada"), []);
    let mine = report("only_tls");
    assert_eq!(one.input(Input::Checked(mine.clone())), [answer("ada", &mine), answer("ben", &mine)]);
}

#[test]
fn a_fresh_result_is_passed_on_and_an_old_one_is_checked_again() {
    let mut one = One::new();
    let mine = report("only_tls");
    one.asked_by("ada");
    one.input(Input::Checked(mine.clone()));
    assert_eq!(one.asked_by("ben"), [answer("ben", &mine)]);
    one.pass(61);
    assert_eq!(one.asked_by("ben"), [Output::CheckConnection]);
}

#[test]
fn asking_often_costs_us_one_answer_in_five_seconds_and_one_check_a_minute() {
    let mut one = One::new();
    let mine = report("only_tls");
    let (mut checks, mut answers) = (0, 0);
    for _ in 0..600 {
        for output in one.asked_by("ada") {
            match output {
                Output::CheckConnection => {
                    checks += 1;
                    answers += one.input(Input::Checked(mine.clone())).len();
                }
                output => {
                    assert_eq!(output, answer("ada", &mine));
                    answers += 1;
                }
            }
        }
        one.now += Duration::from_millis(100);
    }
    assert_eq!((checks, answers), (1, 12));
}

#[test]
fn strangers_and_people_who_left_get_no_answer() {
    let mut one = One::new();
    assert_eq!(one.asked_by("eve"), []);
    one.asked_by("ada");
    one.receive(ServerMessage::ParticipantLeft { id: id("ada"), reason: LeaveReason::Left });
    assert_eq!(one.input(Input::Checked(report("only_tls"))), []);
}

#[test]
fn the_result_for_one_call_is_not_passed_on_in_the_next() {
    let mut one = One::new();
    one.asked_by("ada");
    one.input(Input::Command(Command::Leave));
    one.input(Input::Command(people::join("cake", ON)));
    let participants = vec![people::participant("ada", "ada", ON)];
    one.receive(ServerMessage::Joined { room: "cake".into(), you: id("me"), participants });
    assert_eq!(one.input(Input::Checked(report("of the first call"))), []);
    assert_eq!(one.asked_by("ada"), [Output::CheckConnection]);
}
