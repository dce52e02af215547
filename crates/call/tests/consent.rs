//! Without the person's own Join there is no peer connection and no open device, whatever arrives from outside, in any
//! order.

mod people;

use call::{
    Call, Command, Distrust, ForwarderInput, ForwarderOutput, Input, LinkState, Output, PeerInput, PeerSignal, Repair,
    SdpKind, SendOutcome, Signal,
};
use e2ee::Stream;
use people::{CERTIFICATE, sdp};
use proptest::prelude::*;
use signaling::board::RoomNews;
use signaling::forwarding::{FrameKey, Published, SlotInfo};
use signaling::message::*;
use signaling::statement::frames::FramePublicKey;
use std::time::{Duration, Instant};

fn id(n: u8) -> ParticipantId {
    ParticipantId(format!("p{n}"))
}

fn person(n: u8) -> Participant {
    people::participant(&format!("p{n}"), &format!("Person {n}"), MediaState::default())
}

fn who_else() -> impl Strategy<Value = u8> {
    0u8..4
}

/// An offer of a participant for us in our stay with this number.
fn signed_offer(from: u8, stay: u64) -> ServerMessage {
    let mut us = people::signer();
    (0..stay).for_each(|_| us.begin_stay());
    people::offer(&format!("p{from}"), "lunch", us.stay())
}

/// A participant's announcement of a key for frames, in their first stay. That of the last one is forged.
fn frame_key(n: u8) -> FrameKey {
    let key: FramePublicKey = [n; 32];
    people::signer_of(&format!("p{}", n.min(2))).announce("lunch", &key)
}

fn slot(n: u8) -> SlotInfo {
    SlotInfo { mid: "v0".into(), id: id(n), kind: Published::Camera, csrc: n.into() }
}

fn from_server() -> impl Strategy<Value = ServerMessage> {
    let who = 0u8..4;
    prop_oneof![
        (who.clone(), prop::collection::vec(0u8..4, 0..3)).prop_map(|(you, others)| ServerMessage::Joined {
            room: "lunch".into(),
            you: id(you),
            participants: others.into_iter().map(person).collect(),
        }),
        Just(ServerMessage::Left { reason: LeaveReason::Replaced }),
        who.clone().prop_map(|n| ServerMessage::ParticipantJoined { participant: person(n) }),
        who.clone().prop_map(|n| ServerMessage::ParticipantLeft { id: id(n), reason: LeaveReason::Left }),
        who.clone().prop_map(|n| ServerMessage::Offer { from: id(n), sdp: "v=0".into(), signature: None }),
        (who.clone(), 1u64..3).prop_map(|(n, stay)| signed_offer(n, stay)),
        who.clone().prop_map(|n| ServerMessage::Answer { from: id(n), sdp: "v=0".into(), signature: None }),
        who.clone().prop_map(|n| ServerMessage::Candidate { from: id(n), candidate: IceCandidate::default() }),
        who.clone().prop_map(|n| ServerMessage::Resolution { from: id(n), most: Resolution::NONE }),
        any::<bool>().prop_map(|on| ServerMessage::Forwarded { on }),
        who.clone().prop_map(|n| ServerMessage::FrameKey { from: id(n), key: frame_key(n) }),
        who.clone().prop_map(|n| ServerMessage::Slots { slots: vec![slot(n)], displayed: None }),
        who.prop_map(|n| ServerMessage::Chat { from: id(n), text: "hi".into(), at: 0 }),
        Just(ServerMessage::Error(ErrorMessage { code: ErrorCode::RoomFull, message: String::new(), about: None })),
        Just(ServerMessage::Room(RoomNews::Knocking { room: "lunch".into() })),
        Just(ServerMessage::Room(RoomNews::Muted)),
        (who_else(), 0..Reaction::ALL.len())
            .prop_map(|(n, at)| ServerMessage::Reaction { from: id(n), reaction: Reaction::ALL[at] }),
        (who_else(), proptest::option::of(1u32..4)).prop_map(|(n, hand)| ServerMessage::Hand { from: id(n), hand }),
        who_else().prop_map(|n| ServerMessage::Room(RoomNews::State {
            host: Some(id(n)),
            locked: false,
            spotlight: Some(id(n))
        })),
        Just(ServerMessage::Bye { code: ErrorCode::ServerStopping, retry_after_ms: None }),
    ]
}

