//! Accounts with several devices: one person, one seat, one name; devices that are removed; and what stays.

use std::time::{Duration, Instant};

use server::Config;
use signaling::account::{AccountDevice, AccountNews, AccountRequest};
use signaling::board::{BoardNews, BoardRequest, Presence};
use signaling::board_fold::{BoardFold, BoardState, Mine};
use signaling::message::{ErrorCode, LeaveReason, ServerMessage, Welcome};

use crate::board::{Folder, SECRET, draft, look, member, table, unix_ms};
use crate::client::{Raw, join};
use crate::signing_in::{device, enter, with_issuer};
use crate::{config, start};

/// How soon a removed device is out.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The board as a person with an account sees it, as soon as it is as expected.
async fn look_until(raw: &mut Raw, welcome: &Welcome, is_expected: impl Fn(&BoardState) -> bool) -> BoardState {
    let person = welcome.account.as_ref().expect("an account").person.clone();
    raw.ask(BoardRequest::Subscribe { room: None, invite: None }).await;
    let mut fold = BoardFold::new(person);
    loop {
        if let ServerMessage::Board(news) = raw.next().await {
            fold.handle(unix_ms(), &news);
            if let Some(board) = fold.state().filter(&is_expected) {
                return board;
            }
        }
    }
}

/// The whole board as a person with an account sees it.
async fn look_as(raw: &mut Raw, welcome: &Welcome) -> BoardState {
    look_until(raw, welcome, |_| true).await
}

async fn devices(raw: &mut Raw) -> Vec<AccountDevice> {
    match raw.account(AccountRequest::Devices).await.expect("answered") {
        Some(AccountNews::Devices { devices }) => devices,
        other => panic!("{other:?}"),
    }
}

async fn remove(raw: &mut Raw, device: &Raw) -> Result<(), ErrorCode> {
    let key = device.key.public().to_string();
    raw.account(AccountRequest::RemoveDevice { key }).await.map(|_| ())
}

#[tokio::test]
async fn three_devices_of_an_account_are_one_person_with_one_seat() {
    let (issuer, server) = with_issuer().await;
    let addr = server.addr();
    let (mut laptop, of_laptop) = device(&issuer, addr, 1).await;
    let (mut phone, of_phone) = device(&issuer, addr, 2).await;
    let (mut app, of_app) = device(&issuer, addr, 3).await;
    assert!(of_laptop.account == of_phone.account && of_phone.account == of_app.account);
    issuer.is("2", "Ben");
    let (mut ben, of_ben) = device(&issuer, addr, 4).await;
    laptop.asked(BoardRequest::Lay(draft("soup", 0))).await.expect("laid");
    let board = look_as(&mut phone, &of_phone).await;
    assert!(
        board.tables[0].mine == Mine::Host && board.tables[0].info.taken_count == 1,
        "the seat is theirs on every device"
    );
    assert_eq!(board.people.iter().map(|person| person.name.as_str()).collect::<Vec<_>>(), ["Ada", "Ben"]);
    let (id, room) = (board.tables[0].info.id.clone(), board.tables[0].info.room.clone());
    app.asked(BoardRequest::Take { table: id.clone(), wait: false }).await.expect("they have one already");
    // Presence is that of all devices together.
    laptop.say(join(&room)).await;
    while !matches!(laptop.next().await, ServerMessage::Joined { .. }) {}
    let at_table = |board: &BoardState| {
        let mut adas = board.people.iter().filter(|one| one.name == "Ada");
        adas.next().is_some_and(|one| one.presence == Presence::AtTable) && adas.next().is_none()
    };
    look_until(&mut ben, &of_ben, at_table).await;
    // In a call, too, they have one seat, which is that of the device's own key.
    ben.say(join(&room)).await;
    while !matches!(ben.next().await, ServerMessage::Joined { .. }) {}
    phone.say(join(&room)).await;
    loop {
        match laptop.next().await {
            ServerMessage::Left { reason } => break assert_eq!(reason, LeaveReason::Replaced),
            _ => continue,
        }
    }
    let joined = loop {
        if let ServerMessage::ParticipantJoined { participant } = ben.next().await {
            break participant;
        }
    };
    assert_eq!((joined.key, joined.name), (phone.key.public().to_string(), "Ada".into()));
    look_until(&mut app, &of_app, |board| board.tables[0].info.taken_count == 2).await;
}

