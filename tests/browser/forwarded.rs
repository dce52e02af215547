//! The app's engine and a guest in a browser in a room that the server forwards.

use crate::lunch::{ENERGY, PATIENCE, PICTURES, pictures};
use engine::ServerAddress;
use server::{Config, Forwarding, Server, Turn};
use whole_system::browser::{Browser, Kind};
use whole_system::people::{Habits, Person};
use whole_system::seclusion;

/// Ada and Ben talk directly until the guest comes. Then everybody receives everybody over the forwarder, and Ada and Ben go
/// on when the guest has gone.
pub(crate) fn guest(kind: Kind) {
    if !kind.available() {
        return;
    }
    seclusion::set_up();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let server = Server::start(config()).await.expect("the server starts");
        let address = ServerAddress { url: server.url().parse().expect("a URL"), fingerprint: None };
        let [ada, ben] = [("Ada", 700), ("Ben", 500)].map(|(name, tone)| Person::new(Habits::new(name, tone)));
        ada.enter(&address, "soup").await;
        ben.enter(&address, "soup").await;
        tokio::join!(ada.sees("Ben"), ben.sees("Ada"));

        let mut gus = Browser::start(kind);
        gus.visit(&format!("http://{}/r/soup", server.addr()));
        gus.press("#join-here");
        gus.type_in("lr-check input[type=text]", "Gus");
        gus.press("#join");
        gus.reads("lr-call", "Ada", PATIENCE);
        for person in [&ada, &ben] {
            person.until("on the forwarder", |view| view.call.forwarded).await;
            let id = person.reaches("Gus").await.info.id;
            pictures(person, &id).await;
        }
        tokio::join!(ada.sees("Ben"), ben.sees("Ada"), ada.plays(500), ben.plays(700));
        let received = gus.receives("pictures and voices", PATIENCE, |received| {
            received["framesDecoded"].as_u64() > Some(2 * PICTURES) && received["energy"].as_f64() > Some(ENERGY)
        });
        println!("the guest received {received}");

        gus.press("#leave");
        for person in [&ada, &ben] {
            person.until("without Gus", |view| view.call.participants.len() == 1).await;
        }
        tokio::join!(ada.plays(500), ben.plays(700));
        drop(gus);
        server.stop().await;
    });
}

/// A server that forwards rooms from the third person on.
fn config() -> Config {
    let mut forwarding = Forwarding { listen: ([0, 0, 0, 0], 0).into(), ..Forwarding::default() };
    forwarding.limits.from = 3;
    let listen = ([127, 0, 0, 1], 0).into();
    Config { listen, turn: Turn::Off, forwarding: Some(forwarding), ..Config::default() }
}
