//! Forwarded rooms: the way to the forwarder and back, without a moment in which nothing works.

mod people;

use call::{Call, ForwarderInput, ForwarderOutput, Input, LinkState, Output, PeerInput, Signal};
use e2ee::{KeyExchange, Stream};
use people::message;
use signaling::forwarding::{Displayed, OwnDisplayed, Published, SlotInfo};
use signaling::message::{ClientMessage, MediaState, Participant, ParticipantId, ServerMessage};
use signaling::statement::StatementError;
use std::time::{Duration, Instant};

const BOTH: MediaState = MediaState { microphone: true, camera: true, screen: false };
const SOUND: MediaState = MediaState { microphone: true, camera: false, screen: false };
const ROOM: &str = "lunch";

struct One {
    call: Call,
    now: Instant,
    outputs: Vec<Output>,
}

impl One {
    /// In a room of a server that forwards, with Bo, who was there before, and Cy, who came later.
    fn new(forwarded: bool) -> One {
        let mut one = One { call: Call::new(), now: Instant::now(), outputs: vec![] };
        let (max_participants, max_forwarded) = (12, Some(60));
        one.input(Input::Signal(Signal::Welcome { ice_servers: vec![], max_participants, max_forwarded }));
        one.input(Input::Command(people::join(ROOM, BOTH)));
        if forwarded {
            one.say(ServerMessage::Forwarded { on: true });
        }
        let participants = vec![person("bo", BOTH)];
        one.say(ServerMessage::Joined { room: ROOM.into(), you: id("me"), participants });
        one.say(ServerMessage::ParticipantJoined { participant: person("cy", SOUND) });
        one
    }

    fn input(&mut self, input: Input) {
        self.call.handle(self.now, input);
        self.drain();
    }

    fn say(&mut self, said: ServerMessage) {
        self.input(message(said));
    }

    fn drain(&mut self) {
        self.outputs.extend(std::iter::from_fn(|| self.call.poll_output()));
    }

