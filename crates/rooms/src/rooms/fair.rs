//! Rate limits and bounds that keep anybody from filling the outbox of somebody else.
//!
//! A message passes three independent limits: of the person over all their sessions, of their source unless they have
//! proved to be a member, and of the pair of sender and recipient. In addition the recipient's own backlog is
//! bounded: however many people send to one person, their messages are refused long before they cost the recipient
//! anything.

use std::time::Instant;

use signaling::backlog::{Backlog, Cause};
use signaling::message::{ClientMessage, ErrorCode, LeaveReason, ParticipantId, SessionId};

use super::Rooms;
use crate::limits::MAX_REFUSED_IN_A_ROW;
use crate::room::Directed;

/// Why a message is refused.
pub(super) enum Refusal {
    /// The sender exceeded their own rate.
    OwnRate,
    /// Any other reason.
    Code(ErrorCode),
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Refusal {
        Refusal::Code(code)
    }
}

impl Rooms {
    /// Records the backlog of a session, and sends what was waiting for room in it.
    pub fn note(&mut self, session: &SessionId, backlog: &Backlog) {
        let Some(found) = self.sessions.get_mut(session) else { return };
        self.people.keep(&found.sources, found.backlog.total().bytes, backlog.total().bytes);
        found.backlog = *backlog;
        let is_open = backlog.is_open(&self.pool);
        if std::mem::replace(&mut found.is_open, is_open) != is_open {
            self.in_room(session, |room| room.set_open(session, is_open));
        }
        self.show(vec![session.clone()]);
    }

    /// Whether a client may send a message that the server answers itself, by the rates that all its messages share.
    /// If not, the client receives the refusal.
    pub fn admits(
        &mut self,
        now: Instant,
        session: &SessionId,
        seq: u64,
        bytes: usize,
        message: &ClientMessage,
    ) -> bool {
        let result = self.admit(now, session, bytes, Some(message));
        let is_admitted = result.is_ok();
        self.answer(session, seq, result);
        is_admitted
    }

    /// Whether a person and their source may send a message of this size now.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        session: &SessionId,
        bytes: usize,
        message: Option<&ClientMessage>,
    ) -> Result<(), Refusal> {
        let Some(found) = self.sessions.get(session) else { return Err(ErrorCode::Internal.into()) };
        let buckets = self.people.buckets(&found.person.key);
        if !buckets.is_some_and(|buckets| buckets.take(now, bytes, message)) {
            return Err(Refusal::OwnRate);
        }
        // Other people at the same source may have used its rate. That ends nobody's session.
        let within = self.people.take_from(now, &found.sources, bytes, message);
        if within { Ok(()) } else { Err(ErrorCode::RateLimited.into()) }
    }

    /// Answers a refused message. A client that keeps exceeding its rate is disconnected.
    pub(super) fn answer(&mut self, session: &SessionId, seq: u64, result: Result<(), Refusal>) {
        let Some(found) = self.sessions.get_mut(session) else { return };
        match result {
            Ok(()) => found.refused_in_a_row = 0,
            Err(Refusal::Code(code)) => {
                if code != ErrorCode::RateLimited {
                    found.refused_in_a_row = 0;
                }
                self.error(session, seq, code);
            }
            Err(Refusal::OwnRate) => {
                found.refused_in_a_row += 1;
                if found.refused_in_a_row > MAX_REFUSED_IN_A_ROW {
                    return self.end(session, Some(ErrorCode::RateLimited), LeaveReason::Timeout);
                }
                self.error(session, seq, ErrorCode::RateLimited);
            }
        }
    }

    /// Sends a message to one other, if they have room for it.
    pub(super) fn relay(
        &mut self,
        now: Instant,
        session: &SessionId,
        bytes: usize,
        to: &ParticipantId,
        said: Directed,
    ) -> Result<(), Refusal> {
        let (addressee, key) = self.seated(session, |room| room.addressee(session, to))??;
        if !self.finds_room(&addressee, Cause::Directed, bytes) {
            return Err(ErrorCode::RateLimited.into());
        }
        let sender = self.sessions.get(session).map(|found| found.person.key.as_str()).unwrap_or_default();
        let buckets = self.people.buckets(sender);
        if !buckets.is_some_and(|buckets| buckets.take_to(now, &self.limits.shares, &key, bytes)) {
            return Err(Refusal::OwnRate);
        }
        Ok(self.seated(session, |room| room.relay(session, to, said))??)
    }

    /// Sends a line of chat to everybody, if all have room for it.
    pub(super) fn chat(&mut self, session: &SessionId, bytes: usize, text: &str) -> Result<(), ErrorCode> {
        let everybody = self.seated(session, |room| room.sessions())?;
        if !everybody.iter().all(|to| self.finds_room(to, Cause::Said, bytes)) {
            return Err(ErrorCode::RateLimited);
        }
        let at = self.unix_ms;
        self.seated(session, |room| room.chat(session, text, at))
    }

    /// Whether others may send this much more to somebody. When memory is short, non-members reach the bound first.
    pub(super) fn finds_room(&self, to: &SessionId, cause: Cause, bytes: usize) -> bool {
        let Some(found) = self.sessions.get(to) else { return false };
        let share = if found.person.member { (3, 4) } else { (1, 2) };
        found.backlog.takes(cause, bytes)
            && self.pool.has_room_in(share, bytes)
            && self.people.has_room(&self.limits, &found.sources, bytes)
    }
}
