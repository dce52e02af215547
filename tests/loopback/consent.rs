//! Nothing is sent to other people before somebody joins their room. The test counts every packet in a network.

use engine::{Command, Ended, Picture, ServerAddress, SessionView, Stage};
use server::{BuiltinTurn, Config, Server, Turn};
use std::time::Duration;
use whole_system::network::Network;
use whole_system::only::alone;
use whole_system::packets::{Capture, Tally};
use whole_system::people::{BOTH, Habits, Person};

/// Long enough for an engine to send something, if it does.
const WATCHED: Duration = Duration::from_millis(1500);

#[test]
fn no_media_is_sent_before_joining_or_after_leaving() {
    if !Network::available() {
        return;
    }
    alone(module_path!(), "no_media_is_sent_before_joining_or_after_leaving", || {
        let (network, beyond) = (Network::new(), Network::new());
        network.cable(("east", "10.78.1.1/24"), &beyond, ("west", "10.78.1.2/24"));
        let mut capture = Capture::start(&network);
        let inside = network.runtime();
        inside.block_on(async { inside.spawn(async move { watch(&mut capture).await }).await }).expect("no panic");
    });
}

async fn watch(capture: &mut Capture) {
    let turn = Turn::Builtin(BuiltinTurn { allow_lan: true, ..BuiltinTurn::default() });
    let server = Server::start(Config { turn, ..Config::default() }).await.expect("a server");
    let address = ServerAddress { url: "ws://10.78.1.1:7077".parse().expect("a URL"), fingerprint: None };
    let ada = Person::new(Habits { loopback: false, ..Habits::new("Ada", 440) });
    let ben = Person::new(Habits { loopback: false, ..Habits::new("Ben", 600) });

    ada.tell(Command::Preview(BOTH)).await;
    sees_herself(&ada).await;
    tokio::time::sleep(WATCHED).await;
    assert_eq!(capture.take(), Tally::default(), "with the camera's preview on");

    ben.enter(&address, "lunch").await;
    ada.enter(&address, "empty").await;
    ada.tell(Command::Leave).await;
    let out = |view: &engine::AppView| view.call.stage == Stage::Ended(Ended::Left);
    ada.until("out", out).await;
    ada.tell(Command::Preview(BOTH)).await;
    sees_herself(&ada).await;
    tokio::time::sleep(WATCHED).await;
    let open = matches!(ada.engine.view().borrow().session, SessionView::Open { .. });
    let tally = capture.take();
    assert!(open && tally.tcp > 0, "connected to the server: {tally:?}");
    assert_eq!(Tally { tcp: 0, ..tally }, Tally::default(), "connected, but in no room with anybody");

    ada.enter(&address, "lunch").await;
    tokio::join!(ada.sees("Ben"), ben.sees("Ada"));
    let Tally { stun, dtls, media, .. } = capture.take();
    assert!(stun > 0 && dtls > 0 && media > 0, "the same capture sees a call: {stun} {dtls} {media}");

    ada.tell(Command::Leave).await;
    ada.until("out", out).await;
    ben.until("alone", |view| view.call.participants.is_empty()).await;
    tokio::time::sleep(WATCHED / 3).await; // the last packets: DTLS closing, and those to the relay
    capture.take();
    tokio::time::sleep(WATCHED).await;
    let tally = capture.take();
    assert_eq!(Tally { tcp: 0, ..tally }, Tally::default(), "after leaving");
    tokio::join!(ada.engine.stop(), ben.engine.stop());
    server.stop().await;
}

async fn sees_herself(person: &Person) {
    let slot = person.engine.picture(Picture::Own).await.expect("her own picture");
    let mut seen = 0;
    let look = async {
        while slot.newer_than(&mut seen).is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), look).await.expect("a picture of her own");
}
