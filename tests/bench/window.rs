//! Measures the app's window on a separate display: `window-bench LUNCHROOM RUNS SECONDS BOARD-LOAD SERVER`. `cargo
//! xtask bench window` starts this program, reads its lines of JSON, and asks the kernel for the cost of the named
//! processes.
//!
//! The window's pictures are read from the screen's pixels every four milliseconds. A headless client reads its newest
//! picture sixty times a second, like a window.

use engine::media::stamp::{self, Stamp};
use engine::signaling::message::MediaState;
use engine::{Command, JoinRequest, Picture, ServerAddress, Stage, VideoLimits};
use serde_json::{Value, json};
use server::{Config, Server, Turn};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use whole_system::browser::{Browser, Kind};
use whole_system::desktop::{Desktop, Rect};
use whole_system::people::{Habits, Person};
use whole_system::window::App;

const WINDOW: Rect = Rect { x: 0, y: 0, width: 1280, height: 800 };
/// Everybody's camera, as in the call benchmark.
const SIZE: VideoLimits = VideoLimits { width: 640, height: 360, fps: 30 };
/// The window's own camera unless stated otherwise.
const LARGE: VideoLimits = VideoLimits { width: 1280, height: 720, fps: 30 };
/// Cameras of the nine: about the size of a tile.
const SMALL: VideoLimits = VideoLimits { width: 424, height: 240, fps: 30 };
const NINE: [&str; 9] = ["Ada", "Ben", "Cem", "Dan", "Eve", "Fay", "Hal", "Ida", "Jon"];
const PICTURE: MediaState = MediaState { microphone: false, camera: true, screen: false };
/// Not measured.
const WARM_UP: Duration = Duration::from_secs(6);
const TICK: Duration = Duration::from_nanos(16_666_667);
/// Polling intervals for one picture on the screen and for nine. Polling costs the display server CPU time.
const LOOK: Duration = Duration::from_millis(4);
const LOOK_AT_NINE: Duration = Duration::from_millis(12);
/// Longest wait for everybody's pictures.
const PATIENCE: Duration = Duration::from_secs(60);

/// The colour of the default button in the light theme, and the number of its pixels that indicate a button.
const ACCENT: (u8, u8, u8) = (0xcb, 0x3f, 0x28);
const BUTTON: usize = 1_500;

/// The environment of the measurements.
struct Scene {
    desktop: Desktop,
    program: PathBuf,
    server: ServerAddress,
    page: String,
    time: Duration,
}

/// Time from a picture's creation to its first appearance in ms, by number.
#[derive(Default)]
struct Seen(BTreeMap<u16, i64>);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, runs, seconds, load, server_program] = arguments.as_slice() else { panic!("five arguments") };
    assert!(Desktop::available(), "see above");
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), turn: Turn::Off, ..Config::default() };
    let server = Server::start(config).await.expect("a server");
    let scene = Scene {
        desktop: Desktop::start(),
        program: std::fs::canonicalize(program).expect("the app"),
        server: ServerAddress { url: format!("ws://{}", server.addr()).parse().expect("a URL"), fingerprint: None },
        page: format!("http://{}", server.addr()),
        time: Duration::from_secs(seconds.parse().expect("seconds")),
    };
    let board = Board::full(load, server_program);
    // A new home folder: the first start of any program of this kind lists fonts and creates caches.
    let first = scene.starts(&["--server", &board.url]).await;
    say(&json!({"what": "start", "first_ms": first}));
    for _ in 0..runs.parse::<usize>().expect("runs") {
        let link = format!("lunchroom://join/soup?server={}", scene.server.url);
        let check = scene.starts(&["--server", scene.server.url.as_str(), &link]).await;
        let opened = scene.starts(&["--server", &board.url]).await;
        say(&json!({"what": "start", "check_ms": check, "board_ms": opened}));
    }
    drop(board);
    for run in 0..runs.parse::<usize>().expect("runs") {
        scene.headless(&format!("headless-{run}")).await;
        for (what, size) in [("", SIZE), (", own camera 720p", LARGE)] {
            scene.window(&format!("window-{}-{run}", size.height), &format!("window{what}"), size).await;
            if Kind::Guest.available() {
                scene.tab(&format!("tab-{}-{run}", size.height), &format!("tab{what}"), size).await;
            }
        }
        scene.nine(&format!("nine-{run}")).await;
    }
    server.stop().await;
}