    /// Lets time pass.
    fn wait(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        for round in 0.. {
            let Some(due) = self.call.poll_timeout().filter(|due| *due <= end) else { break };
            assert!(round < 1_000, "what is due is not done");
            self.now = due.max(self.now);
            self.call.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn connect(&mut self, who: &str) {
        self.input(Input::Peer { id: id(who), input: PeerInput::Connected });
    }

    fn forwarder(&mut self, state: PeerInput) {
        self.input(Input::Forwarder(ForwarderInput::State(state)));
    }

    fn received(&mut self, who: &str, stream: Stream) {
        self.input(Input::Forwarder(ForwarderInput::Received { id: id(who), stream }));
    }

    fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    fn count(&self, which: impl Fn(&Output) -> bool) -> usize {
        self.outputs.iter().filter(|output| which(output)).count()
    }

    fn closed(&self, who: &str) -> bool {
        self.count(|output| *output == Output::CloseDirect { id: id(who) }) > 0
    }

    fn opened(&self, who: &str) -> Option<bool> {
        self.outputs.iter().find_map(|output| match output {
            Output::OpenPeer { id, offer, .. } if id.0 == who => Some(*offer),
            _ => None,
        })
    }

    fn link(&self, who: &str) -> LinkState {
        let view = self.call.view();
        view.participants.iter().find(|one| one.info.id.0 == who).expect("is in the room").link
    }

    fn viewed(&self) -> Option<Vec<(String, Published, u32)>> {
        let pictures = self.outputs.iter().rev().find_map(|output| match output {
            Output::Send(ClientMessage::View { pictures }) => Some(pictures.clone()),
            _ => None,
        });
        let short = |one: Displayed| (one.id.0, one.kind, one.height);
        pictures.map(|pictures| pictures.into_iter().map(short).collect())
    }
}

fn id(name: &str) -> ParticipantId {
    ParticipantId(name.into())
}

fn person(name: &str, media: MediaState) -> Participant {
    people::participant(name, name, media)
}

fn opens(output: &Output) -> bool {
    matches!(output, Output::Forwarder(ForwarderOutput::Open { .. }))
}

fn closes(output: &Output) -> bool {
    *output == Output::Forwarder(ForwarderOutput::Close)
}

fn uses(output: &Output) -> bool {
    matches!(output, Output::Forwarder(ForwarderOutput::Use(_)))
}

#[test]
fn each_stay_announces_a_frame_key_if_the_server_forwards() {
    let is_announcement = |output: &Output| matches!(output, Output::Send(ClientMessage::FrameKey(_)));
    let mut one = One::new(false);
    assert_eq!(one.count(is_announcement), 1);
    one.input(Input::Signal(Signal::Lost));
    one.take();
    one.say(ServerMessage::Joined { room: ROOM.into(), you: id("me"), participants: vec![] });
    assert_eq!(one.count(is_announcement), 1);

    let mut call = Call::new();
    call.handle(Instant::now(), Input::Command(people::join(ROOM, BOTH)));
    call.handle(
        Instant::now(),
        message(ServerMessage::Joined { room: ROOM.into(), you: id("me"), participants: vec![] }),
    );
    assert!(!std::iter::from_fn(|| call.poll_output()).any(|output| is_announcement(&output)));
}

#[test]
fn a_newcomer_to_a_forwarded_room_connects_to_the_forwarder_only() {
    let mut one = One::new(true);
    assert_eq!((one.opened("bo"), one.opened("cy")), (None, None));
    assert_eq!(one.count(opens), 1);
    let added = |who: &str| Output::Forwarder(ForwarderOutput::Add { id: id(who) });
    assert_eq!(one.count(|output| *output == added("bo") || *output == added("cy")), 2);
    assert_eq!(one.link("bo"), LinkState::Connecting);
    one.input(Input::Forwarder(ForwarderInput::Offer { sdp: "v=0".into() }));
    let offer = ClientMessage::Offer { to: id("server"), sdp: "v=0".into(), signature: None };
    assert_eq!(one.count(|output| *output == Output::Send(offer.clone())), 1);
    one.say(ServerMessage::Answer { from: id("server"), sdp: "v=1".into(), signature: None });
    assert_eq!(one.count(|output| *output == Output::Forwarder(ForwarderOutput::Answer { sdp: "v=1".into() })), 1);
    one.forwarder(PeerInput::Connected);
    assert_eq!((one.link("bo"), one.link("cy")), (LinkState::Connected, LinkState::Connected));
}

#[test]
fn a_direct_connection_ends_a_second_after_media_has_come_from_the_forwarder() {
    let mut one = One::new(false);
    one.connect("bo");
    one.connect("cy");
    one.say(ServerMessage::Forwarded { on: true });
    assert_eq!(one.count(opens), 1);
    one.wait(1_000);
    assert_eq!(one.count(uses), 1, "there is a key");
    one.received("bo", Stream::Camera);
    one.wait(5_000);
    assert!(!one.closed("bo"), "the connection to the forwarder does not work yet");
    one.forwarder(PeerInput::Connected);
    one.wait(999);
    assert!(!one.closed("bo"));
    one.wait(2);
    assert!(one.closed("bo") && !one.closed("cy"));
    one.received("cy", Stream::Camera);
    one.wait(2_000);
    assert!(!one.closed("cy"), "her camera is off: a late picture says nothing");
    one.received("cy", Stream::Audio);
    one.wait(1_001);
    assert!(one.closed("cy"));
    assert_eq!((one.link("bo"), one.link("cy")), (LinkState::Connected, LinkState::Connected));
}

#[test]
fn a_direct_connection_over_which_files_are_sent_goes_on_in_a_forwarded_room() {
    let mut one = One::new(false);
    one.connect("bo");
    one.connect("cy");
    one.input(Input::Transferring([person("bo", BOTH).key].into()));
    one.say(ServerMessage::Forwarded { on: true });
    one.forwarder(PeerInput::Connected);
    one.wait(20_000);
    assert!(one.closed("cy") && !one.closed("bo"));
    one.input(Input::Transferring(Default::default()));
    assert!(one.closed("bo"));
}

#[test]
fn silent_people_keep_their_direct_connection_for_eight_seconds() {
    let mut one = One::new(false);
    one.connect("cy");
    one.say(ServerMessage::Forwarded { on: true });
    one.forwarder(PeerInput::Connected);
    one.wait(8_000);
    assert!(!one.closed("cy"));
    one.wait(1_000);
    assert!(one.closed("cy"));
}

#[test]
fn a_direct_connection_that_breaks_in_a_forwarded_room_is_not_repaired() {
    let mut one = One::new(false);
    one.connect("bo");
    one.connect("cy");
    one.say(ServerMessage::Forwarded { on: true });
    one.take();
    one.input(Input::Peer { id: id("bo"), input: PeerInput::Broken });
    assert!(one.closed("bo"));
    one.input(Input::Peer { id: id("cy"), input: PeerInput::Disconnected });
    one.wait(20_000);
    let repairs = |output: &Output| matches!(output, Output::RestartIce { .. } | Output::RenewPeer { .. });
    assert_eq!(one.count(repairs), 0);
    assert!(!one.closed("cy"), "it may recover, and nothing else works");
    one.forwarder(PeerInput::Connected);
    one.wait(1_000);
    assert!(one.closed("cy"));
}

#[test]
fn a_room_that_becomes_direct_keeps_the_forwarder_until_all_are_connected() {
    let mut one = One::new(true);
    one.forwarder(PeerInput::Connected);
    one.wait(2_000);
    one.take();
    one.say(ServerMessage::Forwarded { on: false });
    assert_eq!((one.opened("bo"), one.opened("cy")), (Some(true), Some(false)), "who came later offers");
    one.connect("bo");
    one.wait(5_000);
    assert_eq!(one.count(closes), 0);
    one.connect("cy");
    one.wait(2_900);
    assert_eq!(one.count(closes), 0, "others may still need what we send");
    one.wait(200);
    assert_eq!(one.count(closes), 1);

    let mut slow = One::new(true);
    slow.say(ServerMessage::Forwarded { on: false });
    slow.wait(20_001);
    assert_eq!(slow.count(closes), 1, "nobody waits for ever");
}

#[test]
fn a_room_that_grows_at_once_keeps_its_connection_to_the_forwarder() {
    let mut one = One::new(true);
    one.forwarder(PeerInput::Connected);
    one.say(ServerMessage::Forwarded { on: false });
    one.wait(3_000);
    one.take();
    one.say(ServerMessage::Forwarded { on: true });
    one.wait(1_000);
    assert_eq!((one.count(opens), one.count(closes)), (0, 0));
}

#[test]
fn a_broken_connection_to_the_forwarder_is_replaced() {
    let mut one = One::new(true);
    one.forwarder(PeerInput::Connected);
    one.take();
    one.forwarder(PeerInput::Broken);
    one.wait(1_001);
    assert_eq!(one.count(opens), 1);
    assert_eq!(one.link("bo"), LinkState::Interrupted);
    one.take();
    one.forwarder(PeerInput::Connected);
    one.forwarder(PeerInput::Failed);
    one.wait(10);
    assert_eq!(one.count(opens), 1, "the forwarder knows no restart of ICE");
}

#[test]
fn pictures_are_asked_for_as_they_are_displayed() {
    let mut one = One::new(true);
    one.forwarder(PeerInput::Connected);
    one.wait(500);
    assert_eq!(one.viewed(), Some(vec![("bo".into(), Published::Camera, 1_200)]), "no window has said anything");
    let size = |max_height| signaling::message::Resolution { max_width: max_height * 2, max_height };
    one.input(Input::Command(call::Command::Show([(id("bo"), size(180)), (id("cy"), size(360))].into())));
    one.wait(2_500);
    assert_eq!(one.viewed(), Some(vec![("bo".into(), Published::Camera, 180)]));
    one.say(ServerMessage::Media { from: id("cy"), media: MediaState { screen: true, ..BOTH } });
    one.wait(500);
    let all = [("cy", Published::Screen, 1_200), ("cy", Published::Camera, 360), ("bo", Published::Camera, 180)];
    assert_eq!(one.viewed(), Some(all.map(|(id, kind, height)| (id.into(), kind, height)).to_vec()));
    assert_eq!(one.count(|output| matches!(output, Output::Send(ClientMessage::Resolution { .. }))), 0);
    one.take();
    one.forwarder(PeerInput::Broken);
    one.wait(1_100);
    one.forwarder(PeerInput::Connected);
    one.wait(500);
    assert_eq!(one.viewed().map(|all| all.len()), Some(3), "it is said on a new connection, too");
}

#[test]
fn keys_of_others_reach_the_connection_and_forged_ones_end_the_trust_in_them() {
    let mut one = One::new(true);
    let me = people::own_stay(&one.outputs).expect("joined");
    let mut of_bo = KeyExchange::new(people::signer_of("bo"), ROOM, [1; 32]);
    let mine = one.outputs.iter().find_map(|output| match output {
        Output::Send(ClientMessage::FrameKey(key)) => Some(key.clone()),
        _ => None,
    });
    let mut us = person("me", BOTH);
    (us.key, us.nonce) = (me.key.to_string(), Some(me.nonce_text()));
    of_bo.joined(one.now, &us);
    of_bo.announced(one.now, &id("me"), &mine.expect("announced")).expect("ours is right");
    of_bo.start(one.now);
    of_bo.handle_timeout(one.now + Duration::from_secs(1));
    let Some(e2ee::Output::Send(ClientMessage::SenderKeys { epoch, keys })) = of_bo.poll_output() else { panic!() };
    let (sealed, signature) = (keys[0].sealed.clone(), keys[0].signature.clone());
    let given = |from: &str| ServerMessage::SenderKey {
        from: id(from),
        epoch,
        sealed: sealed.clone(),
        signature: signature.clone(),
    };
    one.take();
    one.say(given("bo"));
    let key = |output: &Output| matches!(output, Output::Forwarder(ForwarderOutput::Key { id, .. }) if id.0 == "bo");
    assert_eq!(one.count(key), 1);
    one.say(given("cy"));
    let view = one.call.view();
    let cy = view.participants.iter().find(|other| other.info.id.0 == "cy").expect("is there");
    assert_eq!(cy.distrust, Some(StatementError::Wrong));
    assert_eq!(one.count(|output| *output == Output::ClosePeer { id: id("cy") }), 1);
}

#[test]
fn whoever_announces_no_frame_key_is_shown_after_a_while_and_no_longer_when_they_do() {
    let mut one = One::new(true);
    let lacking = |one: &One| -> Vec<String> {
        one.call
            .view()
            .participants
            .iter()
            .filter(|other| other.lacks_key)
            .map(|other| other.info.name.clone())
            .collect()
    };
    one.wait(4_900);
    assert_eq!(lacking(&one), Vec::<String>::new());
    one.wait(200);
    assert_eq!(lacking(&one), ["bo", "cy"]);
    let of_bo = KeyExchange::new(people::signer_of("bo"), ROOM, [1; 32]);
    let ClientMessage::FrameKey(key) = of_bo.announcement() else { panic!("a frame key") };
    one.say(ServerMessage::FrameKey { from: id("bo"), key });
    assert_eq!(lacking(&one), ["cy"]);
    one.say(ServerMessage::Forwarded { on: false });
    assert_eq!(lacking(&one), Vec::<String>::new(), "nothing is encrypted with such a key");
}

#[test]
fn the_camera_follows_how_large_it_is_displayed_and_smaller_sizes_wait() {
    let mut one = One::new(true);
    let displayed =
        |camera| ServerMessage::Slots { slots: vec![], displayed: Some(OwnDisplayed { camera, screen: 0 }) };
    let heights = |one: &mut One| -> Vec<u32> {
        let height = |output| match output {
            Output::Forwarder(ForwarderOutput::Displayed { height }) => Some(height),
            _ => None,
        };
        one.take().into_iter().filter_map(height).collect()
    };
    one.say(displayed(180));
    assert_eq!(heights(&mut one), [180]);
    one.wait(1_000);
    one.say(displayed(720));
    assert_eq!(heights(&mut one), [720]);
    one.say(displayed(0));
    one.wait(1_900);
    assert!(heights(&mut one).is_empty());
    one.wait(200);
    assert_eq!(heights(&mut one), [0]);
}

#[test]
fn authors_are_named_by_our_own_ids_and_strangers_are_left_out() {
    let mut one = One::new(true);
    let slot = |who: &str, csrc| SlotInfo { mid: "a0".into(), id: id(who), kind: Published::Audio, csrc };
    one.say(ServerMessage::Slots { slots: vec![slot("bo", 3), slot("eve", 4), slot("bo", 3)], displayed: None });
    let authors = ForwarderOutput::Authors(vec![(3, id("bo"))]);
    assert_eq!(one.count(|output| *output == Output::Forwarder(authors.clone())), 1);
}
