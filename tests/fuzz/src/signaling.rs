//! The functions that the fuzz targets and `tests/fuzz_corpus.rs` call: any bytes may go in, and nothing may panic.
//! The assertions hold for everything that is accepted.
#![allow(dead_code, reason = "each fuzz target uses one of them")]

use std::time::{Duration, Instant};

use signaling::avatar::{MAX_PHOTO_BYTES, without_metadata};
use signaling::host::is_private;
use signaling::ice_url::{IceScheme, IceUrl};
use signaling::identity::DeviceKey;
use signaling::limits::{MAX_FRAME_BYTES, is_invite, is_room_name};
use signaling::link::Link;
use signaling::message::{ClientMessage, ServerMessage};
use signaling::parse;
use signaling::server_session::ServerSession;
use signaling::session::{Session, SessionConfig, SessionOutput, SessionState};
use signaling::statement::{Fingerprint, Signer, StatementError, Stay};
use signaling::text::{clean_chat, clean_name};

/// A link that somebody clicked.
pub(crate) fn link(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(link) = Link::parse(text) else { return };
    assert!(is_room_name(&link.room));
    assert!(link.invite.as_deref().is_none_or(is_invite));
    let host = link.server.host().expect("a server has a host");
    assert!(link.server.scheme() == "wss" || is_private(&host), "unencrypted in public: {link}");
    assert!(link.server.username().is_empty() && link.server.path() == "/" && link.server.query().is_none());
    assert_eq!(Link::parse(&link.to_string()).as_ref(), Ok(&link));
    assert_eq!(Link::parse(&link.to_web()), Ok(link));
}

/// The photo of a person. What is left of it has no metadata, and is left as it is.
pub(crate) fn photo(data: &[u8]) {
    let Ok(clean) = without_metadata(data) else { return };
    assert!(clean.len() <= data.len().min(MAX_PHOTO_BYTES));
    assert_eq!(without_metadata(&clean).as_ref(), Ok(&clean));
}

/// The address of a STUN or TURN server.
pub(crate) fn ice_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(url) = IceUrl::parse(text) else { return };
    let host = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.to_owned() };
    let (scheme, query) = match url.scheme {
        IceScheme::Stun => ("stun", ""),
        IceScheme::TurnUdp => ("turn", "?transport=udp"),
        IceScheme::TurnTcp => ("turn", "?transport=tcp"),
        IceScheme::TurnTls => ("turns", "?transport=tcp"),
    };
    assert_eq!(IceUrl::parse(&format!("{scheme}:{host}:{}{query}", url.port)), Some(url));
}

/// A description with its statement. No text is a valid signature, and the fingerprint that is signed is checked.
///
/// Input: a line for the signature, and the description.
pub(crate) fn statement(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (signature, sdp) = text.split_once('\n').unwrap_or((text, ""));
    let (own, other) = (Signer::new(key(), [1; 32]), Stay { key: key().for_server("other").public(), nonce: [2; 32] });
    let far = own.stay();
    assert_eq!(own.verify("soup", other, sdp, Some(signature)), Err(StatementError::Wrong));
    assert_eq!(own.verify("soup", far, sdp, None), Err(StatementError::Missing));
    let Some(fingerprint) = Fingerprint::of_description(sdp) else {
        return assert_eq!(own.sign("soup", other, sdp), None);
    };
    assert_eq!(Fingerprint::of_description(&format!("a=fingerprint:sha-256 {fingerprint}")), Some(fingerprint));
    let receiver = Signer::new(key().for_server("other"), [3; 32]);
    let signed = own.sign("soup", receiver.stay(), sdp);
    assert_eq!(receiver.verify("soup", own.stay(), sdp, signed.as_deref()), Ok(fingerprint));
}

/// Frames from a client, one per line, as a server parses them.
pub(crate) fn client_message(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut session = ServerSession::new();
    let now = Instant::now();
    for line in text.split('\n') {
        match parse::client_message(line) {
            Ok(envelope) => {
                match &envelope.message {
                    ClientMessage::Hello(hello) => assert_eq!(clean_name(&hello.name).as_ref(), Ok(&hello.name)),
                    ClientMessage::Chat { text } => assert_eq!(clean_chat(text).as_ref(), Ok(text)),
                    ClientMessage::Join { room, .. } => assert!(is_room_name(room)),
                    _ => {}
                }
                let rewritten = serde_json::to_string(&envelope).expect("messages can be written");
                if rewritten.len() <= MAX_FRAME_BYTES {
                    assert_eq!(parse::client_message(&rewritten).as_ref(), Ok(&envelope));
                }
                let _ = session.receive(now, envelope); // a wrong count is refused, which is not a fault
            }
            Err(rejected) => {
                let _ = session.receive_numbers(now, rejected.seq, rejected.ack); // likewise
            }
        }
    }
    assert!(session.poll_timeout().is_some() == (session.poll_ack(now + Duration::from_secs(1)).is_some()));
}

