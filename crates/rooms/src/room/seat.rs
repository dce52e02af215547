//! One person's seat in a room.

use signaling::forwarding::{FrameKey, OwnDisplayed, SlotInfo};
use signaling::message::{Hand, Participant, ParticipantId, SessionId};

use super::{Arrival, Person};
use crate::room_view::RoomView;

/// A person in a room.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) id: ParticipantId,
    pub(super) session: SessionId,
    pub(super) person: Person,
    pub(super) arrival: Arrival,
    pub(super) connected: bool,
    pub(super) hand: Option<Hand>,
    /// Whether the forwarder works for them.
    pub(super) is_forwarded: bool,
    /// What the lines of their connection to the forwarder carry.
    pub(super) slots: Vec<SlotInfo>,
    /// How large others display their pictures in the forwarded room.
    pub(super) displayed: OwnDisplayed,
    /// The key that they have announced; each of its texts is at most 128 bytes.
    pub(super) frame_key: Option<FrameKey>,
    pub(super) view: RoomView,
}

impl Seat {
    /// The person as the others see them.
    pub(super) fn participant(&self) -> Participant {
        Participant {
            id: self.id.clone(),
            name: self.person.name.clone(),
            key: self.person.device_key().to_owned(),
            nonce: self.arrival.nonce.clone(),
            media: self.arrival.media,
            hand: self.hand,
            avatar: self.arrival.avatar.clone(),
        }
    }
}
