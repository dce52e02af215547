//! The test vectors in `docs/protocol/frames.json` (PROTOCOL.md, *Test vectors*).

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2ee::{FrameSecret, OpenError, Opener, Sealer, SenderKey, Stream};
use serde_json::Value;
use signaling::forwarding::FrameKey;
use signaling::identity::{DeviceKey, PublicKey, decode_nonce};
use signaling::statement::frames::Giving;
use signaling::statement::{Signer, Stay};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../docs/protocol/frames.json")).expect("JSON")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let all = value[name].as_array().expect("a list");
    assert!(!all.is_empty(), "{name}");
    all
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn bytes(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text(value)).expect("base64url")
}

fn array(value: &Value) -> [u8; 32] {
    bytes(value).try_into().expect("32 bytes")
}

fn epoch(value: &Value) -> u32 {
    value["epoch"].as_u64().and_then(|epoch| u32::try_from(epoch).ok()).expect("an epoch")
}

fn key(value: &Value) -> SenderKey {
    SenderKey::new(epoch(value), array(&value["base"]).into())
}

fn stream(value: &Value) -> Stream {
    match text(value) {
        "audio" => Stream::Audio,
        "camera" => Stream::Camera,
        "screen" => Stream::Screen,
        other => panic!("{other}"),
    }
}

fn reason(error: OpenError) -> &'static str {
    match error {
        OpenError::Malformed => "malformed",
        OpenError::NoKey => "no_key",
        OpenError::Old => "old",
        OpenError::Forged => "forged",
    }
}

fn stay(value: &Value) -> Stay {
    let nonce = decode_nonce(text(&value["nonce"])).expect("a nonce");
    Stay { key: PublicKey::parse(text(&value["key"])).expect("a key"), nonce }
}

/// Somebody who checks what others announce.
fn receiver() -> Signer {
    Signer::new(DeviceKey::from_secret(&[77; 32]), [77; 32])
}

#[test]
fn frames_are_encrypted_to_these_bytes() {
    for case in list(&vectors(), "frames") {
        let (key, stream, now) = (key(case), stream(&case["stream"]), Instant::now());
        let mut sealer = Sealer::new(&key, stream).expect("a key");
        let mut opener = Opener::new(stream);
        opener.accept(now, &key);
        let (mut sealed, mut opened) = (Vec::new(), Vec::new());
        for (frame, expected) in list(case, "frames").iter().zip(list(case, "sealed")) {
            sealer.seal(&bytes(frame), &mut sealed).expect("a frame");
            assert_eq!(URL_SAFE_NO_PAD.encode(&sealed), text(expected));
            assert_eq!(opener.open(now, &sealed, &mut opened), Ok(()));
            assert_eq!(opened, bytes(frame));
        }
        for refused in list(case, "refused") {
            let error = opener.open(now, &bytes(&refused["sealed"]), &mut opened).map_err(reason);
            assert_eq!(error.err(), refused["reason"].as_str(), "{refused}");
        }
    }
}

#[test]
fn announcements_have_these_signatures() {
    for case in list(&vectors(), "announced") {
        let key = DeviceKey::from_secret(&array(&case["secret"]));
        let from = Stay { key: key.public(), nonce: array(&case["nonce"]) };
        let mut announced = FrameKey { key: text(&case["key"]).into(), signature: text(&case["signature"]).into() };
        let verify = |announced: &FrameKey| receiver().verify_announced(text(&case["room"]), from, announced);
        assert_eq!(verify(&announced), Ok(array(&case["key"])));
        announced.signature.replace_range(..1, if announced.signature.starts_with('A') { "B" } else { "A" });
        assert!(verify(&announced).is_err());
    }
}

#[test]
fn sealed_keys_open_and_have_these_signatures() {
    for case in list(&vectors(), "given") {
        let secret = FrameSecret::derive(&array(&case["random"]));
        assert_eq!(secret.public(), array(&case["to_key"]));
        let (from, to) = (stay(&case["from"]), stay(&case["to"]));
        assert_eq!(from.key, DeviceKey::from_secret(&array(&case["secret"])).public());
        let giving = Giving { room: text(&case["room"]), from, to, to_key: secret.public(), epoch: epoch(case) };
        assert_eq!(giving.info(), bytes(&case["info"]));
        let sealed = giving.verify(text(&case["sealed"]), text(&case["signature"])).expect("a signature");
        assert_eq!(secret.open(&giving, &sealed), Some(key(case)));
    }
}
