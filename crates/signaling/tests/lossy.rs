//! Runs a client's session against a server's over sockets that break at any point, in virtual time. While the
//! session lives, every message arrives exactly once and in order, in both directions.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use signaling::close::CloseInfo;
use signaling::identity::{self, DeviceKey};
use signaling::limits::MAX_FRAME_BYTES;
use signaling::message::{
    ClientMessage, Envelope, ErrorCode, ErrorMessage, LimitsInfo, ParticipantId, ServerMessage, SessionId, Welcome,
};
use signaling::numbering::body;
use signaling::parse;
use signaling::server_session::ServerSession;
use signaling::session::{Session, SessionConfig, SessionEvent, SessionOutput, SessionState};

const NONCE: [u8; 32] = [5; 32];

/// An action of the test script.
#[derive(Debug, Clone)]
enum Act {
    /// The client sends this many messages.
    Client(u16),
    /// The server sends this many messages.
    Server(u16),
    /// The socket breaks. This many frames still arrive in each direction. The client notices the break after `closes_after`
    /// milliseconds, or has to detect it by a timeout.
    Break { to_server: usize, to_client: usize, closes_after: Option<u64> },
    /// For this many milliseconds no socket opens: attempts fail if `answers` is set, and hang otherwise.
    Unreachable { ms: u64, answers: bool },
    /// The network changed.
    Change,
    /// The server discards every session.
    Restart { says_so: bool },
}

fn act(restarts: bool) -> impl Strategy<Value = Act> {
    let kept = || prop_oneof![Just(0), Just(1), 0..40_usize, Just(usize::MAX)];
    prop_oneof![
        4 => (1..40_u16).prop_map(Act::Client),
        4 => (1..40_u16).prop_map(Act::Server),
        6 => (kept(), kept(), proptest::option::of(0..3_000_u64))
            .prop_map(|(to_server, to_client, closes_after)| Act::Break { to_server, to_client, closes_after }),
        1 => (1..5_000_u64, any::<bool>()).prop_map(|(ms, answers)| Act::Unreachable { ms, answers }),
        1 => Just(Act::Change),
        u32::from(restarts) * 2 => any::<bool>().prop_map(|says_so| Act::Restart { says_so }),
    ]
}

fn script(restarts: bool) -> impl Strategy<Value = Vec<(u64, Act)>> {
    let pause = prop_oneof![Just(0), 0..50_u64, 0..400_u64, 0..8_000_u64];
    proptest::collection::vec((pause, act(restarts)), 1..24)
}

/// One socket, with the frames in flight in each direction and their arrival times.
struct Wire {
    opens: Option<Instant>,
    closes: Option<Instant>,
    to_server: VecDeque<(Instant, String)>,
    to_client: VecDeque<(Instant, String)>,
    /// Nothing that is written from now on arrives.
    broken: bool,
    /// The client abandoned the socket and receives nothing more from it.
    abandoned: bool,
}

/// The server. The handshake is implemented here, and [`ServerSession`] numbers the messages.
#[derive(Default)]
struct Server {
    /// The session and its number.
    session: Option<(u64, ServerSession)>,
    wire: Option<usize>,
    sessions: u64,
    says_cannot_resume: bool,
    /// Lines received.
    received: Vec<u64>,
    said: u64,
}

struct World {
    now: Instant,
    client: Session,
    server: Server,
    wires: Vec<Wire>,
    unreachable: Option<(Instant, bool)>,
    /// For latencies.
    random: fastrand::Rng,
    said: u64,
    /// Lines that the client received.
    received: Vec<u64>,
    lost: u32,
    resumed: u32,
}