/// Frames from a server, one per line. Each is first parsed alone, then by a session.
pub(crate) fn server_message(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for line in text.split('\n') {
        let Ok(envelope) = parse::server_message(line) else { continue };
        if let ServerMessage::Joined { participants, .. } = &envelope.message {
            participants.iter().for_each(|p| assert_eq!(clean_name(&p.name).as_ref(), Ok(&p.name)));
        }
        let rewritten = serde_json::to_string(&envelope).expect("messages can be written");
        if rewritten.len() <= MAX_FRAME_BYTES {
            assert_eq!(parse::server_message(&rewritten).as_ref(), Ok(&envelope));
        }
    }
    hostile_server(text);
}

/// Runs a session against a server that sends the lines 100 ms apart, on as many sockets as necessary.
fn hostile_server(text: &str) {
    let mut now = Instant::now();
    let config = SessionConfig {
        key: key(),
        name: "Ada".into(),
        client: String::new(),
        member: None,
        features: Vec::new(),
        seed: 1,
    };
    let mut session = Session::new(config, now).expect("a good name");
    let join = ClientMessage::Join { room: "soup".into(), media: Default::default(), invite: None, nonce: None };
    session.send(now, join).expect("an empty queue");
    for line in text.split('\n') {
        now += Duration::from_millis(100);
        if drain(&mut session) {
            session.handle_opened(now);
        }
        session.handle_text(now, line);
        if session.state() == SessionState::Backoff {
            now = session.poll_timeout().expect("a session in backoff waits for something");
        }
        if session.poll_timeout().is_some_and(|at| at <= now) {
            session.handle_timeout(now);
        }
    }
    drain(&mut session);
    assert_eq!(session.poll_timeout().is_none(), session.state() == SessionState::Closed);
}

/// A key that is created once: deriving its public half is most of the work of a short run.
fn key() -> DeviceKey {
    static KEY: std::sync::OnceLock<DeviceKey> = std::sync::OnceLock::new();
    KEY.get_or_init(|| DeviceKey::from_secret(&[1; 32])).clone()
}

/// Drains the outputs. Returns whether the session wants a new socket. A server must accept every frame that it
/// sends.
fn drain(session: &mut Session) -> bool {
    let mut connect = false;
    while let Some(output) = session.poll_output() {
        match output {
            SessionOutput::Connect => connect = true,
            SessionOutput::SendText(text) => assert!(parse::client_message(&text).is_ok(), "{text}"),
            SessionOutput::CloseSocket { .. } | SessionOutput::Event(_) => {}
        }
    }
    connect
}

/// Seeds for links.
pub(crate) const LINKS: &[&str] = &[
    "lunchroom://join/soup?server=wss://lunch.example:8443&fp=ABEiM0RVZneImaq7zN3u_wARIjNEVWZ3iJmqu8zd7v8&invite=a_B-9",
    "lunchroom://join/soup?server=ws://192.168.1.5:9000",
    "lunchroom://join/a/?server=wss%3A%2F%2F%5B2001%3Adb8%3A%3A1%5D%3A9%2F",
    "lunchroom://join/a?server=wss://h&fp=00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff",
    "https://lunch.example/r/soup-at-1?invite=T&x=1#y",
    "http://[::1]:8080/r/soup",
    "http://kitchen.local/r/soup/",
    "https://xn--bcher-kva.example:444/r/0",
];

