//! Offers and answers in the format of other programs, and our replies.
#![allow(clippy::unwrap_used)] // Helpers of tests.

mod mutate;
mod pair;

use media::encoded::VideoCodec;
use mutate::{SHAPES, mutated_shape};
use pair::*;
use peer::{DescriptionKind, PeerConfig, PeerError, PeerState, TrackKind};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::time::Duration;

/// A side that is not connected to another one.
async fn alone(polite: bool) -> Side {
    let mut side = Side::new(config(polite)).await;
    let mut nobody = Side::new(config(!polite)).await;
    join(&mut side, &mut nobody, Duration::from_secs(60));
    side
}

async fn description(side: &Side, count: usize) -> String {
    side.wait_for("a description", |log| log.descriptions.len() >= count).await.descriptions[count - 1].clone()
}

async fn answer_to(offer: &str) -> Result<String, PeerError> {
    let side = alone(true).await;
    side.peer.remote_description(DescriptionKind::Offer, offer, None).await?;
    Ok(description(&side, 1).await)
}

/// A summary of an answer: its groups, and the important attributes of each line.
fn summary(answer: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut line: Option<(String, Vec<&str>)> = None;
    for row in answer.lines() {
        if let Some(group) = row.strip_prefix("a=group:") {
            parts.push(group.to_owned());
        } else if let Some(media) = row.strip_prefix("m=") {
            parts.extend(line.take().map(|(media, more)| format!("{media} | {}", more.join(" "))));
            line = Some((media.to_owned(), Vec::new()));
        } else if let Some((_, more)) = &mut line {
            let attribute = row.strip_prefix("a=").unwrap_or_default();
            let words = ["mid:", "setup:", "extmap:"];
            let short = words.iter().any(|word| attribute.starts_with(word));
            let direction = ["sendrecv", "sendonly", "recvonly", "inactive"].contains(&attribute);
            if short || direction {
                more.push(attribute.split(' ').next().unwrap());
            }
        }
    }
    parts.extend(line.map(|(media, more)| format!("{media} | {}", more.join(" "))));
    parts
}

#[rustfmt::skip]
const ANSWERS_OF_OURS: [&[&str]; SHAPES.len()] = [
    &["BUNDLE 0 1", "audio 9 UDP/TLS/RTP/SAVPF 111 63 | setup:active mid:0 extmap:3 extmap:4 extmap:1 sendrecv", "video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 | setup:active mid:1 extmap:3 extmap:4 sendrecv"],
    &["BUNDLE 0 1 2", "application 9 UDP/DTLS/SCTP webrtc-datachannel | setup:active mid:0", "audio 9 UDP/TLS/RTP/SAVPF 111 | setup:active mid:1 extmap:4 sendrecv", "video 9 UDP/TLS/RTP/SAVPF 96 97 | setup:active mid:2 extmap:4 sendonly"],
    &["BUNDLE audio video", "audio 9 UDP/TLS/RTP/SAVPF 111 | setup:active mid:audio extmap:5 extmap:9 extmap:1 sendrecv", "video 9 UDP/TLS/RTP/SAVPF 98 99 100 101 | setup:active mid:video extmap:5 extmap:9 sendrecv"],
    &["BUNDLE 0 1", "audio 9 UDP/TLS/RTP/SAVPF 96 | setup:active mid:0 extmap:1 extmap:2 sendrecv", "video 9 UDP/TLS/RTP/SAVPF 97 98 101 102 | setup:active mid:1 extmap:1 sendrecv"],
    &["BUNDLE a v", "audio 9 UDP/TLS/RTP/SAVPF 111 | setup:passive mid:a extmap:4 recvonly", "video 9 UDP/TLS/RTP/SAVPF 96 97 | setup:passive mid:v extmap:5 extmap:4 recvonly"],
    &["BUNDLE audio-0 video-1", "audio 9 UDP/TLS/RTP/SAVPF 107 | setup:active mid:audio-0 sendrecv", "video 9 UDP/TLS/RTP/SAVPF 108 99 | setup:active mid:video-1 sendrecv"],
    &["audio 9 RTP/SAVPF 107 | setup:active sendrecv", "video 0 UDP/TLS/RTP/SAVPF 0 | inactive"],
    &["BUNDLE 0 1 2", "audio 9 UDP/TLS/RTP/SAVPF 111 | setup:active mid:0 extmap:3 extmap:2 sendrecv", "video 9 UDP/TLS/RTP/SAVPF 96 97 | setup:active mid:1 extmap:3 extmap:2 sendonly", "application 9 UDP/DTLS/SCTP webrtc-datachannel | setup:active mid:2"],
    &["BUNDLE cam speech", "image 0 udptl t38 | mid:fax inactive", "text 0 RTP/AVP 98 | mid:deaf inactive", "audio 0 RTP/AVP 0 | inactive", "audio 9 TCP/TLS/RTP/SAVPF 35 | setup:passive mid:speech extmap:5 recvonly", "video 9 UDP/TLS/RTP/SAVPF 127 100 | setup:passive mid:cam extmap:5 sendrecv", "video 0 UDP/TLS/RTP/SAVPF 96 | mid:second inactive"],
    &["audio 9 UDP/TLS/RTP/SAVPF 111 | setup:active mid:0 sendrecv", "video 0 UDP/TLS/RTP/SAVPF 96 | mid:1 inactive"],
];

