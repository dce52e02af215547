//! Leaving a room, and joining it again before the server has answered.

mod people;

use call::{Call, Command, Input, Signal, Stage};
use signaling::message::{LeaveReason, MediaState, ParticipantId, ServerMessage};
use std::time::Instant;

const MEDIA: MediaState = MediaState { microphone: true, camera: true, screen: false };

fn handle(call: &mut Call, input: Input) {
    call.handle(Instant::now(), input);
    while call.poll_output().is_some() {}
}

fn receive(call: &mut Call, message: ServerMessage) {
    handle(call, Input::Signal(Signal::Message(message)));
}

fn joined() -> ServerMessage {
    ServerMessage::Joined { room: "lunch".into(), you: ParticipantId("p1".into()), participants: vec![] }
}

#[test]
fn the_answer_to_a_leave_does_not_end_the_join_that_followed() {
    let mut call = Call::new();
    handle(&mut call, Input::Command(people::join("lunch", MEDIA)));
    receive(&mut call, joined());
    handle(&mut call, Input::Command(Command::Leave));
    handle(&mut call, Input::Command(people::join("lunch", MEDIA)));
    receive(&mut call, ServerMessage::Left { reason: LeaveReason::Left });
    assert_eq!(call.view().stage, Stage::Joining);
    receive(&mut call, joined());
    assert_eq!(call.view().stage, Stage::Joined);
}