/// Seeds for clients' conversations.
pub(crate) const CLIENT: &[&str] = &[
    concat!(
        r#"{"type":"hello","version":1,"key":"AAAA","signature":"BBBB","name":" Ada \u0301 L","client":"x/1","resume":{"session":"s1","received":3}}"#,
        "\n",
        r#"{"seq":1,"ack":0,"type":"join","room":"soup","media":{"microphone":true,"camera":false},"invite":"T"}"#,
        "\n",
        r#"{"seq":2,"ack":0,"type":"offer","to":"p2","sdp":"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"}"#,
        "\n",
        r#"{"seq":3,"ack":0,"type":"candidate","to":"p2","candidate":{"candidate":"candidate:1 1 udp 1 10.0.0.1 9 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"ab"}}"#,
        "\n",
        r#"{"seq":4,"ack":0,"type":"end_of_candidates","to":"p2"}"#,
    ),
    concat!(
        r#"{"seq":1,"ack":0,"type":"answer","to":"p2","sdp":"v=0"}"#,
        "\n",
        r#"{"seq":2,"ack":0,"type":"media","microphone":false,"camera":true}"#,
        "\n",
        r#"{"seq":2,"ack":0,"type":"resolution","to":"p2","max_width":640,"max_height":360}"#,
        "\n",
        r#"{"seq":3,"ack":0,"type":"chat","text":"one\n\ttwo \u202e \ud83c\udf72"}"#,
        "\n",
        r#"{"seq":0,"ack":0,"type":"ping","nonce":7}"#,
        "\n",
        r#"{"ack":0,"type":"ack"}"#,
        "\n",
        r#"{"seq":4,"ack":0,"type":"leave"}"#,
        "\n",
        r#"{"seq":5,"ack":0,"type":"frame_key","key":"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM","signature":"AA"}"#,
        "\n",
        r#"{"seq":6,"ack":0,"type":"sender_keys","epoch":1,"keys":[{"to":"p1","sealed":"AA","signature":"AA"},{"to":"p2","sealed":"","signature":""}]}"#,
    ),
    concat!(
        r#"{"seq":1,"ack":0,"type":"board","do":"subscribe","room":"t-4f8s0x6h2n9b7w1e","invite":"T"}"#,
        "\n",
        r#"{"seq":2,"ack":0,"type":"board","do":"lay","topic":" Soup\u202e ","place":"2F","seats":4,"now":false,"starts_ms":1774609200000,"minutes":60,"weekly":true,"door":"knock"}"#,
        "\n",
        r#"{"seq":3,"ack":0,"type":"board","do":"take","table":"a","wait":true}"#,
        "\n",
        r#"{"seq":4,"ack":0,"type":"board","do":"eat_now","with":["a","b"]}"#,
        "\n",
        r#"{"seq":5,"ack":0,"type":"board","do":"invite","room":"soup","uses":3,"hours":24}"#,
        "\n",
        r#"{"seq":6,"ack":0,"type":"board","do":"presence","presence":"at_table"}"#,
        "\n",
        r#"{"seq":7,"ack":0,"type":"room","do":"admit","id":"k5"}"#,
        "\n",
        r#"{"seq":8,"ack":0,"type":"room","do":"lock","locked":true}"#,
    ),
];