#[tokio::test(flavor = "multi_thread")]
async fn offers_of_other_implementations_are_answered_line_by_line() {
    for (offer, expected) in SHAPES.iter().zip(ANSWERS_OF_OURS) {
        let answer = answer_to(offer).await.unwrap_or_else(|error| panic!("{error}: {offer}"));
        assert_eq!(summary(&answer), expected, "{answer}");
    }
}

const VP8: Option<VideoCodec> = Some(VideoCodec::Vp8);

/// Answers to one of our offers, with the result: our video codec, our audio, and the remote tracks.
#[rustfmt::skip]
const ANSWERS: [(&str, Option<VideoCodec>, bool, &[TrackKind]); 7] = [
    (include_str!("shapes/answers/chromium.sdp"), Some(VideoCodec::Vp9), true, &[TrackKind::Audio, TrackKind::Video]),
    (include_str!("shapes/answers/firefox.sdp"), VP8, true, &[TrackKind::Video]),
    (include_str!("shapes/answers/safari.sdp"), Some(VideoCodec::H264), true, &[TrackKind::Audio, TrackKind::Video]),
    (include_str!("shapes/answers/aiortc.sdp"), VP8, true, &[TrackKind::Audio, TrackKind::Video]),
    (include_str!("shapes/answers/janus.sdp"), VP8, true, &[TrackKind::Audio, TrackKind::Video]),
    (include_str!("shapes/answers/asterisk.sdp"), None, true, &[TrackKind::Audio]),
    (include_str!("shapes/answers/pion.sdp"), VP8, true, &[TrackKind::Audio]),
];

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_other_implementations_are_accepted() {
    for (answer, video, audio, tracks) in ANSWERS {
        let side = alone(false).await;
        side.peer.offer().await.unwrap();
        // They were written before our offers had a line of data channels.
        let rejected =
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=inactive\r\n";
        let answer = &format!("{answer}{rejected}");
        let taken = side.peer.remote_description(DescriptionKind::Answer, answer, None).await;
        taken.unwrap_or_else(|error| panic!("{error}: {answer}"));
        let log = side.wait_for("negotiated", |log| !log.negotiated.is_empty()).await;
        assert_eq!(log.negotiated, [(video, audio)], "{answer}");
        assert_eq!(log.tracks.iter().map(|(_, kind)| *kind).collect::<Vec<_>>(), tracks, "{answer}");
    }
}

/// Damaged offers must not cause a panic, and the answer must have the same lines as the offer, with the same kinds and
/// protocols.
#[test]
fn an_answer_has_the_lines_of_its_offer() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(ProptestConfig { cases: 120, failure_persistence: None, ..Default::default() });
    let outcome = runner.run(&mutated_shape(), |offer| {
        let answer = runtime.block_on(answer_to(&offer));
        match answer {
            Ok(answer) => prop_assert_eq!(lines(&answer), lines(&offer)),
            Err(error) => prop_assert!(!error.to_string().contains("panicked"), "{}", error),
        }
        Ok(())
    });
    outcome.unwrap();
}

