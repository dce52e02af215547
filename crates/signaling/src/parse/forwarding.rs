//! The limits of messages about forwarded rooms.

use std::collections::HashSet;

use crate::forwarding::{Displayed, FrameKey, Published, SealedKey, SlotInfo};
use crate::limits::{
    MAX_ID_BYTES, MAX_MID_BYTES, MAX_SEALED_BYTES, MAX_SENDER_KEYS, MAX_SIGNATURE_BYTES, MAX_SLOTS, MAX_VIEW,
};
use crate::message::ErrorCode;

/// Checks the pictures that a client wants.
pub(super) fn check_view(pictures: &[Displayed]) -> Result<(), ErrorCode> {
    let is_picture = |one: &Displayed| matches!(one.kind, Published::Camera | Published::Screen);
    if pictures.len() > MAX_VIEW || pictures.iter().any(|one| one.id.0.len() > MAX_ID_BYTES) {
        return Err(ErrorCode::TooLarge);
    }
    if pictures.iter().all(is_picture) { Ok(()) } else { Err(ErrorCode::Malformed) }
}

/// Checks the lines of a connection.
pub(super) fn check_slots(slots: &mut Vec<SlotInfo>) -> Result<(), ErrorCode> {
    slots.truncate(MAX_SLOTS);
    let fits = |slot: &SlotInfo| slot.id.0.len() <= MAX_ID_BYTES && slot.mid.len() <= MAX_MID_BYTES;
    if slots.iter().all(fits) { Ok(()) } else { Err(ErrorCode::TooLarge) }
}

/// Checks an announced key.
pub(super) fn check_frame_key(key: &FrameKey) -> Result<(), ErrorCode> {
    let fits = key.key.len() <= MAX_ID_BYTES && key.signature.len() <= MAX_SIGNATURE_BYTES;
    if fits { Ok(()) } else { Err(ErrorCode::TooLarge) }
}

/// Checks the keys that a client gives to others: each gets one at most.
pub(super) fn check_sender_keys(keys: &[SealedKey]) -> Result<(), ErrorCode> {
    if keys.len() > MAX_SENDER_KEYS || keys.iter().any(|key| key.to.0.len() > MAX_ID_BYTES) {
        return Err(ErrorCode::TooLarge);
    }
    keys.iter().try_for_each(|key| check_sealed(&key.sealed, &key.signature))?;
    let people: HashSet<&str> = keys.iter().map(|key| key.to.0.as_str()).collect();
    if people.len() == keys.len() { Ok(()) } else { Err(ErrorCode::Malformed) }
}

/// Checks the lengths of a sealed key and its signature.
pub(super) fn check_sealed(sealed: &str, signature: &str) -> Result<(), ErrorCode> {
    let fits = sealed.len() <= MAX_SEALED_BYTES && signature.len() <= MAX_SIGNATURE_BYTES;
    if fits { Ok(()) } else { Err(ErrorCode::TooLarge) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ParticipantId;

    fn sealed(to: usize) -> SealedKey {
        SealedKey { to: ParticipantId(format!("p{to}")), sealed: "A".repeat(107), signature: "A".repeat(86) }
    }

    #[test]
    fn one_message_gives_each_other_at_most_one_key() {
        let keys: Vec<SealedKey> = (0..MAX_SENDER_KEYS).map(sealed).collect();
        assert_eq!(check_sender_keys(&keys), Ok(()));
        assert_eq!(check_sender_keys(&[]), Ok(()));
        assert_eq!(check_sender_keys(&[sealed(1), sealed(2), sealed(1)]), Err(ErrorCode::Malformed));
        let many: Vec<SealedKey> = (0..=MAX_SENDER_KEYS).map(sealed).collect();
        assert_eq!(check_sender_keys(&many), Err(ErrorCode::TooLarge));
        let long = |text: &str| text.repeat(129);
        for key in [SealedKey { sealed: long("A"), ..sealed(1) }, SealedKey { signature: long("A"), ..sealed(1) }] {
            assert_eq!(check_sender_keys(&[key]), Err(ErrorCode::TooLarge));
        }
        assert_eq!(
            check_sender_keys(&[SealedKey { to: ParticipantId(long("p")), ..sealed(1) }]),
            Err(ErrorCode::TooLarge)
        );
    }
}