fn from_outside() -> impl Strategy<Value = Input> {
    prop_oneof![
        8 => from_server().prop_map(|m| Input::Signal(Signal::Message(m))),
        1 => Just(Input::Signal(Signal::Welcome { ice_servers: vec![], max_participants: 12, max_forwarded: Some(60) })),
        1 => Just(Input::Signal(Signal::Resumed { ice_servers: vec![] })),
        1 => Just(Input::Signal(Signal::Disconnected)),
        1 => Just(Input::NetworkChanged),
        1 => Just(Input::Signal(Signal::Lost)),
        1 => Just(Input::Signal(Signal::Ended(ErrorCode::Internal))),
        1 => (0u8..4).prop_map(|n| Input::Peer { id: id(n), input: PeerInput::Failed }),
        1 => (0u8..4).prop_map(|n| Input::Peer { id: id(n), input: PeerInput::Broken }),
        1 => (0u8..4).prop_map(|n| Input::NewSession { id: id(n), sdp: "v=0".into(), fingerprint: CERTIFICATE }),
        1 => forwarder_state().prop_map(|state| Input::Forwarder(ForwarderInput::State(state))),
        1 => (0u8..4).prop_map(|n| Input::Forwarder(ForwarderInput::Received { id: id(n), stream: Stream::Camera })),
        1 => (0u8..4).prop_map(|n| Input::LocalDescription { id: id(n), kind: SdpKind::Offer, sdp: "v=0".into() }),
    ]
}

fn forwarder_state() -> impl Strategy<Value = PeerInput> {
    prop_oneof![3 => Just(PeerInput::Connected), 1 => Just(PeerInput::Failed), 1 => Just(PeerInput::Broken)]
}

fn from_person() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(Command::Leave),
        any::<bool>().prop_map(Command::SetMicrophone),
        any::<bool>().prop_map(Command::SetCamera),
        any::<bool>().prop_map(Command::SetHand),
        (0..Reaction::ALL.len()).prop_map(|at| Command::React(Reaction::ALL[at])),
        (0u64..3).prop_map(Command::DropLine),
        (0u8..4).prop_map(|n| Command::Show([(id(n), Resolution { max_width: 640, max_height: 360 })].into())),
    ]
    .prop_map(Input::Command)
}

fn join() -> Input {
    let media = MediaState { microphone: true, camera: true, screen: false };
    Input::Command(people::join("lunch", media))
}

fn drain(call: &mut Call) -> Vec<Output> {
    std::iter::from_fn(|| call.poll_output()).collect()
}

fn from_the_engine() -> impl Strategy<Value = Input> {
    let about = 1u64..6;
    prop_oneof![
        Just(join()),
        (any::<bool>(), any::<bool>()).prop_map(|(microphone, camera)| Input::Able(MediaState {
            microphone,
            camera,
            screen: false
        })),
        about.clone().prop_map(|about| Input::Sent(SendOutcome::Join { about })),
        about.prop_map(|about| Input::Sent(SendOutcome::Chat { about })),
        Just(Input::Sent(SendOutcome::ChatDeferred)),
        Just(Input::Sent(SendOutcome::ChatRefused(ErrorCode::TooLarge))),
        (0u8..4).prop_map(|n| Input::Peer { id: id(n), input: PeerInput::Connected }),
        (0u8..4).prop_map(|n| Input::Peer { id: id(n), input: PeerInput::Disconnected }),
    ]
}

