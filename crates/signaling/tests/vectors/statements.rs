//! Statements about certificates.

use super::{list, read, text};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use signaling::avatar::Avatar;
use signaling::identity::DeviceKey;
use signaling::message::{MediaState, Participant, ParticipantId};
use signaling::statement::{Fingerprint, Purpose, Statement, StatementError, Stay};

fn statements() -> Value {
    read(include_str!("../../../../docs/protocol/statements.json"))
}

fn stay(value: &Value) -> Option<Stay> {
    Stay::of(&Participant {
        id: ParticipantId("p1".into()),
        name: "Ada".into(),
        key: text(&value["key"]).into(),
        nonce: value["nonce"].as_str().map(Into::into),
        media: MediaState::default(),
        hand: None,
        avatar: Avatar::default(),
    })
}

fn fingerprint(value: &Value) -> Fingerprint {
    let sdp = format!("a=fingerprint:sha-256 {}\r\n", text(value));
    let print = Fingerprint::of_description(&sdp).expect("a fingerprint");
    assert_eq!(print.to_string(), text(value));
    print
}

fn statement(case: &Value) -> Option<Statement<'_>> {
    let (from, to) = (stay(&case["from"])?, stay(&case["to"])?);
    let fingerprint = fingerprint(&case["fingerprint"]);
    Some(Statement { purpose: Purpose::Dtls, room: text(&case["room"]), from, to, fingerprint })
}

#[test]
fn statements_have_these_bytes_and_signatures() {
    for case in list(&statements(), "signed") {
        let secret: [u8; 32] = URL_SAFE_NO_PAD.decode(text(&case["secret"])).unwrap().try_into().unwrap();
        let statement = statement(case).expect("both stays");
        assert_eq!(URL_SAFE_NO_PAD.encode(statement.bytes()), text(&case["bytes"]));
        assert_eq!(statement.sign(&DeviceKey::from_secret(&secret)), text(&case["signature"]));
        assert_eq!(statement.verify(case["signature"].as_str()), Ok(()));
    }
}

#[test]
fn signatures_are_accepted_for_their_statement_only() {
    for case in list(&statements(), "checked") {
        let outcome = match statement(case) {
            Some(statement) => statement.verify(case["signature"].as_str()),
            None => Err(StatementError::Missing),
        };
        assert_eq!(outcome.map_err(StatementError::code).err(), case["error"].as_str(), "{}", case["name"]);
    }
}

#[test]
fn descriptions_name_one_certificate_or_none() {
    for case in list(&statements(), "fingerprints") {
        let found = Fingerprint::of_description(text(&case["sdp"])).map(|print| print.to_string());
        assert_eq!(found.as_deref(), case["fingerprint"].as_str(), "{}", case["name"]);
    }
}
