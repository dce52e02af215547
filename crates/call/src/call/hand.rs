//! Raised hands. The server counts them, so that everybody sees them in one order.

use super::Call;
use signaling::message::{ClientMessage, Hand, ParticipantId};

impl Call {
    pub(super) fn set_hand(&mut self, raised: bool) {
        if self.in_room() {
            self.send(ClientMessage::Hand { raised });
        }
    }

    pub(super) fn hand_changed(&mut self, from: &ParticipantId, hand: Option<Hand>) {
        if self.you() == Some(from) {
            self.hand = hand;
            self.changed = true;
        } else {
            self.change(from, |other| other.participant.hand = hand);
        }
    }

    /// The hand is down in a new seat. Raises it again if it was raised in a seat that was lost.
    pub(super) fn raise_lost_hand(&mut self) {
        if self.hand.take().is_some() {
            self.set_hand(true);
        }
    }
}
