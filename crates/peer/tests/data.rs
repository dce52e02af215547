//! The data channel between two connections.
#![allow(clippy::unwrap_used)] // Helpers of tests.

mod pair;

use pair::*;
use peer::{DataChannel, DataMessage, MAX_DATA_BYTES};
use std::time::Duration;

async fn next(channel: &DataChannel) -> Option<DataMessage> {
    tokio::time::timeout(PATIENCE, channel.next()).await.unwrap()
}

/// Connects two sides through these changes of their descriptions.
async fn connect(rewrites: [fn(&str) -> String; 2]) -> (Side, Side) {
    let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
    join_through(&mut a, &mut b, Duration::ZERO, rewrites);
    a.peer.offer().await.unwrap();
    a.connected().await;
    b.connected().await;
    (a, b)
}

fn same(text: &str) -> String {
    text.to_owned()
}

/// The answer of a client that knows no data channels.
fn without_data(text: &str) -> String {
    let text = text.replace("m=application 9", "m=application 0");
    text.replace("a=group:BUNDLE 0 1 2", "a=group:BUNDLE 0 1")
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_arrive_in_order_whichever_side_is_the_client_of_the_handshake() {
    for client in ["active", "passive"] {
        let rewrite: fn(&str) -> String = match client {
            "active" => |text| text.replace("setup:actpass", "setup:active"),
            _ => |text| text.replace("setup:actpass", "setup:passive"),
        };
        let (a, b) = connect([rewrite, same]).await;
        let (a_data, b_data) = (a.peer.data().unwrap(), b.peer.data().unwrap());
        for side in [&a_data, &b_data] {
            assert_eq!(next(side).await, Some(DataMessage::Open));
        }
        for (from, to) in [(&a_data, &b_data), (&b_data, &a_data)] {
            from.send_text("한글").await.unwrap();
            for n in 0..100u8 {
                from.send(&vec![n; MAX_DATA_BYTES]).await.unwrap();
            }
            assert_eq!(next(to).await, Some(DataMessage::Text("한글".into())));
            for n in 0..100u8 {
                assert_eq!(next(to).await, Some(DataMessage::Binary(vec![n; MAX_DATA_BYTES].into())));
            }
        }
        a.peer.close().await;
        assert_eq!(next(&a_data).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_far_side_without_data_channels_gets_the_call_and_further_lines() {
    let (a, b) = connect([without_data, without_data]).await;
    for side in [&a, &b] {
        side.wait_for("negotiated", |log| !log.negotiated.is_empty()).await;
    }
    a.peer.add_video_track().await.unwrap();
    b.wait_for("the screen", |log| log.tracks.len() == 3).await;
    b.peer.add_video_track().await.unwrap();
    a.wait_for("the other screen", |log| log.tracks.len() == 3).await;
    assert_eq!(a.log.borrow().errors, Vec::<&str>::new());
    assert!(a.peer.data().unwrap().send_text("nobody hears").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_offer_after_a_lost_one_keeps_its_lines_apart() {
    let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
    a.peer.offer().await.unwrap();
    for _ in 0..3 {
        a.lose_description().await;
        a.peer.reoffer().await.unwrap();
    }
    join(&mut a, &mut b, Duration::ZERO);
    for side in [&a, &b] {
        side.connected().await;
        assert_eq!(next(&side.peer.data().unwrap()).await, Some(DataMessage::Open));
    }
}
