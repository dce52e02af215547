use super::*;
use proptest::prelude::*;

fn stay(n: u8) -> Stay {
    Stay { key: DeviceKey::from_secret(&[n; 32]).public(), nonce: [n; 32] }
}

fn statement(room: &str) -> Statement<'_> {
    Statement { purpose: Purpose::Dtls, room, from: stay(1), to: stay(2), fingerprint: Fingerprint([3; 32]) }
}

fn description(prints: &[String]) -> String {
    let lines = prints.iter().map(|print| format!("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=fingerprint:{print}\r\n"));
    format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{}", lines.collect::<String>())
}

#[test]
fn a_room_cannot_shift_into_the_keys_that_follow() {
    // The names of two rooms and the bytes behind them would otherwise be one text.
    let lengths = ["a", "ab"].map(|room| statement(room).bytes().len());
    assert_eq!(lengths[0] + 1, lengths[1]);
    let key = DeviceKey::from_secret(&[1; 32]);
    let shifted = Statement { room: "soup\0", ..statement("soup") };
    assert_eq!(shifted.verify(Some(&shifted.sign(&key))), Err(StatementError::Wrong));
}

#[test]
fn a_hello_cannot_be_used_as_a_statement() {
    let key = DeviceKey::from_secret(&[1; 32]);
    let statement = statement("soup");
    assert_eq!(statement.verify(Some(&key.sign(&statement.to.nonce, 1))), Err(StatementError::Wrong));
}

proptest! {
    #[test]
    fn a_statement_is_valid_and_with_any_changed_byte_it_is_not(
        room in "[a-z0-9][a-z0-9-]{0,62}",
        nonces in any::<([u8; 32], [u8; 32])>(),
        print in any::<[u8; 32]>(),
        (part, index, flip) in (0usize..5, 0usize..32, 1u8..=255),
    ) {
        let key = DeviceKey::from_secret(&[1; 32]);
        let mut one = Statement { fingerprint: Fingerprint(print), ..statement(&room) };
        (one.from.nonce, one.to.nonce) = nonces;
        let signature = one.sign(&key);
        prop_assert_eq!(one.verify(Some(&signature)), Ok(()));
        let changed = |bytes: [u8; 32]| {
            let mut bytes = bytes;
            bytes[index] ^= flip;
            bytes
        };
        let mut other = one;
        let longer = format!("{room}0");
        match part {
            0 => other.from.nonce = changed(one.from.nonce),
            1 => other.to.nonce = changed(one.to.nonce),
            2 => other.fingerprint = Fingerprint(changed(print)),
            3 => other.to = Stay { nonce: one.to.nonce, ..stay(4) },
            _ => other.room = &longer,
        }
        prop_assert_eq!(other.verify(Some(&signature)), Err(StatementError::Wrong));
    }

    #[test]
    fn any_text_as_a_signature_is_refused(text in ".{0,200}") {
        prop_assert_eq!(statement("soup").verify(Some(&text)), Err(StatementError::Wrong));
    }

    #[test]
    fn the_fingerprint_of_a_description_is_the_one_that_every_line_names(
        print in any::<[u8; 32]>(),
        lines in 1usize..5,
        other in any::<Option<[u8; 32]>>(),
    ) {
        let print = Fingerprint(print);
        let mut prints = vec![format!("sha-256 {print}"); lines];
        prints.push(format!("sha-512 {}", "00:".repeat(64)));
        prop_assert_eq!(Fingerprint::of_description(&description(&prints)), Some(print));
        if let Some(other) = other.map(Fingerprint).filter(|other| *other != print) {
            prints.push(format!("sha-256 {other}"));
            prop_assert_eq!(Fingerprint::of_description(&description(&prints)), None);
        }
    }

    #[test]
    fn no_text_is_read_as_two_certificates(text in "([a-z=: 0-9A-F\r\n]|a=fingerprint:sha-256 ){0,60}") {
        let _ = Fingerprint::of_description(&text);
    }
}
