//! Sends video and audio over a connection.
#![allow(clippy::unwrap_used)] // Helpers of tests.

mod pair;

use media::encoded::{EncodedFrame, VideoCodec};
use pair::*;
use peer::{PeerConfig, PeerState};
use std::time::{Duration, Instant};

fn one(codec: VideoCodec, polite: bool) -> PeerConfig {
    PeerConfig { codecs: vec![codec], ..config(polite) }
}

/// Checks that frames arrive complete, once and in order, and start with a keyframe.
fn check(frames: &[EncodedFrame], codec: VideoCodec) {
    assert!(frames[0].keyframe);
    assert!(frames.iter().all(|frame| frame.codec == codec));
    assert!(frames.windows(2).all(|pair| (pair[1].rtp_timestamp.wrapping_sub(pair[0].rtp_timestamp) as i32) > 0));
    let sent = picture(codec, true, 0, 9_000).data;
    assert_eq!(frames[0].data, sent, "bit for bit");
}

async fn both_ways(codec: VideoCodec) {
    let (a, b) = connected(one(codec, false), one(codec, true)).await;
    let _streams = [stream(&a, codec), stream(&b, codec)];
    for side in [&a, &b] {
        let received = side
            .wait_for_media("pictures, sound and reports", |received| {
                received.frames.get("1").is_some_and(|frames| frames.len() >= 45)
                    && received.audio.get("0").is_some_and(|packets| packets.len() >= 45)
                    && received.reports.len() == 2
            })
            .await;
        check(&received.frames["1"], codec);
        let audio = &received.audio["0"];
        assert!(audio.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
        assert!(audio.iter().all(|packet| packet.level == Some(LEVEL)));
        let stats = side.peer.stats().await.unwrap();
        assert_eq!((stats.video_codec, stats.received_codec), (Some(codec), Some(codec)));
        assert!(stats.packets_sent > 100 && stats.packets_received > 100, "{stats:?}");
        assert!(stats.rtt.is_some_and(|rtt| rtt < Duration::from_millis(100)), "{:?}", stats.rtt);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vp8_and_audio_flow_both_ways() {
    both_ways(VideoCodec::Vp8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vp9_and_audio_flow_both_ways() {
    both_ways(VideoCodec::Vp9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_and_audio_flow_both_ways() {
    both_ways(VideoCodec::H264).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyframe_switches_the_codec_without_negotiation() {
    let (a, b) = connected(config(false), config(true)).await;
    keyframe_requested(&a).await;
    let descriptions = a.log.borrow().descriptions.len();
    let media = a.peer.media();
    assert_eq!(media.video_codecs(), VideoCodec::ALL);
    let order = [VideoCodec::Vp8, VideoCodec::Vp9, VideoCodec::H264, VideoCodec::Vp8];
    for (n, codec) in order.into_iter().enumerate() {
        for (m, keyframe) in [true, false].into_iter().enumerate() {
            let count = 2 * n + m;
            media.video(&picture(codec, keyframe, count as u32 * 3_000, 4_000));
            b.wait_for_media("the picture", |received| received.frames.get("1").is_some_and(|f| f.len() > count)).await;
        }
        assert_eq!(a.peer.stats().await.unwrap().video_codec, Some(codec));
    }
    let received: Vec<VideoCodec> = b.received.borrow().frames["1"].iter().map(|frame| frame.codec).collect();
    assert_eq!(received, order.map(|codec| [codec; 2]).concat());
    assert_eq!(a.log.borrow().descriptions.len(), descriptions);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_capture_time_of_a_frame_is_known_on_our_clock() {
    let (a, b) = connected(config(false), config(true)).await;
    let _streams = [stream(&a, VideoCodec::Vp8), stream(&b, VideoCodec::Vp8)];
    let known = |frame: &&EncodedFrame| frame.captured.is_some();
    let received = b
        .wait_for_media("a capture time", |received| {
            received.frames.get("1").is_some_and(|frames| frames.iter().filter(known).count() > 3)
        })
        .await;
    for frame in received.frames["1"].iter().filter(known) {
        let captured = frame.captured.unwrap();
        assert!(captured.uncertainty < Duration::from_millis(50), "{captured:?}");
        // The stream's RTP clock runs 1 % slow.
        let earliest = frame.time.checked_sub(Duration::from_millis(300)).unwrap();
        assert!(captured.at > earliest && captured.at < frame.time + Duration::from_millis(50), "{captured:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_keyframe_is_enough() {
    let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
    join(&mut a, &mut b, Duration::ZERO);
    a.peer.offer().await.unwrap();
    keyframe_requested(&a).await;
    a.peer.media().video(&picture(VideoCodec::Vp8, true, 0, 9_000));
    b.wait_for_media("the picture", |received| received.frames.contains_key("1")).await; // no other one follows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyframe_request_reaches_the_encoder_once() {
    let (a, b) = connected(config(false), config(true)).await;
    keyframe_requested(&a).await; // when the connection was established
    a.peer.media().video(&picture(VideoCodec::Vp8, true, 0, 9_000));
    b.wait_for_media("the picture", |received| received.frames.contains_key("1")).await;
    let _ = a.peer.media().take_keyframe_request(); // by the far side, while it had no picture
    let before = Instant::now();
    b.peer.media().request_keyframe("1");
    assert!(keyframe_requested(&a).await >= before);
    assert_eq!(a.peer.media().take_keyframe_request(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bandwidth_estimate_grows_on_a_good_path() {
    let (a, b) = connected(config(false), config(true)).await;
    a.peer.media().set_desired_bitrate(6_000_000);
    let _streams = [stream(&a, VideoCodec::Vp8), stream(&b, VideoCodec::Vp8)];
    let start = PeerConfig::default().start_bitrate;
    a.wait_for("a higher target", |log| log.targets.last().is_some_and(|target| *target > 2 * start)).await;
    assert!(a.peer.media().target_bitrate() > start);
}

#[tokio::test(flavor = "multi_thread")]
async fn video_continues_after_an_ice_restart() {
    let (a, b) = connected(config(false), config(true)).await;
    let _streams = [stream(&a, VideoCodec::Vp8), stream(&b, VideoCodec::Vp8)];
    for side in [&a, &b] {
        side.wait_for_media("pictures", |received| received.frames.get("1").is_some_and(|frames| frames.len() > 5))
            .await;
    }
    b.peer.restart_ice(vec![]).await.unwrap();
    for side in [&a, &b] {
        side.wait_for("connected again", |log| log.connections() > 1 && log.state() == Some(PeerState::Connected))
            .await;
        let before = side.received.borrow().frames["1"].len();
        side.wait_for_media("more pictures", |received| received.frames["1"].len() > before + 20).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_screen_shares_are_both_received() {
    let (a, b) = connected(config(false), config(true)).await;
    let (one, two) = tokio::join!(a.peer.add_video_track(), b.peer.add_video_track());
    let tracks = [one.unwrap(), two.unwrap()];
    let sender = tokio::spawn(async move {
        for number in 0.. {
            for track in &tracks {
                track.video(&picture(VideoCodec::Vp8, number % 10 == 0, number, 3_000));
            }
            tokio::time::sleep(Duration::from_millis(33)).await;
        }
    });
    for side in [&a, &b] {
        side.wait_for_media("the other's screen", |received| {
            received.frames.iter().any(|(mid, frames)| mid != "1" && frames.len() > 5)
        })
        .await;
    }
    sender.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_takes_its_bitrate_from_the_camera() {
    let (a, _b) = connected(config(false), config(true)).await;
    let media = a.peer.media();
    // The target may change between two calls.
    assert!(media.camera_bitrate() > 0);
    media.set_share(5_000_000, u64::MAX);
    assert_eq!(media.camera_bitrate(), 0);
    assert!(media.share_bitrate() > 0, "a share does not take it from itself");
    media.set_share(0, 0);
    assert!(media.camera_bitrate() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_remote_sender_is_received() {
    let (a, b) = connected(config(false), config(true)).await;
    let _stream = stream(&b, VideoCodec::Vp8);
    a.wait_for_media("pictures", |received| received.frames.get("1").is_some_and(|frames| frames.len() > 5)).await;
    // A restarted program is a new participant with a new connection; the old one must not interfere.
    drop(b);
    let (a2, b2) = connected(PeerConfig { seed: 77, ..config(false) }, PeerConfig { seed: 78, ..config(true) }).await;
    let _stream = stream(&b2, VideoCodec::Vp8);
    a2.wait_for_media("pictures again", |received| received.frames.get("1").is_some_and(|frames| frames.len() > 5))
        .await;
    a.peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_without_a_reference_gets_a_keyframe() {
    let (a, b) = connected(config(false), config(true)).await;
    let _stream = stream(&a, VideoCodec::Vp8);
    b.wait_for_media("pictures", |received| received.frames.get("1").is_some_and(|frames| frames.len() > 10)).await;
    let keyframes = |received: &ReceivedMedia| received.frames["1"].iter().filter(|frame| frame.keyframe).count();
    let before = keyframes(&b.received.borrow());
    b.peer.media().request_keyframe("1");
    b.wait_for_media("a keyframe more", |received| keyframes(received) > before).await;
}
