//! What people expect of a desktop app: its window opens where it was, it may stay in the tray, and keys reach it from other
//! apps.

use crate::{LEFT, Place};
use engine::{AppView, Command, ServerAddress};
use serde_json::json;
use std::process::Child;
use std::time::{Duration, Instant};
use whole_system::PATIENCE;
use whole_system::desktop::{Ended, Rect};
use whole_system::people::{Habits, Person};
use whole_system::skip::skip;

const TITLE: &str = "Lunchroom (ada)";

#[test]
fn the_window_opens_where_it_was() {
    let Some(place) = Place::new() else { return };
    let at = Rect { x: 140, y: 90, width: 900, height: 640 };
    let app = start(&place, &[]);
    place.desktop.place(TITLE, at);
    wait("the new place", || place.desktop.place_of(TITLE) == at);
    place.desktop.close(TITLE);
    ends(app);
    let _app = start(&place, &[]);
    wait("the same place", || place.desktop.place_of(TITLE) == at);
}

#[test]
fn a_hidden_start_shows_no_window_until_the_app_is_started_another_time() {
    let Some(place) = Place::new() else { return };
    let folder = place.desktop.home().join("config/org.lunchroom.desktop.ada");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("settings.json"), json!({"name": "Ada"}).to_string()).expect("settings");
    let server = ServerAddress { url: place.url.parse().expect("a URL"), fingerprint: None };
    let ben = place.runtime.block_on(async {
        let ben = Person::new(Habits::new("Ben", 440));
        ben.tell(Command::Connect { server, name: "Ben".into() }).await;
        ben
    });
    let _app = start(&place, &["--hidden", "--server", &place.url]);
    // She is told of her lunches without her window.
    let has_ada = |view: &AppView| view.board.iter().flat_map(|board| &board.people).any(|person| person.name == "Ada");
    place.runtime.block_on(ben.until("told that Ada is there", has_ada));
    assert!(place.second_start("ada", "--hidden").success());
    place.log_of("ada", "the app was started another time");
    assert!(!place.desktop.is_visible(TITLE), "the login of a person whose app runs already");
    assert!(place.second_start("ada", "lunchroom://join/soup?server=ws://127.0.0.1:9").success());
    wait("the window", || place.desktop.is_visible(TITLE));
}

#[test]
fn closing_to_the_tray_ends_the_call_and_keeps_the_app() {
    let Some(place) = Place::new() else { return };
    let app = place.sits_down_with("Ada", json!({"close_to_tray": true}), LEFT, &[]);
    app.press("#call-more");
    app.press(".menu:popover-open button:last-child");
    app.until("the settings", "return !!document.querySelector('lr-settings')");
    if app.run("return !document.querySelector('#settings-close_to_tray')") == json!(true) {
        skip("there is no library for the tray");
        return;
    }
    let ben = place.runtime.block_on(place.headless("Ben"));
    place.runtime.block_on(ben.reaches("Ada"));
    place.desktop.close(TITLE);
    place.runtime.block_on(ben.until("alone", |view| view.call.participants.is_empty()));
    wait("no window", || !place.desktop.is_visible(TITLE));
    assert!(place.second_start("ada", "lunchroom://join/soup?server=ws://127.0.0.1:9").success());
    wait("the window", || place.desktop.is_visible(TITLE));
}

#[test]
fn keys_from_anywhere_mute_and_talk_in_a_call() {
    let Some(place) = Place::new() else { return };
    let keys = json!({"mute_keys": "Ctrl+Alt+KeyM", "talk_keys": "F9", "microphone_on": true});
    let app = place.sits_down_with("Ada", keys, LEFT, &[]);
    let microphone = |what: &str, pressed: bool| {
        let script =
            format!("return document.querySelector('#call-microphone').getAttribute('aria-pressed') === '{pressed}'");
        app.until(what, &script);
    };
    microphone("on at first", true);
    // The keys are taken when the call has begun. A press before that goes to nobody.
    place.log_of("ada", "keys are taken");
    place.desktop.keys("key", "ctrl+alt+m");
    microphone("muted", false);
    place.desktop.keys("keydown", "F9");
    microphone("on while the key is held", true);
    place.desktop.keys("keyup", "F9");
    microphone("muted after its release", false);
    place.desktop.keys("key", "ctrl+alt+m");
    microphone("on", true);
    app.press("#leave");
    app.until("out of the call", "return !document.querySelector('#leave')");
    place.log_of("ada", "keys are given back");
}

fn start(place: &Place, arguments: &[&str]) -> Ended {
    Ended(place.plain_start(&[&["--profile", "ada"], arguments].concat()))
}

/// Waits until the app has ended by itself.
fn ends(mut app: Ended) {
    let child: &mut Child = &mut app.0;
    wait("the end of the app", || child.try_wait().expect("a child").is_some());
}

fn wait(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
