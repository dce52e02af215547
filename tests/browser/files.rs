//! Files between the app and a guest in a browser, in both directions.

use engine::{Command, ServerAddress, TransferAction, TransferState, TransferView};
use server::{Config, Server, Turn};
use std::time::Duration;
use whole_system::browser::{Browser, Kind};
use whole_system::people::{Habits, Person};
use whole_system::scratch::Scratch;
use whole_system::seclusion;

const PATIENCE: Duration = Duration::from_secs(120);
const ROOM: &str = "files";

/// Each side sends the other a file. The receiver accepts it, and the hash is right.
pub(crate) fn exchanged(kind: Kind) {
    if !kind.available() {
        return;
    }
    seclusion::set_up();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let config = Config { listen: ([127, 0, 0, 1], 0).into(), turn: Turn::Off, ..Config::default() };
        let server = Server::start(config).await.expect("the server starts");
        let address = ServerAddress { url: server.url().parse().expect("a URL"), fingerprint: None };
        let (source, downloads) = (Scratch::new("guest-source"), Scratch::new("guest-downloads"));
        let data: Vec<u8> = (0..3_000_000u32).map(|n| (n / 7 * 31) as u8).collect();
        let path = source.join("from-guest.bin");
        std::fs::write(&path, &data).expect("written");
        std::fs::write(source.join("from-ada.bin"), &data).expect("written");
        let ada = Person::new(Habits { loopback: false, ..Habits::new("Ada", 700) });
        ada.tell(Command::SetDownloads(downloads.path().to_owned())).await;
        ada.enter(&address, ROOM).await;
        let mut gus = Browser::start(kind);
        gus.visit(&format!("http://{}/r/{ROOM}", server.addr()));
        gus.press("#join-here");
        gus.type_in("lr-check input[type=text]", "Gus");
        gus.press("#join");
        gus.reads("lr-call", "Ada", PATIENCE);
        let id = ada.reaches("Gus").await.info.id;
        gus.keep_files_in_memory();
        gus.press("#call-chat");

        gus.choose("lr-chat .say button.plain", &[&path]);
        let asked = transfer(&ada, "asked", |one| one.state == TransferState::Offered).await;
        assert_eq!((asked.name.as_str(), asked.size, asked.person.as_str()), ("from-guest.bin", 3_000_000, "Gus"));
        ada.tell(Command::Transfer { id: asked.id, action: TransferAction::Accept }).await;
        transfer(&ada, "the guest's file", |one| one.state == TransferState::Done).await;
        assert_eq!(std::fs::read(downloads.join("from-guest.bin")).expect("a file"), data);
        gus.reads("lr-transfers", "Received.", PATIENCE);

        ada.engine.offer_files(vec![source.join("from-ada.bin")], vec![id]).await.expect("offered");
        gus.reads("lr-transfers", "from-ada.bin", PATIENCE);
        gus.press(".transfers [data-state=offered] [data-choice=accept]");
        transfer(&ada, "with the guest", |one| one.outgoing && one.state == TransferState::Done).await;
        gus.reads("lr-transfers", "Saved in your downloads folder.", PATIENCE);
        drop(gus);
        server.stop().await;
    });
}

async fn transfer(person: &Person, what: &str, so: impl Fn(&TransferView) -> bool) -> TransferView {
    let view = person.until(what, |view| view.transfers.last().is_some_and(&so)).await;
    view.transfers.last().expect("a transfer").clone()
}