impl World {
    fn new(seed: u64) -> World {
        let now = Instant::now();
        let config = SessionConfig {
            key: DeviceKey::from_secret(&[1; 32]),
            name: "Ada".into(),
            client: String::new(),
            member: None,
            features: Vec::new(),
            seed,
        };
        let mut client = Session::new(config, now).expect("a good name");
        let join = ClientMessage::Join { room: "soup".into(), media: Default::default(), invite: None, nonce: None };
        client.send(now, join).expect("an empty queue");
        World {
            now,
            client,
            server: Server::default(),
            wires: vec![],
            unreachable: None,
            random: fastrand::Rng::with_seed(seed),
            said: 0,
            received: vec![],
            lost: 0,
            resumed: 0,
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Client(count) => (0..count).for_each(|_| self.client_says()),
            Act::Server(count) => (0..count).for_each(|_| self.server_says()),
            Act::Break { to_server, to_client, closes_after } => {
                let closes_at = closes_after.map(|ms| self.now + Duration::from_millis(ms));
                if let Some(wire) = self.wires.last_mut() {
                    wire.to_server.truncate(to_server);
                    wire.to_client.truncate(to_client);
                    wire.broken = true;
                    wire.closes = wire.closes.or(closes_at);
                }
            }
            Act::Unreachable { ms, answers } => {
                self.unreachable = Some((self.now + Duration::from_millis(ms), answers));
            }
            Act::Change => self.client.handle_network_change(self.now),
            Act::Restart { says_so } => {
                self.server.session = None;
                self.server.wire = None;
                self.server.says_cannot_resume = says_so;
                for wire in &mut self.wires {
                    wire.broken = true;
                    wire.to_server.clear();
                    wire.closes = wire.closes.or(Some(self.now));
                }
            }
        }
        self.drain();
    }

    fn client_says(&mut self) {
        self.said += 1;
        // Here the line is not sent. The app handles a full queue itself.
        if self.client.send(self.now, ClientMessage::Chat { text: self.said.to_string() }).is_err() {
            self.said -= 1;
        }
    }

    fn server_says(&mut self) {
        let Some((_, session)) = &mut self.server.session else { return };
        let text = (self.server.said + 1).to_string();
        let Ok(frame) = session.send(&ServerMessage::Chat { from: ParticipantId("b".into()), text, at: 0 }) else {
            return;
        };
        self.server.said += 1;
        self.server_sends(self.server.wire, frame);
    }

    fn server_sends(&mut self, wire: Option<usize>, frame: String) {
        let at = self.arrival();
        let Some(wire) = wire.map(|wire| &mut self.wires[wire]) else { return };
        if !wire.broken {
            let at = wire.to_client.back().map_or(at, |(last, _)| at.max(*last));
            wire.to_client.push_back((at, frame));
        }
    }

    fn arrival(&mut self) -> Instant {
        self.now + Duration::from_millis(self.random.u64(1..=120))
    }