/// Kind and protocol of each line.
fn lines(text: &str) -> Vec<[&str; 2]> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("m="));
    lines.map(|line| [0, 2].map(|word| line.split_ascii_whitespace().nth(word).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsupported_fingerprint_has_its_own_error_code() {
    let offer = include_str!("shapes/offers/chromium-simulcast.sdp").replace("sha-256", "sha-1");
    assert_eq!(answer_to(&offer).await.unwrap_err().code(), "peer_no_fingerprint");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_with_another_certificate_than_the_signed_one_is_refused() {
    let offer = include_str!("shapes/offers/chromium-simulcast.sdp");
    let line = offer.lines().find_map(|line| line.strip_prefix("a=fingerprint:sha-256 ")).unwrap();
    let mut signed = [0; 32];
    for (byte, pair) in signed.iter_mut().zip(line.split(':')) {
        *byte = u8::from_str_radix(pair, 16).unwrap();
    }
    let side = alone(true).await;
    let mut other = signed;
    other[31] ^= 1;
    let refused = side.peer.remote_description(DescriptionKind::Offer, offer, Some(other)).await;
    assert_eq!(refused.unwrap_err().code(), "peer_wrong_fingerprint");
    side.peer.remote_description(DescriptionKind::Offer, offer, Some(signed)).await.unwrap();
    description(&side, 1).await;
}

/// The first description of a session whose second line is named `mid` and has this kind and port.
fn offer(mid: &str, kind: &str, port: u16, version: u32) -> String {
    let group = if port == 0 { "0".to_owned() } else { format!("0 {mid}") };
    let video = match kind {
        "video" => format!("m=video {port} UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n"),
        "audio" => format!("m=audio {port} UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n"),
        _ => format!("m=application {port} UDP/TLS/BFCP *\r\n"),
    };
    let transport = "a=ice-ufrag:Lu9c\r\na=ice-pwd:soupsoupsoupsoupsoup1234\r\na=fingerprint:sha-256 \
        78:9B:34:CA:F5:4F:2E:22:0A:CD:94:1E:71:B8:8D:58:36:86:6D:0D:85:8B:63:54:9E:94:BE:2C:AC:C6:7F:5B\r\na=setup:actpass\r\n";
    format!(
        "v=0\r\no=- 77 {version} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {group}\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=mid:0\r\na=rtcp-mux\r\n{transport}\
         {video}a=mid:{mid}\r\na=ssrc:{} cname:x\r\n",
        1_000 + version
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_lines_are_reused_with_another_mid() {
    let side = alone(true).await;
    let rounds = [
        (offer("1", "video", 9, 1), "video 9 UDP/TLS/RTP/SAVPF 96 | setup:active mid:1 sendrecv"),
        (offer("1", "video", 0, 2), "video 0 UDP/TLS/RTP/SAVPF 96 | mid:1 inactive"),
        (offer("7", "video", 9, 3), "video 9 UDP/TLS/RTP/SAVPF 96 | setup:active mid:7 "),
        (offer("7", "video", 0, 4), "video 0 UDP/TLS/RTP/SAVPF 96 | mid:7 inactive"),
        // The library has a video line here permanently.
        (offer("8", "audio", 9, 5), "audio 0 UDP/TLS/RTP/SAVPF 111 | mid:8 inactive"),
        (offer("9", "video", 9, 6), "video 9 UDP/TLS/RTP/SAVPF 96 | setup:active mid:9 "),
    ];
    for (round, (offer, expected)) in rounds.iter().enumerate() {
        side.peer.remote_description(DescriptionKind::Offer, offer, None).await.unwrap();
        let answer = description(&side, round + 1).await;
        let parts = summary(&answer);
        assert_eq!(parts.len(), 3, "{answer}");
        assert!(parts[2].starts_with(expected), "{parts:?}");
    }
    let videos = |log: &EventLog| {
        let videos = log.tracks.iter().filter(|(_, kind)| *kind != TrackKind::Audio);
        videos.map(|(mid, _)| mid.clone()).collect::<Vec<_>>()
    };
    let log = side.wait_for("the last track", |log| videos(log).len() == 3).await;
    assert_eq!(videos(&log), ["1", "7", "9"]);
    assert_eq!(log.ended, ["1", "7"]);
    let wrong = side.peer.remote_description(DescriptionKind::Offer, &self::offer("10", "video", 9, 7), None).await;
    assert_eq!(wrong.map_err(|error| error.code()), Err("peer_bad_description"), "that line is in use");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_line_stays_rejected_in_our_offers() {
    let side = alone(true).await;
    side.peer.remote_description(DescriptionKind::Offer, &offer("data", "application", 9, 1), None).await.unwrap();
    assert_eq!(summary(&description(&side, 1).await)[2], "application 0 UDP/TLS/BFCP * | mid:data inactive");
    side.peer.add_video_track().await.unwrap();
    let parts = summary(&description(&side, 2).await);
    assert_eq!(parts[2], "application 0 UDP/TLS/BFCP * | mid:data inactive");
    let (data, videos) = parts[3..].split_last().unwrap();
    assert!(data.starts_with("application 9 ") && videos.len() == 2, "{parts:?}");
    assert!(videos.iter().all(|line| line.starts_with("video 9 ")), "{parts:?}");
    assert!(!parts[0].contains("data"), "{parts:?}");
}

/// A description without SSRCs and MID extensions, and with other names.
fn without_ssrcs_and_mids(text: &str) -> String {
    let kept = text.lines().filter(|line| !line.starts_with("a=ssrc") && !line.starts_with("a=msid"));
    let renamed = kept.map(|line| match line {
        "a=mid:0" => "a=mid:a",
        "a=mid:1" => "a=mid:v",
        "a=group:BUNDLE 0 1 2" => "a=group:BUNDLE a v d",
        "a=mid:2" => "a=mid:d",
        other => other,
    });
    renamed.map(|line| format!("{line}\n")).collect()
}

fn with_original_mids(text: &str) -> String {
    let text = text.replace("a=mid:a", "a=mid:0").replace("a=mid:v", "a=mid:1").replace("a=mid:d", "a=mid:2");
    text.replace("BUNDLE a v d", "BUNDLE 0 1 2")
}

/// Our packets carry no MID either, so only their payload types identify the line.
#[tokio::test(flavor = "multi_thread")]
async fn unannounced_streams_are_received() {
    let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
    join_through(&mut a, &mut b, Duration::ZERO, [without_ssrcs_and_mids, with_original_mids]);
    a.peer.offer().await.unwrap();
    let _streams = [stream(&a, VideoCodec::Vp8), stream(&b, VideoCodec::Vp8)];
    for (side, [audio, video]) in [(&a, ["0", "1"]), (&b, ["a", "v"])] {
        side.wait_for("connected", |log| log.state() == Some(PeerState::Connected)).await;
        side.wait_for_media("pictures and sound", |received| {
            received.audio.get(audio).is_some_and(|packets| packets.len() > 10)
                && received.frames.get(video).is_some_and(|frames| frames.len() > 10)
        })
        .await;
    }
    // Without feedback, the sender stays at its initial rate.
    a.peer.media().set_desired_bitrate(4_000_000);
    let start = PeerConfig::default().start_bitrate;
    a.wait_for("a higher target", |log| log.targets.last().is_some_and(|target| *target > start)).await;
}

fn undecided(text: &str) -> String {
    text.replace("setup:active", "setup:actpass")
}

fn passive(text: &str) -> String {
    text.replace("setup:active", "setup:passive")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_with_a_dtls_role_is_answered_with_the_opposite_role() {
    let ours: fn(&str) -> String = str::to_owned;
    for (rewrite, answered) in [(ours, "passive"), (undecided, "active"), (passive, "active")] {
        let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
        join_through(&mut a, &mut b, Duration::ZERO, [rewrite, str::to_owned]);
        a.peer.offer().await.unwrap();
        assert!(description(&b, 1).await.contains(&format!("a=setup:{answered}")));
        a.connected().await;
        b.connected().await;
    }
}
