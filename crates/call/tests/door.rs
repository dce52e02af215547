//! Knocking and hosting: admitting, locking, muting, removing.

mod people;

use std::time::Instant;

use call::{Call, Command, Ended, Input, Output, Signal, Stage};
use signaling::board::{Knocker, RoomNews, RoomRequest};
use signaling::message::{
    ClientMessage, ErrorCode, ErrorMessage, LeaveReason, MediaState, ParticipantId, ServerMessage,
};

const BOTH: MediaState = MediaState { microphone: true, camera: true, screen: false };

fn id(text: &str) -> ParticipantId {
    ParticipantId(text.into())
}

struct One {
    call: Call,
    now: Instant,
}

impl One {
    /// Somebody who has requested to join.
    fn new() -> One {
        let mut one = One { call: Call::new(), now: Instant::now() };
        one.command(people::join("t-x", BOTH));
        one
    }

    fn command(&mut self, command: Command) -> Vec<Output> {
        self.input(Input::Command(command))
    }

    fn receive(&mut self, message: ServerMessage) -> Vec<Output> {
        self.input(Input::Signal(Signal::Message(message)))
    }

    fn input(&mut self, input: Input) -> Vec<Output> {
        self.call.handle(self.now, input);
        std::iter::from_fn(|| self.call.poll_output()).collect()
    }

    fn knocking(&mut self) -> Vec<Output> {
        self.receive(ServerMessage::Room(RoomNews::Knocking { room: "t-x".into() }))
    }

    fn joined(&mut self) -> Vec<Output> {
        let bo = people::participant("p1", "Bo", BOTH);
        self.receive(ServerMessage::Joined { room: "t-x".into(), you: id("p2"), participants: vec![bo] })
    }

    fn state(&mut self, host: &str, locked: bool) -> Vec<Output> {
        self.receive(ServerMessage::Room(RoomNews::State { host: Some(id(host)), locked, spotlight: Some(id(host)) }))
    }

    fn stage(&self) -> Stage {
        self.call.view().stage
    }
}

#[test]
fn a_knocking_person_connects_to_nobody() {
    let mut one = One::new();
    assert_eq!(one.knocking(), []);
    assert_eq!(one.stage(), Stage::Knocking);
    let bo = people::participant("p1", "Bo", BOTH);
    assert_eq!(one.receive(ServerMessage::ParticipantJoined { participant: bo }), []);
    assert_eq!(one.receive(ServerMessage::Offer { from: id("p1"), sdp: "v=0".into(), signature: None }), []);
    let outputs = one.joined();
    assert!(matches!(outputs[..], [Output::OpenPeer { .. }]));
    assert_eq!(one.stage(), Stage::Joined);
}

#[test]
fn the_lobby_shows_whether_a_host_is_present() {
    let mut one = One::new();
    one.knocking();
    assert_eq!(one.call.view().host, None);
    one.state("p1", false);
    assert_eq!((one.stage(), one.call.view().host), (Stage::Knocking, Some(id("p1"))));
    one.receive(ServerMessage::Room(RoomNews::State { host: None, locked: false, spotlight: None }));
    assert_eq!((one.stage(), one.call.view().host), (Stage::Knocking, None));
}

#[test]
fn a_denied_knock_is_reported_and_closes_devices() {
    let mut one = One::new();
    one.knocking();
    let code = ErrorCode::KnockingRefused;
    let outputs = one.receive(ServerMessage::Error(ErrorMessage { code, message: String::new(), about: None }));
    assert_eq!(outputs, [Output::Capture(MediaState::default())]);
    assert_eq!(one.stage(), Stage::Ended(Ended::Refused(code)));
}

#[test]
fn knocking_can_be_cancelled() {
    let mut one = One::new();
    one.knocking();
    let outputs = one.command(Command::Leave);
    assert_eq!(outputs, [Output::Send(ClientMessage::Leave), Output::Capture(MediaState::default())]);
    assert_eq!(one.joined(), [], "admitted too late");
    assert_eq!(one.stage(), Stage::Ended(Ended::Left));
}

#[test]
fn a_forgotten_knock_is_repeated() {
    let mut one = One::new();
    one.knocking();
    let outputs = one.input(Input::Signal(Signal::Lost));
    assert!(matches!(outputs[..], [Output::Send(ClientMessage::Join { .. })]));
    one.knocking();
    assert_eq!(one.stage(), Stage::Knocking);
}

#[test]
fn a_seat_lost_to_a_locked_door_closes_devices() {
    let mut one = One::new();
    one.joined();
    one.input(Input::Signal(Signal::Lost));
    assert_eq!(one.knocking(), [Output::ClosePeer { id: id("p1") }]);
    assert_eq!(one.stage(), Stage::Knocking);
}

#[test]
fn only_a_host_sees_the_lobby() {
    let mut one = One::new();
    one.joined();
    one.state("p2", false);
    let cem = Knocker { id: id("k3"), name: "Cem".into(), key: "c".into() };
    one.receive(ServerMessage::Room(RoomNews::Lobby { knocking: vec![cem.clone()] }));
    let view = one.call.view();
    assert_eq!((view.host, view.lobby, view.locked), (Some(id("p2")), vec![cem], false));
    let admit = RoomRequest::Admit { id: id("k3") };
    assert_eq!(one.command(Command::Room(admit.clone())), [Output::Send(ClientMessage::Room(admit))]);
    one.state("p1", true);
    let view = one.call.view();
    assert_eq!((view.host, view.lobby, view.locked), (Some(id("p1")), vec![], true));
}

#[test]
fn a_muted_person_is_silent_and_may_unmute() {
    let mut one = One::new();
    one.joined();
    let quiet = MediaState { microphone: false, camera: true, screen: false };
    let outputs = one.receive(ServerMessage::Room(RoomNews::Muted));
    assert_eq!(outputs, [Output::Send(ClientMessage::Media(quiet)), Output::Capture(quiet)]);
    assert_eq!(one.call.view().notice, Some(ErrorCode::Muted));
    assert_eq!(one.command(Command::SetMicrophone(true)).len(), 2);
}

#[test]
fn a_removed_person_leaves_the_call() {
    let mut one = One::new();
    one.joined();
    let outputs = one.receive(ServerMessage::Left { reason: LeaveReason::Removed });
    assert!(outputs.contains(&Output::ClosePeer { id: id("p1") }));
    assert_eq!(one.stage(), Stage::Ended(Ended::Removed(LeaveReason::Removed)));
    assert_eq!(one.call.view().host, None);
    assert_eq!(one.state("p1", true), []);
    assert!(!one.call.view().locked);
}

#[test]
fn door_commands_need_a_room() {
    let mut call = One { call: Call::new(), now: Instant::now() };
    assert_eq!(call.receive(ServerMessage::Room(RoomNews::Muted)), []);
    assert_eq!(call.knocking(), []);
    assert_eq!(call.command(Command::Room(RoomRequest::Lock { locked: true })), []);
    assert_eq!(call.stage(), Stage::Idle);
}
