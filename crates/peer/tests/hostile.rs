//! Input from a hostile far side.
#![allow(clippy::unwrap_used)] // Helpers of tests.

mod mutate;
mod pair;

use mutate::mutated;
use pair::*;
use peer::{DescriptionKind, MAX_REMOTE_CANDIDATES, Peer, PeerError, PeerState};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

const CHROMIUM: &str = include_str!("../src/sdp/chromium.sdp");
const CODES: [&str; 6] = [
    "peer_bad_description",
    "peer_no_fingerprint",
    "peer_bad_candidate",
    "peer_refused",
    "peer_too_many",
    "peer_unexpected_description",
];

fn check(outcome: Result<(), PeerError>) {
    if let Err(error) = outcome {
        assert!(CODES.contains(&error.code()), "{error}");
        assert!(!error.to_string().contains("panicked"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_offer_is_answered_with_supported_codecs() {
    let mut side = Side::new(config(true)).await;
    let mut other = Side::new(config(false)).await;
    join(&mut side, &mut other, std::time::Duration::ZERO);
    side.peer.remote_description(DescriptionKind::Offer, CHROMIUM, None).await.unwrap();
    let log = side.wait_for("an answer", |log| !log.descriptions.is_empty()).await;
    let answer = &log.descriptions[0];
    let lines: Vec<&str> = answer.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(
        lines,
        [
            "m=audio 9 UDP/TLS/RTP/SAVPF 111 63",
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97 109 114 98 99",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"
        ]
    );
    assert!(answer.contains("a=group:BUNDLE 0 1 2\r\n"), "{answer}");
    assert!(answer.contains("a=setup:active"), "{answer}");
}

/// A damaged offer followed by the intact one, for new and for established connections.
#[test]
fn damaged_offers_are_refused_and_leave_the_connection_usable() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(ProptestConfig { cases: 150, failure_persistence: None, ..Default::default() });
    let outcome = runner.run(&prop::collection::vec(mutated(), 1..4), |offers| {
        runtime.block_on(async {
            let mut side = Side::new(config(true)).await;
            let mut nobody = Side::new(config(false)).await;
            join(&mut side, &mut nobody, std::time::Duration::from_secs(60));
            for offer in &offers {
                check(side.peer.remote_description(DescriptionKind::Offer, offer, None).await);
            }
            check(side.peer.remote_candidate("candidate:1 1 udp 1 127.0.0.1 9 typ host", None, None).await);
            assert!(!side.log.borrow().states.iter().any(|(_, state)| *state == PeerState::Failed));
            side.peer.stats().await.expect("alive");
            side.peer.close().await;
        });
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn damaged_answers_are_refused_and_an_intact_one_still_connects() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() });
    let outcome = runner.run(&mutated(), |answer| {
        runtime.block_on(async {
            let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
            let answer = answer.replace("actpass", "active");
            a.peer.offer().await.unwrap();
            // A description with two lines named like ours may look like a real answer. It then cannot be told apart
            // from one.
            let taken = a.peer.remote_description(DescriptionKind::Answer, &answer, None).await;
            let fooled = taken.is_ok();
            check(taken);
            join(&mut a, &mut b, std::time::Duration::ZERO);
            if !fooled {
                a.connected().await;
            }
            a.peer.close().await;
        });
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_an_offer_is_an_error() {
    let (a, b) = connected(config(false), config(true)).await;
    let answer = b.log.borrow().descriptions[0].clone();
    let error = a.peer.remote_description(DescriptionKind::Answer, &answer, None).await;
    assert_eq!(error, Err(PeerError::UnexpectedDescription));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_of_another_session_is_refused() {
    let (_a, b) = connected(config(false), config(true)).await;
    let error = b.peer.remote_description(DescriptionKind::Offer, CHROMIUM, None).await.unwrap_err();
    assert_eq!(error.code(), "peer_bad_description");
    b.peer.add_video_track().await.unwrap();
    b.wait_for("a second negotiation", |log| log.negotiated.len() == 2).await;
}

async fn add_candidate(peer: &Peer, candidate: &str) -> Result<(), &'static str> {
    peer.remote_candidate(candidate, None, None).await.map_err(|error| error.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_candidates_are_validated_and_limited() {
    let (_a, b) = connected(config(false), config(true)).await;
    for broken in
        ["candidate:", "x", "candidate:1 1 udp 1 0.0.0.0 1 typ host", "candidate:1 1 udp 1 evil.example 1 typ host"]
    {
        assert_eq!(add_candidate(&b.peer, broken).await, Err("peer_bad_candidate"), "{broken}");
    }
    for unused in ["", "candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active"] {
        assert_eq!(add_candidate(&b.peer, unused).await, Ok(()), "{unused}");
    }
    let mut outcome = Ok(());
    for port in 1..=MAX_REMOTE_CANDIDATES + 1 {
        outcome = add_candidate(&b.peer, &format!("candidate:{port} 1 udp 1 127.0.0.1 {port} typ host")).await;
    }
    assert_eq!(outcome, Err("peer_too_many"));
    assert_eq!(b.log.borrow().state(), Some(PeerState::Connected));
}

#[tokio::test(flavor = "multi_thread")]
async fn early_candidates_are_kept() {
    let (mut a, mut b) = (Side::new(config(false)).await, Side::new(config(true)).await);
    for port in 1..=MAX_REMOTE_CANDIDATES {
        assert_eq!(
            add_candidate(&b.peer, &format!("candidate:{port} 1 udp 1 127.0.0.1 {port} typ host")).await,
            Ok(())
        );
    }
    assert_eq!(add_candidate(&b.peer, "candidate:1 1 udp 1 127.0.0.1 99 typ host").await, Err("peer_too_many"));
    assert_eq!(add_candidate(&b.peer, "candidate:2 1 udp 1 127.0.0.1 9 typ host").await, Ok(()), "known already");
    join(&mut a, &mut b, std::time::Duration::ZERO);
    a.peer.offer().await.unwrap();
    b.connected().await;
}
