//! A description that its sender's device has not signed for us reaches no connection.

mod people;

use call::{Call, Command, Input, LinkState, Output, PeerInput, PeerSignal, SdpKind, Signal};
use people::{CERTIFICATE, join, message, offer, own_stay, participant, sdp, signer, signer_of};
use signaling::message::{ClientMessage, IceCandidate, LeaveReason, MediaState, ParticipantId, ServerMessage};
use signaling::statement::{StatementError, Stay};
use std::time::{Duration, Instant};

const OFF: MediaState = MediaState { microphone: false, camera: false, screen: false };

struct One {
    call: Call,
    now: Instant,
    stay: Stay,
}

impl One {
    /// In the room `soup` with Bo, who was there before.
    fn with_bo() -> One {
        let mut one = One { call: Call::new(), now: Instant::now(), stay: signer().stay() };
        let outputs = one.input(Input::Command(join("soup", OFF)));
        one.stay = own_stay(&outputs).expect("the join has a nonce");
        let participants = vec![participant("p1", "Bo", OFF)];
        let you = ParticipantId("p2".into());
        one.input(message(ServerMessage::Joined { room: "soup".into(), you, participants }));
        one
    }

    fn input(&mut self, input: Input) -> Vec<Output> {
        self.call.handle(self.now, input);
        std::iter::from_fn(|| self.call.poll_output()).collect()
    }

    fn distrust(&self) -> Option<StatementError> {
        self.call.view().participants[0].distrust
    }

    /// Whether this offer of Bo ends the connection with him, with this error.
    fn refuses(mut self, offer: ServerMessage, error: StatementError) {
        let outputs = self.input(message(offer));
        assert_eq!(outputs, [Output::ClosePeer { id: bo() }]);
        assert_eq!(self.distrust(), Some(error));
        assert!(self.call.take_changed());
    }
}

fn bo() -> ParticipantId {
    ParticipantId("p1".into())
}

fn with_sdp(offer: ServerMessage, other: &str) -> ServerMessage {
    match offer {
        ServerMessage::Offer { from, signature, .. } => ServerMessage::Offer { from, sdp: other.into(), signature },
        other => other,
    }
}

#[test]
fn a_signed_description_reaches_the_connection_with_its_certificate() {
    let mut one = One::with_bo();
    let outputs = one.input(message(offer("p1", "soup", one.stay)));
    let signal = PeerSignal::Description { kind: SdpKind::Offer, sdp: sdp(), fingerprint: CERTIFICATE };
    assert_eq!(outputs, [Output::Signal { id: bo(), signal }]);
    assert_eq!(one.distrust(), None);
}

#[test]
fn our_descriptions_are_signed_for_their_addressee() {
    let mut one = One::with_bo();
    let outputs = one.input(Input::LocalDescription { id: bo(), kind: SdpKind::Answer, sdp: sdp() });
    let [Output::Send(ClientMessage::Answer { to, sdp: sent, signature })] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(*to, bo());
    assert_eq!(signer_of("p1").verify("soup", one.stay, sent, signature.as_deref()), Ok(CERTIFICATE));
}

#[test]
fn a_description_without_a_statement_is_refused() {
    let one = One::with_bo();
    one.refuses(ServerMessage::Offer { from: bo(), sdp: sdp(), signature: None }, StatementError::Missing);
}

#[test]
fn a_description_with_another_certificate_is_refused() {
    let one = One::with_bo();
    let swapped = sdp().replace("07:", "08:");
    let offer = with_sdp(offer("p1", "soup", one.stay), &swapped);
    one.refuses(offer, StatementError::Wrong);
}

#[test]
fn a_second_certificate_beside_the_signed_one_is_refused() {
    let one = One::with_bo();
    let both = format!("{}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{}", sdp(), sdp().replace("07:", "08:"));
    let offer = with_sdp(offer("p1", "soup", one.stay), &both);
    one.refuses(offer, StatementError::Wrong);
}

#[test]
fn a_restart_of_ice_with_another_certificate_ends_a_connection_that_works() {
    let mut one = One::with_bo();
    one.input(message(offer("p1", "soup", one.stay)));
    one.input(Input::Peer { id: bo(), input: PeerInput::Connected });
    let restart = with_sdp(offer("p1", "soup", one.stay), &sdp().replace("07:", "08:"));
    assert_eq!(one.input(message(restart)), [Output::ClosePeer { id: bo() }]);
    let shown = &one.call.view().participants[0];
    assert_eq!((shown.distrust, shown.link), (Some(StatementError::Wrong), LinkState::Connecting));
}