proptest! {
    #[test]
    fn every_view_change_sets_the_signal(
        inputs in prop::collection::vec((prop_oneof![from_outside(), from_person(), from_the_engine()], any::<bool>()), 0..80),
    ) {
        let (mut call, mut now) = (Call::new(), Instant::now());
        let mut before = call.view();
        for (input, chat) in inputs {
            now += Duration::from_millis(700);
            call.handle(now, input);
            if chat {
                let _ = call.send_chat(now, "soup"); // refused outside of a call
            }
            call.handle_timeout(now);
            drain(&mut call);
            let view = call.view();
            prop_assert!(call.take_changed() || view == before, "{:?} to {:?}", before, view);
            prop_assert!(!call.take_changed());
            before = view;
        }
    }

    #[test]
    fn no_message_opens_a_device_before_join(inputs in prop::collection::vec(prop_oneof![from_outside(), from_person()], 0..60)) {
        let (mut call, mut now) = (Call::new(), Instant::now());
        for input in inputs {
            now += Duration::from_millis(700);
            call.handle(now, input);
            call.handle_timeout(now);
            prop_assert_eq!(drain(&mut call), vec![]);
        }
    }

    #[test]
    fn after_the_end_devices_and_connections_are_closed(
        before in prop::collection::vec(prop_oneof![3 => from_outside(), 1 => from_person()], 0..60),
        after in prop::collection::vec(from_outside(), 0..30),
    ) {
        let (mut call, mut now) = (Call::new(), Instant::now());
        call.handle(now, join());
        let mut outputs = vec![];
        for input in before {
            now += Duration::from_millis(700);
            call.handle(now, input);
            call.handle_timeout(now);
            outputs.extend(drain(&mut call));
        }
        call.handle(now, Input::Command(Command::Leave));
        outputs.extend(drain(&mut call));
        let mut known = std::collections::BTreeSet::new();
        let (mut open, mut forwarder) = (std::collections::BTreeSet::new(), false);
        let mut capture = MediaState::default();
        for output in outputs {
            match output {
                Output::OpenPeer { id, .. } => {
                    known.insert(id.clone());
                    prop_assert!(open.insert(id), "a connection opened twice");
                }
                Output::CloseDirect { id } => prop_assert!(open.remove(&id), "an unknown connection closed"),
                Output::ClosePeer { id } => {
                    open.remove(&id);
                    prop_assert!(known.remove(&id), "nobody is closed");
                }
                Output::Forwarder(ForwarderOutput::Open { .. }) => forwarder = true,
                Output::Forwarder(ForwarderOutput::Close) => forwarder = false,
                Output::Forwarder(ForwarderOutput::Add { id }) => drop(known.insert(id)),
                Output::Forwarder(ForwarderOutput::Key { id, .. }) => prop_assert!(known.contains(&id)),
                Output::Forwarder(ForwarderOutput::Use(_) | ForwarderOutput::Answer { .. }) => prop_assert!(forwarder),
                Output::Forwarder(ForwarderOutput::Authors(_) | ForwarderOutput::Displayed { .. }) => {}
                Output::Signal { id, .. }
                | Output::RestartIce { id, .. }
                | Output::Reoffer { id }
                | Output::RenewPeer { id, .. }
                | Output::Resolution { id, .. } => prop_assert!(open.contains(&id)),
                Output::Capture(media) => capture = media,
                Output::Send(_) | Output::ProbeServer | Output::CheckConnection => {}
            }
        }
        prop_assert!(known.is_empty() && open.is_empty() && !forwarder);
        prop_assert_eq!(capture, MediaState::default());
        for input in after {
            call.handle(now, input);
            prop_assert_eq!(drain(&mut call), vec![]);
        }
    }
}

fn joined(others: &[u8]) -> (Call, Instant) {
    let (mut call, now) = (Call::new(), Instant::now());
    call.handle(now, join());
    let participants = others.iter().copied().map(person).collect();
    let message = ServerMessage::Joined { room: "lunch".into(), you: id(9), participants };
    call.handle(now, Input::Signal(Signal::Message(message)));
    drain(&mut call);
    (call, now)
}

