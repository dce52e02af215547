//! Reports, suspensions and closed tables over real sockets, and after a restart.

use server::Config;
use signaling::board::{ActKind, BoardNews, BoardRequest, Order, OrderBook, Whom};
use signaling::message::{ErrorCode, LeaveReason, ServerMessage};

use crate::board::{Folder, SECRET, draft, look, member, table, unix_ms};
use crate::client::{Raw, join, key};
use crate::{config, start};

fn with_steward(seed: u8) -> Config {
    Config { stewards: vec![key(seed).public().to_string()], member_secret: Some(SECRET.into()), ..config() }
}

async fn book(steward: &mut Raw) -> OrderBook {
    let news = steward.asked(BoardRequest::OrderBook).await.expect("answered");
    let book = news.into_iter().find_map(|news| match news {
        BoardNews::OrderBook(book) => Some(*book),
        _ => None,
    });
    book.expect("before `done`")
}

async fn next_order(raw: &mut Raw) -> Order {
    loop {
        if let ServerMessage::Board(BoardNews::Order(order)) = raw.next().await {
            return order;
        }
    }
}

#[tokio::test]
async fn a_steward_of_the_settings_sees_reports_and_suspends_until_after_a_restart() {
    let folder = Folder::new("order");
    let settings = || Config { data_dir: Some(folder.0.clone()), ..with_steward(3) };
    let server = start(settings()).await;
    let [mut ada, mut ben, mut sun] =
        [member(server.addr(), 1).await, member(server.addr(), 2).await, member(server.addr(), 3).await];
    assert!(!look(&mut ada).await.order.steward);
    look(&mut ben).await;
    look(&mut sun).await;
    assert!(next_order(&mut sun).await.steward);
    ben.say(join("den")).await;
    let whom = Whom { person: Some(ben.key.public().to_string()), participant: None };
    ada.asked(BoardRequest::Report { whom, text: "rude".into() }).await.expect("reported");
    assert_eq!(next_order(&mut sun).await.reports, 1);
    assert_eq!(ada.asked(BoardRequest::OrderBook).await, Err(ErrorCode::NotSteward));
    let report = book(&mut sun).await.reports.remove(0);
    let suspend = BoardRequest::Suspend { person: report.of.id, hours: 1, reason: "rude".into() };
    sun.asked(suspend).await.expect("suspended");
    loop {
        if let ServerMessage::Left { reason } = ben.next().await {
            break assert_eq!(reason, LeaveReason::Suspended);
        }
    }
    assert_eq!(next_order(&mut ben).await.acts[0].kind, ActKind::Suspended);
    drop((ada, ben, sun));
    server.stop().await;

    let server = start(settings()).await;
    let mut ben = member(server.addr(), 2).await;
    let seq = ben.ask(BoardRequest::Subscribe { room: None, invite: None }).await;
    let order = next_order(&mut ben).await;
    assert_eq!(order.suspension.expect("still in force").reason, "rude");
    assert!(seq > 0 && !order.steward);
    assert_eq!(ben.asked(BoardRequest::EatNow { with: vec![] }).await, Err(ErrorCode::Suspended));
    let mut sun = member(server.addr(), 3).await;
    let kept = book(&mut sun).await;
    assert_eq!((kept.reports.len(), kept.suspended.len(), kept.acts.len()), (1, 1, 1));
    sun.asked(BoardRequest::Lift { person: kept.suspended[0].id.clone() }).await.expect("lifted");
    ben.asked(BoardRequest::EatNow { with: vec![] }).await.expect("may eat");
}

#[tokio::test]
async fn people_with_a_seat_learn_why_their_table_was_closed_when_they_come_back() {
    let server = start(with_steward(3)).await;
    let (mut ada, mut sun) = (member(server.addr(), 1).await, member(server.addr(), 3).await);
    look(&mut sun).await;
    ada.asked(BoardRequest::Lay(draft("ads", unix_ms() + 3_600_000))).await.expect("laid");
    let laid = table(&mut sun, "ads").await;
    drop(ada);
    let close = BoardRequest::CloseTable { table: laid.id, reason: "no ads".into() };
    sun.asked(close).await.expect("closed");
    let mut ada = member(server.addr(), 1).await;
    ada.ask(BoardRequest::Subscribe { room: None, invite: None }).await;
    let act = next_order(&mut ada).await.acts.remove(0);
    assert_eq!((act.kind, act.topic.as_str(), act.reason.as_str()), (ActKind::Closed, "ads", "no ads"));
    ada.asked(BoardRequest::Seen).await.expect("acknowledged");
    assert_eq!(look(&mut ada).await.order, Order::default());
}

#[tokio::test]
async fn a_listed_key_without_the_secret_is_no_steward() {
    let server = start(with_steward(3)).await;
    let mut sun = Raw::connect(server.addr(), 3).await;
    sun.hello().await;
    assert!(!sun.welcome().await.member);
    assert_eq!(sun.asked(BoardRequest::OrderBook).await, Err(ErrorCode::NotSteward));
}