#[test]
fn statements_for_another_room_person_or_stay_are_refused() {
    let one = One::with_bo();
    let stay = one.stay;
    one.refuses(offer("p1", "tea", stay), StatementError::Wrong);
    One::with_bo().refuses(offer("p1", "soup", signer_of("p3").stay()), StatementError::Wrong);
    let before = signer().stay();
    assert_eq!(before.key, stay.key);
    assert_ne!(before.nonce, stay.nonce);
    One::with_bo().refuses(offer("p1", "soup", before), StatementError::Wrong);
}

#[test]
fn a_statement_of_before_the_seat_was_lost_is_refused_after_it() {
    let mut one = One::with_bo();
    let replayed = offer("p1", "soup", one.stay);
    let outputs = one.input(Input::Signal(Signal::Lost));
    let stay = own_stay(&outputs).expect("we join again");
    assert_ne!(stay.nonce, one.stay.nonce);
    let participants = vec![participant("p1", "Bo", OFF)];
    let you = ParticipantId("p2".into());
    one.input(message(ServerMessage::Joined { room: "soup".into(), you, participants }));
    one.refuses(replayed, StatementError::Wrong);
}

#[test]
fn a_participant_without_a_nonce_or_with_our_own_key_is_not_connected_to() {
    let mut one = One::with_bo();
    let old_client = signaling::message::Participant { nonce: None, ..participant("p3", "Cyd", OFF) };
    assert_eq!(one.input(message(ServerMessage::ParticipantJoined { participant: old_client })), []);
    assert_eq!(one.call.view().participants[1].distrust, Some(StatementError::Missing));

    let mut mirror = participant("p4", "Mirror", OFF);
    mirror.key = signer().stay().key.to_string();
    mirror.nonce = Some(one.stay.nonce_text());
    one.input(message(ServerMessage::ParticipantJoined { participant: mirror }));
    let outputs =
        one.input(Input::LocalDescription { id: ParticipantId("p4".into()), kind: SdpKind::Offer, sdp: sdp() });
    let [Output::Send(ClientMessage::Offer { signature, .. })] = &outputs[..] else { panic!("{outputs:?}") };
    let reflected = ServerMessage::Offer { from: ParticipantId("p4".into()), sdp: sdp(), signature: signature.clone() };
    assert_eq!(one.input(message(reflected)), [Output::ClosePeer { id: ParticipantId("p4".into()) }]);
}

#[test]
fn nothing_connects_to_somebody_who_was_refused_until_they_leave_and_come_back() {
    let mut one = One::with_bo();
    one.input(message(ServerMessage::Offer { from: bo(), sdp: sdp(), signature: None }));
    let stay = one.stay;
    let attempts = [
        message(offer("p1", "soup", stay)),
        message(ServerMessage::Candidate { from: bo(), candidate: IceCandidate::default() }),
        Input::NewSession { id: bo(), sdp: sdp(), fingerprint: CERTIFICATE },
        Input::Peer { id: bo(), input: PeerInput::Broken },
        Input::LocalDescription { id: bo(), kind: SdpKind::Offer, sdp: sdp() },
        Input::LocalCandidate { id: bo(), candidate: None },
    ];
    for attempt in attempts {
        assert_eq!(one.input(attempt), []);
    }
    assert_eq!(one.call.poll_timeout(), None);
    one.now += Duration::from_secs(120);
    one.call.handle_timeout(one.now);
    assert_eq!(one.call.poll_output(), None);

    assert_eq!(one.input(message(ServerMessage::ParticipantLeft { id: bo(), reason: LeaveReason::Left })), []);
    let again = participant("p1", "Bo", OFF);
    let outputs = one.input(message(ServerMessage::ParticipantJoined { participant: again }));
    assert!(matches!(outputs[..], [Output::OpenPeer { .. }]), "{outputs:?}");
    assert_eq!(
        one.input(Input::Command(Command::Leave)).iter().filter(|o| matches!(o, Output::ClosePeer { .. })).count(),
        1
    );
}
