//! Connections that outlive the server: after a restart of it everybody has a new id, and is recognised by their key.

mod people;

use call::{Call, Input, LinkState, Output, PeerInput, PeerSignal, SdpKind, Signal};
use people::{CERTIFICATE, join, own_stay, sdp, signer, signer_of};
use signaling::avatar::Avatar;
use signaling::board::RoomRequest;
use signaling::message::{
    ClientMessage, IceCandidate, MediaState, Participant, ParticipantId, Resolution, ServerMessage,
};
use signaling::statement::{Signer, StatementError, Stay};
use std::time::{Duration, Instant};

fn id(text: &str) -> ParticipantId {
    ParticipantId(text.into())
}

/// Signs for somebody in the stay with this number.
fn signer_in(name: &str, stay: u32) -> Signer {
    let mut signer = signer_of(name);
    (0..stay).for_each(|_| signer.begin_stay());
    signer
}

/// Somebody with the key of this name, in the stay with this number.
fn person(wire: &str, name: &str, stay: u32) -> Participant {
    let stay = signer_in(name, stay).stay();
    let (key, nonce) = (stay.key.to_string(), Some(stay.nonce_text()));
    Participant {
        id: id(wire),
        name: name.into(),
        key,
        nonce,
        media: MediaState::default(),
        hand: None,
        avatar: Avatar::default(),
    }
}

struct Rig {
    call: Call,
    now: Instant,
    /// Ours.
    stay: Stay,
    /// Number of the server's starts.
    starts: u32,
}

impl Rig {
    /// In a room with these, all connected.
    fn with(participants: &[(&str, &str)]) -> Rig {
        let mut rig = Rig { call: Call::new(), now: Instant::now(), stay: signer().stay(), starts: 1 };
        let outputs =
            rig.input(Input::Command(join("soup", MediaState { microphone: true, camera: true, screen: false })));
        rig.stay = own_stay(&outputs).expect("the join has a nonce");
        rig.joined(participants);
        for (wire, _) in participants {
            rig.input(Input::Peer { id: id(wire), input: PeerInput::Connected });
        }
        rig
    }

    fn input(&mut self, input: Input) -> Vec<Output> {
        self.call.handle(self.now, input);
        std::iter::from_fn(|| self.call.poll_output()).collect()
    }

    fn message(&mut self, message: ServerMessage) -> Vec<Output> {
        self.input(Input::Signal(Signal::Message(message)))
    }

    fn joined(&mut self, participants: &[(&str, &str)]) -> Vec<Output> {
        let participants = participants.iter().map(|(wire, name)| person(wire, name, self.starts)).collect();
        self.message(ServerMessage::Joined { room: "soup".into(), you: id("me"), participants })
    }

    /// The server was killed and is back.
    fn lose_session(&mut self) {
        self.input(Input::Signal(Signal::Disconnected));
        let outputs = self.input(Input::Signal(Signal::Lost));
        self.stay = own_stay(&outputs).expect("it joins again");
        self.starts += 1;
    }

    /// An answer of somebody in the stay with this number, for our present one.
    fn answer(&self, wire: &str, name: &str, stay: u32) -> ServerMessage {
        let signature = signer_in(name, stay).sign("soup", self.stay, &sdp());
        ServerMessage::Answer { from: id(wire), sdp: sdp(), signature }
    }

    fn names(&self) -> Vec<String> {
        self.call.view().participants.iter().map(|who| who.info.name.clone()).collect()
    }
}

fn continued(who: &str) -> Output {
    Output::Reoffer { id: id(who) }
}

#[test]
fn a_connection_that_works_continues_with_whoever_is_back_first_or_later() {
    let mut rig = Rig::with(&[("p1", "Bo"), ("p2", "Cyd")]);
    rig.lose_session();
    assert_eq!(rig.joined(&[("p9", "Cyd")]), [continued("p2")], "Bo is not back yet");
    assert_eq!(rig.names(), ["Bo", "Cyd"]);
    let back = ServerMessage::ParticipantJoined { participant: person("p10", "Bo", 2) };
    assert_eq!(rig.message(back), [continued("p1")]);
    let view = rig.call.view();
    assert!(view.participants.iter().all(|who| who.link == LinkState::Connected && who.connected));
}

/// An answer that reached the connection of somebody.
fn passed(who: &str) -> Output {
    let signal = PeerSignal::Description { kind: SdpKind::Answer, sdp: sdp(), fingerprint: CERTIFICATE };
    Output::Signal { id: id(who), signal }
}

#[test]
fn messages_bear_the_new_id_and_everything_else_the_old_one() {
    let mut rig = Rig::with(&[("p1", "Bo")]);
    rig.lose_session();
    rig.joined(&[("p9", "Bo")]);
    let to = id("p9");
    let candidate = rig.input(Input::LocalCandidate { id: id("p1"), candidate: Some(IceCandidate::default()) });
    let candidates = ClientMessage::Candidate { to, candidate: IceCandidate::default() };
    assert_eq!(candidate, [Output::Send(candidates)]);
    let mute = rig.input(Input::Command(call::Command::Room(RoomRequest::Mute { id: id("p1") })));
    assert_eq!(mute, [Output::Send(ClientMessage::Room(RoomRequest::Mute { id: id("p9") }))]);
    let most = Resolution { max_width: 640, max_height: 360 };
    let smaller = rig.message(ServerMessage::Resolution { from: id("p9"), most });
    assert_eq!(smaller, [Output::Resolution { id: id("p1"), most }]);
    rig.message(ServerMessage::Chat { from: id("p9"), text: "soup".into(), at: 1 });
    assert_eq!(rig.call.chat().last().map(|line| line.from.clone()), Some(id("p1")));
    assert_eq!(rig.message(rig.answer("p9", "Bo", 2)), [passed("p1")]);
    assert_eq!(rig.message(rig.answer("p1", "Bo", 2)), [], "nobody has this id now");
}

