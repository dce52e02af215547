//! A member with only a browser: from the address of the community's server to a seat and a call, and over a restart of the
//! server.

use crate::lunch::{ENERGY, PATIENCE, PICTURES, SECRET, config, enter, lay, pictures};
use engine::signaling::board::{BoardRequest, Door, Draft};
use engine::{AppView, ServerAddress};
use server::{Config, Server};
use std::time::Duration;
use whole_system::browser::{Browser, Kind};
use whole_system::people::{BOTH, Person, unix_ms};
use whole_system::scratch::Scratch;
use whole_system::seclusion;

/// Width and height of the page, in CSS pixels.
pub(crate) const PHONE: (u32, u32) = (390, 844);
/// Width and height of the page, in CSS pixels.
pub(crate) const DESKTOP: (u32, u32) = (1280, 800);
/// The button of a table on the board, by its topic.
const SOUP: &str = "lr-card .take[aria-label*=Soup]";
/// The button of another table.
const TEA: &str = "lr-card .take[aria-label*=Tea]";
/// How long the server is away.
const AWAY: Duration = Duration::from_secs(2);

/// Signs in, takes a seat with one press, is in the call with two more, and keeps a seat while the server restarts.
pub(crate) fn member(kind: Kind, window: (u32, u32)) {
    if !kind.available() {
        return;
    }
    seclusion::set_up();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let files = Scratch::new("door");
        let kept = Config { data_dir: Some(files.path().into()), ..config() };
        let server = Server::start(kept.clone()).await.expect("the server starts");
        let (door, addr) = (format!("http://{}/", server.addr()), server.addr());
        let address = ServerAddress { url: server.url().parse().expect("a URL"), fingerprint: None };
        let ada = crate::lunch::member("Ada", 700, &address).await;
        let room = lay(&ada, Door::Open, "Soup").await;
        lay_tea(&ada).await;
        enter(&ada, &address, &room, BOTH).await;

        let mut gus = Browser::start(kind);
        gus.visit_in(&door, window);
        signs_in(&mut gus);
        gus.press(TEA);
        seated(&ada, "Tea").await;
        calls(&mut gus, &ada).await;

        server.stop().await;
        gus.reads("lr-board [role=alert]", "keep trying", PATIENCE);
        assert!(gus.reads("lr-board", "Tea", PATIENCE).contains("Your seat"), "the board stays readable");
        tokio::time::sleep(AWAY).await;
        let server = Server::start(Config { listen: addr, ..kept }).await.expect("the server starts again");
        gus.reads("lr-board .server", &addr.to_string(), PATIENCE);
        gus.press(TEA); // gives the seat up
        let free = |view: &AppView| table(view, "Tea").is_some_and(|(taken, _)| taken == 1);
        ada.until("Tea has a free seat", free).await;
        server.stop().await;
    });
}

/// A wrong passphrase is refused in words, and the right one leads to the board.
fn signs_in(gus: &mut Browser) {
    gus.type_in("#sign-in-name", "Gus");
    gus.type_in("lr-sign-in input[type=password]", "kimchi");
    gus.press("#sign-in");
    gus.reads("lr-sign-in [role=alert]", "isn’t the community’s passphrase", PATIENCE);
    gus.type_in("lr-sign-in input[type=password]", SECRET); // the wrong one is selected
    gus.press("#sign-in");
    gus.reads("lr-board", "Soup", PATIENCE);
}

/// From the board to a seat and into the call with three presses; both see and hear each other.
async fn calls(gus: &mut Browser, ada: &Person) {
    gus.press(SOUP);
    seated(ada, "Soup").await;
    gus.reads(SOUP, "Go to the table", PATIENCE);
    gus.press(SOUP);
    gus.press("#join");
    let id = ada.reaches("Gus").await.info.id;
    let received = gus.receives("Ada's pictures and voice", PATIENCE, |received| {
        received["framesDecoded"].as_u64() > Some(PICTURES) && received["energy"].as_f64() > Some(ENERGY)
    });
    println!("the member received {received}");
    pictures(ada, &id).await;
    gus.press("#leave");
    gus.reads("lr-board", "Tea", PATIENCE);
}

/// A table in an hour.
async fn lay_tea(ada: &Person) {
    let draft = Draft {
        topic: "Tea".into(),
        place: String::new(),
        seats: 4,
        now: false,
        starts_ms: unix_ms() + 3_600_000,
        minutes: 60,
        weekly: false,
        door: Door::Open,
    };
    ada.engine.board(BoardRequest::Lay(draft)).await.expect("laid");
}

/// Waits until the host and Gus sit at a table.
async fn seated(ada: &Person, topic: &str) {
    let both = |view: &AppView| table(view, topic).is_some_and(|(_, names)| names == ["Ada", "Gus"]);
    ada.until(&format!("Gus sits at {topic}"), both).await;
}

/// The number of taken seats of a table, and who sits there.
fn table<'a>(view: &'a AppView, topic: &str) -> Option<(u8, Vec<&'a str>)> {
    let table = view.board.iter().flat_map(|board| &board.tables).find(|table| table.info.topic == topic)?;
    Some((table.info.taken_count, table.info.taken.iter().map(|one| one.name.as_str()).collect()))
}
