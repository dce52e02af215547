//! Sharing a screen of a display that only this test uses, between engines on 127.0.0.1.
#![allow(clippy::unwrap_used)] // Helpers of tests.

use devices::ScreenCapture;
use engine::media::encoded::VideoCodec;
use engine::media::quality::ssim_y;
use engine::media::slot::FrameSlot;
use engine::{AppView, Command, Picture, ScreenKind, ServerAddress, screens};
use server::{Config, Server, Turn};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use whole_system::people::{Habits, Person, other};
use whole_system::x11::{Program, on_a_display};
use x11rb::protocol::xproto::ConnectionExt as _;
use x11rb::wrapper::ConnectionExt as _;

const PATIENCE: Duration = Duration::from_secs(30);
/// The similarity from which on text is sharp.
const SHARP: f64 = 0.97;

/// Runs the future of a test on a display.
fn with_a_display(name: &str, size: &str, test: impl Future<Output = ()>) {
    on_a_display(module_path!(), name, size, || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(test);
    });
}

fn habits(name: &str, voice: u32, codecs: &[VideoCodec]) -> Habits {
    Habits { codecs: codecs.to_vec(), ..Habits::new(name, voice) }
}

async fn server() -> (Server, ServerAddress) {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config { listen, turn: Turn::Off, ..Config::default() };
    let server = Server::start(config).await.expect("a server");
    let address = ServerAddress { url: server.url().parse().expect("a URL"), fingerprint: server.fingerprint() };
    (server, address)
}

/// Shares the first screen or window.
async fn share(person: &Person, wanted: ScreenKind) -> String {
    let found = tokio::task::spawn_blocking(screens).await.unwrap().unwrap();
    let found = found.into_iter().find(|one| one.kind == wanted).unwrap();
    person.tell(Command::Share { id: found.id.clone(), name: found.name }).await;
    found.id
}

fn shares(view: &AppView, name: &str) -> bool {
    other(view, name).is_some_and(|who| view.sharing.contains(&who.info.id))
}

/// The slot with what somebody shares.
async fn screen(person: &Person, name: &str) -> FrameSlot {
    let view = person.until("sees a share", |view| shares(view, name)).await;
    let id = other(&view, name).unwrap().info.id;
    person.engine.picture(Picture::Share(id)).await.unwrap()
}

