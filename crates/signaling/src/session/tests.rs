mod attempts;

use super::*;
use crate::identity;
use crate::limits::{ACK_DELAY, ACK_EVERY, BACKOFF_MAX, BACKOFF_MIN, BACKOFF_RESET, MAX_UNACKNOWLEDGED};
use crate::message::{LimitsInfo, ParticipantId};
use crate::server_session::ServerSession;

const NONCE: [u8; 32] = [5; 32];

/// A session, with the test in the place of the server.
struct Bench {
    session: Session,
    now: Instant,
}

impl Bench {
    fn new() -> Bench {
        Bench::with_seed(1)
    }

    fn with_seed(seed: u64) -> Bench {
        let config = SessionConfig {
            key: DeviceKey::from_secret(&[1; 32]),
            name: " Ada ".into(),
            client: "test/1".into(),
            member: None,
            features: Vec::new(),
            seed,
        };
        let now = Instant::now();
        Bench { session: Session::new(config, now).unwrap(), now }
    }

    /// A session that is open, with its outputs discarded.
    fn open() -> Bench {
        let mut bench = Bench::new();
        bench.greet();
        bench.server(&welcome("s1"));
        assert_eq!(bench.session.state(), SessionState::Open);
        bench.outputs();
        bench
    }

    /// From `Connect` to the sent hello.
    fn greet(&mut self) {
        self.session.handle_opened(self.now);
        let challenge =
            ServerMessage::Challenge { nonce: identity::encode_nonce(&NONCE), versions: vec![VERSION, VERSION + 1] };
        self.server(&challenge);
    }

    fn server(&mut self, message: &ServerMessage) {
        self.session.handle_text(self.now, &body(message));
    }

    fn numbered(&mut self, seq: u64, ack: u64, message: &ServerMessage) {
        self.session.handle_text(self.now, &frame(seq, ack, &body(message)));
    }

    fn closed(&mut self, code: Option<u16>) {
        self.session.handle_closed(self.now, CloseInfo { code, reason: String::new() });
    }

    /// Advances the time and handles every timeout when it is due.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.session.poll_timeout().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.session.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn say(&mut self, text: &str) {
        self.session.send(self.now, chat(text)).unwrap();
    }

    fn outputs(&mut self) -> Vec<SessionOutput> {
        std::iter::from_fn(|| self.session.poll_output()).collect()
    }

    fn sent(&mut self) -> Vec<Envelope<ClientMessage>> {
        texts(&self.outputs())
    }

    fn events(&mut self) -> Vec<SessionEvent> {
        events(self.outputs())
    }
}

fn texts(outputs: &[SessionOutput]) -> Vec<Envelope<ClientMessage>> {
    let text = |output: &SessionOutput| match output {
        SessionOutput::SendText(text) => Some(parse::client_message(text).unwrap()),
        SessionOutput::Connect | SessionOutput::CloseSocket { .. } | SessionOutput::Event(_) => None,
    };
    outputs.iter().filter_map(text).collect()
}

fn events(outputs: Vec<SessionOutput>) -> Vec<SessionEvent> {
    let event = |output| match output {
        SessionOutput::Event(event) => Some(event),
        SessionOutput::Connect | SessionOutput::CloseSocket { .. } | SessionOutput::SendText(_) => None,
    };
    outputs.into_iter().filter_map(event).collect()
}

fn chat(text: &str) -> ClientMessage {
    ClientMessage::Chat { text: text.into() }
}

fn join() -> ClientMessage {
    ClientMessage::Join { room: "soup".into(), media: Default::default(), invite: None, nonce: None }
}

fn line(text: &str) -> ServerMessage {
    ServerMessage::Chat { from: ParticipantId("b".into()), text: text.into(), at: 0 }
}

