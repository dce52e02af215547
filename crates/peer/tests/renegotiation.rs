//! Adding and removing lines, glare, ICE restarts.
#![allow(clippy::unwrap_used)] // Helpers of tests.

mod pair;

use media::encoded::VideoCodec;
use pair::*;
use peer::{PeerConfig, PeerState, TrackKind};
use std::time::Duration;

fn videos(told: &Told) -> usize {
    told.tracks.iter().filter(|(_, kind)| *kind == TrackKind::Video).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_side_is_told_of_sound_and_picture_and_what_may_be_sent() {
    let (a, b) = connected(config(false), config(true)).await;
    for side in [&a, &b] {
        let told = side.told("negotiated", |told| !told.negotiated.is_empty()).await;
        assert_eq!(told.tracks, [("0".into(), TrackKind::Audio), ("1".into(), TrackKind::Video)]);
        assert_eq!(told.negotiated, [(Some(VideoCodec::Vp8), true)]);
        assert_eq!(side.peer.media().video_codec(), Some(VideoCodec::Vp8));
        assert!(side.peer.media().connected());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_offers_order_of_codecs_is_honoured() {
    let order = vec![VideoCodec::H264, VideoCodec::Vp9];
    let a = PeerConfig { codecs: order, ..config(false) };
    let b = PeerConfig { codecs: vec![VideoCodec::Vp8, VideoCodec::Vp9, VideoCodec::H264], ..config(true) };
    let (a, b) = connected(a, b).await;
    for side in [&a, &b] {
        let told = side.told("negotiated", |told| !told.negotiated.is_empty()).await;
        assert_eq!(told.negotiated, [(Some(VideoCodec::H264), true)]);
    }
    assert!(!b.told.borrow().descriptions[0].contains("VP8"), "an answer names only what was offered");
}

#[tokio::test(flavor = "multi_thread")]
async fn sides_without_a_common_codec_still_talk() {
    let a = PeerConfig { codecs: vec![VideoCodec::Vp9], ..config(false) };
    let b = PeerConfig { codecs: vec![VideoCodec::H264], ..config(true) };
    let (a, b) = connected(a, b).await;
    for side in [&a, &b] {
        let told = side.told("negotiated", |told| !told.negotiated.is_empty()).await;
        assert_eq!(told.negotiated, [(None, true)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_that_cross_at_the_start_still_connect() {
    let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
    join(&mut a, &mut b, Duration::from_millis(20));
    let (one, two) = tokio::join!(a.peer.offer(), b.peer.offer());
    one.unwrap();
    two.unwrap();
    for side in [&a, &b] {
        side.connected().await;
        assert_eq!(side.told.borrow().errors, Vec::<&str>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tracks_added_by_both_in_the_same_instant_both_arrive() {
    let (a, b) = connected(config(false), config(true)).await;
    let (one, two) = tokio::join!(a.peer.add_video_track(), b.peer.add_video_track());
    let (one, two) = (one.unwrap(), two.unwrap());
    for side in [&a, &b] {
        side.told("the other's screen", |told| videos(told) == 2).await;
    }
    for track in [&one, &two] {
        tokio::time::timeout(PATIENCE, async {
            while track.video_codec().is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
        assert!(track.mid().is_some());
    }
    assert_eq!((a.told.borrow().errors.clone(), b.told.borrow().errors.clone()), (vec![], vec![]));
}

/// Browsers reject an answer that swaps the roles of an existing handshake.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_offers_later_the_parts_in_the_handshake_stay() {
    let (a, b) = connected(config(false), config(true)).await;
    for round in 1..=2 {
        b.peer.add_video_track().await.unwrap();
        a.told("b's screen", |told| videos(told) == 1 + round).await;
        a.peer.add_video_track().await.unwrap();
        b.told("a's screen", |told| videos(told) == 1 + round).await;
    }
    for (side, part) in [(&a, "passive"), (&b, "active")] {
        for description in &side.told.borrow().descriptions {
            let setups: Vec<&str> = description.lines().filter_map(|line| line.strip_prefix("a=setup:")).collect();
            assert!(setups.iter().all(|setup| [part, "actpass"].contains(setup)), "{part}: {setups:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_is_shared_ended_and_shared_again() {
    let (a, b) = connected(config(false), config(true)).await;
    for round in 1..=3 {
        let track = a.peer.add_video_track().await.unwrap();
        b.told("the screen", |told| videos(told) == 1 + round).await;
        a.peer.remove_video_track(track).await.unwrap();
        b.told("its end", |told| told.ended.len() == round).await;
    }
    let told = b.told.borrow().clone();
    let mids: std::collections::BTreeSet<&String> = told.tracks.iter().map(|(mid, _)| mid).collect();
    assert_eq!(mids.len(), 3, "the line is used again");
    assert_eq!(a.told.borrow().state(), Some(PeerState::Connected));
    assert_eq!(told.errors, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_by_either_side_finds_a_new_path() {
    let (a, b) = connected(config(false), config(true)).await;
    for (asks, restarts) in [(&a, 1), (&b, 2)] {
        let before = asks.told.borrow().candidates.clone();
        asks.peer.restart_ice().await.unwrap();
        for side in [&a, &b] {
            side.told("connected again", |told| {
                told.connections() > restarts && told.state() == Some(PeerState::Connected)
            })
            .await;
        }
        let after = asks.told.borrow().candidates.clone();
        assert!(after.len() > before.len(), "new sockets, new candidates");
    }
    assert_eq!((a.told.borrow().errors.clone(), b.told.borrow().errors.clone()), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_that_cross_still_connect() {
    let (a, b) = connected(config(false), config(true)).await;
    let (one, two) = tokio::join!(a.peer.restart_ice(), b.peer.restart_ice());
    one.unwrap();
    two.unwrap();
    for side in [&a, &b] {
        side.told("connected again", |told| told.connections() > 1 && told.state() == Some(PeerState::Connected)).await;
    }
}
