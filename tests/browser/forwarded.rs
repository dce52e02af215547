//! The app's engine and guests in browsers in rooms that the server forwards.

use crate::lunch::{ENERGY, PATIENCE, PICTURES, pictures};
use engine::signaling::message::MediaState;
use engine::{Command, JoinRequest, ServerAddress, Stage};
use server::{Config, Forwarding, Server, Turn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use whole_system::browser::{Browser, Kind};
use whole_system::people::{Gaps, Habits, Person};
use whole_system::seclusion;

/// The longest interruptions when a room moves. On an idle machine there is none of sound, and pictures are 0.2 s apart at most;
/// two browsers and three engines that are not optimised occupy a small one. `loopback` has the strict limits.
const SOUND: Duration = Duration::from_millis(500);
const PICTURE: Duration = Duration::from_secs(3);
/// How long is watched after a room has moved.
const SETTLES: Duration = Duration::from_secs(4);

/// Ada and Ben talk directly. Cy and two guests come, and all media goes through the forwarder; then these leave, and Ada and
/// Ben talk directly as before. Meanwhile nothing of them is interrupted. More people would be too many for a small machine.
pub(crate) fn grow_and_shrink() {
    if !(Kind::Guest.available() && Kind::FirefoxGuest.available()) {
        return;
    }
    seclusion::set_up();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let server = Server::start(config()).await.expect("the server starts");
        let address = ServerAddress { url: server.url().parse().expect("a URL"), fingerprint: None };
        let [ada, ben] =
            [("Ada", 700), ("Ben", 500)].map(|(name, tone)| Arc::new(Person::new(Habits::new(name, tone))));
        ada.enter(&address, "soup").await;
        ben.enter(&address, "soup").await;
        tokio::join!(ada.sees("Ben"), ben.sees("Ada"), ada.plays(500), ben.plays(700));
        let mut guests =
            [(Kind::Guest, "Gus"), (Kind::FirefoxGuest, "Fay")].map(|(kind, name)| ready(kind, name, &server));

        let watches = [Watch::of(&ada, "Ben"), Watch::of(&ben, "Ada")];
        let cy = Person::new(Habits::new("Cy", 900));
        join_silently(&cy, &address).await;
        ada.reaches("Cy").await;
        guests.iter_mut().for_each(|guest| guest.press("#join"));
        for person in [&ada, &ben] {
            person.until("on the forwarder", |view| view.call.forwarded && view.call.participants.len() == 4).await;
        }
        for guest in &mut guests {
            guest.reads("lr-call", "Ada", PATIENCE);
        }
        for name in ["Gus", "Fay"] {
            let id = ada.reaches(name).await.info.id;
            pictures(&ada, &id).await;
        }
        tokio::time::sleep(SETTLES).await;
        Watch::assert(watches, "when it grows").await;
        for guest in &mut guests {
            let received = guest.receives("pictures and voices", PATIENCE, |received| {
                received["framesDecoded"].as_u64() > Some(2 * PICTURES) && received["energy"].as_f64() > Some(ENERGY)
            });
            println!("a guest received {received}");
        }

        let watches = [Watch::of(&ada, "Ben"), Watch::of(&ben, "Ada")];
        cy.tell(Command::Leave).await;
        guests.iter_mut().for_each(|guest| guest.press("#leave"));
        for person in [&ada, &ben] {
            person.until("direct", |view| !view.call.forwarded && view.call.participants.len() == 1).await;
        }
        tokio::time::sleep(SETTLES).await;
        Watch::assert(watches, "when it shrinks").await;
        tokio::join!(ada.sees("Ben"), ben.sees("Ada"), ada.plays(500), ben.plays(700));
        drop((guests, cy));
        server.stop().await;
    });
}

/// A guest who is about to join without a voice.
fn ready(kind: Kind, name: &str, server: &Server) -> Browser {
    let mut guest = Browser::start(kind);
    guest.visit(&format!("http://{}/r/soup", server.addr()));
    guest.press("#join-here");
    guest.type_in("lr-check input[type=text]", name);
    guest.press("#self-microphone");
    guest
}

async fn join_silently(person: &Person, address: &ServerAddress) {
    let (server, name) = (address.clone(), person.name().to_owned());
    let media = MediaState { microphone: false, camera: false, screen: false };
    person.tell(Command::Join(JoinRequest { server, room: "soup".into(), invite: None, name, media })).await;
    person.until("in the room", |view| view.call.stage == Stage::Joined).await;
}

/// Watches what somebody receives of somebody.
struct Watch {
    gaps: JoinHandle<Gaps>,
    is_over: Arc<AtomicBool>,
}

impl Watch {
    fn of(person: &Arc<Person>, name: &'static str) -> Watch {
        let is_over = Arc::new(AtomicBool::new(false));
        let (person, ends) = (Arc::clone(person), Arc::clone(&is_over));
        let gaps = tokio::spawn(async move { person.gaps_until(name, || ends.load(Ordering::Relaxed)).await });
        Watch { gaps, is_over }
    }

    async fn assert(watches: [Watch; 2], when: &str) {
        for Watch { gaps, is_over } in watches {
            is_over.store(true, Ordering::Relaxed);
            let gaps = gaps.await.expect("no panic");
            println!("{when}: {gaps:?}");
            assert!(gaps.sound <= SOUND && gaps.picture <= PICTURE, "{when}: {gaps:?}");
        }
    }
}

/// A server that forwards rooms from the fifth person on.
fn config() -> Config {
    let mut forwarding = Forwarding { listen: ([0, 0, 0, 0], 0).into(), ..Forwarding::default() };
    forwarding.limits.from = 5;
    let listen = ([127, 0, 0, 1], 0).into();
    Config { listen, turn: Turn::Off, forwarding: Some(forwarding), ..Config::default() }
}
