//! A device that is on but does not work is reported to the others as off.

mod people;

use call::{Call, Command, Input, Output, Signal};
use signaling::message::{ClientMessage, MediaState, ParticipantId, ServerMessage};
use std::time::Instant;

const BOTH: MediaState = MediaState { microphone: true, camera: true, screen: false };
const NONE: MediaState = MediaState { microphone: false, camera: false, screen: false };
const SOUND: MediaState = MediaState { microphone: true, camera: false, screen: false };

/// Returns what is sent to the server after this input.
fn sent(call: &mut Call, input: Input) -> Vec<MediaState> {
    call.handle(Instant::now(), input);
    let outputs = std::iter::from_fn(|| call.poll_output());
    let media = outputs.filter_map(|output| match output {
        Output::Send(ClientMessage::Join { media, .. } | ClientMessage::Media(media)) => Some(media),
        _ => None,
    });
    media.collect()
}

fn join(media: MediaState) -> Input {
    Input::Command(people::join("lunch", media))
}

fn joined() -> Input {
    let you = ParticipantId("p1".into());
    Input::Signal(Signal::Message(ServerMessage::Joined { room: "lunch".into(), you, participants: vec![] }))
}

#[test]
fn a_failed_camera_is_announced_as_off_until_it_works() {
    let mut call = Call::new();
    assert_eq!(sent(&mut call, join(BOTH)), [BOTH]);
    sent(&mut call, joined());
    assert_eq!(sent(&mut call, Input::Able(SOUND)), [SOUND]);
    assert_eq!((call.view().media, call.view().announced), (BOTH, SOUND), "the requested state stays");
    assert_eq!(sent(&mut call, Input::Able(SOUND)), [], "it is sent once");
    assert_eq!(sent(&mut call, Input::Able(BOTH)), [BOTH]);
}

#[test]
fn an_earlier_failure_is_announced_on_each_join() {
    let mut call = Call::new();
    assert_eq!(sent(&mut call, Input::Able(NONE)), [], "there is no call");
    assert_eq!(sent(&mut call, join(BOTH)), [NONE]);
    sent(&mut call, joined());
    assert_eq!(sent(&mut call, Input::Able(SOUND)), [SOUND]);
    assert_eq!(sent(&mut call, Input::Signal(Signal::Lost)), [SOUND]);
}

#[test]
fn switching_a_failed_device_announces_nothing() {
    let mut call = Call::new();
    sent(&mut call, Input::Able(SOUND));
    assert_eq!(sent(&mut call, join(BOTH)), [SOUND]);
    sent(&mut call, joined());
    assert_eq!(sent(&mut call, Input::Command(Command::SetCamera(false))), []);
    assert_eq!(sent(&mut call, Input::Able(BOTH)), [], "an unwanted camera causes no message");
    assert_eq!(sent(&mut call, Input::Command(Command::SetCamera(true))), [BOTH]);
    assert_eq!(
        sent(&mut call, Input::Command(Command::SetMicrophone(false))),
        [MediaState { microphone: false, ..BOTH }]
    );
}

#[test]
fn a_shared_screen_is_announced_while_it_is_shared() {
    let mut call = Call::new();
    assert_eq!(sent(&mut call, join(SOUND)), [SOUND]);
    sent(&mut call, joined());
    let sharing = MediaState { screen: true, ..SOUND };
    assert_eq!(sent(&mut call, Input::Sharing(true)), [sharing]);
    assert_eq!(sent(&mut call, Input::Sharing(true)), [], "it is sent once");
    assert_eq!(sent(&mut call, Input::Signal(Signal::Lost)), [sharing], "also on the next join");
    sent(&mut call, joined());
    assert_eq!(sent(&mut call, Input::Sharing(false)), [SOUND]);
}
