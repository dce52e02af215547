//! Reactions, which are shown for some seconds.

use super::Call;
use signaling::message::{ClientMessage, ParticipantId, Reaction};
use std::time::Instant;

impl Call {
    /// Sends a reaction. Without a connection to the server it would arrive too late, and is dropped.
    pub(super) fn react(&mut self, now: Instant, reaction: Reaction) {
        if self.reaches_server() && self.own_reactions.may_send(now) {
            self.send(ClientMessage::Reaction { reaction });
        }
    }

    pub(super) fn reacted(&mut self, now: Instant, from: &ParticipantId, reaction: Reaction) {
        let shown = if self.you() == Some(from) {
            self.reaction.show(now, reaction)
        } else {
            let other = self.others.iter_mut().find(|other| other.is(from));
            other.is_some_and(|other| other.reaction.show(now, reaction))
        };
        self.changed |= shown;
    }

    pub(super) fn hide_reactions(&mut self, now: Instant) {
        self.changed |= self.reaction.hide_due(now);
        for other in &mut self.others {
            self.changed |= other.reaction.hide_due(now);
        }
    }

    pub(super) fn reactions_due(&self) -> Option<Instant> {
        self.others.iter().filter_map(|other| other.reaction.due()).chain(self.reaction.due()).min()
    }
}
