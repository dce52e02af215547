//! How a connection comes up and goes.

mod pair;

use pair::*;
use peer::{PeerConfig, PeerState};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn two_sides_connect_in_a_moment() {
    let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
    join(&mut a, &mut b, Duration::ZERO);
    let start = Instant::now();
    a.peer.offer().await.unwrap();
    for side in [&a, &b] {
        for (at, state) in side.connected().await.states {
            println!("{state:?} {:?}", at - start);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_is_prompt_and_the_last_event() {
    let (a, b) = connected(config(false), config(true)).await;
    let start = Instant::now();
    a.peer.close().await;
    assert!(start.elapsed() < Duration::from_millis(150), "{:?}", start.elapsed());
    a.told("closed", |told| told.state() == Some(PeerState::Closed)).await;
    assert_eq!(a.peer.offer().await.map_err(|error| error.code()), Err("peer_closed"));
    drop(b);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_demanded_and_missing_fails_at_once() {
    let (mut a, mut b) =
        (Side::new(PeerConfig { relay_only: true, ..config(false) }).await, Side::new(config(true)).await);
    join(&mut a, &mut b, Duration::ZERO);
    a.peer.offer().await.unwrap();
    let told = a.told("failed", |told| told.state() == Some(PeerState::Failed)).await;
    assert_eq!(told.candidates, Vec::<String>::new(), "no address of ours is told");
}
