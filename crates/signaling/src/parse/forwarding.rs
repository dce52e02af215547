//! The limits of messages about forwarded rooms.

use crate::forwarding::{Displayed, Published, SlotInfo};
use crate::limits::{MAX_ID_BYTES, MAX_MID_BYTES, MAX_SLOTS, MAX_VIEW};
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