/// Waits until the slot shows the screen as it is, and sharp. Returns how long that took.
async fn sharp(slot: &FrameSlot, original: &FrameSlot) -> Duration {
    let (start, mut best) = (Instant::now(), 0.0);
    loop {
        let (now, wanted) = (slot.newer_than(&mut 0), original.newer_than(&mut 0));
        let same =
            now.as_ref().zip(wanted.as_ref()).filter(|(a, b)| a.width() == b.width() && a.height() == b.height());
        best = same.map_or(best, |(now, wanted)| ssim_y(wanted, now, 0));
        if best >= SHARP {
            return start.elapsed();
        }
        assert!(start.elapsed() < PATIENCE, "only {best}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Waits for a picture of this size.
async fn sized(slot: &FrameSlot, size: (u32, u32)) {
    let start = Instant::now();
    while slot.newer_than(&mut 0).is_none_or(|frame| (frame.width(), frame.height()) != size) {
        assert!(start.elapsed() < PATIENCE, "no picture of {size:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// What the test itself sees of a screen.
fn original(id: &str) -> (ScreenCapture, FrameSlot) {
    let slot = FrameSlot::new();
    (ScreenCapture::open(id, slot.clone(), Box::new(|_| {})).unwrap(), slot)
}

#[test]
fn everybody_sees_a_shared_screen_sharp_and_a_still_one_is_not_encoded() {
    const NAME: &str = "everybody_sees_a_shared_screen_sharp_and_a_still_one_is_not_encoded";
    with_a_display(NAME, "1920x1080", async {
        let (_server, address) = server().await;
        // The first is a client as ours are, and the second takes what browsers get.
        let (ada, ben) =
            (Person::new(habits("Ada", 440, &VideoCodec::ALL)), Person::new(habits("Ben", 600, &VideoCodec::ALL)));
        let cyd = Person::new(habits("Cyd", 800, &[VideoCodec::Vp8]));
        ada.enter(&address, "lunch").await;
        ben.enter(&address, "lunch").await;
        ben.reaches("Ada").await;
        let program = Program::start(0, 0, 1920, 1080);
        program.write_page(1);
        let id = share(&ada, ScreenKind::Screen).await;
        let (_capture, original) = original(&id);
        let seen = screen(&ben, "Ada").await;
        println!("first page: {:?}", sharp(&seen, &original).await);
        // Somebody who comes later sees it too.
        cyd.enter(&address, "lunch").await;
        let seen_by_cyd = screen(&cyd, "Ada").await;
        println!("the same for a newcomer: {:?}", sharp(&seen_by_cyd, &original).await);
        for page in 2..4 {
            program.write_page(page);
            sleep(Duration::from_millis(200)).await; // the test's own capture has the new page
            println!("page {page}: {:?}, {:?}", sharp(&seen, &original).await, sharp(&seen_by_cyd, &original).await);
        }
        // It is scrolled all the time.
        let (start, before) = (Instant::now(), decoded(&ben).await);
        for _ in 0..60 {
            program.scroll(1);
            sleep(Duration::from_millis(50)).await;
        }
        let frames = decoded(&ben).await - before;
        println!("{frames} frames of 60 steps in {:?}", start.elapsed());
        assert!(frames > 0, "nothing arrives while it moves");
        ada.sees("Ben").await;
        ben.sees("Ada").await;
        still(&ada).await;
        ada.tell(Command::StopShare).await;
        for person in [&ben, &cyd] {
            person.until("sees no share", |view| view.sharing.is_empty()).await;
        }
        let start = Instant::now();
        while seen.has_frame() {
            assert!(start.elapsed() < PATIENCE, "the last picture stays");
            sleep(Duration::from_millis(10)).await;
        }
        ben.sees("Ada").await;
    });
}

/// Frames of shared screens that somebody has decoded.
async fn decoded(person: &Person) -> u64 {
    person.engine.stats().await.unwrap().participants.iter().map(|one| one.video_in.screen_decoded).sum()
}

/// Waits until nothing is encoded for two seconds.
async fn still(person: &Person) {
    let (start, mut before, mut since) = (Instant::now(), 0, Instant::now());
    while since.elapsed() < Duration::from_secs(2) {
        let encoded = person.engine.stats().await.unwrap().share_out.encoded;
        if std::mem::replace(&mut before, encoded) != encoded {
            since = Instant::now();
        }
        assert!(start.elapsed() < PATIENCE, "a still screen is encoded: {encoded}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn both_share_at_once_and_a_share_ends_with_its_window() {
    with_a_display("both_share_at_once_and_a_share_ends_with_its_window", "800x600", async {
        let (_server, address) = server().await;
        let (ada, ben) =
            (Person::new(habits("Ada", 440, &VideoCodec::ALL)), Person::new(habits("Ben", 600, &VideoCodec::ALL)));
        ada.tell(Command::Share { id: "screen:".into(), name: String::new() }).await;
        ada.enter(&address, "lunch").await;
        ben.enter(&address, "lunch").await;
        assert!(ada.engine.view().borrow().share.is_none(), "outside of a call nothing is shared");
        ada.reaches("Ben").await;
        let program = Program::start(10, 10, 600, 400);
        program.write_page(1);
        let (id, _) = tokio::join!(share(&ada, ScreenKind::Window), share(&ben, ScreenKind::Screen));
        let (_capture, original) = original(&id);
        let (of_ada, of_ben) = (screen(&ben, "Ada").await, screen(&ada, "Ben").await);
        sharp(&of_ada, &original).await;
        sized(&of_ben, (800, 600)).await;
        share(&ada, ScreenKind::Screen).await;
        sized(&of_ada, (800, 600)).await;
        share(&ada, ScreenKind::Window).await;
        sized(&of_ada, (600, 400)).await;
        program.connection.destroy_window(program.window).unwrap();
        program.connection.sync().unwrap();
        let closed = |view: &AppView| view.share.is_none() && view.problems.iter().any(|p| p.code == "screen_closed");
        ada.until("is told that the window is closed", closed).await;
        ben.until("sees no share", |view| view.sharing.is_empty()).await;
        assert!(shares(&ada.engine.view().borrow(), "Ben"), "his goes on");
        ben.tell(Command::Leave).await;
        ben.until("shares nothing outside of a call", |view| view.share.is_none()).await;
    });
}
