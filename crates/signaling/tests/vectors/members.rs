//! Proofs of membership in a hello.

use super::{list, read, text};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use signaling::identity::{PublicKey, is_member, member_proof};

#[test]
fn members_prove_that_they_know_the_secret() {
    let all = read(include_str!("../../../../docs/protocol/members.json"));
    let bytes =
        |value| -> [u8; 32] { URL_SAFE_NO_PAD.decode(text(value)).expect("base64url").try_into().expect("32 bytes") };
    for case in list(&all, "proofs") {
        let (secret, nonce) = (text(&case["secret"]), bytes(&case["nonce"]));
        let key = PublicKey::parse(text(&case["key"])).expect("a key");
        assert_eq!(member_proof(secret, &nonce, key), case["proof"], "{case}");
        assert!(is_member(text(&case["proof"]), secret, &nonce, key), "{case}");
        assert!(!is_member(text(&case["proof"]), "another", &nonce, key), "{case}");
    }
}
