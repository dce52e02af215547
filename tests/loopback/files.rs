//! Files between two engines in a call.

use engine::signaling::identity::DeviceKey;
use engine::signaling::message::ParticipantId;
use engine::{Command, ServerAddress, TransferAction, TransferReason, TransferState, TransferView};
use server::{Config, Server, Turn};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use whole_system::people::{Habits, Person, other};
use whole_system::scratch::Scratch;

const ROOM: &str = "lunch";

async fn server() -> (Server, ServerAddress) {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::start(Config { listen, turn: Turn::Off, ..Config::default() }).await.expect("a server");
    let address = ServerAddress { url: server.url().parse().expect("a URL"), fingerprint: None };
    (server, address)
}

/// A person whose files go to this folder.
async fn person(name: &str, key: u8, folder: &Path) -> Person {
    let key = Some(DeviceKey::from_secret(&[key; 32]));
    let person = Person::new(Habits { key, ..Habits::new(name, 440) });
    person.tell(Command::SetDownloads(folder.to_owned())).await;
    person
}

async fn id_of(from: &Person, name: &str) -> ParticipantId {
    from.reaches(name).await.info.id
}

/// Offers a file as soon as the other side's data channel is open.
async fn offer(from: &Person, to: &str, path: PathBuf) {
    let id = id_of(from, to).await;
    for _ in 0..1_000 {
        match from.engine.offer_files(vec![path.clone()], vec![id.clone()]).await {
            Ok(()) => return,
            Err(problem) => assert_eq!(problem.code, "file_nobody"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{to} cannot receive files");
}

async fn transfer(person: &Person, what: &str, so: impl Fn(&TransferView) -> bool) -> TransferView {
    let view = person.until(what, |view| view.transfers.last().is_some_and(&so)).await;
    view.transfers.last().expect("a transfer").clone()
}

async fn act(person: &Person, id: &str, action: TransferAction) {
    person.tell(Command::Transfer { id: id.into(), action }).await;
}

fn random_file(path: &Path, length: usize) -> Vec<u8> {
    let mut data = vec![0; length];
    getrandom::fill(&mut data).expect("random bytes");
    std::fs::write(path, &data).expect("written");
    data
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_arrives_whole_after_a_break_and_a_restart_of_the_receiver() {
    let (_server, address) = server().await;
    let (source, downloads) = (Scratch::new("source"), Scratch::new("downloads"));
    let path = source.join("점심 메뉴.pdf");
    let data = random_file(&path, 20_000_000);
    let (ann, mut ben) = (person("Ann", 201, source.path()).await, person("Ben", 202, downloads.path()).await);
    tokio::join!(ann.enter(&address, ROOM), ben.enter(&address, ROOM));
    offer(&ann, "Ben", path).await;
    let asked = transfer(&ben, "asked", |one| one.state == TransferState::Offered).await;
    assert_eq!((asked.name.as_str(), asked.size, asked.person.as_str()), ("점심 메뉴.pdf", 20_000_000, "Ann"));
    assert_eq!(std::fs::read_dir(downloads.path()).expect("a folder").count(), 0, "nothing before the answer");
    act(&ben, &asked.id, TransferAction::Accept).await;
    transfer(&ben, "a part", |one| one.moved > 3_000_000).await;
    // They leave the call in the middle, and come back.
    ben.tell(Command::Leave).await;
    transfer(&ann, "waiting", |one| one.state == TransferState::Waiting).await;
    ben.enter(&address, ROOM).await;
    transfer(&ben, "more", |one| one.moved > 8_000_000).await;
    // Their app ends without a word, and another one starts on the same device.
    drop(ben);
    transfer(&ann, "waiting for the new app", |one| one.state == TransferState::Waiting).await;
    ben = person("Ben", 202, downloads.path()).await;
    ben.enter(&address, ROOM).await;
    let first = transfer(&ben, "going on", |one| one.moved > 0).await;
    assert!(first.moved > 6_000_000, "it began at {}", first.moved);
    transfer(&ben, "done", |one| one.state == TransferState::Done).await;
    transfer(&ann, "done", |one| one.state == TransferState::Done).await;
    let stored = ben.engine.received_file(asked.id).await.expect("a path");
    assert_eq!(stored, downloads.join("점심 메뉴.pdf"));
    assert_eq!(Sha256::digest(std::fs::read(stored).expect("a file")), Sha256::digest(&data));
    assert_eq!(std::fs::read_dir(downloads.path()).expect("a folder").count(), 1, "no part is left");
    tokio::join!(ann.engine.stop(), ben.engine.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_people_receive_decline_and_cancel() {
    let (_server, address) = server().await;
    let (source, folders) = (Scratch::new("source"), [Scratch::new("ben"), Scratch::new("cem"), Scratch::new("dan")]);
    let data = random_file(&source.join("x.bin"), 3_000_000);
    let ann = person("Ann", 211, source.path()).await;
    let mut others = vec![];
    for (n, (name, folder)) in ["Ben", "Cem", "Dan"].into_iter().zip(&folders).enumerate() {
        others.push(person(name, 212 + n as u8, folder.path()).await);
    }
    ann.enter(&address, ROOM).await;
    for person in &others {
        person.enter(&address, ROOM).await;
        offer(&ann, person.name(), source.join("x.bin")).await;
    }
    let answers = [TransferAction::Accept, TransferAction::Decline, TransferAction::Accept];
    for (person, answer) in others.iter().zip(answers) {
        let asked = transfer(person, "asked", |one| one.state == TransferState::Offered).await;
        act(person, &asked.id, answer).await;
        if person.name() == "Dan" {
            act(person, &asked.id, TransferAction::Cancel).await;
        }
    }
    transfer(&others[0], "done", |one| one.state == TransferState::Done).await;
    let view = ann.until("all over", |view| view.transfers.iter().all(|one| one.state.is_over())).await;
    let outcomes: Vec<_> = view.transfers.iter().map(|one| (one.person.as_str(), one.state, one.reason)).collect();
    assert_eq!(
        outcomes,
        [
            ("Ben", TransferState::Done, None),
            ("Cem", TransferState::Declined, None),
            ("Dan", TransferState::Failed, Some(TransferReason::Cancelled)),
        ]
    );
    assert_eq!(std::fs::read(folders[0].join("x.bin")).expect("a file"), data);
    for folder in &folders[1..] {
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
    assert!(other(&view, "Ben").is_some());
    let folder = ann.engine.offer_files(vec![source.path().to_owned()], vec![id_of(&ann, "Ben").await]).await;
    assert_eq!(folder.expect_err("a folder").code, "file_folder");
}