#[test]
fn the_newcomer_offers_and_is_polite() {
    let (mut call, now) = (Call::new(), Instant::now());
    call.handle(now, join());
    drain(&mut call);
    let message = ServerMessage::Joined { room: "lunch".into(), you: id(9), participants: vec![person(1)] };
    call.handle(now, Input::Signal(Signal::Message(message)));
    call.handle(now, Input::Signal(Signal::Message(ServerMessage::ParticipantJoined { participant: person(2) })));
    let opened: Vec<_> = drain(&mut call)
        .into_iter()
        .filter_map(|o| match o {
            Output::OpenPeer { id, polite, offer, .. } => Some((id, polite, offer)),
            _ => None,
        })
        .collect();
    assert_eq!(opened, vec![(id(1), true, true), (id(2), false, false)]);
}

#[test]
fn a_camera_switched_off_is_closed_and_announced() {
    let (mut call, now) = joined(&[1]);
    call.handle(now, Input::Command(Command::SetCamera(false)));
    let off = MediaState { microphone: true, camera: false, screen: false };
    assert_eq!(drain(&mut call), vec![Output::Send(ClientMessage::Media(off)), Output::Capture(off)]);
}

#[test]
fn a_forgotten_seat_is_requested_in_the_same_room() {
    let (mut call, now) = joined(&[1]);
    call.handle(now, Input::Signal(Signal::Disconnected));
    call.handle(now, Input::Signal(Signal::Lost));
    let outputs = drain(&mut call);
    assert!(matches!(&outputs[..], [Output::Send(ClientMessage::Join { room, .. })] if room == "lunch"), "{outputs:?}");
    assert!(call.view().stage == call::Stage::Reconnecting);
    assert_eq!(call.view().participants.len(), 1, "people stay in sight");
}

#[test]
fn a_new_seat_closes_old_connections() {
    let (mut call, now) = joined(&[1]);
    call.handle(now, Input::Signal(Signal::Lost));
    drain(&mut call);
    let message = ServerMessage::Joined { room: "lunch".into(), you: id(9), participants: vec![person(1)] };
    call.handle(now, Input::Signal(Signal::Message(message)));
    let outputs = drain(&mut call);
    assert_eq!(outputs[0], Output::ClosePeer { id: id(1) });
    assert!(matches!(&outputs[1], Output::OpenPeer { id: again, offer: true, .. } if *again == id(1)), "{outputs:?}");
}

#[test]
fn ice_is_not_restarted_while_the_participant_is_away() {
    let (mut call, now) = joined(&[1]);
    call.handle(now, Input::Signal(Signal::Lost));
    drain(&mut call);
    call.handle(now, Input::Peer { id: id(1), input: PeerInput::Failed });
    call.handle_timeout(now + Duration::from_secs(30));
    assert_eq!(drain(&mut call), vec![]);
    assert_eq!(call.poll_timeout(), None);
}

#[test]
fn a_full_room_ends_the_call_with_its_code() {
    let (mut call, now) = (Call::new(), Instant::now());
    call.handle(now, join());
    let error = ErrorMessage { code: ErrorCode::RoomFull, message: String::new(), about: None };
    call.handle(now, Input::Signal(Signal::Message(ServerMessage::Error(error))));
    assert_eq!(call.view().stage, call::Stage::Ended(call::Ended::Refused(ErrorCode::RoomFull)));
    assert!(drain(&mut call).contains(&Output::Capture(MediaState::default())));
}

#[test]
fn a_repeated_notice_is_a_new_one() {
    let (mut call, now) = joined(&[1]);
    for n in 1..=2 {
        call.handle(now, Input::Command(Command::SetMicrophone(true)));
        call.handle(now, Input::Signal(Signal::Message(ServerMessage::Room(RoomNews::Muted))));
        assert_eq!((call.view().notice, call.view().notices), (Some(ErrorCode::Muted), n));
    }
}

