//! Microphones and cameras that are switched off and on in a call.

use engine::{Command, ServerAddress};
use server::{Config, Server, Turn};
use std::net::SocketAddr;
use std::time::Duration;
use whole_system::people::{Habits, Person, other};

/// Long enough for many packets.
const WATCHED: Duration = Duration::from_millis(1_500);
/// Louder than this is speech, dBFS.
const VOICE: f32 = -42.0;

async fn two() -> (Server, Person, Person) {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::start(Config { listen, turn: Turn::Off, ..Config::default() }).await.expect("a server");
    let address = ServerAddress { url: server.url().parse().expect("a URL"), fingerprint: None };
    let (ada, ben) = (Person::new(Habits::new("Ada", 440)), Person::new(Habits::new("Ben", 600)));
    ada.enter(&address, "lunch").await;
    ben.enter(&address, "lunch").await;
    tokio::join!(ada.plays(600), ben.plays(440));
    (server, ada, ben)
}

/// The number of packets with sound that somebody has received from another person.
async fn packets(person: &Person, from: &str) -> u64 {
    let id = other(&person.engine.view().borrow(), from).expect("there").info.id;
    let stats = person.engine.stats().await.expect("a running engine");
    let of = stats.participants.into_iter().find(|one| one.id == id);
    of.and_then(|one| one.audio_in).map_or(0, |audio| audio.packets_received)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_muted_microphone_that_listens_sends_nothing_and_talks_again_at_once() {
    let (server, ada, ben) = two().await;
    ada.tell(Command::SetListens(true)).await;
    ada.tell(Command::SetMicrophone(false)).await;
    ada.until("listening", |view| view.listening && !view.call.media.microphone).await;
    ben.plays_nothing().await;
    let before = packets(&ben, "Ada").await;
    let mut levels = ada.engine.levels();
    let loud = async {
        let mut loud = 0;
        while loud < 10 {
            levels.changed().await.expect("a running engine");
            loud += u32::from(levels.borrow_and_update().own.is_some_and(|own| own > VOICE));
        }
    };
    tokio::time::timeout(Duration::from_secs(60), loud).await.expect("her own voice is measured");
    tokio::time::sleep(WATCHED).await;
    assert_eq!(packets(&ben, "Ada").await, before, "nothing leaves");
    assert!(ada.engine.view().borrow().listening, "the device stayed open");

    ada.tell(Command::SetMicrophone(true)).await;
    ben.plays(440).await;
    let view = ada.until("sending", |view| !view.listening).await;
    assert_eq!(view.problems.len(), 0);
    ada.tell(Command::SetMicrophone(false)).await;
    ada.tell(Command::SetListens(false)).await;
    ada.until("closed", |view| !view.listening).await;
    let closed = async {
        while ada.engine.levels().borrow().own.is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), closed).await.expect("the device is closed");
    tokio::join!(ada.engine.stop(), ben.engine.stop());
    server.stop().await;
}

/// As fast as a person can press a key.
const PRESS: Duration = Duration::from_millis(60);

#[tokio::test(flavor = "multi_thread")]
async fn fifty_quick_presses_cause_no_error_and_no_gap() {
    let (server, ada, ben) = two().await;
    let press = async {
        for n in 0..50 {
            let on = n % 2 == 1;
            ada.tell(Command::SetMicrophone(on)).await;
            ada.tell(Command::SetCamera(on)).await;
            tokio::time::sleep(PRESS).await;
            assert_eq!(ada.engine.view().borrow().problems.len(), 0);
        }
    };
    let (gaps, ()) = tokio::join!(ada.gaps("Ben", PRESS * 50), press);
    assert!(gaps.sound < Duration::from_millis(200), "a gap in playback of {:?}", gaps.sound);
    tokio::join!(ben.plays(440), ben.sees("Ada"));
    assert_eq!(ada.engine.view().borrow().problems.len(), 0);
    tokio::join!(ada.engine.stop(), ben.engine.stop());
    server.stop().await;
}
