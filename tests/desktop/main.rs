//! The app's window on a separate display. The tests read the pixels of the screen.

mod avatar;
mod habits;
mod ports;
mod trouble;

use engine::ServerAddress;
use serde_json::Value;
use server::{Config, Server, Turn};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;
use whole_system::PATIENCE;
use whole_system::desktop::{Desktop, Rect};
use whole_system::people::{Habits, Person};
use whole_system::seclusion;
use whole_system::skip::find;
use whole_system::skip_unless;
use whole_system::window::App;

/// The program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_lunchroom");

const LEFT: Rect = Rect { x: 0, y: 0, width: 880, height: 700 };
const RIGHT: Rect = Rect { x: 900, y: 0, width: 880, height: 700 };
/// Maximum age of a picture on the screen, on a machine that is busy with other tests.
const OLDEST_MS: i64 = 5_000;

#[test]
fn two_windows_call_each_other_and_show_mute_camera_off_and_leave() {
    let Some(place) = Place::new() else { return };
    let (ada, ben) = (place.sits_down("Ada", LEFT, &[]), place.sits_down("Ben", RIGHT, &[]));
    place.sees_the_other(&ada, LEFT);
    place.sees_the_other(&ben, RIGHT);

    ben.press("#call-microphone");
    ada.until(
        "Ben is shown muted",
        "const m = document.querySelector('lr-tile:not(.own) .muted'); return !!m && !m.hidden",
    );
    ben.press("#call-camera");
    ada.until("Ben's picture is gone", "return !document.querySelector('lr-tile:not(.own) canvas')");
    place.sees_the_other(&ben, RIGHT);
    ben.press("#call-camera");
    place.sees_the_other(&ada, LEFT);
    ben.press("#leave");
    ada.until(
        "alone",
        "return document.querySelectorAll('lr-tile').length === 1 && !document.querySelector('lr-tile:not(.own)')",
    );
}

#[test]
fn a_shared_screen_takes_the_stage_until_its_owner_stops() {
    let Some(place) = Place::new() else { return };
    let (ada, ben) = (place.sits_down("Ada", LEFT, &[]), place.sits_down("Ben", RIGHT, &[]));
    place.sees_the_other(&ben, RIGHT);
    ada.press("#call-share");
    ada.press(".share-choice");
    ada.until("told that she shares", "return !!document.querySelector('.call-sharing:not([hidden])')");
    ben.until("Ada's screen", "return !!document.querySelector('lr-screen-tile canvas.drawn')");
    let largest = "const area = e => e.clientWidth * e.clientHeight, tiles = [...document.querySelector('.tiles').children]; \
                   return tiles.every(tile => area(tile) <= area(document.querySelector('lr-screen-tile')))";
    ben.until("it has the stage", largest);
    let width = "return document.querySelector('lr-screen-tile canvas').width";
    let before = ben.run(width).as_f64().expect("a width");
    ben.press("lr-screen-tile .zoom button:last-child");
    ben.until("more pixels of the zoomed screen", &format!("{width} > {before}"));
    ada.press("#stop-sharing");
    ben.until("the screen is gone", "return !document.querySelector('lr-screen-tile')");
    place.sees_the_other(&ben, RIGHT);
}

#[test]
fn without_the_socket_frames_are_fetched_singly() {
    let Some(place) = Place::new() else { return };
    let (ada, ben) = (place.sits_down("Ada", LEFT, &["--no-frame-socket"]), place.sits_down("Ben", RIGHT, &[]));
    place.sees_the_other(&ada, LEFT);
    place.sees_the_other(&ben, RIGHT);
}

#[test]
fn with_the_port_blocked_frames_are_fetched_singly() {
    const NAME: &str = "with_the_port_blocked_frames_are_fetched_singly";
    // Firewall rules are only for a separate network.
    seclusion::within(NAME, || {
        let Some(place) = Place::new().filter(|_| skip_unless("nft")) else { return };
        seclusion::set_up();
        let ben = place.runtime.block_on(place.headless("Ben"));
        let ada = place.sits_down("Ada", LEFT, &[]);
        place.sees_the_other(&ada, LEFT);
        block(ports::of(PROGRAM));
        ada.run("location.reload()");
        ada.until("in the room again", "return !!document.querySelector('#leave')");
        place.sees_the_other(&ada, LEFT);
        drop((ada, ben));
    });
}

