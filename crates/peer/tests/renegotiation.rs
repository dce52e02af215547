//! Adding and removing lines, glare, ICE restarts.
#![allow(clippy::unwrap_used)] // Helpers of tests.

mod pair;

use media::encoded::VideoCodec;
use pair::*;
use peer::{PeerConfig, PeerState, TrackKind};
use std::time::Duration;

fn videos(log: &EventLog) -> usize {
    log.tracks.iter().filter(|(_, kind)| *kind != TrackKind::Audio).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_side_reports_remote_tracks_and_negotiated_codecs() {
    let (a, b) = connected(config(false), config(true)).await;
    for side in [&a, &b] {
        let log = side.wait_for("negotiated", |log| !log.negotiated.is_empty()).await;
        assert_eq!(log.tracks, [("0".into(), TrackKind::Audio), ("1".into(), TrackKind::Video)]);
        assert_eq!(log.negotiated, [(Some(VideoCodec::Vp8), true)]);
        assert_eq!(side.peer.media().video_codecs().first(), Some(&VideoCodec::Vp8));
        assert!(side.peer.media().connected());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_codec_order_of_the_offer_is_honoured() {
    let order = vec![VideoCodec::H264, VideoCodec::Vp9];
    let a = PeerConfig { codecs: order, ..config(false) };
    let b = PeerConfig { codecs: VideoCodec::ALL.to_vec(), ..config(true) };
    let (a, b) = connected(a, b).await;
    for side in [&a, &b] {
        let log = side.wait_for("negotiated", |log| !log.negotiated.is_empty()).await;
        assert_eq!(log.negotiated, [(Some(VideoCodec::H264), true)]);
    }
    assert!(!b.log.borrow().descriptions[0].contains("VP8"), "an answer names only what was offered");
}

#[tokio::test(flavor = "multi_thread")]
async fn sides_without_a_common_video_codec_exchange_audio() {
    let a = PeerConfig { codecs: vec![VideoCodec::Vp9], ..config(false) };
    let b = PeerConfig { codecs: vec![VideoCodec::H264], ..config(true) };
    let (a, b) = connected(a, b).await;
    for side in [&a, &b] {
        let log = side.wait_for("negotiated", |log| !log.negotiated.is_empty()).await;
        assert_eq!(log.negotiated, [(None, true)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn crossing_initial_offers_connect() {
    let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
    join(&mut a, &mut b, Duration::from_millis(20));
    let (one, two) = tokio::join!(a.peer.offer(), b.peer.offer());
    one.unwrap();
    two.unwrap();
    for side in [&a, &b] {
        side.connected().await;
        assert_eq!(side.log.borrow().errors, Vec::<&str>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tracks_added_simultaneously_both_arrive() {
    let (a, b) = connected(config(false), config(true)).await;
    let (one, two) = tokio::join!(a.peer.add_video_track(), b.peer.add_video_track());
    let (one, two) = (one.unwrap(), two.unwrap());
    for side in [&a, &b] {
        side.wait_for("the other's screen", |log| videos(log) == 2).await;
    }
    for track in [&one, &two] {
        tokio::time::timeout(PATIENCE, async {
            while track.video_codecs().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
        assert!(track.mid().is_some());
    }
    assert_eq!((a.log.borrow().errors.clone(), b.log.borrow().errors.clone()), (vec![], vec![]));
}

/// Browsers reject an answer that swaps the roles of an existing handshake.
#[tokio::test(flavor = "multi_thread")]
async fn dtls_roles_stay_the_same_whoever_offers_later() {
    let (a, b) = connected(config(false), config(true)).await;
    for round in 1..=2 {
        b.peer.add_video_track().await.unwrap();
        a.wait_for("b's screen", |log| videos(log) == 1 + round).await;
        a.peer.add_video_track().await.unwrap();
        b.wait_for("a's screen", |log| videos(log) == 1 + round).await;
    }
    for (side, part) in [(&a, "active"), (&b, "passive")] {
        for description in &side.log.borrow().descriptions {
            let setups: Vec<&str> = description.lines().filter_map(|line| line.strip_prefix("a=setup:")).collect();
            assert!(setups.iter().all(|setup| [part, "actpass"].contains(setup)), "{part}: {setups:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_can_be_shared_repeatedly() {
    let (a, b) = connected(config(false), config(true)).await;
    for round in 1..=3 {
        let track = a.peer.add_video_track().await.unwrap();
        b.wait_for("the screen", |log| videos(log) == 1 + round).await;
        a.peer.remove_video_track(track).await.unwrap();
        b.wait_for("its end", |log| log.ended.len() == round).await;
    }
    let log = b.log.borrow().clone();
    let mids: std::collections::BTreeSet<&String> = log.tracks.iter().map(|(mid, _)| mid).collect();
    assert_eq!(mids.len(), 3, "the line is used again");
    assert_eq!(a.log.borrow().state(), Some(PeerState::Connected));
    assert_eq!(log.errors, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ice_restart_by_either_side_finds_a_new_path() {
    let (a, b) = connected(config(false), config(true)).await;
    for (requester, restarts) in [(&a, 1), (&b, 2)] {
        let before = requester.log.borrow().candidates.clone();
        requester.peer.restart_ice(vec![]).await.unwrap();
        for side in [&a, &b] {
            side.wait_for("connected again", |log| {
                log.connections() > restarts && log.state() == Some(PeerState::Connected)
            })
            .await;
        }
        let after = requester.log.borrow().candidates.clone();
        assert!(after.len() > before.len(), "new sockets, new candidates");
    }
    assert_eq!((a.log.borrow().errors.clone(), b.log.borrow().errors.clone()), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn crossing_ice_restarts_connect() {
    let (a, b) = connected(config(false), config(true)).await;
    let (one, two) = tokio::join!(a.peer.restart_ice(vec![]), b.peer.restart_ice(vec![]));
    one.unwrap();
    two.unwrap();
    for side in [&a, &b] {
        side.wait_for("connected again", |log| log.connections() > 1 && log.state() == Some(PeerState::Connected))
            .await;
    }
}
