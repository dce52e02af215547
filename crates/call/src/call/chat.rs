//! Lines of chat.

use super::{Call, Phase};
use crate::view::ChatLine;
use signaling::message::{ClientMessage, ParticipantId};
use std::sync::Arc;
use std::time::Instant;

impl Call {
    /// Sends waiting lines of chat, as fast as the server accepts them.
    pub(super) fn send_waiting_chat(&mut self, now: Instant) {
        while let Phase::Joined { .. } = self.phase
            && self.rejoin.company().is_none_or(|until| until <= now)
            && let Some(text) = self.unsent.next(now)
        {
            self.send(ClientMessage::Chat { text });
        }
    }

    /// A line of somebody in the room, or our own.
    pub(super) fn chat_line(&mut self, from: ParticipantId, text: String, at: u64) {
        let own = self.you() == Some(&from);
        let known = self.with(&from).map(|other| (other.id.clone(), other.participant.name.clone()));
        if own {
            self.unsent.repeated();
        } else if known.is_none() {
            return; // an ignored participant
        }
        let (from, name) = known.unwrap_or((from, String::new()));
        let chat = Arc::make_mut(&mut self.chat);
        if chat.len() == Self::CHAT_KEPT {
            chat.remove(0);
        }
        chat.push(Arc::new(ChatLine { from, name, text, at }));
        self.changed = true;
    }
}