#[tokio::test]
async fn the_devices_of_an_account_are_listed() {
    let (issuer, server) = with_issuer().await;
    let (mut laptop, _) = device(&issuer, server.addr(), 1).await;
    let (phone, _) = device(&issuer, server.addr(), 2).await;
    let listed = devices(&mut laptop).await;
    let keys: Vec<&str> = listed.iter().map(|device| device.key.as_str()).collect();
    assert_eq!(keys, [laptop.key.public().to_string(), phone.key.public().to_string()]);
    assert!(listed.iter().all(|device| device.name == "a device" && device.connected && device.added_ms > 0));
    issuer.is("2", "Ben");
    let (mut ben, _) = device(&issuer, server.addr(), 3).await;
    assert_eq!(devices(&mut ben).await.len(), 1);
    assert_eq!(remove(&mut ben, &phone).await, Err(ErrorCode::NoSuchDevice), "it is Ada's");
}

#[tokio::test]
async fn a_removed_device_is_out_at_once_and_cannot_come_back() {
    let (issuer, server) = with_issuer().await;
    let addr = server.addr();
    let (mut laptop, _) = device(&issuer, addr, 1).await;
    let (phone, _) = device(&issuer, addr, 2).await;
    let (session, _) = enter(addr, 2).await;
    let begun = Instant::now();
    remove(&mut laptop, &phone).await.expect("removed");
    for mut lost in [phone, session] {
        let end = lost.end().await;
        let bye = ServerMessage::Bye { code: ErrorCode::DeviceRemoved, retry_after_ms: None };
        assert!(end.messages.contains(&bye), "{end:?}");
    }
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    assert!(!enter(addr, 2).await.1.member, "it is a stranger's now");
    // The first device's key is the id of the person, whom nobody else may be.
    laptop.asked(BoardRequest::Lay(draft("soup", unix_ms() + 3_600_000))).await.expect("laid");
    let (mut phone, welcome) = device(&issuer, addr, 2).await;
    remove(&mut phone, &laptop).await.expect("removed");
    assert_eq!(laptop.end().await.code, Some(4034));
    let (mut stranger, guest) = enter(addr, 1).await;
    assert_eq!((guest.member, guest.account), (false, None));
    let news = stranger.asked(BoardRequest::AboutMe).await.expect("answered");
    let BoardNews::AboutMe(about) = &news[0] else { panic!("{news:?}") };
    assert_eq!((about.tables.len(), &about.account), (0, &None), "it is not that person any more");
    assert!(look_as(&mut phone, &welcome).await.tables[0].mine == Mine::Host);
    assert_eq!(devices(&mut phone).await.len(), 1);
    // A device that is found again is added again.
    assert!(device(&issuer, addr, 1).await.1.account == welcome.account);
}

#[tokio::test]
async fn a_device_that_removes_itself_learns_that_it_is_done() {
    let (issuer, server) = with_issuer().await;
    let (mut laptop, _) = device(&issuer, server.addr(), 1).await;
    let key = laptop.key.public().to_string();
    laptop.account(AccountRequest::RemoveDevice { key }).await.expect("done");
    assert_eq!(laptop.end().await.code, Some(4034));
}