#[test]
fn a_wrong_certificate_ends_the_call() {
    let (mut call, now) = (Call::new(), Instant::now());
    call.handle(now, join());
    call.handle(now, Input::Signal(Signal::Untrusted(Distrust::WrongCertificate)));
    assert_eq!(call.view().stage, call::Stage::Ended(call::Ended::Untrusted(Distrust::WrongCertificate)));
    assert!(drain(&mut call).contains(&Output::Capture(MediaState::default())));
}

#[test]
fn a_signalling_outage_does_not_affect_media() {
    let (mut call, now) = joined(&[1]);
    call.handle(now, Input::Peer { id: id(1), input: PeerInput::Connected });
    call.handle(now, Input::Signal(Signal::Disconnected));
    assert_eq!(drain(&mut call), vec![]);
    assert!(call.view().stage == call::Stage::Reconnecting);
    call.handle(now, Input::Signal(Signal::Resumed { ice_servers: vec![] }));
    assert_eq!(call.view().stage, call::Stage::Joined);
}

fn restarted(n: u8) -> Output {
    Output::RestartIce { id: id(n), ice_servers: vec![] }
}

#[test]
fn either_side_restarts_ice_the_offering_one_first() {
    let (mut call, now) = joined(&[1]);
    call.handle(now, Input::Signal(Signal::Message(ServerMessage::ParticipantJoined { participant: person(2) })));
    drain(&mut call);
    for n in [1, 2] {
        call.handle(now, Input::Peer { id: id(n), input: PeerInput::Failed });
    }
    assert_eq!(drain(&mut call), vec![restarted(1)]);
    call.handle_timeout(call.poll_timeout().expect("the other one"));
    assert_eq!(drain(&mut call), vec![restarted(2)]);
}

#[test]
fn a_silent_connection_has_the_server_probed_and_waits_for_it_before_it_restarts() {
    let (mut call, now) = joined(&[1]);
    call.handle(now, Input::Peer { id: id(1), input: PeerInput::Connected });
    call.handle(now, Input::Peer { id: id(1), input: PeerInput::Disconnected });
    assert_eq!(drain(&mut call), vec![Output::ProbeServer]);
    let shown = &call.view().participants[0];
    let interrupted = (LinkState::Interrupted, Some(now), Some(Repair::Waiting));
    assert_eq!((shown.link, shown.interrupted_since, shown.repair), interrupted);
    call.handle(now, Input::Signal(Signal::Disconnected));
    call.handle_timeout(now + Duration::from_secs(5));
    assert_eq!((drain(&mut call), call.poll_timeout()), (vec![], None));
    call.handle(now + Duration::from_secs(6), Input::Signal(Signal::Resumed { ice_servers: vec![] }));
    call.handle_timeout(now + Duration::from_secs(6));
    assert_eq!(drain(&mut call), vec![restarted(1)]);
}

#[test]
fn a_change_of_network_restarts_every_connection_at_once_also_before_the_server_is_back() {
    let (mut call, now) = joined(&[1, 2]);
    for n in [1, 2] {
        call.handle(now, Input::Peer { id: id(n), input: PeerInput::Connected });
    }
    call.handle(now, Input::Signal(Signal::Disconnected));
    call.handle(now, Input::NetworkChanged);
    assert_eq!(drain(&mut call), vec![restarted(1), restarted(2)]);
    call.handle(now, Input::LocalDescription { id: id(1), kind: SdpKind::Offer, sdp: sdp() });
    let [Output::Send(ClientMessage::Offer { to, signature, .. })] = &drain(&mut call)[..] else { panic!("no offer") };
    assert_eq!((to, signature.is_some()), (&id(1), true), "signed as the first one was");
}

