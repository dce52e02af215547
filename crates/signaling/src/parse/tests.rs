use proptest::prelude::*;

use super::*;
use crate::forwarding::Published;
use crate::limits::{MAX_CHAT_CHARS, MAX_NAME_CHARS, MAX_SLOTS, MAX_VIEW};
use crate::message::{MediaState, Resume, SessionId};

fn refused(text: &str) -> Rejected {
    match client_message(text) {
        Ok(envelope) => panic!("{envelope:?}"),
        Err(rejected) => rejected,
    }
}

fn code_of(message: ClientMessage) -> Option<ErrorCode> {
    let text = serde_json::to_string(&Envelope { seq: 7, ack: 3, message }).unwrap();
    let rejected = client_message(&text).err()?;
    assert_eq!((rejected.seq, rejected.ack), (7, 3), "the numbers of a refused message are kept");
    Some(rejected.code)
}

fn hello(name: &str) -> Hello {
    Hello {
        version: 1,
        key: String::new(),
        signature: String::new(),
        name: name.into(),
        client: String::new(),
        member: None,
        features: Vec::new(),
        resume: None,
    }
}

#[test]
fn unknown_features_are_kept_and_too_many_or_long_ones_are_not() {
    let long = "x".repeat(MAX_FEATURE_BYTES + 1);
    let features = [long, "flying".into(), "forwarding".into()].into_iter().chain((0..50).map(|n| format!("f{n}")));
    let mut message = ClientMessage::Hello(Hello { features: features.collect(), ..hello("Ada") });
    check_client(&mut message).unwrap();
    let ClientMessage::Hello(hello) = message else { panic!("not a hello") };
    assert_eq!(
        (hello.features.len(), &hello.features[..2]),
        (MAX_FEATURES, &["flying".into(), "forwarding".into()][..])
    );
}

