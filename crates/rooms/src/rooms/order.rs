//! Order: reports and blocks of people in a call or on the board, and the requests of stewards.

use signaling::board::{BoardNews, BoardRequest, Sitter, Whom};
use signaling::message::{ErrorCode, LeaveReason, ServerMessage, SessionId};

use super::watching::{View, Watching};
use super::{Output, Rooms, refusal};
use crate::board::Who;

impl Rooms {
    /// Handles a request about order.
    pub(super) fn ask_order(
        &mut self,
        session: &SessionId,
        who: &Who,
        request: BoardRequest,
    ) -> Result<Option<BoardNews>, ErrorCode> {
        if request == BoardRequest::Seen {
            self.board.see_acts(&who.key);
            return Ok(None);
        }
        if self.board.is_suspended(&who.key) {
            return Err(ErrorCode::Suspended);
        }
        let now = self.unix_ms;
        match request {
            BoardRequest::Report { whom, text } => {
                let in_call = whom.participant.is_some();
                let of = self.person(session, who, whom)?;
                self.board.report(now, who, &of, text, in_call)?;
            }
            BoardRequest::Block { whom } => {
                let other = self.person(session, who, whom)?;
                self.board.block(who, &other)?;
            }
            BoardRequest::Unblock { person } => self.board.unblock(&who.key, &person),
            other => return self.ask_as_steward(who, other),
        }
        Ok(None)
    }

    fn ask_as_steward(&mut self, who: &Who, request: BoardRequest) -> Result<Option<BoardNews>, ErrorCode> {
        if !who.steward {
            return Err(ErrorCode::NotSteward);
        }
        let now = self.unix_ms;
        match request {
            BoardRequest::CloseTable { table, reason } => {
                let room = self.board.close_table(now, who, &table, &reason)?;
                self.end_call(&room);
            }
            BoardRequest::Suspend { person, hours, reason } => {
                self.board.suspend(now, who, &person, hours, &reason)?;
            }
            BoardRequest::Lift { person } => self.board.lift(now, who, &person)?,
            BoardRequest::CloseReport { report } => self.board.close_report(report),
            BoardRequest::OrderBook => return Ok(Some(BoardNews::OrderBook(Box::new(self.board.order_book())))),
            _ => return Err(ErrorCode::UnexpectedMessage),
        }
        Ok(None)
    }

    /// What somebody who is suspended may still ask for: to see the reason, and what the server holds about them.
    ///
    /// # Errors
    /// `suspended`.
    pub(super) fn admits_suspended(&self, who: &Who, request: &BoardRequest) -> Result<(), ErrorCode> {
        let is_allowed = matches!(
            request,
            BoardRequest::Subscribe { .. }
                | BoardRequest::Unsubscribe
                | BoardRequest::AboutMe
                | BoardRequest::ForgetMe
                | BoardRequest::RevokeCalendar
        );
        if is_allowed || !self.board.is_suspended(&who.key) { Ok(()) } else { Err(ErrorCode::Suspended) }
    }

    /// Finds whom a report or a block concerns. Guests know only the people in their own call.
    fn person(&self, session: &SessionId, who: &Who, whom: Whom) -> Result<Sitter, ErrorCode> {
        let Whom { participant: Some(id), .. } = whom else {
            let person = whom.person.filter(|_| who.member).ok_or(ErrorCode::NotMember)?;
            return self.board.find_person(&person).ok_or(ErrorCode::NoSuchPerson);
        };
        let room = self.sessions.get(session).and_then(|found| found.room.as_ref());
        let room = room.and_then(|name| self.rooms.get(name)).ok_or(ErrorCode::UnexpectedMessage)?;
        let (theirs, _) = room.session_of(&id).ok_or(ErrorCode::NoSuchParticipant)?;
        let person = self.sessions.get(&theirs).map(|found| &found.person).ok_or(ErrorCode::NoSuchParticipant)?;
        Ok(Sitter::new(&person.key, &person.name))
    }

    /// Ends the call of a table that a steward has closed.
    fn end_call(&mut self, room: &str) {
        let inside = self.rooms.get(room).map(|room| room.sessions()).unwrap_or_default();
        for session in inside {
            self.put_out(&session, LeaveReason::TableClosed);
        }
    }

    /// Takes people out of their calls whose suspension has begun, and shows them and those whose suspension has ended
    /// what they may see now.
    pub(super) fn look_at_suspensions(&mut self) {
        for key in self.board.take_suspension_changes() {
            let is_suspended = self.board.is_suspended(&key);
            for session in self.people.sessions(&key).to_vec() {
                if is_suspended {
                    self.suspend(&session);
                }
                self.look_anew(&session);
            }
        }
    }

    fn suspend(&mut self, session: &SessionId) {
        if self.stop_knocking(session) {
            let message = refusal(0, ErrorCode::Suspended);
            self.outputs.push_back(Output::Send { to: session.clone(), message });
        }
        self.put_out(session, LeaveReason::Suspended);
    }

    fn put_out(&mut self, session: &SessionId, reason: LeaveReason) {
        if self.in_room(session, |room| room.leave(session, reason)).is_some() {
            self.set_room(session, None);
        }
    }

    /// Shows a subscriber of the whole board what they may see now.
    fn look_anew(&mut self, session: &SessionId) {
        let Some(found) = self.sessions.get(session).filter(|found| found.watching != Watching::No) else { return };
        let who = super::board::who(&found.person);
        let view = match &found.watching {
            Watching::Guest { room, .. } => self.view(&who, Some(room.clone()), None),
            Watching::No | Watching::Member(_) | Watching::Nothing { .. } => self.view(&who, None, None),
        };
        // A guest has no other room to see.
        let watching = view.map(Watching::new).unwrap_or_else(|_| Watching::new(View::Nothing));
        self.is_asked = true;
        self.watch(session, watching);
        if matches!(self.sessions.get(session), Some(found) if matches!(found.watching, Watching::Guest { .. })) {
            let order = ServerMessage::Board(BoardNews::Order(self.board.order(&who.key)));
            self.outputs.push_back(Output::Kept { to: session.clone(), message: order });
        }
    }
}