#[test]
fn signals_of_outsiders_reach_no_connection() {
    let (mut call, now) = joined(&[1]);
    let message = ServerMessage::Offer { from: id(7), sdp: "v=0".into(), signature: None };
    call.handle(now, Input::Signal(Signal::Message(message)));
    assert_eq!(drain(&mut call), vec![]);
    call.handle(now, Input::Signal(Signal::Message(signed_offer(1, 1))));
    let signal = PeerSignal::Description { kind: SdpKind::Offer, sdp: people::sdp(), fingerprint: CERTIFICATE };
    assert_eq!(drain(&mut call), vec![Output::Signal { id: id(1), signal }]);
}

#[test]
fn either_side_replaces_a_broken_connection_after_a_pause() {
    let (mut call, now) = joined(&[1]);
    call.handle(now, Input::Signal(Signal::Message(ServerMessage::ParticipantJoined { participant: person(2) })));
    drain(&mut call);
    for n in [1, 2] {
        call.handle(now, Input::Peer { id: id(n), input: PeerInput::Broken });
    }
    assert_eq!(drain(&mut call), vec![], "not immediately");
    let due = call.poll_timeout().expect("a repair is scheduled");
    call.handle_timeout(due);
    let renewed = |n, polite| Output::RenewPeer { id: id(n), polite, offer: true, ice_servers: vec![] };
    assert_eq!(drain(&mut call), vec![renewed(1, true), renewed(2, false)]);
}

#[test]
fn a_new_remote_connection_is_answered_with_a_bounded_number_of_ours() {
    let (mut call, now) = joined(&[1]);
    for _ in 0..100 {
        call.handle(now, Input::NewSession { id: id(1), sdp: "v=0".into(), fingerprint: CERTIFICATE });
    }
    let outputs = drain(&mut call);
    let renewed = Output::RenewPeer { id: id(1), polite: true, offer: false, ice_servers: vec![] };
    let signal = PeerSignal::Description { kind: SdpKind::Offer, sdp: "v=0".into(), fingerprint: CERTIFICATE };
    assert_eq!(outputs[..2], [renewed.clone(), Output::Signal { id: id(1), signal }]);
    assert_eq!(outputs.iter().filter(|output| **output == renewed).count(), 4);
    call.handle(
        now + Duration::from_secs(60),
        Input::NewSession { id: id(1), sdp: "v=0".into(), fingerprint: CERTIFICATE },
    );
    assert_eq!(drain(&mut call)[0], renewed);
}

#[test]
fn a_flood_of_candidates_is_limited_and_affects_nobody_else() {
    let (mut call, now) = joined(&[1, 2]);
    let say = |call: &mut Call, n, text: String| {
        let candidate = IceCandidate { candidate: text, ..IceCandidate::default() };
        call.handle(now, Input::Signal(Signal::Message(ServerMessage::Candidate { from: id(n), candidate })));
    };
    (0..5_000).for_each(|n| say(&mut call, 1, n.to_string()));
    say(&mut call, 2, "honest".into());
    let outputs = drain(&mut call);
    let of = |n| outputs.iter().filter(|o| matches!(o, Output::Signal { id: from, .. } if *from == id(n))).count();
    assert!(of(1) <= 96, "{}", of(1));
    assert_eq!(of(2), 1);
}

#[test]
fn participants_beyond_the_limit_are_not_connected() {
    for (announced, most) in [(12, 11), (6, 5), (100_000, 11), (0, 0)] {
        let (mut call, now) = (Call::new(), Instant::now());
        call.handle(
            now,
            Input::Signal(Signal::Welcome { ice_servers: vec![], max_participants: announced, max_forwarded: None }),
        );
        call.handle(now, join());
        let message = ServerMessage::Joined { room: "lunch".into(), you: id(255), participants: vec![person(0)] };
        call.handle(now, Input::Signal(Signal::Message(message)));
        for n in 1..200 {
            let message = ServerMessage::ParticipantJoined { participant: person(n) };
            call.handle(now, Input::Signal(Signal::Message(message)));
        }
        let opened = drain(&mut call).iter().filter(|output| matches!(output, Output::OpenPeer { .. })).count();
        assert_eq!((opened, call.view().participants.len()), (most, most));
    }
}