    /// Executes the client's outputs.
    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                SessionOutput::Connect => self.connect(),
                SessionOutput::SendText(text) => {
                    let at = self.arrival();
                    let wire = self.wires.last_mut().expect("nothing is sent without a socket");
                    assert!(!wire.abandoned, "nothing is sent into an abandoned socket");
                    if !wire.broken {
                        let at = wire.to_server.back().map_or(at, |(last, _)| at.max(*last));
                        wire.to_server.push_back((at, text));
                    }
                }
                SessionOutput::CloseSocket { code } => {
                    assert_ne!(code, 1000, "the session must not end");
                    // Frames sent before may still arrive.
                    let wire = self.wires.last_mut().expect("no socket to close");
                    wire.abandoned = true;
                }
                SessionOutput::Event(event) => self.event(event),
            }
        }
    }

    fn event(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Message(ServerMessage::Chat { text, .. }) => self.received.push(number(&text)),
            SessionEvent::Lost => self.lost += 1,
            SessionEvent::Resumed { .. } => self.resumed += 1,
            SessionEvent::Welcome(_) | SessionEvent::Disconnected { .. } => {}
            other => panic!("unexpected {other:?}"),
        }
    }

    fn connect(&mut self) {
        let reached = self.unreachable.is_none_or(|(until, _)| self.now >= until);
        let answers = reached || self.unreachable.is_some_and(|(_, answers)| answers);
        let at = Some(self.arrival()).filter(|_| answers);
        let (opens, closes) = if reached { (at, None) } else { (None, at) };
        self.wires.push(Wire {
            opens,
            closes,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            broken: !reached,
            abandoned: false,
        });
    }

    /// The time of the next scheduled event.
    fn next(&self) -> Option<Instant> {
        let wires = self.wires.iter().flat_map(|wire| {
            let frames = [wire.to_server.front(), wire.to_client.front()].into_iter().flatten().map(|(at, _)| *at);
            frames.chain(wire.opens).chain(wire.closes)
        });
        let server = self.server.session.as_ref().and_then(|(_, session)| session.poll_timeout());
        wires.chain(self.client.poll_timeout()).chain(server.filter(|_| self.server.wire.is_some())).min()
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.next().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.step();
        }
        self.now = end;
    }

    fn step(&mut self) {
        for wire in 0..self.wires.len() {
            self.open_due(wire);
            while let Some(text) = due(&mut self.wires[wire].to_server, self.now) {
                self.server_reads(wire, &text);
            }
            while let Some(text) = due(&mut self.wires[wire].to_client, self.now) {
                if !self.wires[wire].abandoned {
                    self.client.handle_text(self.now, &text);
                    self.drain();
                }
            }
            self.close_due(wire);
        }
        if let Some((_, session)) = &mut self.server.session
            && let Some(ack) = session.poll_ack(self.now)
        {
            self.server_sends(self.server.wire, ack);
        }
        if self.client.poll_timeout().is_some_and(|at| at <= self.now) {
            self.client.handle_timeout(self.now);
            self.drain();
        }
    }

    fn open_due(&mut self, wire: usize) {
        if self.wires[wire].opens.is_some_and(|at| at <= self.now) {
            self.wires[wire].opens = None;
            if !self.wires[wire].abandoned {
                self.client.handle_opened(self.now);
                let nonce = identity::encode_nonce(&NONCE);
                self.server_sends(Some(wire), body(&ServerMessage::Challenge { nonce, versions: vec![1] }));
            }
        }
    }

    fn close_due(&mut self, wire: usize) {
        if self.wires[wire].closes.is_some_and(|at| at <= self.now) {
            self.wires[wire].closes = None;
            self.wires[wire].opens = None;
            if !std::mem::replace(&mut self.wires[wire].abandoned, true) {
                self.wires[wire].to_client.clear();
                self.client.handle_closed(self.now, CloseInfo::default());
                self.drain();
            }
        }
    }

    fn server_reads(&mut self, wire: usize, text: &str) {
        let envelope = parse::client_message(text).expect("a client sends no malformed message");
        if let ClientMessage::Hello(hello) = &envelope.message {
            identity::verify(hello, &NONCE).expect("a client proves its key");
            return self.server_greets(wire, hello.resume.as_ref().map(|r| (r.session.0.clone(), r.received)));
        }
        // Frames from an old socket are not read.
        if self.server.wire == Some(wire) {
            self.server_receives(envelope);
        }
    }

    fn server_receives(&mut self, envelope: Envelope<ClientMessage>) {
        let Some((_, session)) = &mut self.server.session else { return };
        let received = session.receive(self.now, envelope).expect("the client's count is right");
        match received {
            Some(ClientMessage::Chat { text }) => self.server.received.push(number(&text)),
            Some(ClientMessage::Ping { nonce }) => {
                let pong = session.uncounted(&ServerMessage::Pong { nonce });
                self.server_sends(self.server.wire, pong);
            }
            Some(ClientMessage::Join { .. } | ClientMessage::Ack) | None => {}
            Some(other) => panic!("unexpected {other:?}"),
        }
    }

    fn server_greets(&mut self, wire: usize, resume: Option<(String, u64)>) {
        self.server.wire = Some(wire);
        if let Some((id, received)) = resume {
            if let Some((number, session)) = &mut self.server.session
                && id == number.to_string()
            {
                let replay = session.resume(received).expect("the client's count is right");
                let resumed = ServerMessage::Resumed { received: session.received(), ice_servers: vec![] };
                std::iter::once(body(&resumed)).chain(replay).for_each(|frame| self.server_sends(Some(wire), frame));
                return;
            }
            if self.server.says_cannot_resume {
                let error = ErrorMessage { code: ErrorCode::CannotResume, message: String::new(), about: None };
                self.server_sends(Some(wire), body(&ServerMessage::Error(error)));
            }
        }
        self.server.sessions += 1;
        self.server.session = Some((self.server.sessions, ServerSession::new()));
        let welcome = ServerMessage::Welcome(Welcome {
            session: SessionId(self.server.sessions.to_string()),
            // Longer than a client keeps a session: another test covers lost sessions.
            resume_ms: 300_000,
            ice_servers: vec![],
            limits: LimitsInfo {
                max_message_bytes: MAX_FRAME_BYTES,
                max_participants: 12,
                max_forwarded: None,
                max_chat_chars: 4_000,
            },
            member: true,
            sign_in: false,
            account: None,
        });
        self.server_sends(Some(wire), body(&welcome));
    }

    /// Runs the script, then waits until everything has arrived.
    fn run(&mut self, script: &[(u64, Act)]) {
        self.drain();
        for (pause, act) in script {
            self.pass(Duration::from_millis(*pause));
            self.act(act);
        }
        self.pass(Duration::from_secs(60));
        assert_eq!(self.client.state(), SessionState::Open, "they find each other again");
    }

    fn everything_is_acknowledged(&mut self) -> bool {
        let last = self.received.last().copied().unwrap_or(0);
        let server = self.server.session.as_mut().and_then(|(_, session)| session.resume(last).ok());
        server.is_some_and(|left| left.is_empty())
    }
}

