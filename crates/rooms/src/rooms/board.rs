//! The board and its subscribers.

use signaling::avatar::Avatar;
use signaling::board::{BoardNews, BoardRequest};
use signaling::message::{ErrorCode, ServerMessage, SessionId};

use super::watching::{View, Watching};
use super::{Output, Rooms, refusal};
use crate::board::{Board, FeedId, Lunch, Who};
use crate::room::Person;

/// A person as the board knows them.
pub(super) fn who(person: &Person) -> Who {
    Who { key: person.key.clone(), name: person.name.clone(), member: person.member, steward: person.steward }
}

impl Rooms {
    /// Advances the board's time, and that of the rooms' paths. Call it several times a second.
    pub fn tick(&mut self, unix_ms: u64) {
        self.unix_ms = unix_ms;
        self.board.tick(unix_ms);
        self.settle_board();
        self.open_doors();
        self.settle_board();
        self.choose_paths();
    }

    /// The board, for tests and statistics.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Returns the lunches of the feed with this id; `None` if there is no such feed.
    pub fn feed(&mut self, unix_ms: u64, id: &FeedId) -> Option<Vec<Lunch>> {
        let lunches = self.board.feed(unix_ms, id);
        self.settle_board();
        lunches
    }

    /// Continues with the stored board after a write failed. Every subscriber receives a new snapshot.
    pub fn replace_board(&mut self, board: Board) {
        let last = self.board.revision();
        self.board = board;
        self.board.continue_revisions(last);
        self.pieces.clear();
        for session in self.sessions.values_mut() {
            self.board.come(&who(&session.person));
            if session.room.is_some() {
                self.board.in_room(&session.person.key, true);
            }
            session.publishing = 0;
            self.board.tell_order(&session.person.key);
            session.watching.start_again();
            if session.watching != Watching::No {
                self.board.watch(&session.person.key);
            }
            self.is_asked |= session.watching != Watching::No;
        }
        for (name, room) in &self.rooms {
            self.board.set_call(self.unix_ms, name, room.people());
            self.board.set_knocking(name, room.knocking().count());
        }
        self.settle_board();
    }

    /// Queues the board's changes to store and its messages to single people.
    pub(super) fn settle_board(&mut self) {
        self.look_at_suspensions();
        self.look_at_doors();
        let changes = self.board.take_changes();
        if !changes.is_empty() {
            self.outputs.push_back(Output::Write(changes));
        }
        while let Some((key, news)) = self.board.poll_notification() {
            for to in self.people.sessions(&key) {
                let watches = self.sessions.get(to).is_some_and(|session| session.watching != Watching::No);
                if watches {
                    let message = ServerMessage::Board(news.clone());
                    self.outputs.push_back(Output::Kept { to: to.clone(), message });
                }
            }
        }
    }

    pub(super) fn forget_session(&mut self, key: &str) {
        self.board.go(key);
        self.settle_board();
    }

    pub(super) fn board_request(&mut self, session: &SessionId, seq: u64, request: BoardRequest) {
        let Some(found) = self.sessions.get(session) else { return };
        let who = who(&found.person);
        let done = self.ask_board(session, &who, request);
        // First the changes to store, then the answer. An error also waits until earlier changes are stored.
        self.settle_board();
        let answer = match done {
            Ok(news) => {
                let to = session.clone();
                self.outputs.extend(news.map(|news| Output::Kept { to, message: ServerMessage::Board(news) }));
                ServerMessage::Board(BoardNews::Done { about: seq })
            }
            Err(code) => refusal(seq, code),
        };
        self.outputs.push_back(Output::Kept { to: session.clone(), message: answer });
    }