/// Seeds for servers' conversations.
pub(crate) const SERVER: &[&str] = &[
    concat!(
        r#"{"type":"challenge","nonce":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU","versions":[1]}"#,
        "\n",
        r#"{"type":"welcome","session":"s1","resume_ms":30000,"ice_servers":[{"urls":["stun:h"]},{"urls":["turn:h?transport=tcp"],"username":"1:s1","credential":"x"}],"limits":{"max_message_bytes":65536,"max_participants":12,"max_chat_chars":4000}}"#,
        "\n",
        r#"{"seq":1,"ack":1,"type":"joined","room":"soup","you":"p2","participants":[{"id":"p1","name":"\u202eBob","key":"k","media":{"microphone":true,"camera":true}}]}"#,
        "\n",
        r#"{"seq":2,"ack":1,"type":"answer","from":"p1","sdp":"v=0"}"#,
        "\n",
        r#"{"seq":3,"ack":1,"type":"candidate","from":"p1","candidate":{"candidate":""}}"#,
        "\n",
        r#"{"seq":4,"ack":1,"type":"chat","from":"p1","text":"hi","at":1700000000000}"#,
        "\n",
        r#"{"seq":5,"ack":1,"type":"participant_joined","participant":{"id":"p3","name":"Cyd","key":"k"}}"#,
        "\n",
        r#"{"seq":6,"ack":1,"type":"participant_connection","id":"p3","connected":false}"#,
        "\n",
        r#"{"seq":7,"ack":1,"type":"participant_left","id":"p3","reason":"timeout"}"#,
        "\n",
        r#"{"seq":8,"ack":1,"type":"media","from":"p1","microphone":false,"camera":false}"#,
        "\n",
        r#"{"seq":8,"ack":1,"type":"resolution","from":"p1","max_width":0,"max_height":0}"#,
        "\n",
        "garbage",
        "\n",
        r#"{"type":"challenge","nonce":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU","versions":[1,2]}"#,
        "\n",
        r#"{"type":"resumed","received":1,"ice_servers":[]}"#,
        "\n",
        r#"{"seq":9,"ack":1,"type":"offer","from":"p1","sdp":"v=0"}"#,
        "\n",
        r#"{"seq":10,"ack":1,"type":"frame_key","from":"p1","key":"AA","signature":"AA"}"#,
        "\n",
        r#"{"seq":11,"ack":1,"type":"sender_key","from":"p1","epoch":4294967295,"sealed":"AA","signature":"AA"}"#,
        "\n",
        r#"{"seq":12,"ack":1,"type":"sender_keys_undelivered","epoch":1,"to":["p1","p2"]}"#,
        "\n",
        r#"{"seq":0,"ack":1,"type":"bye","code":"server_stopping","retry_after_ms":500}"#,
    ),
    concat!(
        r#"{"type":"challenge","nonce":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU","versions":[1]}"#,
        "\n",
        r#"{"type":"error","code":"server_full","message":"come later"}"#,
        "\n",
        r#"{"type":"challenge","nonce":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU","versions":[1]}"#,
        "\n",
        r#"{"type":"welcome","session":"s2","resume_ms":0,"ice_servers":[],"limits":{"max_message_bytes":10,"max_participants":2,"max_chat_chars":1}}"#,
        "\n",
        r#"{"seq":1,"ack":0,"type":"left","reason":"replaced"}"#,
        "\n",
        r#"{"seq":2,"ack":0,"type":"end_of_candidates","from":"p1"}"#,
        "\n",
        r#"{"seq":0,"ack":0,"type":"pong","nonce":18446744073709551615}"#,
        "\n",
        r#"{"seq":3,"ack":0,"type":"error","code":"from_the_future","about":1}"#,
        "\n",
        r#"{"seq":0,"ack":9,"type":"ack"}"#,
        "\n",
        r#"{"type":"challenge","nonce":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU","versions":[1]}"#,
        "\n",
        r#"{"type":"error","code":"cannot_resume"}"#,
        "\n",
        r#"{"seq":0,"ack":0,"type":"bye","code":"internal"}"#,
    ),
    concat!(
        r#"{"type":"challenge","nonce":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU","versions":[1]}"#,
        "\n",
        r#"{"type":"welcome","session":"s3","resume_ms":0,"ice_servers":[],"limits":{"max_message_bytes":65536,"max_participants":2,"max_chat_chars":1},"member":false}"#,
        "\n",
        r#"{"seq":1,"ack":0,"type":"board","news":"snapshot","first":true,"last":true,"now_ms":1,"zone":"UTC","member":true,"tables":[{"id":"a","room":"t-a","topic":"\u202e<b>","place":"","seats":4,"starts_ms":1,"ends_ms":2,"now":true,"weekly":false,"host":"k","door":"open","locked":false,"taken":[{"id":"k","name":""}],"taken_count":1,"waiting":["b"],"waiting_count":1,"in_call":0}],"people":[{"id":"k","name":"A","presence":"free"}],"free_count":1,"hungry_count":0}"#,
        "\n",
        r#"{"seq":2,"ack":0,"type":"board","news":"patch","now_ms":2,"gone":["a"],"left":["k"],"free_count":0,"hungry_count":0}"#,
        "\n",
        r#"{"seq":3,"ack":0,"type":"board","news":"you","waiting":{"since_ms":1,"with":["k"]}}"#,
        "\n",
        r#"{"seq":4,"ack":0,"type":"board","news":"notice","kind":"from_the_future","table":"a","room":"t-a","starts_ms":1}"#,
        "\n",
        r#"{"seq":5,"ack":0,"type":"room","news":"lobby","knocking":[{"id":"k1","name":"\u0000","key":"k"}]}"#,
        "\n",
        r#"{"seq":6,"ack":0,"type":"room","news":"state","host":null,"locked":true}"#,
    ),
];
