//! Stays in a room: entering, losing a seat, and the end.

use super::checks::OwnCheck;
use super::{Call, Phase};
use crate::reactions::Reactions;
use crate::rejoin::Rejoin;
use crate::view::Ended;
use signaling::message::{ClientMessage, LeaveReason, MediaState, Participant, ParticipantId};
use std::sync::Arc;
use std::time::Instant;

impl Call {
    pub(super) fn join(&mut self, room: String, invite: Option<String>, media: MediaState) {
        if self.is_active() {
            self.leave();
        }
        if room != self.room {
            self.unsent.clear(); // lines for one room are not sent to another
        }
        (self.room, self.invite, self.media) = (room, invite, media);
        self.chat = Arc::default();
        self.notice = None;
        self.rejoin = Rejoin::default();
        self.check = OwnCheck::default(); // it may be another server
        self.phase = Phase::Joining;
        self.send_join();
        self.capture();
    }

    pub(super) fn send_join(&mut self) {
        self.join = None;
        self.forwarding.joining();
        let media = self.shown_media();
        self.changed |= std::mem::replace(&mut self.announced, media) != media;
        let nonce = self.signer.as_mut().map(|signer| {
            signer.begin_stay();
            signer.stay().nonce_text()
        });
        self.send(ClientMessage::Join { room: self.room.clone(), media, invite: self.invite.clone(), nonce });
    }

    pub(super) fn leave(&mut self) {
        if self.is_active() {
            self.send(ClientMessage::Leave);
            self.end(Ended::Left);
        }
    }

    /// Messages in flight may or may not have arrived.
    pub(super) fn session_lost(&mut self) {
        self.unsent.session_lost();
        self.changed = true;
    }

    /// The server no longer knows us, and previous ids are void. Join the same room again.
    pub(super) fn lost(&mut self, now: Instant) {
        self.phase = match self.phase {
            Phase::Idle | Phase::Ended(_) => return,
            // Nobody remembers the knock: knock again.
            Phase::Joining | Phase::Knocking => Phase::Joining,
            Phase::Joined { .. } => Phase::Rejoining { since: now },
            Phase::Reconnecting { since, .. } | Phase::Rejoining { since } => Phase::Rejoining { since },
        };
        self.send_join();
        self.changed = true;
    }

    /// Joins again if the server gave up the seat while we are here. Otherwise the call ends.
    pub(super) fn left(&mut self, now: Instant, reason: LeaveReason) {
        use LeaveReason::{Left, Removed, Replaced, ServerStopping, Suspended, TableClosed, Timeout};
        if reason == Left && matches!(self.phase, Phase::Joining | Phase::Knocking) {
            return; // the answer to our leave, before that to the join that followed it
        }
        let kept = match reason {
            Timeout | ServerStopping => self.seat_lost(now),
            Left | Replaced | Removed | Suspended | TableClosed => false,
        };
        if self.is_active() && !kept {
            self.end(Ended::Removed(reason));
        }
    }

    /// Joins again, immediately or after a delay. Returns false if there was no seat, or if it was lost too often.
    pub(super) fn seat_lost(&mut self, now: Instant) -> bool {
        let since = match self.phase {
            Phase::Joined { .. } => now,
            Phase::Reconnecting { since, .. } | Phase::Rejoining { since } => since,
            Phase::Idle | Phase::Joining | Phase::Knocking | Phase::Ended(_) => return false,
        };
        let again = self.rejoin.plan(now);
        if again {
            self.phase = Phase::Rejoining { since };
            self.changed = true;
            self.handle_timeout(now);
        }
        again
    }

    pub(super) fn joined(&mut self, now: Instant, room: String, you: ParticipantId, participants: Vec<Participant>) {
        let asked = matches!(self.phase, Phase::Joining | Phase::Knocking | Phase::Rejoining { .. });
        if !asked || room != self.room {
            return; // an answer to an abandoned join
        }
        self.rejoin.joined(now, self.others.iter().map(|other| &other.participant));
        self.miss_everybody(now);
        self.phase = Phase::Joined { you };
        self.forget_door(); // its new state follows
        self.raise_lost_hand();
        self.changed = true;
        self.begin_forwarding(now);
        for participant in participants {
            self.meet(now, participant, true);
        }
        self.handle_timeout(now);
    }

    pub(super) fn end(&mut self, why: Ended) {
        self.close_peers();
        self.end_forwarding();
        self.phase = Phase::Ended(why);
        self.unsent.call_ended();
        self.forget_door();
        self.hand = None;
        self.reaction = Reactions::default();
        self.capture();
        self.changed = true;
    }
}