#[test]
fn a_link_opens_the_device_check_and_sends_nothing() {
    let Some(place) = Place::new() else { return };
    // Nobody may connect to this server before the person agrees.
    let stranger = TcpListener::bind("127.0.0.1:0").expect("a port");
    stranger.set_nonblocking(true).expect("a listener that does not wait");
    let link =
        |room: &str| format!("lunchroom://join/{room}?server=ws://{}", stranger.local_addr().expect("its address"));
    let app = App::start(&place.desktop, PROGRAM, "Ada", Value::Null, &["--server", &place.url, &link("soup")]);
    app.until("at the device check of soup", &at_check("soup"));

    let second = place.second_start("ada", &link("noodles"));
    assert!(second.success(), "{second}");
    app.until("at the device check of noodles", &at_check("noodles"));
    for hostile in
        ["lunchroom://join/..%2f..?server=wss://h", "lunchroom://join/a?server=javascript:alert(1)", "--camera"]
    {
        let second = place.second_start("ada", hostile);
        assert!(second.success(), "{hostile}: {second}");
    }
    app.until("still at the device check of noodles", &at_check("noodles"));
    std::thread::sleep(Duration::from_millis(1_500)); // time for a connection that must not happen
    assert!(stranger.accept().is_err(), "something was sent before joining");
}

#[test]
fn links_open_in_the_app() {
    let Some(place) = Place::new() else { return };
    if !["gio", "xdg-mime", "update-desktop-database"].into_iter().all(skip_unless) {
        return;
    }
    // On its first start the app registers as the handler of such links.
    let mut first = place.plain_start(&[]);
    place.log_says("lunchroom 0");
    let handler = place.desktop.home().join("data/applications");
    let end = Instant::now() + PATIENCE;
    while std::fs::read_dir(&handler).map_or(0, Iterator::count) < 2 {
        assert!(Instant::now() < end, "no handler in {}", handler.display());
        std::thread::sleep(Duration::from_millis(100));
    }
    let _ = first.kill();
    let _ = first.wait();
    for (room, state) in [("soup", "cold"), ("noodles", "warm")] {
        let link = format!("lunchroom://join/{room}?server=ws://127.0.0.1:9");
        let opened =
            place.desktop.program("gio").args(["open", &link]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(opened.expect("gio").success(), "{state}");
        place.log_says(&format!("a link to {room} is shown"));
    }
    assert_eq!(place.log().matches("lunchroom 0").count(), 2, "the second link went to the running app");
    place.end_apps();
}

#[test]
fn without_a_display_an_error_is_printed() {
    let done = Command::new(PROGRAM).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().expect("it starts");
    assert_eq!(done.status.code(), Some(3));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("needs a display") && said.contains("화면"), "{said}");
}

/// A desktop with a server.
struct Place {
    desktop: Desktop,
    url: String,
    /// `None` while it is away.
    server: Option<Server>,
    runtime: Runtime,
}

impl Place {
    /// Returns `None`, and reports a skip, if a tool is missing.
    fn new() -> Option<Place> {
        if !Desktop::available() {
            return None;
        }
        let runtime = Runtime::new().expect("a runtime");
        let listen = testkit::loopback::address();
        let server = runtime.block_on(Server::start(Config { listen, turn: Turn::Off, ..Config::default() }));
        let server = server.expect("a server");
        let url = format!("ws://{}", server.addr());
        Some(Place { desktop: Desktop::start(), url, server: Some(server), runtime })
    }

    /// Starts somebody without a window, in the same room.
    async fn headless(&self, name: &str) -> Person {
        let person = Person::new(Habits::new(name, 440));
        let server = ServerAddress { url: self.url.parse().expect("a URL"), fingerprint: None };
        person.enter(&server, "soup").await;
        person
    }