/// A server with a full board, and its subscribers.
struct Board {
    url: String,
    process: Child,
}

impl Board {
    fn full(load: &str, server: &str) -> Board {
        let mut command = std::process::Command::new(load);
        command.args([server, "2000", "200", "hold"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("board-load");
        let mut url = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut url).expect("an address");
        Board { url: url.trim().to_owned(), process }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        drop(self.process.stdin.take()); // the process then ends, and its server with it
        let _ = self.process.wait();
    }
}

impl Scene {
    /// Milliseconds from the start of the program until the only coloured button of the first screen is displayed.
    async fn starts(&self, arguments: &[&str]) -> f64 {
        let folder = self.desktop.home().join("config/org.lunchroom.desktop.start");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("settings.json"), r#"{"name": "Ada", "language": "en"}"#).expect("settings");
        let mut command = self.desktop.program(self.program.to_str().expect("a path in UTF-8"));
        command.args([
            "--profile",
            "start",
            "--camera",
            "test",
            "--microphone",
            "tone",
            "--speaker",
            "null",
            "--loopback",
        ]);
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let mut app = command.spawn().expect("the app");
        while self.desktop.colored(ACCENT) < BUTTON {
            assert!(start.elapsed() < PATIENCE, "no first screen");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let took = start.elapsed();
        let _ = app.kill();
        let _ = app.wait();
        while self.desktop.colored(ACCENT) > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        took.as_secs_f64() * 1e3
    }

    async fn headless(&self, room: &str) {
        let sam = self.person("Sam", SIZE, None, room, BOTH_OF_THEM).await;
        let hal = self.person("Hal", SIZE, None, room, BOTH_OF_THEM).await;
        let who = hal.reaches("Sam").await;
        let slot = hal.engine.picture(Picture::Camera(who.info.id)).await.expect("a picture");
        tokio::time::sleep(WARM_UP).await;
        let (mut seen, mut number) = (Seen::default(), 0);
        let mut tick = tokio::time::interval(TICK);
        let start = Instant::now();
        while start.elapsed() < self.time {
            tick.tick().await;
            if let Some(stamp) = slot.newer_than(&mut number).and_then(|frame| stamp::read(&frame)) {
                seen.note(stamp);
            }
        }
        say(&json!({"what": "headless", "pictures": seen.figures(start.elapsed())}));
        drop((sam, hal));
    }

    async fn window(&self, room: &str, what: &str, size: VideoLimits) {
        let sam = self.person("Sam", SIZE, None, room, BOTH_OF_THEM).await;
        let app = self.sits_down(room, Some(size));
        sam.reaches("Wes").await;
        let places = self.drawn(&app, 1).await;
        tokio::time::sleep(WARM_UP).await;
        let process = process_of(&self.program);
        mark("start", what, process, true);
        let (seen, took) = self.watch(&places, LOOK).await;
        mark("end", what, process, true);
        say(&json!({"what": what, "pictures": seen[0].figures(took)}));
        drop((sam, app));
    }

    /// Measures the same call in a browser tab.
    async fn tab(&self, room: &str, what: &str, size: VideoLimits) {
        let sam = self.person("Sam", SIZE, None, room, BOTH_OF_THEM).await;
        let mut tab = Browser::start(Kind::Guest);
        tab.visit_with_camera(&format!("{}/r/{room}", self.page), (size.width, size.height));
        tab.press("#join-here");
        tab.type_in("lr-check input[type=text]", "Tom");
        tab.press("#join");
        tab.reads("lr-call", "Sam", PATIENCE);
        sam.reaches("Tom").await;
        tab.receives("pictures", PATIENCE, |received| received["framesDecoded"].as_u64() > Some(30));
        tokio::time::sleep(WARM_UP).await;
        mark("start", what, tab.process(), false);
        tokio::time::sleep(self.time).await;
        mark("end", what, tab.process(), false);
        drop((sam, tab));
    }

    async fn nine(&self, room: &str) {
        let app = self.sits_down(room, None);
        let mut people = vec![];
        for name in NINE {
            people.push(self.person(name, SMALL, Some("Wes"), room, PICTURE).await);
        }
        let places = self.drawn(&app, NINE.len()).await;
        tokio::time::sleep(WARM_UP).await;
        let process = process_of(&self.program);
        mark("start", "nine tiles", process, true);
        let (seen, took) = self.watch(&places, LOOK_AT_NINE).await;
        mark("end", "nine tiles", process, true);
        let tiles: Vec<Value> = seen.iter().map(|seen| seen.figures(took)).collect();
        say(&json!({"what": "nine tiles", "tiles": tiles, "width": places[0].width, "height": places[0].height}));
        drop((people, app));
    }

    async fn person(
        &self,
        name: &str,
        video: VideoLimits,
        meets: Option<&str>,
        room: &str,
        media: MediaState,
    ) -> Person {
        let person = Person::new(Habits { video, meets: meets.map(str::to_owned), ..Habits::new(name, 440) });
        let (server, room, name) = (self.server.clone(), room.to_owned(), name.to_owned());
        let seat = room.clone();
        person.tell(Command::Join(JoinRequest { server, room, invite: None, name, media })).await;
        person.until("in the room", |view| view.call.stage == Stage::Joined && view.call.room == seat).await;
        person
    }

    /// Starts the app with a link to the table, with a test pattern of this size as its camera or without one.
    fn sits_down(&self, room: &str, camera: Option<VideoLimits>) -> App {
        let link = format!("lunchroom://join/{room}?server={}", self.server.url);
        let program = self.program.to_str().expect("a path in UTF-8");
        let settings = json!({"camera_on": camera.is_some()});
        let size = camera.map(|size| format!("--size={}x{}", size.width, size.height));
        let mut arguments = vec!["--server", self.server.url.as_str(), &link];
        arguments.extend(size.as_deref());
        let app = App::start(&self.desktop, program, "Wes", settings, &arguments);
        self.desktop.place(&app.title, WINDOW);
        app.press("#join");
        app.until("in the room", "return !!document.querySelector('#leave')");
        app
    }

    /// Waits until the pictures of `count` others are readable and returns their places.
    async fn drawn(&self, app: &App, count: usize) -> Vec<Rect> {
        let start = Instant::now();
        loop {
            let places = app.pictures(WINDOW);
            let readable = places.iter().filter(|place| self.desktop.stamp(**place).is_some()).count();
            if places.len() == count && readable == count {
                return places;
            }
            assert!(start.elapsed() < PATIENCE, "{readable} of {} pictures can be read: {places:?}", places.len());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn watch(&self, places: &[Rect], look: Duration) -> (Vec<Seen>, Duration) {
        let mut seen: Vec<Seen> = places.iter().map(|_| Seen::default()).collect();
        let start = Instant::now();
        while start.elapsed() < self.time {
            for (seen, place) in seen.iter_mut().zip(places) {
                if let Some(stamp) = self.desktop.stamp(*place) {
                    seen.note(stamp);
                }
            }
            tokio::time::sleep(look).await;
        }
        (seen, start.elapsed())
    }
}

const BOTH_OF_THEM: MediaState = whole_system::people::BOTH;

impl Seen {
    fn note(&mut self, stamp: Stamp) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        self.0.entry(stamp.seq).or_insert_with(|| stamp.age_ms(now));
    }

    fn figures(&self, took: Duration) -> Value {
        let mut ages: Vec<i64> = self.0.values().copied().collect();
        ages.sort_unstable();
        let at = |share: f64| ages.get((share * ages.len().saturating_sub(1) as f64).round() as usize);
        json!({"fps": ages.len() as f64 / took.as_secs_f64(), "p50_ms": at(0.5), "p95_ms": at(0.95)})
    }
}

/// Tells the parent process to measure the process and its children, or its children only.
fn mark(when: &str, what: &str, process: u32, itself: bool) {
    say(&json!({"mark": when, "what": what, "process": process, "itself": itself}));
    // Give it time to measure.
    std::thread::sleep(Duration::from_millis(300));
}

fn say(line: &Value) {
    println!("{line}");
}

/// The only process of this program. The window's driver starts it, not this program.
fn process_of(program: &Path) -> u32 {
    let ours = |process: &u32| std::fs::read_link(format!("/proc/{process}/exe")).is_ok_and(|exe| exe == program);
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let mut processes = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    processes.find(ours).expect("the app runs")
}