    fn ask_board(
        &mut self,
        session: &SessionId,
        who: &Who,
        request: BoardRequest,
    ) -> Result<Option<BoardNews>, ErrorCode> {
        if is_about_order(&request) {
            return self.ask_order(session, who, request);
        }
        self.admits_suspended(who, &request)?;
        let (now, board) = (self.unix_ms, &mut self.board);
        match request {
            BoardRequest::Subscribe { room, invite } => {
                let view = self.view(who, room, invite.as_deref())?;
                self.subscribe(session, who, view);
            }
            BoardRequest::Unsubscribe => self.watch(session, Watching::No),
            BoardRequest::Lay(draft) => board.lay(now, who, draft).map(|_| ())?,
            BoardRequest::Take { table, wait } => board.take(now, who, &table, wait)?,
            BoardRequest::Leave { table } => board.leave(now, &who.key, &table)?,
            // A guest must not learn whether the table exists.
            BoardRequest::Delete { .. } | BoardRequest::CancelDate { .. } | BoardRequest::Move { .. }
                if !who.member =>
            {
                return Err(ErrorCode::NotMember);
            }
            BoardRequest::Delete { table } => board.delete(now, &who.key, &table)?,
            BoardRequest::CancelDate { table } => board.cancel_date(now, &who.key, &table)?,
            BoardRequest::Move { table, starts_ms, minutes } => {
                board.move_table(now, &who.key, &table, starts_ms, minutes)?;
            }
            BoardRequest::LayRound(_)
            | BoardRequest::CancelRound { .. }
            | BoardRequest::SignUp { .. }
            | BoardRequest::Withdraw { .. } => board.ask_rounds(now, who, request)?,
            BoardRequest::EatNow { with } => board.eat_now(now, who, with)?,
            BoardRequest::StopWaiting => board.stop_waiting(&who.key),
            BoardRequest::Presence { presence } => board.set_presence(&who.key, presence),
            BoardRequest::AboutMe => return Ok(Some(BoardNews::AboutMe(Box::new(board.about(now, who))))),
            BoardRequest::ForgetMe => self.forget(who),
            BoardRequest::Calendar { token } => {
                let token = board.calendar_token(now, who, token)?;
                return Ok(Some(BoardNews::Calendar { token }));
            }
            BoardRequest::RevokeCalendar => board.revoke_calendar(&who.key),
            BoardRequest::SetAvatar { color, glyph, jpeg } => {
                board.set_avatar(now, who, color, glyph, jpeg.as_deref())?;
                self.show_avatar(&who.key);
            }
            BoardRequest::Photo { id } => {
                let jpeg = board.photo(&id)?;
                return Ok(Some(BoardNews::Photo { id, jpeg }));
            }
            // Handled above.
            BoardRequest::Report { .. }
            | BoardRequest::Block { .. }
            | BoardRequest::Unblock { .. }
            | BoardRequest::Seen
            | BoardRequest::CloseTable { .. }
            | BoardRequest::Suspend { .. }
            | BoardRequest::Lift { .. }
            | BoardRequest::OrderBook
            | BoardRequest::CloseReport { .. } => {}
            BoardRequest::Invite { room, uses, hours } => {
                let (invite, expires_ms) = board.invite(now, who, &room, uses, hours)?;
                return Ok(Some(BoardNews::Invite { room, invite, expires_ms }));
            }
        }
        Ok(None)
    }

    /// How the person of a session is shown.
    pub(super) fn avatar_of(&self, session: &SessionId) -> Avatar {
        self.sessions.get(session).map_or_else(Avatar::default, |found| self.board.avatar(&found.person.key))
    }

    /// Shows somebody differently in the rooms in which they are.
    fn show_avatar(&mut self, key: &str) {
        for session in self.people.sessions(key).to_vec() {
            let found = self.sessions.get(&session);
            let Some(name) = found.and_then(|found| found.room.clone().or(found.knocks.clone())) else { continue };
            if let Some(room) = self.rooms.get_mut(&name) {
                room.set_avatar(&session, self.board.avatar(key));
                self.drain(&name);
            }
        }
    }

    /// Erases somebody, who leaves the calls of tables before.
    fn forget(&mut self, who: &Who) {
        for session in self.people.sessions(&who.key).to_vec() {
            let found = self.sessions.get(&session);
            let room = found.and_then(|found| found.room.as_ref().or(found.knocks.as_ref()));
            if room.is_some_and(|room| self.board.table_of_room(room).is_some()) {
                let _ = self.leave(&session); // it is in the room
            }
        }
        self.outputs.push_back(Output::Forgotten(who.key.clone()));
        self.board.forget(self.unix_ms, who);
    }

    /// Returns what somebody may see. A guest sees the table for which they have an invite or a seat, and cannot find
    /// out whether others exist.
    pub(super) fn view(&self, who: &Who, room: Option<String>, invite: Option<&str>) -> Result<View, ErrorCode> {
        if self.board.is_suspended(&who.key) {
            return Ok(View::Nothing);
        }
        if who.member {
            return Ok(View::Member);
        }
        let room = room.ok_or(ErrorCode::NotMember)?;
        let seated = self.board.table_of_room(&room).is_some_and(|table| table.seats_key(&who.key));
        if !seated {
            self.board.check_invite(self.unix_ms, &who.key, &room, invite)?;
        }
        Ok(View::Guest(room))
    }

    fn subscribe(&mut self, session: &SessionId, who: &Who, view: View) {
        self.is_asked = true;
        self.watch(session, Watching::new(view));
        self.board.watch(&who.key);
    }

    pub(super) fn watch(&mut self, session: &SessionId, watching: Watching) {
        if let Some(found) = self.sessions.get_mut(session) {
            found.watching = watching;
        }
    }
}

/// Whether a request is handled by [`Rooms::ask_order`].
fn is_about_order(request: &BoardRequest) -> bool {
    matches!(
        request,
        BoardRequest::Report { .. }
            | BoardRequest::Block { .. }
            | BoardRequest::Unblock { .. }
            | BoardRequest::Seen
            | BoardRequest::CloseTable { .. }
            | BoardRequest::Suspend { .. }
            | BoardRequest::Lift { .. }
            | BoardRequest::OrderBook
            | BoardRequest::CloseReport { .. }
    )
}