    /// Starts the app with a link to the room and joins.
    fn sits_down(&self, name: &str, at: Rect, arguments: &[&str]) -> App {
        self.sits_down_with(name, Value::Null, at, arguments)
    }

    /// The same, with more settings.
    fn sits_down_with(&self, name: &str, settings: Value, at: Rect, arguments: &[&str]) -> App {
        let link = format!("lunchroom://join/soup?server={}", self.url);
        let arguments: Vec<&str> =
            ["--server", &self.url].into_iter().chain(arguments.iter().copied()).chain([link.as_str()]).collect();
        let app = App::start(&self.desktop, PROGRAM, name, settings, &arguments);
        self.desktop.place(&app.title, at);
        app.press("#join");
        app.until("in the room", "return !!document.querySelector('#leave')");
        app
    }

    /// Waits until the other's picture is on the screen, recent and moving.
    fn sees_the_other(&self, app: &App, at: Rect) {
        let end = Instant::now() + PATIENCE;
        let mut numbers = std::collections::BTreeSet::new();
        while numbers.len() < 3 {
            assert!(Instant::now() < end, "{}: no fresh pictures: {numbers:?}, {:?}", app.title, app.other_picture(at));
            let found = app.other_picture(at).and_then(|place| self.desktop.stamp(place));
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
            if let Some(stamp) = found.filter(|stamp| (0..OLDEST_MS).contains(&stamp.age_ms(now))) {
                numbers.insert(stamp.seq);
            }
        }
    }

    fn second_start(&self, profile: &str, argument: &str) -> std::process::ExitStatus {
        let arguments = ["--profile", profile, "--", argument];
        let arguments =
            if argument.starts_with('-') { &["--profile", profile, argument, "test"][..] } else { &arguments[..] };
        let child = self.desktop.program(PROGRAM).args(arguments).stderr(Stdio::null()).spawn();
        child.expect("it starts").wait().expect("it ends")
    }

    fn plain_start(&self, arguments: &[&str]) -> std::process::Child {
        self.desktop.program(PROGRAM).args(arguments).stderr(Stdio::null()).spawn().expect("it starts")
    }

    fn log(&self) -> String {
        self.log_of_app("org.lunchroom.desktop")
    }

    fn log_of_app(&self, identifier: &str) -> String {
        // A file for each day: there are two if midnight passes meanwhile.
        let folder = std::fs::read_dir(self.desktop.home().join(format!("data/{identifier}/logs")));
        let mut files: Vec<_> = folder.into_iter().flatten().flatten().map(|file| file.path()).collect();
        files.sort();
        files.iter().map(|file| std::fs::read_to_string(file).unwrap_or_default()).collect()
    }

    fn log_says(&self, words: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.log().contains(words) {
            assert!(Instant::now() < end, "never logged: {words}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until the app of a profile has logged these words.
    fn log_of(&self, profile: &str, words: &str) {
        let end = Instant::now() + PATIENCE;
        let log = || self.log_of_app(&format!("org.lunchroom.desktop.{profile}"));
        while !log().contains(words) {
            assert!(Instant::now() < end, "never logged: {words}\n{}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Ends apps that `gio` has started. They are not children of the test.
    fn end_apps(&self) {
        let found = self.desktop.program("xdotool").args(["search", "--name", "^Lunchroom$", "getwindowpid"]).output();
        for id in String::from_utf8_lossy(&found.expect("xdotool").stdout).split_whitespace() {
            let _ = Command::new("kill").arg(id).status(); // it may have ended already
        }
    }
}

/// Silently drops packets to these ports.
fn block(ports: Vec<u16>) {
    assert!(!ports.is_empty(), "no port to block");
    let list = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let rules = format!(
        "table inet blocked {{ chain input {{ type filter hook input priority 0; tcp dport {{ {list} }} drop; }}; }}"
    );
    let done = Command::new(find("nft").expect("installed")).arg(rules).status().expect("nft runs");
    assert!(done.success());
}

fn at_check(room: &str) -> String {
    format!(
        "return !!document.querySelector('#join') && document.querySelector('lr-check h1').textContent === '{room}'"
    )
}
