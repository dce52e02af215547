//! Keys for frames that pass through the forwarder: who announces them, and who gets them.

use signaling::forwarding::{FrameKey, SealedKey};
use signaling::message::{ErrorCode, ServerMessage, SessionId};

use super::{Room, Seat};

impl Room {
    /// Announces somebody's frame key to everybody whose client can be in a forwarded room.
    ///
    /// # Errors
    /// [`ErrorCode::UnexpectedMessage`] if they have no seat, have announced a key in this stay, or cannot be in such a
    /// room.
    pub fn announce(&mut self, session: &SessionId, key: FrameKey) -> Result<(), ErrorCode> {
        let may = |seat: &&mut Seat| &seat.session == session && seat.arrival.forwards && seat.frame_key.is_none();
        let seat = self.seats.iter_mut().find(may).ok_or(ErrorCode::UnexpectedMessage)?;
        seat.frame_key = Some(key);
        self.redraw_others(session);
        Ok(())
    }

    /// Gives each of these people somebody's key, if the forwarder works for both and `has_room` for the addressee.
    /// Those who have left are skipped. Those without room are listed for the sender.
    ///
    /// # Errors
    /// [`ErrorCode::UnexpectedMessage`] if the forwarder does not work for the sender.
    pub fn give_keys(
        &mut self,
        session: &SessionId,
        epoch: u32,
        keys: Vec<SealedKey>,
        has_room: impl Fn(&SessionId, usize) -> bool,
    ) -> Result<(), ErrorCode> {
        let sender = self.seats.iter().find(|seat| &seat.session == session && seat.is_forwarded);
        let from = sender.map(|seat| seat.id.clone()).ok_or(ErrorCode::UnexpectedMessage)?;
        let mut undelivered = Vec::new();
        for SealedKey { to, sealed, signature } in keys {
            let found = self.seats.iter().find(|seat| seat.id == to && seat.id != from && seat.is_forwarded);
            let Some(receiver) = found.map(|seat| seat.session.clone()) else { continue };
            if has_room(&receiver, sealed.len() + signature.len()) {
                self.introduce(&receiver, &from);
                let message = ServerMessage::SenderKey { from: from.clone(), epoch, sealed, signature };
                self.outputs.push_back((receiver, message));
            } else {
                undelivered.push(to);
            }
        }
        if !undelivered.is_empty() {
            let message = ServerMessage::SenderKeysUndelivered { epoch, to: undelivered };
            self.outputs.push_back((session.clone(), message));
        }
        Ok(())
    }

    /// Sends one person the frame keys that they lack, if they currently receive events.
    pub(super) fn tell_frame_keys(&mut self, index: usize) {
        if !self.seats[index].view.is_open || !self.seats[index].arrival.forwards {
            return;
        }
        let (before, rest) = self.seats.split_at_mut(index);
        let Some((Seat { session, view, .. }, after)) = rest.split_first_mut() else { return };
        let others = before.iter().chain(after.iter());
        let news = view.announce(others.filter_map(|seat| Some((&seat.id, seat.frame_key.as_ref()?))));
        self.outputs.extend(news.into_iter().map(|message| (session.clone(), message)));
    }
}
