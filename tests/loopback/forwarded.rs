//! Rooms that grow until their media goes through the server's forwarder, and shrink again.

use engine::signaling::message::MediaState;
use engine::{AppView, Command, JoinRequest, ServerAddress, Stage};
use server::{Config, Forwarding, Server, Turn};
use std::time::Duration;
use whole_system::people::{Habits, Person};

/// The longest interruptions when a room moves.
const SOUND: Duration = Duration::from_millis(100);
const PICTURE: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn a_room_moves_to_the_forwarder_and_back_without_an_interruption() {
    let server = Server::start(config(4)).await.expect("a server");
    let people = [("Ada", 440), ("Ben", 600), ("Cy", 900), ("Dee", 1_300)];
    let [ada, ben, cy, dee] = people.map(|(name, tone)| Person::new(Habits::new(name, tone)));
    ada.enter(&address(&server), "lunch").await;
    ben.enter(&address(&server), "lunch").await;
    tokio::join!(ada.sees("Ben"), ben.sees("Ada"), ada.plays(600), ben.plays(440));
    assert!(!ada.engine.view().borrow().call.forwarded);

    let grow = async {
        join_without_sound(&cy, &server).await;
        join_without_sound(&dee, &server).await;
        for person in [&ada, &ben, &cy, &dee] {
            person.until("on the forwarder", |view| view.call.forwarded).await;
        }
        tokio::join!(cy.sees("Ada"), cy.sees("Ben"), ada.sees("Cy"), ben.sees("Dee"), cy.plays_all(&[440, 600]));
    };
    let time = Duration::from_secs(8);
    let (of_ben, of_ada, ()) = tokio::join!(ada.gaps("Ben", time), ben.gaps("Ada", time), grow);
    for gaps in [of_ben, of_ada] {
        assert!(gaps.sound <= SOUND && gaps.picture <= PICTURE, "when it grows: {gaps:?}");
    }
    tokio::join!(ada.sees("Ben"), ben.sees("Ada"), ada.plays(600), ben.plays(440));

    let shrink = async {
        cy.tell(Command::Leave).await;
        dee.tell(Command::Leave).await;
        for person in [&ada, &ben] {
            person.until("alone with the other", |view| view.call.participants.len() == 1).await;
            person.until("direct", |view| !view.call.forwarded).await;
        }
    };
    let time = Duration::from_secs(16);
    let (of_ben, of_ada, ()) = tokio::join!(ada.gaps("Ben", time), ben.gaps("Ada", time), shrink);
    for gaps in [of_ben, of_ada] {
        assert!(gaps.sound <= SOUND && gaps.picture <= PICTURE, "when it shrinks: {gaps:?}");
    }
    tokio::join!(ada.sees("Ben"), ben.sees("Ada"), ada.plays(600), ben.plays(440));
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_receives_everybody_also_those_who_come_later() {
    let server = Server::start(config(2)).await.expect("a server");
    let voices = [("Ada", 440), ("Ben", 600), ("Cy", 900), ("Dee", 1_300)];
    let people = voices.map(|(name, tone)| Person::new(Habits::new(name, tone)));
    for person in &people {
        person.enter(&address(&server), "lunch").await;
    }
    for (n, person) in people.iter().enumerate() {
        person.until("on the forwarder", |view| view.call.forwarded).await;
        let others = voices.iter().enumerate().filter(|(other, _)| *other != n).map(|(_, voice)| *voice);
        let tones: Vec<u32> = others.clone().map(|(_, tone)| tone).collect();
        for (name, _) in others {
            person.sees(name).await;
        }
        person.plays_all(&tones).await;
    }
    people[1].tell(Command::Leave).await;
    people[0].until("without Ben", |view: &AppView| view.call.participants.len() == 2).await;
    people[0].plays_all(&[900, 1_300]).await;
    people[0].sees("Dee").await;
}

async fn join_without_sound(person: &Person, server: &Server) {
    let (server, name) = (address(server), person.name().to_owned());
    let media = MediaState { microphone: false, camera: true, screen: false };
    person.tell(Command::Join(JoinRequest { server, room: "lunch".into(), invite: None, name, media })).await;
    person.until("in the room", |view| view.call.stage == Stage::Joined).await;
}

/// A server that forwards rooms from this many people on.
fn config(from: usize) -> Config {
    let mut forwarding = Forwarding { listen: testkit::loopback::address(), ..Forwarding::default() };
    forwarding.limits.from = from;
    Config { listen: testkit::loopback::address(), turn: Turn::Off, forwarding: Some(forwarding), ..Config::default() }
}

fn address(server: &Server) -> ServerAddress {
    ServerAddress { url: server.url().parse().expect("a URL"), fingerprint: server.fingerprint() }
}
