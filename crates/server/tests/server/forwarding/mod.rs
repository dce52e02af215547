//! Forwarded rooms over real sockets.

mod caller;

use std::net::SocketAddr;

use rooms::ForwardLimits;
use server::{Config, Forwarding, Server};
use signaling::forwarding::{Displayed, OwnDisplayed, Published};
use signaling::message::{ClientMessage, ErrorCode, LeaveReason, ParticipantId, ServerMessage};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use self::caller::{Call, Caller, VIEW_HEIGHT};
use crate::client::{PATIENCE, Raw};
use crate::metrics::get;
use crate::{config, loopback, start};

/// A server that forwards rooms of two people and more.
async fn forwarding() -> Server {
    let limits = ForwardLimits { from: 2, ..ForwardLimits::default() };
    let forwarding = Some(Forwarding { listen: loopback(), limits, ..Forwarding::default() });
    start(Config { forwarding, silence: PATIENCE, metrics_listen: Some(loopback()), ..config() }).await
}

/// People in a forwarded room with connections, each of whom displays the cameras of all others.
async fn connected(server: &Server, count: u8) -> Call {
    let mut people = Vec::new();
    for seed in 1..=count {
        people.push(Caller::join(server.addr(), seed, "soup").await);
    }
    let mut call = Call::new(people);
    call.until("all are forwarded", |people| people.iter().all(|one| one.forwarded == [true])).await;
    for one in &mut call.people {
        one.connect(|answer| answer).await;
    }
    call.until("all are connected", |people| people.iter().all(Caller::is_connected)).await;
    let ids: Vec<ParticipantId> = call.people.iter().map(|one| one.id.clone()).collect();
    for one in &mut call.people {
        let others: Vec<&ParticipantId> = ids.iter().filter(|id| **id != one.id).collect();
        one.view(&others).await;
    }
    call
}

