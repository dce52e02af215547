//! The display sizes that are sent to others and received from them.

mod people;

use call::{Call, Command, Input, Output, PeerInput, Signal};
use signaling::message::{ClientMessage, MediaState, Participant, ParticipantId, Resolution, ServerMessage};
use std::time::{Duration, Instant};

const BOTH: MediaState = MediaState { microphone: true, camera: true, screen: false };
const LARGE: Resolution = Resolution { max_width: 1280, max_height: 720 };
const SMALL: Resolution = Resolution { max_width: 320, max_height: 180 };

fn id(text: &str) -> ParticipantId {
    ParticipantId(text.into())
}

fn person(name: &str, media: MediaState) -> Participant {
    people::participant(name, name, media)
}

struct One {
    call: Call,
    now: Instant,
}

impl One {
    /// At a table with these participants.
    fn with(others: Vec<Participant>) -> One {
        let mut one = One { call: Call::new(), now: Instant::now() };
        one.input(Input::Command(people::join("soup", BOTH)));
        one.joined(others);
        one
    }

    fn joined(&mut self, participants: Vec<Participant>) {
        self.receive(ServerMessage::Joined { room: "soup".into(), you: id("me"), participants });
    }

    fn receive(&mut self, message: ServerMessage) -> Vec<Output> {
        self.input(Input::Signal(Signal::Message(message)))
    }

    /// Displays these sizes. Returns what is sent to whom.
    fn show(&mut self, sizes: &[(&str, Resolution)]) -> Vec<(String, Resolution)> {
        let sizes = sizes.iter().map(|(who, size)| (id(who), *size)).collect();
        sent(self.input(Input::Command(Command::Show(sizes))))
    }

    /// Lets this time pass. Returns what is sent to whom.
    fn wait(&mut self, seconds: u64) -> Vec<(String, Resolution)> {
        self.now += Duration::from_secs(seconds);
        self.call.handle_timeout(self.now);
        sent(std::iter::from_fn(|| self.call.poll_output()).collect())
    }

    fn input(&mut self, input: Input) -> Vec<Output> {
        self.call.handle(self.now, input);
        std::iter::from_fn(|| self.call.poll_output()).collect()
    }
}

fn sent(outputs: Vec<Output>) -> Vec<(String, Resolution)> {
    let said = |output| match output {
        Output::Send(ClientMessage::Resolution { to, most }) => Some((to.0, most)),
        _ => None,
    };
    outputs.into_iter().filter_map(said).collect()
}

#[test]
fn every_participant_receives_their_displayed_size() {
    let mut one = One::with(vec![person("ada", BOTH), person("ben", BOTH)]);
    assert_eq!(one.wait(60), [], "without a window nothing is sent");
    assert_eq!(one.show(&[("ada", LARGE)]), [("ada".into(), LARGE)]);
    assert_eq!(one.wait(3), [("ben".into(), Resolution::NONE)]);
    for who in ["ada", "ben"] {
        let (id, input) = (ParticipantId(who.into()), PeerInput::Connected);
        one.call.handle(one.now, Input::Peer { id, input });
    }
    assert_eq!(one.call.poll_timeout(), None);
    assert_eq!(one.wait(60), []);
    assert_eq!(one.show(&[("ada", SMALL), ("ben", SMALL)]), [("ben".into(), SMALL)]);
    assert_eq!(one.wait(2), [("ada".into(), SMALL)]);
}

#[test]
fn a_camera_that_is_off_is_not_reported_as_hidden() {
    let mut one = One::with(vec![person("ada", MediaState { camera: false, ..BOTH })]);
    one.show(&[]);
    assert_eq!(one.wait(60), []);
}

#[test]
fn sizes_are_sent_again_for_a_new_seat() {
    let mut one = One::with(vec![person("ada", BOTH)]);
    one.show(&[("ada", SMALL)]);
    one.input(Input::Signal(Signal::Lost));
    assert_eq!(one.show(&[("ada", LARGE)]), [], "there is no seat to send from");
    one.joined(vec![person("ada", BOTH)]);
    assert_eq!(one.wait(60), [], "the former ids are invalid");
    assert_eq!(one.show(&[("ada", LARGE)]), [("ada".into(), LARGE)]);
}

#[test]
fn only_participants_may_report_sizes() {
    let mut one = One::with(vec![person("ada", BOTH)]);
    let from = |name: &str| ServerMessage::Resolution { from: id(name), most: SMALL };
    assert_eq!(one.receive(from("ada")), [Output::Resolution { id: id("ada"), most: SMALL }]);
    assert_eq!(one.receive(from("eve")), []);
    one.input(Input::Command(Command::Leave));
    assert_eq!(one.receive(from("ada")), []);
}

/// Each size may need another encoder, and begins with a keyframe for everybody who receives the same size.
#[test]
fn frequent_size_changes_are_accepted_twice_a_second() {
    let mut one = One::with(vec![person("ada", BOTH), person("eve", BOTH)]);
    let from = |name: &str, most| ServerMessage::Resolution { from: id(name), most };
    let start = one.now;
    let mut accepted = Vec::new();
    for n in 0..1_000 {
        one.now = start + Duration::from_millis(10 * n);
        one.call.handle_timeout(one.now);
        accepted.extend(std::iter::from_fn(|| one.call.poll_output()));
        accepted.extend(one.receive(from("eve", if n % 2 == 0 { SMALL } else { LARGE })));
    }
    assert!((20..=24).contains(&accepted.len()), "{}", accepted.len());
    assert_eq!(
        one.receive(from("ada", SMALL)),
        [Output::Resolution { id: id("ada"), most: SMALL }],
        "others are not affected"
    );
    let due = one.call.poll_timeout().expect("the last size waits");
    one.receive(from("eve", SMALL));
    one.now = due;
    one.call.handle_timeout(due);
    let last: Vec<Output> = std::iter::from_fn(|| one.call.poll_output()).collect();
    assert_eq!(last, [Output::Resolution { id: id("eve"), most: SMALL }], "the newest counts");
}