#[tokio::test]
async fn accounts_devices_and_their_seats_survive_a_restart() {
    let folder = Folder::new("accounts");
    let (issuer, _) = with_issuer().await;
    let settings = || Config { data_dir: Some(folder.0.clone()), openid: Some(issuer.settings()), ..config() };
    let server = start(settings()).await;
    let (mut laptop, _) = device(&issuer, server.addr(), 1).await;
    device(&issuer, server.addr(), 2).await;
    laptop.asked(BoardRequest::Lay(draft("soup", unix_ms() + 3_600_000))).await.expect("laid");
    server.stop().await;
    let server = start(settings()).await;
    let (mut phone, welcome) = enter(server.addr(), 2).await;
    assert!(welcome.member);
    assert!(look_as(&mut phone, &welcome).await.tables[0].mine == Mine::Host);
    assert_eq!(devices(&mut phone).await.len(), 2);
}

#[tokio::test]
async fn an_account_is_shown_to_its_owner_and_erased_with_everything_else() {
    let (issuer, server) = with_issuer().await;
    let (mut laptop, _) = device(&issuer, server.addr(), 1).await;
    let (mut phone, _) = device(&issuer, server.addr(), 2).await;
    let news = phone.asked(BoardRequest::AboutMe).await.expect("answered");
    let about = news.into_iter().find_map(|news| match news {
        BoardNews::AboutMe(about) => about.account,
        _ => None,
    });
    let about = about.expect("an account");
    assert_eq!((about.issuer, about.subject, about.name), (issuer.url(), "1".into(), "Ada".into()));
    assert_eq!(about.devices.len(), 2);
    phone.asked(BoardRequest::ForgetMe).await.expect("erased");
    for gone in [&mut laptop, &mut phone] {
        assert_eq!(gone.end().await.code, Some(4034));
    }
    for seed in [1, 2] {
        let (_, welcome) = enter(server.addr(), seed).await;
        assert_eq!((welcome.member, welcome.account), (false, None));
    }
}

#[tokio::test]
async fn seats_stay_when_the_community_changes_from_a_secret_to_accounts() {
    let folder = Folder::new("changed");
    let data_dir = Some(folder.0.clone());
    let secret = |secret: &str| Config { data_dir: data_dir.clone(), member_secret: Some(secret.into()), ..config() };
    let server = start(secret(SECRET)).await;
    let (mut ada, mut ben) = (member(server.addr(), 1).await, member(server.addr(), 2).await);
    look(&mut ben).await;
    ada.asked(BoardRequest::Lay(draft("soup", unix_ms() + 3_600_000))).await.expect("laid");
    let laid = table(&mut ben, "soup").await;
    ben.asked(BoardRequest::Take { table: laid.id, wait: false }).await.expect("seated");
    server.stop().await;

    // Another secret: who does not know it is no member, and nobody loses a seat.
    let server = start(secret("another one")).await;
    assert!(!enter(server.addr(), 1).await.1.member);
    let mut old = Raw::connect(server.addr(), 1).await;
    old.hello_with(SECRET).await;
    assert!(!old.welcome().await.member);
    for (seed, is_host) in [(1, true), (2, false)] {
        let mut raw = Raw::connect(server.addr(), seed).await;
        raw.hello_with("another one").await;
        raw.welcome().await;
        let board = look(&mut raw).await;
        assert_eq!((board.tables[0].mine == Mine::Host, board.tables[0].info.taken_count), (is_host, 2));
    }
    server.stop().await;

    // Accounts beside it, then alone.
    let (issuer, _) = with_issuer().await;
    let server = start(Config { openid: Some(issuer.settings()), ..secret("another one") }).await;
    let (mut ada, welcome) = device(&issuer, server.addr(), 1).await;
    assert!(look_as(&mut ada, &welcome).await.tables[0].mine == Mine::Host);
    let mut ben = Raw::connect(server.addr(), 2).await;
    ben.hello_with("another one").await;
    assert!(ben.welcome().await.member, "the secret is enough");
    server.stop().await;
    let server = start(Config { member_secret: None, openid: Some(issuer.settings()), ..secret("") }).await;
    assert!(enter(server.addr(), 1).await.1.member && !enter(server.addr(), 2).await.1.member);
}
