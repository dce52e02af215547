//! Whole calls on 127.0.0.1: the real server and real engines, with stamped pictures and tones as voices.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engine::signaling::avatar::{Avatar, photo_id};
use engine::signaling::board::BoardRequest;
use engine::signaling::connection_report::{ConnectionReport, ConnectionVerdict};
use engine::signaling::message::{ErrorCode, MediaState};
use engine::{
    AppView, BoardAnswer, Command, Ended, Picture, ServerAddress, SessionView, Stage, Tile, VideoLimits, VideoOutStats,
};
use server::{Config, Server, Tls, Turn};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use whole_system::people::{BOTH, Habits, Person, other};

#[tokio::test(flavor = "multi_thread")]
async fn two_people_exchange_video_audio_and_chat() {
    let server = Server::start(config()).await.expect("a server");
    let (ada, ben) = (Person::new(Habits::new("Ada", 440)), Person::new(Habits::new("Ben", 600)));
    ada.enter(&address(&server), "lunch").await;
    ben.enter(&address(&server), "lunch").await;
    tokio::join!(ada.sees("Ben"), ben.sees("Ada"), ada.plays(600), ben.plays(440));

    ada.write("Grüße, 昼").await;
    for person in [&ada, &ben] {
        let said = |view: &AppView| view.chat.last().is_some_and(|line| line.text == "Grüße, 昼");
        person.until("has the line", said).await;
    }

    ben.tell(Command::SetCamera(false)).await;
    ada.until("sees the camera off", |view| media(view, "Ben") == MediaState { camera: false, ..BOTH }).await;
    ada.sees_no_more_of("Ben").await;
    ada.plays(600).await;
    ben.tell(Command::SetMicrophone(false)).await;
    ada.until("sees the microphone off", |view| media(view, "Ben") == MediaState::default()).await;
    ada.plays_nothing().await;
    ben.tell(Command::SetCamera(true)).await;
    ben.tell(Command::SetMicrophone(true)).await;
    ada.until("sees both on", |view| media(view, "Ben") == BOTH).await;
    tokio::join!(ada.sees("Ben"), ada.plays(600), ben.sees("Ada"));

    ben.tell(Command::Leave).await;
    ben.until("out", |view| view.call.stage == Stage::Ended(Ended::Left)).await;
    ada.until("alone", |view| view.call.participants.is_empty()).await;
    ada.plays_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_avatar_is_shown_on_the_board_and_in_a_running_call() {
    let server = Server::start(config()).await.expect("a server");
    let (ada, ben) = (Person::new(Habits::new("Ada", 440)), Person::new(Habits::new("Ben", 600)));
    let at = address(&server);
    ada.tell(Command::Connect { server: at.clone(), name: "Ada".into() }).await;
    ada.until("the board", |view| view.board.is_some()).await;
    ada.enter(&at, "lunch").await;
    ben.enter(&at, "lunch").await; // and has no board
    ada.reaches("Ben").await;
    let jpeg = URL_SAFE_NO_PAD.encode(JPEG);
    let set = BoardRequest::SetAvatar { color: Some(3), glyph: Some("🍜".into()), jpeg: Some(jpeg.clone()) };
    ben.engine.board(set).await.expect("stored");
    let id = photo_id(JPEG);
    let avatar = Avatar { photo: Some(id.clone()), color: Some(3), glyph: Some("🍜".into()) };
    ada.until("in the call", |view| other(view, "Ben").is_some_and(|ben| ben.info.avatar == avatar)).await;
    let on_board = |view: &AppView| {
        view.board.as_ref().is_some_and(|board| board.people.iter().any(|person| person.avatar == avatar))
    };
    ada.until("on the board", on_board).await;
    assert_eq!(ada.engine.board(BoardRequest::Photo { id }).await, Ok(BoardAnswer::Photo(jpeg)));
    let unknown = ada.engine.board(BoardRequest::Photo { id: photo_id(b"another") }).await;
    assert_eq!(unknown.expect_err("nobody has it").code, "no_such_photo");
}

/// The structure of a photo of 16x16 pixels.
const JPEG: &[u8] = &[
    0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 16, 0, 16, 1, 1, 0x11, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 7, 0xff, 0xd9,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_microphone_is_off_and_reported_to_its_owner() {
    let server = Server::start(config()).await.expect("a server");
    let ada = Person::new(Habits::new("Ada", 440));
    let ben = Person::new(Habits { microphone: Some("wav:/nowhere at all.wav"), ..Habits::new("Ben", 600) });
    ada.enter(&address(&server), "lunch").await;
    ben.enter(&address(&server), "lunch").await;
    let camera = MediaState { microphone: false, camera: true, screen: false };
    let off = |view: &AppView| other(view, "Ben").is_some_and(|ben| ben.info.media == camera);
    ada.until("sees the microphone off", off).await;
    ben.until("sees the problem", |view| view.problems.iter().any(|problem| problem.code == "file_not_found")).await;
    assert_eq!(ben.engine.view().borrow().call.media, BOTH, "the requested state stays");
    ada.sees("Ben").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_address_without_a_relay_is_reported_until_it_is_shown() {
    let server = Server::start(config()).await.expect("a server");
    let (ada, ben) = (Person::new(Habits::new("Ada", 440)), Person::new(Habits::new("Ben", 600)));
    ada.tell(Command::SetRelayOnly(true)).await;
    ada.enter(&address(&server), "lunch").await;
    ben.enter(&address(&server), "lunch").await;
    let no_relay = |view: &AppView| view.problems.iter().any(|problem| problem.code == "peer_no_relay");
    ada.until("sees the problem", no_relay).await;
    ada.tell(Command::SetRelayOnly(false)).await;
    ada.until("sees no problem", |view| !no_relay(view)).await;
    ada.reaches("Ben").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_report_what_their_networks_let_through() {
    let server = Server::start(config()).await.expect("a server");
    let (ada, ben) = (Person::new(Habits::new("Ada", 440)), Person::new(Habits::new("Ben", 600)));
    ada.enter(&address(&server), "lunch").await;
    ben.enter(&address(&server), "lunch").await;
    ada.reaches("Ben").await;
    ada.tell(Command::CheckOthers).await;
    let report = |view: &AppView| other(view, "Ben").and_then(|ben| ben.report);
    let view = ada.until("has Ben's report", |view| report(view).is_some()).await;
    // This server has no relay, and nothing else is wrong with the loopback.
    let expected =
        ConnectionReport { verdict: ConnectionVerdict::Restricted, findings: vec!["no_relay_offered".into()] };
    assert_eq!(report(&view), Some(expected));
    assert_eq!(other(&ben.engine.view().borrow(), "Ada").and_then(|ada| ada.report), None, "nobody asked Ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_person_receives_both_and_a_fourth_is_refused() {
    let mut config = config();
    config.rooms.participants = 3;
    let server = Server::start(config).await.expect("a server");
    let people = [Habits::new("Ada", 440), Habits::new("Ben", 600), Habits::new("Cem", 1000)].map(Person::new);
    for person in &people {
        person.enter(&address(&server), "lunch").await;
    }
    let [ada, ben, cem] = &people;
    tokio::join!(ada.sees("Ben"), ada.sees("Cem"), ben.sees("Ada"), ben.sees("Cem"), cem.sees("Ada"), cem.sees("Ben"));
    tokio::join!(ada.plays_all(&[600, 1000]), ben.plays_all(&[440, 1000]), cem.plays_all(&[440, 600]));

    let dan = Person::new(Habits::new("Dan", 300));
    dan.join(&address(&server), "lunch").await;
    let full = Stage::Ended(Ended::Refused(ErrorCode::RoomFull));
    dan.until("refused", |view| view.call.stage == full).await;
    assert!(other(&ada.engine.view().borrow(), "Dan").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sent_size_follows_the_displayed_size() {
    let server = Server::start(config()).await.expect("a server");
    let video = VideoLimits { width: 640, height: 360, fps: 15 };
    let (ada, ben) = (Person::new(Habits::new("Ada", 440)), Person::new(Habits { video, ..Habits::new("Ben", 600) }));
    ada.enter(&address(&server), "lunch").await;
    ben.enter(&address(&server), "lunch").await;
    tokio::join!(ada.sees("Ben"), ben.sees("Ada"), sends(&ben, (640, 360)));

    let (window, _pictures) = ada.engine.frame_feed().expect("a feed");
    let picture = Picture::Camera(ada.reaches("Ben").await.info.id);
    let show = |width, height, visible| {
        window.set_tiles(vec![Tile { stream: 1, picture: picture.clone(), width, height, visible }]);
    };
    show(320, 200, true);
    sends(&ben, (320, 180)).await;
    tokio::join!(ada.sees("Ben"), ada.plays(600));
    show(320, 200, false);
    ada.sees_no_more_of("Ben").await;
    ada.plays(600).await;
    show(800, 600, true);
    sends(&ben, (640, 360)).await;
    ada.sees("Ben").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_saver_makes_pictures_small_in_both_directions_and_leaves_sound() {
    let server = Server::start(config()).await.expect("a server");
    let video = VideoLimits { width: 640, height: 360, fps: 30 };
    let [ada, ben] =
        [("Ada", 440), ("Ben", 600)].map(|(name, hz)| Person::new(Habits { video, ..Habits::new(name, hz) }));
    ada.enter(&address(&server), "lunch").await;
    ben.enter(&address(&server), "lunch").await;
    let (window, _pictures) = ben.engine.frame_feed().expect("a feed");
    let picture = Picture::Camera(ben.reaches("Ada").await.info.id);
    window.set_tiles(vec![Tile { stream: 1, picture, width: 800, height: 600, visible: true }]);
    tokio::join!(sends(&ada, (640, 360)), sends(&ben, (640, 360)));

    ben.tell(Command::SetDataSaver(true)).await;
    let is_little = |width: u32, most: u64| move |now: &VideoOutStats| now.size.0 == width && now.target <= most;
    tokio::join!(
        sends_as("little", &ben, is_little(320, 120_000)),
        // Ada's client is asked for less than it could send.
        sends_as("little", &ada, is_little(240, 200_000)),
    );
    tokio::join!(ada.sees("Ben"), ben.sees("Ada"), ada.plays(600), ben.plays(440));
    ben.tell(Command::SetDataSaver(false)).await;
    tokio::join!(sends(&ada, (640, 360)), sends(&ben, (640, 360)));
}

/// Waits until somebody's camera is sent at this size.
async fn sends(person: &Person, size: (u32, u32)) {
    sends_as(&format!("{size:?}"), person, |now| now.size == size).await;
}

async fn sends_as(what: &str, person: &Person, is: impl Fn(&VideoOutStats) -> bool) {
    let start = Instant::now();
    loop {
        let now = person.engine.stats().await.expect("a running engine").video_out;
        if is(&now) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{} sends {now:?}, not {what}", person.name());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_server_is_reported() {
    let server = Server::start(config()).await.expect("a server");
    let nowhere = address(&server);
    server.stop().await;
    assert_eq!(refusal(&nowhere).await, "server_unreachable");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_certificate_of_the_link_is_accepted() {
    let server = Server::start(Config { tls: Tls::SelfSigned, ..config() }).await.expect("a server");
    let right = address(&server);
    let fingerprint = right.fingerprint.expect("a pinned certificate");
    let plain = ServerAddress { fingerprint: None, ..right.clone() };
    assert_eq!(distrusted(&plain).await, "certificate_refused");
    let mut wrong = fingerprint;
    wrong[31] ^= 1;
    let other = ServerAddress { fingerprint: Some(wrong), ..right.clone() };
    assert_eq!(distrusted(&other).await, "wrong_certificate");
    Person::new(Habits::new("Ada", 440)).enter(&right, "lunch").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_survives_a_server_outage() {
    let (process, server) = doomed().await;
    let at = address(&server);
    let listen = server.addr();
    let (ada, ben) = (Person::new(Habits::new("Ada", 440)), Person::new(Habits::new("Ben", 600)));
    ada.enter(&at, "lunch").await;
    ben.enter(&at, "lunch").await;
    tokio::join!(ada.sees("Ben"), ben.sees("Ada"));

    kill(process).await;
    drop(server);
    for person in [&ada, &ben] {
        person.until("reconnecting", |view| view.call.stage == Stage::Reconnecting).await;
    }
    tokio::join!(ada.sees("Ben"), ben.sees("Ada"), ada.plays(600), ben.plays(440));
    ada.write("written while the server is dead").await;
    let waits = |view: &AppView| view.call.unsent.iter().any(|line| line.failed.is_none());
    ada.until("with the line shown as waiting", waits).await;

    let server = again(listen).await;
    for (person, name) in [(&ada, "Ben"), (&ben, "Ada")] {
        let back = |view: &AppView| {
            view.call.stage == Stage::Joined && view.call.participants.len() == 1 && other(view, name).is_some()
        };
        person.until("back in the room", back).await;
    }
    tokio::join!(ada.sees("Ben"), ben.sees("Ada"), ada.plays(600), ben.plays(440));
    ada.write("back").await;
    for person in [&ada, &ben] {
        let view = person.until("has the line", |view| view.chat.iter().any(|line| line.text == "back")).await;
        let texts: Vec<_> = view.chat.iter().map(|line| &*line.text).collect();
        assert_eq!(texts, ["written while the server is dead", "back"], "once, and in order");
        person.until("without unsent lines", |view| view.call.unsent.is_empty()).await;
    }
    server.stop().await;
}

fn config() -> Config {
    Config { listen: testkit::loopback::address(), turn: Turn::Off, ..Config::default() }
}

fn address(server: &Server) -> ServerAddress {
    ServerAddress { url: server.url().parse().expect("a URL"), fingerprint: server.fingerprint() }
}

/// Starts a server in a separate runtime that can be killed like a process: in the middle of a message, which closes
/// its sockets.
async fn doomed() -> (Runtime, Server) {
    let process = Runtime::new().expect("a runtime");
    let server = process.spawn(Server::start(config())).await.expect("a task").expect("a server");
    (process, server)
}

async fn kill(process: Runtime) {
    let killed = tokio::task::spawn_blocking(move || process.shutdown_timeout(Duration::from_secs(5)));
    killed.await.expect("dead");
}

/// Starts a server on the same port. The sockets of the killed server may hold it for a moment.
async fn again(listen: SocketAddr) -> Server {
    for _ in 0..100 {
        match Server::start(Config { listen, ..config() }).await {
            Ok(server) => return server,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    panic!("{listen} is taken");
}

fn media(view: &AppView, name: &str) -> MediaState {
    other(view, name).expect("in the room").info.media
}

/// Returns the error code displayed to somebody who is refused.
async fn refusal(server: &ServerAddress) -> String {
    let person = Person::new(Habits::new("Eve", 300));
    person.join(server, "lunch").await;
    let view = person.until("refused", |view| problem(&view.session).is_some()).await;
    assert_ne!(view.call.stage, Stage::Joined);
    problem(&view.session).expect("refused")
}

/// Returns why the attempt ended. The client does not retry such a server.
async fn distrusted(server: &ServerAddress) -> String {
    let person = Person::new(Habits::new("Eve", 300));
    person.join(server, "lunch").await;
    let over = |view: &AppView| matches!(view.call.stage, Stage::Ended(Ended::Untrusted(_)));
    let view = person.until("stopped trying", over).await;
    assert!(matches!(view.session, SessionView::Closed { .. }), "{:?}", view.session);
    problem(&view.session).expect("a reason")
}

fn problem(session: &SessionView) -> Option<String> {
    match session {
        SessionView::Closed { problem } | SessionView::Connecting { problem, .. } => {
            problem.as_ref().map(|problem| problem.code.clone())
        }
        SessionView::Open { .. } => None,
    }
}
