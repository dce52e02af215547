//! Raised hands: the server counts them, and the call passes the person's wish on.

mod people;

use std::time::{Duration, Instant};

use call::{Call, Command, Input, Output, PeerInput, Signal};
use signaling::board::RoomRequest;
use signaling::message::{ClientMessage, Hand, MediaState, Participant, ParticipantId, ServerMessage};

fn id(text: &str) -> ParticipantId {
    ParticipantId(text.into())
}

struct One {
    call: Call,
    now: Instant,
}

impl One {
    /// Somebody in a room with Bo.
    fn new() -> One {
        let mut one = One { call: Call::new(), now: Instant::now() };
        one.command(people::join("soup", MediaState::default()));
        one.joined("p2", "p1", Some(4));
        one
    }

    fn joined(&mut self, you: &str, bo: &str, hand: Option<Hand>) -> Vec<ClientMessage> {
        let participant = Participant { id: id(bo), hand, ..people::participant("p1", "Bo", MediaState::default()) };
        let participants = vec![participant];
        self.receive(ServerMessage::Joined { room: "soup".into(), you: id(you), participants })
    }

    fn command(&mut self, command: Command) -> Vec<ClientMessage> {
        self.input(Input::Command(command))
    }

    fn receive(&mut self, message: ServerMessage) -> Vec<ClientMessage> {
        self.input(Input::Signal(Signal::Message(message)))
    }

    /// Returns what was sent.
    fn input(&mut self, input: Input) -> Vec<ClientMessage> {
        self.call.handle(self.now, input);
        let outputs = std::iter::from_fn(|| self.call.poll_output());
        outputs.filter_map(|output| if let Output::Send(message) = output { Some(message) } else { None }).collect()
    }

    /// Our hand and Bo's.
    fn hands(&self) -> (Option<Hand>, Option<Hand>) {
        let view = self.call.view();
        (view.hand, view.participants[0].info.hand)
    }
}

const RAISE: ClientMessage = ClientMessage::Hand { raised: true };

#[test]
fn hands_are_as_the_server_says() {
    let mut one = One::new();
    assert_eq!(one.hands(), (None, Some(4)));
    assert_eq!(one.command(Command::SetHand(true)), [RAISE]);
    assert_eq!(one.hands(), (None, Some(4)), "the server may refuse");
    one.receive(ServerMessage::Hand { from: id("p2"), hand: Some(5) });
    one.receive(ServerMessage::Hand { from: id("p1"), hand: None });
    assert_eq!(one.hands(), (Some(5), None));
    assert!(one.call.take_changed());
    one.receive(ServerMessage::Hand { from: id("p2"), hand: None });
    assert_eq!(one.hands(), (None, None), "the host may lower it");
    one.receive(ServerMessage::Hand { from: id("p9"), hand: Some(6) });
    assert_eq!(one.hands(), (None, None));
}

#[test]
fn hands_are_down_after_the_call() {
    let mut one = One::new();
    one.receive(ServerMessage::Hand { from: id("p2"), hand: Some(5) });
    one.command(Command::Leave);
    assert_eq!(one.call.view().hand, None);
    assert_eq!(one.command(Command::SetHand(true)), []);
    one.command(people::join("soup", MediaState::default()));
    assert_eq!(one.joined("p4", "p1", None), []);
}

#[test]
fn a_hand_in_a_lost_seat_is_raised_in_the_next() {
    let mut one = One::new();
    one.input(Input::Peer { id: id("p1"), input: PeerInput::Connected });
    one.receive(ServerMessage::Hand { from: id("p2"), hand: Some(5) });
    one.input(Input::Signal(Signal::Lost));
    one.now += Duration::from_secs(1);
    assert_eq!(one.joined("p1", "p7", None), [RAISE]);
    assert_eq!(one.hands().0, None, "until the server has counted it");
    one.receive(ServerMessage::Hand { from: id("p1"), hand: Some(1) });
    one.receive(ServerMessage::Hand { from: id("p7"), hand: Some(2) });
    assert_eq!(one.hands(), (Some(1), Some(2)));
    // The host's request names the participant as the server does now.
    let request = RoomRequest::LowerHand { id: one.call.view().participants[0].info.id.clone() };
    let sent = one.command(Command::Room(request));
    assert_eq!(sent, [ClientMessage::Room(RoomRequest::LowerHand { id: id("p7") })]);
}
