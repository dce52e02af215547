//! Rounds over real sockets, and what remains of them after a restart.

use server::Config;
use signaling::board::{BoardNews, BoardRequest, Notice, NoticeKind, RoundDraft, RoundInfo, RoundSize};
use signaling::message::{ErrorCode, ServerMessage};

use crate::board::{Folder, SECRET, draft, look, member, unix_ms};
use crate::client::{Raw, join};
use crate::{config, start};

const HOUR: u64 = 3_600_000;

async fn notice(raw: &mut Raw) -> Notice {
    loop {
        if let ServerMessage::Board(BoardNews::Notice(notice)) = raw.next().await {
            return notice;
        }
    }
}

/// The only round of the next patch that has one.
async fn round(raw: &mut Raw) -> RoundInfo {
    loop {
        if let ServerMessage::Board(BoardNews::Patch(patch)) = raw.next().await
            && let [round] = patch.rounds.as_slice()
        {
            return round.clone();
        }
    }
}

/// Lays a round that closes in `ms`: less than the time after which the server ends a silent connection.
async fn lay(raw: &mut Raw, title: &str, ms: u64) {
    let starts_ms = unix_ms() + HOUR + ms;
    let draft = RoundDraft { title: title.into(), starts_ms, minutes: 60, weekly: false, size: RoundSize::Threes };
    raw.asked(BoardRequest::LayRound(draft)).await.expect("laid");
}

#[tokio::test]
async fn people_who_sign_up_are_seated_at_the_close_and_meet_in_a_call() {
    let server = start(config()).await;
    let mut people = Vec::new();
    for seed in 1..=4 {
        people.push(member(server.addr(), seed).await);
        look(people.last_mut().expect("one")).await;
    }
    let [ada, ben, cem, dan] = people.as_mut_slice() else { panic!("four people") };
    lay(ada, "Lunch roulette", 6_000).await;
    let laid = round(ben).await;
    let sign_up = || BoardRequest::SignUp { round: laid.id.clone() };
    for one in [&mut *ada, &mut *ben, &mut *cem, &mut *dan] {
        one.asked(sign_up()).await.expect("signed up");
    }
    dan.asked(BoardRequest::Withdraw { round: laid.id.clone() }).await.expect("withdrawn");
    let rounds = look(ada).await.rounds;
    assert_eq!((rounds[0].info.signed_up, rounds[0].own, rounds[0].joined), (3, true, true));
    let mut tables = Vec::new();
    for one in [&mut *ada, &mut *ben, &mut *cem] {
        let found = notice(one).await;
        assert_eq!((found.kind, found.topic.as_str()), (NoticeKind::Matched, "Lunch roulette"));
        tables.push(found);
    }
    assert!(tables.iter().all(|one| one.table == tables[0].table && one.starts_ms == laid.starts_ms));
    let board = look(dan).await;
    assert!(board.rounds.is_empty() && board.tables.len() == 1);
    assert_eq!(dan.asked(sign_up()).await, Err(ErrorCode::NoSuchRound));
    let other = BoardRequest::Take { table: tables[0].table.clone(), wait: false };
    assert_eq!(dan.asked(other).await, Err(ErrorCode::TableFull));
    assert_eq!(ben.asked(BoardRequest::Lay(draft("soup", laid.starts_ms))).await, Err(ErrorCode::AlreadySeated));
    ben.say(join(&tables[0].room)).await;
    loop {
        if let ServerMessage::Error(error) = ben.next().await {
            break assert_eq!(error.code, ErrorCode::TooEarly, "it opens ten minutes before, like all tables");
        }
    }
}

#[tokio::test]
async fn sign_ups_survive_a_restart_and_are_seated_at_the_close() {
    let folder = Folder::new("rounds");
    let settings = || Config { data_dir: Some(folder.0.clone()), member_secret: Some(SECRET.into()), ..config() };
    let server = start(settings()).await;
    let (mut ada, mut ben) = (member(server.addr(), 1).await, member(server.addr(), 2).await);
    look(&mut ada).await;
    look(&mut ben).await;
    lay(&mut ada, "two", 6_000).await;
    let two = round(&mut ben).await;
    lay(&mut ada, "one", 4 * HOUR).await;
    let later = round(&mut ben).await;
    for one in [&mut ada, &mut ben] {
        one.asked(BoardRequest::SignUp { round: two.id.clone() }).await.expect("signed up");
    }
    ben.asked(BoardRequest::SignUp { round: later.id.clone() }).await.expect("signed up");
    drop((ada, ben));
    server.stop().await;
    // If it takes long, the close has passed meanwhile, and the server makes up for it.
    let server = start(settings()).await;
    let (mut ada, mut ben) = (member(server.addr(), 1).await, member(server.addr(), 2).await);
    ada.ask(BoardRequest::Subscribe { room: None, invite: None }).await;
    let found = notice(&mut ada).await;
    assert_eq!((found.kind, found.topic.as_str()), (NoticeKind::Matched, "two"));
    let board = look(&mut ben).await;
    assert!(board.tables.iter().any(|table| table.info.id == found.table && table.info.taken.len() == 2));
    let [left] = board.rounds.as_slice() else { panic!("{:?}", board.rounds) };
    assert_eq!((left.info.title.as_str(), left.joined, left.own), ("one", true, false));
    ada.asked(BoardRequest::CancelRound { round: later.id }).await.expect("cancelled");
    while notice(&mut ben).await.kind != NoticeKind::RoundCancelled {}
}