#[test]
fn descriptions_of_a_connection_that_continues_are_signed_for_the_new_stays() {
    let mut rig = Rig::with(&[("p1", "Bo")]);
    rig.lose_session();
    rig.joined(&[("p9", "Bo")]);
    let offer = rig.input(Input::LocalDescription { id: id("p1"), kind: SdpKind::Offer, sdp: sdp() });
    let [Output::Send(ClientMessage::Offer { to, sdp: sent, signature })] = &offer[..] else { panic!("{offer:?}") };
    assert_eq!(*to, id("p9"));
    let verified = signer_in("Bo", 2).verify("soup", rig.stay, sent, signature.as_deref());
    assert_eq!(verified, Ok(CERTIFICATE));
}

#[test]
fn a_description_of_the_stay_before_is_refused_on_a_connection_that_continues() {
    let mut rig = Rig::with(&[("p1", "Bo")]);
    rig.lose_session();
    rig.joined(&[("p9", "Bo")]);
    assert_eq!(rig.message(rig.answer("p9", "Bo", 1)), [Output::ClosePeer { id: id("p1") }]);
    assert_eq!(rig.call.view().participants[0].distrust, Some(StatementError::Wrong));
}

#[test]
fn descriptions_that_waited_behind_the_rate_limit_do_not_reach_the_next_stay() {
    let mut rig = Rig::with(&[("p1", "Bo")]);
    (0..20).for_each(|_| drop(rig.message(rig.answer("p1", "Bo", 1))));
    rig.lose_session();
    rig.joined(&[("p9", "Bo")]);
    rig.now += Duration::from_secs(60);
    rig.call.handle_timeout(rig.now);
    assert_eq!((rig.call.poll_output(), rig.call.view().participants[0].distrust), (None, None));
}

#[test]
fn somebody_who_comes_back_without_a_nonce_or_with_another_key_is_not_taken_for_them() {
    let mut rig = Rig::with(&[("p1", "Bo"), ("p2", "Cyd")]);
    rig.lose_session();
    rig.joined(&[]);
    let participant = Participant { nonce: None, ..person("p8", "Bo", 2) };
    assert_eq!(rig.message(ServerMessage::ParticipantJoined { participant }), [Output::ClosePeer { id: id("p1") }]);
    let participant = Participant { name: "Cyd".into(), ..person("p9", "Eve", 2) };
    let opened = rig.message(ServerMessage::ParticipantJoined { participant });
    assert!(matches!(&opened[..], [Output::OpenPeer { id, .. }] if id.0 == "p9"), "{opened:?}");
    assert_eq!(rig.call.view().participants.iter().filter(|one| one.connected).count(), 2);
}

#[test]
fn an_old_id_that_somebody_else_has_now_is_not_taken_for_them() {
    let mut rig = Rig::with(&[("p1", "Bo")]);
    rig.lose_session();
    let outputs = rig.joined(&[("p1", "Eve"), ("p2", "Bo")]);
    let opened = Output::OpenPeer { id: id("p1~2"), polite: true, offer: true, ice_servers: vec![] };
    assert_eq!(outputs, [opened, continued("p1")]);
    assert_eq!(rig.message(rig.answer("p1", "Eve", 2)), [passed("p1~2")]);
}

#[test]
fn a_connection_that_does_not_work_is_made_anew() {
    let mut rig = Rig::with(&[("p1", "Bo")]);
    rig.input(Input::Peer { id: id("p1"), input: PeerInput::Disconnected });
    rig.lose_session();
    let outputs = rig.joined(&[("p9", "Bo")]);
    let opened = Output::OpenPeer { id: id("p9"), polite: true, offer: true, ice_servers: vec![] };
    assert_eq!(outputs, [Output::ClosePeer { id: id("p1") }, opened]);
}

#[test]
fn whoever_was_there_before_us_and_offers_from_an_old_connection_finds_it() {
    let mut rig = Rig::with(&[("p1", "Bo")]);
    rig.lose_session();
    rig.joined(&[]);
    rig.input(Input::Peer { id: id("p1"), input: PeerInput::Disconnected });
    let back = ServerMessage::ParticipantJoined { participant: person("p9", "Bo", 2) };
    assert_eq!(rig.message(back), [continued("p1")], "they decide whether it is replaced");
}

#[test]
fn whoever_does_not_come_back_is_given_up_after_a_while() {
    let mut rig = Rig::with(&[("p1", "Bo")]);
    rig.lose_session();
    rig.joined(&[]);
    assert_eq!(rig.names(), ["Bo"]);
    let due = rig.call.poll_timeout().expect("it does not last");
    assert!(due > rig.now + Duration::from_secs(5), "longer than the longest delay between two attempts to connect");
    rig.call.handle_timeout(due);
    assert_eq!(rig.call.poll_output(), Some(Output::ClosePeer { id: id("p1") }));
    assert_eq!(rig.names(), Vec::<String>::new());
}
