//! Shared screens between the app's engine and a guest in a browser.

use engine::media::slot::FrameSlot;
use engine::{AppView, Command, Picture, ScreenKind, ServerAddress, screens};
use server::{Config, Server, Turn};
use std::time::{Duration, Instant};
use whole_system::browser::{Browser, Kind};
use whole_system::people::{Habits, Person, other};
use whole_system::seclusion;
use whole_system::x11::{Program, on_a_display};

/// Longest wait for a change on the page.
const PATIENCE: Duration = Duration::from_secs(60);
/// The screen is wider than every camera.
const WIDTH: u64 = 1280;

/// The guest sees Ada's screen, shares one at the same time, and sees it end.
pub(crate) fn guest(test: &str, kind: Kind) {
    if !kind.available() {
        return;
    }
    on_a_display(env!("CARGO_CRATE_NAME"), test, "1280x720", || {
        seclusion::set_up();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(both_share(kind));
    });
}

async fn both_share(kind: Kind) {
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), turn: Turn::Off, ..Config::default() };
    let server = Server::start(config).await.expect("the server starts");
    let address = ServerAddress { url: server.url().parse().expect("a URL"), fingerprint: None };
    let ada = Person::new(Habits { loopback: false, ..Habits::new("Ada", 700) });
    ada.enter(&address, "soup").await;
    let program = Program::start(0, 0, 1280, 720);
    program.write_page(1);
    let mut gus = Browser::start(kind);
    gus.visit(&format!("http://{}/r/soup", server.addr()));
    gus.press("#join-here");
    gus.type_in("lr-check input[type=text]", "Gus");
    gus.press("#join");
    gus.reads("lr-call", "Ada", PATIENCE);
    ada.reaches("Gus").await;

    let found = tokio::task::spawn_blocking(screens).await.expect("it ends").expect("a display");
    let screen = found.into_iter().find(|one| one.kind == ScreenKind::Screen).expect("a screen");
    ada.tell(Command::Share { id: screen.id, name: screen.name }).await;
    gus.reads("lr-screen-tile", "Ada’s screen", PATIENCE);
    gus.receives("Ada's screen", PATIENCE, |received| received["frameWidth"].as_u64() == Some(WIDTH));

    gus.press("#call-share");
    gus.reads(".call-sharing", "You’re sharing", PATIENCE);
    let view = ada.until("sees Gus share", |view| shares(view, "Gus")).await;
    let id = other(&view, "Gus").expect("there").info.id;
    let slot = ada.engine.picture(Picture::Share(id)).await.expect("Gus");
    pictures(&slot).await;

    ada.tell(Command::StopShare).await;
    let start = Instant::now();
    while gus.reads("lr-call", "Ada", PATIENCE).contains("Ada’s screen") {
        assert!(start.elapsed() < PATIENCE, "the screen stays");
    }
    gus.press("#stop-sharing");
    ada.until("sees no share", |view| view.sharing.is_empty()).await;
    drop(gus);
    server.stop().await;
}

/// Waits for a picture of a screen, which a fake camera would not fill.
async fn pictures(slot: &FrameSlot) {
    let start = Instant::now();
    while slot.newer_than(&mut 0).is_none() {
        assert!(start.elapsed() < PATIENCE, "no picture of the guest's screen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn shares(view: &AppView, name: &str) -> bool {
    other(view, name).is_some_and(|who| view.sharing.contains(&who.info.id))
}