fn welcome(session: &str) -> ServerMessage {
    let (session, resume_ms, ice_servers) = (SessionId(session.into()), 30_000, vec![]);
    let (max_participants, max_forwarded, max_chat_chars) = (12, None, 4_000);
    let limits = LimitsInfo { max_message_bytes: MAX_FRAME_BYTES, max_participants, max_forwarded, max_chat_chars };
    let (member, sign_in, account) = (true, false, None);
    ServerMessage::Welcome(Welcome { session, resume_ms, ice_servers, limits, member, sign_in, account })
}

fn resumed(received: u64) -> ServerMessage {
    ServerMessage::Resumed { received, ice_servers: vec![] }
}

fn error(code: ErrorCode) -> ServerMessage {
    ServerMessage::Error(ErrorMessage { code, message: String::new(), about: None })
}

fn hello_of(envelope: &Envelope<ClientMessage>) -> &Hello {
    match &envelope.message {
        ClientMessage::Hello(hello) => hello,
        other => panic!("not a hello: {other:?}"),
    }
}

#[test]
fn a_join_before_the_handshake_is_sent_with_the_hello() {
    let mut bench = Bench::new();
    assert_eq!(bench.outputs(), [SessionOutput::Connect]);
    bench.session.send(bench.now, join()).unwrap();
    assert_eq!(bench.outputs(), []);
    bench.greet();
    bench.say("too early");
    let sent = bench.sent();
    assert_eq!(sent.iter().map(|e| e.seq).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(sent[1].message, join());
    let hello = hello_of(&sent[0]);
    assert_eq!((hello.name.as_str(), &hello.resume), ("Ada", &None));
    assert!(identity::verify(hello, &NONCE).is_ok());
    bench.server(&welcome("s1"));
    let outputs = bench.outputs();
    assert_eq!(texts(&outputs), [Envelope { seq: 2, ack: 0, message: chat("too early") }]);
    assert!(matches!(events(outputs)[..], [SessionEvent::Welcome(_)]));
}

#[test]
fn a_join_between_hello_and_welcome_is_sent_at_once() {
    let mut bench = Bench::new();
    bench.greet();
    bench.outputs();
    for (message, flies) in [(join(), true), (join(), true), (chat("x"), false), (join(), false)] {
        bench.session.send(bench.now, message).unwrap();
        assert_eq!(bench.sent().len(), usize::from(flies));
    }
    bench.server(&welcome("s1"));
    assert_eq!(bench.sent().iter().map(|e| e.seq).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn messages_before_the_first_welcome_survive_a_break() {
    let mut bench = Bench::new();
    bench.session.send(bench.now, join()).unwrap();
    bench.greet();
    bench.closed(None);
    bench.outputs();
    bench.pass(BACKOFF_MIN);
    assert_eq!(bench.outputs(), [SessionOutput::Connect]);
    bench.greet();
    let sent = bench.sent();
    assert_eq!(hello_of(&sent[0]).resume, None);
    assert_eq!((sent[1].seq, &sent[1].message), (1, &join()));
}

#[test]
fn a_resumed_session_loses_nothing() {
    let mut bench = Bench::open();
    bench.say("one");
    bench.say("two");
    bench.numbered(1, 0, &line("hi"));
    bench.closed(None);
    bench.say("three");
    bench.outputs();
    bench.pass(BACKOFF_MIN);
    bench.greet();
    bench.say("four");
    let sent = bench.sent();
    let expected = Resume { session: SessionId("s1".into()), received: 1 };
    assert_eq!(hello_of(&sent[0]).resume, Some(expected));
    assert_eq!(sent.len(), 1, "nothing follows until the server has answered");
    bench.server(&resumed(1));
    let outputs = bench.outputs();
    assert_eq!(texts(&outputs).iter().map(|e| (e.seq, e.ack)).collect::<Vec<_>>(), [(2, 1), (3, 1), (4, 1)]);
    assert_eq!(events(outputs), [SessionEvent::Resumed { ice_servers: vec![] }]);
    bench.numbered(1, 4, &line("hi"));
    bench.numbered(2, 4, &line("there"));
    assert_eq!(bench.events(), [SessionEvent::Message(line("there"))], "a duplicate is dropped");
}

#[test]
fn an_outage_beyond_the_resume_window_loses_the_session() {
    let mut bench = Bench::open();
    bench.say("never acknowledged");
    bench.closed(None);
    let mut seen = vec![];
    for _ in 0..200 {
        bench.pass(Duration::from_millis(250));
        let outputs = bench.outputs();
        if outputs.contains(&SessionOutput::Connect) {
            bench.closed(None);
        }
        seen.extend(events(outputs).into_iter().map(|event| (bench.now, event)));
    }
    let lost: Vec<_> = seen.iter().filter(|(_, event)| *event == SessionEvent::Lost).collect();
    assert_eq!(lost.len(), 1);
    bench.session.send(bench.now, join()).unwrap();
    bench.outputs();
    bench.session.handle_network_change(bench.now);
    bench.greet();
    let sent = bench.sent();
    assert_eq!(hello_of(&sent[0]).resume, None);
    assert_eq!(sent[1..].iter().map(|e| (e.seq, e.message.clone())).collect::<Vec<_>>(), [(1, join())]);
}

#[test]
fn a_lost_session_is_reported_when_the_window_ends() {
    let mut bench = Bench::open();
    bench.closed(None);
    // The next attempt hangs without an answer.
    bench.pass(Duration::from_millis(29_999));
    assert!(!bench.events().contains(&SessionEvent::Lost));
    bench.pass(Duration::from_millis(1));
    assert!(bench.events().contains(&SessionEvent::Lost));
}

#[test]
fn after_a_sleep_beyond_the_window_no_resume_is_requested() {
    let mut bench = Bench::open();
    bench.closed(None);
    bench.session.handle_network_change(bench.now);
    bench.session.handle_opened(bench.now);
    bench.outputs();
    bench.now += RESUME_WINDOW;
    bench.server(&ServerMessage::Challenge { nonce: identity::encode_nonce(&NONCE), versions: vec![VERSION] });
    let outputs = bench.outputs();
    assert_eq!(hello_of(&texts(&outputs)[0]).resume, None);
    assert_eq!(events(outputs), [SessionEvent::Lost]);
}

#[test]
fn an_unknown_session_is_replaced_by_a_new_one() {
    for says_so in [false, true] {
        let mut bench = Bench::open();
        bench.say("old");
        bench.closed(None);
        bench.pass(BACKOFF_MIN);
        bench.greet();
        bench.outputs();
        if says_so {
            bench.server(&error(ErrorCode::CannotResume));
            assert_eq!(bench.events(), [SessionEvent::Lost]);
            bench.session.send(bench.now, join()).unwrap();
            assert_eq!(bench.sent().len(), 1, "join does not wait for the welcome");
            bench.server(&welcome("s2"));
            assert!(matches!(bench.events()[..], [SessionEvent::Welcome(_)]));
        } else {
            bench.server(&welcome("s2"));
            assert!(matches!(bench.events()[..], [SessionEvent::Lost, SessionEvent::Welcome(_)]));
            bench.session.send(bench.now, join()).unwrap();
            assert_eq!(bench.sent()[0].seq, 1);
        }
    }
}

#[test]
fn a_resume_with_an_impossible_count_loses_the_session() {
    for received in [0, 9] {
        let mut bench = Bench::open();
        bench.say("one");
        bench.numbered(1, 1, &line("hi"));
        bench.closed(None);
        bench.pass(BACKOFF_MIN);
        bench.greet();
        bench.outputs();
        bench.server(&resumed(received));
        assert!(bench.events().contains(&SessionEvent::Lost));
        assert_eq!(bench.session.state(), SessionState::Backoff);
    }
}

#[test]
fn received_messages_are_acknowledged_after_a_second() {
    let mut bench = Bench::open();
    bench.numbered(1, 0, &line("hi"));
    bench.outputs();
    bench.pass(ACK_DELAY - Duration::from_millis(1));
    assert_eq!(bench.outputs(), []);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.sent(), [Envelope { seq: 0, ack: 1, message: ClientMessage::Ack }]);
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.outputs(), [], "once");
}

#[test]
fn thirty_two_messages_are_acknowledged_at_once() {
    let mut bench = Bench::open();
    for seq in 1..=u64::from(ACK_EVERY) {
        bench.numbered(seq, 0, &line("hi"));
    }
    bench.outputs();
    bench.session.handle_timeout(bench.now);
    assert_eq!(bench.sent(), [Envelope { seq: 0, ack: 32, message: ClientMessage::Ack }]);
    bench.numbered(33, 0, &line("hi"));
    bench.say("me too");
    bench.outputs();
    assert!(bench.session.poll_timeout().unwrap() > bench.now + ACK_DELAY, "nothing is owed");
}

#[test]
fn an_open_session_pings_every_five_seconds() {
    let mut bench = Bench::open();
    let mut nonces = vec![];
    for _ in 0..4 {
        bench.pass(PING_INTERVAL);
        for envelope in bench.sent() {
            let ClientMessage::Ping { nonce } = envelope.message else { panic!("{envelope:?}") };
            bench.numbered(0, 0, &ServerMessage::Pong { nonce });
            nonces.push(nonce);
        }
    }
    assert_eq!(nonces, [1, 2, 3, 4]);
    assert_eq!(bench.session.state(), SessionState::Open);
}

#[test]
fn ten_seconds_of_silence_are_a_resumable_break() {
    let mut bench = Bench::open();
    bench.pass(SILENCE_LIMIT - Duration::from_millis(1));
    assert_eq!(bench.session.state(), SessionState::Open);
    bench.outputs();
    bench.pass(Duration::from_millis(1));
    let outputs = bench.outputs();
    assert!(matches!(outputs[0], SessionOutput::CloseSocket { code } if code != close::NORMAL), "{outputs:?}");
    assert!(matches!(
        events(outputs)[..],
        [SessionEvent::Disconnected { cause: DisconnectCause::Silence, since, .. }] if since == bench.now
    ));
}

#[test]
fn messages_from_an_abandoned_socket_are_ignored() {
    let mut bench = Bench::open();
    bench.pass(SILENCE_LIMIT);
    bench.outputs();
    bench.numbered(1, 0, &line("late"));
    bench.closed(None);
    assert_eq!(bench.outputs(), []);
}

#[test]
fn permanent_refusals_end_the_session() {
    use ErrorCode::{BadName, BadSignature, Malformed, Replaced, UnsupportedVersion};
    for code in [BadName, BadSignature, Malformed, Replaced, UnsupportedVersion] {
        let mut bench = Bench::new();
        bench.greet();
        bench.outputs();
        bench.server(&error(code));
        let refused = SessionEnd::Refused(ErrorMessage { code, message: String::new(), about: None });
        assert_eq!(
            bench.outputs(),
            [SessionOutput::CloseSocket { code: 1000 }, SessionOutput::Event(SessionEvent::Ended(refused))]
        );
        assert_eq!(bench.session.poll_timeout(), None);
        assert_eq!(bench.session.send(bench.now, join()), Err(SendError::Closed));
    }
}

#[test]
fn temporary_refusals_are_retried() {
    for code in [ErrorCode::ServerFull, ErrorCode::RateLimited, ErrorCode::Internal, ErrorCode::Unknown] {
        let mut bench = Bench::new();
        bench.greet();
        bench.server(&error(code));
        assert_eq!(bench.session.state(), SessionState::Backoff, "{code:?}");
    }
}

#[test]
fn another_protocol_version_is_not_retried() {
    let mut bench = Bench::new();
    bench.session.handle_opened(bench.now);
    bench.server(&ServerMessage::Challenge { nonce: identity::encode_nonce(&NONCE), versions: vec![VERSION + 1] });
    assert_eq!(bench.sent(), []);
    assert_eq!(bench.session.state(), SessionState::Closed);
}

#[test]
fn a_session_taken_over_elsewhere_ends() {
    let mut bench = Bench::open();
    bench.closed(Some(close::close_code(ErrorCode::Replaced)));
    assert!(matches!(
        bench.outputs()[..],
        [SessionOutput::Event(SessionEvent::Ended(SessionEnd::Refused(ErrorMessage {
            code: ErrorCode::Replaced,
            ..
        })))]
    ));
}

#[test]
fn a_bye_ends_the_session_or_sets_the_retry_time() {
    let mut bench = Bench::open();
    bench.say("old");
    bench.outputs();
    bench.numbered(0, 0, &ServerMessage::Bye { code: ErrorCode::ServerStopping, retry_after_ms: Some(3_000) });
    let retry = bench.session.poll_timeout().unwrap() - bench.now;
    assert!((Duration::from_secs(3)..Duration::from_secs(4)).contains(&retry), "{retry:?}");
    assert!(matches!(
        bench.events()[..],
        [SessionEvent::Disconnected { cause: DisconnectCause::Bye(ErrorCode::ServerStopping), .. }, SessionEvent::Lost]
    ));
    bench.pass(retry);
    bench.greet();
    assert_eq!(hello_of(&bench.sent()[0]).resume, None);

    let mut bench = Bench::open();
    bench.numbered(1, 0, &ServerMessage::Bye { code: ErrorCode::Internal, retry_after_ms: None });
    assert_eq!(bench.session.state(), SessionState::Closed);
}

#[test]
fn the_retry_time_of_a_bye_is_bounded() {
    let mut bench = Bench::open();
    bench.numbered(0, 0, &ServerMessage::Bye { code: ErrorCode::Internal, retry_after_ms: Some(u64::MAX) });
    assert!(bench.session.poll_timeout().unwrap() - bench.now <= RETRY_AFTER_MAX + BACKOFF_MAX);
}

#[test]
fn closing_ends_the_session_in_every_state() {
    let ended = SessionOutput::Event(SessionEvent::Ended(SessionEnd::Closed));
    let close = SessionOutput::CloseSocket { code: close::NORMAL };
    let backoff = {
        let mut bench = Bench::open();
        bench.closed(None);
        bench
    };
    for (mut bench, expected) in [
        (Bench::new(), vec![close.clone(), ended.clone()]),
        (Bench::open(), vec![close, ended.clone()]),
        (backoff, vec![ended]),
    ] {
        bench.outputs();
        bench.session.close(bench.now);
        assert_eq!(bench.outputs(), expected);
        bench.session.close(bench.now);
        bench.session.handle_timeout(bench.now + RESUME_WINDOW * 2);
        bench.session.handle_network_change(bench.now);
        bench.closed(None);
        assert_eq!(bench.outputs(), [], "nothing follows");
        assert_eq!(bench.session.poll_timeout(), None);
    }
}

#[test]
fn a_full_queue_refuses_new_messages_and_keeps_the_others() {
    let mut bench = Bench::open();
    for n in 0..MAX_UNACKNOWLEDGED {
        bench.say(&n.to_string());
    }
    assert_eq!(bench.session.send(bench.now, chat("x")), Err(SendError::QueueFull));
    bench.numbered(0, 1, &ServerMessage::Ack);
    bench.say("x");
    assert_eq!(bench.sent().len(), MAX_UNACKNOWLEDGED + 1);
}

#[test]
fn invalid_messages_are_refused_locally() {
    let mut bench = Bench::open();
    let mut refuse = |message| match bench.session.send(bench.now, message) {
        Err(error) => error,
        Ok(()) => panic!("sent"),
    };
    let to = || ParticipantId("b".into());
    assert_eq!(refuse(ClientMessage::Ack), SendError::Reserved);
    assert_eq!(refuse(ClientMessage::Ping { nonce: 1 }), SendError::Reserved);
    assert_eq!(refuse(chat(" ")), SendError::Invalid(ErrorCode::Malformed));
    let sdp = "s".repeat(50_000);
    assert_eq!(
        refuse(ClientMessage::Offer { to: to(), sdp, signature: None }),
        SendError::Invalid(ErrorCode::TooLarge)
    );
    // Within its own limit, but each character takes two bytes in JSON.
    let sdp = "\"".repeat(40_000);
    assert_eq!(
        refuse(ClientMessage::Offer { to: to(), sdp, signature: None }),
        SendError::Invalid(ErrorCode::TooLarge)
    );
    assert_eq!(bench.outputs(), []);
}

#[test]
fn unknown_messages_are_counted_and_skipped() {
    let mut bench = Bench::open();
    bench.session.handle_text(bench.now, r#"{"seq":1,"ack":0,"type":"soup_is_ready","in_ms":5}"#);
    bench.numbered(2, 0, &line("hi"));
    assert_eq!(bench.events(), [SessionEvent::Message(line("hi"))]);
}

#[test]
fn errors_are_reported_with_or_without_a_number() {
    let mut bench = Bench::open();
    bench.numbered(0, 0, &error(ErrorCode::Malformed));
    bench.numbered(1, 0, &error(ErrorCode::RoomFull));
    let codes = [ErrorCode::Malformed, ErrorCode::RoomFull];
    assert_eq!(bench.events(), codes.map(|code| SessionEvent::Message(error(code))));
}

#[test]
fn a_protocol_violation_is_followed_by_a_new_socket() {
    let faults = [
        frame(2, 0, &body(&line("gap"))),
        frame(1, 9, &body(&line("acknowledges what was never sent"))),
        frame(0, 0, &body(&line("without number"))),
        body(&welcome("again")),
        body(&resumed(0)),
        "not json".into(),
        String::new(),
    ];
    for fault in faults {
        let mut bench = Bench::open();
        bench.session.handle_text(bench.now, &fault);
        let outputs = bench.outputs();
        assert!(matches!(outputs[0], SessionOutput::CloseSocket { code } if code != close::NORMAL), "{fault}");
        assert!(matches!(
            events(outputs)[..],
            [SessionEvent::Disconnected { cause: DisconnectCause::Protocol(_), .. }]
        ));
        bench.pass(BACKOFF_MIN);
        bench.greet();
        assert!(hello_of(&bench.sent()[0]).resume.is_some());
    }
}

#[test]
fn an_out_of_order_handshake_is_refused() {
    for (greeted, message) in [(false, welcome("s1")), (false, line("hi")), (true, resumed(0)), (true, line("hi"))] {
        let mut bench = Bench::new();
        if greeted {
            bench.greet();
        } else {
            bench.session.handle_opened(bench.now);
        }
        bench.server(&message);
        assert_eq!(bench.session.state(), SessionState::Backoff, "{message:?}");
    }
}

#[test]
fn an_invisible_name_cannot_begin_a_session() {
    let config = SessionConfig {
        key: DeviceKey::from_secret(&[1; 32]),
        name: "\u{202E}".into(),
        client: String::new(),
        member: None,
        features: Vec::new(),
        seed: 0,
    };
    assert!(matches!(Session::new(config, Instant::now()), Err(NameError::Empty)));
}

#[test]
fn the_client_and_server_halves_interoperate() {
    let mut bench = Bench::open();
    let mut server = ServerSession::new();
    let hi = server.send(&line("hi")).unwrap();
    bench.session.handle_text(bench.now, &hi);
    bench.say("hello");
    for envelope in bench.sent() {
        assert_eq!(server.receive(bench.now, envelope), Ok(Some(chat("hello"))));
    }
    assert_eq!(server.received(), 1);
    assert_eq!(server.resume(1), Ok(vec![]), "the reply acknowledged the line");
    assert_eq!(server.poll_timeout(), None);
}