/// Lines of chat are numbers.
fn number(line: &str) -> u64 {
    line.parse().expect("a line that was not sent")
}

fn due(frames: &mut VecDeque<(Instant, String)>, now: Instant) -> Option<String> {
    frames.pop_front_if(|(at, _)| *at <= now).map(|(_, text)| text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_arrives_once_and_in_order_across_breaks(seed: u64, script in script(false)) {
        let mut world = World::new(seed);
        world.run(&script);
        prop_assert_eq!(world.lost, 0);
        prop_assert_eq!(&world.server.received, &(1..=world.said).collect::<Vec<_>>());
        // If the connection breaks before the first welcome arrives, the server has a session without a client, and
        // messages in it reach nobody. From the welcome on nothing is lost.
        let session = world.server.sessions;
        let skipped = world.received.first().map_or(world.server.said, |first| first - 1);
        prop_assert_eq!(&world.received, &(skipped + 1..=world.server.said).collect::<Vec<_>>());
        prop_assert!(session > 1 || skipped == 0, "only a session without a client loses its messages");
        prop_assert!(session > 1 || world.everything_is_acknowledged());
    }

    #[test]
    fn a_restarted_server_loses_one_session_but_no_order(seed: u64, script in script(true)) {
        let mut world = World::new(seed);
        world.run(&script);
        for received in [&world.received, &world.server.received] {
            prop_assert!(received.is_sorted_by(|a, b| a < b), "in order, each once: {received:?}");
        }
        let before = (world.received.len(), world.server.received.len());
        world.act(&Act::Client(3));
        world.act(&Act::Server(3));
        world.pass(Duration::from_secs(1));
        prop_assert_eq!((world.received.len(), world.server.received.len()), (before.0 + 3, before.1 + 3));
    }
}

#[test]
fn the_scripts_exercise_resume_and_replay() {
    let mut world = World::new(7);
    let second = 1_000;
    world.run(&[
        (second, Act::Client(5)),
        (0, Act::Server(5)),
        (0, Act::Break { to_server: 2, to_client: 3, closes_after: Some(10) }),
        (0, Act::Client(5)),
        (0, Act::Server(5)),
        (second, Act::Break { to_server: 0, to_client: 0, closes_after: None }),
        (0, Act::Client(40)),
        (0, Act::Server(40)),
    ]);
    assert_eq!((world.resumed, world.lost), (2, 0));
    assert_eq!((world.received.len(), world.server.received.len()), (50, 50));
}