#[test]
fn a_view_names_pictures_only_and_a_bounded_number() {
    let view = |kind: &str, count: usize| {
        let picture = format!(r#"{{"id":"p1","kind":"{kind}","height":360,"new":1}}"#);
        client_message(&format!(r#"{{"seq":1,"ack":0,"type":"view","pictures":[{}]}}"#, vec![picture; count].join(",")))
    };
    let code = |kind, count| view(kind, count).err().map(|rejected| rejected.code);
    assert_eq!((code("camera", MAX_VIEW), code("screen", 1), code("camera", 0)), (None, None, None));
    assert_eq!(code("camera", MAX_VIEW + 1), Some(ErrorCode::TooLarge));
    assert_eq!((code("audio", 1), code("hologram", 1)), (Some(ErrorCode::Malformed), Some(ErrorCode::Malformed)));
}

#[test]
fn slots_of_an_unknown_kind_are_kept_and_too_many_are_not() {
    let slot = r#"{"mid":"3","id":"p1","kind":"smell","csrc":7}"#;
    let text = format!(r#"{{"seq":1,"ack":0,"type":"slots","slots":[{}]}}"#, vec![slot; MAX_SLOTS + 1].join(","));
    let ServerMessage::Slots { slots, .. } = server_message(&text).unwrap().message else { panic!("no slots") };
    assert_eq!((slots.len(), slots[0].csrc, slots[0].kind), (MAX_SLOTS, 7, Published::Unknown));
}

fn to() -> ParticipantId {
    ParticipantId("p".into())
}

#[test]
fn a_handshake_message_has_no_envelope() {
    let envelope =
        client_message(r#"{"type":"hello","version":1,"key":"k","signature":"s","name":" Ada  L "}"#).unwrap();
    assert_eq!((envelope.seq, envelope.ack), (0, 0));
    let ClientMessage::Hello(hello) = envelope.message else { panic!("not a hello") };
    assert_eq!(hello.name, "Ada L");
}

#[test]
fn a_later_version_may_add_fields_but_not_messages() {
    let envelope = client_message(r#"{"seq":1,"ack":0,"type":"leave","why":["hungry"]}"#).unwrap();
    assert_eq!(envelope.message, ClientMessage::Leave);
    assert_eq!(
        refused(r#"{"seq":4,"ack":2,"type":"sing","song":"x"}"#),
        Rejected { code: ErrorCode::Malformed, seq: 4, ack: 2 }
    );
}

#[test]
fn other_text_is_malformed() {
    for text in [
        "",
        "null",
        "[]",
        "{}",
        "\"leave\"",
        r#"{"type":"leave""#,
        r#"{"type":"chat"}"#,
        r#"{"type":"chat","text":7}"#,
        r#"{"type":"ping","nonce":-1}"#,
        r#"{"type":"ping","nonce":1.5}"#,
        r#"{"seq":-1,"type":"leave"}"#,
        r#"{"seq":18446744073709551616,"type":"leave"}"#,
        r#"{"seq":1,"seq":2,"type":"leave"}"#,
        r#"{"type":"leave","type":"leave"}"#,
    ] {
        assert_eq!(refused(text), Rejected { code: ErrorCode::Malformed, seq: 0, ack: 0 }, "{text}");
    }
    let deep = format!(r#"{{"type":"leave","x":{}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(refused(&deep).code, ErrorCode::Malformed);
}

#[test]
fn an_oversized_frame_is_not_parsed() {
    let pad = MAX_FRAME_BYTES - r#"{"type":"leave","x":""}"#.len();
    let frame = |pad: usize| format!(r#"{{"type":"leave","x":"{}"}}"#, "a".repeat(pad));
    assert!(client_message(&frame(pad)).is_ok());
    assert_eq!(refused(&frame(pad + 1)).code, ErrorCode::TooLarge);
}

#[test]
fn each_field_has_an_exact_limit() {
    use ErrorCode::{BadName, BadRoom, Malformed, TooLarge};
    let join = |room: &str, invite: Option<&str>| ClientMessage::Join {
        room: room.into(),
        media: MediaState::default(),
        invite: invite.map(Into::into),
        nonce: None,
    };
    let offer = |id: usize, sdp: usize| ClientMessage::Offer {
        to: ParticipantId("p".repeat(id)),
        sdp: "s".repeat(sdp),
        signature: None,
    };
    let signed =
        |bytes: usize| ClientMessage::Answer { to: to(), sdp: String::new(), signature: Some("s".repeat(bytes)) };
    let nonce = |bytes: usize| ClientMessage::Join {
        room: "soup".into(),
        media: MediaState::default(),
        invite: None,
        nonce: Some("n".repeat(bytes)),
    };
    let chat = |text: String| ClientMessage::Chat { text };
    let candidate = |line: usize, mid: usize| ClientMessage::Candidate {
        to: to(),
        candidate: IceCandidate {
            candidate: "c".repeat(line),
            sdp_mid: Some("m".repeat(mid)),
            username_fragment: Some("u".repeat(mid)),
            ..IceCandidate::default()
        },
    };
    let resume = |id: usize| {
        let resume = Some(Resume { session: SessionId("s".repeat(id)), received: 0 });
        ClientMessage::Hello(Hello { resume, ..hello("Ada") })
    };
    let client = |bytes: usize| ClientMessage::Hello(Hello { client: "c".repeat(bytes), ..hello("Ada") });
    let cases = [
        (join("soup", Some("T")), None),
        (join("Soup", None), Some(BadRoom)),
        (join("soup", Some("a b")), Some(Malformed)),
        (offer(64, MAX_SDP_BYTES), None),
        (offer(64, MAX_SDP_BYTES + 1), Some(TooLarge)),
        (offer(65, 1), Some(TooLarge)),
        (ClientMessage::Answer { to: to(), sdp: "s".repeat(MAX_SDP_BYTES + 1), signature: None }, Some(TooLarge)),
        (signed(128), None),
        (signed(129), Some(TooLarge)),
        (nonce(64), None),
        (nonce(65), Some(TooLarge)),
        (ClientMessage::EndOfCandidates { to: ParticipantId("p".repeat(65)) }, Some(TooLarge)),
        (candidate(1_024, 256), None),
        (candidate(1_025, 1), Some(TooLarge)),
        (candidate(1, 257), Some(TooLarge)),
        (chat("é".repeat(MAX_CHAT_CHARS)), None),
        (chat("é".repeat(MAX_CHAT_CHARS + 1)), Some(TooLarge)),
        (chat(" \n".into()), Some(Malformed)),
        (ClientMessage::Hello(hello(&"é".repeat(MAX_NAME_CHARS))), None),
        (ClientMessage::Hello(hello(&"é".repeat(MAX_NAME_CHARS + 1))), Some(BadName)),
        (ClientMessage::Hello(hello("")), Some(BadName)),
        (ClientMessage::Hello(hello("Ada\u{7}")), Some(BadName)),
        (resume(64), None),
        (resume(65), Some(TooLarge)),
        (client(128), None),
        (client(129), Some(TooLarge)),
    ];
    for (message, expected) in cases {
        assert_eq!(code_of(message.clone()), expected, "{message:?}");
    }
}

#[test]
fn names_from_a_server_are_cleaned() {
    let text = r#"{"seq":1,"ack":0,"type":"joined","room":"soup","you":"a","participants":[
        {"id":"b","name":"\u202egnp.exe","key":"k"},{"id":"c","name":"\u0000\u200b","key":"k"}]}"#;
    let Ok(Envelope { message: ServerMessage::Joined { participants, .. }, .. }) = server_message(text) else {
        panic!("not joined")
    };
    assert_eq!(participants.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["gnp.exe", "?"]);
}

#[test]
fn the_number_of_ice_servers_is_bounded() {
    let servers = vec![r#"{"urls":["stun:h"]}"#; MAX_ICE_SERVERS + 5].join(",");
    let text = format!(r#"{{"type":"resumed","received":0,"ice_servers":[{servers}]}}"#);
    let Ok(Envelope { message: ServerMessage::Resumed { ice_servers, .. }, .. }) = server_message(&text) else {
        panic!("not resumed")
    };
    assert_eq!(ice_servers.len(), MAX_ICE_SERVERS);
}

#[test]
fn unknown_error_codes_parse_as_unknown() {
    let text = r#"{"seq":2,"ack":1,"type":"error","code":"out_of_soup","about":1}"#;
    let Ok(Envelope { message: ServerMessage::Error(error), .. }) = server_message(text) else {
        panic!("not an error")
    };
    assert_eq!((error.code, error.about), (ErrorCode::Unknown, Some(1)));
}

#[test]
fn candidates_are_spelled_as_in_browsers() {
    let text = r#"{"seq":1,"ack":0,"type":"candidate","to":"b","candidate":
        {"candidate":"candidate:1 1 udp 1 10.0.0.1 9 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"ab"}}"#;
    let Ok(Envelope { message: ClientMessage::Candidate { candidate, .. }, .. }) = client_message(text) else {
        panic!("not a candidate")
    };
    assert_eq!(candidate.sdp_mid.as_deref(), Some("0"));
    assert_eq!(candidate.sdp_mline_index, Some(0));
    assert_eq!(candidate.username_fragment.as_deref(), Some("ab"));
}

proptest! {
    #[test]
    fn parsed_messages_round_trip(text in r#"\{"seq":[0-9]{1,3},"type":"(chat","text|join","room|hello","version":1,"key":"","signature":"","name)":"\PC{0,40}"\}"#) {
        if let Ok(envelope) = client_message(&text) {
            let rewritten = serde_json::to_string(&envelope).unwrap();
            prop_assert_eq!(client_message(&rewritten), Ok(envelope));
        }
    }
}