#[tokio::test]
async fn a_voice_and_a_picture_reach_the_others() {
    let server = forwarding().await;
    let mut call = connected(&server, 3).await;
    call.people[0].publishes = true;
    let author = call.people[0].id.clone();
    let arrived = |one: &Caller| one.of(&author).sound > 50 && one.of(&author).pictures > 50;
    call.until("both receive both", |people| people[1..].iter().all(arrived)).await;
    for one in &call.people[1..] {
        let carry = |kind| one.slots.iter().filter(|slot| slot.id == author && slot.kind == kind).count();
        assert_eq!((carry(Published::Audio), carry(Published::Camera)), (1, 1));
        assert_eq!((one.spoiled, one.received.len()), (0, 1), "as published, and of nobody else");
    }
    assert_eq!(call.people[0].total(), 0, "nothing of oneself");
    let metrics = server.metrics_addr().expect("served");
    let counted = async {
        loop {
            let text = get(metrics, "/metrics").await;
            let has = |line: &str| text.lines().any(|found| found == line);
            if has("lunchroom_forward_rooms 1") && has("lunchroom_forward_connections 3") {
                return text;
            }
        }
    };
    let text = timeout(PATIENCE, counted).await.expect("counted in time");
    assert!(!text.lines().any(|line| line == "lunchroom_forward_packets_sent_total 0"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn somebody_who_is_gone_gets_and_sends_nothing_more() {
    let server = forwarding().await;
    let mut call = connected(&server, 3).await;
    (call.people[0].publishes, call.people[2].publishes) = (true, true);
    let [author, gone] = [0, 2].map(|who: usize| call.people[who].id.clone());
    call.until("the second receives both", |people| {
        people[1].of(&author).pictures > 10 && people[1].of(&gone).pictures > 10
    })
    .await;
    call.until("the third receives", |people| people[2].of(&author).pictures > 10).await;
    let csrc = call.people[1].slots.iter().find(|slot| slot.id == gone).expect("shown").csrc;
    call.people[2].raw.say(ClientMessage::Leave).await;
    call.until("the seat is gone", |people| people[2].left == Some(LeaveReason::Left)).await;
    call.until("the slots are free", |people| people[1].slots.iter().all(|slot| slot.id == author)).await;
    let before = (call.people[2].total(), call.people[1].received[&csrc]);
    let seen = call.people[1].of(&author).pictures;
    call.until("the others go on", |people| people[1].of(&author).pictures > seen + 50).await;
    assert_eq!((call.people[2].total(), call.people[1].received[&csrc]), before);
    assert_eq!(call.people[1].spoiled, 0);
}

#[tokio::test]
async fn people_learn_how_large_others_display_them_also_after_somebody_has_gone() {
    let server = forwarding().await;
    let mut call = connected(&server, 3).await;
    let shown = |height| Some(OwnDisplayed { camera: height, screen: 0 });
    call.until("all are displayed", |people| people.iter().all(|one| one.displayed == shown(VIEW_HEIGHT))).await;
    let [first, second] = [0, 1].map(|who: usize| call.people[who].id.clone());
    let larger = Displayed { id: first.clone(), kind: Published::Camera, height: 720, priority: 0 };
    call.people[2].raw.say(ClientMessage::View { pictures: vec![larger] }).await;
    call.until("the first is large", |people| people[0].displayed == shown(720)).await;
    call.people[1].view(&[]).await;
    call.people[0].view(&[]).await;
    call.until("nobody displays the others", |people| {
        people[1].displayed == shown(0) && people[2].displayed == shown(0)
    })
    .await;
    call.people[2].raw.say(ClientMessage::Leave).await;
    call.until("nobody displays the first", |people| people[0].displayed == shown(0)).await;
    call.people[0].view(&[&second]).await;
    call.until("the second is displayed", |people| people[1].displayed == shown(VIEW_HEIGHT)).await;
}

#[tokio::test]
async fn a_new_offer_replaces_the_connection() {
    let server = forwarding().await;
    let mut call = connected(&server, 2).await;
    call.people[0].publishes = true;
    let author = call.people[0].id.clone();
    call.until("received", |people| people[1].of(&author).pictures > 10).await;
    call.people[1].connect(|answer| answer).await;
    let seen = call.people[1].of(&author);
    call.until("it goes on", |people| {
        people[1].of(&author).pictures > seen.pictures + 20 && people[1].of(&author).sound > seen.sound + 20
    })
    .await;
}

#[tokio::test]
async fn wrong_credentials_and_strangers_get_nothing() {
    let server = forwarding().await;
    let mut call = connected(&server, 3).await;
    call.people[0].publishes = true;
    let author = call.people[0].id.clone();
    // The third knows where, but not the password.
    let wrong = |answer: String| {
        let line = |line: &str| match line.strip_prefix("a=ice-pwd:") {
            Some(password) => format!("a=ice-pwd:{}\r\n", "0".repeat(password.len())),
            None => format!("{line}\r\n"),
        };
        answer.lines().map(line).collect()
    };
    call.people[2].connect(wrong).await;
    let to = server.forward_addr().expect("forwards");
    let stranger = UdpSocket::bind(loopback()).await.expect("a port");
    let check = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    for datagram in [&check[..], &[], &[0], &[22, 254, 253], &[0x80; 40], &[0xff; 1_200]] {
        for _ in 0..500 {
            stranger.send_to(datagram, to).await.expect("sent");
        }
    }
    let before = call.people[2].total();
    call.until("the others go on", |people| people[1].of(&author).pictures > 100).await;
    assert!(!call.people[2].is_connected());
    assert_eq!(call.people[2].total(), before);
    let mut datagram = [0; 100];
    assert!(stranger.try_recv_from(&mut datagram).is_err(), "strangers get no answer");
}

#[tokio::test]
async fn offers_that_make_no_sense_are_refused_and_too_many_are_limited() {
    let server = forwarding().await;
    let mut call =
        Call::new(vec![Caller::join(server.addr(), 1, "soup").await, Caller::join(server.addr(), 2, "soup").await]);
    call.people[0].offer("v=0").await;
    call.until("refused", |people| people[0].errors == [ErrorCode::Malformed]).await;
    for _ in 0..20 {
        call.people[0].offer("v=0").await;
    }
    call.until("all answered", |people| people[0].errors.len() == 21).await;
    let limited = call.people[0].errors.iter().filter(|code| **code == ErrorCode::RateLimited).count();
    assert!(limited >= 10, "{:?}", call.people[0].errors);
    call.people[1].connect(|answer| answer).await;
    call.until("the other connects", |people| people[1].is_connected()).await;
}

#[tokio::test]
async fn a_room_with_somebody_who_has_not_announced_it_is_not_forwarded() {
    let server = forwarding().await;
    let (mut old, _) = Raw::joined(server.addr(), 1, "soup").await;
    let mut able = Caller::join(server.addr(), 2, "soup").await;
    assert_eq!(able.forwarded, [] as [bool; 0]);
    able.offer("v=0").await;
    let mut call = Call::new(vec![able]);
    call.until("refused", |people| people[0].errors == [ErrorCode::UnexpectedMessage]).await;
    assert!(matches!(old.receive().await, ServerMessage::ParticipantJoined { .. }));
}

#[tokio::test]
async fn without_the_setting_nothing_is_forwarded() {
    let server = start(config()).await;
    assert_eq!(server.forward_addr(), None::<SocketAddr>);
    let people = [Caller::join(server.addr(), 1, "soup").await, Caller::join(server.addr(), 2, "soup").await];
    assert!(people.iter().all(|one| one.forwarded.is_empty()));
}
